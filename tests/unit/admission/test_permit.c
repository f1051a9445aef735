/* Amounts that are reserved, and settled or given back later; priorities; what is refused at once;
 * where the waiting time went. */
#include "limiter_rig.h"

#include "admission/admission.h"

#define MS INT64_C(1000) /* in us */
#define S  (1000 * MS)

#define TOKENS(rate_, period_ms_)                                                                  \
    .limits = &(                                                                                   \
        const struct weir_limit){.rate = (rate_), .period_ms = (period_ms_), .unit = WEIR_TOKENS}, \
    .limit_count = 1

static int64_t until_ms(const weir_limiter *limiter, uint64_t tokens)
{
    return weir_limiter_time_until_ms(limiter, WEIR_WANT(.tokens = tokens));
}

static weir_permit reserved(weir_limiter *limiter, uint64_t tokens)
{
    weir_permit permit;
    check_int(weir_limiter_reserve(limiter, WEIR_WANT(.tokens = tokens), &permit), 0);
    return permit;
}

/* ---- settling ---- */

static int what_was_not_used_comes_back(void *arg)
{
    weir_limiter *limiter = LIMITER(TOKENS(1000, 10000));
    (void)arg;
    weir_permit permit = reserved(limiter, 1000);
    check_int(until_ms(limiter, 500), 5000);
    weir_sleep_ms(1000);
    weir_permit_settle(&permit, 300);
    check_int(until_ms(limiter, 800), 0);
    check_int(until_ms(limiter, 900), 1000);
    weir_permit_settle(&permit, 0); /* has ended: does nothing */
    check_int(until_ms(limiter, 900), 1000);
    weir_limiter_free(limiter);
    return 0;
}

static int what_was_used_beyond_is_a_debt(void *arg)
{
    weir_limiter *limiter = LIMITER(TOKENS(1000, 10000));
    (void)arg;
    weir_permit permit = reserved(limiter, 100);
    weir_permit_settle(&permit, 1500);
    check_int(until_ms(limiter, 1), 5010);
    check_int(weir_limiter_time_until_ms(limiter, NULL), 0); /* costs no tokens */
    int64_t start_ns = weir_now_ns();
    permit = reserved(limiter, 1);
    check_int(us_since(start_ns), 5010 * MS);
    weir_permit_settle(&permit, -1); /* unknown: as estimated */
    check_int(until_ms(limiter, 1), 10);
    weir_limiter_free(limiter);
    return 0;
}

static int what_was_not_done_comes_back_whole(void *arg)
{
    weir_limiter *limiter =
        LIMITER(.rate = 1, .period_ms = 10000, .burst = 1, .concurrency = 1, TOKENS(1000, 10000));
    (void)arg;
    weir_permit permit = reserved(limiter, 1000);
    check_int((int64_t)stats_of(limiter).holding, 1);
    weir_permit_cancel(&permit);
    check_int((int64_t)stats_of(limiter).holding, 0);
    check_int(until_ms(limiter, 1000), 0);
    permit = reserved(limiter, 1000); /* at once */
    weir_permit_cancel(&permit);
    weir_permit_cancel(&permit);
    check_int((int64_t)stats_of(limiter).holding, 0);
    weir_limiter_free(limiter);
    return 0;
}

/* In a strict limit, too. */
static int strict_limits_take_back(void *arg)
{
    const struct weir_limit strict = {.rate = 10,
                                      .period_ms = 60000,
                                      .unit = WEIR_TOKENS,
                                      .strict = 1};
    weir_limiter *limiter = LIMITER(.limits = &strict, .limit_count = 1);
    (void)arg;
    weir_permit first = reserved(limiter, 6), second = reserved(limiter, 4);
    check_int(until_ms(limiter, 1), 60051); /* the margin; rounded up from 1 ns behind it */
    weir_permit_settle(&first, 1);
    check_int(until_ms(limiter, 5), 0);
    weir_permit_cancel(&second);
    check_int(until_ms(limiter, 9), 0);
    check_int(until_ms(limiter, 10), 60051);
    weir_limiter_free(limiter);
    return 0;
}

