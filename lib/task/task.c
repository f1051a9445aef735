/* Tasks: what one can do with a handle, and the waits that need nothing but time. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/opts.h"
#include "task/sched.h"

weir_task *weir__task_new(weir_group *group, weir_task_fn fn, void *arg, const char *name)
{
    struct weir__rt *rt = group->rt;
    if (weir__ready_reserve(&rt->ready, rt->live + 1) < 0)
        return NULL;
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
    if (rt->current == NULL && rt->loop->kick != NULL)
        rt->loop->kick(rt->loop);
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

int weir_task_ended(const weir_task *task)
{
    return task->state == WEIR__TASK_ENDED;
}

void weir_task_cancel(weir_task *task)
{
    weir__task_cancel(task);
}

void weir_task_set_result(void *result)
{
    weir_task *task = weir_task_self();
    if (task != NULL)
        task->result = result;
}

void *weir_task_result(const weir_task *task)
{
    return task->result;
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
    task->group->done--;
    task->group->failed -= weir__task_failed(task);
    destroy(task);
    return 0;
}

void weir__tasks_free(weir_group *group)
{
    weir_task *task;
    while ((task = weir_group_first(group)) != NULL)
        destroy(task);
}

int weir_checkpoint(void)
{
    weir_task *task = weir_task_self();
    if (task == NULL)
        return WEIR_ENORUNTIME;
    if (weir__cancel_pending(task))
        return WEIR_ECANCELED;
    struct weir__rt *rt = task->rt;
    if (weir__now_ns(rt) - rt->turn_ns < WEIR__TURN_NS)
        return 0;
    weir__sched_end_turn(rt); /* it is over, without another look at the clock */
    return weir_yield();
}

int weir_sleep_ms(int64_t ms)
{
    struct weir__wait wait;
    if (ms <= 0)
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

static void look_at(const struct weir__rt *rt, struct weir_runtime_stats *stats)
{
    stats->tasks = rt->live;
    stats->ready = weir__ready_count(&rt->ready);
    for (int i = 0; i < WEIR__STACK_CLASSES; i++) {
        stats->stacks += rt->stacks[i].used;
        stats->stacks_kept += rt->stacks[i].kept;
        stats->stack_bytes += weir__stacks_bytes(&rt->stacks[i]);
    }
    stats->spawned = rt->next_id;
    stats->switches = rt->switches;
    stats->turns = rt->turns;
}

int weir_runtime_stats(struct weir_runtime_stats *stats)
{
    const struct weir__rt *rt = weir__rt();
    struct weir_runtime_stats own = {0};
    if (rt != NULL)
        look_at(rt, &own);
    int rc = weir__opts_fill(stats, sizeof own, &own);
    return rc == 0 && rt == NULL ? WEIR_ENORUNTIME : rc;
}
