/* Tasks: what one can do with a handle, and the waits that need nothing but time. */
#include "base/clock.h"
#include "base/mem.h"
#include "task/sched.h"

weir_task *weir__task_new(weir_group *group, weir_task_fn fn, void *arg, const char *name)
{
    struct weir__rt *rt = group->rt;
    weir_task *task = weir__zalloc(sizeof *task);
    if (task == NULL)
        return NULL;
    task->rt = rt;
    task->group = group;
    task->fn = fn;
    task->arg = arg;
    task->name = name;
    task->id = ++rt->next_id;
    task->status = WEIR_EBUSY;
    weir__list_init(&task->sibling);
    weir__list_init(&task->ended);
    weir__list_init(&task->awaiters);
    weir__list_push(&group->tasks, &task->sibling);
    group->live++;
    rt->live++;
    weir__task_ready(task);
    return task;
}

static weir_task *task_at(const weir_group *group, const struct weir__list *node)
{
    return node != &group->tasks ? WEIR__CONTAINER(node, weir_task, sibling) : NULL;
}

weir_task *weir_group_first(const weir_group *group)
{
    return task_at(group, group->tasks.next);
}

weir_task *weir_task_next(const weir_task *task)
{
    return task_at(task->group, task->sibling.next);
}

int weir_task_status(const weir_task *task)
{
    return task->status;
}

void *weir_task_arg(const weir_task *task)
{
    return task->arg;
}

const char *weir_task_name(const weir_task *task)
{
    return task->name;
}

static void destroy(weir_task *task)
{
    weir__list_remove(&task->sibling);
    weir__free(task->owned);
    weir__free(task);
}

int weir_task_free(weir_task *task)
{
    if (task == NULL)
        return 0;
    if (task->state != WEIR__TASK_ENDED || task->awaiting > 0)
        return WEIR_EBUSY;
    weir__list_remove(&task->ended);
    destroy(task);
    return 0;
}

void weir__tasks_free(weir_group *group)
{
    weir_task *task;
    while ((task = weir_group_first(group)) != NULL)
        destroy(task);
}

weir_task *weir_task_self(void)
{
    struct weir__rt *rt = weir__rt();
    return rt != NULL ? rt->current : NULL;
}

int weir_yield(void)
{
    struct weir__wait wait;
    if (weir__rt() == NULL)
        return WEIR_ENORUNTIME;
    int rc = weir__wait_begin(&wait);
    if (rc < 0)
        return rc;
    weir__wake(&wait, 0);
    return weir__park(&wait);
}

int weir_sleep_ms(int64_t ms)
{
    struct weir__wait wait;
    if (ms <= 0 || weir__rt() == NULL)
        return weir_yield();
    int rc = weir__wait_begin(&wait);
    if (rc < 0)
        return rc;
    int64_t when_ns = weir__ns_add(weir_now_ns(), weir__ms_to_ns(ms));
    return weir__park_until(&wait, NULL, when_ns);
}

int weir_cancelled(void)
{
    weir_task *task = weir_task_self();
    return task != NULL && weir__cancel_pending(task);
}

int64_t weir_now_ns(void)
{
    struct weir__rt *rt = weir__rt();
    return rt != NULL ? weir__now_ns(rt) : 0;
}

int64_t weir_now_ms(void)
{
    return weir_now_ns() / WEIR__NS_PER_MS;
}
