/* What is made of answers in general: precedence, bounds, bodies that are not to be trusted. */
#include "answer_rig.h"

#include <stdio.h>
#include <stdlib.h>

#include <weir/jansson.h>
#include <weir/task.h>

#include "base/mem.h"
#include "provider/error.h"

#define WORDS(wait) "{\"error\":{\"message\":\"Please try again in " wait ".\"}}"
#define USED_UP     "x-ratelimit-remaining: 0\nx-ratelimit-reset: 50\n"

struct judged {
    int status;
    const char *head, *body;
    int64_t wait_ms;
    int throttled;
    enum weir__verdict verdict;
};

static void check_judged(const struct judged *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char name[32];
        struct weir__told told = tell(cases[i].status, cases[i].head, cases[i].body);
        snprintf(name, sizeof name, "case %zu", i);
        check_field(name, "wait_ms", told.wait_ms, cases[i].wait_ms);
        check_field(name, "throttled", told.throttled, cases[i].throttled);
        check_field(name, "verdict", told.verdict, cases[i].verdict);
    }
}

static void test_precedence_of_waits(void **state)
{
    static const struct judged cases[] = {
        {429, "Retry-After: 2\nx-ms-retry-after-ms: 1300\nretry-after-ms: 1200\n" USED_UP,
         WORDS("7s"), 1200, 1, 0},
        {429, "Retry-After: 2\nx-ms-retry-after-ms: 1300\n" USED_UP, WORDS("7s"), 1300, 1, 0},
        {429, "Retry-After: 2\n" USED_UP, WORDS("7s"), 2000, 1, 0},
        {429, USED_UP, WORDS("7s"), 7000, 1, 0},
        {429, USED_UP, "{}", 50000, 1, 0},
        {429, "Retry-After: soon\n", WORDS("7s"), 7000, 1, 0},
        {429, "Retry-After: 0\n", NULL, -1, 1, 0},
        /* what stands in the body for the server behind comes after the gateway's own */
        {429, "Retry-After: 2\n",
         "{\"error\":{\"metadata\":{\"headers\":{\"retry-after-ms\":\"900\"}}}}", 2000, 1, 0},
        {429, NULL, "{\"error\":{\"metadata\":{\"headers\":{\"retry-after-ms\":\"900\"}}}}", 900, 1,
         0},
    };
    (void)state;
    check_judged(cases, LENGTH(cases));
}

static void test_resets_are_waits_when_throttled_alone(void **state)
{
    static const struct judged cases[] = {
        {500, USED_UP, NULL, -1, 0, 0},
        {200, USED_UP, NULL, -1, 0, 0},
        {429, USED_UP, NULL, 50000, 1, 0},
        {503, USED_UP, NULL, -1, 0, 0},
        {503, "Retry-After: 3\n", NULL, 3000, 1, 0}, /* 503 with Retry-After is "too fast" */
        /* some is left of it: it was not the one */
        {429, "x-ratelimit-remaining: 1\nx-ratelimit-reset: 50\n", NULL, -1, 1, 0},
        /* the longest of those used up */
        {429,
         "x-ratelimit-remaining-requests: 0\nx-ratelimit-reset-requests: 2s\n"
         "x-ratelimit-remaining-tokens: 0\nx-ratelimit-reset-tokens: 1m2s\n",
         NULL, 62000, 1, 0},
        {429, "RateLimit: \"a\";r=0;t=5, \"b\";r=0;t=3, \"c\";r=1;t=99\n", NULL, 5000, 1, 0},
    };
    (void)state;
    check_judged(cases, LENGTH(cases));
}

