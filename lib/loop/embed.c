/* A runtime inside of its caller's loop: before the loop waits for events, the tasks have a turn.
 */
#include <weir/embed.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/opts.h"
#include "loop/loop.h"

struct weir_embed {
    struct weir__ev_side side;
    struct weir__rt rt;
    ev_prepare before_wait;
    ev_idle busy;    /* active while the next turn is due at once: the loop does not wait */
    ev_timer wake;   /* when it is due at a time, */
    int64_t wake_ns; /* this one */
    bool holding;    /* the loop, since tasks have not ended */
    bool freeing;
    bool *freed; /* to be set by weir_embed_free, for the done callback that called it */
};

/* What a task of weir_embed_spawn owns. */
struct ending {
    void (*done)(int status, void *arg);
};

/* ---- turns ---- */

/* The first task that has ended and that nobody is about to ask for its status. */
static weir_task *next_ended(weir_embed *embed)
{
    struct weir__list *ended = &embed->rt.root.ended;
    for (struct weir__list *node = ended->next; node != ended; node = node->next) {
        weir_task *task = WEIR__CONTAINER(node, weir_task, ended);
        if (task->awaiting == 0)
            return task;
    }
    return NULL;
}

/* Calls done for all tasks that have ended. False when one of the calls has freed the runtime. */
static bool deliver(weir_embed *embed)
{
    bool freed = false, *outer = embed->freed;
    weir_task *task;
    embed->freed = &freed;
    while (!freed && (task = next_ended(embed)) != NULL) {
        const struct ending *ending = weir__task_owned(task);
        void (*done)(int, void *) = ending->done;
        int status = weir_task_status(task);
        void *arg = weir_task_arg(task);
        weir_task_free(task);
        if (done != NULL)
            done(status, arg);
    }
    if (!freed)
        embed->freed = outer;
    else if (outer != NULL)
        *outer = true;
    return !freed;
}

static void hold(weir_embed *embed, bool holding)
{
    if (holding == embed->holding)
        return;
    embed->holding = holding;
    if (holding)
        ev_ref(embed->side.ev);
    else
        ev_unref(embed->side.ev);
}

static void wake_at(weir_embed *embed, int64_t due_ns)
{
    if (ev_is_active(&embed->wake) && embed->wake_ns == due_ns)
        return;
    embed->wake_ns = due_ns;
    int64_t delay_ns = due_ns - weir__clock_mono_ns();
    weir__ev_arm(embed->side.ev, &embed->wake, delay_ns > 0 ? delay_ns : 0);
}

/* Lets the loop wait until the next turn is due. Without tasks it never is. */
static void plan(weir_embed *embed)
{
    struct ev_loop *ev = embed->side.ev;
    bool live = embed->rt.live > 0;
    int64_t due_ns = live ? weir__sched_due_ns(&embed->rt) : INT64_MAX;
    hold(embed, live);
    if (due_ns == INT64_MIN)
        ev_idle_start(ev, &embed->busy);
    else
        ev_idle_stop(ev, &embed->busy);
    if (due_ns == INT64_MIN || due_ns == INT64_MAX)
        ev_timer_stop(ev, &embed->wake);
    else
        wake_at(embed, due_ns);
}

static void on_before_wait(struct ev_loop *ev, ev_prepare *watcher, int events)
{
    weir_embed *embed = WEIR__CONTAINER(watcher, weir_embed, before_wait);
    (void)events;
    if (embed->rt.current != NULL)
        return; /* a task runs the loop: the others wait until it is done with that */
    weir__sched_turn(&embed->rt);
    if (!deliver(embed))
        return;
    plan(embed);
    if (embed->freeing && embed->rt.live == 0)
        ev_break(ev, EVBREAK_ONE);
}

/* Their firing ends the loop's wait; the turn comes before the next. */
static void on_busy(struct ev_loop *ev, ev_idle *watcher, int events)
{
    (void)ev;
    (void)watcher;
    (void)events;
}

static void on_wake(struct ev_loop *ev, ev_timer *timer, int events)
{
    (void)ev;
    (void)timer;
    (void)events;
}

