/* weir_group_free: cancels, joins, frees; and who may be inside the group meanwhile. */
#include "rig.h"

#include "task/sched.h"

static int cancels_joins_and_frees(void *arg)
{
    struct job jobs[] = {JOB("a", 10, 0), JOB("b", 1000, 0), JOB("c", 1000, 0)};
    weir_group *group = rig_group();
    (void)arg;
    JOBS_SPAWN(group, jobs);
    weir_sleep_ms(20);
    check_int(weir_group_free(group), 0);
    check_trace("a b c");
    check(jobs[0].slept_rc == 0 && jobs[1].slept_rc == WEIR_ECANCELED);
    check_int(weir_now_ms(), 1020);
    check_int((int64_t)weir__rt()->live, 1);
    check_int((int64_t)weir__rt()->default_stacks->used, 1);
    return weir_group_free(NULL);
}

static int what_never_ran_is_freed(void *arg)
{
    struct job jobs[] = {JOB("a", 1, 0), JOB("b", 1, 0)};
    weir_group *group = rig_group();
    (void)arg;
    JOBS_SPAWN(group, jobs);
    check_int(weir_group_free(group), 0);
    check_trace("");
    check(jobs[0].runs == 0 && jobs[1].runs == 0);
    return 0;
}

static int an_empty_group_is_freed_at_once(void *arg)
{
    weir_group *group = rig_group();
    (void)arg;
    uint64_t tasks = weir__rt()->next_id;
    check_int(weir_group_free(group), 0);
    check_int((int64_t)(weir__rt()->next_id - tasks), 0);
    return 0;
}

/* ---- a cancelled closer ---- */

struct closing {
    weir_group *closers, *children;
};

static int cancel_the_closer(void *arg)
{
    struct closing *closing = arg;
    check_int(weir_sleep_ms(1000), WEIR_ECANCELED);
    note("child1");
    weir_group_cancel(closing->closers); /* the closer is waiting for child2 still */
    return 0;
}

static int close_children(void *arg)
{
    struct closing *closing = arg;
    struct job child2 = {.name = "child2", .ms = 1000};
    closing->children = rig_group();
    weir_spawn(closing->children, cancel_the_closer, closing);
    weir_spawn(closing->children, job_run, &child2);
    weir_yield();
    check_int(weir_group_free(closing->children), 0);
    check_int(child2.slept_rc, WEIR_ECANCELED); /* its storage is still there */
    note("closed");
    return weir_sleep_ms(1);
}

static int a_closer_cancelled_meanwhile_goes_on_joining(void *arg)
{
    struct closing closing = {.closers = rig_group()};
    (void)arg;
    weir_spawn(closing.closers, close_children, &closing);
    check_int(weir_gather(closing.closers), WEIR_ECANCELED);
    check_trace("child1 child2 closed");
    return weir_group_free(closing.closers);
}

static int a_deadline_that_has_passed_does_not_hurry_it(void *arg)
{
    struct job jobs[] = {JOB("a", 1000, 0), JOB("b", 1000, 0)};
    weir_group *group = rig_group();
    weir_deadline limit;
    (void)arg;
    JOBS_SPAWN(group, jobs);
    weir_yield();
    weir_deadline_begin_ms(&limit, 0);
    check_int(weir_group_free(group), 0);
    check_trace("a b");
    return weir_deadline_end(&limit, 0);
}

/* ---- others inside ---- */

static int gather_it(void *arg)
{
    int rc = weir_gather(arg);
    note("gathered");
    return rc;
}

static int collect_it(void *arg)
{
    int count = 0;
    while (weir_as_completed(arg) != NULL)
        count++;
    note("collected%d", count);
    return count;
}

static int await_it(void *arg)
{
    int rc = weir_await(arg);
    note("awaited");
    return rc;
}

static int freed_while_others_wait_on_it(void *arg)
{
    struct job jobs[] = {JOB("a", 1000, 0), JOB("b", 1000, 0)};
    weir_group *group = rig_group(), *others = rig_group();
    (void)arg;
    JOBS_SPAWN(group, jobs);
    weir_task *gatherer = weir_spawn(others, gather_it, group);
    weir_task *awaiter = weir_spawn(others, await_it, weir_group_first(group));
    weir_task *collector = weir_spawn(others, collect_it, group);
    weir_sleep_ms(1);
    check_int(weir_group_free(group), 0);
    note("freed"); /* after the last one has left */
    check_int(weir_gather(others), WEIR_ECANCELED);
    check_int(weir_task_status(gatherer), WEIR_ECANCELED);
    check_int(weir_task_status(awaiter), WEIR_ECANCELED);
    check_int(weir_task_status(collector), 2);
    check_trace("a b awaited collected2 gathered freed");
    return weir_group_free(others);
}

