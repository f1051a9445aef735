/* Dates, timestamps and Retry-After. */
#include "fuzz.h"

#include "policy/date.h"
#include "policy/duration.h"
#include "policy/retry_after.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    const int64_t now_s = 1696004797;
    HOLDS(within(weir__http_date_s(text, size), -1, WEIR__LAST_TIME_S + 1)); /* a leap second */
    HOLDS(within(weir__timestamp_ms(text, size), -1, WEIR__LAST_TIME_S * 1000));
    int64_t wait_ms = weir__retry_after_ms(text, size, now_s);
    HOLDS(wait_ms == -1 || within(wait_ms, 1, WEIR__LONGEST_MS));
    wait_ms = weir__retry_after_millis(text, size);
    HOLDS(wait_ms == -1 || within(wait_ms, 1, WEIR__LONGEST_MS));
    return 0;
}
