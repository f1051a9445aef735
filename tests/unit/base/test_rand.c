/* The generator is the published one, and bounded draws are even. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/rand.h"

/* The first outputs of xoshiro256** from the state 1, 2, 3, 4, as other implementations test them.
 */
static void test_xoshiro256starstar(void **state)
{
    (void)state;
    static const uint64_t expected[] = {
        UINT64_C(11520),
        UINT64_C(0),
        UINT64_C(1509978240),
        UINT64_C(1215971899390074240),
        UINT64_C(1216172134540287360),
        UINT64_C(607988272756665600),
        UINT64_C(16172922978634559625),
        UINT64_C(8476171486693032832),
        UINT64_C(10595114339597558777),
        UINT64_C(2904607092377533576),
    };
    struct weir__rand rand = {{1, 2, 3, 4}};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        assert_int_equal(weir__rand_u64(&rand), expected[i]);
}

/* splitmix64 from 0: its published first outputs. */
static void test_seeding(void **state)
{
    (void)state;
    static const uint64_t expected[] = {UINT64_C(0xe220a8397b1dcdaf), UINT64_C(0x6e789e6aa1b965f4),
                                        UINT64_C(0x06c45d188009454f), UINT64_C(0xf88bb8a8724c81ec)};
    struct weir__rand rand;
    weir__rand_seed(&rand, 0);
    assert_memory_equal(rand.s, expected, sizeof expected);
}

static void test_repeats_from_its_seed(void **state)
{
    (void)state;
    struct weir__rand first, second, other;
    weir__rand_seed(&first, 42);
    weir__rand_seed(&second, 42);
    weir__rand_seed(&other, 43);
    int same = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t value = weir__rand_u64(&first);
        assert_int_equal(weir__rand_u64(&second), value);
        same += weir__rand_u64(&other) == value;
    }
    assert_int_equal(same, 0);
}

static void test_bounds(void **state)
{
    (void)state;
    static const int64_t bounds[] = {
        0, 1, 2, 6, 255, 1000000007, INT64_C(1) << 62, INT64_MAX - 1, INT64_MAX};
    struct weir__rand rand;
    weir__rand_seed(&rand, 1);
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        int64_t least = INT64_MAX, most = -1;
        for (int draw = 0; draw < 4000; draw++) {
            int64_t value = weir__rand_upto(&rand, bounds[i]);
            assert_true(value >= 0 && value <= bounds[i]);
            least = value < least ? value : least;
            most = value > most ? value : most;
        }
        assert_true(least <= bounds[i] / 100);
        assert_true(most >= bounds[i] - bounds[i] / 100);
    }
}

/* A plain remainder of 64 bits by 3 * 2^61 would give the lower two thirds of the range half as
 * often again as the upper. */
static void test_no_bias(void **state)
{
    (void)state;
    const int64_t third = INT64_C(1) << 61;
    struct weir__rand rand;
    weir__rand_seed(&rand, 2);
    int counts[3] = {0};
    for (int i = 0; i < 60000; i++)
        counts[weir__rand_upto(&rand, third * 3 - 1) / third]++;
    for (int i = 0; i < 3; i++)
        assert_in_range(counts[i], 19400, 20600);
}

static void test_even(void **state)
{
    (void)state;
    struct weir__rand rand;
    weir__rand_seed(&rand, 3);
    int counts[10] = {0};
    for (int i = 0; i < 100000; i++)
        counts[weir__rand_upto(&rand, 9)]++;
    for (int i = 0; i < 10; i++)
        assert_in_range(counts[i], 9600, 10400);
}

static void test_system_seeds_differ(void **state)
{
    (void)state;
    uint64_t first = weir__rand_system_seed();
    assert_true(weir__rand_system_seed() != first || weir__rand_system_seed() != first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_xoshiro256starstar),
        cmocka_unit_test(test_seeding),
        cmocka_unit_test(test_repeats_from_its_seed),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_no_bias),
        cmocka_unit_test(test_even),
        cmocka_unit_test(test_system_seeds_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
