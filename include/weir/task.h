/* Tasks, groups and deadlines: asyncio's words in straight-line C.
 *
 *   asyncio.run            weir_run              asyncio.gather        weir_gather
 *   TaskGroup.create_task  weir_spawn            asyncio.as_completed  weir_as_completed
 *   await task             weir_await            asyncio.timeout       weir_deadline_begin_ms
 *   asyncio.sleep          weir_sleep_ms         task.cancel (all)     weir_group_cancel
 *
 * A task is a function that runs on a stack of its own. A call that "suspends" lets other tasks of
 * the same thread run until it can go on; every other call runs through at once. One runtime
 * lives in one thread and its objects (tasks, groups, semaphores, limiters, clients) stay there.
 * Tasks and groups are gone when it ends, and a map is freed before that; the others are the
 * caller's to free, then or later.
 *
 * What suspends needs a task. Outside of one, as in a watcher's callback beside an embedded runtime
 * (embed.h), such a call returns WEIR_ENORUNTIME and changes nothing. Only a call whose comment
 * names when it suspends may have its answer without that: weir_await of a task that has ended.
 *
 * Cancelling is a return value: a cancelled task's waiting calls return WEIR_ECANCELED, at once
 * and again and again, until the task's function has returned. It is never a jump out of your
 * code, so whatever you hold you can give back. */
#ifndef WEIR_TASK_H
#define WEIR_TASK_H

#include <stddef.h>
#include <stdint.h>

#include <weir/err.h>
#include <weir/opts.h>

typedef struct weir_task weir_task;
typedef struct weir_group weir_group;

/* An async function: returns 0 or a negative WEIR_E code. */
typedef int (*weir_task_fn)(void *arg);

enum weir_clock {
    WEIR_CLOCK_REAL = 0, /* the monotonic clock and libev */
    WEIR_CLOCK_VIRTUAL,  /* jumps to the next timer whenever no task can run; no real I/O */
};

struct weir_run_opts {
    size_t size; /* set by WEIR_RUN_OPTS */
    enum weir_clock clock;
    uint64_t seed;      /* of every random number drawn inside; 0: from the system on the real
                           clock, a constant on the virtual one */
    uint32_t stack_kib; /* stack of each task in KiB, rounded up to a power of two,
                           16 .. 65536; 0: 64 (256 under AddressSanitizer) */
    int shuffle;        /* nonzero: ready tasks run in an order drawn from the seed, not first come
                           first served: a test meets orders that a real run meets rarely */
};

struct weir_group_opts {
    size_t size;        /* set by WEIR_GROUP_OPTS */
    int fail_fast;      /* nonzero: the first task that fails (other than by WEIR_ECANCELED) cancels
                           the others, and no more can be spawned, as asyncio.TaskGroup; 0: all
                           run to their end, as gather with return_exceptions */
    uint32_t stack_kib; /* as weir_run_opts, for the tasks of this group; 0: the runtime's */
    size_t max_live;    /* unfinished tasks at most; weir_spawn suspends meanwhile; 0: no bound */
};
#define WEIR_GROUP_OPTS(...) WEIR__OPTS(weir_group_opts, __VA_ARGS__)

/* What weir_wait waits for. */
enum weir_wait_for {
    WEIR_WAIT_ALL = 0,
    WEIR_WAIT_FIRST_COMPLETED,
    WEIR_WAIT_FIRST_FAILED, /* or all; a cancelled task has not failed */
};
#define WEIR_FOREVER INT64_C(-1)

struct weir_runtime_stats {
    size_t size;        /* sizeof(struct weir_runtime_stats): set it before the call */
    size_t tasks;       /* that have not ended */
    size_t ready;       /* of those, waiting for the processor */
    size_t stacks;      /* in use */
    size_t stacks_kept; /* free and ready for the next task */
    size_t stack_bytes; /* address space of all stacks; resident are the pages that were used */
    uint64_t spawned;   /* tasks since the start */
    uint64_t switches;  /* from one stack to another */
    uint64_t turns;     /* looks at I/O and timers */
};
#define WEIR_RUN_OPTS(...) WEIR__OPTS(weir_run_opts, __VA_ARGS__)

