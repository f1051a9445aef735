#include "numbers.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define COUNT_ROOM  28
#define TIME_ROOM   48
#define PER_SECOND  INT64_C(1000000000)
#define SECOND_MS   INT64_C(1000)
#define SECONDS_MAX INT64_C(1000000000)
#define MINUTE_S    60
#define HOUR_S      3600
#define DAY_S       86400
/* From so many of a unit on, what rounding down loses is a hundredth at most; a rate that was
 * computed and falls short of a whole number by less than ROUNDING is that. */
#define RATE_FINE_ENOUGH 100
#define ROUNDING         1e-6

/* The digits from text to end. */
static bool read_digits(const char *text, const char *end, uint64_t highest, uint64_t *number)
{
    uint64_t sum = 0;
    if (text == end)
        return false;
    for (; text < end; text++) {
        uint64_t digit = (uint64_t)(unsigned char)*text - '0';
        if (digit > 9 || digit > highest || sum > (highest - digit) / 10)
            return false;
        sum = sum * 10 + digit;
    }
    *number = sum;
    return true;
}

bool read_number(const char *text, uint64_t lowest, uint64_t highest, uint64_t *number)
{
    uint64_t value;
    if (!read_digits(text, text + strlen(text), highest, &value) || value < lowest)
        return false;
    *number = value;
    return true;
}

bool read_seconds_ms(const char *text, int64_t highest_ms, int64_t *ms)
{
    char decimals[] = "000";
    uint64_t whole = 0;
    uint64_t fraction = 0;
    size_t len = strcspn(text, ".");
    if (!read_digits(text, text + len, (uint64_t)SECONDS_MAX, &whole))
        return false;
    if (text[len] == '.') {
        size_t more = strlen(text + len + 1);
        if (more == 0 || more > 3)
            return false;
        memcpy(decimals, text + len + 1, more);
        if (!read_digits(decimals, decimals + 3, 999, &fraction))
            return false;
    }
    int64_t value_ms = (int64_t)whole * SECOND_MS + (int64_t)fraction;
    if (value_ms == 0 || value_ms > highest_ms)
        return false;
    *ms = value_ms;
    return true;
}

bool read_rate(const char *text, uint64_t *rate, int64_t *period_ms)
{
    static const struct {
        const char *unit;
        int64_t seconds;
    } periods[] = {
        {"s", 1},        {"sec", 1},           {"second", 1}, {"min", MINUTE_S},
        {"m", MINUTE_S}, {"minute", MINUTE_S}, {"h", HOUR_S}, {"hour", HOUR_S},
        {"d", DAY_S},    {"day", DAY_S},
    };
    const char *slash = strchr(text, '/');
    for (size_t i = 0; slash != NULL && i < sizeof periods / sizeof periods[0]; i++) {
        uint64_t highest = (uint64_t)(PER_SECOND * periods[i].seconds);
        uint64_t value;
        if (strcmp(slash + 1, periods[i].unit) != 0)
            continue;
        if (!read_digits(text, slash, highest, &value) || value == 0)
            return false;
        *rate = value;
        *period_ms = periods[i].seconds * SECOND_MS;
        return true;
    }
    return false;
}

char *format_count(char *buf, uint64_t number)
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%" PRIu64, number);
    size_t used = 0;
    for (int i = 0; i < len && used + 2 < COUNT_ROOM; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            buf[used++] = ',';
        buf[used++] = digits[i];
    }
    buf[used] = '\0';
    return buf;
}

char *format_ms(char *buf, int64_t time_ms)
{
    int64_t s = (time_ms + SECOND_MS / 2) / SECOND_MS;
    if (time_ms < 10 * SECOND_MS)
        snprintf(buf, TIME_ROOM, "%.1f s", (double)time_ms / 1000.0);
    else if (s < MINUTE_S)
        snprintf(buf, TIME_ROOM, "%" PRId64 " s", s);
    else if (s < HOUR_S)
        snprintf(buf, TIME_ROOM, "%" PRId64 " min %" PRId64 " s", s / MINUTE_S, s % MINUTE_S);
    else if (s < DAY_S)
        snprintf(buf, TIME_ROOM, "%" PRId64 " h %" PRId64 " min", s / HOUR_S,
                 s % HOUR_S / MINUTE_S);
    else
        snprintf(buf, TIME_ROOM, "%" PRId64 " d %" PRId64 " h", s / DAY_S, s % DAY_S / HOUR_S);
    return buf;
}

char *format_rate(char *buf, double per_s)
{
    static const struct {
        const char *unit;
        int64_t seconds;
    } units[] = {{"s", 1}, {"min", MINUTE_S}, {"h", HOUR_S}, {"d", DAY_S}};
    size_t i = 0;
    while (i + 1 < sizeof units / sizeof units[0] &&
           per_s * (double)units[i].seconds < RATE_FINE_ENOUGH)
        i++;
    uint64_t rate = (uint64_t)(per_s * (double)units[i].seconds + ROUNDING);
    snprintf(buf, TIME_ROOM, "%" PRIu64 "/%s", rate > 0 ? rate : 1, units[i].unit);
    return buf;
}
