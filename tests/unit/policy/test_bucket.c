/* The token bucket, in literal timestamps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <weir/err.h>

#include "base/clock.h"
#include "policy/bucket.h"

#define MS(x)       ((int64_t)(x)*WEIR__NS_PER_MS)
#define SEC(x)      ((int64_t)(x)*WEIR__NS_PER_S)
#define NEVER       INT64_MAX
#define REFUSED     INT64_C(-1)
#define YEAR_366    (INT64_C(366) * 86400 * WEIR__NS_PER_S)
#define LENGTH(arr) (sizeof(arr) / sizeof((arr)[0]))

static struct weir__bucket made(uint64_t rate, int64_t period_ns, uint64_t burst)
{
    struct weir__bucket bucket;
    assert_int_equal(weir__bucket_init(&bucket, rate, period_ns, burst), 0);
    return bucket;
}

static int64_t later(int64_t a_ns, int64_t b_ns)
{
    return a_ns > b_ns ? a_ns : b_ns;
}

/* How long a request at now_ns has to wait. */
static int64_t wait_ns(const struct weir__bucket *bucket, uint64_t amount, int64_t now_ns)
{
    return later(weir__bucket_slot_ns(bucket, 0, amount), now_ns) - now_ns;
}

/* One request: when it comes, what it wants, when it gives up, and when it was granted. */
struct ask {
    int64_t at_ns;
    uint64_t amount;
    int64_t cancel_ns;   /* NEVER: stays in the queue */
    int64_t deadline_ns; /* refused at once if the slot is later */
    int64_t granted_ns;  /* result */
};

static struct ask ask(int64_t at_ns, uint64_t amount)
{
    return (struct ask){at_ns, amount, NEVER, NEVER, 0};
}

/* One queue before the bucket, first come first served, its asks in order of arrival. */
static void replay(struct weir__bucket *bucket, struct ask *asks, size_t count)
{
    int64_t head_free_ns = INT64_MIN;
    for (size_t i = 0; i < count; i++) {
        struct ask *one = &asks[i];
        int64_t from_ns = later(one->at_ns, head_free_ns);
        int64_t at_ns = later(from_ns, weir__bucket_slot_ns(bucket, 0, one->amount));
        one->granted_ns = REFUSED;
        if (!weir__bucket_fits(bucket, one->amount) || at_ns > one->deadline_ns)
            continue;
        if (at_ns >= one->cancel_ns) {
            head_free_ns = later(from_ns, one->cancel_ns);
            continue;
        }
        weir__bucket_take(bucket, one->amount, at_ns);
        one->granted_ns = head_free_ns = at_ns;
    }
}

static void expect_ones_at_zero(struct weir__bucket bucket, const int64_t *times_ns, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct ask one = ask(0, 1);
        replay(&bucket, &one, 1);
        assert_int_equal(one.granted_ns, times_ns[i]);
    }
}

static void test_vectors_of_ones(void **state)
{
    (void)state;
    int64_t five[10] = {0, 0, 0, 0, 0, SEC(2), SEC(4), SEC(6), SEC(8), SEC(10)};
    expect_ones_at_zero(made(5, SEC(10), 5), five, 10);

    int64_t ten[20] = {0};
    for (int i = 10; i < 20; i++)
        ten[i] = SEC(6) * (i - 9);
    expect_ones_at_zero(made(10, SEC(60), 10), ten, 20);

    int64_t waits[8] = {0, 0, 0, 0, 0, MS(100), MS(200), MS(300)};
    expect_ones_at_zero(made(10, SEC(1), 5), waits, 8);
}

static void test_vector_spread_arrivals(void **state)
{
    (void)state;
    struct weir__bucket bucket = made(2, SEC(10), 2);
    struct ask asks[] = {ask(0, 1), ask(MS(10), 1), ask(MS(20), 1), ask(MS(30), 1), ask(MS(40), 1)};
    int64_t expected[] = {0, MS(10), SEC(5), SEC(10), SEC(15)};
    replay(&bucket, asks, LENGTH(asks));
    for (size_t i = 0; i < LENGTH(asks); i++)
        assert_int_equal(asks[i].granted_ns, expected[i]);
}

