/* weir_offload. Functions are held at a gate for as long as a test needs. */
#include "rig.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weir/offload.h>
#include <weir/sync.h>

#include "base/mem.h"
#include "gate.h"

enum { POOL = 4 };

/* ---- calls ---- */

struct call {
    struct gate *gate;
    int number;
    atomic_int runs;
    int rc;
};

static atomic_int order_next;
static int order[256]; /* numbers of the calls, as their functions began */

static int blocking(void *arg)
{
    struct call *call = arg;
    atomic_fetch_add(&call->runs, 1);
    order[atomic_fetch_add(&order_next, 1)] = call->number;
    if (call->gate != NULL)
        gate_pass(call->gate);
    return call->number;
}

static int offload_it(void *arg)
{
    struct call *call = arg;
    call->rc = weir_offload(blocking, call);
    return call->rc < 0 ? call->rc : 0;
}

/* Spawns calls 0 ... count-1, whose functions all stop at the gate (NULL: none does). */
static void spawn_calls(weir_group *group, struct call *calls, int count, struct gate *gate)
{
    for (int i = 0; i < count; i++) {
        calls[i].gate = gate;
        calls[i].number = i;
        check(weir_spawn(group, offload_it, &calls[i]) != NULL);
    }
}

/* Fills every thread of the pool with a function at the gate. */
static void fill_pool(weir_group *group, struct call calls[POOL], struct gate *gate)
{
    spawn_calls(group, calls, POOL, gate);
    weir_yield();
    gate_await(gate, POOL);
}

static int look_around(void *arg)
{
    check(weir_task_self() == NULL);
    check_int(weir_offload(look_around, NULL), WEIR_ENORUNTIME);
    *(pthread_t *)arg = pthread_self();
    return 17;
}

/* ---- results ---- */

static int runs_on_another_thread(void *arg)
{
    pthread_t where = pthread_self();
    (void)arg;
    check_int(weir_offload(look_around, &where), 17);
    check(!pthread_equal(where, pthread_self()));
    return 0;
}

static int give_back(void *arg)
{
    return *(int *)arg;
}

static int returns_what_the_function_returned(void *arg)
{
    int codes[] = {0, 5, WEIR_EIO, WEIR_ECANCELED, -1000};
    (void)arg;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        check_int(weir_offload(give_back, &codes[i]), codes[i]);
    check_int(weir_cancelled(), 0);
    return 0;
}

static int others_run_meanwhile(void *arg)
{
    struct gate gate = GATE_SHUT;
    struct call call = {.gate = &gate, .number = 3};
    weir_group *group = rig_group();
    (void)arg;
    weir_spawn(group, offload_it, &call);
    check_int(weir_sleep_ms(1), 0);
    gate_open(&gate, 1); /* only a task that runs meanwhile can do it */
    check_int(weir_gather(group), 0);
    check_int(call.rc, 3);
    return weir_group_free(group);
}

/* ---- the pool ---- */

static pthread_key_t ending_key;
static atomic_int threads_begun, threads_ended;

static void on_thread_end(void *unused)
{
    (void)unused;
    atomic_fetch_add(&threads_ended, 1);
}

static int count_thread(void *arg)
{
    if (pthread_getspecific(ending_key) == NULL) {
        pthread_setspecific(ending_key, &ending_key);
        atomic_fetch_add(&threads_begun, 1);
    }
    return arg != NULL ? blocking(arg) : 0;
}

static int count_threads_of_ten_in_turn(void *arg)
{
    (void)arg;
    for (int i = 0; i < 10; i++)
        check_int(weir_offload(count_thread, NULL), 0);
    return 0;
}

static int offload_counted(void *arg)
{
    struct call *call = arg;
    call->rc = weir_offload(count_thread, call);
    return call->rc == call->number ? 0 : WEIR_EIO;
}

enum { MANY = 200 };

static int run_many(void *arg)
{
    struct gate gate = GATE_SHUT;
    struct call *calls = arg;
    weir_group *group = rig_group();
    for (int i = 0; i < MANY; i++) {
        calls[i].gate = &gate;
        calls[i].number = i;
        weir_spawn(group, offload_counted, &calls[i]);
    }
    weir_yield();
    gate_await(&gate, POOL);
    check_int(weir_sleep_ms(2), 0);
    check_int(atomic_load(&order_next), POOL); /* no fifth thread */
    gate_open(&gate, MANY);
    check_int(weir_gather(group), 0);
    return weir_group_free(group);
}

static void forget_threads(void)
{
    atomic_store(&threads_begun, 0);
    atomic_store(&threads_ended, 0);
    atomic_store(&order_next, 0);
}

