/* Durations, waits in words, resets. */
#include "fuzz.h"

#include "policy/date.h"
#include "policy/duration.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int64_t clocks_s[] = {-1, 0, 1696004797, WEIR__LAST_TIME_S, INT64_MAX, INT64_MIN};
    const char *text = (const char *)data;
    int64_t step_ms;
    HOLDS(within(weir__duration_ms(text, size), -1, WEIR__LONGEST_MS));
    int64_t wait_ms = weir__wait_in_words_ms(text, size);
    HOLDS(wait_ms == -1 || within(wait_ms, 1, WEIR__LONGEST_MS));
    for (size_t i = 0; i < sizeof clocks_s / sizeof *clocks_s; i++) {
        int64_t reset_ms = weir__reset_ms(text, size, clocks_s[i], &step_ms);
        HOLDS(within(reset_ms, -1, WEIR__LONGEST_MS));
        HOLDS(step_ms == 1 || step_ms == 1000);
    }
    return 0;
}
