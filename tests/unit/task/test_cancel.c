/* Cancelling: every wait in every state it can be in, and what is conserved. */
#include "rig.h"

#include <weir/sync.h>

#include "task/sched.h"

/* What the victims wait for, none of which comes by itself: no permit, and a task that sleeps long.
 */
struct world {
    weir_semaphore *none;
    weir_group *busy;
    weir_task *sleeper;
    struct job sleep;
};

struct victim {
    struct world *world;
    weir_group *group; /* its own */
    int (*wait)(struct world *world);
    bool started;
    int rc;    /* of its first wait */
    int again; /* and of its second */
};

/* ---- the waits ---- */

static int in_sleep(struct world *world)
{
    return weir_sleep_ms(world->sleep.ms);
}

static int in_yield(struct world *world)
{
    int rc;
    (void)world;
    while ((rc = weir_yield()) == 0)
        continue;
    return rc;
}

static int in_acquire(struct world *world)
{
    return weir_semaphore_acquire(world->none);
}

static int in_await(struct world *world)
{
    return weir_await(world->sleeper);
}

static int in_gather(struct world *world)
{
    return weir_gather(world->busy);
}

static int in_as_completed(struct world *world)
{
    weir_task *task = weir_as_completed(world->busy);
    return task == NULL && weir_cancelled() ? WEIR_ECANCELED : 0;
}

static int (*const waits[])(struct world *) = {in_sleep, in_yield,  in_acquire,
                                               in_await, in_gather, in_as_completed};
enum { WAITS = sizeof waits / sizeof waits[0] };

/* ---- the stage ---- */

static int victim_run(void *arg)
{
    struct victim *victim = arg;
    victim->started = true;
    victim->rc = victim->wait(victim->world);
    victim->again = victim->wait(victim->world);
    check_int(weir_cancelled(), 1);
    return victim->rc;
}

static void world_make(struct world *world)
{
    *world = (struct world){.busy = rig_group(), .sleep = {.ms = 1000}};
    check_int(weir_semaphore_new(&world->none, 0, 0), 0);
    world->sleeper = weir_spawn(world->busy, job_run, &world->sleep);
    weir_yield();
}

static void world_end(struct world *world)
{
    check_int((int64_t)weir_semaphore_permits(world->none), 0);
    check_int((int64_t)weir_semaphore_waiting(world->none), 0);
    weir_semaphore_free(world->none);
    check_int(weir_group_free(world->busy), 0);
}

static void victim_make(struct victim *victim, struct world *world, int (*wait)(struct world *))
{
    *victim = (struct victim){.world = world, .wait = wait, .group = rig_group()};
    check(weir_spawn(victim->group, victim_run, victim) != NULL);
}

/* After its end: nothing is left of it but the handle. */
static void victim_end(struct victim *victim, size_t stacks, size_t live)
{
    check_int((int64_t)weir__rt()->default_stacks->used, (int64_t)stacks);
    check_int((int64_t)weir__rt()->live, (int64_t)live);
    check_int(weir_group_free(victim->group), 0);
}

/* ---- the states ---- */

static void cancel_parked(struct world *world, int (*wait)(struct world *), int turns)
{
    struct victim victim;
    struct weir__rt *rt = weir__rt();
    size_t stacks = rt->default_stacks->used, live = rt->live;
    victim_make(&victim, world, wait);
    for (int i = 0; i < turns; i++)
        weir_yield();
    check_int(victim.started, turns > 0);
    weir_group_cancel(victim.group);
    weir_group_cancel(victim.group); /* twice is once */
    check_int(weir_gather(victim.group), WEIR_ECANCELED);
    if (turns > 0) {
        check_int(victim.rc, WEIR_ECANCELED);
        check_int(victim.again, WEIR_ECANCELED); /* at once, and again */
    }
    size_t gone = turns > 0 && wait == in_gather; /* the sleeper was cancelled with its gatherer */
    victim_end(&victim, stacks - gone, live - gone);
}

static int parked_in_any_wait(void *arg)
{
    (void)arg;
    for (int i = 0; i < WAITS; i++) {
        struct world world;
        world_make(&world);
        int64_t start_ms = weir_now_ms();
        cancel_parked(&world, waits[i], 3);
        check_int(weir_now_ms(), start_ms);
        check_int(world.sleep.slept_rc, waits[i] == in_gather ? WEIR_ECANCELED : 0);
        world_end(&world);
    }
    return 0;
}

