/* A client's counts: what each kind of end adds, that the sums agree, and the Prometheus text. */
#include "client_rig.h"

#include <stdio.h>
#include <stdlib.h>

#include <weir/metrics.h>

#define RETRY(...) .retry = WEIR_RETRY_OPTS(.backoff_base_ms = 1, .backoff_max_ms = 1, __VA_ARGS__)

static struct weir_client_stats stats_of(const weir_client *client)
{
    struct weir_client_stats stats = {.size = sizeof stats};
    check_int(weir_client_stats(client, &stats), 0);
    return stats;
}

#define check_counts(counts, ...)                                                                  \
    check(memcmp(&(counts), &(struct weir_outcome_counts){__VA_ARGS__}, sizeof(counts)) == 0)

/* ---- counts ---- */

static int all_zero_at_first(void *unused)
{
    struct model_server server = {.latency_ms = 10};
    weir_client *client = CLIENT(&server, .rate = 1);
    struct weir_client_stats stats = stats_of(client);
    (void)unused;
    check(memcmp(&stats, &(struct weir_client_stats){.size = sizeof stats}, sizeof stats) == 0);
    check_int(weir_client_latency_ns(client, 50), -1);
    return done(client, &server);
}

static int by_outcome(void *unused)
{
    struct model_server server =
        SERVER({.status = 200}, {.status = 404}, {.status = 500, .times = 2},
               {.status = 429, .retry_after = "1"}, {.status = 200},
               {.rc = WEIR_ECONNECT, .sent = WEIR_SENT_NEVER, .times = 2});
    weir_client *client = CLIENT(&server, RETRY(.max_attempts = 2));
    (void)unused;
    ask(client, GET);   /* 200 */
    ask(client, AGAIN); /* 404 */
    ask(client, GET);   /* 500 twice */
    ask(client, GET);   /* 429, 200 */
    ask(client, AGAIN); /* fails twice, nothing sent */
    ask(client, WEIR_REQUEST(.url = "ftp://x/"));
    struct weir_client_stats stats = stats_of(client);
    check_int((int64_t)stats.requests, 6);
    check_counts(stats.requests_ended, .ok = 2, .client_error = 1, .server_error = 1, .failed = 1);
    check_int((int64_t)stats.requests_refused, 1);
    check_int((int64_t)stats.attempts, 8);
    check_counts(stats.attempts_ended, .ok = 2, .client_error = 1, .server_error = 2,
                 .throttled = 1, .failed = 2);
    check_int((int64_t)stats.in_flight, 0);
    check_int((int64_t)stats.bytes_sent, 4);
    check_int((int64_t)stats.bytes_received, 6 * 8); /* "scripted" */
    check_int((int64_t)stats.latency_count, 8);
    check_int((int64_t)stats.latency_sum_ns, 80 * WEIR__NS_PER_MS);
    return done(client, &server);
}

static int latency(void *unused)
{
    struct model_server server =
        SERVER({.status = 200, .latency_ms = 20, .times = 9}, {.status = 200, .latency_ms = 3000});
    weir_client *client = CLIENT(&server, .rate = 0);
    (void)unused;
    for (int i = 0; i < 10; i++)
        ask(client, GET);
    int64_t median_ns = weir_client_latency_ns(client, 50);
    int64_t tail_ns = weir_client_latency_ns(client, 95);
    check(median_ns >= 20 * WEIR__NS_PER_MS && median_ns <= 20 * WEIR__NS_PER_MS * 9 / 8);
    check(tail_ns >= 3000 * WEIR__NS_PER_MS && tail_ns <= 3000 * WEIR__NS_PER_MS / 8 * 9);
    return done(client, &server);
}

static int while_under_way(void *unused)
{
    struct model_server server = {.latency_ms = 1000};
    weir_client *client = CLIENT(&server, .concurrency = 2);
    weir_group *group = NULL;
    weir_response *responses[3];
    (void)unused;
    check_int(weir_group_new(&group, NULL), 0);
    for (int i = 0; i < 3; i++)
        weir_request_start(group, client, GET, &responses[i]);
    weir_sleep_ms(500);
    struct weir_client_stats stats = stats_of(client);
    check_int((int64_t)stats.requests, 3);
    check_int((int64_t)stats.attempts, 2);
    check_int((int64_t)stats.in_flight, 2);
    weir_group_free(group); /* cancels them */
    stats = stats_of(client);
    check_counts(stats.requests_ended, .canceled = 3);
    check_counts(stats.attempts_ended, .canceled = 2);
    check_int((int64_t)stats.in_flight, 0);
    check_int((int64_t)stats.latency_count, 0);
    for (int i = 0; i < 3; i++)
        weir_response_free(responses[i]);
    return done(client, &server);
}

