/* The gate in front of everybody, and retries that keep their age: the client's door to the
 * limiter. */
#include "limiter_rig.h"

#include "admission/admission.h"

#define MS INT64_C(1000) /* in us */
#define S  (1000 * MS)

/* ---- a pause ---- */

static int everyone_waits(void *arg)
{
    weir_limiter *limiter = LIMITER(.concurrency = 8);
    struct ask asks[3] = {{.amount = 1},
                          {.amount = 1, .at_us = 2 * S},
                          {.amount = 1, .at_us = 6 * S}};
    (void)arg;
    weir_limiter_pause_ms(limiter, 5000);
    check_int(weir_limiter_try(limiter, 1), WEIR_EBUSY);
    asks_run(limiter, asks, 3);
    check_int(asks[0].got_us, 5 * S);
    check_int(asks[1].got_us, 5 * S);
    check_int(asks[2].got_us, 6 * S);
    weir_limiter_free(limiter);
    return 0;
}

static int those_who_wait_already_go_on_waiting(void *arg)
{
    weir_limiter *limiter = LIMITER(.rate = 1, .period_ms = 1000, .burst = 1);
    weir_group *group = rig_group();
    struct ask asks[3] = {{.amount = 1}, {.amount = 1}, {.amount = 1}};
    (void)arg;
    asks_spawn(group, limiter, asks, 3);
    weir_sleep_ms(500);
    weir_limiter_pause_ms(limiter, 5000);
    check_int(weir_gather(group), 0);
    check_int(asks[1].got_us, 5500 * MS);
    check_int(asks[2].got_us, 6500 * MS);
    weir_group_free(group);
    weir_limiter_free(limiter);
    return 0;
}

/* What would have come together during the pause is not let loose behind it. */
static int the_bucket_is_empty_afterwards(void *arg)
{
    weir_limiter *limiter = LIMITER(.rate = 10, .period_ms = 1000, .burst = 5);
    struct ask asks[8];
    (void)arg;
    for (size_t i = 0; i < 8; i++)
        asks[i] = (struct ask){.amount = 1};
    weir_limiter_pause_ms(limiter, 1000);
    asks_run(limiter, asks, 8);
    for (size_t i = 0; i < 8; i++)
        check_int(asks[i].got_us, 1 * S + (int64_t)i * 100 * MS);
    weir_limiter_free(limiter);
    return 0;
}

static int the_longer_pause_stays(void *arg)
{
    weir_limiter *limiter = LIMITER(.concurrency = 1);
    struct ask ask = {.amount = 1};
    (void)arg;
    weir_limiter_pause_ms(limiter, 10000);
    weir_limiter_pause_ms(limiter, 1000);
    weir_limiter_pause_ms(limiter, 0);
    weir_limiter_pause_ms(limiter, -5);
    asks_run(limiter, &ask, 1);
    check_int(ask.got_us, 10 * S);
    weir_limiter_pause_ms(limiter, 1000);
    weir_limiter_pause_ms(limiter, 2000);
    asks_run(limiter, &ask, 1);
    check_int(ask.got_us, 2 * S);
    weir_limiter_free(limiter);
    return 0;
}

/* One at first, then twice as many with each that goes well. */
static int the_start_behind_it_is_gentle(void *arg)
{
    weir_limiter *limiter = LIMITER(.concurrency = 8);
    struct ask asks[15];
    (void)arg;
    for (size_t i = 0; i < 15; i++)
        asks[i] = (struct ask){.amount = 1, .hold_ms = 100};
    weir_limiter_pause_ms(limiter, 1000);
    asks_run(limiter, asks, 15);
    check_int(asks[0].got_us, 1000 * MS);
    check_int(asks[1].got_us, 1100 * MS);
    check_int(asks[2].got_us, 1100 * MS);
    check_int(asks[3].got_us, 1200 * MS);
    check_int(asks[10].got_us, 1200 * MS); /* 8 from there on: the limiter's own bound */
    check_int(asks[11].got_us, 1300 * MS);
    weir_limiter_free(limiter);
    return 0;
}

/* Transfers from before the pause neither fill the window behind it nor open it. */
static int those_from_before_do_not_matter(void *arg)
{
    weir_limiter *limiter = LIMITER(.concurrency = 8);
    weir_group *group = rig_group();
    struct ask before[4] = {{.amount = 1, .hold_ms = 500},
                            {.amount = 1, .hold_ms = 600},
                            {.amount = 1, .hold_ms = 20000},
                            {.amount = 1, .hold_ms = 20000}};
    struct ask after[3] = {{.amount = 1, .hold_ms = 100},
                           {.amount = 1, .hold_ms = 100},
                           {.amount = 1, .hold_ms = 100}};
    (void)arg;
    asks_spawn(group, limiter, before, 4);
    weir_yield();
    weir_limiter_pause_ms(limiter, 1000);
    asks_spawn(group, limiter, after, 3);
    check_int(weir_gather(group), 0);
    check_int(after[0].got_us, 1000 * MS);
    check_int(after[1].got_us, 1100 * MS);
    check_int(after[2].got_us, 1100 * MS);
    weir_group_free(group);
    weir_limiter_free(limiter);
    return 0;
}

