/* What each word of a rule means, and what words joined mean. */
#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "policy/rule.h"

#define MS(x)       ((int64_t)(x)*WEIR__NS_PER_MS)
#define SEC(x)      ((int64_t)(x)*WEIR__NS_PER_S)
#define LENGTH(arr) (sizeof(arr) / sizeof((arr)[0]))
#define NONE        INT64_MAX /* no maximum */

static struct weir_attempt number(unsigned n)
{
    return (struct weir_attempt){.number = n, .server_wait_ms = -1};
}

static int64_t wait_ns(struct weir_retry_wait wait, unsigned n)
{
    struct weir__rand rand;
    weir__rand_seed(&rand, n);
    struct weir_attempt attempt = number(n);
    assert_int_equal(wait.rule.error, 0);
    return weir__rule_wait_ns(&wait, &attempt, &rand);
}

/* Waits before attempts 2, 3, ... */
static void check_waits_ns(struct weir_retry_wait wait, const int64_t *expected_ns, size_t count)
{
    for (unsigned n = 1; n <= count; n++)
        assert_int_equal(wait_ns(wait, n), expected_ns[n - 1]);
}

#define CHECK_WAITS_S(wait, ...)                                                                   \
    do {                                                                                           \
        static const double in_s[] = {__VA_ARGS__};                                                \
        int64_t in_ns[LENGTH(in_s)];                                                               \
        for (size_t i_ = 0; i_ < LENGTH(in_s); i_++)                                               \
            in_ns[i_] = (int64_t)floor(in_s[i_] * 1e9 + 1e-3);                                     \
        check_waits_ns((wait), in_ns, LENGTH(in_s));                                               \
    } while (0)

/* ---- waits ---- */

static void test_fixed_and_none(void **state)
{
    (void)state;
    CHECK_WAITS_S(weir_wait_none(), 0, 0, 0);
    CHECK_WAITS_S(weir_wait_fixed_ms(300), .3, .3, .3);
    assert_int_equal(wait_ns(weir_wait_fixed_ms(INT64_MAX), 1), INT64_MAX);
}

static void test_exponential(void **state)
{
    (void)state;
    CHECK_WAITS_S(weir_wait_exponential_ms(1000, 200, 0, NONE), 1, 2, 4, 8, 16, 32, 64, 128);
    CHECK_WAITS_S(weir_wait_exponential_ms(1000, 200, 0, 40000), 1, 2, 4, 8, 16, 32, 40, 40);
    CHECK_WAITS_S(weir_wait_exponential_ms(1000, 200, 20000, NONE), 20, 20, 20, 20, 20, 32, 64,
                  128);
    CHECK_WAITS_S(weir_wait_exponential_ms(2000, 200, 20000, NONE), 20, 20, 20, 20, 32, 64, 128,
                  256);
    CHECK_WAITS_S(weir_wait_exponential_ms(1000, 200, 10000, 100000), 10, 10, 10, 10, 16, 32, 64,
                  100);
    CHECK_WAITS_S(weir_wait_exponential_ms(100, 150, 200, 5000), .2, .2, .225, .3375, .50625,
                  .759375, 1.1390625, 1.70859375, 2.562890625, 3.8443359375, 5);
    CHECK_WAITS_S(weir_wait_exponential_ms(1000, 200, 50000, 40000), 50, 50, 50); /* min wins */
    CHECK_WAITS_S(weir_wait_exponential_ms(1000, 200, -5000, -1), 0, 0, 0);
    CHECK_WAITS_S(weir_wait_exponential_ms(1000, 100, 0, NONE), 1, 1, 1);
    CHECK_WAITS_S(weir_wait_exponential_ms(8000, 50, 0, NONE), 8, 4, 2, 1, .5);
    CHECK_WAITS_S(weir_wait_exponential_ms(8000, 50, 0, 5000), 5, 4, 2, 1, .5);
    assert_int_equal(wait_ns(weir_wait_exponential_ms(1000, 200, 0, 40000), 50), SEC(40));
    assert_int_equal(wait_ns(weir_wait_exponential_ms(1000, 200, 0, NONE), 20), SEC(524288));
    assert_int_equal(wait_ns(weir_wait_exponential_ms(INT64_MAX, 200, 0, 1), 3), MS(1));
    assert_int_equal(wait_ns(weir_wait_exponential_ms(0, 200, 0, NONE), 9), 0);
    assert_int_equal(wait_ns(weir_wait_exponential_ms(-1000, 200, 0, NONE), 9), 0);
    assert_int_equal(weir__exponential_ns(SEC(1), 200, 0, 0, NONE), MS(500));
}

