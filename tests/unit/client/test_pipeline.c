/* The way of one request: what is tried again, after what wait, and what ends it. */
#include "client_rig.h"

#define RETRY(...) .retry = WEIR_RETRY_OPTS(__VA_ARGS__)
#define NO_WAIT    .backoff_base_ms = 1, .backoff_max_ms = 1

/* ---- how often ---- */

static int an_answer_at_once(void *arg)
{
    struct model_server server = {.latency_ms = 10};
    weir_client *client = CLIENT(&server, .timeout_ms = 1000);
    (void)arg;
    struct went went = ask(client, GET);
    check_int(went.rc, 0);
    check_int(went.status, 200);
    check_int(went.outcome, WEIR_OUTCOME_OK);
    check_int(went.sent, WEIR_SENT_ANSWERED);
    check_int((int64_t)went.attempts, 1);
    check_int(went.server_wait_ms, -1);
    check_int(went.took_ms, 10);
    return done(client, &server);
}

static int as_often_as_told(void *arg)
{
    static const unsigned told[] = {1, 2, 7, 0};
    (void)arg;
    for (size_t i = 0; i < 4; i++) {
        struct model_server server = SERVER({.status = 500, .times = 100});
        weir_client *client = CLIENT(&server, RETRY(.max_attempts = told[i], NO_WAIT));
        struct went went = ask(client, GET);
        check_int(went.rc, 0); /* the last answer, whatever it is */
        check_int(went.status, 500);
        check_int(went.outcome, WEIR_OUTCOME_SERVER_ERROR);
        check_int((int64_t)went.attempts, told[i] > 0 ? told[i] : 5);
        check_int((int64_t)server.requests, (int64_t)went.attempts);
        done(client, &server);
    }
    return 0;
}

static int until_it_goes_well(void *arg)
{
    struct model_server server = SERVER({.status = 503}, {.status = 500}, {.rc = WEIR_ECONNECT},
                                        {.rc = WEIR_ERESET, .sent = WEIR_SENT_MAYBE});
    weir_client *client = CLIENT(&server, RETRY(NO_WAIT));
    (void)arg;
    struct went went = ask(client, GET);
    check_int(went.rc, 0);
    check_int(went.status, 200);
    check_int((int64_t)went.attempts, 5);
    return done(client, &server);
}

static int what_would_not_help_is_not_tried(void *arg)
{
    static const struct model_step steps[] = {
        {.status = 400},
        {.status = 401},
        {.status = 403},
        {.status = 404},
        {.status = 413},
        {.status = 422},
        {.status = 302},
        {.rc = WEIR_ECERT},
        {.rc = WEIR_EBODYSIZE, .sent = WEIR_SENT_MAYBE},
        {.rc = WEIR_EHEADERSIZE, .sent = WEIR_SENT_MAYBE},
        {.rc = WEIR_EURL},
        {.rc = -12345, .sent = WEIR_SENT_MAYBE},
    };
    enum { COUNT = sizeof steps / sizeof steps[0] };
    struct model_server server = {.steps = steps, .step_count = COUNT};
    weir_client *client = CLIENT(&server, RETRY(NO_WAIT));
    (void)arg;
    for (size_t i = 0; i < COUNT; i++) {
        struct went went = ask(client, AGAIN);
        check_int(went.rc, steps[i].rc);
        check_int(went.status, steps[i].status);
        check_int((int64_t)went.attempts, 1);
    }
    return done(client, &server);
}

/* ---- what may be sent twice ---- */

static int never_sent_is_sent_again_whatever_the_method(void *arg)
{
    static const int codes[] = {WEIR_ECONNECT, WEIR_ERESOLVE, WEIR_ERESET, WEIR_EATTEMPTTIME};
    (void)arg;
    for (size_t i = 0; i < 4; i++) {
        struct model_server server = SERVER({.rc = codes[i], .sent = WEIR_SENT_NEVER});
        weir_client *client = CLIENT(&server, RETRY(NO_WAIT));
        struct went went = ask(client, POST);
        check_int(went.status, 200);
        check_int((int64_t)went.attempts, 2);
        done(client, &server);
    }
    return 0;
}

