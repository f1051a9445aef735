/* What headers of the known APIs mean: whose id, and how long a wait. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "http/response.h"
#include "provider/provider.h"

enum { NOW_S = 1696004797 }; /* Fri, 29 Sep 2023 16:26:37 GMT */

#define MAX_HEADERS 4

struct header {
    const char *name, *value;
};

static weir_response *answer(int status, const struct header headers[MAX_HEADERS])
{
    weir_response *response = weir__response_new(1000);
    assert_non_null(response);
    assert_int_equal(weir_response_set_status(response, status), 0);
    for (size_t i = 0; i < MAX_HEADERS && headers[i].name != NULL; i++)
        assert_int_equal(weir_response_add_header(response, headers[i].name, headers[i].value), 0);
    return response;
}

static int64_t wait_ms(const struct header headers[MAX_HEADERS])
{
    weir_response *response = answer(429, headers);
    struct weir__told told;
    weir__provider_tell(response, NOW_S, &told);
    weir_response_free(response);
    return told.wait_ms;
}

static void test_wait(void **state)
{
    static const struct {
        struct header headers[MAX_HEADERS];
        int64_t want_ms;
    } cases[] = {
        {{{NULL, NULL}}, -1},
        {{{"Retry-After", "20"}}, 20000},
        {{{"retry-after", "20"}}, 20000},
        {{{"Retry-After", "2.0"}}, 2000},   /* Shopify */
        {{{"retry-after-ms", "120"}}, 120}, /* OpenAI */
        {{{"x-ms-retry-after-ms", "55000"}}, 55000},
        {{{"Retry-After", "Fri, 29 Sep 2023 16:26:57 GMT"}}, 20000},
        {{{"Retry-After", "1696004817"}}, 20000}, /* a point in time, in seconds */
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(wait_ms(cases[i].headers), cases[i].want_ms);
}

static void test_useless_waits_are_none(void **state)
{
    static const char *const values[] = {"0",
                                         "-10",
                                         "inf",
                                         "nan",
                                         "",
                                         "1e2",
                                         "20s",
                                         "1_0",
                                         "99999999999999999999999999999999999",
                                         "Fri, 29 Sep 2023 16:26:37 GMT"};
    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        const struct header headers[MAX_HEADERS] = {{"Retry-After", values[i]}};
        assert_int_equal(wait_ms(headers), -1);
    }
}

static void test_the_finer_unit_goes_first(void **state)
{
    static const struct header all[MAX_HEADERS] = {{"Retry-After", "2"},
                                                   {"x-ms-retry-after-ms", "1300"},
                                                   {"Retry-After-Ms", "1200"}};
    static const struct header two[MAX_HEADERS] = {{"Retry-After", "2"},
                                                   {"x-ms-retry-after-ms", "1300"}};
    (void)state;
    assert_int_equal(wait_ms(all), 1200);
    assert_int_equal(wait_ms(two), 1300);
}

static void test_a_useless_one_makes_way_for_the_next(void **state)
{
    static const struct header headers[MAX_HEADERS] = {{"retry-after-ms", "soon"},
                                                       {"Retry-After", "3"}};
    (void)state;
    assert_int_equal(wait_ms(headers), 3000);
}

/* The server's date and its own clock belong together; ours may be wrong by hours. */
static void test_dates_count_from_the_answers_own_date(void **state)
{
    static const struct header own[MAX_HEADERS] = {{"Date", "Mon, 05 Aug 2019 09:27:00 GMT"},
                                                   {"Retry-After", "Mon, 05 Aug 2019 09:27:05 GMT"},
                                                   {"RateLimit", "\"default\";r=0;t=5"}};
    static const struct header bad[MAX_HEADERS] = {{"Date", "yesterday"},
                                                   {"Retry-After",
                                                    "Fri, 29 Sep 2023 16:26:40 GMT"}};
    static const struct header seconds[MAX_HEADERS] = {{"Date", "Mon, 05 Aug 2019 09:27:00 GMT"},
                                                       {"Retry-After", "7"}};
    (void)state;
    assert_int_equal(wait_ms(own), 5000);
    assert_int_equal(wait_ms(bad), 3000);
    assert_int_equal(wait_ms(seconds), 7000);
}

/* Recorded answers of real services, as far as their headers go. */
static void test_recorded_answers(void **state)
{
    static const struct {
        struct header headers[MAX_HEADERS];
        int64_t want_ms;
    } cases[] = {
        {{{"retry-after", "23"},
          {"anthropic-ratelimit-requests-limit", "1000"},
          {"anthropic-ratelimit-input-tokens-reset", "2026-05-18T11:42:18Z"}},
         23000},
        {{{"retry-after", "17"}}, 17000}, /* Groq */
        {{{"Retry-After", "30"}}, 30000}, /* Slack */
        {{{"Retry-After", "2.0"}, {"X-Shopify-Shop-Api-Call-Limit", "40/40"}}, 2000},
        {{{"x-ratelimit-limit", "5000"}, {"x-ratelimit-remaining", "4990"}}, -1}, /* GitHub */
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(wait_ms(cases[i].headers), cases[i].want_ms);
}

static void assert_request_id(const struct header headers[MAX_HEADERS], const char *want)
{
    weir_response *response = answer(200, headers);
    size_t len = 0;
    const char *id = weir_response_request_id(response, &len);
    if (want == NULL) {
        assert_null(id);
    } else {
        assert_non_null(id);
        assert_int_equal(len, strlen(want));
        assert_memory_equal(id, want, len);
        assert_ptr_equal(weir_response_request_id(response, NULL), id);
    }
    weir_response_free(response);
}

static void test_request_id(void **state)
{
    static const struct header none[MAX_HEADERS] = {{"X-Request", "no"}};
    static const struct header openai[MAX_HEADERS] = {{"CF-Ray", "8a"},
                                                      {"X-Request-Id", " req_1 "}};
    static const struct header anthropic[MAX_HEADERS] = {{"cf-ray", "8a"}, {"request-id", "req_2"}};
    static const struct header bedrock[MAX_HEADERS] = {{"x-amzn-RequestId", "req_3"}};
    static const struct header azure[MAX_HEADERS] = {{"apim-request-id", "req_4"}};
    static const struct header edge[MAX_HEADERS] = {{"cf-ray", "8a"}};
    (void)state;
    assert_request_id(none, NULL);
    assert_request_id(openai, "req_1");
    assert_request_id(anthropic, "req_2");
    assert_request_id(bedrock, "req_3");
    assert_request_id(azure, "req_4");
    assert_request_id(edge, "8a");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wait),
        cmocka_unit_test(test_useless_waits_are_none),
        cmocka_unit_test(test_the_finer_unit_goes_first),
        cmocka_unit_test(test_a_useless_one_makes_way_for_the_next),
        cmocka_unit_test(test_dates_count_from_the_answers_own_date),
        cmocka_unit_test(test_recorded_answers),
        cmocka_unit_test(test_request_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
