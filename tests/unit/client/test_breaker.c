/* The circuit breaker in the way of a request: who is refused, who waits, and what is given back.
 */
#include "client_rig.h"

#define RETRY(...)   .retry = WEIR_RETRY_OPTS(__VA_ARGS__)
#define NO_WAIT      .backoff_base_ms = 1, .backoff_max_ms = 1
#define ONCE         RETRY(.max_attempts = 1)
#define BREAKER(...) .breaker = WEIR_BREAKER_OPTS(__VA_ARGS__)

static struct weir_breaker_stats stats_of(const weir_client *client)
{
    struct weir_breaker_stats stats = {.size = sizeof stats};
    check_int(weir_client_breaker_stats(client, &stats), 0);
    return stats;
}

static int ended(weir_client *client, const struct model_server *server)
{
    struct weir_breaker_stats stats = stats_of(client);
    check_int((int64_t)stats.probing, 0);
    check_int((int64_t)stats.waiting, 0);
    return done(client, server);
}

/* ---- off, and wrong ---- */

static int off_by_default(void *arg)
{
    struct model_server server = SERVER({.rc = WEIR_ECONNECT, .times = 100});
    weir_client *client = CLIENT(&server, ONCE);
    (void)arg;
    for (int i = 0; i < 100; i++)
        check_int(ask(client, GET).rc, WEIR_ECONNECT);
    check_int((int64_t)stats_of(client).state, WEIR_CIRCUIT_CLOSED);
    check_int((int64_t)stats_of(client).calls, 0);
    struct weir_breaker_stats unset = {.size = 0};
    check_int(weir_client_breaker_stats(client, &unset), WEIR_EINVAL);
    return ended(client, &server);
}

static int wrong_options(void *arg)
{
    struct model_server server = {.latency_ms = 10};
    const struct weir_transport transport = model_transport(&server);
    weir_client *client;
    (void)arg;
    int rc = weir_client_new(&client, WEIR_CLIENT_OPTS(.transport = &transport,
                                                       BREAKER(.failure_percent = 101)));
    check_int(rc, WEIR_EINVAL);
    check(client == NULL);
    check_int((int64_t)server.frees, 0);
    return 0;
}

/* ---- the states ---- */

static int closed_open_half_open_closed(void *arg)
{
    struct model_server server =
        SERVER({.status = 500, .times = 3}, {.rc = WEIR_ECONNECT}, {.status = 500});
    weir_client *client = CLIENT(&server, ONCE, BREAKER(.min_calls = 4, .open_ms = 1000));
    (void)arg;
    for (int i = 0; i < 3; i++)
        check_int(ask(client, GET).status, 500);
    check_int((int64_t)stats_of(client).state, WEIR_CIRCUIT_CLOSED);
    check_int((int64_t)stats_of(client).failures, 3);
    check_int(ask(client, GET).rc, WEIR_ECONNECT);

    struct weir_breaker_stats stats = stats_of(client);
    check_int((int64_t)stats.state, WEIR_CIRCUIT_OPEN);
    check(stats.open_ms >= 1000 && stats.open_ms <= 1250);
    struct went went = ask(client, GET);
    check_int(went.rc, WEIR_EOPEN);
    check_int((int64_t)went.attempts, 0);
    check_int(went.sent, WEIR_SENT_NEVER);
    check_int(went.took_ms, 0);
    check_int((int64_t)server.requests, 4);
    check_int((int64_t)stats_of(client).refused, 1);

    check_int(weir_sleep_ms(stats.open_ms), 0);
    check_int((int64_t)stats_of(client).state, WEIR_CIRCUIT_HALF_OPEN);
    check_int(ask(client, GET).status, 500); /* the probe fails */
    stats = stats_of(client);
    check_int((int64_t)stats.state, WEIR_CIRCUIT_OPEN);
    check(stats.open_ms >= 2000 && stats.open_ms <= 2500);
    check_int((int64_t)stats.opened, 2);

    check_int(weir_sleep_ms(stats.open_ms), 0);
    check_int(ask(client, GET).status, 200);
    check_int((int64_t)stats_of(client).state, WEIR_CIRCUIT_CLOSED);
    check_int(ask(client, GET).status, 200);
    return ended(client, &server);
}

