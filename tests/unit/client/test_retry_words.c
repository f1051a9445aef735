/* The words of <weir/retry.h> given to a client, and what a response tells of its attempts. */
#include "client_rig.h"

#define RETRY(...) .retry = WEIR_RETRY_OPTS(__VA_ARGS__)

static struct weir_attempt_record record_of(const weir_response *response, unsigned number)
{
    struct weir_attempt_record record = {.size = sizeof record};
    check_int(weir_response_history(response, number, &record), 0);
    return record;
}

/* ---- rules ---- */

static int waits_and_stops_of_the_callers(void *arg)
{
    struct model_server server = SERVER({.status = 503, .times = 100});
    weir_client *client =
        CLIENT(&server, RETRY(.wait = weir_wait_incrementing_ms(100, 100, 1000),
                              .stop = weir_stop_any(weir_stop_after_attempt(4),
                                                    weir_stop_before_delay_ms(60000))));
    (void)arg;
    struct went went = ask(client, GET);
    check_int(went.status, 503);
    check_int((int64_t)went.attempts, 4);
    check_int(went.took_ms, 10 + 110 + 210 + 310);
    return done(client, &server);
}

static int a_rule_for_the_status(void *arg)
{
    struct model_server server =
        SERVER({.status = 404}, {.status = 503}, {.status = 500}, {.status = 500});
    weir_client *client =
        CLIENT(&server, RETRY(.wait = weir_wait_none(),
                              .retry = weir_retry_if_any(weir_retry_if_default(),
                                                         weir_retry_if_status(404, 404))));
    (void)arg;
    struct went went = ask(client, POST); /* not sent again after a 500 */
    check_int(went.status, 500);
    check_int((int64_t)went.attempts, 3);
    return done(client, &server);
}

static int says_wait(const struct weir_attempt *attempt, void *arg)
{
    size_t len = 0;
    (void)arg;
    return weir_response_header(attempt->response, "Retry-After", &len) != NULL;
}

/* A rule sees the answer: here a 200 that is none yet. */
static int a_rule_for_the_answer(void *arg)
{
    struct model_server server =
        SERVER({.status = 202, .retry_after = "later", .times = 2}, {.status = 202});
    weir_client *client = CLIENT(&server, RETRY(.wait = weir_wait_fixed_ms(100),
                                                .retry = weir_retry_if_result(says_wait, NULL)));
    (void)arg;
    struct went went = ask(client, GET);
    check_int(went.status, 202);
    check_int((int64_t)went.attempts, 3);
    return done(client, &server);
}

static int a_transport_may_ask_for_another(void *arg)
{
    struct model_server server = SERVER({.rc = WEIR_EAGAIN, .sent = WEIR_SENT_MAYBE, .times = 2});
    weir_client *client =
        CLIENT(&server, RETRY(.wait = weir_wait_none(), .retry = weir_retry_if_never()));
    (void)arg;
    struct went went = ask(client, POST);
    check_int(went.status, 200);
    check_int((int64_t)went.attempts, 3);
    return done(client, &server);
}

static int refused(const struct weir_retry_opts *retry)
{
    struct model_server server = {.latency_ms = 1};
    const struct weir_transport transport = model_transport(&server);
    weir_client *client = NULL;
    int rc = weir_client_new(&client, WEIR_CLIENT_OPTS(.base_url = "http://model.example",
                                                       .transport = &transport, .retry = retry));
    check(client == NULL);
    return rc;
}

static int mistakes(void *arg)
{
    weir_retry_budget *budget = NULL;
    struct weir_retry_stop overfull = weir_stop_never();
    (void)arg;
    check_int(weir_retry_budget_new(&budget, NULL), 0);
    for (int i = 0; i < WEIR_RULE_NODES; i++)
        overfull = weir_stop_any(overfull, weir_stop_never());
    check_int(refused(WEIR_RETRY_OPTS(.stop = overfull, .budget = budget)), WEIR_EINVAL);
    check_int(refused(WEIR_RETRY_OPTS(.timeout_ms = 1, .budget = budget)), WEIR_EINVAL);
    check_int(refused(WEIR_RETRY_OPTS(.attempt_timeout_ms = 1)), WEIR_EINVAL);
    weir_retry_budget_free(budget); /* nobody else holds it: AddressSanitizer would tell */
    return 0;
}