static void test_headers_overrule_the_status(void **state)
{
    static const struct judged cases[] = {
        {400, "x-should-retry: true\n", NULL, -1, 0, WEIR__VERDICT_RETRY},
        {500, "X-Should-Retry: false\n", NULL, -1, 0, WEIR__VERDICT_FINAL},
        {429, "x-should-retry: false\nRetry-After: 5\n", NULL, 5000, 1, WEIR__VERDICT_FINAL},
        {529, "x-should-retry: false\n", NULL, -1, 0, WEIR__VERDICT_FINAL}, /* also over the body */
        {409, "Stripe-Should-Retry: true\n", NULL, -1, 0, WEIR__VERDICT_RETRY},
        {500, "x-should-retry: maybe\n", NULL, -1, 0, WEIR__VERDICT_NONE},
        {500, "x-should-retry: maybe\nstripe-should-retry: false\n", NULL, -1, 0,
         WEIR__VERDICT_FINAL},
        /* a body that says why knows better than a flag */
        {429, "x-should-retry: true\n", "{\"error\":{\"code\":\"insufficient_quota\"}}", -1, 0,
         WEIR__VERDICT_FINAL},
        {200, "x-should-retry: true\n", NULL, -1, 0, WEIR__VERDICT_NONE},
    };
    (void)state;
    check_judged(cases, LENGTH(cases));
}

static void test_errors_that_are_final(void **state)
{
    static const char *const bodies[] = {
        "{\"error\":{\"code\":\"insufficient_quota\"}}",
        "{\"error\":{\"type\":\"insufficient_quota\",\"code\":null}}",
        "{\"error\":{\"code\":\"credit_balance_exhausted\"}}",
        "{\"error\":{\"code\":\"organization_spend_limit_exceeded\"}}",
        "{\"error\":{\"code\":\"project_spend_limit_exceeded\"}}",
        "{\"error\":{\"code\":\"organization_usage_limit_exceeded\"}}",
        "{\"error\":{\"details\":{\"error_code\":\"enforced_spend_limit_reached\"}}}",
        "{\"error\":{\"details\":{\"error_code\":\"contract_spend_limit_reached\"}}}",
    };
    (void)state;
    for (size_t i = 0; i < LENGTH(bodies); i++) {
        struct weir__told told = tell(429, NULL, bodies[i]);
        check_field(bodies[i], "verdict", told.verdict, WEIR__VERDICT_FINAL);
        check_field(bodies[i], "throttled", told.throttled, 0);
        assert_non_null(told.cause);
    }
}

static void test_errors_that_are_not(void **state)
{
    static const struct judged cases[] = {
        {429, NULL, "{\"error\":{\"message\":\"see https://x/billing, insufficient_quota\"}}", -1,
         1, 0},
        {429, NULL, "{\"error\":{\"code\":\"insufficient_quota_x\"}}", -1, 1, 0},
        {429, NULL, "{\"error\":\"insufficient_quota\"}", -1, 1, 0},
        {429, NULL, "{\"error\":{\"code\":\"rate_limit_exceeded\"}}", -1, 1, 0}, /* final: 413 */
        {429, NULL, "{\"error\":{\"message\":\"10 calls / month\"}}", -1, 1, 0},
        {403, NULL, "{\"message\":\"10 calls / month\"}", -1, 0, 0},
        {429, NULL, "insufficient_quota", -1, 1, 0},
        {429, NULL, "{\"error\":{\"code\":\"insufficient_quota\"}", -1, 1, 0}, /* cut off */
        {429, NULL, "[]", -1, 1, 0},
        {429, NULL, "[[{\"error\":{\"code\":\"insufficient_quota\"}}]]", -1, 1, 0},
        {500, NULL, "{\"error\":{\"message\":\"x\"}}", -1, 0, 0},
        {413, NULL, "{\"error\":{\"code\":\"too_large\"}}", -1, 0, 0},
    };
    (void)state;
    check_judged(cases, LENGTH(cases));
}

