/* Options that cannot be meant, and requests that are wrong: refused by name, nothing is sent. */
#include <weir/body.h>

#include "client_rig.h"

static int count_free_calls;

static void count_free(void *self)
{
    (void)self;
    count_free_calls++;
}

static int never_called(void *self, const struct weir_exchange *exchange, weir_response *response)
{
    (void)self;
    (void)exchange;
    (void)response;
    return check(false) ? 0 : WEIR_EINVAL; /* there is no client whose transport it could be */
}

static const struct weir_transport transport = {.size = sizeof(struct weir_transport),
                                                .perform = never_called,
                                                .free = count_free};

static void check_refused(struct weir_client_opts opts, int want)
{
    weir_client *client = (weir_client *)&opts;
    if (opts.size == 0)
        opts.size = sizeof opts;
    if (opts.transport == NULL)
        opts.transport = &transport;
    count_free_calls = 0;
    check_int(weir_client_new(&client, &opts), want);
    check(client == NULL);
    check_int(count_free_calls, 0); /* the transport stays the caller's */
}

static int clients_own_options(void *arg)
{
    static const char *const colonless[] = {"A", NULL}, *const smuggled[] = {"A: b\r\nC: d", NULL};
    static const char *const authorized[] = {"authorization: Basic eDp5", NULL};
    static const char *const framing[] = {"Content-Length: 3", NULL};
    static const struct weir_transport empty = {.size = sizeof(struct weir_transport),
                                                .free = count_free};
    (void)arg;
    check_refused((struct weir_client_opts){.size = 1}, WEIR_EINVAL);
    check_refused((struct weir_client_opts){.size = 10000}, WEIR_EINVAL);
    check_refused((struct weir_client_opts){.timeout_ms = -1}, WEIR_EINVAL);
    check_refused((struct weir_client_opts){.attempt_timeout_ms = -1}, WEIR_EINVAL);
    check_refused((struct weir_client_opts){.bearer_token = "key"}, WEIR_EINVAL);
    check_refused((struct weir_client_opts){.base_url = "http://h",
                                            .bearer_token = "key",
                                            .headers = authorized},
                  WEIR_EINVAL);
    check_refused((struct weir_client_opts){.base_url = "http://h", .bearer_token = "k\r\nE: v"},
                  WEIR_EHEADER);
    check_refused((struct weir_client_opts){.headers = colonless}, WEIR_EHEADER);
    check_refused((struct weir_client_opts){.headers = smuggled}, WEIR_EHEADER);
    check_refused((struct weir_client_opts){.headers = framing}, WEIR_EHEADER);
    check_refused((struct weir_client_opts){.base_url = "ftp://h"}, WEIR_EURL);
    check_refused((struct weir_client_opts){.base_url = ""}, WEIR_EURL);
    check_refused((struct weir_client_opts){.transport = &empty}, WEIR_EINVAL);
    return 0;
}

static int limits_of_an_own_limiter(void *arg)
{
    (void)arg;
    check_refused((struct weir_client_opts){.burst = 5}, WEIR_EINVAL);
    check_refused((struct weir_client_opts){.rate = 5, .period_ms = -1}, WEIR_EINVAL);
    check_refused((struct weir_client_opts){.rate = 2000000, .period_ms = 1}, WEIR_EINVAL);
    check_refused((struct weir_client_opts){.rate = 1, .burst = 2000000000}, WEIR_EINVAL);
    return 0;
}

/* Limits beside a limiter would be ignored, and so are refused. */
static int limits_beside_a_limiter(void *arg)
{
    weir_limiter *limiter;
    (void)arg;
    check_int(weir_limiter_new(&limiter, NULL), 0);
    check_refused((struct weir_client_opts){.limiter = limiter, .concurrency = 1}, WEIR_EINVAL);
    check_refused((struct weir_client_opts){.limiter = limiter, .rate = 1}, WEIR_EINVAL);
    check_refused((struct weir_client_opts){.limiter = limiter, .period_ms = 1}, WEIR_EINVAL);
    check_refused((struct weir_client_opts){.limiter = limiter, .burst = 1}, WEIR_EINVAL);
    check_refused((struct weir_client_opts){.limiter = limiter, .base_url = "x"}, WEIR_EURL);
    weir_limiter_free(limiter); /* none of them still holds it: AddressSanitizer would tell */
    return 0;
}

