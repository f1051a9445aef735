/* Many requests at a modelled server: none is lost, none comes while the server has asked for
 * silence, and a known rate is used in full. */
#include "client_rig.h"

#include <stdlib.h>

#define RETRY(...) .retry = WEIR_RETRY_OPTS(__VA_ARGS__)
#define NO_WAIT    .backoff_base_ms = 1, .backoff_max_ms = 1

enum { MAX_MANY = 1000 };

/* Requests that are under way together. */
struct many {
    weir_group *group;
    size_t count;
    weir_response *responses[MAX_MANY];
};

static struct many *start_many(weir_client *client, const struct weir_request *request,
                               size_t count)
{
    struct many *many = calloc(1, sizeof *many);
    many->group = rig_group();
    many->count = count;
    for (size_t i = 0; i < count; i++)
        check(weir_request_start(many->group, client, request, &many->responses[i]) != NULL);
    return many;
}

/* Waits for them all; returns how many ended with that status. */
static size_t end_many(struct many *many, int status)
{
    size_t count = 0;
    weir_gather(many->group);
    for (size_t i = 0; i < many->count; i++) {
        count += many->responses[i] != NULL && weir_response_status(many->responses[i]) == status;
        weir_response_free(many->responses[i]);
    }
    check_int(weir_group_free(many->group), 0);
    free(many);
    return count;
}

static size_t run_many(weir_client *client, const struct weir_request *request, size_t count,
                       int status)
{
    return end_many(start_many(client, request, count), status);
}

/* ---- a known rate ---- */

/* The last of n arrivals comes no later than (n - burst) tokens take, and 1 %. */
static int a_known_rate_is_used_in_full(void *arg)
{
    static const struct {
        uint64_t rate;
        int64_t period_ms;
        uint64_t burst;
        int64_t latency_ms, spread_ms;
    } cases[] = {
        {100, 1000, 10, 50, 0},    {100, 1000, 10, 20, 480}, {100, 1000, 1, 50, 100},
        {6000, 60000, 20, 10, 20}, {20, 60000, 20, 900, 0},  {3, 1000, 1, 1, 0},
        {1000, 1000, 50, 8, 30},   {997, 1000, 7, 8, 30},
    };
    struct model_arrival *log = calloc(MAX_MANY, sizeof *log);
    (void)arg;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct model_server server = {.rate = cases[i].rate,
                                      .period_ms = cases[i].period_ms,
                                      .burst = cases[i].burst,
                                      .latency_ms = cases[i].latency_ms,
                                      .latency_spread_ms = cases[i].spread_ms,
                                      .log = log,
                                      .log_room = MAX_MANY};
        weir_client *client =
            CLIENT(&server, .rate = cases[i].rate, .period_ms = cases[i].period_ms,
                   .burst = cases[i].burst, .concurrency = 64);
        check_int((int64_t)run_many(client, POST, MAX_MANY, 200), MAX_MANY);
        check_int((int64_t)server.requests, MAX_MANY);
        check_int((int64_t)server.throttled, 0);
        int64_t took_us = (log[MAX_MANY - 1].at_ns - log[0].at_ns) / 1000;
        int64_t ideal_us = (int64_t)(MAX_MANY - cases[i].burst) * cases[i].period_ms * 1000 /
                           (int64_t)cases[i].rate;
        check(took_us >= ideal_us);
        check(took_us <= ideal_us + ideal_us / 100);
        done(client, &server);
    }
    free(log);
    return 0;
}

static int places_bound_what_is_in_flight(void *arg)
{
    struct model_server server = {.latency_ms = 100, .latency_spread_ms = 100};
    weir_client *client = CLIENT(&server, .concurrency = 7);
    (void)arg;
    check_int((int64_t)run_many(client, POST, 100, 200), 100);
    check_int((int64_t)server.most_in_flight, 7);
    done(client, &server);
    server = (struct model_server){.latency_ms = 100};
    client = CLIENT(&server, .timeout_ms = 0);
    check_int((int64_t)run_many(client, POST, 300, 200), 300);
    check_int((int64_t)server.most_in_flight, 64); /* by default */
    return done(client, &server);
}

/* ---- "too fast" ---- */

