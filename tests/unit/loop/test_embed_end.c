/* The end of an embedded runtime, from wherever it comes, and what never begins. */
#include "embed_rig.h"

#include "base/mem.h"

/* ---- stop and free ---- */

static void stop_cancels_all(void **state)
{
    struct job jobs[] = {JOB("a", 100000, 0), JOB("b", 100000, 0), JOB("never", 0, 0)};
    (void)state;
    weir_embed_stop(embed); /* with nothing to stop */
    assert_int_equal(weir_embed_spawn(embed, job_run, &jobs[0], NULL), WEIR_ECLOSED);
    tear_down(state);
    assert_int_equal(set_up(state), 0);
    spawn_job(&jobs[0]);
    spawn_job(&jobs[1]);
    ev_run(ev, EVRUN_NOWAIT);
    spawn_job(&jobs[2]);
    weir_embed_stop(embed);
    assert_string_equal(rig_trace(), "");
    run_loop();
    assert_string_equal(rig_trace(), "a b never:-3 a:-3 b:-3"); /* one that never ran ends first */
    assert_int_equal(jobs[2].runs, 0);
    assert_int_equal(weir_embed_spawn(embed, job_run, &jobs[0], NULL), WEIR_ECLOSED);
}

static int stop_myself(void *arg)
{
    struct job *job = arg;
    weir_embed_stop(embed);
    check_int(weir_embed_spawn(embed, job_run, job, NULL), WEIR_ECLOSED);
    check_int(weir_sleep_ms(100000), WEIR_ECANCELED);
    return 0;
}

static void a_task_may_stop_all(void **state)
{
    struct job job = JOB("a", 100000, 0), never = JOB("never", 0, 0);
    (void)state;
    spawn_job(&job);
    assert_int_equal(weir_embed_spawn(embed, stop_myself, &never, NULL), 0);
    run_loop();
    assert_string_equal(rig_trace(), "a a:-3");
    assert_int_equal(never.runs, 0);
}

static int clean_up_slowly(void *arg)
{
    weir_deadline shield;
    weir_group *group = rig_group();
    weir_spawn(group, job_run, arg);
    check_int(weir_sleep_ms(100000), WEIR_ECANCELED);
    weir_shield_begin_ms(&shield, 10000);
    check_int(weir_sleep_ms(2), 0);
    check_int(weir_deadline_end(&shield, 0), 0);
    note("cleaned");
    return 5; /* its group stays open */
}

static void on_cleaned(int status, void *arg)
{
    (void)arg;
    note("done:%d", status);
    check_int(weir_embed_free(embed), WEIR_EDEADLK); /* that is under way */
}

/* A far timer of the caller's delays nothing, and its loop is as it was before. */
static void free_joins_what_lives(void **state)
{
    struct job child = JOB("child", 100000, 0);
    ev_timer far;
    (void)state;
    ev_timer_init(&far, on_too_late, 1000.0, 0.0);
    ev_timer_start(ev, &far);
    assert_int_equal(weir_embed_spawn(embed, clean_up_slowly, &child, on_cleaned), 0);
    ev_run(ev, EVRUN_NOWAIT);
    ev_run(ev, EVRUN_NOWAIT);
    assert_int_equal(weir_embed_free(embed), 0);
    assert_string_equal(rig_trace(), "child cleaned done:5");
    embed = NULL;
    assert_int_equal(weir_now_ms(), 0); /* no runtime any more */
    ev_timer_stop(ev, &far);
    assert_int_equal(ev_pending_count(ev), 0);
    assert_int_equal(ev_run(ev, EVRUN_NOWAIT), 0); /* nothing is left that keeps it */
    assert_int_equal(weir_embed_new(&embed, ev, NULL), 0);
}

static void free_what_never_ran(void **state)
{
    struct job job = JOB("never", 0, 0);
    (void)state;
    spawn_job(&job);
    assert_int_equal(weir_embed_free(embed), 0);
    embed = NULL;
    assert_string_equal(rig_trace(), "never:-3");
    assert_int_equal(job.runs, 0);
    assert_int_equal(weir_embed_free(NULL), 0);
}

static void on_done_free(int status, void *arg)
{
    on_done(status, arg);
    check_int(weir_embed_free(embed), 0);
    embed = NULL;
}

/* With another that has ended too and waits for its call, */
static void free_in_a_done_callback(void **state)
{
    struct job jobs[] = {JOB("a", 0, 0), JOB("b", 0, 0)};
    (void)state;
    assert_int_equal(weir_embed_spawn(embed, job_run, &jobs[0], on_done_free), 0);
    spawn_job(&jobs[1]);
    run_loop();
    assert_string_equal(rig_trace(), "a b a:0 b:0");
    assert_null(embed);
}

