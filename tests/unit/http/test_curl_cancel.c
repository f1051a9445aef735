/* The libcurl driver and requests that are given up: whatever the moment, nothing is left behind,
 * and what is said of the request having been sent is true. Leaks are AddressSanitizer's to find.
 */
#include "curl_rig.h"

#define OK_STEP                                                                                    \
    {                                                                                              \
        .answer = SCRIPT_OK("2", "ok")                                                             \
    }
#define GET  WEIR_REQUEST(.url = "/")
#define POST WEIR_REQUEST(.url = "/", .body = "body")

struct started {
    weir_group *group;
    weir_task *task;
    weir_response *response;
};

static void start(struct started *started, weir_client *client, const struct weir_request *request)
{
    started->group = rig_group();
    started->task = weir_request_start(started->group, client, request, &started->response);
    check(started->task != NULL);
}

/* Cancels the request, which then says of itself what is told. */
static void check_cancelled(struct started *started, enum weir_sent sent)
{
    weir_group_cancel(started->group);
    check_int(weir_gather(started->group), WEIR_ECANCELED);
    check_int(weir_response_error(started->response), WEIR_ECANCELED);
    check_int(weir_response_outcome(started->response), WEIR_OUTCOME_FAILED);
    check_int(weir_response_sent(started->response), sent);
    check(weir_response_error_text(started->response)[0] != '\0');
    weir_response_free(started->response);
    check_int(weir_group_free(started->group), 0);
}

static void check_nothing_is_held(weir_client *client)
{
    struct weir_limiter_stats stats = {.size = sizeof stats};
    weir_limiter_stats(weir_client_limiter(client), &stats);
    check_int((int64_t)stats.holding, 0);
    check_int((int64_t)stats.waiting, 0);
}

/* ---- in each state ---- */

static int before_it_is_handed_to_libcurl(void *arg)
{
    struct script_server *server = SCRIPT_SERVER(OK_STEP);
    weir_client *client = CLIENT(server, .limiter = NULL);
    struct started started;
    (void)arg;
    weir_sleep_ms(1); /* a turn of the loop begins: what was set up has not used it up */
    start(&started, client, POST);
    weir_yield(); /* it runs up to its wait; libcurl's turn would come with the loop's */
    check_cancelled(&started, WEIR_SENT_NEVER);
    check_nothing_is_held(client);
    check_int(script_server_connections(server), 0);
    check_answer(client, POST, 200, "ok");
    return end(server, client);
}

static int while_connecting(void *arg)
{
    int fds[SCRIPT_DEAF_FDS];
    char url[40];
    struct started started;
    (void)arg;
    snprintf(url, sizeof url, "http://127.0.0.1:%d", script_deaf_port(fds));
    weir_client *client =
        client_with(WEIR_CLIENT_OPTS(.base_url = url, .rate = 1, .period_ms = 3600000, .burst = 1));
    start(&started, client, POST);
    weir_sleep_ms(1); /* one turn of the loop: the connection attempt is under way */
    check_cancelled(&started, WEIR_SENT_NEVER);
    check_nothing_is_held(client);
    check_int(weir_limiter_try(weir_client_limiter(client), 1), 0); /* the token came back */
    script_deaf_end(fds);
    return weir_client_free(client);
}

static int while_resolving(void *arg)
{
    weir_client *client = client_with(WEIR_CLIENT_OPTS(.base_url = "http://weir-test.invalid"));
    struct started started;
    (void)arg;
    start(&started, client, POST);
    weir_sleep_ms(1);
    int64_t before_ms = weir_now_ms();
    weir_group_cancel(started.group);
    weir_group_free(started.group);
    check(weir_now_ms() - before_ms < 1000); /* nobody waits for a resolver */
    check_int(weir_response_sent(started.response), WEIR_SENT_NEVER);
    weir_response_free(started.response);
    return weir_client_free(client);
}

static int while_waiting_for_headers(void *arg)
{
    struct script_server *server = SCRIPT_SERVER({.end = SCRIPT_HOLD}, OK_STEP);
    weir_client *client = CLIENT(server, .limiter = NULL);
    struct started started;
    (void)arg;
    start(&started, client, POST);
    wait_requests(server, 1);
    check_cancelled(&started, WEIR_SENT_MAYBE);
    check_nothing_is_held(client);
    wait_closed(server, 1); /* the server sees it */
    check_answer(client, POST, 200, "ok");
    return end(server, client);
}

