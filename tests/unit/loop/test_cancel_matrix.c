/* The waits of loop, for descriptors and other threads, in every state in which a cancel can meet
 * them, on the real clock. Afterwards the same call goes well, and a deadlock is found: so nothing
 * holds the loop any more. */
#include "rig.h"

#include <ev.h>
#include <stdio.h>
#include <unistd.h>

#include <weir/io.h>
#include <weir/offload.h>
#include <weir/sync.h>

#include "gate.h"
#include "loop/loop.h"

struct stage {
    const struct row *row;
    weir_group *group, *helpers;
    weir_task *victim;
    int rc;    /* of the victim's call; WEIR_EBUSY until then */
    int again; /* of a second one, in a shield */
    int grants;
    int fd[2];
    weir_waker *waker;
    struct gate gate;
    unsigned begun; /* calls on other threads, as far as the stage has waited for them */
};

/* One way of waiting. */
struct row {
    const char *name;
    void (*make)(struct stage *stage);
    int (*call)(struct stage *stage);    /* 0 once it was granted */
    void (*arrive)(struct stage *stage); /* until the call that was made waits */
    void (*grant)(struct stage *stage);
    void (*end)(struct stage *stage); /* nothing is missing, nothing too much; and frees */
    bool runs_on;                     /* a cancel does not end what has begun */
};

/* ---- a descriptor ---- */

static void make_pipe(struct stage *stage)
{
    check_int(pipe(stage->fd), 0);
}

static int await_byte(struct stage *stage)
{
    int rc = weir_wait_fd(stage->fd[0], WEIR_IO_READ);
    return rc == WEIR_IO_READ ? 0 : rc;
}

static void arrives_at_once(struct stage *stage)
{
    check_int(stage->rc, WEIR_EBUSY);
}

static void write_byte(struct stage *stage)
{
    check_int(write(stage->fd[1], "x", 1), 1);
}

static void all_bytes_are_there(struct stage *stage)
{
    char bytes[8];
    check_int(read(stage->fd[0], bytes, sizeof bytes), stage->grants);
    close(stage->fd[0]);
    close(stage->fd[1]);
}

/* ---- a waker ---- */

static void make_waker(struct stage *stage)
{
    check_int(weir_waker_new(&stage->waker), 0);
}

static int await_signal(struct stage *stage)
{
    return weir_waker_wait(stage->waker);
}

static void signal_it(struct stage *stage)
{
    weir_waker_signal(stage->waker);
}

static void no_signal_is_left(struct stage *stage)
{
    weir_deadline limit;
    weir_deadline_begin_ms(&limit, 1);
    check_int(weir_deadline_end(&limit, weir_waker_wait(stage->waker)), WEIR_ETIMEDOUT);
    weir_waker_free(stage->waker);
}

/* ---- a function on another thread, which has begun ---- */

static void make_gate(struct stage *stage)
{
    stage->gate = (struct gate)GATE_SHUT;
}

static int pass(void *arg)
{
    gate_pass(arg);
    return 7;
}

static int run_there(struct stage *stage)
{
    int rc = weir_offload(pass, &stage->gate);
    return rc == 7 ? 0 : rc;
}

static void await_begin(struct stage *stage)
{
    gate_await(&stage->gate, ++stage->begun);
}

static void open_gate(struct stage *stage)
{
    gate_open(&stage->gate, 1);
}

static void all_have_passed(struct stage *stage)
{
    check_int(stage->gate.come,
              (int64_t)stage->gate.open); /* who was cancelled before never came */
}

/* ---- the same, waiting for a thread ---- */

enum { POOL = 4 };

static int keep_a_thread(void *arg)
{
    return run_there(arg);
}

static void make_busy_pool(struct stage *stage)
{
    make_gate(stage);
    for (int i = 0; i < POOL; i++)
        weir_spawn(stage->helpers, keep_a_thread, stage);
    weir_yield();
    gate_await(&stage->gate, POOL);
}

static int seven(void *arg)
{
    ++*(int *)arg;
    return 7;
}

static int run_behind(struct stage *stage)
{
    int ran = 0;
    (void)stage;
    int rc = weir_offload(seven, &ran);
    check_int(ran, rc == 7); /* not at all, when it was cancelled */
    return rc == 7 ? 0 : rc;
}

