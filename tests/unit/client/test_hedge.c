/* Hedging: late requests are sent once more, the first good answer wins, and whatever the other one
 * held is given back. */
#include "client_rig.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/rand.h"
#include "script_server.h"

#define RETRY(...) .retry = WEIR_RETRY_OPTS(__VA_ARGS__)
#define NO_WAIT    .backoff_base_ms = 1, .backoff_max_ms = 1
#define HEDGE(...) .hedge = WEIR_HEDGE_OPTS(__VA_ARGS__)
#define AT_100     HEDGE(.delay_ms = 100, .budget_percent = 100)

static struct weir_hedge_stats stats_of(const weir_client *client)
{
    struct weir_hedge_stats stats = {.size = sizeof stats};
    check_int(weir_client_hedge_stats(client, &stats), 0);
    return stats;
}

static void check_seconds(const weir_client *client, int seconds, int won)
{
    struct weir_hedge_stats stats = stats_of(client);
    check_int((int64_t)stats.seconds, seconds);
    check_int((int64_t)stats.won, won);
}

/* ---- off, and wrong ---- */

static int off_by_default(void *arg)
{
    struct model_server server = {.latency_ms = 1000};
    weir_client *client = CLIENT(&server, .timeout_ms = 5000);
    (void)arg;
    check_int(ask(client, GET).took_ms, 1000);
    check_int((int64_t)server.requests, 1);
    check_int((int64_t)stats_of(client).firsts, 0);
    check_int(stats_of(client).delay_ms, -1);
    struct weir_hedge_stats unset = {.size = 0};
    check_int(weir_client_hedge_stats(client, &unset), WEIR_EINVAL);
    return done(client, &server);
}

static int wrong_options(void *arg)
{
    static const struct weir_hedge_opts bad = {.size = sizeof bad, .percentile = 100};
    struct model_server server = {.latency_ms = 10};
    const struct weir_transport transport = model_transport(&server);
    weir_client *client;
    (void)arg;
    check_int(weir_client_new(&client, WEIR_CLIENT_OPTS(.transport = &transport, .hedge = &bad)),
              WEIR_EINVAL);
    check_int(weir_client_new(&client, WEIR_CLIENT_OPTS(.transport = &transport, AT_100,
                                                        RETRY(.max_attempts = 1))),
              WEIR_EINVAL);
    check(client == NULL);
    return 0;
}

/* ---- who wins ---- */

static int the_second_wins(void *arg)
{
    struct model_server server = SERVER({.status = 200, .latency_ms = -1});
    weir_client *client = CLIENT(&server, AT_100);
    weir_response *response;
    (void)arg;
    int64_t start_ms = weir_now_ms();
    check_int(weir_request(client, AGAIN, &response), 0);
    check_int(weir_now_ms() - start_ms, 110);
    check_int((int64_t)weir_response_attempts(response), 2);
    check(strcmp(weir_response_body(response), "{\"ok\":true}") == 0); /* the second's, by itself */
    weir_response_free(response);
    check_int((int64_t)server.requests, 2);
    check_seconds(client, 1, 1);
    return done(client, &server);
}

static int the_first_wins(void *arg)
{
    struct model_server server = SERVER({.status = 404, .latency_ms = 150}, {.latency_ms = -1});
    weir_client *client = CLIENT(&server, AT_100);
    (void)arg;
    struct went went = ask(client, GET);
    check_int(went.status, 404); /* an answer that ends it */
    check_int(went.took_ms, 150);
    check_int((int64_t)went.attempts, 2);
    check_int((int64_t)server.requests, 2);
    check_seconds(client, 1, 0);
    return done(client, &server);
}

static int what_is_not_late_is_sent_once(void *arg)
{
    struct model_server server = {.latency_ms = 99};
    weir_client *client = CLIENT(&server, AT_100);
    (void)arg;
    for (int i = 0; i < 10; i++)
        check_int(ask(client, GET).took_ms, 99);
    check_int((int64_t)server.requests, 10);
    check_int((int64_t)stats_of(client).firsts, 10);
    return done(client, &server);
}

