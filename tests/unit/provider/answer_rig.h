/* An answer from its text, and what is told of it. */
#ifndef ANSWER_RIG_H
#define ANSWER_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "http/response.h"
#include "provider/provider.h"

#define LENGTH(arr) (sizeof(arr) / sizeof((arr)[0]))

enum { NOW_S = 1696004797 }; /* Fri, 29 Sep 2023 16:26:37 GMT */

/* head: "Name: value" lines, each with a LF; body may be NULL. */
static inline weir_response *make_answer(int status, const char *head, const char *body)
{
    weir_response *response = weir__response_new((size_t)1 << 20);
    assert_non_null(response);
    assert_int_equal(weir_response_set_status(response, status), 0);
    while (head != NULL && *head != '\0') {
        size_t len = strcspn(head, "\n");
        assert_int_equal(weir__response_add_line(response, head, len), 0);
        assert_int_equal(weir__response_add_line(response, "\r\n", 2), 0);
        head += len + (head[len] == '\n');
    }
    if (body != NULL)
        assert_int_equal(weir_response_append(response, body, strlen(body)), 0);
    return response;
}

/* cause stays valid: it is static. */
static inline struct weir__told tell(int status, const char *head, const char *body)
{
    struct weir__told told;
    memset(&told, 0xA5, sizeof told);
    weir_response *response = make_answer(status, head, body);
    weir__provider_tell(response, NOW_S, &told);
    weir_response_free(response);
    return told;
}

/* The fields that are 0 are not compared; NOT_TOLD is -1. */
#define NOT_TOLD INT64_C(-1)

static inline void check_field(const char *name, const char *field, int64_t got, int64_t want)
{
    if (got != want)
        fail_msg("%s: %s is %lld, not %lld", name, field, (long long)got, (long long)want);
}

static inline void check_quota(const char *name, const struct weir__quota *got,
                               const struct weir__quota *want)
{
    check_field(name, "unit", got->unit, want->unit);
    check_field(name, "limit", got->limit, want->limit);
    check_field(name, "remaining", got->remaining, want->remaining);
    check_field(name, "reset_ms", got->reset_ms, want->reset_ms);
    check_field(name, "window_ms", got->window_ms, want->window_ms);
    check_field(name, "step_ms", got->step_ms, want->step_ms);
}

#endif
