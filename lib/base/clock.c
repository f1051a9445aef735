#include "base/clock.h"

#include <time.h>

int64_t weir__clock_mono_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail for this clock */
    return (int64_t)t.tv_sec * WEIR__NS_PER_S + t.tv_nsec;
}

int64_t weir__clock_wall_s(void)
{
    return (int64_t)time(NULL);
}
