/* weir_map: order, ends and errors, and how many are out of the source at a time. */
#include "map_rig.h"

/* ---- order ---- */

static void ms_of_three(struct feed *feed)
{
    feed_init(feed, 3);
    feed->notes = true;
    feed->things[0].ms = 30;
    feed->things[1].ms = 10;
    feed->things[2].ms = 20;
}

static int as_they_complete(void *arg)
{
    struct feed feed;
    (void)arg;
    ms_of_three(&feed);
    check_int(feed_start(&feed, 3, 0), 0);
    check_int(take_all(&feed), 0);
    check_trace("1 2 0");
    check_int(elapsed_ms(&feed), 30);
    return feed_end(&feed);
}

static int in_the_order_of_the_source(void *arg)
{
    struct feed feed;
    (void)arg;
    ms_of_three(&feed);
    check_int(feed_start(&feed, 3, 1), 0);
    check_int(take_all(&feed), 0);
    check_trace("0 1 2");
    check_int(elapsed_ms(&feed), 30);
    return feed_end(&feed);
}

static int one_at_a_time(void *arg)
{
    struct feed feed;
    (void)arg;
    ms_of_three(&feed);
    check_int(feed_start(&feed, 1, 0), 0);
    check_int(take_all(&feed), 0);
    check_trace("0 1 2");
    check_int(feed.most, 1);
    check_int(elapsed_ms(&feed), 60);
    return feed_end(&feed);
}

static int those_that_do_not_suspend(void *arg)
{
    struct feed feed;
    (void)arg;
    for (int ordered = 0; ordered < 2; ordered++) {
        feed_init(&feed, THINGS);
        check_int(feed_start(&feed, 7, ordered), 0);
        check_int(take_all(&feed), 0);
        check_int(feed.got, THINGS);
        feed_end(&feed);
    }
    return 0;
}

/* ---- ends and errors ---- */

static int nothing_in_the_source(void *arg)
{
    struct feed feed;
    (void)arg;
    feed_init(&feed, 0);
    check_int(feed_start(&feed, 0, 0), 0);
    for (int i = 0; i < 3; i++)
        check_int(take(&feed), 0);
    return feed_end(&feed);
}

static int a_source_that_fails_at_once(void *arg)
{
    struct feed feed;
    (void)arg;
    feed_init(&feed, 0);
    feed.end_rc = WEIR_EPROTO;
    check_int(feed_start(&feed, 0, 1), 0);
    check_int(take(&feed), WEIR_EPROTO);
    check_int(take(&feed), WEIR_EPROTO);
    return feed_end(&feed);
}

static int a_source_that_fails_later(void *arg)
{
    struct feed feed;
    (void)arg;
    for (int ordered = 0; ordered < 2; ordered++) {
        feed_init(&feed, 5);
        feed.end_rc = WEIR_EIO;
        for (int i = 0; i < 5; i++)
            feed.things[i].ms = 50 - 10 * i;
        check_int(feed_start(&feed, 8, ordered), 0);
        check_int(take_all(&feed), WEIR_EIO);
        check_int(feed.got, 5); /* all others first */
        check_int(take(&feed), WEIR_EIO);
        feed_end(&feed);
    }
    return 0;
}

static int work_that_fails_is_handed_on(void *arg)
{
    struct feed feed;
    (void)arg;
    feed_init(&feed, 20);
    for (int i = 0; i < 20; i++)
        feed.things[i] = (struct thing){.id = i, .ms = i % 2, .rc = i % 3 == 0 ? WEIR_EPROTO : 0};
    check_int(feed_start(&feed, 4, 0), 0);
    check_int(take_all(&feed), 0);
    check_int(feed.got, 20);
    return feed_end(&feed);
}

static int give_nothing(void *arg, void **item)
{
    int *left = arg;
    (void)item;
    return (*left)-- > 0 ? 1 : 0;
}

static int work_on_nothing(void *arg, void *item, void **result)
{
    (void)arg;
    (void)result;
    check(item == NULL);
    return 0;
}

static int null_is_an_item(void *arg)
{
    struct weir_mapped mapped = {.item = &mapped, .result = &mapped, .status = 1};
    int left = 3, got = 0;
    weir_map *map;
    (void)arg;
    check_int(weir_map_new(&map, give_nothing, work_on_nothing, WEIR_MAP_OPTS(.arg = &left)), 0);
    while (weir_map_next(map, &mapped) == 1) {
        check(mapped.item == NULL && mapped.result == NULL && mapped.status == 0);
        got++;
    }
    check_int(got, 3);
    weir_map_free(map);
    return 0;
}

static int nobody_drops_what_has_no_drop(void *arg)
{
    int left = 3;
    weir_map *map;
    (void)arg;
    check_int(weir_map_new(&map, give_nothing, work_on_nothing, WEIR_MAP_OPTS(.arg = &left)), 0);
    weir_yield();
    weir_map_free(map);
    return 0;
}

