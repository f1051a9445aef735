/* Requests as tasks: gathered, as they complete, cancelled before they ran; what is copied, what
 * the client's end needs, and memory that runs out anywhere. */
#include "client_rig.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

static int gathered(void *arg)
{
    enum { COUNT = 8 }; /* as many as go while nothing is known of a limit */
    struct model_server server = {.latency_ms = 100};
    weir_client *client = CLIENT(&server, .timeout_ms = 1000);
    weir_group *group = rig_group();
    weir_response *responses[COUNT];
    int64_t start_ms = weir_now_ms();
    (void)arg;
    for (size_t i = 0; i < COUNT; i++) {
        weir_task *task = weir_request_start(group, client, POST, &responses[i]);
        check(task != NULL && weir_task_arg(task) == &responses[i]);
        check(responses[i] == NULL);
        check(strcmp(weir_task_name(task), "request") == 0);
    }
    check_int(weir_gather(group), 0);
    check_int(weir_now_ms() - start_ms, 100); /* together */
    for (size_t i = 0; i < COUNT; i++) {
        check_int(weir_response_status(responses[i]), 200);
        weir_response_free(responses[i]);
    }
    weir_group_free(group);
    return done(client, &server);
}

static int as_they_complete(void *arg)
{
    struct model_server server =
        SERVER({.status = 201, .latency_ms = 30}, {.status = 202, .latency_ms = 10},
               {.rc = WEIR_ECERT, .latency_ms = 20});
    weir_client *client = CLIENT(&server, .timeout_ms = 1000);
    weir_group *group = rig_group();
    weir_response *responses[3];
    static const size_t order[] = {1, 2, 0};
    weir_task *task;
    size_t n = 0;
    (void)arg;
    for (size_t i = 0; i < 3; i++)
        weir_request_start(group, client, POST, &responses[i]);
    while ((task = weir_as_completed(group)) != NULL && check(n < 3)) {
        check(weir_task_arg(task) == &responses[order[n]]);
        check_int(weir_task_status(task), order[n] == 2 ? WEIR_ECERT : 0);
        n++;
    }
    check_int((int64_t)n, 3);
    check_int(weir_response_status(responses[0]), 201);
    check_int(weir_response_status(responses[1]), 202);
    check_int(weir_response_error(responses[2]), WEIR_ECERT);
    for (size_t i = 0; i < 3; i++)
        weir_response_free(responses[i]);
    weir_group_free(group);
    return done(client, &server);
}

/* ---- what is copied ---- */

struct witness {
    char seen[200];
};

static int look(void *self, const struct weir_exchange *exchange, weir_response *response)
{
    struct witness *witness = self;
    snprintf(witness->seen, sizeof witness->seen, "%s %s [%s] [%s] %.*s %d", exchange->method,
             exchange->url, exchange->headers[0], exchange->headers[1], (int)exchange->body_len,
             (const char *)exchange->body, exchange->replay);
    return weir_response_set_status(response, 200);
}

/* Nothing of the caller's is needed any more once it is started. */
static int the_request_is_copied(void *arg)
{
    struct witness witness = {""};
    const struct weir_transport transport = {.size = sizeof(struct weir_transport),
                                             .perform = look,
                                             .self = &witness};
    char method[] = "PATCH", url[] = "/path", first[] = "A: 1", second[] = "B: 2", body[] = "bodyX";
    const char *headers[] = {first, second, NULL};
    struct weir_request request = {.size = sizeof request,
                                   .method = method,
                                   .url = url,
                                   .headers = headers,
                                   .body = body,
                                   .body_len = 4};
    weir_client *client;
    weir_response *response;
    weir_group *group = rig_group();
    (void)arg;
    check_int(weir_client_new(&client,
                              WEIR_CLIENT_OPTS(.base_url = "http://h/v1", .transport = &transport)),
              0);
    weir_request_start(group, client, &request, &response);
    memset(method, '?', sizeof method);
    memset(url, '?', sizeof url);
    memset(first, '?', sizeof first);
    memset(second, '?', sizeof second);
    memset(body, '?', sizeof body);
    memset(headers, 0, sizeof headers);
    memset(&request, 0, sizeof request);
    check_int(weir_gather(group), 0);
    check(strcmp(witness.seen, "PATCH http://h/v1/path [A: 1] [B: 2] body 0") == 0);
    weir_response_free(response);
    weir_group_free(group);
    return weir_client_free(client);
}

static int shorthands(void *arg)
{
    struct witness witness = {""};
    const struct weir_transport transport = {.size = sizeof(struct weir_transport),
                                             .perform = look,
                                             .self = &witness};
    static const char *const headers[] = {"Content-Type: text/plain", "X: y", NULL};
    weir_client *client;
    weir_response *response;
    (void)arg;
    check_int(weir_client_new(&client, WEIR_CLIENT_OPTS(.base_url = "http://h", .headers = headers,
                                                        .transport = &transport)),
              0);
    check_int(weir_get(client, "/a", &response), 0);
    check(strcmp(witness.seen, "GET http://h/a [Content-Type: text/plain] [X: y]  1") == 0);
    weir_response_free(response);
    check_int(weir_post_json(client, "/b", "{}", &response), 0);
    check(strcmp(witness.seen, "POST http://h/b [X: y] [Content-Type: application/json] {} 0") ==
          0);
    weir_response_free(response);
    return weir_client_free(client);
}

