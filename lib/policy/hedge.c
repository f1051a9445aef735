#include "policy/hedge.h"

#include "base/clock.h"
#include "base/opts.h"

enum {
    DEFAULT_PERCENTILE = 95,
    LEAST_PERCENTILE = 50,
    MOST_PERCENTILE = 99,
    DEFAULT_BUDGET_PERCENT = 5,
    COST = 100, /* hundredths */
    SAVED_MAX = 10 * COST,
    LEAST_KNOWN = 100, /* answers, for a percentile to mean something */
};

int weir__hedge_init(struct weir__hedge *hedge, const struct weir_hedge_opts *opts)
{
    *hedge = (struct weir__hedge){.saved = 0};
    struct weir_hedge_opts *policy = &hedge->policy;
    int rc = weir__opts_copy(policy, sizeof *policy, opts);
    if (rc < 0)
        return rc;
    if (policy->percentile == 0 && policy->delay_ms == 0)
        policy->percentile = DEFAULT_PERCENTILE;
    if (policy->budget_percent == 0)
        policy->budget_percent = DEFAULT_BUDGET_PERCENT;
    bool percentile_ok = policy->percentile == 0 || (policy->percentile >= LEAST_PERCENTILE &&
                                                     policy->percentile <= MOST_PERCENTILE);
    return policy->delay_ms >= 0 && percentile_ok && policy->budget_percent <= 100 ? 0
                                                                                   : WEIR_EINVAL;
}

int64_t weir__hedge_delay_ms(const struct weir__hedge *hedge)
{
    const struct weir_hedge_opts *policy = &hedge->policy;
    if (policy->percentile == 0)
        return policy->delay_ms;
    int64_t late_ns = weir__latency_quantile_ns(&hedge->latency, policy->percentile, LEAST_KNOWN);
    if (late_ns < 0)
        return -1;
    int64_t late_ms = weir__ns_to_ms_up(late_ns);
    return late_ms > policy->delay_ms ? late_ms : policy->delay_ms;
}

void weir__hedge_earn(struct weir__hedge *hedge)
{
    hedge->saved += hedge->policy.budget_percent;
    if (hedge->saved > SAVED_MAX)
        hedge->saved = SAVED_MAX;
}

bool weir__hedge_affords(const struct weir__hedge *hedge)
{
    return hedge->saved >= COST;
}

void weir__hedge_spend(struct weir__hedge *hedge)
{
    hedge->saved -= COST;
}

void weir__hedge_took(struct weir__hedge *hedge, int64_t took_ns)
{
    if (hedge->policy.percentile > 0)
        weir__latency_add(&hedge->latency, took_ns);
}
