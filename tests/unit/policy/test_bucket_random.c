/* What holds for the token bucket at every rate and whatever the arrivals, from fixed seeds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/rand.h"
#include "policy/bucket.h"

__extension__ typedef unsigned __int128 wide;

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

enum { RUNS = 150, GRANTS = 150 };

struct grant {
    int64_t at_ns;
    uint64_t amount;
};

static uint64_t draw(struct weir__rand *rand, uint64_t low, uint64_t high)
{
    return low + (uint64_t)weir__rand_upto(rand, (int64_t)(high - low));
}

/* Rates from tokens of 1 ns to tokens of minutes, with awkward fractions. */
static struct weir__bucket random_bucket(struct weir__rand *rand)
{
    uint64_t limit = UINT64_C(1) << draw(rand, 3, 36);
    int64_t period_ns = (int64_t)draw(rand, 1, limit);
    uint64_t rate = draw(rand, 1, draw(rand, 1, (uint64_t)period_ns));
    return made(rate, period_ns, draw(rand, 0, 2) == 0 ? 1 : draw(rand, 1, 50));
}

/* Often at once, sometimes after a pause, so that the bucket is empty, partly full and full. */
static int64_t random_gap_ns(struct weir__rand *rand, const struct weir__bucket *bucket)
{
    switch (draw(rand, 0, 3)) {
    case 0:
        return weir__rand_upto(rand, bucket->token_ns * 3);
    case 1:
        return weir__rand_upto(rand, bucket->token_ns * (int64_t)bucket->burst);
    default:
        return 0;
    }
}

static void random_grants(struct weir__rand *rand, struct weir__bucket *bucket,
                          struct grant grants[GRANTS])
{
    int64_t now_ns = weir__rand_upto(rand, 1000 * WEIR__NS_PER_S);
    for (int i = 0; i < GRANTS;) {
        uint64_t amount = draw(rand, 1, draw(rand, 0, 1) == 0 ? 1 : bucket->burst);
        now_ns += random_gap_ns(rand, bucket);
        now_ns = later(now_ns, weir__bucket_slot_ns(bucket, 0, amount));
        weir__bucket_take(bucket, amount, now_ns);
        if (draw(rand, 0, 3) == 0)
            weir__bucket_refund(bucket, amount, now_ns, now_ns);
        else
            grants[i++] = (struct grant){now_ns, amount};
    }
}

static void test_no_window_over_the_limit(void **state)
{
    (void)state;
    struct weir__rand rand;
    weir__rand_seed(&rand, 1);
    for (int run = 0; run < RUNS; run++) {
        struct weir__bucket bucket = random_bucket(&rand);
        struct grant grants[GRANTS];
        random_grants(&rand, &bucket, grants);
        for (int first = 0; first < GRANTS; first++) {
            uint64_t sum = 0;
            for (int last = first; last < GRANTS; last++) {
                sum += grants[last].amount;
                uint64_t window_ns = (uint64_t)(grants[last].at_ns - grants[first].at_ns);
                wide allowed =
                    (wide)bucket.burst * (uint64_t)bucket.period_ns + (wide)bucket.rate * window_ns;
                assert_true((wide)sum * (uint64_t)bucket.period_ns <= allowed);
            }
        }
    }
}

/* A bucket as one thinks of it: a level that rises with time. Exact where a token's time is a whole
 * number of ns. */
struct level {
    int64_t at_ns, filled_ns, full_ns;
};

static int64_t level_grant(struct level *level, int64_t need_ns, int64_t now_ns)
{
    int64_t filled_ns = level->filled_ns + (now_ns - level->at_ns);
    if (filled_ns > level->full_ns)
        filled_ns = level->full_ns;
    int64_t lack_ns = need_ns > filled_ns ? need_ns - filled_ns : 0;
    level->filled_ns = filled_ns + lack_ns - need_ns;
    return level->at_ns = now_ns + lack_ns;
}

static void test_same_as_a_level(void **state)
{
    (void)state;
    struct weir__rand rand;
    weir__rand_seed(&rand, 2);
    for (int run = 0; run < RUNS; run++) {
        int64_t token_ns = (int64_t)draw(&rand, 1, 1000000000);
        uint64_t rate = draw(&rand, 1, 1000), burst = draw(&rand, 1, 20);
        struct weir__bucket bucket = made(rate, token_ns * (int64_t)rate, burst);
        int64_t full_ns = token_ns * (int64_t)burst, now_ns = 0;
        struct level level = {0, full_ns, full_ns};
        for (int i = 0; i < GRANTS; i++) {
            uint64_t amount = draw(&rand, 1, burst);
            now_ns += random_gap_ns(&rand, &bucket);
            int64_t at_ns = later(now_ns, weir__bucket_slot_ns(&bucket, 0, amount));
            assert_int_equal(at_ns, level_grant(&level, token_ns * (int64_t)amount, now_ns));
            weir__bucket_take(&bucket, amount, at_ns);
            now_ns = at_ns;
        }
    }
}

