/* What the tests of the client share: a client of a modelled server, and requests to it. */
#ifndef WEIR_TESTS_CLIENT_RIG_H
#define WEIR_TESTS_CLIENT_RIG_H

#include <string.h>

#include <weir/client.h>

#include "base/clock.h"
#include "model_server.h"
#include "rig.h"

#define GET   WEIR_REQUEST(.url = "/x")
#define POST  WEIR_REQUEST(.url = "/x", .body = "body")
#define AGAIN WEIR_REQUEST(.url = "/x", .body = "body", .replay = 1)

static inline weir_client *client_of(struct model_server *server, struct weir_client_opts *opts)
{
    const struct weir_transport transport = model_transport(server);
    weir_client *client = NULL;
    opts->base_url = "http://model.example";
    opts->transport = &transport;
    check_int(weir_client_new(&client, opts), 0);
    return client;
}
#define CLIENT(server, ...) client_of((server), WEIR_CLIENT_OPTS(__VA_ARGS__))

/* Scripts a server. */
#define SERVER(...)                                                                                \
    {                                                                                              \
        .latency_ms = 10, .steps = (const struct model_step[]){__VA_ARGS__},                       \
        .step_count = sizeof((const struct model_step[]){__VA_ARGS__}) / sizeof(struct model_step) \
    }

/* How a request went. */
struct went {
    int rc, status, error;
    unsigned attempts;
    enum weir_outcome outcome;
    enum weir_sent sent;
    int64_t server_wait_ms, took_ms;
};

static inline struct went ask(weir_client *client, const struct weir_request *request)
{
    weir_response *response = NULL;
    int64_t start_ms = weir_now_ms();
    int rc = weir_request(client, request, &response);
    struct went went = {.rc = rc, .took_ms = weir_now_ms() - start_ms};
    if (!check(response != NULL))
        return went;
    went.status = weir_response_status(response);
    went.error = weir_response_error(response);
    went.attempts = weir_response_attempts(response);
    went.outcome = weir_response_outcome(response);
    went.sent = weir_response_sent(response);
    went.server_wait_ms = weir_response_server_wait_ms(response);
    check_int(went.error, rc);
    check((rc == 0) == (weir_response_error_text(response)[0] == '\0'));
    weir_response_free(response);
    return went;
}

/* Nobody holds or waits for anything. */
static inline void check_idle(weir_client *client, const struct model_server *server)
{
    struct weir_limiter_stats stats = {.size = sizeof stats};
    weir_limiter_stats(weir_client_limiter(client), &stats);
    check_int((int64_t)stats.holding, 0);
    check_int((int64_t)stats.waiting, 0);
    check_int((int64_t)server->in_flight, 0);
}

static inline int done(weir_client *client, const struct model_server *server)
{
    check_idle(client, server);
    check_int(weir_client_free(client), 0);
    check_int((int64_t)server->frees, 1);
    return 0;
}

#endif