/* ---- hooks ---- */

static void before(const struct weir_attempt *attempt, void *arg)
{
    check(arg != NULL);
    note("before%u(%d)", attempt->number, attempt->status);
}

static void after(const struct weir_attempt *attempt, void *arg)
{
    check(arg != NULL);
    note("after%u(%d,%d)", attempt->number, attempt->status,
         weir_response_status(attempt->response));
}

static void before_sleep(const struct weir_attempt *attempt, void *arg)
{
    check(arg != NULL);
    note("sleep%u(%dms)", attempt->number, (int)(attempt->wait_ns / WEIR__NS_PER_MS));
}

static int give_up(const struct weir_attempt *attempt, enum weir_why why, void *arg)
{
    note("giveup%u(%s)", attempt->number, weir_why_text(why));
    return *(int *)arg;
}

static int hooks_are_called_in_order(void *arg)
{
    int answer = WEIR_EBUSY;
    struct model_server server = SERVER({.status = 503, .times = 2});
    weir_client *client =
        CLIENT(&server, RETRY(.max_attempts = 2, .wait = weir_wait_fixed_ms(50), .before = before,
                              .after = after, .before_sleep = before_sleep, .give_up = give_up,
                              .hook_arg = &answer));
    (void)arg;
    struct went went = ask(client, GET);
    check_int(went.rc, WEIR_EBUSY); /* what the hook makes of it */
    check_int(went.status, 503);
    check_trace("before1(0) after1(503,503) sleep1(50ms) before2(503) after2(503,503) "
                "giveup2(max_attempts reached)");
    check_int(ask(client, GET).rc, 0);
    check_trace("before1(0)");
    return done(client, &server);
}

/* What is refused because of a deadline, or behind a pause, is given up, too. */
static int given_up_for_want_of_time(void *arg)
{
    int answer = 0;
    struct model_server server = SERVER({.status = 503}, {.status = 429, .retry_after = "9"});
    weir_client *client =
        CLIENT(&server, .timeout_ms = 5000,
               RETRY(.wait = weir_wait_fixed_ms(5000), .give_up = give_up, .hook_arg = &answer));
    (void)arg;
    struct went went = ask(client, GET);
    check_int(went.status, 503);
    check_int(went.took_ms, 10);
    check_trace("giveup1(would pass the deadline)");
    went = ask(client, GET);
    check_int(went.status, 429);
    check_trace("giveup1(would pass the deadline)");
    return done(client, &server);
}

struct one_of_two {
    weir_client *client;
    struct went went;
};

static int one_of_two(void *arg)
{
    struct one_of_two *one = arg;
    one->went = ask(one->client, GET);
    return 0;
}

/* Two wait for the circuit; one probes, in vain, and the other gives up. */
static int given_up_before_an_open_circuit(void *arg)
{
    int answer = -77;
    struct model_server server = SERVER({.status = 503, .times = 100});
    weir_client *client =
        CLIENT(&server,
               RETRY(.max_attempts = 3, .wait = weir_wait_fixed_ms(10), .give_up = give_up,
                     .hook_arg = &answer),
               .breaker = WEIR_BREAKER_OPTS(.min_calls = 4, .failure_percent = 100));
    struct one_of_two two[2] = {{.client = client}, {.client = client}};
    weir_group *group = rig_group();
    (void)arg;
    for (int i = 0; i < 2; i++)
        weir_spawn(group, one_of_two, &two[i]);
    weir_gather(group);
    check_trace("giveup3(max_attempts reached) giveup2(the circuit is open)");
    check_int(two[0].went.rc, -77);
    check_int(two[1].went.rc, -77);
    check_int((int64_t)(two[0].went.attempts + two[1].went.attempts), 5);
    check_int(weir_group_free(group), 0);
    return done(client, &server);
}

