/* The jansson adapter: what is printed and read, where errors are, limits, and want of memory in
 * our allocator and in jansson's. */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <weir/jansson.h>
#include <weir/task.h>
#include <weir/transport.h>

#include "base/mem.h"
#include "http/response.h"
#include "json/dump.h"

/* ---- jansson's allocator, failing when told to ---- */

static unsigned long allocations;
static unsigned long fail_from, fail_to; /* 0: none */

static void *failing_malloc(size_t size)
{
    allocations++;
    if (fail_from > 0 && allocations >= fail_from && allocations <= fail_to) {
        errno = ENOMEM;
        return NULL;
    }
    return malloc(size);
}

static void fail_jansson(unsigned long from, unsigned long to)
{
    allocations = 0;
    fail_from = from;
    fail_to = to;
}

static int with_failing_malloc(void **unused)
{
    (void)unused;
    fail_jansson(0, 0);
    json_set_alloc_funcs(failing_malloc, free);
    return 0;
}

static int with_plain_malloc(void **unused)
{
    (void)unused;
    json_set_alloc_funcs(malloc, free);
    return 0;
}

/* ---- helpers ---- */

static json_t *parsed(const char *text)
{
    struct weir_json_error error = {.text = ""};
    json_t *tree = NULL;
    int rc = weir_jansson_parse(text, strlen(text), &tree, &error);
    assert_string_equal(error.text, "");
    assert_int_equal(rc, 0);
    return tree;
}

static void expect_text(const json_t *tree, const char *expected)
{
    char *text = NULL;
    size_t len = 0;
    assert_int_equal(weir_jansson_text(tree, &text, &len), 0);
    assert_string_equal(text, expected);
    assert_int_equal(len, strlen(expected));
    weir_json_text_free(text);
}

static void expect_no_text(const json_t *tree, int rc)
{
    char *text = (char *)&rc;
    assert_int_equal(weir_jansson_text(tree, &text, NULL), rc);
    assert_null(text);
}

static void expect_refusal(const char *text, size_t len, unsigned line, unsigned column,
                           const char *what)
{
    struct weir_json_error error = {.text = ""};
    json_t *tree = (json_t *)&error;
    assert_int_equal(weir_jansson_parse(text, len, &tree, &error), WEIR_EJSON);
    assert_null(tree);
    assert_string_equal(error.text, what);
    assert_int_equal(error.line, line);
    assert_int_equal(error.column, column);
    assert_int_equal(weir_jansson_parse(text, len, &tree, NULL), WEIR_EJSON);
}

/* depth times `open`, then `leaf`, then depth times `close`. To be freed by the caller. */
static char *nested(size_t depth, const char *open, const char *leaf, const char *close)
{
    size_t open_len = strlen(open);
    size_t leaf_len = strlen(leaf);
    size_t close_len = strlen(close);
    char *text = malloc(depth * (open_len + close_len) + leaf_len + 1);
    char *to = text;
    assert_non_null(text);
    for (size_t i = 0; i < depth; i++, to += open_len)
        memcpy(to, open, open_len);
    memcpy(to, leaf, leaf_len);
    to += leaf_len;
    for (size_t i = 0; i < depth; i++, to += close_len)
        memcpy(to, close, close_len);
    *to = '\0';
    return text;
}

/* ---- text ---- */

static void prints_compact_text(void **unused)
{
    (void)unused;
    json_t *tree =
        json_pack("{s:s, s:[i,f,b,n], s:{}}", "a", "x\n\"\xC3\xA9", "b", -1, 0.5, 1, "c");
    assert_non_null(tree);
    expect_text(tree, "{\"a\":\"x\\n\\\"\xC3\xA9\",\"b\":[-1,0.5,true,null],\"c\":{}}");
    json_decref(tree);
    tree = json_string("alone");
    expect_text(tree, "\"alone\"");
    char *text = NULL;
    assert_int_equal(weir_jansson_text(tree, &text, NULL), 0);
    weir_json_text_free(text);
    json_decref(tree);
    weir_json_text_free(NULL);
}

static void reals_read_back_the_same(void **unused)
{
    (void)unused;
    static const double numbers[] = {0.1,    0.7,   1.0 / 3,  5e-324, 1.7976931348623157e308,
                                     1e21,   -0.0,  123456.0, 2.5e-8, 9007199254740993.0,
                                     0.3e-5, 1e100, 3.14159,  4.35,   100.0 / 7};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        char *text = NULL;
        json_t *number = json_real(numbers[i]);
        assert_int_equal(weir_jansson_text(number, &text, NULL), 0);
        json_t *again = parsed(text);
        assert_true(json_is_real(again));
        double value = json_real_value(again);
        assert_memory_equal(&value, &numbers[i], sizeof value);
        json_decref(again);
        json_decref(number);
        weir_json_text_free(text);
    }
}

