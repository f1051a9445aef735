/* Calls that suspend, made on a thread with a runtime but outside of its tasks, where watchers'
 * callbacks and `done` run: each says WEIR_ENORUNTIME and leaves all as it was, so that the same
 * calls made by a task afterwards go well. */
#include "embed_rig.h"

#include <string.h>
#include <unistd.h>

#include <weir/client.h>
#include <weir/io.h>
#include <weir/limiter.h>
#include <weir/map.h>
#include <weir/offload.h>
#include <weir/stream.h>
#include <weir/sync.h>

struct stage {
    weir_event *go; /* for tasks that wait, and the map's source */
    weir_semaphore *semaphore;
    weir_lock *lock;
    weir_condition *condition;
    weir_queue *queue;
    weir_barrier *barrier;
    weir_once *once;
    weir_map *map;
    weir_waker *waker;
    weir_limiter *limiter;
    weir_client *client;
    weir_group *group, *full, *to_free; /* each with a task that waits */
    weir_task *task;                    /* that of the group */
    int pipe[2];
    int sourced;
};

static bool outside(void)
{
    return weir_task_self() == NULL;
}

/* ---- the calls; inside of a task each undoes what it did ---- */

static int yields(struct stage *stage)
{
    (void)stage;
    return weir_yield();
}

static int checkpoint(struct stage *stage)
{
    (void)stage;
    return weir_checkpoint();
}

static int sleeps(struct stage *stage)
{
    (void)stage;
    check_int(weir_sleep_ms(0), outside() ? WEIR_ENORUNTIME : 0);
    return weir_sleep_ms(1);
}

static int deadline(struct stage *stage)
{
    weir_deadline outer, inner;
    (void)stage;
    weir_deadline_begin_ms(&outer, 0);
    weir_deadline_begin_at_ms(&inner, 0);
    int rc = weir_sleep_ms(1);
    check_int(weir_deadline_left_ms(), outside() ? INT64_MAX : 0);
    check_int(weir_deadline_passed(&inner), 1);
    check_int(weir_deadline_reset_ms(&inner, 5), WEIR_ETIMEDOUT);
    check_int(weir_deadline_end(&inner, WEIR_EIO), WEIR_EIO);
    return weir_deadline_end(&outer, rc);
}

static int shield(struct stage *stage)
{
    weir_deadline scope;
    (void)stage;
    weir_shield_begin_ms(&scope, 1000);
    int rc = weir_yield();
    check_int(weir_deadline_reset_ms(&scope, 500), 0);
    check_int(weir_deadline_passed(&scope), 0);
    check_int(weir_deadline_end(&scope, outside() ? WEIR_ECANCELED : rc),
              outside() ? WEIR_ECANCELED : 0);
    return rc;
}

static int acquire(struct stage *stage)
{
    int rc = weir_semaphore_acquire(stage->semaphore);
    return rc == 0 ? weir_semaphore_release(stage->semaphore) : rc;
}

static int acquire_n(struct stage *stage)
{
    int rc = weir_semaphore_acquire_n(stage->semaphore, 2);
    return rc == 0 ? weir_semaphore_release_n(stage->semaphore, 2) : rc;
}

static int lock(struct stage *stage)
{
    int rc = weir_lock_acquire(stage->lock);
    return rc == 0 ? weir_lock_release(stage->lock) : rc;
}

static int lock_if_free(struct stage *stage)
{
    int rc = weir_lock_try(stage->lock);
    return rc == 0 ? weir_lock_release(stage->lock) : rc;
}

static int await_event(struct stage *stage)
{
    return weir_event_wait(stage->go);
}

static int notify(void *arg)
{
    struct stage *stage = arg;
    check_int(weir_lock_acquire(stage->lock), 0);
    check_int(weir_condition_notify(stage->condition, 1), 0);
    return weir_lock_release(stage->lock);
}

static int await_condition(struct stage *stage)
{
    if (outside()) {
        check_int(weir_condition_notify(stage->condition, 1), WEIR_EINVAL);
        return weir_condition_wait(stage->condition);
    }
    weir_group *group = rig_group();
    check_int(weir_lock_acquire(stage->lock), 0);
    weir_spawn(group, notify, stage);
    int rc = weir_condition_wait(stage->condition);
    check_int(weir_lock_release(stage->lock), 0);
    check_int(weir_gather(group), 0);
    check_int(weir_group_free(group), 0);
    return rc;
}

static int put(struct stage *stage)
{
    return weir_queue_put(stage->queue, stage);
}

static int get(struct stage *stage)
{
    void *item = NULL;
    int rc = weir_queue_get(stage->queue, &item);
    check(item == (rc == 0 ? stage : NULL));
    return rc;
}