/* ---- budget ---- */

/* Two clients share it; a 429 does not burn it. */
static int one_budget_for_two_clients(void *arg)
{
    weir_retry_budget *budget = NULL;
    struct weir_retry_budget_stats stats = {.size = sizeof stats};
    (void)arg;
    check_int(weir_retry_budget_new(&budget,
                                    WEIR_RETRY_BUDGET_OPTS(.ratio_percent = 100, .min_per_s = -1,
                                                           .capacity = 3)),
              0);
    struct model_server one =
        SERVER({.status = 429, .retry_after = "1", .times = 5}, {.status = 503, .times = 2});
    struct model_server two = SERVER({.status = 503, .times = 9});
    weir_client *a = CLIENT(&one, RETRY(.wait = weir_wait_none(), .budget = budget));
    weir_client *b = CLIENT(&two, RETRY(.wait = weir_wait_none(), .budget = budget));
    weir_retry_budget_stats(budget, &stats);
    check_int(stats.available, 3);
    check_int((int64_t)ask(a, GET).attempts, 8); /* two tokens go, one comes back */
    weir_retry_budget_stats(budget, &stats);
    check_int(stats.available, 2);
    weir_response *response = NULL;
    check_int(weir_request(b, GET, &response), 0);
    check_int((int64_t)weir_response_attempts(response), 3);
    check_int(record_of(response, 3).why, WEIR_WHY_BUDGET);
    weir_response_free(response);
    check_int((int64_t)ask(a, GET).attempts, 1); /* success fills it again, for both */
    check_int((int64_t)ask(b, GET).attempts, 2);
    weir_retry_budget_stats(budget, &stats);
    check_int((int64_t)stats.retries, 5);
    check_int((int64_t)stats.refused, 2);
    done(a, &one);
    weir_retry_budget_free(budget); /* goes with the last client */
    check_int((int64_t)ask(b, GET).attempts, 1);
    return done(b, &two);
}

static int asker(void *arg)
{
    weir_response *response = NULL;
    int rc = weir_request(arg, GET, &response);
    weir_response_free(response);
    return rc;
}

/* A retry that is cancelled in its wait was none. */
static int a_cancelled_wait_gives_its_token_back(void *arg)
{
    weir_retry_budget *budget = NULL;
    struct weir_retry_budget_stats stats = {.size = sizeof stats};
    struct model_server server = SERVER({.status = 503, .times = 9});
    weir_group *group = rig_group();
    (void)arg;
    check_int(weir_retry_budget_new(&budget,
                                    WEIR_RETRY_BUDGET_OPTS(.min_per_s = -1, .capacity = 3)),
              0);
    weir_client *client =
        CLIENT(&server, RETRY(.wait = weir_wait_fixed_ms(1000), .budget = budget));
    weir_task *task = weir_spawn(group, asker, client);
    check_int(weir_sleep_ms(500), 0);
    weir_retry_budget_stats(budget, &stats);
    check_int(stats.available, 2);
    weir_group_cancel(group);
    check_int(weir_await(task), WEIR_ECANCELED);
    weir_retry_budget_stats(budget, &stats);
    check_int(stats.available, 3);
    weir_retry_budget_free(budget);
    check_int(weir_group_free(group), 0);
    return done(client, &server);
}

static int slow_asker(void *arg)
{
    weir_client *client = arg;
    return ask(client, GET).status == 200 ? 0 : WEIR_EIO;
}

