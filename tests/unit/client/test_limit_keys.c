/* A client with a limiter for each key: what one key is told and learns, the others do not feel. */
#include "client_rig.h"

#include <stdlib.h>

#include <weir/limiters.h>

#include "base/mem.h"

/* Two servers, told apart by the host. */
struct pair {
    struct model_server a, b;
    weir_limiters *set;
    weir_client *client;
};

static int perform(void *self, const struct weir_exchange *exchange, weir_response *response)
{
    struct pair *pair = self;
    bool is_a = strstr(exchange->url, "://a.example") != NULL;
    const struct weir_transport of = model_transport(is_a ? &pair->a : &pair->b);
    return of.perform(of.self, exchange, response);
}

static void start(struct pair *pair, struct weir_client_opts *opts)
{
    const struct weir_transport transport = WEIR_TRANSPORT(.perform = perform, .self = pair);
    opts->transport = &transport;
    opts->limiters = pair->set;
    check_int(weir_client_new(&pair->client, opts), 0);
    check(weir_client_limiter(pair->client) == NULL);
}
#define START(pair, ...) start((pair), WEIR_CLIENT_OPTS(.headers = NULL, __VA_ARGS__))

static void set_new(struct pair *pair, const struct weir_limiters_opts *opts)
{
    check_int(weir_limiters_new(&pair->set, opts), 0);
}

static struct weir_limiter_stats stats_of(weir_limiters *set, const char *key)
{
    struct weir_limiter_stats stats = {.size = sizeof stats};
    weir_limiter *limiter = NULL;
    check_int(weir_limiters_get(set, key, &limiter), 0);
    check_int(weir_limiter_stats(limiter, &stats), 0);
    return stats;
}

static int end(struct pair *pair)
{
    struct weir_limiter_stats stats = {.size = sizeof stats};
    check_int(weir_limiters_stats(pair->set, &stats, NULL), 0);
    check_int((int64_t)stats.holding, 0);
    check_int((int64_t)stats.waiting, 0);
    check_int((int64_t)(pair->a.in_flight + pair->b.in_flight), 0);
    check_int(weir_client_free(pair->client), 0);
    weir_limiters_free(pair->set);
    return 0;
}

/* ---- learned and told apart ---- */

enum { ROWS = 600 };

/* Responses of tasks that run all at once. */
static void ask_all(struct pair *pair, const char *url, const char *key, int count,
                    weir_group *group, weir_response **responses)
{
    for (int i = 0; i < count; i++)
        check(weir_request_start(group, pair->client, WEIR_REQUEST(.url = url, .limit_key = key),
                                 &responses[i]) != NULL);
}

static int all_were_answered(weir_response **responses, int count)
{
    int answered = 0;
    for (int i = 0; i < count; i++) {
        answered += weir_response_status(responses[i]) == 200;
        weir_response_free(responses[i]);
    }
    return answered == count;
}

static bool is_near(double value, double want)
{
    return value > want * 0.9 && value < want * 1.1;
}

/* Two models of one server and two servers: by the key given, and by the host. */
static void learn_two(const char *const *keys, const char *const *names)
{
    struct pair pair = {
        .a = {.latency_ms = 10,
              .rate = 10,
              .burst = 10,
              .period_ms = 1000,
              .says = MODEL_SAYS_NOTHING},
        .b = {.latency_ms = 10,
              .rate = 50,
              .burst = 50,
              .period_ms = 1000,
              .says = MODEL_SAYS_NOTHING},
    };
    weir_response **responses = calloc(2 * ROWS, sizeof(weir_response *));
    weir_group *group = rig_group();
    set_new(&pair, WEIR_LIMITERS_OPTS(.each = WEIR_LIMITER_OPTS(.concurrency = 32)));
    START(&pair, .retry = WEIR_RETRY_OPTS(.max_attempts = 5));
    ask_all(&pair, "http://a.example/x", keys[0], ROWS / 4, group, responses);
    ask_all(&pair, "http://b.example/x", keys[1], ROWS, group, responses + ROWS / 4);
    check_int(weir_gather(group), 0);
    check_int(weir_group_free(group), 0);
    check(is_near(stats_of(pair.set, names[0]).learned_per_s, 10));
    check(is_near(stats_of(pair.set, names[1]).learned_per_s, 50));
    check_int((int64_t)weir_limiters_count(pair.set), 2);
    check(all_were_answered(responses, ROWS + ROWS / 4));
    free(responses);
    end(&pair);
}

