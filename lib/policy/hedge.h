/* When a request is sent a second time before the first one has ended. Pure. */
#ifndef WEIR_POLICY_HEDGE_H
#define WEIR_POLICY_HEDGE_H

#include <stdbool.h>
#include <stdint.h>

#include <weir/hedge.h>

#include "policy/latency.h"

struct weir__hedge {
    struct weir_hedge_opts policy;
    struct weir__latency latency;
    unsigned saved; /* hundredths of a second sending */
};

/* With every default filled in. WEIR_EINVAL for a negative time, per cents out of their range, a
 * size of 0. */
int weir__hedge_init(struct weir__hedge *hedge, const struct weir_hedge_opts *opts);

/* What is late, in ms; -1: not known yet. */
int64_t weir__hedge_delay_ms(const struct weir__hedge *hedge);

/* A first sending earns its share of a second one; a second one costs a whole. */
void weir__hedge_earn(struct weir__hedge *hedge);
bool weir__hedge_affords(const struct weir__hedge *hedge);
void weir__hedge_spend(struct weir__hedge *hedge);

/* A first sending had a good answer after so long, or was given up for the second's. */
void weir__hedge_took(struct weir__hedge *hedge, int64_t took_ns);

#endif
