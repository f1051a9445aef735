/* The strict limit, in literal timestamps and against a log that keeps everything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/rand.h"
#include "policy/window.h"

#define SEC(x) ((int64_t)(x)*WEIR__NS_PER_S)

static struct weir__window *made(uint64_t rate, int64_t period_ns)
{
    struct weir__window *window = test_malloc(weir__window_size(rate));
    weir__window_init(window, rate, period_ns, 0);
    return window;
}

/* Takes at the earliest time, from now_ns on; returns it. */
static int64_t take(struct weir__window *window, uint64_t amount, int64_t now_ns)
{
    int64_t slot_ns = weir__window_slot_ns(window, 0, amount);
    if (slot_ns > now_ns)
        now_ns = slot_ns;
    weir__window_take(window, amount, now_ns);
    return now_ns;
}

static void test_ten_in_a_minute(void **state)
{
    (void)state;
    struct weir__window *window = made(10, SEC(60));
    for (int i = 0; i < 10; i++)
        assert_int_equal(take(window, 1, SEC(i)), SEC(i));
    /* A window that ends with the next and began with the first would hold eleven. */
    for (int i = 0; i < 10; i++)
        assert_int_equal(take(window, 1, SEC(10)), SEC(60 + i) + 1);
    assert_int_equal(take(window, 10, SEC(10)), SEC(129) + 2);
    test_free(window);
}

/* What is sent just behind a window may arrive in it. */
static void test_a_margin_makes_windows_longer(void **state)
{
    (void)state;
    assert_int_equal(weir__window_margin_ns(SEC(1)), SEC(1) / 250);
    assert_int_equal(weir__window_margin_ns(SEC(60)), SEC(1) / 20);
    assert_int_equal(weir__window_margin_ns(SEC(86400)), SEC(1) / 20);
    struct weir__window *window = test_malloc(weir__window_size(2));
    weir__window_init(window, 2, SEC(10), SEC(1));
    assert_int_equal(take(window, 2, 0), 0);
    assert_int_equal(take(window, 1, 0), SEC(11) + 1);
    assert_int_equal(weir__window_slot_ns(window, 1, 1), SEC(22) + 2);
    test_free(window);
}

static void test_amounts(void **state)
{
    (void)state;
    struct weir__window *window = made(10, SEC(60));
    assert_int_equal(weir__window_slot_ns(window, 0, 10), INT64_MIN);
    assert_int_equal(take(window, 4, SEC(1)), SEC(1));
    assert_int_equal(take(window, 3, SEC(2)), SEC(2));
    assert_int_equal(take(window, 3, SEC(2)), SEC(2));
    assert_int_equal(weir__window_slot_ns(window, 0, 4), SEC(61) + 1);
    assert_int_equal(weir__window_slot_ns(window, 0, 5), SEC(62) + 1);
    assert_int_equal(weir__window_slot_ns(window, 4, 1), SEC(62) + 1);
    assert_int_equal(weir__window_slot_ns(window, 10, 4), SEC(121) + 2);
    assert_int_equal(weir__window_slot_ns(window, 25, 1), SEC(182) + 3);
    assert_int_equal(weir__window_slot_ns(window, UINT64_MAX, UINT64_MAX), INT64_MAX);
    test_free(window);
}

static void test_given_back(void **state)
{
    (void)state;
    struct weir__window *window = made(10, SEC(60));
    take(window, 6, SEC(1));
    take(window, 4, SEC(2));
    weir__window_refund(window, 5, SEC(1));
    assert_int_equal(take(window, 5, SEC(3)), SEC(3));
    assert_int_equal(weir__window_slot_ns(window, 0, 1), SEC(61) + 1);
    weir__window_refund(window, 9, SEC(2)); /* there are but 4 */
    assert_int_equal((int64_t)window->used, 6);
    take(window, 1, SEC(62));
    weir__window_refund(window, 1, SEC(1)); /* has left: nothing comes back but from what counts */
    assert_true(window->used <= 6);
    test_free(window);
}

static void test_a_debt_is_paid_off(void **state)
{
    (void)state;
    struct weir__window *window = made(10, SEC(60));
    take(window, 5, 0);
    weir__window_take(window, 20, SEC(10)); /* used twice what there was */
    assert_int_equal(weir__window_slot_ns(window, 0, 1), SEC(70) + 1);
    assert_int_equal(take(window, 10, SEC(10)), SEC(70) + 1);
    test_free(window);
}

