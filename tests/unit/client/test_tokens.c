/* Tokens that a request reserves, and its priority: how they reach the limiter and what comes back.
 */
#include <stdio.h>

#include "client_rig.h"

#define NO_WAIT .retry = WEIR_RETRY_OPTS(.backoff_base_ms = 1, .backoff_max_ms = 1)

static weir_limiter *limiter_of_tokens(uint64_t rate, uint64_t concurrency)
{
    weir_limiter *limiter = NULL;
    const struct weir_limit limit = {.rate = rate, .period_ms = 10000, .unit = WEIR_TOKENS};
    check_int(weir_limiter_new(&limiter, WEIR_LIMITER_OPTS(.limits = &limit, .limit_count = 1,
                                                           .concurrency = concurrency)),
              0);
    return limiter;
}

static int64_t until_ms(const weir_limiter *limiter, uint64_t tokens)
{
    return weir_limiter_time_until_ms(limiter, WEIR_WANT(.tokens = tokens));
}

static int an_answered_request_keeps_its_estimate(void *arg)
{
    struct model_server server = SERVER({.status = 200});
    weir_limiter *limiter = limiter_of_tokens(1000, 4);
    weir_client *client = CLIENT(&server, .limiter = limiter);
    (void)arg;
    check_int(ask(client, WEIR_REQUEST(.url = "/x", .tokens = 1000)).status, 200);
    check_int(until_ms(limiter, 1000), 9990); /* the answer took 10 ms */
    check_int(ask(client, WEIR_REQUEST(.url = "/x", .tokens = 500)).took_ms, 5000);
    check_int(ask(client, WEIR_REQUEST(.url = "/x", .tokens = 1001)).rc, WEIR_ENEVER);
    done(client, &server);
    weir_limiter_free(limiter);
    return 0;
}

/* A request that was not sent, or told to slow down, has cost no tokens. */
static int what_was_not_done_costs_no_tokens(void *arg)
{
    static const struct model_step steps[] = {
        {.rc = WEIR_ECONNECT, .sent = WEIR_SENT_NEVER, .times = 2},
        {.status = 429, .retry_after = "1"},
        {.status = 200},
    };
    struct model_server server = {.latency_ms = 10, .steps = steps, .step_count = 4};
    weir_limiter *limiter = limiter_of_tokens(1000, 4);
    weir_client *client = CLIENT(&server, .limiter = limiter, NO_WAIT);
    (void)arg;
    struct went went = ask(client, WEIR_REQUEST(.url = "/x", .tokens = 600));
    check_int(went.status, 200);
    check_int((int64_t)went.attempts, 4);
    /* Three attempts of 600 of 1,000 tokens, and then a bucket that is empty as the gate opens. */
    check(went.took_ms >= 1000 + 5990 && went.took_ms <= 1000 + 6060);
    done(client, &server);
    weir_limiter_free(limiter);
    return 0;
}

/* A strict limit is not emptied by the pause, so it tells. */
static int a_throttled_one_has_cost_no_tokens(void *arg)
{
    struct model_server server = SERVER({.status = 429, .retry_after = "1"}, {.status = 200});
    const struct weir_limit strict = {.rate = 1000,
                                      .period_ms = 10000,
                                      .unit = WEIR_TOKENS,
                                      .strict = 1};
    weir_limiter *limiter = NULL;
    (void)arg;
    check_int(weir_limiter_new(&limiter, WEIR_LIMITER_OPTS(.limits = &strict, .limit_count = 1)),
              0);
    weir_client *client = CLIENT(&server, .limiter = limiter);
    struct went went = ask(client, WEIR_REQUEST(.url = "/x", .tokens = 600));
    check_int(went.status, 200);
    check_int(went.took_ms, 10 + 1000 + 10);
    check_int(until_ms(limiter, 400), 0);
    check(until_ms(limiter, 401) > 9000);
    done(client, &server);
    weir_limiter_free(limiter);
    return 0;
}

