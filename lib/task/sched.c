#include "task/sched.h"

#include <string.h>

#include "base/mem.h"

/* Tasks that run before I/O and timers are looked at, so that tasks that only yield cannot starve
 * them. */
enum { RESUMES_PER_TURN = 256 };

static _Thread_local struct weir__rt *this_rt;

struct weir__rt *weir__rt(void)
{
    return this_rt;
}

/* ---- switching ---- */

static void arrived(struct weir__rt *rt, void *fake)
{
    weir__fiber_arrive(fake, rt->left);
}

static void switch_to_task(struct weir__rt *rt, struct weir__ctx *from, struct weir__fiber *fiber,
                           weir_task *to)
{
    void *fake = NULL;
    rt->current = to;
    rt->left = fiber;
    weir__fiber_leave(&fake, &to->fiber);
    weir__ctx_switch(from, &to->ctx);
    arrived(rt, fake);
}

static void switch_to_thread(struct weir__rt *rt, weir_task *from, bool for_good)
{
    void *fake = NULL;
    rt->current = NULL;
    rt->left = &from->fiber;
    weir__fiber_leave(for_good ? NULL : &fake, &rt->fiber);
    weir__ctx_switch(&from->ctx, &rt->ctx);
    arrived(rt, fake);
}

static void end_task(weir_task *task, int status)
{
    task->status = status;
    task->state = WEIR__TASK_ENDED;
    struct weir__rt *rt = task->rt;
    rt->live--;
    weir__group_task_ended(task); /* may let the group be freed, but not before others run */
    if (rt->drain != NULL && rt->live == 1)
        weir__wake(rt->drain, 0);
}

static void task_entry(void *arg)
{
    weir_task *task = arg;
    struct weir__rt *rt = task->rt;
    arrived(rt, NULL);
    int status = task->fn(task->arg);
    weir__deadlines_check(task);
    rt->ended = task;
    end_task(task, status);
    switch_to_thread(rt, task, true);
}

/* The stack goes back before anybody else runs, who might free the task. */
static void reap(struct weir__rt *rt)
{
    weir_task *task = rt->ended;
    if (task == NULL)
        return;
    rt->ended = NULL;
    weir__fiber_free(&task->fiber);
    weir__stack_put(&rt->stacks, &task->stack);
}

/* ---- the ready queue ---- */

void weir__task_ready(weir_task *task)
{
    struct weir__rt *rt = task->rt;
    task->ready_next = NULL;
    *rt->ready_tail = task;
    rt->ready_tail = &task->ready_next;
}

static weir_task *pop_ready(struct weir__rt *rt)
{
    weir_task *task = rt->ready_head;
    rt->ready_head = task->ready_next;
    if (rt->ready_head == NULL)
        rt->ready_tail = &rt->ready_head;
    return task;
}

/* A task gets its stack when it first runs: one that waits for its turn costs its block alone. */
static bool start_task(struct weir__rt *rt, weir_task *task)
{
    int rc = task->cancelled ? WEIR_ECANCELED : weir__stack_get(&rt->stacks, &task->stack, task);
    if (rc < 0) {
        if (task->unstarted != NULL)
            task->unstarted(task);
        end_task(task, rc);
        return false;
    }
    struct weir__stack *stack = &task->stack;
    weir__ctx_make(&task->ctx, stack->low, stack->top, task_entry, task);
    weir__fiber_init_task(&task->fiber, stack->low, (size_t)(stack->top - stack->low));
    task->state = WEIR__TASK_STARTED;
    return true;
}

static void run_ready(struct weir__rt *rt)
{
    rt->budget = RESUMES_PER_TURN;
    while (rt->ready_head != NULL && rt->budget > 0) {
        rt->budget--;
        weir_task *task = pop_ready(rt);
        if (task->state == WEIR__TASK_NEW && !start_task(rt, task))
            continue;
        switch_to_task(rt, &rt->ctx, &rt->fiber, task);
        reap(rt);
    }
}