/* The number of attempts has no end at which a wait would be infinite, negative or slow to tell. */
static void test_exponential_has_no_end(void **state)
{
    (void)state;
    static const unsigned numbers[] = {63, 64, 65, 1025, 1u << 31, UINT_MAX};
    static const unsigned percents[] = {101, 150, 200, 1000, UINT_MAX};
    for (size_t i = 0; i < LENGTH(numbers); i++) {
        for (size_t k = 0; k < LENGTH(percents); k++) {
            int64_t bounded =
                wait_ns(weir_wait_exponential_ms(1000, percents[k], 0, 1500), numbers[i]);
            int64_t free =
                wait_ns(weir_wait_exponential_ms(1000, percents[k], 0, NONE), numbers[i]);
            assert_int_equal(bounded, MS(1500));
            assert_true(free > bounded);
        }
        assert_int_equal(wait_ns(weir_wait_exponential_ms(1000, 200, 0, NONE), numbers[i]),
                         INT64_MAX);
        assert_int_equal(wait_ns(weir_wait_exponential_ms(1000, 100, 0, NONE), numbers[i]), SEC(1));
        assert_int_equal(wait_ns(weir_wait_exponential_ms(1000, 50, 0, NONE), numbers[i]), 0);
    }
}

static void test_incrementing(void **state)
{
    (void)state;
    CHECK_WAITS_S(weir_wait_incrementing_ms(500000, 100000, NONE), 500, 600, 700);
    CHECK_WAITS_S(weir_wait_incrementing_ms(10000, -4000, NONE), 10, 6, 2, 0, 0);
    CHECK_WAITS_S(weir_wait_incrementing_ms(1000, 3000, 8000), 1, 4, 7, 8, 8);
    CHECK_WAITS_S(weir_wait_incrementing_ms(1000, 1000, -1), 0, 0);
    assert_int_equal(wait_ns(weir_wait_incrementing_ms(1, INT64_MAX, NONE), UINT_MAX), INT64_MAX);
    assert_int_equal(wait_ns(weir_wait_incrementing_ms(1, INT64_MIN, NONE), UINT_MAX), 0);
}

static void test_chain(void **state)
{
    (void)state;
    struct weir_retry_wait three =
        WEIR_WAIT_CHAIN(weir_wait_fixed_ms(1000), weir_wait_fixed_ms(2000),
                        weir_wait_fixed_ms(3000));
    CHECK_WAITS_S(three, 1, 2, 3, 3, 3);
    CHECK_WAITS_S(WEIR_WAIT_CHAIN(weir_wait_fixed_ms(7)), .007, .007);
    CHECK_WAITS_S(WEIR_WAIT_CHAIN(weir_wait_sum(weir_wait_fixed_ms(1000), weir_wait_fixed_ms(10)),
                                  weir_wait_exponential_ms(1000, 200, 0, NONE)),
                  1.01, 2, 4, 8);
    CHECK_WAITS_S(weir_wait_sum(three, weir_wait_fixed_ms(500)), 1.5, 2.5, 3.5, 3.5);
    CHECK_WAITS_S(WEIR_WAIT_CHAIN(weir_wait_none(),
                                  weir_wait_sum(weir_wait_fixed_ms(1), weir_wait_fixed_ms(2))),
                  0, .003, .003, .003);
    assert_int_equal(wait_ns(three, UINT_MAX), SEC(3));
    assert_int_equal(weir_wait_chain(NULL, 0).rule.error, WEIR_EINVAL);
}

static void test_sum(void **state)
{
    (void)state;
    CHECK_WAITS_S(weir_wait_sum(weir_wait_fixed_ms(1000),
                                weir_wait_incrementing_ms(1000, 1000, NONE)),
                  2, 3, 4);
    CHECK_WAITS_S(weir_wait_sum(weir_wait_sum(weir_wait_fixed_ms(1), weir_wait_fixed_ms(2)),
                                weir_wait_sum(weir_wait_fixed_ms(4), weir_wait_fixed_ms(8))),
                  .015);
    assert_int_equal(wait_ns(weir_wait_sum(weir_wait_fixed_ms(INT64_MAX), weir_wait_fixed_ms(1)),
                             1),
                     INT64_MAX);
}

