/* Limits that several limiters share: of one thread under the virtual clock, and of several
 * threads. */
#include "limiter_rig.h"

#include <pthread.h>

#include <weir/shared.h>

#include "base/mem.h"
#include "task/sched.h"

#define MS INT64_C(1000) /* in us */
#define S  (1000 * MS)

static weir_shared *shared_with(const struct weir_limit *limits, size_t count)
{
    weir_shared *shared = NULL;
    check_int(weir_shared_open(&shared, NULL, limits, count), 0);
    return shared;
}
#define SHARED(...) shared_with(&(const struct weir_limit){__VA_ARGS__}, 1)

static void free_all(weir_limiter *const *limiters, size_t count, weir_shared *shared)
{
    for (size_t i = 0; i < count; i++)
        weir_limiter_free(limiters[i]);
    weir_shared_close(shared);
}

/* Limiters take turns as they ask, and together keep to the rate. */
static int turns_by_time_of_asking(void *arg)
{
    weir_shared *shared = SHARED(.rate = 10, .period_ms = 1000, .burst = 2);
    weir_limiter *limiters[3];
    weir_group *group = rig_group();
    struct ask asks[3][5];
    (void)arg;
    for (size_t i = 0; i < 3; i++) {
        limiters[i] = LIMITER(.shared = shared);
        for (size_t j = 0; j < 5; j++)
            asks[i][j] = (struct ask){.amount = 1};
        asks_spawn(group, limiters[i], asks[i], 5);
    }
    check_int(weir_gather(group), 0);
    int64_t last_us = 0, sum_us = 0;
    for (size_t i = 0; i < 3; i++) {
        for (size_t j = 0; j < 5; j++) {
            last_us = asks[i][j].got_us > last_us ? asks[i][j].got_us : last_us;
            sum_us += asks[i][j].got_us;
        }
    }
    check_int(last_us, 1300 * MS);               /* 15 of them */
    check_int(sum_us, 100 * MS * (13 * 14 / 2)); /* one each 100 ms */
    check(asks[1][4].got_us - asks[2][4].got_us <= 100 * MS);
    weir_group_free(group);
    free_all(limiters, 3, shared);
    return 0;
}

/* A head that goes away leaves its slot to the next of its queue, or gives it back. */
static int a_slot_given_back(void *arg)
{
    weir_shared *shared = SHARED(.rate = 1, .period_ms = 1000, .burst = 1);
    weir_limiter *limiters[2] = {LIMITER(.shared = shared), LIMITER(.shared = shared)};
    weir_group *gone = rig_group(), *group = rig_group();
    struct ask head = {.amount = 1}, next = {.amount = 1}, other = {.amount = 1};
    (void)arg;
    check_int(weir_limiter_acquire(limiters[0], 1), 0);
    asks_spawn(gone, limiters[0], &head, 1);
    weir_yield();
    weir_group_cancel(gone);
    weir_gather(gone);
    asks_spawn(group, limiters[1], &other, 1); /* 1 s: nobody is before it any more */
    weir_yield();
    asks_spawn(gone, limiters[0], &head, 1);  /* 2 s, */
    asks_spawn(group, limiters[0], &next, 1); /* which this one gets */
    weir_sleep_ms(500);
    weir_group_cancel(gone);
    check_int(weir_gather(group), 0);
    check_int(other.got_us, 1 * S);
    check_int(next.got_us, 2 * S);
    weir_group_free(gone);
    weir_group_free(group);
    free_all(limiters, 2, shared);
    return 0;
}

/* Another has reserved behind the slot that is given back: it stays where it is, and nobody gets a
 * slot next to it that would be too many. */
