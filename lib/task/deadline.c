/* Deadline scopes: a chain per task, innermost first. A scope holds no timer: its memory is the
 * user's, and may be gone when a task returns and has forgotten to end it. A wait inside of scopes
 * brings a timer of its own for the nearest of them (weir__park). */
#include <assert.h>

#include "base/clock.h"
#include "task/sched.h"

struct weir__deadline {
    weir_task *task; /* NULL: begun outside of a task, where it bounds nothing */
    struct weir__deadline *outer;
    int64_t when_ns;
    bool passed; /* was seen to have passed: it stays so */
    bool shield; /* hides what comes from outside */
};

static_assert(sizeof(struct weir__deadline) <= sizeof(weir_deadline),
              "the public storage is small");

static struct weir__deadline *inner(weir_deadline *scope)
{
    return (struct weir__deadline *)(void *)scope;
}

bool weir__cancel_reaches(const weir_task *task)
{
    for (const struct weir__deadline *d = task->deadlines; d != NULL; d = d->outer) {
        if (d->shield)
            return false;
    }
    return true;
}

static bool has_passed(struct weir__deadline *deadline, int64_t now_ns)
{
    deadline->passed = deadline->passed || deadline->when_ns <= now_ns;
    return deadline->passed;
}

bool weir__scopes_cancel(weir_task *task)
{
    int64_t now_ns = weir__now_ns(task->rt);
    for (struct weir__deadline *d = task->deadlines; d != NULL; d = d->outer) {
        if (has_passed(d, now_ns))
            return true;
        if (d->shield)
            return false;
    }
    return task->cancelled;
}

static void begin(weir_deadline *scope, int64_t when_ns, bool shield)
{
    weir_task *task = weir_task_self();
    struct weir__deadline *deadline = inner(scope);
    *deadline = (struct weir__deadline){.task = task, .when_ns = when_ns, .shield = shield};
    if (task == NULL)
        return;
    deadline->outer = task->deadlines;
    task->deadlines = deadline;
}

static int64_t from_now_ns(int64_t ms)
{
    return weir__ns_add(weir_now_ns(), weir__ms_to_ns(ms > 0 ? ms : 0));
}

void weir_deadline_begin_ms(weir_deadline *scope, int64_t ms)
{
    begin(scope, from_now_ns(ms), false);
}

void weir_deadline_begin_at_ms(weir_deadline *scope, int64_t when_ms)
{
    begin(scope, weir__ms_to_ns(when_ms > 0 ? when_ms : 0), false);
}

void weir_shield_begin_ms(weir_deadline *scope, int64_t limit_ms)
{
    begin(scope, from_now_ns(limit_ms), true);
}

int weir_deadline_reset_ms(weir_deadline *scope, int64_t ms)
{
    struct weir__deadline *deadline = inner(scope);
    if (has_passed(deadline, weir_now_ns()))
        return WEIR_ETIMEDOUT;
    deadline->when_ns = from_now_ns(ms);
    return 0;
}

/* Scopes inside of it that are shields hide it from the wait. */
static bool reaches_wait(const struct weir__deadline *deadline)
{
    const struct weir__wait *wait = deadline->task->wait;
    if (wait == NULL || wait->shielded)
        return false;
    for (const struct weir__deadline *d = deadline->task->deadlines; d != deadline; d = d->outer) {
        if (d->shield)
            return false;
    }
    return true;
}

void weir__deadline_expire(weir_deadline *scope)
{
    struct weir__deadline *deadline = inner(scope);
    deadline->passed = true;
    deadline->when_ns = INT64_MIN;
    if (reaches_wait(deadline))
        weir__wake(deadline->task->wait, WEIR_ECANCELED);
}

int weir_deadline_passed(const weir_deadline *scope)
{
    const struct weir__deadline *deadline = (const void *)scope;
    return deadline->passed || deadline->when_ns <= weir_now_ns();
}

/* A cancel of the task that reached the scope is why its waits were cancelled, whatever the time.
 */
static bool cancelled_from_outside(const struct weir__deadline *deadline)
{
    for (const struct weir__deadline *d = deadline; d != NULL; d = d->outer) {
        if (d->shield)
            return false;
    }
    return deadline->task->cancelled;
}

int weir_deadline_end(weir_deadline *scope, int rc)
{
    struct weir__deadline *deadline = inner(scope);
    if (deadline->task == NULL)
        return rc;
    deadline->task->deadlines = deadline->outer;
    if (rc != WEIR_ECANCELED || cancelled_from_outside(deadline))
        return rc;
    return has_passed(deadline, weir_now_ns()) ? WEIR_ETIMEDOUT : rc;
}

int64_t weir__deadline_ns(const weir_task *task)
{
    int64_t nearest_ns = INT64_MAX;
    for (const struct weir__deadline *d = task != NULL ? task->deadlines : NULL; d != NULL;
         d = d->outer) {
        if (d->when_ns < nearest_ns)
            nearest_ns = d->when_ns;
        if (d->shield)
            break;
    }
    return nearest_ns;
}

int64_t weir_deadline_left_ms(void)
{
    const weir_task *task = weir_task_self();
    int64_t when_ns = weir__deadline_ns(task);
    if (when_ns == INT64_MAX)
        return INT64_MAX;
    int64_t left_ns = when_ns - weir__now_ns(task->rt);
    return left_ns > 0 ? weir__ns_to_ms_up(left_ns) : 0;
}