static int those_who_wait_get_what_comes_back(void *arg)
{
    weir_limiter *limiter = LIMITER(TOKENS(1000, 10000));
    weir_group *group = rig_group();
    struct ask ask = {.amount = 1};
    (void)arg;
    weir_permit permit = reserved(limiter, 1000), other;
    asks_spawn(group, limiter, &ask, 1);
    weir_yield();
    check_int(ask.got_us, 0);
    check_int(weir_limiter_try_reserve(limiter, WEIR_WANT(.tokens = 1), &other), WEIR_EBUSY);
    weir_permit_cancel(&other); /* is empty */
    weir_permit_settle(&permit, 0);
    check_int(weir_limiter_try_reserve(limiter, WEIR_WANT(.tokens = 1), &other), 0);
    weir_permit_settle(&other, 1);
    weir_group_free(group);
    weir_limiter_free(limiter);
    return 0;
}

static int what_is_wrong_or_too_much(void *arg)
{
    weir_limiter *limiter = LIMITER(TOKENS(1000, 10000));
    struct weir_want unsized = {.tokens = 1};
    weir_permit permit;
    (void)arg;
    check_int(weir_limiter_reserve(limiter, &unsized, &permit), WEIR_EINVAL);
    check_int(weir_limiter_reserve(limiter, WEIR_WANT(.priority = 8), &permit), WEIR_EINVAL);
    check_int(weir_limiter_try_reserve(limiter, WEIR_WANT(.priority = -8), &permit), WEIR_EINVAL);
    check_int(weir_limiter_reserve(limiter, WEIR_WANT(.reserved = 1), &permit), WEIR_EINVAL);
    check_int(weir_limiter_reserve(limiter, WEIR_WANT(.tokens = 1001), &permit), WEIR_ENEVER);
    check_int(until_ms(limiter, 1001), WEIR_ENEVER);
    check_int(until_ms(limiter, 1000), 0);
    weir_limiter_close(limiter);
    check_int(weir_limiter_reserve(limiter, NULL, &permit), WEIR_ECLOSED);
    check_int(until_ms(limiter, 1), WEIR_ECLOSED);
    weir_permit_settle(&permit, 7); /* empty */
    weir_limiter_free(limiter);
    return 0;
}

static int a_permit_outlives_its_limiter(void *arg)
{
    weir_limiter *limiter = LIMITER(.concurrency = 1, TOKENS(1000, 10000));
    (void)arg;
    weir_permit permit = reserved(limiter, 10);
    weir_limiter_free(limiter);
    weir_permit_settle(&permit, 500);
    return 0;
}

static int time_until_counts_who_waits(void *arg)
{
    weir_limiter *limiter = LIMITER(.rate = 1, .period_ms = 1000, .burst = 1);
    weir_group *group = rig_group();
    struct ask asks[4] = {{.amount = 1}, {.amount = 1}, {.amount = 1}, {.amount = 1}};
    (void)arg;
    check_int(weir_limiter_time_until_ms(limiter, NULL), 0);
    asks_spawn(group, limiter, asks, 4);
    weir_yield();
    check_int(weir_limiter_time_until_ms(limiter, NULL), 4000);
    check_int(weir_limiter_time_until_ms(limiter, WEIR_WANT(.priority = 1)), 1000);
    check_int(weir_limiter_time_until_ms(limiter, WEIR_WANT(.requests = 2)), WEIR_ENEVER);
    weir_limiter_pause_ms(limiter, 9000);
    check_int(weir_limiter_time_until_ms(limiter, WEIR_WANT(.priority = 1)), 9000);
    weir_group_free(group);
    weir_limiter_free(limiter);
    return 0;
}

/* ---- priorities ---- */

struct ranked {
    weir_limiter *limiter;
    int priority;
    const char *name;
};

static int ranked_run(void *arg)
{
    struct ranked *ranked = arg;
    weir_permit permit;
    int rc =
        weir_limiter_reserve(ranked->limiter, WEIR_WANT(.priority = ranked->priority), &permit);
    if (rc == 0)
        note("%s", ranked->name);
    weir_permit_settle(&permit, -1);
    return rc;
}