static void all_threads_are_free(struct stage *stage)
{
    gate_open(&stage->gate, POOL);
    check_int(weir_gather(stage->helpers), 0);
    check_int(stage->gate.come, POOL);
}

static const struct row rows[] = {
    {"wait_fd", make_pipe, await_byte, arrives_at_once, write_byte, all_bytes_are_there, false},
    {"waker_wait", make_waker, await_signal, arrives_at_once, signal_it, no_signal_is_left, false},
    {"offload_begun", make_gate, run_there, await_begin, open_gate, all_have_passed, true},
    {"offload_queued", make_busy_pool, run_behind, arrives_at_once, open_gate, all_threads_are_free,
     false},
};

/* ---- the stage ---- */

static void grant(struct stage *stage)
{
    stage->grants++;
    stage->row->grant(stage);
}

static int victim_run(void *arg)
{
    struct stage *stage = arg;
    stage->rc = stage->row->call(stage);
    check_int(weir_cancelled(), 1);
    check_int(stage->row->call(stage), WEIR_ECANCELED);
    return 0;
}

static void spawn_victim(struct stage *stage, weir_task_fn fn)
{
    stage->victim = weir_spawn(stage->group, fn, stage);
    check(stage->victim != NULL);
}

static void park_victim(struct stage *stage, weir_task_fn fn)
{
    spawn_victim(stage, fn);
    check_int(weir_yield(), 0);
    stage->row->arrive(stage);
}

static void join_victim(struct stage *stage, int status, int rc)
{
    check_int(weir_await(stage->victim), status);
    check_int(stage->rc, rc);
}

/* ---- the states ---- */

static void before_its_start(struct stage *stage)
{
    spawn_victim(stage, victim_run);
    weir_task_cancel(stage->victim);
    join_victim(stage, WEIR_ECANCELED, WEIR_EBUSY);
}

static int yield_and_call(void *arg)
{
    check_int(weir_yield(), 0);
    return victim_run(arg);
}

static void ready(struct stage *stage)
{
    spawn_victim(stage, yield_and_call);
    check_int(weir_yield(), 0);
    weir_task_cancel(stage->victim);
    join_victim(stage, 0, WEIR_ECANCELED);
}

static void parked(struct stage *stage)
{
    park_victim(stage, victim_run);
    weir_task_cancel(stage->victim);
    weir_task_cancel(stage->victim); /* twice is once */
    if (stage->row->runs_on) {
        settle();
        check_int(stage->rc, WEIR_EBUSY);
        grant(stage);
    }
    join_victim(stage, 0, stage->row->runs_on ? 0 : WEIR_ECANCELED);
}

/* Sees after all other events of a turn of the loop that the victim was woken. */
struct hunter {
    ev_check watcher;
    struct stage *stage;
    bool caught;
};

static void look_for_prey(struct ev_loop *ev, ev_check *watcher, int events)
{
    struct hunter *hunter = watcher->data;
    weir_task *victim = hunter->stage->victim;
    (void)ev;
    (void)events;
    if (hunter->caught || victim->wait == NULL || !victim->wait->fired)
        return;
    hunter->caught = true;
    weir_task_cancel(victim);
}

static void woken_but_not_run(struct stage *stage)
{
    struct ev_loop *ev = weir__rt_ev(weir__rt());
    struct hunter hunter = {.stage = stage};
    park_victim(stage, victim_run);
    ev_check_init(&hunter.watcher, look_for_prey);
    ev_set_priority(&hunter.watcher, EV_MINPRI);
    hunter.watcher.data = &hunter;
    ev_check_start(ev, &hunter.watcher);
    grant(stage);
    join_victim(stage, 0, 0); /* what was given stays given */
    ev_check_stop(ev, &hunter.watcher);
    check(hunter.caught);
}