static int maybe_sent_is_sent_again_by_permission(void *arg)
{
    static const struct model_step lost = {.rc = WEIR_ERESET, .sent = WEIR_SENT_MAYBE};
    static const struct model_step gone[] = {
        {.rc = WEIR_ERESET, .sent = WEIR_SENT_MAYBE},
        {.rc = WEIR_EATTEMPTTIME, .sent = WEIR_SENT_MAYBE},
        {.rc = WEIR_EPROTO, .sent = WEIR_SENT_MAYBE},
        {.rc = WEIR_ETRANSFER, .sent = WEIR_SENT_MAYBE},
    };
    static const char *const idempotent[] = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS"};
    (void)arg;
    for (size_t i = 0; i < 4; i++) {
        struct model_server server = {.steps = (struct model_step[]){gone[i], gone[i]},
                                      .step_count = 2};
        weir_client *client = CLIENT(&server, RETRY(NO_WAIT));
        struct went went = ask(client, POST);
        check_int(went.rc, gone[i].rc);
        check_int(went.sent, WEIR_SENT_MAYBE);
        check_int(went.status, 0);
        check_int((int64_t)server.requests, 1);
        went = ask(client, AGAIN);
        check_int(went.status, 200);
        check_int((int64_t)went.attempts, 2);
        done(client, &server);
    }
    for (size_t i = 0; i < sizeof idempotent / sizeof idempotent[0]; i++) {
        struct model_server server = {.steps = &lost, .step_count = 1};
        weir_client *client = CLIENT(&server, RETRY(NO_WAIT));
        check_int(ask(client, WEIR_REQUEST(.url = "/", .method = idempotent[i])).status, 200);
        done(client, &server);
    }
    return 0;
}

/* ---- the caller's own rule ---- */

struct rule {
    struct weir_attempt seen[8];
    unsigned count;
    int answer; /* < 0: as weir itself would */
};

static int own_rule(const struct weir_attempt *attempt, void *arg)
{
    struct rule *rule = arg;
    if (rule->count < 8)
        rule->seen[rule->count++] = *attempt;
    return rule->answer < 0 ? attempt->retry : rule->answer;
}

static int the_callers_rule(void *arg)
{
    struct model_server server =
        SERVER({.status = 404}, {.rc = WEIR_ERESET, .sent = WEIR_SENT_MAYBE},
               {.status = 503, .retry_after = "2"}, {.status = 500});
    struct rule rule = {.answer = 1};
    weir_client *client = CLIENT(&server, RETRY(.max_attempts = 3, NO_WAIT, .retry_if = own_rule,
                                                .retry_if_arg = &rule));
    (void)arg;
    struct went went = ask(client, POST);
    check_int(went.status,
              500); /* the attempts are bounded all the same, the throttled one apart */
    check_int((int64_t)went.attempts, 4);
    check_int((int64_t)rule.count, 4);
    check_int(rule.seen[0].status, 404);
    check_int(rule.seen[0].outcome, WEIR_OUTCOME_CLIENT_ERROR);
    check_int(rule.seen[0].retry, 0);
    check_int(rule.seen[0].number, 1);
    check_int(rule.seen[0].server_wait_ms, -1);
    check_int(rule.seen[1].rc, WEIR_ERESET);
    check_int(rule.seen[1].sent, WEIR_SENT_MAYBE);
    check_int(rule.seen[1].replay, 0);
    check_int(rule.seen[1].retry, 0);
    check_int(rule.seen[2].outcome, WEIR_OUTCOME_THROTTLED);
    check_int(rule.seen[2].server_wait_ms, 2000);
    check_int(rule.seen[2].retry, 1);
    return done(client, &server);
}

static int the_callers_rule_may_refuse(void *arg)
{
    struct model_server server = SERVER({.status = 500}, {.status = 500});
    struct rule rule = {.answer = 0};
    weir_client *client =
        CLIENT(&server, RETRY(NO_WAIT, .retry_if = own_rule, .retry_if_arg = &rule));
    (void)arg;
    check_int((int64_t)ask(client, GET).attempts, 1);
    rule.answer = -1;
    check_int((int64_t)ask(client, GET).attempts, 2);
    return done(client, &server);
}

/* ---- how long a wait ---- */

/* 1,000 requests that fail four times: the n-th wait is anything from 0 to 100 ms * 2^(n-1), at
 * most 300, and no part of that is preferred. */