static int not_started(void *arg)
{
    struct world world;
    (void)arg;
    world_make(&world);
    for (int i = 0; i < WAITS; i++)
        cancel_parked(&world, waits[i], 0);
    world_end(&world);
    return 0;
}

/* Runs in the turn in which the victim was woken, but before it: main waits for the same thing and
 * was there first. */
static int woken_but_not_run(void *arg)
{
    (void)arg;
    for (int i = 0; i < WAITS; i++) {
        struct world world;
        struct victim victim;
        if (waits[i] == in_yield)
            continue; /* always woken and not run: parked_in_any_wait has it */
        world_make(&world);
        victim_make(&victim, &world, waits[i]);
        if (waits[i] == in_sleep) {
            weir_sleep_ms(world.sleep.ms);
        } else if (waits[i] == in_acquire) {
            weir_yield();
            weir_semaphore_release(world.none);
        } else {
            weir_await(world.sleeper);
        }
        check(victim.started);
        weir_group_cancel(victim.group);
        check_int(weir_gather(victim.group), 0);
        check_int(victim.rc, 0); /* what was given stays given; */
        if (waits[i] == in_sleep || waits[i] == in_acquire)
            check_int(victim.again, WEIR_ECANCELED); /* the cancel is seen at the next wait */
        check_int(weir_group_free(victim.group), 0);
        world_end(&world);
    }
    return 0;
}

static int cancel_own_group(void *arg)
{
    struct victim *victim = arg;
    victim->started = true;
    check_int(weir_cancelled(), 0);
    weir_group_cancel(victim->group);
    check_int(weir_cancelled(), 1);
    victim->rc = victim->wait(victim->world);
    return 7; /* its end is its own affair */
}

static int cancelling_itself(void *arg)
{
    (void)arg;
    for (int i = 0; i < WAITS; i++) {
        struct world world;
        struct victim victim = {.world = &world, .wait = waits[i], .group = rig_group()};
        world_make(&world);
        weir_task *task = weir_spawn(victim.group, cancel_own_group, &victim);
        weir_task *sibling = weir_spawn(victim.group, victim_run, &victim);
        check_int(weir_await(task), 7);
        check_int(victim.rc, WEIR_ECANCELED);
        check_int(weir_await(sibling), WEIR_ECANCELED); /* never ran */
        check_int(weir_group_free(victim.group), 0);
        world_end(&world);
    }
    return 0;
}

static int ended_already(void *arg)
{
    struct job jobs[] = {JOB("a", 1, 0), JOB("b", 1, WEIR_EIO)};
    weir_group *group = rig_group();
    (void)arg;
    JOBS_SPAWN(group, jobs);
    check_int(weir_gather(group), WEIR_EIO);
    weir_group_cancel(group);
    check_int(weir_gather(group), WEIR_EIO);
    check_int(weir_task_status(weir_group_first(group)), 0);
    return weir_group_free(group);
}

/* ---- calls that wait for nothing ---- */

static int sleep_no_time(void)
{
    return weir_sleep_ms(0);
}

static int (*const brief[])(void) = {weir_yield, weir_checkpoint, sleep_no_time};
enum { BRIEF = sizeof brief / sizeof brief[0] };

/* Cancelled while it is ready, inside of the first of these calls that suspends. */
static int brief_ones_through_a_cancel(void *arg)
{
    int (*call)(void) = *(int (*const *)(void))arg;
    weir_deadline shield;
    check_int(call(), 0);
    if (call == weir_checkpoint) /* which under the virtual clock does not suspend */
        check_int(weir_yield(), 0);
    check_int(weir_cancelled(), 1);
    for (int i = 0; i < 3; i++)
        check_int(call(), WEIR_ECANCELED);
    weir_shield_begin_ms(&shield, 10); /* in its cleanup */
    check_int(call(), 0);
    check_int(weir_sleep_ms(20), WEIR_ECANCELED);
    check_int(call(), WEIR_ECANCELED); /* the shield's own time has passed */
    check_int(weir_deadline_end(&shield, WEIR_ECANCELED), WEIR_ETIMEDOUT);
    check_int(call(), WEIR_ECANCELED);
    return 3;
}

static int cancel_itself_in_a_shield(void *arg)
{
    int (*call)(void) = *(int (*const *)(void))arg;
    weir_deadline shield;
    weir_shield_begin_ms(&shield, 10);
    weir_task_cancel(weir_task_self());
    check_int(call(), 0);
    check_int(weir_deadline_end(&shield, call()), 0);
    check_int(call(), WEIR_ECANCELED);
    return 4;
}

