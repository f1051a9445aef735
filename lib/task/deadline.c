/* Deadline scopes: a chain per task, innermost first, each with a timer. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "task/sched.h"

struct weir__deadline {
    struct weir__timer timer;
    weir_task *task;
    struct weir__deadline *outer;
    int64_t when_ns;
    bool passed;
};

static_assert(sizeof(struct weir__deadline) <= sizeof(weir_deadline),
              "the public storage is small");

static struct weir__deadline *inner(weir_deadline *scope)
{
    return (struct weir__deadline *)(void *)scope;
}

static void pass(struct weir__deadline *deadline)
{
    deadline->passed = true;
    deadline->task->expired++;
    weir__task_interrupt(deadline->task);
}

static void time_came(struct weir__timer *timer)
{
    pass(WEIR__CONTAINER(timer, struct weir__deadline, timer));
}

bool weir__deadlines_pass(weir_task *task)
{
    int64_t now_ns = weir__now_ns(task->rt);
    for (struct weir__deadline *d = task->deadlines; d != NULL; d = d->outer) {
        if (d->passed || d->when_ns > now_ns)
            continue;
        weir__timer_stop(&task->rt->timers, &d->timer);
        pass(d);
    }
    return task->expired > 0;
}

void weir_deadline_begin_ms(weir_deadline *scope, int64_t ms)
{
    struct weir__deadline *deadline = inner(scope);
    struct weir__rt *rt = weir__rt();
    weir_task *task = rt->current;
    *deadline = (struct weir__deadline){.task = task, .outer = task->deadlines};
    task->deadlines = deadline;
    weir__timer_init(&deadline->timer, time_came);
    deadline->when_ns = weir__ns_add(weir__now_ns(rt), weir__ms_to_ns(ms > 0 ? ms : 0));
    if (ms <= 0)
        pass(deadline);
    else
        weir__timer_start(&rt->timers, &deadline->timer, deadline->when_ns);
}

int weir_deadline_end(weir_deadline *scope, int rc)
{
    struct weir__deadline *deadline = inner(scope);
    weir_task *task = deadline->task;
    weir__timer_stop(&task->rt->timers, &deadline->timer);
    task->deadlines = deadline->outer;
    if (!deadline->passed)
        return rc;
    task->expired--;
    return rc == WEIR_ECANCELED && !task->cancelled ? WEIR_ETIMEDOUT : rc;
}

void weir__deadlines_check(const weir_task *task)
{
    if (task->deadlines == NULL)
        return;
    fprintf(stderr,
            "weir: task '%s' (#%llu) returned inside of a deadline scope, whose timer lies on its "
            "stack; each weir_deadline_begin_ms needs its weir_deadline_end\n",
            task->name, (unsigned long long)task->id);
    abort(); /* the timer's memory is gone: to go on would be to corrupt memory */
}

int64_t weir__deadline_ns(const weir_task *task)
{
    int64_t nearest_ns = INT64_MAX;
    for (const struct weir__deadline *d = task->deadlines; d != NULL; d = d->outer) {
        if (d->when_ns < nearest_ns)
            nearest_ns = d->when_ns;
    }
    return nearest_ns;
}

int64_t weir_deadline_left_ms(void)
{
    struct weir__rt *rt = weir__rt();
    int64_t when_ns = rt != NULL ? weir__deadline_ns(rt->current) : INT64_MAX;
    if (when_ns == INT64_MAX)
        return INT64_MAX;
    int64_t left_ns = when_ns - weir__now_ns(rt);
    return left_ns > 0 ? weir__ns_to_ms_up(left_ns) : 0;
}
