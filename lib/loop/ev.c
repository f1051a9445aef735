#include <sys/eventfd.h>
#include <unistd.h>

#include <weir/err.h>

#include "base/clock.h"
#include "base/mem.h"
#include "loop/loop.h"

struct own_side {
    struct weir__ev_side ev;
    ev_timer wake;
};

static struct own_side *side_of(struct weir__loop *loop)
{
    return WEIR__CONTAINER(loop, struct own_side, ev.loop);
}

int64_t weir__ev_now_ns(struct weir__loop *loop)
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
void weir__ev_arm(struct ev_loop *ev, ev_timer *timer, int64_t delay_ns)
{
    ev_timer_stop(ev, timer);
    ev_now_update(ev);
    ev_timer_set(timer, (double)delay_ns / 1e9, 0.0);
    ev_timer_start(ev, timer);
}

static int wait_for_events(struct weir__loop *loop, int64_t wake_ns)
{
    struct own_side *side = side_of(loop);
    struct ev_loop *ev = side->ev.ev;
    if (wake_ns == INT64_MAX)
        return ev_run(ev, EVRUN_ONCE) == 0 ? WEIR_EDEADLK : 0; /* 0: no watcher is left */
    int64_t delay_ns = wake_ns == INT64_MIN ? 0 : wake_ns - weir__clock_mono_ns();
    if (delay_ns <= 0) {
        ev_run(ev, EVRUN_NOWAIT);
        return 0;
    }
    weir__ev_arm(ev, &side->wake, delay_ns);
    ev_run(ev, EVRUN_ONCE);
    ev_timer_stop(ev, &side->wake);
    return 0;
}

static void free_side(struct weir__loop *loop)
{
    struct own_side *side = side_of(loop);
    ev_loop_destroy(side->ev.ev);
    weir__free(side);
}

int weir__loop_ev_new(struct weir__loop **out)
{
    struct own_side *side = weir__zalloc(sizeof *side);
    if (side == NULL)
        return WEIR_ENOMEM;
    side->ev.loop = (struct weir__loop){.now_ns = weir__ev_now_ns,
                                        .wait = wait_for_events,
                                        .free = free_side,
                                        .is_virtual = false};
    side->ev.ev = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
    if (side->ev.ev == NULL)
        side->ev.ev = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
    if (side->ev.ev == NULL) {
        weir__free(side);
        return WEIR_ENOMEM;
    }
    ev_timer_init(&side->wake, on_wake, 0.0, 0.0);
    *out = &side->ev.loop;
    return 0;
}

struct ev_loop *weir__rt_ev(struct weir__rt *rt)
{
    if (rt->loop->is_virtual)
        return NULL;
    return WEIR__CONTAINER(rt->loop, struct weir__ev_side, loop)->ev;
}

/* libev ends the program when it cannot have the descriptor that an ev_async needs, so ask first.
 */
static bool descriptor_is_free(void)
{
    int fd = eventfd(0, EFD_CLOEXEC);
    if (fd < 0)
        return false;
    close(fd);
    return true;
}

int weir__async_start(struct ev_loop *ev, ev_async *async)
{
    if (!descriptor_is_free())
        return WEIR_ENOMEM;
    ev_async_start(ev, async);
    ev_unref(ev);
    return 0;
}

void weir__async_stop(struct ev_loop *ev, ev_async *async)
{
    ev_ref(ev);
    ev_async_stop(ev, async);
}
