/* The scheduler over a loop that the test turns by hand: its clock stands still unless moved. */
#include "rig.h"

#include <weir/sync.h>

#include "base/clock.h"
#include "task/sched.h"

struct hand_loop {
    struct weir__loop loop;
    int64_t now_ns;
    int polls;                           /* calls that were not to wait */
    int waits;                           /* calls that were */
    void (*on_wait)(struct hand_loop *); /* what "comes in" when it would wait for ever */
};

static struct hand_loop *hand(struct weir__loop *loop)
{
    return WEIR__CONTAINER(loop, struct hand_loop, loop);
}

static int64_t hand_now_ns(struct weir__loop *loop)
{
    return hand(loop)->now_ns;
}

static int hand_wait(struct weir__loop *loop, int64_t wake_ns)
{
    struct hand_loop *side = hand(loop);
    if (wake_ns == INT64_MIN) {
        side->polls++;
        return 0;
    }
    side->waits++;
    if (wake_ns != INT64_MAX) {
        side->now_ns = wake_ns > side->now_ns ? wake_ns : side->now_ns;
        return 0;
    }
    if (side->on_wait != NULL)
        side->on_wait(side);
    return WEIR_EDEADLK; /* nothing is left that could come */
}

static struct hand_loop the_loop;

static int run_by_hand(weir_task_fn fn, void (*on_wait)(struct hand_loop *))
{
    the_loop = (struct hand_loop){
        .loop = {.now_ns = hand_now_ns, .wait = hand_wait, .is_virtual = true},
        .now_ns = WEIR__NS_PER_S,
        .on_wait = on_wait,
    };
    rig_trace_clear();
    int rc = weir__sched_run(&the_loop.loop, WEIR_RUN_OPTS(.seed = 1), fn, NULL);
    rig_assert_no_failure();
    return rc;
}

static void pass_ms(int64_t ms)
{
    the_loop.now_ns += weir__ms_to_ns(ms);
}

/* ---- deadlines while a task computes ---- */

/* No timer can fire while a task computes: the task finds out by asking, */
static int asks_while_it_computes(void *arg)
{
    weir_deadline outer, inner;
    (void)arg;
    weir_deadline_begin_ms(&outer, 100);
    weir_deadline_begin_ms(&inner, 50);
    pass_ms(49);
    check_int(weir_cancelled(), 0);
    pass_ms(1);
    check_int(weir_cancelled(), 1);
    check_int(weir_deadline_end(&inner, WEIR_ECANCELED), WEIR_ETIMEDOUT);
    check_int(weir_cancelled(), 0);
    pass_ms(60);
    check_int(weir_deadline_left_ms(), 0);
    check_int(weir_cancelled(), 1);
    check_int(weir_deadline_end(&outer, WEIR_ECANCELED), WEIR_ETIMEDOUT);
    return 0;
}

/* or by its next wait, even one that would not have to wait. */
static int waits_after_computing_for_long(void *arg)
{
    weir_deadline limit;
    weir_semaphore *semaphore;
    (void)arg;
    check_int(weir_semaphore_new(&semaphore, 1, 0), 0);
    weir_deadline_begin_ms(&limit, 10);
    check_int(weir_yield(), 0);
    pass_ms(10);
    check_int(weir_semaphore_acquire(semaphore), WEIR_ECANCELED);
    check_int((int64_t)weir_semaphore_permits(semaphore), 1);
    check_int(weir_yield(), WEIR_ECANCELED);
    weir_semaphore_free(semaphore);
    check_int(weir_deadline_end(&limit, WEIR_ECANCELED), WEIR_ETIMEDOUT);
    return 0;
}

static int time_flies_backwards_of_a_passed_deadline(void *arg)
{
    weir_deadline limit;
    (void)arg;
    weir_deadline_begin_ms(&limit, INT64_MIN);
    pass_ms(1000);
    check_int(weir_deadline_left_ms(), 0);
    check_int(weir_deadline_end(&limit, WEIR_ECANCELED), WEIR_ETIMEDOUT);
    return 0;
}

