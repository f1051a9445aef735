/* weir_map whose taker is cancelled or out of time, whose workers are cancelled, or that is
 * stopped. Whatever happens, each item that left the source is handed on or dropped, once. */
#include "map_rig.h"

#include <malloc.h>

#include "task/sched.h"

/* ---- the taker is cancelled ---- */

struct taking {
    struct feed *feed;
    const char *name;
    int rc;
};

static int take_once(void *arg)
{
    struct taking *taking = arg;
    taking->rc = take(taking->feed);
    note("%s=%d", taking->name, taking->rc);
    return 0;
}

static int a_cancelled_taker_loses_nothing(void *arg)
{
    struct feed feed;
    struct taking taking = {.feed = &feed, .name = "first"};
    weir_group *group = rig_group();
    (void)arg;
    feed_init(&feed, 10);
    for (int i = 0; i < 10; i++)
        feed.things[i].ms = 10;
    check_int(feed_start(&feed, 3, 0), 0);
    weir_task *task = weir_spawn(group, take_once, &taking);
    weir_sleep_ms(5);
    weir_task_cancel(task);
    check_int(weir_await(task), 0);
    check_int(taking.rc, WEIR_ECANCELED);
    rig_trace_clear();
    check_int(take_all(&feed), 0);
    check_int(feed.got, 10);
    weir_group_free(group);
    return feed_end(&feed);
}

static int what_was_handed_over_stays_so(void *arg)
{
    struct feed feed;
    struct taking taking = {.feed = &feed, .name = "first"};
    weir_group *group = rig_group();
    (void)arg;
    feed_init(&feed, 2);
    feed.things[0].ms = feed.things[1].ms = 10;
    check_int(feed_start(&feed, 1, 0), 0);
    weir_task *task = weir_spawn(group, take_once, &taking);
    weir_yield();
    weir_sleep_ms(9);
    while (feed.live == 1 && feed.taken == 1) /* until the work has ended and handed over, */
        weir_sleep_ms(1);
    weir_task_cancel(task); /* too late, whether the taker has run since or not */
    weir_await(task);
    check_int(taking.rc, 1);
    rig_trace_clear();
    check_int(take_all(&feed), 0);
    check_int(feed.got, 1);
    weir_group_free(group);
    return feed_end(&feed);
}

static int drain_though_cancelled(void *arg)
{
    struct feed *feed = arg;
    weir_sleep_ms(1000); /* is cancelled */
    check_int(weir_cancelled(), 1);
    for (int i = 0; i < 4; i++) /* what is there needs no wait */
        check_int(take(feed), 1);
    check_int(take(feed), WEIR_ECANCELED);
    return 0;
}

static int a_cancelled_taker_gets_what_is_there(void *arg)
{
    struct feed feed;
    weir_group *group = rig_group();
    (void)arg;
    feed_init(&feed, 10);
    check_int(feed_start(&feed, 4, 0), 0);
    weir_task *task = weir_spawn(group, drain_though_cancelled, &feed);
    weir_sleep_ms(10);
    weir_task_cancel(task);
    check_int(weir_await(task), 0);
    check_int(take_all(&feed), 0);
    check_int(feed.got, 6);
    weir_group_free(group);
    return feed_end(&feed);
}

static int takers_are_served_in_their_order(void *arg)
{
    struct feed feed;
    struct taking takings[4] = {{&feed, "a", 0}, {&feed, "b", 0}, {&feed, "c", 0}, {&feed, "d", 0}};
    weir_group *group = rig_group();
    weir_task *tasks[4];
    (void)arg;
    feed_init(&feed, 2);
    feed.notes = true;
    feed.things[0].ms = 10;
    feed.things[1].ms = 20;
    check_int(feed_start(&feed, 2, 0), 0);
    for (int i = 0; i < 4; i++)
        tasks[i] = weir_spawn(group, take_once, &takings[i]);
    weir_sleep_ms(5);
    weir_task_cancel(tasks[1]);
    check_int(weir_gather(group), 0);
    check_trace("b=-3 0 a=1 1 c=1 d=0"); /* -3: WEIR_ECANCELED */
    weir_group_free(group);
    return feed_end(&feed);
}

/* ---- deadlines ---- */

static int a_deadline_around_next(void *arg)
{
    struct feed feed;
    weir_deadline limit;
    (void)arg;
    feed_init(&feed, 2);
    feed.things[0].ms = 25;
    feed.things[1].ms = 35;
    check_int(feed_start(&feed, 2, 0), 0);
    for (int i = 0; i < 2; i++) {
        weir_deadline_begin_ms(&limit, 10);
        check_int(weir_deadline_end(&limit, take(&feed)), WEIR_ETIMEDOUT);
    }
    check_int(elapsed_ms(&feed), 20);
    weir_deadline_begin_ms(&limit, 10);
    check_int(weir_deadline_end(&limit, take_all(&feed)), WEIR_ETIMEDOUT);
    check_int(feed.got, 1); /* the deadline bounds the wait, not the work */
    check_int(take_all(&feed), 0);
    check_int(feed.got, 2);
    return feed_end(&feed);
}

