/* Structured fields, by the rules of RFC 9651. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http/sfv.h"

#define LENGTH(arr) (sizeof(arr) / sizeof((arr)[0]))

/* A copy without anything behind it, so that a sanitizer sees a read past the end. */
static struct weir__span cut_out(const char *text, size_t len)
{
    char *copy = malloc(len > 0 ? len : 1);
    assert_non_null(copy);
    memcpy(copy, text, len);
    return (struct weir__span){copy, copy + len};
}

static void give_back(struct weir__span span)
{
    free((void *)(uintptr_t)span.at);
}

static bool list_ok(const char *text)
{
    struct weir__span field = cut_out(text, strlen(text));
    bool ok = weir__sfv_list_ok(field);
    give_back(field);
    return ok;
}

static bool dictionary_ok(const char *text)
{
    struct weir__span field = cut_out(text, strlen(text));
    bool ok = weir__sfv_dictionary_ok(field);
    give_back(field);
    return ok;
}

static struct weir__span span_of(const char *text)
{
    return (struct weir__span){text, text + strlen(text)};
}

static void assert_text(struct weir__span got, const char *want)
{
    assert_int_equal(weir__span_len(got), strlen(want));
    assert_memory_equal(got.at, want, strlen(want));
}

static void test_lists_that_are_well_formed(void **state)
{
    static const char *const texts[] = {
        "",
        "a",
        "a, b",
        "a ,\tb",
        "a\t,b",
        "\"x\";a",
        "\"x\"; a",
        "\"x\";   a;b=1;  c=?0",
        "\"x\";a;a=1;a=\"2\"",
        "\"x\";*a.b-c_d9=1",
        "*t/x:y!#$%&'*+-.^_`|~9",
        "\"\\\"\\\\ ~\"",
        "1, -1, 0, -0, 007",
        "999999999999999, -999999999999999",
        "1.0, 1.25, 1.125, -0.5, 123456789012.123",
        ":cGs=:, :cGs:, ::, :YQ==:, :+/aa:",
        "?0, ?1;x",
        "@1659578233, @-1",
        "%\"a\", %\"%c3%bc\", %\"%f0%9f%98%80\", %\"\"",
        "(), (a), ( a  b;x=1 );y, (\"x\" 1)",
        "\"a\";q=100;w=60,\"b\";q=1000;w=86400",
    };
    (void)state;
    for (size_t i = 0; i < LENGTH(texts); i++) {
        if (!list_ok(texts[i]))
            fail_msg("refused: %s", texts[i]);
    }
}

static void test_lists_that_are_not(void **state)
{
    static const char *const texts[] = {
        /* members and parameters */
        "a,",
        "a, ",
        ",a",
        "a,,b",
        "a b",
        "a ;x",
        "a;",
        "a; ",
        "a;x=",
        "a;x =1",
        "a;x= 1",
        "a;=1",
        "a;X",
        "a;1",
        "a;\tx",
        "a;x;",
        " a",
        "a\n, b",
        "a;x=(1)",
        /* numbers */
        "1234567890123456",
        "-1234567890123456",
        "1.",
        "1.1234",
        "1234567890123.1",
        ".5",
        "-",
        "--1",
        "+1",
        "1e3",
        "-a",
        "1_0",
        /* strings, tokens, bytes */
        "\"a",
        "\"a\\\"",
        "\"\\a\"",
        "\"\t\"",
        "\"\x7f\"",
        "\"\xC3\xBC\"",
        "'a'",
        "a\"b\"",
        "&a",
        ":a",
        ":a:",
        ":a===:",
        ":ab=c:",
        ":a b:",
        ":YQ===:",
        ":YQ=:",
        ":_-aa:",
        /* the rest */
        "?",
        "?2",
        "?true",
        "@",
        "@1.5",
        "@a",
        "%",
        "%a",
        "%\"",
        "%\"%\"",
        "%\"%c\"",
        "%\"%C3%BC\"",
        "%\"%c3\"",
        "%\"%c3a\"",
        "%\"%c0%80\"",
        "%\"%ed%a0%80\"",
        "%\"%f4%90%80%80\"",
        "%\"%f0%80%80%80\"",
        "%\"%e0%80%80\"",
        "%\"%ff\"",
        "%\"\t\"",
        "(",
        "(a",
        "(a,b)",
        "(a\tb)",
        "(a)b",
        "((a))",
        "(a;)",
        ")",
        "a=1",
        "{}",
    };
    (void)state;
    for (size_t i = 0; i < LENGTH(texts); i++) {
        if (list_ok(texts[i]))
            fail_msg("accepted: %s", texts[i]);
    }
}

static void test_a_nul_is_nothing(void **state)
{
    (void)state;
    struct weir__span field = cut_out("a\0", 2);
    assert_false(weir__sfv_list_ok(field));
    assert_false(weir__sfv_dictionary_ok(field));
    give_back(field);
}

