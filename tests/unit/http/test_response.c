/* A response: how a transport fills it, and what its reader sees. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "http/response.h"

enum { MAX_BODY = 100 };

static int make(void **state)
{
    *state = weir__response_new(MAX_BODY);
    return *state != NULL ? 0 : -1;
}

static int drop(void **state)
{
    weir_response_free(*state);
    return 0;
}

static void assert_header(const weir_response *response, const char *name, const char *want)
{
    size_t len = 12345;
    const char *value = weir_response_header(response, name, &len);
    if (want == NULL) {
        assert_null(value);
        return;
    }
    assert_non_null(value);
    assert_int_equal(len, strlen(want));
    assert_memory_equal(value, want, len);
    assert_ptr_equal(weir_response_header(response, name, NULL), value);
}

static void assert_nothing_known(const weir_response *response)
{
    assert_int_equal(weir_response_status(response), 0);
    assert_int_equal(weir_response_outcome(response), WEIR_OUTCOME_FAILED);
    assert_int_equal(weir_response_sent(response), WEIR_SENT_NEVER);
    assert_int_equal(weir_response_error(response), 0);
    assert_string_equal(weir_response_error_text(response), "");
    assert_string_equal(weir_response_body(response), "");
    assert_int_equal(weir_response_body_len(response), 0);
    assert_int_equal(weir_response_server_wait_ms(response), -1);
    assert_header(response, "any", NULL);
}

static void test_new_one_is_empty(void **state)
{
    assert_nothing_known(*state);
    assert_int_equal(weir_response_attempts(*state), 0);
    weir_response_free(NULL);
}

static void test_status(void **state)
{
    weir_response *response = *state;
    static const int bad[] = {-1, 0, 99, 600, 1000};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(weir_response_set_status(response, bad[i]), WEIR_EINVAL);
    assert_nothing_known(response);
    assert_int_equal(weir_response_set_status(response, 100), 0);
    assert_int_equal(weir_response_set_status(response, 599), 0);
    assert_int_equal(weir_response_status(response), 599);
    assert_int_equal(weir_response_sent(response), WEIR_SENT_ANSWERED);
}

static void test_status_forgets_what_came_before(void **state)
{
    weir_response *response = *state;
    assert_int_equal(weir_response_set_status(response, 100), 0);
    assert_int_equal(weir_response_add_header(response, "A", "1"), 0);
    assert_int_equal(weir_response_append(response, "x", 1), 0);
    assert_int_equal(weir_response_set_status(response, 200), 0);
    assert_header(response, "A", NULL);
    assert_string_equal(weir_response_body(response), "");
}

static void test_headers(void **state)
{
    weir_response *response = *state;
    assert_int_equal(weir_response_add_header(response, "Content-Type", "text/plain"), 0);
    assert_int_equal(weir_response_add_header(response, "X-Two", "  first\t"), 0);
    assert_int_equal(weir_response_add_header(response, "x-two", "second"), 0);
    assert_int_equal(weir_response_add_header(response, "Empty", ""), 0);
    assert_header(response, "content-type", "text/plain");
    assert_header(response, "CONTENT-TYPE", "text/plain");
    assert_header(response, "X-TWO", "first");
    assert_header(response, "empty", "");
    /* Neither a part of a name nor of a value is a header. */
    assert_header(response, "Content", NULL);
    assert_header(response, "Type", NULL);
    assert_header(response, "Content-Type: text/plain", NULL);
    assert_header(response, "Content-Types", NULL);
    assert_header(response, "", NULL);
}

static void test_raw_lines_as_servers_send_them(void **state)
{
    static const char *const lines[] = {" f: before all\r\n", "A:1\r\n",     "B:  2  \r\n",
                                        "C: x: y\r\n",        "D: old \r\n", " \r\n",
                                        "\t folded: yes\r\n", "E: bare\n",   "G:\r\n",
                                        " later\r\n",         "H: 1\n",      " 2"};
    weir_response *response = *state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        assert_int_equal(weir__response_add_line(response, lines[i], strlen(lines[i])), 0);
    assert_header(response, "a", "1");
    assert_header(response, "b", "2");
    assert_header(response, "c", "x: y");
    assert_header(response, "d", "old folded: yes");
    assert_header(response, "folded", NULL);
    assert_header(response, "e", "bare");
    assert_header(response, "g", "later");
    assert_header(response, "h", "1 2");
}

