/* How long all attempts took, in the buckets of latency.h: 8 per doubling, so bounded in memory and
 * within an eighth of the truth at any scale. Pure. */
#ifndef WEIR_POLICY_HISTOGRAM_H
#define WEIR_POLICY_HISTOGRAM_H

#include "policy/latency.h"

/* Begin with all zero. */
struct weir__histogram {
    uint64_t counts[WEIR__LATENCY_BUCKETS];
    uint64_t count, sum_ns;
};

/* Negative times count as 0. */
void weir__histogram_add(struct weir__histogram *histogram, int64_t took_ns);

/* How many took less than 2^bit ns, for the bits from 15 (33 us) to 43 (2.4 hours). Exact: buckets
 * end there. */
uint64_t weir__histogram_below(const struct weir__histogram *histogram, unsigned bit);

/* A time that at least `percent` (1 to 99) per cent of the values do not exceed; -1: there is none.
 */
int64_t weir__histogram_quantile_ns(const struct weir__histogram *histogram, unsigned percent);

#endif
