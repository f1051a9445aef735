/* The libcurl driver and servers that misbehave: each fault has its own code, and what is said of
 * the request having been sent is true. */
#include "curl_rig.h"

#include "base/mem.h"

#define OK_STEP                                                                                    \
    {                                                                                              \
        .answer = SCRIPT_OK("2", "ok")                                                             \
    }
#define LOST                                                                                       \
    {                                                                                              \
        .end = SCRIPT_RESET                                                                        \
    } /* reads the request and answers with a reset */

#define GET(url_) WEIR_REQUEST(.url = (url_))
#define POST      WEIR_REQUEST(.url = "/x", .body = "body")
#define REPLAY    WEIR_REQUEST(.url = "/x", .body = "body", .replay = 1)
#define PATCH     WEIR_REQUEST(.url = "/x", .method = "PATCH") /* no body, not idempotent */

/* ---- the connection ends too soon ---- */

static int lost_before_the_answer(void *arg)
{
    static const enum script_end ends[] = {SCRIPT_RESET, SCRIPT_CLOSE};
    (void)arg;
    for (size_t i = 0; i < 2; i++) {
        struct script_server *server = SCRIPT_SERVER({.end = ends[i]});
        weir_client *client = CLIENT(server, .limiter = NULL);
        check_failure(client, POST, WEIR_ERESET, WEIR_SENT_MAYBE);
        check_int(script_server_requests(server), 1);
        check_failure(client, GET("/"), WEIR_ERESET, WEIR_SENT_MAYBE);
        check_int(script_server_requests(server), 2);
        check_int(end(server, client), 0);
    }
    return 0;
}

/* On a kept connection libcurl would send the request again by itself: no POST is executed twice.
 */
static int lost_on_a_kept_connection(void *arg)
{
    static const enum script_end ends[] = {SCRIPT_RESET, SCRIPT_CLOSE};
    (void)arg;
    for (size_t i = 0; i < 2; i++) {
        struct script_server *server = SCRIPT_SERVER(OK_STEP, {.end = ends[i]}, OK_STEP);
        weir_client *client = CLIENT(server, .limiter = NULL);
        check_answer(client, POST, 200, "ok");
        check_failure(client, POST, WEIR_ERESET, WEIR_SENT_MAYBE);
        check_int(script_server_requests(server), 2);
        check_int(script_server_request(server, 1)->connection, 0); /* it was the kept one */
        check_answer(client, POST, 200, "ok");
        check_int(script_server_requests(server), 3);
        check_int(end(server, client), 0);
    }
    return 0;
}

static int lost_without_a_body_to_rewind(void *arg)
{
    struct script_server *server = SCRIPT_SERVER(OK_STEP, LOST, OK_STEP);
    weir_client *client = CLIENT(server, .limiter = NULL);
    (void)arg;
    check_answer(client, POST, 200, "ok");
    check_failure(client, PATCH, WEIR_ERESET, WEIR_SENT_MAYBE);
    check_int(script_server_requests(server), 2);
    return end(server, client);
}

/* libcurl itself never sends twice, not even what may be: each sending is an attempt, with a token.
 */
static int what_may_be_sent_twice_is(void *arg)
{
    const struct weir_retry_opts *retry =
        WEIR_RETRY_OPTS(.max_attempts = 2, .backoff_base_ms = 1, .backoff_max_ms = 1);
    struct script_server *server =
        SCRIPT_SERVER(OK_STEP, LOST, OK_STEP, LOST, OK_STEP, LOST, OK_STEP, LOST);
    weir_client *client = CLIENT(server, .retry = retry);
    weir_client *once = CLIENT(server, .limiter = NULL);
    (void)arg;
    check_answer(client, POST, 200, "ok");
    check_answer(client, GET("/"), 200, "ok");
    check_int(script_server_requests(server), 3);
    check_answer(client, REPLAY, 200, "ok");
    check_int(script_server_requests(server), 5);
    check_int(script_server_request(server, 4)->body_len, 4);
    check_answer(client, WEIR_REQUEST(.url = "/", .method = "PUT", .body = "put"), 200, "ok");
    check_int(script_server_requests(server), 7);
    check_int(script_server_request(server, 6)->body_len, 3);
    check_failure(once, GET("/"), WEIR_ERESET, WEIR_SENT_MAYBE);
    check_int(script_server_requests(server), 8);
    check_int(weir_client_free(once), 0);
    return end(server, client);
}

