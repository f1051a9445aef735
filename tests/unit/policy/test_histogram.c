/* The histogram of times: exact at powers of two, within an eighth elsewhere, whatever comes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rand.h"
#include "policy/histogram.h"

static void nothing_yet(void **unused)
{
    (void)unused;
    struct weir__histogram empty = {.count = 0};
    assert_int_equal(weir__histogram_quantile_ns(&empty, 50), -1);
    assert_int_equal(weir__histogram_below(&empty, 43), 0);
}

static void powers_of_two_are_bounds(void **unused)
{
    (void)unused;
    for (unsigned bit = 15; bit <= 43; bit++) {
        struct weir__histogram histogram = {.count = 0};
        weir__histogram_add(&histogram, ((int64_t)1 << bit) - 1);
        weir__histogram_add(&histogram, (int64_t)1 << bit);
        assert_int_equal(weir__histogram_below(&histogram, bit), 1);
        assert_int_equal(weir__histogram_below(&histogram, 15), bit == 15);
        if (bit < 43)
            assert_int_equal(weir__histogram_below(&histogram, bit + 1), 2);
    }
}

static void ends_of_the_scale(void **unused)
{
    (void)unused;
    struct weir__histogram histogram = {.count = 0};
    weir__histogram_add(&histogram, -5);
    weir__histogram_add(&histogram, 0);
    weir__histogram_add(&histogram, INT64_MAX);
    assert_int_equal(histogram.count, 3);
    assert_int_equal(histogram.sum_ns, INT64_MAX);
    assert_int_equal(weir__histogram_below(&histogram, 15), 2);
    assert_int_equal(weir__histogram_below(&histogram, 43), 2);
    assert_true(weir__histogram_quantile_ns(&histogram, 1) < 1 << 15);
    assert_true(weir__histogram_quantile_ns(&histogram, 99) > (int64_t)1 << 43);
    assert_int_equal(weir__histogram_quantile_ns(&histogram, 0), -1);
    assert_int_equal(weir__histogram_quantile_ns(&histogram, 100), -1);
}

/* Against the sorted values themselves. */
static void quantiles_are_within_an_eighth(void **unused)
{
    (void)unused;
    enum { N = 999 };
    struct weir__histogram histogram = {.count = 0};
    int64_t values[N];
    struct weir__rand rand;
    weir__rand_seed(&rand, 7);
    for (int i = 0; i < N; i++) {
        values[i] = 100000 + weir__rand_upto(&rand, (int64_t)1 << (20 + i % 15));
        weir__histogram_add(&histogram, values[i]);
        for (int j = i; j > 0 && values[j - 1] > values[j]; j--) {
            int64_t then = values[j];
            values[j] = values[j - 1];
            values[j - 1] = then;
        }
    }
    for (unsigned percent = 1; percent <= 99; percent++) {
        int64_t exact = values[(N * percent + 99) / 100 - 1];
        int64_t told = weir__histogram_quantile_ns(&histogram, percent);
        assert_true(told >= exact);
        assert_true(told <= exact + exact / 8);
    }
}

static void counts_near_the_maximum(void **unused)
{
    (void)unused;
    struct weir__histogram histogram = {.count = UINT64_MAX};
    histogram.counts[0] = UINT64_MAX / 2;
    histogram.counts[100] = UINT64_MAX - UINT64_MAX / 2;
    assert_int_equal(weir__histogram_quantile_ns(&histogram, 49), weir__latency_upper_ns(0));
    assert_int_equal(weir__histogram_quantile_ns(&histogram, 51), weir__latency_upper_ns(100));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_yet),
        cmocka_unit_test(powers_of_two_are_bounds),
        cmocka_unit_test(ends_of_the_scale),
        cmocka_unit_test(quantiles_are_within_an_eighth),
        cmocka_unit_test(counts_near_the_maximum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
