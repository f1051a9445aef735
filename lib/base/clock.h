/* The only readings of the real clocks. Everything above takes `now` from the runtime, whose clock
 * may be virtual. */
#ifndef WEIR_BASE_CLOCK_H
#define WEIR_BASE_CLOCK_H

#include <stdint.h>

#define WEIR__NS_PER_MS INT64_C(1000000)
#define WEIR__NS_PER_S  INT64_C(1000000000)

int64_t weir__clock_mono_ns(void); /* CLOCK_MONOTONIC */
int64_t weir__clock_wall_s(void);  /* seconds since 1970, for HTTP dates */

/* Milliseconds as nanoseconds, clamped to the range of int64. */
static inline int64_t weir__ms_to_ns(int64_t ms)
{
    if (ms > INT64_MAX / WEIR__NS_PER_MS)
        return INT64_MAX;
    if (ms < INT64_MIN / WEIR__NS_PER_MS)
        return INT64_MIN;
    return ms * WEIR__NS_PER_MS;
}

/* Nanoseconds as milliseconds, rounded up. */
static inline int64_t weir__ns_to_ms_up(int64_t ns)
{
    return ns / WEIR__NS_PER_MS + (ns % WEIR__NS_PER_MS > 0);
}

/* a + b, clamped; for times, where the end of the range means never. */
static inline int64_t weir__ns_add(int64_t a, int64_t b)
{
    int64_t sum;
    if (!__builtin_add_overflow(a, b, &sum))
        return sum;
    return b > 0 ? INT64_MAX : INT64_MIN;
}

#endif