/* In bulk work nothing fails for want of a token: retries leave at its rate. */
static int a_slow_budget(void *arg)
{
    enum { MANY = 10 };
    weir_retry_budget *budget = NULL;
    weir_group *group = rig_group();
    (void)arg;
    check_int(weir_retry_budget_new(&budget, WEIR_RETRY_BUDGET_OPTS(.min_per_s = 10, .capacity = 1,
                                                                    .slows = 1)),
              0);
    struct model_server server = SERVER({.status = 503, .times = MANY});
    weir_client *client = CLIENT(&server, RETRY(.wait = weir_wait_none(), .budget = budget));
    weir_retry_budget_free(budget);
    int64_t start_ms = weir_now_ms();
    for (int i = 0; i < MANY; i++)
        weir_spawn(group, slow_asker, client);
    check_int(weir_gather(group), 0);
    check_int(weir_now_ms() - start_ms, 10 + 900 + 10);
    check_int(weir_group_free(group), 0);
    return done(client, &server);
}

/* ---- history ---- */

static int what_happened(void *arg)
{
    struct model_server server =
        SERVER({.status = 503}, {.status = 429, .retry_after = "2"},
               {.rc = WEIR_ERESET, .sent = WEIR_SENT_MAYBE, .latency_ms = 30}, {.status = 404});
    weir_client *client = CLIENT(&server, RETRY(.wait = weir_wait_fixed_ms(100)));
    weir_response *response = NULL;
    (void)arg;
    int64_t start_ms = weir_now_ms();
    check_int(weir_request(client, AGAIN, &response), 0);
    static const struct weir_attempt_record expected[] = {
        {.status = 503,
         .outcome = WEIR_OUTCOME_SERVER_ERROR,
         .sent = WEIR_SENT_ANSWERED,
         .why = WEIR_WHY_AGAIN,
         .started_ms = 0,
         .took_ms = 10,
         .server_wait_ms = -1,
         .wait_ms = 100},
        {.status = 429,
         .outcome = WEIR_OUTCOME_THROTTLED,
         .sent = WEIR_SENT_ANSWERED,
         .why = WEIR_WHY_AGAIN_THROTTLED,
         .started_ms = 110,
         .took_ms = 10,
         .server_wait_ms = 2000,
         .blocked_backoff_ms = 100},
        {.rc = WEIR_ERESET,
         .outcome = WEIR_OUTCOME_FAILED,
         .sent = WEIR_SENT_MAYBE,
         .why = WEIR_WHY_AGAIN,
         .started_ms = 2120,
         .took_ms = 30,
         .server_wait_ms = -1,
         .wait_ms = 100,
         .blocked_turn_ms = 2000},
        {.status = 404,
         .outcome = WEIR_OUTCOME_CLIENT_ERROR,
         .sent = WEIR_SENT_ANSWERED,
         .why = WEIR_WHY_NOT_HELPFUL,
         .started_ms = 2250,
         .took_ms = 10,
         .server_wait_ms = -1,
         .blocked_backoff_ms = 100},
    };
    check_int((int64_t)weir_response_attempts(response), 4);
    for (unsigned i = 0; i < 4; i++) {
        const struct weir_attempt_record *want = &expected[i];
        struct weir_attempt_record got = record_of(response, i + 1);
        check_int(got.number, i + 1);
        check_int(got.rc, want->rc);
        check_int(got.status, want->status);
        check_int(got.outcome, want->outcome);
        check_int(got.sent, want->sent);
        check_int(got.why, want->why);
        check_int(got.started_ms - start_ms, want->started_ms);
        check_int(got.took_ms, want->took_ms);
        check_int(got.server_wait_ms, want->server_wait_ms);
        check_int(got.wait_ms, want->wait_ms);
        check_int(got.blocked_backoff_ms, want->blocked_backoff_ms);
        check_int(got.blocked_turn_ms, want->blocked_turn_ms);
    }
    struct weir_limiter_stats stats = {.size = sizeof stats};
    check_int(weir_limiter_stats(weir_client_limiter(client), &stats), 0);
    check_int(stats.backoff_wait_ms, 200);
    check_int(stats.gate_wait_ms, 2000);
    weir_response_free(response);
    return done(client, &server);
}

