/* Where an object lives: in the runtime that it was made in. What has a timer, a watcher or a place
 * in a queue there keeps a home, since the runtime may end before its owner lets go of it, and
 * another thread's must not touch it. */
#ifndef WEIR_TASK_HOME_H
#define WEIR_TASK_HOME_H

#include <stdatomic.h>

#include "task/sched.h"

struct weir__home {
    struct weir__at_end at_end;
    uint64_t serial; /* the runtime's */
    /* Called once at the runtime's end, on its thread, while its loop and clock still go: takes out
     * of it what is in it besides waiting tasks, who are gone by then. NULL: nothing is. From then
     * on the object is memory. */
    void (*end)(struct weir__home *home);
    struct weir__life *life;
};

/* In this thread's runtime, until weir__home_leave, which comes before the memory goes. */
void weir__home_init(struct weir__home *home, void (*end)(struct weir__home *home));
void weir__home_leave(struct weir__home *home);

/* The calling thread's runtime is the one. All that does more than to free asks for it first. */
static inline bool weir__home_is_here(const struct weir__home *home)
{
    const struct weir__rt *rt = weir__rt();
    return rt != NULL && rt->serial == home->serial;
}

static inline bool weir__home_has_ended(const struct weir__home *home)
{
    return atomic_load_explicit(&home->life->ended, memory_order_acquire);
}

/* Here it may be freed, and from anywhere once its runtime has ended; not elsewhere before that. */
static inline bool weir__home_lets_free(const struct weir__home *home)
{
    return weir__home_is_here(home) || weir__home_has_ended(home);
}

/* The runtime's clock, which stands still at its end. */
int64_t weir__home_now_ns(const struct weir__home *home);

#endif
