/* Clients beyond the runtime that they were made in: refused elsewhere, and freed late. */
#include <weir/metrics.h>
#include <weir/stream.h>

#include "client_rig.h"
#include "elsewhere.h"

struct stage {
    struct model_server server;
    weir_client *client;
    weir_stream *stream; /* of it; its answer is there as a whole */
};

static const char goes_on[] = "the client belongs to the runtime of another thread";
static const char has_ended[] = "the client's runtime has ended";
static const char *why;

static int make(void *arg)
{
    struct stage *stage = arg;
    *stage = (struct stage){.server = {.latency_ms = 10}};
    stage->client = CLIENT(&stage->server, .breaker = WEIR_BREAKER_OPTS(.min_calls = 5),
                           .hedge = WEIR_HEDGE_OPTS(.delay_ms = 1000));
    ask(stage->client, GET);
    check_int(weir_stream_open(stage->client, GET, NULL, &stage->stream), 0);
    return 0;
}

/* ---- what is refused ---- */

static void check_refused(int rc, weir_response *response)
{
    check_int(rc, WEIR_ENORUNTIME);
    if (!check(response != NULL))
        return;
    check_int(weir_response_error(response), WEIR_ENORUNTIME);
    check_int(weir_response_sent(response), WEIR_SENT_NEVER);
    check(strcmp(weir_response_error_text(response), why) == 0);
    weir_response_free(response);
}

static void be_refused_requests(weir_client *client)
{
    weir_response *response = NULL;
    int rc = weir_request(client, GET, &response);
    check_refused(rc, response);
    rc = weir_post_json(client, "/x", "{}", &response);
    check_refused(rc, response);
    rc = weir_request_json(client, GET, NULL, 0, &response); /* two faults */
    check_refused(rc, response);
}

static void be_refused_streams(struct stage *stage)
{
    const struct weir_sse_event *event;
    weir_stream *stream = NULL;
    char byte;
    check_int(weir_stream_read(stage->stream, &byte, 1), WEIR_ENORUNTIME);
    check_int(weir_sse_next(stage->stream, &event), WEIR_ENORUNTIME);
    check_int(weir_stream_open(stage->client, GET, NULL, &stream), WEIR_ENORUNTIME);
    if (check(stream != NULL))
        check(strcmp(weir_response_error_text(weir_stream_response(stream)), why) == 0);
    weir_stream_close(stream);
}

/* As a task of a group here. */
static void be_refused_started(weir_client *client)
{
    weir_response *response = NULL, *never = NULL;
    weir_group *group = rig_group();
    weir_task *task = weir_request_start(group, client, GET, &response);
    int rc = task != NULL ? weir_await(task) : WEIR_ENOMEM;
    check_refused(rc, response);
    weir_request_start(group, client, GET, &never); /* cancelled before it ran */
    weir_group_free(group);
    check(never == NULL);
}

static void be_refused_limiters(weir_client *client)
{
    weir_client *other = NULL;
    weir_limiter *limiter = weir_client_limiter(client);
    check_int(weir_client_new(&other, WEIR_CLIENT_OPTS(.limiter = limiter)), WEIR_ENORUNTIME);
    check(other == NULL);
}

static int be_refused(void *arg)
{
    struct stage *stage = arg;
    be_refused_requests(stage->client);
    be_refused_streams(stage);
    be_refused_limiters(stage->client);
    if (weir_task_self() != NULL)
        be_refused_started(stage->client);
    return 0;
}

static void check_counts(const struct stage *stage)
{
    struct weir_client_stats stats = {.size = sizeof stats};
    struct weir_breaker_stats breaker = {.size = sizeof breaker};
    struct weir_hedge_stats hedge = {.size = sizeof hedge};
    const weir_client *clients[] = {stage->client};
    check_int(weir_client_stats(stage->client, &stats), 0);
    check_int((int64_t)stats.requests, 2);
    check_int((int64_t)stats.requests_refused, 0);
    check_int(weir_client_breaker_stats(stage->client, &breaker), 0);
    check_int(weir_client_hedge_stats(stage->client, &hedge), 0);
    check_int((int64_t)hedge.firsts, 1);
    check(weir_client_metrics_text(clients, NULL, 1, NULL, 0) > 0);
    check_int((int64_t)stage->server.requests, 2);
}

