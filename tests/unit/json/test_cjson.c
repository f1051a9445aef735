/* The cJSON adapter: what is printed and read, where errors are, what is refused although cJSON
 * would take it, and want of memory. */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <weir/cjson.h>
#include <weir/task.h>
#include <weir/transport.h>

#include "base/mem.h"
#include "http/response.h"

static const char in_parser[] = "not valid JSON, here or just behind";

/* ---- cJSON's allocator, failing when told to ---- */

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

static void fail_cjson(unsigned long from, unsigned long to)
{
    allocations = 0;
    fail_from = from;
    fail_to = to;
}

static int with_failing_malloc(void **unused)
{
    (void)unused;
    cJSON_Hooks hooks = {.malloc_fn = failing_malloc, .free_fn = free};
    fail_cjson(0, 0);
    cJSON_InitHooks(&hooks);
    return 0;
}

static int with_plain_malloc(void **unused)
{
    (void)unused;
    cJSON_InitHooks(NULL);
    return 0;
}

/* ---- helpers ---- */

static cJSON *parsed(const char *text)
{
    struct weir_json_error error = {.text = ""};
    cJSON *tree = NULL;
    int rc = weir_cjson_parse(text, strlen(text), &tree, &error);
    assert_string_equal(error.text, "");
    assert_int_equal(rc, 0);
    return tree;
}

static void expect_text(const cJSON *tree, const char *expected)
{
    char *text = NULL;
    size_t len = 0;
    assert_int_equal(weir_cjson_text(tree, &text, &len), 0);
    assert_string_equal(text, expected);
    assert_int_equal(len, strlen(expected));
    weir_json_text_free(text);
}

static void expect_same(const char *text, const char *expected)
{
    cJSON *tree = parsed(text);
    expect_text(tree, expected);
    cJSON_Delete(tree);
}

static void expect_no_text(const cJSON *tree, int rc)
{
    char *text = (char *)&rc;
    assert_int_equal(weir_cjson_text(tree, &text, NULL), rc);
    assert_null(text);
}

static void expect_refusal(const char *text, size_t len, unsigned line, unsigned column,
                           const char *what)
{
    struct weir_json_error error = {.text = ""};
    cJSON *tree = (cJSON *)&error;
    assert_int_equal(weir_cjson_parse(text, len, &tree, &error), WEIR_EJSON);
    assert_null(tree);
    assert_string_equal(error.text, what);
    assert_int_equal(error.line, line);
    assert_int_equal(error.column, column);
    assert_int_equal(weir_cjson_parse(text, len, &tree, NULL), WEIR_EJSON);
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
    cJSON *tree = cJSON_CreateObject();
    cJSON_AddStringToObject(tree, "a", "x\n\"\xC3\xA9");
    cJSON *array = cJSON_AddArrayToObject(tree, "b");
    cJSON_AddItemToArray(array, cJSON_CreateNumber(-1));
    cJSON_AddItemToArray(array, cJSON_CreateNumber(0.7));
    cJSON_AddItemToArray(array, cJSON_CreateNumber(NAN));
    cJSON_AddRawToObject(tree, "c", "{}");
    expect_text(tree, "{\"a\":\"x\\n\\\"\xC3\xA9\",\"b\":[-1,0.7,null],\"c\":{}}");
    char *text = NULL;
    assert_int_equal(weir_cjson_text(tree, &text, NULL), 0);
    weir_json_text_free(text);
    cJSON_Delete(tree);
}

static void refuses_what_is_no_json(void **unused)
{
    (void)unused;
    cJSON *outer = cJSON_CreateArray();
    cJSON *inner = cJSON_CreateObject();
    expect_no_text(NULL, WEIR_EINVAL);
    assert_int_equal(weir_cjson_text(outer, NULL, NULL), WEIR_EINVAL);
    cJSON_AddItemToArray(outer, inner);
    inner->type = cJSON_Invalid;
    expect_no_text(outer, WEIR_EJSON);
    inner->type = cJSON_Object;
    inner->child = outer;
    expect_no_text(outer, WEIR_EJSON);
    inner->child = NULL;
    expect_text(outer, "[{}]");
    cJSON_Delete(outer);
}

/* ---- parse ---- */