static int a_slot_given_back_before_another(void *arg)
{
    weir_shared *shared = SHARED(.rate = 1, .period_ms = 1000, .burst = 1);
    weir_limiter *limiters[3] = {LIMITER(.shared = shared), LIMITER(.shared = shared),
                                 LIMITER(.shared = shared)};
    weir_group *gone = rig_group(), *group = rig_group();
    struct ask first = {.amount = 1}, second = {.amount = 1}, third = {.amount = 1};
    (void)arg;
    check_int(weir_limiter_acquire(limiters[0], 1), 0);
    asks_spawn(gone, limiters[0], &first, 1);
    weir_yield();
    asks_spawn(group, limiters[1], &second, 1);
    weir_yield();
    weir_group_cancel(gone);
    weir_gather(gone);
    asks_spawn(group, limiters[2], &third, 1);
    check_int(weir_gather(group), 0);
    check_int(second.got_us, 2 * S);
    check_int(third.got_us, 3 * S);
    weir_group_free(gone);
    weir_group_free(group);
    free_all(limiters, 3, shared);
    return 0;
}

/* One limit has what the other lacks: a slot is in both. */
static int several_limits(void *arg)
{
    static const struct weir_limit limits[] = {
        {.rate = 10, .period_ms = 1000, .burst = 1},
        {.rate = 1000, .period_ms = 1000, .unit = WEIR_TOKENS},
    };
    weir_shared *shared = shared_with(limits, 2);
    weir_limiter *limiters[2] = {LIMITER(.shared = shared), LIMITER(.shared = shared)};
    weir_permit permits[4];
    int64_t start_ns = weir_now_ns();
    (void)arg;
    check_int(weir_limiter_reserve(limiters[0], WEIR_WANT(.tokens = 1000), &permits[0]), 0);
    check_int(weir_limiter_reserve(limiters[1], WEIR_WANT(.tokens = 500), &permits[1]), 0);
    check_int(us_since(start_ns), 500 * MS);
    check_int(weir_limiter_reserve(limiters[0], NULL, &permits[2]), 0);
    check_int(us_since(start_ns), 600 * MS);
    check_int(weir_limiter_time_until_ms(limiters[1], WEIR_WANT(.tokens = 1000)), 900);
    weir_permit_settle(&permits[0], 800); /* 200 of it come back */
    check_int(weir_limiter_time_until_ms(limiters[1], WEIR_WANT(.tokens = 1000)), 700);
    weir_permit_settle(&permits[1], 1500); /* a debt */
    check_int(weir_limiter_time_until_ms(limiters[0], WEIR_WANT(.tokens = 1000)), 1700);
    weir_permit_cancel(&permits[2]);
    check_int(weir_limiter_time_until_ms(limiters[0], NULL), 0);
    free_all(limiters, 2, shared);
    return 0;
}

/* What the first gives back had flowed over but for a tenth, when the second took. */
static int what_flowed_over_does_not_come_back(void *arg)
{
    weir_shared *shared = SHARED(.rate = 100, .period_ms = 1000, .unit = WEIR_TOKENS);
    weir_limiter *limiters[2] = {LIMITER(.shared = shared), LIMITER(.shared = shared)};
    weir_permit first, second;
    (void)arg;
    check_int(weir_limiter_reserve(limiters[0], WEIR_WANT(.tokens = 100), &first), 0);
    weir_sleep_ms(900);
    check_int(weir_limiter_reserve(limiters[1], WEIR_WANT(.tokens = 90), &second), 0);
    weir_permit_settle(&first, 0);
    check_int(weir_limiter_time_until_ms(limiters[0], WEIR_WANT(.tokens = 10)), 0);
    check_int(weir_limiter_time_until_ms(limiters[0], WEIR_WANT(.tokens = 11)), 10);
    weir_permit_settle(&second, 0);
    check_int(weir_limiter_time_until_ms(limiters[0], WEIR_WANT(.tokens = 100)), 0);
    free_all(limiters, 2, shared);
    return 0;
}

