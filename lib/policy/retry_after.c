#include "policy/retry_after.h"

#include "policy/date.h"
#include "policy/duration.h"
#include "policy/span.h"

#define MS_PER_S    INT64_C(1000)
#define EPOCHS_FROM INT64_C(1000000000) /* seconds: from here on a number is a point in time */

static bool parse_number(const char *text, size_t len, int64_t scale, int64_t *value)
{
    struct weir__span in = weir__span_trimmed(text, len);
    return weir__span_decimal(&in, scale, value) && in.at == in.end;
}

static int64_t capped(int64_t wait_ms)
{
    if (wait_ms <= 0)
        return -1;
    return wait_ms < WEIR__LONGEST_MS ? wait_ms : WEIR__LONGEST_MS;
}

static int64_t until_ms(int64_t when_ms, int64_t now_s)
{
    if (when_ms > WEIR__LAST_TIME_S * MS_PER_S || now_s < 0 || now_s > WEIR__LAST_TIME_S)
        return -1;
    return capped(when_ms - now_s * MS_PER_S);
}

int64_t weir__retry_after_ms(const char *text, size_t len, int64_t now_s)
{
    int64_t value_ms;
    if (parse_number(text, len, MS_PER_S, &value_ms))
        return value_ms < EPOCHS_FROM * MS_PER_S ? capped(value_ms) : until_ms(value_ms, now_s);
    int64_t when_s = weir__http_date_s(text, len);
    return when_s < 0 ? -1 : until_ms(when_s * MS_PER_S, now_s);
}

int64_t weir__retry_after_millis(const char *text, size_t len)
{
    int64_t value_ms;
    return parse_number(text, len, 1, &value_ms) ? capped(value_ms) : -1;
}
