/* Spawning: the order in which tasks run, what a handle tells, and the end of a handle. */
#include "rig.h"

#include <string.h>

#include <weir/io.h>
#include <weir/sync.h>

#include "base/mem.h"
#include "task/sched.h"

static int say_name(void *arg)
{
    note("%s", (const char *)arg);
    return 0;
}

static int runs_in_order_of_spawning_after_the_caller_waits(void *arg)
{
    static char *names[] = {"a", "b", "c", "d"};
    weir_group *group = rig_group();
    (void)arg;
    for (size_t i = 0; i < 4; i++)
        weir_spawn(group, say_name, names[i]);
    note("spawned");
    check_int(weir_gather(group), 0);
    check_trace("spawned a b c d");
    return weir_group_free(group);
}

static int thrice(void *arg)
{
    for (int i = 1; i <= 3; i++) {
        note("%s%d", (const char *)arg, i);
        check_int(weir_yield(), 0);
    }
    return 0;
}

static int yielding_tasks_take_turns(void *arg)
{
    weir_group *group = rig_group();
    (void)arg;
    weir_spawn(group, thrice, "a");
    weir_spawn(group, thrice, "b");
    weir_spawn(group, thrice, "c");
    check_int(weir_gather(group), 0);
    check_trace("a1 b1 c1 a2 b2 c2 a3 b3 c3");
    return weir_group_free(group);
}

static int yield_alone(void *arg)
{
    (void)arg;
    for (int i = 0; i < 1000; i++) /* past the resumes of one turn, too */
        check_int(weir_yield(), 0);
    return 0;
}

static int spawn_two_more(void *arg)
{
    weir_group *group = arg;
    note("first");
    weir_spawn(group, say_name, "third");
    weir_spawn(group, say_name, "fourth");
    return 0;
}

static int spawned_by_a_task_come_after_those_already_ready(void *arg)
{
    weir_group *group = rig_group();
    (void)arg;
    weir_spawn(group, spawn_two_more, group);
    weir_spawn(group, say_name, "second");
    check_int(weir_gather(group), 0); /* waits for those spawned meanwhile, too */
    check_trace("first second third fourth");
    return weir_group_free(group);
}

static int deeper(void *arg)
{
    int *left = arg;
    if (--*left == 0)
        return WEIR_EIO;
    weir_group *group = rig_group();
    weir_spawn(group, deeper, left);
    int rc = weir_gather(group);
    check_int(weir_group_free(group), 0);
    return rc;
}

static int an_error_comes_up_through_a_hundred_groups(void *arg)
{
    int left = 100;
    (void)arg;
    check_int(deeper(&left), WEIR_EIO);
    check_int(left, 0);
    return 0;
}

/* ---- handles ---- */

static weir_task *seen_self;

static int look_at_self(void *arg)
{
    (void)arg;
    seen_self = weir_task_self();
    check_int(weir_task_status(seen_self), WEIR_EBUSY);
    return WEIR_EIO;
}

static int a_handle_tells_argument_name_and_status(void *arg)
{
    int value;
    weir_group *group = rig_group();
    (void)arg;
    weir_task *plain = weir_spawn(group, look_at_self, &value);
    weir_task *named = weir_spawn_named(group, look_at_self, NULL, "n");
    check(weir_task_arg(plain) == &value && weir_task_arg(named) == NULL);
    check(strcmp(weir_task_name(plain), "look_at_self") == 0);
    check(strcmp(weir_task_name(named), "n") == 0);
    check_int(weir_task_status(plain), WEIR_EBUSY);
    check_int(weir_gather(group), WEIR_EIO);
    check(seen_self == named);
    check_int(weir_task_status(plain), WEIR_EIO);
    check(strcmp(weir_task_name(weir_task_self()), "main") == 0);
    return weir_group_free(group);
}

static int a_group_lists_its_tasks_in_order_of_spawning(void *arg)
{
    struct job jobs[] = {{.ms = 3}, {.ms = 2}, {.ms = 1}};
    weir_group *group = rig_group();
    size_t i = 0;
    (void)arg;
    check(weir_group_first(group) == NULL);
    JOBS_SPAWN(group, jobs);
    check_int(weir_gather(group), 0);
    for (weir_task *t = weir_group_first(group); t != NULL; t = weir_task_next(t), i++)
        check(i < 3 && weir_task_arg(t) == &jobs[i]);
    check_int((int64_t)i, 3);
    return weir_group_free(group);
}