static int arrive(struct stage *stage)
{
    return weir_barrier_wait(stage->barrier);
}

static int once(struct stage *stage)
{
    return weir_once_run(stage->once, seven, NULL);
}

static int next_mapped(struct stage *stage)
{
    struct weir_mapped mapped;
    int rc = weir_map_next(stage->map, &mapped);
    check(rc != 1 || mapped.result == stage);
    return rc;
}

static int free_map(struct stage *stage)
{
    weir_map_free(stage->map);
    return outside() ? WEIR_ENORUNTIME
                     : 0; /* outside nothing is freed: others take from it still */
}

static int await_byte(struct stage *stage)
{
    return weir_wait_fd(stage->pipe[0], WEIR_IO_READ);
}

static int offload(struct stage *stage)
{
    (void)stage;
    return weir_offload(seven, NULL);
}

static int await_waker(struct stage *stage)
{
    return weir_waker_wait(stage->waker);
}

static int enter_limiter(struct stage *stage)
{
    int rc = weir_limiter_acquire(stage->limiter, 1);
    if (rc == 0)
        weir_limiter_release(stage->limiter);
    return rc;
}

static int reserve(struct stage *stage)
{
    weir_permit permit;
    int rc = weir_limiter_reserve(stage->limiter, NULL, &permit);
    weir_permit_cancel(&permit); /* an empty one, if it failed */
    return rc;
}

static int request(struct stage *stage)
{
    weir_response *response = NULL;
    int rc = weir_request(stage->client, WEIR_REQUEST(.url = "/x", .timeout_ms = 1000), &response);
    if (check(response != NULL)) {
        check_int(weir_response_attempts(response), rc == 0 ? 1 : 0);
        check_int(weir_response_error(response), rc);
    }
    weir_response_free(response);
    return rc;
}

static int post(struct stage *stage)
{
    weir_response *response = NULL;
    int rc = weir_post_json(stage->client, "/x", "{}", &response);
    weir_response_free(response);
    return rc;
}

static int post_text(struct stage *stage)
{
    weir_response *response = NULL;
    int rc = weir_request_json(stage->client, WEIR_REQUEST(.url = "/x"), "{}", 0, &response);
    weir_response_free(response);
    return rc;
}

static int get_url(struct stage *stage)
{
    weir_response *response = NULL;
    int rc = weir_get(stage->client, "/x", &response);
    weir_response_free(response);
    return rc;
}

static int open_stream(struct stage *stage)
{
    weir_stream *stream = NULL;
    int rc = weir_stream_open(stage->client, WEIR_REQUEST(.url = "/x"), NULL, &stream);
    check(stream != NULL);
    weir_stream_close(stream);
    return rc;
}

static int fail_twice(void *arg)
{
    check(!outside());
    return ++*(int *)arg < 3 ? WEIR_EIO : 5;
}

static int retry(struct stage *stage)
{
    int calls = 0;
    (void)stage;
    int rc = weir_retry(WEIR_RETRY_OPTS(.backoff_base_ms = 1), fail_twice, &calls, NULL);
    check_int(calls, outside() ? 0 : 3);
    return rc;
}

static int await_task(struct stage *stage)
{
    return weir_await(stage->task);
}

static int gather(struct stage *stage)
{
    return weir_gather(stage->group);
}

static int await_all(struct stage *stage)
{
    check_int(weir_wait(stage->group, WEIR_WAIT_ALL, 0), outside() ? 0 : 1); /* only looks */
    check_int(weir_wait(stage->group, WEIR_WAIT_ALL, 1000), outside() ? WEIR_ENORUNTIME : 1);
    return weir_wait(stage->group, WEIR_WAIT_FIRST_COMPLETED, WEIR_FOREVER);
}

static int as_completed(struct stage *stage)
{
    weir_task *task = weir_as_completed(stage->group);
    check(task == (outside() ? NULL : stage->task));
    return task != NULL ? 0 : WEIR_ENORUNTIME;
}

static int ends_at_once(void *arg)
{
    (void)arg;
    return 0;
}

static int spawn(struct stage *stage)
{
    weir_task *task = weir_spawn(stage->full, ends_at_once, NULL);
    return task != NULL ? 0 : WEIR_ENORUNTIME;
}

static int start_request(struct stage *stage)
{
    weir_response *response = NULL;
    weir_task *task =
        weir_request_start(stage->full, stage->client, WEIR_REQUEST(.url = "/x"), &response);
    if (task == NULL)
        return WEIR_ENORUNTIME;
    int rc = weir_await(task);
    weir_response_free(response);
    return rc;
}

static int free_group(struct stage *stage)
{
    return weir_group_free(stage->to_free);
}