/* ---- stays: the client's door ---- */

struct visit {
    weir_limiter *limiter;
    struct weir__stay stay;
    enum weir__went went;
    int64_t server_wait_ms, hold_ms;
    int64_t got_us, start_ns;
    int rc;
};

static int visit_run(void *arg)
{
    struct visit *visit = arg;
    visit->stay.counted = true;
    visit->rc = weir__admission_enter(visit->limiter, &visit->stay, 1);
    visit->got_us = visit->rc == 0 ? us_since(visit->start_ns) : -1;
    if (visit->rc != 0)
        return visit->rc;
    visit->rc = weir_sleep_ms(visit->hold_ms);
    const struct weir__told told = {.wait_ms = visit->server_wait_ms, .used = -1};
    weir__admission_leave(visit->limiter, &visit->stay, visit->went, &told);
    return visit->rc;
}

static void visits_spawn(weir_group *group, weir_limiter *limiter, struct visit *visits,
                         size_t count)
{
    for (size_t i = 0; i < count; i++) {
        visits[i].limiter = limiter;
        visits[i].start_ns = weir_now_ns();
        check(weir_spawn(group, visit_run, &visits[i]) != NULL);
    }
}

static int what_was_not_used_comes_back(void *arg)
{
    weir_limiter *limiter = LIMITER(.rate = 1, .period_ms = 10000, .burst = 1);
    struct visit visit = {.went = WEIR__WENT_UNUSED, .hold_ms = 100};
    weir_group *group = rig_group();
    (void)arg;
    for (int i = 1; i <= 3; i++) {
        visits_spawn(group, limiter, &visit, 1);
        check_int(weir_gather(group), 0);
        check_int(visit.got_us, 0);
        visit.stay.ticket = 0;
    }
    visit.went = WEIR__WENT_UNKNOWN; /* this one counts */
    visits_spawn(group, limiter, &visit, 1);
    visits_spawn(group, limiter, &(struct visit){.went = WEIR__WENT_UNKNOWN}, 1);
    check_int(weir_gather(group), 0);
    check(us_since(visit.start_ns) >= 9900 * MS);
    check_int((int64_t)stats_of(limiter).holding, 0);
    weir_group_free(group);
    weir_limiter_free(limiter);
    return 0;
}

/* One "too fast" closes for all; those admitted with it that are told so, too, add nothing. */
static int one_throttled_answer_stops_all(void *arg)
{
    enum { FLIGHT = 4, COUNT = 12 };
    weir_limiter *limiter = LIMITER(.concurrency = FLIGHT);
    weir_group *group = rig_group();
    struct visit visits[COUNT];
    (void)arg;
    for (size_t i = 0; i < COUNT; i++) {
        bool throttled = i < FLIGHT;
        visits[i] = (struct visit){.went = throttled ? WEIR__WENT_THROTTLED : WEIR__WENT_ANSWERED,
                                   .server_wait_ms = throttled ? 3000 : -1,
                                   .hold_ms = 100};
    }
    visits_spawn(group, limiter, visits, COUNT);
    check_int(weir_gather(group), 0);
    check_int(visits[FLIGHT - 1].got_us, 0);
    check_int(visits[FLIGHT].got_us, 3100 * MS);
    check_int(visits[FLIGHT + 1].got_us, 3200 * MS); /* gently */
    check_int(visits[FLIGHT + 2].got_us, 3200 * MS);
    check_int((int64_t)stats_of(limiter).throttled, FLIGHT);
    weir_group_free(group);
    weir_limiter_free(limiter);
    return 0;
}

static int a_throttled_answer_without_a_wait(void *arg)
{
    weir_limiter *limiter = LIMITER(.concurrency = 4);
    weir_group *group = rig_group();
    struct visit visits[2] = {{.went = WEIR__WENT_THROTTLED, .server_wait_ms = -1},
                              {.went = WEIR__WENT_ANSWERED, .server_wait_ms = -1}};
    (void)arg;
    visits_spawn(group, limiter, visits, 1);
    check_int(weir_gather(group), 0);
    visits_spawn(group, limiter, visits + 1, 1);
    check_int(weir_gather(group), 0);
    check(visits[1].got_us >= 50 * MS && visits[1].got_us <= 250 * MS); /* the first pause */
    weir_group_free(group);
    weir_limiter_free(limiter);
    return 0;
}

/* Admitted after one pause, released in the next, which is but the first one made longer: its place
 * behind the gate comes back. */
static int a_place_released_while_the_pause_is_made_longer(void *arg)
{
    weir_limiter *limiter = LIMITER(.concurrency = 8);
    weir_group *group = rig_group();
    struct visit old = {.went = WEIR__WENT_THROTTLED, .server_wait_ms = 5000, .hold_ms = 3000};
    struct ask asks[2] = {{.amount = 1, .hold_ms = 3000}, {.amount = 1, .at_us = 5 * S}};
    (void)arg;
    visits_spawn(group, limiter, &old, 1);
    weir_yield();
    weir_limiter_pause_ms(limiter, 1000);
    asks_spawn(group, limiter, asks, 2);
    check_int(weir_gather(group), 0);
    check_int(asks[0].got_us, 1 * S);
    check_int(asks[1].got_us, 8 * S);
    weir_group_free(group);
    weir_limiter_free(limiter);
    return 0;
}

