/* Server-sent events, rule by rule, and each corpus cut at each place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <weir/err.h>

#include "http/sse.h"
#include "sse_text.h"

enum { MAX = 1 << 20 };

struct rule {
    const char *bytes;
    size_t len; /* 0: strlen */
    const char *want;
};
#define WITH_NUL(text) (text), sizeof(text) - 1

static const struct rule rules[] = {
    /* an event is what an empty line ends */
    {"data: a\n\n", 0, "[||a]\n"},
    {"data: a\n", 0, ""},
    {"data: a", 0, ""},
    {"data: a\n\ndata: b", 0, "[||a]\n"},
    {"", 0, ""},
    /* line ends */
    {"data: a\r\n\r\n", 0, "[||a]\n"},
    {"data: a\r\r", 0, "[||a]\n"},
    {"data: a\r\n\r", 0, "[||a]\n"},
    {"data: a\n\r\n", 0, "[||a]\n"},
    {"data: a\r\n\n", 0, "[||a]\n"},
    {"data: a\rdata: b\r\ndata: c\n\n", 0, "[||a\\x0ab\\x0ac]\n"},
    {"data: a\r\r\ndata: b\n\n", 0, "[||a]\n[||b]\n"},
    /* the byte order mark: one, at the very start */
    {"\xef\xbb\xbf"
     "data: a\n\n",
     0, "[||a]\n"},
    {"\xef\xbb\xbf\xef\xbb\xbf"
     "data: a\n\n",
     0, ""},
    {"\xef\xbb"
     "data: a\n\n",
     0, ""},
    {"\xef"
     "data: a\n\ndata: b\n\n",
     0, "[||b]\n"},
    {"\n\xef\xbb\xbf"
     "data: a\n\n",
     0, ""},
    {"\xef\xbb\xbf", 0, ""},
    /* several lines of data: one LF between them, the last one dropped */
    {"data: a\ndata: b\n\n", 0, "[||a\\x0ab]\n"},
    {"data:\n\n", 0, "[||]\n"},
    {"data:\ndata:\n\n", 0, "[||\\x0a]\n"},
    {"data\n\n", 0, "[||]\n"},
    {"data\ndata\n\n", 0, "[||\\x0a]\n"},
    /* one space, no more, and no other white space */
    {"data:a\n\n", 0, "[||a]\n"},
    {"data:  a\n\n", 0, "[|| a]\n"},
    {"data:\ta\n\n", 0, "[||\\x09a]\n"},
    {"data: a \n\n", 0, "[||a ]\n"},
    {"data : a\n\n", 0, ""},
    {" data: a\n\n", 0, ""},
    /* the first colon splits */
    {"data: a: b\n\n", 0, "[||a: b]\n"},
    {"data::\n\n", 0, "[||:]\n"},
    /* comments */
    {": hello\n\n", 0, ""},
    {":\ndata: a\n: in between\ndata: b\n\n", 0, "[||a\\x0ab]\n"},
    {":data: a\n\n", 0, ""},
    /* no data, no event, and its name is forgotten */
    {"event: x\n\ndata: a\n\n", 0, "[||a]\n"},
    {"\n\n\n", 0, ""},
    /* names */
    {"event: x\ndata: a\n\ndata: b\n\n", 0, "[x||a]\n[||b]\n"},
    {"event: x\nevent: y\ndata: a\n\n", 0, "[y||a]\n"},
    {"event: x\nevent\ndata: a\n\n", 0, "[||a]\n"},
    {"Data: a\nDATA: b\n\n", 0, ""},
    {"other: x\ndatum: y\ndata: a\n\n", 0, "[||a]\n"},
    /* ids last until another comes, even of an event without data */
    {"id: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\n", 0, "[|1|a]\n[|1|b]\n[||c]\n"},
    {"id: 1\n\ndata: a\n\n", 0, "[|1|a]\n"},
    {WITH_NUL("id: 1\nid: 2\0\ndata: a\n\n"), "[|1|a]\n"},
    {WITH_NUL("data: a\0b\nevent: c\0d\n\n"), "[c\\x00d||a\\x00b]\n"},
    /* retry */
    {"retry: 1500\n\n", 0, "retry 1500\n"},
    {"retry: 15\nretry: 1x\nretry: -1\nretry:\nretry: +1\nretry: 1 \n\n", 0, "retry 15\n"},
    {"retry: 99999999999999999999\n", 0, "retry 9223372036854775807\n"},
    /* what servers send */
    {"data: {\"choices\":[],\"usage\":null}\n\ndata: [DONE]\n\n", 0,
     "[||{\"choices\":[],\"usage\":null}]\n[||[DONE]]\n"},
    {": PROCESSING\n\nevent: ping\ndata: {\"type\": \"ping\"}\n\n"
     "event: content_block_delta\r\ndata: {\"text\":\"\xc3\xa9\"}           \r\n\r\n",
     0,
     "[ping||{\"type\": \"ping\"}]\n"
     "[content_block_delta||{\"text\":\"\\xc3\\xa9\"}           ]\n"},
};
enum { RULES = sizeof rules / sizeof rules[0] };

