/* Things tasks wait for each other with: asyncio's, with its historic defects left out.
 *
 * Three rules hold for all of them:
 *   - Strictly first come first served. What is released is handed to the one that waits longest;
 *     a newcomer never overtakes.
 *   - First wake wins. What was handed over is never lost: a task that is cancelled after that
 *     still gets 0 here and sees the cancel at its next wait. A task that is cancelled before gets
 *     WEIR_ECANCELED and holds nothing.
 *   - Freeing one wakes those who wait with WEIR_ECLOSED; they do not touch it again.
 * What suspends returns WEIR_ENORUNTIME outside of tasks, at once and even when it would not have
 * to wait; what does not suspend can be called there too, but for a lock, whose owner is a task.
 * They are for the tasks of one runtime, and not guarded against other threads; once it has ended
 * they can still be freed.
 * The `new` functions fill *out and fail with WEIR_ENOMEM, WEIR_ENORUNTIME or WEIR_EINVAL; the
 * `free` functions take NULL. Nothing here suspends unless its comment says so. */
#ifndef WEIR_SYNC_H
#define WEIR_SYNC_H

#include <stddef.h>

#include <weir/err.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- semaphore: asyncio.Semaphore, BoundedSemaphore ---- */

typedef struct weir_semaphore weir_semaphore;

/* `permits` permits at the start (0 is allowed); max: a release that would bring more is refused;
 * 0: no maximum. WEIR_EINVAL for permits > max > 0. */
WEIR_API int weir_semaphore_new(weir_semaphore **out, size_t permits, size_t max);
WEIR_API void weir_semaphore_free(weir_semaphore *semaphore);

/* Takes n permits (>= 1) in one step. Suspends while they are not there or others wait already; who
 * wants many is not overtaken by later ones who want few, but lets them through as soon as it is
 * cancelled. 0, WEIR_ECANCELED, WEIR_ECLOSED, or WEIR_ENEVER for n = 0 or over the maximum. */
WEIR_API int weir_semaphore_acquire_n(weir_semaphore *semaphore, size_t n);
WEIR_API int weir_semaphore_acquire(weir_semaphore *semaphore); /* one */

/* Takes n if they are free now and nobody waits: 0, else WEIR_EBUSY (or WEIR_ENEVER). */
WEIR_API int weir_semaphore_try_n(weir_semaphore *semaphore, size_t n);
WEIR_API int weir_semaphore_try(weir_semaphore *semaphore); /* one */

/* Gives n permits back: wakes, in this turn, all whom they serve. 0, or WEIR_EINVAL when that would
 * pass the maximum (nothing is given back then). */
WEIR_API int weir_semaphore_release_n(weir_semaphore *semaphore, size_t n);
WEIR_API int weir_semaphore_release(weir_semaphore *semaphore); /* one */

/* Permits free now, and tasks that wait. */
WEIR_API size_t weir_semaphore_permits(const weir_semaphore *semaphore);
WEIR_API size_t weir_semaphore_waiting(const weir_semaphore *semaphore);

/* ---- lock: asyncio.Lock ---- */

typedef struct weir_lock weir_lock;

/* A lock that nobody owns. Freed, those who wait for it get WEIR_ECLOSED. */
WEIR_API int weir_lock_new(weir_lock **out);
WEIR_API void weir_lock_free(weir_lock *lock);

/* Makes the calling task the owner. Suspends while another is. 0, WEIR_ECANCELED, WEIR_ECLOSED, or
 * WEIR_EDEADLK when the caller owns it already. */
WEIR_API int weir_lock_acquire(weir_lock *lock);

/* Makes the calling task the owner if that can be had at once: 0, WEIR_EBUSY when it is owned or
 * somebody waits for it, WEIR_EDEADLK, WEIR_ENORUNTIME. */
WEIR_API int weir_lock_try(weir_lock *lock);

/* Gives it to the task that waits longest: 0, or WEIR_EINVAL when the caller is not the owner. */
WEIR_API int weir_lock_release(weir_lock *lock);
WEIR_API int weir_lock_is_held(const weir_lock *lock); /* by anyone */

/* ---- event: asyncio.Event ---- */

typedef struct weir_event weir_event;

/* An event that is not set. */
WEIR_API int weir_event_new(weir_event **out);
WEIR_API void weir_event_free(weir_event *event);