/* An answer that succeeded is read only where it begins as errors do. */
static void test_success_is_not_an_error(void **state)
{
    static const struct judged cases[] = {
        {200, NULL, "{\"id\":1,\"error\":{\"code\":429}}", -1, 0, 0},
        {200, NULL, "{\"error\":null,\"result\":1}", -1, 0, 0},
        {200, NULL, "{\"error\":{\"code\":\"429\"}}", -1, 0, 0},
        {200, NULL, "\"{\\\"error\\\":{\\\"code\\\":429}}\"", -1, 0, 0},
        {200, NULL, "\xEF\xBB\xBF{\"error\":{\"code\":429}}", -1, 1, WEIR__VERDICT_RETRY},
        {200, NULL, "{\"error\":{\"type\":\"rate_limit_error\"}}", -1, 1, WEIR__VERDICT_RETRY},
        {200, NULL, "{\"error\":{\"code\":\"rate_limit_exceeded\"}}", -1, 1, WEIR__VERDICT_RETRY},
        {200, NULL, "{\"error\":{\"type\":\"server_error\"}}", -1, 0, WEIR__VERDICT_RETRY},
        {200, NULL, "{\"type\":\"error\",\"error\":{\"type\":\"api_error\"}}", -1, 0,
         WEIR__VERDICT_RETRY},
        {200, NULL, "{\"error\":{\"type\":\"timeout_error\"}}", -1, 0, WEIR__VERDICT_RETRY},
        {200, NULL, "{\"error\":{\"type\":\"invalid_request_error\"}}", -1, 0, WEIR__VERDICT_FINAL},
        {200, NULL, "{\"error\":{\"type\":\"authentication_error\"}}", -1, 0, WEIR__VERDICT_FINAL},
        {200, NULL, "{\"error\":{\"type\":\"permission_error\"}}", -1, 0, WEIR__VERDICT_FINAL},
        {200, NULL, "{\"error\":{\"type\":\"not_found_error\"}}", -1, 0, WEIR__VERDICT_FINAL},
        {429, NULL, "{\"error\":{\"type\":\"invalid_request_error\"}}", -1, 1, 0},
        {204, NULL, NULL, -1, 0, 0},
        {301, "Retry-After: 5\n", NULL, -1, 0, 0},
        {503, "Retry-After: 5\n", "{\"error\":{\"code\":429}}", 5000, 1, 0},
    };
    (void)state;
    check_judged(cases, LENGTH(cases));
}

static void test_no_answer_says_nothing(void **state)
{
    struct weir__told told;
    (void)state;
    weir_response *response = weir__response_new(100);
    assert_non_null(response);
    weir__provider_tell(response, NOW_S, &told);
    assert_int_equal(told.wait_ms, -1);
    assert_int_equal(told.used, -1);
    assert_int_equal(told.quota_count, 0);
    assert_int_equal(told.verdict, WEIR__VERDICT_NONE);
    assert_false(told.throttled);
    weir_response_free(response);
}

static void test_values_out_of_bounds_are_not_told(void **state)
{
    static const struct {
        const char *head;
        struct weir__quota want;
        unsigned count;
    } cases[] = {
        {"x-ratelimit-limit: 1e3\nx-ratelimit-remaining: 5\n", {0, -1, 5, -1, -1, 1}, 1},
        {"x-ratelimit-limit: 0\nx-ratelimit-remaining: 0\n", {0, -1, 0, -1, -1, 1}, 1},
        {"x-ratelimit-limit: 100.9\nx-ratelimit-remaining: 7.5\n", {0, 100, 7, -1, -1, 1}, 1},
        {"x-ratelimit-limit: 999999999999999\n", {0, 999999999999999, -1, -1, -1, 1}, 1},
        {"x-ratelimit-limit: 1000000000000000\n", {0}, 0},
        {"x-ratelimit-limit: 99999999999999999999999999\n", {0}, 0},
        {"x-ratelimit-remaining: -5\n", {0}, 0},
        {"x-ratelimit-remaining: inf\nx-ratelimit-limit: nan\n", {0}, 0},
        {"x-ratelimit-remaining:\n", {0}, 0},
        {"x-ratelimit-limit: 5 5\n", {0}, 0},
        {"x-ratelimit-reset: 0\n", {0}, 0},
        {"x-ratelimit-reset: 999999999\n", {0, -1, -1, INT64_C(31536000000), -1, 1000}, 1},
        {"X-Shopify-Shop-Api-Call-Limit: 41/40\n", {0, 40, 0, 20000, 20000, 1}, 1},
        {"X-Shopify-Shop-Api-Call-Limit: 4/0\n", {0}, 0},
        {"X-Shopify-Shop-Api-Call-Limit: 40\n", {0}, 0},
        {"X-Shopify-Shop-Api-Call-Limit: 1/1000000001\n", {0}, 0},
        {"x-ratelimit-limit: 10\nx-ratelimit-limit: 20\n", {0, 10, -1, -1, -1, 1}, 1},
    };
    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct weir__told told = tell(200, cases[i].head, NULL);
        check_field(cases[i].head, "quota_count", told.quota_count, cases[i].count);
        if (cases[i].count > 0)
            check_quota(cases[i].head, &told.quotas[0], &cases[i].want);
    }
}

