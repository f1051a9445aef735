#include "mock/limit.h"

static int64_t div_up(int64_t value, int64_t by)
{
    return value / by + (value % by != 0);
}

void mock_limit_init(struct mock_limit *limit, const struct mock_rate *rate, int64_t now_ns)
{
    limit->rate = *rate;
    limit->period_ns = rate->period_s * MOCK_NS_PER_S;
    limit->full = rate->burst * limit->period_ns;
    limit->level = limit->full;
    limit->seen_ns = now_ns;
}

static void fill(struct mock_limit *limit, int64_t now_ns)
{
    int64_t passed_ns = now_ns - limit->seen_ns;
    int64_t missing = limit->full - limit->level;

    if (passed_ns <= 0)
        return;
    limit->seen_ns = now_ns;
    /* compared as times, for a long pause times the rate need not fit in 63 bits */
    if (passed_ns >= div_up(missing, limit->rate.count))
        limit->level = limit->full;
    else
        limit->level += passed_ns * limit->rate.count;
}

static void describe(const struct mock_limit *limit, struct mock_quota *quota)
{
    int64_t missing = limit->full - limit->level;
    int64_t part = limit->period_ns - limit->level % limit->period_ns;

    quota->remaining = limit->level / limit->period_ns;
    quota->full_ns = div_up(missing, limit->rate.count);
    quota->more_ns = missing ? div_up(part, limit->rate.count) : 0;
    quota->wait_ns = quota->remaining ? 0 : quota->more_ns;
}

bool mock_limit_take(struct mock_limit *limit, int64_t now_ns, struct mock_quota *quota)
{
    bool taken;

    fill(limit, now_ns);
    taken = limit->level >= limit->period_ns;
    if (taken)
        limit->level -= limit->period_ns;
    describe(limit, quota);
    return taken;
}
