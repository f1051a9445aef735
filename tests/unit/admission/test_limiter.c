/* The limiter's queue: places and tokens in one step, cancelling, closing, freeing, statistics. */
#include "limiter_rig.h"

#define S INT64_C(1000000) /* in us */

/* ---- places ---- */

static int places_are_bounded(void *arg)
{
    weir_limiter *limiter = LIMITER(.concurrency = 3);
    struct ask asks[9];
    (void)arg;
    for (size_t i = 0; i < 9; i++)
        asks[i] = (struct ask){.amount = 1, .hold_ms = 1000};
    asks_run(limiter, asks, 9);
    for (size_t i = 0; i < 9; i++)
        check_int(asks[i].got_us, (int64_t)(i / 3) * S);
    check_int((int64_t)stats_of(limiter).holding, 0);
    weir_limiter_free(limiter);
    return 0;
}

static int k_releases_wake_k(void *arg)
{
    weir_limiter *limiter = LIMITER(.concurrency = 5);
    weir_group *group = rig_group();
    struct ask asks[8];
    (void)arg;
    for (size_t i = 0; i < 5; i++)
        check_int(weir_limiter_acquire(limiter, 1), 0);
    for (size_t i = 0; i < 8; i++)
        asks[i] = (struct ask){.amount = 1, .hold_ms = -1};
    asks_spawn(group, limiter, asks, 8);
    weir_yield();
    check_int((int64_t)stats_of(limiter).waiting, 8);
    for (int i = 0; i < 3; i++)
        weir_limiter_release(limiter);
    check_int((int64_t)stats_of(limiter).waiting, 5); /* granted in the release itself */
    weir_yield();
    for (size_t i = 0; i < 8; i++)
        check_int(asks[i].got_us, i < 3 ? 0 : -1);
    weir_group_free(group);
    check_int((int64_t)stats_of(limiter).holding, 5);
    weir_limiter_free(limiter);
    return 0;
}

static int a_free_place_is_not_taken_past_the_queue(void *arg)
{
    weir_limiter *limiter = LIMITER(.concurrency = 1);
    weir_group *group = rig_group();
    struct ask ask = {.amount = 1, .hold_ms = 1000};
    (void)arg;
    check_int(weir_limiter_acquire(limiter, 1), 0);
    asks_spawn(group, limiter, &ask, 1);
    weir_yield();
    weir_limiter_release(limiter);
    check_int(weir_limiter_try(limiter, 1), WEIR_EBUSY); /* handed over already */
    check_int(weir_limiter_acquire(limiter, 1), 0);
    check_int(us_since(ask.start_ns), 1 * S);
    weir_limiter_release(limiter);
    weir_group_free(group);
    weir_limiter_free(limiter);
    return 0;
}

/* A release without a bound on concurrency does nothing. */
static int release_without_places(void *arg)
{
    weir_limiter *limiter = LIMITER(.rate = 1, .period_ms = 1000, .burst = 1);
    (void)arg;
    check_int(weir_limiter_acquire(limiter, 1), 0);
    weir_limiter_release(limiter);
    weir_limiter_release(limiter);
    check_int((int64_t)stats_of(limiter).holding, 0);
    check_int(weir_limiter_try(limiter, 1), WEIR_EBUSY);
    weir_limiter_free(limiter);
    return 0;
}

/* ---- places and tokens in one step ---- */

/* Tokens taken while waiting for a place would all be spent in one burst once it is free. */
static int no_tokens_while_waiting_for_a_place(void *arg)
{
    weir_limiter *limiter = LIMITER(.rate = 10, .period_ms = 1000, .burst = 1, .concurrency = 1);
    struct ask asks[6] = {{.amount = 1, .hold_ms = 5000}};
    (void)arg;
    for (size_t i = 1; i < 6; i++)
        asks[i] = (struct ask){.amount = 1};
    asks_run(limiter, asks, 6);
    for (size_t i = 1; i < 6; i++)
        check_int(asks[i].got_us, 5 * S + (int64_t)(i - 1) * S / 10);
    weir_limiter_free(limiter);
    return 0;
}