static int retry_options(void *arg)
{
    static const struct weir_retry_opts bad[] = {
        {.size = 0},
        {.size = sizeof bad[0], .max_elapsed_ms = -1},
        {.size = sizeof bad[0], .backoff_base_ms = -1},
        {.size = sizeof bad[0], .backoff_max_ms = -1},
        {.size = sizeof bad[0], .server_wait_max_ms = -1},
        {.size = sizeof bad[0], .backoff_base_ms = 10, .backoff_max_ms = 9},
    };
    (void)arg;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        check_refused((struct weir_client_opts){.retry = &bad[i]}, WEIR_EINVAL);
    return 0;
}

static int limiter_options(void *arg)
{
    static const struct weir_limiter_opts bad[] = {
        {.size = 0},
        {.size = sizeof(size_t) - 1},
        {.size = sizeof bad[0], .rate = 1, .period_ms = -1},
        {.size = sizeof bad[0], .burst = 1},
        {.size = sizeof bad[0], .rate = 1, .burst = UINT64_C(1000000001)},
        {.size = sizeof bad[0], .rate = UINT64_C(1000000001), .period_ms = 1000},
        {.size = sizeof bad[0], .rate = 1, .period_ms = INT64_C(367) * 86400000},
        {.size = sizeof bad[0], .rate = UINT64_MAX},
    };
    static const struct weir_limiter_opts good[] = {
        {.size = sizeof bad[0]},
        {.size = sizeof bad[0], .rate = UINT64_C(1000000000), .period_ms = 1000},
        {.size = sizeof bad[0], .rate = 1, .period_ms = INT64_C(366) * 86400000},
        {.size = sizeof bad[0], .rate = 1, .burst = 1000000, .concurrency = UINT64_MAX},
    };
    (void)arg;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        weir_limiter *limiter = (weir_limiter *)&limiter;
        check_int(weir_limiter_new(&limiter, &bad[i]), WEIR_EINVAL);
        check(limiter == NULL);
    }
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        weir_limiter *limiter = NULL;
        check_int(weir_limiter_new(&limiter, &good[i]), 0);
        weir_limiter_free(limiter);
    }
    return 0;
}

static int defaults(void *arg)
{
    struct model_server server = {.latency_ms = 1};
    struct weir_transport model = model_transport(&server);
    weir_client *client;
    (void)arg;
    check_int(weir_client_new(&client, WEIR_CLIENT_OPTS(.transport = &model)), 0);
    check_int(ask(client, WEIR_REQUEST(.url = "http://h/x")).status, 200);
    check_int(ask(client, WEIR_REQUEST(.url = "/x")).rc, WEIR_EURL); /* relative to nothing */
    return done(client, &server);
}

/* ---- requests ---- */

/* Refused with that code, for a reason with these words in it. */
static void check_wrong(weir_client *client, struct weir_request request, int want, const char *why)
{
    weir_response *response = NULL;
    if (request.size == 0)
        request.size = sizeof request;
    int64_t begin_ms = weir_now_ms();
    check_int(weir_request(client, &request, &response), want);
    check_int(weir_response_error(response), want);
    check_int((int64_t)weir_response_attempts(response), 0);
    check_int(weir_response_status(response), 0);
    check_int(weir_response_sent(response), WEIR_SENT_NEVER);
    check_int(weir_response_outcome(response), WEIR_OUTCOME_FAILED);
    check_int(weir_now_ms() - begin_ms, 0);
    const char *text = weir_response_error_text(response);
    if (strstr(text, why) == NULL)
        fail_msg("\"%s\" in place of \"%s\"", text, why);
    weir_response_free(response);
}
#define WRONG(client, want, why, ...)                                                              \
    check_wrong((client), (struct weir_request){__VA_ARGS__}, (want), (why))

static int wrong_urls(void *arg)
{
    struct model_server server = {.latency_ms = 1}, other = {.latency_ms = 1};
    struct weir_transport model = model_transport(&other);
    weir_client *client = CLIENT(&server, .rate = 1, .burst = 1), *baseless;
    (void)arg;
    WRONG(client, WEIR_EURL, "no URL", .url = NULL);
    WRONG(client, WEIR_EURL, "no URL", .url = "");
    WRONG(client, WEIR_EURL, "another server", .url = "gopher://h/");
    WRONG(client, WEIR_EURL, "another server", .url = "//h/");
    WRONG(client, WEIR_EURL, "percent-encoded", .url = "/a b");
    WRONG(client, WEIR_EURL, "malformed", .url = "http://h:x/");
    check_int((int64_t)server.requests, 0);
    check_int(weir_client_new(&baseless, WEIR_CLIENT_OPTS(.transport = &model)), 0);
    WRONG(baseless, WEIR_EURL, ".base_url", .url = "/x");
    done(baseless, &other);
    return done(client, &server);
}

