#include "client/client.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "admission/retry.h"
#include "base/mem.h"
#include "base/opts.h"
#include "http/curl.h"
#include "http/header.h"
#include "policy/backoff.h"
#include "policy/budget.h"

enum { KEPT_CONNECTIONS = 1024 };

static const int64_t attempt_timeout_ms = 600000;
static const uint64_t max_body_bytes = (uint64_t)16 << 20;

static int copy_headers(weir_client *client, const struct weir_client_opts *opts)
{
    size_t n = weir__headers_count(opts->headers);
    client->headers = weir__zalloc((n + 2) * sizeof *client->headers);
    if (client->headers == NULL)
        return WEIR_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        client->headers[i] = weir__strdup(opts->headers[i]);
        if (client->headers[i] == NULL)
            return WEIR_ENOMEM;
    }
    if (opts->bearer_token == NULL)
        return 0;
    size_t size = sizeof "Authorization: Bearer " + strlen(opts->bearer_token);
    char *line = weir__alloc(size);
    if (line == NULL)
        return WEIR_ENOMEM;
    snprintf(line, size, "Authorization: Bearer %s", opts->bearer_token);
    client->headers[n] = line;
    return weir__headers_check((const char *const *)client->headers);
}

/* A client has time limits of its own. */
static int set_retry(weir_client *client, const struct weir_retry_opts *opts)
{
    int rc = weir__retry_init(&client->retry, opts);
    if (rc == 0 && (client->retry.timeout_ms != 0 || client->retry.attempt_timeout_ms != 0))
        rc = WEIR_EINVAL;
    if (client->retry.budget != NULL)
        client->retry.budget->users++;
    return rc;
}

static int set_limiter(weir_client *client, const struct weir_client_opts *opts)
{
    if ((opts->limiters != NULL && !weir__limiters_are_here(opts->limiters)) ||
        (opts->limiter != NULL && !weir__home_is_here(&opts->limiter->home)))
        return WEIR_ENORUNTIME;
    if (opts->limiters != NULL) {
        client->limiters = weir__limiters_ref(opts->limiters);
        return 0;
    }
    if (opts->limiter != NULL) {
        client->limiter = opts->limiter;
        client->limiter->users++;
        return 0;
    }
    client->own_limiter = true;
    uint64_t concurrency = opts->concurrency > 0 ? opts->concurrency : WEIR_CLIENT_CONCURRENCY;
    return weir_limiter_new(&client->limiter,
                            WEIR_LIMITER_OPTS(.rate = opts->rate, .period_ms = opts->period_ms,
                                              .burst = opts->burst, .concurrency = concurrency));
}

static bool is_insecure(const struct weir_net_opts *net)
{
    struct weir_net_opts own;
    return weir__opts_copy(&own, sizeof own, net) == 0 && own.insecure_accept_any_certificate != 0;
}

/* Its address is the transport's, but its password is to stand in no text. */
static int know_proxy(weir_client *client, const struct weir_net_opts *net)
{
    struct weir_net_opts own;
    int rc = net != NULL ? weir__opts_copy(&own, sizeof own, net) : 0;
    if (rc < 0 || net == NULL || own.proxy == NULL || strchr(own.proxy, '@') == NULL)
        return rc;
    client->proxy = weir__strdup(own.proxy);
    client->secrets.proxy = client->proxy;
    return client->proxy != NULL ? 0 : WEIR_ENOMEM;
}

static int set_transport(weir_client *client, const struct weir_client_opts *opts)
{
    if (opts->transport != NULL)
        return weir__opts_copy(&client->transport, sizeof client->transport, opts->transport);
    uint64_t parallel = client->limiters != NULL ? weir__limiters_concurrency(client->limiters)
                                                 : client->limiter->concurrency;
    if (parallel == 0)
        parallel = KEPT_CONNECTIONS;
    client->opens = true;
    char text[WEIR__NET_TEXT_MAX];
    int rc = weir__curl_transport(client->rt, parallel < LONG_MAX ? (size_t)parallel : LONG_MAX,
                                  opts->net, &client->transport, text);
    if (rc < 0 && text[0] != '\0')
        weir__observe_say(&client->observer, WEIR_LOG_ERROR, text);
    else if (rc == 0 && opts->net != NULL && is_insecure(opts->net))
        weir__observe_say(&client->observer, WEIR_LOG_WARN,
                          "insecure_accept_any_certificate: TLS protects nothing");
    return rc;
}

static int check(const struct weir_client_opts *opts)
{
    bool own =
        opts->concurrency != 0 || opts->rate != 0 || opts->period_ms != 0 || opts->burst != 0;
    if ((opts->limiter != NULL && own) ||
        (opts->limiters != NULL && (own || opts->limiter != NULL)))
        return WEIR_EINVAL;
    if (opts->timeout_ms < 0 || opts->attempt_timeout_ms < 0)
        return WEIR_EINVAL;
    bool two_keys = weir__headers_have(opts->headers, "Authorization:");
    if (opts->bearer_token != NULL && (opts->base_url == NULL || two_keys))
        return WEIR_EINVAL;
    if (opts->transport != NULL && (opts->transport->perform == NULL || opts->net != NULL))
        return WEIR_EINVAL;
    return weir__headers_check(opts->headers);
}

