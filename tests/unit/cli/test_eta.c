/* The time that is left, by the pace of rows that were sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "eta.h"

/* A run that goes on at 10 rows a second, looked at each second. */
struct bench {
    struct eta eta;
    struct eta_rows rows;
    int64_t now_ms;
};

static struct bench bench_of(uint64_t total)
{
    struct bench bench = {.rows = {.total = total}, .now_ms = 5000};
    eta_begin(&bench.eta, bench.now_ms);
    return bench;
}

static int64_t second(struct bench *bench, uint64_t sent, uint64_t bad)
{
    bench->now_ms += 1000;
    bench->rows.sent += sent;
    bench->rows.done += sent + bad;
    return eta_left_ms(&bench->eta, &bench->rows, bench->now_ms);
}

static int64_t seconds(struct bench *bench, int count, uint64_t sent, uint64_t bad)
{
    int64_t left_ms = ETA_UNKNOWN;
    while (count-- > 0)
        left_ms = second(bench, sent, bad);
    return left_ms;
}

static void assert_about(int64_t got_ms, int64_t want_ms)
{
    assert_in_range(got_ms, want_ms - want_ms / 100, want_ms + want_ms / 100);
}

static void test_steady(void **state)
{
    struct bench bench = bench_of(1000);
    (void)state;
    assert_int_equal(second(&bench, 0, 0), ETA_UNKNOWN);
    bench = bench_of(1000);
    assert_about(second(&bench, 10, 0), 99000);
    assert_about(seconds(&bench, 49, 10, 0), 50000);
    assert_int_equal(seconds(&bench, 50, 10, 0), ETA_UNKNOWN); /* nothing is left */
}

static void test_an_unknown_total(void **state)
{
    struct bench bench = bench_of(0);
    (void)state;
    assert_int_equal(second(&bench, 10, 0), ETA_UNKNOWN);
}

static void test_bad_rows_cost_nothing(void **state)
{
    struct bench bench = bench_of(2000);
    (void)state;
    /* As many bad ones as good ones: of the 1,000 to come 500 will be sent. */
    assert_about(seconds(&bench, 50, 10, 10), 50000);
    /* Of bad ones alone nothing follows. */
    bench = bench_of(2000);
    assert_int_equal(seconds(&bench, 5, 0, 100), ETA_UNKNOWN);
}

static void test_a_burst_of_bad_rows_is_no_pace(void **state)
{
    struct bench bench = bench_of(100000);
    (void)state;
    int64_t before_ms = seconds(&bench, 60, 10, 0);
    int64_t after_ms = second(&bench, 10, 50);
    assert_true(after_ms > before_ms * 9 / 10);
}

static void test_a_pause_is_added_and_does_not_slow_the_pace(void **state)
{
    struct bench bench = bench_of(1000);
    (void)state;
    assert_about(seconds(&bench, 50, 10, 0), 50000);
    for (int left_s = 300; left_s > 0; left_s--) {
        bench.rows.held_ms = left_s * 1000;
        assert_about(second(&bench, 0, 0), 50000 + left_s * 1000);
    }
    bench.rows.held_ms = 0;
    assert_about(second(&bench, 10, 0), 49000);
}

static void test_while_nobody_knows_nothing_is_said(void **state)
{
    struct bench bench = bench_of(1000);
    (void)state;
    seconds(&bench, 50, 10, 0);
    bench.rows.held_ms = ETA_UNKNOWN;
    assert_int_equal(seconds(&bench, 3600, 0, 0), ETA_UNKNOWN);
    bench.rows.held_ms = 0;
    assert_about(second(&bench, 10, 0), 49000);
}

static void test_it_is_not_faster_than_the_limit(void **state)
{
    struct bench bench = bench_of(1000);
    (void)state;
    bench.rows.most_per_s = 5;
    assert_about(seconds(&bench, 50, 10, 0), 100000);
    bench.rows.most_per_s = 1000;
    assert_about(second(&bench, 10, 0), 49000);
}

static void test_extremes(void **state)
{
    struct bench bench = bench_of(UINT64_MAX);
    (void)state;
    assert_true(seconds(&bench, 2, 1, 0) > 0);
    bench.rows.held_ms = INT64_MAX / 2;
    assert_true(second(&bench, 1, 0) > 0);
    assert_true(eta_left_ms(&bench.eta, &bench.rows, bench.now_ms) > 0); /* no time has passed */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steady),
        cmocka_unit_test(test_an_unknown_total),
        cmocka_unit_test(test_bad_rows_cost_nothing),
        cmocka_unit_test(test_a_burst_of_bad_rows_is_no_pace),
        cmocka_unit_test(test_a_pause_is_added_and_does_not_slow_the_pace),
        cmocka_unit_test(test_while_nobody_knows_nothing_is_said),
        cmocka_unit_test(test_it_is_not_faster_than_the_limit),
        cmocka_unit_test(test_extremes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