static int unsent_ones_cost_nothing(void *arg)
{
    static const struct model_step steps[] = {
        {.rc = WEIR_ECONNECT, .sent = WEIR_SENT_NEVER, .times = 3},
        {.status = 200},
    };
    struct model_server server = {.latency_ms = 10, .steps = steps, .step_count = 2};
    weir_limiter *limiter = limiter_of_tokens(1000, 4);
    weir_client *client = CLIENT(&server, .limiter = limiter, NO_WAIT);
    (void)arg;
    struct went went = ask(client, WEIR_REQUEST(.url = "/x", .tokens = 900));
    check_int((int64_t)went.attempts, 4);
    check(went.took_ms <= 50);
    done(client, &server);
    weir_limiter_free(limiter);
    return 0;
}

/* ---- what the answer says it has used ---- */

static int say_usage(void *self, const struct weir_exchange *exchange, weir_response *response)
{
    const char *body = self;
    (void)exchange;
    int rc = weir_response_set_status(response, 200);
    if (rc == 0)
        rc = weir_response_add_header(response, "Content-Type", "application/json");
    return rc == 0 ? weir_response_append(response, body, strlen(body)) : rc;
}

static int the_estimate_is_settled_by_the_answers_usage(void *arg)
{
    static char body[] = "{\"usage\":{\"prompt_tokens\":100,\"completion_tokens\":150,"
                         "\"total_tokens\":250}}";
    const struct weir_transport transport = WEIR_TRANSPORT(.perform = say_usage, .self = body);
    weir_limiter *limiter = limiter_of_tokens(1000, 4);
    weir_client *client = NULL;
    (void)arg;
    check_int(weir_client_new(&client,
                              WEIR_CLIENT_OPTS(.base_url = "http://model.example",
                                               .transport = &transport, .limiter = limiter)),
              0);
    check_int(ask(client, WEIR_REQUEST(.url = "/x", .tokens = 1000)).status, 200);
    check_int(until_ms(limiter, 750), 0);
    check_int(until_ms(limiter, 751), 10);
    check_int(ask(client, WEIR_REQUEST(.url = "/x", .tokens = 50)).status, 200); /* a debt */
    check_int(until_ms(limiter, 501), 10);
    check_int(ask(client, WEIR_REQUEST(.url = "/x")).status, 200);
    check_int(until_ms(limiter, 251), 10);
    check_int(weir_client_free(client), 0);
    weir_limiter_free(limiter);
    return 0;
}

/* A prompt of 400 letters is about 100 tokens, and 4 + 2 more for the message and the start. */
static const char prompt[] =
    "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"%0400d\"}],\"max_tokens\":%d}";

static int64_t reserved_for(uint64_t limit, int max_tokens)
{
    struct model_server server = SERVER({.status = 200});
    weir_limiter *limiter = limiter_of_tokens(limit, 4);
    weir_client *client = CLIENT(&server, .limiter = limiter);
    char body[1024];
    snprintf(body, sizeof body, prompt, 0, max_tokens);
    check_int(ask(client, WEIR_REQUEST(.url = "/x", .body = body)).status, 200);
    int64_t back_ms = until_ms(limiter, limit) + 10; /* 10 ms have passed since it was taken */
    done(client, &server);
    weir_limiter_free(limiter);
    return back_ms * (int64_t)limit / 10000;
}

static int what_says_no_tokens_is_estimated(void *arg)
{
    (void)arg;
    int64_t reserved = reserved_for(1000, 200);
    check(reserved >= 290 && reserved <= 320);
    check_int(reserved_for(1000, 5000), 1000); /* more can never be had */
    return 0;
}

/* Each is noted as its answer comes. */
struct one {
    weir_client *client;
    int priority;
    const char *name;
};

static int one_run(void *arg)
{
    struct one *one = arg;
    struct went went = ask(one->client, WEIR_REQUEST(.url = "/x", .priority = one->priority));
    note("%s", one->name);
    return went.rc;
}

static int urgent_ones_first(void *arg)
{
    struct model_server server = {.latency_ms = 10};
    weir_client *client = CLIENT(&server, .concurrency = 1);
    weir_group *group = rig_group();
    struct one ones[] = {{client, 0, "a"},
                         {client, -1, "low"},
                         {client, 0, "b"},
                         {client, 2, "high"}};
    (void)arg;
    for (size_t i = 0; i < 4; i++)
        weir_spawn(group, one_run, &ones[i]);
    check_int(weir_gather(group), 0);
    check_trace("a high b low");
    weir_group_free(group);
    return done(client, &server);
}

