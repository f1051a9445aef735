/* What the tests of the libcurl driver share: a client that never tries again by itself, and
 * bounded waits for what a scripted server has seen. */
#ifndef WEIR_TESTS_CURL_RIG_H
#define WEIR_TESTS_CURL_RIG_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir/client.h>
#include <weir/io.h>

#include "rig.h"
#include "script_server.h"

enum { BOUND_MS = 10000 };

/* A limiter that looks for no limit: what is asked for goes at once. */
static inline weir_limiter *all_at_once(uint64_t concurrency)
{
    weir_limiter *limiter = NULL;
    check_int(weir_limiter_new(&limiter, WEIR_LIMITER_OPTS(.concurrency = concurrency,
                                                           .learn = WEIR_LEARN_OFF)),
              0);
    return limiter;
}

static inline weir_client *client_with(struct weir_client_opts *opts)
{
    const struct weir_retry_opts *once = WEIR_RETRY_OPTS(.max_attempts = 1);
    weir_client *client = NULL;
    if (opts->retry == NULL)
        opts->retry = once;
    if (opts->attempt_timeout_ms == 0)
        opts->attempt_timeout_ms = BOUND_MS;
    check_int(weir_client_new(&client, opts), 0);
    return client;
}
#define CLIENT(server, ...)                                                                        \
    client_with(WEIR_CLIENT_OPTS(.base_url = script_server_url(server), __VA_ARGS__))

/* One request, to its end. */
static inline int request_once(weir_client *client, const struct weir_request *request, int want_rc,
                               weir_response **out)
{
    int rc = weir_request(client, request, out);
    check_int(rc, want_rc);
    check_int(weir_response_error(*out), rc);
    return rc;
}

/* A request whose answer's status and body are as told. */
static inline void check_answer(weir_client *client, const struct weir_request *request, int status,
                                const char *body)
{
    weir_response *response;
    if (request_once(client, request, 0, &response) == 0) {
        check_int(weir_response_status(response), status);
        check_int(weir_response_sent(response), WEIR_SENT_ANSWERED);
        check(strcmp(weir_response_body(response), body) == 0);
        check(strcmp(weir_response_error_text(response), "") == 0);
    }
    weir_response_free(response);
}

/* A request that fails as told. */
static inline void check_failure(weir_client *client, const struct weir_request *request,
                                 int want_rc, enum weir_sent sent)
{
    weir_response *response;
    request_once(client, request, want_rc, &response);
    check_int(weir_response_status(response), 0);
    check_int(weir_response_outcome(response), WEIR_OUTCOME_FAILED);
    check_int(weir_response_sent(response), sent);
    check(weir_response_error_text(response)[0] != '\0');
    weir_response_free(response);
}

/* Waits until one of the server's counts is as high as that. */
static inline void wait_count(struct script_server *server,
                              unsigned (*count)(struct script_server *), unsigned want)
{
    weir_deadline limit;
    int rc = 0;
    weir_deadline_begin_ms(&limit, BOUND_MS);
    while (count(server) < want && rc >= 0) {
        rc = weir_wait_fd(script_server_fd(server), WEIR_IO_READ);
        script_server_settle(server);
    }
    check(weir_deadline_end(&limit, rc) >= 0);
}
#define wait_requests(server, n) wait_count((server), script_server_requests, (n))
#define wait_closed(server, n)   wait_count((server), script_server_closed, (n))

static inline bool head_has(struct script_server *server, unsigned n, const char *text)
{
    return strcasestr(script_server_request(server, n)->head, text) != NULL;
}

/* The n-th request's first line. */
static inline bool asked(struct script_server *server, unsigned n, const char *line)
{
    const char *head = script_server_request(server, n)->head;
    size_t len = strlen(line);
    return strncmp(head, line, len) == 0 && strncmp(head + len, " HTTP/1.1\r\n", 11) == 0;
}

static inline int end(struct script_server *server, weir_client *client)
{
    int rc = weir_client_free(client);
    script_server_stop(server);
    return rc;
}

static inline void forget_proxies(void)
{
    unsetenv("http_proxy");
    unsetenv("all_proxy");
    unsetenv("ALL_PROXY");
}

#endif