static int full_jitter(void *arg)
{
    enum { ROUNDS = 1000, ATTEMPTS = 4 };
    static const int64_t ceilings_ms[] = {100, 200, 300};
    int64_t sums_us[3] = {0}, most_us[3] = {0};
    struct model_arrival log[ATTEMPTS];
    (void)arg;
    for (int round = 0; round < ROUNDS; round++) {
        struct model_server server = {.steps = &(struct model_step){.status = 500, .times = 10},
                                      .step_count = 1,
                                      .log = log,
                                      .log_room = ATTEMPTS};
        weir_client *client = CLIENT(&server, RETRY(.max_attempts = ATTEMPTS,
                                                    .backoff_base_ms = 100, .backoff_max_ms = 300));
        check_int((int64_t)ask(client, GET).attempts, ATTEMPTS);
        for (size_t i = 0; i < 3; i++) {
            int64_t wait_us = (log[i + 1].at_ns - log[i].at_ns) / 1000;
            check(wait_us >= 0 && wait_us <= ceilings_ms[i] * 1000);
            sums_us[i] += wait_us;
            most_us[i] = wait_us > most_us[i] ? wait_us : most_us[i];
        }
        done(client, &server);
    }
    for (size_t i = 0; i < 3; i++) {
        int64_t mean_us = sums_us[i] / ROUNDS;
        check(mean_us > ceilings_ms[i] * 460 && mean_us < ceilings_ms[i] * 540); /* half, +-8 % */
        check(most_us[i] > ceilings_ms[i] * 980);
    }
    return 0;
}

/* The server's wait is the least, in whatever form it comes; the jitter goes on top. */
static int the_servers_wait_is_a_floor(void *arg)
{
    static const struct {
        int status;
        const char *text;
        int64_t least_ms, most_ms;
    } cases[] = {
        {500, "20", 20000, 20100}, {500, "2.5", 2500, 2600},
        {429, "20", 20000, 20000}, /* the gate's own time */
        {503, "20", 20000, 20000}, {500, "soon", 0, 100},
        {500, "0", 0, 100},        {500, "-3", 0, 100},
    };
    (void)arg;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct model_step step = {.status = cases[i].status,
                                        .retry_after = cases[i].text,
                                        .latency_ms = 10};
        struct model_server server = {.steps = &step, .step_count = 1};
        weir_client *client = CLIENT(&server, RETRY(.backoff_base_ms = 100, .backoff_max_ms = 100));
        struct went went = ask(client, GET);
        check_int(went.status, 200);
        check(went.took_ms >= cases[i].least_ms + 10 && went.took_ms <= cases[i].most_ms + 10);
        done(client, &server);
    }
    return 0;
}

/* A bucket of one a minute, told in whole seconds or as a date. */
static int the_servers_wait_as_a_date(void *arg)
{
    (void)arg;
    for (int says = MODEL_SAYS_SECONDS; says <= MODEL_SAYS_DATE; says++) {
        struct model_server server = {.latency_ms = 10,
                                      .rate = 1,
                                      .period_ms = 60000,
                                      .burst = 1,
                                      .says = (enum model_retry_after)says};
        weir_client *client = CLIENT(&server, .concurrency = 4);
        check_int(ask(client, POST).took_ms, 10);
        struct went went = ask(client, POST);
        check_int(went.status, 200);
        check_int((int64_t)went.attempts, 2);
        check(went.took_ms >= 60000 - 10 && went.took_ms <= 60000 + 20);
        check_int((int64_t)server.throttled, 1);
        check_int((int64_t)server.while_closed, 0);
        done(client, &server);
    }
    return 0;
}

/* Asked to wait longer than it is willing to, a request ends with what it was answered. */
static int too_long_a_wait(void *arg)
{
    struct model_server server =
        SERVER({.status = 429, .retry_after = "61"}, {.status = 500, .retry_after = "61"},
               {.status = 500, .retry_after = "60"});
    weir_client *client = CLIENT(&server, RETRY(.server_wait_max_ms = 60000, NO_WAIT));
    (void)arg;
    struct went went = ask(client, POST);
    check_int(went.status, 429);
    check_int((int64_t)went.attempts, 1);
    check_int(went.server_wait_ms, 61000);
    check_int(went.took_ms, 10);
    went = ask(client, GET); /* nor do the others, and nobody asks earlier than the server said */
    check_int(went.rc, WEIR_EPAUSED);
    check_int((int64_t)went.attempts, 0);
    check_int(went.took_ms, 0);
    check_int(weir_sleep_ms(1000), 0); /* 60 s are left */
    went = ask(client, GET);
    check_int(went.status, 500);
    check_int(went.took_ms, 60010);
    went = ask(client, GET);
    check_int(went.status, 200);
    check_int((int64_t)went.attempts, 2);
    return done(client, &server);
}