static int one_429_stops_all(void *arg)
{
    enum { COUNT = 40 };
    struct model_server server =
        SERVER({.status = 200, .times = 10}, {.status = 429, .retry_after = "5"});
    struct model_arrival log[COUNT + 1] = {{0}};
    (void)arg;
    server.log = log;
    server.log_room = COUNT + 1;
    weir_client *client = CLIENT(&server, .concurrency = 4);
    check_int((int64_t)run_many(client, POST, COUNT, 200), COUNT);
    check_int((int64_t)server.requests, COUNT + 1);
    /* Those in flight when it came are answered; then there is silence, then one alone. */
    int64_t told_ns = 0, last_before_ns = 0, first_after_ns = INT64_MAX;
    for (size_t i = 0; i <= COUNT; i++)
        told_ns = log[i].status == 429 ? log[i].at_ns + 10 * WEIR__NS_PER_MS : told_ns;
    for (size_t i = 0; i <= COUNT; i++) {
        if (log[i].at_ns <= told_ns)
            last_before_ns = log[i].at_ns;
        else if (first_after_ns == INT64_MAX)
            first_after_ns = log[i].at_ns;
    }
    check(last_before_ns <= told_ns);
    check_int(first_after_ns - told_ns, 5 * WEIR__NS_PER_S);
    return done(client, &server);
}

/* The one that was told so is not overtaken: it is the first one behind the gate. */
static int the_throttled_one_goes_first(void *arg)
{
    struct model_server server = SERVER({.status = 429, .retry_after = "5"});
    struct model_arrival log[11];
    (void)arg;
    server.log = log;
    server.log_room = 11;
    weir_client *client = CLIENT(&server, .concurrency = 1);
    check_int((int64_t)run_many(client, POST, 10, 200), 10);
    check_int((int64_t)log[1].attempt, 2);
    for (size_t i = 2; i < 11; i++)
        check_int((int64_t)log[i].attempt, 1);
    return done(client, &server);
}

/* Nobody told the client the rate. Nothing is lost, no request comes while the gate is closed, and
 * it is not always all who find that out anew. */
static int an_unknown_rate_makes_no_storm(void *arg)
{
    enum { COUNT = 300 };
    (void)arg;
    for (int says = MODEL_SAYS_SECONDS; says <= MODEL_SAYS_NOTHING; says++) {
        struct model_server server = {.rate = 10,
                                      .period_ms = 1000,
                                      .burst = 5,
                                      .latency_ms = 100,
                                      .latency_spread_ms = 100,
                                      .says = (enum model_retry_after)says};
        weir_client *client = CLIENT(&server, RETRY(.max_attempts = 1000), .concurrency = 32);
        check_int((int64_t)run_many(client, POST, COUNT, 200), COUNT);
        check_int((int64_t)server.answered, COUNT);
        check_int((int64_t)server.while_closed, 0);
        check(server.throttled < 3 * COUNT);
        done(client, &server);
    }
    return 0;
}

/* Of two clients that share a limiter, each keeps silence for what the other was told. */
static int clients_that_share_a_limiter(void *arg)
{
    struct model_server strict = SERVER({.status = 429, .retry_after = "30"});
    struct model_server other = {.latency_ms = 10};
    weir_limiter *limiter;
    (void)arg;
    check_int(weir_limiter_new(&limiter, WEIR_LIMITER_OPTS(.concurrency = 4)), 0);
    weir_client *first = CLIENT(&strict, .limiter = limiter);
    weir_client *second = CLIENT(&other, .limiter = limiter);
    check(weir_client_limiter(first) == limiter);
    struct many *many = start_many(first, POST, 1);
    weir_sleep_ms(20);
    struct went went = ask(second, POST);
    check_int(went.status, 200);
    check(went.took_ms >= 29990);
    check_int((int64_t)end_many(many, 200), 1);
    done(first, &strict);
    weir_limiter_free(limiter); /* goes with its last client */
    check_int(ask(second, POST).rc, WEIR_ECLOSED);
    return done(second, &other);
}

/* ---- what a retry holds ---- */

/* The only place is free while one waits to try again. */
static int no_place_is_held_during_backoff(void *arg)
{
    struct model_server server = SERVER({.status = 500, .retry_after = "10"});
    weir_client *client = CLIENT(&server, .concurrency = 1);
    (void)arg;
    struct many *many = start_many(client, AGAIN, 1);
    weir_sleep_ms(20);
    struct went went = ask(client, POST);
    check_int(went.status, 200);
    check_int(went.took_ms, 10);
    check_int((int64_t)end_many(many, 200), 1);
    return done(client, &server);
}