/* Gives up the processor until the task is made ready and its turn comes. Goes straight to the
 * next task where that needs no more than a switch. */
static void suspend(weir_task *task)
{
    struct weir__rt *rt = task->rt;
    weir_task *next = rt->ready_head;
    if (next == NULL || rt->budget == 0 || next->state != WEIR__TASK_STARTED) {
        switch_to_thread(rt, task, false);
        return;
    }
    rt->budget--;
    pop_ready(rt);
    if (next != task) /* alone in the queue: goes on at once */
        switch_to_task(rt, &task->ctx, &task->fiber, next);
}

/* ---- waiting ---- */

void weir__wait_begin_shielded(struct weir__wait *wait)
{
    wait->task = this_rt->current;
    wait->result = 0;
    wait->fired = false;
    wait->shielded = true;
    weir__list_init(&wait->node);
}

int weir__wait_begin(struct weir__wait *wait)
{
    weir__wait_begin_shielded(wait);
    wait->shielded = false;
    return weir__cancel_pending(wait->task) ? WEIR_ECANCELED : 0;
}

int weir__park(struct weir__wait *wait)
{
    weir_task *task = wait->task;
    task->wait = wait;
    suspend(task);
    task->wait = NULL;
    return wait->result;
}

bool weir__wake(struct weir__wait *wait, int result)
{
    if (wait->fired)
        return false;
    wait->fired = true;
    wait->result = result;
    weir__list_remove(&wait->node);
    weir__task_ready(wait->task);
    return true;
}

void weir__wake_all(struct weir__list *queue, int result)
{
    while (!weir__list_empty(queue))
        weir__wake(WEIR__CONTAINER(queue->next, struct weir__wait, node), result);
}

struct timed_wait {
    struct weir__timer timer;
    struct weir__wait *wait;
};

static void time_came(struct weir__timer *timer)
{
    weir__wake(WEIR__CONTAINER(timer, struct timed_wait, timer)->wait, 0);
}

int weir__park_until(struct weir__wait *wait, struct weir__list *queue, int64_t when_ns)
{
    struct weir__timers *timers = &wait->task->rt->timers;
    struct timed_wait timed = {.wait = wait};
    weir__timer_init(&timed.timer, time_came);
    weir__timer_start(timers, &timed.timer, when_ns);
    if (queue != NULL)
        weir__list_push(queue, &wait->node);
    int rc = weir__park(wait);
    weir__timer_stop(timers, &timed.timer);
    return rc;
}

void weir__task_interrupt(weir_task *task)
{
    if (task->wait != NULL && !task->wait->shielded)
        weir__wake(task->wait, WEIR_ECANCELED);
}

void weir__task_cancel(weir_task *task)
{
    if (task->state == WEIR__TASK_ENDED || task->cancelled)
        return;
    task->cancelled = true;
    weir__task_interrupt(task);
}

void weir__defer(struct weir__rt *rt, struct weir__deferred *deferred)
{
    if (weir__list_empty(&deferred->node))
        weir__list_push(&rt->deferred, &deferred->node);
}

/* ---- the wheel ---- */

static void run_deferred(struct weir__rt *rt)
{
    struct weir__list batch, *node; /* those queued meanwhile run in the next turn */
    weir__list_init(&batch);
    if (weir__list_empty(&rt->deferred))
        return;
    weir__list_push(&rt->deferred, &batch);
    weir__list_remove(&rt->deferred);
    while ((node = weir__list_pop(&batch)) != NULL) {
        struct weir__deferred *deferred = WEIR__CONTAINER(node, struct weir__deferred, node);
        deferred->run(deferred);
    }
}

static void fire_timers(struct weir__rt *rt)
{
    if (weir__timers_next_ns(&rt->timers) == INT64_MAX)
        return;
    int64_t now_ns = weir__now_ns(rt);
    struct weir__timer *timer;
    while ((timer = weir__timers_pop(&rt->timers, now_ns)) != NULL)
        timer->fire(timer);
}

