/* What servers send as Retry-After, and what is made of it, whatever the time zone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/rand.h"
#include "policy/date.h"
#include "policy/retry_after.h"

#define LENGTH(arr) (sizeof(arr) / sizeof((arr)[0]))
#define IGNORED     INT64_C(-1)
#define YEAR_MS     INT64_C(31536000000)

static const int64_t now_s = 1696004797; /* Fri, 29 Sep 2023 16:26:37 GMT */

struct wanted {
    const char *text;
    int64_t result;
};

/* A copy without anything behind it, so that a sanitizer sees a read past the end. */
static char *cut_out(const char *text, size_t len)
{
    char *copy = malloc(len > 0 ? len : 1);
    assert_non_null(copy);
    memcpy(copy, text, len);
    return copy;
}

static int64_t after_ms(const char *text)
{
    size_t len = strlen(text);
    char *copy = cut_out(text, len);
    int64_t result = weir__retry_after_ms(copy, len, now_s);
    free(copy);
    return result;
}

static int64_t http_date_s(const char *text)
{
    size_t len = strlen(text);
    char *copy = cut_out(text, len);
    int64_t result = weir__http_date_s(copy, len);
    free(copy);
    return result;
}

static int64_t millis(const char *text)
{
    return weir__retry_after_millis(text, strlen(text));
}

static void check_all(int64_t (*parse)(const char *), const struct wanted *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int64_t result = parse(cases[i].text);
        if (result != cases[i].result)
            fail_msg("\"%s\": %lld, not %lld", cases[i].text, (long long)result,
                     (long long)cases[i].result);
    }
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct wanted cases[] = {
        {"20", 20000},    {"\t42 ", 42000},
        {"2.0", 2000},    {"1", 1000},
        {"007", 7000},    {"0.5", 500},
        {"0.001", 1},     {"0.0001", 1},
        {"1.0000", 1000}, {"1.00000000000000000000000000000000000000000001", 1001},
        {"7.66", 7660},   {"45.1234", 45124},
        {"600", 600000},
    };
    check_all(after_ms, cases, LENGTH(cases));
}

static void test_not_numbers(void **state)
{
    (void)state;
    static const struct wanted cases[] = {
        {"0", IGNORED},     {"0.0", IGNORED},      {"0.000", IGNORED},
        {"-10", IGNORED},   {"inf", IGNORED},      {"nan", IGNORED},
        {"", IGNORED},      {" ", IGNORED},        {"1e2", IGNORED},
        {"1_0", IGNORED},   {"20s", IGNORED},      {"+5", IGNORED},
        {"2.", IGNORED},    {".5", IGNORED},       {".", IGNORED},
        {"1.2.3", IGNORED}, {"5, 10", IGNORED},    {"5 10", IGNORED},
        {"0x10", IGNORED},  {"1,5", IGNORED},      {"\r\n5", IGNORED},
        {"2.0 s", IGNORED}, {"5;", IGNORED},       {"Infinity", IGNORED},
        {"\v5", IGNORED},   {"\xd9\xa5", IGNORED}, {"12345678901234567890123456789012345", IGNORED},
    };
    check_all(after_ms, cases, LENGTH(cases));
}

static void test_a_nul_is_no_end(void **state)
{
    (void)state;
    assert_int_equal(weir__retry_after_ms("5\0", 2, now_s), IGNORED);
    assert_int_equal(weir__retry_after_ms("57", 1, now_s), 5000);
}

static void test_a_year_at_most(void **state)
{
    (void)state;
    static const struct wanted cases[] = {
        {"31535999", YEAR_MS - 1000}, {"31535999.9999", YEAR_MS},
        {"31536000", YEAR_MS},        {"31536001", YEAR_MS},
        {"999999999", YEAR_MS},       {"999999999.9", YEAR_MS},
        {"253402300799", YEAR_MS},    {"Fri, 31 Dec 9999 23:59:59 GMT", YEAR_MS},
    };
    check_all(after_ms, cases, LENGTH(cases));
}

static void test_points_in_time(void **state)
{
    (void)state;
    static const struct wanted cases[] = {
        {"1743441608", YEAR_MS},   {"1696004817", 20000},      {"1696004797.5", 500},
        {"1696004798", 1000},      {"1696004797", IGNORED},    {"1696004796", IGNORED},
        {"1000000000", IGNORED},   {"1779321600000", IGNORED}, /* milliseconds: not what the header
                                                                  means */
        {"253402300800", IGNORED},
    };
    check_all(after_ms, cases, LENGTH(cases));
    assert_int_equal(weir__retry_after_ms("1743441608", 10, 1743441588), 20000);
    assert_int_equal(weir__retry_after_ms("1743441608", 10, 1743441608), IGNORED);
}