/* ---- while its runtime goes on ---- */

static int let_go_in_vain(void *arg)
{
    struct stage *stage = arg;
    weir_stream_close(stage->stream);
    check_int(weir_client_free(stage->client), WEIR_ENORUNTIME);
    return 0;
}

static int others_change_nothing(void *unused)
{
    struct stage stage;
    char byte;
    (void)unused;
    make(&stage);
    why = goes_on;
    in_other_runtime(be_refused, &stage);
    in_other_runtime(let_go_in_vain, &stage);
    on_other_thread(be_refused, &stage);
    on_other_thread(let_go_in_vain, &stage);
    check_counts(&stage);
    check_int(weir_stream_read(stage.stream, &byte, 1), 1);
    weir_stream_close(stage.stream);
    check_int(ask(stage.client, GET).rc, 0);
    return done(stage.client, &stage.server);
}

static int spawn_there(void *arg)
{
    check(weir_spawn((weir_group *)arg, make, NULL) == NULL);
    return 0;
}

static int groups_of_others_take_no_task(void *unused)
{
    weir_group *group = rig_group();
    (void)unused;
    in_other_runtime(spawn_there, group);
    check_int(weir_gather(group), 0);
    check_int(weir_group_free(group), 0);
    return 0;
}

static int make_with_set(void *arg)
{
    weir_client *client = NULL;
    check_int(weir_client_new(&client, WEIR_CLIENT_OPTS(.limiters = arg)), WEIR_ENORUNTIME);
    check(client == NULL);
    return 0;
}

static int sets_of_others_are_refused(void *unused)
{
    weir_limiters *set = NULL;
    (void)unused;
    check_int(weir_limiters_new(&set, NULL), 0);
    in_other_runtime(make_with_set, set);
    weir_limiters_free(set);
    return 0;
}

/* ---- after its end ---- */

static int free_all(void *arg)
{
    struct stage *stage = arg;
    check_int(weir_client_free(stage->client), WEIR_EBUSY);
    weir_stream_close(stage->stream);
    check_int((int64_t)stage->server.frees, 0);
    check_int(weir_client_free(stage->client), 0);
    check_int((int64_t)stage->server.frees, 1);
    return 0;
}

static void outlive(enum weir_clock clock, struct stage *stage)
{
    assert_int_equal(weir_run(make, stage, WEIR_RUN_OPTS(.clock = clock)), 0);
    why = has_ended;
    after_the_end(be_refused, stage);
    check_counts(stage);
}

static void freed_without_a_runtime(void **state)
{
    struct stage stage;
    (void)state;
    outlive(WEIR_CLOCK_REAL, &stage);
    free_all(&stage);
    rig_assert_no_failure();
}

static void freed_in_the_next_run(void **state)
{
    struct stage stage;
    (void)state;
    outlive(WEIR_CLOCK_VIRTUAL, &stage);
    assert_int_equal(rig_run(free_all, &stage), 0);
}

static void freed_by_another_thread(void **state)
{
    struct stage stage;
    (void)state;
    outlive(WEIR_CLOCK_REAL, &stage);
    in_other_runtime(free_all, &stage);
    rig_assert_no_failure();
}

/* ---- what clients share may go first ---- */

struct shared {
    struct model_server server;
    weir_limiters *set;
    weir_client *client;
};

static int make_shared(void *arg)
{
    struct shared *shared = arg;
    check_int(weir_limiters_new(&shared->set, NULL), 0);
    shared->client = CLIENT(&shared->server, .limiters = shared->set);
    check_int(ask(shared->client, GET).rc, 0);
    return 0;
}

static void a_set_goes_with_its_last_user(void **state)
{
    struct shared shared = {.server = {.latency_ms = 1}};
    (void)state;
    assert_int_equal(rig_run(make_shared, &shared), 0);
    weir_limiters_free(shared.set);
    assert_int_equal(weir_client_free(shared.client), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(others_change_nothing),
        VIRTUAL_TEST(groups_of_others_take_no_task),
        VIRTUAL_TEST(sets_of_others_are_refused),
        cmocka_unit_test(freed_without_a_runtime),
        cmocka_unit_test(freed_in_the_next_run),
        cmocka_unit_test(freed_by_another_thread),
        cmocka_unit_test(a_set_goes_with_its_last_user),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
