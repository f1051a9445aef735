/* The status line: what it says, and what goes first where the terminal is narrow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "eta.h"
#include "numbers.h"
#include "status.h"

/* All that can be said, but for a server that is away. */
static struct status full(void)
{
    return (struct status){
        .rows = 12345,
        .total = 1000000,
        .estimated = true,
        .failed = 12,
        .retries = 33,
        .throttled = 7,
        .in_flight = 64,
        .per_s = 99.94,
        .left_ms = 9900000,
        .server = "https://api.example.com:443",
        .limit = {.blocked = WEIR_BLOCKED_GATE, .blocked_ms = 299000, .told_remaining = -1},
    };
}

static void assert_line(const struct status *status, size_t columns, const char *want)
{
    char line[STATUS_ROOM];
    assert_string_equal(status_line(line, status, columns), want);
    assert_true(columns == 0 || strlen(line) <= columns);
}

static void test_all_of_it(void **state)
{
    struct status status = full();
    (void)state;
    assert_line(&status, 0,
                "12,345 of about 1,000,000 rows (1 %), 12 failed, 99.9/s, 2 h 45 min left; 64 in "
                "flight, 33 retries, 7 too fast; limited by the server's pause, 4 min 59 s "
                "(https://api.example.com:443)");
}

static void test_what_limits_is_said_at_every_width(void **state)
{
    struct status status = full();
    (void)state;
    assert_line(&status, 119,
                "12,345 of about 1,000,000 rows, 12 failed, 2 h 45 min left; server's pause, "
                "4 min 59 s (https://api.example.com:443)");
    assert_line(&status, 79,
                "12,345 of about 1,000,000 rows, 2 h 45 min left; server's pause, 4 min 59 s");
    assert_line(&status, 39, "12,345 rows; server's pause, 4 min 59 s");
    assert_line(&status, 20, "12,345 rows; server'");
}

/* One column less each time: parts go in the stated order, and none comes back. */
static void test_the_order(void **state)
{
    static const char *const parts[] = {
        "33 retries", "too fast", "(1 %)",     "limited by", "in flight",
        "99.9/s",     "example",  "12 failed", "left",       "1,000,000",
    };
    struct status status = full();
    size_t gone = 0;
    char line[STATUS_ROOM];
    (void)state;
    for (size_t columns = 250; columns >= 39; columns--) {
        status_line(line, &status, columns);
        while (gone < 10 && strstr(line, parts[gone]) == NULL)
            gone++;
        for (size_t i = gone; i < 10; i++)
            assert_non_null(strstr(line, parts[i]));
        for (size_t i = 0; i < gone; i++)
            assert_null(strstr(line, parts[i]));
        assert_non_null(strstr(line, "server's pause, 4 min 59 s"));
    }
    assert_int_equal(gone, 10);
}

static void test_a_server_that_is_away_is_said_at_every_width(void **state)
{
    struct status status = full();
    (void)state;
    status.left_ms = ETA_UNKNOWN;
    status.in_flight = 0;
    status.away = "http://127.0.0.1:8080";
    status.away_ms = 312000;
    status.away_count = 3;
    assert_line(&status, 0,
                "12,345 of about 1,000,000 rows (1 %), 12 failed, 99.9/s; 0 in flight, 33 retries, "
                "7 too fast; waiting for http://127.0.0.1:8080, away for 5 min 12 s (and 2 more)");
    assert_line(&status, 119,
                "12,345 of about 1,000,000 rows, 12 failed, 99.9/s; 0 in flight; "
                "http://127.0.0.1:8080 away for 5 min 12 s");
    assert_line(&status, 79,
                "12,345 of about 1,000,000 rows, 12 failed; server away for 5 min 12 s");
    assert_line(&status, 39, "12,345 rows; server away for 5 min 12 s");
}

