#include "mock/text.h"

#define NS_PER_MS 1000000

void mock_text_uint(struct mock_text *text, uint64_t value)
{
    char digits[20];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    mock_text_put(text, digits + at, sizeof(digits) - at);
}

void mock_text_hex(struct mock_text *text, uint64_t value)
{
    char digits[16];

    for (size_t i = sizeof(digits); i > 0; i--, value >>= 4)
        digits[i - 1] = "0123456789abcdef"[value & 15];
    mock_text_put(text, digits, sizeof(digits));
}

/* Seconds with at most three decimals and no zeros behind the last one. */
static void put_seconds(struct mock_text *text, uint64_t span_ms)
{
    char decimals[4] = {'.', (char)('0' + span_ms / 100 % 10), (char)('0' + span_ms / 10 % 10),
                        (char)('0' + span_ms % 10)};
    size_t len = sizeof(decimals);

    mock_text_uint(text, span_ms / 1000);
    while (len > 1 && decimals[len - 1] == '0')
        len--;
    if (len > 1)
        mock_text_put(text, decimals, len);
    mock_text_put(text, "s", 1);
}

void mock_text_duration(struct mock_text *text, int64_t span_ns)
{
    uint64_t span_ms = span_ns > 0 ? (uint64_t)(span_ns - 1) / NS_PER_MS + 1 : 0;
    uint64_t minutes = span_ms / 60000;

    if (span_ms > 0 && span_ms < 1000) {
        mock_text_uint(text, span_ms);
        mock_text_put(text, "ms", 2);
        return;
    }
    if (minutes >= 60) {
        mock_text_uint(text, minutes / 60);
        mock_text_put(text, "h", 1);
    }
    if (minutes > 0) {
        mock_text_uint(text, minutes % 60);
        mock_text_put(text, "m", 1);
    }
    put_seconds(text, span_ms % 60000);
}

void mock_text_end(struct mock_text *text)
{
    if (text->len == text->max) {
        text->len--;
        text->cut = true;
    }
    text->at[text->len] = '\0';
}