/* Scopes that are still open when a function returns end there, as they do with a task. These lie
 * where they may be looked at afterwards. */
static weir_deadline left_open[THINGS];

static int leave_a_scope_open(void *arg, void *item, void **result)
{
    struct thing *thing = item;
    check(!weir_cancelled());
    check(weir_deadline_left_ms() == INT64_MAX);
    weir_deadline_begin_ms(&left_open[thing->id], thing->id % 5);
    return feed_worker(arg, item, result);
}

static int scopes_end_with_the_item(void *arg)
{
    struct feed feed;
    (void)arg;
    feed_init(&feed, 40);
    for (int i = 0; i < 40; i++)
        feed.things[i].ms = 1;
    check_int(weir_map_new(&feed.map, feed_source, leave_a_scope_open,
                           WEIR_MAP_OPTS(.concurrency = 3, .ordered = 1, .arg = &feed,
                                         .drop = feed_drop)),
              0);
    check_int(take_all(&feed), 0);
    check_int(feed.got, 40);
    return feed_end(&feed);
}

/* ---- a worker's task is cancelled ---- */

static int cancel_itself(void *arg, void *item, void **result)
{
    struct thing *thing = item;
    check(!weir_cancelled());
    if (thing->id % 2 == 0)
        weir_task_cancel(weir_task_self());
    return feed_worker(arg, item, result);
}

static int one_that_cancels_itself_harms_no_other(void *arg)
{
    struct feed feed;
    (void)arg;
    for (int i = 0; i < 6; i++) {
        feed_init(&feed, THINGS);
        for (int k = 0; k < THINGS; k++)
            feed.things[k].ms = i % 2;
        check_int(weir_map_new(&feed.map, feed_source, cancel_itself,
                               WEIR_MAP_OPTS(.concurrency = 1 + (size_t)i / 2, .arg = &feed,
                                             .drop = feed_drop)),
                  0);
        check_int(take_all(&feed), 0);
        check_int(feed.got, THINGS);
        feed_end(&feed);
    }
    return 0;
}

#if !RIG_SANITIZED /* they have a heap of their own */
static int always_cancel_itself(void *arg, void *item, void **result)
{
    (void)arg;
    (void)item;
    (void)result;
    weir_task_cancel(weir_task_self());
    return 0;
}

static int an_item(void *arg, void **item)
{
    int *left = arg;
    (void)item;
    return (*left)-- > 0 ? 1 : 0;
}

static int and_leaves_nothing_behind(void *arg)
{
    struct weir_mapped mapped;
    weir_map *map;
    int left = 10000;
    size_t before = 0;
    (void)arg;
    check_int(weir_map_new(&map, an_item, always_cancel_itself, WEIR_MAP_OPTS(.arg = &left)), 0);
    while (weir_map_next(map, &mapped) == 1) {
        if (left == 9000)
            before = mallinfo2().uordblks;
    }
    check(mallinfo2().uordblks <= before);
    weir_map_free(map);
    return 0;
}
#endif

/* ---- stop ---- */

static int stop_finishes_what_was_begun(void *arg)
{
    struct feed feed;
    (void)arg;
    for (int ordered = 0; ordered < 2; ordered++) {
        feed_init(&feed, THINGS);
        for (int i = 0; i < THINGS; i++)
            feed.things[i].ms = 10;
        check_int(feed_start(&feed, 3, ordered), 0);
        check_int(take(&feed), 1);
        weir_sleep_ms(5);
        int taken = feed.taken;
        weir_map_stop(feed.map);
        weir_map_stop(feed.map);
        check_int(take_all(&feed), 0);
        check_int(feed.taken, taken);
        check_int(feed.got, taken - 1);
        weir_map_stop(feed.map); /* nothing is left to stop */
        check_int(take(&feed), 0);
        feed_end(&feed);
    }
    return 0;
}

static int workers_end_with_the_source(void *arg)
{
    struct feed feed;
    (void)arg;
    for (int stopped = 0; stopped < 2; stopped++) {
        feed_init(&feed, 40);
        for (int i = 0; i < 40; i++)
            feed.things[i].ms = i % 3;
        check_int(feed_start(&feed, 10, 1), 0);
        weir_sleep_ms(100);
        check(weir__rt()->live > 2);
        if (stopped)
            weir_map_stop(feed.map);
        check_int(take_all(&feed), 0);
        weir_yield();
        check_int((int64_t)weir__rt()->live, 1);
        feed_end(&feed);
    }
    return 0;
}