/* And with attempts left, the pipeline does the same on fresh connections. */
static int the_pipeline_replays_by_the_same_rule(void *arg)
{
    const struct weir_retry_opts *retry =
        WEIR_RETRY_OPTS(.max_attempts = 3, .backoff_base_ms = 1, .backoff_max_ms = 1);
    struct script_server *server = SCRIPT_SERVER(LOST, LOST, OK_STEP, LOST, OK_STEP);
    weir_client *client = CLIENT(server, .retry = retry);
    (void)arg;
    check_answer(client, REPLAY, 200, "ok");
    check_int(script_server_requests(server), 3);
    check_failure(client, POST, WEIR_ERESET, WEIR_SENT_MAYBE);
    check_int(script_server_requests(server), 4);
    return end(server, client);
}

static int truncated_answers(void *arg)
{
    struct script_server *server =
        SCRIPT_SERVER({.answer = SCRIPT_OK("100", "short"), .end = SCRIPT_CLOSE},
                      {.answer = SCRIPT_OK("100", "short"), .end = SCRIPT_RESET},
                      {.answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
                       .end = SCRIPT_CLOSE},
                      {.answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"},
                      {.answer = "HTTP/1.1 200 OK\r\nContent-Le", .end = SCRIPT_CLOSE},
                      {.answer = "HTTP/1.1 200 OK\r\nA: b\r\n", .end = SCRIPT_CLOSE},
                      {.answer = "HTTP/1.1 200 OK", .end = SCRIPT_CLOSE},
                      {.answer = "HTTP/1.1 100 Continue\r\n\r\n", .end = SCRIPT_CLOSE});
    weir_client *client = CLIENT(server, .limiter = NULL);
    (void)arg;
    for (unsigned i = 0; i < 8; i++)
        check_failure(client, POST, WEIR_ERESET, WEIR_SENT_MAYBE);
    check_int(script_server_requests(server), 8);
    return end(server, client);
}

/* ---- answers that cannot be taken ---- */

static int garbage(void *arg)
{
    struct script_server *server =
        SCRIPT_SERVER({.answer = "\x16\x03\x01 what?\r\n\r\n", .end = SCRIPT_CLOSE},
                      {.answer = "SSH-2.0-OpenSSH_9.2\r\n", .end = SCRIPT_CLOSE},
                      {.answer = "HTTP/1.1 twohundred OK\r\n\r\n", .end = SCRIPT_CLOSE},
                      {.answer = "HTTP/1.1 999 Denied\r\nContent-Length: 0\r\n\r\n"});
    weir_client *client = CLIENT(server, .limiter = NULL);
    (void)arg;
    for (unsigned i = 0; i < 4; i++)
        check_failure(client, POST, WEIR_EPROTO, WEIR_SENT_MAYBE);
    check_int(script_server_requests(server), 4);
    return end(server, client);
}

static int body_over_the_cap(void *arg)
{
    static const char chunked[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFF\r\n";
    struct script_server *server =
        SCRIPT_SERVER({.answer = SCRIPT_OK("1000", ""), .fill = 1000},
                      {.answer = SCRIPT_OK("1001", ""), .fill = 1001},
                      {.answer = chunked, .fill = 1 << 20},
                      {.answer = "HTTP/1.1 200 OK\r\n\r\n", .fill = 1 << 20, .repeat = 1000});
    weir_client *client = CLIENT(server, .max_body_bytes = 1000);
    weir_response *response;
    (void)arg;
    request_once(client, POST, 0, &response);
    check(weir_response_body_len(response) == 1000);
    weir_response_free(response);
    for (int i = 0; i < 3; i++)
        check_failure(client, POST, WEIR_EBODYSIZE, WEIR_SENT_MAYBE);
    wait_closed(server, 3); /* the endless one, too */
    return end(server, client);
}

static int headers_over_the_cap(void *arg)
{
    /* Of 100 KB in one line libcurl makes an end itself; of many lines we do. */
    struct script_server *server =
        SCRIPT_SERVER({.answer = "HTTP/1.1 200 OK\r\nX-Large: ", .fill = 200 << 10},
                      {.answer = "HTTP/1.1 200 OK\r\nA: b\r\nX-Large: ", .fill = 200 << 10});
    weir_client *client = CLIENT(server, .limiter = NULL);
    (void)arg;
    check_failure(client, POST, WEIR_EHEADERSIZE, WEIR_SENT_MAYBE);
    check_failure(client, POST, WEIR_EHEADERSIZE, WEIR_SENT_MAYBE);
    return end(server, client);
}

static int too_many_headers(void *arg)
{
    enum { LINES = 400, LINE = 1000 };
    static const char start[] = "HTTP/1.1 200 OK\r\n";
    char *answer = malloc(sizeof start + LINES * LINE + 3), *at = answer + sizeof start - 1;
    (void)arg;
    memcpy(answer, start, sizeof start);
    for (int i = 0; i < LINES; i++) {
        memset(at, 'v', LINE);
        memcpy(at, "X: ", 3);
        memcpy(at + LINE - 2, "\r\n", 2);
        at += LINE;
    }
    memcpy(at, "\r\n", 3);
    struct script_server *server = SCRIPT_SERVER({.answer = answer});
    weir_client *client = CLIENT(server, .limiter = NULL);
    check_failure(client, POST, WEIR_EHEADERSIZE, WEIR_SENT_MAYBE);
    check_int(end(server, client), 0);
    free(answer);
    return 0;
}

/* ---- no connection ---- */

static int refused(void *arg)
{
    char url[40];
    weir_client *client = client_with(WEIR_CLIENT_OPTS(.base_url = NULL));
    (void)arg;
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", script_closed_port());
    check_failure(client, GET(url), WEIR_ECONNECT, WEIR_SENT_NEVER);
    check_failure(client, WEIR_REQUEST(.url = url, .body = "b"), WEIR_ECONNECT, WEIR_SENT_NEVER);
    return weir_client_free(client);
}

static int no_such_host(void *arg)
{
    weir_client *client = client_with(WEIR_CLIENT_OPTS(.base_url = "http://weir-test.invalid"));
    (void)arg;
    check_failure(client, POST, WEIR_ERESOLVE, WEIR_SENT_NEVER);
    return weir_client_free(client);
}

/* A handle that has sent much before says nothing of it afterwards. */
static int never_sent_after_a_success(void *arg)
{
    struct script_server *server = SCRIPT_SERVER(OK_STEP);
    weir_client *client = CLIENT(server, .limiter = NULL);
    char url[40];
    (void)arg;
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", script_closed_port());
    check_answer(client, POST, 200, "ok");
    check_failure(client, GET(url), WEIR_ECONNECT, WEIR_SENT_NEVER);
    check_answer(client, POST, 200, "ok");
    return end(server, client);
}

/* ---- too slow ---- */

static int attempt_timeout(void *arg)
{
    struct script_server *server =
        SCRIPT_SERVER({.end = SCRIPT_HOLD}, {.answer = SCRIPT_OK("9", "part"), .end = SCRIPT_HOLD});
    weir_client *client = CLIENT(server, .attempt_timeout_ms = 150);
    (void)arg;
    for (unsigned i = 0; i < 2; i++) {
        int64_t before_ms = weir_now_ms();
        check_failure(client, POST, WEIR_EATTEMPTTIME, WEIR_SENT_MAYBE);
        check(weir_now_ms() - before_ms >= 150);
        wait_closed(server, i + 1);
    }
    check_int(script_server_requests(server), 2);
    return end(server, client);
}

static int attempt_timeout_while_connecting(void *arg)
{
    int fds[SCRIPT_DEAF_FDS];
    char url[40];
    weir_client *client = client_with(WEIR_CLIENT_OPTS(.attempt_timeout_ms = 150));
    (void)arg;
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", script_deaf_port(fds));
    check_failure(client, GET(url), WEIR_ECONNECT, WEIR_SENT_NEVER);
    script_deaf_end(fds);
    return weir_client_free(client);
}

/* One goes ahead to a server that is not known; the others wait, and share its fate. */
static int all_fail_with_the_one_that_went_ahead(void *arg)
{
    enum { MANY = 20, LIMIT_MS = 150 };
    int fds[SCRIPT_DEAF_FDS];
    char url[40];
    weir_response *responses[MANY] = {NULL};
    weir_limiter *limiter = all_at_once(64);
    weir_client *client =
        client_with(WEIR_CLIENT_OPTS(.attempt_timeout_ms = LIMIT_MS, .limiter = limiter));
    weir_group *group = rig_group();
    (void)arg;
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", script_deaf_port(fds));
    int64_t start_ms = weir_now_ms();
    for (size_t i = 0; i < MANY; i++)
        weir_request_start(group, client, GET(url), &responses[i]);
    check_int(weir_gather(group), WEIR_ECONNECT);
    check(weir_now_ms() - start_ms < (int64_t)LIMIT_MS * MANY / 2); /* not one after the other */
    for (size_t i = 0; i < MANY; i++) {
        check_int(weir_response_error(responses[i]), WEIR_ECONNECT);
        check_int(weir_response_sent(responses[i]), WEIR_SENT_NEVER);
        check(strcmp(weir_response_error_text(responses[i]),
                     weir_response_error_text(responses[0])) == 0);
    }
    for (size_t i = 0; i < MANY; i++)
        weir_response_free(responses[i]);
    script_deaf_end(fds);
    check_int(weir_group_free(group), 0);
    check_int(weir_client_free(client), 0);
    weir_limiter_free(limiter);
    return 0;
}

/* The one that goes ahead is cancelled: the next one takes its place. */
static int the_one_that_went_ahead_is_cancelled(void *arg)
{
    int fds[SCRIPT_DEAF_FDS];
    char url[40];
    weir_response *first = NULL, *second = NULL;
    weir_client *client = client_with(WEIR_CLIENT_OPTS(.attempt_timeout_ms = 100));
    weir_group *ahead = rig_group(), *behind = rig_group();
    (void)arg;
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", script_deaf_port(fds));
    weir_request_start(ahead, client, GET(url), &first);
    weir_request_start(behind, client, GET(url), &second);
    check_int(weir_sleep_ms(1), 0);
    check_int(weir_group_free(ahead), 0);
    check_int(weir_gather(behind), WEIR_ECONNECT); /* after its own 100 ms */
    weir_response_free(first);
    weir_response_free(second);
    script_deaf_end(fds);
    check_int(weir_group_free(behind), 0);
    return weir_client_free(client);
}

/* ---- an early answer ---- */

/* The server refuses a large body before it has read it, and is gone. */
static int early_answer_to_a_large_body(void *arg)
{
    enum { LEN = 8 << 20 };
    struct script_server *server = SCRIPT_SERVER(
        {.answer =
             "HTTP/1.1 413 Payload Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno!",
         .at_once = true,
         .end = SCRIPT_HOLD});
    weir_client *client = CLIENT(server, .limiter = NULL);
    char *body = malloc(LEN);
    (void)arg;
    memset(body, 'b', LEN);
    check_answer(client, WEIR_REQUEST(.url = "/", .body = body, .body_len = LEN), 413, "no!");
    wait_closed(server, 1);
    free(body);
    return end(server, client);
}

/* ---- no memory ---- */

/* The k-th of our own allocations fails, and all after it, for all k: an error or the answer each
 * time, and the next request is answered. Nothing waits for a time limit. */
static int allocations_that_fail(void *arg)
{
    struct script_server *server = SCRIPT_SERVER(OK_STEP);
    static const char *const headers[] = {"X-Own: 1", "X-Empty:", NULL};
    int rc = WEIR_ENOMEM;
    (void)arg;
    for (unsigned long k = 1; rc != 0 && check(k < 100); k++) {
        weir_client *client = CLIENT(server, .limiter = NULL);
        weir_response *response;
        int64_t before_ms = weir_now_ms();
        weir__mem_fail_at(k);
        rc = weir_request(client, WEIR_REQUEST(.url = "/", .body = "b", .headers = headers),
                          &response);
        weir__mem_fail_at(0);
        check(rc == 0 || rc == WEIR_ENOMEM);
        check(weir_now_ms() - before_ms < BOUND_MS / 2);
        weir_response_free(response);
        check_answer(client, POST, 200, "ok");
        check_int(weir_client_free(client), 0);
    }
    return end(server, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        REAL_TEST(lost_before_the_answer),
        REAL_TEST(lost_on_a_kept_connection),
        REAL_TEST(lost_without_a_body_to_rewind),
        REAL_TEST(what_may_be_sent_twice_is),
        REAL_TEST(the_pipeline_replays_by_the_same_rule),
        REAL_TEST(truncated_answers),
        REAL_TEST(garbage),
        REAL_TEST(body_over_the_cap),
        REAL_TEST(headers_over_the_cap),
        REAL_TEST(too_many_headers),
        REAL_TEST(refused),
        REAL_TEST(no_such_host),
        REAL_TEST(never_sent_after_a_success),
        REAL_TEST(attempt_timeout),
        REAL_TEST(attempt_timeout_while_connecting),
        REAL_TEST(all_fail_with_the_one_that_went_ahead),
        REAL_TEST(the_one_that_went_ahead_is_cancelled),
        REAL_TEST(early_answer_to_a_large_body),
        REAL_TEST(allocations_that_fail),
    };
    forget_proxies();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
