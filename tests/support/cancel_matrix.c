#include "cancel_matrix.h"

#include <stdio.h>
#include <stdlib.h>

#include "task/sched.h"

/* ---- the stage ---- */

static void grant(struct stage *stage)
{
    stage->grants++;
    stage->row->grant(stage);
}

void stage_let_time_pass(struct stage *stage)
{
    check_int(weir_sleep_ms(stage->due_ms - weir_now_ms()), 0);
    stage->due_ms += stage->row->period_ms;
}

static int wait_and_give_back(struct stage *stage)
{
    int rc = stage->row->wait(stage);
    if (rc == 0 && stage->row->give_back != NULL)
        stage->row->give_back(stage);
    return rc;
}

static int bystander_run(void *arg)
{
    struct stage *stage = arg;
    return stage->bystander = wait_and_give_back(stage);
}

static int victim_run(void *arg)
{
    struct stage *stage = arg;
    stage->rc = wait_and_give_back(stage);
    check_int(weir_cancelled(), 1);
    check_int(weir_yield(), WEIR_ECANCELED);
    return stage->rc;
}

static void spawn_victim(struct stage *stage, weir_task_fn fn)
{
    stage->victim = weir_spawn(stage->group, fn, stage);
    check(stage->victim != NULL);
}

static void spawn_bystander(struct stage *stage)
{
    check(weir_spawn(stage->group, bystander_run, stage) != NULL);
}

/* Both wait, the victim first. */
static void park_both(struct stage *stage, weir_task_fn victim)
{
    spawn_victim(stage, victim);
    spawn_bystander(stage);
    settle();
    stage->waiting = 2;
    check_int(stage->rc, WEIR_EBUSY);
    check_int(stage->bystander, WEIR_EBUSY);
}

/* The victim is gone: what comes now is the bystander's. */
static void serve_bystander(struct stage *stage)
{
    settle();
    check_int(weir_task_ended(stage->victim), 1);
    if (stage->bystander == WEIR_EBUSY) {
        stage->waiting = 1;
        grant(stage);
    }
    settle();
    check_int(stage->bystander, 0);
}

/* ---- the states ---- */

static void before_its_start(struct stage *stage)
{
    spawn_victim(stage, victim_run);
    spawn_bystander(stage);
    weir_task_cancel(stage->victim);
    serve_bystander(stage);
    check_int(stage->rc, WEIR_EBUSY); /* it never ran */
    check_int(weir_task_status(stage->victim), WEIR_ECANCELED);
}

static int yield_and_wait(void *arg)
{
    weir_yield();
    return victim_run(arg);
}

static void ready(struct stage *stage)
{
    spawn_victim(stage, yield_and_wait);
    spawn_bystander(stage);
    weir_yield();
    weir_task_cancel(stage->victim); /* it is in its yield */
    serve_bystander(stage);
    check_int(stage->rc, WEIR_ECANCELED);
}

/* It would not even have to wait. */
static void ready_and_nothing_to_wait_for(struct stage *stage)
{
    spawn_victim(stage, yield_and_wait);
    weir_yield();
    if (stage->row->stays)
        grant(stage);
    weir_task_cancel(stage->victim);
    settle();
    check_int(stage->rc, WEIR_ECANCELED);
    spawn_bystander(stage);
    settle();
    check_int(stage->bystander, stage->row->stays ? 0 : WEIR_EBUSY);
    serve_bystander(stage);
}

static void parked(struct stage *stage)
{
    park_both(stage, victim_run);
    weir_task_cancel(stage->victim);
    weir_task_cancel(stage->victim); /* twice is once */
    serve_bystander(stage);
    check_int(stage->rc, WEIR_ECANCELED);
}

/* The grant comes in the same turn, before the victim has run. */
static void parked_and_granted_after(struct stage *stage)
{
    park_both(stage, victim_run);
    weir_task_cancel(stage->victim);
    stage->waiting = 1;
    grant(stage);
    settle();
    check_int(stage->bystander, 0); /* no second one is needed */
    serve_bystander(stage);
    check_int(stage->rc, WEIR_ECANCELED);
}

