/* Whether and when to try again: the one place that decides, for requests and for functions. Pure
 * functions, but for the caller's rules and hooks, which they call. */
#ifndef WEIR_POLICY_BACKOFF_H
#define WEIR_POLICY_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

#include <weir/retry.h>

#include "base/rand.h"
#include "policy/told.h"

/* A copy of the options with every default filled in; NULL: all defaults. WEIR_EINVAL for negative
 * times, base over max, rules that are marked or contradict each other, a size of 0 (not made by
 * WEIR_RETRY_OPTS). */
int weir__retry_init(struct weir_retry_opts *policy, const struct weir_retry_opts *opts);

/* min(max_ms, base_ms * 2^(attempt-1)); attempt counts from 1, any value is finite. */
int64_t weir__backoff_ceiling_ms(int64_t base_ms, int64_t max_ms, unsigned attempt);

/* The order of a call:
 *
 *     struct weir_attempt attempt = {.replay = ...};
 *     do {
 *         weir__retry_begin(policy, &attempt, now);
 *         (carry it out; fill rc, status, outcome, sent, throttled, server_wait_ms, verdict, ...)
 *         weir__retry_ended(&attempt, now);
 *         why = weir__retry_decide(policy, &attempt, rand, &wait_ns);
 *         why = weir__retry_afford(policy, &attempt, why, &bounds, &wait_ns);
 *         (sleep wait_ns)
 *     } while (weir_why_again(why));
 *     return weir__retry_give_up(policy, &attempt, why); */

/* Counts the attempt and calls `before`. */
void weir__retry_begin(const struct weir_retry_opts *policy, struct weir_attempt *attempt,
                       int64_t now_ns);

/* The attempt that is to come, after `attempt`, may be followed by another. */
bool weir__retry_allows_two(const struct weir_retry_opts *policy,
                            const struct weir_attempt *attempt);

static inline void weir__retry_ended(struct weir_attempt *attempt, int64_t now_ns)
{
    attempt->elapsed_ns = now_ns - attempt->started_ns;
}

/* Decides on an ended attempt, whose `retry` member this function fills by weir's own rule before
 * it asks the caller's; calls `after`. *wait_ns is the wait if the attempt is to be followed by
 * another, else 0: on top of the server's wait the rule's; for a throttled attempt 0, since the
 * gate holds it back. _function: by the own rule for functions. */
enum weir_why weir__retry_decide(const struct weir_retry_opts *policy, struct weir_attempt *attempt,
                                 struct weir__rand *rand, int64_t *wait_ns);
enum weir_why weir__retry_decide_function(const struct weir_retry_opts *policy,
                                          struct weir_attempt *attempt, struct weir__rand *rand,
                                          int64_t *wait_ns);

struct weir__retry_bounds {
    int64_t now_ns;
    int64_t turn_ns;     /* an attempt cannot begin before */
    int64_t deadline_ns; /* it must begin before; INT64_MAX: none */
};

/* What stands between a decision for another attempt and its wait: deadline, budget (which may
 * lengthen the wait), statistics, `before_sleep`. Any other decision is returned as it is. */
enum weir_why weir__retry_afford(const struct weir_retry_opts *policy, struct weir_attempt *attempt,
                                 enum weir_why why, const struct weir__retry_bounds *bounds,
                                 int64_t *wait_ns);

/* The attempt that was decided on is not made after all: its budget comes back. */
void weir__retry_undo(const struct weir_retry_opts *policy, const struct weir_attempt *attempt);

/* What the call returns. */
int weir__retry_give_up(const struct weir_retry_opts *policy, const struct weir_attempt *attempt,
                        enum weir_why why);

/* The class of a status; 0 (no answer): FAILED. has_server_wait: a usable Retry-After came. */
enum weir_outcome weir__outcome_of(int status, int has_server_wait);

/* The same where the server itself says more: "too fast" by whatever status, or that a 429 is no
 * matter of speed. */
enum weir_outcome weir__outcome_told(int status, const struct weir__told *told);
enum weir_verdict weir__verdict_of(enum weir__verdict told);

#endif