/* Least, greatest and mean of many draws. */
struct spread {
    int64_t least_ns, most_ns, mean_ns;
};

static struct spread spread_of(struct weir_retry_wait wait, unsigned n, int64_t last_ns)
{
    enum { DRAWS = 4000 };
    struct weir__rand rand;
    struct spread spread = {.least_ns = INT64_MAX};
    struct weir_attempt attempt = number(n);
    attempt.wait_ns = last_ns;
    weir__rand_seed(&rand, n + 17);
    for (int i = 0; i < DRAWS; i++) {
        int64_t ns = weir__rule_wait_ns(&wait, &attempt, &rand);
        spread.least_ns = ns < spread.least_ns ? ns : spread.least_ns;
        spread.most_ns = ns > spread.most_ns ? ns : spread.most_ns;
        spread.mean_ns += ns / DRAWS;
    }
    return spread;
}

/* Uniform between the two, in ms; the edges to 1 %, the mean to 8 %. */
static void check_range_ms(struct weir_retry_wait wait, unsigned n, int64_t last_ns, int64_t low_ms,
                           int64_t high_ms)
{
    struct spread spread = spread_of(wait, n, last_ns);
    int64_t edge_ns = MS(high_ms - low_ms) / 100, mean_ns = MS(low_ms + high_ms) / 2;
    assert_in_range(spread.least_ns, MS(low_ms), MS(low_ms) + edge_ns);
    assert_in_range(spread.most_ns, MS(high_ms) - edge_ns, MS(high_ms));
    assert_in_range(spread.mean_ns, mean_ns - mean_ns * 8 / 100, mean_ns + mean_ns * 8 / 100);
}

static void test_random(void **state)
{
    (void)state;
    check_range_ms(weir_wait_random_ms(0, 1000), 1, 0, 0, 1000);
    check_range_ms(weir_wait_random_ms(1000, 3000), 5, 0, 1000, 3000);
    assert_int_equal(wait_ns(weir_wait_random_ms(5, 5), 1), MS(5));
}

static void test_full_jitter(void **state)
{
    (void)state;
    static const int64_t tops_ms[] = {500, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};
    for (unsigned n = 1; n <= LENGTH(tops_ms); n++)
        check_range_ms(weir_wait_random_exponential_ms(500, 200, 0, 60000), n, 0, 0,
                       tops_ms[n - 1]);
    check_range_ms(weir_wait_random_exponential_ms(500, 200, 0, 60000), UINT_MAX, 0, 0, 60000);
}

/* Below the minimum there is jitter, too, and it never goes beyond the maximum. */
static void test_full_jitter_above_a_minimum(void **state)
{
    (void)state;
    struct weir_retry_wait wait = weir_wait_random_exponential_ms(1000, 200, 10000, 30000);
    check_range_ms(wait, 1, 0, 10000, 11000);
    check_range_ms(wait, 4, 0, 10000, 11000);
    check_range_ms(wait, 5, 0, 10000, 16000);
    check_range_ms(wait, 6, 0, 10000, 30000);
    check_range_ms(weir_wait_random_exponential_ms(1000, 200, 10000, 10500), 1, 0, 10000, 10500);
    assert_int_equal(wait_ns(weir_wait_random_exponential_ms(1000, 200, 10000, 9000), 9), SEC(10));
}

static void test_exponential_jitter(void **state)
{
    (void)state;
    struct weir_retry_wait wait = weir_wait_exponential_jitter_ms(1000, 200, 60000, 1000);
    for (unsigned n = 1; n <= 6; n++)
        check_range_ms(wait, n, 0, INT64_C(1000) << (n - 1), (INT64_C(1000) << (n - 1)) + 1000);
    check_range_ms(wait, 7, 0, 59000, 60000); /* at the maximum it is not lost */
    check_range_ms(wait, UINT_MAX, 0, 59000, 60000);
    check_range_ms(weir_wait_exponential_jitter_ms(1000, 200, 3000, 5000), 4, 0, 0, 3000);
    CHECK_WAITS_S(weir_wait_exponential_jitter_ms(1000, 200, 3000, 0), 1, 2, 3, 3);
}

