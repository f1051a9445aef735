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

/* ---- figures that are asked for ---- */

static void as_far_as_the_size_reaches(void **state)
{
    const struct present own = {.rate = 3, .burst = 4};
    struct present same = {.size = sizeof same};
    struct old less[2] = {{.size = sizeof less[0]}, {.rate = 9}};
    struct later more = {.size = sizeof more, .colour = 9};
    (void)state;
    assert_int_equal(weir__opts_fill(&same, sizeof own, &own), 0);
    assert_int_equal(weir__opts_fill(less, sizeof own, &own), 0);
    assert_int_equal(weir__opts_fill(&more, sizeof own, &own), 0);
    assert_true(same.size == sizeof same && same.rate == 3 && same.burst == 4);
    assert_true(less[0].size == sizeof less[0] && less[0].rate == 3);
    assert_true(less[1].size == 0 && less[1].rate == 9); /* what lies behind stays */
    assert_true(more.size == sizeof more && more.burst == 4 && more.colour == 0);
}

static void not_without_a_size(void **state)
{
    const struct present own = {.rate = 3};
    const size_t sizes[] = {0, sizeof(size_t) - 1, sizeof own + 1025, SIZE_MAX};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct present to = {.size = sizes[i], .rate = 9};
        assert_int_equal(weir__opts_fill(&to, sizeof own, &own), WEIR_EINVAL);
        assert_int_equal(to.rate, 9);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(none_is_all_zero),       cmocka_unit_test(the_same_version),
        cmocka_unit_test(an_older_program),       cmocka_unit_test(a_newer_program),
        cmocka_unit_test(a_size_that_nobody_set), cmocka_unit_test(as_far_as_the_size_reaches),
        cmocka_unit_test(not_without_a_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