/* Who is refused learns what the last failure was. */
static int the_text_of_a_refusal(void *arg)
{
    static const struct {
        struct model_step step;
        const char *text;
    } cases[] = {
        {{.status = 502}, "HTTP status 502"},
        {{.rc = WEIR_ERESET, .sent = WEIR_SENT_MAYBE}, "as the script says"},
    };
    (void)arg;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct model_server server = {.steps = &cases[i].step, .step_count = 1};
        weir_client *client = CLIENT(&server, ONCE, BREAKER(.min_calls = 1));
        weir_response *response;
        ask(client, GET);
        check_int(weir_request(client, GET, &response), WEIR_EOPEN);
        const char *text = weir_response_error_text(response);
        check(strstr(text, weir_strerror(WEIR_EOPEN)) == text);
        check(strstr(text, cases[i].text) != NULL);
        weir_response_free(response);
        ended(client, &server);
    }
    return 0;
}

static int neither_429_nor_400_opens_it(void *arg)
{
    struct model_server server = SERVER({.status = 429, .times = 5}, {.status = 400, .times = 50},
                                        {.status = 503, .retry_after = "1", .times = 5});
    weir_client *client = CLIENT(&server, ONCE, BREAKER(.min_calls = 1));
    (void)arg;
    for (int i = 0; i < 60; i++)
        check(ask(client, GET).rc == 0);
    check_int((int64_t)stats_of(client).opened, 0);
    return ended(client, &server);
}

/* ---- retries ---- */

/* The third failure opens it. The retry waits for the half-open circuit, and is the probe. */
static int a_retry_waits_for_it(void *arg)
{
    struct model_server server = SERVER({.status = 500, .times = 3});
    weir_client *client = CLIENT(&server, RETRY(NO_WAIT), BREAKER(.min_calls = 3, .open_ms = 1000));
    (void)arg;
    struct went went = ask(client, GET);
    check_int(went.status, 200);
    check_int((int64_t)went.attempts, 4);
    check(went.took_ms >= 1040 && went.took_ms <= 1293);
    check_int((int64_t)stats_of(client).state, WEIR_CIRCUIT_CLOSED);
    return ended(client, &server);
}

/* Not beyond its deadline or max_elapsed_ms: it ends at once with its last real outcome. */
static int a_retry_that_cannot_wait(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2; i++) {
        struct model_server server = SERVER({.status = 500, .times = 9});
        weir_client *client =
            CLIENT(&server, RETRY(.backoff_base_ms = 500, .max_elapsed_ms = i == 0 ? 900 : 0),
                   .timeout_ms = i == 1 ? 900 : 0, BREAKER(.min_calls = 1, .open_ms = 1000));
        struct went went = ask(client, GET);
        check_int(went.rc, 0);
        check_int(went.status, 500);
        check_int((int64_t)went.attempts, 1);
        check_int(went.took_ms, 10); /* not even the backoff */
        ended(client, &server);
    }
    return 0;
}

/* Four at a time, each of them fails: all wait, one probes. */
struct four {
    weir_group *group;
    weir_response *responses[4];
};

static void four_start(struct four *four, weir_client *client)
{
    four->group = rig_group();
    for (int i = 0; i < 4; i++)
        weir_request_start(four->group, client, GET, &four->responses[i]);
}

/* Returns how many have that status. */
static int four_end(struct four *four, int status)
{
    int count = 0;
    for (int i = 0; i < 4; i++) {
        const weir_response *response = four->responses[i];
        count += response != NULL && weir_response_status(response) == status;
        weir_response_free(four->responses[i]);
    }
    check_int(weir_group_free(four->group), 0);
    return count;
}