/* An old request that comes again waits behind those that are older still, and before all that
 * came after it. */
static int retries_keep_their_age(void *arg)
{
    weir_limiter *limiter = LIMITER(.rate = 1, .period_ms = 1000, .burst = 1);
    weir_group *group = rig_group();
    struct visit first = {.went = WEIR__WENT_UNKNOWN}, second = {.went = WEIR__WENT_UNKNOWN};
    struct visit young[3] = {{.went = WEIR__WENT_UNKNOWN},
                             {.went = WEIR__WENT_UNKNOWN},
                             {.went = WEIR__WENT_UNKNOWN}};
    (void)arg;
    visits_spawn(group, limiter, &first, 1);
    visits_spawn(group, limiter, &second, 1);
    check_int(weir_gather(group), 0); /* both had a turn, at 0 and 1 s */
    visits_spawn(group, limiter, young, 3);
    weir_yield();
    visits_spawn(group, limiter, &second, 1);
    visits_spawn(group, limiter, &first, 1);
    int64_t start_ns = weir_now_ns();
    check_int(weir_gather(group), 0);
    check_int(first.got_us, 1 * S);
    check_int(second.got_us, 2 * S);
    for (size_t i = 0; i < 3; i++)
        check_int(young[i].got_us, (int64_t)(i + 3) * S);
    check_int(us_since(start_ns), 5 * S);
    weir_group_free(group);
    weir_limiter_free(limiter);
    return 0;
}

/* A retry that is older than the head, and smaller than what the head waits for, goes at once. */
static int an_old_small_one_goes_before_the_head(void *arg)
{
    weir_limiter *limiter = LIMITER(.rate = 3, .period_ms = 3000, .burst = 3);
    weir_group *group = rig_group();
    struct visit old = {.went = WEIR__WENT_UNKNOWN};
    struct ask large = {.amount = 3, .hold_ms = -1};
    (void)arg;
    visits_spawn(group, limiter, &old, 1);
    check_int(weir_gather(group), 0);
    asks_spawn(group, limiter, &large, 1);
    weir_yield();
    visits_spawn(group, limiter, &old, 1);
    check_int(weir_gather(group), 0);
    check_int(old.got_us, 0);
    check_int(large.got_us, 2 * S);
    weir_group_free(group);
    weir_limiter_free(limiter);
    return 0;
}

/* ---- sleeping ---- */

struct sleeper {
    weir_limiter *limiter;
    int64_t until_ns;
    int rc;
};

static int sleep_run(void *arg)
{
    struct sleeper *sleeper = arg;
    sleeper->rc = weir__admission_sleep(sleeper->limiter, sleeper->until_ns);
    return 0;
}

static int sleepers(void *arg)
{
    weir_limiter *limiter = LIMITER(.concurrency = 1);
    weir_group *group = rig_group(), *gone = rig_group();
    int64_t start_ns = weir_now_ns();
    struct sleeper until = {limiter, start_ns + 2 * WEIR__NS_PER_S, 1};
    struct sleeper cancelled = {limiter, INT64_MAX, 1}, closed = {limiter, INT64_MAX, 1};
    (void)arg;
    weir_spawn(group, sleep_run, &until);
    weir_spawn(group, sleep_run, &closed);
    weir_spawn(gone, sleep_run, &cancelled);
    weir_sleep_ms(1000);
    weir_group_cancel(gone);
    weir_sleep_ms(2000);
    check_int(until.rc, 0);
    check_int(cancelled.rc, WEIR_ECANCELED);
    check_int(closed.rc, 1);
    weir_limiter_close(limiter);
    check_int(weir_gather(group), 0);
    check_int(closed.rc, WEIR_ECLOSED);
    check_int(weir__admission_sleep(limiter, INT64_MAX), WEIR_ECLOSED);
    check_int(us_since(start_ns), 3 * S);
    weir_group_free(group);
    weir_group_free(gone);
    weir_limiter_free(limiter);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(everyone_waits),
        VIRTUAL_TEST(those_who_wait_already_go_on_waiting),
        VIRTUAL_TEST(the_bucket_is_empty_afterwards),
        VIRTUAL_TEST(the_longer_pause_stays),
        VIRTUAL_TEST(the_start_behind_it_is_gentle),
        VIRTUAL_TEST(those_from_before_do_not_matter),
        VIRTUAL_TEST(what_was_not_used_comes_back),
        VIRTUAL_TEST(one_throttled_answer_stops_all),
        VIRTUAL_TEST(a_throttled_answer_without_a_wait),
        VIRTUAL_TEST(a_place_released_while_the_pause_is_made_longer),
        VIRTUAL_TEST(retries_keep_their_age),
        VIRTUAL_TEST(an_old_small_one_goes_before_the_head),
        VIRTUAL_TEST(sleepers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
