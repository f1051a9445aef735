/* weir_map that is freed at every moment, ends with its runtime, or runs out of memory. Whatever
 * happens, each item that left the source is handed on or dropped, once. */
#include "map_rig.h"

#include <sys/resource.h>
#include <unistd.h>

/* ---- freed ---- */

static void feed_for_free(struct feed *feed)
{
    feed_init(feed, 60);
    feed->pause_ms = 1;
    for (int i = 0; i < THINGS; i++)
        feed->things[i].ms = 1 + i * 5 % 7;
}

static int free_it_after_ms(void *arg)
{
    struct feed *feed = arg;
    weir_sleep_ms(feed->free_ms);
    weir_map_free(feed->map);
    return 0;
}

/* After each millisecond, with a taker that takes what it can and one that takes nothing. */
static int freed_at_every_moment(void *arg)
{
    struct feed feed;
    (void)arg;
    for (int i = 0; i < 4 * 70; i++) {
        weir_group *group = rig_group();
        feed_for_free(&feed);
        feed.free_ms = i / 4;
        check_int(feed_start(&feed, 4, i % 2), 0);
        weir_spawn(group, free_it_after_ms, &feed);
        if (i % 4 < 2) {
            int rc = take_all(&feed);
            check(rc == WEIR_ECLOSED || (rc == 0 && feed.got == 60));
        }
        check_int(weir_gather(group), 0);
        feed_balanced(&feed);
        weir_group_free(group);
    }
    return 0;
}

/* As above, and instead of the map its user is cancelled. */
static int use_it(void *arg)
{
    struct feed *feed = arg;
    int rc = feed_start(feed, 4, feed->count % 2);
    if (rc == 0)
        rc = take_all(feed);
    weir_map_free(feed->map);
    return rc;
}

static int its_user_cancelled_at_every_moment(void *arg)
{
    struct feed feed;
    (void)arg;
    for (int ms = 0; ms < 80; ms++) {
        weir_group *group = rig_group();
        feed_for_free(&feed);
        feed.count += ms % 2; /* odd: ordered */
        weir_task *task = weir_spawn(group, use_it, &feed);
        weir_sleep_ms(ms);
        weir_task_cancel(task);
        int rc = weir_await(task);
        check(rc == WEIR_ECANCELED || (rc == 0 && feed.got == feed.count));
        feed_balanced(&feed);
        weir_group_free(group);
    }
    return 0;
}

static int the_user_outlived_by_nothing(void *arg)
{
    weir_group *group = rig_group();
    weir_spawn(group, use_it, arg);
    weir_sleep_ms(17);
    return 0; /* the end of the runtime cancels the user, and the map's own tasks */
}

static void the_end_of_the_runtime(void **state)
{
    struct feed feed;
    (void)state;
    feed_for_free(&feed);
    assert_int_equal(rig_run(the_user_outlived_by_nothing, &feed), 0);
    assert_in_range(feed.got, 1, 59);
    feed_balanced(&feed);
    rig_assert_no_failure();
}

/* The main task ends, and so the runtime, just when a worker has been given the turn. Its taker,
 * shielded, is told. */
struct closing {
    struct feed feed;
    weir_semaphore *go;
    int rc;
};

static int take_at_the_end(void *arg)
{
    struct closing *closing = arg;
    struct feed *feed = &closing->feed;
    weir_deadline limit;
    check_int(feed_start(feed, 1, 0), 0);
    weir_sleep_ms(10);
    weir_semaphore_release(closing->go); /* the main task goes on, */
    check_int(take(feed), 1);            /* and the worker after it */
    weir_shield_begin_ms(&limit, 1000);
    closing->rc = weir_deadline_end(&limit, take(feed));
    weir_map_free(feed->map);
    return 0;
}

static int end_on_a_sign(void *arg)
{
    struct closing *closing = arg;
    weir_group *group = rig_group();
    check_int(weir_semaphore_new(&closing->go, 0, 0), 0);
    weir_spawn(group, take_at_the_end, closing);
    check_int(weir_semaphore_acquire(closing->go), 0);
    weir_semaphore_free(closing->go);
    return 0;
}

static void the_end_of_the_runtime_ends_the_source(void **state)
{
    struct closing closing = {.rc = 1};
    (void)state;
    feed_init(&closing.feed, THINGS);
    assert_int_equal(rig_run(end_on_a_sign, &closing), 0);
    assert_int_equal(closing.rc, WEIR_ECANCELED);
    assert_int_equal(closing.feed.taken, 1);
    feed_balanced(&closing.feed);
    rig_assert_no_failure();
}

static int wait_for_ever(void *arg, void *item, void **result)
{
    struct thing *thing = item;
    weir_semaphore *never;
    (void)arg;
    (void)result;
    thing->worked++;
    check_int(weir_semaphore_new(&never, 0, 0), 0);
    int rc = weir_semaphore_acquire(never);
    weir_semaphore_free(never);
    return rc;
}

static int all_wait_for_ever(void *arg)
{
    struct feed *feed = arg;
    int rc = weir_map_new(&feed->map, feed_source, wait_for_ever,
                          WEIR_MAP_OPTS(.concurrency = 3, .arg = feed, .drop = feed_drop));
    check_int(rc, 0);
    check_int(take_all(feed), WEIR_ECANCELED);
    weir_map_free(feed->map);
    return 0;
}

static void a_deadlock_is_named(void **state)
{
    struct feed feed;
    (void)state;
    feed_init(&feed, THINGS);
    assert_int_equal(rig_run(all_wait_for_ever, &feed), WEIR_EDEADLK);
    feed_balanced(&feed);
    rig_assert_no_failure();
}