static void deadlines_hold_for_a_task_that_computes(void **state)
{
    (void)state;
    assert_int_equal(run_by_hand(asks_while_it_computes, NULL), 0);
    assert_int_equal(run_by_hand(waits_after_computing_for_long, NULL), 0);
    assert_int_equal(run_by_hand(time_flies_backwards_of_a_passed_deadline, NULL), 0);
}

/* ---- turns ---- */

static int yield_often(void *arg)
{
    (void)arg;
    for (int i = 0; i < 5000; i++)
        weir_yield();
    return 0;
}

static int two_that_only_yield(void *arg)
{
    weir_group *group = rig_group();
    (void)arg;
    weir_spawn(group, yield_often, NULL);
    weir_spawn(group, yield_often, NULL);
    check_int(weir_gather(group), 0);
    check(the_loop.polls >= 10000 / 256); /* I/O was looked at meanwhile, */
    check(the_loop.polls <= 10000 / 64);  /* but not all the time */
    check_int(the_loop.waits, 0);
    return weir_group_free(group);
}

static void tasks_that_only_yield_do_not_starve_the_loop(void **state)
{
    (void)state;
    assert_int_equal(run_by_hand(two_that_only_yield, NULL), 0);
}

/* ---- deferred calls ---- */

static struct weir__deferred calls[2];
static struct weir__wait *sleeping, *waiting_for_other;

static void call_again_once(struct weir__deferred *deferred)
{
    static int times;
    check(weir_task_self() == NULL); /* on the thread's own stack */
    note("call%d", times);
    if (times++ == 0)
        weir__defer(weir__rt(), deferred); /* runs in the next turn, after the tasks ready by now */
    else
        weir__wake(sleeping, 7);
}

static int wait_for_other(void *arg)
{
    struct weir__wait wait;
    (void)arg;
    check_int(weir__wait_begin(&wait), 0);
    waiting_for_other = &wait;
    weir__park(&wait);
    note("task");
    return 0;
}

static void call_other(struct weir__deferred *deferred)
{
    (void)deferred;
    note("other");
    weir__wake(waiting_for_other, 0);
}

static int waits_for_a_deferred_call(void *arg)
{
    struct weir__wait wait;
    weir_group *group = rig_group();
    (void)arg;
    weir_spawn(group, wait_for_other, NULL);
    for (int i = 0; i < 2; i++) {
        calls[i].run = i == 0 ? call_again_once : call_other;
        weir__list_init(&calls[i].node);
    }
    weir__defer(weir__rt(), &calls[0]);
    weir__defer(weir__rt(), &calls[1]);
    weir__defer(weir__rt(), &calls[0]); /* queued already: once */
    check_int(weir__wait_begin(&wait), 0);
    sleeping = &wait;
    check_int(weir__park(&wait), 7);
    check_trace("call0 other task call1");
    return weir_group_free(group);
}

static void deferred_calls_run_once_in_order(void **state)
{
    (void)state;
    assert_int_equal(run_by_hand(waits_for_a_deferred_call, NULL), 0);
}

/* ---- what comes with the last event ---- */

static void wake_it(struct weir__deferred *deferred)
{
    (void)deferred;
    weir__wake(sleeping, 0);
}

/* As the last watcher of a loop does when it only records and defers. */
static void defer_a_call(struct hand_loop *side)
{
    side->on_wait = NULL;
    calls[0].run = wake_it;
    weir__list_init(&calls[0].node);
    weir__defer(weir__rt(), &calls[0]);
}

static struct weir__timer timer;

static void wake_by_timer(struct weir__timer *fired)
{
    (void)fired;
    weir__wake(sleeping, 0);
}

static void start_a_timer(struct hand_loop *side)
{
    side->on_wait = NULL;
    weir__timer_init(&timer, wake_by_timer);
    weir__timer_start(&weir__rt()->timers, &timer, side->now_ns + 5);
}

static int park_once(void *arg)
{
    struct weir__wait wait;
    (void)arg;
    check_int(weir__wait_begin(&wait), 0);
    sleeping = &wait;
    return weir__park(&wait);
}

static void what_the_last_event_set_going_is_no_deadlock(void **state)
{
    (void)state;
    assert_int_equal(run_by_hand(park_once, defer_a_call), 0);
    assert_int_equal(run_by_hand(park_once, start_a_timer), 0);
    assert_int_equal(run_by_hand(park_once, NULL), WEIR_EDEADLK);
}

