/* Options of groups: the first failure cancels the rest, a bound on live tasks, stacks by size. */
#include "rig.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "task/sched.h"

static weir_group *group_with(const struct weir_group_opts *opts)
{
    weir_group *group;
    check_int(weir_group_new(&group, opts), 0);
    return group;
}

static int bad_options(void *arg)
{
    struct weir_group_opts wrong_size = {.size = 3};
    weir_group *group;
    (void)arg;
    check_int(weir_group_new(&group, &wrong_size), WEIR_EINVAL);
    check_int(weir_group_new(&group, WEIR_GROUP_OPTS(.stack_kib = 15)), WEIR_EINVAL);
    check_int(weir_group_new(&group, WEIR_GROUP_OPTS(.stack_kib = 65537)), WEIR_EINVAL);
    check(group == NULL);
    return 0;
}

/* ---- the first failure ---- */

static int cleans_up_and_fails(void *arg)
{
    int rc = job_run(arg);
    weir_deadline shield;
    weir_shield_begin_ms(&shield, 1000);
    weir_sleep_ms(5);
    weir_deadline_end(&shield, 0);
    return rc == WEIR_ECANCELED ? WEIR_ERESET : rc;
}

static int fail_at_once(void *arg)
{
    (void)arg;
    return WEIR_EIO;
}

static int the_first_failure_cancels_the_others(void *arg)
{
    struct job jobs[] = {JOB("a", 10, 0), JOB("b", 20, WEIR_EIO), JOB("c", 30, 0)};
    struct job last = JOB("d", 30, 0);
    weir_group *group = group_with(WEIR_GROUP_OPTS(.fail_fast = 1));
    int64_t start_ms = weir_now_ms();
    (void)arg;
    weir_task *cleaner = weir_spawn(group, cleans_up_and_fails, &last);
    JOBS_SPAWN(group, jobs);
    check_int(weir_gather(group), WEIR_EIO); /* the first by time */
    check_int(weir_now_ms() - start_ms, 25); /* all were joined, the one that cleaned up too */
    check_trace("a b d c");
    check_int(jobs[2].slept_rc, WEIR_ECANCELED);
    check_int(weir_task_status(cleaner), WEIR_ERESET);
    for (weir_task *task = weir_group_first(group); task != NULL; task = weir_task_next(task))
        check_int(weir_task_ended(task), 1);
    check(weir_spawn(group, fail_at_once, NULL) == NULL); /* it has failed for good */
    check_int(weir_gather(group), WEIR_EIO);
    return weir_group_free(group);
}

static int a_failure_before_the_first_suspension(void *arg)
{
    struct job jobs[] = {JOB(NULL, 10, 0), JOB(NULL, 10, 0)};
    weir_group *group = group_with(WEIR_GROUP_OPTS(.fail_fast = 1));
    int64_t start_ms = weir_now_ms();
    (void)arg;
    jobs_spawn(group, &jobs[0], 1);
    weir_spawn(group, fail_at_once, NULL);
    jobs_spawn(group, &jobs[1], 1);
    check_int(weir_gather(group), WEIR_EIO);
    check_int(weir_now_ms(), start_ms);
    check_int(jobs[0].slept_rc, WEIR_ECANCELED);
    check_int(jobs[1].runs, 0);
    check_int(weir_task_status(weir_task_next(weir_task_next(weir_group_first(group)))),
              WEIR_ECANCELED);
    return weir_group_free(group);
}

static int a_cancelled_task_fails_nobody(void *arg)
{
    struct job jobs[] = {JOB(NULL, 10, 0), JOB(NULL, 20, 0)};
    weir_group *group = group_with(WEIR_GROUP_OPTS(.fail_fast = 1));
    (void)arg;
    JOBS_SPAWN(group, jobs);
    weir_yield();
    weir_task_cancel(weir_group_first(group));
    weir_sleep_ms(1);
    check_int(jobs[0].slept_rc, WEIR_ECANCELED);
    check_int(weir_gather(group), WEIR_ECANCELED);
    check_int(jobs[1].slept_rc, 0);
    return weir_group_free(group);
}