/* The victim is the last in the queue. */
static void parked_behind(struct stage *stage)
{
    spawn_bystander(stage);
    settle();
    spawn_victim(stage, victim_run);
    settle();
    weir_task_cancel(stage->victim);
    serve_bystander(stage);
    check_int(stage->rc, WEIR_ECANCELED);
}

/* When time makes the grant, this task began to sleep before they began to wait, and so wakes
 * first.
 */
static void woken_but_not_run(struct stage *stage)
{
    if (stage->row->period_ms == 0) {
        park_both(stage, victim_run);
    } else {
        spawn_victim(stage, victim_run);
        spawn_bystander(stage);
        stage->waiting = 2;
    }
    grant(stage);
    check_int(stage->rc, WEIR_EBUSY);
    weir_task_cancel(stage->victim);
    serve_bystander(stage);
    check_int(stage->rc, 0); /* what was given stays given, and was given back */
}

static int wait_and_clean_up(void *arg)
{
    struct stage *stage = arg;
    weir_deadline shield;
    stage->rc = stage->row->wait(stage);
    for (int i = 0; i < 3; i++)
        check_int(stage->row->wait(stage), WEIR_ECANCELED); /* at once, and again */
    weir_shield_begin_ms(&shield, 1000);
    check_int(weir_deadline_end(&shield, weir_sleep_ms(10)), 0);
    check_int(weir_yield(), WEIR_ECANCELED);
    return 0;
}

static void in_its_cleanup(struct stage *stage)
{
    park_both(stage, wait_and_clean_up);
    weir_task_cancel(stage->victim);
    settle();
    check_int(stage->rc, WEIR_ECANCELED);
    check_int(weir_task_ended(stage->victim), 0);
    weir_task_cancel(stage->victim);
    stage->waiting = 1;
    grant(stage);
    settle();
    check_int(stage->bystander, 0);
    if (stage->row->period_ms == 0) /* the second cancel did not end the shield */
        check_int(weir_task_ended(stage->victim), 0);
    weir_sleep_ms(20);
    serve_bystander(stage);
}

static int wait_shielded(struct stage *stage, int64_t limit_ms)
{
    weir_deadline shield;
    weir_shield_begin_ms(&shield, limit_ms);
    stage->rc = weir_deadline_end(&shield, wait_and_give_back(stage));
    check_int(weir_cancelled(), 1);
    check_int(weir_yield(), WEIR_ECANCELED); /* outside of it the cancel is seen */
    return stage->rc;
}

static int wait_shielded_long(void *arg)
{
    return wait_shielded(arg, 1000);
}

static void shielded(struct stage *stage)
{
    park_both(stage, wait_shielded_long);
    weir_task_cancel(stage->victim);
    weir_sleep_ms(500);
    check_int(weir_task_ended(stage->victim), 0);
    grant(stage);
    settle();
    check_int(stage->rc, 0);
    serve_bystander(stage);
}

static int cancel_itself_shielded(void *arg)
{
    weir_task_cancel(weir_task_self());
    return wait_shielded(arg, 1000);
}

static void shielded_after_the_cancel(struct stage *stage)
{
    park_both(stage, cancel_itself_shielded);
    grant(stage);
    settle();
    check_int(stage->rc, 0);
    serve_bystander(stage);
}

static int wait_shielded_shortly(void *arg)
{
    return wait_shielded(arg, 10);
}

static void shielded_until_its_limit(struct stage *stage)
{
    park_both(stage, wait_shielded_shortly);
    weir_task_cancel(stage->victim);
    weir_sleep_ms(20);
    check_int(stage->rc, WEIR_ETIMEDOUT);
    serve_bystander(stage);
}

