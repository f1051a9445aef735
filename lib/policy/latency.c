#include "policy/latency.h"

enum {
    ONE = 256,             /* weight of a new value: halved some times before it is lost */
    FULL = 1024 * 2 * ONE, /* then all are halved: half of the weight is of the last 1,024 */
    KNOWN_MAX = 1000,
};

/* The bits behind the first one pick the part of the doubling. */
unsigned weir__latency_bucket(int64_t took_ns)
{
    if (took_ns < (int64_t)1 << WEIR__LATENCY_LEAST_BIT)
        return 0;
    unsigned bit = 63U - (unsigned)__builtin_clzll((unsigned long long)took_ns);
    unsigned part = (unsigned)(took_ns >> (bit - 3)) % WEIR__LATENCY_PARTS;
    unsigned bucket = (bit - WEIR__LATENCY_LEAST_BIT) * WEIR__LATENCY_PARTS + part;
    return bucket < WEIR__LATENCY_BUCKETS ? bucket : WEIR__LATENCY_BUCKETS - 1;
}

int64_t weir__latency_upper_ns(unsigned bucket)
{
    unsigned bit = bucket / WEIR__LATENCY_PARTS + WEIR__LATENCY_LEAST_BIT;
    int64_t part = bucket % WEIR__LATENCY_PARTS;
    return ((part + WEIR__LATENCY_PARTS + 1) << (bit - 3)) - 1;
}

static void fade(struct weir__latency *latency)
{
    latency->weight = 0;
    for (unsigned i = 0; i < WEIR__LATENCY_BUCKETS; i++) {
        latency->weights[i] /= 2;
        latency->weight += latency->weights[i];
    }
}

void weir__latency_add(struct weir__latency *latency, int64_t took_ns)
{
    latency->weights[weir__latency_bucket(took_ns)] += ONE;
    latency->weight += ONE;
    if (latency->known < KNOWN_MAX)
        latency->known++;
    if (latency->weight >= FULL)
        fade(latency);
}

int64_t weir__latency_quantile_ns(const struct weir__latency *latency, unsigned percent,
                                  uint32_t least)
{
    uint64_t below = 0, wanted = (uint64_t)latency->weight * percent;
    unsigned bucket = 0;
    if (latency->known < least || latency->weight == 0)
        return -1;
    while (bucket < WEIR__LATENCY_BUCKETS - 1) {
        below += latency->weights[bucket];
        if (below * 100 >= wanted)
            break;
        bucket++;
    }
    return weir__latency_upper_ns(bucket);
}