static int two_keys_learn_two_limits(void *arg)
{
    static const char *const keys[] = {"small", "large"};
    (void)arg;
    learn_two(keys, keys);
    return 0;
}

static int two_servers_learn_two_limits(void *arg)
{
    static const char *const none[] = {NULL, NULL};
    static const char *const names[] = {"http://a.example:80", "http://b.example:80"};
    (void)arg;
    learn_two(none, names);
    return 0;
}

static int one_keys_pause_is_not_the_others(void *arg)
{
    struct pair pair = {.a = SERVER({.status = 429, .retry_after = "60"}), .b = {.latency_ms = 10}};
    weir_response *response = NULL;
    weir_group *group = rig_group();
    (void)arg;
    set_new(&pair, NULL);
    START(&pair, .timeout_ms = 0);
    ask_all(&pair, "http://a.example/x", NULL, 1, group, &response);
    check_int(weir_sleep_ms(20), 0);
    int64_t start_ms = weir_now_ms();
    struct went went = ask(pair.client, WEIR_REQUEST(.url = "http://b.example/x"));
    check_int(went.status, 200);
    check_int(weir_now_ms() - start_ms, 10);
    /* The same server in other words waits. */
    went = ask(pair.client, WEIR_REQUEST(.url = "http://A.example:80/y", .timeout_ms = 1000));
    check_int(went.rc, WEIR_EDEADLINE);
    check_int(stats_of(pair.set, "http://a.example:80").blocked_ms, 59980);
    check_int(weir_gather(group), 0);
    check(all_were_answered(&response, 1));
    check_int(weir_group_free(group), 0);
    check(weir_now_ms() - start_ms >= 59980);
    return end(&pair);
}

static int a_started_request_keeps_its_key(void *arg)
{
    struct pair pair = {.a = {.latency_ms = 10}};
    weir_response *response = NULL;
    weir_group *group = rig_group();
    char key[] = "model-a";
    (void)arg;
    set_new(&pair, NULL);
    START(&pair, .timeout_ms = 0);
    ask_all(&pair, "http://a.example/x", key, 1, group, &response);
    memset(key, 'x', sizeof key - 1);
    check_int(weir_gather(group), 0);
    check_int(weir_group_free(group), 0);
    weir_response_free(response);
    check_int((int64_t)weir_limiters_count(pair.set), 1);
    check_int((int64_t)stats_of(pair.set, "model-a").admitted, 1);
    return end(&pair);
}

/* Tokens are counted by the limits of the key alone, and its limits say what can never be. */
static int a_keys_own_limits(void *arg)
{
    static const struct weir_limit tokens = {.rate = 100, .period_ms = 1000, .unit = WEIR_TOKENS};
    struct pair pair = {.a = {.latency_ms = 10}};
    (void)arg;
    set_new(&pair, NULL);
    check_int(weir_limiters_set(pair.set, "t",
                                WEIR_LIMITER_OPTS(.limits = &tokens, .limit_count = 1)),
              0);
    START(&pair, .timeout_ms = 0);
    const char *url = "http://a.example/x";
    check_int(ask(pair.client, WEIR_REQUEST(.url = url, .tokens = 101, .limit_key = "t")).rc,
              WEIR_ENEVER);
    check_int(ask(pair.client, WEIR_REQUEST(.url = url, .tokens = 101)).rc, 0);
    check_int(ask(pair.client, WEIR_REQUEST(.url = url, .tokens = 100, .limit_key = "t")).rc, 0);
    struct went went = ask(pair.client, WEIR_REQUEST(.url = url, .tokens = 50, .limit_key = "t"));
    check_int(went.took_ms, 500);
    return end(&pair);
}

/* ---- wrong, full, closed ---- */