static void threads_are_made_as_needed_and_ended(void **state)
{
    static struct call calls[MANY];
    (void)state;
    assert_int_equal(pthread_key_create(&ending_key, on_thread_end), 0);
    forget_threads();
    assert_int_equal(weir_run(count_threads_of_ten_in_turn, NULL, NULL), 0);
    assert_int_equal(threads_begun, 1);
    assert_int_equal(threads_ended, 1);
    forget_threads();
    assert_int_equal(weir_run(run_many, calls, NULL), 0);
    rig_assert_no_failure();
    assert_int_equal(threads_begun, POOL);
    assert_int_equal(threads_ended, POOL);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(calls[i].runs, 1);
    pthread_key_delete(ending_key);
}

static int first_come_first_served(void *arg)
{
    enum { QUEUED = 10 };
    struct gate gate = GATE_SHUT;
    struct call held[POOL] = {0}, queued[QUEUED] = {0};
    weir_group *holders = rig_group(), *group = rig_group();
    (void)arg;
    fill_pool(holders, held, &gate);
    atomic_store(&order_next, 0);
    spawn_calls(group, queued, QUEUED, NULL);
    weir_yield();
    check_int(atomic_load(&order_next), 0);
    gate_open(&gate, 1); /* one thread for all of them */
    check_int(weir_gather(group), 0);
    for (int i = 0; i < QUEUED; i++)
        check_int(order[i], i);
    gate_open(&gate, POOL);
    check_int(weir_gather(holders), 0);
    check_int(weir_group_free(group), 0);
    return weir_group_free(holders);
}

/* ---- cancel and deadline ---- */

static int cancelled_before_it_began(void *arg)
{
    struct gate gate = GATE_SHUT;
    struct call held[POOL] = {0}, queued[3] = {0};
    weir_group *holders = rig_group(), *group = rig_group();
    (void)arg;
    fill_pool(holders, held, &gate);
    spawn_calls(group, queued, 3, NULL);
    weir_yield();
    weir_task_cancel(weir_task_next(weir_group_first(group)));
    check_int(weir_await(weir_task_next(weir_group_first(group))), WEIR_ECANCELED); /* at once */
    gate_open(&gate, POOL);
    check_int(weir_gather(group), WEIR_ECANCELED);
    check_int(weir_gather(holders), 0);
    check_int(queued[0].runs + 2 * queued[1].runs + 4 * queued[2].runs, 5);
    check_int(queued[1].rc, WEIR_ECANCELED);
    check_int(queued[2].rc, 2);
    check_int(weir_group_free(group), 0);
    return weir_group_free(holders);
}

static int offload_and_wait_on(void *arg)
{
    check_int(weir_offload(blocking, arg), 7);
    check_int(weir_cancelled(), 1);
    check_int(weir_offload(blocking, arg), WEIR_ECANCELED); /* does not even begin */
    return weir_yield();
}

static int cancelled_while_it_runs(void *arg)
{
    struct gate gate = GATE_SHUT;
    struct call call = {.gate = &gate, .number = 7};
    weir_group *group = rig_group();
    (void)arg;
    weir_spawn(group, offload_and_wait_on, &call);
    weir_yield();
    gate_await(&gate, 1);
    weir_group_cancel(group);
    check_int(weir_sleep_ms(2), 0);
    check_int(weir_task_ended(weir_group_first(group)), 0); /* it goes on waiting */
    gate_open(&gate, 1);
    check_int(weir_gather(group), WEIR_ECANCELED);
    check_int(call.runs, 1);
    return weir_group_free(group);
}

/* The cancel comes when a function begins, runs, has ended, or has been seen to have ended. */
static int cancelled_at_any_moment(void *arg)
{
    (void)arg;
    for (int round = 0; round < 100; round++) {
        struct call calls[POOL + 2] = {0};
        weir_group *group = rig_group();
        spawn_calls(group, calls, POOL + 2, NULL);
        do
            weir_yield();
        while (atomic_load(&calls[round % POOL].runs) == 0);
        weir_group_cancel(group);
        weir_gather(group);
        for (int i = 0; i < POOL + 2; i++) {
            check(calls[i].rc == i || calls[i].rc == WEIR_ECANCELED);
            check_int(calls[i].runs, calls[i].rc == i ? 1 : 0);
        }
        check_int(weir_group_free(group), 0);
        atomic_store(&order_next, 0);
    }
    return 0;
}

static int a_deadline_before_it_began(void *arg)
{
    struct gate gate = GATE_SHUT;
    struct call held[POOL] = {0}, late = {0};
    weir_group *holders = rig_group();
    weir_deadline limit;
    (void)arg;
    fill_pool(holders, held, &gate);
    weir_deadline_begin_ms(&limit, 2);
    check_int(weir_deadline_end(&limit, weir_offload(blocking, &late)), WEIR_ETIMEDOUT);
    gate_open(&gate, POOL);
    check_int(weir_gather(holders), 0);
    check_int(late.runs, 0);
    return weir_group_free(holders);
}

