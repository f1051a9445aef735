#include <weir/sync.h>

#include <limits.h>

#include "base/mem.h"
#include "task/sched.h"

struct weir_barrier {
    size_t parties;
    size_t arrived; /* that many wait, or fewer: a cancel takes its task out of the list alone */
    struct weir__list waiters;
};

int weir_barrier_new(weir_barrier **out, size_t parties)
{
    *out = NULL;
    if (weir__rt() == NULL)
        return WEIR_ENORUNTIME;
    if (parties == 0 || parties > INT_MAX) /* the place of arrival is an int */
        return WEIR_EINVAL;
    weir_barrier *barrier = weir__alloc(sizeof *barrier);
    if (barrier == NULL)
        return WEIR_ENOMEM;
    barrier->parties = parties;
    barrier->arrived = 0;
    weir__list_init(&barrier->waiters);
    *out = barrier;
    return 0;
}

void weir_barrier_free(weir_barrier *barrier)
{
    if (barrier == NULL)
        return;
    weir__wake_all(&barrier->waiters, WEIR_ECLOSED);
    weir__free(barrier);
}

static size_t count_waiters(const weir_barrier *barrier)
{
    size_t count = 0;
    for (const struct weir__list *n = barrier->waiters.next; n != &barrier->waiters; n = n->next)
        count++;
    return count;
}

/* Lets through those who wait; returns how many there were. */
static int open_up(weir_barrier *barrier)
{
    int place = 0;
    while (!weir__list_empty(&barrier->waiters))
        weir__wake(WEIR__CONTAINER(barrier->waiters.next, struct weir__wait, node), place++);
    barrier->arrived = 0;
    return place;
}

int weir_barrier_wait(weir_barrier *barrier)
{
    struct weir__wait wait;
    int rc = weir__wait_begin(&wait);
    if (rc < 0)
        return rc;
    if (++barrier->arrived == barrier->parties)
        barrier->arrived = count_waiters(barrier) + 1;
    if (barrier->arrived == barrier->parties)
        return open_up(barrier);
    weir__list_push(&barrier->waiters, &wait.node);
    return weir__park(&wait);
}
