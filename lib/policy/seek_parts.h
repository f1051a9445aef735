/* What the parts of seek.h share: its arithmetic, and how the limit is counted. */
#ifndef WEIR_POLICY_SEEK_PARTS_H
#define WEIR_POLICY_SEEK_PARTS_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/seek.h"
#include "policy/within.h"

#define WEIR__RATE_MIN 1e-18
#define WEIR__RATE_MAX 1.0

/* What is known of the limit counts for so many requests at most; for so many when it is new; and
 * from so many on trials are worth their refusals. */
#define WEIR__POOL_MAX   2000.0
#define WEIR__POOL_NEW   20.0
#define WEIR__POOL_TRIAL 80.0

/* So many trials more that speak for a bucket than against: it is one. */
#define WEIR__TIGHT_TRIALS 5

/* Requests that are no further apart than this times what another limit demands were asked for. */
#define WEIR__HELD_SLACK 1.5

/* ---- arithmetic ---- */

static inline double weir__greater(double a, double b)
{
    return a > b ? a : b;
}

/* By Newton's method, from above. */
static inline double weir__root(double square)
{
    double guess = weir__greater(square, 1);
    for (int i = 0; i < 200; i++) {
        double next = (guess + square / guess) / 2;
        if (next >= guess)
            break;
        guess = next;
    }
    return guess;
}

static inline double weir__rate_of(double requests, double ns)
{
    return weir__within(requests / weir__greater(ns, 1), WEIR__RATE_MIN, WEIR__RATE_MAX);
}

static inline int64_t weir__time_of(double requests, double rate)
{
    return (int64_t)weir__within(requests / rate, 0, 4e18);
}

/* pool: how many requests have shown it. */
static inline void weir__seek_believe(struct weir__seek *seek, double limit, double pool)
{
    seek->limit = limit;
    seek->pool = pool;
    seek->pool_ns = pool / limit;
}

/* Accepted of those sent behind ref and up to serial. */
static inline double weir__seek_passed(const struct weir__seek *seek, uint64_t serial)
{
    if (serial <= seek->ref.serial + seek->rejected)
        return 0;
    return (double)(serial - seek->ref.serial - seek->rejected);
}

/* A refusal that begins an epoch, of a server that was not shut: the limit by what passed since
 * ref. Returns false if that says nothing yet, so that ref stays. */
bool weir__seek_count(struct weir__seek *seek, struct weir__sent sent);

#endif
