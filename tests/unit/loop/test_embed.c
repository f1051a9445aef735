/* A runtime inside of a caller's loop: what runs when, and what keeps the loop running. */
#include "embed_rig.h"

#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include <weir/sync.h>

#include "base/clock.h"

/* ---- what keeps the loop running ---- */

static void runs_tasks_and_returns(void **state)
{
    struct job jobs[] = {JOB("a", 30, 0), JOB("b", 0, -7), JOB("c", 0, 3)};
    (void)state;
    for (int i = 0; i < 3; i++)
        spawn_job(&jobs[i]);
    assert_string_equal(rig_trace(), ""); /* not before the loop runs */
    run_loop();
    assert_string_equal(rig_trace(), "b c b:-7 c:3 a a:0");
}

static void an_idle_runtime_keeps_no_loop(void **state)
{
    struct job job = JOB("a", 0, 0);
    (void)state;
    run_loop();
    spawn_job(&job);
    run_loop();
    run_loop();
    assert_string_equal(rig_trace(), "a a:0");
    assert_int_equal(weir_embed_spawn(embed, job_run, &job, NULL), 0); /* nobody wants to know */
    run_loop();
    assert_int_equal(job.runs, 2);
}

static void a_wait_takes_no_turns(void **state)
{
    struct job job = JOB("a", 30, 0);
    int64_t start_ns = weir__clock_mono_ns();
    (void)state;
    spawn_job(&job);
    run_loop();
    assert_true(weir__clock_mono_ns() - start_ns >= 30 * WEIR__NS_PER_MS);
    assert_in_range(ev_iteration(ev), 1, 10);
}

static int sleep_in_a_deadline(void *arg)
{
    weir_deadline limit;
    weir_deadline_begin_ms(&limit, 1);
    int rc = weir_deadline_end(&limit, weir_sleep_ms(100000));
    note("cut");
    check_int(weir_sleep_ms(1), 0);
    return arg == NULL ? rc : 0;
}

static void timers_and_groups_work(void **state)
{
    static struct job job = JOB("deadline", 0, 0);
    (void)state;
    assert_int_equal(weir_embed_spawn(embed, sleep_in_a_deadline, &job, on_done), 0);
    run_loop();
    assert_string_equal(rig_trace(), "cut deadline:0");
}

static int gather_jobs(void *arg)
{
    struct job jobs[] = {JOB("x", 1, 0), JOB("x", 2, 0)};
    weir_group *group = rig_group();
    (void)arg;
    JOBS_SPAWN(group, jobs);
    check_int(weir_gather(group), 0);
    return weir_group_free(group);
}

static int await_task(void *arg)
{
    weir_task **other = arg;
    check_int(weir_await(*other), -9);
    note("awaited");
    return 0;
}

static int be_awaited(void *arg)
{
    *(weir_task **)arg = weir_task_self();
    weir_yield();
    note("end");
    return -9;
}

static int yield_thrice(void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++)
        weir_yield();
    return 0;
}

static void tasks_may_await_each_other(void **state)
{
    enum { OTHERS = 600 }; /* enough to fill the turn between the end and who awaits it */
    weir_task *task = NULL;
    (void)state;
    assert_int_equal(weir_embed_spawn(embed, gather_jobs, NULL, NULL), 0);
    run_loop();
    assert_string_equal(rig_trace(), "x x");
    rig_trace_clear();
    assert_int_equal(weir_embed_spawn(embed, be_awaited, &task, note_status), 0);
    assert_int_equal(weir_embed_spawn(embed, await_task, &task, note_status), 0);
    for (int i = 0; i < OTHERS; i++)
        assert_int_equal(weir_embed_spawn(embed, yield_thrice, NULL, NULL), 0);
    run_loop();
    assert_string_equal(rig_trace(), "end awaited done:-9 done:0");
}

/* ---- beside other watchers ---- */

static int yield_until(void *arg)
{
    atomic_int *stop = arg;
    while (atomic_load(stop) == 0) {
        if (weir_yield() < 0)
            return WEIR_ECANCELED;
    }
    return 0;
}

static void on_timer_stop(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    atomic_fetch_add((atomic_int *)timer->data, 1);
}

struct reader {
    ev_io watcher;
    int fd[2];
    int left; /* times it reads before it stops */
    char byte;
};

static void on_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct reader *reader = watcher->data;
    (void)events;
    check_int(read(reader->fd[0], &reader->byte, 1), 1);
    if (--reader->left == 0)
        ev_io_stop(loop, watcher);
    else
        check_int(write(reader->fd[1], "x", 1), 1);
}