/* A transport that says nothing at all has not answered. */
static int mute(void *self, const struct weir_exchange *exchange, weir_response *response)
{
    (void)self;
    (void)exchange;
    (void)response;
    return 0;
}

static int a_transport_that_gives_no_status(void *arg)
{
    const struct weir_transport transport = {.size = sizeof(struct weir_transport),
                                             .perform = mute};
    weir_client *client;
    (void)arg;
    check_int(weir_client_new(&client,
                              WEIR_CLIENT_OPTS(.base_url = "http://h", .transport = &transport)),
              0);
    struct went went = ask(client, POST);
    check_int(went.rc, WEIR_EPROTO);
    check_int(went.sent, WEIR_SENT_MAYBE);
    check_int((int64_t)went.attempts, 1);
    return weir_client_free(client);
}

/* ---- the client's end ---- */

static int not_freed_while_in_use(void *arg)
{
    struct model_server server = {.latency_ms = 100};
    weir_client *client = CLIENT(&server, .concurrency = 1);
    weir_group *group = rig_group();
    weir_response *responses[2];
    (void)arg;
    weir_request_start(group, client, POST, &responses[0]);
    weir_request_start(group, client, POST, &responses[1]);
    check_int(weir_client_free(client), WEIR_EBUSY); /* neither has begun */
    weir_sleep_ms(50);
    check_int(weir_client_free(client), WEIR_EBUSY); /* one is in flight, one waits */
    weir_sleep_ms(100);
    check_int(weir_client_free(client), WEIR_EBUSY);
    check_int(weir_gather(group), 0);
    check_int((int64_t)server.frees, 0);
    for (size_t i = 0; i < 2; i++)
        weir_response_free(responses[i]);
    done(client, &server);
    weir_group_free(group);
    return weir_client_free(NULL);
}

/* A request that is cancelled before it ran leaves nothing: its copy goes, and the client is free.
 */
static int cancelled_before_it_ran(void *arg)
{
    struct model_server server = {.latency_ms = 100};
    weir_client *client = CLIENT(&server, .concurrency = 1);
    weir_group *group = rig_group();
    weir_response *responses[3];
    (void)arg;
    for (size_t i = 0; i < 3; i++)
        weir_request_start(group, client, POST, &responses[i]);
    weir_group_cancel(group);
    check_int(weir_client_free(client), WEIR_EBUSY); /* they have not ended yet */
    check_int(weir_gather(group), WEIR_ECANCELED);
    for (size_t i = 0; i < 3; i++)
        check(responses[i] == NULL);
    check_int((int64_t)server.requests, 0);
    done(client, &server);
    weir_group_free(group);
    return 0;
}

static int started_in_a_group_that_ends(void *arg)
{
    struct model_server server = {.latency_ms = 100};
    weir_client *client = CLIENT(&server, .concurrency = 1);
    weir_group *group = rig_group();
    weir_response *response;
    (void)arg;
    weir_request_start(group, client, POST, &response);
    weir_group_free(group);
    check(response == NULL);
    return done(client, &server);
}

/* ---- no memory ---- */

/* Everything a program does with a client, once; the first error ends it. */
static int whole_program(struct model_server *server)
{
    static const char *const headers[] = {"A: 1", NULL}, *const own[] = {"B: 2", NULL};
    const struct weir_transport transport = model_transport(server);
    weir_client *client = NULL;
    weir_group *group = NULL;
    weir_response *responses[3] = {NULL};
    int rc = weir_client_new(&client, WEIR_CLIENT_OPTS(.base_url = "http://h/v1",
                                                       .headers = headers, .bearer_token = "key",
                                                       .rate = 1000, .transport = &transport));
    if (rc == 0)
        rc = weir_group_new(&group, NULL);
    if (rc == 0) {
        weir_request_start(group, client, WEIR_REQUEST(.url = "/a", .body = "b", .headers = own),
                           &responses[0]);
        weir_request_start(group, client, POST, &responses[1]);
        rc = weir_gather(group);
    }
    if (rc == 0)
        rc = weir_post_json(client, "/v1/c", "{}", &responses[2]);
    for (size_t i = 0; i < 3; i++)
        weir_response_free(responses[i]);
    weir_group_free(group);
    check_int(weir_client_free(client), 0);
    return rc;
}

static int allocations_that_fail(void *arg)
{
    int rc = WEIR_ENOMEM;
    unsigned long k = 0, made = 1;
    (void)arg;
    while (rc != 0 && check(k < 500)) {
        struct model_server server = SERVER({.status = 503, .retry_after = "1"}, {.status = 500});
        weir__mem_fail_at(++k);
        rc = whole_program(&server);
        made = weir__mem_fail_at(0);
        check(rc == 0 || rc == WEIR_ENOMEM);
        check(rc == 0 || made >= k);
        check_int((int64_t)server.in_flight, 0);
    }
    check_int(rc, 0);
    check((unsigned long)made < k);
    check(k > 20);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(gathered),
        VIRTUAL_TEST(as_they_complete),
        VIRTUAL_TEST(the_request_is_copied),
        VIRTUAL_TEST(shorthands),
        VIRTUAL_TEST(a_transport_that_gives_no_status),
        VIRTUAL_TEST(not_freed_while_in_use),
        VIRTUAL_TEST(cancelled_before_it_ran),
        VIRTUAL_TEST(started_in_a_group_that_ends),
        VIRTUAL_TEST(allocations_that_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
