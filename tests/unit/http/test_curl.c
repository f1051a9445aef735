/* The libcurl driver over real sockets: what goes out and what comes back. */
#include "curl_rig.h"

#define OK_STEP                                                                                    \
    {                                                                                              \
        .answer = SCRIPT_OK("2", "ok")                                                             \
    }
#define NO_BODY                                                                                    \
    {                                                                                              \
        .answer = "HTTP/1.1 204 No Content\r\n\r\n"                                                \
    }
#define GET(url_)   WEIR_REQUEST(.url = (url_))
#define POST(body_) WEIR_REQUEST(.url = "/x", .body = (body_))

/* ---- answers ---- */

static int plain_200(void *arg)
{
    struct script_server *server = SCRIPT_SERVER(OK_STEP);
    weir_client *client = CLIENT(server, .limiter = NULL);
    (void)arg;
    check_answer(client, GET("/a/b?c=d"), 200, "ok");
    check(asked(server, 0, "GET /a/b?c=d"));
    check(head_has(server, 0, "\r\nHost: 127.0.0.1:"));
    check(head_has(server, 0, "\r\nUser-Agent: weir\r\n"));
    check(!head_has(server, 0, "\r\nAuthorization:"));
    return end(server, client);
}

static int headers_are_kept(void *arg)
{
    struct script_server *server =
        SCRIPT_SERVER({.answer = "HTTP/1.1 429 Too Many Requests\r\nX-Request-Id: req_1\r\n"
                                 "Retry-After:  7\t\r\nEmpty:\r\nTwice: a\r\ntwice: b\r\n"
                                 "Content-Length: 3\r\n\r\nno!"});
    weir_client *client = CLIENT(server, .limiter = NULL);
    weir_response *response;
    size_t len;
    (void)arg;
    request_once(client, GET("/"), 0, &response);
    check_int(weir_response_status(response), 429);
    check_int(weir_response_outcome(response), WEIR_OUTCOME_THROTTLED);
    check_int(weir_response_server_wait_ms(response), 7000);
    check(strncmp(weir_response_request_id(response, &len), "req_1", 5) == 0 && len == 5);
    check(weir_response_header(response, "retry-after", &len)[0] == '7' && len == 1);
    check(weir_response_header(response, "empty", &len) != NULL && len == 0);
    check(weir_response_header(response, "TWICE", &len)[0] == 'a' && len == 1);
    check(weir_response_header(response, "none", &len) == NULL);
    weir_response_free(response);
    return end(server, client);
}

static int chunks_are_joined(void *arg)
{
    struct script_server *server =
        SCRIPT_SERVER({.answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                 "3\r\nabc\r\n4\r\ndefg\r\n0\r\nTrailer: t\r\n\r\n"},
                      OK_STEP);
    weir_client *client = CLIENT(server, .limiter = NULL);
    (void)arg;
    check_answer(client, GET("/"), 200, "abcdefg");
    check_answer(client, GET("/"), 200, "ok");
    check_int(script_server_connections(server), 1);
    return end(server, client);
}

