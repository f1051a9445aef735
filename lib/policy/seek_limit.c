#include "policy/seek_parts.h"

#define AGREE    0.03 /* two counts agree within this */
#define FALL_MAX 4    /* a few requests cannot show that the limit fell further */

/* Refused this much later than expected, the limit is near the pace rather than near the count. */
#define LATE_SPANS  2.8
#define NEAR_PACE   0.97
#define RISE_AGREED 1.1
#define RISE_MAX    1.25

/* A limit that saves nothing is just under the pace at which it refuses. A trial says that it is so
 * when this many more have passed than the count allows. */
#define TIGHT_PACE 0.99
#define TIGHT_OVER 3.0
#define TIGHT_MAX  6

/* By the first refusal. The start doubles, so what passed is about half of the pace. */
static void guess(struct weir__seek *seek, double passed, double passed_ns)
{
    double echo_ns = (double)seek->echo_ns;
    double limit =
        passed > 0 ? weir__rate_of(passed, weir__greater(passed_ns, echo_ns)) : 1 / echo_ns;
    if (seek->pace > 0 && limit > seek->pace / 2)
        limit = seek->pace / 2;
    weir__seek_believe(seek, limit, 0);
}

static void join(struct weir__seek *seek, double passed, double passed_ns)
{
    seek->pool += passed;
    seek->pool_ns += passed_ns;
    if (seek->pool > WEIR__POOL_MAX) {
        seek->pool /= 2;
        seek->pool_ns /= 2;
    }
    seek->limit = weir__rate_of(seek->pool, seek->pool_ns);
}

/* Whether a bucket is refuted: more passed than flows in; or is not. */
static void judge(struct weir__seek *seek, double passed, double passed_ns)
{
    if (seek->tried == 0)
        return;
    double over = passed - seek->tried * passed_ns;
    int vote = over > TIGHT_OVER ? 1 : over < TIGHT_OVER / 2 ? -1 : 0;
    if (vote < 0 ? seek->tight > -TIGHT_MAX : seek->tight < TIGHT_MAX)
        seek->tight += vote;
    seek->tried = 0;
}

/* Another limit may hold it below its pace. */
static double real_pace(const struct weir__seek *seek)
{
    double most = seek->held_ns > 0 ? WEIR__HELD_SLACK / (double)seek->held_ns : seek->pace;
    return seek->pace < most ? seek->pace : most;
}

/* Refused later than believed: the bucket may have been full in between, so that less passed than
 * might have, or the limit rose. */
static void rise(struct weir__seek *seek, bool agree, double left)
{
    bool late = seek->grown > seek->span * LATE_SPANS;
    bool tight = agree && seek->pool >= WEIR__POOL_TRIAL && seek->tight > -WEIR__TIGHT_TRIALS;
    bool spilt = seek->grown > seek->span && left > 1;
    double near = real_pace(seek) * (tight ? TIGHT_PACE : NEAR_PACE);
    if (seek->phase != WEIR__SEEK_CRUISE || !(late || spilt || tight) || near <= seek->limit)
        return;
    seek->tried = seek->limit;
    if (agree || !late)
        seek->limit = weir__within(near, 0, seek->limit * (agree ? RISE_AGREED : RISE_MAX));
    else
        seek->limit = weir__root(seek->limit * near * 1e18) / 1e9;
}

/* Empty at ref, empty now: what was accepted in between is what flowed in. */
bool weir__seek_count(struct weir__seek *seek, struct weir__sent sent)
{
    double passed = weir__seek_passed(seek, sent.serial - 1);
    double passed_ns = weir__greater((double)(sent.at_ns - seek->ref.at_ns), 1);
    double left = seek->counted * passed_ns - passed;
    double slack = 2 + weir__root(passed) / 2 + passed * AGREE;
    if (passed_ns < (double)seek->closed_ns) /* tells how it was spread */
        return false;
    judge(seek, passed, passed_ns);
    bool known = seek->limit > 0, sure = seek->pool > 0;
    bool agree = known && sure && left <= slack && left >= -slack;
    seek->agreed = agree ? seek->agreed + 1 : 0;
    if (!known) {
        guess(seek, passed, passed_ns);
    } else if (agree) {
        join(seek, passed, passed_ns);
    } else {
        double least = sure && passed < WEIR__POOL_NEW ? seek->counted / FALL_MAX : WEIR__RATE_MIN;
        double limit = weir__within((passed + 0.5) / passed_ns, least, WEIR__RATE_MAX);
        weir__seek_believe(seek, limit, weir__within(passed, 0, WEIR__POOL_NEW));
    }
    seek->limit = weir__within(seek->limit, WEIR__RATE_MIN, WEIR__RATE_MAX);
    seek->counted = seek->limit;
    rise(seek, agree, left);
    return true;
}
