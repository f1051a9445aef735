/* weir_wait: for the first that ended, the first that failed, or all. */
#include "rig.h"

struct outcome {
    int ended;
    int64_t at_ms; /* since the start */
};

static void check_outcome(weir_group *group, enum weir_wait_for what, int64_t timeout_ms,
                          struct outcome want)
{
    int64_t start_ms = weir_now_ms();
    check_int(weir_wait(group, what, timeout_ms), want.ended);
    check_int(weir_now_ms() - start_ms, want.at_ms);
}

static int count_ended(weir_group *group)
{
    int ended = 0;
    for (weir_task *task = weir_group_first(group); task != NULL; task = weir_task_next(task))
        ended += weir_task_ended(task);
    return ended;
}

/* Four tasks, the second of which fails. */
static void vector(enum weir_wait_for what, int64_t timeout_ms, struct outcome want)
{
    struct job jobs[] = {JOB(NULL, 10, 0), JOB(NULL, 20, WEIR_EIO), JOB(NULL, 30, 0),
                         JOB(NULL, 40, 0)};
    weir_group *group = rig_group();
    JOBS_SPAWN(group, jobs);
    check_outcome(group, what, timeout_ms, want);
    check_int(count_ended(group), want.ended);
    check_int(weir_gather(group), WEIR_EIO); /* it has cancelled nothing */
    check_int(jobs[3].slept_rc, 0);
    check_int(weir_group_free(group), 0);
}

static int each_way(void *arg)
{
    (void)arg;
    vector(WEIR_WAIT_FIRST_COMPLETED, WEIR_FOREVER, (struct outcome){1, 10});
    vector(WEIR_WAIT_FIRST_FAILED, WEIR_FOREVER, (struct outcome){2, 20});
    vector(WEIR_WAIT_ALL, WEIR_FOREVER, (struct outcome){4, 40});
    return 0;
}

static int with_a_time_limit(void *arg)
{
    (void)arg;
    vector(WEIR_WAIT_ALL, 15, (struct outcome){1, 15});
    vector(WEIR_WAIT_FIRST_FAILED, 15, (struct outcome){1, 15});
    vector(WEIR_WAIT_FIRST_COMPLETED, 5, (struct outcome){0, 5});
    vector(WEIR_WAIT_FIRST_COMPLETED, 15, (struct outcome){1, 10});
    vector(WEIR_WAIT_ALL, 1000, (struct outcome){4, 40});
    vector(WEIR_WAIT_ALL, INT64_MAX, (struct outcome){4, 40});
    vector(WEIR_WAIT_ALL, 0, (struct outcome){0, 0});
    return 0;
}

static int no_time_is_a_look(void *arg)
{
    struct job job = JOB(NULL, 10, 0);
    weir_group *group = rig_group();
    (void)arg;
    jobs_spawn(group, &job, 1);
    check_outcome(group, WEIR_WAIT_ALL, 0, (struct outcome){0, 0});
    check_int(job.runs, 0); /* nobody else ran meanwhile */
    check_outcome(group, WEIR_WAIT_ALL, WEIR_FOREVER, (struct outcome){1, 10});
    check_outcome(group, WEIR_WAIT_ALL, 0, (struct outcome){1, 0});
    check_int(weir_task_free(weir_group_first(group)), 0);
    check_outcome(group, WEIR_WAIT_ALL, 0, (struct outcome){0, 0});
    return weir_group_free(group);
}

static int an_empty_group(void *arg)
{
    weir_group *group = rig_group();
    (void)arg;
    check_outcome(group, WEIR_WAIT_ALL, WEIR_FOREVER, (struct outcome){0, 0});
    check_outcome(group, WEIR_WAIT_FIRST_COMPLETED, WEIR_FOREVER, (struct outcome){0, 0});
    check_outcome(group, WEIR_WAIT_FIRST_FAILED, 100, (struct outcome){0, 0});
    return weir_group_free(group);
}

static int a_cancelled_task_has_not_failed(void *arg)
{
    struct job jobs[] = {JOB(NULL, 10, 0), JOB(NULL, 20, 0), JOB(NULL, 30, WEIR_EIO),
                         JOB(NULL, 40, 0)};
    weir_group *group = rig_group();
    (void)arg;
    JOBS_SPAWN(group, jobs);
    weir_yield();
    weir_task_cancel(weir_group_first(group));
    check_outcome(group, WEIR_WAIT_FIRST_COMPLETED, WEIR_FOREVER, (struct outcome){1, 0});
    check_outcome(group, WEIR_WAIT_FIRST_FAILED, WEIR_FOREVER, (struct outcome){3, 30});
    weir_group_cancel(group);
    check_outcome(group, WEIR_WAIT_ALL, WEIR_FOREVER, (struct outcome){4, 0});
    return weir_group_free(group);
}

static int all_end_and_none_has_failed(void *arg)
{
    struct job jobs[] = {JOB(NULL, 10, 0), JOB(NULL, 20, 0)};
    weir_group *group = rig_group();
    (void)arg;
    JOBS_SPAWN(group, jobs);
    check_outcome(group, WEIR_WAIT_FIRST_FAILED, WEIR_FOREVER, (struct outcome){2, 20});
    return weir_group_free(group);
}