static void check_refusal(weir_client *client, int64_t timeout_ms, int want_rc, const char *why)
{
    weir_response *response = NULL;
    check_int(weir_request(client, WEIR_REQUEST(.url = "/x", .timeout_ms = timeout_ms), &response),
              want_rc);
    const char *text = weir_response_error_text(response);
    if (!check(strstr(text, why) != NULL))
        print_message("it says: %s\n", text);
    weir_response_free(response);
}

/* Who is refused at once is told by what. */
static int a_refusal_says_why(void *arg)
{
    struct model_server server = SERVER({.status = 429, .retry_after = "61"});
    weir_client *client = CLIENT(&server, RETRY(.server_wait_max_ms = 60000, NO_WAIT), .rate = 1,
                                 .period_ms = 10000, .burst = 1);
    (void)arg;
    check_int(ask(client, POST).status, 429);
    check_refusal(client, 0, WEIR_EPAUSED, "the server's pause ends in 61000 ms");
    check_int(weir_sleep_ms(2000), 0);
    check_refusal(client, 5000, WEIR_EDEADLINE, "the server's pause ends in 59000 ms");
    check_int(ask(client, GET).status, 200);
    check_refusal(client, 5000, WEIR_EDEADLINE, "its turn comes in 9990 ms at the earliest");
    return done(client, &server);
}

/* ---- bounds on the time ---- */

static int max_elapsed(void *arg)
{
    struct model_server server = SERVER({.status = 500, .latency_ms = 400, .times = 100});
    weir_client *client =
        CLIENT(&server, RETRY(.max_attempts = 100, .max_elapsed_ms = 1000, NO_WAIT));
    (void)arg;
    struct went went = ask(client, GET);
    check_int(went.status, 500);
    check_int((int64_t)went.attempts, 3); /* begun at 0, 0.4 and 0.8 s; over at 1.2 s */
    check(went.took_ms >= 1200 && went.took_ms <= 1202);
    return done(client, &server);
}

/* No attempt is begun that would be over time before it begins, be it for the wait or for the turn.
 */
static int no_attempt_past_max_elapsed(void *arg)
{
    struct model_server server = SERVER({.status = 500, .retry_after = "3"}, {.status = 500});
    weir_client *client = CLIENT(&server, RETRY(.max_elapsed_ms = 2000, NO_WAIT), .rate = 1,
                                 .period_ms = 10000, .burst = 2);
    (void)arg;
    struct went went = ask(client, GET);
    check_int((int64_t)went.attempts, 1);
    check_int(went.took_ms, 10);
    went = ask(client, GET); /* the next turn would come in 10 s */
    check_int((int64_t)went.attempts, 1);
    check_int(went.status, 500);
    check_int(went.took_ms, 10);
    return done(client, &server);
}

/* Waiting for the first turn does not count: a long queue leaves the attempts their time. */
static int max_elapsed_begins_with_the_first_attempt(void *arg)
{
    struct model_server server = SERVER({.status = 500});
    weir_client *client = CLIENT(&server, RETRY(.max_elapsed_ms = 2000, NO_WAIT));
    (void)arg;
    weir_limiter_pause_ms(weir_client_limiter(client), 60000);
    struct went went = ask(client, GET);
    check_int(went.status, 200);
    check_int((int64_t)went.attempts, 2);
    return done(client, &server);
}