/* HTTP/1.0 style: the end of the connection is the body's. */
static int body_may_end_with_the_connection(void *arg)
{
    struct script_server *server = SCRIPT_SERVER(
        {.answer = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nto the end", .end = SCRIPT_CLOSE});
    weir_client *client = CLIENT(server, .limiter = NULL);
    (void)arg;
    check_answer(client, GET("/"), 200, "to the end");
    return end(server, client);
}

static int interim_answers_leave_no_trace(void *arg)
{
    struct script_server *server = SCRIPT_SERVER(
        {.answer = "HTTP/1.1 100 Continue\r\nX-Early: 1\r\n\r\n"
                   "HTTP/1.1 103 Early Hints\r\nX-Hint: 1\r\n\r\n"
                   "HTTP/1.1 201 Created\r\nX-Late: 1\r\nContent-Length: 2\r\n\r\nok"});
    weir_client *client = CLIENT(server, .limiter = NULL);
    weir_response *response;
    (void)arg;
    request_once(client, POST("body"), 0, &response);
    check_int(weir_response_status(response), 201);
    check(weir_response_header(response, "X-Early", NULL) == NULL);
    check(weir_response_header(response, "X-Hint", NULL) == NULL);
    check(weir_response_header(response, "X-Late", NULL) != NULL);
    weir_response_free(response);
    return end(server, client);
}

/* ---- requests ---- */

struct method_case {
    struct weir_request request;
    const char *line;
    int64_t body_len;
};

/* One pooled handle carries them all, one after the other: nothing of one may stick to the next. */
static int each_method_after_each_other(void *arg)
{
    static const char body[] = "body";
    static const struct method_case cases[] = {
        {{.url = "/1"}, "GET /1", 0},
        {{.url = "/2", .method = "GET", .body = body}, "GET /2", 4},
        {{.url = "/3", .body = body}, "POST /3", 4},
        {{.url = "/4", .method = "HEAD"}, "HEAD /4", 0},
        {{.url = "/5", .body = body, .replay = 1}, "POST /5", 4},
        {{.url = "/6", .method = "PUT", .body = body}, "PUT /6", 4},
        {{.url = "/7", .method = "PUT"}, "PUT /7", 0},
        {{.url = "/8", .method = "DELETE"}, "DELETE /8", 0},
        {{.url = "/9", .method = "DELETE", .body = body}, "DELETE /9", 4},
        {{.url = "/10", .method = "POST"}, "POST /10", 0},
        {{.url = "/11", .method = "HEAD"}, "HEAD /11", 0},
        {{.url = "/12", .method = "GET"}, "GET /12", 0},
        {{.url = "/13", .method = "PATCH", .body = body}, "PATCH /13", 4},
        {{.url = "/14", .method = "POST", .body = ""}, "POST /14", 0},
        {{.url = "/15", .method = "OPTIONS"}, "OPTIONS /15", 0},
        {{.url = "/16", .method = "post", .body = body}, "post /16", 4},
        {{.url = "/17", .method = "PATCH"}, "PATCH /17", 0},
        {{.url = "/18"}, "GET /18", 0},
    };
    enum { COUNT = sizeof cases / sizeof cases[0] };
    struct script_server *server = SCRIPT_SERVER(NO_BODY);
    weir_client *client = CLIENT(server, .limiter = NULL);
    (void)arg;
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < COUNT; i++) {
            struct weir_request request = cases[i].request;
            request.size = sizeof request;
            check_answer(client, &request, 204, "");
            check(asked(server, round * COUNT + i, cases[i].line));
            check_int(script_server_request(server, round * COUNT + i)->body_len,
                      cases[i].body_len);
            check(head_has(server, round * COUNT + i, "\r\nContent-Length: 0\r\n") ==
                  (cases[i].body_len == 0 && cases[i].line[0] == 'P'));
            check(!head_has(server, round * COUNT + i, "Content-Type"));
        }
    }
    return end(server, client);
}

static int head_has_no_body(void *arg)
{
    struct script_server *server = SCRIPT_SERVER({.answer = SCRIPT_OK("1000", "")}, OK_STEP);
    weir_client *client = CLIENT(server, .limiter = NULL);
    (void)arg;
    check_answer(client, WEIR_REQUEST(.url = "/", .method = "HEAD"), 200, "");
    check_answer(client, GET("/"), 200, "ok");
    check_int(script_server_connections(server), 1);
    return end(server, client);
}

static int headers_go_out(void *arg)
{
    static const char *const client_headers[] = {"X-Client: c", "X-Both: client", NULL};
    static const char *const headers[] = {"x-both: request", "X-Empty:", "Content-Type: text/x",
                                          NULL};
    struct script_server *server = SCRIPT_SERVER(OK_STEP);
    weir_client *client = CLIENT(server, .headers = client_headers, .bearer_token = "secret");
    (void)arg;
    check_answer(client, WEIR_REQUEST(.url = "/", .body = "b", .headers = headers), 200, "ok");
    check(head_has(server, 0, "\r\nX-Client: c\r\n"));
    check(head_has(server, 0, "\r\nx-both: request\r\n"));
    check(!head_has(server, 0, "X-Both: client"));
    check(head_has(server, 0, "\r\nX-Empty:\r\n"));
    check(head_has(server, 0, "\r\nContent-Type: text/x\r\n"));
    check(head_has(server, 0, "\r\nAuthorization: Bearer secret\r\n"));
    check_answer(client, POST("b"), 200, "ok"); /* and are gone with the next one */
    check(head_has(server, 1, "\r\nX-Both: client\r\n"));
    check(!head_has(server, 1, "X-Empty"));
    check(!head_has(server, 1, "text/x"));
    check(!head_has(server, 1, "Content-Type")); /* nobody said that it is a form */
    return end(server, client);
}

