#include "policy/date.h"

#include "policy/span.h"

#define MS_PER_S  INT64_C(1000)
#define S_PER_MIN INT64_C(60)

struct date {
    int year, month, day, hour, minute, second; /* month from 0 */
};

static bool take_month(struct weir__span *in, int *month)
{
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    return weir__span_name(in, months, 12, month);
}

static bool take_weekday(struct weir__span *in, bool whole)
{
    static const char *const longs[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                        "Thursday", "Friday", "Saturday"};
    static const char *const shorts[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    int which;
    return weir__span_name(in, whole ? longs : shorts, 7, &which);
}

static bool take_short_year(struct weir__span *in, int *year)
{
    if (!weir__span_fixed(in, 2, year))
        return false;
    *year += *year < 70 ? 2000 : 1900;
    return true;
}

/* One conversion of strptime's letters; strptime itself knows the locale and takes much more. */
static bool take_field(struct weir__span *in, char letter, struct date *date)
{
    switch (letter) {
    case 'A':
    case 'a':
        return take_weekday(in, letter == 'A');
    case 'b':
        return take_month(in, &date->month);
    case 'd':
        return weir__span_fixed(in, 2, &date->day);
    case 'e':
        return weir__span_fixed(in, weir__span_char(in, ' ') ? 1 : 2, &date->day);
    case 'Y':
        return weir__span_fixed(in, 4, &date->year);
    case 'y':
        return take_short_year(in, &date->year);
    case 'H':
        return weir__span_fixed(in, 2, &date->hour);
    case 'M':
        return weir__span_fixed(in, 2, &date->minute);
    default: /* 'S' */
        return weir__span_fixed(in, 2, &date->second);
    }
}

static bool parse_date(struct weir__span in, const char *format, struct date *date)
{
    for (; *format != '\0'; format++) {
        bool ok = *format == '%' ? take_field(&in, *++format, date) : weir__span_char(&in, *format);
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
        if (parse_date(weir__span_trimmed(text, len), formats[i], &date))
            return date_exists(&date) ? date_s(&date) : -1;
    }
    return -1;
}

/* ---- RFC 3339 ---- */

/* ".5" as ms, rounded up; 0 where there is none. */
static bool take_fraction(struct weir__span *in, int64_t *ms)
{
    struct weir__span digits = *in;
    *ms = 0;
    if (in->at == in->end || in->at[0] != '.')
        return true;
    do
        in->at++;
    while (in->at < in->end && in->at[0] >= '0' && in->at[0] <= '9');
    bool rest = false;
    digits.at++;
    if (digits.at == in->at)
        return false;
    for (int64_t scale = MS_PER_S / 10; digits.at < in->at; digits.at++, scale /= 10) {
        *ms += (digits.at[0] - '0') * scale;
        rest = rest || (scale == 0 && digits.at[0] != '0');
    }
    *ms += rest;
    return true;
}

static bool take_offset(struct weir__span *in, int64_t *offset_s)
{
    int hours, minutes;
    *offset_s = 0;
    if (weir__span_char(in, 'Z') || weir__span_char(in, 'z'))
        return true;
    bool west = weir__span_char(in, '-');
    if (!west && !weir__span_char(in, '+'))
        return false;
    if (!weir__span_fixed(in, 2, &hours) || !weir__span_char(in, ':') ||
        !weir__span_fixed(in, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *offset_s = (hours * S_PER_MIN + minutes) * S_PER_MIN * (west ? -1 : 1);
    return true;
}

/* The part that has a fixed length; months are counted from 0. */
static bool take_day_and_time(struct weir__span *in, struct date *date)
{
    static const char *const dividers[] = {"T", "t", " "};
    int which;
    bool ok = weir__span_fixed(in, 4, &date->year) && weir__span_char(in, '-') &&
              weir__span_fixed(in, 2, &date->month) && weir__span_char(in, '-') &&
              weir__span_fixed(in, 2, &date->day) && weir__span_name(in, dividers, 3, &which) &&
              weir__span_fixed(in, 2, &date->hour) && weir__span_char(in, ':') &&
              weir__span_fixed(in, 2, &date->minute) && weir__span_char(in, ':') &&
              weir__span_fixed(in, 2, &date->second);
    date->month--;
    return ok && date->month >= 0 && date->month <= 11 && date_exists(date);
}

int64_t weir__timestamp_ms(const char *text, size_t len)
{
    struct weir__span in = weir__span_trimmed(text, len);
    struct date date = {0};
    int64_t fraction_ms, offset_s;
    if (!take_day_and_time(&in, &date) || !take_fraction(&in, &fraction_ms) ||
        !take_offset(&in, &offset_s) || in.at != in.end)
        return -1;
    int64_t when_ms = (date_s(&date) - offset_s) * MS_PER_S + fraction_ms;
    return when_ms >= 0 && when_ms <= WEIR__LAST_TIME_S * MS_PER_S ? when_ms : -1;
}
