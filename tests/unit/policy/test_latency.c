/* Quantiles of a stream, and what a hedge may do with them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/rand.h"
#include "policy/hedge.h"

#define US(x) ((int64_t)(x)*1000)
#define MS(x) ((int64_t)(x)*WEIR__NS_PER_MS)

/* No lower than the value, and at most an eighth too high. */
static void assert_near(int64_t got_ns, int64_t value_ns)
{
    assert_true(got_ns >= value_ns);
    assert_true(got_ns <= value_ns + value_ns / 8);
}

static void test_one_value(void **state)
{
    (void)state;
    for (int64_t value_ns = US(17); value_ns < MS(3600000); value_ns += value_ns / 7) {
        struct weir__latency latency = {.known = 0};
        weir__latency_add(&latency, value_ns);
        assert_near(weir__latency_quantile_ns(&latency, 1, 1), value_ns);
        assert_near(weir__latency_quantile_ns(&latency, 99, 1), value_ns);
        assert_int_equal(weir__latency_quantile_ns(&latency, 50, 2), -1);
    }
}

static void test_extremes(void **state)
{
    (void)state;
    struct weir__latency latency = {.known = 0};
    assert_int_equal(weir__latency_quantile_ns(&latency, 50, 0), -1);
    weir__latency_add(&latency, 0);
    assert_true(weir__latency_quantile_ns(&latency, 99, 1) <= US(20));
    weir__latency_add(&latency, INT64_MAX);
    weir__latency_add(&latency, INT64_MAX);
    assert_true(weir__latency_quantile_ns(&latency, 99, 1) >= MS(4 * 3600 * 1000));
}

/* 1 to 1,000 ms, each once, in any order. */
static void test_quantiles(void **state)
{
    (void)state;
    struct weir__latency latency = {.known = 0};
    for (int64_t i = 0; i < 1000; i++)
        weir__latency_add(&latency, MS(1 + i * 617 % 1000));
    for (unsigned percent = 1; percent < 100; percent++)
        assert_near(weir__latency_quantile_ns(&latency, percent, 1000), MS(percent * 10));
}

/* Old values fade: after some thousand new ones only these count. */
static void test_fading(void **state)
{
    (void)state;
    struct weir__latency latency = {.known = 0};
    for (int i = 0; i < 100000; i++)
        weir__latency_add(&latency, MS(10));
    for (int i = 0; i < 3000; i++)
        weir__latency_add(&latency, MS(1000));
    assert_near(weir__latency_quantile_ns(&latency, 50, 1), MS(1000));
    for (int i = 0; i < 12000; i++)
        weir__latency_add(&latency, MS(1000));
    assert_near(weir__latency_quantile_ns(&latency, 1, 1), MS(1000));
}

/* ---- hedge ---- */

#define HEDGE(hedge, ...) assert_int_equal(weir__hedge_init(hedge, WEIR_HEDGE_OPTS(__VA_ARGS__)), 0)

static void test_options(void **state)
{
    (void)state;
    static const struct weir_hedge_opts bad[] = {
        {.size = 0},
        {.size = sizeof bad[0], .delay_ms = -1},
        {.size = sizeof bad[0], .percentile = 49},
        {.size = sizeof bad[0], .percentile = 100},
        {.size = sizeof bad[0], .budget_percent = 101},
    };
    struct weir__hedge hedge;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(weir__hedge_init(&hedge, &bad[i]), WEIR_EINVAL);
    HEDGE(&hedge, .delay_ms = 0);
    assert_int_equal(hedge.policy.percentile, 95);
    assert_int_equal(hedge.policy.budget_percent, 5);
    HEDGE(&hedge, .delay_ms = 1);
    assert_int_equal(hedge.policy.percentile, 0);
}

static void test_delay(void **state)
{
    (void)state;
    struct weir__hedge fixed, floor, learned;
    HEDGE(&fixed, .delay_ms = 300);
    HEDGE(&floor, .delay_ms = 300, .percentile = 90);
    HEDGE(&learned, .percentile = 90);
    assert_int_equal(weir__hedge_delay_ms(&fixed), 300);
    for (int i = 0; i < 99; i++) {
        weir__hedge_took(&fixed, MS(800));
        weir__hedge_took(&floor, MS(i < 85 ? 10 : 100));
        weir__hedge_took(&learned, MS(i < 85 ? 10 : 100));
    }
    assert_int_equal(weir__hedge_delay_ms(&learned), -1);
    assert_int_equal(weir__hedge_delay_ms(&floor), -1);
    weir__hedge_took(&floor, MS(100));
    weir__hedge_took(&learned, MS(100));
    assert_int_equal(weir__hedge_delay_ms(&fixed), 300);
    assert_int_equal(weir__hedge_delay_ms(&floor), 300);
    int64_t delay_ms = weir__hedge_delay_ms(&learned);
    assert_true(delay_ms >= 100 && delay_ms <= 113);
}

/* Never more than its share of the first ones, whenever they come; what is saved has a bound. */
static void test_budget(void **state)
{
    (void)state;
    static const unsigned percents[] = {1, 5, 33, 100};
    struct weir__rand rand;
    weir__rand_seed(&rand, 3);
    for (size_t i = 0; i < 4; i++) {
        struct weir__hedge hedge;
        unsigned firsts = 0, seconds = 0;
        HEDGE(&hedge, .budget_percent = percents[i]);
        while (firsts < 10000) {
            weir__hedge_earn(&hedge);
            firsts++;
            if (weir__rand_upto(&rand, 9) < 8 && weir__hedge_affords(&hedge)) {
                weir__hedge_spend(&hedge);
                seconds++;
            }
            assert_true(seconds * 100 <= firsts * percents[i]);
        }
        assert_true(seconds >= 75 * percents[i]); /* and most of it */
        for (int k = 0; k < 10000; k++)
            weir__hedge_earn(&hedge);
        for (seconds = 0; weir__hedge_affords(&hedge); seconds++)
            weir__hedge_spend(&hedge);
        assert_int_equal(seconds, 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_value), cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_quantiles), cmocka_unit_test(test_fading),
        cmocka_unit_test(test_options),   cmocka_unit_test(test_delay),
        cmocka_unit_test(test_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