static int a_pause_is_for_all(void *arg)
{
    weir_shared *shared = SHARED(.rate = 10, .period_ms = 1000, .burst = 5);
    weir_limiter *limiters[2] = {LIMITER(.shared = shared), LIMITER(.shared = shared)};
    weir_group *group = rig_group();
    struct ask asks[8];
    struct ask late = {.amount = 1};
    (void)arg;
    for (size_t i = 0; i < 8; i++)
        asks[i] = (struct ask){.amount = 1};
    asks_spawn(group, limiters[1], asks, 8); /* 5 at once, one at 100 ms, ... */
    weir_sleep_ms(150);
    weir_limiter_pause_ms(limiters[0], 5000);
    check_int(weir_limiter_try(limiters[1], 1), WEIR_EBUSY);
    asks_spawn(group, limiters[0], &late, 1);
    check_int(weir_gather(group), 0);
    check_int(asks[5].got_us, 100 * MS);
    check(asks[6].got_us >= 5150 * MS);
    check(asks[7].got_us >= 5150 * MS + 100 * MS);
    check(late.got_us + 150 * MS >= 5150 * MS);
    check(asks[7].got_us <= 5150 * MS + 400 * MS);
    weir_group_free(group);
    free_all(limiters, 2, shared);
    return 0;
}

static int deadlines_see_the_others(void *arg)
{
    weir_shared *shared = SHARED(.rate = 1, .period_ms = 1000, .burst = 1);
    weir_limiter *limiters[2] = {LIMITER(.shared = shared), LIMITER(.shared = shared)};
    weir_group *group = rig_group();
    struct ask asks[2] = {{.amount = 1}, {.amount = 1}};
    weir_deadline limit;
    (void)arg;
    asks_spawn(group, limiters[0], asks, 2);
    weir_yield(); /* one is served, one has the slot at 1 s */
    weir_deadline_begin_ms(&limit, 1500);
    check_int(weir_limiter_acquire(limiters[1], 1), WEIR_EDEADLINE);
    weir_deadline_end(&limit, 0);
    weir_deadline_begin_ms(&limit, 2001);
    check_int(weir_limiter_acquire(limiters[1], 1), 0);
    weir_deadline_end(&limit, 0);
    check_int(us_since(asks[0].start_ns), 2 * S);
    asks_spawn(group, limiters[0], asks, 1); /* has the slot at 3 s, which is its own limiter's */
    weir_yield();
    weir_deadline_begin_ms(&limit, 2001);
    check_int(weir_limiter_acquire(limiters[0], 1), 0);
    weir_deadline_end(&limit, 0);
    check_int(us_since(asks[0].start_ns), 2 * S);
    weir_group_free(group);
    free_all(limiters, 2, shared);
    return 0;
}

static int places_are_each_limiters_own(void *arg)
{
    weir_shared *shared = SHARED(.rate = 100, .period_ms = 1000, .burst = 1);
    weir_limiter *limiters[2] = {LIMITER(.shared = shared, .concurrency = 1),
                                 LIMITER(.shared = shared)};
    weir_group *group = rig_group();
    struct ask held[2] = {{.amount = 1, .hold_ms = 1000}, {.amount = 1, .hold_ms = 1000}};
    struct ask free_ones[3] = {{.amount = 1}, {.amount = 1}, {.amount = 1}};
    (void)arg;
    asks_spawn(group, limiters[0], held, 2);
    asks_spawn(group, limiters[1], free_ones, 3);
    check_int(weir_gather(group), 0);
    check_int(free_ones[2].got_us, 30 * MS); /* no slot was kept for the one without a place */
    check_int(held[1].got_us, 1 * S);
    weir_group_free(group);
    free_all(limiters, 2, shared);
    return 0;
}

