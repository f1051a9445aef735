/* Blocking functions on other threads, and news from other threads. */
#ifndef WEIR_OFFLOAD_H
#define WEIR_OFFLOAD_H

#include <weir/err.h>

/* What lets another thread wake a task. */
typedef struct weir_waker weir_waker;

#ifdef __cplusplus
extern "C" {
#endif

/* Runs fn(arg) on a thread of a small pool while the calling task waits (asyncio.to_thread): for
 * what would block the loop, such as fsync, a slow file system or a long computation. fn must not
 * call weir functions; arg needs no lock, since the caller waits. The pool has at most 4 threads
 * for each runtime, made as needed; who comes when all are busy waits in order. Suspends.
 *
 * A cancel (or a deadline) takes effect before fn has begun: WEIR_ECANCELED, and fn never runs.
 * Once it runs the call waits for its end whatever happens, since fn may use what lies on the
 * caller's stack, and returns its result; the cancel is seen at the next wait. Returns what fn
 * returned, or WEIR_ECANCELED, WEIR_ENOMEM (no thread or descriptor could be had), WEIR_ENORUNTIME
 * (also outside of tasks). Under the virtual clock fn runs on the caller's own thread, while time
 * stands still, so that runs stay deterministic. When weir_run ends, threads that work are waited
 * for. */
WEIR_API int weir_offload(int (*fn)(void *arg), void *arg);

/* A waker in *out, for this runtime. Free it with weir_waker_free, there or when that has ended;
 * nobody may be signalling it meanwhile, nor while the runtime ends. Errors: WEIR_ENOMEM (also: no
 * descriptor), WEIR_ENORUNTIME, WEIR_ENOTSUP (under the virtual clock). */
WEIR_API int weir_waker_new(weir_waker **out);
WEIR_API void weir_waker_free(weir_waker *waker); /* NULL is fine; who waits gets WEIR_ECLOSED */

/* The one function of weir that any thread may call, and a signal handler too. Wakes the task that
 * waits, or the next that does; several signals may count as one. What was written before it can be
 * read by the task that it wakes. Does nothing once the runtime has ended. */
WEIR_API void weir_waker_signal(weir_waker *waker);

/* Suspends until it was signalled since the last return. While a task waits here, other tasks that
 * wait for ever are no deadlock. 0, WEIR_ECANCELED, WEIR_ECLOSED, WEIR_EBUSY when another task
 * waits on it already, WEIR_ENORUNTIME outside of tasks and of the waker's runtime. */
WEIR_API int weir_waker_wait(weir_waker *waker);

#ifdef __cplusplus
}
#endif

#endif
