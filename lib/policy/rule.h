/* What the values of <weir/retry.h> mean: pure functions of a rule and an attempt. A rule that was
 * never given is for the caller to replace. */
#ifndef WEIR_POLICY_RULE_H
#define WEIR_POLICY_RULE_H

#include <stdbool.h>
#include <stdint.h>

#include <weir/retry.h>

#include "base/rand.h"

enum weir__rule_op {
    WEIR__STOP_NEVER = 1,
    WEIR__STOP_AFTER_ATTEMPT,
    WEIR__STOP_AFTER_DELAY,
    WEIR__STOP_BEFORE_DELAY,
    WEIR__STOP_EVENT,
    WEIR__STOP_ANY,
    WEIR__STOP_ALL,

    WEIR__WAIT_FIXED,
    WEIR__WAIT_RANDOM,
    WEIR__WAIT_INCREMENTING,
    WEIR__WAIT_EXPONENTIAL,
    WEIR__WAIT_RANDOM_EXPONENTIAL,
    WEIR__WAIT_EXPONENTIAL_JITTER,
    WEIR__WAIT_DECORRELATED,
    WEIR__WAIT_CALLBACK,
    WEIR__WAIT_SUM,
    WEIR__WAIT_CHAIN,

    WEIR__IF_ALWAYS,
    WEIR__IF_DEFAULT,
    WEIR__IF_ERROR,
    WEIR__IF_ANY_ERROR,
    WEIR__IF_STATUS,
    WEIR__IF_OUTCOME,
    WEIR__IF_SAFE,
    WEIR__IF_FAILURE,
    WEIR__IF_RESULT,
    WEIR__IF_NOT,
    WEIR__IF_ANY,
    WEIR__IF_ALL,
};

static inline bool weir__rule_given(const struct weir_rule *rule)
{
    return rule->count > 0 || rule->error != 0;
}

/* Attempts that count for waits and stops: what was throttled does not. At least 1. */
static inline unsigned weir__attempt_count(const struct weir_attempt *attempt)
{
    return attempt->number > attempt->throttled ? attempt->number - attempt->throttled : 1;
}

/* Another attempt can do no harm. */
bool weir__attempt_is_safe(const struct weir_attempt *attempt);

/* multiplier_ns * (percent/100)^(n-1) within min and max; min wins. Finite for any n, n = 0
 * included. */
int64_t weir__exponential_ns(int64_t multiplier_ns, unsigned percent, unsigned n, int64_t min_ns,
                             int64_t max_ns);

int64_t weir__rule_wait_ns(const struct weir_retry_wait *wait, const struct weir_attempt *attempt,
                           struct weir__rand *rand);

/* wait_ns: the coming one. */
bool weir__rule_stops(const struct weir_retry_stop *stop, const struct weir_attempt *attempt,
                      int64_t wait_ns);

bool weir__rule_retries(const struct weir_retry_if *retry, const struct weir_attempt *attempt);

#endif