static void reader_start(struct reader *reader, int times)
{
    *reader = (struct reader){.left = times};
    check_int(pipe(reader->fd), 0);
    check_int(write(reader->fd[1], "x", 1), 1);
    ev_io_init(&reader->watcher, on_readable, reader->fd[0], EV_READ);
    reader->watcher.data = reader;
    ev_io_start(ev, &reader->watcher);
}

static void reader_end(struct reader *reader)
{
    check_int(reader->left, 0);
    close(reader->fd[0]);
    close(reader->fd[1]);
}

/* Tasks that never wait, and as many of them as make several turns. */
static void busy_tasks_starve_no_watcher(void **state)
{
    struct reader reader;
    atomic_int stop = 0;
    ev_timer timer;
    (void)state;
    for (int i = 0; i < 1000; i++)
        assert_int_equal(weir_embed_spawn(embed, yield_until, &stop, NULL), 0);
    reader_start(&reader, 20);
    ev_timer_init(&timer, on_timer_stop, 0.005, 0.0);
    timer.data = &stop;
    ev_timer_start(ev, &timer);
    run_loop();
    assert_int_equal(stop, 1);
    reader_end(&reader);
}

static int yield_often(void *arg)
{
    int *left = arg;
    while (--*left > 0)
        check_int(weir_yield(), 0);
    return 0;
}

static void on_idle(struct ev_loop *loop, ev_idle *idle, int events)
{
    (void)events;
    if (--*(int *)idle->data == 0)
        ev_idle_stop(loop, idle);
}

/* Watchers that have something in every turn of the loop. */
static void busy_watchers_starve_no_task(void **state)
{
    struct reader reader;
    struct job job = JOB("sleeper", 1, 0);
    int yields = 2000, idles = 50;
    ev_idle idle;
    (void)state;
    reader_start(&reader, 500);
    ev_idle_init(&idle, on_idle);
    idle.data = &idles;
    ev_idle_start(ev, &idle);
    spawn_job(&job);
    assert_int_equal(weir_embed_spawn(embed, yield_often, &yields, NULL), 0);
    run_loop();
    reader_end(&reader);
    assert_int_equal(yields, 0);
    assert_int_equal(idles, 0);
    assert_string_equal(rig_trace(), "sleeper sleeper:0");
}

/* Per turn of the loop each side gets one go: neither runs away. */
static int note_turns(void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++) {
        note("task");
        check_int(weir_sleep_ms(0), 0);
        for (int spins = 0; spins < 256; spins++) /* the rest of the turn */
            check_int(weir_yield(), 0);
    }
    return 0;
}

static void on_check(struct ev_loop *loop, ev_check *watcher, int events)
{
    (void)loop;
    (void)watcher;
    (void)events;
    if (strlen(rig_trace()) < 40)
        note("loop");
}

static void turns_alternate(void **state)
{
    ev_check watcher;
    (void)state;
    ev_check_init(&watcher, on_check);
    ev_check_start(ev, &watcher);
    ev_unref(ev);
    assert_int_equal(weir_embed_spawn(embed, note_turns, NULL, NULL), 0);
    run_loop();
    ev_ref(ev);
    ev_check_stop(ev, &watcher);
    assert_non_null(strstr(rig_trace(), "task loop"));
    assert_null(strstr(rig_trace(), "task task"));
}

static void on_release(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    weir_semaphore_release(timer->data);
}

static int acquire(void *arg)
{
    int rc = weir_semaphore_acquire(arg);
    note("acquired");
    return rc;
}

static void a_watcher_may_wake_a_task(void **state)
{
    weir_semaphore *semaphore;
    ev_timer timer;
    (void)state;
    assert_int_equal(weir_semaphore_new(&semaphore, 0, 0), 0); /* outside of tasks */
    assert_int_equal(weir_embed_spawn(embed, acquire, semaphore, NULL), 0);
    ev_timer_init(&timer, on_release, 0.001, 0.0);
    timer.data = semaphore;
    ev_timer_start(ev, &timer);
    run_loop();
    assert_string_equal(rig_trace(), "acquired");
    weir_semaphore_free(semaphore);
}

/* ---- spawning ---- */

static struct job spawned = JOB("spawned", 0, 0);

static void on_spawn_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)timer;
    (void)events;
    spawn_job(&spawned);
}

static weir_group *in_group; /* where to spawn by the plain call */

static void on_plain_spawn_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)timer;
    (void)events;
    check(weir_spawn(in_group, job_run, &spawned) != NULL);
}

