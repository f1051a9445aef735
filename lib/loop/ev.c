#include <weir/err.h>

#include "base/clock.h"
#include "base/mem.h"
#include "loop/loop.h"

struct ev_side {
    struct weir__loop loop;
    struct ev_loop *ev;
    ev_timer wake;
};

static struct ev_side *side_of(struct weir__loop *loop)
{
    return WEIR__CONTAINER(loop, struct ev_side, loop);
}

static int64_t now_ns(struct weir__loop *loop)
{
    (void)loop;
    return weir__clock_mono_ns();
}

/* Its firing ends ev_run; the scheduler looks at its own timers then. */
static void on_wake(struct ev_loop *ev, ev_timer *timer, int events)
{
    (void)ev;
    (void)timer;
    (void)events;
}

/* libev's own idea of the time may be old when a task has computed for long, and a relative timer
 * would then fire early: refresh it first. */
static void arm(struct ev_side *side, int64_t delay_ns)
{
    ev_now_update(side->ev);
    ev_timer_set(&side->wake, (double)delay_ns / 1e9, 0.0);
    ev_timer_start(side->ev, &side->wake);
}

static int wait_for_events(struct weir__loop *loop, int64_t wake_ns)
{
    struct ev_side *side = side_of(loop);
    if (wake_ns == INT64_MAX)
        return ev_run(side->ev, EVRUN_ONCE) == 0 ? WEIR_EDEADLK : 0; /* 0: no watcher is left */
    int64_t delay_ns = wake_ns == INT64_MIN ? 0 : wake_ns - weir__clock_mono_ns();
    if (delay_ns <= 0) {
        ev_run(side->ev, EVRUN_NOWAIT);
        return 0;
    }
    arm(side, delay_ns);
    ev_run(side->ev, EVRUN_ONCE);
    ev_timer_stop(side->ev, &side->wake);
    return 0;
}

static void free_side(struct weir__loop *loop)
{
    struct ev_side *side = side_of(loop);
    ev_loop_destroy(side->ev);
    weir__free(side);
}

int weir__loop_ev_new(struct weir__loop **out)
{
    struct ev_side *side = weir__zalloc(sizeof *side);
    if (side == NULL)
        return WEIR_ENOMEM;
    side->loop = (struct weir__loop){.now_ns = now_ns,
                                     .wait = wait_for_events,
                                     .free = free_side,
                                     .is_virtual = false};
    side->ev = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
    if (side->ev == NULL)
        side->ev = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
    if (side->ev == NULL) {
        weir__free(side);
        return WEIR_ENOMEM;
    }
    ev_timer_init(&side->wake, on_wake, 0.0, 0.0);
    *out = &side->loop;
    return 0;
}

struct ev_loop *weir__rt_ev(struct weir__rt *rt)
{
    return rt->loop->is_virtual ? NULL : side_of(rt->loop)->ev;
}
