/* weir_once: one run for all, but a cancel is no result for the others. */
#include "sync_rig.h"

/* What is run once: takes 10 ms. */
struct work {
    int rc;
    int runs, ends;
};

struct plan {
    weir_once *once;
    struct work work;
};

static int work(void *arg)
{
    struct work *work = arg;
    work->runs++;
    int rc = weir_sleep_ms(10);
    work->ends++;
    return rc < 0 ? rc : work->rc;
}

static int run(struct caller *caller)
{
    struct plan *plan = caller->on;
    return weir_once_run(plan->once, work, &plan->work);
}

static void plan_make(struct plan *plan, int rc)
{
    *plan = (struct plan){.work = {.rc = rc}};
    check_int(weir_once_new(&plan->once), 0);
}

static int all_get_what_the_first_returned(void *arg)
{
    struct crowd crowd;
    struct plan plan;
    int64_t start_ms = weir_now_ms();
    (void)arg;
    plan_make(&plan, 7);
    crowd_make(&crowd, run, &plan);
    check_int(weir_once_run(plan.once, work, NULL), 7);
    check_int(weir_now_ms() - start_ms, 10);
    settle();
    check_trace("1 2 3 4");
    for (int i = 1; i <= CROWD; i++)
        check_int(crowd_rc(&crowd, i), 7);
    check_int(weir_once_run(plan.once, work, NULL), 7); /* later: at once */
    check_int(weir_now_ms() - start_ms, 10);
    check_int(plan.work.runs, 1);
    weir_once_free(plan.once);
    return weir_group_free(crowd.group);
}

static int a_failure_is_a_result(void *arg)
{
    struct crowd crowd;
    struct plan plan;
    (void)arg;
    plan_make(&plan, WEIR_EIO);
    crowd_make(&crowd, run, &plan);
    check_int(weir_gather(crowd.group), WEIR_EIO);
    check_int(weir_once_run(plan.once, work, &plan.work), WEIR_EIO);
    check_int(plan.work.runs, 1);
    weir_once_free(plan.once);
    return weir_group_free(crowd.group);
}

static int run_again(void *arg)
{
    struct plan *plan = arg;
    return weir_once_run(plan->once, work, &plan->work);
}

static int from_inside(void *arg)
{
    struct plan plan;
    (void)arg;
    plan_make(&plan, 0);
    check_int(weir_once_run(plan.once, run_again, &plan), WEIR_EDEADLK);
    check_int(plan.work.runs, 0);
    weir_once_free(plan.once);
    return 0;
}

/* ---- cancelled ---- */

static int the_next_one_runs_it_anew(void *arg)
{
    struct crowd crowd;
    struct plan plan;
    int64_t start_ms = weir_now_ms();
    (void)arg;
    plan_make(&plan, 0);
    crowd_make(&crowd, run, &plan);
    weir_sleep_ms(5);
    crowd_cancel(&crowd, 2); /* one that waits */
    crowd_cancel(&crowd, 1); /* the one that runs it */
    settle();
    check_trace("2! 1!");
    check_int(plan.work.runs, 2);
    weir_sleep_ms(5);
    crowd_cancel(&crowd, 3);
    settle();
    check_trace("3!");
    check_int(plan.work.runs, 3);
    weir_sleep_ms(10);
    check_trace("4");
    check_int(weir_now_ms() - start_ms, 20);
    check_int(plan.work.ends, 3);
    check_int(weir_once_run(plan.once, work, &plan.work), 0);
    check_int(plan.work.runs, 3);
    weir_once_free(plan.once);
    return weir_group_free(crowd.group);
}

/* The turn was handed over and its new holder is cancelled before it has run: it goes on to 3. */
static int cancelled_with_the_turn_in_hand(void *arg)
{
    struct crowd crowd;
    struct plan plan;
    (void)arg;
    plan_make(&plan, 0);
    crowd_make(&crowd, run, &plan);
    crowd_cancel(&crowd, 1);
    weir_yield(); /* 1 hands on to 2 */
    check_trace("1!");
    crowd_cancel(&crowd, 2);
    settle();
    check_trace("2!");
    check_int(plan.work.runs, 3);
    weir_sleep_ms(10);
    settle();
    check_trace("3 4");
    weir_once_free(plan.once);
    return weir_group_free(crowd.group);
}

