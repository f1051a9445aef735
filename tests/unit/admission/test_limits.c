/* Several limits in one step, strict ones among them, and limits that change while tasks wait. */
#include "limiter_rig.h"

#include "task/sched.h"

#define MS INT64_C(1000) /* in us */
#define S  (1000 * MS)

#define LIMITS(...)                                                                                \
    .limits = (const struct weir_limit[]){__VA_ARGS__},                                            \
    .limit_count = sizeof((const struct weir_limit[]){__VA_ARGS__}) / sizeof(struct weir_limit)

/* Asks once for a want; at: when it was granted. */
struct reserve {
    weir_limiter *limiter;
    struct weir_want want;
    weir_permit permit;
    int64_t start_ns, got_us;
    int rc;
};

static int reserve_run(void *arg)
{
    struct reserve *reserve = arg;
    reserve->want.size = sizeof reserve->want;
    reserve->got_us = -1;
    reserve->rc = weir_limiter_reserve(reserve->limiter, &reserve->want, &reserve->permit);
    if (reserve->rc == 0)
        reserve->got_us = us_since(reserve->start_ns);
    return 0;
}

static void reserves_spawn(weir_group *group, weir_limiter *limiter, struct reserve *reserves,
                           size_t count)
{
    for (size_t i = 0; i < count; i++) {
        reserves[i].limiter = limiter;
        reserves[i].start_ns = weir_now_ns();
        check(weir_spawn(group, reserve_run, &reserves[i]) != NULL);
    }
}

/* ---- several ---- */

/* 10 requests a second, 100 tokens a second and 12 requests a day. */
static int the_narrowest_decides(void *arg)
{
    weir_limiter *limiter =
        LIMITER(.rate = 10, .period_ms = 1000, .burst = 1,
                LIMITS({.rate = 100, .period_ms = 1000, .burst = 100, .unit = WEIR_TOKENS},
                       {.rate = 12, .period_ms = 86400000, .strict = 1}));
    weir_group *group = rig_group();
    struct reserve reserves[14] = {{.want.tokens = 0}};
    static const uint64_t tokens[14] = {10, 10, 10, 100, 0, 0, 50};
    static const int64_t want_us[12] = {0,   100, 200,  300,  400,  500,
                                        800, 900, 1000, 1100, 1200, 1300};
    (void)arg;
    for (size_t i = 0; i < 14; i++)
        reserves[i].want.tokens = tokens[i];
    reserves_spawn(group, limiter, reserves, 14);
    check_int(weir_gather(group), 0);
    for (size_t i = 0; i < 12; i++)
        check_int(reserves[i].got_us, want_us[i] * MS);
    check_int(reserves[12].got_us, 86400 * S + 50 * MS);
    check_int(reserves[13].got_us, 86400 * S + 150 * MS);
    for (size_t i = 0; i < 14; i++)
        weir_permit_settle(&reserves[i].permit, -1);
    weir_group_free(group);
    weir_limiter_free(limiter);
    return 0;
}

/* While one limit makes the head wait, nothing is taken from the other. */
static int nothing_is_taken_before_all_is_there(void *arg)
{
    weir_limiter *limiter =
        LIMITER(.rate = 10, .period_ms = 1000, .burst = 10,
                LIMITS({.rate = 10, .period_ms = 1000, .burst = 10, .unit = WEIR_TOKENS}));
    weir_group *group = rig_group();
    struct reserve first = {.want.tokens = 10}, second = {.want.tokens = 10};
    (void)arg;
    reserves_spawn(group, limiter, &first, 1);
    weir_yield();
    reserves_spawn(group, limiter, &second, 1);
    weir_yield();
    weir_group_cancel(group);
    weir_gather(group);
    check_int(second.rc, WEIR_ECANCELED);
    check_int(weir_limiter_try(limiter, 9), 0); /* one was taken by the first */
    check_int(weir_limiter_try(limiter, 1), WEIR_EBUSY);
    weir_permit_cancel(&first.permit);
    weir_group_free(group);
    weir_limiter_free(limiter);
    return 0;
}

static int requests_alone_pass_limits_of_tokens(void *arg)
{
    weir_limiter *limiter = LIMITER(LIMITS({.rate = 5, .period_ms = 1000, .unit = WEIR_TOKENS}));
    weir_permit permit;
    (void)arg;
    check_int(weir_limiter_try_reserve(limiter, WEIR_WANT(.tokens = 5), &permit), 0);
    check_int(weir_limiter_try_reserve(limiter, WEIR_WANT(.tokens = 1), &(weir_permit){{0}}),
              WEIR_EBUSY);
    for (int i = 0; i < 50; i++)
        check_int(weir_limiter_try(limiter, 1), 0);
    weir_permit_settle(&permit, 5);
    weir_limiter_free(limiter);
    return 0;
}

