#include "policy/budget.h"

#include "base/clock.h"
#include "base/opts.h"

enum {
    DEFAULT_RATIO_PERCENT = 20,
    DEFAULT_MIN_PER_S = 10,
    DEFAULT_CAPACITY_S = 10, /* of min_per_s */
    MAX_RATIO_PERCENT = 1000,
    MAX_MIN_PER_S = 1000000,
    MAX_CAPACITY = 1000000000,
};

#define TOKEN   INT64_C(1000000000)
#define PERCENT (TOKEN / 100)

/* 0: the default; negative: none. */
static int64_t option(int64_t given, int64_t when_zero)
{
    if (given == 0)
        return when_zero;
    return given > 0 ? given : 0;
}

int weir__budget_init(struct weir_retry_budget *budget, const struct weir_retry_budget_opts *opts)
{
    struct weir_retry_budget_opts own;
    int rc = weir__opts_copy(&own, sizeof own, opts);
    if (rc < 0)
        return rc;
    int64_t ratio = option(own.ratio_percent, DEFAULT_RATIO_PERCENT);
    int64_t min_per_s = option(own.min_per_s, DEFAULT_MIN_PER_S);
    bool over = ratio > MAX_RATIO_PERCENT || min_per_s > MAX_MIN_PER_S ||
                own.capacity > MAX_CAPACITY || own.capacity < 0;
    if (over || own.reserved != 0 || (own.slows != 0 && min_per_s == 0))
        return WEIR_EINVAL;
    int64_t capacity = option(own.capacity, min_per_s * DEFAULT_CAPACITY_S);
    capacity = (capacity > 0 ? capacity : 1) * TOKEN;
    *budget = (struct weir_retry_budget){.level = capacity,
                                         .capacity = capacity,
                                         .ratio = ratio * PERCENT,
                                         .min_per_s = min_per_s,
                                         .slows = own.slows != 0};
    return 0;
}

static void bring(struct weir_retry_budget *budget, int64_t units)
{
    budget->level = weir__ns_add(budget->level, units);
    if (budget->level > budget->capacity)
        budget->level = budget->capacity;
}

/* A clock that went back (another runtime's) brings nothing. */
static void advance(struct weir_retry_budget *budget, int64_t now_ns)
{
    int64_t passed_ns = now_ns - budget->at_ns, units;
    if (passed_ns > 0 && __builtin_mul_overflow(passed_ns, budget->min_per_s, &units))
        units = INT64_MAX;
    if (passed_ns > 0)
        bring(budget, units);
    budget->at_ns = now_ns;
}

void weir__budget_deposit(struct weir_retry_budget *budget)
{
    bring(budget, budget->ratio);
}

int64_t weir__budget_withdraw_ns(struct weir_retry_budget *budget, int64_t now_ns)
{
    advance(budget, now_ns);
    if (budget->level < TOKEN && !budget->slows) {
        budget->refused++;
        return -1;
    }
    budget->level -= TOKEN;
    budget->retries++;
    if (budget->level >= 0)
        return 0;
    return (-budget->level + budget->min_per_s - 1) / budget->min_per_s;
}

void weir__budget_refund(struct weir_retry_budget *budget)
{
    bring(budget, TOKEN);
    budget->retries--;
}

int64_t weir__budget_available(const struct weir_retry_budget *budget, int64_t now_ns)
{
    struct weir_retry_budget then = *budget;
    advance(&then, now_ns);
    return then.level >= 0 ? then.level / TOKEN : -((-then.level + TOKEN - 1) / TOKEN);
}