static void cancel_all(struct weir__rt *rt)
{
    for (struct weir__list *g = rt->groups.next; g != &rt->groups; g = g->next) {
        weir_group *group = WEIR__CONTAINER(g, weir_group, in_rt);
        for (weir_task *task = weir_group_first(group); task != NULL; task = weir_task_next(task)) {
            if (task != rt->current)
                weir__task_cancel(task);
        }
    }
}

/* Nothing can happen any more, unless the loop brings it. */
static bool idle(const struct weir__rt *rt)
{
    return rt->ready_head == NULL && weir__list_empty(&rt->deferred) &&
           weir__timers_next_ns(&rt->timers) == INT64_MAX;
}

/* Turns until the first task has ended. */
static int turn_until_ended(struct weir__rt *rt, const weir_task *first)
{
    for (;;) {
        run_ready(rt);
        run_deferred(rt);
        if (first->state == WEIR__TASK_ENDED)
            return 0;
        bool busy = rt->ready_head != NULL || !weir__list_empty(&rt->deferred);
        int rc = rt->loop->wait(rt->loop, busy ? INT64_MIN : weir__timers_next_ns(&rt->timers));
        fire_timers(rt);
        if (rc == WEIR_EDEADLK && idle(rt)) { /* the last event may have set something going */
            if (rt->deadlocked)
                return rc; /* even cancelling has not moved anything */
            rt->deadlocked = true;
            cancel_all(rt);
        }
    }
}

/* ---- beginning and end ---- */

struct first_call {
    struct weir__rt *rt;
    weir_task_fn fn;
    void *arg;
};

/* The first task: the caller's function, then the end of all other tasks. */
static int first_task(void *arg)
{
    struct first_call *call = arg;
    struct weir__rt *rt = call->rt;
    int status = call->fn(call->arg);
    weir__deadlines_check(rt->current);
    rt->closing = true;
    cancel_all(rt);
    if (rt->live > 1) {
        struct weir__wait wait;
        weir__wait_begin_shielded(&wait);
        rt->drain = &wait;
        weir__park(&wait);
        rt->drain = NULL;
    }
    return status;
}

static void free_groups(struct weir__rt *rt, weir_group *root)
{
    struct weir__list *node;
    while ((node = weir__list_pop(&rt->groups)) != NULL) {
        weir_group *group = WEIR__CONTAINER(node, weir_group, in_rt);
        weir__tasks_free(group);
        if (group != root)
            weir__free(group);
    }
}

static int rt_init(struct weir__rt *rt, struct weir__loop *loop, const struct weir_run_opts *opts)
{
    memset(rt, 0, sizeof *rt);
    rt->ready_tail = &rt->ready_head;
    rt->loop = loop;
    weir__list_init(&rt->deferred);
    weir__list_init(&rt->groups);
    weir__fiber_init_thread(&rt->fiber);
    uint64_t seed = opts->seed;
    if (seed == 0 && !loop->is_virtual)
        seed = weir__rand_system_seed();
    weir__rand_seed(&rt->rand, seed);
    return weir__stacks_init(&rt->stacks, opts->stack_kib);
}

int weir__sched_run(struct weir__loop *loop, const struct weir_run_opts *opts, weir_task_fn fn,
                    void *arg)
{
    struct weir__rt rt;
    weir_group root;
    struct first_call call = {.rt = &rt, .fn = fn, .arg = arg};
    int rc = rt_init(&rt, loop, opts);
    if (rc < 0)
        return rc;
    weir__overflow_guard_install();
    this_rt = &rt;
    weir__group_init(&root, &rt);
    weir_task *first = weir__task_new(&root, first_task, &call, "main");
    rc = first != NULL ? turn_until_ended(&rt, first) : WEIR_ENOMEM;
    if (rc == 0)
        rc = rt.deadlocked ? WEIR_EDEADLK : first->status;
    free_groups(&rt, &root);
    this_rt = NULL;
    weir__stacks_free(&rt.stacks);
    return rc;
}
