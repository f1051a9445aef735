#include "sync/lock.h"

#include "base/mem.h"

struct weir_lock {
    uint64_t owner; /* a task's id, since an ended task's address may be another's soon; 0: free */
    struct weir__list waiters;
    size_t users; /* who made it, and those inside a condition's wait */
    bool closed;
};

int weir_lock_new(weir_lock **out)
{
    *out = NULL;
    if (weir__rt() == NULL)
        return WEIR_ENORUNTIME;
    weir_lock *lock = weir__zalloc(sizeof *lock);
    if (lock == NULL)
        return WEIR_ENOMEM;
    lock->users = 1;
    weir__list_init(&lock->waiters);
    *out = lock;
    return 0;
}

void weir__lock_keep(weir_lock *lock)
{
    lock->users++;
}

void weir__lock_let_go(weir_lock *lock)
{
    if (--lock->users == 0)
        weir__free(lock);
}

void weir_lock_free(weir_lock *lock)
{
    if (lock == NULL)
        return;
    lock->closed = true;
    weir__wake_all(&lock->waiters, WEIR_ECLOSED);
    weir__lock_let_go(lock);
}

bool weir__lock_is_mine(const weir_lock *lock)
{
    const weir_task *self = weir_task_self();
    return self != NULL && lock->owner == self->id;
}

int weir_lock_try(weir_lock *lock)
{
    const weir_task *self = weir_task_self();
    if (self == NULL)
        return WEIR_ENORUNTIME;
    if (lock->owner == self->id)
        return WEIR_EDEADLK;
    if (lock->owner != 0) /* while it is free nobody waits: a release hands over */
        return WEIR_EBUSY;
    lock->owner = self->id;
    return 0;
}

int weir_lock_acquire(weir_lock *lock)
{
    struct weir__wait wait;
    int rc = weir__wait_begin(&wait);
    if (rc == 0)
        rc = weir_lock_try(lock);
    if (rc != WEIR_EBUSY)
        return rc;
    weir__list_push(&lock->waiters, &wait.node);
    return weir__park(&wait); /* the lock may be gone by then */
}

int weir__lock_take_shielded(weir_lock *lock)
{
    struct weir__wait wait;
    if (lock->closed)
        return WEIR_ECLOSED;
    if (weir_lock_try(lock) == 0)
        return 0;
    weir__wait_begin_shielded(&wait);
    weir__list_push(&lock->waiters, &wait.node);
    return weir__park(&wait);
}

void weir__lock_give(weir_lock *lock, struct weir__wait *wait)
{
    if (lock->owner != 0) {
        weir__list_push(&lock->waiters, &wait->node);
        return;
    }
    lock->owner = wait->task->id;
    weir__wake(wait, 0);
}

int weir_lock_release(weir_lock *lock)
{
    if (!weir__lock_is_mine(lock))
        return WEIR_EINVAL;
    lock->owner = 0;
    struct weir__list *head = weir__list_pop(&lock->waiters);
    if (head != NULL)
        weir__lock_give(lock, WEIR__CONTAINER(head, struct weir__wait, node));
    return 0;
}

int weir_lock_is_held(const weir_lock *lock)
{
    return lock->owner != 0;
}
