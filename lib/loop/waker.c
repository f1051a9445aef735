/* An ev_async with a memory. Everything but the signal itself happens on the runtime's thread. */
#include <stdatomic.h>

#include <weir/offload.h>

#include "base/mem.h"
#include "loop/loop.h"
#include "task/home.h"

/* A call of weir_waker_wait. */
struct waiting {
    struct weir__wait wait;
    weir_waker *waker; /* NULL once the waker has let go of it, and may be gone */
};

struct weir_waker {
    struct weir__home home;
    ev_async async;
    struct ev_loop *ev;
    struct waiting *waiting; /* holds the loop: another thread can end it, so it is no deadlock */
    bool signalled;          /* since the last wait has returned */
    atomic_uint signals;     /* orders what a signaller did before what the task does after */
};

static void part(weir_waker *waker)
{
    waker->waiting->waker = NULL;
    waker->waiting = NULL;
    ev_unref(waker->ev);
}

/* False when nobody waits, or is not to be woken any more since a cancel came first. */
static bool end_wait(weir_waker *waker, int rc)
{
    struct waiting *waiting = waker->waiting;
    if (waiting == NULL)
        return false;
    part(waker);
    return weir__wake(&waiting->wait, rc);
}

static void on_async(struct ev_loop *ev, ev_async *async, int events)
{
    weir_waker *waker = WEIR__CONTAINER(async, weir_waker, async);
    (void)ev;
    (void)events;
    atomic_load_explicit(&waker->signals, memory_order_acquire);
    if (!end_wait(waker, 0))
        waker->signalled = true;
}

static void at_end(struct weir__home *home)
{
    weir_waker *waker = WEIR__CONTAINER(home, weir_waker, home);
    weir__async_stop(waker->ev, &waker->async);
}

int weir_waker_new(weir_waker **out)
{
    struct weir__rt *rt = weir__rt();
    *out = NULL;
    if (rt == NULL)
        return WEIR_ENORUNTIME;
    if (rt->loop->is_virtual)
        return WEIR_ENOTSUP;
    weir_waker *waker = weir__zalloc(sizeof *waker);
    if (waker == NULL)
        return WEIR_ENOMEM;
    waker->ev = weir__rt_ev(rt);
    ev_async_init(&waker->async, on_async);
    int rc = weir__async_start(waker->ev, &waker->async);
    if (rc < 0) {
        weir__free(waker);
        return rc;
    }
    weir__home_init(&waker->home, at_end);
    *out = waker;
    return 0;
}

void weir_waker_free(weir_waker *waker)
{
    if (waker == NULL || !weir__home_lets_free(&waker->home))
        return;
    if (weir__home_is_here(&waker->home)) {
        end_wait(waker, WEIR_ECLOSED);
        weir__async_stop(waker->ev, &waker->async);
    }
    weir__home_leave(&waker->home);
    weir__free(waker);
}

void weir_waker_signal(weir_waker *waker)
{
    if (weir__home_has_ended(&waker->home))
        return;
    atomic_fetch_add_explicit(&waker->signals, 1, memory_order_release);
    __sync_synchronize(); /* libev's mark must not be seen before what the caller has written */
    ev_async_send(waker->ev, &waker->async);
}

int weir_waker_wait(weir_waker *waker)
{
    struct waiting mine;
    int rc = weir__wait_begin(&mine.wait);
    if (rc < 0)
        return rc;
    if (!weir__home_is_here(&waker->home))
        return WEIR_ENORUNTIME;
    if (waker->waiting != NULL)
        return WEIR_EBUSY;
    if (waker->signalled) {
        waker->signalled = false;
        return 0;
    }
    mine.waker = waker;
    waker->waiting = &mine;
    ev_ref(waker->ev);
    rc = weir__park(&mine.wait);
    if (mine.waker != NULL) /* cancelled */
        part(waker);
    return rc;
}