static int what_may_not_be_sent_twice_is_not(void *arg)
{
    struct model_server server = {.latency_ms = 1000};
    weir_client *client = CLIENT(&server, AT_100);
    (void)arg;
    check_int(ask(client, POST).took_ms, 1000);
    check_int((int64_t)server.requests, 1);
    check_int(ask(client, AGAIN).took_ms, 1000);
    check_int((int64_t)server.requests, 3);
    return done(client, &server);
}

/* ---- ends that are not good ---- */

/* The race goes on while one of them may still go well; of two bad ends an answer counts more, and
 * then it is tried again. */
static int bad_ends(void *arg)
{
    static const struct {
        struct model_step steps[2];
        int64_t took_ms; /* without the backoff and what follows it */
        int status;      /* at the end, with two attempts in all */
    } cases[] = {
        {{{.status = 500, .latency_ms = 120}, {.status = 200, .latency_ms = 100}}, 200, 200},
        {{{.status = 200, .latency_ms = 400}, {.status = 500, .latency_ms = 100}}, 400, 200},
        {{{.rc = WEIR_ERESET, .latency_ms = 120}, {.status = 500, .latency_ms = 100}}, 200, 500},
        {{{.status = 502, .latency_ms = 300}, {.rc = WEIR_ERESET, .latency_ms = 100}}, 300, 502},
        {{{.status = 502, .latency_ms = 300}, {.status = 500, .latency_ms = 100}}, 300, 500},
    };
    (void)arg;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct model_server server = {.latency_ms = 10, .steps = cases[i].steps, .step_count = 2};
        weir_client *client = CLIENT(&server, AT_100, RETRY(NO_WAIT, .max_attempts = 2));
        struct went went = ask(client, GET);
        check_int(went.status, cases[i].status);
        check_int(went.took_ms, cases[i].took_ms);
        check_int((int64_t)went.attempts, 2);
        done(client, &server);
        server = (struct model_server){.latency_ms = 10, .steps = cases[i].steps, .step_count = 2};
        client = CLIENT(&server, AT_100, RETRY(NO_WAIT));
        went = ask(client, GET);
        check_int(went.status, 200);
        check_int((int64_t)went.attempts, cases[i].status == 200 ? 2 : 3);
        done(client, &server);
    }
    return 0;
}

static int the_number_of_attempts_bounds_them(void *arg)
{
    struct model_server server = SERVER({.status = 500, .latency_ms = 120, .times = 100});
    weir_client *client = CLIENT(&server, AT_100, RETRY(NO_WAIT, .max_attempts = 5));
    (void)arg;
    check_int((int64_t)ask(client, GET).attempts, 5); /* two, two and one */
    check_int((int64_t)server.requests, 5);
    check_seconds(client, 2, 0);
    return done(client, &server);
}

/* Told to slow down, either of them, a request is sent once at a time from then on. */
static int too_fast_ends_it(void *arg)
{
    (void)arg;
    for (int first = 0; first < 2; first++) {
        const struct model_step told = {.status = 429, .retry_after = "1", .latency_ms = 120};
        const struct model_step slow = {.status = 500, .latency_ms = 400};
        struct model_server server = {.latency_ms = 1000,
                                      .steps = first ? (struct model_step[]){told, slow}
                                                     : (struct model_step[]){slow, told},
                                      .step_count = 2};
        weir_client *client = CLIENT(&server, AT_100, RETRY(NO_WAIT));
        struct went went = ask(client, GET);
        check_int(went.status, 200);
        check_int((int64_t)went.attempts, 3);
        check_int((int64_t)server.requests, 3);
        check_int((int64_t)stats_of(client).firsts, 1); /* the third was no race at all */
        check_seconds(client, 1, 0);
        done(client, &server);
    }
    return 0;
}

/* ---- only what is there without waiting ---- */

static int not_without_a_place_or_tokens(void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++) {
        struct model_server server = {.latency_ms = 1000};
        weir_client *client =
            i == 0 ? CLIENT(&server, AT_100, .concurrency = 1)
                   : CLIENT(&server, AT_100, .rate = 1, .period_ms = 2000, .burst = (uint64_t)i);
        check_int(ask(client, GET).took_ms, 1000);
        check_int((int64_t)server.requests, i < 2 ? 1 : 2);
        check_int((int64_t)stats_of(client).not_admitted, i < 2);
        done(client, &server);
    }
    return 0;
}

