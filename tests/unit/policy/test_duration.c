/* Lengths of time, waits in words, resets and timestamps, as servers write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/date.h"
#include "policy/duration.h"

#define LENGTH(arr) (sizeof(arr) / sizeof((arr)[0]))
#define YEAR_MS     WEIR__LONGEST_MS

static const int64_t now_s = 1696004797; /* Fri, 29 Sep 2023 16:26:37 GMT */

struct wanted {
    const char *text;
    int64_t result;
};

static void check_all(int64_t (*parse)(const char *, size_t), const struct wanted *cases,
                      size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(cases[i].text);
        char *copy = malloc(len > 0 ? len : 1); /* nothing behind it */
        assert_non_null(copy);
        memcpy(copy, cases[i].text, len);
        int64_t result = parse(copy, len);
        free(copy);
        if (result != cases[i].result)
            fail_msg("\"%s\": %lld, not %lld", cases[i].text, (long long)result,
                     (long long)cases[i].result);
    }
}

static void test_durations(void **state)
{
    static const struct wanted cases[] = {
        {"1s", 1000},
        {"6m0s", 360000},
        {"120ms", 120},
        {"8ms", 8},
        {"1h2m3.5s", 3723500},
        {"2m59.56s", 179560},
        {"7.66s", 7660},
        {"0s", 0},
        {"0.5ms", 1},
        {"539.477544ms", 540},
        {"56.185908122s", 56186},
        {"0.539477544s", 540},
        {"1000us", 1},
        {"1001us", 2},
        {"1500\xC2\xB5s", 2},
        {"1500\xCE\xBCs", 2},
        {"1ns", 1},
        {"2000000ns", 2},
        {"1h", 3600000},
        {"5m", 300000},
        {"1h5ms", 3600005},
        {" 1s\t", 1000},
        {"8760h", YEAR_MS},
        {"8761h", YEAR_MS},
        {"999999999999999h", YEAR_MS},
        {"999999999999999m", YEAR_MS},
        {"999999999999999s", YEAR_MS},
        {"8759h59m59.9999s", YEAR_MS},
    };
    static const struct wanted none[] = {
        {"", -1},     {"s", -1},    {"5", -1},    {"-1s", -1},    {"1.5h", -1},
        {"1.5m", -1}, {"1s1m", -1}, {"1m1h", -1}, {"1s2s", -1},   {"1 s", -1},
        {"1.s", -1},  {".5s", -1},  {"1S", -1},   {"1sec", -1},   {"1s.", -1},
        {"1d", -1},   {"+1s", -1},  {"1e3s", -1}, {"1m s", -1},   {"infs", -1},
        {"5m5", -1},  {"1h2", -1},  {"1msx", -1}, {"1\xC2s", -1}, {"1000000000000000s", -1},
    };
    (void)state;
    check_all(weir__duration_ms, cases, LENGTH(cases));
    check_all(weir__duration_ms, none, LENGTH(none));
}

static void test_waits_in_words(void **state)
{
    static const struct wanted cases[] = {
        {"Please try again in 20s. Visit", 20000},
        {"Please try again in 120ms.", 120},
        {"Please try again in 8m32s.", 512000},
        {"Please retry after 45 seconds.", 45000},
        {"Please retry in 56.185908122s.", 56186},
        {"try again in 16.239999999s", 16240},
        {"TRY AGAIN IN 1 MINUTE", 60000},
        {"retry in 1.5 hours", 5400000},
        {"retry after 2 days, please", 172800000},
        {"retry after 11 hours", 39600000},
        {"retry in 1millisecond", 1},
        {"retry in 0.5 milliseconds", 1},
        {"retry after 5 secs", 5000},
        {"retry in 0s, or try again in 3s", 3000},
        {"do not retry in vain; try again in 3s!", 3000},
        {"retry after 999999999 days", YEAR_MS},
        {"try again in 999999h", YEAR_MS},
        {"retry in 5s\nretry in 9s", 5000},
    };
    static const struct wanted none[] = {
        {"", -1},
        {"try again in ", -1},
        {"try again in 5", -1},
        {"try again in 5 apples", -1},
        {"try again in -5s", -1},
        {"try again in five seconds", -1},
        {"try again in 0 seconds", -1},
        {"try again later", -1},
        {"in 20s", -1},
        {"try again in 5.s", -1},
    };
    (void)state;
    check_all(weir__wait_in_words_ms, cases, LENGTH(cases));
    check_all(weir__wait_in_words_ms, none, LENGTH(none));
}

static void test_words_in_the_beginning_alone(void **state)
{
    static char text[4096];
    (void)state;
    for (size_t at = 2030; at < 2050; at++) {
        memset(text, '.', sizeof text);
        memcpy(text + at, "retry in 5s ", 12);
        bool whole = at + strlen("retry in 5s") <= 2048;
        assert_int_equal(weir__wait_in_words_ms(text, sizeof text), whole ? 5000 : -1);
    }
}

static int64_t reset_ms(const char *text, size_t len)
{
    int64_t step_ms;
    int64_t ms = weir__reset_ms(text, len, now_s, &step_ms);
    assert_true(ms < 0 || step_ms == 1 || step_ms == 1000);
    return ms;
}

