/* The retry budget: what success and time bring, and what retries cost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "policy/budget.h"

#define MS(x)       ((int64_t)(x)*WEIR__NS_PER_MS)
#define SEC(x)      ((int64_t)(x)*WEIR__NS_PER_S)
#define LENGTH(arr) (sizeof(arr) / sizeof((arr)[0]))
#define BUDGET(...) budget_of(WEIR_RETRY_BUDGET_OPTS(__VA_ARGS__))

static struct weir_retry_budget budget_of(const struct weir_retry_budget_opts *opts)
{
    struct weir_retry_budget budget;
    assert_int_equal(weir__budget_init(&budget, opts), 0);
    return budget;
}

/* Retries that are granted at once at this time. */
static int drain(struct weir_retry_budget *budget, int64_t now_ns)
{
    int count = 0;
    while (weir__budget_withdraw_ns(budget, now_ns) == 0)
        count++;
    return count;
}

static void test_defaults(void **state)
{
    (void)state;
    struct weir_retry_budget budget = budget_of(NULL);
    assert_int_equal(weir__budget_available(&budget, 0), 100);
    assert_int_equal(drain(&budget, 0), 100);
    assert_int_equal(budget.refused, 1);
    for (int i = 0; i < 50; i++)
        weir__budget_deposit(&budget);
    assert_int_equal(drain(&budget, 0), 10);
    assert_int_equal(drain(&budget, SEC(1)), 10);
    assert_int_equal(budget.retries, 120);
}

static void test_success_brings_its_ratio(void **state)
{
    (void)state;
    static const int64_t percents[] = {1, 20, 33, 100, 1000};
    for (size_t i = 0; i < LENGTH(percents); i++) {
        struct weir_retry_budget budget =
            BUDGET(.ratio_percent = percents[i], .min_per_s = -1, .capacity = 5000);
        assert_int_equal(drain(&budget, 0), 5000);
        for (int k = 0; k < 400; k++)
            weir__budget_deposit(&budget);
        assert_int_equal(drain(&budget, 0), 4 * percents[i]);
    }
    struct weir_retry_budget none = BUDGET(.ratio_percent = -1, .min_per_s = -1);
    assert_int_equal(drain(&none, 0), 1);
    weir__budget_deposit(&none);
    assert_int_equal(drain(&none, SEC(1000)), 0);
}

static void test_time_brings_the_minimum(void **state)
{
    (void)state;
    struct weir_retry_budget budget = BUDGET(.min_per_s = 4, .capacity = 8);
    assert_int_equal(drain(&budget, SEC(1)), 8);
    assert_int_equal(drain(&budget, SEC(1) + MS(249)), 0);
    assert_int_equal(drain(&budget, SEC(1) + MS(250)), 1);
    assert_int_equal(drain(&budget, SEC(2)), 3);
    assert_int_equal(drain(&budget, SEC(2) - MS(900)), 0); /* a clock that went back */
    assert_int_equal(drain(&budget, SEC(100)), 8);         /* no more than the capacity */
    assert_int_equal(drain(&budget, INT64_MAX), 8);
}

/* In a standing outage retries are what the minimum allows, not a multiple of the load. */
static void test_an_outage(void **state)
{
    (void)state;
    struct weir_retry_budget budget = budget_of(NULL);
    int retried = 0;
    for (int i = 0; i < 60000; i++) /* 1000 failures a second for a minute */
        retried += weir__budget_withdraw_ns(&budget, MS(i)) == 0;
    assert_in_range(retried, 100 + 599, 100 + 600);
    assert_int_equal(budget.refused, 60000 - retried);
}

static void test_slow_ones_wait_for_their_token(void **state)
{
    (void)state;
    struct weir_retry_budget budget = BUDGET(.min_per_s = 10, .capacity = 2, .slows = 1);
    assert_int_equal(weir__budget_withdraw_ns(&budget, 0), 0);
    assert_int_equal(weir__budget_withdraw_ns(&budget, 0), 0);
    assert_int_equal(weir__budget_withdraw_ns(&budget, 0), MS(100));
    assert_int_equal(weir__budget_withdraw_ns(&budget, 0), MS(200));
    assert_int_equal(weir__budget_available(&budget, 0), -2);
    assert_int_equal(weir__budget_withdraw_ns(&budget, MS(50)), MS(250));
    weir__budget_refund(&budget);
    assert_int_equal(weir__budget_withdraw_ns(&budget, MS(50)), MS(250));
    for (int i = 0; i < 5; i++)
        weir__budget_deposit(&budget); /* success shortens what comes after */
    assert_int_equal(weir__budget_withdraw_ns(&budget, MS(50)), MS(250));
    assert_int_equal(budget.refused, 0);
    assert_int_equal(budget.retries, 6);
}

/* Never a moment before the token is there. */
static void test_a_slow_wait_is_rounded_up(void **state)
{
    (void)state;
    struct weir_retry_budget budget = BUDGET(.min_per_s = 3, .capacity = 1, .slows = 1);
    assert_int_equal(weir__budget_withdraw_ns(&budget, 0), 0);
    int64_t wait_ns = weir__budget_withdraw_ns(&budget, 0);
    assert_int_equal(wait_ns, 333333334);
    assert_int_equal(weir__budget_available(&budget, wait_ns - 1), -1);
    assert_int_equal(weir__budget_available(&budget, wait_ns), 0);
}

static void test_a_refund_is_no_gain(void **state)
{
    (void)state;
    struct weir_retry_budget budget = BUDGET(.min_per_s = -1, .capacity = 2);
    assert_int_equal(weir__budget_withdraw_ns(&budget, 0), 0);
    weir__budget_refund(&budget);
    assert_int_equal(budget.retries, 0);
    assert_int_equal(weir__budget_available(&budget, 0), 2);
    assert_int_equal(drain(&budget, 0), 2);
}

static void test_bad_options(void **state)
{
    (void)state;
    const struct weir_retry_budget_opts *cases[] = {
        WEIR_RETRY_BUDGET_OPTS(.ratio_percent = 1001),
        WEIR_RETRY_BUDGET_OPTS(.min_per_s = 1000001),
        WEIR_RETRY_BUDGET_OPTS(.capacity = -1),
        WEIR_RETRY_BUDGET_OPTS(.capacity = 1000000001),
        WEIR_RETRY_BUDGET_OPTS(.min_per_s = -1, .slows = 1),
        WEIR_RETRY_BUDGET_OPTS(.reserved = 1),
        &(struct weir_retry_budget_opts){.capacity = 1},
    };
    struct weir_retry_budget budget;
    for (size_t i = 0; i < LENGTH(cases); i++)
        assert_int_equal(weir__budget_init(&budget, cases[i]), WEIR_EINVAL);
    budget = BUDGET(.ratio_percent = 1000, .min_per_s = 1000000, .capacity = 1000000000);
    assert_int_equal(weir__budget_available(&budget, INT64_MAX), 1000000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_success_brings_its_ratio),
        cmocka_unit_test(test_time_brings_the_minimum),
        cmocka_unit_test(test_an_outage),
        cmocka_unit_test(test_slow_ones_wait_for_their_token),
        cmocka_unit_test(test_a_slow_wait_is_rounded_up),
        cmocka_unit_test(test_a_refund_is_no_gain),
        cmocka_unit_test(test_bad_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
