#include "base/mem.h"
#include "sync/lock.h"

struct weir_condition {
    weir_lock *lock;
    struct weir__list waiters;
};

struct waiter {
    struct weir__wait wait; /* in the condition's queue; once notified, in the lock's */
    int rc;                 /* what the condition said */
};

int weir_condition_new(weir_condition **out, weir_lock *lock)
{
    *out = NULL;
    if (weir__rt() == NULL)
        return WEIR_ENORUNTIME;
    if (lock == NULL)
        return WEIR_EINVAL;
    weir_condition *condition = weir__alloc(sizeof *condition);
    if (condition == NULL)
        return WEIR_ENOMEM;
    condition->lock = lock;
    weir__list_init(&condition->waiters);
    *out = condition;
    return 0;
}

/* The head goes straight into the lock's queue. Were it woken to queue there itself, others could
 * take the lock before it, and a cancel could still reach it: the notify would be lost. */
static void move_on(weir_condition *condition, int rc)
{
    struct weir__list *head = weir__list_pop(&condition->waiters);
    struct waiter *waiter = WEIR__CONTAINER(head, struct waiter, wait.node);
    waiter->rc = rc;
    waiter->wait.shielded = true;
    weir__lock_give(condition->lock, &waiter->wait);
}

void weir_condition_free(weir_condition *condition)
{
    if (condition == NULL)
        return;
    while (!weir__list_empty(&condition->waiters))
        move_on(condition, WEIR_ECLOSED);
    weir__free(condition);
}

int weir_condition_notify(weir_condition *condition, size_t n)
{
    if (!weir__lock_is_mine(condition->lock))
        return WEIR_EINVAL;
    for (; n > 0 && !weir__list_empty(&condition->waiters); n--)
        move_on(condition, 0);
    return 0;
}

int weir_condition_wait(weir_condition *condition)
{
    weir_lock *lock = condition->lock; /* the condition may be gone when this task runs again */
    struct waiter waiter = {.rc = 0};
    if (!weir__lock_is_mine(lock))
        return weir_task_self() != NULL ? WEIR_EINVAL : WEIR_ENORUNTIME;
    int rc = weir__wait_begin(&waiter.wait);
    if (rc < 0)
        return rc;
    weir__list_push(&condition->waiters, &waiter.wait.node);
    weir__lock_keep(lock);
    weir_lock_release(lock);
    rc = weir__park(&waiter.wait);
    if (rc == WEIR_ECANCELED) {
        int taken = weir__lock_take_shielded(lock);
        rc = taken < 0 ? taken : rc;
    } else if (rc == 0) { /* the lock was handed over */
        rc = waiter.rc;
    }
    weir__lock_let_go(lock);
    return rc;
}