static int what_is_no_priority(void *arg)
{
    struct model_server server = {.latency_ms = 10};
    weir_client *client = CLIENT(&server, .concurrency = 1);
    (void)arg;
    check_int(ask(client, WEIR_REQUEST(.url = "/x", .priority = 8)).rc, WEIR_EINVAL);
    check_int(ask(client, WEIR_REQUEST(.url = "/x", .priority = -8)).rc, WEIR_EINVAL);
    check_int(ask(client, WEIR_REQUEST(.url = "/x", .reserved2 = 1)).rc, WEIR_EINVAL);
    check_int(ask(client, WEIR_REQUEST(.url = "/x", .priority = -7)).rc, 0);
    check_int((int64_t)server.requests, 1);
    return done(client, &server);
}

/* A second sending reserves its own tokens, or is not made. */
static int a_second_sending_reserves_its_own(void *arg)
{
    static const struct {
        uint64_t rate;
        unsigned attempts;
    } cases[] = {{1000, 2}, {700, 1}};
    (void)arg;
    for (size_t i = 0; i < 2; i++) {
        struct model_server server = SERVER({.status = 200, .latency_ms = 2000}, {.status = 200});
        weir_limiter *limiter = limiter_of_tokens(cases[i].rate, 4);
        weir_client *client =
            CLIENT(&server, .limiter = limiter,
                   .hedge = WEIR_HEDGE_OPTS(.delay_ms = 100, .budget_percent = 100));
        struct went went = ask(client, WEIR_REQUEST(.url = "/x", .tokens = 400));
        check_int(went.status, 200);
        check_int((int64_t)went.attempts, cases[i].attempts);
        done(client, &server);
        weir_limiter_free(limiter);
    }
    return 0;
}

/* ---- what each attempt has waited for ---- */

static int spend_all(void *arg)
{
    return ask(arg, WEIR_REQUEST(.url = "/x", .tokens = 1000)).rc;
}

static struct weir_attempt_record record_of(const weir_response *response, unsigned number)
{
    struct weir_attempt_record record = {.size = sizeof record};
    check_int(weir_response_history(response, number, &record), 0);
    return record;
}

static int the_history_tells_what_it_waited_for(void *arg)
{
    struct model_server server =
        SERVER({.status = 200}, {.status = 429, .retry_after = "1"}, {.status = 200});
    weir_limiter *limiter = limiter_of_tokens(1000, 1);
    weir_client *client = CLIENT(&server, .limiter = limiter);
    weir_group *group = rig_group();
    weir_response *response = NULL;
    (void)arg;
    weir_spawn(group, spend_all, client);
    weir_yield();
    check_int(weir_request(client, WEIR_REQUEST(.url = "/x", .tokens = 500), &response), 0);
    check_int((int64_t)weir_response_attempts(response), 2);
    struct weir_attempt_record first = record_of(response, 1), second = record_of(response, 2);
    check_int(first.blocked_concurrency_ms, 10);
    check_int(first.blocked_tokens_ms, 4990);
    check_int(first.blocked_gate_ms, 0);
    check_int(first.blocked_turn_ms, 5000);
    check_int(second.blocked_gate_ms, 1000);
    check_int(second.blocked_tokens_ms, 4990); /* the bucket is empty as the gate opens */
    check_int(second.blocked_concurrency_ms, 0);
    check_int(second.blocked_requests_ms, 0);
    weir_response_free(response);
    weir_group_free(group);
    done(client, &server);
    weir_limiter_free(limiter);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(an_answered_request_keeps_its_estimate),
        VIRTUAL_TEST(what_was_not_done_costs_no_tokens),
        VIRTUAL_TEST(a_throttled_one_has_cost_no_tokens),
        VIRTUAL_TEST(unsent_ones_cost_nothing),
        VIRTUAL_TEST(the_estimate_is_settled_by_the_answers_usage),
        VIRTUAL_TEST(what_says_no_tokens_is_estimated),
        VIRTUAL_TEST(urgent_ones_first),
        VIRTUAL_TEST(what_is_no_priority),
        VIRTUAL_TEST(the_history_tells_what_it_waited_for),
        VIRTUAL_TEST(a_second_sending_reserves_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