static int free_it(void *arg, void *item, void **result)
{
    struct feed *feed = arg;
    weir_map_free(feed->map); /* its own: nothing is done */
    return feed_worker(arg, item, result);
}

static int not_freed_from_inside(void *arg)
{
    struct feed feed;
    (void)arg;
    feed_init(&feed, 5);
    check_int(weir_map_new(&feed.map, feed_source, free_it,
                           WEIR_MAP_OPTS(.arg = &feed, .drop = feed_drop)),
              0);
    check_int(take_all(&feed), 0);
    check_int(feed.got, 5);
    return feed_end(&feed);
}

static int slow_to_end(void *arg, void *item, void **result)
{
    weir_deadline limit;
    feed_worker(arg, item, result);
    weir_shield_begin_ms(&limit, 1000);
    weir_sleep_ms(50);
    return weir_deadline_end(&limit, 0);
}

static int freed_twice_and_used_meanwhile(void *arg)
{
    struct feed feed;
    weir_group *group = rig_group();
    (void)arg;
    feed_init(&feed, 5);
    check_int(weir_map_new(&feed.map, feed_source, slow_to_end,
                           WEIR_MAP_OPTS(.arg = &feed, .drop = feed_drop)),
              0);
    weir_spawn(group, free_it_after_ms, &feed);
    weir_sleep_ms(10);
    check_int(take(&feed), WEIR_ECLOSED);
    weir_map_free(feed.map); /* nothing is done: another is at it */
    weir_map_stop(feed.map);
    check_int(weir_gather(group), 0);
    check_int(elapsed_ms(&feed), 50);
    feed_balanced(&feed);
    return weir_group_free(group);
}

/* ---- memory is out ---- */

static void the_kth_allocation_fails(void **state)
{
    struct feed feed;
    (void)state;
    feed_for_free(&feed);
    assert_int_equal(rig_run(use_it, &feed), 0); /* what a thread has once, it has now */
    weir__mem_fail_at(0);
    feed_for_free(&feed);
    assert_int_equal(rig_run(use_it, &feed), 0);
    unsigned long count = weir__mem_fail_at(0);
    assert_true(count >= 7);
    int less = 0;
    for (unsigned long k = 1; k <= count; k++) {
        feed_for_free(&feed);
        weir__mem_fail_at(k);
        int rc = rig_run(use_it, &feed);
        weir__mem_fail_at(0);
        if (rc == 0 && feed.got == 60 && feed.most > 0)
            less++; /* fewer workers have done it all */
        else
            assert_int_equal(rc, WEIR_ENOMEM);
        feed_balanced(&feed);
        rig_assert_no_failure();
    }
    assert_in_range(less, 2, count - 3);
}

#if !RIG_SANITIZED /* they need address space themselves */
/* Lets the process map so much more; negative: nothing. Returns the limit there was. */
static struct rlimit bound_memory(int64_t more_bytes)
{
    struct rlimit before, now;
    int64_t pages = rig_read_number("/proc/self/statm");
    check_int(getrlimit(RLIMIT_AS, &before), 0);
    now = before;
    now.rlim_cur = (rlim_t)(pages * sysconf(_SC_PAGESIZE) + more_bytes);
    check_int(setrlimit(RLIMIT_AS, &now), 0);
    return before;
}

static int without_any_stack(void *arg)
{
    struct feed *feed = arg;
    struct rlimit before = bound_memory(-1);
    check_int(feed_start(feed, 8, 0), 0);
    check_int(take_all(feed), WEIR_ENOSTACK);
    check_int(take(feed), WEIR_ENOSTACK);
    setrlimit(RLIMIT_AS, &before);
    return feed_end(feed);
}

static int with_a_few_stacks(void *arg)
{
    struct feed *feed = arg;
    struct rlimit before = bound_memory(feed->more_bytes);
    check_int(feed_start(feed, 8, 0), 0);
    check_int(take_all(feed), 0);
    check_int(feed->got, THINGS);
    setrlimit(RLIMIT_AS, &before);
    return feed_end(feed);
}

/* Each stack is a mapping of its own, so that a limit on memory meets them one by one. */
static int run_on_large_stacks(weir_task_fn fn, struct feed *feed)
{
    int rc = weir_run(fn, feed,
                      WEIR_RUN_OPTS(.clock = WEIR_CLOCK_VIRTUAL, .stack_kib = UINT32_C(64) << 10));
    rig_assert_no_failure();
    return rc;
}

static void stacks_are_out(void **state)
{
    struct feed feed;
    (void)state;
    feed_init(&feed, THINGS);
    assert_int_equal(run_on_large_stacks(without_any_stack, &feed), 0);
    assert_int_equal(feed.taken, 0);
    for (int ms = 0; ms < 2; ms++) {
        feed_init(&feed, THINGS);
        feed.more_bytes = (100 + INT64_C(300) * ms) << 20;
        for (int i = 0; i < THINGS; i++)
            feed.things[i].ms = i % 3 * ms;
        assert_int_equal(run_on_large_stacks(with_a_few_stacks, &feed), 0);
        assert_in_range(feed.most, 1, ms == 0 ? 1 : 7); /* they have done it all */
    }
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(freed_at_every_moment),
        VIRTUAL_TEST(its_user_cancelled_at_every_moment),
        cmocka_unit_test(the_end_of_the_runtime),
        cmocka_unit_test(the_end_of_the_runtime_ends_the_source),
        cmocka_unit_test(a_deadlock_is_named),
        VIRTUAL_TEST(not_freed_from_inside),
        VIRTUAL_TEST(freed_twice_and_used_meanwhile),
        cmocka_unit_test(the_kth_allocation_fails),
#if !RIG_SANITIZED
        cmocka_unit_test(stacks_are_out),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
