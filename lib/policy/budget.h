/* A retry budget: a bucket of tokens that success fills and retries empty. Finagle's and tower's
 * RetryBudget with one simplification: tokens do not expire after 10 s, the capacity bounds them.
 * Pure functions of (state, now), in integers: a token is 1e9 units, so that min_per_s tokens per
 * second are as many units per nanosecond. */
#ifndef WEIR_POLICY_BUDGET_H
#define WEIR_POLICY_BUDGET_H

#include <stdbool.h>

#include <weir/retry.h>

struct weir_retry_budget {
    int64_t level; /* in units, at at_ns; negative: owed to those who wait */
    int64_t at_ns;
    int64_t capacity, ratio; /* in units; ratio: what a success brings */
    int64_t min_per_s;
    uint64_t retries, refused;
    size_t users; /* its owner, clients, calls: the last one frees it */
    bool slows;
};

/* A full one. 0, or WEIR_EINVAL. */
int weir__budget_init(struct weir_retry_budget *budget, const struct weir_retry_budget_opts *opts);

/* An attempt went well. */
void weir__budget_deposit(struct weir_retry_budget *budget);

/* Takes a token for a retry and returns how long the retry must wait for it: 0 when it was there;
 * -1: there is none, nothing was taken. */
int64_t weir__budget_withdraw_ns(struct weir_retry_budget *budget, int64_t now_ns);

/* The retry was not made after all. */
void weir__budget_refund(struct weir_retry_budget *budget);

/* Whole tokens that there are now; negative: that are owed. */
int64_t weir__budget_available(const struct weir_retry_budget *budget, int64_t now_ns);

#endif
