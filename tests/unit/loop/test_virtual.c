/* The virtual clock: sleeps in order, long times in no time, the same every time. */
#include "rig.h"

#include <stdio.h>
#include <string.h>

#include <weir/io.h>
#include <weir/sync.h>

#include "base/clock.h"
#include "task/sched.h"

/* ---- sleeping ---- */

static int sleepers_wake_in_order_of_time_then_of_start(void *arg)
{
    struct job jobs[] = {JOB("c1", 30, 0), JOB("a1", 10, 0), JOB("b1", 20, 0), JOB("a2", 10, 0),
                         JOB("c2", 30, 0), JOB("b2", 20, 0), JOB("a3", 10, 0)};
    weir_group *group = rig_group();
    (void)arg;
    JOBS_SPAWN(group, jobs);
    check_int(weir_gather(group), 0);
    check_trace("a1 a2 a3 b1 b2 c1 c2");
    return weir_group_free(group);
}

static int a_sleep_takes_its_time_and_no_more(void *arg)
{
    const int64_t some_ms[] = {1, 7, 999, 3600000};
    (void)arg;
    for (size_t i = 0; i < 4; i++) {
        int64_t start_ns = weir_now_ns();
        check_int(weir_sleep_ms(some_ms[i]), 0);
        check_int(weir_now_ns() - start_ns, some_ms[i] * WEIR__NS_PER_MS);
    }
    int64_t start_ns = weir_now_ns();
    check_int(weir_sleep_ms(0), 0);
    check_int(weir_sleep_ms(-5), 0);
    check_int(weir_sleep_ms(INT64_MIN), 0);
    check_int(weir_now_ns(), start_ns);
    return 0;
}

static int yield_thrice(void *arg)
{
    (void)arg;
    for (int i = 1; i <= 3; i++) {
        note("%d", i);
        weir_yield();
    }
    return 0;
}

static int no_sleep_is_a_yield(void *arg)
{
    weir_group *group = rig_group();
    (void)arg;
    weir_spawn(group, yield_thrice, NULL);
    weir_sleep_ms(0);
    note("main");
    weir_sleep_ms(-1);
    note("main");
    check_int(weir_gather(group), 0);
    check_trace("1 main 2 main 3");
    return weir_group_free(group);
}

static int time_stands_still_while_a_task_can_run(void *arg)
{
    struct job job = {.name = "sleeper", .ms = 1};
    weir_group *group = rig_group();
    int64_t start_ns = weir_now_ns();
    (void)arg;
    weir_spawn(group, job_run, &job);
    for (int i = 0; i < 1000; i++)
        weir_yield();
    check_trace("");
    check_int(weir_now_ns(), start_ns);
    check_int(weir_gather(group), 0);
    return weir_group_free(group);
}

/* ---- a day ---- */

enum { WORKERS = 20, DAY_MS = 24 * 3600 * 1000 };

static int every_minute(void *arg)
{
    int64_t *count = arg;
    int64_t end_ms = weir_now_ms() + DAY_MS;
    while (weir_now_ms() < end_ms) {
        if (weir_sleep_ms(60000) < 0)
            return WEIR_ECANCELED;
        ++*count;
    }
    return 0;
}

static int a_day(void *arg)
{
    weir_group *group = rig_group();
    for (int i = 0; i < WORKERS; i++)
        weir_spawn(group, every_minute, arg);
    int rc = weir_gather(group);
    check_int(weir_group_free(group), 0);
    return rc;
}

static void a_day_passes_in_no_time(void **state)
{
    int64_t count = 0;
    int64_t start_ns = weir__clock_mono_ns();
    (void)state;
    assert_int_equal(rig_run(a_day, &count), 0);
    int64_t took_ms = (weir__clock_mono_ns() - start_ns) / WEIR__NS_PER_MS;
    assert_int_equal(count, WORKERS * 24 * 60);
    assert_true(took_ms < 5000); /* about 10 ms without sanitizers */
}

/* ---- determinism ---- */

enum { WANDERERS = 8 };

static int wander(void *arg)
{
    weir_semaphore *semaphore = arg;
    struct weir__rand *rand = &weir__rt()->rand;
    for (int i = 0; i < 4; i++) {
        weir_sleep_ms(weir__rand_upto(rand, 50));
        check_int(weir_semaphore_acquire(semaphore), 0);
        weir_sleep_ms(weir__rand_upto(rand, 5));
        note("%s%lld", weir_task_name(weir_task_self()), (long long)weir_now_ms());
        weir_semaphore_release(semaphore);
    }
    return 0;
}

static int wander_about(void *arg)
{
    static const char *const names[WANDERERS] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    weir_semaphore *semaphore;
    weir_group *group = rig_group();
    (void)arg;
    check_int(weir_semaphore_new(&semaphore, 2, 0), 0);
    for (int i = 0; i < WANDERERS; i++)
        weir_spawn_named(group, wander, semaphore, names[i]);
    check_int(weir_gather(group), 0);
    weir_semaphore_free(semaphore);
    return weir_group_free(group);
}

static void trace_of(uint64_t seed, char *out, size_t size)
{
    rig_trace_clear();
    int rc = weir_run(wander_about, NULL, WEIR_RUN_OPTS(.clock = WEIR_CLOCK_VIRTUAL, .seed = seed));
    assert_int_equal(rc, 0);
    rig_assert_no_failure();
    snprintf(out, size, "%s", rig_trace());
}

static void the_same_seed_gives_the_same_trace(void **state)
{
    static char first[4096], again[4096], other[4096];
    (void)state;
    trace_of(0, first, sizeof first); /* a constant, on the virtual clock */
    trace_of(0, again, sizeof again);
    assert_string_equal(first, again);
    trace_of(42, first, sizeof first);
    trace_of(42, again, sizeof again);
    trace_of(43, other, sizeof other);
    assert_string_equal(first, again);
    assert_string_not_equal(first, other);
    assert_true(strlen(first) > 100);
}

static int look_at_the_clock(void *arg)
{
    *(int64_t *)arg = weir_now_ns();
    check_int(weir_now_ms(), weir_now_ns() / WEIR__NS_PER_MS);
    check_int(weir_wait_fd(0, WEIR_IO_READ), WEIR_ENOTSUP);
    return 0;
}

static void each_run_begins_at_the_same_time(void **state)
{
    int64_t first_ns = 0, again_ns = 0;
    (void)state;
    assert_int_equal(rig_run(look_at_the_clock, &first_ns), 0);
    assert_int_equal(rig_run(look_at_the_clock, &again_ns), 0);
    assert_int_equal(first_ns, again_ns);
    assert_true(first_ns > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(sleepers_wake_in_order_of_time_then_of_start),
        VIRTUAL_TEST(a_sleep_takes_its_time_and_no_more),
        VIRTUAL_TEST(no_sleep_is_a_yield),
        VIRTUAL_TEST(time_stands_still_while_a_task_can_run),
        cmocka_unit_test(a_day_passes_in_no_time),
        cmocka_unit_test(the_same_seed_gives_the_same_trace),
        cmocka_unit_test(each_run_begins_at_the_same_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