#ifdef __cplusplus
extern "C" {
#endif

/* Starts a runtime on this thread, runs fn(arg) as its first task, and returns when fn has
 * returned and every group that is still open has been cancelled and joined. opts may be NULL.
 * Returns what fn returned, or
 *   WEIR_EBUSY    a runtime is already running on this thread
 *   WEIR_EINVAL   a bad option
 *   WEIR_ENOMEM, WEIR_ENOSTACK  nothing was started
 *   WEIR_EDEADLK  every task waited and nothing could have woken one; all were cancelled.
 * Ignores SIGPIPE for the process if nobody set a handler for it, and sets, once, a handler for
 * SIGSEGV on a signal stack that names the task whose stack overflowed and then leaves the fault to
 * the handler that was there before. */
WEIR_API int weir_run(weir_task_fn fn, void *arg, const struct weir_run_opts *opts);

/* A new group in *out: an owner of tasks. opts may be NULL. Free it with weir_group_free.
 * Errors: WEIR_EINVAL, WEIR_ENOMEM, WEIR_ENORUNTIME. Does not suspend. */
WEIR_API int weir_group_new(weir_group **out, const struct weir_group_opts *opts);

/* Cancels what still runs in the group, waits for it, frees the group and all its task handles.
 * Suspends while a task still runs or somebody is inside a call that waits on it, and goes on
 * waiting even when the caller itself is cancelled. A NULL group is fine. Returns 0, or
 * WEIR_EDEADLK when the caller is itself a task of this group or another task is freeing it, or
 * WEIR_ENORUNTIME outside of a task when it would have to wait (nothing is done in either case). */
WEIR_API int weir_group_free(weir_group *group);

/* Starts fn(arg) as a task of the group; it first runs after the caller suspends, in the order of
 * spawning. The name, shown in diagnostics, is the text of fn. Returns a handle that the group owns
 * and that is valid until the group or the task is freed; or NULL when memory is out, the group is
 * being freed, or the caller was cancelled while it waited, which the group remembers: weir_gather
 * then returns the error, so that loops need not check each call. Suspends only while the group has
 * max_live unfinished tasks (outside of a task: NULL, and the group remembers WEIR_ENORUNTIME).
 * NULL on another thread than the group's, too, of which the group knows nothing. */
#define weir_spawn(group, fn, arg) weir_spawn_named((group), (fn), (arg), #fn)

/* As weir_spawn with a name of your own, which must live as long as the task. */
WEIR_API weir_task *weir_spawn_named(weir_group *group, weir_task_fn fn, void *arg,
                                     const char *name);

/* Waits until every task of the group has ended. Returns 0 when all returned 0 and all spawns
 * succeeded, else the error of the first task, in order of spawning, that failed. (The others run
 * to their end; their results are in their handles.) When the caller is cancelled meanwhile, the
 * group's tasks are cancelled too and the call returns WEIR_ECANCELED without waiting for them.
 * Other errors: WEIR_EDEADLK when called from a task of this group, WEIR_ENORUNTIME (nothing is
 * cancelled then). Suspends while a task has not ended. */
WEIR_API int weir_gather(weir_group *group);

/* The next ended task of the group, in order of completion, each once; NULL when every task was
 * delivered, or when the caller is cancelled (weir_cancelled tells) or no task. New tasks may be
 * spawned between calls. Suspends while none has ended. A cancel or deadline of the caller does not
 * touch the tasks: weir_group_cancel or weir_group_free ends them. */
WEIR_API weir_task *weir_as_completed(weir_group *group);

/* Waits for tasks of the group, at most timeout_ms (WEIR_FOREVER:
 * without end; 0 looks and does not wait). Running out of time is no error and cancels nothing.
 * Returns how many tasks of the group have ended (weir_task_ended tells which), or WEIR_ECANCELED
 * when the caller is cancelled, WEIR_EDEADLK from a task of this group, WEIR_ENORUNTIME. Suspends
 * while what it waits for has not come and time is left. */
WEIR_API int weir_wait(weir_group *group, enum weir_wait_for what, int64_t timeout_ms);

/* Cancels one task, without waiting: its waits return WEIR_ECANCELED from now on. If it has not
 * started yet it never runs. Nothing happens to one that has ended. A task may cancel itself. */
WEIR_API void weir_task_cancel(weir_task *task);

/* Cancels every unfinished task of the group, without waiting. A task that has not started yet
 * never runs and ends with WEIR_ECANCELED. */
WEIR_API void weir_group_cancel(weir_group *group);

/* The first spawned task of a group, and the one spawned after `task`; NULL at the end. */
WEIR_API weir_task *weir_group_first(const weir_group *group);
WEIR_API weir_task *weir_task_next(const weir_task *task);

/* Waits for the end of one task and returns its status. Several tasks may await one. Returns
 * WEIR_ECANCELED also when the caller is cancelled (the awaited task goes on), WEIR_EDEADLK when
 * a task awaits itself, WEIR_ENORUNTIME. Suspends unless the task has ended. */
WEIR_API int weir_await(weir_task *task);

/* 1 once the task has ended, else 0. */
WEIR_API int weir_task_ended(const weir_task *task);

/* A pointer that the calling task leaves for those who look at its handle, and that pointer; NULL
 * before. The runtime never frees it. */
WEIR_API void weir_task_set_result(void *result);
WEIR_API void *weir_task_result(const weir_task *task);

/* What the task's function returned, or WEIR_ECANCELED, WEIR_ENOSTACK, WEIR_ENOMEM if it never ran;
 * WEIR_EBUSY while it has not ended. */
WEIR_API int weir_task_status(const weir_task *task);
WEIR_API void *weir_task_arg(const weir_task *task);
WEIR_API const char *weir_task_name(const weir_task *task);

/* Frees an ended task before its group goes, for groups that live long. NULL is fine. Returns 0,
 * or WEIR_EBUSY when it has not ended or somebody awaits it (nothing is done then). */
WEIR_API int weir_task_free(weir_task *task);

/* The calling task; NULL outside of tasks. */
WEIR_API weir_task *weir_task_self(void);

/* Lets every other ready task run once. Returns 0, WEIR_ECANCELED or WEIR_ENORUNTIME. Suspends. */
WEIR_API int weir_yield(void);

/* For long computations: WEIR_ECANCELED when the calling task is cancelled, else 0. Suspends, as
 * weir_yield, only when the task has had the processor for a millisecond. WEIR_ENORUNTIME. */
WEIR_API int weir_checkpoint(void);

/* Suspends for ms milliseconds; 0 or less is weir_yield. Returns 0, WEIR_ECANCELED or
 * WEIR_ENORUNTIME. */
WEIR_API int weir_sleep_ms(int64_t ms);

/* 1 when the calling task is cancelled or inside a deadline that has passed, so that its next
 * waiting call would return WEIR_ECANCELED; else 0. Does not suspend. */
WEIR_API int weir_cancelled(void);

/* The runtime's clock (monotonic, real or virtual) in milliseconds and nanoseconds since a
 * fixed point; 0 outside of weir_run. */
WEIR_API int64_t weir_now_ms(void);
WEIR_API int64_t weir_now_ns(void);

/* A deadline scope: storage for weir_deadline_begin_ms, usually a local variable. The members are
 * private. */
typedef struct weir_deadline {
    int64_t private_[12];
} weir_deadline;

/* Bounds every wait of the calling task until the matching weir_deadline_end: once ms milliseconds
 * have passed they return WEIR_ECANCELED. Scopes nest strictly, innermost ended first; a deadline
 * later than an enclosing one changes nothing; tasks that are spawned inside are not bounded by it.
 * ms <= 0 has passed at once. Does not suspend. Outside of a task a scope bounds nothing, and
 * weir_deadline_end returns rc as it is. One that is open when the task's function returns ends
 * with it.
 *
 *     weir_deadline limit;
 *     weir_deadline_begin_ms(&limit, 500);
 *     int rc = work();
 *     rc = weir_deadline_end(&limit, rc);    // WEIR_ETIMEDOUT if the 500 ms cut it off
 */
WEIR_API void weir_deadline_begin_ms(weir_deadline *scope, int64_t ms);

/* As weir_deadline_begin_ms for a point of time on the clock of weir_now_ms. */
WEIR_API void weir_deadline_begin_at_ms(weir_deadline *scope, int64_t when_ms);

/* Moves the end of an open scope of the calling task to ms from now. A scope that has passed stays
 * so: WEIR_ETIMEDOUT; else 0. */
WEIR_API int weir_deadline_reset_ms(weir_deadline *scope, int64_t ms);

/* 1 when the scope's own time has passed. */
WEIR_API int weir_deadline_passed(const weir_deadline *scope);

/* Ends the scope. rc is what the work inside returned, and is returned again, with one exception:
 * WEIR_ECANCELED becomes WEIR_ETIMEDOUT when it was this scope's own deadline that passed and the
 * task was not also cancelled from outside (as asyncio.timeout). */
WEIR_API int weir_deadline_end(weir_deadline *scope, int rc);

/* Milliseconds, rounded up, until the nearest deadline of the calling task; 0 when one has passed,
 * INT64_MAX when there is none, as outside of tasks. */
WEIR_API int64_t weir_deadline_left_ms(void);

/* Inside the scope neither a cancel of the task nor a deadline from outside the scope ends a wait:
 * for what must be finished, such as giving something back over the network. Not for ever: limit_ms
 * (> 0) bounds it as a deadline of its own. End it with weir_deadline_end, which turns
 * WEIR_ECANCELED into WEIR_ETIMEDOUT when the limit passed; a cancel that came meanwhile is seen at
 * the next wait after it. (asyncio.shield keeps an awaited task from its awaiter's cancel; here
 * weir_await never cancels what it awaits.) */
WEIR_API void weir_shield_begin_ms(weir_deadline *scope, int64_t limit_ms);

/* Fills *stats, whose size must be set, with figures of this thread's runtime: 0, WEIR_EINVAL, or
 * WEIR_ENORUNTIME (they are 0 then). */
WEIR_API int weir_runtime_stats(struct weir_runtime_stats *stats);

#ifdef __cplusplus
}
#endif

#endif