static int nothing_is_smuggled_into_a_head(void *arg)
{
    static const char *const evil[] = {
        "A: b\r\nEvil: 1",
        "A: b\nEvil: 1",
        "A\r\nEvil: b",
        "A: \x01",
        "no colon",
        "Content-Length: 1",
        "Transfer-Encoding: chunked",
    };
    struct script_server *server = SCRIPT_SERVER(OK_STEP);
    weir_client *client = CLIENT(server, .limiter = NULL);
    (void)arg;
    for (size_t i = 0; i < sizeof evil / sizeof evil[0]; i++) {
        const char *const headers[] = {evil[i], NULL};
        check_failure(client, WEIR_REQUEST(.url = "/", .headers = headers), WEIR_EHEADER,
                      WEIR_SENT_NEVER);
    }
    check_failure(client, GET("/x\r\nEvil: 1"), WEIR_EURL, WEIR_SENT_NEVER);
    check_failure(client, GET("/x HTTP/1.1"), WEIR_EURL, WEIR_SENT_NEVER);
    check_failure(client, WEIR_REQUEST(.url = "/", .method = "GET / HTTP/1.1\r\nEvil: 1\r\n"),
                  WEIR_EINVAL, WEIR_SENT_NEVER);
    check_int(script_server_connections(server), 0);
    return end(server, client);
}

static int keys_stay_with_their_origin(void *arg)
{
    static const char *const headers[] = {"X-Api-Key: secret", NULL};
    struct script_server *own = SCRIPT_SERVER(OK_STEP), *other = SCRIPT_SERVER(OK_STEP);
    weir_client *client = CLIENT(own, .headers = headers, .bearer_token = "secret");
    char url[64];
    (void)arg;
    snprintf(url, sizeof url, "%s/x", script_server_url(other));
    check_answer(client, GET(url), 200, "ok");
    check(!head_has(other, 0, "secret"));
    snprintf(url, sizeof url, "%s/x", script_server_url(own));
    check_answer(client, GET(url), 200, "ok");
    check(head_has(own, 0, "\r\nX-Api-Key: secret\r\n"));
    check(head_has(own, 0, "\r\nAuthorization: Bearer secret\r\n"));
    script_server_stop(other);
    return end(own, client);
}

static int redirects_are_not_followed(void *arg)
{
    char answer[200];
    struct script_server *other = SCRIPT_SERVER(OK_STEP);
    (void)arg;
    snprintf(answer, sizeof answer,
             "HTTP/1.1 302 Found\r\nLocation: %s/\r\nContent-Length: 2\r\n\r\ngo",
             script_server_url(other));
    struct script_server *server = SCRIPT_SERVER({.answer = answer});
    weir_client *client = CLIENT(server, .bearer_token = "secret");
    check_answer(client, GET("/"), 302, "go");
    check_int(script_server_connections(other), 0);
    script_server_stop(other);
    return end(server, client);
}

/* A server that ignores "Expect: 100-continue" would cost a second of waiting. */
static int large_bodies_go_at_once(void *arg)
{
    enum { LEN = 3 << 20 };
    struct script_server *server = SCRIPT_SERVER(OK_STEP);
    weir_client *client = CLIENT(server, .limiter = NULL);
    char *body = malloc(LEN);
    (void)arg;
    memset(body, 'b', LEN);
    for (int replay = 0; replay < 2; replay++) {
        check_answer(client,
                     WEIR_REQUEST(.url = "/", .body = body, .body_len = LEN, .replay = replay), 200,
                     "ok");
        check_int(script_server_request(server, (unsigned)replay)->body_len, LEN);
        check(!head_has(server, (unsigned)replay, "Expect"));
    }
    check_answer(client, POST("small"), 200, "ok");
    check(!head_has(server, 2, "Expect"));
    free(body);
    return end(server, client);
}

/* ---- connections ---- */

