/* A client's counts as numbers and as Prometheus text. */
#include <weir/metrics.h>

#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/opts.h"
#include "client/client.h"

static uint64_t sum(const struct weir_outcome_counts *counts)
{
    return counts->ok + counts->client_error + counts->throttled + counts->server_error +
           counts->failed + counts->canceled;
}

static struct weir_client_stats figures(const weir_client *client)
{
    struct weir_client_stats stats = client->observer.counts;
    stats.in_flight = stats.attempts - sum(&stats.attempts_ended);
    stats.latency_count = client->observer.latency.count;
    stats.latency_sum_ns = client->observer.latency.sum_ns;
    return stats;
}

int weir_client_stats(const weir_client *client, struct weir_client_stats *stats)
{
    if (client == NULL)
        return WEIR_EINVAL;
    struct weir_client_stats own = figures(client);
    return weir__opts_fill(stats, sizeof own, &own);
}

int64_t weir_client_latency_ns(const weir_client *client, unsigned percent)
{
    return client != NULL ? weir__histogram_quantile_ns(&client->observer.latency, percent) : -1;
}

/* ---- text ---- */

/* What is written, or would be if there were room. */
struct sink {
    char *text;
    size_t len, room;
};

/* What a family's lines are made of: one client's. */
struct source {
    struct sink *sink;
    const weir_client *client;
    const char *name; /* NULL: no label */
};

__attribute__((format(printf, 2, 3))) static void add(struct sink *sink, const char *format, ...)
{
    bool fits = sink->len < sink->room;
    va_list args;
    va_start(args, format);
    int len = vsnprintf(fits ? sink->text + sink->len : NULL, fits ? sink->room - sink->len : 0,
                        format, args);
    va_end(args);
    sink->len += len > 0 ? (size_t)len : 0;
}

static void add_escaped(struct sink *sink, const char *value)
{
    for (; *value != '\0'; value++) {
        if (*value == '\n')
            add(sink, "\\n");
        else if (*value == '\\' || *value == '"')
            add(sink, "\\%c", *value);
        else
            add(sink, "%c", *value);
    }
}

/* The name and its labels: the client's, and one more, if `label` is not NULL. */
static void add_series(const struct source *source, const char *series, const char *label,
                       const char *value)
{
    add(source->sink, "%s", series);
    if (source->name == NULL && label == NULL)
        return;
    add(source->sink, "{");
    if (source->name != NULL) {
        add(source->sink, "client=\"");
        add_escaped(source->sink, source->name);
        add(source->sink, label != NULL ? "\"," : "\"");
    }
    if (label != NULL)
        add(source->sink, "%s=\"%s\"", label, value);
    add(source->sink, "}");
}

static void add_count(const struct source *source, const char *series, const char *label,
                      const char *value, uint64_t count)
{
    add_series(source, series, label, value);
    add(source->sink, " %" PRIu64 "\n", count);
}

static void add_outcomes(const struct source *source, const char *series,
                         const struct weir_outcome_counts *counts)
{
    add_count(source, series, "outcome", "ok", counts->ok);
    add_count(source, series, "outcome", "client_error", counts->client_error);
    add_count(source, series, "outcome", "throttled", counts->throttled);
    add_count(source, series, "outcome", "server_error", counts->server_error);
    add_count(source, series, "outcome", "failed", counts->failed);
    add_count(source, series, "outcome", "canceled", counts->canceled);
}

/* ---- families ---- */

static void requests(const struct source *source, const char *series)
{
    struct weir_client_stats stats = figures(source->client);
    add_outcomes(source, series, &stats.requests_ended);
    add_count(source, series, "outcome", "refused", stats.requests_refused);
}

static void requests_now(const struct source *source, const char *series)
{
    struct weir_client_stats stats = figures(source->client);
    uint64_t ended = sum(&stats.requests_ended) + stats.requests_refused;
    add_count(source, series, NULL, NULL, stats.requests - ended);
}

static void attempts(const struct source *source, const char *series)
{
    struct weir_client_stats stats = figures(source->client);
    add_outcomes(source, series, &stats.attempts_ended);
}

static void streams_now(const struct source *source, const char *series)
{
    add_count(source, series, NULL, NULL, source->client->observer.counts.streams);
}

static void attempts_now(const struct source *source, const char *series)
{
    add_count(source, series, NULL, NULL, figures(source->client).in_flight);
}

static void sent(const struct source *source, const char *series)
{
    add_count(source, series, NULL, NULL, source->client->observer.counts.bytes_sent);
}

static void received(const struct source *source, const char *series)
{
    add_count(source, series, NULL, NULL, source->client->observer.counts.bytes_received);
}

static void connections(const struct source *source, const char *series)
{
    add_count(source, series, NULL, NULL, source->client->observer.counts.connections);
}

static void http2_attempts(const struct source *source, const char *series)
{
    add_count(source, series, NULL, NULL, source->client->observer.counts.http2_attempts);
}

static void proxy_attempts(const struct source *source, const char *series)
{
    add_count(source, series, NULL, NULL, source->client->observer.counts.proxy_attempts);
}

/* One bucket for each doubling, of 1 ms to 18 minutes. What lies in it is at most its bound. */
enum { FIRST_BIT = 20, LAST_BIT = 40 };

#define SECONDS "%" PRIu64 ".%09" PRIu64