static void test_header_that_would_be_two(void **state)
{
    weir_response *response = *state;
    assert_int_equal(weir_response_add_header(response, "A", "1\r\nEvil: 2"), WEIR_EHEADER);
    assert_int_equal(weir_response_add_header(response, "A:", "1"), WEIR_EHEADER);
    assert_int_equal(weir_response_add_header(response, "", "1"), WEIR_EHEADER);
    assert_header(response, "A", NULL);
    assert_header(response, "Evil", NULL);
}

static void test_headers_have_a_maximum(void **state)
{
    weir_response *response = *state;
    char value[1001];
    int rc = 0;
    size_t added = 0;
    memset(value, 'v', 1000);
    value[1000] = '\0';
    while (rc == 0 && added <= WEIR__HEAD_MAX) {
        rc = weir_response_add_header(response, "Name", value);
        added += rc == 0 ? strlen("Name: \r\n") + 1000 : 0;
    }
    assert_int_equal(rc, WEIR_EHEADERSIZE);
    assert_true(added > WEIR__HEAD_MAX - 1100 && added <= WEIR__HEAD_MAX);
    assert_int_equal(response->head.len, added); /* no half line stays */
    assert_header(response, "name", value);
}

static void test_body_has_a_maximum(void **state)
{
    weir_response *response = *state;
    char part[MAX_BODY / 2];
    memset(part, 'x', sizeof part);
    assert_int_equal(weir_response_append(response, part, sizeof part), 0);
    assert_int_equal(weir_response_append(response, part, sizeof part), 0);
    assert_int_equal(weir_response_append(response, "", 0), 0);
    assert_int_equal(weir_response_append(response, "y", 1), WEIR_EBODYSIZE);
    assert_int_equal(weir_response_body_len(response), MAX_BODY);
    assert_int_equal(weir_response_body(response)[MAX_BODY], '\0');
}

static void test_body_may_hold_anything(void **state)
{
    weir_response *response = *state;
    assert_int_equal(weir_response_append(response, "a\0b", 3), 0);
    assert_int_equal(weir_response_append(response, "\0", 1), 0);
    assert_int_equal(weir_response_body_len(response), 4);
    assert_memory_equal(weir_response_body(response), "a\0b\0\0", 5);
}

static void test_failure(void **state)
{
    weir_response *response = *state;
    weir_response_set_failure(response, WEIR_SENT_MAYBE, "lost\r\n\x1b[31mred\x7f");
    assert_int_equal(weir_response_sent(response), WEIR_SENT_MAYBE);
    assert_string_equal(weir_response_error_text(response), "lost???[31mred?");
    weir_response_set_failure(response, WEIR_SENT_NEVER, "");
    assert_string_equal(weir_response_error_text(response), "");
}