static int what_is_wrong(void *arg)
{
    const struct weir_limit limit = {.rate = 1}, strict = {.rate = 1, .strict = 1},
                            wrong = {.rate = 1, .period_ms = -1};
    weir_shared *shared = (weir_shared *)&shared;
    weir_limiter *limiter = NULL;
    (void)arg;
    check_int(weir_shared_open(&shared, NULL, NULL, 0), WEIR_EINVAL);
    check(shared == NULL);
    check_int(weir_shared_open(&shared, NULL, NULL, 1), WEIR_EINVAL);
    check_int(weir_shared_open(&shared, NULL, &limit, 9), WEIR_EINVAL);
    check_int(weir_shared_open(&shared, NULL, &wrong, 1), WEIR_EINVAL);
    check_int(weir_shared_open(&shared, NULL, &strict, 1), WEIR_ENOTSUP);
    shared = SHARED(.rate = 1);
    check_int(weir_limiter_new(&limiter, WEIR_LIMITER_OPTS(.shared = shared, .rate = 5)),
              WEIR_EINVAL);
    check_int(weir_limiter_new(&limiter, WEIR_LIMITER_OPTS(.shared = shared, .limits = &limit,
                                                           .limit_count = 1)),
              WEIR_EINVAL);
    limiter = LIMITER(.shared = shared);
    weir_shared_close(shared); /* the limiter goes on */
    check_int(weir_limiter_set_limit(limiter, 0, &limit), WEIR_ENOTSUP);
    check_int(weir_limiter_try(limiter, 1), 0);
    check_int(weir_limiter_try(limiter, 1), WEIR_EBUSY);
    check_int(weir_limiter_acquire(limiter, 2), WEIR_ENEVER);
    weir_limiter_free(limiter);
    weir_shared_close(NULL);
    return 0;
}

static int without_memory(void *arg)
{
    const struct weir_limit limit = {.rate = 1};
    weir_shared *shared = NULL;
    (void)arg;
    for (unsigned long k = 1; k <= 2; k++) {
        weir__mem_fail_at(k);
        check_int(weir_shared_open(&shared, NULL, &limit, 1), WEIR_ENOMEM);
        weir__mem_fail_at(0);
        check(shared == NULL);
    }
    return 0;
}

/* ---- a process that stood still ---- */

struct stopping_loop {
    struct weir__loop loop;
    int64_t now_ns, stop_at_ns;
};

static int64_t stopping_now_ns(struct weir__loop *loop)
{
    return WEIR__CONTAINER(loop, struct stopping_loop, loop)->now_ns;
}

static int stopping_wait(struct weir__loop *loop, int64_t wake_ns)
{
    struct stopping_loop *stopping = WEIR__CONTAINER(loop, struct stopping_loop, loop);
    if (wake_ns == INT64_MAX)
        return WEIR_EDEADLK;
    if (wake_ns > stopping->now_ns)
        stopping->now_ns = wake_ns;
    if (stopping->now_ns >= stopping->stop_at_ns) {
        stopping->now_ns += 60 * WEIR__NS_PER_S;
        stopping->stop_at_ns = INT64_MAX;
    }
    return 0;
}

/* Each limiter had a slot reserved when it stopped; those are not used a minute later, all at once
 * and on top of the burst. */
static int slots_that_are_too_old(void *arg)
{
    weir_shared *shared = SHARED(.rate = 10, .period_ms = 1000, .burst = 2);
    weir_limiter *limiters[4];
    weir_group *group = rig_group();
    struct ask asks[4][8];
    int64_t at_once = 0, in_a_second = 0;
    (void)arg;
    for (size_t i = 0; i < 4; i++) {
        limiters[i] = LIMITER(.shared = shared);
        for (size_t j = 0; j < 8; j++)
            asks[i][j] = (struct ask){.amount = 1};
        asks_spawn(group, limiters[i], asks[i], 8);
    }
    check_int(weir_gather(group), 0);
    for (size_t i = 0; i < 4; i++) {
        for (size_t j = 0; j < 8; j++) {
            int64_t after_us = asks[i][j].got_us - 60 * S;
            at_once += after_us >= 0 && after_us < 1 * S + 1 * MS;
            in_a_second += after_us >= 0 && after_us < 2 * S;
        }
    }
    check_int(at_once, 2); /* the burst, and no slots from before */
    check(in_a_second <= 2 + 10);
    weir_group_free(group);
    free_all(limiters, 4, shared);
    return 0;
}