/* One request, and why it ended. */
static enum weir_why end_of(weir_client *client, const struct weir_request *request)
{
    weir_response *response = NULL;
    weir_request(client, request, &response);
    struct weir_attempt_record record = record_of(response, weir_response_attempts(response));
    weir_response_free(response);
    return record.why;
}

static int why_it_ended(void *arg)
{
    static const struct {
        struct model_step step;
        enum weir_why why, post_why;
    } cases[] = {
        {{.status = 200}, WEIR_WHY_WELL, WEIR_WHY_WELL},
        {{.status = 400}, WEIR_WHY_NOT_HELPFUL, WEIR_WHY_NOT_HELPFUL},
        {{.status = 500}, WEIR_WHY_ATTEMPTS, WEIR_WHY_NOT_SAFE},
        {{.status = 503}, WEIR_WHY_ATTEMPTS, WEIR_WHY_ATTEMPTS},
        {{.status = 429, .retry_after = "601"}, WEIR_WHY_SERVER_WAIT, WEIR_WHY_SERVER_WAIT},
        {{.status = 500, .retry_after = "50"}, WEIR_WHY_DEADLINE, WEIR_WHY_NOT_SAFE},
        {{.rc = WEIR_ETLS}, WEIR_WHY_ATTEMPTS, WEIR_WHY_ATTEMPTS},
        {{.rc = WEIR_ECERT}, WEIR_WHY_NOT_HELPFUL, WEIR_WHY_NOT_HELPFUL},
        {{.rc = WEIR_ERESET, .sent = WEIR_SENT_MAYBE}, WEIR_WHY_ATTEMPTS, WEIR_WHY_NOT_SAFE},
        {{.latency_ms = 50000}, WEIR_WHY_CANCELED, WEIR_WHY_CANCELED},
    };
    (void)arg;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int post = 0; post <= 1; post++) {
            struct model_step step = cases[i].step;
            step.times = 9;
            struct model_server server = {.steps = &step, .step_count = 1, .latency_ms = 10};
            weir_client *client =
                CLIENT(&server, RETRY(.wait = weir_wait_fixed_ms(1), .max_attempts = 3),
                       .timeout_ms = 40000);
            check_int(end_of(client, post ? POST : GET), post ? cases[i].post_why : cases[i].why);
            done(client, &server);
        }
    }
    return 0;
}

/* The second of two sendings, which is answered first, and the first, which is given up. */
static int both_of_a_race(void *arg)
{
    struct model_server server = SERVER({.status = 503}, {.status = 200, .latency_ms = 1000});
    weir_client *client = CLIENT(&server, RETRY(.wait = weir_wait_fixed_ms(100)),
                                 .hedge = WEIR_HEDGE_OPTS(.delay_ms = 50, .budget_percent = 100));
    weir_response *response = NULL;
    (void)arg;
    check_int(weir_request(client, GET, &response), 0);
    check_int((int64_t)weir_response_attempts(response), 3);
    struct weir_attempt_record first = record_of(response, 1), late = record_of(response, 2);
    struct weir_attempt_record winner = record_of(response, 3);
    check_int(first.why, WEIR_WHY_AGAIN);
    check_int(late.why, WEIR_WHY_RACE);
    check_int(late.rc, WEIR_ECANCELED);
    check_int(late.blocked_backoff_ms, 100);
    check_int(late.took_ms, 60);
    check_int(winner.why, WEIR_WHY_WELL);
    check_int(winner.status, 200);
    check_int(winner.took_ms, 10);
    check_int(winner.started_ms - late.started_ms, 50);
    check_int(winner.blocked_backoff_ms, 0);
    check_int(winner.blocked_turn_ms, 0);
    weir_response_free(response);
    return done(client, &server);
}