/* A place held while waiting for tokens would be kept from somebody who could use it. */
static int no_place_while_waiting_for_tokens(void *arg)
{
    weir_limiter *limiter = LIMITER(.rate = 1, .period_ms = 1000, .burst = 1, .concurrency = 2);
    weir_group *group = rig_group();
    struct ask asks[4];
    (void)arg;
    for (size_t i = 0; i < 4; i++)
        asks[i] = (struct ask){.amount = 1};
    asks_spawn(group, limiter, asks, 4);
    weir_yield();
    check_int((int64_t)stats_of(limiter).holding, 0);
    check_int((int64_t)stats_of(limiter).admitted, 1);
    check_int(weir_gather(group), 0);
    check_int(asks[3].got_us, 3 * S);
    weir_group_free(group);
    weir_limiter_free(limiter);
    return 0;
}

/* ---- cancelling ---- */

static int one_cancelled_in_the_queue(void *arg)
{
    weir_limiter *limiter = LIMITER(.rate = 1, .period_ms = 1000, .burst = 1, .concurrency = 8);
    weir_group *middle = rig_group(), *others = rig_group();
    struct ask first[2] = {{.amount = 1}, {.amount = 1}}, gone = {.amount = 1},
               last = {.amount = 1};
    (void)arg;
    asks_spawn(others, limiter, first, 2);
    asks_spawn(middle, limiter, &gone, 1);
    asks_spawn(others, limiter, &last, 1);
    weir_yield();
    weir_group_cancel(middle);
    check_int(weir_gather(middle), WEIR_ECANCELED);
    check_int(gone.rc, WEIR_ECANCELED);
    check_int((int64_t)stats_of(limiter).waiting, 2);
    check_int(weir_gather(others), 0);
    check_int(first[1].got_us, 1 * S);
    check_int(last.got_us, 2 * S); /* the token of the one that went was not taken */
    check_int((int64_t)stats_of(limiter).holding, 0);
    weir_group_free(middle);
    weir_group_free(others);
    weir_limiter_free(limiter);
    return 0;
}

/* 3 per 3 s; 1 taken, 3 and 3 asked for. Without the first of these the other has its turn at 1 s,
 * and a small one behind would have it at once. */
static int the_head_cancelled(void *arg)
{
    static const struct {
        uint64_t second;
        int64_t want_us;
    } cases[] = {{3, 1 * S}, {2, 0}};
    (void)arg;
    for (size_t i = 0; i < 2; i++) {
        weir_limiter *limiter = LIMITER(.rate = 3, .period_ms = 3000, .burst = 3);
        weir_group *head = rig_group(), *others = rig_group();
        struct ask gone = {.amount = 3}, next = {.amount = cases[i].second};
        check_int(weir_limiter_acquire(limiter, 1), 0);
        asks_spawn(head, limiter, &gone, 1);
        asks_spawn(others, limiter, &next, 1);
        weir_yield();
        weir_group_cancel(head);
        check_int(weir_gather(others), 0);
        check_int(gone.rc, WEIR_ECANCELED);
        check_int(next.got_us, cases[i].want_us);
        weir_group_free(head);
        weir_group_free(others);
        weir_limiter_free(limiter);
    }
    return 0;
}

/* A grant comes first, the cancel after it: the turn is not lost, the task has it. */
static int granted_then_cancelled(void *arg)
{
    weir_limiter *limiter = LIMITER(.concurrency = 1);
    weir_group *group = rig_group();
    struct ask ask = {.amount = 1, .hold_ms = 1000};
    (void)arg;
    check_int(weir_limiter_acquire(limiter, 1), 0);
    asks_spawn(group, limiter, &ask, 1);
    weir_yield();
    weir_limiter_release(limiter);
    weir_group_cancel(group);
    check_int(weir_gather(group), WEIR_ECANCELED); /* from its sleep */
    check_int(ask.rc, 0);
    check_int(ask.got_us, 0);
    check_int((int64_t)stats_of(limiter).holding, 0); /* it gave it back */
    weir_group_free(group);
    weir_limiter_free(limiter);
    return 0;
}

