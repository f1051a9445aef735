/* Groups: the owners of tasks. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/opts.h"
#include "task/sched.h"

void weir__group_init(weir_group *group, struct weir__rt *rt)
{
    *group = (weir_group){.rt = rt, .stacks = rt->default_stacks};
    weir__list_init(&group->tasks);
    weir__list_init(&group->ended);
    weir__list_init(&group->joiners);
    weir__list_init(&group->collectors);
    weir__list_init(&group->watchers);
    weir__list_init(&group->spawners);
    weir__list_init(&group->in_rt);
    weir__list_push(&rt->groups, &group->in_rt);
}

int weir_group_new(weir_group **out, const struct weir_group_opts *opts)
{
    struct weir_group_opts own;
    struct weir__rt *rt = weir__rt();
    *out = NULL;
    if (rt == NULL)
        return WEIR_ENORUNTIME;
    if (weir__opts_copy(&own, sizeof own, opts) < 0)
        return WEIR_EINVAL;
    struct weir__stacks *stacks = rt->default_stacks;
    if (own.stack_kib != 0)
        stacks = weir__rt_stacks(rt, own.stack_kib);
    if (stacks == NULL)
        return WEIR_EINVAL;
    weir_group *group = weir__alloc(sizeof *group);
    if (group == NULL)
        return WEIR_ENOMEM;
    weir__group_init(group, rt);
    group->stacks = stacks;
    group->fail_fast = own.fail_fast != 0;
    group->max_live = own.max_live;
    *out = group;
    return 0;
}

static int wait_in(weir_group *group, struct weir__list *queue, struct weir__wait *wait,
                   int64_t until_ns);

/* Waits until the group may have one more. */
static int wait_for_room(weir_group *group)
{
    struct weir__wait wait;
    int rc = 0;
    while (rc == 0 && group->max_live > 0 && group->live >= group->max_live) {
        rc = weir__wait_begin(&wait);
        if (rc == 0)
            rc = wait_in(group, &group->spawners, &wait, INT64_MAX);
    }
    return rc;
}

weir_task *weir_spawn_named(weir_group *group, weir_task_fn fn, void *arg, const char *name)
{
    if (group->rt != weir__rt())
        return NULL;
    int rc = wait_for_room(group);
    if (rc == 0 && (group->closing || group->rt->closing || group->first_failure != 0))
        rc = WEIR_ECLOSED;
    weir_task *task = rc == 0 ? weir__task_new(group, fn, arg, name) : NULL;
    if (task == NULL && group->spawn_rc == 0)
        group->spawn_rc = rc < 0 ? rc : WEIR_ENOMEM;
    return task;
}

weir_task *weir__spawn_owning(weir_group *group, weir_task_fn fn, void *arg, const char *name,
                              void *owned, void (*unstarted)(weir_task *task))
{
    weir_task *task = NULL;
    if (owned != NULL)
        task = weir_spawn_named(group, fn, arg, name);
    else if (group->spawn_rc == 0)
        group->spawn_rc = WEIR_ENOMEM;
    if (task == NULL) {
        weir__free(owned);
        return NULL;
    }
    task->owned = owned;
    task->unstarted = unstarted;
    return task;
}

static void wake_first(struct weir__list *queue)
{
    if (!weir__list_empty(queue))
        weir__wake(WEIR__CONTAINER(queue->next, struct weir__wait, node), 0);
}

void weir__group_task_ended(weir_task *task)
{
    weir_group *group = task->group;
    bool failed = weir__task_failed(task);
    group->live--;
    group->done++;
    group->failed += failed;
    weir__list_push(&group->ended, &task->ended);
    if (failed && group->fail_fast && group->first_failure == 0) {
        group->first_failure = task->status;
        weir_group_cancel(group);
    }
    weir__wake_all(&task->awaiters, 0);
    weir__wake_all(&group->watchers, 0); /* each looks whether that was what it waits for */
    wake_first(&group->spawners);
    if (group->live > 0) {
        wake_first(&group->collectors);
    } else {
        weir__wake_all(&group->joiners, 0);
        weir__wake_all(&group->collectors, 0);
    }
}

/* ---- waiting on a group ---- */

/* Whether the calling task is one of the group's: it cannot wait for its own end. */
static bool is_own(const weir_group *group)
{
    const weir_task *self = weir_task_self();
    return self != NULL && self->group == group;
}

