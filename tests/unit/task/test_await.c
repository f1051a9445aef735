/* weir_await. */
#include "rig.h"

static int waits_for_the_end_and_gives_the_status(void *arg)
{
    struct job bad = {.ms = 7, .rc = WEIR_EIO}, good = {.ms = 3};
    weir_group *group = rig_group();
    int64_t start_ms = weir_now_ms();
    (void)arg;
    weir_task *first = weir_spawn(group, job_run, &bad),
              *second = weir_spawn(group, job_run, &good);
    check_int(weir_await(first), WEIR_EIO);
    check_int(weir_now_ms() - start_ms, 7);
    check_int(weir_await(second), 0); /* ended meanwhile: does not suspend */
    check_int(weir_await(first), WEIR_EIO);
    return weir_group_free(group);
}

static int await_and_note(void *arg)
{
    int rc = weir_await(arg);
    note("%s", weir_task_name(weir_task_self()));
    return rc;
}

static int several_await_one_and_wake_in_order(void *arg)
{
    struct job job = {.name = "end", .ms = 1, .rc = WEIR_EPROTO};
    weir_group *group = rig_group(), *awaiters = rig_group();
    (void)arg;
    weir_task *task = weir_spawn(group, job_run, &job);
    weir_spawn_named(awaiters, await_and_note, task, "a");
    weir_spawn_named(awaiters, await_and_note, task, "b");
    weir_spawn_named(awaiters, await_and_note, task, "c");
    weir_gather(awaiters);
    check_trace("end a b c");
    for (weir_task *t = weir_group_first(awaiters); t != NULL; t = weir_task_next(t))
        check_int(weir_task_status(t), WEIR_EPROTO);
    check_int(weir_group_free(awaiters), 0);
    return weir_group_free(group);
}

static int await_self(void *arg)
{
    (void)arg;
    check_int(weir_await(weir_task_self()), WEIR_EDEADLK);
    return 0;
}

static int awaiting_oneself_is_refused(void *arg)
{
    weir_group *group = rig_group();
    check_int(await_self(arg), 0);
    weir_spawn(group, await_self, NULL);
    check_int(weir_gather(group), 0);
    return weir_group_free(group);
}

static int siblings_may_await_each_other(void *arg)
{
    struct job job = {.name = "end", .ms = 1, .rc = WEIR_EIO};
    weir_group *group = rig_group();
    (void)arg;
    weir_task *task = weir_spawn(group, job_run, &job);
    for (int i = 0; i < 3; i++) /* each awaits the one before */
        task = weir_spawn_named(group, await_and_note, task, "next");
    check_int(weir_await(task), WEIR_EIO);
    check_trace("end next next next");
    return weir_group_free(group);
}

static int an_awaiter_cancelled_leaves_the_awaited_alone(void *arg)
{
    struct job job = {.name = "end", .ms = 20};
    weir_group *group = rig_group(), *awaiters = rig_group();
    (void)arg;
    weir_task *task = weir_spawn(group, job_run, &job);
    weir_task *awaiter = weir_spawn_named(awaiters, await_and_note, task, "a");
    weir_sleep_ms(10);
    weir_group_cancel(awaiters);
    check_int(weir_await(awaiter), WEIR_ECANCELED);
    check_int(weir_task_status(task), WEIR_EBUSY);
    check_int(weir_await(task), 0);
    check_trace("a end");
    check_int(weir_group_free(awaiters), 0);
    return weir_group_free(group);
}

static int an_awaited_task_that_is_cancelled_says_so(void *arg)
{
    struct job job = {.name = "end", .ms = 20};
    weir_group *group = rig_group();
    (void)arg;
    weir_task *task = weir_spawn(group, job_run, &job);
    weir_sleep_ms(1);
    weir_group_cancel(group);
    check_int(weir_await(task), WEIR_ECANCELED);
    check_int(weir_cancelled(), 0); /* the awaited was, not the caller */
    return weir_group_free(group);
}

static int awaiting_past_a_deadline(void *arg)
{
    struct job job = {.name = "end", .ms = 20};
    weir_group *group = rig_group();
    weir_deadline limit;
    (void)arg;
    weir_task *task = weir_spawn(group, job_run, &job);
    weir_deadline_begin_ms(&limit, 5);
    check_int(weir_deadline_end(&limit, weir_await(task)), WEIR_ETIMEDOUT);
    check_int(weir_await(task), 0);
    return weir_group_free(group);
}

/* ---- nobody left to wake them ---- */

static weir_task *mutual[2];

static int await_the_other(void *arg)
{
    return weir_await(mutual[arg == NULL]);
}

static int two_that_await_each_other(void *arg)
{
    weir_group *group = rig_group();
    (void)arg;
    mutual[0] = weir_spawn(group, await_the_other, NULL);
    mutual[1] = weir_spawn(group, await_the_other, group);
    check_int(weir_gather(group), WEIR_ECANCELED);
    check_int(weir_cancelled(), 1); /* the caller waited too, so it is among the cancelled */
    return weir_group_free(group);
}

static void two_that_await_each_other_are_a_deadlock(void **state)
{
    (void)state;
    assert_int_equal(rig_run(two_that_await_each_other, NULL), WEIR_EDEADLK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(waits_for_the_end_and_gives_the_status),
        VIRTUAL_TEST(several_await_one_and_wake_in_order),
        VIRTUAL_TEST(awaiting_oneself_is_refused),
        VIRTUAL_TEST(siblings_may_await_each_other),
        VIRTUAL_TEST(an_awaiter_cancelled_leaves_the_awaited_alone),
        VIRTUAL_TEST(an_awaited_task_that_is_cancelled_says_so),
        VIRTUAL_TEST(awaiting_past_a_deadline),
        cmocka_unit_test(two_that_await_each_other_are_a_deadlock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
