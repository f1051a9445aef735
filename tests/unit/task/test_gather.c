/* weir_gather: asyncio.gather's meaning. */
#include "rig.h"

#include <weir/sync.h>

static int nothing_to_gather(void *arg)
{
    weir_group *group = rig_group();
    (void)arg;
    check_int(weir_gather(group), 0);
    return weir_group_free(group);
}

static int results_come_in_order_of_spawning(void *arg)
{
    struct job jobs[] = {JOB("a", 30, 0), JOB("b", 10, 0), JOB("c", 20, 0)};
    weir_group *group = rig_group();
    size_t i = 0;
    (void)arg;
    JOBS_SPAWN(group, jobs);
    check_int(weir_gather(group), 0);
    check_trace("b c a");
    for (weir_task *t = weir_group_first(group); t != NULL; t = weir_task_next(t))
        check(weir_task_arg(t) == &jobs[i++] && weir_task_status(t) == 0);
    return weir_group_free(group);
}

static int the_first_error_by_spawning_wins_and_the_others_run_on(void *arg)
{
    struct job jobs[] = {JOB("a", 10, 0), JOB("b", 30, WEIR_EIO), JOB("c", 20, WEIR_EPROTO),
                         JOB("d", 40, 0)};
    const int want[] = {0, WEIR_EIO, WEIR_EPROTO, 0};
    weir_group *group = rig_group();
    int64_t start_ms = weir_now_ms();
    size_t i = 0;
    (void)arg;
    JOBS_SPAWN(group, jobs);
    check_int(weir_gather(group), WEIR_EIO); /* c failed earlier, but b was spawned earlier */
    check_trace("a c b d");
    check_int(weir_now_ms() - start_ms, 40);
    for (weir_task *t = weir_group_first(group); t != NULL; t = weir_task_next(t))
        check_int(weir_task_status(t), want[i++]);
    return weir_group_free(group);
}

static int gathers_again_after_more_were_spawned(void *arg)
{
    struct job good = {.name = "good", .ms = 1}, bad = {.name = "bad", .ms = 1, .rc = WEIR_EIO};
    weir_group *group = rig_group();
    (void)arg;
    weir_spawn(group, job_run, &good);
    check_int(weir_gather(group), 0);
    weir_spawn(group, job_run, &bad);
    check_int(weir_gather(group), WEIR_EIO);
    weir_spawn(group, job_run, &good);
    check_int(weir_gather(group), WEIR_EIO);
    check_trace("good bad good");
    return weir_group_free(group);
}

static int gather_it(void *arg)
{
    int rc = weir_gather(arg);
    note("%s", weir_task_name(weir_task_self()));
    return rc;
}

static int several_gather_one_group(void *arg)
{
    struct job jobs[] = {JOB("job", 5, WEIR_EIO)};
    weir_group *group = rig_group(), *gatherers = rig_group();
    (void)arg;
    JOBS_SPAWN(group, jobs);
    for (const char *name = "one\0two\0ten\0"; *name != '\0'; name += 4)
        weir_spawn_named(gatherers, gather_it, group, name);
    check_int(weir_gather(gatherers), WEIR_EIO);
    check_trace("job one two ten");
    for (weir_task *t = weir_group_first(gatherers); t != NULL; t = weir_task_next(t))
        check_int(weir_task_status(t), WEIR_EIO);
    check_int(weir_group_free(gatherers), 0);
    return weir_group_free(group);
}

static int gather_own_group(void *arg)
{
    check_int(weir_gather(arg), WEIR_EDEADLK);
    check_int(weir_cancelled(), 0); /* refused, nothing else */
    check_int(weir_group_free(arg), WEIR_EDEADLK);
    return weir_sleep_ms(1);
}

static int the_own_group_is_refused(void *arg)
{
    weir_group *group = rig_group();
    (void)arg;
    weir_spawn(group, gather_own_group, group);
    check_int(weir_gather(group), 0);
    return weir_group_free(group);
}

/* ---- cancelled ---- */

struct pair {
    weir_group *group;
    int rc;
    int64_t took_ms;
};

static int gather_timed(void *arg)
{
    struct pair *pair = arg;
    int64_t start_ms = weir_now_ms();
    pair->rc = weir_gather(pair->group);
    pair->took_ms = weir_now_ms() - start_ms;
    note("gathered");
    return pair->rc;
}

static int cancelling_the_gatherer_cancels_what_it_gathers(void *arg)
{
    struct job jobs[] = {JOB("a", 100, 0), JOB("b", 100, 0)};
    weir_group *group = rig_group(), *own = rig_group();
    struct pair pair = {.group = group};
    (void)arg;
    JOBS_SPAWN(group, jobs);
    weir_spawn(own, gather_timed, &pair);
    weir_sleep_ms(10);
    weir_group_cancel(own);
    check_int(weir_gather(own), WEIR_ECANCELED);
    check_int(pair.rc, WEIR_ECANCELED);
    check_int(pair.took_ms, 10);
    check_int(weir_gather(group), WEIR_ECANCELED);
    check_trace("gathered a b"); /* it did not wait for them, but they ended at once */
    check(jobs[0].slept_rc == WEIR_ECANCELED && jobs[1].slept_rc == WEIR_ECANCELED);
    check_int(weir_group_free(own), 0);
    return weir_group_free(group);
}

static int a_deadline_that_cuts_a_gather_cancels_what_it_gathers(void *arg)
{
    struct job jobs[] = {JOB("a", 10, 0), JOB("b", 100, 0)};
    weir_group *group = rig_group();
    weir_deadline limit;
    (void)arg;
    JOBS_SPAWN(group, jobs);
    weir_deadline_begin_ms(&limit, 50);
    check_int(weir_deadline_end(&limit, weir_gather(group)), WEIR_ETIMEDOUT);
    check_int(weir_gather(group), WEIR_ECANCELED);
    check_trace("a b");
    check_int(jobs[0].slept_rc, 0);
    check_int(jobs[1].slept_rc, WEIR_ECANCELED);
    return weir_group_free(group);
}

static int the_cancelled_may_collect_what_has_ended(void *arg)
{
    struct job job = {.ms = 1, .rc = WEIR_EIO};
    weir_group *group = rig_group();
    weir_deadline limit;
    (void)arg;
    weir_task *task = weir_spawn(group, job_run, &job);
    check_int(weir_gather(group), WEIR_EIO);
    weir_deadline_begin_ms(&limit, 0);
    check_int(weir_gather(group), WEIR_EIO);
    check_int(weir_await(task), WEIR_EIO);
    check(weir_as_completed(group) == task);
    check_int(weir_deadline_end(&limit, WEIR_EIO), WEIR_EIO);
    return weir_group_free(group);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(nothing_to_gather),
        VIRTUAL_TEST(results_come_in_order_of_spawning),
        VIRTUAL_TEST(the_first_error_by_spawning_wins_and_the_others_run_on),
        VIRTUAL_TEST(gathers_again_after_more_were_spawned),
        VIRTUAL_TEST(several_gather_one_group),
        VIRTUAL_TEST(the_own_group_is_refused),
        VIRTUAL_TEST(cancelling_the_gatherer_cancels_what_it_gathers),
        VIRTUAL_TEST(a_deadline_that_cuts_a_gather_cancels_what_it_gathers),
        VIRTUAL_TEST(the_cancelled_may_collect_what_has_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