static void reads_any_value(void **unused)
{
    (void)unused;
    static const char *const texts[] = {"null", "true", "-12", "\"\"",
                                        "[]",   "{}",   "0.5", "[[],{}]"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        expect_same(texts[i], texts[i]);
    expect_same(" \t\r\n[1 , \"\\u00e9\"]\n\t\r ", "[1,\"\xC3\xA9\"]");
    expect_same("\xEF\xBB\xBF{}", "{}");
    expect_same("\xEF\xBB\xBF"
                "1",
                "1");
    cJSON *tree = NULL;
    assert_int_equal(weir_cjson_parse("12345", 3, &tree, NULL), 0);
    assert_int_equal(tree->valueint, 123);
    cJSON_Delete(tree);
}

static void says_where_it_is_wrong(void **unused)
{
    (void)unused;
    static const struct {
        const char *text;
        unsigned line, column;
        const char *what;
    } cases[] = {
        {"", 1, 1, in_parser},
        {"\xEF\xBB\xBF", 1, 1, in_parser},
        {"{", 1, 1, in_parser},
        {"[1,2", 1, 4, in_parser},
        {"{\"a\": x}", 1, 7, in_parser},
        {"{\"a\":1,}", 1, 8, in_parser},
        {"[1,\n  2 3]", 2, 5, in_parser},
        {"{} x", 1, 4, "text behind the value"},
        {"{}\n\n ]", 3, 2, "text behind the value"},
        {"\xEF\xBB\xBF{]", 1, 2, in_parser},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect_refusal(cases[i].text, strlen(cases[i].text), cases[i].line, cases[i].column,
                       cases[i].what);
}

/* cJSON takes NUL for white space, and ends a string at it. */
static void refuses_nul(void **unused)
{
    (void)unused;
    static const char escape[] = "\\u0000, which cJSON cannot hold";
    expect_refusal("[1\n,\0]", 6, 2, 2, "NUL byte");
    expect_refusal("{}\0", 3, 1, 3, "NUL byte");
    expect_refusal("[\"a\\u0000b\"]", 12, 1, 4, escape);
    expect_refusal("{\"\\u0000\":1}", 12, 1, 3, escape);
    expect_refusal("[\"\\\\u0000\\\\\\u0000\"]", 19, 1, 12, escape);
    expect_same("[\"\\\\u0000\",\"\\\\\\\\u0000\",\"u0000\"]",
                "[\"\\\\u0000\",\"\\\\\\\\u0000\",\"u0000\"]");
}

static void bad_arguments(void **unused)
{
    (void)unused;
    cJSON *tree = (cJSON *)&unused;
    assert_int_equal(weir_cjson_parse(NULL, 0, &tree, NULL), WEIR_EINVAL);
    assert_null(tree);
    assert_int_equal(weir_cjson_parse("1", 1, NULL, NULL), WEIR_EINVAL);
    tree = (cJSON *)&unused;
    assert_int_equal(weir_cjson_response(NULL, &tree, NULL), WEIR_EINVAL);
    assert_null(tree);
}

static void reads_a_responses_body(void **unused)
{
    (void)unused;
    struct weir_json_error error;
    cJSON *tree = NULL;
    weir_response *response = weir__response_new(100);
    assert_non_null(response);
    assert_int_equal(weir_cjson_response(response, NULL, NULL), WEIR_EINVAL);
    assert_int_equal(weir_cjson_response(response, &tree, &error), WEIR_EJSON);
    assert_int_equal(weir_response_append(response, "{\"a\":[1]}", 9), 0);
    assert_int_equal(weir_cjson_response(response, &tree, &error), 0);
    expect_text(tree, "{\"a\":[1]}");
    cJSON_Delete(tree);
    assert_int_equal(weir_response_append(response, "\n?", 2), 0);
    assert_int_equal(weir_cjson_response(response, &tree, &error), WEIR_EJSON);
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
    cJSON *tree = cJSON_Parse(text);
    assert_non_null(tree);
    expect_no_text(tree, WEIR_EJSON);
    cJSON_Delete(tree);
    free(text);
}

/* Reads, prints and frees the deepest text there may be; a stack that is too small ends the
 * process. */
static int deepest_text(void *arg)
{
    const char *text = arg;
    expect_same(text, text);
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

static void our_memory_runs_out(void **unused)
{
    (void)unused;
    cJSON *tree = parsed("[\"abc\"]");
    weir__mem_fail_at(1);
    expect_no_text(tree, WEIR_ENOMEM);
    weir__mem_fail_at(0);
    expect_text(tree, "[\"abc\"]");
    cJSON_Delete(tree);
}

static unsigned long print_without_memory(const cJSON *tree, unsigned long span)
{
    unsigned long k = 0;
    int rc;
    do {
        char *text = NULL;
        ++k;
        fail_cjson(k, span == 0 ? ULONG_MAX : k + span - 1);
        rc = weir_cjson_text(tree, &text, NULL);
        fail_cjson(0, 0);
        assert_true(rc == 0 ? text != NULL : rc == WEIR_ENOMEM && text == NULL);
        weir_json_text_free(text);
    } while (rc != 0);
    return k;
}

static unsigned long parse_without_memory(const char *text, unsigned long span)
{
    unsigned long k = 0;
    int rc;
    do {
        cJSON *tree = NULL;
        ++k;
        fail_cjson(k, span == 0 ? ULONG_MAX : k + span - 1);
        rc = weir_cjson_parse(text, strlen(text), &tree, NULL);
        fail_cjson(0, 0);
        assert_true(rc == 0 || rc == WEIR_ENOMEM);
        if (rc == 0)
            expect_text(tree, text);
        cJSON_Delete(tree);
    } while (rc != 0);
    return k;
}

static void cjsons_memory_runs_out_at_every_point(void **unused)
{
    (void)unused;
    char *text = nested(200, "{},\"a\",", "1", "");
    char *array = nested(1, "[", text, "]");
    cJSON *tree = parsed(array);
    assert_true(print_without_memory(tree, 0) > 3);
    assert_true(print_without_memory(tree, 1) > 3);
    assert_true(parse_without_memory(array, 0) > 400);
    assert_true(parse_without_memory("{\"a\":[1,\"x\",{\"b\":null}]}", 1) > 6);
    cJSON_Delete(tree);
    free(array);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prints_compact_text),
        cmocka_unit_test(refuses_what_is_no_json),
        cmocka_unit_test(reads_any_value),
        cmocka_unit_test(says_where_it_is_wrong),
        cmocka_unit_test(refuses_nul),
        cmocka_unit_test(bad_arguments),
        cmocka_unit_test(reads_a_responses_body),
        cmocka_unit_test(refuses_a_text_over_the_maximum),
        cmocka_unit_test(refuses_deep_text_and_trees),
        cmocka_unit_test(the_deepest_text_fits_a_tasks_stack),
        cmocka_unit_test(our_memory_runs_out),
        cmocka_unit_test_setup_teardown(cjsons_memory_runs_out_at_every_point, with_failing_malloc,
                                        with_plain_malloc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