/* In the order in which the task goes through them. */
static const struct row {
    const char *name;
    int (*call)(struct stage *stage);
    int inside; /* what the task gets */
    bool bare;  /* needs no object, so it can be called without a runtime too */
} rows[] = {
    {"yield", yields, 0, true},
    {"checkpoint", checkpoint, 0, true},
    {"sleep", sleeps, 0, true},
    {"deadline", deadline, WEIR_ETIMEDOUT, true},
    {"shield", shield, 0, true},
    {"semaphore_acquire", acquire, 0, false},
    {"semaphore_acquire_n", acquire_n, 0, false},
    {"lock_acquire", lock, 0, false},
    {"lock_try", lock_if_free, 0, false},
    {"event_wait", await_event, 0, false},
    {"condition_wait", await_condition, 0, false},
    {"queue_put", put, 0, false},
    {"queue_get", get, 0, false},
    {"barrier_wait", arrive, 0, false},
    {"once_run", once, 7, false},
    {"map_next", next_mapped, 1, false},
    {"map_free", free_map, 0, false},
    {"wait_fd", await_byte, WEIR_IO_READ, false},
    {"offload", offload, 7, true},
    {"waker_wait", await_waker, 0, false},
    {"limiter_acquire", enter_limiter, 0, false},
    {"limiter_reserve", reserve, 0, false},
    {"request", request, 0, false},
    {"request_json", post_text, 0, false},
    {"get", get_url, 0, false},
    {"post_json", post, 0, false},
    {"stream_open", open_stream, 0, false},
    {"retry", retry, 5, true},
    {"await", await_task, 0, false},
    {"gather", gather, 0, false},
    {"wait", await_all, 1, false},
    {"as_completed", as_completed, 0, false},
    {"spawn", spawn, 0, false},
    {"request_start", start_request, 0, false},
    {"group_free", free_group, 0, false},
};

static void check_row(const struct row *row, struct stage *stage, int want)
{
    if (!check_int(row->call(stage), want))
        print_error("  in the row \"%s\"\n", row->name);
}

static void try_all(struct stage *stage)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        check_row(&rows[i], stage, WEIR_ENORUNTIME);
    note("tried");
}

/* ---- the stage ---- */

static int await_go(void *arg)
{
    struct stage *stage = arg;
    return weir_event_wait(stage->go);
}

static int source(void *arg, void **item)
{
    struct stage *stage = arg;
    *item = stage;
    if (stage->sourced++ > 0)
        return 0;
    int rc = weir_event_wait(stage->go);
    return rc < 0 ? rc : 1;
}

static int worker(void *arg, void *item, void **result)
{
    *result = item;
    return arg == item ? 0 : -1;
}

static int answer(void *self, const struct weir_exchange *exchange, weir_response *response)
{
    (void)self;
    (void)exchange;
    return weir_response_set_status(response, 200);
}

static void make_sync(struct stage *stage)
{
    check_int(weir_event_new(&stage->go), 0);
    check_int(weir_semaphore_new(&stage->semaphore, 2, 2), 0);
    check_int(weir_lock_new(&stage->lock), 0);
    check_int(weir_condition_new(&stage->condition, stage->lock), 0);
    check_int(weir_queue_new(&stage->queue, 2), 0);
    check_int(weir_queue_try_put(stage->queue, stage), 0);
    check_int(weir_barrier_new(&stage->barrier, 1), 0);
    check_int(weir_once_new(&stage->once), 0);
    check_int(weir_map_new(&stage->map, source, worker, WEIR_MAP_OPTS(.arg = stage)), 0);
}

static void make_stage(struct stage *stage)
{
    const struct weir_transport transport = WEIR_TRANSPORT(.perform = answer);
    *stage = (struct stage){0};
    make_sync(stage);
    check_int(weir_waker_new(&stage->waker), 0);
    check_int(weir_limiter_new(&stage->limiter, WEIR_LIMITER_OPTS(.concurrency = 1)), 0);
    check_int(weir_client_new(&stage->client, WEIR_CLIENT_OPTS(.base_url = "http://model.test",
                                                               .breaker = WEIR_BREAKER_OPTS(),
                                                               .hedge = WEIR_HEDGE_OPTS(),
                                                               .transport = &transport)),
              0);
    stage->group = rig_group();
    stage->to_free = rig_group();
    check_int(weir_group_new(&stage->full, WEIR_GROUP_OPTS(.max_live = 1)), 0);
    stage->task = weir_spawn(stage->group, await_go, stage);
    weir_spawn(stage->to_free, await_go, stage);
    weir_spawn(stage->full, await_go, stage);
    check_int(pipe(stage->pipe), 0);
    check_int(write(stage->pipe[1], "x", 1), 1);
}