static void test_after_a_stop(void **state)
{
    struct stopping_loop stopping = {.loop = {.now_ns = stopping_now_ns,
                                              .wait = stopping_wait,
                                              .is_virtual = true},
                                     .now_ns = WEIR__NS_PER_S,
                                     .stop_at_ns = 2 * WEIR__NS_PER_S - WEIR__NS_PER_MS};
    const struct weir_run_opts opts = {.size = sizeof opts, .seed = 1};
    (void)state;
    assert_int_equal(weir__sched_run(&stopping.loop, &opts, slots_that_are_too_old, NULL), 0);
    rig_assert_no_failure();
}

/* ---- threads ---- */

enum { THREADS = 4, RATE = 2000, BURST = 20, RUN_MS = RIG_SANITIZED ? 600 : 400 };

struct thread {
    pthread_t id;
    weir_shared *shared;
    int64_t until_ns;
    size_t asked, granted;
};

static int take_for_a_while(void *arg)
{
    struct thread *thread = arg;
    weir_limiter *limiter = NULL;
    int rc = weir_limiter_new(&limiter, WEIR_LIMITER_OPTS(.shared = thread->shared));
    while (rc == 0 && weir_now_ns() < thread->until_ns) {
        weir_permit permit;
        rc = weir_limiter_reserve(limiter, WEIR_WANT(.tokens = 7), &permit);
        if (rc == 0 && ++thread->asked % 5 == 0) {
            weir_permit_cancel(&permit); /* every fifth was not done after all */
        } else if (rc == 0) {
            thread->granted++;
            weir_permit_settle(&permit, thread->granted % 2 == 0 ? 3 : 9);
        }
    }
    weir_limiter_free(limiter);
    return rc;
}

static void *thread_main(void *arg)
{
    return (void *)(intptr_t)weir_run(take_for_a_while, arg, NULL);
}

static void test_threads(void **state)
{
    static const struct weir_limit limits[] = {
        {.rate = RATE, .period_ms = 1000, .burst = BURST},
        {.rate = (uint64_t)RATE * 20, .period_ms = 1000, .unit = WEIR_TOKENS},
    };
    struct thread threads[THREADS] = {{.granted = 0}};
    weir_shared *shared = NULL;
    size_t granted = 0;
    (void)state;
    assert_int_equal(weir_shared_open(&shared, NULL, limits, 2), 0);
    int64_t start_ns = weir__clock_mono_ns();
    for (int i = 0; i < THREADS; i++) {
        threads[i].shared = shared;
        threads[i].until_ns = start_ns + RUN_MS * WEIR__NS_PER_MS;
        assert_int_equal(pthread_create(&threads[i].id, NULL, thread_main, &threads[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *rc;
        pthread_join(threads[i].id, &rc);
        assert_int_equal((intptr_t)rc, 0);
        granted += threads[i].granted;
        assert_true(threads[i].granted > 0);
    }
    int64_t took_us = (weir__clock_mono_ns() - start_ns) / 1000;
    assert_true((int64_t)granted <= BURST + RATE * (took_us + 20000) / 1000000);
    assert_true((int64_t)granted >=
                RATE * RUN_MS / 1000 * 7 / 10); /* some of the cancelled are lost */
    weir_shared_close(shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(turns_by_time_of_asking),
        VIRTUAL_TEST(a_slot_given_back),
        VIRTUAL_TEST(a_slot_given_back_before_another),
        VIRTUAL_TEST(several_limits),
        VIRTUAL_TEST(what_flowed_over_does_not_come_back),
        VIRTUAL_TEST(a_pause_is_for_all),
        VIRTUAL_TEST(deadlines_see_the_others),
        VIRTUAL_TEST(places_are_each_limiters_own),
        VIRTUAL_TEST(what_is_wrong),
        VIRTUAL_TEST(without_memory),
        cmocka_unit_test(test_after_a_stop),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
