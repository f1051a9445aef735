#include "gate.h"

#include <time.h>

#include "rig.h"

/* With the lock held. */
static void wait_for_change(struct gate *gate)
{
    struct timespec limit;
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += 20;
    if (pthread_cond_timedwait(&gate->changed, &gate->lock, &limit) != 0)
        gate->late = true;
}

static unsigned come(struct gate *gate)
{
    pthread_cond_broadcast(&gate->changed);
    return gate->come++;
}

void gate_pass(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    unsigned mine = come(gate);
    while (mine >= gate->open && !gate->late)
        wait_for_change(gate);
    check(!gate->late);
    pthread_mutex_unlock(&gate->lock);
}

void gate_come(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    come(gate);
    pthread_mutex_unlock(&gate->lock);
}

void gate_await(struct gate *gate, unsigned count)
{
    pthread_mutex_lock(&gate->lock);
    while (gate->come < count && !gate->late)
        wait_for_change(gate);
    check(!gate->late);
    pthread_mutex_unlock(&gate->lock);
}

void gate_open(struct gate *gate, unsigned count)
{
    pthread_mutex_lock(&gate->lock);
    gate->open += count;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}