static int never_before_who_waits(void *arg)
{
    struct model_server server = {.latency_ms = 1000};
    weir_client *client = CLIENT(&server, AT_100, .rate = 2, .period_ms = 1000, .burst = 2);
    weir_response *responses[3];
    weir_group *group = rig_group();
    (void)arg;
    for (int i = 0; i < 3; i++)
        weir_request_start(group, client, WEIR_REQUEST(.url = "/", .amount = i == 2 ? 2 : 1),
                           &responses[i]);
    check_int(weir_gather(group), 0);
    for (int i = 0; i < 3; i++)
        weir_response_free(responses[i]);
    check_int((int64_t)server.requests, 3);
    check_int((int64_t)stats_of(client).not_admitted, 3);
    check_int(weir_group_free(group), 0);
    return done(client, &server);
}

/* Tokens of the one that loses come back if nothing of it was sent. */
static enum weir_sent losers_sent;

static int lose(void *self, const struct weir_exchange *exchange, weir_response *response)
{
    (void)self;
    int rc = weir_sleep_ms(exchange->attempt == 1 ? 150 : 5000);
    if (rc == 0)
        return weir_response_set_status(response, 200);
    weir_response_set_failure(response, losers_sent, "cut off");
    return rc;
}

static int the_losers_tokens(void *arg)
{
    const struct weir_transport transport = WEIR_TRANSPORT(.perform = lose);
    (void)arg;
    for (int i = 0; i < 2; i++) {
        weir_client *client;
        losers_sent = i == 0 ? WEIR_SENT_NEVER : WEIR_SENT_MAYBE;
        check_int(weir_client_new(&client,
                                  WEIR_CLIENT_OPTS(.transport = &transport, AT_100, .rate = 4,
                                                   .period_ms = 4000000, .burst = 4)),
                  0);
        weir_limiter *limiter = weir_client_limiter(client);
        check_int(ask(client, WEIR_REQUEST(.url = "http://h/")).took_ms, 150);
        check_seconds(client, 1, 0);
        check_int(weir_limiter_try(limiter, i == 0 ? 4 : 3), WEIR_EBUSY);
        check_int(weir_limiter_try(limiter, i == 0 ? 3 : 2), 0);
        weir_limiter_release(limiter);
        struct weir_limiter_stats stats = {.size = sizeof stats};
        weir_limiter_stats(limiter, &stats);
        check_int((int64_t)stats.holding, 0);
        check_int(weir_client_free(client), 0);
    }
    return 0;
}

/* ---- with a circuit breaker ---- */

static int a_probe_is_not_hedged(void *arg)
{
    struct model_server server =
        SERVER({.status = 500}, {.status = 200, .latency_ms = 1000, .times = 100});
    weir_client *client =
        CLIENT(&server, AT_100, RETRY(NO_WAIT),
               .breaker = WEIR_BREAKER_OPTS(.min_calls = 1, .open_ms = 1000, .probes = 9));
    (void)arg;
    check_int(ask(client, GET).status, 200);
    check_int((int64_t)server.requests, 2);
    check_int((int64_t)stats_of(client).not_admitted, 1);
    check_int(ask(client, GET).status, 200); /* it is closed again */
    check_int((int64_t)server.requests, 4);
    struct weir_breaker_stats stats = {.size = sizeof stats};
    check_int(weir_client_breaker_stats(client, &stats), 0);
    check_int((int64_t)stats.calls, 1); /* who was cut off says nothing */
    check_int((int64_t)stats.state, WEIR_CIRCUIT_CLOSED);
    return done(client, &server);
}

/* ---- cancels, and no memory ---- */

/* Cancelled, and run out of time, at each of many moments. */
static int a_cancel_at_any_time(void *arg)
{
    (void)arg;
    for (int64_t at_ms = 0; at_ms <= 320; at_ms += 5) {
        struct model_server server =
            SERVER({.status = 500, .latency_ms = 150}, {.status = 500, .latency_ms = 150},
                   {.status = 200, .latency_ms = -1});
        weir_client *client =
            CLIENT(&server, AT_100, RETRY(NO_WAIT), .rate = 1000, .period_ms = 1000);
        weir_group *group = rig_group();
        weir_response *response;
        weir_task *task = weir_request_start(group, client, GET, &response);
        check_int(weir_sleep_ms(at_ms), 0);
        weir_task_cancel(task);
        check_int(weir_await(task), WEIR_ECANCELED);
        check(response == NULL || weir_response_error(response) == WEIR_ECANCELED);
        weir_response_free(response);
        check_int(weir_group_free(group), 0);
        check_idle(client, &server);
        struct went went = ask(client, WEIR_REQUEST(.url = "/", .timeout_ms = at_ms + 1));
        check(went.rc == 0 || went.rc == WEIR_ETIMEDOUT || went.rc == WEIR_EDEADLINE);
        done(client, &server);
    }
    return 0;
}