/* Runs right after the task that offloads has parked, before any timer can fire. */
static int open_later(void *arg)
{
    gate_await(arg, 1); /* it runs */
    check_int(weir_sleep_ms(21), 0);
    gate_open(arg, 1);
    return 0;
}

static int a_deadline_while_it_runs(void *arg)
{
    struct gate gate = GATE_SHUT;
    struct call call = {.gate = &gate, .number = 9};
    weir_group *group = rig_group();
    weir_deadline limit;
    (void)arg;
    weir_spawn(group, open_later, &gate);
    weir_deadline_begin_ms(&limit, 20);
    check_int(weir_offload(blocking, &call), 9);
    check_int(weir_deadline_passed(&limit), 1);
    check_int(weir_deadline_end(&limit, 9), 9);
    check_int(weir_gather(group), 0);
    return weir_group_free(group);
}

/* ---- the end of the runtime ---- */

/* The functions that run, and then the tasks whose functions never will. */
static void *open_once_all_have_come(void *arg)
{
    struct gate *gate = arg;
    gate_await(gate, 2 * POOL);
    gate_open(gate, POOL);
    return NULL;
}

struct leaving {
    struct gate gate;
    struct call held[POOL], queued[POOL];
};

static int come_when_cancelled(void *arg)
{
    struct call *call = arg;
    int rc = offload_it(call);
    gate_come(call->gate);
    return rc;
}

static int leave_them_running(void *arg)
{
    struct leaving *leaving = arg;
    weir_group *group = rig_group();
    fill_pool(group, leaving->held, &leaving->gate);
    for (int i = 0; i < POOL; i++) {
        leaving->queued[i].gate = &leaving->gate;
        weir_spawn(group, come_when_cancelled, &leaving->queued[i]);
    }
    return weir_yield();
}

static void the_end_waits_for_what_runs(void **state)
{
    static struct leaving leaving = {.gate = GATE_SHUT};
    pthread_t opener;
    (void)state;
    assert_int_equal(pthread_create(&opener, NULL, open_once_all_have_come, &leaving.gate), 0);
    assert_int_equal(weir_run(leave_them_running, &leaving, NULL), 0);
    rig_assert_no_failure();
    assert_int_equal(pthread_join(opener, NULL), 0);
    for (int i = 0; i < POOL; i++) {
        assert_int_equal(leaving.held[i].rc, i); /* it ended before weir_run did */
        assert_int_equal(leaving.queued[i].runs, 0);
        assert_int_equal(leaving.queued[i].rc, WEIR_ECANCELED);
    }
}

static int wait_for_nothing(void *arg)
{
    weir_semaphore *none;
    int code = 1;
    check_int(weir_offload(give_back, &code), 1); /* nothing else happens meanwhile */
    check_int(cancelled_before_it_began(arg), 0);
    check_int(weir_semaphore_new(&none, 0, 0), 0);
    check_int(weir_semaphore_acquire(none), WEIR_ECANCELED);
    weir_semaphore_free(none);
    return 0;
}

static void the_pool_hides_no_deadlock(void **state)
{
    (void)state;
    assert_int_equal(weir_run(wait_for_nothing, NULL, NULL), WEIR_EDEADLK);
    rig_assert_no_failure();
}

/* ---- several runtimes ---- */

enum { RUNTIMES = 4, EACH = 50 };

static int add_one(void *arg)
{
    ++*(int *)arg; /* no lock: the caller waits */
    return 0;
}

static int add_many(void *arg)
{
    for (int i = 0; i < EACH; i++)
        check_int(weir_offload(add_one, arg), 0);
    return 0;
}

static int add_many_by_five(void *arg)
{
    int sums[5] = {0};
    weir_group *group = rig_group();
    for (int i = 0; i < 5; i++)
        weir_spawn(group, add_many, &sums[i]);
    check_int(weir_gather(group), 0);
    for (int i = 0; i < 5; i++)
        *(int *)arg += sums[i];
    return weir_group_free(group);
}

static void *run_in_thread(void *arg)
{
    return weir_run(add_many_by_five, arg, NULL) == 0 ? arg : NULL;
}

static void several_runtimes_have_their_own(void **state)
{
    pthread_t threads[RUNTIMES];
    int sums[RUNTIMES] = {0};
    (void)state;
    for (int i = 0; i < RUNTIMES; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_in_thread, &sums[i]), 0);
    for (int i = 0; i < RUNTIMES; i++) {
        void *result = NULL;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_ptr_equal(result, &sums[i]);
        assert_int_equal(sums[i], 5 * EACH);
    }
    rig_assert_no_failure();
}

/* ---- the virtual clock ---- */