static void refuses_what_is_no_json(void **unused)
{
    (void)unused;
    json_t *bad = json_string_nocheck("\xFF");
    expect_no_text(NULL, WEIR_EINVAL);
    expect_no_text(bad, WEIR_EJSON);
    assert_int_equal(weir_jansson_text(bad, NULL, NULL), WEIR_EINVAL);
    json_decref(bad);

    json_t *outer = json_array();
    json_t *inner = json_object();
    assert_int_equal(json_array_append(outer, inner), 0);
    assert_int_equal(json_object_set(inner, "outer", outer), 0);
    expect_no_text(outer, WEIR_EJSON);
    expect_no_text(inner, WEIR_EJSON);
    json_object_clear(inner);
    json_decref(inner);
    json_decref(outer);
}

static void one_value_may_stand_in_two_places(void **unused)
{
    (void)unused;
    json_t *shared = json_pack("[i]", 7);
    json_t *tree = json_pack("[O,O]", shared, shared);
    expect_text(tree, "[[7],[7]]");
    json_decref(tree);
    json_decref(shared);
}

static void text_stays_below_the_buffers_maximum(void **unused)
{
    (void)unused;
    struct weir__buf buf;
    json_t *tree = json_pack("{s:s}", "key", "value");
    weir__buf_init(&buf, 15);
    assert_int_equal(weir__jansson_dump(tree, &buf), 0);
    assert_string_equal(buf.data, "{\"key\":\"value\"}");
    weir__buf_free(&buf);
    for (size_t max = 0; max < 15; max++) {
        weir__buf_init(&buf, max);
        assert_int_equal(weir__jansson_dump(tree, &buf), WEIR_ENOMEM);
        assert_true(buf.len <= max);
        weir__buf_free(&buf);
    }
    json_decref(tree);
    tree = json_pack("{s:i}", "a key that alone does not fit", 1);
    weir__buf_init(&buf, 20);
    assert_int_equal(weir__jansson_dump(tree, &buf), WEIR_ENOMEM);
    weir__buf_free(&buf);
    json_decref(tree);
}

/* ---- parse ---- */

