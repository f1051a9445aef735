/* Things tasks wait for each other with. All are strictly first come first served. */
#ifndef WEIR_SYNC_H
#define WEIR_SYNC_H

#include <stddef.h>

#include <weir/err.h>

/* A counting semaphore (asyncio.Semaphore). */
typedef struct weir_semaphore weir_semaphore;

#ifdef __cplusplus
extern "C" {
#endif

/* A semaphore with `permits` permits (0 is allowed) in *out. Free it with weir_semaphore_free.
 * Errors: WEIR_ENOMEM, WEIR_ENORUNTIME. */
WEIR_API int weir_semaphore_new(weir_semaphore **out, size_t permits);

/* Frees it. NULL is fine. Tasks that still wait on it get WEIR_ECLOSED. */
WEIR_API void weir_semaphore_free(weir_semaphore *semaphore);

/* Takes one permit. Suspends while there is none or others wait already; a release hands its
 * permit to the one that waits longest, so nobody overtakes. Returns 0, or WEIR_ECANCELED (no
 * permit was taken), or WEIR_ECLOSED. A permit once handed over is never lost: a task cancelled
 * after that still gets 0 here, and sees the cancel at its next wait. */
WEIR_API int weir_semaphore_acquire(weir_semaphore *semaphore);

/* Takes a permit if one is free and nobody waits: 0, else WEIR_EBUSY. Does not suspend. */
WEIR_API int weir_semaphore_try(weir_semaphore *semaphore);

/* Gives one permit back. Does not suspend. */
WEIR_API void weir_semaphore_release(weir_semaphore *semaphore);

/* Permits free now, and tasks that wait. */
WEIR_API size_t weir_semaphore_permits(const weir_semaphore *semaphore);
WEIR_API size_t weir_semaphore_waiting(const weir_semaphore *semaphore);

#ifdef __cplusplus
}
#endif

#endif
