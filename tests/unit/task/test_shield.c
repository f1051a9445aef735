/* Shields: what must be finished is finished, but not for ever. */
#include "rig.h"

static int64_t since_ms(int64_t start_ms)
{
    return weir_now_ms() - start_ms;
}

/* Runs fn as a task of its own and cancels it at 10 ms. Its status. */
static int cancelled_at_10(weir_task_fn fn)
{
    weir_group *group = rig_group();
    weir_task *task = weir_spawn(group, fn, NULL);
    weir_sleep_ms(10);
    weir_task_cancel(task);
    int rc = weir_await(task);
    check_int(weir_group_free(group), 0);
    return rc;
}

static int sleep_shielded(void *arg)
{
    weir_deadline shield;
    int64_t start_ms = weir_now_ms();
    (void)arg;
    weir_shield_begin_ms(&shield, 100);
    check_int(weir_sleep_ms(50), 0);
    check_int(weir_cancelled(), 0);
    check_int(weir_yield(), 0);
    check_int(weir_checkpoint(), 0);
    check_int(weir_deadline_end(&shield, 7), 7);
    check_int(since_ms(start_ms), 50);
    check_int(weir_cancelled(), 1);
    check_int(weir_sleep_ms(10), WEIR_ECANCELED); /* seen after it */
    check_int(since_ms(start_ms), 50);
    return 3;
}

static int a_cancel_is_hidden_and_seen_after_it(void *arg)
{
    (void)arg;
    check_int(cancelled_at_10(sleep_shielded), 3);
    return 0;
}

static int begin_after_the_cancel(void *arg)
{
    weir_deadline shield;
    (void)arg;
    check_int(weir_sleep_ms(1000), WEIR_ECANCELED);
    weir_shield_begin_ms(&shield, 100);
    check_int(weir_sleep_ms(20), 0);
    check_int(weir_deadline_end(&shield, 0), 0);
    return weir_sleep_ms(1);
}

static int in_the_cleanup_of_a_cancelled_task(void *arg)
{
    (void)arg;
    check_int(cancelled_at_10(begin_after_the_cancel), WEIR_ECANCELED);
    return 0;
}

static int a_deadline_from_outside_is_hidden(void *arg)
{
    weir_deadline limit, shield;
    int64_t start_ms = weir_now_ms();
    (void)arg;
    weir_deadline_begin_ms(&limit, 10);
    weir_shield_begin_ms(&shield, 100);
    check_int(weir_deadline_left_ms(), 100);
    check_int(weir_sleep_ms(50), 0);
    check_int(weir_deadline_passed(&limit), 1);
    check_int(weir_cancelled(), 0);
    check_int(weir_deadline_end(&shield, 0), 0);
    check_int(weir_deadline_left_ms(), 0);
    check_int(weir_deadline_end(&limit, weir_sleep_ms(10)), WEIR_ETIMEDOUT);
    check_int(since_ms(start_ms), 50);
    return 0;
}

/* ---- its own limit ---- */

static int wait_too_long(void *arg)
{
    weir_deadline shield;
    int64_t start_ms = weir_now_ms();
    (void)arg;
    weir_shield_begin_ms(&shield, 30);
    int rc = weir_sleep_ms(100);
    check_int(rc, WEIR_ECANCELED);
    check_int(weir_deadline_end(&shield, rc), WEIR_ETIMEDOUT);
    check_int(since_ms(start_ms), 30);
    return weir_sleep_ms(100);
}

static int the_limit_ends_it(void *arg)
{
    (void)arg;
    check_int(wait_too_long(NULL), 0); /* works again after it */
    check_int(cancelled_at_10(wait_too_long), WEIR_ECANCELED);
    return 0;
}

static int the_limit_can_be_moved(void *arg)
{
    weir_deadline shield;
    int64_t start_ms = weir_now_ms();
    (void)arg;
    weir_shield_begin_ms(&shield, 30);
    check_int(weir_sleep_ms(20), 0);
    check_int(weir_deadline_reset_ms(&shield, 60), 0);
    check_int(weir_deadline_end(&shield, weir_sleep_ms(100)), WEIR_ETIMEDOUT);
    check_int(since_ms(start_ms), 80);
    return 0;
}

/* ---- nested ---- */