static int refuses_what_is_wrong(void *arg)
{
    struct weir_map_opts wrong_size = {.size = 1};
    weir_map *map;
    (void)arg;
    check_int(weir_map_new(&map, NULL, feed_worker, NULL), WEIR_EINVAL);
    check_int(weir_map_new(&map, feed_source, NULL, NULL), WEIR_EINVAL);
    check_int(weir_map_new(&map, feed_source, feed_worker, &wrong_size), WEIR_EINVAL);
    check_int(weir_map_new(&map, feed_source, feed_worker, WEIR_MAP_OPTS(.reserved = 1)),
              WEIR_EINVAL);
    check_int(weir_map_new(&map, feed_source, feed_worker, WEIR_MAP_OPTS(.concurrency = SIZE_MAX)),
              WEIR_EINVAL);
    check(map == NULL);
    weir_map_free(map);
    return 0;
}

static void outside_of_a_runtime(void **state)
{
    weir_map *map;
    (void)state;
    assert_int_equal(weir_map_new(&map, feed_source, feed_worker, NULL), WEIR_ENORUNTIME);
    assert_null(map);
}

/* ---- how many at a time ---- */

static int bounds_what_is_worked_on(void *arg)
{
    struct feed feed;
    (void)arg;
    feed_init(&feed, 20);
    for (int i = 0; i < 20; i++)
        feed.things[i].ms = 10;
    check_int(feed_start(&feed, 4, 0), 0);
    check_int(take_all(&feed), 0);
    check_int(feed.most, 4);
    check_int(elapsed_ms(&feed), 50);
    return feed_end(&feed);
}

static int sixty_four_unless_told(void *arg)
{
    struct feed feed;
    (void)arg;
    feed_init(&feed, THINGS);
    for (int i = 0; i < THINGS; i++)
        feed.things[i].ms = 10;
    check_int(feed_start(&feed, 0, 0), 0);
    check_int(take_all(&feed), 0);
    check_int(feed.most, 64);
    return feed_end(&feed);
}

/* Takes one now and then: exactly as many more leave the source. */
static int slow_taker(int ordered, int most_out)
{
    struct feed feed;
    feed_init(&feed, 30);
    for (int i = 0; i < 30; i++)
        feed.things[i].ms = 1 + i % 3;
    check_int(feed_start(&feed, 4, ordered), 0);
    for (int handed = 0; handed < 30; handed++) {
        weir_sleep_ms(100);
        check_int(feed.taken, handed + most_out < 30 ? handed + most_out : 30);
        check_int(take(&feed), 1);
    }
    check_int(take(&feed), 0);
    check_int(feed.most, 4);
    return feed_end(&feed);
}

static int a_slow_taker_slows_the_source_down(void *arg)
{
    (void)arg;
    return slow_taker(0, 4);
}

static int and_when_ordered(void *arg)
{
    (void)arg;
    return slow_taker(1, 8);
}

static int a_taker_that_never_comes(void *arg)
{
    struct feed feed;
    (void)arg;
    feed_init(&feed, THINGS);
    check_int(feed_start(&feed, 5, 0), 0);
    weir_sleep_ms(1000);
    check_int(feed.taken, 5);
    return feed_end(&feed);
}

static int one_slow_item_holds_up_only_the_order(void *arg)
{
    struct feed feed;
    (void)arg;
    for (int ordered = 0; ordered < 2; ordered++) {
        feed_init(&feed, 40);
        feed.things[0].ms = 1000;
        for (int i = 1; i < 40; i++)
            feed.things[i].ms = 1;
        check_int(feed_start(&feed, 4, ordered), 0);
        weir_sleep_ms(500);
        check_int(feed.taken, ordered ? 8 : 4);
        check_int(take_all(&feed), 0);
        check_int(feed.got, 40);
        check(elapsed_ms(&feed) < 1020);
        feed_end(&feed);
    }
    return 0;
}

/* ---- a source that suspends ---- */

static int a_source_that_suspends(void *arg)
{
    struct feed feed;
    (void)arg;
    for (int ordered = 0; ordered < 2; ordered++) {
        feed_init(&feed, 10);
        feed.pause_ms = 5;
        for (int i = 0; i < 10; i++)
            feed.things[i].ms = 20;
        check_int(feed_start(&feed, 8, ordered), 0);
        check_int(take_all(&feed), 0);
        check_int(feed.most, 4); /* as many as begin in 20 ms */
        check_int(elapsed_ms(&feed), 70);
        feed_end(&feed);
    }
    return 0;
}

static int work_goes_on_while_the_source_waits(void *arg)
{
    struct feed feed;
    (void)arg;
    feed_init(&feed, 3);
    feed.pause_ms = 100;
    feed.notes = true;
    for (int i = 0; i < 3; i++)
        feed.things[i].ms = 10;
    check_int(feed_start(&feed, 2, 0), 0);
    for (int i = 0; i < 3; i++) {
        check_int(take(&feed), 1);
        check_int(elapsed_ms(&feed), 110 + 100 * i);
    }
    check_int(take(&feed), 0);
    check_int(elapsed_ms(&feed), 400);
    return feed_end(&feed);
}