static int is_here(void *arg)
{
    check(pthread_equal(*(pthread_t *)arg, pthread_self()));
    note("fn");
    return 4;
}

static int offload_here(void *arg)
{
    int rc = weir_offload(is_here, arg);
    note("back");
    return rc < 0 ? rc : 0;
}

static int under_the_virtual_clock(void *arg)
{
    pthread_t here = pthread_self();
    int64_t start_ns = weir_now_ns();
    weir_group *group = rig_group();
    (void)arg;
    check_int(weir_offload(is_here, &here), 4);
    check_int(weir_now_ns(), start_ns);
    check_trace("fn");
    weir_spawn(group, offload_here, &here);
    weir_spawn(group, offload_here, &here);
    check_int(weir_gather(group), 0);
    check_trace("fn fn back back");
    weir_spawn(group, offload_here, &here);
    weir_yield();
    weir_group_cancel(group); /* it waits, and the function has not begun */
    check_int(weir_gather(group), WEIR_ECANCELED);
    check_trace("back");
    return weir_group_free(group);
}

static int offload_and_look(void *arg)
{
    offload_it(arg);
    return weir_cancelled();
}

/* Turns end after a number of resumes, so some of these cancels come after the last resume of the
 * turn at whose end the function runs: it has run, and its result counts. */
static int cancelled_at_any_resume_under_the_virtual_clock(void *arg)
{
    int met = 0;
    (void)arg;
    for (int yields = 0; yields < 600; yields++) {
        struct call call = {.number = 4, .rc = WEIR_ECANCELED};
        weir_group *group = rig_group();
        weir_task *task = weir_spawn(group, offload_and_look, &call);
        for (int i = 0; i < yields; i++)
            weir_yield();
        weir_task_cancel(task);
        weir_gather(group);
        check_int(call.runs, call.rc == 4 ? 1 : 0);
        check(call.rc == 4 || call.rc == WEIR_ECANCELED);
        met += call.rc == 4 && weir_task_status(task) == 1;
        check_int(weir_group_free(group), 0);
        atomic_store(&order_next, 0);
    }
    check(met > 0);
    return 0;
}

/* ---- what may be missing ---- */

static int without_memory_or_descriptors(void *arg)
{
    struct rlimit before, none;
    int code = 6;
    (void)arg;
    weir__mem_fail_at(1);
    check_int(weir_offload(give_back, &code), WEIR_ENOMEM);
    weir__mem_fail_at(0);
    check_int(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
    check_int(setrlimit(RLIMIT_NOFILE, &none), 0);
    check_int(weir_offload(give_back, &code), WEIR_ENOMEM);
    check_int(setrlimit(RLIMIT_NOFILE, &before), 0);
    check_int(weir_offload(give_back, &code), 6);
    return 0;
}

static int say_result(void *arg)
{
    int code = 6;
    (void)arg;
    fprintf(stderr, "%s", weir_err_name(weir_offload(give_back, &code)));
    return 0;
}

static void run_as_nobody_without_processes(void *arg)
{
    (void)arg;
    if (geteuid() == 0 && setuid(65534) != 0)
        return;
    if (setrlimit(RLIMIT_NPROC, &(struct rlimit){0, 0}) != 0)
        return;
    weir_run(say_result, NULL, NULL);
}

static void without_threads(void **state)
{
    char text[256];
    (void)state;
    int status = rig_in_child(run_as_nobody_without_processes, NULL, text, sizeof text);
    assert_true(WIFEXITED(status));
    assert_string_equal(text, "WEIR_ENOMEM");
}

static void outside_of_a_runtime(void **state)
{
    int code = 6;
    (void)state;
    assert_int_equal(weir_offload(give_back, &code), WEIR_ENORUNTIME);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_threads), /* first: it forks */
        REAL_TEST(runs_on_another_thread),
        REAL_TEST(returns_what_the_function_returned),
        REAL_TEST(others_run_meanwhile),
        cmocka_unit_test(threads_are_made_as_needed_and_ended),
        REAL_TEST(first_come_first_served),
        REAL_TEST(cancelled_before_it_began),
        REAL_TEST(cancelled_while_it_runs),
        REAL_TEST(cancelled_at_any_moment),
        REAL_TEST(a_deadline_before_it_began),
        REAL_TEST(a_deadline_while_it_runs),
        cmocka_unit_test(the_end_waits_for_what_runs),
        cmocka_unit_test(the_pool_hides_no_deadlock),
        cmocka_unit_test(several_runtimes_have_their_own),
        VIRTUAL_TEST(under_the_virtual_clock),
        VIRTUAL_TEST(cancelled_at_any_resume_under_the_virtual_clock),
        REAL_TEST(without_memory_or_descriptors),
        cmocka_unit_test(outside_of_a_runtime),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