static int an_ended_task_may_be_freed_early(void *arg)
{
    struct job jobs[] = {{.ms = 1}, {.ms = 2}, {.ms = 3}};
    weir_group *group = rig_group();
    (void)arg;
    JOBS_SPAWN(group, jobs);
    weir_task *first = weir_group_first(group), *second = weir_task_next(first);
    check_int(weir_task_free(NULL), 0);
    check_int(weir_task_free(first), WEIR_EBUSY);            /* not started */
    check_int(weir_task_free(weir_task_self()), WEIR_EBUSY); /* running */
    check_int(weir_await(first), 0);
    check_int(weir_task_free(second), WEIR_EBUSY); /* asleep */
    check_int(weir_task_free(first), 0);
    check(weir_group_first(group) == second);
    check_int(weir_gather(group), 0);
    check(weir_as_completed(group) == second); /* the freed one is not delivered */
    check_int(weir_task_free(second), 0);
    check(weir_as_completed(group) == weir_group_first(group));
    return weir_group_free(group);
}

static int await_it(void *arg)
{
    int rc = weir_await(arg);
    note("awaited");
    return rc;
}

static int free_until_it_works(void *arg)
{
    int tries = 0;
    check_int(weir_await(arg), 0); /* in the queue before await_it, so it runs before it */
    while (weir_task_free(arg) == WEIR_EBUSY && tries++ < 10)
        weir_yield();
    note("freed after %d", tries);
    return 0;
}

static int a_task_is_not_freed_under_one_that_awaits_it(void *arg)
{
    struct job job = {.ms = 1};
    weir_group *group = rig_group(), *others = rig_group();
    (void)arg;
    weir_task *task = weir_spawn(group, job_run, &job);
    weir_spawn(others, free_until_it_works, task);
    weir_spawn(others, await_it, task); /* woken at the end of the task, but not run yet */
    check_int(weir_gather(others), 0);
    check_trace("awaited freed after 1");
    check(weir_group_first(group) == NULL);
    check_int(weir_group_free(others), 0);
    return weir_group_free(group);
}

/* ---- failing ---- */

static int fail_at_once(void *arg)
{
    (void)arg;
    return WEIR_EPROTO;
}

static int a_child_may_fail_before_it_first_waits(void *arg)
{
    struct job job = {.ms = 5};
    weir_group *group = rig_group();
    (void)arg;
    weir_task *bad = weir_spawn(group, fail_at_once, NULL);
    weir_spawn(group, job_run, &job);
    check_int(weir_gather(group), WEIR_EPROTO);
    check_int(weir_task_status(bad), WEIR_EPROTO);
    check_int(job.slept_rc, 0);
    return weir_group_free(group);
}

static int a_failed_spawn_is_remembered(void *arg)
{
    struct job good = {.ms = 1};
    weir_group *group = rig_group();
    (void)arg;
    weir_spawn(group, job_run, &good);
    weir__mem_fail_at(1);
    weir_task *none = weir_spawn(group, job_run, &good);
    weir__mem_fail_at(0);
    check(none == NULL);
    check_int(weir_gather(group), WEIR_ENOMEM);
    check_int(good.runs, 1);
    check_int(weir_gather(group), WEIR_ENOMEM); /* for good */
    return weir_group_free(group);
}

static int spawn_a_sibling_when_cancelled(void *arg)
{
    check_int(weir_sleep_ms(1000), WEIR_ECANCELED);
    check(weir_spawn(arg, say_name, "never") == NULL);
    note("refused");
    return 0;
}

static int a_group_being_freed_takes_no_more_tasks(void *arg)
{
    weir_group *group = rig_group();
    (void)arg;
    weir_spawn(group, spawn_a_sibling_when_cancelled, group);
    weir_yield();
    check_int(weir_group_free(group), 0);
    check_trace("refused");
    return 0;
}

/* ---- tasks that own a block ---- */

static int unstarted_calls;

static void count_unstarted(weir_task *task)
{
    check(weir__task_owned(task) != NULL);
    unstarted_calls++;
}

static int look_at_owned(void *arg)
{
    check(weir__task_owned(weir_task_self()) == arg);
    return 0;
}

static weir_task *spawn_owning(weir_group *group)
{
    void *block = weir__alloc(100); /* leaks if nobody frees it */
    return weir__spawn_owning(group, look_at_owned, block, "owner", block, count_unstarted);
}