/* Something to draw from: the order of few tasks would hardly change. */
static int spin(void *arg)
{
    (void)arg;
    while (weir_yield() == 0)
        continue;
    return 0;
}

/* In any order of the tasks: a cancel may come before a sending that was admitted has begun. */
static int a_cancel_before_it_begins(void *arg)
{
    struct model_server server = {.latency_ms = 1000};
    weir_client *client = CLIENT(&server, AT_100);
    weir_group *spinners = rig_group();
    for (int i = 0; i < 20; i++)
        weir_spawn(spinners, spin, NULL);
    for (int i = 0; i < 500; i++) {
        weir_group *group = rig_group();
        weir_response *response;
        weir_task *task = weir_request_start(group, client, GET, &response);
        check_int(weir_yield(), 0);
        weir_task_cancel(task);
        weir_await(task);
        weir_response_free(response);
        check_int(weir_group_free(group), 0);
        check_idle(client, &server);
    }
    check_int(weir_group_free(spinners), 0);
    *(bool *)arg = stats_of(client).firsts > server.requests; /* it did */
    return done(client, &server);
}

static void test_a_cancel_in_any_order(void **state)
{
    bool before = false;
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        const struct weir_run_opts *opts =
            WEIR_RUN_OPTS(.clock = WEIR_CLOCK_VIRTUAL, .seed = seed, .shuffle = 1);
        assert_int_equal(weir_run(a_cancel_at_any_time, NULL, opts), 0);
        rig_assert_no_failure();
    }
    assert_int_equal(weir_run(a_cancel_before_it_begins, &before,
                              WEIR_RUN_OPTS(.clock = WEIR_CLOCK_VIRTUAL, .seed = 1, .shuffle = 1)),
                     0);
    rig_assert_no_failure();
    assert_true(before);
}

static int out_of_memory_at_any_place(void *arg)
{
    int rc = WEIR_ENOMEM, ends = 0;
    (void)arg;
    for (unsigned long k = 1; ends < 3; k++) { /* the last times it fails nowhere */
        struct model_server server = SERVER({.status = 200, .latency_ms = 150});
        weir_client *client = CLIENT(&server, AT_100);
        weir_response *response;
        weir__mem_fail_at(k);
        rc = weir_request(client, GET, &response);
        weir__mem_fail_at(0);
        check(rc == 0 || rc == WEIR_ENOMEM);
        check(response == NULL || weir_response_error(response) == rc);
        ends += rc == 0 && weir_response_attempts(response) == 2;
        weir_response_free(response);
        done(client, &server);
    }
    return 0;
}

/* ---- what it is good for ---- */

enum { REQUESTS = 5000 };

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* A server of which `slow_percent` of the answers take 2 s, the others 50 to 100 ms. */
struct tail {
    int64_t p50_ms, p99_ms;
    size_t sent;
    struct weir_hedge_stats stats;
};

static struct tail tail_of(unsigned slow_percent, const struct weir_hedge_opts *hedge)
{
    struct model_step *steps = calloc((size_t)2 * REQUESTS, sizeof *steps);
    int64_t *took_ms = calloc(REQUESTS, sizeof *took_ms);
    struct weir__rand rand;
    weir__rand_seed(&rand, 11);
    for (int i = 0; i < 2 * REQUESTS; i++) {
        bool slow = weir__rand_upto(&rand, 99) < slow_percent;
        steps[i].status = 200;
        steps[i].latency_ms = slow ? 2000 : 50 + weir__rand_upto(&rand, 50);
    }
    struct model_server server = {.steps = steps, .step_count = (size_t)2 * REQUESTS};
    weir_client *client = CLIENT(&server, .hedge = hedge);
    for (int i = 0; i < REQUESTS; i++)
        took_ms[i] = ask(client, GET).took_ms;
    qsort(took_ms, REQUESTS, sizeof *took_ms, compare);
    struct tail tail = {.p50_ms = took_ms[REQUESTS / 2],
                        .p99_ms = took_ms[REQUESTS / 100 * 99],
                        .sent = server.requests,
                        .stats = stats_of(client)};
    done(client, &server);
    free(took_ms);
    free(steps);
    return tail;
}

