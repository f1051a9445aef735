#include "policy/histogram.h"

void weir__histogram_add(struct weir__histogram *histogram, int64_t took_ns)
{
    uint64_t time_ns = took_ns > 0 ? (uint64_t)took_ns : 0;
    histogram->counts[weir__latency_bucket((int64_t)time_ns)]++;
    histogram->count++;
    histogram->sum_ns += time_ns;
}

uint64_t weir__histogram_below(const struct weir__histogram *histogram, unsigned bit)
{
    unsigned buckets = (bit - WEIR__LATENCY_LEAST_BIT) * WEIR__LATENCY_PARTS;
    uint64_t below = 0;
    for (unsigned i = 0; i < buckets; i++)
        below += histogram->counts[i];
    return below;
}

int64_t weir__histogram_quantile_ns(const struct weir__histogram *histogram, unsigned percent)
{
    uint64_t below = 0, wanted;
    unsigned bucket = 0;
    if (histogram->count == 0 || percent < 1 || percent > 99)
        return -1;
    /* Rounded up, and without a product that might overflow. */
    wanted = histogram->count / 100 * percent + (histogram->count % 100 * percent + 99) / 100;
    while (bucket < WEIR__LATENCY_BUCKETS - 1) {
        below += histogram->counts[bucket];
        if (below >= wanted)
            break;
        bucket++;
    }
    return weir__latency_upper_ns(bucket);
}
