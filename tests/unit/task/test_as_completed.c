/* weir_as_completed: each ended task once, in order of completion. */
#include "rig.h"

/* Notes the names of what is delivered until nothing more is. */
static int deliver_all(weir_group *group)
{
    int count = 0;
    for (weir_task *t; (t = weir_as_completed(group)) != NULL; count++) {
        const struct job *job = weir_task_arg(t);
        note("got-%s", job->name);
        check_int(weir_task_status(t), job->rc);
    }
    return count;
}

static int nothing_to_deliver(void *arg)
{
    weir_group *group = rig_group();
    (void)arg;
    check(weir_as_completed(group) == NULL);
    check_int(weir_cancelled(), 0);
    return weir_group_free(group);
}

static int delivers_in_order_of_completion(void *arg)
{
    struct job jobs[] = {JOB("c", 30, 0), JOB("a", 10, WEIR_EIO), JOB("b", 20, 0),
                         JOB("b2", 20, 0)};
    weir_group *group = rig_group();
    (void)arg;
    JOBS_SPAWN(group, jobs);
    check_int(deliver_all(group), 4);
    check_trace("a got-a b b2 got-b got-b2 c got-c");
    check(weir_as_completed(group) == NULL);
    return weir_group_free(group);
}

static int delivers_what_ended_before_the_call(void *arg)
{
    struct job jobs[] = {JOB("b", 2, 0), JOB("a", 1, 0), JOB("c", 3, 0)};
    weir_group *group = rig_group();
    (void)arg;
    JOBS_SPAWN(group, jobs);
    check_int(weir_gather(group), 0);
    rig_trace_clear();
    check_int(deliver_all(group), 3);
    check_trace("got-a got-b got-c");
    return weir_group_free(group);
}

static int takes_tasks_spawned_between_calls(void *arg)
{
    struct job first = JOB("first", 5, 0), late = JOB("late", 1, 0);
    weir_group *group = rig_group();
    (void)arg;
    weir_spawn(group, job_run, &first);
    check(weir_task_arg(weir_as_completed(group)) == &first);
    check(weir_as_completed(group) == NULL);
    weir_spawn(group, job_run, &late);
    check(weir_task_arg(weir_as_completed(group)) == &late);
    check(weir_as_completed(group) == NULL);
    return weir_group_free(group);
}

/* ---- deadlines and cancels ---- */

static int a_timeout_delivers_so_far_and_cancels_nothing(void *arg)
{
    struct job jobs[] = {JOB("30", 30, 0), JOB("10", 10, 0), JOB("200", 200, 0),
                         JOB("300", 300, 0)};
    weir_group *group = rig_group();
    weir_deadline limit;
    int64_t start_ms = weir_now_ms();
    (void)arg;
    JOBS_SPAWN(group, jobs);
    weir_deadline_begin_ms(&limit, 100);
    check_int(deliver_all(group), 2);
    check_int(weir_cancelled(), 1);
    check_int(weir_deadline_end(&limit, WEIR_ECANCELED), WEIR_ETIMEDOUT);
    check_trace("10 got-10 30 got-30");
    check_int(weir_now_ms() - start_ms, 100);
    check_int(deliver_all(group), 2); /* the tasks ran on */
    check_trace("200 got-200 300 got-300");
    check_int(weir_now_ms() - start_ms, 300);
    return weir_group_free(group);
}

static int what_has_ended_is_delivered_after_the_deadline_too(void *arg)
{
    struct job jobs[] = {JOB("a", 1, 0), JOB("b", 1, 0), JOB("c", 50, 0)};
    weir_group *group = rig_group();
    weir_deadline limit;
    (void)arg;
    JOBS_SPAWN(group, jobs);
    weir_sleep_ms(2);
    weir_deadline_begin_ms(&limit, 0);
    check_int(deliver_all(group), 2);
    check_int(weir_deadline_end(&limit, WEIR_ECANCELED), WEIR_ETIMEDOUT);
    check_trace("a b got-a got-b");
    return weir_group_free(group);
}

static int collect(void *arg)
{
    const char *name = weir_task_name(weir_task_self());
    for (weir_task *t; (t = weir_as_completed(arg)) != NULL;)
        note("%s:%s", name, ((struct job *)weir_task_arg(t))->name);
    note("%s-%s", name, weir_cancelled() ? "cancelled" : "done");
    return 0;
}

static int collectors_share_in_turn(void *arg)
{
    struct job jobs[] = {JOB("a", 1, 0), JOB("b", 2, 0), JOB("c", 3, 0), JOB("d", 4, 0)};
    weir_group *group = rig_group(), *collectors = rig_group();
    (void)arg;
    JOBS_SPAWN(group, jobs);
    weir_spawn_named(collectors, collect, group, "x");
    weir_spawn_named(collectors, collect, group, "y");
    check_int(weir_gather(collectors), 0);
    check_trace("a x:a b y:b c x:c d y:d y-done x-done");
    check_int(weir_group_free(collectors), 0);
    return weir_group_free(group);
}

static int what_a_cancelled_collector_leaves_the_next_gets(void *arg)
{
    struct job jobs[] = {JOB("a", 10, 0), JOB("b", 20, 0)};
    weir_group *group = rig_group(), *first = rig_group(), *second = rig_group();
    (void)arg;
    JOBS_SPAWN(group, jobs);
    weir_spawn_named(first, collect, group, "x");
    weir_spawn_named(second, collect, group, "y");
    weir_sleep_ms(1);
    weir_group_cancel(first);
    check_int(weir_gather(second), 0);
    check_trace("x-cancelled a y:a b y:b y-done");
    check_int(weir_group_free(first), 0);
    check_int(weir_group_free(second), 0);
    return weir_group_free(group);
}

/* ---- from inside ---- */

static int collect_own_group(void *arg)
{
    static struct job jobs[] = {JOB("b", 2, 0), JOB("a", 1, 0)};
    JOBS_SPAWN(arg, jobs);
    check_int(deliver_all(arg), 2); /* and not itself */
    return 0;
}

static int a_task_may_collect_its_own_group(void *arg)
{
    weir_group *group = rig_group();
    (void)arg;
    weir_task *task = weir_spawn(group, collect_own_group, group);
    check_int(weir_gather(group), 0);
    check_trace("a got-a b got-b");
    check(weir_as_completed(group) == task); /* undelivered so far */
    return weir_group_free(group);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(nothing_to_deliver),
        VIRTUAL_TEST(delivers_in_order_of_completion),
        VIRTUAL_TEST(delivers_what_ended_before_the_call),
        VIRTUAL_TEST(takes_tasks_spawned_between_calls),
        VIRTUAL_TEST(a_timeout_delivers_so_far_and_cancels_nothing),
        VIRTUAL_TEST(what_has_ended_is_delivered_after_the_deadline_too),
        VIRTUAL_TEST(collectors_share_in_turn),
        VIRTUAL_TEST(what_a_cancelled_collector_leaves_the_next_gets),
        VIRTUAL_TEST(a_task_may_collect_its_own_group),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