/* Everything ever taken: what the window must do without. */
enum { RUNS = 60, TAKES = 6000 };
struct taken {
    int64_t at_ns;
    uint64_t amount;
};

static uint64_t most_in(const struct taken *log, size_t count, int64_t period_ns)
{
    uint64_t most = 0, sum = 0;
    for (size_t to = 0, from = 0; to < count; to++) {
        sum += log[to].amount;
        while (log[to].at_ns - log[from].at_ns > period_ns)
            sum -= log[from++].amount;
        if (sum > most)
            most = sum;
    }
    return most;
}

static uint64_t draw(struct weir__rand *rand, uint64_t low, uint64_t high)
{
    return low + (uint64_t)weir__rand_upto(rand, (int64_t)(high - low));
}

static void random_run(struct weir__rand *rand, struct taken *log)
{
    int64_t period_ns = (int64_t)draw(rand, 1000, UINT64_C(1) << draw(rand, 11, 40));
    uint64_t rate = draw(rand, 1, UINT64_C(1) << draw(rand, 0, 14));
    struct weir__window *window = made(rate, period_ns);
    int64_t now_ns = SEC(5);
    for (size_t i = 0; i < TAKES; i++) {
        if (draw(rand, 0, 2) == 0)
            now_ns += weir__rand_upto(rand, period_ns / (int64_t)(rate < 100 ? rate : 100) + 1);
        log[i].amount = draw(rand, 1, draw(rand, 0, 9) == 0 ? rate : 1 + rate / 5000);
        now_ns = log[i].at_ns = take(window, log[i].amount, now_ns);
        if (draw(rand, 0, 3) == 0) { /* another one that is not used */
            uint64_t amount = draw(rand, 1, rate);
            if (weir__window_slot_ns(window, 0, amount) <= now_ns) {
                weir__window_take(window, amount, now_ns);
                weir__window_refund(window, amount, now_ns);
            }
        }
        assert_true(window->count <= window->room);
    }
    assert_true(most_in(log, TAKES, period_ns) <= rate);
    test_free(window);
}

static void test_never_over_whatever_comes(void **state)
{
    (void)state;
    struct weir__rand rand;
    struct taken *log = test_calloc(TAKES, sizeof *log);
    weir__rand_seed(&rand, 7);
    for (int run = 0; run < RUNS; run++)
        random_run(&rand, log);
    test_free(log);
}

/* Far more takes in a window than there are cells: never over, and little is lost. */
static void test_more_than_its_memory(void **state)
{
    (void)state;
    enum { RATE = 20000, PERIODS = 10 };
    struct weir__window *window = made(RATE, SEC(60));
    struct taken *log = test_calloc(RATE * PERIODS, sizeof *log);
    int64_t now_ns = 0;
    for (size_t i = 0; i < (size_t)RATE * PERIODS; i++) {
        now_ns = take(window, 1, now_ns + (i < RATE ? 2500000 : 0)); /* 50 s, then as may be */
        log[i] = (struct taken){now_ns, 1};
    }
    assert_int_equal(most_in(log, (size_t)RATE * PERIODS, SEC(60)), RATE);
    assert_true(now_ns >= SEC(50 + 60 * (PERIODS - 1)));
    assert_true(now_ns <= SEC(50 + 60 * (PERIODS - 1)) * 1005 / 1000);
    test_free(log);
    test_free(window);
}

static void test_the_log_goes_on_under_another_rate(void **state)
{
    (void)state;
    struct weir__window *old = made(10, SEC(60)), *more = made(15, SEC(60)),
                        *less = made(2, SEC(5));
    for (int i = 0; i < 10; i++)
        take(old, 1, SEC(i));
    weir__window_inherit(more, old, SEC(10));
    assert_int_equal(take(more, 5, SEC(10)), SEC(10));
    assert_int_equal(weir__window_slot_ns(more, 0, 1), SEC(60) + 1);
    weir__window_inherit(less, old, SEC(10)); /* those of 5 to 9 s: a debt of 3 */
    assert_int_equal(weir__window_slot_ns(less, 0, 1), SEC(13) + 1);
    test_free(old);
    test_free(more);
    test_free(less);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ten_in_a_minute),
        cmocka_unit_test(test_a_margin_makes_windows_longer),
        cmocka_unit_test(test_amounts),
        cmocka_unit_test(test_given_back),
        cmocka_unit_test(test_a_debt_is_paid_off),
        cmocka_unit_test(test_never_over_whatever_comes),
        cmocka_unit_test(test_more_than_its_memory),
        cmocka_unit_test(test_the_log_goes_on_under_another_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