static int nobody_waits_when_it_is_cancelled(void *arg)
{
    struct plan plan;
    weir_deadline limit;
    (void)arg;
    plan_make(&plan, 3);
    weir_deadline_begin_ms(&limit, 5);
    check_int(weir_deadline_end(&limit, weir_once_run(plan.once, work, &plan.work)),
              WEIR_ETIMEDOUT);
    check_int(weir_once_run(plan.once, work, &plan.work), 3);
    check_int(plan.work.runs, 2);
    weir_once_free(plan.once);
    return 0;
}

static int run_when_cancelled(struct caller *caller)
{
    weir_task_cancel(weir_task_self());
    return run(caller);
}

static int a_cancelled_task_starts_nothing_but_sees_the_result(void *arg)
{
    struct plan plan;
    weir_group *group = rig_group();
    struct caller before = {.name = "before", .call = run_when_cancelled, .on = &plan};
    struct caller after = {.name = "after", .call = run_when_cancelled, .on = &plan};
    (void)arg;
    plan_make(&plan, 3);
    call_in(group, &before);
    check_int(weir_await(before.task), WEIR_ECANCELED);
    check_int(plan.work.runs, 0);
    check_int(weir_once_run(plan.once, work, &plan.work), 3);
    call_in(group, &after);
    check_int(weir_await(after.task), 3);
    weir_once_free(plan.once);
    return weir_group_free(group);
}

/* ---- freed ---- */

static int freed_while_it_runs(void *arg)
{
    struct crowd crowd;
    struct plan plan;
    (void)arg;
    plan_make(&plan, 5);
    crowd_make(&crowd, run, &plan);
    crowd_cancel(&crowd, 3);
    weir_once_free(plan.once);
    settle();
    check_trace("3! 2! 4!");
    check_int(crowd_rc(&crowd, 2), WEIR_ECLOSED);
    check_int(crowd_rc(&crowd, 3), WEIR_ECANCELED);
    weir_sleep_ms(10);
    check_int(crowd_rc(&crowd, 1), 5); /* it ran to its end */
    return weir_group_free(crowd.group);
}

static int freed_with_the_turn_in_hand(void *arg)
{
    struct crowd crowd;
    struct plan plan;
    (void)arg;
    plan_make(&plan, 5);
    crowd_make(&crowd, run, &plan);
    crowd_cancel(&crowd, 1);
    weir_yield(); /* 1 hands on to 2, */
    weir_once_free(plan.once);
    settle();
    check_int(crowd_rc(&crowd, 2), WEIR_ECLOSED); /* which does not begin any more */
    check_int(plan.work.runs, 1);
    return weir_group_free(crowd.group);
}

static int without_memory(void *arg)
{
    weir_once *once = arg;
    weir__mem_fail_at(1);
    int rc = weir_once_new(&once);
    weir__mem_fail_at(0);
    check_int(rc, WEIR_ENOMEM);
    check(once == NULL);
    weir_once_free(NULL);
    return 0;
}

static void without_a_runtime(void **state)
{
    weir_once *once = (weir_once *)state;
    assert_int_equal(weir_once_new(&once), WEIR_ENORUNTIME);
    assert_null(once);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(all_get_what_the_first_returned),
        VIRTUAL_TEST(a_failure_is_a_result),
        VIRTUAL_TEST(from_inside),
        VIRTUAL_TEST(the_next_one_runs_it_anew),
        VIRTUAL_TEST(cancelled_with_the_turn_in_hand),
        VIRTUAL_TEST(nobody_waits_when_it_is_cancelled),
        VIRTUAL_TEST(a_cancelled_task_starts_nothing_but_sees_the_result),
        VIRTUAL_TEST(freed_while_it_runs),
        VIRTUAL_TEST(freed_with_the_turn_in_hand),
        VIRTUAL_TEST(without_memory),
        cmocka_unit_test(without_a_runtime),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