static int deadlines_and_hedges_are_cancels(void *unused)
{
    struct model_server server = SERVER({.status = 200, .latency_ms = 1000},
                                        {.status = 200, .latency_ms = 1000}, {.status = 200});
    weir_client *client =
        CLIENT(&server, .hedge = WEIR_HEDGE_OPTS(.delay_ms = 100, .budget_percent = 100));
    (void)unused;
    check_int(ask(client, WEIR_REQUEST(.url = "/x", .timeout_ms = 50)).rc, WEIR_ETIMEDOUT);
    check_int(ask(client, GET).attempts, 2);
    struct weir_client_stats stats = stats_of(client);
    check_counts(stats.requests_ended, .ok = 1, .canceled = 1);
    check_counts(stats.attempts_ended, .ok = 1, .canceled = 2);
    check_int((int64_t)stats.in_flight, 0);
    return done(client, &server);
}

static int sizes_of_other_versions(void *unused)
{
    struct model_server server = {.latency_ms = 10};
    weir_client *client = CLIENT(&server, .rate = 0);
    struct weir_client_stats stats = {.size = offsetof(struct weir_client_stats, attempts),
                                      .attempts = 99};
    (void)unused;
    ask(client, GET);
    check_int(weir_client_stats(client, &stats), 0);
    check_int((int64_t)stats.requests, 1);
    check_int((int64_t)stats.attempts, 99);
    stats.size = 0;
    check_int(weir_client_stats(client, &stats), WEIR_EINVAL);
    return done(client, &server);
}

/* Two at 1 a second, then a pause that the server asks for, then a backoff. */
static int what_was_waited_for(void *unused)
{
    struct model_server server = SERVER({.status = 200}, {.status = 200},
                                        {.status = 429, .retry_after = "7"}, {.status = 500});
    weir_client *client = CLIENT(&server, .rate = 1, .period_ms = 1000, .burst = 1,
                                 .retry = WEIR_RETRY_OPTS(.wait = weir_wait_fixed_ms(3000)));
    (void)unused;
    for (int i = 0; i < 3; i++)
        check_int(ask(client, AGAIN).rc, 0);
    struct weir_wait_times waits = stats_of(client).waits;
    check(waits.requests_ns > 1900 * WEIR__NS_PER_MS && waits.requests_ns < 2100 * WEIR__NS_PER_MS);
    check(waits.gate_ns >= 6900 * WEIR__NS_PER_MS && waits.gate_ns < 9000 * WEIR__NS_PER_MS);
    check_int((int64_t)waits.backoff_ns, 3000 * WEIR__NS_PER_MS);
    check_int((int64_t)(waits.tokens_ns + waits.concurrency_ns), 0);
    return done(client, &server);
}

/* ---- text ---- */

static char *text_of(const weir_client *client, const char *name)
{
    int len = weir_client_metrics_text(&client, name != NULL ? &name : NULL, 1, NULL, 0);
    check(len > 0);
    char *text = malloc((size_t)len + 1);
    check_int(weir_client_metrics_text(&client, name != NULL ? &name : NULL, 1, text,
                                       (size_t)len + 1),
              len);
    check_int((int64_t)strlen(text), len);
    return text;
}

static void check_has(const char *text, const char *line)
{
    if (!check(strstr(text, line) != NULL))
        print_error("no line %s in\n%s", line, text);
}

static int a_text_without_names(void *unused)
{
    struct model_server server = SERVER({.status = 500}, {.status = 200, .latency_ms = 1500});
    weir_client *client =
        CLIENT(&server,
               .retry = WEIR_RETRY_OPTS(.max_attempts = 3, .wait = weir_wait_fixed_ms(250)));
    (void)unused;
    ask(client, AGAIN);
    char *text = text_of(client, NULL);
    check(strstr(text, "# HELP weir_requests_total Calls that have ended, by outcome.\n"
                       "# TYPE weir_requests_total counter\n"
                       "weir_requests_total{outcome=\"ok\"} 1\n"
                       "weir_requests_total{outcome=\"client_error\"} 0\n") == text);
    check_has(text, "\nweir_requests_total{outcome=\"refused\"} 0\n");
    check_has(text, "\n# TYPE weir_requests_in_progress gauge\nweir_requests_in_progress 0\n");
    check_has(text, "\nweir_attempts_total{outcome=\"server_error\"} 1\n");
    check_has(text, "\nweir_request_body_bytes_total 8\n");
    check_has(text, "\nweir_response_body_bytes_total 16\n");
    check_has(text, "\nweir_connections_total 0\n");
    check_has(text, "\nweir_http2_attempts_total 0\n");
    check_has(text, "\nweir_proxy_attempts_total 0\n");
    check_has(text, "\n# TYPE weir_attempt_duration_seconds histogram\n"
                    "weir_attempt_duration_seconds_bucket{le=\"0.001048575\"} 0\n");
    check_has(text, "\nweir_attempt_duration_seconds_bucket{le=\"0.008388607\"} 0\n"
                    "weir_attempt_duration_seconds_bucket{le=\"0.016777215\"} 1\n");
    check_has(text, "\nweir_attempt_duration_seconds_bucket{le=\"1.073741823\"} 1\n"
                    "weir_attempt_duration_seconds_bucket{le=\"2.147483647\"} 2\n");
    check_has(text, "\nweir_attempt_duration_seconds_bucket{le=\"1099.511627775\"} 2\n"
                    "weir_attempt_duration_seconds_bucket{le=\"+Inf\"} 2\n"
                    "weir_attempt_duration_seconds_sum 1.510000000\n"
                    "weir_attempt_duration_seconds_count 2\n");
    check_has(text, "\n# TYPE weir_attempt_wait_seconds_total counter\n"
                    "weir_attempt_wait_seconds_total{cause=\"requests\"} 0.000000000\n");
    check_has(text, "\nweir_attempt_wait_seconds_total{cause=\"backoff\"} 0.250000000\n");
    check_has(text, "\nweir_limiter_learned_requests_per_second 0\n");
    free(text);
    return done(client, &server);
}