static int stop_before_anything_ran(void *arg)
{
    struct feed feed;
    (void)arg;
    feed_init(&feed, THINGS);
    check_int(feed_start(&feed, 3, 0), 0);
    weir_map_stop(feed.map);
    check_int(take_all(&feed), 0);
    check_int(feed.taken, 0);
    return feed_end(&feed);
}

static int stop_does_not_wait_for_the_source(void *arg)
{
    struct feed feed;
    (void)arg;
    feed_init(&feed, THINGS);
    feed.pause_ms = 3600 * 1000;
    check_int(feed_start(&feed, 3, 0), 0);
    weir_sleep_ms(5);
    check(feed.inside);
    weir_map_stop(feed.map);
    check_int(take_all(&feed), 0);
    weir_yield();
    check(!feed.inside);
    check_int(elapsed_ms(&feed), 5);
    return feed_end(&feed);
}

static int stop_later(void *arg)
{
    struct feed *feed = arg;
    weir_sleep_ms(15);
    weir_map_stop(feed->map);
    return 0;
}

static int stop_wakes_a_taker(void *arg)
{
    struct feed feed;
    weir_group *group = rig_group();
    (void)arg;
    feed_init(&feed, THINGS);
    feed.pause_ms = 10;
    check_int(feed_start(&feed, 3, 0), 0);
    weir_spawn(group, stop_later, &feed);
    check_int(take_all(&feed), 0);
    check_int(feed.got, 1);
    check_int(elapsed_ms(&feed), 15);
    weir_group_free(group);
    return feed_end(&feed);
}

/* The source has got an item in the very moment of the stop. */
static int stubborn_source(void *arg, void **item)
{
    struct feed *feed = arg;
    weir_sleep_ms(10);
    *item = &feed->things[feed->taken++];
    return 1;
}

static int an_item_in_spite_of_a_stop_is_dropped(void *arg)
{
    struct feed feed;
    (void)arg;
    feed_init(&feed, THINGS);
    check_int(weir_map_new(&feed.map, stubborn_source, feed_worker,
                           WEIR_MAP_OPTS(.arg = &feed, .drop = feed_drop)),
              0);
    weir_sleep_ms(15);
    weir_map_stop(feed.map);
    check_int(take_all(&feed), 0);
    check_int(feed.got, 1);
    feed_end(&feed);
    check_int(feed.taken, 2);
    check_int(feed.things[1].dropped, 1);
    check_int(feed.things[1].worked, 0);
    return 0;
}

static int stopping_source(void *arg, void **item)
{
    struct feed *feed = arg;
    if (feed->taken == 5)
        weir_map_stop(feed->map);
    return feed_source(arg, item);
}

static int stopping_worker(void *arg, void *item, void **result)
{
    struct feed *feed = arg;
    struct thing *thing = item;
    if (thing->id == 20)
        weir_map_stop(feed->map);
    return feed_worker(arg, item, result);
}

static int stopped_from_inside(void *arg)
{
    struct feed feed;
    (void)arg;
    feed_init(&feed, THINGS);
    feed.pause_ms = 1; /* its own stop does not cancel this wait */
    check_int(weir_map_new(&feed.map, stopping_source, feed_worker,
                           WEIR_MAP_OPTS(.arg = &feed, .drop = feed_drop)),
              0);
    check_int(take_all(&feed), 0);
    check_int(feed.got, 5);
    weir_sleep_ms(5);
    feed_end(&feed);
    check_int(feed.things[5].dropped, 1);
    feed_init(&feed, THINGS);
    check_int(weir_map_new(&feed.map, feed_source, stopping_worker,
                           WEIR_MAP_OPTS(.concurrency = 2, .arg = &feed, .drop = feed_drop)),
              0);
    check_int(take_all(&feed), 0);
    check_int(feed.got, feed.taken);
    check(feed.taken >= 21 && feed.taken <= 22);
    return feed_end(&feed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(a_cancelled_taker_loses_nothing),
        VIRTUAL_TEST(what_was_handed_over_stays_so),
        VIRTUAL_TEST(a_cancelled_taker_gets_what_is_there),
        VIRTUAL_TEST(takers_are_served_in_their_order),
        VIRTUAL_TEST(a_deadline_around_next),
        VIRTUAL_TEST(scopes_end_with_the_item),
        VIRTUAL_TEST(one_that_cancels_itself_harms_no_other),
#if !RIG_SANITIZED
        VIRTUAL_TEST(and_leaves_nothing_behind),
#endif
        VIRTUAL_TEST(stop_finishes_what_was_begun),
        VIRTUAL_TEST(workers_end_with_the_source),
        VIRTUAL_TEST(stop_before_anything_ran),
        VIRTUAL_TEST(stop_does_not_wait_for_the_source),
        VIRTUAL_TEST(stop_wakes_a_taker),
        VIRTUAL_TEST(an_item_in_spite_of_a_stop_is_dropped),
        VIRTUAL_TEST(stopped_from_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