static int call_and_clean_up(void *arg)
{
    struct stage *stage = arg;
    weir_deadline shield;
    stage->rc = stage->row->call(stage);
    for (int i = 0; i < 3; i++)
        check_int(stage->row->call(stage), WEIR_ECANCELED); /* at once, and again */
    weir_shield_begin_ms(&shield, 20000);
    stage->again = WEIR_EBUSY;
    stage->again = stage->row->call(stage);
    check_int(weir_deadline_end(&shield, stage->again), 0);
    check_int(weir_yield(), WEIR_ECANCELED);
    return 0;
}

static void in_its_cleanup(struct stage *stage)
{
    park_victim(stage, call_and_clean_up);
    weir_task_cancel(stage->victim);
    if (stage->row->runs_on)
        grant(stage);
    while (stage->again != WEIR_EBUSY)
        check_int(weir_yield(), 0);
    if (stage->row->runs_on)
        stage->row->arrive(stage);
    weir_task_cancel(stage->victim);
    settle();
    check_int(stage->again, WEIR_EBUSY);
    grant(stage);
    join_victim(stage, 0, stage->row->runs_on ? 0 : WEIR_ECANCELED);
    check_int(stage->again, 0);
}

static int call_shielded(void *arg)
{
    struct stage *stage = arg;
    weir_deadline shield;
    weir_shield_begin_ms(&shield, 20000);
    stage->rc = weir_deadline_end(&shield, stage->row->call(stage));
    check_int(weir_yield(), WEIR_ECANCELED); /* seen outside of it */
    return 0;
}

static void shielded(struct stage *stage)
{
    park_victim(stage, call_shielded);
    weir_task_cancel(stage->victim);
    settle();
    check_int(stage->rc, WEIR_EBUSY);
    grant(stage);
    join_victim(stage, 0, 0);
}

static int cancel_itself(void *arg)
{
    weir_task_cancel(weir_task_self());
    return victim_run(arg);
}

static void cancelling_itself(struct stage *stage)
{
    spawn_victim(stage, cancel_itself);
    join_victim(stage, 0, WEIR_ECANCELED);
}

#define STATE(fn)                                                                                  \
    {                                                                                              \
        .name = #fn, .run = fn                                                                     \
    }
static const struct state {
    const char *name;
    void (*run)(struct stage *stage);
} states[] = {
    STATE(before_its_start),  STATE(ready),          STATE(parked),
    STATE(woken_but_not_run), STATE(in_its_cleanup), STATE(shielded),
    STATE(cancelling_itself),
};

/* ---- the matrix ---- */

enum { ROWS = sizeof rows / sizeof rows[0], STATES = sizeof states / sizeof states[0] };

struct field {
    char name[64];
    const struct row *row;
    const struct state *state;
};

static void play_stage(const struct field *field)
{
    struct stage stage = {.row = field->row, .rc = WEIR_EBUSY};
    size_t live = weir__rt()->live;
    stage.group = rig_group();
    stage.helpers = rig_group();
    stage.row->make(&stage);
    field->state->run(&stage);
    grant(&stage);
    check_int(stage.row->call(&stage), 0); /* by one that nobody cancels */
    stage.row->end(&stage);
    check_int((int64_t)weir__rt()->live, (int64_t)live);
    check_int(weir_group_free(stage.group), 0);
    check_int(weir_group_free(stage.helpers), 0);
}

static int play(void *arg)
{
    weir_semaphore *none;
    play_stage(arg);
    check_int(weir_semaphore_new(&none, 0, 0), 0);
    check_int(weir_semaphore_acquire(none), WEIR_ECANCELED); /* a deadlock, which only an idle loop
                                                                tells */
    weir_semaphore_free(none);
    return 0;
}

static void play_field(void **state)
{
    int rc = weir_run(play, *state, NULL);
    rig_assert_no_failure();
    assert_int_equal(rc, WEIR_EDEADLK);
}

int main(void)
{
    static struct field fields[STATES * ROWS];
    static struct CMUnitTest tests[STATES * ROWS];
    for (size_t i = 0; i < STATES * ROWS; i++) {
        struct field *field = &fields[i];
        field->row = &rows[i % ROWS];
        field->state = &states[i / ROWS];
        snprintf(field->name, sizeof field->name, "%s: %s", field->row->name, field->state->name);
        tests[i] = (struct CMUnitTest){.name = field->name,
                                       .test_func = play_field,
                                       .initial_state = field};
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