static void test_resets(void **state)
{
    static const struct wanted cases[] = {
        {"12ms", 12},
        {"6m0s", 360000},
        {"0", 0},
        {"55", 55000},
        {"7.66", 7660},
        {"999999999", YEAR_MS},
        {"1000000000", 0}, /* from here on a point in time */
        {"1696004857", 60000},
        {"1696004857.25", 60250},
        {"1696004797", 0},
        {"9999999999", YEAR_MS},
        {"10000000000", 0}, /* from here on in ms */
        {"1696004857123", 60123},
        {"1696004796999", 0},
        {"253402300799000", YEAR_MS},
        {"2023-09-29T16:27:37Z", 60000},
        {"2023-09-29T16:26:00Z", 0},
        {"Fri, 29 Sep 2023 16:27:37 GMT", 60000},
        {" 55 ", 55000},
    };
    static const struct wanted none[] = {
        {"", -1},   {"-1", -1},   {"1e3", -1}, {"inf", -1},      {"5 6", -1},
        {"5,", -1}, {"soon", -1}, {"0x5", -1}, {"1.", -1},       {"253402300800000", -1},
        {"+5", -1}, {"5_0", -1},  {"5\n", -1}, {"\xd9\xa5", -1}, {"9999999999999999", -1},
    };
    (void)state;
    check_all(reset_ms, cases, LENGTH(cases));
    check_all(reset_ms, none, LENGTH(none));
}

static void test_steps_of_resets(void **state)
{
    static const struct wanted cases[] = {
        {"12ms", 1},
        {"6m0s", 1},
        {"55", 1000},
        {"55.5", 1},
        {"55.0", 1},
        {"1696004857", 1000},
        {"1696004857.5", 1000},
        {"1696004857123", 1000},
        {"2023-09-29T16:27:37.5Z", 1000},
        {"Fri, 29 Sep 2023 16:27:37 GMT", 1000},
    };
    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        int64_t step_ms;
        assert_true(weir__reset_ms(cases[i].text, strlen(cases[i].text), now_s, &step_ms) >= 0);
        if (step_ms != cases[i].result)
            fail_msg("\"%s\": step %lld", cases[i].text, (long long)step_ms);
    }
}

static void test_an_impossible_clock(void **state)
{
    static const int64_t clocks_s[] = {-1, INT64_MIN, INT64_MAX, WEIR__LAST_TIME_S + 1};
    int64_t step_ms;
    (void)state;
    for (size_t i = 0; i < LENGTH(clocks_s); i++) {
        assert_int_equal(weir__reset_ms("1696004857", 10, clocks_s[i], &step_ms), -1);
        assert_int_equal(weir__reset_ms("55", 2, clocks_s[i], &step_ms), 55000);
    }
}

static void test_timestamps(void **state)
{
    static const struct wanted cases[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2023-09-29T16:26:37Z", INT64_C(1696004797000)},
        {"2023-09-29t16:26:37z", INT64_C(1696004797000)},
        {"2023-09-29 16:26:37Z", INT64_C(1696004797000)},
        {" 2023-09-29T16:26:37Z ", INT64_C(1696004797000)},
        {"2023-09-29T18:26:37+02:00", INT64_C(1696004797000)},
        {"2023-09-29T10:56:37-05:30", INT64_C(1696004797000)},
        {"2023-09-29T16:26:37.5Z", INT64_C(1696004797500)},
        {"2023-09-29T16:26:37.123Z", INT64_C(1696004797123)},
        {"2023-09-29T16:26:37.1230Z", INT64_C(1696004797123)},
        {"2023-09-29T16:26:37.1230001Z", INT64_C(1696004797124)},
        {"2024-02-29T00:00:00Z", INT64_C(1709164800000)},
        {"2016-12-31T23:59:60Z", INT64_C(1483228800000)},
        {"9999-12-31T23:59:59Z", INT64_C(253402300799000)},
    };
    static const struct wanted none[] = {
        {"", -1},
        {"2023-09-29", -1},
        {"2023-09-29T16:26:37", -1},
        {"2023-09-29T16:26Z", -1},
        {"2023-9-29T16:26:37Z", -1},
        {"2023-02-29T16:26:37Z", -1},
        {"2023-13-01T00:00:00Z", -1},
        {"2023-00-01T00:00:00Z", -1},
        {"2023-01-01T24:00:00Z", -1},
        {"2023-01-01T00:60:00Z", -1},
        {"2023-01-01T00:00:00.Z", -1},
        {"2023-01-01T00:00:00,5Z", -1},
        {"2023-01-01T00:00:00+24:00", -1},
        {"2023-01-01T00:00:00+0100", -1},
        {"2023-01-01T00:00:00Zx", -1},
        {"20230101T000000Z", -1},
        {"1969-12-31T23:59:59Z", -1},
        {"1970-01-01T00:00:00+00:01", -1},
        {"9999-12-31T23:59:59-00:01", -1},
        {"10000-01-01T00:00:00Z", -1},
    };
    (void)state;
    check_all(weir__timestamp_ms, cases, LENGTH(cases));
    check_all(weir__timestamp_ms, none, LENGTH(none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_waits_in_words),
        cmocka_unit_test(test_words_in_the_beginning_alone),
        cmocka_unit_test(test_resets),
        cmocka_unit_test(test_steps_of_resets),
        cmocka_unit_test(test_an_impossible_clock),
        cmocka_unit_test(test_timestamps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
