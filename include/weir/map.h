/* A function over a source too large to hold: so many at a time, results as they complete or in
 * order, in memory that depends on the concurrency alone. */
#ifndef WEIR_MAP_H
#define WEIR_MAP_H

#include <stddef.h>

#include <weir/err.h>
#include <weir/opts.h>

typedef struct weir_map weir_map;

/* Gives the next item in *item (NULL is one like any other): 1, 0 at the end, or a WEIR_E code,
 * which ends the source. Called by one task of the map at a time; may suspend. */
typedef int (*weir_map_source_fn)(void *arg, void **item);

/* Works on an item and puts what is to be handed on into *result, which is NULL before. Returns 0
 * or a WEIR_E code. May suspend: it runs in one of the map's tasks, whose weir_task_arg is the item
 * meanwhile. A cancel of that task (by itself, say) is for this item alone. */
typedef int (*weir_map_worker_fn)(void *arg, void *item, void **result);

struct weir_map_opts {
    size_t size;        /* set by WEIR_MAP_OPTS */
    size_t concurrency; /* items worked on at a time; 0: 64 */
    int ordered;        /* nonzero: results in the order of the source; else as they complete */
    int reserved;       /* leave 0 */
    void *arg;          /* of source and worker */
    void (*drop)(void *arg, void *item, void *result); /* gets what is never handed on, to free it;
                                    result is NULL when there is none. May suspend; NULL: nothing */
};
#define WEIR_MAP_OPTS(...) WEIR__OPTS(weir_map_opts, __VA_ARGS__)

/* One that was worked on. */
struct weir_mapped {
    void *item;
    void *result;
    int status; /* what the worker returned */
};

#ifdef __cplusplus
extern "C" {
#endif

/* A map in *out, which begins to work; opts may be NULL. At most `concurrency` items are out of the
 * source and not yet handed on (twice that when ordered): a slow taker slows the source down. An
 * item costs no allocation and no task: as many tasks as are needed, `concurrency` at most, live as
 * long as the source. Free it with weir_map_free, before the runtime ends. Errors: WEIR_EINVAL (no
 * source or worker, a bad option), WEIR_ENOMEM, WEIR_ENORUNTIME. Does not suspend. */
WEIR_API int weir_map_new(weir_map **out, weir_map_source_fn source, weir_map_worker_fn worker,
                          const struct weir_map_opts *opts);

/* The next one that was worked on, in *mapped. Suspends while none is ready; several tasks are
 * served in the order in which they came. Returns 1, or
 *   0               all were handed on
 *   what the source failed with, after all others were handed on; WEIR_ENOMEM or WEIR_ENOSTACK
 *                   likewise when there is no memory for a single task of the map (with some, they
 *                   do it all)
 *   WEIR_ECANCELED  the caller is cancelled; nothing is lost. One that is ready is handed on to a
 *                   cancelled caller too
 *   WEIR_ECLOSED    the map is being freed
 *   WEIR_ENORUNTIME the caller is no task, and none is ready. */
WEIR_API int weir_map_next(weir_map *map, struct weir_mapped *mapped);

/* Takes nothing more out of the source; what is being worked on goes on to its end and can be
 * taken, then weir_map_next returns 0. A source that waits is cancelled, and not waited for; if it
 * gives an item nevertheless, `drop` gets it. May be called by source and worker. Does not suspend.
 */
WEIR_API void weir_map_stop(weir_map *map);

/* Cancels what is being worked on, waits for it (shielded) and frees the map; what was not handed
 * on goes to `drop`, in the calling task, when no task of the map runs any more. Those who wait in
 * weir_map_next get WEIR_ECLOSED and do not touch it again. NULL is fine. Nothing is done when the
 * map's own source or worker calls it, when another task is freeing it, or outside of a task while
 * a task of the map has not ended (weir_map_stop, and free it in a task). Suspends. */
WEIR_API void weir_map_free(weir_map *map);

#ifdef __cplusplus
}
#endif

#endif
