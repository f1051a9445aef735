#include "policy/retry_after.h"

#include <stdbool.h>
#include <string.h>

#define MS_PER_S     INT64_C(1000)
#define S_PER_DAY    INT64_C(86400)
#define MAX_WAIT_MS  (365 * S_PER_DAY * MS_PER_S)
#define EPOCHS_FROM  INT64_C(1000000000)   /* seconds: from here on a number is a point in time */
#define LAST_TIME_S  INT64_C(253402300799) /* the year 9999's last second */
#define NUMBER_LIMIT INT64_C(1000000000000000) /* times MS_PER_S it still fits */

struct span {
    const char *at, *end;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct span trimmed(const char *text, size_t len)
{
    struct span span = {text, text + len};
    while (span.at < span.end && is_blank(span.at[0]))
        span.at++;
    while (span.at < span.end && is_blank(span.end[-1]))
        span.end--;
    return span;
}

/* The next digit, taken; -1: there is none. */
static int take_digit(struct span *in)
{
    if (in->at == in->end || in->at[0] < '0' || in->at[0] > '9')
        return -1;
    return *in->at++ - '0';
}

static bool take_char(struct span *in, char c)
{
    if (in->at == in->end || in->at[0] != c)
        return false;
    in->at++;
    return true;
}

static bool take_whole(struct span *in, int64_t *value)
{
    int digit = take_digit(in);
    if (digit < 0)
        return false;
    for (*value = 0; digit >= 0; digit = take_digit(in)) {
        *value = *value * 10 + digit;
        if (*value >= NUMBER_LIMIT)
            return false;
    }
    return true;
}

/* A number as whole multiples of 1/scale, rounded up; scale is a power of ten up to MS_PER_S. */
static bool parse_number(struct span in, int64_t scale, int64_t *value)
{
    if (!take_whole(&in, value))
        return false;
    bool rest = false;
    if (take_char(&in, '.')) {
        int digit = take_digit(&in);
        if (digit < 0)
            return false;
        for (; digit >= 0; digit = take_digit(&in)) {
            rest = rest || (scale == 1 && digit > 0);
            if (scale > 1) {
                scale /= 10;
                *value = *value * 10 + digit;
            }
        }
    }
    *value = *value * scale + rest;
    return in.at == in.end;
}

/* Takes one of the `count` names and tells which, from 0. */
static bool take_name(struct span *in, const char *const *names, int count, int *which)
{
    for (int i = 0; i < count; i++) {
        size_t len = strlen(names[i]);
        if ((size_t)(in->end - in->at) < len || memcmp(in->at, names[i], len) != 0)
            continue;
        in->at += len;
        *which = i;
        return true;
    }
    return false;
}

static bool take_fixed(struct span *in, int digits, int *value)
{
    *value = 0;
    for (int i = 0; i < digits; i++) {
        int digit = take_digit(in);
        if (digit < 0)
            return false;
        *value = *value * 10 + digit;
    }
    return true;
}

struct date {
    int year, month, day, hour, minute, second; /* month from 0 */
};

static bool take_month(struct span *in, int *month)
{
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    return take_name(in, months, 12, month);
}

static bool take_weekday(struct span *in, bool whole)
{
    static const char *const longs[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                        "Thursday", "Friday", "Saturday"};
    static const char *const shorts[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    int which;
    return take_name(in, whole ? longs : shorts, 7, &which);
}

static bool take_short_year(struct span *in, int *year)
{
    if (!take_fixed(in, 2, year))
        return false;
    *year += *year < 70 ? 2000 : 1900;
    return true;
}

/* One conversion of strptime's letters; strptime itself knows the locale and takes much more. */
static bool take_field(struct span *in, char letter, struct date *date)
{
    switch (letter) {
    case 'A':
    case 'a':
        return take_weekday(in, letter == 'A');
    case 'b':
        return take_month(in, &date->month);
    case 'd':
        return take_fixed(in, 2, &date->day);
    case 'e':
        return take_fixed(in, take_char(in, ' ') ? 1 : 2, &date->day);
    case 'Y':
        return take_fixed(in, 4, &date->year);
    case 'y':
        return take_short_year(in, &date->year);
    case 'H':
        return take_fixed(in, 2, &date->hour);
    case 'M':
        return take_fixed(in, 2, &date->minute);
    default: /* 'S' */
        return take_fixed(in, 2, &date->second);
    }
}

static bool parse_date(struct span in, const char *format, struct date *date)
{
    for (; *format != '\0'; format++) {
        bool ok = *format == '%' ? take_field(&in, *++format, date) : take_char(&in, *format);
        if (!ok)
            return false;
    }
    return in.at == in.end;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month] + (month == 1 && leap);
}

static bool date_exists(const struct date *date)
{
    return date->year >= 1970 && date->day >= 1 &&
           date->day <= days_in_month(date->year, date->month) && date->hour <= 23 &&
           date->minute <= 59 && date->second <= 60; /* 60: a leap second */
}

static int64_t date_s(const struct date *date)
{
    int64_t before = date->year - 1;
    int64_t days = before * 365 + before / 4 - before / 100 + before / 400 - 719162; /* to 1970 */
    for (int month = 0; month < date->month; month++)
        days += days_in_month(date->year, month);
    days += date->day - 1;
    return ((days * 24 + date->hour) * 60 + date->minute) * 60 + date->second;
}

int64_t weir__http_date_s(const char *text, size_t len)
{
    static const char *const formats[] = {
        "%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", /* RFC 850 */
        "%a %b %e %H:%M:%S %Y",                                   /* asctime */
    };
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        struct date date = {0};
        if (parse_date(trimmed(text, len), formats[i], &date))
            return date_exists(&date) ? date_s(&date) : -1;
    }
    return -1;
}

static int64_t capped(int64_t wait_ms)
{
    if (wait_ms <= 0)
        return -1;
    return wait_ms < MAX_WAIT_MS ? wait_ms : MAX_WAIT_MS;
}

static int64_t until_ms(int64_t when_ms, int64_t now_s)
{
    if (when_ms > LAST_TIME_S * MS_PER_S || now_s < 0 || now_s > LAST_TIME_S)
        return -1;
    return capped(when_ms - now_s * MS_PER_S);
}

int64_t weir__retry_after_ms(const char *text, size_t len, int64_t now_s)
{
    int64_t value_ms;
    if (parse_number(trimmed(text, len), MS_PER_S, &value_ms))
        return value_ms < EPOCHS_FROM * MS_PER_S ? capped(value_ms) : until_ms(value_ms, now_s);
    int64_t when_s = weir__http_date_s(text, len);
    return when_s < 0 ? -1 : until_ms(when_s * MS_PER_S, now_s);
}

int64_t weir__retry_after_millis(const char *text, size_t len)
{
    int64_t value_ms;
    return parse_number(trimmed(text, len), 1, &value_ms) ? capped(value_ms) : -1;
}