static void the_plain_call_spawns_too(void **state)
{
    ev_timer timer;
    (void)state;
    in_group = rig_group();
    ev_timer_init(&timer, on_plain_spawn_timer, 0.0, 0.0); /* the loop's last watcher */
    ev_timer_start(ev, &timer);
    run_loop();
    assert_string_equal(rig_trace(), "spawned");
    assert_int_equal(weir_gather(in_group), 0);
    assert_int_equal(weir_group_free(in_group), 0);
}

static void on_spawn_prepare(struct ev_loop *loop, ev_prepare *prepare, int events)
{
    (void)events;
    ev_prepare_stop(loop, prepare);
    spawn_job(&spawned);
}

static void a_callback_spawns(void)
{
    rig_trace_clear();
    run_loop();
    assert_string_equal(rig_trace(), "spawned spawned:0");
}

static void spawns_from_callbacks(void **state)
{
    ev_timer timer, far;
    ev_prepare prepare;
    (void)state;
    ev_timer_init(&timer, on_spawn_timer, 0.0, 0.0); /* the loop's last watcher */
    ev_timer_start(ev, &timer);
    a_callback_spawns();
    ev_timer_init(&far, on_too_late, 1000.0, 0.0);
    ev_timer_start(ev, &far);
    ev_unref(ev);
    ev_prepare_init(&prepare, on_spawn_prepare);
    ev_prepare_start(ev, &prepare); /* before the turn */
    a_callback_spawns();
    assert_int_equal(weir_embed_free(embed), 0);
    ev_set_priority(&prepare,
                    EV_MINPRI);     /* after it, when the loop is about to wait: libev calls */
    ev_prepare_start(ev, &prepare); /* those of one priority last started, first called */
    assert_int_equal(weir_embed_new(&embed, ev, NULL), 0);
    a_callback_spawns();
    ev_ref(ev);
    ev_timer_stop(ev, &far);
}

static void on_done_spawn(int status, void *arg)
{
    on_done(status, arg);
    struct job *job = arg;
    if (job->runs < 3)
        check_int(weir_embed_spawn(embed, job_run, job, on_done_spawn), 0);
}

static int spawn_from_inside(void *arg)
{
    spawn_job(arg);
    return weir_yield();
}

static void spawns_from_done_and_from_tasks(void **state)
{
    struct job job = JOB("again", 0, 0);
    (void)state;
    assert_int_equal(weir_embed_spawn(embed, job_run, &job, on_done_spawn), 0);
    run_loop();
    assert_string_equal(rig_trace(), "again again:0 again again:0 again again:0");
    rig_trace_clear();
    assert_int_equal(weir_embed_spawn(embed, spawn_from_inside, &job, NULL), 0);
    run_loop();
    assert_string_equal(rig_trace(), "again again:0");
}

/* A task that runs the loop lets other watchers run, and no other task. */
static int run_the_loop(void *arg)
{
    atomic_int *stop = arg;
    check_int(weir_embed_free(embed), WEIR_EDEADLK);
    while (atomic_load(stop) == 0)
        ev_run(ev, EVRUN_ONCE);
    note("inner");
    return 0;
}

static void a_task_that_runs_the_loop_keeps_the_turn(void **state)
{
    struct job job = JOB("other", 0, 0);
    atomic_int stop = 0;
    ev_timer timer;
    (void)state;
    assert_int_equal(weir_embed_spawn(embed, run_the_loop, &stop, NULL), 0);
    spawn_job(&job);
    ev_timer_init(&timer, on_timer_stop, 0.001, 0.0);
    timer.data = &stop;
    ev_timer_start(ev, &timer);
    run_loop();
    assert_string_equal(rig_trace(), "inner other other:0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EMBED_TEST(runs_tasks_and_returns),
        EMBED_TEST(an_idle_runtime_keeps_no_loop),
        EMBED_TEST(a_wait_takes_no_turns),
        EMBED_TEST(timers_and_groups_work),
        EMBED_TEST(tasks_may_await_each_other),
        EMBED_TEST(busy_tasks_starve_no_watcher),
        EMBED_TEST(busy_watchers_starve_no_task),
        EMBED_TEST(turns_alternate),
        EMBED_TEST(a_watcher_may_wake_a_task),
        EMBED_TEST(spawns_from_callbacks),
        EMBED_TEST(the_plain_call_spawns_too),
        EMBED_TEST(spawns_from_done_and_from_tasks),
        EMBED_TEST(a_task_that_runs_the_loop_keeps_the_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