static int what_is_no_limit(void *arg)
{
    static const struct weir_limit nine[9] = {{.rate = 1}, {.rate = 1}, {.rate = 1},
                                              {.rate = 1}, {.rate = 1}, {.rate = 1},
                                              {.rate = 1}, {.rate = 1}, {.rate = 1}};
    static const struct weir_limit wrong[] = {
        {.period_ms = -1, .rate = 1},
        {.rate = 0, .burst = 1},
        {.rate = UINT64_MAX},
        {.rate = 10, .burst = 11, .strict = 1},
        {.rate = 1, .unit = (enum weir_unit)2},
        {.rate = 1, .burst = UINT64_C(1000000001)},
        {.rate = UINT64_C(1000000001), .strict = 1},
    };
    weir_limiter *limiter = NULL;
    (void)arg;
    check_int(weir_limiter_new(&limiter, WEIR_LIMITER_OPTS(.limits = nine, .limit_count = 9)),
              WEIR_EINVAL);
    check_int(weir_limiter_new(&limiter,
                               WEIR_LIMITER_OPTS(.rate = 1, .limits = nine, .limit_count = 8)),
              WEIR_EINVAL);
    check_int(weir_limiter_new(&limiter, WEIR_LIMITER_OPTS(.limit_count = 1)), WEIR_EINVAL);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        check_int(weir_limiter_new(&limiter,
                                   WEIR_LIMITER_OPTS(.limits = &wrong[i], .limit_count = 1)),
                  WEIR_EINVAL);
        check(limiter == NULL);
    }
    limiter = LIMITER(.limits = nine, .limit_count = 8);
    check_int(weir_limiter_try(limiter, 1), 0);
    check_int(weir_limiter_try(limiter, 1), WEIR_EBUSY);
    weir_limiter_free(limiter);
    return 0;
}

/* ---- strict ---- */

static int64_t most_in_us(const struct ask *asks, size_t count, int64_t window_us)
{
    int64_t most = 0;
    for (size_t to = 0, from = 0; to < count; to++) {
        while (asks[to].got_us - asks[from].got_us > window_us)
            from++;
        if ((int64_t)(to + 1 - from) > most)
            most = (int64_t)(to + 1 - from);
    }
    return most;
}

/* 10 per 60 s and the margin of 50 ms, after a pause and at once: a bucket with that burst lets 19
 * through. */
static int never_eleven_in_a_minute(void *arg)
{
    enum { COUNT = 100 };
    struct ask asks[COUNT];
    (void)arg;
    for (size_t i = 0; i < COUNT; i++)
        asks[i] = (struct ask){.amount = 1, .at_us = (int64_t)(i / 7) * 11 * S};
    weir_limiter *limiter = LIMITER(LIMITS({.rate = 10, .strict = 1}));
    asks_run(limiter, asks, COUNT);
    check_int(most_in_us(asks, COUNT, 60 * S + 50 * MS - 1), 10);
    check_int(asks[9].got_us, 11 * S);
    check_int(asks[10].got_us, 60 * S + 50 * MS);
    check_int(asks[19].got_us, 71 * S + 50 * MS);
    check_int(asks[COUNT - 1].got_us, 551 * S + 9 * 50 * MS);
    weir_limiter_free(limiter);
    return 0;
}

/* A burst of its own makes a strict limit smooth, too. */
static int strict_and_smooth(void *arg)
{
    struct ask asks[25];
    (void)arg;
    for (size_t i = 0; i < 25; i++)
        asks[i] = (struct ask){.amount = 1};
    weir_limiter *limiter =
        LIMITER(LIMITS({.rate = 10, .period_ms = 1000, .burst = 4, .strict = 1}));
    asks_run(limiter, asks, 25);
    check_int(asks[3].got_us, 0);
    check_int(asks[4].got_us, 100 * MS);
    check_int(asks[9].got_us, 600 * MS);
    check_int(asks[10].got_us, 1004 * MS);
    check_int(most_in_us(asks, 25, 1004 * MS - 1), 10);
    weir_limiter_free(limiter);
    return 0;
}

/* ---- timers that wake late, a process that stood still ---- */

struct late_loop {
    struct weir__loop loop;
    int64_t now_ns;
    uint64_t wakes;
};

static int64_t late_now_ns(struct weir__loop *loop)
{
    return WEIR__CONTAINER(loop, struct late_loop, loop)->now_ns;
}

static int late_wait(struct weir__loop *loop, int64_t wake_ns)
{
    static const int64_t late_us[] = {0, 1200, 2900, 60, 5000, 100, 2500};
    struct late_loop *late = WEIR__CONTAINER(loop, struct late_loop, loop);
    if (wake_ns == INT64_MAX)
        return WEIR_EDEADLK;
    if (wake_ns > late->now_ns)
        late->now_ns = wake_ns + late_us[late->wakes++ % 7] * 1000;
    if (late->wakes == 40)
        late->now_ns += 60 * WEIR__NS_PER_S;
    return 0;
}

