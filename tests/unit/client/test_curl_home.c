/* Clients over libcurl beyond their runtime: what they have in its loop ends with it. */
#include "../http/curl_rig.h"

#include <weir/metrics.h>
#include <weir/stream.h>

#include "base/blocks.h"
#include "elsewhere.h"

enum { BIG = 1 << 20 };

#define HEAD(len) "HTTP/1.1 200 OK\r\nContent-Length: " len "\r\n\r\n"
#define GET       WEIR_REQUEST(.url = "/")

struct stage {
    struct script_server *server;
    weir_client *client;
    weir_stream *slow, *full; /* whose server is silent; whose buffer is full */
};

static const struct script_step steps[] = {{.answer = SCRIPT_OK("2", "ok")},
                                           {.answer = HEAD("100") "begun", .end = SCRIPT_HOLD},
                                           {.answer = HEAD("1048576"), .fill = BIG}};

static void start(struct stage *stage)
{
    *stage = (struct stage){.server = script_server_start(steps, sizeof steps / sizeof steps[0])};
}

static void read_some(weir_stream *stream)
{
    char byte;
    check_int(weir_stream_read(stream, &byte, 1), 1);
}

static int make(void *arg)
{
    struct stage *stage = arg;
    stage->client = CLIENT(stage->server, .timeout_ms = 0);
    check_answer(stage->client, GET, 200, "ok");
    check_int(weir_stream_open(stage->client, GET, NULL, &stage->slow), 0);
    read_some(stage->slow);
    check_int(weir_stream_open(stage->client, GET, NULL, &stage->full), 0);
    read_some(stage->full);
    return 0;
}

static int make_idle(void *arg)
{
    struct stage *stage = arg;
    stage->client = CLIENT(stage->server, .timeout_ms = 0);
    check_answer(stage->client, GET, 200, "ok");
    check_int(script_server_closed(stage->server), 0); /* it is kept */
    return 0;
}

static int be_refused(void *arg)
{
    struct stage *stage = arg;
    weir_response *response = NULL;
    char byte;
    check_failure(stage->client, GET, WEIR_ENORUNTIME, WEIR_SENT_NEVER);
    check_int(weir_stream_read(stage->slow, &byte, 1), WEIR_ENORUNTIME);
    check_int(weir_stream_read(stage->full, &byte, 1), WEIR_ENORUNTIME);
    check_int(weir_get(stage->client, "/", &response), WEIR_ENORUNTIME);
    weir_response_free(response);
    return 0;
}

static void check_none_open(const weir_client *client)
{
    struct weir_client_stats stats = {.size = sizeof stats};
    check_int(weir_client_stats(client, &stats), 0);
    check_int((int64_t)stats.streams, 0);
    check_int((int64_t)stats.in_flight, 0);
}

static int free_all(void *arg)
{
    struct stage *stage = arg;
    check_int(weir_response_status(weir_stream_response(stage->slow)), 200);
    weir_stream_close(stage->slow);
    check_int(weir_client_free(stage->client), WEIR_EBUSY);
    weir_stream_close(stage->full);
    check_none_open(stage->client);
    check_int(weir_client_free(stage->client), 0);
    return 0;
}

static int await_closed(void *arg)
{
    struct stage *stage = arg;
    wait_closed(stage->server, script_server_connections(stage->server));
    return 0;
}

/* Before it is freed nothing is left but memory. */
static void outlive(weir_task_fn begin, struct stage *stage)
{
    start(stage);
    assert_int_equal(weir_run(begin, stage, NULL), 0);
    assert_int_equal(weir__blocks_kept(), 0);
    assert_int_equal(weir_run(await_closed, stage, NULL), 0);
}

static void freed_without_a_runtime(void **state)
{
    struct stage stage;
    (void)state;
    outlive(make, &stage);
    after_the_end(be_refused, &stage);
    free_all(&stage);
    script_server_stop(stage.server);
    rig_assert_no_failure();
}

static int make_another(void *arg)
{
    struct stage *stage = arg;
    weir_client *another = CLIENT(stage->server, .timeout_ms = 0);
    free_all(stage);
    check_int(weir_client_free(another), 0);
    return 0;
}

static void freed_in_the_next_run(void **state)
{
    struct stage stage;
    (void)state;
    outlive(make, &stage);
    assert_int_equal(weir_run(make_another, &stage, NULL), 0);
    script_server_stop(stage.server);
    rig_assert_no_failure();
}

static void freed_by_another_thread(void **state)
{
    struct stage stage;
    (void)state;
    outlive(make, &stage);
    on_other_thread(free_all, &stage);
    script_server_stop(stage.server);
    rig_assert_no_failure();
}

static void idle_connections_end_with_the_run(void **state)
{
    struct stage stage;
    (void)state;
    outlive(make_idle, &stage);
    assert_int_equal(weir_client_free(stage.client), 0);
    script_server_stop(stage.server);
    rig_assert_no_failure();
}

/* ---- while its runtime goes on ---- */

static int let_go_in_vain(void *arg)
{
    struct stage *stage = arg;
    be_refused(stage);
    weir_stream_close(stage->slow);
    weir_stream_close(stage->full);
    check_int(weir_client_free(stage->client), WEIR_ENORUNTIME);
    return 0;
}

static int read_on(weir_stream *stream)
{
    static char piece[64 << 10];
    int64_t n, sum = 1; /* it was read before */
    while ((n = weir_stream_read(stream, piece, sizeof piece)) > 0)
        sum += n;
    check_int(sum, BIG);
    return (int)n;
}

static int others_change_nothing(void *unused)
{
    struct stage stage;
    (void)unused;
    start(&stage);
    make(&stage);
    in_other_runtime(let_go_in_vain, &stage);
    on_other_thread(let_go_in_vain, &stage);
    check_int(read_on(stage.full), 0);
    free_all(&stage);
    script_server_stop(stage.server);
    return 0;
}

int main(void)
{
    forget_proxies();
    const struct CMUnitTest tests[] = {
        REAL_TEST(others_change_nothing),
        cmocka_unit_test(freed_without_a_runtime),
        cmocka_unit_test(freed_in_the_next_run),
        cmocka_unit_test(freed_by_another_thread),
        cmocka_unit_test(idle_connections_end_with_the_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