static void test_dictionaries(void **state)
{
    static const char *const good[] = {"",  "a=1",    "a=1, b=2", "a;x, b", "a=(1 2);y , *c=?0",
                                       "a", "a=1,a=2"};
    static const char *const bad[] = {"a=1,",  "A=1",   "a =1", "a= 1", "a=",  "=1",
                                      "\"a\"", "a=1 b", "1",    "a,,b", "a=;x"};
    (void)state;
    for (size_t i = 0; i < LENGTH(good); i++) {
        if (!dictionary_ok(good[i]))
            fail_msg("refused: %s", good[i]);
    }
    for (size_t i = 0; i < LENGTH(bad); i++) {
        if (dictionary_ok(bad[i]))
            fail_msg("accepted: %s", bad[i]);
    }
}

static void test_values(void **state)
{
    static const struct {
        const char *text;
        enum weir__sfv_type type;
        int64_t number;
        const char *inside;
    } cases[] = {
        {"42", WEIR__SFV_INTEGER, 42, ""},
        {"-999999999999999", WEIR__SFV_INTEGER, -999999999999999, ""},
        {"1.5", WEIR__SFV_DECIMAL, 1500, ""},
        {"-0.125", WEIR__SFV_DECIMAL, -125, ""},
        {"123456789012.1", WEIR__SFV_DECIMAL, 123456789012100, ""},
        {"\"a \\\"b\"", WEIR__SFV_STRING, 0, "a \\\"b"},
        {"a/b:c", WEIR__SFV_TOKEN, 0, "a/b:c"},
        {":cGs=:", WEIR__SFV_BYTES, 0, "cGs="},
        {"?1", WEIR__SFV_BOOLEAN, 1, ""},
        {"?0", WEIR__SFV_BOOLEAN, 0, ""},
        {"@1659578233", WEIR__SFV_DATE, 1659578233, ""},
        {"%\"%c3%bc\"", WEIR__SFV_DISPLAY, 0, "%c3%bc"},
    };
    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct weir__sfv_member item;
        assert_true(weir__sfv_item(span_of(cases[i].text), &item));
        assert_int_equal(item.value.type, cases[i].type);
        assert_int_equal(item.value.number, cases[i].number);
        assert_text(item.value.text, cases[i].inside);
    }
}

static void test_items_are_one(void **state)
{
    struct weir__sfv_member item;
    (void)state;
    assert_true(weir__sfv_item(span_of("5;a=1"), &item));
    assert_text(item.params, ";a=1");
    assert_false(weir__sfv_item(span_of(""), &item));
    assert_false(weir__sfv_item(span_of("5, 6"), &item));
    assert_false(weir__sfv_item(span_of("5 "), &item));
    assert_false(weir__sfv_item(span_of("(5)"), &item));
}

static void test_members_and_parameters_in_order(void **state)
{
    struct weir__span rest = span_of("\"a\"; q=100;w , (1 2);x=?0,k");
    struct weir__span key;
    struct weir__sfv_member member;
    struct weir__sfv_value value;
    (void)state;
    assert_int_equal(weir__sfv_list_next(&rest, &member), 1);
    assert_text(member.value.text, "a");
    assert_int_equal(weir__span_len(member.key), 0);
    assert_int_equal(weir__sfv_param(&member.params, &key, &value), 1);
    assert_text(key, "q");
    assert_int_equal(value.number, 100);
    assert_int_equal(weir__sfv_param(&member.params, &key, &value), 1);
    assert_text(key, "w");
    assert_int_equal(value.type, WEIR__SFV_BOOLEAN);
    assert_int_equal(value.number, 1);
    assert_int_equal(weir__sfv_param(&member.params, &key, &value), 0);

    assert_int_equal(weir__sfv_list_next(&rest, &member), 1);
    assert_int_equal(member.value.type, WEIR__SFV_INNER_LIST);
    assert_text(member.value.text, "1 2");
    assert_text(member.params, ";x=?0");
    assert_int_equal(weir__sfv_list_next(&rest, &member), 1);
    assert_text(member.value.text, "k");
    assert_int_equal(weir__sfv_list_next(&rest, &member), 0);
}

static void test_dictionary_members(void **state)
{
    struct weir__span rest = span_of("limit=100, b;x");
    struct weir__sfv_member member;
    (void)state;
    assert_int_equal(weir__sfv_dictionary_next(&rest, &member), 1);
    assert_text(member.key, "limit");
    assert_int_equal(member.value.number, 100);
    assert_int_equal(weir__sfv_dictionary_next(&rest, &member), 1);
    assert_text(member.key, "b");
    assert_int_equal(member.value.type, WEIR__SFV_BOOLEAN);
    assert_int_equal(member.value.number, 1);
    assert_text(member.params, ";x");
    assert_int_equal(weir__sfv_dictionary_next(&rest, &member), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists_that_are_well_formed),
        cmocka_unit_test(test_lists_that_are_not),
        cmocka_unit_test(test_a_nul_is_nothing),
        cmocka_unit_test(test_dictionaries),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_items_are_one),
        cmocka_unit_test(test_members_and_parameters_in_order),
        cmocka_unit_test(test_dictionary_members),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