/* ---- the public face ---- */

/* The turn comes after all that other watchers do before a wait; being busy keeps no idle watcher
 * of theirs from its turn; and only tasks keep the loop running. */
static void start_watchers(weir_embed *embed)
{
    ev_prepare_init(&embed->before_wait, on_before_wait);
    ev_set_priority(&embed->before_wait, EV_MINPRI);
    ev_idle_init(&embed->busy, on_busy);
    ev_set_priority(&embed->busy, EV_MINPRI);
    ev_timer_init(&embed->wake, on_wake, 0.0, 0.0);
    ev_prepare_start(embed->side.ev, &embed->before_wait);
    ev_unref(embed->side.ev);
}

static void stop_watchers(weir_embed *embed)
{
    struct ev_loop *ev = embed->side.ev;
    hold(embed, false);
    ev_timer_stop(ev, &embed->wake);
    ev_idle_stop(ev, &embed->busy);
    ev_ref(ev);
    ev_prepare_stop(ev, &embed->before_wait);
}

/* Something is to do, whatever the loop was about to wait for. */
static void kick(weir_embed *embed)
{
    hold(embed, true);
    ev_idle_start(embed->side.ev, &embed->busy);
}

static void kick_loop(struct weir__loop *loop)
{
    kick(WEIR__CONTAINER(loop, weir_embed, side.loop));
}

int weir_embed_new(weir_embed **out, struct ev_loop *loop, const struct weir_run_opts *opts)
{
    struct weir_run_opts own;
    *out = NULL;
    if (weir__opts_copy(&own, sizeof own, opts) < 0)
        return WEIR_EINVAL;
    if (loop == NULL || own.clock != WEIR_CLOCK_REAL)
        return WEIR_EINVAL;
    if (weir__rt() != NULL)
        return WEIR_EBUSY;
    weir_embed *embed = weir__zalloc(sizeof *embed);
    if (embed == NULL)
        return WEIR_ENOMEM;
    embed->side =
        (struct weir__ev_side){.loop = {.now_ns = weir__ev_now_ns, .kick = kick_loop}, .ev = loop};
    int rc = weir__sched_begin(&embed->rt, &embed->side.loop, &own);
    if (rc < 0) {
        weir__free(embed);
        return rc;
    }
    weir__sigpipe_ignore();
    start_watchers(embed);
    *out = embed;
    return 0;
}

static bool is_here(const weir_embed *embed)
{
    return weir__rt() == &embed->rt;
}

int weir_embed_spawn(weir_embed *embed, weir_task_fn fn, void *arg,
                     void (*done)(int status, void *arg))
{
    if (!is_here(embed))
        return WEIR_ENORUNTIME;
    if (embed->rt.closing)
        return WEIR_ECLOSED;
    struct ending *ending = weir__alloc(sizeof *ending);
    if (ending != NULL)
        ending->done = done;
    if (weir__spawn_owning(&embed->rt.root, fn, arg, "embedded", ending, NULL) == NULL)
        return WEIR_ENOMEM;
    return 0;
}

void weir_embed_stop(weir_embed *embed)
{
    if (!is_here(embed))
        return;
    embed->rt.closing = true;
    weir__sched_cancel_all(&embed->rt);
    if (embed->rt.current != NULL)
        weir__task_cancel(embed->rt.current);
    if (embed->rt.live > 0)
        kick(embed);
}

int weir_embed_free(weir_embed *embed)
{
    if (embed == NULL)
        return 0;
    if (!is_here(embed))
        return WEIR_ENORUNTIME;
    if (embed->rt.current != NULL || embed->freeing)
        return WEIR_EDEADLK;
    embed->freeing = true;
    weir_embed_stop(embed);
    while (embed->rt.live > 0)
        ev_run(embed->side.ev, 0);
    deliver(embed); /* what a done callback that called us has left */
    stop_watchers(embed);
    weir__sched_end(&embed->rt);
    if (embed->freed != NULL)
        *embed->freed = true;
    weir__free(embed);
    return 0;
}
