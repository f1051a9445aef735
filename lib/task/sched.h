/* The scheduler: a FIFO queue of ready tasks, timers, and one way of waiting under everything.
 *
 * A call that waits does
 *     struct weir__wait wait;
 *     int rc = weir__wait_begin(&wait);           // WEIR_ECANCELED, or WEIR_ENORUNTIME: no task
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
#include "task/ready.h"
#include "task/stack.h"

/* What turns the wheel: libev or the virtual clock (loop/). */
struct weir__loop {
    /* The monotonic clock, real or virtual. */
    int64_t (*now_ns)(struct weir__loop *loop);
    /* Handles what is ready, waiting for it until wake_ns (INT64_MAX: for ever) if nothing is.
     * WEIR_EDEADLK when it would wait for ever with nothing that could end it; else 0. */
    int (*wait)(struct weir__loop *loop, int64_t wake_ns);
    void (*free)(struct weir__loop *loop);
    /* A task was spawned outside of tasks: it is to have its turn, whatever the loop was about to
     * do. NULL where that cannot happen. */
    void (*kick)(struct weir__loop *loop);
    bool is_virtual;
};

/* A turn of tasks ends after so long, and I/O and timers are looked at: tasks that compute between
 * their waits must not starve them. */
#define WEIR__TURN_NS INT64_C(1000000)

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

/* A call at the end of the runtime, once its tasks have ended: for what later layers keep with it.
 */
struct weir__at_end {
    struct weir__list node;
    void (*run)(struct weir__at_end *at_end);
};

struct weir__rt;

/* Whether a runtime has ended, for those whose homes are in it: for all of them at once, since who
 * frees one from another thread then frees what that uses, too. */
struct weir__life {
    _Atomic size_t users;
    _Atomic bool ended;
    int64_t ended_ns; /* once it has */
};

struct weir__life *weir__life_new(void);  /* NULL: memory is out */
void weir__life_end(struct weir__rt *rt); /* behind the end of all that is in it */

enum weir__task_state { WEIR__TASK_NEW, WEIR__TASK_STARTED, WEIR__TASK_ENDED };

struct weir_task {
    /* What a switch touches comes first, so that it lies in one or two cache lines. */
    struct weir__ctx ctx;
    uint8_t state;
    bool cancelled;
    uint32_t awaiting;                /* tasks inside weir_await on it */
    struct weir__deadline *deadlines; /* innermost scope */
    struct weir__rt *rt;
    struct weir__wait *wait; /* what it is parked in */
    weir_group *group;
    weir_task_fn fn;
    void *arg;
    void *result;
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
};

struct weir_group {
    struct weir__rt *rt;
    struct weir__list in_rt;
    struct weir__list tasks;
    struct weir__list ended;      /* not yet delivered by weir_as_completed */
    struct weir__list joiners;    /* wait until nothing is live */
    struct weir__list collectors; /* wait for the next end */
    struct weir__list watchers;   /* in weir_wait */
    struct weir__list spawners;   /* wait until max_live allows another task */
    struct weir__stacks *stacks;  /* of its tasks */
    size_t live, max_live;
    size_t done, failed;       /* of the tasks that are not freed yet */
    size_t users;              /* tasks inside a call that waits on the group or its tasks */
    struct weir__wait *closer; /* weir_group_free, waiting for users to leave */
    int spawn_rc;              /* of the first spawn that failed */
    int first_failure;         /* by time; for fail_fast */
    bool fail_fast;
    bool closing;
};