static void assert_limit(const struct weir_limiter_stats *limit, const char *want)
{
    struct status status = {.rows = 1, .left_ms = ETA_UNKNOWN, .limit = *limit};
    char line[STATUS_ROOM];
    status_line(line, &status, 0);
    assert_string_equal(line + strlen("1 rows, 0.0/s; 0 in flight"), want);
}

static void test_what_limits(void **state)
{
    struct weir_limiter_stats limit = {.blocked = WEIR_BLOCKED_RATE, .told_remaining = -1};
    (void)state;
    assert_limit(&limit, "; limited by the rate");
    limit.blocked = WEIR_BLOCKED_TOKENS;
    assert_limit(&limit, "; limited by the rate of tokens");
    limit.blocked = WEIR_BLOCKED_CONCURRENCY;
    assert_limit(&limit, "; limited by the concurrency");
    limit.blocked = WEIR_BLOCKED_GATE;
    limit.holding = 1;
    limit.blocked_ms = 1000;
    assert_limit(&limit, "; starting again gently after a pause");
    limit.blocked_ms = 1001;
    assert_limit(&limit, "; limited by the server's pause, 1.0 s");
    limit.blocked = WEIR_BLOCKED_LEARNED;
    limit.learned_per_s = 9.934;
    limit.told_remaining = 0;
    limit.told_limit = 600;
    limit.blocked_ms = 5000;
    assert_limit(&limit,
                 "; limited by the server's limit, 9.93/s, none of 600 left, next in 5.0 s");
    limit.blocked = WEIR_BLOCKED_NOT;
    assert_limit(&limit, "");
    struct status status = {.rows = 1, .left_ms = ETA_UNKNOWN, .input_is_slow = true};
    assert_line(&status, 0, "1 rows, 0.0/s; 0 in flight; limited by the input");
}

static void test_how_long_nothing_can_be_sent(void **state)
{
    struct status status = {
        .limit = {.blocked = WEIR_BLOCKED_GATE, .blocked_ms = 300000, .told_remaining = -1}};
    (void)state;
    assert_int_equal(status_held_ms(&status, false), 300000);
    status.in_flight = 1;
    assert_int_equal(status_held_ms(&status, false), 0);
    status.in_flight = 0;
    status.limit.told_remaining = 0; /* nor is it clear how often that will be so */
    assert_int_equal(status_held_ms(&status, false), ETA_UNKNOWN);
    status.limit = (struct weir_limiter_stats){.blocked = WEIR_BLOCKED_NOT};
    assert_int_equal(status_held_ms(&status, false), 0);
    assert_int_equal(status_held_ms(&status, true), ETA_UNKNOWN);
    status.away = "http://a:80";
    assert_int_equal(status_held_ms(&status, false), ETA_UNKNOWN);
    status.in_flight = 1; /* it finds out whether it is back */
    assert_int_equal(status_held_ms(&status, false), ETA_UNKNOWN);
    status.one_is_there = true;
    assert_int_equal(status_held_ms(&status, false), 0);
}

static void test_rates_as_options(void **state)
{
    static const struct {
        double per_s;
        const char *want;
    } cases[] = {{9.934, "596/min"}, {1000, "1000/s"}, {100, "100/s"}, {99.5, "5970/min"},
                 {0.1, "360/h"},     {0.0001, "8/d"},  {1e-9, "1/d"},  {50, "3000/min"},
                 {2.0, "120/min"},   {123.9, "123/s"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[48];
        uint64_t rate;
        int64_t period_ms;
        assert_string_equal(format_rate(text, cases[i].per_s), cases[i].want);
        assert_true(read_rate(text, &rate, &period_ms));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_of_it),
        cmocka_unit_test(test_what_limits_is_said_at_every_width),
        cmocka_unit_test(test_the_order),
        cmocka_unit_test(test_a_server_that_is_away_is_said_at_every_width),
        cmocka_unit_test(test_what_limits),
        cmocka_unit_test(test_how_long_nothing_can_be_sent),
        cmocka_unit_test(test_rates_as_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
