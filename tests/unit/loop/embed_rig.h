/* What the tests of embedded runtimes share: a loop with a runtime in it for each test. */
#ifndef WEIR_TESTS_EMBED_RIG_H
#define WEIR_TESTS_EMBED_RIG_H

#include "rig.h"

#include <ev.h>

#include <weir/embed.h>

static _Thread_local struct ev_loop *ev;
static _Thread_local weir_embed *embed;

static inline int set_up(void **state)
{
    (void)state;
    rig_trace_clear();
    ev = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
    return ev != NULL && weir_embed_new(&embed, ev, NULL) == 0 ? 0 : -1;
}

static inline int tear_down(void **state)
{
    (void)state;
    int rc = weir_embed_free(embed);
    embed = NULL;
    ev_loop_destroy(ev);
    rig_assert_no_failure();
    return rc;
}

/* Runs the loop until nothing keeps it running, in bounded time. */
static inline void on_too_late(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)timer;
    (void)events;
    rig_check(false, "the loop ends within 20 s", __FILE__, __LINE__);
    ev_break(loop, EVBREAK_ALL);
}

static inline void run_loop(void)
{
    ev_timer limit;
    ev_timer_init(&limit, on_too_late, 20.0, 0.0);
    ev_timer_start(ev, &limit);
    ev_unref(ev);
    ev_run(ev, 0);
    ev_ref(ev);
    ev_timer_stop(ev, &limit);
}

static inline void on_done(int status, void *arg)
{
    const struct job *job = arg;
    check(weir_task_self() == NULL);
    note("%s:%d", job->name, status);
}

static inline void spawn_job(struct job *job)
{
    check_int(weir_embed_spawn(embed, job_run, job, on_done), 0);
}

static inline void note_status(int status, void *arg)
{
    (void)arg;
    note("done:%d", status);
}

static inline int seven(void *arg)
{
    (void)arg;
    return 7;
}

#define EMBED_TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

#endif
