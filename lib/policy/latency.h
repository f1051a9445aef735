/* How long answers take: a streaming estimate of quantiles. A histogram whose buckets grow with
 * what they hold (8 per doubling, so the error is at most an eighth) and whose counts fade: about
 * the last thousand values matter. Bounded, pure. */
#ifndef WEIR_POLICY_LATENCY_H
#define WEIR_POLICY_LATENCY_H

#include <stdint.h>

enum {
    WEIR__LATENCY_PARTS = 8,                          /* buckets per doubling */
    WEIR__LATENCY_LEAST_BIT = 14,                     /* 16 us: all below is one bucket ... */
    WEIR__LATENCY_BUCKETS = 30 * WEIR__LATENCY_PARTS, /* ... and beyond 4.8 hours, too */
};

/* The bucket of a time, and the longest time in a bucket. */
unsigned weir__latency_bucket(int64_t took_ns);
int64_t weir__latency_upper_ns(unsigned bucket);

/* Begin with all zero. */
struct weir__latency {
    uint32_t weights[WEIR__LATENCY_BUCKETS];
    uint32_t weight; /* their sum */
    uint32_t known;  /* values, up to a maximum that is enough for any question */
};

void weir__latency_add(struct weir__latency *latency, int64_t took_ns);

/* A time that at least `percent` (1 to 99) per cent of the values do not exceed, at most an eighth
 * too high; -1 before `least` (up to 1,000) values are known. */
int64_t weir__latency_quantile_ns(const struct weir__latency *latency, unsigned percent,
                                  uint32_t least);

#endif
