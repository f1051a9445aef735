/* The limiter and a clock whose timers wake late, as real ones do: the rate is used in full, and
 * nothing is made up for in a flood. */
#include "limiter_rig.h"

#include "task/sched.h"

/* A virtual clock that oversleeps. */
struct late_loop {
    struct weir__loop loop;
    int64_t now_ns;
    int64_t late_ns;
};

static struct late_loop *late_of(struct weir__loop *loop)
{
    return WEIR__CONTAINER(loop, struct late_loop, loop);
}

static int64_t late_now_ns(struct weir__loop *loop)
{
    return late_of(loop)->now_ns;
}

static int late_wait(struct weir__loop *loop, int64_t wake_ns)
{
    struct late_loop *late = late_of(loop);
    if (wake_ns == INT64_MAX)
        return WEIR_EDEADLK;
    if (wake_ns > late->now_ns)
        late->now_ns = wake_ns + late->late_ns;
    return 0;
}

enum { COUNT = 2000 };

struct scene {
    struct late_loop late;
    struct weir_limiter_opts opts;
    struct ask *asks;
    size_t count;
    int64_t stop_ms, stopped_ms; /* the process stands still, that long; 0: it does not */
};

/* All wait from the start. */
static int play(void *arg)
{
    struct scene *scene = arg;
    scene->opts.size = sizeof scene->opts;
    weir_limiter *limiter = limiter_with(&scene->opts);
    weir_group *group = rig_group();
    asks_spawn(group, limiter, scene->asks, scene->count);
    if (scene->stop_ms > 0) {
        weir_sleep_ms(scene->stop_ms);
        scene->late.now_ns += weir__ms_to_ns(scene->stopped_ms);
    }
    check_int(weir_gather(group), 0);
    weir_group_free(group);
    weir_limiter_free(limiter);
    return 0;
}

static void run_scene(struct scene *scene)
{
    const struct weir_run_opts opts = {.size = sizeof opts, .seed = 1};
    scene->late.loop =
        (struct weir__loop){.now_ns = late_now_ns, .wait = late_wait, .is_virtual = true};
    scene->late.now_ns = WEIR__NS_PER_S;
    scene->asks = test_calloc(COUNT, sizeof *scene->asks);
    for (size_t i = 0; i < scene->count; i++)
        scene->asks[i].amount = 1;
    assert_int_equal(weir__sched_run(&scene->late.loop, &opts, play, scene), 0);
    rig_assert_no_failure();
}

/* The most that any window of that length has seen. */
static size_t most_in_us(const struct scene *scene, int64_t window_us)
{
    size_t most = 0, from = 0;
    for (size_t to = 0; to < scene->count; to++) {
        while (scene->asks[to].got_us - scene->asks[from].got_us > window_us)
            from++;
        if (to + 1 - from > most)
            most = to + 1 - from;
    }
    return most;
}

/* 1,000 per second, one at a time: each timer's lateness would cost as much of the rate. */
static void test_rate_is_used_in_full(void **state)
{
    static const int64_t late_us[] = {0, 60, 600, 1200, 2900};
    (void)state;
    for (size_t i = 0; i < sizeof late_us / sizeof late_us[0]; i++) {
        struct scene scene = {.opts = {.rate = 1000, .period_ms = 1000, .burst = 1},
                              .count = COUNT,
                              .late = {.late_ns = late_us[i] * 1000}};
        run_scene(&scene);
        int64_t last_us = scene.asks[COUNT - 1].got_us;
        assert_true(last_us >= (COUNT - 1) * 1000);
        assert_true(last_us <= (COUNT - 1) * 1000 + late_us[i]);
        assert_true(most_in_us(&scene, 0) <= 1 + 3);
        assert_true(most_in_us(&scene, 100000) <= 1 + 100 + 3);
        test_free(scene.asks);
    }
}

/* Later than anybody's timer: what is over the bound is lost, and never made up for. */
static void test_catching_up_is_bounded(void **state)
{
    (void)state;
    struct scene scene = {.opts = {.rate = 1000, .period_ms = 1000, .burst = 1},
                          .count = COUNT,
                          .late = {.late_ns = 50 * WEIR__NS_PER_MS}};
    run_scene(&scene);
    assert_true(most_in_us(&scene, 0) <= 1 + 3);
    test_free(scene.asks);
}

/* Stopped for a minute: the burst afterwards is the bucket's, not the minute's. */
static void test_after_a_minutes_stop(void **state)
{
    static const size_t bursts[] = {1, 5, 20};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct scene scene = {.opts = {.rate = 100, .period_ms = 1000, .burst = bursts[i]},
                              .count = 500,
                              .stop_ms = 1005,
                              .stopped_ms = 60000};
        run_scene(&scene);
        assert_int_equal(most_in_us(&scene, 0), bursts[i]);
        assert_true(most_in_us(&scene, 1000000) <= bursts[i] + 100);
        test_free(scene.asks);
    }
}

/* Time that passed while there was no place is nobody's lateness: the burst stays what it is. */
static int waiting_for_a_place_is_no_lateness(void *arg)
{
    weir_limiter *limiter = LIMITER(.rate = 1000, .period_ms = 1000, .burst = 1, .concurrency = 1);
    struct ask asks[5] = {{.amount = 1, .hold_ms = 2}};
    (void)arg;
    for (size_t i = 1; i < 5; i++)
        asks[i] = (struct ask){.amount = 1};
    asks_run(limiter, asks, 5);
    for (size_t i = 1; i < 5; i++)
        check_int(asks[i].got_us, (int64_t)(i + 1) * 1000);
    weir_limiter_free(limiter);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rate_is_used_in_full),
        cmocka_unit_test(test_catching_up_is_bounded),
        cmocka_unit_test(test_after_a_minutes_stop),
        VIRTUAL_TEST(waiting_for_a_place_is_no_lateness),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