static void test_decorrelated_jitter(void **state)
{
    (void)state;
    struct weir_retry_wait wait = weir_wait_decorrelated_ms(100, 5000);
    check_range_ms(wait, 1, 0, 100, 300);
    check_range_ms(wait, 2, MS(200), 100, 600);
    check_range_ms(wait, 9, MS(1000), 100, 3000);
    check_range_ms(wait, 9, MS(4000), 100, 5000);
    check_range_ms(wait, 9, INT64_MAX, 100, 5000);
    struct spread equal = spread_of(weir_wait_decorrelated_ms(100, 100), 1, MS(100));
    assert_int_equal(equal.least_ns, MS(100));
    assert_int_equal(equal.most_ns, MS(100));
}

static int64_t ten_times(const struct weir_attempt *attempt, void *calls)
{
    ++*(int *)calls;
    return (int64_t)attempt->number * 10 - 20;
}

static void test_callback(void **state)
{
    (void)state;
    int calls = 0;
    CHECK_WAITS_S(weir_wait_callback(ten_times, &calls), 0, 0, .01, .02);
    assert_int_equal(calls, 4);
    CHECK_WAITS_S(WEIR_WAIT_CHAIN(weir_wait_fixed_ms(1), weir_wait_callback(ten_times, &calls)),
                  .001, 0, .01);
    assert_int_equal(calls, 6); /* not for a wait that another word makes */
}

/* ---- stops ---- */

static bool stops_at(struct weir_retry_stop stop, unsigned n, int64_t elapsed_ns, int64_t coming_ns)
{
    struct weir_attempt attempt = number(n);
    attempt.elapsed_ns = elapsed_ns;
    assert_int_equal(stop.rule.error, 0);
    return weir__rule_stops(&stop, &attempt, coming_ns);
}

static void test_stops(void **state)
{
    (void)state;
    assert_false(stops_at(weir_stop_never(), UINT_MAX, INT64_MAX, INT64_MAX));
    assert_false(stops_at(weir_stop_after_attempt(3), 2, SEC(99), 0));
    assert_true(stops_at(weir_stop_after_attempt(3), 3, 0, 0));
    assert_true(stops_at(weir_stop_after_attempt(3), 4, 0, 0));
    assert_true(stops_at(weir_stop_after_attempt(0), 1, 0, 0));
    assert_false(stops_at(weir_stop_after_delay_ms(1000), 1, MS(999), SEC(5)));
    assert_true(stops_at(weir_stop_after_delay_ms(1000), 1, SEC(1), 0));
    assert_false(stops_at(weir_stop_before_delay_ms(1000), 1, MS(999), MS(1) / 10));
    assert_true(stops_at(weir_stop_before_delay_ms(1000), 1, SEC(1), 0));
    assert_true(stops_at(weir_stop_before_delay_ms(1000), 1, MS(999), MS(1)));
    assert_true(stops_at(weir_stop_before_delay_ms(1000), 1, 1, INT64_MAX));
}

static void test_stops_joined(void **state)
{
    (void)state;
    struct weir_retry_stop delay = weir_stop_after_delay_ms(1000);
    struct weir_retry_stop attempts = weir_stop_after_attempt(4);
    static const struct {
        unsigned number;
        int64_t elapsed_ms;
        bool any, all;
    } cases[] = {{2, 800, false, false},
                 {4, 800, true, false},
                 {3, 1800, true, false},
                 {4, 1800, true, true}};
    for (size_t i = 0; i < LENGTH(cases); i++) {
        int64_t elapsed_ns = MS(cases[i].elapsed_ms);
        assert_int_equal(stops_at(weir_stop_any(delay, attempts), cases[i].number, elapsed_ns, 0),
                         cases[i].any);
        assert_int_equal(stops_at(weir_stop_all(delay, attempts), cases[i].number, elapsed_ns, 0),
                         cases[i].all);
        assert_int_equal(stops_at(weir_stop_any(weir_stop_all(delay, attempts), weir_stop_never()),
                                  cases[i].number, elapsed_ns, 0),
                         cases[i].all);
    }
}

/* What was throttled has not failed. */
static void test_throttled_do_not_count(void **state)
{
    (void)state;
    struct weir_attempt attempt = {.number = 9, .throttled = 7};
    struct weir_retry_stop two = weir_stop_after_attempt(2), three = weir_stop_after_attempt(3);
    struct weir_retry_wait wait = weir_wait_exponential_ms(1000, 200, 0, NONE);
    struct weir__rand rand = {{1, 2, 3, 4}};
    assert_true(weir__rule_stops(&two, &attempt, 0));
    assert_false(weir__rule_stops(&three, &attempt, 0));
    assert_int_equal(weir__rule_wait_ns(&wait, &attempt, &rand), SEC(2));
}