static int a_token_is_for_what_was_sent(void *arg)
{
    static const struct {
        struct model_step step;
        int64_t least_ms, most_ms;
    } cases[] = {
        {{.rc = WEIR_ECONNECT, .sent = WEIR_SENT_NEVER}, 0, 100},
        {{.rc = WEIR_ERESET, .sent = WEIR_SENT_MAYBE}, 10000, 10100},
        {{.status = 500}, 10000, 10100},
    };
    (void)arg;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct model_server server = {.steps = &cases[i].step, .step_count = 1};
        weir_client *client =
            CLIENT(&server, RETRY(NO_WAIT), .rate = 1, .period_ms = 10000, .burst = 1);
        struct went went = ask(client, AGAIN);
        check_int(went.status, 200);
        check_int((int64_t)went.attempts, 2);
        check(went.took_ms >= cases[i].least_ms && went.took_ms <= cases[i].most_ms);
        done(client, &server);
    }
    return 0;
}

static int amounts(void *arg)
{
    struct model_server server = {.latency_ms = 0};
    weir_client *client = CLIENT(&server, .rate = 10, .period_ms = 1000, .burst = 10);
    (void)arg;
    check_int(ask(client, WEIR_REQUEST(.url = "/", .amount = 10)).took_ms, 0);
    check_int(ask(client, WEIR_REQUEST(.url = "/", .amount = 7)).took_ms, 700);
    check_int(ask(client, WEIR_REQUEST(.url = "/")).took_ms, 100);
    struct went went = ask(client, WEIR_REQUEST(.url = "/", .amount = 11));
    check_int(went.rc, WEIR_ENEVER);
    check_int((int64_t)went.attempts, 0);
    check_int((int64_t)server.requests, 3);
    return done(client, &server);
}

/* A request that failed does not queue behind those that came later. */
static int retries_keep_their_age(void *arg)
{
    struct model_server server = SERVER({.status = 500}, {.status = 200}, {.status = 500});
    struct model_arrival log[12];
    (void)arg;
    server.log = log;
    server.log_room = 12;
    weir_client *client = CLIENT(&server, RETRY(NO_WAIT), .rate = 1, .period_ms = 1000, .burst = 1);
    check_int((int64_t)run_many(client, AGAIN, 10, 200), 10);
    check_int((int64_t)log[0].attempt, 1);
    check_int((int64_t)log[1].attempt, 2);
    check_int((int64_t)log[2].attempt, 1);
    check_int((int64_t)log[3].attempt, 2);
    check_int((int64_t)server.requests, 12);
    return done(client, &server);
}

/* ---- the end ---- */

static int closing_the_limiter(void *arg)
{
    struct model_server server = SERVER({.status = 500, .retry_after = "60"});
    weir_client *client = CLIENT(&server, .concurrency = 2);
    (void)arg;
    server.latency_ms = 1000;
    struct many *backoff = start_many(client, AGAIN, 1);
    weir_sleep_ms(1100);
    struct many *flying = start_many(client, POST, 2);
    struct many *waiting = start_many(client, POST, 5);
    weir_sleep_ms(500);
    int64_t start_ms = weir_now_ms();
    weir_limiter_close(weir_client_limiter(client));
    check_int(weir_gather(waiting->group), WEIR_ECLOSED);
    for (size_t i = 0; i < 5; i++) {
        check_int(weir_response_error(waiting->responses[i]), WEIR_ECLOSED);
        check_int((int64_t)weir_response_attempts(waiting->responses[i]), 0);
        check_int(weir_response_sent(waiting->responses[i]), WEIR_SENT_NEVER);
    }
    check_int(weir_gather(backoff->group), WEIR_ECLOSED);
    check_int(weir_response_status(backoff->responses[0]), 500); /* the last answer is kept */
    check_int(weir_now_ms() - start_ms, 0);
    check_int((int64_t)end_many(flying, 200), 2); /* what is in flight goes on */
    check_int((int64_t)end_many(waiting, 0), 5);
    check_int((int64_t)end_many(backoff, 500), 1);
    check_int(ask(client, POST).rc, WEIR_ECLOSED);
    check_int((int64_t)server.requests, 3);
    return done(client, &server);
}