static int what_contradicts(void *arg)
{
    struct model_server server = {.latency_ms = 10};
    struct pair pair = {.a = {.latency_ms = 10}};
    struct weir_client_opts bad[4] = {{.concurrency = 1},
                                      {.rate = 1},
                                      {.period_ms = 1},
                                      {.burst = 1}};
    weir_limiter *limiter = NULL;
    (void)arg;
    set_new(&pair, NULL);
    check_int(weir_limiter_new(&limiter, NULL), 0);
    for (size_t i = 0; i < 4; i++) {
        bad[i].size = sizeof bad[i];
        bad[i].limiters = pair.set;
        check_int(weir_client_new(&pair.client, &bad[i]), WEIR_EINVAL);
    }
    check_int(weir_client_new(&pair.client,
                              WEIR_CLIENT_OPTS(.limiters = pair.set, .limiter = limiter)),
              WEIR_EINVAL);
    check(pair.client == NULL);
    weir_limiter_free(limiter);
    weir_client *client = CLIENT(&server, .rate = 10);
    check_int(ask(client, WEIR_REQUEST(.url = "/x", .limit_key = "k")).rc, WEIR_EINVAL);
    check_int((int64_t)server.requests, 0);
    done(client, &server);
    START(&pair, .timeout_ms = 0);
    check_int(ask(pair.client, WEIR_REQUEST(.url = "/x")).rc, WEIR_EURL);
    check_int((int64_t)weir_limiters_count(pair.set), 0);
    return end(&pair);
}

static int a_backoff_keeps_the_limiter(void *arg)
{
    struct pair pair = {.a = SERVER({.status = 503}), .b = {.latency_ms = 10}};
    weir_response *response = NULL;
    weir_group *group = rig_group();
    (void)arg;
    set_new(&pair, WEIR_LIMITERS_OPTS(.max_keys = 1));
    START(&pair, .retry = WEIR_RETRY_OPTS(.wait = weir_wait_fixed_ms(1000)));
    ask_all(&pair, "http://a.example/x", NULL, 1, group, &response);
    check_int(weir_sleep_ms(100), 0); /* neither held nor waited for, and yet in use */
    check_int(ask(pair.client, WEIR_REQUEST(.url = "http://b.example/x")).rc, WEIR_EKEYS);
    check_int((int64_t)pair.b.requests, 0);
    check_int(weir_client_free(pair.client), WEIR_EBUSY);
    check_int(weir_gather(group), 0);
    check_int(weir_group_free(group), 0);
    check(all_were_answered(&response, 1));
    check_int(ask(pair.client, WEIR_REQUEST(.url = "http://b.example/x")).rc, 0);
    check_int((int64_t)weir_limiters_count(pair.set), 1);
    return end(&pair);
}

/* Those in flight go on, whatever waits for its turn or its backoff ends; and the set may be freed
 * before the client. */
static int closed_and_freed_under_the_client(void *arg)
{
    struct pair pair = {.a = SERVER({.status = 503, .times = 2}), .b = {.latency_ms = 1000}};
    weir_response *responses[4] = {NULL};
    weir_group *group = rig_group();
    (void)arg;
    set_new(&pair, WEIR_LIMITERS_OPTS(.each = WEIR_LIMITER_OPTS(.concurrency = 1)));
    START(&pair, .retry = WEIR_RETRY_OPTS(.wait = weir_wait_fixed_ms(60000)));
    ask_all(&pair, "http://a.example/x", NULL, 2, group, responses);
    ask_all(&pair, "http://b.example/x", NULL, 2, group, responses + 2);
    check_int(weir_sleep_ms(500), 0);
    int64_t start_ms = weir_now_ms();
    check_int(weir_client_free(pair.client), WEIR_EBUSY);
    weir_limiters_free(pair.set);
    weir_gather(group);
    check_int(weir_now_ms() - start_ms, 500);
    check_int(weir_response_error(responses[0]), WEIR_ECLOSED);
    check_int(weir_response_error(responses[1]), WEIR_ECLOSED);
    check_int(weir_response_status(responses[2]), 200);
    check_int(weir_response_error(responses[3]), WEIR_ECLOSED);
    weir_group_free(group);
    for (int i = 0; i < 4; i++)
        weir_response_free(responses[i]);
    check_int(ask(pair.client, WEIR_REQUEST(.url = "http://b.example/x")).rc, WEIR_ECLOSED);
    check_int(weir_client_free(pair.client), 0);
    return 0;
}

static int a_cancel_gives_back(void *arg)
{
    struct pair pair = {.a = {.latency_ms = 100}, .b = {.latency_ms = 10}};
    weir_response *responses[3] = {NULL};
    (void)arg;
    set_new(&pair, WEIR_LIMITERS_OPTS(.concurrency = 1, .max_keys = 1));
    START(&pair, .timeout_ms = 0);
    for (int64_t at_ms = 0; at_ms <= 150; at_ms += 50) {
        weir_group *group = rig_group();
        ask_all(&pair, "http://a.example/x", NULL, 3, group, responses);
        check_int(weir_sleep_ms(at_ms), 0);
        weir_group_cancel(group);
        weir_group_free(group);
        for (int i = 0; i < 3; i++)
            weir_response_free(responses[i]);
        check_int(ask(pair.client, WEIR_REQUEST(.url = "http://b.example/x")).took_ms, 10);
    }
    return end(&pair);
}

