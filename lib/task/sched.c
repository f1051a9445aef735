#include "task/sched.h"

#include <stdatomic.h>
#include <string.h>

#include "base/mem.h"

/* A turn of tasks ends after so many resumes, too. */
enum { RESUMES_PER_TURN = 256 };

/* The clock is looked at after so many resumes at most, and as often as every one when tasks
 * compute for long. */
enum { RESUMES_PER_LOOK = 32 };

enum { SHUFFLE_AMONG = 16 };

enum { STACK_AHEAD = 4, BLOCK_AHEAD = 8 };

static _Thread_local struct weir__rt *this_rt;

struct weir__rt *weir__rt(void)
{
    return this_rt;
}

weir_task *weir_task_self(void)
{
    return this_rt != NULL ? this_rt->current : NULL;
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
    rt->switches++;
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
    task->deadlines = NULL; /* scopes that were left open are gone with the stack */
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
    weir__stack_put(task->group->stacks, &task->stack);
}

/* ---- the ready queue ---- */

/* A place among the first in the queue, which is not empty. */
static size_t draw_place(struct weir__rt *rt)
{
    size_t count = weir__ready_count(&rt->ready);
    size_t among = count < SHUFFLE_AMONG ? count : SHUFFLE_AMONG;
    return (size_t)weir__rand_upto(&rt->rand, (int64_t)among - 1);
}

/* With many tasks each switch waits for memory: it is asked for while others run. The stacks of
 * those who come soon, and, to know where these lie, the blocks of those who come later. */
static inline void fetch_ahead(const struct weir__ready *ready)
{
    size_t count = weir__ready_count(ready);
    if (count > STACK_AHEAD)
        weir__ctx_fetch(&weir__ready_at(ready, STACK_AHEAD)->ctx);
    if (count > BLOCK_AHEAD)
        weir__fetch(weir__ready_at(ready, BLOCK_AHEAD));
}