static int calls_that_wait_for_nothing(void *arg)
{
    (void)arg;
    for (size_t i = 0; i < BRIEF; i++) {
        weir_group *group = rig_group();
        void *call = (void *)(uintptr_t)&brief[i];
        weir_task *ready = weir_spawn(group, brief_ones_through_a_cancel, call);
        weir_task *own = weir_spawn(group, cancel_itself_in_a_shield, call);
        weir_task *unborn = weir_spawn(group, brief_ones_through_a_cancel, call);
        weir_task_cancel(unborn);
        check_int(weir_yield(), 0);
        weir_task_cancel(ready);
        check_int(weir_await(ready), 3);
        check_int(weir_await(own), 4);
        check_int(weir_await(unborn), WEIR_ECANCELED);
        check_int(weir_group_free(group), 0);
    }
    return 0;
}

/* ---- level-triggered ---- */

static int every_call_after_a_cancel(void *arg)
{
    struct world *world = arg;
    weir_semaphore *free_permits;
    check_int(weir_semaphore_new(&free_permits, 5, 0), 0);
    check_int(weir_sleep_ms(100), WEIR_ECANCELED);
    for (int i = 0; i < 3; i++) {
        check_int(weir_sleep_ms(100), WEIR_ECANCELED);
        check_int(weir_sleep_ms(0), WEIR_ECANCELED);
        check_int(weir_yield(), WEIR_ECANCELED);
        check_int(weir_semaphore_acquire(free_permits), WEIR_ECANCELED);
        check_int((int64_t)weir_semaphore_permits(free_permits), 5);
        check_int(weir_await(world->sleeper), WEIR_ECANCELED);
        check(weir_as_completed(world->busy) == NULL);
    }
    check_int(weir_semaphore_try(free_permits), 0); /* does not wait */
    weir_semaphore_free(free_permits);
    return 0;
}

static int a_cancel_stays_until_the_function_returns(void *arg)
{
    struct world world;
    weir_group *group = rig_group();
    (void)arg;
    world_make(&world);
    weir_task *task = weir_spawn(group, every_call_after_a_cancel, &world);
    weir_yield();
    weir_group_cancel(group);
    check_int(weir_await(task), 0); /* what it returned, not ECANCELED */
    check_int(weir_group_free(group), 0);
    world_end(&world);
    return 0;
}

static int gather_children(void *arg)
{
    struct job jobs[] = {JOB("child1", 1000, 0), JOB("child2", 1000, 0)};
    weir_group *group = rig_group();
    (void)arg;
    JOBS_SPAWN(group, jobs);
    int rc = weir_gather(group);
    check_int(weir_group_free(group), 0); /* waits, though the caller is cancelled */
    check(jobs[0].slept_rc == WEIR_ECANCELED && jobs[1].slept_rc == WEIR_ECANCELED);
    note("parent");
    return rc;
}

static int reaches_the_children_of_who_gathers(void *arg)
{
    weir_group *group = rig_group();
    (void)arg;
    weir_spawn(group, gather_children, NULL);
    weir_sleep_ms(10);
    weir_group_cancel(group);
    check_int(weir_gather(group), WEIR_ECANCELED);
    check_trace("child1 child2 parent");
    check_int(weir_now_ms(), 1010);
    return weir_group_free(group);
}

static int only_the_group_named(void *arg)
{
    struct job one = {.name = "one", .ms = 10}, two = {.name = "two", .ms = 10};
    weir_group *group = rig_group(), *other = rig_group();
    (void)arg;
    weir_spawn(group, job_run, &one);
    weir_spawn(other, job_run, &two);
    weir_sleep_ms(1);
    weir_group_cancel(group);
    check_int(weir_gather(group), WEIR_ECANCELED);
    check_int(weir_gather(other), 0);
    weir_spawn(group, job_run, &one); /* a cancel is for those of its time */
    check_int(weir_gather(group), WEIR_ECANCELED);
    check_int(one.slept_rc, 0);
    check_int(weir_group_free(other), 0);
    return weir_group_free(group);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(parked_in_any_wait),
        VIRTUAL_TEST(not_started),
        VIRTUAL_TEST(woken_but_not_run),
        VIRTUAL_TEST(cancelling_itself),
        VIRTUAL_TEST(ended_already),
        VIRTUAL_TEST(calls_that_wait_for_nothing),
        VIRTUAL_TEST(a_cancel_stays_until_the_function_returns),
        VIRTUAL_TEST(reaches_the_children_of_who_gathers),
        VIRTUAL_TEST(only_the_group_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