/* Wakes all who wait, and lets later ones through until it is cleared. Those who waited when it was
 * set go on even if it is cleared before they run. */
WEIR_API void weir_event_set(weir_event *event);
WEIR_API void weir_event_clear(weir_event *event);
WEIR_API int weir_event_is_set(const weir_event *event);

/* Suspends until it is set. 0, WEIR_ECANCELED, WEIR_ECLOSED. */
WEIR_API int weir_event_wait(weir_event *event);

/* ---- condition: asyncio.Condition ---- */

typedef struct weir_condition weir_condition;

/* lock: borrowed, may be shared by several conditions, must outlive them. */
WEIR_API int weir_condition_new(weir_condition **out, weir_lock *lock);
WEIR_API void weir_condition_free(weir_condition *condition);

/* Gives the lock back, waits for a notify, takes the lock again; check what you wait for in a loop.
 * Suspends. The caller owns the lock again in every case but WEIR_EINVAL (it did not own it) and
 * WEIR_ECLOSED of the lock itself: taking it again is shielded from cancels. 0, WEIR_ECANCELED,
 * WEIR_ECLOSED. A notify that met a task that was cancelled before it is passed on to the next
 * one. */
WEIR_API int weir_condition_wait(weir_condition *condition);

/* Wakes up to n who wait, those who wait longest first (SIZE_MAX: all). 0, or WEIR_EINVAL when the
 * caller does not own the lock. */
WEIR_API int weir_condition_notify(weir_condition *condition, size_t n);

/* ---- queue: asyncio.Queue with a bound and shutdown ---- */

typedef struct weir_queue weir_queue;

/* A queue of up to `capacity` pointers (1 .. SIZE_MAX / 2 / sizeof(void *)). */
WEIR_API int weir_queue_new(weir_queue **out, size_t capacity);

/* Items that are still in it are the caller's to have taken out. */
WEIR_API void weir_queue_free(weir_queue *queue);

/* Puts an item (NULL is one like any other). Suspends while the queue is full. 0, WEIR_ECANCELED
 * (the item was not put), WEIR_ECLOSED. */
WEIR_API int weir_queue_put(weir_queue *queue, void *item);
WEIR_API int weir_queue_try_put(weir_queue *queue, void *item); /* or WEIR_EBUSY */

/* Takes the oldest item into *item. Suspends while the queue is empty. 0, WEIR_ECANCELED (nothing
 * was taken), WEIR_ECLOSED once it is closed and empty. */
WEIR_API int weir_queue_get(weir_queue *queue, void **item);
WEIR_API int weir_queue_try_get(weir_queue *queue, void **item); /* or WEIR_EBUSY */

/* No more items: putters get WEIR_ECLOSED, getters the items that are left and then WEIR_ECLOSED.
 */
WEIR_API void weir_queue_close(weir_queue *queue);

/* Items that are in it. */
WEIR_API size_t weir_queue_count(const weir_queue *queue);

/* ---- barrier: asyncio.Barrier ---- */

typedef struct weir_barrier weir_barrier;

/* For `parties` tasks (1 .. INT_MAX) at a time; it can be used again and again. */
WEIR_API int weir_barrier_new(weir_barrier **out, size_t parties);
WEIR_API void weir_barrier_free(weir_barrier *barrier);

/* Suspends until as many have arrived as there are parties. Returns the place of arrival (0 first),
 * WEIR_ECANCELED (the caller counts as not arrived), or WEIR_ECLOSED. */
WEIR_API int weir_barrier_wait(weir_barrier *barrier);

/* ---- once ---- */

typedef struct weir_once weir_once;

/* What is to be done once, and is not yet. */
WEIR_API int weir_once_new(weir_once **out);
WEIR_API void weir_once_free(weir_once *once);

/* The first caller runs fn(arg); those who come meanwhile wait for its end; all get what it
 * returned, later ones at once, cancelled, a task or not. If the one who runs it fails with
 * WEIR_ECANCELED, the one that waits longest runs its own fn(arg): a cancel of one task is no
 * result for the others. Suspends. WEIR_ECANCELED, WEIR_ECLOSED, or what fn returned; WEIR_EDEADLK
 * when fn calls it itself. Freed while fn runs, fn runs to its end, and its caller gets what it
 * returned. */
WEIR_API int weir_once_run(weir_once *once, int (*fn)(void *arg), void *arg);

#ifdef __cplusplus
}
#endif

#endif
