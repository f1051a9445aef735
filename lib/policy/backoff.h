/* Whether and when to try again. Pure functions. */
#ifndef WEIR_POLICY_BACKOFF_H
#define WEIR_POLICY_BACKOFF_H

#include <stdint.h>

#include <weir/retry.h>

#include "base/rand.h"

/* A copy of the options with every default filled in; NULL: all defaults. WEIR_EINVAL for negative
 * times, base over max, a size of 0 (not made by WEIR_RETRY_OPTS), a reserved member that is
 * set. */
int weir__retry_init(struct weir_retry_opts *policy, const struct weir_retry_opts *opts);

/* min(max_ms, base_ms * 2^(attempt-1)); attempt counts from 1, any value is finite. */
int64_t weir__backoff_ceiling_ms(int64_t base_ms, int64_t max_ms, unsigned attempt);

enum weir__retry_why {
    WEIR__RETRY_AGAIN = 0,
    WEIR__RETRY_NOT_HELPFUL, /* the predicate, or weir's own rule, says no */
    WEIR__RETRY_ATTEMPTS,    /* max_attempts reached */
    WEIR__RETRY_ELAPSED,     /* max_elapsed_ms reached, or would be after the wait */
    WEIR__RETRY_SERVER_WAIT, /* the server asks for more than server_wait_max_ms */
};

/* Decides on an ended attempt, whose `retry` member this function fills by weir's own rule before
 * it asks the predicate. elapsed_ms: since the first attempt began. *wait_ns is the wait on AGAIN,
 * else 0: full jitter on top of the server's wait (so those who were told the same time do not come
 * back together); for a throttled attempt 0, since the gate holds it back. */
enum weir__retry_why weir__retry_decide(const struct weir_retry_opts *policy,
                                        struct weir_attempt *attempt, int64_t elapsed_ms,
                                        struct weir__rand *rand, int64_t *wait_ns);

/* The class of a status; 0 (no answer): FAILED. has_server_wait: a usable Retry-After came. */
enum weir_outcome weir__outcome_of(int status, int has_server_wait);

#endif