/* and with one that has not ended. */
static void free_of_others_in_a_done_callback(void **state)
{
    struct job jobs[] = {JOB("a", 0, 0), JOB("b", 100000, 0)};
    (void)state;
    assert_int_equal(weir_embed_spawn(embed, job_run, &jobs[0], on_done_free), 0);
    spawn_job(&jobs[1]);
    run_loop();
    assert_string_equal(rig_trace(), "a a:0 b b:-3");
    assert_null(embed);
}

static void on_done_run_inner(int status, void *arg)
{
    on_done(status, arg);
    ev_run(ev, 0); /* where another done callback frees */
    check(embed == NULL);
    note("outer");
}

static void free_in_a_nested_loop(void **state)
{
    struct job jobs[] = {JOB("a", 0, 0), JOB("b", 1, 0)};
    (void)state;
    assert_int_equal(weir_embed_spawn(embed, job_run, &jobs[0], on_done_run_inner), 0);
    assert_int_equal(weir_embed_spawn(embed, job_run, &jobs[1], on_done_free), 0);
    run_loop();
    assert_string_equal(rig_trace(), "a a:0 b b:0 outer");
}

static void on_free_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)timer;
    (void)events;
    check_int(weir_embed_free(embed), 0);
    embed = NULL;
}

static void free_in_a_watcher(void **state)
{
    struct job job = JOB("a", 100000, 0);
    ev_timer timer;
    (void)state;
    spawn_job(&job);
    ev_timer_init(&timer, on_free_timer, 0.002, 0.0);
    ev_timer_start(ev, &timer);
    run_loop();
    assert_null(embed);
    assert_string_equal(rig_trace(), "a a:-3");
}

/* ---- what is refused ---- */

static int embed_inside(void *arg)
{
    weir_embed *inner = NULL;
    check_int(weir_embed_new(&inner, arg, NULL), WEIR_EBUSY);
    check(inner == NULL);
    return 0;
}

static void one_runtime_per_thread(void **state)
{
    weir_embed *second;
    (void)state;
    assert_int_equal(weir_embed_new(&second, ev, NULL), WEIR_EBUSY);
    assert_null(second);
    assert_int_equal(weir_run(seven, NULL, NULL), WEIR_EBUSY);
    assert_int_equal(weir_embed_free(embed), 0);
    embed = NULL;
    assert_int_equal(weir_run(embed_inside, ev, NULL), 0);
}

static void bad_options(void **state)
{
    weir_embed *other;
    const struct weir_run_opts *bad[] = {WEIR_RUN_OPTS(.clock = WEIR_CLOCK_VIRTUAL),
                                         WEIR_RUN_OPTS(.stack_kib = 1),
                                         &(struct weir_run_opts){.size = 1}};
    (void)state;
    assert_int_equal(weir_embed_free(embed), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(weir_embed_new(&other, ev, bad[i]), WEIR_EINVAL);
    assert_int_equal(weir_embed_new(&other, NULL, NULL), WEIR_EINVAL);
    assert_int_equal(weir_embed_new(&embed, ev, WEIR_RUN_OPTS(.stack_kib = 512, .seed = 3)), 0);
}

static void without_memory(void **state)
{
    weir_embed *other;
    struct job job = JOB("a", 0, 0);
    (void)state;
    for (unsigned long k = 1; k <= 2; k++) {
        weir__mem_fail_at(k);
        int rc = weir_embed_spawn(embed, job_run, &job, on_done);
        weir__mem_fail_at(0);
        assert_int_equal(rc, WEIR_ENOMEM);
    }
    run_loop();
    assert_int_equal(job.runs, 0);
    assert_int_equal(weir_embed_free(embed), 0);
    weir__mem_fail_at(1);
    int rc = weir_embed_new(&other, ev, NULL);
    weir__mem_fail_at(0);
    assert_int_equal(rc, WEIR_ENOMEM);
    assert_int_equal(weir_embed_new(&embed, ev, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EMBED_TEST(stop_cancels_all),        EMBED_TEST(a_task_may_stop_all),
        EMBED_TEST(free_joins_what_lives),   EMBED_TEST(free_what_never_ran),
        EMBED_TEST(free_in_a_done_callback), EMBED_TEST(free_of_others_in_a_done_callback),
        EMBED_TEST(free_in_a_nested_loop),   EMBED_TEST(free_in_a_watcher),
        EMBED_TEST(one_runtime_per_thread),  EMBED_TEST(bad_options),
        EMBED_TEST(without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