/* The cancel first, the place after it: the next one gets it. */
static int cancelled_then_released(void *arg)
{
    weir_limiter *limiter = LIMITER(.concurrency = 1);
    weir_group *head = rig_group(), *others = rig_group();
    struct ask gone = {.amount = 1, .hold_ms = -1}, next = {.amount = 1, .hold_ms = -1};
    (void)arg;
    check_int(weir_limiter_acquire(limiter, 1), 0);
    asks_spawn(head, limiter, &gone, 1);
    asks_spawn(others, limiter, &next, 1);
    weir_yield();
    weir_group_cancel(head);
    weir_limiter_release(limiter);
    check_int(weir_gather(others), 0);
    check_int(weir_gather(head), WEIR_ECANCELED);
    check_int(next.got_us, 0);
    check_int((int64_t)stats_of(limiter).holding, 1);
    weir_group_free(head);
    weir_group_free(others);
    weir_limiter_free(limiter);
    return 0;
}

static int a_cancelled_task_does_not_ask(void *arg)
{
    weir_limiter *limiter = LIMITER(.rate = 1, .period_ms = 1000, .burst = 1);
    weir_deadline limit;
    (void)arg;
    weir_deadline_begin_ms(&limit, 0);
    check_int(weir_limiter_acquire(limiter, 1), WEIR_ECANCELED);
    weir_deadline_end(&limit, 0);
    check_int(weir_limiter_try(limiter, 1), 0); /* it is still there */
    weir_limiter_free(limiter);
    return 0;
}

/* ---- closing and freeing ---- */

static int closing(void *arg)
{
    weir_limiter *limiter = LIMITER(.rate = 1, .period_ms = 1000, .burst = 1, .concurrency = 2);
    weir_group *group = rig_group();
    struct ask asks[3] = {{.amount = 1, .hold_ms = 5000}, {.amount = 1}, {.amount = 1}};
    (void)arg;
    asks_spawn(group, limiter, asks, 3);
    weir_yield();
    weir_limiter_close(limiter);
    check_int((int64_t)stats_of(limiter).waiting, 0);
    check_int(stats_of(limiter).blocked, WEIR_BLOCKED_NOT);
    check_int(weir_limiter_acquire(limiter, 1), WEIR_ECLOSED);
    check_int(weir_limiter_try(limiter, 1), WEIR_ECLOSED);
    check_int(weir_limiter_acquire(limiter, 42), WEIR_ECLOSED);
    check_int(weir_gather(group), WEIR_ECLOSED);
    check_int(asks[0].rc, 0); /* admitted before: it goes on */
    check_int(asks[1].rc, WEIR_ECLOSED);
    check_int(asks[2].rc, WEIR_ECLOSED);
    check_int(us_since(asks[0].start_ns), 5 * S);
    check_int((int64_t)stats_of(limiter).holding, 0);
    weir_limiter_close(limiter);
    weir_group_free(group);
    weir_limiter_free(limiter);
    return 0;
}

/* The cancelled have not run yet when it closes: neither is counted twice. */
static int cancelled_then_closed(void *arg)
{
    weir_limiter *limiter = LIMITER(.concurrency = 1);
    weir_group *group = rig_group();
    struct ask asks[3] = {{.amount = 1, .hold_ms = -1}, {.amount = 1}, {.amount = 1}};
    (void)arg;
    asks_spawn(group, limiter, asks, 3);
    weir_yield();
    weir_group_cancel(group);
    weir_limiter_close(limiter);
    weir_gather(group);
    check_int(asks[1].rc, WEIR_ECANCELED);
    check_int((int64_t)stats_of(limiter).waiting, 0);
    weir_group_free(group);
    weir_limiter_free(limiter);
    return 0;
}

static int freed_with_waiters(void *arg)
{
    (void)arg;
    for (int cancel = 0; cancel < 2; cancel++) {
        weir_limiter *limiter = LIMITER(.rate = 1, .period_ms = 1000, .burst = 1);
        weir_group *group = rig_group();
        struct ask asks[3] = {{.amount = 1, .hold_ms = -1}, {.amount = 1}, {.amount = 1}};
        asks_spawn(group, limiter, asks, 3);
        weir_yield();
        if (cancel)
            weir_group_cancel(group);
        weir_limiter_free(limiter);
        weir_gather(group);
        check_int(asks[0].rc, 0);
        check_int(asks[1].rc, cancel ? WEIR_ECANCELED : WEIR_ECLOSED);
        check_int(asks[2].rc, asks[1].rc);
        weir_group_free(group);
    }
    weir_limiter_free(NULL);
    return 0;
}

