/* Conversions of time, at their ends too, and that the clocks are the right ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"

static void test_ms_to_ns(void **state)
{
    (void)state;
    assert_int_equal(weir__ms_to_ns(0), 0);
    assert_int_equal(weir__ms_to_ns(1), 1000000);
    assert_int_equal(weir__ms_to_ns(-3), -3000000);
    assert_int_equal(weir__ms_to_ns(INT64_C(9223372036854)), INT64_C(9223372036854000000));
    assert_int_equal(weir__ms_to_ns(INT64_C(9223372036855)), INT64_MAX);
    assert_int_equal(weir__ms_to_ns(INT64_MAX), INT64_MAX);
    assert_int_equal(weir__ms_to_ns(INT64_C(-9223372036854)), INT64_C(-9223372036854000000));
    assert_int_equal(weir__ms_to_ns(INT64_C(-9223372036855)), INT64_MIN);
    assert_int_equal(weir__ms_to_ns(INT64_MIN), INT64_MIN);
}

static void test_ns_to_ms_up(void **state)
{
    (void)state;
    assert_int_equal(weir__ns_to_ms_up(0), 0);
    assert_int_equal(weir__ns_to_ms_up(1), 1);
    assert_int_equal(weir__ns_to_ms_up(999999), 1);
    assert_int_equal(weir__ns_to_ms_up(1000000), 1);
    assert_int_equal(weir__ns_to_ms_up(1000001), 2);
    assert_int_equal(weir__ns_to_ms_up(-1), 0);
    assert_int_equal(weir__ns_to_ms_up(-1000000), -1);
    assert_int_equal(weir__ns_to_ms_up(-1000001), -1);
    assert_int_equal(weir__ns_to_ms_up(INT64_MAX), INT64_C(9223372036855));
    assert_int_equal(weir__ns_to_ms_up(INT64_MIN), INT64_C(-9223372036854));
}

static void test_ns_add(void **state)
{
    (void)state;
    assert_int_equal(weir__ns_add(2, 3), 5);
    assert_int_equal(weir__ns_add(2, -3), -1);
    assert_int_equal(weir__ns_add(INT64_MAX, 0), INT64_MAX);
    assert_int_equal(weir__ns_add(INT64_MAX, 1), INT64_MAX);
    assert_int_equal(weir__ns_add(1, INT64_MAX), INT64_MAX);
    assert_int_equal(weir__ns_add(INT64_MAX, INT64_MAX), INT64_MAX);
    assert_int_equal(weir__ns_add(INT64_MIN, -1), INT64_MIN);
    assert_int_equal(weir__ns_add(-1, INT64_MIN), INT64_MIN);
    assert_int_equal(weir__ns_add(INT64_MIN, INT64_MIN), INT64_MIN);
    assert_int_equal(weir__ns_add(INT64_MIN, INT64_MAX), -1);
    assert_int_equal(weir__ns_add(INT64_MAX, INT64_MIN), -1);
}

static void test_mono_moves_forward(void **state)
{
    (void)state;
    int64_t first_ns = weir__clock_mono_ns(), last_ns = first_ns;
    assert_true(first_ns > 0);
    for (int i = 0; i < 100000; i++) {
        int64_t now_ns = weir__clock_mono_ns();
        assert_true(now_ns >= last_ns);
        last_ns = now_ns;
    }
    /* It counts ns: 100,000 readings take more than 0.1 ms and less than minutes. */
    assert_in_range(last_ns - first_ns, 100000, INT64_C(100000000000));
}

static void test_wall_is_the_calendar(void **state)
{
    (void)state;
    assert_in_range(weir__clock_wall_s(), INT64_C(1700000000), INT64_C(9000000000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ms_to_ns),
        cmocka_unit_test(test_ns_to_ms_up),
        cmocka_unit_test(test_ns_add),
        cmocka_unit_test(test_mono_moves_forward),
        cmocka_unit_test(test_wall_is_the_calendar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
