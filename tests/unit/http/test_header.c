/* Header lines: what may be in them, and telling them apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <weir/err.h>

#include "http/header.h"

static bool name_ok(const char *name)
{
    return weir__header_name_ok(name, strlen(name));
}

static void test_names_are_tokens(void **state)
{
    static const char *const good[] = {"X", "x-request-id", "Content-Type", "A_b.c~1",
                                       "!#$%&'*+-.^_`|~"};
    static const char *const bad[] = {"",     "a b",   " a",   "a ",           "a:b", "a(b)",
                                      "a\tb", "a\r\n", "\x7f", "na\xc3\xafve", "a/b", "a\"b"};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(name_ok(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(name_ok(bad[i]));
    assert_false(weir__header_name_ok("a\0b", 3));
}

/* Every byte, one by one, against RFC 9110's list. */
static void test_each_byte_of_a_name(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        char byte = (char)c;
        bool token = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                     (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
        assert_int_equal(weir__header_name_ok(&byte, 1), token);
    }
}

static void test_each_byte_of_a_value(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        char byte = (char)c;
        assert_int_equal(weir__header_value_ok(&byte, 1), c == '\t' || (c >= 0x20 && c != 0x7f));
    }
    assert_true(weir__header_value_ok("", 0));
    assert_false(weir__header_value_ok("a\0b", 3));
}

static int check_line(const char *line)
{
    const char *const lines[] = {"First: 1", line, "Last: 1", NULL};
    return weir__headers_check(lines);
}

static void test_lines_that_pass(void **state)
{
    static const char *const none[] = {NULL};
    (void)state;
    assert_int_equal(weir__headers_check(NULL), 0);
    assert_int_equal(weir__headers_check(none), 0);
    assert_int_equal(check_line("A: b"), 0);
    assert_int_equal(check_line("A:b"), 0);
    assert_int_equal(check_line("A:"), 0);
    assert_int_equal(check_line("A: b: c"), 0);
    assert_int_equal(check_line("A: \xc3\xa4\ttab"), 0);
}

static void test_lines_that_could_smuggle_something_in(void **state)
{
    static const char *const bad[] = {"",
                                      "A",
                                      ": b",
                                      "A : b",
                                      " A: b",
                                      "A: b\r\nEvil: 1",
                                      "A: b\nEvil: 1",
                                      "A: b\r",
                                      "A\r\nEvil: b",
                                      "A: \x01",
                                      "A: \x7f"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(check_line(bad[i]), WEIR_EHEADER);
}

/* A length of the caller's that differs from the body's would put one request's end, and so the
 * next one's beginning, in the wrong place of a connection that is used again. */
static void test_framing_is_not_the_callers(void **state)
{
    (void)state;
    assert_int_equal(check_line("Content-Length: 3"), WEIR_EHEADER);
    assert_int_equal(check_line("content-length:3"), WEIR_EHEADER);
    assert_int_equal(check_line("Transfer-Encoding: chunked"), WEIR_EHEADER);
    assert_int_equal(check_line("Content-Length-X: 3"), 0);
}

static void test_same_name(void **state)
{
    static const char *const lines[] = {"Content-Type: a", "X-Key: b", NULL};
    (void)state;
    assert_int_equal(weir__header_name_len("X-Key: b"), 5);
    assert_true(weir__header_same_name("X-Key: b", "x-kEY:c"));
    assert_false(weir__header_same_name("X-Key: b", "X-Keys: b"));
    assert_false(weir__header_same_name("X-Keys: b", "X-Key: b"));
    assert_true(weir__headers_have(lines, "x-key: other"));
    assert_true(weir__headers_have(lines, "CONTENT-TYPE:"));
    assert_false(weir__headers_have(lines, "Content: a"));
    assert_false(weir__headers_have(NULL, "Content: a"));
    assert_int_equal(weir__headers_count(lines), 2);
    assert_int_equal(weir__headers_count(NULL), 0);
}

static void assert_trimmed(const char *text, const char *want)
{
    size_t len;
    const char *trimmed = weir__trim(text, text + strlen(text), &len);
    assert_int_equal(len, strlen(want));
    assert_memory_equal(trimmed, want, len);
}

static void test_trim(void **state)
{
    (void)state;
    assert_trimmed("", "");
    assert_trimmed(" \t\r\n", "");
    assert_trimmed("a", "a");
    assert_trimmed("  a b \r\n", "a b");
    assert_trimmed("\t\xa0\t", "\xa0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_are_tokens),
        cmocka_unit_test(test_each_byte_of_a_name),
        cmocka_unit_test(test_each_byte_of_a_value),
        cmocka_unit_test(test_lines_that_pass),
        cmocka_unit_test(test_lines_that_could_smuggle_something_in),
        cmocka_unit_test(test_framing_is_not_the_callers),
        cmocka_unit_test(test_same_name),
        cmocka_unit_test(test_trim),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