static size_t len_of(const struct rule *rule)
{
    return rule->len > 0 ? rule->len : strlen(rule->bytes);
}

static void assert_text(const char *bytes, size_t len, size_t cut, int all, const char *want)
{
    char *text = sse_text(bytes, len, MAX, cut, all);
    if (strcmp(text, want) != 0)
        fail_msg("'%s' cut at %zu%s: '%s' and not '%s'", bytes, cut, all ? " and on" : "", text,
                 want);
    free(text);
}

static void each_rule_however_it_is_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < RULES; i++) {
        size_t len = len_of(&rules[i]);
        for (size_t cut = 0; cut <= len; cut++) {
            assert_text(rules[i].bytes, len, cut, 0, rules[i].want);
            assert_text(rules[i].bytes, len, cut, 1, rules[i].want);
        }
    }
}

/* Rules one behind the other, those that end with an empty line. */
static size_t corpus(char *bytes, size_t room)
{
    size_t len = 0;
    for (size_t i = 0; i < RULES; i++) {
        size_t n = len_of(&rules[i]);
        assert_true(len + n < room);
        memcpy(bytes + len, rules[i].bytes, n);
        len += n;
    }
    return len;
}

static void a_corpus_gives_the_same_cut_at_any_two_places(void **state)
{
    char bytes[4096];
    size_t len = corpus(bytes, sizeof bytes);
    char *want = sse_text(bytes, len, MAX, 0, 0);
    (void)state;
    assert_true(strlen(want) > 200);
    for (size_t cut = 1; cut < len; cut++) {
        assert_text(bytes, len, cut, 0, want);
        assert_text(bytes, len, cut, 1, want);
    }
    free(want);
}

/* ---- bounds ---- */

static void assert_max(const char *bytes, size_t max, const char *want)
{
    for (size_t cut = 0; cut <= strlen(bytes); cut++) {
        char *text = sse_text(bytes, strlen(bytes), max, cut, 1);
        assert_string_equal(text, want);
        free(text);
    }
}

static void what_is_too_long_ends_it(void **state)
{
    (void)state;
    assert_max("data: 12345\n\n", 11, "[||12345]\n");
    assert_max("data: 123456\n\n", 11, "WEIR_EEVENTSIZE\n"); /* the line */
    assert_max("data: 1234\ndata: 1234\n\n", 11, "[||1234\\x0a1234]\n");
    assert_max("data: 12345\ndata: 12345\n\n", 11, "WEIR_EEVENTSIZE\n"); /* the data */
    assert_max(": a long comment\n", 11, "WEIR_EEVENTSIZE\n");
    assert_max("data: a\n\ndata: 123456", 11, "[||a]\nWEIR_EEVENTSIZE\n");
}

static void a_failure_stays(void **state)
{
    struct weir__sse sse;
    size_t used;
    (void)state;
    weir__sse_init(&sse, 4);
    assert_int_equal(weir__sse_feed(&sse, "data: a\n\n", 9, &used), WEIR_EEVENTSIZE);
    assert_int_equal(weir__sse_feed(&sse, "\n", 1, &used), WEIR_EEVENTSIZE);
    assert_int_equal(used, 0);
    weir__sse_free(&sse);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_rule_however_it_is_cut),
        cmocka_unit_test(a_corpus_gives_the_same_cut_at_any_two_places),
        cmocka_unit_test(what_is_too_long_ends_it),
        cmocka_unit_test(a_failure_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