static void test_vectors_of_amounts(void **state)
{
    (void)state;
    struct weir__bucket bucket = made(3, SEC(3), 3);
    struct ask one_three[] = {ask(0, 1), ask(0, 3)};
    replay(&bucket, one_three, 2);
    assert_int_equal(one_three[0].granted_ns, 0);
    assert_int_equal(one_three[1].granted_ns, SEC(1));

    bucket = made(3, SEC(3), 3);
    struct ask two_two[] = {ask(0, 2), ask(0, 2)};
    replay(&bucket, two_two, 2);
    assert_int_equal(two_two[0].granted_ns, 0);
    assert_int_equal(two_two[1].granted_ns, SEC(1));
}

static void test_vector_cancel_in_the_queue(void **state)
{
    (void)state;
    struct weir__bucket bucket = made(3, SEC(3), 3);
    struct ask asks[] = {ask(0, 1), ask(0, 3), ask(0, 3)};
    asks[1].cancel_ns = MS(500);
    replay(&bucket, asks, 3);
    assert_int_equal(asks[1].granted_ns, REFUSED);
    assert_int_equal(asks[2].granted_ns, SEC(1));
}

static void test_vector_third_of_a_second(void **state)
{
    (void)state;
    struct weir__bucket bucket = made(3, SEC(1), 3);
    struct ask asks[10];
    for (size_t i = 0; i < 10; i++)
        asks[i] = ask(0, 1);
    replay(&bucket, asks, 10);
    /* 2.3333... s; each take is rounded up by less than 1 ns. */
    assert_in_range(asks[9].granted_ns, INT64_C(2333333334), INT64_C(2333333334) + 9);
}

static void test_vector_never(void **state)
{
    (void)state;
    struct weir__bucket bucket = made(1, SEC(60), 1);
    assert_false(weir__bucket_fits(&bucket, 42));
    assert_false(weir__bucket_fits(&bucket, 0));
    assert_true(weir__bucket_fits(&bucket, 1));
}

static void test_vector_fairness(void **state)
{
    (void)state;
    struct weir__bucket bucket = made(3, SEC(3), 3);
    struct ask asks[24];
    for (size_t i = 0; i < 3; i++)
        asks[i] = ask(0, 1);
    asks[3] = ask(MS(10), 3);
    for (size_t i = 4; i < LENGTH(asks); i++)
        asks[i] = ask(MS(10) + MS(500) * (int64_t)(i - 3), 1);
    replay(&bucket, asks, LENGTH(asks));
    assert_int_equal(asks[3].granted_ns, SEC(3));
    for (size_t i = 4; i < LENGTH(asks); i++)
        assert_int_equal(asks[i].granted_ns, SEC(3) + SEC(1) * (int64_t)(i - 3));
}

static void test_vector_gcra(void **state)
{
    (void)state;
    struct weir__bucket bucket = made(5, SEC(1), 5);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(wait_ns(&bucket, 1, 0), 0);
        weir__bucket_take(&bucket, 1, 0);
    }
    assert_int_equal(wait_ns(&bucket, 1, 0), MS(200));

    assert_int_equal(wait_ns(&bucket, 1, MS(200)), 0);
    weir__bucket_take(&bucket, 1, MS(200));
    assert_int_equal(wait_ns(&bucket, 1, MS(200)), MS(200));
    assert_int_equal(wait_ns(&bucket, 3, MS(200)), MS(600));

    assert_int_equal(wait_ns(&bucket, 3, MS(800)), 0);
    weir__bucket_take(&bucket, 3, MS(800));
    assert_int_equal(wait_ns(&bucket, 1, MS(800)), MS(200));

    assert_int_equal(wait_ns(&bucket, 5, MS(2000)), 0);
    weir__bucket_take(&bucket, 5, MS(2000));
    assert_int_equal(wait_ns(&bucket, 1, MS(2000)), MS(200));
    assert_false(weir__bucket_fits(&bucket, 6));
}

