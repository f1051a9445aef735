/* What the tests of sync share: tasks that make one call each and note how it went. */
#ifndef WEIR_TESTS_SYNC_RIG_H
#define WEIR_TESTS_SYNC_RIG_H

#include "rig.h"

#include <weir/sync.h>

#include "base/mem.h"

/* Makes one call. Then notes its name, with a "!" behind it when the call failed. */
struct caller {
    const char *name;
    int (*call)(struct caller *caller);
    void *on; /* the semaphore, lock, ... */
    void *with;
    size_t n;
    weir_task *task;
    int rc;
    bool done;
};

static inline int caller_run(void *arg)
{
    struct caller *caller = arg;
    caller->rc = caller->call(caller);
    caller->done = true;
    note("%s%s", caller->name, caller->rc < 0 ? "!" : "");
    return caller->rc;
}

static inline void call_in(weir_group *group, struct caller *caller)
{
    caller->task = weir_spawn_named(group, caller_run, caller, caller->name);
    check(caller->task != NULL);
}

/* So many callers, named "1", "2", ... that make the same call on the same thing, and all wait. */
enum { CROWD = 4 };
struct crowd {
    weir_group *group;
    struct caller callers[CROWD];
};

static inline void crowd_make(struct crowd *crowd, int (*call)(struct caller *caller), void *on)
{
    static const char *const names[CROWD] = {"1", "2", "3", "4"};
    *crowd = (struct crowd){.group = rig_group()};
    for (int i = 0; i < CROWD; i++) {
        crowd->callers[i] = (struct caller){.name = names[i], .call = call, .on = on};
        call_in(crowd->group, &crowd->callers[i]);
    }
    check_int(weir_yield(), 0);
}

static inline void crowd_cancel(struct crowd *crowd, int number)
{
    weir_task_cancel(crowd->callers[number - 1].task);
}

static inline int crowd_rc(const struct crowd *crowd, int number)
{
    const struct caller *caller = &crowd->callers[number - 1];
    return caller->done ? caller->rc : WEIR_EBUSY;
}

#endif