static void free_stage(struct stage *stage)
{
    check_int((int64_t)weir_semaphore_permits(stage->semaphore), 2);
    check_int((int64_t)weir_queue_count(stage->queue), 1);
    check_int(weir_lock_is_held(stage->lock), 0);
    weir_condition_free(stage->condition);
    weir_lock_free(stage->lock);
    weir_queue_free(stage->queue);
    weir_barrier_free(stage->barrier);
    weir_once_free(stage->once);
    weir_semaphore_free(stage->semaphore);
    weir_event_free(stage->go);
    weir_waker_free(stage->waker);
    weir_limiter_free(stage->limiter);
    check_int(weir_client_free(stage->client), 0);
    check_int(weir_group_free(stage->group), 0);
    check_int(weir_gather(stage->full), WEIR_ENORUNTIME); /* it has remembered */
    check_int(weir_group_free(stage->full), 0);
    close(stage->pipe[0]);
    close(stage->pipe[1]);
}

/* The same calls by a task, which ends the others' waiting first. */
static int do_all(void *arg)
{
    struct stage *stage = arg;
    weir_event_set(stage->go);
    weir_waker_signal(stage->waker);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        check_row(&rows[i], stage, rows[i].inside);
    return 0;
}

static void see_that_all_is_well(struct stage *stage)
{
    assert_string_equal(rig_trace(), "tried");
    assert_int_equal(weir_embed_spawn(embed, do_all, stage, note_status), 0);
    run_loop();
    assert_string_equal(rig_trace(), "tried done:0");
    free_stage(stage);
}

/* ---- the places ---- */

static void before_the_loop_runs(void **state)
{
    struct stage stage;
    (void)state;
    make_stage(&stage);
    try_all(&stage);
    see_that_all_is_well(&stage);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)events;
    try_all(timer->data);
    ev_break(loop, EVBREAK_ALL); /* the tasks of the stage wait for more than that */
}

static void in_a_watchers_callback(void **state)
{
    struct stage stage;
    ev_timer timer;
    (void)state;
    make_stage(&stage);
    ev_timer_init(&timer, on_timer, 0.002, 0.0);
    timer.data = &stage;
    ev_timer_start(ev, &timer);
    run_loop();
    see_that_all_is_well(&stage);
}

static void on_end(int status, void *arg)
{
    check_int(status, 0);
    try_all(arg);
    ev_break(ev, EVBREAK_ALL);
}

static void in_a_done_callback(void **state)
{
    struct stage stage;
    (void)state;
    make_stage(&stage);
    assert_int_equal(weir_embed_spawn(embed, ends_at_once, &stage, on_end), 0);
    run_loop();
    see_that_all_is_well(&stage);
}

static void without_a_runtime(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].bare)
            check_row(&rows[i], NULL, WEIR_ENORUNTIME);
    }
    rig_assert_no_failure();
}

/* ---- answers that need no wait ---- */

static int run_once_and_map(void *arg)
{
    struct stage *stage = arg;
    check_int(weir_once_run(stage->once, seven, NULL), 7);
    return weir_event_wait(stage->go);
}

static void what_has_come_can_be_had(void **state)
{
    struct stage stage;
    struct weir_mapped mapped;
    (void)state;
    make_stage(&stage);
    weir_event_set(stage.go);
    assert_int_equal(weir_embed_spawn(embed, run_once_and_map, &stage, note_status), 0);
    run_loop();
    assert_string_equal(rig_trace(), "done:0");
    assert_int_equal(weir_once_run(stage.once, NULL, NULL), 7);
    assert_int_equal(weir_map_next(stage.map, &mapped), 1);
    assert_int_equal(weir_map_next(stage.map, &mapped), 0);
    weir_map_free(stage.map); /* no task of it has to be waited for */
    assert_int_equal(weir_await(stage.task), 0);
    assert_int_equal(weir_gather(stage.group), 0);
    assert_int_equal(weir_wait(stage.group, WEIR_WAIT_ALL, WEIR_FOREVER), 1);
    assert_ptr_equal(weir_as_completed(stage.group), stage.task);
    assert_null(weir_as_completed(stage.group));
    assert_int_equal(weir_group_free(stage.to_free), 0);
    assert_non_null(weir_spawn(stage.full, ends_at_once, NULL)); /* there is room */
    assert_null(weir_spawn(stage.full, ends_at_once, NULL));
    run_loop();
    free_stage(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EMBED_TEST(before_the_loop_runs),     EMBED_TEST(in_a_watchers_callback),
        EMBED_TEST(in_a_done_callback),       cmocka_unit_test(without_a_runtime),
        EMBED_TEST(what_has_come_can_be_had),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