/* ---- retry if ---- */

static bool retries(struct weir_retry_if rule, struct weir_attempt attempt)
{
    assert_int_equal(rule.rule.error, 0);
    return weir__rule_retries(&rule, &attempt);
}

static const struct weir_attempt fine = {.status = 200, .sent = WEIR_SENT_ANSWERED};
static const struct weir_attempt down = {.status = 503,
                                         .outcome = WEIR_OUTCOME_SERVER_ERROR,
                                         .sent = WEIR_SENT_ANSWERED,
                                         .retry = 1};
static const struct weir_attempt broken = {.status = 500,
                                           .outcome = WEIR_OUTCOME_SERVER_ERROR,
                                           .sent = WEIR_SENT_ANSWERED};
static const struct weir_attempt lost = {.rc = WEIR_ERESET,
                                         .outcome = WEIR_OUTCOME_FAILED,
                                         .sent = WEIR_SENT_MAYBE};

static void test_conditions(void **state)
{
    (void)state;
    const struct {
        struct weir_retry_if rule;
        bool fine, down, broken, lost;
    } cases[] = {
        {weir_retry_if_always(), true, true, true, true},
        {weir_retry_if_never(), false, false, false, false},
        {weir_retry_if_default(), false, true, false, false},
        {weir_retry_if_any_error(), false, false, false, true},
        {weir_retry_if_error(WEIR_ERESET), false, false, false, true},
        {weir_retry_if_error(WEIR_EIO), false, false, false, false},
        {weir_retry_if_status(500, 502), false, false, true, false},
        {weir_retry_if_status(503, 503), false, true, false, false},
        {weir_retry_if_outcome(WEIR_OUTCOME_SERVER_ERROR), false, true, true, false},
        {weir_retry_if_outcome(WEIR_OUTCOME_OK), true, false, false, false},
        {weir_retry_if_safe(), false, true, false, false},
        {weir_retry_if_not(weir_retry_if_any_error()), true, true, true, false},
        {weir_retry_if_any(weir_retry_if_default(), weir_retry_if_any_error()), false, true, false,
         true},
        {weir_retry_if_all(weir_retry_if_outcome(WEIR_OUTCOME_SERVER_ERROR), weir_retry_if_safe()),
         false, true, false, false},
        {weir_retry_if_all(weir_retry_if_not(weir_retry_if_status(200, 200)),
                           weir_retry_if_not(weir_retry_if_error(WEIR_ERESET))),
         false, true, true, false},
    };
    for (size_t i = 0; i < LENGTH(cases); i++) {
        assert_int_equal(retries(cases[i].rule, fine), cases[i].fine);
        assert_int_equal(retries(cases[i].rule, down), cases[i].down);
        assert_int_equal(retries(cases[i].rule, broken), cases[i].broken);
        assert_int_equal(retries(cases[i].rule, lost), cases[i].lost);
    }
}

static void test_what_is_safe(void **state)
{
    (void)state;
    struct weir_attempt attempt = lost;
    assert_false(retries(weir_retry_if_safe(), attempt));
    attempt.replay = 1;
    assert_true(retries(weir_retry_if_safe(), attempt));
    attempt = broken;
    attempt.replay = 1;
    assert_true(retries(weir_retry_if_safe(), attempt));
    attempt = lost;
    attempt.sent = WEIR_SENT_NEVER;
    assert_true(retries(weir_retry_if_safe(), attempt));
    attempt = fine;
    attempt.status = 404;
    attempt.outcome = WEIR_OUTCOME_CLIENT_ERROR;
    assert_true(retries(weir_retry_if_safe(), attempt));
    attempt.outcome = WEIR_OUTCOME_THROTTLED;
    assert_true(retries(weir_retry_if_safe(), attempt));
}

static int yes(const struct weir_attempt *attempt, void *seen)
{
    *(const struct weir_attempt **)seen = attempt;
    return 4;
}

static int no(const struct weir_attempt *attempt, void *seen)
{
    *(const struct weir_attempt **)seen = attempt;
    return 0;
}