static void test_vector_large_amounts(void **state)
{
    (void)state;
    struct weir__bucket bucket = made(1000, SEC(1), 3000);
    struct ask asks[] = {ask(0, 2500), ask(0, 1200), ask(0, 3000), ask(0, 3001)};
    replay(&bucket, asks, LENGTH(asks));
    assert_int_equal(asks[0].granted_ns, 0);
    assert_int_equal(asks[1].granted_ns, MS(700));
    assert_int_equal(asks[2].granted_ns, MS(3700));
    assert_int_equal(asks[3].granted_ns, REFUSED);
}

static void test_vector_deadline_consumes_nothing(void **state)
{
    (void)state;
    struct weir__bucket bucket = made(3, SEC(3), 3);
    struct ask asks[] = {ask(0, 3), ask(0, 2), ask(0, 2)};
    asks[1].deadline_ns = SEC(2) - 1;
    asks[2].deadline_ns = SEC(2);
    replay(&bucket, asks, 3);
    assert_int_equal(asks[1].granted_ns, REFUSED);
    assert_int_equal(asks[2].granted_ns, SEC(2));
}

static void test_slot_behind_others(void **state)
{
    (void)state;
    struct weir__bucket bucket = made(3, SEC(3), 3);
    weir__bucket_take(&bucket, 3, 0);
    assert_int_equal(weir__bucket_slot_ns(&bucket, 0, 1), SEC(1));
    assert_int_equal(weir__bucket_slot_ns(&bucket, 2, 1), SEC(3));
    assert_int_equal(weir__bucket_slot_ns(&bucket, 100, 3), SEC(103));
}

static size_t granted_within(uint64_t burst, int64_t window_ns)
{
    struct weir__bucket bucket = made(10, SEC(60), burst);
    size_t count = 0;
    for (;;) {
        int64_t at_ns = later(0, weir__bucket_slot_ns(&bucket, 0, 1));
        if (at_ns >= window_ns)
            return count;
        weir__bucket_take(&bucket, 1, at_ns);
        count++;
    }
}

static void test_vector_burst_apart_from_rate(void **state)
{
    (void)state;
    assert_int_equal(granted_within(10, SEC(60)), 19);
    assert_int_equal(granted_within(1, SEC(60)), 10);
}

/* A timer that wakes late costs nothing as long as the burst covers the delay: the next slot counts
 * from the last one, not from the wake. */
static void test_late_wakes_lose_no_rate(void **state)
{
    (void)state;
    struct weir__bucket bucket = made(1000, SEC(1), 0);
    int64_t now_ns = 0;
    for (int i = 0; i < 10000; i++) {
        int64_t slot_ns = weir__bucket_slot_ns(&bucket, 0, 1);
        if (slot_ns > now_ns)
            now_ns = slot_ns + MS(1) + i % 3 * MS(6);
        weir__bucket_take(&bucket, 1, now_ns);
    }
    assert_in_range(now_ns, MS(10000 - 20), MS(10000 - 20) + MS(13));
}

static void test_a_stopped_process_gets_one_burst(void **state)
{
    (void)state;
    struct weir__bucket bucket = made(1000, SEC(1), 20);
    for (int i = 0; i < 20; i++)
        weir__bucket_take(&bucket, 1, 0);
    int count = 0;
    while (weir__bucket_slot_ns(&bucket, 0, 1) <= SEC(60)) {
        weir__bucket_take(&bucket, 1, SEC(60));
        count++;
    }
    assert_int_equal(count, 20);
}

static void expect_inval(uint64_t rate, int64_t period_ns, uint64_t burst)
{
    struct weir__bucket bucket;
    assert_int_equal(weir__bucket_init(&bucket, rate, period_ns, burst), WEIR_EINVAL);
}