static int without_it_all_run_to_their_end(void *arg)
{
    struct job jobs[] = {JOB(NULL, 30, WEIR_ERESET), JOB(NULL, 10, WEIR_EIO), JOB(NULL, 20, 0)};
    weir_group *group = group_with(WEIR_GROUP_OPTS(.fail_fast = 0));
    (void)arg;
    JOBS_SPAWN(group, jobs);
    check_int(weir_gather(group), WEIR_ERESET); /* the first by spawning */
    check_int(jobs[2].slept_rc, 0);
    return weir_group_free(group);
}

/* ---- a bound on live tasks ---- */

struct crowd {
    weir_group *group;
    int live, most, done;
    int spawned, refused;
    int want;
};

static int be_one_of(void *arg)
{
    struct crowd *crowd = arg;
    crowd->live++;
    if (crowd->live > crowd->most)
        crowd->most = crowd->live;
    int rc = weir_sleep_ms(10);
    crowd->live--;
    crowd->done += rc == 0;
    return rc;
}

static int spawn_many(void *arg)
{
    struct crowd *crowd = arg;
    for (int i = 0; i < crowd->want; i++) {
        if (weir_spawn(crowd->group, be_one_of, crowd) == NULL) {
            crowd->refused++;
            return 0; /* the group may be gone soon */
        }
        crowd->spawned++;
    }
    return 0;
}

static int a_spawner_waits_for_room(void *arg)
{
    struct crowd crowd = {.group = group_with(WEIR_GROUP_OPTS(.max_live = 3)), .want = 20};
    int64_t start_ms = weir_now_ms();
    (void)arg;
    spawn_many(&crowd);
    check_int(weir_now_ms() - start_ms, 60);
    check_int(weir_gather(crowd.group), 0);
    check_int(weir_now_ms() - start_ms, 70);
    check_int(crowd.most, 3);
    check_int(crowd.done, 20);
    return weir_group_free(crowd.group);
}

static int several_spawners(void *arg)
{
    struct crowd crowd = {.group = group_with(WEIR_GROUP_OPTS(.max_live = 2)), .want = 10};
    weir_group *spawners = rig_group();
    int64_t start_ms = weir_now_ms();
    (void)arg;
    for (int i = 0; i < 3; i++)
        weir_spawn(spawners, spawn_many, &crowd);
    check_int(weir_gather(spawners), 0);
    check_int(weir_gather(crowd.group), 0);
    check_int(weir_now_ms() - start_ms, 150);
    check_int(crowd.most, 2);
    check_int(crowd.done, 30);
    check_int(weir_group_free(spawners), 0);
    return weir_group_free(crowd.group);
}

static int a_spawner_that_waits_is_cancelled(void *arg)
{
    struct crowd crowd = {.group = group_with(WEIR_GROUP_OPTS(.max_live = 2)), .want = 10};
    weir_group *spawners = rig_group();
    (void)arg;
    weir_task *spawner = weir_spawn(spawners, spawn_many, &crowd);
    weir_sleep_ms(15); /* in its third pair */
    check_int(crowd.spawned, 4);
    weir_task_cancel(spawner);
    check_int(weir_await(spawner), 0);
    check_int(crowd.refused, 1);
    check_int(weir_gather(crowd.group), WEIR_ECANCELED); /* it remembers */
    check_int(crowd.done, 4);                            /* and what was spawned runs */
    check_int(weir_group_free(spawners), 0);
    return weir_group_free(crowd.group);
}

static int room_passes_a_cancelled_spawner_by(void *arg)
{
    struct crowd crowd = {.group = group_with(WEIR_GROUP_OPTS(.max_live = 1)), .want = 2};
    weir_group *spawners = rig_group();
    (void)arg;
    weir_task *first = weir_spawn(spawners, spawn_many, &crowd);
    weir_spawn(spawners, spawn_many, &crowd);
    weir_sleep_ms(5);
    weir_task_cancel(first);
    check_int(weir_gather(spawners), 0);
    weir_gather(crowd.group);
    check_int(crowd.refused, 1);
    check_int(crowd.done, 3);
    check_int(weir_group_free(spawners), 0);
    return weir_group_free(crowd.group);
}