static int wrong_headers(void *arg)
{
    static const char *const colonless[] = {"A: b", "secret", NULL},
                             *const framing[] = {"transfer-encoding: x", NULL},
                             *const ended[] = {"X-Key: secret\r\nHost: h", NULL},
                             *const nameless[] = {"X Key: secret", NULL},
                             *const key[] = {"idempotency-key: 1", NULL};
    struct model_server server = {.latency_ms = 1};
    weir_client *client = CLIENT(&server, .rate = 1, .burst = 1);
    (void)arg;
    WRONG(client, WEIR_EHEADER, "header 2 has no colon", .url = "/", .headers = colonless);
    WRONG(client, WEIR_EHEADER, "header 1 (transfer-encoding) is set by weir", .url = "/",
          .headers = framing);
    WRONG(client, WEIR_EHEADER, "header 1 (X-Key) holds a control", .url = "/", .headers = ended);
    WRONG(client, WEIR_EHEADER, "header 1 has a name that", .url = "/", .headers = nameless);
    WRONG(client, WEIR_EHEADER, "both .idempotency_key and", .url = "/", .headers = key,
          .idempotency_key = "");
    WRONG(client, WEIR_EHEADER, ".idempotency_key has", .url = "/", .idempotency_key = "a b");
    check_int((int64_t)server.requests, 0);
    return done(client, &server);
}

static int64_t no_body(void *arg, void *buf, size_t room)
{
    (void)arg;
    (void)buf;
    (void)room;
    return 0;
}

static int wrong_requests(void *arg)
{
    const struct weir_body *body = WEIR_BODY(.read = no_body);
    struct model_server server = {.latency_ms = 1};
    weir_client *client = CLIENT(&server, .rate = 1, .burst = 1);
    (void)arg;
    WRONG(client, WEIR_EINVAL, "WEIR_REQUEST(", .url = "/", .size = 7);
    WRONG(client, WEIR_EINVAL, "reserved", .url = "/", .reserved = 1);
    WRONG(client, WEIR_EINVAL, ".priority", .url = "/", .priority = WEIR_PRIORITY_MAX + 1);
    WRONG(client, WEIR_EINVAL, ".idle_ms", .url = "/", .idle_ms = -1);
    WRONG(client, WEIR_EINVAL, ".method", .url = "/", .method = "");
    WRONG(client, WEIR_EINVAL, ".method", .url = "/", .method = "GET /");
    WRONG(client, WEIR_EINVAL, "HEAD", .url = "/", .method = "HEAD", .body = "b");
    WRONG(client, WEIR_EINVAL, "both .body and .body_from", .url = "/", .body = "b",
          .body_from = body);
    WRONG(client, WEIR_EINVAL, ".body is NULL", .url = "/", .body_len = 1);
    WRONG(client, WEIR_EINVAL, "no .read", .url = "/", .body_from = WEIR_BODY(.length = 1));
    WRONG(client, WEIR_EINVAL, "no .limiters", .url = "/", .limit_key = "a");
    WRONG(client, WEIR_ENEVER, "", .url = "/", .amount = 2);
    check_int((int64_t)server.requests, 0);
    check_int(ask(client, GET).took_ms, 1); /* and no token was taken */
    return done(client, &server);
}

/* ---- where there is no runtime, or no loop ---- */

static void test_outside_of_a_runtime(void **state)
{
    weir_client *client = (weir_client *)&client;
    (void)state;
    assert_int_equal(weir_client_new(&client, NULL), WEIR_ENORUNTIME);
    assert_null(client);
}

static int libcurl_needs_the_real_clock(void *arg)
{
    weir_client *client = (weir_client *)&client;
    (void)arg;
    check_int(weir_client_new(&client, NULL), WEIR_ENOTSUP);
    check(client == NULL);
    weir_limiter *limiter;
    check_int(weir_limiter_new(&limiter, NULL), 0);
    check_int(weir_client_new(&client,
                              WEIR_CLIENT_OPTS(.base_url = "http://h", .limiter = limiter)),
              WEIR_ENOTSUP);
    check(client == NULL);
    weir_limiter_free(limiter); /* was let go, too */
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(clients_own_options),
        VIRTUAL_TEST(limits_of_an_own_limiter),
        VIRTUAL_TEST(limits_beside_a_limiter),
        VIRTUAL_TEST(retry_options),
        VIRTUAL_TEST(limiter_options),
        VIRTUAL_TEST(defaults),
        VIRTUAL_TEST(wrong_urls),
        VIRTUAL_TEST(wrong_headers),
        VIRTUAL_TEST(wrong_requests),
        cmocka_unit_test(test_outside_of_a_runtime),
        VIRTUAL_TEST(libcurl_needs_the_real_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