/* And the first one, when it is answered first after all. */
static int the_first_of_a_race(void *arg)
{
    struct model_server server =
        SERVER({.status = 200, .latency_ms = 70}, {.status = 200, .latency_ms = 1000});
    weir_client *client =
        CLIENT(&server, .hedge = WEIR_HEDGE_OPTS(.delay_ms = 50, .budget_percent = 100));
    weir_response *response = NULL;
    (void)arg;
    check_int(weir_request(client, GET, &response), 0);
    check_int((int64_t)weir_response_attempts(response), 2);
    check_int(record_of(response, 1).why, WEIR_WHY_WELL);
    check_int(record_of(response, 1).took_ms, 70);
    check_int(record_of(response, 2).why, WEIR_WHY_RACE);
    check_int(record_of(response, 2).took_ms, 20);
    weir_response_free(response);
    return done(client, &server);
}

static int status_of_answer(const struct weir_attempt *attempt, void *arg)
{
    (void)arg;
    note("%d", weir_response_status(attempt->response));
    return attempt->retry;
}

/* The time of a call begins with its first sending, whichever of the two is looked at; and a rule
 * is shown the answer that counts. */
static int a_race_that_nobody_wins(void *arg)
{
    struct model_server server =
        SERVER({.status = 500, .latency_ms = 70}, {.status = 503, .latency_ms = 10});
    weir_client *client = CLIENT(&server,
                                 RETRY(.wait = weir_wait_fixed_ms(10), .max_elapsed_ms = 1000,
                                       .retry_if = status_of_answer),
                                 .hedge = WEIR_HEDGE_OPTS(.delay_ms = 50, .budget_percent = 100));
    (void)arg;
    check_int(weir_sleep_ms(5000), 0);
    struct went went = ask(client, GET);
    check_int(went.status, 200);
    check_int((int64_t)went.attempts, 3);
    check_trace("503 200"); /* the first to be answered */
    return done(client, &server);
}

/* A second sending is an attempt: where none may follow, there is none. */
static int no_race_beyond_the_stop(void *arg)
{
    (void)arg;
    for (unsigned most = 1; most <= 2; most++) {
        struct model_server server = SERVER({.status = 200, .latency_ms = 1000});
        weir_client *client =
            CLIENT(&server, RETRY(.stop = weir_stop_after_attempt(most)),
                   .hedge = WEIR_HEDGE_OPTS(.delay_ms = 50, .budget_percent = 100));
        check_int((int64_t)ask(client, GET).attempts, most);
        done(client, &server);
    }
    return 0;
}

static int closer(void *arg)
{
    int rc = weir_sleep_ms(100);
    weir_limiter_close(weir_client_limiter(arg));
    return rc;
}

static int why_it_was_not_admitted_again(void *arg)
{
    struct model_server server = SERVER({.status = 503, .times = 9});
    weir_client *client = CLIENT(&server, RETRY(.wait = weir_wait_fixed_ms(1000)));
    weir_group *group = rig_group();
    (void)arg;
    weir_spawn(group, closer, client);
    check_int(end_of(client, GET), WEIR_WHY_CLOSED);
    check_int(weir_group_free(group), 0);
    return done(client, &server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(waits_and_stops_of_the_callers),
        VIRTUAL_TEST(a_rule_for_the_status),
        VIRTUAL_TEST(a_rule_for_the_answer),
        VIRTUAL_TEST(a_transport_may_ask_for_another),
        VIRTUAL_TEST(mistakes),
        VIRTUAL_TEST(hooks_are_called_in_order),
        VIRTUAL_TEST(given_up_for_want_of_time),
        VIRTUAL_TEST(one_budget_for_two_clients),
        VIRTUAL_TEST(a_cancelled_wait_gives_its_token_back),
        VIRTUAL_TEST(a_slow_budget),
        VIRTUAL_TEST(what_happened),
        VIRTUAL_TEST(why_it_ended),
        VIRTUAL_TEST(why_it_was_not_admitted_again),
        VIRTUAL_TEST(both_of_a_race),
        VIRTUAL_TEST(the_first_of_a_race),
        VIRTUAL_TEST(a_race_that_nobody_wins),
        VIRTUAL_TEST(no_race_beyond_the_stop),
        VIRTUAL_TEST(given_up_before_an_open_circuit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
