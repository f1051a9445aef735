/*
 * Text written piece by piece into memory of a fixed size. What does not fit is cut and remembered
 * in `cut`; nothing is ever written past the end. The text is not NUL-terminated.
 */
#ifndef WEIR_MOCK_TEXT_H
#define WEIR_MOCK_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct mock_text {
    char *at;
    size_t len;
    size_t max;
    bool cut;
};

/* The memory `at` of `max` bytes stays the caller's. */
static inline struct mock_text mock_text_over(char *at, size_t max)
{
    return (struct mock_text){.at = at, .max = max};
}

static inline void mock_text_put(struct mock_text *text, const char *from, size_t len)
{
    if (len > text->max - text->len) {
        len = text->max - text->len;
        text->cut = true;
    }
    memcpy(text->at + text->len, from, len);
    text->len += len;
}

static inline void mock_text_str(struct mock_text *text, const char *from)
{
    mock_text_put(text, from, strlen(from));
}

/* Decimal digits without padding. */
void mock_text_uint(struct mock_text *text, uint64_t value);

/* Sixteen lower-case hexadecimal digits. */
void mock_text_hex(struct mock_text *text, uint64_t value);

/* A duration as Go's time.Duration prints it, rounded up to whole milliseconds: `0s`, `120ms`,
 * `1.5s`, `6m0s`, `1h0m2.25s`. Negative counts as zero. */
void mock_text_duration(struct mock_text *text, int64_t span_ns);

/* Ends the text with a NUL, over its last byte when it is full. Needs max > 0. */
void mock_text_end(struct mock_text *text);

#endif
