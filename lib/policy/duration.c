#include "policy/duration.h"

#include "base/ascii.h"
#include "policy/date.h"
#include "policy/span.h"

#define MS_PER_S       INT64_C(1000)
#define MS_PER_MIN     (60 * MS_PER_S)
#define MS_PER_H       (60 * MS_PER_MIN)
#define MS_PER_DAY     (24 * MS_PER_H)
#define EPOCHS_FROM    INT64_C(1000000000)  /* below, numbers are seconds from now */
#define EPOCHS_MS_FROM INT64_C(10000000000) /* from here on, numbers are ms since 1970 */
#define WORDS_MAX      ((size_t)2048)

static int64_t capped(int64_t ms)
{
    return ms < WEIR__LONGEST_MS ? ms : WEIR__LONGEST_MS;
}

/* count * unit_ms, both >= 0, capped before it can overflow */
static int64_t times(int64_t count, int64_t unit_ms)
{
    return count >= WEIR__LONGEST_MS / unit_ms ? WEIR__LONGEST_MS : count * unit_ms;
}

static int64_t divided_up(int64_t n, int64_t by)
{
    return n / by + (n % by != 0);
}

/* ---- as Go prints it ---- */

/* "5h": a whole number before its unit, which is not the beginning of "ms". */
static bool take_part(struct weir__span *in, char unit, int64_t unit_ms, int64_t *sum_ms)
{
    struct weir__span rest = *in;
    int64_t count;
    if (!weir__span_whole(&rest, &count) || !weir__span_char(&rest, unit) ||
        (rest.at < rest.end && rest.at[0] == 's'))
        return false;
    *sum_ms = capped(*sum_ms + times(count, unit_ms));
    *in = rest;
    return true;
}

static bool take_seconds(struct weir__span *in, int64_t *sum_ms)
{
    static const struct {
        const char *unit;
        int64_t scale, per_ms; /* of the number as read: parts of a unit, units in a ms */
    } units[] = {{"s", MS_PER_S, 1},     {"ms", 1, 1},           {"us", 1, 1000},
                 {"\xC2\xB5s", 1, 1000}, {"\xCE\xBCs", 1, 1000}, /* micro sign, Greek mu */
                 {"ns", 1, 1000000}};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        struct weir__span rest = *in;
        int64_t count;
        if (!weir__span_decimal(&rest, units[i].scale, &count))
            return false;
        if (!weir__span_text(&rest, units[i].unit))
            continue;
        *sum_ms = capped(*sum_ms + capped(divided_up(count, units[i].per_ms)));
        *in = rest;
        return true;
    }
    return false;
}

int64_t weir__duration_ms(const char *text, size_t len)
{
    struct weir__span in = weir__span_trimmed(text, len);
    int64_t ms = 0;
    bool some = take_part(&in, 'h', MS_PER_H, &ms);
    some = take_part(&in, 'm', MS_PER_MIN, &ms) || some;
    some = take_seconds(&in, &ms) || some;
    return some && in.at == in.end ? ms : -1;
}

/* ---- in words ---- */

static bool letter(char c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

/* "45 seconds" */
static int64_t spelled_ms(struct weir__span in)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {
        {"millisecond", 1},      {"milliseconds", 1}, {"second", MS_PER_S}, {"seconds", MS_PER_S},
        {"sec", MS_PER_S},       {"secs", MS_PER_S},  {"s", MS_PER_S},      {"minute", MS_PER_MIN},
        {"minutes", MS_PER_MIN}, {"min", MS_PER_MIN}, {"mins", MS_PER_MIN}, {"hour", MS_PER_H},
        {"hours", MS_PER_H},     {"day", MS_PER_DAY}, {"days", MS_PER_DAY},
    };
    int64_t thousandths;
    if (!weir__span_decimal(&in, 1000, &thousandths))
        return -1;
    while (weir__span_char(&in, ' '))
        ;
    struct weir__span word = {in.at, in.at};
    while (word.end < in.end && letter(word.end[0]))
        word.end++;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (!weir__span_is(word, units[i].name))
            continue;
        if (thousandths / 1000 >= WEIR__LONGEST_MS / units[i].ms)
            return WEIR__LONGEST_MS;
        return divided_up(thousandths * units[i].ms, 1000);
    }
    return -1;
}

/* What stands behind the phrase: a word that is a duration, or a number and a unit. */
static int64_t behind_ms(struct weir__span in)
{
    struct weir__span word = {in.at, in.at};
    while (word.end < in.end && !weir__span_blank(word.end[0]) && word.end[0] != '\n')
        word.end++;
    while (word.end > word.at && strchr(".,;!)", word.end[-1]) != NULL)
        word.end--;
    int64_t ms = weir__duration_ms(word.at, weir__span_len(word));
    return ms > 0 ? ms : spelled_ms(in);
}

int64_t weir__wait_in_words_ms(const char *text, size_t len)
{
    static const char *const phrases[] = {"try again in ", "retry in ", "retry after "};
    struct weir__span in = {text, text + (len < WORDS_MAX ? len : WORDS_MAX)};
    for (; in.at < in.end; in.at++) {
        for (size_t i = 0; i < sizeof phrases / sizeof phrases[0]; i++) {
            size_t phrase_len = strlen(phrases[i]);
            if (weir__span_len(in) <= phrase_len ||
                !weir__ascii_same(in.at, phrases[i], phrase_len))
                continue;
            int64_t ms = behind_ms((struct weir__span){in.at + phrase_len, in.end});
            if (ms > 0)
                return ms;
        }
    }
    return -1;
}

/* ---- when a limit is reset ---- */

static int64_t until_ms(int64_t when_ms, int64_t now_s)
{
    if (now_s < 0 || now_s > WEIR__LAST_TIME_S || when_ms > WEIR__LAST_TIME_S * MS_PER_S)
        return -1;
    int64_t ms = when_ms - now_s * MS_PER_S;
    return ms > 0 ? capped(ms) : 0;
}

static int64_t number_ms(struct weir__span in, int64_t now_s, int64_t *step_ms)
{
    bool whole = memchr(in.at, '.', weir__span_len(in)) == NULL;
    int64_t ms;
    if (!weir__span_decimal(&in, MS_PER_S, &ms) || in.at != in.end)
        return -1;
    *step_ms = whole || ms >= EPOCHS_FROM * MS_PER_S ? MS_PER_S : 1;
    if (ms < EPOCHS_FROM * MS_PER_S)
        return capped(ms);
    return until_ms(ms < EPOCHS_MS_FROM * MS_PER_S ? ms : divided_up(ms, MS_PER_S), now_s);
}

int64_t weir__reset_ms(const char *text, size_t len, int64_t now_s, int64_t *step_ms)
{
    struct weir__span in = weir__span_trimmed(text, len);
    len = weir__span_len(in);
    *step_ms = 1;
    int64_t ms = weir__duration_ms(in.at, len);
    if (ms < 0)
        ms = number_ms(in, now_s, step_ms);
    if (ms >= 0)
        return ms;
    int64_t when_ms = weir__timestamp_ms(in.at, len);
    if (when_ms < 0) {
        int64_t when_s = weir__http_date_s(in.at, len);
        when_ms = when_s < 0 ? -1 : when_s * MS_PER_S;
    }
    *step_ms = MS_PER_S;
    return when_ms < 0 ? -1 : until_ms(when_ms, now_s);
}
