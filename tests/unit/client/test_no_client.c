/* A client that is NULL, since what weir_client_new returned was not looked at, and other NULLs
 * that are no option: each function says so, and nothing crashes. */
#include <weir/body.h>
#include <weir/cjson.h>
#include <weir/jansson.h>
#include <weir/metrics.h>
#include <weir/stream.h>

#include "client_rig.h"

#include "base/mem.h"

/* What the response says; it is freed. */
static void check_says(int rc, weir_response *response, const char *text)
{
    check_int(rc, WEIR_EINVAL);
    if (!check(response != NULL))
        return;
    check_int(weir_response_error(response), WEIR_EINVAL);
    check_int(weir_response_status(response), 0);
    check_int(weir_response_attempts(response), 0);
    check_int(weir_response_sent(response), WEIR_SENT_NEVER);
    check(strstr(weir_response_error_text(response), text) != NULL);
    weir_response_free(response);
}

static void check_no_client(int rc, weir_response *response)
{
    check_says(rc, response, "the client is NULL");
}

/* ---- no client ---- */

static int requests(void *unused)
{
    weir_response *response = NULL;
    int rc = weir_request(NULL, GET, &response);
    (void)unused;
    check_no_client(rc, response);
    rc = weir_get(NULL, "/x", &response);
    check_no_client(rc, response);
    rc = weir_post_json(NULL, "/x", "{}", &response);
    check_no_client(rc, response);
    rc = weir_request_json(NULL, GET, "{}", 0, &response);
    check_no_client(rc, response);
    rc = weir_request_json(NULL, GET, NULL, 0, &response);
    check_no_client(rc, response);
    return 0;
}

static int trees(void *unused)
{
    weir_response *response = NULL;
    json_t *tree = json_object();
    cJSON *other = cJSON_CreateObject();
    int rc = weir_jansson_request(NULL, GET, tree, &response);
    (void)unused;
    check_no_client(rc, response);
    rc = weir_jansson_request_take(NULL, GET, tree, &response);
    check_no_client(rc, response);
    rc = weir_cjson_request(NULL, GET, other, &response);
    check_no_client(rc, response);
    rc = weir_cjson_request_take(NULL, GET, other, &response);
    check_no_client(rc, response);
    return 0;
}

static int started(void *unused)
{
    weir_group *group = NULL;
    weir_response *response = NULL;
    (void)unused;
    check_int(weir_group_new(&group, NULL), 0);
    weir_task *task = weir_request_start(group, NULL, GET, &response);
    int rc = task != NULL ? weir_await(task) : WEIR_ENOMEM;
    check_no_client(rc, response);
    response = NULL;
    weir_request_start(group, NULL, GET, &response); /* cancelled before it ran */
    weir_group_free(group);
    check(response == NULL);
    return 0;
}

static int streams(void *unused)
{
    weir_stream *stream = NULL;
    char byte;
    const struct weir_sse_event *event;
    (void)unused;
    check_int(weir_stream_open(NULL, GET, NULL, &stream), WEIR_EINVAL);
    if (!check(stream != NULL))
        return 0;
    const weir_response *response = weir_stream_response(stream);
    check(strstr(weir_response_error_text(response), "the client is NULL") != NULL);
    check_int(weir_response_error(response), WEIR_EINVAL);
    check_int(weir_stream_read(stream, &byte, 1), WEIR_EINVAL);
    check_int(weir_sse_next(stream, &event), WEIR_EINVAL);
    weir_stream_close(stream);
    return 0;
}

static int saved(void *unused)
{
    weir_response *response = NULL;
    int64_t written = 7;
    int rc = weir_request_save(NULL, GET, 1, NULL, &written, &response);
    (void)unused;
    check_no_client(rc, response);
    check_int(written, 0);
    rc = weir_request_save(NULL, GET, -1, NULL, NULL, &response);
    check_no_client(rc, response);
    return 0;
}