/* Parks in one of the group's queues. While it is inside, the group is not freed under it. */
static int wait_in(weir_group *group, struct weir__list *queue, struct weir__wait *wait,
                   int64_t until_ns)
{
    int rc;
    group->users++;
    if (until_ns == INT64_MAX) {
        weir__list_push(queue, &wait->node);
        rc = weir__park(wait);
    } else {
        rc = weir__park_until(wait, queue, until_ns);
    }
    if (--group->users == 0 && group->closer != NULL)
        weir__wake(group->closer, 0);
    return rc;
}

static int first_error(const weir_group *group)
{
    if (group->first_failure != 0) /* the others were cancelled for it */
        return group->first_failure;
    for (weir_task *task = weir_group_first(group); task != NULL; task = weir_task_next(task)) {
        if (task->status != 0)
            return task->status;
    }
    return group->spawn_rc;
}

int weir_gather(weir_group *group)
{
    struct weir__wait wait;
    if (is_own(group))
        return WEIR_EDEADLK;
    while (group->live > 0) {
        int rc = weir__wait_begin(&wait);
        if (rc == 0)
            rc = wait_in(group, &group->joiners, &wait, INT64_MAX);
        if (rc == WEIR_ECANCELED)
            weir_group_cancel(group);
        if (rc < 0)
            return rc;
    }
    return first_error(group);
}

weir_task *weir_as_completed(weir_group *group)
{
    struct weir__wait wait;
    while (weir__list_empty(&group->ended)) {
        /* A task that collects from its own group never sees its own end. */
        size_t own = is_own(group) ? 1 : 0;
        if (group->live <= own || weir__wait_begin(&wait) < 0)
            return NULL;
        if (wait_in(group, &group->collectors, &wait, INT64_MAX) < 0)
            return NULL;
    }
    return WEIR__CONTAINER(weir__list_pop(&group->ended), weir_task, ended);
}

static bool is_met(const weir_group *group, enum weir_wait_for what)
{
    return group->live == 0 || (what == WEIR_WAIT_FIRST_COMPLETED && group->done > 0) ||
           (what == WEIR_WAIT_FIRST_FAILED && group->failed > 0);
}

int weir_wait(weir_group *group, enum weir_wait_for what, int64_t timeout_ms)
{
    struct weir__wait wait;
    int64_t until_ns = INT64_MAX;
    if (is_own(group))
        return WEIR_EDEADLK;
    if (timeout_ms >= 0)
        until_ns = weir__ns_add(weir__now_ns(group->rt), weir__ms_to_ns(timeout_ms));
    while (!is_met(group, what) && weir__now_ns(group->rt) < until_ns) {
        int rc = weir__wait_begin(&wait);
        if (rc == 0)
            rc = wait_in(group, &group->watchers, &wait, until_ns);
        if (rc < 0)
            return rc;
    }
    return (int)group->done;
}

int weir_await(weir_task *task)
{
    struct weir__wait wait;
    if (task->state == WEIR__TASK_ENDED)
        return task->status;
    if (task == task->rt->current)
        return WEIR_EDEADLK;
    int rc = weir__wait_begin(&wait);
    if (rc < 0)
        return rc;
    task->awaiting++;
    rc = wait_in(task->group, &task->awaiters, &wait, INT64_MAX);
    task->awaiting--;
    return rc < 0 ? rc : task->status;
}

/* ---- the end of a group ---- */

void weir_group_cancel(weir_group *group)
{
    for (weir_task *task = weir_group_first(group); task != NULL; task = weir_task_next(task))
        weir__task_cancel(task);
}

/* Waits until nobody is inside a call on the group; not even a cancel of the caller ends it. */
static void wait_for_users(weir_group *group)
{
    struct weir__wait wait;
    while (group->users > 0) {
        weir__wait_begin_shielded(&wait);
        group->closer = &wait;
        weir__park(&wait);
        group->closer = NULL;
    }
}

int weir_group_free(weir_group *group)
{
    struct weir__wait wait;
    if (group == NULL)
        return 0;
    if (is_own(group) || group->closing)
        return WEIR_EDEADLK;
    if (weir_task_self() == NULL && (group->live > 0 || group->users > 0))
        return WEIR_ENORUNTIME;
    group->closing = true;
    weir_group_cancel(group);
    while (group->live > 0) {
        weir__wait_begin_shielded(&wait);
        wait_in(group, &group->joiners, &wait, INT64_MAX);
    }
    wait_for_users(group);
    weir__tasks_free(group);
    weir__list_remove(&group->in_rt);
    weir__free(group);
    return 0;
}
