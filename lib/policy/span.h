/* A text that is read from its front: the pieces the strict parsers are made of. A function that
 * says false or -1 may have taken a part. */
#ifndef WEIR_POLICY_SPAN_H
#define WEIR_POLICY_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/ascii.h"

/* Numbers from here on are refused; times 1,000 the others still fit 64 bits. */
#define WEIR__NUMBER_LIMIT INT64_C(1000000000000000)

struct weir__span {
    const char *at, *end;
};

static inline size_t weir__span_len(struct weir__span in)
{
    return (size_t)(in.end - in.at);
}

static inline bool weir__span_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The text without blanks around it. */
static inline struct weir__span weir__span_trimmed(const char *text, size_t len)
{
    struct weir__span span = {text, text + len};
    while (span.at < span.end && weir__span_blank(span.at[0]))
        span.at++;
    while (span.at < span.end && weir__span_blank(span.end[-1]))
        span.end--;
    return span;
}

/* The next digit, taken; -1: there is none. */
static inline int weir__span_digit(struct weir__span *in)
{
    if (in->at == in->end || in->at[0] < '0' || in->at[0] > '9')
        return -1;
    return *in->at++ - '0';
}

static inline bool weir__span_char(struct weir__span *in, char c)
{
    if (in->at == in->end || in->at[0] != c)
        return false;
    in->at++;
    return true;
}

static inline bool weir__span_text(struct weir__span *in, const char *text)
{
    size_t len = strlen(text);
    if (weir__span_len(*in) < len || memcmp(in->at, text, len) != 0)
        return false;
    in->at += len;
    return true;
}

/* One or more digits below WEIR__NUMBER_LIMIT. */
static inline bool weir__span_whole(struct weir__span *in, int64_t *value)
{
    int digit = weir__span_digit(in);
    if (digit < 0)
        return false;
    for (*value = 0; digit >= 0; digit = weir__span_digit(in)) {
        *value = *value * 10 + digit;
        if (*value >= WEIR__NUMBER_LIMIT)
            return false;
    }
    return true;
}

/* Digits with an optional fraction, as whole multiples of 1/scale, rounded up; scale is a power of
 * ten up to 1,000. */
static inline bool weir__span_decimal(struct weir__span *in, int64_t scale, int64_t *value)
{
    bool rest = false;
    if (!weir__span_whole(in, value))
        return false;
    if (weir__span_char(in, '.')) {
        int digit = weir__span_digit(in);
        if (digit < 0)
            return false;
        for (; digit >= 0; digit = weir__span_digit(in)) {
            rest = rest || (scale == 1 && digit > 0);
            if (scale > 1) {
                scale /= 10;
                *value = *value * 10 + digit;
            }
        }
    }
    *value = *value * scale + rest;
    return true;
}

static inline bool weir__span_fixed(struct weir__span *in, int digits, int *value)
{
    *value = 0;
    for (int i = 0; i < digits; i++) {
        int digit = weir__span_digit(in);
        if (digit < 0)
            return false;
        *value = *value * 10 + digit;
    }
    return true;
}

/* Takes one of the `count` names and tells which, from 0. */
static inline bool weir__span_name(struct weir__span *in, const char *const *names, int count,
                                   int *which)
{
    for (int i = 0; i < count; i++) {
        if (weir__span_text(in, names[i])) {
            *which = i;
            return true;
        }
    }
    return false;
}

/* The text is exactly `word`, whatever the case of its letters. */
static inline bool weir__span_is(struct weir__span in, const char *word)
{
    size_t len = strlen(word);
    return weir__span_len(in) == len && weir__ascii_same(in.at, word, len);
}

#endif
