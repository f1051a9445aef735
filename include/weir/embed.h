/* A runtime inside of somebody else's libev loop, which drives other watchers too. */
#ifndef WEIR_EMBED_H
#define WEIR_EMBED_H

#include <weir/task.h>

struct ev_loop;
typedef struct weir_embed weir_embed;

#ifdef __cplusplus
extern "C" {
#endif

/* Attaches a runtime to the loop, on the loop's thread; tasks run whenever the loop does (ev_run),
 * one turn of them before each wait of the loop. From now on clients, semaphores and the like can
 * be made outside of tasks too; what suspends needs a task, and returns WEIR_ENORUNTIME in a
 * callback. opts as weir_run's, but for the clock, which is the real one; SIGPIPE as there. Free it
 * with weir_embed_free, before the loop goes; clients and the like then or later, even when the
 * loop is gone. The functions below are for the loop's thread: on another they do nothing, and
 * return WEIR_ENORUNTIME. Errors: WEIR_EBUSY (this thread has a runtime), WEIR_EINVAL,
 * WEIR_ENOMEM. */
WEIR_API int weir_embed_new(weir_embed **out, struct ev_loop *loop,
                            const struct weir_run_opts *opts);

/* Starts fn(arg) as a task from outside of any task, such as a watcher's callback; done (may be
 * NULL) is called with its status and arg from the loop once it has ended. An unfinished task keeps
 * ev_run running, as an active watcher does; a deadlock among tasks is not looked for. 0,
 * WEIR_ENOMEM, WEIR_ECLOSED after weir_embed_stop. */
WEIR_API int weir_embed_spawn(weir_embed *embed, weir_task_fn fn, void *arg,
                              void (*done)(int status, void *arg));

/* Cancels all tasks; they end as the loop goes on, and no more are taken (WEIR_ECLOSED). */
WEIR_API void weir_embed_stop(weir_embed *embed);

/* Detaches and frees it: 0. Tasks that have not ended are cancelled, and the loop is run until they
 * have. NULL is fine. From done too, but not from inside a task or while it is under way:
 * WEIR_EDEADLK, and nothing is done. */
WEIR_API int weir_embed_free(weir_embed *embed);

#ifdef __cplusplus
}
#endif

#endif