/* They are woken by the end of the task, and the group is freed before they run. */
static int freed_before_those_woken_have_run(void *arg)
{
    struct job job = {.ms = 1, .rc = WEIR_EIO};
    weir_group *group = rig_group(), *others = rig_group();
    (void)arg;
    weir_task *task = weir_spawn(group, job_run, &job);
    weir_spawn(others, gather_it, group);
    weir_spawn(others, await_it, task);
    weir_spawn(others, collect_it, group);
    check_int(weir_await(task), WEIR_EIO); /* first in the queue */
    check_trace("");
    check_int(weir_group_free(group), 0);
    note("freed");
    weir_gather(others);
    check_trace("awaited gathered collected1 freed");
    return weir_group_free(others);
}

static int those_inside_may_be_cancelled_while_it_is_freed(void *arg)
{
    struct job jobs[] = {JOB("a", 1000, 0)};
    weir_group *group = rig_group(), *others = rig_group();
    (void)arg;
    JOBS_SPAWN(group, jobs);
    weir_spawn(others, gather_it, group);
    weir_spawn(others, await_it, weir_group_first(group));
    weir_spawn(others, collect_it, group);
    weir_sleep_ms(1);
    weir_group_cancel(others); /* woken, and inside the group until they run */
    check_int(weir_group_free(group), 0);
    note("freed");
    weir_gather(others);
    check_trace("gathered awaited collected0 a freed");
    return weir_group_free(others);
}

/* ---- refused ---- */

static int free_own_group(void *arg)
{
    check_int(weir_group_free(arg), WEIR_EDEADLK);
    check_int(weir_sleep_ms(1), 0); /* nothing was done */
    return 0;
}

static int a_task_cannot_free_its_own_group(void *arg)
{
    struct job job = {.ms = 5};
    weir_group *group = rig_group();
    (void)arg;
    weir_spawn(group, free_own_group, group);
    weir_spawn(group, job_run, &job);
    check_int(weir_gather(group), 0);
    check_int(job.slept_rc, 0);
    return weir_group_free(group);
}

static int free_it(void *arg)
{
    return weir_group_free(arg);
}

static int a_second_closer_is_refused(void *arg)
{
    struct job job = {.ms = 1000};
    weir_group *group = rig_group(), *closers = rig_group();
    (void)arg;
    weir_spawn(group, job_run, &job);
    weir_yield();
    weir_task *first = weir_spawn(closers, free_it, group);
    weir_task *second = weir_spawn(closers, free_it, group);
    weir_gather(closers);
    check_int(weir_task_status(first), 0);
    check_int(weir_task_status(second), WEIR_EDEADLK);
    return weir_group_free(closers);
}

static int free_grandparents_group(void *arg)
{
    weir_group_free(arg);
    rig_check(false, "came back from a wait for itself", __FILE__, __LINE__);
    return 0;
}

static int gather_a_grandchild(void *arg)
{
    weir_group *group = rig_group();
    weir_spawn(group, free_grandparents_group, arg);
    weir_gather(group);
    weir_group_free(group);
    return 0;
}

static int freed_from_below(void *arg)
{
    weir_group *group = rig_group();
    (void)arg;
    weir_spawn(group, gather_a_grandchild, group);
    return weir_gather(group);
}

/* The grandchild waits for its parent and the parent for it; neither may be hurried by a cancel. */
static void freeing_a_group_from_below_is_a_deadlock(void **state)
{
    (void)state;
    assert_int_equal(rig_run(freed_from_below, NULL), WEIR_EDEADLK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(cancels_joins_and_frees),
        VIRTUAL_TEST(what_never_ran_is_freed),
        VIRTUAL_TEST(an_empty_group_is_freed_at_once),
        VIRTUAL_TEST(a_closer_cancelled_meanwhile_goes_on_joining),
        VIRTUAL_TEST(a_deadline_that_has_passed_does_not_hurry_it),
        VIRTUAL_TEST(freed_while_others_wait_on_it),
        VIRTUAL_TEST(freed_before_those_woken_have_run),
        VIRTUAL_TEST(those_inside_may_be_cancelled_while_it_is_freed),
        VIRTUAL_TEST(a_task_cannot_free_its_own_group),
        VIRTUAL_TEST(a_second_closer_is_refused),
        cmocka_unit_test(freeing_a_group_from_below_is_a_deadlock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