/* ---- many ---- */

struct many {
    int left;
    int64_t ms;
    int most, live;
};

static int count_down(void *arg, void **item)
{
    struct many *many = arg;
    (void)item;
    return many->left-- > 0 ? 1 : 0;
}

static int wait_a_little(void *arg, void *item, void **result)
{
    struct many *many = arg;
    (void)item;
    (void)result;
    if (++many->live > many->most)
        many->most = many->live;
    int rc = many->ms > 0 ? weir_sleep_ms(many->ms) : 0;
    many->live--;
    return rc;
}

/* How many allocations a map over so many items makes. */
static unsigned long allocations(int count, int64_t ms, int ordered)
{
    struct many many = {.left = count, .ms = ms};
    struct weir_mapped mapped;
    weir_map *map;
    int got = 0;
    weir__mem_fail_at(0);
    check_int(weir_map_new(&map, count_down, wait_a_little,
                           WEIR_MAP_OPTS(.concurrency = 100, .ordered = ordered, .arg = &many)),
              0);
    while (weir_map_next(map, &mapped) == 1)
        got++;
    weir_map_free(map);
    check_int(got, count);
    check(ms == 0 || many.most == 100);
    return weir__mem_fail_at(0);
}

enum { FEW = 1000, MANY = RIG_SANITIZED ? 100000 : 1000000 };

static int memory_depends_on_the_concurrency_alone(void *arg)
{
    (void)arg;
    for (int ordered = 0; ordered < 2; ordered++) {
        allocations(FEW, 1, ordered); /* what a runtime has once, it has now */
        unsigned long few = allocations(FEW, 1, ordered);
        check(few > 100 && few < 200);
        check_int((int64_t)allocations(MANY, 1, ordered), (int64_t)few);
        check_int((int64_t)allocations(MANY, 0, ordered), (int64_t)allocations(FEW, 0, ordered));
    }
    return 0;
}

static int workers_are_started_as_they_are_needed(void *arg)
{
    struct feed feed;
    (void)arg;
    feed_init(&feed, 3);
    weir__mem_fail_at(0);
    check_int(feed_start(&feed, 10000, 0), 0);
    check_int(take_all(&feed), 0);
    check(weir__mem_fail_at(0) < 20);
    return feed_end(&feed);
}

/* ---- any order of the tasks ---- */

enum { SEEDS = RIG_SANITIZED ? 100 : 1000 };

static int shuffled(void *arg)
{
    struct feed *feed = arg;
    check_int(feed_start(feed, 6, feed->end_rc == 0), 0);
    check_int(take_all(feed), feed->end_rc);
    return feed_end(feed);
}

static void order_holds_under_every_seed(void **state)
{
    struct feed feed;
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        feed_init(&feed, 40);
        feed.notes = true;
        feed.pause_ms = (int64_t)(seed % 2);
        feed.end_rc = seed % 3 == 0 ? WEIR_EIO : 0; /* then it is not ordered */
        for (int i = 0; i < 40; i++)
            feed.things[i].ms = (i * 7 + (int)seed) % 5;
        rig_trace_clear();
        int rc = weir_run(shuffled, &feed,
                          WEIR_RUN_OPTS(.clock = WEIR_CLOCK_VIRTUAL, .seed = seed, .shuffle = 1));
        assert_int_equal(rc, 0);
        assert_int_equal(feed.got, 40);
        if (feed.end_rc == 0)
            assert_string_equal(rig_trace(),
                                "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 "
                                "25 26 27 28 29 30 31 32 33 34 35 36 37 38 39");
        rig_assert_no_failure();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(as_they_complete),
        VIRTUAL_TEST(in_the_order_of_the_source),
        VIRTUAL_TEST(one_at_a_time),
        VIRTUAL_TEST(those_that_do_not_suspend),
        VIRTUAL_TEST(nothing_in_the_source),
        VIRTUAL_TEST(a_source_that_fails_at_once),
        VIRTUAL_TEST(a_source_that_fails_later),
        VIRTUAL_TEST(work_that_fails_is_handed_on),
        VIRTUAL_TEST(null_is_an_item),
        VIRTUAL_TEST(nobody_drops_what_has_no_drop),
        VIRTUAL_TEST(refuses_what_is_wrong),
        cmocka_unit_test(outside_of_a_runtime),
        VIRTUAL_TEST(bounds_what_is_worked_on),
        VIRTUAL_TEST(sixty_four_unless_told),
        VIRTUAL_TEST(a_slow_taker_slows_the_source_down),
        VIRTUAL_TEST(and_when_ordered),
        VIRTUAL_TEST(a_taker_that_never_comes),
        VIRTUAL_TEST(one_slow_item_holds_up_only_the_order),
        VIRTUAL_TEST(a_source_that_suspends),
        VIRTUAL_TEST(work_goes_on_while_the_source_waits),
        VIRTUAL_TEST(memory_depends_on_the_concurrency_alone),
        VIRTUAL_TEST(workers_are_started_as_they_are_needed),
        cmocka_unit_test(order_holds_under_every_seed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