static void test_rounding_loses_under_1_ns_a_take(void **state)
{
    (void)state;
    struct weir__rand rand;
    weir__rand_seed(&rand, 3);
    for (int run = 0; run < RUNS; run++) {
        struct weir__bucket bucket = random_bucket(&rand);
        uint64_t taken = 0;
        int64_t at_ns = 0;
        for (int i = 0; i < GRANTS; i++) {
            at_ns = later(at_ns, weir__bucket_slot_ns(&bucket, 0, 1));
            weir__bucket_take(&bucket, 1, at_ns);
            taken++;
        }
        wide ideal_ns = taken > bucket.burst ? (wide)(taken - bucket.burst) *
                                                   (uint64_t)bucket.period_ns / bucket.rate
                                             : 0;
        assert_true((wide)at_ns <= ideal_ns + taken);
    }
}

/* Nothing was taken: the same slots as before, for every amount. */
static void test_refund_at_once_is_exact(void **state)
{
    (void)state;
    struct weir__rand rand;
    weir__rand_seed(&rand, 4);
    for (int run = 0; run < RUNS; run++) {
        struct weir__bucket bucket = random_bucket(&rand);
        int64_t now_ns = 0;
        for (int i = 0; i < GRANTS; i++) {
            uint64_t amount = draw(&rand, 1, bucket.burst);
            now_ns += random_gap_ns(&rand, &bucket);
            now_ns = later(now_ns, weir__bucket_slot_ns(&bucket, 0, amount));
            struct weir__bucket before = bucket;
            weir__bucket_take(&bucket, amount, now_ns);
            weir__bucket_refund(&bucket, amount, now_ns, now_ns);
            for (uint64_t n = 1; n <= bucket.burst; n++)
                assert_int_equal(wait_ns(&bucket, n, now_ns), wait_ns(&before, n, now_ns));
            weir__bucket_take(&bucket, amount, now_ns);
        }
    }
}

/* A refund after others have taken leaves what they alone would have left. */
static void test_refund_among_others_is_exact(void **state)
{
    (void)state;
    struct weir__rand rand;
    weir__rand_seed(&rand, 5);
    for (int run = 0; run < RUNS; run++) {
        struct weir__bucket with = random_bucket(&rand);
        weir__bucket_take(&with, with.burst, 0); /* never full from here on */
        struct weir__bucket without = with;
        uint64_t refunds[GRANTS];
        for (int i = 0; i < GRANTS; i++) {
            uint64_t kept = draw(&rand, 1, with.burst);
            refunds[i] = draw(&rand, 1, with.burst);
            weir__bucket_take(&without, kept, weir__bucket_slot_ns(&without, 0, kept));
            weir__bucket_take(&with, refunds[i], weir__bucket_slot_ns(&with, 0, refunds[i]));
            weir__bucket_take(&with, kept, weir__bucket_slot_ns(&with, 0, kept));
        }
        for (int i = 0; i < GRANTS; i++)
            weir__bucket_refund(&with, refunds[i], 0, 0);
        assert_int_equal(with.tat_ns, without.tat_ns);
    }
}

/* With others ahead the slot is a lower bound, and exact to the rounding while the bucket is
 * busy. */
static void test_slot_behind_others_is_what_comes(void **state)
{
    (void)state;
    struct weir__rand rand;
    weir__rand_seed(&rand, 6);
    for (int run = 0; run < RUNS; run++) {
        struct weir__bucket bucket = random_bucket(&rand);
        weir__bucket_take(&bucket, bucket.burst, 0);
        uint64_t ahead = draw(&rand, 0, 100), amount = draw(&rand, 1, bucket.burst);
        int64_t promised_ns = weir__bucket_slot_ns(&bucket, ahead, amount);
        for (uint64_t i = 0; i < ahead; i++)
            weir__bucket_take(&bucket, 1, weir__bucket_slot_ns(&bucket, 0, 1));
        int64_t come_ns = weir__bucket_slot_ns(&bucket, 0, amount);
        assert_in_range(come_ns - promised_ns, 0, ahead);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_window_over_the_limit),
        cmocka_unit_test(test_same_as_a_level),
        cmocka_unit_test(test_rounding_loses_under_1_ns_a_take),
        cmocka_unit_test(test_refund_at_once_is_exact),
        cmocka_unit_test(test_refund_among_others_is_exact),
        cmocka_unit_test(test_slot_behind_others_is_what_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