static void test_an_impossible_clock(void **state)
{
    (void)state;
    static const int64_t clocks_s[] = {-1, INT64_MIN, INT64_MAX, INT64_C(253402300800)};
    for (size_t i = 0; i < LENGTH(clocks_s); i++) {
        assert_int_equal(weir__retry_after_ms("1743441608", 10, clocks_s[i]), IGNORED);
        assert_int_equal(weir__retry_after_ms("20", 2, clocks_s[i]), 20000);
    }
}

static void in_each_time_zone(void (*check)(void))
{
    static const char *const zones[] = {
        "UTC0", "EST5EDT", "Asia/Kolkata", "Pacific/Kiritimati", "AAA-14", "BBB+12:34:56", ""};
    for (size_t i = 0; i < LENGTH(zones); i++) {
        assert_int_equal(setenv("TZ", zones[i], 1), 0);
        tzset();
        check();
    }
    unsetenv("TZ");
    tzset();
}

static void check_date_waits(void)
{
    static const struct wanted cases[] = {
        {"Fri, 29 Sep 2023 16:26:57 GMT", 20000},     {"Fri, 29 Sep 2023 16:26:38 GMT", 1000},
        {" Fri, 29 Sep 2023 16:26:57 GMT\t", 20000},  {"Fri, 29 Sep 2023 16:26:37 GMT", IGNORED},
        {"Fri, 29 Sep 2023 16:26:36 GMT", IGNORED},   {"Thu, 28 Sep 2023 16:26:57 GMT", IGNORED},
        {"Friday, 29-Sep-23 16:26:57 GMT", 20000},    {"Fri Sep 29 16:26:57 2023", 20000},
        {"Sun Oct  1 16:26:37 2023", 2 * 86400000},   {"Sat, 30 Sep 2023 16:26:37 GMT", 86400000},
        {"Zun, 29 Sep 2023 16:26:57 GMT", IGNORED},   {"Fri, 31 Feb 2024 16:26:57 GMT", IGNORED},
        {"Fri, 29 Sep 100000 16:26:57 GMT", IGNORED},
    };
    check_all(after_ms, cases, LENGTH(cases));
}

static void test_dates_in_each_time_zone(void **state)
{
    (void)state;
    in_each_time_zone(check_date_waits);
}

/* A server's own clock counts where it tells it. */
static void test_date_against_the_servers_clock(void **state)
{
    (void)state;
    const char *text = "Mon, 05 Aug 2019 09:27:05 GMT";
    int64_t server_s = http_date_s("Mon, 05 Aug 2019 09:27:00 GMT");
    assert_int_equal(weir__retry_after_ms(text, strlen(text), server_s), 5000);
}

static void test_dates(void **state)
{
    (void)state;
    static const struct wanted cases[] = {
        {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
        {"Thu, 01 Jan 1970 00:00:01 GMT", 1},
        {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777},
        {"Sunday, 06-Nov-94 08:49:37 GMT", 784111777},
        {"Sun Nov  6 08:49:37 1994", 784111777},
        {"Sun Nov 06 08:49:37 1994", 784111777},
        {"Tue, 29 Feb 2000 12:00:00 GMT", 951825600},
        {"Thu, 29 Feb 2024 23:59:59 GMT", 1709251199},
        {"Sat, 31 Dec 2016 23:59:60 GMT", 1483228800}, /* a leap second */
        {"Tue, 19 Jan 2038 03:14:08 GMT", INT64_C(2147483648)},
        {"Thursday, 01-Jan-70 00:00:00 GMT", 0},
        {"Tuesday, 31-Dec-69 23:59:59 GMT", INT64_C(3155759999)},
        {"Fri, 31 Dec 9999 23:59:59 GMT", INT64_C(253402300799)},
        {"Mon, 29 Sep 2023 16:26:57 GMT", 1696004817}, /* was a Friday */
    };
    check_all(http_date_s, cases, LENGTH(cases));
}

static void test_not_dates(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "Fri",
        "Fri, ",
        "Wed, 31 Dec 1969 23:59:59 GMT",
        "Sun, 06 Nov 1960 08:49:37 GMT",
        "Sun Nov  6 08:49:37 0000",
        "Thu, 29 Feb 2023 00:00:00 GMT",
        "Thu, 29 Feb 2100 00:00:00 GMT",
        "Fri, 31 Apr 2023 00:00:00 GMT",
        "Fri, 00 Sep 2023 00:00:00 GMT",
        "Fri, 32 Jan 2023 00:00:00 GMT",
        "Fri, 29 Sep 2023 24:00:00 GMT",
        "Fri, 29 Sep 2023 16:60:00 GMT",
        "Fri, 29 Sep 2023 16:26:61 GMT",
        "Fri, 29 Sep 2023 16:26:57",
        "Fri, 29 Sep 2023 16:26:57 UTC",
        "Fri, 29 Sep 2023 16:26:57 +0000",
        "Fri, 29 Sep 2023 16:26:57 GMT+1",
        "Fri, 29 Sep 2023 16:26:57 GMT GMT",
        "Fri, 29 Sep 23 16:26:57 GMT",
        "Fri, 29-Sep-2023 16:26:57 GMT",
        "Fri, 9 Sep 2023 16:26:57 GMT",
        "Fri, 29 Sep 2023 6:26:57 GMT",
        "fri, 29 sep 2023 16:26:57 gmt",
        "Fri,29 Sep 2023 16:26:57 GMT",
        "Fri, 29  Sep 2023 16:26:57 GMT",
        "Friday, 29 Sep 2023 16:26:57 GMT",
        "Fri, 29 Foo 2023 16:26:57 GMT",
        "Fri, -1 Sep 2023 16:26:57 GMT",
        "Fri, 29 Sep -023 16:26:57 GMT",
        "Fri Sep 29 16:26:57 2023 GMT",
        "Fri Sep   1 16:26:57 2023",
        "2023-09-29T16:26:57Z",
    };
    for (size_t i = 0; i < LENGTH(texts); i++)
        if (http_date_s(texts[i]) != -1)
            fail_msg("\"%s\" is taken for a date", texts[i]);
}

