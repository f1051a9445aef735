/* Groups: the owners of tasks. */
#include "base/mem.h"
#include "task/sched.h"

void weir__group_init(weir_group *group, struct weir__rt *rt)
{
    *group = (weir_group){.rt = rt};
    weir__list_init(&group->tasks);
    weir__list_init(&group->ended);
    weir__list_init(&group->joiners);
    weir__list_init(&group->collectors);
    weir__list_init(&group->in_rt);
    weir__list_push(&rt->groups, &group->in_rt);
}

int weir_group_new(weir_group **out)
{
    *out = NULL;
    struct weir__rt *rt = weir__rt();
    if (rt == NULL)
        return WEIR_ENORUNTIME;
    weir_group *group = weir__alloc(sizeof *group);
    if (group == NULL)
        return WEIR_ENOMEM;
    weir__group_init(group, rt);
    *out = group;
    return 0;
}

weir_task *weir_spawn_named(weir_group *group, weir_task_fn fn, void *arg, const char *name)
{
    int rc = group->closing || group->rt->closing ? WEIR_ECLOSED : 0;
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

void weir__group_task_ended(weir_task *task)
{
    weir_group *group = task->group;
    group->live--;
    weir__list_push(&group->ended, &task->ended);
    weir__wake_all(&task->awaiters, 0);
    if (group->live == 0) {
        weir__wake_all(&group->joiners, 0);
        weir__wake_all(&group->collectors, 0);
    } else if (!weir__list_empty(&group->collectors)) {
        weir__wake(WEIR__CONTAINER(group->collectors.next, struct weir__wait, node), 0);
    }
}

/* ---- waiting on a group ---- */

/* Parks in one of the group's queues. While it is inside, the group is not freed under it. */
static int wait_in(weir_group *group, struct weir__list *queue, struct weir__wait *wait)
{
    group->users++;
    weir__list_push(queue, &wait->node);
    int rc = weir__park(wait);
    if (--group->users == 0 && group->closer != NULL)
        weir__wake(group->closer, 0);
    return rc;
}

static int first_error(const weir_group *group)
{
    for (weir_task *task = weir_group_first(group); task != NULL; task = weir_task_next(task)) {
        if (task->status != 0)
            return task->status;
    }
    return group->spawn_rc;
}

int weir_gather(weir_group *group)
{
    struct weir__wait wait;
    if (group->rt->current->group == group)
        return WEIR_EDEADLK;
    while (group->live > 0) {
        int rc = weir__wait_begin(&wait);
        if (rc == 0)
            rc = wait_in(group, &group->joiners, &wait);
        if (rc < 0) {
            weir_group_cancel(group);
            return rc;
        }
    }
    return first_error(group);
}

weir_task *weir_as_completed(weir_group *group)
{
    struct weir__wait wait;
    while (weir__list_empty(&group->ended)) {
        /* A task that collects from its own group never sees its own end. */
        size_t own = group->rt->current->group == group ? 1 : 0;
        if (group->live <= own || weir__wait_begin(&wait) < 0)
            return NULL;
        if (wait_in(group, &group->collectors, &wait) < 0)
            return NULL;
    }
    return WEIR__CONTAINER(weir__list_pop(&group->ended), weir_task, ended);
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
    rc = wait_in(task->group, &task->awaiters, &wait);
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
    if (group->rt->current->group == group || group->closing)
        return WEIR_EDEADLK;
    group->closing = true;
    weir_group_cancel(group);
    while (group->live > 0) {
        weir__wait_begin_shielded(&wait);
        wait_in(group, &group->joiners, &wait);
    }
    wait_for_users(group);
    weir__tasks_free(group);
    weir__list_remove(&group->in_rt);
    weir__free(group);
    return 0;
}