static void test_predicates_are_asked_of_their_kind_alone(void **state)
{
    (void)state;
    const struct weir_attempt *seen = NULL;
    assert_true(retries(weir_retry_if_failure(yes, &seen), lost));
    assert_non_null(seen);
    assert_false(retries(weir_retry_if_failure(no, &seen), lost));
    seen = NULL;
    assert_false(retries(weir_retry_if_failure(yes, &seen), broken));
    assert_null(seen);
    assert_true(retries(weir_retry_if_result(yes, &seen), fine));
    assert_non_null(seen);
    assert_false(retries(weir_retry_if_result(no, &seen), fine));
    seen = NULL;
    assert_false(retries(weir_retry_if_result(yes, &seen), lost));
    assert_null(seen);
}

/* ---- what cannot be said ---- */

static void test_overfull_is_marked(void **state)
{
    (void)state;
    struct weir_retry_wait sum = weir_wait_fixed_ms(1);
    for (unsigned words = 1; words + 2 <= WEIR_RULE_NODES; words += 2)
        sum = weir_wait_sum(sum, weir_wait_fixed_ms(1));
    assert_int_equal(sum.rule.error, 0);
    assert_int_equal(wait_ns(sum, 1), MS((int64_t)(sum.rule.count + 1) / 2));
    sum = weir_wait_sum(sum, weir_wait_fixed_ms(1));
    assert_int_equal(sum.rule.error, WEIR_EINVAL);
    assert_int_equal(weir_wait_sum(weir_wait_fixed_ms(1), sum).rule.error, WEIR_EINVAL); /* stays */

    struct weir_retry_wait list[WEIR_RULE_NODES];
    for (size_t i = 0; i < LENGTH(list); i++)
        list[i] = weir_wait_fixed_ms((int64_t)i);
    assert_int_equal(weir_wait_chain(list, LENGTH(list) - 1).rule.error, 0);
    assert_int_equal(wait_ns(weir_wait_chain(list, LENGTH(list) - 1), 15), MS(14));
    assert_int_equal(weir_wait_chain(list, LENGTH(list)).rule.error, WEIR_EINVAL);
}

static void test_nonsense_is_marked(void **state)
{
    (void)state;
    const struct weir_rule rules[] = {
        weir_wait_fixed_ms(-1).rule,
        weir_wait_random_ms(-1, 1).rule,
        weir_wait_random_ms(2, 1).rule,
        weir_wait_exponential_ms(1, 0, 0, 1).rule,
        weir_wait_random_exponential_ms(1, 0, 0, 1).rule,
        weir_wait_exponential_jitter_ms(1, 0, 1, 0).rule,
        weir_wait_exponential_jitter_ms(1, 200, 1, -1).rule,
        weir_wait_decorrelated_ms(0, 1).rule,
        weir_wait_decorrelated_ms(2, 1).rule,
        weir_wait_callback(NULL, NULL).rule,
        weir_wait_sum((struct weir_retry_wait){.rule = {.count = 0}}, weir_wait_none()).rule,
        weir_stop_when_event(NULL).rule,
        weir_stop_any(weir_stop_when_event(NULL), weir_stop_never()).rule,
        weir_stop_all(weir_stop_never(), (struct weir_retry_stop){.rule = {.count = 0}}).rule,
        weir_retry_if_status(2, 1).rule,
        weir_retry_if_failure(NULL, NULL).rule,
        weir_retry_if_result(NULL, NULL).rule,
        weir_retry_if_not(weir_retry_if_status(2, 1)).rule,
    };
    for (size_t i = 0; i < LENGTH(rules); i++)
        assert_int_equal(rules[i].error, WEIR_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fixed_and_none),
        cmocka_unit_test(test_exponential),
        cmocka_unit_test(test_exponential_has_no_end),
        cmocka_unit_test(test_incrementing),
        cmocka_unit_test(test_chain),
        cmocka_unit_test(test_sum),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_full_jitter),
        cmocka_unit_test(test_full_jitter_above_a_minimum),
        cmocka_unit_test(test_exponential_jitter),
        cmocka_unit_test(test_decorrelated_jitter),
        cmocka_unit_test(test_callback),
        cmocka_unit_test(test_stops),
        cmocka_unit_test(test_stops_joined),
        cmocka_unit_test(test_throttled_do_not_count),
        cmocka_unit_test(test_conditions),
        cmocka_unit_test(test_what_is_safe),
        cmocka_unit_test(test_predicates_are_asked_of_their_kind_alone),
        cmocka_unit_test(test_overfull_is_marked),
        cmocka_unit_test(test_nonsense_is_marked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