static void test_long_text_is_cut(void **state)
{
    weir_response *response = *state;
    char text[400];
    memset(text, 't', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    weir_response_set_failure(response, WEIR_SENT_MAYBE, text);
    assert_int_equal(strlen(weir_response_error_text(response)), 255);
}

static void test_reset_forgets_all_but_the_attempts(void **state)
{
    weir_response *response = *state;
    assert_int_equal(weir_response_set_status(response, 200), 0);
    assert_int_equal(weir_response_add_header(response, "A", "1"), 0);
    assert_int_equal(weir_response_append(response, "body", 4), 0);
    weir_response_set_failure(response, WEIR_SENT_MAYBE, "lost");
    response->attempts = 3;
    response->error = WEIR_ERESET;
    response->outcome = WEIR_OUTCOME_OK;
    response->server_wait_ms = 5;
    weir__response_reset(response);
    assert_nothing_known(response);
    assert_int_equal(weir_response_attempts(response), 3);
}

static int fill(weir_response **response)
{
    *response = weir__response_new(MAX_BODY);
    if (*response == NULL)
        return WEIR_ENOMEM;
    int rc = weir_response_set_status(*response, 200);
    if (rc == 0)
        rc = weir_response_add_header(*response, "A", "1");
    return rc == 0 ? weir_response_append(*response, "body", 4) : rc;
}

static void test_out_of_memory(void **state)
{
    int rc = WEIR_ENOMEM;
    unsigned long k = 0;
    (void)state;
    while (rc == WEIR_ENOMEM) {
        weir_response *response;
        assert_true(++k < 20);
        weir__mem_fail_at(k);
        rc = fill(&response);
        weir__mem_fail_at(0);
        if (response != NULL && rc != 0) /* no half a header, no half a body */
            assert_string_equal(weir_response_body(response), "");
        weir_response_free(response);
    }
    assert_int_equal(rc, 0);
    assert_int_equal(k, 4); /* the response, its head, its body */
}

static void assert_joined(const weir_response *response, size_t max, const char *want)
{
    struct weir__buf buf;
    size_t len = 12345;
    weir__buf_init(&buf, max);
    const char *value = weir__response_joined(response, "List", &buf, &len);
    if (want == NULL) {
        assert_null(value);
    } else {
        assert_non_null(value);
        assert_int_equal(len, strlen(want));
        assert_memory_equal(value, want, len);
    }
    weir__buf_free(&buf);
}

static void test_lines_of_one_name_are_one_list(void **state)
{
    weir_response *response = *state;
    weir_response_set_status(response, 200);
    assert_joined(response, 100, NULL);
    assert_int_equal(weir_response_add_header(response, "Other", "x"), 0);
    assert_joined(response, 100, NULL);
    assert_int_equal(weir_response_add_header(response, "List", " a, b "), 0);
    assert_joined(response, 0, "a, b"); /* one line lies where it is */
    assert_int_equal(weir_response_add_header(response, "Lists", "no"), 0);
    assert_int_equal(weir_response_add_header(response, "lIST", "c;d"), 0);
    assert_int_equal(weir_response_add_header(response, "List", ""), 0);
    assert_joined(response, 11, "a, b, c;d, ");
    assert_joined(response, 10, NULL);
}

static void test_headers_one_by_one(void **state)
{
    static const char lines[] = "A: 1\r\nnone\r\n:v\nB:";
    weir_response *response = *state;
    struct weir_header header;
    size_t at = 0;
    weir_response_set_status(response, 200);
    assert_false(weir_response_next_header(response, NULL, &at, &header));
    assert_int_equal(weir__response_add_line(response, lines, strlen(lines)), 0);
    assert_true(weir_response_next_header(response, NULL, &at, &header));
    assert_int_equal(header.name_len, 1);
    assert_memory_equal(header.name, "A", 1);
    assert_int_equal(header.value_len, 1);
    assert_memory_equal(header.value, "1", 1);
    assert_true(weir_response_next_header(response, NULL, &at, &header)); /* without a name */
    assert_int_equal(header.name_len, 0);
    assert_true(weir_response_next_header(response, NULL, &at, &header));
    assert_memory_equal(header.name, "B", 1);
    assert_int_equal(header.value_len, 0);
    assert_false(weir_response_next_header(response, NULL, &at, &header));
}

static void test_headers_of_one_name(void **state)
{
    static const char lines[] = "Set-Cookie: a=1\r\nLink: </x>\r\nSET-COOKIE:  b=2 \r\n"
                                "Set-Cookie2: no\r\nset-cookie:\r\n";
    static const char *const cookies[] = {"a=1", "b=2", ""};
    weir_response *response = *state;
    struct weir_header header;
    size_t at = 0, n = 0;
    assert_int_equal(weir__response_add_line(response, lines, strlen(lines)), 0);
    for (; weir_response_next_header(response, "Set-Cookie", &at, &header) == 1; n++) {
        assert_in_range(n, 0, 2);
        assert_int_equal(header.name_len, strlen("set-cookie"));
        assert_int_equal(header.value_len, strlen(cookies[n]));
        assert_memory_equal(header.value, cookies[n], header.value_len);
    }
    assert_int_equal(n, 3);
    assert_int_equal(weir_response_next_header(response, "Set-Cookie", &at, &header), 0);
    at = 1000; /* never a place of its own */
    assert_int_equal(weir_response_next_header(response, NULL, &at, &header), 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, make, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_new_one_is_empty),
        TEST(test_status),
        TEST(test_status_forgets_what_came_before),
        TEST(test_headers),
        TEST(test_raw_lines_as_servers_send_them),
        TEST(test_header_that_would_be_two),
        TEST(test_headers_have_a_maximum),
        TEST(test_body_has_a_maximum),
        TEST(test_body_may_hold_anything),
        TEST(test_failure),
        TEST(test_long_text_is_cut),
        TEST(test_reset_forgets_all_but_the_attempts),
        TEST(test_lines_of_one_name_are_one_list),
        TEST(test_headers_one_by_one),
        TEST(test_headers_of_one_name),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
