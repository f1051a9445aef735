/* Option structs of programs that were built with older or newer headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <weir/err.h>

#include "base/opts.h"

struct old {
    size_t size;
    int64_t rate;
};
struct present {
    size_t size;
    int64_t rate, burst;
};
struct later {
    size_t size;
    int64_t rate, burst, colour;
};

static void none_is_all_zero(void **state)
{
    struct present own = {.rate = 7};
    (void)state;
    assert_int_equal(weir__opts_copy(&own, sizeof own, NULL), 0);
    assert_int_equal(own.size, sizeof own);
    assert_int_equal(own.rate, 0);
    assert_int_equal(own.burst, 0);
}

static void the_same_version(void **state)
{
    struct present own, given = {.size = sizeof given, .rate = 3, .burst = 4};
    (void)state;
    assert_int_equal(weir__opts_copy(&own, sizeof own, &given), 0);
    assert_memory_equal(&own, &given, sizeof own);
}

static void an_older_program(void **state)
{
    struct present own = {.burst = 9};
    struct old given = {.size = sizeof given, .rate = 3};
    (void)state;
    assert_int_equal(weir__opts_copy(&own, sizeof own, &given), 0);
    assert_int_equal(own.rate, 3);
    assert_int_equal(own.burst, 0);
    assert_int_equal(own.size, sizeof own);
}

static void a_newer_program(void **state)
{
    struct present own;
    struct later given = {.size = sizeof given, .rate = 3, .burst = 4};
    (void)state;
    assert_int_equal(weir__opts_copy(&own, sizeof own, &given), 0);
    assert_int_equal(own.burst, 4);
    given.colour = 1; /* it wants what this library has never heard of */
    assert_int_equal(weir__opts_copy(&own, sizeof own, &given), WEIR_EINVAL);
}

static void a_size_that_nobody_set(void **state)
{
    struct present own, given = {.rate = 3};
    (void)state;
    assert_int_equal(weir__opts_copy(&own, sizeof own, &given), WEIR_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(none_is_all_zero),       cmocka_unit_test(the_same_version),
        cmocka_unit_test(an_older_program),       cmocka_unit_test(a_newer_program),
        cmocka_unit_test(a_size_that_nobody_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