static int the_tail_is_cut(void *arg)
{
    (void)arg;
    struct tail plain = tail_of(2, NULL);
    struct tail hedged = tail_of(2, WEIR_HEDGE_OPTS(.percentile = 95, .budget_percent = 5));
    check_int((int64_t)plain.sent, REQUESTS);
    check_int(plain.p99_ms, 2000);
    check(hedged.p99_ms <= 220); /* late at 95 % of them, and one more answer */
    check(hedged.p50_ms - plain.p50_ms <= 2 && plain.p50_ms - hedged.p50_ms <= 2);
    check(hedged.sent > REQUESTS);
    check(hedged.sent <= REQUESTS * 105 / 100);
    check(hedged.stats.delay_ms >= 90 && hedged.stats.delay_ms <= 113);
    check_int((int64_t)(hedged.stats.firsts + hedged.stats.seconds), (int64_t)hedged.sent);
    return 0;
}

/* Where everything has become slow, the budget holds and the estimate follows. */
static int a_slow_server_is_spared(void *arg)
{
    (void)arg;
    struct tail fixed = tail_of(100, WEIR_HEDGE_OPTS(.delay_ms = 100));
    check(fixed.sent <= REQUESTS * 105 / 100);
    check(fixed.stats.over_budget > REQUESTS * 9 / 10);
    struct tail learned = tail_of(100, WEIR_HEDGE_OPTS(.percentile = 95));
    check_int((int64_t)learned.sent, REQUESTS); /* 2 s is what answers take here */
    return 0;
}

/* ---- over HTTP ---- */

/* The first connection is held for ever: the second answers, and the first is closed at once. */
static int over_http(void *arg)
{
    struct script_server *server =
        SCRIPT_SERVER({.end = SCRIPT_HOLD}, {.answer = SCRIPT_OK("6", "second")});
    weir_client *client;
    weir_response *response;
    (void)arg;
    check_int(weir_client_new(&client,
                              WEIR_CLIENT_OPTS(.base_url = script_server_url(server),
                                               HEDGE(.delay_ms = 20, .budget_percent = 100))),
              0);
    check_int(weir_get(client, "/", &response), 0);
    check(strcmp(weir_response_body(response), "second") == 0);
    check_int((int64_t)weir_response_attempts(response), 2);
    check_seconds(client, 1, 1);
    weir_response_free(response);
    struct weir_limiter_stats stats = {.size = sizeof stats};
    weir_limiter_stats(weir_client_limiter(client), &stats);
    check_int((int64_t)stats.holding, 0);
    check_int(weir_client_free(client), 0);
    script_server_stop(server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(off_by_default),
        VIRTUAL_TEST(wrong_options),
        VIRTUAL_TEST(the_second_wins),
        VIRTUAL_TEST(the_first_wins),
        VIRTUAL_TEST(what_is_not_late_is_sent_once),
        VIRTUAL_TEST(what_may_not_be_sent_twice_is_not),
        VIRTUAL_TEST(bad_ends),
        VIRTUAL_TEST(the_number_of_attempts_bounds_them),
        VIRTUAL_TEST(too_fast_ends_it),
        VIRTUAL_TEST(not_without_a_place_or_tokens),
        VIRTUAL_TEST(never_before_who_waits),
        VIRTUAL_TEST(the_losers_tokens),
        VIRTUAL_TEST(a_probe_is_not_hedged),
        VIRTUAL_TEST(a_cancel_at_any_time),
        cmocka_unit_test(test_a_cancel_in_any_order),
        VIRTUAL_TEST(out_of_memory_at_any_place),
        VIRTUAL_TEST(the_tail_is_cut),
        VIRTUAL_TEST(a_slow_server_is_spared),
        REAL_TEST(over_http),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