/* ---- with the other parts ---- */

static int a_second_sending_takes_from_the_same_key(void *arg)
{
    static const struct model_step steps[] = {{.status = 200, .latency_ms = 5000},
                                              {.status = 200, .latency_ms = 10}};
    struct pair pair = {.a = {.steps = steps, .step_count = 2}};
    (void)arg;
    set_new(&pair, NULL);
    START(&pair, .hedge = WEIR_HEDGE_OPTS(.delay_ms = 100, .budget_percent = 100));
    struct went went =
        ask(pair.client, WEIR_REQUEST(.url = "http://a.example/x", .limit_key = "k"));
    check_int(went.status, 200);
    check_int(went.took_ms, 110);
    check_int((int64_t)stats_of(pair.set, "k").admitted, 2);
    check_int((int64_t)weir_limiters_count(pair.set), 1);
    return end(&pair);
}

static int who_waits_for_the_circuit_ends_with_its_key(void *arg)
{
    struct pair pair = {.a = SERVER({.rc = WEIR_ECONNECT, .times = 100}), .b = {.latency_ms = 10}};
    weir_response *response = NULL;
    weir_group *group = rig_group();
    (void)arg;
    set_new(&pair, WEIR_LIMITERS_OPTS(.max_keys = 1));
    START(&pair, .retry = WEIR_RETRY_OPTS(.max_attempts = 1),
          .breaker = WEIR_BREAKER_OPTS(.min_calls = 2, .open_ms = 60000, .wait = 1));
    for (int i = 0; i < 2; i++)
        check_int(ask(pair.client, WEIR_REQUEST(.url = "http://a.example/x")).rc, WEIR_ECONNECT);
    ask_all(&pair, "http://a.example/x", NULL, 1, group, &response);
    check_int(weir_sleep_ms(10), 0);
    check_int(ask(pair.client, WEIR_REQUEST(.url = "http://b.example/x")).rc, WEIR_EKEYS);
    int64_t start_ms = weir_now_ms();
    weir_limiters_close(pair.set);
    check_int(weir_gather(group), WEIR_ECLOSED);
    check_int(weir_now_ms(), start_ms);
    weir_group_free(group);
    weir_response_free(response);
    return end(&pair);
}

static int when_memory_is_out(void *arg)
{
    struct pair pair = {.a = {.latency_ms = 10}, .b = {.latency_ms = 10}};
    weir_response *response = NULL;
    int rc = WEIR_ENOMEM;
    (void)arg;
    set_new(&pair, WEIR_LIMITERS_OPTS(.max_keys = 1, .concurrency = 1));
    START(&pair, .retry = WEIR_RETRY_OPTS(.max_attempts = 1));
    check_int(ask(pair.client, WEIR_REQUEST(.url = "http://b.example/x")).rc, 0);
    for (unsigned long k = 1; rc == WEIR_ENOMEM && k < 50; k++) {
        weir__mem_fail_at(k);
        rc = weir_request(pair.client, WEIR_REQUEST(.url = "http://a.example/x"), &response);
        weir__mem_fail_at(0);
        weir_response_free(response);
        check_int((int64_t)weir_limiters_count(pair.set), 1);
    }
    check_int(rc, 0);
    return end(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(two_keys_learn_two_limits),
        VIRTUAL_TEST(two_servers_learn_two_limits),
        VIRTUAL_TEST(one_keys_pause_is_not_the_others),
        VIRTUAL_TEST(a_started_request_keeps_its_key),
        VIRTUAL_TEST(a_keys_own_limits),
        VIRTUAL_TEST(what_contradicts),
        VIRTUAL_TEST(a_backoff_keeps_the_limiter),
        VIRTUAL_TEST(closed_and_freed_under_the_client),
        VIRTUAL_TEST(a_cancel_gives_back),
        VIRTUAL_TEST(a_second_sending_takes_from_the_same_key),
        VIRTUAL_TEST(who_waits_for_the_circuit_ends_with_its_key),
        VIRTUAL_TEST(when_memory_is_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