static int questions(void *unused)
{
    struct weir_breaker_stats breaker = {.size = sizeof breaker};
    struct weir_hedge_stats hedge = {.size = sizeof hedge};
    struct weir_client_stats stats = {.size = sizeof stats};
    const weir_client *const clients[] = {NULL};
    (void)unused;
    check_int(weir_client_free(NULL), 0);
    check(weir_client_limiter(NULL) == NULL);
    check_int(weir_client_breaker_stats(NULL, &breaker), WEIR_EINVAL);
    check_int(weir_client_hedge_stats(NULL, &hedge), WEIR_EINVAL);
    check_int(weir_client_stats(NULL, &stats), WEIR_EINVAL);
    check_int(weir_client_latency_ns(NULL, 50), -1);
    check_int(weir_client_metrics_text(clients, NULL, 1, NULL, 0), WEIR_EINVAL);
    check_int(weir_client_metrics_text(NULL, NULL, 1, NULL, 0), WEIR_EINVAL);
    return 0;
}

static int no_memory_either(void *unused)
{
    weir_response *response = NULL;
    weir_stream *stream = NULL;
    (void)unused;
    weir__mem_fail_at(1);
    check_int(weir_request(NULL, GET, &response), WEIR_ENOMEM);
    check(response == NULL);
    weir__mem_fail_at(2);
    check_int(weir_stream_open(NULL, GET, NULL, &stream), WEIR_ENOMEM);
    check(stream == NULL);
    weir__mem_fail_at(0);
    return 0;
}

/* ---- other NULLs ---- */

static int no_place_for_the_answer(void *unused)
{
    struct model_server server = {.latency_ms = 10};
    weir_client *client = CLIENT(&server, .rate = 0);
    weir_group *group = NULL;
    json_t *tree = json_object();
    cJSON *other = cJSON_CreateObject();
    (void)unused;
    check_int(weir_client_new(NULL, NULL), WEIR_EINVAL);
    check_int(weir_request(client, GET, NULL), WEIR_EINVAL);
    check_int(weir_get(client, "/x", NULL), WEIR_EINVAL);
    check_int(weir_post_json(client, "/x", "{}", NULL), WEIR_EINVAL);
    check_int(weir_request_json(client, GET, "{}", 0, NULL), WEIR_EINVAL);
    check_int(weir_jansson_request_take(client, GET, tree, NULL), WEIR_EINVAL);
    check_int(weir_cjson_request_take(client, GET, other, NULL), WEIR_EINVAL);
    check_int(weir_stream_open(client, GET, NULL, NULL), WEIR_EINVAL);
    check_int(weir_request_save(client, GET, 1, NULL, NULL, NULL), WEIR_EINVAL);
    check_int(weir_group_new(&group, NULL), 0);
    weir_task *task = weir_request_start(group, client, GET, NULL);
    if (check(task != NULL))
        check_int(weir_await(task), WEIR_EINVAL);
    weir_group_free(group);
    check_int((int64_t)server.requests, 0);
    return done(client, &server);
}

static int nothing_asked_for(void *unused)
{
    struct model_server server = {.latency_ms = 10};
    weir_client *client = CLIENT(&server, .rate = 0);
    weir_response *response = NULL;
    int rc = weir_post_json(client, "/x", NULL, &response);
    (void)unused;
    check_says(rc, response, "the JSON text is NULL");
    check_int(weir_get(client, NULL, &response), WEIR_EURL);
    weir_response_free(response);
    check_int(weir_request(client, NULL, &response), WEIR_EURL);
    weir_response_free(response);
    weir_stream *stream = NULL;
    check_int(weir_stream_open(client, NULL, NULL, &stream), WEIR_EURL);
    weir_stream_close(stream);
    check_int((int64_t)server.requests, 0);
    return done(client, &server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(requests),
        VIRTUAL_TEST(trees),
        VIRTUAL_TEST(started),
        VIRTUAL_TEST(streams),
        VIRTUAL_TEST(saved),
        VIRTUAL_TEST(questions),
        VIRTUAL_TEST(no_memory_either),
        VIRTUAL_TEST(no_place_for_the_answer),
        VIRTUAL_TEST(nothing_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