static int an_owned_block_goes_with_its_task(void *arg)
{
    weir_group *group = rig_group();
    (void)arg;
    unstarted_calls = 0;
    check(spawn_owning(group) != NULL);
    check_int(weir_gather(group), 0);
    check_int(unstarted_calls, 0);
    weir_task *task = spawn_owning(group);
    weir_group_cancel(group);
    check_int(weir_await(task), WEIR_ECANCELED);
    check_int(unstarted_calls, 1); /* what fn would have done at its end */
    check_int(weir_task_free(task), 0);
    return weir_group_free(group);
}

static int an_owned_block_goes_when_nothing_is_spawned(void *arg)
{
    weir_group *group = rig_group(), *other = rig_group();
    (void)arg;
    unstarted_calls = 0;
    weir__mem_fail_at(2);
    weir_task *without_task = spawn_owning(group);
    weir__mem_fail_at(1);
    weir_task *without_block = spawn_owning(other);
    weir__mem_fail_at(0);
    check(without_task == NULL && without_block == NULL);
    check_int(weir_gather(group), WEIR_ENOMEM);
    check_int(weir_gather(other), WEIR_ENOMEM);
    check_int(unstarted_calls, 0);
    check_int(weir_group_free(other), 0);
    return weir_group_free(group);
}

static int no_stack_for_the_second(void *arg)
{
    struct job job = {.ms = 1};
    weir_group *group = rig_group();
    (void)arg;
    unstarted_calls = 0;
    weir_spawn(group, job_run, &job);
    weir_task *owner = spawn_owning(group);
    weir__mem_fail_at(1);
    int rc = weir_gather(group);
    weir__mem_fail_at(0);
    check_int(rc, WEIR_ENOMEM);
    check_int(weir_task_status(owner), WEIR_ENOMEM);
    check_int(job.runs, 0);
    check_int(unstarted_calls, 1);
    weir_spawn(group, job_run, &job); /* works again */
    weir_yield();
    check_int(job.runs, 1);
    return weir_group_free(group);
}

static void a_task_may_find_no_stack(void **state)
{
    (void)state; /* of 64 MiB each needs a slab of its own */
    const struct weir_run_opts *large =
        WEIR_RUN_OPTS(.clock = WEIR_CLOCK_VIRTUAL, .stack_kib = 65536);
    assert_int_equal(weir_run(no_stack_for_the_second, NULL, large), 0);
    rig_assert_no_failure();
}

static void refuses_without_a_runtime(void **state)
{
    weir_group *group = (weir_group *)state;
    weir_semaphore *semaphore = (weir_semaphore *)state;
    assert_int_equal(weir_group_new(&group, NULL), WEIR_ENORUNTIME);
    assert_int_equal(weir_yield(), WEIR_ENORUNTIME);
    assert_int_equal(weir_sleep_ms(1), WEIR_ENORUNTIME);
    assert_null(group);
    assert_int_equal(weir_semaphore_new(&semaphore, 1, 0), WEIR_ENORUNTIME);
    assert_null(semaphore);
    assert_int_equal(weir_wait_fd(0, WEIR_IO_READ), WEIR_ENORUNTIME);
    assert_null(weir_task_self());
    assert_int_equal(weir_cancelled(), 0);
    assert_int_equal(weir_now_ns(), 0);
    assert_int_equal(weir_now_ms(), 0);
    assert_true(weir_deadline_left_ms() == INT64_MAX);
    assert_int_equal(weir_group_free(NULL), 0);
    weir_semaphore_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(runs_in_order_of_spawning_after_the_caller_waits),
        VIRTUAL_TEST(yielding_tasks_take_turns),
        VIRTUAL_TEST(yield_alone),
        VIRTUAL_TEST(spawned_by_a_task_come_after_those_already_ready),
        VIRTUAL_TEST(an_error_comes_up_through_a_hundred_groups),
        VIRTUAL_TEST(a_handle_tells_argument_name_and_status),
        VIRTUAL_TEST(a_group_lists_its_tasks_in_order_of_spawning),
        VIRTUAL_TEST(an_ended_task_may_be_freed_early),
        VIRTUAL_TEST(a_task_is_not_freed_under_one_that_awaits_it),
        VIRTUAL_TEST(a_child_may_fail_before_it_first_waits),
        VIRTUAL_TEST(a_failed_spawn_is_remembered),
        VIRTUAL_TEST(a_group_being_freed_takes_no_more_tasks),
        VIRTUAL_TEST(an_owned_block_goes_with_its_task),
        VIRTUAL_TEST(an_owned_block_goes_when_nothing_is_spawned),
        cmocka_unit_test(a_task_may_find_no_stack),
        cmocka_unit_test(refuses_without_a_runtime),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