static int64_t window_ms(const char *limit, const char *left, const char *reset)
{
    char head[256];
    snprintf(head, sizeof head,
             "x-ratelimit-limit-requests: %s\nx-ratelimit-remaining-requests: %s\n"
             "x-ratelimit-reset-requests: %s\n",
             limit, left, reset);
    struct weir__told told = tell(200, head, NULL);
    assert_int_equal(told.quota_count, 1);
    return told.quotas[0].window_ms;
}

/* One header for requests per minute and per day; how fast they come back tells which. */
static void test_the_window_by_the_reset(void **state)
{
    (void)state;
    assert_int_equal(window_ms("5000", "4999", "12ms"), 60000);
    assert_int_equal(window_ms("14400", "14370", "2m59.56s"), 86400000);
    assert_int_equal(window_ms("200", "199", "7m12s"), 86400000);
    assert_int_equal(window_ms("3600", "3599", "1s"), 3600000);
    assert_int_equal(window_ms("60", "0", "1m0s"), 60000);
    assert_int_equal(window_ms("60", "0", "30s"), -1);
    assert_int_equal(window_ms("60", "60", "0s"), -1);
    assert_int_equal(window_ms("60", "0", "60"), -1); /* whole seconds are too coarse to tell */
}

static void test_a_cache_knows_no_limits(void **state)
{
    (void)state;
    assert_int_equal(tell(200, "x-ratelimit-limit: 5\nAge: 7\n", NULL).quota_count, 0);
    assert_int_equal(tell(200, "RateLimit: \"a\";r=1\nAge: 7\n", NULL).quota_count, 0);
    assert_int_equal(tell(200, "x-ratelimit-limit: 5\nAge: 0\n", NULL).quota_count, 1);
}

/* What sorts out most headers at a glance lets each one pass that counts. */
static void test_each_known_header_is_heard(void **state)
{
    char line[128];
    size_t i;
    (void)state;
    for (i = 0; weir__heard_name(i) != NULL; i++) {
        struct weir__heard heard;
        snprintf(line, sizeof line, "%s: 1", weir__heard_name(i));
        line[0] = (char)(line[0] - 'a' + 'A');
        weir_response *response = make_answer(200, line, NULL);
        weir__heard_init(&heard);
        weir__heard_all(&heard, response);
        if (heard.roles == 0)
            fail_msg("not heard: %s", line);
        weir_response_free(response);
    }
    assert_true(i > 40);
}

static void test_the_cost_in_a_header(void **state)
{
    (void)state;
    assert_int_equal(tell(200, "x-ratelimit-tokens-query-cost: 52\n", NULL).used, 52);
    assert_int_equal(tell(200, "x-ratelimit-tokens-query-cost: -1\n", NULL).used, -1);
    assert_int_equal(tell(200, NULL, NULL).used, -1);
}

/* ---- bodies that are not to be trusted ---- */

static char *repeated(const char *unit, size_t times, const char *tail)
{
    size_t len = strlen(unit), size = len * times + strlen(tail) + 1;
    char *text = malloc(size);
    assert_non_null(text);
    for (size_t i = 0; i < times; i++)
        memcpy(text + i * len, unit, len);
    memcpy(text + len * times, tail, strlen(tail) + 1);
    return text;
}

