#include <weir/sync.h>

#include "base/mem.h"
#include "task/sched.h"

struct weir_semaphore {
    size_t permits;
    struct weir__list waiters;
};

int weir_semaphore_new(weir_semaphore **out, size_t permits)
{
    *out = NULL;
    if (weir__rt() == NULL)
        return WEIR_ENORUNTIME;
    weir_semaphore *semaphore = weir__alloc(sizeof *semaphore);
    if (semaphore == NULL)
        return WEIR_ENOMEM;
    semaphore->permits = permits;
    weir__list_init(&semaphore->waiters);
    *out = semaphore;
    return 0;
}

void weir_semaphore_free(weir_semaphore *semaphore)
{
    if (semaphore == NULL)
        return;
    weir__wake_all(&semaphore->waiters, WEIR_ECLOSED);
    weir__free(semaphore);
}

int weir_semaphore_try(weir_semaphore *semaphore)
{
    if (semaphore->permits == 0) /* with permits free nobody waits: a release hands over */
        return WEIR_EBUSY;
    semaphore->permits--;
    return 0;
}

int weir_semaphore_acquire(weir_semaphore *semaphore)
{
    struct weir__wait wait;
    int rc = weir__wait_begin(&wait);
    if (rc < 0 || weir_semaphore_try(semaphore) == 0)
        return rc;
    weir__list_push(&semaphore->waiters, &wait.node);
    return weir__park(&wait); /* the semaphore may be gone by then, whatever the waker said */
}

void weir_semaphore_release(weir_semaphore *semaphore)
{
    if (weir__list_empty(&semaphore->waiters)) {
        semaphore->permits++;
        return;
    }
    weir__wake(WEIR__CONTAINER(semaphore->waiters.next, struct weir__wait, node), 0);
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