struct weir__rt {
    struct weir__ctx ctx; /* of the thread's own stack */
    struct weir__fiber fiber;
    struct weir__fiber *left; /* whom the last switch came from */
    weir_task *current;
    struct weir__ready ready;
    weir_task *ended;         /* to be cleaned up once its stack is left */
    unsigned stint;           /* resumes left before the clock is looked at */
    unsigned budget;          /* and behind those, before I/O is looked at */
    unsigned looked_after;    /* how many there were between the last two looks */
    int64_t look_ns, turn_ns; /* the last look; the beginning of the turn */
    bool shuffle;
    struct weir__list deferred;
    struct weir__timers timers;
    struct weir__loop *loop;
    struct weir__stacks stacks[WEIR__STACK_CLASSES]; /* by size; made when they are first used */
    struct weir__stacks *default_stacks;
    int64_t trimmed_ns;
    uint64_t switches, turns;
    struct weir__rand rand;
    struct weir__list groups;
    weir_group root;          /* of the tasks that no task has spawned */
    struct weir__list at_end; /* struct weir__at_end */
    struct weir__life *life;  /* what the homes in it share */
    struct weir__pool *pool;  /* of weir_offload, from its first use on */
    size_t live;
    uint64_t serial; /* of no other runtime of the process, before or after */
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

/* The parts of it, for a runtime that others drive: begin it on this thread (WEIR_EINVAL), put
 * tasks into rt->root, give it turns, end it when no task is left (or none can move any more). */
int weir__sched_begin(struct weir__rt *rt, struct weir__loop *loop,
                      const struct weir_run_opts *opts);
void weir__sched_end(struct weir__rt *rt);

/* Fires timers, runs ready tasks for one turn, and then what they deferred. Not from inside a task.
 */
void weir__sched_turn(struct weir__rt *rt);

/* When the next turn is due: INT64_MIN at once, INT64_MAX once an event has woken a task. */
int64_t weir__sched_due_ns(const struct weir__rt *rt);

/* Lets I/O and timers have their turn before any other task. */
void weir__sched_end_turn(struct weir__rt *rt);

/* Cancels every task but the calling one. */
void weir__sched_cancel_all(struct weir__rt *rt);

static inline int64_t weir__now_ns(struct weir__rt *rt)
{
    return rt->loop->now_ns(rt->loop);
}

/* See above. Outside of a task, where callbacks run, weir__wait_begin says WEIR_ENORUNTIME; what
 * comes behind it, and the shielded form, is for tasks alone. */
int weir__wait_begin(struct weir__wait *wait);
void weir__wait_begin_shielded(struct weir__wait *wait);
int weir__park(struct weir__wait *wait);
bool weir__wake(struct weir__wait *wait, int result);      /* false: it was awake already */
void weir__wake_all(struct weir__list *queue, int result); /* all that wait in a queue */

/* Parks until when_ns at the latest, in the queue (NULL: none). 0 when the time came. */
int weir__park_until(struct weir__wait *wait, struct weir__list *queue, int64_t when_ns);

/* Queues the call, once; again after it has run. */
void weir__defer(struct weir__rt *rt, struct weir__deferred *deferred);

/* The same with scopes to look at: those whose time came while the task computed pass now, and a
 * shield hides what lies outside of it. */
bool weir__scopes_cancel(weir_task *task);

/* The calling task is cancelled or inside a deadline that has passed. */
static inline bool weir__cancel_pending(weir_task *task)
{
    return task->deadlines == NULL ? task->cancelled : weir__scopes_cancel(task);
}

/* No shield keeps a cancel of the task from its waits. */
bool weir__cancel_reaches(const weir_task *task);

/* Lets the time of an open scope, of whatever task, have come. */
void weir__deadline_expire(weir_deadline *scope);

/* When the nearest deadline of the calling task (NULL: none) passes; INT64_MAX: never. */
int64_t weir__deadline_ns(const weir_task *task);

/* As weir_spawn_named, for a task that owns a block of weir__alloc: it is freed with the task, or
 * at once when the spawn fails. A NULL block counts as a failed allocation. A task that is
 * cancelled before its turn never calls fn: unstarted(task) is called instead as it ends. */
weir_task *weir__spawn_owning(weir_group *group, weir_task_fn fn, void *arg, const char *name,
                              void *owned, void (*unstarted)(weir_task *task));
static inline bool weir__task_failed(const weir_task *task)
{
    return task->status != 0 && task->status != WEIR_ECANCELED;
}
static inline void *weir__task_owned(const weir_task *task)
{
    return task->owned;
}

/* Internals of the layer. */
static inline void weir__task_ready(weir_task *task)
{
    weir__ready_push(&task->rt->ready, task);
}
void weir__suspend(weir_task *task); /* gives up the processor; something must make it ready */
struct weir__stacks *weir__rt_stacks(struct weir__rt *rt, uint32_t kib); /* NULL: kib is wrong */
void weir__task_cancel(weir_task *task);
void weir__task_interrupt(weir_task *task); /* ends its wait, if a cancel may */
void weir__group_init(weir_group *group, struct weir__rt *rt);
void weir__group_task_ended(weir_task *task);
weir_task *weir__task_new(weir_group *group, weir_task_fn fn, void *arg, const char *name);
void weir__tasks_free(weir_group *group); /* all of them; none may be on a stack */
void weir__overflow_guard_install(void);

#endif
