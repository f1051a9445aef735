/* The token bucket when the cost is known only afterwards, and when its rate changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <weir/err.h>

#include "base/clock.h"
#include "base/rand.h"
#include "policy/bucket.h"

#define MS(x)  ((int64_t)(x)*WEIR__NS_PER_MS)
#define SEC(x) ((int64_t)(x)*WEIR__NS_PER_S)

static struct weir__bucket made(uint64_t rate, int64_t period_ns, uint64_t burst)
{
    struct weir__bucket bucket;
    assert_int_equal(weir__bucket_init(&bucket, rate, period_ns, burst), 0);
    return bucket;
}

/* The most that is there at now_ns. */
static uint64_t held(const struct weir__bucket *bucket, int64_t now_ns)
{
    uint64_t n = 0;
    while (n < bucket->burst && weir__bucket_slot_ns(bucket, 0, n + 1) <= now_ns)
        n++;
    return n;
}

static void test_what_is_over_comes_back(void **state)
{
    (void)state;
    struct weir__bucket bucket = made(100, SEC(1), 100);
    weir__bucket_take(&bucket, 80, SEC(1));
    weir__bucket_settle(&bucket, 80, 30, SEC(1), SEC(1) + MS(100));
    assert_int_equal(held(&bucket, SEC(1) + MS(100)), 80); /* 20 + 50 + 10 */
    weir__bucket_settle(&bucket, 30, 30, SEC(1), SEC(1) + MS(100));
    assert_int_equal(held(&bucket, SEC(1) + MS(100)), 80);
}

static void test_what_is_missing_is_a_debt(void **state)
{
    (void)state;
    struct weir__bucket bucket = made(100, SEC(1), 100);
    weir__bucket_take(&bucket, 10, SEC(1));
    weir__bucket_settle(&bucket, 10, 250, SEC(1), SEC(1));
    assert_int_equal(held(&bucket, SEC(1)), 0);
    assert_int_equal(weir__bucket_slot_ns(&bucket, 0, 1), SEC(1) + MS(1510));
}

/* Taken at 0 s, and again in full just before the bucket would have been full: what the first gives
 * back then would have flowed over, but for the tenth that was still missing. */
static void test_what_would_have_flowed_over_does_not_come_back(void **state)
{
    (void)state;
    struct weir__bucket bucket = made(100, SEC(1), 100);
    weir__bucket_take(&bucket, 100, SEC(10));
    weir__bucket_take(&bucket, 90, SEC(10) + MS(900));
    weir__bucket_settle(&bucket, 100, 0, SEC(10), SEC(10) + MS(950));
    assert_int_equal(held(&bucket, SEC(10) + MS(950)), 15); /* 5 came, 10 were kept */
}

/* A level that knows everything: what would the bucket hold had each taken what it used? */
enum { RUNS = 400, TAKES = 60 };
struct use {
    int64_t at_ns;
    uint64_t taken, used;
    bool settled;
};

static uint64_t draw(struct weir__rand *rand, uint64_t low, uint64_t high)
{
    return low + (uint64_t)weir__rand_upto(rand, (int64_t)(high - low));
}

/* As of now_ns: never more than the world in which nothing too much was ever taken. */
static void check_not_over(const struct weir__bucket *bucket, const struct use *uses, int count,
                           int64_t now_ns)
{
    struct weir__bucket ideal = made(bucket->rate, bucket->period_ns, bucket->burst);
    for (int i = 0; i < count; i++) {
        uint64_t cost = uses[i].settled ? uses[i].used : uses[i].taken;
        if (cost > 0)
            weir__bucket_take(&ideal, cost, uses[i].at_ns);
    }
    int64_t lack_ns = bucket->tat_ns > now_ns ? bucket->tat_ns - now_ns : 0;
    int64_t ideal_ns = ideal.tat_ns > now_ns ? ideal.tat_ns - now_ns : 0;
    assert_true(lack_ns >= ideal_ns - count); /* each take rounds up by less than 1 ns */
}

static void test_never_more_than_had_it_not_been_taken(void **state)
{
    (void)state;
    struct weir__rand rand;
    weir__rand_seed(&rand, 11);
    for (int run = 0; run < RUNS; run++) {
        struct weir__bucket bucket = made(draw(&rand, 1, 1000), SEC(1), draw(&rand, 1, 300));
        struct use uses[TAKES];
        int64_t now_ns = SEC(1);
        for (int i = 0; i < TAKES; i++) {
            uint64_t amount = draw(&rand, 1, bucket.burst);
            int64_t slot_ns = weir__bucket_slot_ns(&bucket, 0, amount);
            now_ns += weir__rand_upto(&rand, bucket.spare_ns);
            now_ns = slot_ns > now_ns ? slot_ns : now_ns;
            weir__bucket_take(&bucket, amount, now_ns);
            uses[i] = (struct use){now_ns, amount, draw(&rand, 0, amount), false};
            int other = (int)draw(&rand, 0, (uint64_t)i);
            struct use *use = &uses[other];
            if (!use->settled)
                weir__bucket_settle(&bucket, use->taken, use->used, use->at_ns, now_ns);
            use->settled = true;
            check_not_over(&bucket, uses, i + 1, now_ns);
        }
    }
}