/* The C library's calendar agrees, day by day, from 1970 to 2400. */
static void test_every_day(void **state)
{
    (void)state;
    for (int64_t day = 0; day < 430 * 365; day++) {
        time_t when_s = (time_t)(day * 86400 + day * 9973 % 86400);
        struct tm parts;
        assert_non_null(gmtime_r(&when_s, &parts));
        char text[64];
        size_t len = strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
        assert_int_equal(weir__http_date_s(text, len), when_s);
        len = strftime(text, sizeof text, "%a %b %e %H:%M:%S %Y", &parts);
        assert_int_equal(weir__http_date_s(text, len), when_s);
        if (parts.tm_year + 1900 > 2069)
            continue;
        len = strftime(text, sizeof text, "%A, %d-%b-%y %H:%M:%S GMT", &parts);
        assert_int_equal(weir__http_date_s(text, len), when_s);
    }
}

static void test_milliseconds(void **state)
{
    (void)state;
    static const struct wanted cases[] = {
        {"1500", 1500},
        {" 20 ", 20},
        {"1500.0", 1500},
        {"1500.01", 1501},
        {"0.2", 1},
        {"1743441608", 1743441608}, /* 20 days, not a point in time */
        {"31536000000", YEAR_MS},
        {"31536000001", YEAR_MS},
        {"253402300800", YEAR_MS},
        {"0", IGNORED},
        {"0.0", IGNORED},
        {"", IGNORED},
        {"-5", IGNORED},
        {"5ms", IGNORED},
        {"1e3", IGNORED},
        {"12345678901234567890123456789012345", IGNORED},
        {"Fri, 29 Sep 2023 16:26:57 GMT", IGNORED},
    };
    check_all(millis, cases, LENGTH(cases));
}

/* Whatever comes, the result is -1 or a wait of 1 ms to a year, and nothing outside the text is
 * read. */
static void test_random_bytes(void **state)
{
    (void)state;
    static const char *const seeds[] = {"Fri, 29 Sep 2023 16:26:57 GMT", "Fri Sep 29 16:26:57 2023",
                                        "Friday, 29-Sep-23 16:26:57 GMT", "1743441608.25",
                                        "99999999999999999"};
    static const char alphabet[] = "0123456789., :-GMTFrid\t+eE%\xff";
    struct weir__rand rand;
    weir__rand_seed(&rand, 7);
    for (int run = 0; run < 50000; run++) {
        const char *seed = seeds[weir__rand_upto(&rand, LENGTH(seeds) - 1)];
        size_t len = (size_t)weir__rand_upto(&rand, (int64_t)strlen(seed));
        char *text = cut_out(seed, len);
        for (int i = 0; len > 0 && i < 2; i++)
            text[weir__rand_upto(&rand, (int64_t)len - 1)] =
                alphabet[weir__rand_upto(&rand, sizeof alphabet - 1)];
        int64_t results[] = {weir__retry_after_ms(text, len, now_s),
                             weir__retry_after_millis(text, len)};
        free(text);
        for (size_t i = 0; i < LENGTH(results); i++)
            assert_true(results[i] == -1 || (results[i] >= 1 && results[i] <= YEAR_MS));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_not_numbers),
        cmocka_unit_test(test_a_nul_is_no_end),
        cmocka_unit_test(test_a_year_at_most),
        cmocka_unit_test(test_points_in_time),
        cmocka_unit_test(test_an_impossible_clock),
        cmocka_unit_test(test_dates_in_each_time_zone),
        cmocka_unit_test(test_date_against_the_servers_clock),
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_not_dates),
        cmocka_unit_test(test_every_day),
        cmocka_unit_test(test_milliseconds),
        cmocka_unit_test(test_random_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