static void add_seconds(const struct source *source, const char *series, const char *cause,
                        uint64_t time_ns)
{
    const uint64_t ns_per_s = WEIR__NS_PER_S;
    add_series(source, series, cause != NULL ? "cause" : NULL, cause);
    add(source->sink, " " SECONDS "\n", time_ns / ns_per_s, time_ns % ns_per_s);
}

static void durations(const struct source *source, const char *series)
{
    const struct weir__histogram *latency = &source->client->observer.latency;
    const uint64_t ns_per_s = WEIR__NS_PER_S;
    char name[64], bound[48];
    snprintf(name, sizeof name, "%s_bucket", series);
    for (unsigned bit = FIRST_BIT; bit <= LAST_BIT; bit++) {
        uint64_t bound_ns = ((uint64_t)1 << bit) - 1;
        snprintf(bound, sizeof bound, SECONDS, bound_ns / ns_per_s, bound_ns % ns_per_s);
        add_count(source, name, "le", bound, weir__histogram_below(latency, bit));
    }
    add_count(source, name, "le", "+Inf", latency->count);
    snprintf(name, sizeof name, "%s_sum", series);
    add_seconds(source, name, NULL, latency->sum_ns);
    snprintf(name, sizeof name, "%s_count", series);
    add_count(source, name, NULL, NULL, latency->count);
}

static void waits(const struct source *source, const char *series)
{
    const struct weir_wait_times *waits = &source->client->observer.counts.waits;
    add_seconds(source, series, "requests", waits->requests_ns);
    add_seconds(source, series, "learned", waits->learned_ns);
    add_seconds(source, series, "tokens", waits->tokens_ns);
    add_seconds(source, series, "concurrency", waits->concurrency_ns);
    add_seconds(source, series, "gate", waits->gate_ns);
    add_seconds(source, series, "backoff", waits->backoff_ns);
}

/* By integers, as times are: what a program's locale makes of a %g is no number for who reads it.
 */
static void add_rate(struct sink *sink, double per_s)
{
    const double most = 1e9, parts = 1e9;
    uint64_t rate = (uint64_t)((per_s < most ? per_s : most) * parts + 0.5);
    const uint64_t whole = (uint64_t)parts;
    char digits[24];
    int len = snprintf(digits, sizeof digits, SECONDS, rate / whole, rate % whole);
    while (digits[len - 1] == '0')
        len--;
    len -= digits[len - 1] == '.';
    add(sink, " %.*s\n", len, digits);
}

/* Of a client with a limiter for each key there is none. */
static void learned_rate(const struct source *source, const char *series)
{
    struct weir_limiter_stats stats = {.size = sizeof stats};
    if (source->client->limiter == NULL || weir_limiter_stats(source->client->limiter, &stats) < 0)
        return;
    add_series(source, series, NULL, NULL);
    add_rate(source->sink, stats.learned_per_s);
}

static const struct family {
    const char *name, *type, *help;
    void (*add)(const struct source *source, const char *series);
} families[] = {
    {"weir_requests_total", "counter", "Calls that have ended, by outcome.", requests},
    {"weir_requests_in_progress", "gauge",
     "Calls that wait for their turn, are sent or back off, and open streams.", requests_now},
    {"weir_attempts_total", "counter", "Sendings that have ended, by outcome.", attempts},
    {"weir_attempts_in_flight", "gauge", "Sendings under way, open streams among them.",
     attempts_now},
    {"weir_streams_open", "gauge", "Streams whose content is on its way.", streams_now},
    {"weir_request_body_bytes_total", "counter", "Bytes of the bodies that were sent.", sent},
    {"weir_response_body_bytes_total", "counter",
     "Bytes of the answers' bodies, after decompression.", received},
    {"weir_connections_total", "counter", "Connections that were made.", connections},
    {"weir_http2_attempts_total", "counter", "Sendings that were answered in HTTP/2.",
     http2_attempts},
    {"weir_proxy_attempts_total", "counter", "Sendings through a proxy, as far as that is known.",
     proxy_attempts},
    {"weir_attempt_duration_seconds", "histogram",
     "How long sendings took, but for those that were cancelled.", durations},
    {"weir_attempt_wait_seconds_total", "counter",
     "What sendings waited for before they began, by cause.", waits},
    {"weir_limiter_learned_requests_per_second", "gauge",
     "The server's limit as far as it was learned; 0: not known.", learned_rate},
};

static bool names_differ(const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (names[i] == NULL)
            return false;
        for (size_t j = 0; j < i; j++) {
            if (strcmp(names[i], names[j]) == 0)
                return false;
        }
    }
    return true;
}

static bool one_is_missing(const weir_client *const *clients, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (clients[i] == NULL)
            return true;
    }
    return false;
}

int weir_client_metrics_text(const weir_client *const *clients, const char *const *names,
                             size_t count, char *text, size_t room)
{
    struct sink sink = {.text = text, .room = room};
    if (clients == NULL || count == 0 || one_is_missing(clients, count) ||
        (count > 1 && (names == NULL || !names_differ(names, count))))
        return WEIR_EINVAL;
    for (size_t f = 0; f < sizeof families / sizeof families[0]; f++) {
        const struct family *family = &families[f];
        add(&sink, "# HELP %s %s\n# TYPE %s %s\n", family->name, family->help, family->name,
            family->type);
        for (size_t i = 0; i < count; i++) {
            struct source source = {&sink, clients[i], names != NULL ? names[i] : NULL};
            family->add(&source, family->name);
        }
    }
    return sink.len <= INT_MAX ? (int)sink.len : WEIR_EINVAL;
}