static int one_in_another(void *arg)
{
    weir_deadline outer, inner;
    int64_t start_ms = weir_now_ms();
    (void)arg;
    weir_shield_begin_ms(&outer, 30);
    weir_shield_begin_ms(&inner, 100);
    check_int(weir_sleep_ms(50), 0); /* the outer one's limit is outside */
    check_int(weir_deadline_end(&inner, 0), 0);
    check_int(weir_deadline_end(&outer, weir_sleep_ms(10)), WEIR_ETIMEDOUT);
    check_int(since_ms(start_ms), 50);
    return weir_sleep_ms(1);
}

static int nested_shields(void *arg)
{
    (void)arg;
    check_int(one_in_another(NULL), 0);
    check_int(cancelled_at_10(one_in_another), WEIR_ECANCELED);
    return 0;
}

static int with_a_deadline_inside(void *arg)
{
    weir_deadline shield, limit;
    int64_t start_ms = weir_now_ms();
    (void)arg;
    weir_shield_begin_ms(&shield, 100);
    weir_deadline_begin_ms(&limit, 20);
    check_int(weir_deadline_end(&limit, weir_sleep_ms(50)), WEIR_ETIMEDOUT);
    check_int(since_ms(start_ms), 20); /* not at the cancel */
    check_int(weir_sleep_ms(10), 0);
    check_int(weir_deadline_end(&shield, 0), 0);
    return weir_sleep_ms(1);
}

static int a_deadline_inside_a_shield(void *arg)
{
    (void)arg;
    check_int(with_a_deadline_inside(NULL), 0);
    check_int(cancelled_at_10(with_a_deadline_inside), WEIR_ECANCELED);
    return 0;
}

/* ---- a group inside ---- */

static int hold_on_ms(void *arg)
{
    struct job *job = arg;
    weir_deadline shield;
    job->runs++;
    weir_shield_begin_ms(&shield, 1000);
    job->slept_rc = weir_sleep_ms(job->ms);
    return weir_deadline_end(&shield, job->slept_rc);
}

static int free_a_group_of_mine(void *arg)
{
    struct job job = JOB(NULL, 40, 0);
    weir_group *group = rig_group();
    int64_t start_ms = weir_now_ms();
    (void)arg;
    weir_spawn(group, hold_on_ms, &job);
    check_int(weir_sleep_ms(1000), WEIR_ECANCELED);
    check_int(weir_group_free(group), 0); /* waits although it is cancelled */
    check_int(job.slept_rc, 0);
    check_int(since_ms(start_ms), 40);
    return weir_sleep_ms(1);
}

static int free_it_in_a_shield(void *arg)
{
    weir_deadline shield;
    weir_shield_begin_ms(&shield, 5);
    weir_sleep_ms(10); /* the limit has passed */
    weir_deadline_end(&shield, 0);
    weir_shield_begin_ms(&shield, 1000);
    struct job job = JOB(NULL, 20, 0);
    weir_group *group = rig_group();
    weir_spawn(group, hold_on_ms, &job);
    check_int(weir_gather(group), 0); /* by now the task is cancelled */
    check_int(weir_group_free(group), 0);
    check_int(job.slept_rc, 0);
    weir_deadline_end(&shield, 0);
    return arg == NULL ? weir_sleep_ms(1) : 0;
}

static int groups_inside(void *arg)
{
    (void)arg;
    check_int(cancelled_at_10(free_a_group_of_mine), WEIR_ECANCELED);
    check_int(cancelled_at_10(free_it_in_a_shield), WEIR_ECANCELED);
    return 0;
}

/* A shield of one task is not another's: children of the shielded one can be cancelled. */
static int a_child_is_not_shielded(void *arg)
{
    struct job job = JOB(NULL, 50, 0);
    weir_group *group = rig_group();
    weir_deadline shield;
    (void)arg;
    weir_shield_begin_ms(&shield, 100);
    jobs_spawn(group, &job, 1);
    weir_sleep_ms(5);
    weir_group_cancel(group);
    check_int(weir_gather(group), WEIR_ECANCELED);
    check_int(job.slept_rc, WEIR_ECANCELED);
    check_int(weir_deadline_end(&shield, 0), 0);
    return weir_group_free(group);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(a_cancel_is_hidden_and_seen_after_it),
        VIRTUAL_TEST(in_the_cleanup_of_a_cancelled_task),
        VIRTUAL_TEST(a_deadline_from_outside_is_hidden),
        VIRTUAL_TEST(the_limit_ends_it),
        VIRTUAL_TEST(the_limit_can_be_moved),
        VIRTUAL_TEST(nested_shields),
        VIRTUAL_TEST(a_deadline_inside_a_shield),
        VIRTUAL_TEST(groups_inside),
        VIRTUAL_TEST(a_child_is_not_shielded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