/* ---- statistics ---- */

static int statistics(void *arg)
{
    weir_limiter *limiter = LIMITER(.rate = 2, .period_ms = 1000, .burst = 2, .concurrency = 3);
    weir_group *group = rig_group();
    struct ask asks[6];
    (void)arg;
    struct weir_limiter_stats stats = stats_of(limiter);
    check_int((int64_t)(stats.waiting + stats.holding + stats.admitted + stats.throttled), 0);
    check_int(stats.blocked, WEIR_BLOCKED_NOT);
    for (size_t i = 0; i < 6; i++)
        asks[i] = (struct ask){.amount = 1, .hold_ms = 10000};
    asks_spawn(group, limiter, asks, 6);
    weir_sleep_ms(100);
    stats = stats_of(limiter);
    check_int((int64_t)stats.admitted, 2);
    check_int((int64_t)stats.holding, 2);
    check_int((int64_t)stats.waiting, 4);
    check_int(stats.blocked, WEIR_BLOCKED_RATE);
    check_int(stats.blocked_ms, 400);
    weir_sleep_ms(900);
    stats = stats_of(limiter);
    check_int((int64_t)stats.holding, 3);
    check_int(stats.blocked, WEIR_BLOCKED_CONCURRENCY);
    check_int(stats.blocked_ms, 0);
    weir_limiter_pause_ms(limiter, 7000);
    stats = stats_of(limiter);
    check_int(stats.blocked, WEIR_BLOCKED_GATE);
    check_int(stats.blocked_ms, 7000);
    weir_group_free(group);
    weir_limiter_free(limiter);
    return 0;
}

/* Looked at between the cancel of all who wait and their turn to run. */
static int statistics_of_a_queue_just_cancelled(void *arg)
{
    weir_limiter *limiter = LIMITER(.concurrency = 1);
    weir_group *group = rig_group();
    struct ask asks[2] = {{.amount = 1, .hold_ms = -1}, {.amount = 1}};
    (void)arg;
    asks_spawn(group, limiter, asks, 2);
    weir_yield();
    weir_group_cancel(group);
    check_int(stats_of(limiter).blocked, WEIR_BLOCKED_NOT);
    check_int(stats_of(limiter).blocked_ms, 0);
    weir_group_free(group);
    check_int((int64_t)stats_of(limiter).waiting, 0);
    weir_limiter_free(limiter);
    return 0;
}

static void test_outside_of_a_runtime(void **state)
{
    weir_limiter *limiter = (weir_limiter *)&limiter;
    (void)state;
    assert_int_equal(weir_limiter_new(&limiter, NULL), WEIR_ENORUNTIME);
    assert_null(limiter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(places_are_bounded),
        VIRTUAL_TEST(k_releases_wake_k),
        VIRTUAL_TEST(a_free_place_is_not_taken_past_the_queue),
        VIRTUAL_TEST(release_without_places),
        VIRTUAL_TEST(no_tokens_while_waiting_for_a_place),
        VIRTUAL_TEST(no_place_while_waiting_for_tokens),
        VIRTUAL_TEST(one_cancelled_in_the_queue),
        VIRTUAL_TEST(the_head_cancelled),
        VIRTUAL_TEST(granted_then_cancelled),
        VIRTUAL_TEST(cancelled_then_released),
        VIRTUAL_TEST(a_cancelled_task_does_not_ask),
        VIRTUAL_TEST(closing),
        VIRTUAL_TEST(cancelled_then_closed),
        VIRTUAL_TEST(freed_with_waiters),
        VIRTUAL_TEST(statistics),
        VIRTUAL_TEST(statistics_of_a_queue_just_cancelled),
        cmocka_unit_test(test_outside_of_a_runtime),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