static void test_a_change_keeps_what_is_there(void **state)
{
    (void)state;
    static const struct {
        uint64_t taken, rate, burst, held;
        int64_t wait_ms; /* for the burst */
    } cases[] = {
        {10, 1000, 10, 0, 10},  /* empty stays empty, and fills faster */
        {10, 1000, 50, 0, 50},  /* no flood by a larger burst */
        {4, 10, 10, 6, 400},    /* another name for the same */
        {0, 10, 100, 10, 9000}, /* full of the old burst */
        {4, 10, 3, 3, 0},       /* a smaller burst is full */
        {8, 10, 3, 2, 100},     /* or is not */
        {0, 10, 1, 1, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct weir__bucket bucket = made(10, SEC(1), 10);
        if (cases[i].taken > 0)
            weir__bucket_take(&bucket, cases[i].taken, SEC(100));
        assert_int_equal(weir__bucket_change(&bucket, cases[i].rate, SEC(1), cases[i].burst,
                                             SEC(100)),
                         0);
        assert_int_equal(held(&bucket, SEC(100)), cases[i].held);
        int64_t full_ns = weir__bucket_slot_ns(&bucket, 0, cases[i].burst);
        int64_t wait_ns = full_ns > SEC(100) ? full_ns - SEC(100) : 0;
        assert_in_range(wait_ns, MS(cases[i].wait_ms), MS(cases[i].wait_ms) + 2);
    }
}

static void test_a_change_between_two_tokens(void **state)
{
    (void)state;
    struct weir__bucket bucket = made(10, SEC(1), 1);
    weir__bucket_take(&bucket, 1, SEC(1));
    assert_int_equal(weir__bucket_change(&bucket, 1, SEC(1), 1, SEC(1) + MS(50)), 0);
    assert_int_equal(weir__bucket_slot_ns(&bucket, 0, 1), SEC(1) + MS(550)); /* half of one */
    assert_int_equal(weir__bucket_change(&bucket, 100, SEC(1), 1, SEC(1) + MS(50)), 0);
    assert_int_equal(weir__bucket_slot_ns(&bucket, 0, 1), SEC(1) + MS(55));
}

static void test_a_debt_stays_a_debt(void **state)
{
    (void)state;
    struct weir__bucket bucket = made(10, SEC(1), 10);
    weir__bucket_take(&bucket, 10, SEC(1));
    weir__bucket_settle(&bucket, 10, 30, SEC(1), SEC(1));
    assert_int_equal(weir__bucket_change(&bucket, 20, SEC(1), 10, SEC(1)), 0);
    assert_int_equal(weir__bucket_slot_ns(&bucket, 0, 1), SEC(1) + MS(1050)); /* 21 tokens */
}

/* As above, with another rate and burst from the last take on: ten tokens were kept, as before. */
static void test_a_change_before_tokens_come_back(void **state)
{
    (void)state;
    struct weir__bucket bucket = made(100, SEC(1), 100);
    weir__bucket_take(&bucket, 100, SEC(10));
    weir__bucket_take(&bucket, 90, SEC(10) + MS(900));
    assert_int_equal(weir__bucket_change(&bucket, 1000, SEC(10), 100, SEC(10) + MS(900)), 0);
    assert_int_equal(weir__bucket_change(&bucket, 1000, SEC(1), 1000, SEC(10) + MS(900)), 0);
    assert_int_equal(held(&bucket, SEC(10) + MS(900)), 0);
    weir__bucket_settle(&bucket, 100, 0, SEC(10), SEC(10) + MS(950));
    assert_int_equal(held(&bucket, SEC(10) + MS(950)), 60);
    bucket = made(100, SEC(1), 100);
    weir__bucket_take(&bucket, 100, SEC(10));
    weir__bucket_take(&bucket, 90, SEC(10) + MS(900));
    assert_int_equal(weir__bucket_change(&bucket, 50, SEC(1), 100, SEC(10) + MS(900)), 0);
    weir__bucket_settle(&bucket, 100, 0, SEC(10), SEC(10) + MS(900));
    assert_int_equal(held(&bucket, SEC(10) + MS(900)), 10);
}

static void test_a_change_from_and_to_none(void **state)
{
    (void)state;
    struct weir__bucket bucket = made(0, SEC(1), 0);
    assert_int_equal(weir__bucket_change(&bucket, 10, SEC(1), 5, SEC(1)), 0);
    assert_int_equal(held(&bucket, SEC(1)), 5);
    assert_int_equal(weir__bucket_change(&bucket, 0, SEC(1), 0, SEC(1)), 0);
    assert_int_equal(weir__bucket_slot_ns(&bucket, 0, 1000), INT64_MIN);
}

static void test_a_wrong_change_changes_nothing(void **state)
{
    (void)state;
    struct weir__bucket bucket = made(10, SEC(1), 5);
    weir__bucket_take(&bucket, 3, SEC(1));
    int64_t tat_ns = bucket.tat_ns;
    assert_int_equal(weir__bucket_change(&bucket, 10, 0, 5, SEC(1)), WEIR_EINVAL);
    assert_int_equal(weir__bucket_change(&bucket, UINT64_MAX, SEC(1), 5, SEC(1)), WEIR_EINVAL);
    assert_int_equal(bucket.tat_ns, tat_ns);
    assert_int_equal(bucket.rate, 10);
    assert_int_equal(bucket.burst, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_over_comes_back),
        cmocka_unit_test(test_what_is_missing_is_a_debt),
        cmocka_unit_test(test_what_would_have_flowed_over_does_not_come_back),
        cmocka_unit_test(test_never_more_than_had_it_not_been_taken),
        cmocka_unit_test(test_a_change_keeps_what_is_there),
        cmocka_unit_test(test_a_change_between_two_tokens),
        cmocka_unit_test(test_a_debt_stays_a_debt),
        cmocka_unit_test(test_a_change_before_tokens_come_back),
        cmocka_unit_test(test_a_change_from_and_to_none),
        cmocka_unit_test(test_a_wrong_change_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