static int the_deadline_is_of_the_whole_call(void *arg)
{
    struct model_server server = SERVER({.status = 500, .latency_ms = 400, .times = 100});
    weir_client *client = CLIENT(&server, RETRY(.max_attempts = 100, NO_WAIT), .timeout_ms = 1000);
    (void)arg;
    struct went went = ask(client, GET);
    check_int(went.rc, WEIR_ETIMEDOUT);
    check_int((int64_t)went.attempts, 3);
    check_int(went.took_ms, 1000);
    check_int(went.status, 0); /* of the attempt that was cut off */
    check_int(went.sent, WEIR_SENT_MAYBE);
    went = ask(client, WEIR_REQUEST(.url = "/", .timeout_ms = 500));
    check_int(went.rc, WEIR_ETIMEDOUT);
    check_int(went.took_ms, 500);
    server.step_count = 0;
    server.latency_ms = 5000;
    check_int(ask(client, WEIR_REQUEST(.url = "/", .timeout_ms = -1)).status, 200); /* none */
    return done(client, &server);
}

/* Rather than wait for a time that lies behind the deadline: the last real outcome, at once. */
static int no_wait_that_cannot_help(void *arg)
{
    struct model_server server = SERVER({.status = 500, .retry_after = "60"}, {.rc = WEIR_ECONNECT},
                                        {.status = 429, .retry_after = "60"});
    weir_client *client =
        CLIENT(&server, RETRY(.backoff_base_ms = 86400000, .backoff_max_ms = 86400000),
               .timeout_ms = 10000);
    (void)arg;
    struct went went = ask(client, GET);
    check_int(went.status, 500);
    check_int(went.took_ms, 10);
    went = ask(client, GET);
    check_int(went.rc, WEIR_ECONNECT);
    check_int(went.took_ms, 10);
    went = ask(client, GET);
    check_int(went.status, 429);
    check_int(went.took_ms, 10);
    went = ask(client, GET); /* the gate is closed for longer than this one may wait */
    check_int(went.rc, WEIR_EDEADLINE);
    check_int((int64_t)went.attempts, 0);
    check_int(went.sent, WEIR_SENT_NEVER);
    check_int(went.took_ms, 0);
    return done(client, &server);
}

static int an_outer_deadline(void *arg)
{
    struct model_server server = {.latency_ms = 5000};
    weir_client *client = CLIENT(&server, .timeout_ms = 60000);
    weir_deadline limit;
    (void)arg;
    weir_deadline_begin_ms(&limit, 1000);
    struct went went = ask(client, GET);
    check_int(went.rc, WEIR_ECANCELED); /* it was not the request's own */
    check_int(weir_deadline_end(&limit, went.rc), WEIR_ETIMEDOUT);
    check_int(went.took_ms, 1000);
    return done(client, &server);
}

static int an_attempts_time(void *arg)
{
    struct model_server server = SERVER({.status = 200, .latency_ms = -1, .times = 2});
    weir_client *client = CLIENT(&server, RETRY(NO_WAIT), .attempt_timeout_ms = 3000);
    (void)arg;
    struct went went = ask(client, POST);
    check_int(went.rc, WEIR_EATTEMPTTIME);
    check_int((int64_t)went.attempts, 1);
    check_int(went.took_ms, 3000);
    went = ask(client, AGAIN);
    check_int(went.status, 200);
    check_int((int64_t)went.attempts, 2);
    return done(client, &server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(an_answer_at_once),
        VIRTUAL_TEST(as_often_as_told),
        VIRTUAL_TEST(until_it_goes_well),
        VIRTUAL_TEST(what_would_not_help_is_not_tried),
        VIRTUAL_TEST(never_sent_is_sent_again_whatever_the_method),
        VIRTUAL_TEST(maybe_sent_is_sent_again_by_permission),
        VIRTUAL_TEST(the_callers_rule),
        VIRTUAL_TEST(the_callers_rule_may_refuse),
        VIRTUAL_TEST(full_jitter),
        VIRTUAL_TEST(the_servers_wait_is_a_floor),
        VIRTUAL_TEST(the_servers_wait_as_a_date),
        VIRTUAL_TEST(too_long_a_wait),
        VIRTUAL_TEST(a_refusal_says_why),
        VIRTUAL_TEST(max_elapsed),
        VIRTUAL_TEST(no_attempt_past_max_elapsed),
        VIRTUAL_TEST(max_elapsed_begins_with_the_first_attempt),
        VIRTUAL_TEST(the_deadline_is_of_the_whole_call),
        VIRTUAL_TEST(no_wait_that_cannot_help),
        VIRTUAL_TEST(an_outer_deadline),
        VIRTUAL_TEST(an_attempts_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