/* ---- waits ---- */

static int first_wake_wins(void *arg)
{
    struct weir__wait wait;
    struct weir__list queue;
    (void)arg;
    weir__list_init(&queue);
    check_int(weir__wait_begin(&wait), 0);
    weir__list_push(&queue, &wait.node);
    check(weir__wake(&wait, 1));
    check(!weir__wake(&wait, 2));
    check(weir__list_empty(&queue));
    weir__task_interrupt(weir_task_self());
    check_int(weir__park(&wait), 1);
    check_int(weir_yield(), 0); /* woken once, so queued once */
    return 0;
}

static int parks_until_a_time_or_a_wake(void *arg)
{
    struct weir__wait wait;
    struct weir__list queue;
    int64_t start_ns = the_loop.now_ns;
    (void)arg;
    weir__list_init(&queue);
    check_int(weir__wait_begin(&wait), 0);
    check_int(weir__park_until(&wait, &queue, start_ns + 1), 0);
    check_int(the_loop.now_ns - start_ns, 1); /* nanoseconds count */
    check(weir__list_empty(&queue));
    check(weir__timers_next_ns(&weir__rt()->timers) == INT64_MAX);
    check_int(weir__wait_begin(&wait), 0);
    check_int(weir__park_until(&wait, NULL, start_ns - 1), 0); /* gone by: the next turn */
    check_int(the_loop.now_ns - start_ns, 1);
    return 0;
}

static int wait_shielded(void *arg)
{
    struct weir__wait *wait = arg;
    weir__wait_begin_shielded(wait);
    check_int(weir__park(wait), 3);
    check_int(weir_yield(), WEIR_ECANCELED);
    return 0;
}

static int a_shielded_wait_is_not_cut(void *arg)
{
    struct weir__wait wait;
    weir_group *group = rig_group();
    (void)arg;
    weir_task *task = weir_spawn(group, wait_shielded, &wait);
    weir_yield();
    weir_group_cancel(group);
    weir_yield();
    check(!wait.fired);
    check(weir__wake(&wait, 3));
    check_int(weir_await(task), 0);
    return weir_group_free(group);
}

static void one_wait_under_everything(void **state)
{
    (void)state;
    assert_int_equal(run_by_hand(first_wake_wins, NULL), 0);
    assert_int_equal(run_by_hand(parks_until_a_time_or_a_wake, NULL), 0);
    assert_int_equal(run_by_hand(a_shielded_wait_is_not_cut, NULL), 0);
}

/* ---- an order that is drawn ---- */

enum { SEEDS = 600 };

static int come_first(void *arg)
{
    int **first = arg;
    if (*first[0] < 0)
        *first[0] = *first[1];
    return 0;
}

/* Three are ready at once: each is as likely to go first as the others. */
static int three_are_ready(void *arg)
{
    int *went_first = arg, own[] = {0, 1, 2};
    int *both[3][2];
    weir_group *group = rig_group();
    *went_first = -1;
    for (int i = 0; i < 3; i++) {
        both[i][0] = went_first;
        both[i][1] = &own[i];
        weir_spawn(group, come_first, both[i]);
    }
    check_int(weir_gather(group), 0);
    return weir_group_free(group);
}

static void few_tasks_are_shuffled_evenly(void **state)
{
    int first, times[3] = {0};
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        assert_int_equal(weir_run(three_are_ready, &first,
                                  WEIR_RUN_OPTS(.clock = WEIR_CLOCK_VIRTUAL, .seed = seed,
                                                .shuffle = 1)),
                         0);
        times[first]++;
    }
    for (int i = 0; i < 3; i++)
        assert_in_range(times[i], SEEDS / 3 * 3 / 4, SEEDS / 3 * 5 / 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_tasks_are_shuffled_evenly),
        cmocka_unit_test(deadlines_hold_for_a_task_that_computes),
        cmocka_unit_test(tasks_that_only_yield_do_not_starve_the_loop),
        cmocka_unit_test(deferred_calls_run_once_in_order),
        cmocka_unit_test(what_the_last_event_set_going_is_no_deadlock),
        cmocka_unit_test(one_wait_under_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