static int one_probes_the_others_follow(void *arg)
{
    struct model_arrival log[8];
    struct model_server server = {.latency_ms = 10,
                                  .steps = &(struct model_step){.status = 500, .times = 4},
                                  .step_count = 1,
                                  .log = log,
                                  .log_room = 8};
    weir_client *client = CLIENT(&server, RETRY(NO_WAIT), BREAKER(.min_calls = 4, .open_ms = 1000));
    struct four four;
    (void)arg;
    four_start(&four, client);
    check_int(weir_sleep_ms(500), 0);
    check_int((int64_t)stats_of(client).waiting, 4);
    struct weir_limiter_stats limiter = {.size = sizeof limiter};
    weir_limiter_stats(weir_client_limiter(client), &limiter);
    check_int((int64_t)limiter.holding, 0); /* nothing is held meanwhile */
    check_int(weir_gather(four.group), 0);
    check_int((int64_t)server.requests, 8);
    for (int i = 5; i < 8; i++) /* as soon as the probe has its answer */
        check_int(log[i].at_ns - log[4].at_ns, 10 * WEIR__NS_PER_MS);
    check_int(four_end(&four, 200), 4);
    return ended(client, &server);
}

static int when_the_probe_fails_the_others_end(void *arg)
{
    struct model_server server = SERVER({.status = 500, .times = 5}, {.status = 200, .times = 9});
    weir_client *client = CLIENT(&server, RETRY(NO_WAIT, .max_attempts = 9),
                                 BREAKER(.min_calls = 4, .open_ms = 1000));
    struct four four;
    (void)arg;
    four_start(&four, client);
    check_int(weir_sleep_ms(1400), 0); /* the probe has failed */
    check_int((int64_t)server.requests, 5);
    check_int((int64_t)stats_of(client).waiting, 1); /* the one that probed */
    check_int((int64_t)stats_of(client).refused, 3);
    check_int(weir_gather(four.group), 0);
    check_int((int64_t)server.requests, 6);
    check_int(four_end(&four, 500), 3);
    return ended(client, &server);
}

/* ---- the queue ---- */

/* What queued while it was closed is refused when its turn comes, and gives its turn back: the
 * tokens are there for the next one. */
static int what_queued_before_is_refused(void *arg)
{
    struct model_server server = SERVER({.status = 500, .latency_ms = 50});
    weir_client *client =
        CLIENT(&server, ONCE, .rate = 1, .period_ms = 100, BREAKER(.min_calls = 1, .open_ms = 210));
    struct four four;
    (void)arg;
    four_start(&four, client);
    check_int(weir_gather(four.group), WEIR_EOPEN);
    check_int((int64_t)server.requests, 1);
    check_int((int64_t)stats_of(client).refused, 3);
    for (int i = 1; i < 4; i++)
        check_int(weir_response_error(four.responses[i]), WEIR_EOPEN);
    check_int(four_end(&four, 500), 1);
    check_idle(client, &server);
    check_int(weir_sleep_ms(stats_of(client).open_ms), 0);
    check_int(ask(client, GET).took_ms, 10); /* no token is owed */
    return ended(client, &server);
}

/* ---- waiting instead of being refused ---- */

static int all_may_wait(void *arg)
{
    struct model_server server = SERVER({.status = 500, .times = 3});
    weir_client *client =
        CLIENT(&server, ONCE, BREAKER(.min_calls = 1, .open_ms = 1000, .wait = 1));
    (void)arg;
    check_int(ask(client, GET).status, 500);
    struct went went = ask(client, GET);
    check_int(went.status, 500);
    check(went.took_ms >= 1010 && went.took_ms <= 1260);
    went = ask(client, WEIR_REQUEST(.url = "/", .timeout_ms = 1999)); /* open for 2 s and more */
    check_int(went.rc, WEIR_EDEADLINE);
    check_int(went.took_ms, 0);
    struct four four;
    four_start(&four, client);
    check_int(weir_gather(four.group), 0);
    check_int(four_end(&four, 200), 3);
    check_int((int64_t)server.requests, 6);
    check_int((int64_t)stats_of(client).refused, 1);
    return ended(client, &server);
}

/* ---- cancels ---- */

/* Cancelled at each of many times, through waiting, probing and the rest: nothing stays held, and
 * the circuit goes on to close. */