static int set_up(weir_client *client, const struct weir_client_opts *opts)
{
    client->timeout_ms = opts->timeout_ms;
    client->attempt_timeout_ms =
        opts->attempt_timeout_ms > 0 ? opts->attempt_timeout_ms : attempt_timeout_ms;
    uint64_t max_body = opts->max_body_bytes > 0 ? opts->max_body_bytes : max_body_bytes;
    client->max_body = max_body < SIZE_MAX / 2 ? (size_t)max_body : SIZE_MAX / 2;
    int rc = weir__observer_init(&client->observer, opts->log);
    client->observer.secrets = &client->secrets;
    weir__plain_init(&client->plain, opts->net, &client->observer);
    if (rc == 0)
        rc = set_retry(client, opts->retry);
    if (rc == 0)
        rc = weir__base_init(&client->base, opts->base_url);
    if (rc == 0)
        rc = copy_headers(client, opts);
    client->secrets.headers = (const char *const *)client->headers;
    if (rc == 0)
        rc = know_proxy(client, opts->net);
    if (rc == 0)
        rc = set_limiter(client, opts);
    if (rc == 0)
        rc = weir__circuit_new(&client->circuit, client->rt, opts->breaker);
    if (rc == 0)
        rc = weir__hedger_new(&client->hedger, client->rt, opts->hedge);
    if (rc == 0 && client->hedger != NULL && client->retry.max_attempts == 1)
        rc = WEIR_EINVAL;
    return rc == 0 ? set_transport(client, opts) : rc;
}

/* libcurl's has sockets and timers in the loop; what one of the caller's has is the caller's to
 * know. */
static void at_end(struct weir__home *home)
{
    weir_client *client = WEIR__CONTAINER(home, weir_client, home);
    if (!client->opens || client->transport.free == NULL)
        return;
    client->transport.free(client->transport.self);
    client->transport.free = NULL;
}

int weir_client_new(weir_client **out, const struct weir_client_opts *opts)
{
    struct weir_client_opts own;
    if (out == NULL)
        return WEIR_EINVAL;
    *out = NULL;
    if (weir__rt() == NULL)
        return WEIR_ENORUNTIME;
    int rc = weir__opts_copy(&own, sizeof own, opts);
    if (rc == 0)
        rc = check(&own);
    if (rc < 0)
        return rc;
    weir_client *client = weir__zalloc(sizeof *client);
    if (client == NULL)
        return WEIR_ENOMEM;
    client->rt = weir__rt();
    weir__home_init(&client->home, at_end);
    rc = set_up(client, &own);
    if (rc < 0) {
        client->transport.free = NULL; /* the caller's stays the caller's */
        weir_client_free(client);
        return rc;
    }
    *out = client;
    return 0;
}

int weir_client_free(weir_client *client)
{
    if (client == NULL)
        return 0;
    if (!weir__home_lets_free(&client->home))
        return WEIR_ENORUNTIME;
    if (client->calls > 0)
        return WEIR_EBUSY;
    if (client->transport.free != NULL)
        client->transport.free(client->transport.self);
    weir__circuit_free(client->circuit);
    weir__free(client->hedger);
    if (client->own_limiter)
        weir_limiter_free(client->limiter);
    else if (client->limiter != NULL)
        weir__admission_let_go(client->limiter);
    weir__limiters_let_go(client->limiters);
    if (client->retry.budget != NULL)
        weir__retry_budget_let_go(client->retry.budget);
    for (char **line = client->headers; line != NULL && *line != NULL; line++)
        weir__free_secret(*line);
    weir__free(client->headers);
    weir__free_secret(client->proxy);
    weir__base_free(&client->base);
    weir__home_leave(&client->home);
    weir__free(client);
    return 0;
}

weir_limiter *weir_client_limiter(const weir_client *client)
{
    return client != NULL ? client->limiter : NULL;
}

int weir_client_breaker_stats(const weir_client *client, struct weir_breaker_stats *stats)
{
    struct weir_breaker_stats own = {0};
    if (client == NULL)
        return WEIR_EINVAL;
    if (!weir__home_lets_free(&client->home))
        return WEIR_ENORUNTIME;
    weir__circuit_figures(client->circuit, weir__home_now_ns(&client->home), &own);
    return weir__opts_fill(stats, sizeof own, &own);
}

int weir_client_hedge_stats(const weir_client *client, struct weir_hedge_stats *stats)
{
    struct weir_hedge_stats own = {.delay_ms = -1};
    if (client == NULL)
        return WEIR_EINVAL;
    weir__hedge_figures(client->hedger, &own);
    return weir__opts_fill(stats, sizeof own, &own);
}