static int the_group_is_freed_while_a_spawner_waits(void *arg)
{
    struct crowd crowd = {.group = group_with(WEIR_GROUP_OPTS(.max_live = 2)), .want = 10};
    weir_group *spawners = rig_group();
    (void)arg;
    weir_spawn(spawners, spawn_many, &crowd);
    weir_sleep_ms(5);
    check_int(weir_group_free(crowd.group), 0);
    check_int(weir_gather(spawners), 0);
    check_int(crowd.spawned, 2);
    check_int(crowd.refused, 1);
    check_int(crowd.done, 0);
    return weir_group_free(spawners);
}

/* ---- stacks by size ---- */

static int stack_kib(void *arg)
{
    const struct weir__stacks *stacks = weir_task_self()->group->stacks;
    *(size_t *)arg = stacks->stride / 1024;
    check(stacks->used > 0);
    return 0;
}

static int sizes_of_stacks(void *arg)
{
    const uint32_t asked[] = {64, 65, 128, 1000, 65536, 0};
    const size_t want[] = {64, 128, 128, 1024, 65536, WEIR__FIBER_STACK_KIB};
    (void)arg;
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        size_t got = 0;
        weir_group *group = group_with(WEIR_GROUP_OPTS(.stack_kib = asked[i]));
        weir_spawn(group, stack_kib, &got);
        check_int(weir_gather(group), 0);
        check_int((int64_t)got, (int64_t)want[i]);
        check_int(weir_group_free(group), 0);
    }
    return 0;
}

static __attribute__((noinline)) int use_stack(int depth)
{
    volatile char hole[2000];
    hole[0] = (char)depth;
    __asm__ volatile("" : : "r"(hole) : "memory");
    return depth == 0 ? hole[0] : use_stack(depth - 1) + hole[0];
}

static int dig(void *arg)
{
    use_stack(*(int *)arg);
    return 0;
}

/* More than a task of the runtime has. */
static int a_large_one_is_enough(void *arg)
{
    int depth = WEIR__FIBER_STACK_KIB;
    weir_group *group = group_with(WEIR_GROUP_OPTS(.stack_kib = 8 * WEIR__FIBER_STACK_KIB));
    (void)arg;
    weir_spawn(group, dig, &depth);
    check_int(weir_gather(group), 0);
    return weir_group_free(group);
}

static int overflow(void *arg)
{
    int depth = 10000;
    weir_group *group = group_with(arg);
    weir_spawn_named(group, dig, &depth, "digger");
    weir_gather(group);
    return weir_group_free(group);
}

static void run_overflow(void *arg)
{
    weir_run(overflow, arg, WEIR_RUN_OPTS(.clock = WEIR_CLOCK_VIRTUAL));
}

static void an_overflow_tells_the_size(void **state)
{
    char text[65536];
    (void)state;
    int status = rig_in_child(run_overflow, WEIR_GROUP_OPTS(.stack_kib = 128), text, sizeof text);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    assert_non_null(strstr(text, "in task 'digger' (#2): its stack of 128 KiB is full"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_overflow_tells_the_size), /* before a runtime has set up its handler,
                                                         which the child would take away */
        VIRTUAL_TEST(bad_options),
        VIRTUAL_TEST(the_first_failure_cancels_the_others),
        VIRTUAL_TEST(a_failure_before_the_first_suspension),
        VIRTUAL_TEST(a_cancelled_task_fails_nobody),
        VIRTUAL_TEST(without_it_all_run_to_their_end),
        VIRTUAL_TEST(a_spawner_waits_for_room),
        VIRTUAL_TEST(several_spawners),
        VIRTUAL_TEST(a_spawner_that_waits_is_cancelled),
        VIRTUAL_TEST(room_passes_a_cancelled_spawner_by),
        VIRTUAL_TEST(the_group_is_freed_while_a_spawner_waits),
        VIRTUAL_TEST(sizes_of_stacks),
        VIRTUAL_TEST(a_large_one_is_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