static int a_cancel_at_any_time(void *arg)
{
    (void)arg;
    for (int64_t at_ms = 0; at_ms <= 1400; at_ms += at_ms < 40 || at_ms > 990 ? 2 : 50) {
        struct model_server server = SERVER({.status = 500, .times = 4});
        weir_client *client =
            CLIENT(&server, RETRY(NO_WAIT), BREAKER(.min_calls = 4, .open_ms = 1000, .probes = 2));
        struct four four;
        four_start(&four, client);
        check_int(weir_sleep_ms(at_ms), 0);
        weir_group_cancel(four.group);
        weir_gather(four.group);
        four_end(&four, 0);
        check_int((int64_t)stats_of(client).probing, 0);
        check_int((int64_t)stats_of(client).waiting, 0);
        check_idle(client, &server);
        check_int(weir_sleep_ms(2000), 0);
        while (server.requests < 5)
            ask(client, GET);
        check_int(weir_sleep_ms(stats_of(client).open_ms), 0);
        check_int(ask(client, GET).status, 200);
        check_int((int64_t)stats_of(client).state, WEIR_CIRCUIT_CLOSED);
        ended(client, &server);
    }
    return 0;
}

static int a_cancelled_probe_gives_its_permit_back(void *arg)
{
    struct model_server server =
        SERVER({.status = 500}, {.status = 200, .latency_ms = -1}, {.status = 200});
    weir_client *client = CLIENT(&server, ONCE, BREAKER(.min_calls = 1, .open_ms = 1000));
    weir_response *response;
    (void)arg;
    ask(client, GET);
    check_int(weir_sleep_ms(stats_of(client).open_ms), 0);
    weir_group *group = rig_group();
    weir_task *probe = weir_request_start(group, client, GET, &response);
    check_int(weir_sleep_ms(100), 0);
    check_int((int64_t)stats_of(client).probing, 1);
    check_int(ask(client, GET).rc, WEIR_EOPEN);
    weir_task_cancel(probe);
    check_int(weir_await(probe), WEIR_ECANCELED);
    check_int((int64_t)stats_of(client).probing, 0);
    check_int((int64_t)stats_of(client).state, WEIR_CIRCUIT_HALF_OPEN);
    check_int(ask(client, GET).status, 200);
    weir_response_free(response);
    check_int(weir_group_free(group), 0);
    return ended(client, &server);
}

/* ---- closing ---- */

static int who_waits_ends_when_the_limiter_closes(void *arg)
{
    struct model_server server = SERVER({.status = 500, .times = 9});
    weir_client *client = CLIENT(&server, ONCE, BREAKER(.min_calls = 1, .wait = 1));
    struct four four;
    (void)arg;
    ask(client, GET);
    four_start(&four, client);
    check_int(weir_sleep_ms(10), 0);
    int64_t start_ms = weir_now_ms();
    weir_limiter_close(weir_client_limiter(client));
    check_int(weir_gather(four.group), WEIR_ECLOSED);
    check_int(weir_now_ms(), start_ms);
    check_int(four_end(&four, 0), 4);
    return ended(client, &server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(off_by_default),
        VIRTUAL_TEST(wrong_options),
        VIRTUAL_TEST(closed_open_half_open_closed),
        VIRTUAL_TEST(the_text_of_a_refusal),
        VIRTUAL_TEST(neither_429_nor_400_opens_it),
        VIRTUAL_TEST(a_retry_waits_for_it),
        VIRTUAL_TEST(a_retry_that_cannot_wait),
        VIRTUAL_TEST(one_probes_the_others_follow),
        VIRTUAL_TEST(when_the_probe_fails_the_others_end),
        VIRTUAL_TEST(what_queued_before_is_refused),
        VIRTUAL_TEST(all_may_wait),
        VIRTUAL_TEST(a_cancel_at_any_time),
        VIRTUAL_TEST(a_cancelled_probe_gives_its_permit_back),
        VIRTUAL_TEST(who_waits_ends_when_the_limiter_closes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
