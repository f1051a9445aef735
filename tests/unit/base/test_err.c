/* Codes, names and messages come from one list. */
#include <errno.h> /* its macros bear the names of the list: they must not be expanded there */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <weir/err.h>

struct known {
    int code;
    const char *name, *message;
};

static const struct known all[] = {
#define KNOWN(number, name, message) {WEIR_##name, "WEIR_" #name, message},
    WEIR_ERR_MAP(KNOWN)
#undef KNOWN
};

enum { COUNT = sizeof all / sizeof all[0] };

static void test_every_code_has_its_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        assert_string_equal(weir_err_name(all[i].code), all[i].name);
        assert_string_equal(weir_strerror(all[i].code), all[i].message);
    }
}

/* The numbers are the ABI: these never change, new ones follow without a gap. */
static void test_numbers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(all[i].code, -(int)(i + 1));
    assert_int_equal(WEIR_ENOMEM, -1);
    assert_int_equal(WEIR_ECANCELED, -3);
    assert_int_equal(WEIR_ENEVER, -12);
    assert_int_equal(WEIR_ETRANSFER, -26);
    assert_true(COUNT >= 26);
}

static void test_texts_differ(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        assert_true(strlen(all[i].message) > 3);
        for (size_t k = 0; k < i; k++) {
            assert_string_not_equal(all[i].name, all[k].name);
            assert_string_not_equal(all[i].message, all[k].message);
        }
    }
}

static void test_no_error(void **state)
{
    (void)state;
    static const int codes[] = {0, 1, 12345, INT_MAX};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        assert_string_equal(weir_strerror(codes[i]), "success");
        assert_string_equal(weir_err_name(codes[i]), "0");
    }
}

static void test_unknown(void **state)
{
    (void)state;
    static const int codes[] = {-COUNT - 1, -1000, INT_MIN};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        assert_string_equal(weir_strerror(codes[i]), "unknown error");
        assert_string_equal(weir_err_name(codes[i]), "WEIR_?");
    }
}

static void test_version(void **state)
{
    (void)state;
    char expected[40];
    snprintf(expected, sizeof expected, "%d.%d.%d", WEIR_VERSION_MAJOR, WEIR_VERSION_MINOR,
             WEIR_VERSION_PATCH);
    assert_string_equal(weir_version(), expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code_has_its_texts),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_texts_differ),
        cmocka_unit_test(test_no_error),
        cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