static int connections_are_kept(void *arg)
{
    struct script_server *server = SCRIPT_SERVER(OK_STEP);
    weir_client *client = CLIENT(server, .limiter = NULL);
    (void)arg;
    for (int i = 0; i < 20; i++)
        check_answer(client, i % 2 == 0 ? GET("/") : POST("body"), 200, "ok");
    check_int(script_server_requests(server), 20);
    check_int(script_server_connections(server), 1);
    return end(server, client);
}

/* What the server has closed since is noticed before a request goes out on it. */
static int idle_connection_closed_by_the_server(void *arg)
{
    struct script_server *server =
        SCRIPT_SERVER({.answer = SCRIPT_OK("2", "ok"), .end = SCRIPT_CLOSE},
                      {.answer = SCRIPT_OK("2", "ok"), .end = SCRIPT_RESET}, OK_STEP);
    weir_client *client = CLIENT(server, .limiter = NULL);
    (void)arg;
    for (unsigned i = 0; i < 3; i++) {
        check_answer(client, POST("body"), 200, "ok");
        if (i < 2)
            wait_closed(server, i + 1);
    }
    check_int(script_server_requests(server), 3);
    check_int(script_server_connections(server), 3);
    return end(server, client);
}

enum { PARALLEL = 64 };

static void start_many(weir_group *group, weir_client *client, weir_response **responses)
{
    for (int i = 0; i < PARALLEL; i++)
        check(weir_request_start(group, client, POST("body"), &responses[i]) != NULL);
}

/* No answer comes before all requests have: they are under way at the same time. */
static int many_at_the_same_time(void *arg)
{
    struct script_server *server =
        SCRIPT_SERVER({.answer = SCRIPT_OK("2", "ok"), .gather = PARALLEL});
    weir_client *client = CLIENT(server, .concurrency = PARALLEL);
    weir_response **responses = calloc(PARALLEL, sizeof *responses);
    (void)arg;
    for (int round = 0; round < 2; round++) { /* the second one on kept connections */
        weir_group *group = rig_group();
        start_many(group, client, responses);
        check_int(weir_gather(group), 0);
        for (int i = 0; i < PARALLEL; i++) {
            check_int(weir_response_status(responses[i]), 200);
            weir_response_free(responses[i]);
        }
        weir_group_free(group);
    }
    check_int(script_server_requests(server), 2 * PARALLEL);
    check_int(script_server_connections(server), PARALLEL);
    free(responses);
    return end(server, client);
}

static int the_bound_on_concurrency_bounds_connections(void *arg)
{
    struct script_server *server = SCRIPT_SERVER(OK_STEP);
    weir_client *client = CLIENT(server, .concurrency = 3);
    weir_response **responses = calloc(PARALLEL, sizeof *responses);
    weir_group *group = rig_group();
    (void)arg;
    start_many(group, client, responses);
    check_int(weir_gather(group), 0);
    weir_group_free(group);
    for (int i = 0; i < PARALLEL; i++)
        weir_response_free(responses[i]);
    check_int(script_server_requests(server), PARALLEL);
    check(script_server_connections(server) <= 3);
    free(responses);
    return end(server, client);
}

static int many_clients_one_after_the_other(void *arg)
{
    struct script_server *server = SCRIPT_SERVER(OK_STEP);
    (void)arg;
    for (int i = 0; i < 10; i++) {
        weir_client *client = CLIENT(server, .limiter = NULL);
        check_answer(client, GET("/"), 200, "ok");
        check_int(weir_client_free(client), 0);
    }
    wait_closed(server, 10);
    return end(server, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        REAL_TEST(plain_200),
        REAL_TEST(headers_are_kept),
        REAL_TEST(chunks_are_joined),
        REAL_TEST(body_may_end_with_the_connection),
        REAL_TEST(interim_answers_leave_no_trace),
        REAL_TEST(each_method_after_each_other),
        REAL_TEST(head_has_no_body),
        REAL_TEST(headers_go_out),
        REAL_TEST(nothing_is_smuggled_into_a_head),
        REAL_TEST(keys_stay_with_their_origin),
        REAL_TEST(redirects_are_not_followed),
        REAL_TEST(large_bodies_go_at_once),
        REAL_TEST(connections_are_kept),
        REAL_TEST(idle_connection_closed_by_the_server),
        REAL_TEST(many_at_the_same_time),
        REAL_TEST(the_bound_on_concurrency_bounds_connections),
        REAL_TEST(many_clients_one_after_the_other),
    };
    forget_proxies();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