static int higher_ones_first(void *arg)
{
    weir_limiter *limiter = LIMITER(.rate = 1, .period_ms = 1000, .burst = 1);
    weir_group *group = rig_group();
    struct ranked ranked[] = {{limiter, 0, "a"},  {limiter, -7, "z"}, {limiter, 0, "b"},
                              {limiter, 3, "P"},  {limiter, 7, "T"},  {limiter, 3, "Q"},
                              {limiter, -1, "y"}, {limiter, 0, "c"}};
    struct ranked late = {limiter, 7, "U"};
    (void)arg;
    for (size_t i = 0; i < 8; i++)
        weir_spawn(group, ranked_run, &ranked[i]);
    weir_sleep_ms(3500);
    weir_spawn(group, ranked_run, &late);
    check_int(weir_gather(group), 0);
    check_trace("a T P Q U b c y z");
    weir_group_free(group);
    weir_limiter_free(limiter);
    return 0;
}

/* A low one waits for more than is there; a higher one takes what is. */
static int a_higher_one_is_not_kept_by_a_lower_head(void *arg)
{
    weir_limiter *limiter = LIMITER(.rate = 10, .period_ms = 10000, .burst = 10);
    weir_group *group = rig_group();
    struct ask large = {.amount = 10};
    weir_permit permit;
    (void)arg;
    check_int(weir_limiter_try(limiter, 5), 0);
    asks_spawn(group, limiter, &large, 1);
    weir_yield();
    check_int(weir_limiter_try_reserve(limiter, NULL, &permit), WEIR_EBUSY);
    check_int(weir_limiter_try_reserve(limiter, WEIR_WANT(.priority = 1), &permit), 0);
    weir_permit_settle(&permit, -1);
    check_int(weir_gather(group), 0);
    check_int(large.got_us, 6 * S);
    weir_group_free(group);
    weir_limiter_free(limiter);
    return 0;
}

/* ---- refused at once when a pause passes the deadline ---- */

static int wait_with_a_deadline(void *arg)
{
    weir_limiter *limiter = arg;
    weir_deadline limit;
    int64_t start_ns = weir_now_ns();
    weir_deadline_begin_ms(&limit, 5000);
    int rc = weir_deadline_end(&limit, weir_limiter_acquire(limiter, 1));
    note("%d at %d", rc == WEIR_EDEADLINE, (int)(us_since(start_ns) / MS));
    return 0;
}

static int a_pause_past_the_deadline(void *arg)
{
    weir_limiter *limiter = LIMITER(.rate = 1, .period_ms = 2000, .burst = 1);
    weir_group *group = rig_group();
    (void)arg;
    check_int(weir_limiter_acquire(limiter, 1), 0);
    weir_spawn(group, wait_with_a_deadline, limiter);
    weir_sleep_ms(1000);
    weir_limiter_pause_ms(limiter, 2000); /* opens in time */
    weir_yield();
    check_int((int64_t)stats_of(limiter).waiting, 1);
    weir_limiter_pause_ms(limiter, 4500); /* does not */
    weir_yield();
    check_trace("1 at 1000");
    check_int((int64_t)stats_of(limiter).waiting, 0);
    weir_group_free(group);
    weir_limiter_free(limiter);
    return 0;
}

/* ---- where the time went ---- */