static void test_bounds_of_the_rate(void **state)
{
    (void)state;
    made(1000000000, SEC(1), 1);
    expect_inval(1000000001, SEC(1), 1);
    made(UINT64_C(60000000000), SEC(60), 1);
    expect_inval(UINT64_C(60000000001), SEC(60), 1);
    expect_inval(UINT64_MAX, SEC(60), 1);
    made((uint64_t)INT64_MAX, INT64_MAX, 1);

    made(1, YEAR_366, 1);
    expect_inval(1, YEAR_366 + 1, 1);
    made(292, INT64_MAX, 0); /* 2^63 ns are 291.7 times 366 days */
    expect_inval(291, INT64_MAX, 0);
    expect_inval(1, 0, 1);
    expect_inval(1, -1, 1);
    expect_inval(0, 0, 0);
}

static void test_bounds_of_the_burst(void **state)
{
    (void)state;
    made(1000000, SEC(1), WEIR__BUCKET_MAX_BURST);
    expect_inval(1000000, SEC(1), WEIR__BUCKET_MAX_BURST + 1);
    expect_inval(0, SEC(1), 1);
    made(1, YEAR_366, 145);
    expect_inval(1, YEAR_366, 146);
}

static void test_default_burst(void **state)
{
    (void)state;
    static const struct {
        uint64_t rate;
        int64_t period_ns;
        uint64_t burst;
    } cases[] = {
        {6000, SEC(60), 2}, {1000, SEC(1), 20}, {1, SEC(60), 1},
        {99, SEC(1), 1},    {100, SEC(1), 2},   {1000000000, SEC(1), 20000000},
        {149, SEC(1), 2},   {150, SEC(1), 3},   {1, YEAR_366, 1},
    };
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct weir__bucket bucket = made(cases[i].rate, cases[i].period_ns, 0);
        assert_int_equal(bucket.burst, cases[i].burst);
    }
}

static void test_no_rate_grants_all(void **state)
{
    (void)state;
    struct weir__bucket bucket = made(0, SEC(60), 0);
    assert_true(weir__bucket_fits(&bucket, UINT64_MAX));
    assert_false(weir__bucket_fits(&bucket, 0));
    weir__bucket_take(&bucket, UINT64_MAX, SEC(5));
    weir__bucket_empty_at(&bucket, SEC(99));
    weir__bucket_refund(&bucket, 7, SEC(5), SEC(5));
    assert_int_equal(weir__bucket_slot_ns(&bucket, UINT64_MAX, UINT64_MAX), INT64_MIN);
}

static void test_late_refund_is_none(void **state)
{
    (void)state;
    struct weir__bucket bucket = made(10, SEC(1), 5), before;
    weir__bucket_take(&bucket, 2, SEC(1));
    before = bucket;
    weir__bucket_refund(&bucket, 2, SEC(1), SEC(1) + MS(501)); /* it fills in 500 ms */
    assert_int_equal(bucket.tat_ns, before.tat_ns);
    weir__bucket_refund(&bucket, 2, SEC(1), SEC(1) + MS(500));
    assert_int_equal(bucket.tat_ns, before.tat_ns - MS(200));
}

static void test_empty_at(void **state)
{
    (void)state;
    struct weir__bucket bucket = made(5, SEC(1), 5);
    weir__bucket_empty_at(&bucket, SEC(10));
    for (int i = 0; i < 8; i++) {
        int64_t slot_ns = weir__bucket_slot_ns(&bucket, 0, 1);
        assert_int_equal(slot_ns, SEC(10) + i * MS(200));
        weir__bucket_take(&bucket, 1, slot_ns);
    }
    /* It never gives back: an earlier time changes nothing. */
    int64_t tat_ns = bucket.tat_ns;
    weir__bucket_empty_at(&bucket, SEC(10));
    assert_int_equal(bucket.tat_ns, tat_ns);
}