static int in_the_body(void *arg)
{
    struct script_server *server =
        SCRIPT_SERVER({.answer = SCRIPT_OK("100", "part"), .end = SCRIPT_HOLD}, OK_STEP);
    weir_client *client = CLIENT(server, .limiter = NULL);
    weir_response *response;
    (void)arg;
    request_once(client, WEIR_REQUEST(.url = "/", .timeout_ms = 200), WEIR_ETIMEDOUT, &response);
    check_int(weir_response_status(response), 0);
    check_int(weir_response_sent(response), WEIR_SENT_MAYBE);
    check(strcmp(weir_response_body(response), "part") == 0); /* it was there */
    weir_response_free(response);
    check_nothing_is_held(client);
    wait_closed(server, 1);
    check_answer(client, POST, 200, "ok");
    return end(server, client);
}

static int in_the_upload(void *arg)
{
    enum { LEN = 32 << 20 }; /* more than sockets buffer */
    struct script_server *server =
        SCRIPT_SERVER({.at_once = true, .gather = 2, .end = SCRIPT_HOLD}, OK_STEP);
    weir_client *client = CLIENT(server, .limiter = NULL);
    struct started started;
    char *body = malloc(LEN);
    (void)arg;
    memset(body, 'b', LEN);
    start(&started, client, WEIR_REQUEST(.url = "/", .body = body, .body_len = LEN));
    memset(body, 'c', LEN); /* it has its own copy */
    free(body);
    wait_requests(server, 1);
    check_cancelled(&started, WEIR_SENT_MAYBE);
    check_nothing_is_held(client);
    check_answer(client, POST, 200, "ok");
    wait_closed(server, 1);
    return end(server, client);
}

/* ---- many ---- */

enum { MANY = 64 };

static int many_at_once(void *arg)
{
    struct script_server *server = SCRIPT_SERVER({.end = SCRIPT_HOLD});
    weir_client *client = CLIENT(server, .concurrency = MANY);
    weir_response **responses = calloc(MANY, sizeof *responses);
    weir_group *group = rig_group();
    (void)arg;
    for (int i = 0; i < MANY; i++)
        weir_request_start(group, client, POST, &responses[i]);
    wait_requests(server, MANY);
    check_int(weir_client_free(client), WEIR_EBUSY);
    weir_group_free(group); /* cancels them all */
    check_nothing_is_held(client);
    for (int i = 0; i < MANY; i++) {
        check_int(weir_response_error(responses[i]), WEIR_ECANCELED);
        weir_response_free(responses[i]);
    }
    wait_closed(server, MANY);
    free(responses);
    return end(server, client);
}

/* Deadlines and answers race: each request ends one way or the other, and all places come back. */
static int deadlines_at_any_moment(void *arg)
{
    enum { ROUNDS = 20 };
    struct script_server *server = SCRIPT_SERVER(OK_STEP);
    weir_limiter *limiter = all_at_once(8);
    weir_client *client = CLIENT(server, .limiter = limiter);
    weir_response **responses = calloc(MANY, sizeof *responses);
    (void)arg;
    for (int round = 0; round < ROUNDS; round++) {
        weir_group *group = rig_group();
        for (int i = 0; i < 32; i++)
            weir_request_start(group, client, WEIR_REQUEST(.url = "/", .timeout_ms = 1 + i % 4),
                               &responses[i]);
        weir_gather(group);
        for (int i = 0; i < 32; i++) {
            int rc = weir_response_error(responses[i]);
            check(rc == 0 || rc == WEIR_ETIMEDOUT);
            check(rc != 0 || strcmp(weir_response_body(responses[i]), "ok") == 0);
            weir_response_free(responses[i]);
        }
        weir_group_free(group);
        check_nothing_is_held(client);
    }
    check_answer(client, POST, 200, "ok");
    free(responses);
    int rc = end(server, client);
    weir_limiter_free(limiter);
    return rc;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        REAL_TEST(before_it_is_handed_to_libcurl),
        REAL_TEST(while_connecting),
        REAL_TEST(while_resolving),
        REAL_TEST(while_waiting_for_headers),
        REAL_TEST(in_the_body),
        REAL_TEST(in_the_upload),
        REAL_TEST(many_at_once),
        REAL_TEST(deadlines_at_any_moment),
    };
    forget_proxies();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