/* ---- those who wait ---- */

struct waiter {
    weir_group *group;
    enum weir_wait_for what;
    int rc;
    int64_t at_ms;
};

static int wait_on(void *arg)
{
    struct waiter *waiter = arg;
    waiter->rc = weir_wait(waiter->group, waiter->what, WEIR_FOREVER);
    waiter->at_ms = weir_now_ms();
    return waiter->rc < 0 ? waiter->rc : 0;
}

static int several_wait(void *arg)
{
    struct job jobs[] = {JOB(NULL, 10, 0), JOB(NULL, 20, WEIR_EIO), JOB(NULL, 30, 0)};
    weir_group *group = rig_group(), *others = rig_group();
    struct waiter waiters[] = {{group, WEIR_WAIT_ALL, 0, 0},
                               {group, WEIR_WAIT_FIRST_FAILED, 0, 0},
                               {group, WEIR_WAIT_FIRST_COMPLETED, 0, 0},
                               {group, WEIR_WAIT_FIRST_FAILED, 0, 0}};
    const struct outcome want[] = {{3, 30}, {2, 20}, {1, 10}, {2, 20}};
    int64_t start_ms = weir_now_ms();
    (void)arg;
    JOBS_SPAWN(group, jobs);
    for (int i = 0; i < 4; i++)
        weir_spawn(others, wait_on, &waiters[i]);
    check_int(weir_gather(others), 0);
    for (int i = 0; i < 4; i++) {
        check_int(waiters[i].rc, want[i].ended);
        check_int(waiters[i].at_ms - start_ms, want[i].at_ms);
    }
    check_int(weir_group_free(others), 0);
    return weir_group_free(group);
}

static int the_waiter_is_cancelled(void *arg)
{
    struct job job = JOB(NULL, 50, 0);
    weir_group *group = rig_group(), *others = rig_group();
    struct waiter waiter = {group, WEIR_WAIT_ALL, 0, 0};
    int64_t start_ms = weir_now_ms();
    (void)arg;
    jobs_spawn(group, &job, 1);
    weir_task *task = weir_spawn(others, wait_on, &waiter);
    weir_sleep_ms(10);
    weir_task_cancel(task);
    check_int(weir_await(task), WEIR_ECANCELED);
    check_int(waiter.rc, WEIR_ECANCELED);
    check_int(waiter.at_ms - start_ms, 10);
    check_int(weir_gather(group), 0); /* what it waited for went on */
    check_int(job.slept_rc, 0);
    check_int(weir_group_free(others), 0);
    return weir_group_free(group);
}

static int inside_a_deadline(void *arg)
{
    struct job job = JOB(NULL, 50, 0);
    weir_group *group = rig_group();
    weir_deadline limit;
    int64_t start_ms = weir_now_ms();
    (void)arg;
    jobs_spawn(group, &job, 1);
    weir_deadline_begin_ms(&limit, 15);
    int rc = weir_wait(group, WEIR_WAIT_ALL, 100);
    check_int(weir_deadline_end(&limit, rc), WEIR_ETIMEDOUT);
    check_int(weir_now_ms() - start_ms, 15);
    check_int(weir_gather(group), 0);
    return weir_group_free(group);
}

static int the_group_is_freed_meanwhile(void *arg)
{
    struct job job = JOB(NULL, 50, 0);
    weir_group *group = rig_group(), *others = rig_group();
    struct waiter waiter = {group, WEIR_WAIT_ALL, 0, 0};
    (void)arg;
    jobs_spawn(group, &job, 1);
    weir_spawn(others, wait_on, &waiter);
    weir_sleep_ms(10);
    check_int(weir_group_free(group), 0);
    check_int(weir_gather(others), 0);
    check_int(waiter.rc, 1);
    return weir_group_free(others);
}

static int wait_for_oneself(void *arg)
{
    check_int(weir_wait(arg, WEIR_WAIT_ALL, WEIR_FOREVER), WEIR_EDEADLK);
    check_int(weir_wait(arg, WEIR_WAIT_FIRST_COMPLETED, 0), WEIR_EDEADLK);
    return 0;
}

static int from_a_task_of_the_group(void *arg)
{
    weir_group *group = rig_group();
    (void)arg;
    weir_spawn(group, wait_for_oneself, group);
    check_int(weir_gather(group), 0);
    return weir_group_free(group);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(each_way),
        VIRTUAL_TEST(with_a_time_limit),
        VIRTUAL_TEST(no_time_is_a_look),
        VIRTUAL_TEST(an_empty_group),
        VIRTUAL_TEST(a_cancelled_task_has_not_failed),
        VIRTUAL_TEST(all_end_and_none_has_failed),
        VIRTUAL_TEST(several_wait),
        VIRTUAL_TEST(the_waiter_is_cancelled),
        VIRTUAL_TEST(inside_a_deadline),
        VIRTUAL_TEST(the_group_is_freed_meanwhile),
        VIRTUAL_TEST(from_a_task_of_the_group),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
