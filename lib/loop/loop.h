/* The two loops behind the face of task/sched.h: libev with the real clock, and a virtual clock
 * that jumps to the next timer. */
#ifndef WEIR_LOOP_LOOP_H
#define WEIR_LOOP_LOOP_H

#include <ev.h>

#include "task/sched.h"

/* The side of the real clock: libev's loop, the runtime's own or its caller's. */
struct weir__ev_side {
    struct weir__loop loop;
    struct ev_loop *ev;
};

/* A new loop in *out, or WEIR_ENOMEM. Freed by its own free. */
int weir__loop_ev_new(struct weir__loop **out);
int weir__loop_virtual_new(struct weir__loop **out);

/* libev's loop under the runtime, for watchers; NULL under the virtual clock. Watchers run on the
 * thread's own stack and may wake tasks, never switch to them. */
struct ev_loop *weir__rt_ev(struct weir__rt *rt);

/* An ev_async that does not keep the loop running, so that a deadlock is seen beside it: hold the
 * loop by ev_ref while a task waits for what it brings. 0 or WEIR_ENOMEM. */
int weir__async_start(struct ev_loop *ev, ev_async *async);
void weir__async_stop(struct ev_loop *ev, ev_async *async);

/* Internals of the layer. */
int64_t weir__ev_now_ns(struct weir__loop *loop);
void weir__ev_arm(struct ev_loop *ev, ev_timer *timer, int64_t delay_ns); /* fires once */
void weir__sigpipe_ignore(void); /* unless somebody has set a handler */

#endif
