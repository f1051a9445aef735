/* The scheduler: a FIFO queue of ready tasks, timers, and one way of waiting under everything.
 *
 * A call that waits does
 *     struct weir__wait wait;
 *     int rc = weir__wait_begin(&wait);           // WEIR_ECANCELED if the task is cancelled
 *     if (rc < 0) return rc;
 *     weir__list_push(&queue, &wait.node);        // or a timer, or both
 *     rc = weir__park(&wait);                     // what the waker said
 * and whoever has something for it calls weir__wake(&wait, result), which takes it out of its
 * queue. FIRST WAKE WINS: a grant that was given stays given, and a cancel that comes after it is
 * seen at the task's next wait. */
#ifndef WEIR_TASK_SCHED_H
#define WEIR_TASK_SCHED_H

#include <stdbool.h>
#include <stdint.h>

#include <weir/task.h>

#include "base/list.h"
#include "base/rand.h"
#include "base/timer.h"
#include "task/ctx.h"
#include "task/fiber.h"
#include "task/stack.h"

/* What turns the wheel: libev or the virtual clock (loop/). */
struct weir__loop {
    /* The monotonic clock, real or virtual. */
    int64_t (*now_ns)(struct weir__loop *loop);
    /* Handles what is ready, waiting for it until wake_ns (INT64_MAX: for ever) if nothing is.
     * WEIR_EDEADLK when it would wait for ever with nothing that could end it; else 0. */
    int (*wait)(struct weir__loop *loop, int64_t wake_ns);
    void (*free)(struct weir__loop *loop);
    bool is_virtual;
};

struct weir__wait {
    struct weir__list node; /* in the queue of what is waited for, if it has one */
    weir_task *task;
    int result;
    bool fired;
    bool shielded; /* a cancel does not end it */
};

/* A call that the scheduler makes on the thread's own stack before it next waits for I/O. What goes
 * deep (libcurl, DNS, TLS) runs there. */
struct weir__deferred {
    struct weir__list node;
    void (*run)(struct weir__deferred *deferred);
};

enum weir__task_state { WEIR__TASK_NEW, WEIR__TASK_STARTED, WEIR__TASK_ENDED };

struct weir_task {
    struct weir__ctx ctx;
    struct weir__rt *rt;
    weir_group *group;
    weir_task *ready_next;
    struct weir__wait *wait;          /* what it is parked in */
    struct weir__deadline *deadlines; /* innermost scope */
    weir_task_fn fn;
    void *arg;
    void *owned;                        /* a block that is freed with the task */
    void (*unstarted)(weir_task *task); /* called if it ends without having run; or NULL */
    const char *name;
    uint64_t id;
    struct weir__list sibling;  /* in group->tasks, by time of spawning */
    struct weir__list ended;    /* in group->ended until delivered */
    struct weir__list awaiters; /* waits of those who await it */
    struct weir__stack stack;
    struct weir__fiber fiber;
    int status;
    uint32_t expired;  /* deadline scopes that have passed and not ended */
    uint32_t awaiting; /* tasks inside weir_await on it */
    uint8_t state;
    bool cancelled;
};

struct weir_group {
    struct weir__rt *rt;
    struct weir__list in_rt;
    struct weir__list tasks;
    struct weir__list ended;      /* not yet delivered by weir_as_completed */
    struct weir__list joiners;    /* wait until nothing is live */
    struct weir__list collectors; /* wait for the next end */
    size_t live;
    size_t users;              /* tasks inside a call that waits on the group or its tasks */
    struct weir__wait *closer; /* weir_group_free, waiting for users to leave */
    int spawn_rc;              /* of the first spawn that failed */
    bool closing;
};

struct weir__rt {
    struct weir__ctx ctx; /* of the thread's own stack */
    struct weir__fiber fiber;
    struct weir__fiber *left; /* whom the last switch came from */
    weir_task *current;
    weir_task *ready_head, **ready_tail;
    weir_task *ended; /* to be cleaned up once its stack is left */
    unsigned budget;  /* direct switches left before I/O is looked at */
    struct weir__list deferred;
    struct weir__timers timers;
    struct weir__loop *loop;
    struct weir__stacks stacks;
    struct weir__rand rand;
    struct weir__list groups;
    size_t live;
    uint64_t next_id;
    struct weir__wait *drain; /* the end of weir_run, waiting for the others */
    bool closing;
    bool deadlocked;
};

/* The runtime of this thread; NULL: none. */
struct weir__rt *weir__rt(void);

/* Runs fn(arg) as the first task of a runtime over the loop; see weir_run. Borrows the loop. */
int weir__sched_run(struct weir__loop *loop, const struct weir_run_opts *opts, weir_task_fn fn,
                    void *arg);

static inline int64_t weir__now_ns(struct weir__rt *rt)
{
    return rt->loop->now_ns(rt->loop);
}

/* See above. Only inside a task. */
int weir__wait_begin(struct weir__wait *wait);
void weir__wait_begin_shielded(struct weir__wait *wait);
int weir__park(struct weir__wait *wait);
bool weir__wake(struct weir__wait *wait, int result);      /* false: it was awake already */
void weir__wake_all(struct weir__list *queue, int result); /* all that wait in a queue */

/* Parks until when_ns at the latest, in the queue (NULL: none). 0 when the time came. */
int weir__park_until(struct weir__wait *wait, struct weir__list *queue, int64_t when_ns);

/* Queues the call, once; again after it has run. */
void weir__defer(struct weir__rt *rt, struct weir__deferred *deferred);

/* Lets those deadlines of the calling task pass whose time came while it computed and no timer
 * could fire. True when one has passed. */
bool weir__deadlines_pass(weir_task *task);

/* The calling task is cancelled or inside a deadline that has passed. */
static inline bool weir__cancel_pending(weir_task *task)
{
    return task->cancelled || task->expired > 0 ||
           (task->deadlines != NULL && weir__deadlines_pass(task));
}

/* Ends the program, with a word, when the task's function has returned and left a scope open. */
void weir__deadlines_check(const weir_task *task);

/* When the nearest deadline of the calling task passes; INT64_MAX: never. */
int64_t weir__deadline_ns(const weir_task *task);

/* As weir_spawn_named, for a task that owns a block of weir__alloc: it is freed with the task, or
 * at once when the spawn fails. A NULL block counts as a failed allocation. A task that is
 * cancelled before its turn never calls fn: unstarted(task) is called instead as it ends. */
weir_task *weir__spawn_owning(weir_group *group, weir_task_fn fn, void *arg, const char *name,
                              void *owned, void (*unstarted)(weir_task *task));
static inline void *weir__task_owned(const weir_task *task)
{
    return task->owned;
}

/* Internals of the layer. */
void weir__task_ready(weir_task *task);
void weir__task_cancel(weir_task *task);
void weir__task_interrupt(weir_task *task); /* ends its wait, if a cancel may */
void weir__group_init(weir_group *group, struct weir__rt *rt);
void weir__group_task_ended(weir_task *task);
weir_task *weir__task_new(weir_group *group, weir_task_fn fn, void *arg, const char *name);
void weir__tasks_free(weir_group *group); /* all of them; none may be on a stack */
void weir__overflow_guard_install(void);

#endif