/* Cancelled in the queue, in flight, in the backoff, at the gate. */
static int cancelling_in_each_state(void *arg)
{
    static const int64_t at_ms[] = {0, 1, 5, 10, 11, 500, 1000, 1005, 1010, 1011, 3000, 5019};
    (void)arg;
    for (size_t i = 0; i < sizeof at_ms / sizeof at_ms[0]; i++) {
        struct model_server server = SERVER({.status = 500, .retry_after = "1", .times = 2},
                                            {.status = 429, .retry_after = "5"});
        weir_client *client =
            CLIENT(&server, RETRY(NO_WAIT), .concurrency = 2, .rate = 100, .period_ms = 1000);
        struct many *many = start_many(client, AGAIN, 10);
        weir_yield();
        if (at_ms[i] > 0)
            weir_sleep_ms(at_ms[i]);
        weir_group_cancel(many->group);
        check_int(weir_gather(many->group) < 0, 1);
        check_idle(client, &server);
        end_many(many, 200);
        server.step = server.step_count;
        check_int(ask(client, POST).status, 200);
        done(client, &server);
    }
    return 0;
}

/* Each pause that a busy server asks for is kept, and the pace between them does not sink. */
static int a_busy_server_teaches_no_limit(void *arg)
{
    enum { COUNT = 600, EVERY = 30, BUSY = COUNT / EVERY };
    struct model_step steps[2 * BUSY];
    struct weir_limiter_stats stats = {.size = sizeof stats};
    int64_t start_ms = weir_now_ms();
    (void)arg;
    for (size_t i = 0; i < 2 * (size_t)BUSY; i += 2) {
        steps[i] = (struct model_step){.status = 200, .times = EVERY};
        steps[i + 1] = (struct model_step){.status = 503, .retry_after = "1"};
    }
    struct model_server server = {.latency_ms = 10, .steps = steps, .step_count = 2 * (size_t)BUSY};
    weir_client *client = CLIENT(&server, .retry = NULL, .concurrency = 16);
    check_int((int64_t)run_many(client, AGAIN, COUNT, 200), COUNT);
    weir_limiter_stats(weir_client_limiter(client), &stats);
    check_int((int64_t)stats.throttled, BUSY - 1); /* the last block is the end of the work */
    check(stats.learned_per_s == 0);
    check(weir_now_ms() - start_ms >= (BUSY - 1) * 1000);
    check(weir_now_ms() - start_ms <= (BUSY - 1) * 1300);
    return done(client, &server);
}

/* ---- once more the same ---- */

static int mixed_weather(void *arg)
{
    enum { COUNT = 60 };
    uint64_t *hash = arg;
    struct model_server server =
        SERVER({.status = 500, .times = 5}, {.rc = WEIR_ECONNECT, .times = 3}, {.status = 429},
               {.status = 200, .times = 20}, {.status = 503, .times = 10});
    struct model_arrival *log = calloc(1000, sizeof *log);
    server.rate = 20;
    server.period_ms = 1000;
    server.burst = 3;
    server.says = MODEL_SAYS_NOTHING;
    server.log = log;
    server.log_room = 1000;
    weir_client *client = CLIENT(&server, RETRY(.max_attempts = 100), .concurrency = 8);
    check_int((int64_t)run_many(client, AGAIN, COUNT, 200), COUNT);
    *hash = 0;
    for (size_t i = 0; i < server.requests; i++)
        *hash = (*hash ^ (uint64_t)log[i].at_ns ^ (uint64_t)log[i].status) *
                UINT64_C(0x9e3779b97f4a7c15);
    free(log);
    return done(client, &server);
}

static void test_one_seed_one_course(void **state)
{
    uint64_t hashes[4];
    static const uint64_t seeds[4] = {7, 7, 8, 7};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(weir_run(mixed_weather, &hashes[i],
                                  WEIR_RUN_OPTS(.clock = WEIR_CLOCK_VIRTUAL, .seed = seeds[i])),
                         0);
        rig_assert_no_failure();
    }
    assert_true(hashes[0] == hashes[1] && hashes[1] == hashes[3]);
    assert_true(hashes[0] != hashes[2]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(a_known_rate_is_used_in_full),
        VIRTUAL_TEST(places_bound_what_is_in_flight),
        VIRTUAL_TEST(one_429_stops_all),
        VIRTUAL_TEST(the_throttled_one_goes_first),
        VIRTUAL_TEST(an_unknown_rate_makes_no_storm),
        VIRTUAL_TEST(clients_that_share_a_limiter),
        VIRTUAL_TEST(no_place_is_held_during_backoff),
        VIRTUAL_TEST(a_token_is_for_what_was_sent),
        VIRTUAL_TEST(a_busy_server_teaches_no_limit),
        VIRTUAL_TEST(amounts),
        VIRTUAL_TEST(retries_keep_their_age),
        VIRTUAL_TEST(closing_the_limiter),
        VIRTUAL_TEST(cancelling_in_each_state),
        cmocka_unit_test(test_one_seed_one_course),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