static void test_long_bodies_are_not_read(void **state)
{
    static const char tail[] = "{\"error\":{\"code\":\"insufficient_quota\"}}";
    (void)state;
    char *fits = repeated(" ", WEIR__ERROR_BODY_MAX - strlen(tail), tail);
    char *over = repeated(" ", WEIR__ERROR_BODY_MAX - strlen(tail) + 1, tail);
    assert_int_equal(tell(429, NULL, fits).verdict, WEIR__VERDICT_FINAL);
    assert_int_equal(tell(429, NULL, over).verdict, WEIR__VERDICT_NONE);
    free(fits);
    free(over);
}

static int tell_of_depth(void *arg)
{
    assert_int_equal(tell(429, "Retry-After: 3\n", arg).wait_ms, 3000);
    return 0;
}

/* In a task, on its small stack: a run of brackets must not end the program. */
static void test_depth(void **state)
{
    static const size_t depths[] = {99, 100, 101, 1000, 60000};
    (void)state;
    for (size_t i = 0; i < LENGTH(depths); i++) {
        char *open = repeated("[", depths[i], "");
        char *objects = repeated("{\"error\":", depths[i] < 7000 ? depths[i] : 7000, "1");
        assert_int_equal(weir_run(tell_of_depth, open, NULL), 0);
        assert_int_equal(weir_run(tell_of_depth, objects, NULL), 0);
        free(open);
        free(objects);
        char *shut = repeated("]", depths[i], "");
        char *closed = repeated("[", depths[i], shut);
        assert_int_equal(weir_run(tell_of_depth, closed, NULL), 0);
        free(shut);
        free(closed);
    }
}

static void test_headers_in_the_body_are_checked_too(void **state)
{
    static const struct judged cases[] = {
        {429, NULL, "{\"error\":{\"metadata\":{\"headers\":[1]}}}", -1, 1, 0},
        {429, NULL, "{\"error\":{\"metadata\":{\"headers\":{\"Retry-After\":7}}}}", -1, 1, 0},
        {429, NULL, "{\"error\":{\"metadata\":{\"headers\":{\"\":\"7\",\"x\":\"1\"}}}}", -1, 1, 0},
        {429, NULL, "{\"error\":{\"metadata\":7}}", -1, 1, 0},
        {429, NULL, "{\"retry_after\":-7}", -1, 1, 0},
        {429, NULL, "{\"retry_after\":\"7\"}", -1, 1, 0},
        {429, NULL, "{\"retry_after\":1e300}", INT64_C(31536000000), 1, 0},
        {429, NULL, "{\"retry_after\":0.0001}", 1, 1, 0},
        {429, NULL, "{\"retry_after\":2}", 2000, 1, 0},
    };
    (void)state;
    check_judged(cases, LENGTH(cases));
}

/* Without memory there is no body to read, and the headers still count. */
static void test_out_of_memory(void **state)
{
    struct weir__told told;
    (void)state;
    weir_response *response =
        make_answer(429,
                    "Retry-After: 3\nRateLimit: \"a\";r=0\nRateLimit: \"b\";r=0\n"
                    "x-ratelimit-remaining: 4\n",
                    "{\"error\":{\"code\":\"insufficient_quota\"}}");
    weir__mem_fail_at(1);
    weir__provider_tell(response, NOW_S, &told);
    weir__mem_fail_at(0);
    assert_int_equal(told.wait_ms, 3000);
    assert_int_equal(told.quota_count, 1); /* lines that cannot be joined count as not sent */
    weir_response_free(response);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_precedence_of_waits),
        cmocka_unit_test(test_resets_are_waits_when_throttled_alone),
        cmocka_unit_test(test_headers_overrule_the_status),
        cmocka_unit_test(test_errors_that_are_final),
        cmocka_unit_test(test_errors_that_are_not),
        cmocka_unit_test(test_success_is_not_an_error),
        cmocka_unit_test(test_no_answer_says_nothing),
        cmocka_unit_test(test_values_out_of_bounds_are_not_told),
        cmocka_unit_test(test_the_window_by_the_reset),
        cmocka_unit_test(test_a_cache_knows_no_limits),
        cmocka_unit_test(test_each_known_header_is_heard),
        cmocka_unit_test(test_the_cost_in_a_header),
        cmocka_unit_test(test_long_bodies_are_not_read),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_headers_in_the_body_are_checked_too),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
