/* weir_run: its result, its options, its limits, and what it does with what is left at the end. */
#include "rig.h"

#include <pthread.h>
#include <signal.h>

#include <weir/sync.h>

#include "base/mem.h"
#include "task/sched.h"

static const enum weir_clock clocks[] = {WEIR_CLOCK_VIRTUAL, WEIR_CLOCK_REAL};

static int run_on(enum weir_clock clock, weir_task_fn fn, void *arg)
{
    rig_trace_clear();
    int rc = weir_run(fn, arg, WEIR_RUN_OPTS(.clock = clock));
    rig_assert_no_failure();
    return rc;
}

static int give_back(void *arg)
{
    return *(int *)arg;
}

static void returns_what_the_function_returned(void **state)
{
    int codes[] = {0, WEIR_EIO, WEIR_ECANCELED, 5};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(run_on(WEIR_CLOCK_VIRTUAL, give_back, &codes[i]), codes[i]);
        assert_int_equal(run_on(WEIR_CLOCK_REAL, give_back, &codes[i]), codes[i]);
        assert_int_equal(weir_run(give_back, &codes[i], NULL), codes[i]);
    }
    assert_null(weir_task_self());
}

static void refuses_bad_options(void **state)
{
    int code = 77;
    (void)state;
    struct weir_run_opts bad[] = {
        {.size = sizeof bad[0], .clock = (enum weir_clock)2},
        {.size = sizeof bad[0], .stack_kib = 15},
        {.size = sizeof bad[0], .stack_kib = 65537},
        {.size = sizeof bad[0], .stack_kib = 1},
        {.size = sizeof(size_t) - 1},
        {.size = 0},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(weir_run(give_back, &code, &bad[i]), WEIR_EINVAL);
    assert_int_equal(weir_run(NULL, &code, NULL), WEIR_EINVAL);
    assert_int_equal(weir_run(give_back, &code, WEIR_RUN_OPTS(.stack_kib = 128)), 77);
}

static int run_inside(void *arg)
{
    check_int(weir_run(give_back, arg, NULL), WEIR_EBUSY);
    return weir_yield();
}

static void does_not_nest(void **state)
{
    int code = 1;
    (void)state;
    assert_int_equal(run_on(WEIR_CLOCK_REAL, run_inside, &code), 0);
    assert_int_equal(run_on(WEIR_CLOCK_VIRTUAL, run_inside, &code), 0);
}

static void without_memory(void **state)
{
    int code = 3;
    (void)state;
    assert_int_equal(weir_run(give_back, &code, NULL), 3);
    for (int i = 0; i < 2; i++) {
        weir__mem_fail_at(1);
        int rc = run_on(clocks[i], give_back, &code);
        weir__mem_fail_at(0);
        assert_int_equal(rc, WEIR_ENOMEM);
    }
}

/* ---- threads ---- */

enum { THREADS = 4 };

static int count_up(void *arg)
{
    int *count = arg;
    for (int i = 0; i < 100; i++) {
        check_int(weir_yield(), 0);
        ++*count;
    }
    return 0;
}

static int count_with_ten(void *arg)
{
    weir_group *group = rig_group();
    for (int i = 0; i < 10; i++)
        weir_spawn(group, count_up, arg);
    int rc = weir_gather(group);
    check_int(weir_group_free(group), 0);
    return rc;
}

static void *run_in_thread(void *arg)
{
    int *count = arg;
    int rc = 0;
    for (int i = 0; i < 4 && rc == 0; i++)
        rc = weir_run(count_with_ten, count, WEIR_RUN_OPTS(.clock = clocks[i % 2]));
    check(weir_task_self() == NULL);
    return rc == 0 ? arg : NULL;
}

static void runs_in_several_threads_at_once(void **state)
{
    pthread_t threads[THREADS];
    int counts[THREADS] = {0};
    (void)state;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_in_thread, &counts[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        void *result = NULL;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_ptr_equal(result, &counts[i]);
        assert_int_equal(counts[i], 4 * 10 * 100);
    }
    rig_assert_no_failure();
}

/* ---- leftovers ---- */

static struct job left[] = {JOB("asleep", 100000, 0), JOB("asleep2", 100000, 0)};
static struct job never = JOB("never", 0, 0);

static int own_a_group_and_leave(void *arg)
{
    weir_group *group = rig_group();
    (void)arg;
    weir_spawn(group, job_run, &left[1]);
    check_int(weir_sleep_ms(100000), WEIR_ECANCELED);
    check(weir_spawn(group, job_run, &never) == NULL); /* nothing new at the end */
    note("owner");
    return 0; /* its group stays open */
}

static int leave_everything(void *arg)
{
    weir_group *group = rig_group(), *empty = rig_group();
    (void)empty;
    left[0].runs = left[1].runs = never.runs = 0;
    weir_spawn(group, job_run, &left[0]);
    weir_spawn(group, own_a_group_and_leave, NULL);
    weir_yield();
    weir_yield();
    weir_spawn(group, job_run, &never);
    note("main");
    return give_back(arg);
}

static void what_is_left_is_cancelled_and_freed(void **state)
{
    int code = WEIR_EIO;
    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(run_on(clocks[i], leave_everything, &code), WEIR_EIO);
        assert_string_equal(rig_trace(), "main asleep owner asleep2");
        assert_int_equal(left[0].slept_rc, WEIR_ECANCELED);
        assert_int_equal(left[1].slept_rc, WEIR_ECANCELED);
        assert_int_equal(never.runs, 0);
    }
}

static int leave_a_cancelled_main(void *arg)
{
    weir_deadline limit;
    weir_deadline_begin_ms(&limit, 0);
    weir_group *group = rig_group();
    weir_spawn(group, job_run, arg);
    check_int(weir_yield(), WEIR_ECANCELED);
    check_int(weir_deadline_end(&limit, 0), 0);
    weir_yield();
    return 0;
}