static void test_ends_of_time(void **state)
{
    (void)state;
    struct weir__bucket bucket = made(1, SEC(60), 100);
    assert_int_equal(weir__bucket_slot_ns(&bucket, 0, 1), INT64_MIN);
    assert_int_equal(weir__bucket_slot_ns(&bucket, 0, 100), INT64_MIN);
    weir__bucket_refund(&bucket, 100, 0, 0);
    assert_int_equal(bucket.tat_ns, INT64_MIN);
    weir__bucket_take(&bucket, 100, INT64_MIN);
    assert_int_equal(bucket.tat_ns, INT64_MIN + 100 * SEC(60));

    weir__bucket_take(&bucket, 1, 0);
    assert_int_equal(bucket.tat_ns, SEC(60));
    assert_int_equal(weir__bucket_slot_ns(&bucket, UINT64_MAX, 1), INT64_MAX);
    assert_int_equal(weir__bucket_slot_ns(&bucket, UINT64_MAX - 5, 100), INT64_MAX);

    weir__bucket_take(&bucket, 1, INT64_MAX);
    assert_int_equal(bucket.tat_ns, INT64_MAX);
    assert_int_equal(weir__bucket_slot_ns(&bucket, 0, 1), INT64_MAX - 99 * SEC(60));
    assert_int_equal(weir__bucket_slot_ns(&bucket, 100, 1), INT64_MAX);
    weir__bucket_empty_at(&bucket, INT64_MAX);
    assert_int_equal(bucket.tat_ns, INT64_MAX);
}

/* amount * period passes 64 bits, the result does not. */
static void test_products_over_64_bits(void **state)
{
    (void)state;
    struct weir__bucket bucket = made(1000000, YEAR_366, 100000); /* a token is 31.6224 s */
    int64_t token_ns = YEAR_366 / 1000000;
    weir__bucket_take(&bucket, 99999, 0);
    assert_int_equal(bucket.tat_ns, 99999 * token_ns);
    assert_int_equal(weir__bucket_slot_ns(&bucket, 0, 1), 0);
    assert_int_equal(weir__bucket_slot_ns(&bucket, 1, 1), token_ns);
    assert_int_equal(weir__bucket_slot_ns(&bucket, 0, 60000), 59999 * token_ns);
}

static void test_rounding(void **state)
{
    (void)state;
    struct weir__bucket bucket = made(7, 10, 7); /* a token is 1.43 ns */
    weir__bucket_take(&bucket, 7, 0);
    assert_int_equal(weir__bucket_slot_ns(&bucket, 0, 1), 2);
    assert_int_equal(weir__bucket_slot_ns(&bucket, 0, 2), 3);
    assert_int_equal(weir__bucket_slot_ns(&bucket, 0, 7), 10);
    assert_int_equal(weir__bucket_slot_ns(&bucket, 7, 1), 12);
    weir__bucket_take(&bucket, 1, 2);
    assert_int_equal(bucket.tat_ns, 12); /* 10 + 2, not 10 + 1.43 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors_of_ones),
        cmocka_unit_test(test_vector_spread_arrivals),
        cmocka_unit_test(test_vectors_of_amounts),
        cmocka_unit_test(test_vector_cancel_in_the_queue),
        cmocka_unit_test(test_vector_third_of_a_second),
        cmocka_unit_test(test_vector_never),
        cmocka_unit_test(test_vector_fairness),
        cmocka_unit_test(test_vector_gcra),
        cmocka_unit_test(test_vector_large_amounts),
        cmocka_unit_test(test_vector_deadline_consumes_nothing),
        cmocka_unit_test(test_slot_behind_others),
        cmocka_unit_test(test_vector_burst_apart_from_rate),
        cmocka_unit_test(test_late_wakes_lose_no_rate),
        cmocka_unit_test(test_a_stopped_process_gets_one_burst),
        cmocka_unit_test(test_bounds_of_the_rate),
        cmocka_unit_test(test_bounds_of_the_burst),
        cmocka_unit_test(test_default_burst),
        cmocka_unit_test(test_no_rate_grants_all),
        cmocka_unit_test(test_late_refund_is_none),
        cmocka_unit_test(test_empty_at),
        cmocka_unit_test(test_ends_of_time),
        cmocka_unit_test(test_products_over_64_bits),
        cmocka_unit_test(test_rounding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
