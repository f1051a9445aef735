#include <weir/sync.h>

#include <stdint.h>

#include "base/mem.h"
#include "task/sched.h"

struct weir_semaphore {
    size_t permits, max;
    struct weir__list waiters;
    size_t users; /* the owner and those inside acquire: a cancelled one comes back once more */
};

struct waiter {
    struct weir__wait wait;
    size_t n;
};

int weir_semaphore_new(weir_semaphore **out, size_t permits, size_t max)
{
    *out = NULL;
    if (weir__rt() == NULL)
        return WEIR_ENORUNTIME;
    if (max > 0 && permits > max)
        return WEIR_EINVAL;
    weir_semaphore *semaphore = weir__alloc(sizeof *semaphore);
    if (semaphore == NULL)
        return WEIR_ENOMEM;
    semaphore->permits = permits;
    semaphore->max = max > 0 ? max : SIZE_MAX;
    semaphore->users = 1;
    weir__list_init(&semaphore->waiters);
    *out = semaphore;
    return 0;
}

static void let_go(weir_semaphore *semaphore)
{
    if (--semaphore->users == 0)
        weir__free(semaphore);
}

void weir_semaphore_free(weir_semaphore *semaphore)
{
    if (semaphore == NULL)
        return;
    weir__wake_all(&semaphore->waiters, WEIR_ECLOSED);
    let_go(semaphore);
}

/* Hands permits over, the longest wait first, as far as they go. */
static void serve(weir_semaphore *semaphore)
{
    while (!weir__list_empty(&semaphore->waiters)) {
        struct waiter *head = WEIR__CONTAINER(semaphore->waiters.next, struct waiter, wait.node);
        if (head->n > semaphore->permits)
            return;
        semaphore->permits -= head->n;
        weir__wake(&head->wait, 0);
    }
}

int weir_semaphore_try_n(weir_semaphore *semaphore, size_t n)
{
    if (n == 0 || n > semaphore->max)
        return WEIR_ENEVER;
    serve(semaphore); /* who was in their way may be cancelled and not have run yet */
    if (!weir__list_empty(&semaphore->waiters) || n > semaphore->permits)
        return WEIR_EBUSY;
    semaphore->permits -= n;
    return 0;
}

int weir_semaphore_try(weir_semaphore *semaphore)
{
    return weir_semaphore_try_n(semaphore, 1);
}

static int wait_for_turn(weir_semaphore *semaphore, struct waiter *waiter)
{
    weir__list_push(&semaphore->waiters, &waiter->wait.node);
    semaphore->users++;
    int rc = weir__park(&waiter->wait);
    if (rc == WEIR_ECANCELED)
        serve(semaphore); /* those behind may want less */
    let_go(semaphore);
    return rc;
}

int weir_semaphore_acquire_n(weir_semaphore *semaphore, size_t n)
{
    struct waiter waiter = {.n = n};
    int rc = weir__wait_begin(&waiter.wait);
    if (rc == 0)
        rc = weir_semaphore_try_n(semaphore, n);
    return rc == WEIR_EBUSY ? wait_for_turn(semaphore, &waiter) : rc;
}

int weir_semaphore_acquire(weir_semaphore *semaphore)
{
    return weir_semaphore_acquire_n(semaphore, 1);
}

int weir_semaphore_release_n(weir_semaphore *semaphore, size_t n)
{
    if (n > semaphore->max - semaphore->permits)
        return WEIR_EINVAL;
    semaphore->permits += n;
    serve(semaphore);
    return 0;
}

int weir_semaphore_release(weir_semaphore *semaphore)
{
    return weir_semaphore_release_n(semaphore, 1);
}

size_t weir_semaphore_permits(const weir_semaphore *semaphore)
{
    return semaphore->permits;
}

size_t weir_semaphore_waiting(const weir_semaphore *semaphore)
{
    size_t count = 0;
    for (const struct weir__list *n = semaphore->waiters.next; n != &semaphore->waiters;
         n = n->next)
        count++;
    return count;
}