static void the_end_is_joined_even_so(void **state)
{
    struct job job = {.ms = 100000};
    (void)state;
    assert_int_equal(run_on(WEIR_CLOCK_REAL, leave_a_cancelled_main, &job), 0);
    assert_int_equal(job.slept_rc, WEIR_ECANCELED);
}

enum { LEFT = 1000 }; /* more than run in one turn */

static int end_late(void *arg)
{
    int *ended = arg;
    int rc = weir_sleep_ms(100000);
    ++*ended;
    return rc;
}

static int leave_many(void *arg)
{
    weir_group *group = rig_group();
    for (int i = 0; i < LEFT; i++)
        weir_spawn(group, end_late, arg);
    return weir_yield();
}

static void all_of_many_end_before_it_returns(void **state)
{
    int ended = 0;
    (void)state;
    assert_int_equal(run_on(WEIR_CLOCK_VIRTUAL, leave_many, &ended), 0);
    assert_int_equal(ended, LEFT);
}

/* ---- deadlock ---- */

static int acquire_what_nobody_releases(void *arg)
{
    int rc = weir_semaphore_acquire(arg);
    note("%s", rc == WEIR_ECANCELED ? "cancelled" : "?");
    return rc;
}

static int wait_for_nothing(void *arg)
{
    weir_semaphore *none;
    weir_group *group = rig_group();
    check_int(weir_semaphore_new(&none, 0, 0), 0);
    weir_spawn(group, acquire_what_nobody_releases, none);
    weir_spawn(group, acquire_what_nobody_releases, none);
    int rc = weir_gather(group);
    check_int(weir_cancelled(), 1);
    check_int(weir_group_free(group), 0); /* cleaning up works */
    check_int((int64_t)weir_semaphore_waiting(none), 0);
    weir_semaphore_free(none);
    return arg == NULL ? rc : 0;
}

static int sleep_for_ever(void *arg)
{
    check_int(weir_sleep_ms(INT64_MAX), WEIR_ECANCELED);
    return arg == NULL ? 0 : 1;
}

static int start_a_deadlock_and_sleep(void *arg)
{
    weir_semaphore *none;
    weir_group *group = rig_group();
    (void)arg;
    check_int(weir_semaphore_new(&none, 0, 0), 0);
    weir_spawn(group, acquire_what_nobody_releases, none);
    check_int(weir_sleep_ms(2), 0); /* as long as somebody will wake it is none */
    check_trace("");
    weir_semaphore_release(none);
    check_int(weir_gather(group), 0);
    check_int(weir_group_free(group), 0);
    weir_semaphore_free(none);
    return 0;
}

static void a_deadlock_is_found(void **state)
{
    int any = 0;
    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(run_on(clocks[i], wait_for_nothing, NULL), WEIR_EDEADLK);
        assert_string_equal(rig_trace(), "cancelled cancelled");
        assert_int_equal(run_on(clocks[i], wait_for_nothing, &any), WEIR_EDEADLK); /* it was one */
        assert_int_equal(run_on(clocks[i], sleep_for_ever, NULL), WEIR_EDEADLK);
        assert_int_equal(run_on(clocks[i], start_a_deadlock_and_sleep, NULL), 0);
    }
}

static int deadlock_in_what_is_left(void *arg)
{
    weir_group *group = rig_group();
    weir_spawn(group, acquire_what_nobody_releases, arg);
    return weir_yield();
}

/* What is left at the end is cancelled, so it is no deadlock that it would wait for ever. */
static int own_the_semaphore(void *arg)
{
    weir_semaphore *none;
    check_int(weir_semaphore_new(&none, 0, 0), 0);
    *(weir_semaphore **)arg = none;
    return deadlock_in_what_is_left(none);
}

static void waiting_at_the_end_is_no_deadlock(void **state)
{
    weir_semaphore *none = NULL;
    (void)state;
    assert_int_equal(run_on(WEIR_CLOCK_REAL, own_the_semaphore, &none), 0);
    assert_string_equal(rig_trace(), "cancelled");
    weir_semaphore_free(none);
}

/* ---- the process ---- */

static void on_pipe(int signum)
{
    (void)signum;
}

static void sigpipe_is_ignored_unless_handled(void **state)
{
    struct sigaction before, after, own = {.sa_handler = on_pipe};
    int code = 0;
    (void)state;
    signal(SIGPIPE, SIG_DFL);
    assert_int_equal(weir_run(give_back, &code, NULL), 0);
    assert_int_equal(sigaction(SIGPIPE, &own, &before), 0);
    assert_ptr_equal((void *)(uintptr_t)before.sa_handler, (void *)(uintptr_t)SIG_IGN);
    assert_int_equal(weir_run(give_back, &code, NULL), 0);
    assert_int_equal(sigaction(SIGPIPE, &before, &after), 0);
    assert_ptr_equal((void *)(uintptr_t)after.sa_handler, (void *)(uintptr_t)on_pipe);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(returns_what_the_function_returned),
        cmocka_unit_test(refuses_bad_options),
        cmocka_unit_test(does_not_nest),
        cmocka_unit_test(without_memory),
        cmocka_unit_test(runs_in_several_threads_at_once),
        cmocka_unit_test(what_is_left_is_cancelled_and_freed),
        cmocka_unit_test(the_end_is_joined_even_so),
        cmocka_unit_test(all_of_many_end_before_it_returns),
        cmocka_unit_test(a_deadlock_is_found),
        cmocka_unit_test(waiting_at_the_end_is_no_deadlock),
        cmocka_unit_test(sigpipe_is_ignored_unless_handled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
