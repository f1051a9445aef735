#include <weir/sync.h>

#include "base/mem.h"
#include "task/sched.h"

struct weir_once {
    uint64_t runner; /* the id of the task that runs the function; 0: none */
    struct weir__list waiters;
    size_t users; /* who made it, and those inside weir_once_run */
    bool closed;
    bool done;
    int result;
};

struct call {
    struct weir__wait wait;
    bool runs; /* it is this one's turn to run the function */
};

int weir_once_new(weir_once **out)
{
    *out = NULL;
    if (weir__rt() == NULL)
        return WEIR_ENORUNTIME;
    weir_once *once = weir__zalloc(sizeof *once);
    if (once == NULL)
        return WEIR_ENOMEM;
    once->users = 1;
    weir__list_init(&once->waiters);
    *out = once;
    return 0;
}

static void let_go(weir_once *once)
{
    if (--once->users == 0)
        weir__free(once);
}

void weir_once_free(weir_once *once)
{
    if (once == NULL)
        return;
    once->closed = true;
    weir__wake_all(&once->waiters, WEIR_ECLOSED);
    let_go(once);
}

static void make_runner(weir_once *once, struct call *call)
{
    call->runs = true;
    once->runner = call->wait.task->id;
}

static void hand_on(weir_once *once)
{
    if (weir__list_empty(&once->waiters))
        return;
    struct call *next = WEIR__CONTAINER(once->waiters.next, struct call, wait.node);
    make_runner(once, next);
    weir__wake(&next->wait, 0);
}

static int run(weir_once *once, int (*fn)(void *arg), void *arg)
{
    int rc = fn(arg);
    once->runner = 0;
    if (rc == WEIR_ECANCELED) {
        hand_on(once);
        return rc;
    }
    once->done = true;
    once->result = rc;
    weir__wake_all(&once->waiters, rc);
    return rc;
}

static int wait_for_turn(weir_once *once, struct call *call)
{
    if (once->runner == 0) {
        make_runner(once, call);
        return 0;
    }
    weir__list_push(&once->waiters, &call->wait.node);
    int rc = weir__park(&call->wait);
    return call->runs && once->closed ? WEIR_ECLOSED : rc;
}

int weir_once_run(weir_once *once, int (*fn)(void *arg), void *arg)
{
    struct call call = {.runs = false};
    if (once->done)
        return once->result;
    int rc = weir__wait_begin(&call.wait);
    if (rc < 0)
        return rc;
    if (once->runner == call.wait.task->id)
        return WEIR_EDEADLK;
    once->users++;
    rc = wait_for_turn(once, &call);
    if (rc == 0 && call.runs)
        rc = run(once, fn, arg);
    let_go(once);
    return rc;
}