static int strict_under_late_timers(void *arg)
{
    enum { COUNT = 400 };
    struct ask *asks = test_calloc(COUNT, sizeof *asks);
    (void)arg;
    for (size_t i = 0; i < COUNT; i++)
        asks[i] = (struct ask){.amount = 1};
    weir_limiter *limiter =
        LIMITER(LIMITS({.rate = 20, .period_ms = 200, .burst = 2, .strict = 1}));
    asks_run(limiter, asks, COUNT);
    check(most_in_us(asks, COUNT, 200 * MS - 1) <= 20);
    check(asks[COUNT - 1].got_us < 60 * S + 5 * S);
    weir_limiter_free(limiter);
    test_free(asks);
    return 0;
}

static void test_late_timers(void **state)
{
    struct late_loop late = {.loop = {.now_ns = late_now_ns, .wait = late_wait, .is_virtual = true},
                             .now_ns = WEIR__NS_PER_S};
    const struct weir_run_opts opts = {.size = sizeof opts, .seed = 1};
    (void)state;
    assert_int_equal(weir__sched_run(&late.loop, &opts, strict_under_late_timers, NULL), 0);
    assert_true(late.wakes > 40);
    rig_assert_no_failure();
}

/* ---- changes ---- */

static int a_faster_rate_at_once(void *arg)
{
    weir_limiter *limiter = LIMITER(.rate = 1, .period_ms = 10000, .burst = 1);
    weir_group *group = rig_group();
    struct ask asks[4] = {{.amount = 1}, {.amount = 1}, {.amount = 1}, {.amount = 1}};
    const struct weir_limit faster = {.rate = 10, .period_ms = 1000, .burst = 10};
    (void)arg;
    asks_spawn(group, limiter, asks, 4);
    weir_sleep_ms(5000);
    check_int(weir_limiter_set_limit(limiter, 0, &faster), 0);
    check_int(weir_gather(group), 0);
    check_int(asks[0].got_us, 0);
    check_int(asks[1].got_us, 5 * S + 50 * MS); /* half a token was there: no flood of ten */
    check_int(asks[2].got_us, 5 * S + 150 * MS);
    check_int(asks[3].got_us, 5 * S + 250 * MS);
    weir_group_free(group);
    weir_limiter_free(limiter);
    return 0;
}

static int a_slower_rate_at_once(void *arg)
{
    weir_limiter *limiter = LIMITER(.rate = 1, .period_ms = 1000, .burst = 3);
    weir_group *group = rig_group();
    struct ask asks[3] = {{.amount = 3}, {.amount = 3}, {.amount = 1}};
    const struct weir_limit slower = {.rate = 1, .period_ms = 10000, .burst = 2};
    (void)arg;
    asks_spawn(group, limiter, asks, 3);
    weir_sleep_ms(500);
    check_int(weir_limiter_set_limit(limiter, 0, &slower), 0);
    weir_gather(group);
    check_int(asks[1].rc, WEIR_ENEVER); /* more than the new burst */
    check_int(asks[2].got_us, 500 * MS + 5 * S);
    weir_group_free(group);
    weir_limiter_free(limiter);
    return 0;
}

static int limits_are_added_and_removed(void *arg)
{
    weir_limiter *limiter = LIMITER(.concurrency = 100);
    const struct weir_limit strict = {.rate = 2, .period_ms = 1000, .strict = 1},
                            none = {.rate = 0};
    int64_t start_ns = weir_now_ns();
    (void)arg;
    check_int(weir_limiter_set_limit(limiter, 1, &strict), WEIR_EINVAL);
    check_int(weir_limiter_set_limit(limiter, 0, &strict), 0);
    for (int i = 0; i < 4; i++)
        check_int(weir_limiter_acquire(limiter, 1), 0);
    check_int(us_since(start_ns), 1004 * MS);
    check_int(weir_limiter_set_limit(limiter, 0, &none), 0);
    check_int(weir_limiter_acquire(limiter, 50), 0);
    check_int(us_since(start_ns), 1004 * MS);
    weir_limiter_free(limiter);
    return 0;
}