static int labels_are_escaped(void *unused)
{
    struct model_server server = {.latency_ms = 10};
    weir_client *client = CLIENT(&server, .rate = 0);
    (void)unused;
    char *text = text_of(client, "a\\b\"c\nd\xC3\xA9");
    check_has(text, "\nweir_attempts_in_flight{client=\"a\\\\b\\\"c\\nd\xC3\xA9\"} 0\n");
    check_has(text, "\nweir_attempts_total{client=\"a\\\\b\\\"c\\nd\xC3\xA9\",outcome=\"ok\"} 0\n");
    check_has(text, "_bucket{client=\"a\\\\b\\\"c\\nd\xC3\xA9\",le=\"+Inf\"} 0\n");
    free(text);
    return done(client, &server);
}

/* Each family once, with the lines of all clients below it. */
static int several_clients(void *unused)
{
    struct model_server server = {.latency_ms = 10}, other = {.latency_ms = 10};
    weir_client *a = CLIENT(&server, .rate = 0), *b = CLIENT(&other, .rate = 0);
    const weir_client *clients[] = {a, b};
    static const char *const names[] = {"a", "b"}, *const same[] = {"a", "a"},
                             *const half[] = {"a", NULL};
    static char text[20000];
    (void)unused;
    ask(a, GET);
    check(weir_client_metrics_text(clients, names, 2, text, sizeof text) > 0);
    check_has(text, "\n# TYPE weir_requests_in_progress gauge\n"
                    "weir_requests_in_progress{client=\"a\"} 0\n"
                    "weir_requests_in_progress{client=\"b\"} 0\n# HELP");
    check_has(text, "\nweir_attempt_duration_seconds_count{client=\"a\"} 1\n");
    check_has(text, "\nweir_attempt_duration_seconds_count{client=\"b\"} 0\n");
    check_int(weir_client_metrics_text(clients, same, 2, text, sizeof text), WEIR_EINVAL);
    check_int(weir_client_metrics_text(clients, half, 2, text, sizeof text), WEIR_EINVAL);
    check_int(weir_client_metrics_text(clients, NULL, 2, text, sizeof text), WEIR_EINVAL);
    check_int(weir_client_metrics_text(clients, names, 0, text, sizeof text), WEIR_EINVAL);
    done(b, &other);
    return done(a, &server);
}

static int any_room(void *unused)
{
    struct model_server server = {.latency_ms = 10};
    weir_client *client = CLIENT(&server, .rate = 0);
    const weir_client *const clients[] = {client};
    char *whole = text_of(client, NULL);
    size_t len = strlen(whole);
    (void)unused;
    check(len < 5000);
    for (size_t room = 1; room <= len + 1; room++) {
        char *text = malloc(room);
        check_int(weir_client_metrics_text(clients, NULL, 1, text, room), (int64_t)len);
        check_int((int64_t)strlen(text), (int64_t)room - 1);
        check(strncmp(text, whole, room - 1) == 0);
        free(text);
    }
    free(whole);
    return done(client, &server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(all_zero_at_first),
        VIRTUAL_TEST(by_outcome),
        VIRTUAL_TEST(latency),
        VIRTUAL_TEST(while_under_way),
        VIRTUAL_TEST(deadlines_and_hedges_are_cancels),
        VIRTUAL_TEST(sizes_of_other_versions),
        VIRTUAL_TEST(what_was_waited_for),
        VIRTUAL_TEST(a_text_without_names),
        VIRTUAL_TEST(labels_are_escaped),
        VIRTUAL_TEST(several_clients),
        VIRTUAL_TEST(any_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