static void reads_any_value(void **unused)
{
    (void)unused;
    static const char *const texts[] = {
        "null", "true", "-12", "9223372036854775807", "\"\"",   "\"\xC3\xA9\\ud83d\\ude00\"",
        "[]",   "{}",   "0.5", " \t\r\n[1]\n ",       "[[],{}]"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        json_decref(parsed(texts[i]));
    json_t *tree = parsed("\xEF\xBB\xBF{\"a\":1,\"a\":2}");
    expect_text(tree, "{\"a\":2}");
    json_decref(tree);
    assert_int_equal(weir_jansson_parse("12345", 3, &tree, NULL), 0);
    assert_int_equal(json_integer_value(tree), 123);
    json_decref(tree);
}

static void strings_may_contain_nul(void **unused)
{
    (void)unused;
    json_t *tree = parsed("[\"a\\u0000b\"]");
    const json_t *string = json_array_get(tree, 0);
    assert_int_equal(json_string_length(string), 3);
    assert_memory_equal(json_string_value(string), "a\0b", 4);
    expect_text(tree, "[\"a\\u0000b\"]");
    json_decref(tree);
}

static void says_what_is_wrong_and_where(void **unused)
{
    (void)unused;
    static const struct {
        const char *text;
        unsigned line, column;
        const char *what;
    } cases[] = {
        {"", 1, 1, "unexpected token near end of file"},
        {"{", 1, 2, "string or '}' expected near end of file"},
        {"[1,2", 1, 5, "']' expected near end of file"},
        {"[\n\n\n", 4, 1, "']' expected near end of file"},
        {"\"abc", 1, 5, "premature end of input near '\"abc'"},
        {"{\"a\": x}", 1, 7, "invalid token near 'x'"},
        {"{\"a\":1,}", 1, 8, "string or '}' expected near '}'"},
        {"{} x", 1, 4, "end of file expected near 'x'"},
        {"{}\n\n ]", 3, 2, "end of file expected near ']'"},
        {"\xEF\xBB\xBF{]", 1, 2, "string or '}' expected near ']'"},
        {"[\"\xC3\xA9\", x]", 1, 8, "invalid token near 'x'"},
        {"[1,\n \"\xC3(\"]", 2, 3, "unable to decode byte 0xc3 near '\"'"},
        {"{\"a\\u0000\":1}", 1, 10, "NUL byte in object key not supported near '\"a\\u0000\"'"},
        {"[9223372036854775808]", 1, 20, "too big integer near '9223372036854775808'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect_refusal(cases[i].text, strlen(cases[i].text), cases[i].line, cases[i].column,
                       cases[i].what);
    expect_refusal("[1\n,\0]", 6, 2, 2, "NUL byte");
}

static void bad_arguments(void **unused)
{
    (void)unused;
    json_t *tree = (json_t *)&unused;
    assert_int_equal(weir_jansson_parse(NULL, 0, &tree, NULL), WEIR_EINVAL);
    assert_null(tree);
    assert_int_equal(weir_jansson_parse("1", 1, NULL, NULL), WEIR_EINVAL);
    tree = (json_t *)&unused;
    assert_int_equal(weir_jansson_response(NULL, &tree, NULL), WEIR_EINVAL);
    assert_null(tree);
}

static void reads_a_responses_body(void **unused)
{
    (void)unused;
    struct weir_json_error error;
    json_t *tree = NULL;
    weir_response *response = weir__response_new(100);
    assert_non_null(response);
    assert_int_equal(weir_jansson_response(response, NULL, NULL), WEIR_EINVAL);
    assert_int_equal(weir_jansson_response(response, &tree, &error), WEIR_EJSON);
    assert_int_equal(error.line, 1);
    assert_int_equal(error.column, 1);
    assert_int_equal(weir_response_append(response, "{\"a\":[1]}", 9), 0);
    assert_int_equal(weir_jansson_response(response, &tree, &error), 0);
    expect_text(tree, "{\"a\":[1]}");
    json_decref(tree);
    assert_int_equal(weir_response_append(response, "\n?", 2), 0);
    assert_int_equal(weir_jansson_response(response, &tree, &error), WEIR_EJSON);
    assert_null(tree);
    assert_int_equal(error.line, 2);
    assert_int_equal(error.column, 1);
    weir_response_free(response);
}

/* ---- size and depth ---- */

/* It is refused by its length, before it is read. */
static void refuses_a_text_over_the_maximum(void **unused)
{
    (void)unused;
    expect_refusal("[]", WEIR_JSON_MAX_TEXT + 1, 1, 1, "text over the maximum length");
    expect_refusal("[]", SIZE_MAX, 1, 1, "text over the maximum length");
}

static void refuses_deep_text_and_trees(void **unused)
{
    (void)unused;
    char *text = nested(WEIR_JSON_MAX_DEPTH + 1, "[", "", "]");
    expect_refusal(text, strlen(text), 1, WEIR_JSON_MAX_DEPTH + 1, "nested too deep");
    json_t *tree = json_loads(text, 0, NULL);
    expect_no_text(tree, WEIR_EJSON);
    json_decref(tree);
    free(text);
    text = nested(100000, "{\"a\":\n[", "", "");
    expect_refusal(text, strlen(text), WEIR_JSON_MAX_DEPTH / 2 + 1, 2, "nested too deep");
    free(text);
}

static void brackets_in_strings_and_side_by_side_are_not_deep(void **unused)
{
    (void)unused;
    static const char *const before[] = {"\"\"",         "\"\\\"\"", "\"\\\\\"",
                                         "\"\\\\\\\"\"", "[]",       "{}"};
    char *brackets = nested(500, "[{", "", "");
    char *text = nested(1, "[[],{},0,\"", brackets, "\",[],{}]");
    for (size_t i = 0; i < sizeof before / sizeof before[0]; i++) {
        memset(text + 1, ' ', 8);
        memcpy(text + 1, before[i], strlen(before[i]));
        text[8] = ',';
        json_decref(parsed(text));
    }
    free(text);
    free(brackets);
    text = nested(1000, "[],", "1", ",{}");
    brackets = nested(1, "[", text, "]");
    json_decref(parsed(brackets));
    free(brackets);
    free(text);
}

/* Reads, prints and frees the deepest text there may be; a stack that is too small ends the
 * process. */
static int deepest_text(void *arg)
{
    const char *text = arg;
    json_t *tree = parsed(text);
    expect_text(tree, text);
    json_decref(tree);
    return 0;
}

static void the_deepest_text_fits_a_tasks_stack(void **unused)
{
    (void)unused;
    char *arrays = nested(WEIR_JSON_MAX_DEPTH, "[", "1.5", "]");
    char *objects = nested(WEIR_JSON_MAX_DEPTH, "{\"a\":", "1.5", "}");
    assert_int_equal(weir_run(deepest_text, arrays, NULL), 0);
    assert_int_equal(weir_run(deepest_text, objects, NULL), 0);
    free(arrays);
    free(objects);
}

/* ---- want of memory ---- */

/* Keys and strings so long that the buffer grows inside of them. */
static json_t *large_tree(void)
{
    json_t *tree = json_object();
    for (unsigned i = 1; i <= 6; i++) {
        char *text = nested(i * 300, "k", "", "v");
        json_object_set_new(tree, text, json_pack("[s,s]", text, "x"));
        free(text);
    }
    assert_int_equal(json_object_size(tree), 6);
    return tree;
}

static void our_memory_runs_out_at_every_point(void **unused)
{
    (void)unused;
    json_t *tree = large_tree();
    unsigned long k = 0;
    char *text = NULL;
    int rc;
    do {
        weir__mem_fail_at(++k);
        rc = weir_jansson_text(tree, &text, NULL);
        weir__mem_fail_at(0);
        assert_true(rc == 0 ? text != NULL : rc == WEIR_ENOMEM && text == NULL);
    } while (rc != 0);
    assert_true(k > 5);
    json_t *again = parsed(text);
    assert_true(json_equal(tree, again));
    json_decref(again);
    weir_json_text_free(text);
    json_decref(tree);
}

static void printing_without_memory_for_jansson(void **unused)
{
    (void)unused;
    json_t *tree = large_tree();
    unsigned long k = 0;
    char *text = NULL;
    int rc;
    do {
        fail_jansson(++k, ULONG_MAX);
        rc = weir_jansson_text(tree, &text, NULL);
        fail_jansson(0, 0);
        assert_true(rc == 0 ? text != NULL : rc == WEIR_ENOMEM && text == NULL);
    } while (rc != 0);
    assert_true(k > 1);
    weir_json_text_free(text);
    json_decref(tree);
}

/* The k-th allocation alone, or it and all behind it: an error, or the whole tree. */
static unsigned long parse_without_memory(const char *text, unsigned long span)
{
    json_t *whole = parsed(text);
    unsigned long k = 0;
    int rc;
    do {
        json_t *tree = NULL;
        struct weir_json_error error;
        ++k;
        fail_jansson(k, span == 0 ? ULONG_MAX : k + span - 1);
        rc = weir_jansson_parse(text, strlen(text), &tree, &error);
        fail_jansson(0, 0);
        assert_true(rc == 0 ? json_equal(tree, whole) : rc == WEIR_ENOMEM && tree == NULL);
        json_decref(tree);
    } while (rc != 0);
    json_decref(whole);
    return k;
}

static void parsing_without_memory_for_jansson(void **unused)
{
    (void)unused;
    static const char text[] = "{\"a key of more than sixteen bytes\":[\"a string of more than "
                               "sixty-four bytes, so that jansson's buffer grows inside\",{}]}";
    assert_true(parse_without_memory(text, 1) > 8);
    assert_true(parse_without_memory(text, 0) > 8);
    /* No longer numbers: jansson 2.14 aborts when it cannot hold one of more than 15 digits. */
    assert_true(parse_without_memory("[1.25,true,\"x\",[123456789]]", 0) > 6);
}

static void text_copies(void **unused)
{
    (void)unused;
    char *copy = weir_json_text_copy("a\0bc", 3);
    assert_memory_equal(copy, "a\0b", 4);
    weir_json_text_free(copy);
    weir__mem_fail_at(1);
    assert_null(weir_json_text_copy("a", 1));
    weir__mem_fail_at(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prints_compact_text),
        cmocka_unit_test(reals_read_back_the_same),
        cmocka_unit_test(refuses_what_is_no_json),
        cmocka_unit_test(one_value_may_stand_in_two_places),
        cmocka_unit_test(text_stays_below_the_buffers_maximum),
        cmocka_unit_test(reads_any_value),
        cmocka_unit_test(strings_may_contain_nul),
        cmocka_unit_test(says_what_is_wrong_and_where),
        cmocka_unit_test(bad_arguments),
        cmocka_unit_test(reads_a_responses_body),
        cmocka_unit_test(refuses_a_text_over_the_maximum),
        cmocka_unit_test(refuses_deep_text_and_trees),
        cmocka_unit_test(brackets_in_strings_and_side_by_side_are_not_deep),
        cmocka_unit_test(the_deepest_text_fits_a_tasks_stack),
        cmocka_unit_test(our_memory_runs_out_at_every_point),
        cmocka_unit_test_setup_teardown(printing_without_memory_for_jansson, with_failing_malloc,
                                        with_plain_malloc),
        cmocka_unit_test_setup_teardown(parsing_without_memory_for_jansson, with_failing_malloc,
                                        with_plain_malloc),
        cmocka_unit_test(text_copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
