/* Every wait of task in every state in which a cancel can meet it; and yields, which never wait for
 * anything. */
#include "cancel_matrix.h"

#include "task/sched.h"

enum {
    PERIOD_MS = 800
}; /* longer than a shielded victim is left waiting, shorter than its limit */

static bool is_unused(const weir_group *group)
{
    return group->live == 0 && group->users == 0;
}

/* ---- tasks that wait to end ---- */

static int wait_for_event(void *arg)
{
    struct stage *stage = arg;
    return weir_event_wait(stage->event);
}

static weir_task *spawn_target(struct stage *stage, size_t group)
{
    return weir_spawn(stage->others[group], wait_for_event, stage);
}

/* Two groups with a task in each. */
static void make_targets(struct stage *stage)
{
    check_int(weir_event_new(&stage->event), 0);
    for (size_t i = 0; i < 2; i++) {
        stage->others[i] = rig_group();
        check(spawn_target(stage, i) != NULL);
    }
    weir_yield();
}

static void end_targets(struct stage *stage)
{
    weir_event_set(stage->event);
    weir_yield(); /* they end, and those whom that wakes have not run yet */
}

static bool nobody_is_inside(struct stage *stage)
{
    return is_unused(stage->others[0]) && is_unused(stage->others[1]) &&
           weir_group_first(stage->others[0])->awaiting == 0;
}

static void free_targets(struct stage *stage)
{
    for (size_t i = 0; i < 2; i++)
        check_int(weir_group_free(stage->others[i]), 0);
    weir_event_free(stage->event);
}

static int await(struct stage *stage)
{
    return weir_await(weir_group_first(stage->others[0]));
}

/* A cancelled gather cancels what it gathers, so the victim has a group of its own. */
static int gather(struct stage *stage)
{
    return weir_gather(stage->others[weir_task_self() == stage->victim]);
}

static int wait_for_all(struct stage *stage)
{
    int rc = weir_wait(stage->others[0], WEIR_WAIT_ALL, WEIR_FOREVER);
    check(rc == 1 || rc == WEIR_ECANCELED);
    return rc < 0 ? rc : 0;
}

/* ---- time ---- */

static int sleep_until_due(struct stage *stage)
{
    return weir_sleep_ms(stage->due_ms - weir_now_ms());
}

static void make_nothing(struct stage *stage)
{
    (void)stage;
}

static bool nothing_is_left(struct stage *stage)
{
    return stage->grants > 0; /* no timer is: cancel_matrix.c looks */
}

static int wait_until_due(struct stage *stage)
{
    int rc = weir_wait(stage->others[0], WEIR_WAIT_ALL, stage->due_ms - weir_now_ms());
    check(rc == 0 || rc == WEIR_ECANCELED);
    return rc;
}

static bool nobody_is_inside_any_more(struct stage *stage)
{
    bool ended = stage->others[0]->live == 0;
    end_targets(stage);
    return !ended && nobody_is_inside(stage);
}

/* ---- as_completed: an end for each permit ---- */

enum { ENDS = 6 };

static int end_by_permit(void *arg)
{
    struct stage *stage = arg;
    return weir_semaphore_acquire(stage->semaphore);
}

static void make_ends(struct stage *stage)
{
    check_int(weir_semaphore_new(&stage->semaphore, 0, 0), 0);
    stage->others[0] = rig_group();
    for (int i = 0; i < ENDS; i++)
        weir_spawn(stage->others[0], end_by_permit, stage);
    weir_yield();
}

static void end_one(struct stage *stage)
{
    check_int(weir_semaphore_release(stage->semaphore), 0);
    weir_yield();
}

static int collect(struct stage *stage)
{
    weir_task *task = weir_as_completed(stage->others[0]);
    check(task != NULL || weir_cancelled());
    stage->count += task != NULL;
    return task != NULL ? 0 : WEIR_ECANCELED;
}

static bool each_end_was_delivered_once(struct stage *stage)
{
    bool delivered = stage->count == stage->grants && weir__list_empty(&stage->others[0]->ended);
    check_int(weir_semaphore_release_n(stage->semaphore, ENDS - stage->grants), 0);
    while (stage->count < ENDS && collect(stage) == 0)
        continue;
    return delivered && weir_as_completed(stage->others[0]) == NULL && is_unused(stage->others[0]);
}

static void free_ends(struct stage *stage)
{
    check_int(weir_group_free(stage->others[0]), 0);
    weir_semaphore_free(stage->semaphore);
}

/* ---- spawn into a group that is full until a permit ends its one task ---- */

static void make_full(struct stage *stage)
{
    check_int(weir_semaphore_new(&stage->semaphore, 0, 0), 0);
    check_int(weir_group_new(&stage->others[0], WEIR_GROUP_OPTS(.max_live = 1)), 0);
    weir_spawn(stage->others[0], end_by_permit, stage);
    weir_yield();
}

static int spawn_one(struct stage *stage)
{
    if (weir_spawn(stage->others[0], end_by_permit, stage) != NULL)
        return 0;
    return weir_cancelled() ? WEIR_ECANCELED : WEIR_EIO;
}

static void end_what_was_spawned(struct stage *stage)
{
    check_int(weir_semaphore_release(stage->semaphore), 0);
}

static bool has_room(struct stage *stage)
{
    return is_unused(stage->others[0]) && weir__list_empty(&stage->others[0]->spawners) &&
           weir_semaphore_permits(stage->semaphore) == 0;
}

static const struct row rows[] = {
    {.name = "sleep",
     .make = make_nothing,
     .wait = sleep_until_due,
     .grant = stage_let_time_pass,
     .conserved = nothing_is_left,
     .free = make_nothing,
     .period_ms = PERIOD_MS},
    {.name = "await",
     .make = make_targets,
     .wait = await,
     .grant = end_targets,
     .conserved = nobody_is_inside,
     .free = free_targets},
    {.name = "gather",
     .make = make_targets,
     .wait = gather,
     .grant = end_targets,
     .conserved = nobody_is_inside,
     .free = free_targets},
    {.name = "wait",
     .make = make_targets,
     .wait = wait_for_all,
     .grant = end_targets,
     .conserved = nobody_is_inside,
     .free = free_targets},
    {.name = "wait_in_time",
     .make = make_targets,
     .wait = wait_until_due,
     .grant = stage_let_time_pass,
     .conserved = nobody_is_inside_any_more,
     .free = free_targets,
     .period_ms = PERIOD_MS},
    {.name = "as_completed",
     .make = make_ends,
     .wait = collect,
     .grant = end_one,
     .conserved = each_end_was_delivered_once,
     .free = free_ends},
    {.name = "spawn",
     .make = make_full,
     .wait = spawn_one,
     .grant = end_one,
     .give_back = end_what_was_spawned,
     .conserved = has_room,
     .free = free_ends},
};

int main(void)
{
    return cancel_matrix_run(rows, sizeof rows / sizeof rows[0]);
}
