/* The two loops behind the face of task/sched.h: libev with the real clock, and a virtual clock
 * that jumps to the next timer. */
#ifndef WEIR_LOOP_LOOP_H
#define WEIR_LOOP_LOOP_H

#include <ev.h>

#include "task/sched.h"

/* A new loop in *out, or WEIR_ENOMEM. Freed by its own free. */
int weir__loop_ev_new(struct weir__loop **out);
int weir__loop_virtual_new(struct weir__loop **out);

/* libev's loop under the runtime, for watchers; NULL under the virtual clock. Watchers run on the
 * thread's own stack and may wake tasks, never switch to them. */
struct ev_loop *weir__rt_ev(struct weir__rt *rt);

#endif