static int cancel_itself(void *arg)
{
    weir_task_cancel(weir_task_self());
    return victim_run(arg);
}

static void cancelling_itself(struct stage *stage)
{
    spawn_victim(stage, cancel_itself);
    spawn_bystander(stage);
    serve_bystander(stage);
    check_int(stage->rc, WEIR_ECANCELED);
}

static int wait_with_a_deadline(void *arg)
{
    struct stage *stage = arg;
    weir_deadline limit;
    weir_deadline_begin_ms(&limit, 10);
    int rc = wait_and_give_back(stage);
    check_int(stage->row->wait(stage), WEIR_ECANCELED);
    stage->rc = weir_deadline_end(&limit, rc);
    check_int(weir_yield(), 0);
    return stage->rc;
}

static void past_a_deadline(struct stage *stage)
{
    park_both(stage, wait_with_a_deadline);
    weir_sleep_ms(20);
    check_int(stage->rc, WEIR_ETIMEDOUT);
    serve_bystander(stage);
}

#define STATE(fn)                                                                                  \
    {                                                                                              \
        .name = #fn, .run = fn                                                                     \
    }
#define STATE_SHORT_OF_TIME(fn)                                                                    \
    {                                                                                              \
        .name = #fn, .run = fn, .short_of_time = true                                              \
    }
static const struct state {
    const char *name;
    void (*run)(struct stage *stage);
    bool short_of_time; /* the victim waits inside of a deadline that passes before a grant */
} states[] = {
    STATE(before_its_start),
    STATE(ready),
    STATE(ready_and_nothing_to_wait_for),
    STATE(parked),
    STATE(parked_and_granted_after),
    STATE(parked_behind),
    STATE(woken_but_not_run),
    STATE(in_its_cleanup),
    STATE(shielded),
    STATE(shielded_after_the_cancel),
    STATE_SHORT_OF_TIME(shielded_until_its_limit),
    STATE(cancelling_itself),
    STATE_SHORT_OF_TIME(past_a_deadline),
};

/* ---- the matrix ---- */

enum { STATES = sizeof states / sizeof states[0], FIELDS_MAX = 400 };

struct field {
    char name[64];
    const struct row *row;
    const struct state *state;
};

static int play(void *arg)
{
    const struct field *field = arg;
    size_t live = weir__rt()->live;
    struct stage stage = {.row = field->row, .rc = WEIR_EBUSY, .bystander = WEIR_EBUSY};
    stage.group = rig_group();
    stage.helpers = rig_group();
    stage.due_ms = weir_now_ms() + stage.row->period_ms;
    stage.row->make(&stage);
    field->state->run(&stage);
    check(stage.row->conserved(&stage));
    check_int((int64_t)weir__rt()->live, (int64_t)live); /* all have ended by themselves */
    check(weir__timers_next_ns(&weir__rt()->timers) == INT64_MAX);
    check_int(weir_group_free(stage.group), 0);
    check_int(weir_group_free(stage.helpers), 0);
    stage.row->free(&stage);
    return 0;
}

static void play_field(void **state)
{
    assert_int_equal(rig_run(play, *state), 0);
}

int cancel_matrix_run(const struct row *rows, size_t count)
{
    static struct field fields[FIELDS_MAX];
    static struct CMUnitTest tests[FIELDS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < STATES * count; i++) {
        const struct row *row = &rows[i % count];
        const struct state *state = &states[i / count];
        if (row->refuses && state->short_of_time)
            continue;
        if (n == FIELDS_MAX)
            abort();
        struct field *field = &fields[n];
        *field = (struct field){.row = row, .state = state};
        snprintf(field->name, sizeof field->name, "%s: %s", row->name, state->name);
        tests[n++] = (struct CMUnitTest){.name = field->name,
                                         .test_func = play_field,
                                         .initial_state = field};
    }
    return _cmocka_run_group_tests("cancel_matrix", tests, n, NULL, NULL);
}
