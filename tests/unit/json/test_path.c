/* Values by their path. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <weir/jansson.h>

#include "json/path.h"

static json_t *tree(void)
{
    static const char text[] =
        "{\"a\":[{\"b\":1},{\"b\":\"two\"},7],\"c\":{\"0\":\"zero\"},\"d\":\"x\"}";
    json_t *made = NULL;
    assert_int_equal(weir_jansson_parse(text, strlen(text), &made, NULL), 0);
    return made;
}

static void test_one(void **state)
{
    json_t *root = tree();
    size_t len = 9;
    (void)state;
    assert_int_equal(json_integer_value(weir__json_at(root, "a.0.b")), 1);
    assert_int_equal(json_integer_value(weir__json_at(root, "a.*.b")), 1);
    assert_string_equal(weir__json_text_at(root, "a.1.b", &len), "two");
    assert_int_equal(len, 3);
    assert_string_equal(weir__json_text_at(root, "c.0", NULL), "zero"); /* a key */
    assert_true(weir__json_at(root, "") == root);
    static const char *const none[] = {"e",    "a.3", "a.b",     "a.00000", "a.-1",
                                       "a.1x", "d.0", "a.0.b.c", "c.*",     "a.*.e"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        if (weir__json_at(root, none[i]) != NULL)
            fail_msg("there is something at %s", none[i]);
    }
    assert_null(weir__json_text_at(root, "a.0.b", &len)); /* no string */
    assert_int_equal(len, 0);
    assert_null(weir__json_at(NULL, "a"));
    json_decref(root);
}

static bool count(json_t *value, void *arg)
{
    int *left = arg;
    (void)value;
    return --*left == 0;
}

static void test_each(void **state)
{
    json_t *root = tree();
    int left = 3;
    (void)state;
    assert_false(weir__json_each_at(root, "a.*.b", count, &left)); /* two, and no more */
    assert_int_equal(left, 1);
    left = 1;
    assert_true(weir__json_each_at(root, "a.*", count, &left));
    assert_int_equal(left, 0);
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one),
        cmocka_unit_test(test_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