/* A task gets its stack when it first runs: one that waits for its turn costs its block alone. */
static bool start_task(weir_task *task)
{
    int rc = WEIR_ECANCELED;
    if (!task->cancelled)
        rc = weir__stack_get(task->group->stacks, &task->stack, task);
    if (rc < 0) {
        task->status = rc;
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

/* ---- turns ---- */

/* So many resumes, as far as the turn allows, until the clock is looked at. */
static void begin_stint(struct weir__rt *rt, unsigned resumes)
{
    rt->stint = resumes < rt->budget ? resumes : rt->budget;
    rt->budget -= rt->stint;
}

static void begin_turn(struct weir__rt *rt)
{
    rt->turns++;
    rt->turn_ns = rt->look_ns = weir__now_ns(rt);
    rt->budget = RESUMES_PER_TURN;
    begin_stint(rt, rt->looked_after); /* the last turn showed after how many */
}

void weir__sched_end_turn(struct weir__rt *rt)
{
    rt->budget = rt->stint = 0;
}

/* Between two stints. */
static void look_at_clock(struct weir__rt *rt)
{
    if (rt->budget == 0)
        return;
    int64_t now_ns = weir__now_ns(rt);
    int64_t each_ns = (now_ns - rt->look_ns) / rt->looked_after + 1;
    int64_t fit = WEIR__TURN_NS / 4 / each_ns;
    unsigned most = 2 * rt->looked_after; /* one short resume says little about the next ones */
    if (most > RESUMES_PER_LOOK)
        most = RESUMES_PER_LOOK;
    rt->looked_after = fit < 1 ? 1 : fit < most ? (unsigned)fit : most;
    rt->look_ns = now_ns;
    if (now_ns - rt->turn_ns >= WEIR__TURN_NS)
        weir__sched_end_turn(rt);
    else
        begin_stint(rt, rt->looked_after);
}

/* Whether one more task may run in this turn. */
static bool spend(struct weir__rt *rt)
{
    if (rt->stint == 0)
        look_at_clock(rt);
    if (rt->stint == 0)
        return false;
    rt->stint--;
    return true;
}

/* Now and then, when there is nothing else to do. Needs are taken over the time between: a burst
 * that comes again finds its stacks warm. */
static void trim(struct weir__rt *rt)
{
    enum { TRIM_EVERY_NS = 1000000000 };
    if (rt->turn_ns - rt->trimmed_ns < TRIM_EVERY_NS)
        return;
    rt->trimmed_ns = rt->turn_ns;
    for (int i = 0; i < WEIR__STACK_CLASSES; i++)
        weir__stacks_trim(&rt->stacks[i]);
}

static void run_ready(struct weir__rt *rt)
{
    begin_turn(rt);
    while (weir__ready_count(&rt->ready) > 0 && spend(rt)) {
        size_t place = rt->shuffle ? draw_place(rt) : 0;
        weir_task *task = weir__ready_take(&rt->ready, place);
        if (task->state == WEIR__TASK_NEW && !start_task(task))
            continue;
        switch_to_task(rt, &rt->ctx, &rt->fiber, task);
        reap(rt);
    }
    if (weir__ready_count(&rt->ready) == 0)
        trim(rt);
}

/* The next task, where going there needs no more than a switch; NULL: it is the thread's turn. */
static weir_task *next_in_turn(struct weir__rt *rt)
{
    if (weir__ready_count(&rt->ready) == 0)
        return NULL;
    size_t place = rt->shuffle ? draw_place(rt) : 0;
    if (weir__ready_at(&rt->ready, place)->state != WEIR__TASK_STARTED || !spend(rt))
        return NULL;
    return weir__ready_take(&rt->ready, place);
}

static __attribute__((noinline)) void suspend_somehow(struct weir__rt *rt, weir_task *task)
{
    weir_task *next = next_in_turn(rt);
    if (next == NULL)
        switch_to_thread(rt, task, false);
    else if (next != task) /* drawn at once, or alone in the queue */
        switch_to_task(rt, &task->ctx, &task->fiber, next);
}

/* Most often there is nothing to think about: what is rare is not even prepared for here. */
void weir__suspend(weir_task *task)
{
    struct weir__rt *rt = task->rt;
    if (weir__ready_count(&rt->ready) == 0 || rt->stint == 0 || rt->shuffle) {
        suspend_somehow(rt, task);
        return;
    }
    weir_task *next = weir__ready_at(&rt->ready, 0);
    if (next->state != WEIR__TASK_STARTED || next == task) {
        suspend_somehow(rt, task);
        return;
    }
    rt->stint--;
    weir__ready_take(&rt->ready, 0);
    fetch_ahead(&rt->ready);
    switch_to_task(rt, &task->ctx, &task->fiber, next);
}

/* ---- waiting ---- */

/* The plainest wait: nothing can come between, so it needs no struct weir__wait. */
int weir_yield(void)
{
    weir_task *task = weir_task_self();
    if (task == NULL)
        return WEIR_ENORUNTIME;
    if (weir__cancel_pending(task))
        return WEIR_ECANCELED;
    weir__task_ready(task);
    weir__suspend(task);
    return 0;
}

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
    if (weir_task_self() == NULL)
        return WEIR_ENORUNTIME; /* the thread's own stack must not wait */
    weir__wait_begin_shielded(wait);
    wait->shielded = false;
    return weir__cancel_pending(wait->task) ? WEIR_ECANCELED : 0;
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

static void deadline_came(struct weir__timer *timer)
{
    struct weir__wait *wait = WEIR__CONTAINER(timer, struct timed_wait, timer)->wait;
    if (!wait->shielded) /* it may have become so */
        weir__wake(wait, WEIR_ECANCELED);
}

static void suspend_within_scopes(struct weir__wait *wait)
{
    struct weir__timers *timers = &wait->task->rt->timers;
    struct timed_wait limit = {.wait = wait};
    weir__timer_init(&limit.timer, deadline_came);
    weir__timer_start(timers, &limit.timer, weir__deadline_ns(wait->task));
    weir__suspend(wait->task);
    weir__timer_stop(timers, &limit.timer);
}

int weir__park(struct weir__wait *wait)
{
    weir_task *task = wait->task;
    task->wait = wait;
    if (task->deadlines == NULL || wait->shielded)
        weir__suspend(task);
    else
        suspend_within_scopes(wait);
    task->wait = NULL;
    return wait->result;
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
    if (weir__cancel_reaches(task))
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

void weir__sched_cancel_all(struct weir__rt *rt)
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
    return weir__ready_count(&rt->ready) == 0 && weir__list_empty(&rt->deferred) &&
           weir__timers_next_ns(&rt->timers) == INT64_MAX;
}

void weir__sched_turn(struct weir__rt *rt)
{
    fire_timers(rt);
    run_ready(rt);
    run_deferred(rt);
}

int64_t weir__sched_due_ns(const struct weir__rt *rt)
{
    bool busy = weir__ready_count(&rt->ready) > 0 || !weir__list_empty(&rt->deferred);
    return busy ? INT64_MIN : weir__timers_next_ns(&rt->timers);
}

/* Turns until the first task has ended. */
static int turn_until_ended(struct weir__rt *rt, const weir_task *first)
{
    for (;;) {
        weir__sched_turn(rt);
        if (first->state == WEIR__TASK_ENDED)
            return 0;
        int rc = rt->loop->wait(rt->loop, weir__sched_due_ns(rt));
        if (rc == WEIR_EDEADLK && idle(rt)) { /* the last event may have set something going */
            if (rt->deadlocked)
                return rc; /* even cancelling has not moved anything */
            rt->deadlocked = true;
            weir__sched_cancel_all(rt);
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
    rt->current->deadlines = NULL;
    rt->closing = true;
    weir__sched_cancel_all(rt);
    if (rt->live > 1) {
        struct weir__wait wait;
        weir__wait_begin_shielded(&wait);
        rt->drain = &wait;
        weir__park(&wait);
        rt->drain = NULL;
    }
    return status;
}

/* Tasks that not even a cancel could move leave nothing of theirs in the queues of what outlives
 * them. */
static void end_waits(struct weir__rt *rt)
{
    if (rt->live == 0)
        return;
    for (struct weir__list *g = rt->groups.next; g != &rt->groups; g = g->next) {
        weir_group *group = WEIR__CONTAINER(g, weir_group, in_rt);
        for (weir_task *task = weir_group_first(group); task != NULL; task = weir_task_next(task)) {
            if (task->wait != NULL)
                weir__wake(task->wait, WEIR_ECANCELED);
        }
    }
}

static void run_at_end(struct weir__rt *rt)
{
    struct weir__list *node;
    while ((node = weir__list_pop(&rt->at_end)) != NULL) {
        struct weir__at_end *at_end = WEIR__CONTAINER(node, struct weir__at_end, node);
        at_end->run(at_end);
    }
}

static void free_groups(struct weir__rt *rt)
{
    struct weir__list *node;
    while ((node = weir__list_pop(&rt->groups)) != NULL) {
        weir_group *group = WEIR__CONTAINER(node, weir_group, in_rt);
        weir__tasks_free(group);
        if (group != &rt->root)
            weir__free(group);
    }
}

struct weir__stacks *weir__rt_stacks(struct weir__rt *rt, uint32_t kib)
{
    int class = weir__stack_class(kib);
    if (class < 0)
        return NULL;
    struct weir__stacks *stacks = &rt->stacks[class];
    if (stacks->stride == 0)
        weir__stacks_init(stacks, kib); /* fails for a wrong size alone */
    return stacks;
}

static void free_stacks(struct weir__rt *rt)
{
    for (int i = 0; i < WEIR__STACK_CLASSES; i++)
        weir__stacks_free(&rt->stacks[i]);
}

static int rt_init(struct weir__rt *rt, struct weir__loop *loop, const struct weir_run_opts *opts)
{
    static _Atomic uint64_t last_serial;
    memset(rt, 0, sizeof *rt);
    rt->loop = loop;
    rt->serial = atomic_fetch_add_explicit(&last_serial, 1, memory_order_relaxed) + 1;
    weir__list_init(&rt->deferred);
    weir__list_init(&rt->groups);
    weir__list_init(&rt->at_end);
    weir__fiber_init_thread(&rt->fiber);
    uint64_t seed = opts->seed;
    if (seed == 0 && !loop->is_virtual)
        seed = weir__rand_system_seed();
    weir__rand_seed(&rt->rand, seed);
    rt->shuffle = opts->shuffle != 0;
    rt->looked_after = 1; /* until the first look has shown how long a resume takes */
    rt->default_stacks = weir__rt_stacks(rt, opts->stack_kib);
    if (rt->default_stacks == NULL)
        return WEIR_EINVAL;
    rt->life = weir__life_new();
    return rt->life != NULL ? 0 : WEIR_ENOMEM;
}

int weir__sched_begin(struct weir__rt *rt, struct weir__loop *loop,
                      const struct weir_run_opts *opts)
{
    int rc = rt_init(rt, loop, opts);
    if (rc < 0)
        return rc;
    weir__overflow_guard_install();
    this_rt = rt;
    weir__group_init(&rt->root, rt);
    return 0;
}

void weir__sched_end(struct weir__rt *rt)
{
    end_waits(rt);
    run_at_end(rt);
    free_groups(rt);
    weir__life_end(rt);
    this_rt = NULL;
    free_stacks(rt);
    weir__ready_free(&rt->ready);
}

int weir__sched_run(struct weir__loop *loop, const struct weir_run_opts *opts, weir_task_fn fn,
                    void *arg)
{
    struct weir__rt rt;
    struct first_call call = {.rt = &rt, .fn = fn, .arg = arg};
    int rc = weir__sched_begin(&rt, loop, opts);
    if (rc < 0)
        return rc;
    weir_task *first = weir__task_new(&rt.root, first_task, &call, "main");
    rc = first != NULL ? turn_until_ended(&rt, first) : WEIR_ENOMEM;
    if (rc == 0)
        rc = rt.deadlocked ? WEIR_EDEADLK : first->status;
    weir__sched_end(&rt);
    return rc;
}