/* What a bucket has given is in the log of the strict limit it becomes, and back. */
static int smooth_to_strict_and_back(void *arg)
{
    weir_limiter *limiter = LIMITER(.rate = 10, .period_ms = 1000, .burst = 10);
    struct weir_limit limit = {.rate = 10, .period_ms = 1000, .burst = 10, .strict = 1};
    int64_t start_ns = weir_now_ns();
    (void)arg;
    check_int(weir_limiter_acquire(limiter, 7), 0);
    check_int(weir_limiter_set_limit(limiter, 0, &limit), 0);
    check_int(weir_limiter_try(limiter, 4), WEIR_EBUSY);
    check_int(weir_limiter_try(limiter, 3), 0);
    check_int(weir_limiter_acquire(limiter, 10), 0);
    check_int(us_since(start_ns), 1004 * MS);
    limit.strict = 0;
    check_int(weir_limiter_set_limit(limiter, 0, &limit), 0);
    check_int(weir_limiter_acquire(limiter, 1), 0);
    check_int(us_since(start_ns), 1104 * MS);
    weir_limiter_free(limiter);
    return 0;
}

static int wrong_changes_change_nothing(void *arg)
{
    weir_limiter *limiter = LIMITER(.rate = 2, .period_ms = 1000, .burst = 1);
    const struct weir_limit wrong = {.rate = 1, .period_ms = -1}, more = {.rate = 1};
    int64_t start_ns = weir_now_ns();
    (void)arg;
    check_int(weir_limiter_set_limit(limiter, 0, &wrong), WEIR_EINVAL);
    check_int(weir_limiter_set_limit(limiter, 1, &wrong), WEIR_EINVAL);
    check_int(weir_limiter_set_limit(limiter, 2, &more), WEIR_EINVAL);
    check_int(weir_limiter_set_limit(limiter, SIZE_MAX, &more), WEIR_EINVAL);
    check_int(weir_limiter_set_concurrency(limiter, 5), WEIR_EINVAL); /* has none */
    check_int(weir_limiter_acquire(limiter, 1), 0);
    check_int(weir_limiter_acquire(limiter, 1), 0);
    check_int(us_since(start_ns), 500 * MS);
    weir_limiter_free(limiter);
    return 0;
}

static int a_change_in_a_pause_leaves_the_bucket_empty_behind_it(void *arg)
{
    weir_limiter *limiter = LIMITER(.rate = 10, .period_ms = 1000, .burst = 10);
    const struct weir_limit more = {.rate = 10, .period_ms = 1000, .burst = 20};
    struct ask asks[3] = {{.amount = 1}, {.amount = 1}, {.amount = 1}};
    (void)arg;
    weir_limiter_pause_ms(limiter, 2000);
    check_int(weir_limiter_set_limit(limiter, 0, &more), 0);
    asks_run(limiter, asks, 3);
    check_int(asks[0].got_us, 2 * S);
    check(asks[2].got_us >= 2 * S + 200 * MS);
    weir_limiter_free(limiter);
    return 0;
}

static int concurrency_changes_at_once(void *arg)
{
    weir_limiter *limiter = LIMITER(.concurrency = 1);
    weir_group *group = rig_group();
    struct ask asks[6];
    (void)arg;
    for (size_t i = 0; i < 6; i++)
        asks[i] = (struct ask){.amount = 1, .hold_ms = 1000};
    asks_spawn(group, limiter, asks, 6);
    weir_sleep_ms(500);
    check_int(weir_limiter_set_concurrency(limiter, 0), WEIR_EINVAL);
    check_int(weir_limiter_set_concurrency(limiter, 3), 0);
    check_int((int64_t)stats_of(limiter).holding, 3);
    weir_sleep_ms(250);
    check_int(weir_limiter_set_concurrency(limiter, 1), 0); /* those who hold go on */
    check_int((int64_t)stats_of(limiter).holding, 3);
    check_int((int64_t)stats_of(limiter).concurrency, 1);
    check_int(weir_gather(group), 0);
    check_int(asks[2].got_us, 500 * MS);
    check_int(asks[3].got_us, 1500 * MS);
    check_int(asks[4].got_us, 2500 * MS);
    weir_group_free(group);
    weir_limiter_free(limiter);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(the_narrowest_decides),
        VIRTUAL_TEST(nothing_is_taken_before_all_is_there),
        VIRTUAL_TEST(requests_alone_pass_limits_of_tokens),
        VIRTUAL_TEST(what_is_no_limit),
        VIRTUAL_TEST(never_eleven_in_a_minute),
        VIRTUAL_TEST(strict_and_smooth),
        cmocka_unit_test(test_late_timers),
        VIRTUAL_TEST(a_faster_rate_at_once),
        VIRTUAL_TEST(a_slower_rate_at_once),
        VIRTUAL_TEST(limits_are_added_and_removed),
        VIRTUAL_TEST(smooth_to_strict_and_back),
        VIRTUAL_TEST(wrong_changes_change_nothing),
        VIRTUAL_TEST(a_change_in_a_pause_leaves_the_bucket_empty_behind_it),
        VIRTUAL_TEST(concurrency_changes_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