static int waits_by_cause(void *arg)
{
    weir_limiter *limiter =
        LIMITER(.rate = 1, .period_ms = 1000, .burst = 1, .concurrency = 2, TOKENS(1000, 10000));
    weir_group *group = rig_group();
    struct ask asks[4] = {{.amount = 1, .hold_ms = 5000},
                          {.amount = 1, .hold_ms = 5000},
                          {.amount = 1},
                          {.amount = 1}};
    struct weir_limiter_stats stats;
    (void)arg;
    asks_spawn(group, limiter, asks, 4);
    check_int(weir_gather(group), 0); /* at 0, 1, 5 and 6 s */
    stats = stats_of(limiter);
    check_int(asks[3].got_us, 6 * S);
    check_int(stats.requests_wait_ms, 3 * 1000 + 1000); /* to 1 s three, from 5 to 6 s one */
    check_int(stats.concurrency_wait_ms, 2 * 4000);
    check_int(stats.gate_wait_ms, 0);
    weir_permit permit = reserved(limiter, 1000), next;
    weir_permit_settle(&permit, 1000);
    int64_t start_ns = weir_now_ns();
    next = reserved(limiter, 100);
    check_int(us_since(start_ns), 1 * S);
    weir_permit_settle(&next, 100);
    check_int(stats_of(limiter).tokens_wait_ms + stats_of(limiter).requests_wait_ms, 5000 + 1000);
    weir_limiter_pause_ms(limiter, 3000);
    next = reserved(limiter, 0);
    weir_permit_settle(&next, -1);
    check_int(stats_of(limiter).gate_wait_ms, 3000);
    weir_group_free(group);
    weir_limiter_free(limiter);
    return 0;
}

static int waits_while_somebody_still_waits(void *arg)
{
    weir_limiter *limiter = LIMITER(TOKENS(1000, 10000));
    weir_group *group = rig_group();
    struct ranked ranked = {limiter, 0, "x"};
    (void)arg;
    weir_permit permit = reserved(limiter, 1000);
    weir_permit_settle(&permit, 3000); /* for 20 s */
    weir_spawn(group, ranked_run, &ranked);
    struct weir__stay stay = {.want = {{0, 1}}};
    weir_deadline limit;
    weir_deadline_begin_ms(&limit, 30000);
    check_int(weir__admission_enter(limiter, &stay, 1), 0);
    weir_deadline_end(&limit, 0);
    check_int(stay.blocked_ns[WEIR_BLOCKED_TOKENS], 20010 * WEIR__NS_PER_MS);
    check_int(stay.blocked_ns[WEIR_BLOCKED_RATE], 0);
    check_int(stats_of(limiter).tokens_wait_ms, 2 * 20010); /* the other one waits behind it */
    check((int64_t)stats_of(limiter).tokens_per_s == 100);
    check((int64_t)stats_of(limiter).requests_per_s == 0);
    weir_group_free(group);
    weir_limiter_free(limiter);
    return 0;
}

static int what_blocks_now(void *arg)
{
    weir_limiter *limiter = LIMITER(TOKENS(1000, 10000));
    weir_group *group = rig_group();
    struct weir__stay stay = {.want = {{0, 10}}};
    (void)arg;
    weir_permit permit = reserved(limiter, 1000);
    weir_deadline limit;
    weir_deadline_begin_ms(&limit, 50);
    check_int(weir__admission_enter(limiter, &stay, 1), WEIR_EDEADLINE);
    weir_deadline_end(&limit, 0);
    struct ranked ranked = {limiter, 0, "x"};
    weir_spawn(group, ranked_run, &ranked);
    weir_yield();
    check_int(stats_of(limiter).blocked, WEIR_BLOCKED_NOT); /* that one wants no tokens */
    weir_permit_settle(&permit, 1000);
    weir_group_free(group);
    rig_trace_clear();
    weir_limiter_free(limiter);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(what_was_not_used_comes_back),
        VIRTUAL_TEST(what_was_used_beyond_is_a_debt),
        VIRTUAL_TEST(what_was_not_done_comes_back_whole),
        VIRTUAL_TEST(strict_limits_take_back),
        VIRTUAL_TEST(those_who_wait_get_what_comes_back),
        VIRTUAL_TEST(what_is_wrong_or_too_much),
        VIRTUAL_TEST(a_permit_outlives_its_limiter),
        VIRTUAL_TEST(time_until_counts_who_waits),
        VIRTUAL_TEST(higher_ones_first),
        VIRTUAL_TEST(a_higher_one_is_not_kept_by_a_lower_head),
        VIRTUAL_TEST(a_pause_past_the_deadline),
        VIRTUAL_TEST(waits_by_cause),
        VIRTUAL_TEST(waits_while_somebody_still_waits),
        VIRTUAL_TEST(what_blocks_now),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
