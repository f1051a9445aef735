#include "outage.h"

#include "defaults.h"

#define FIRST_PAUSE_MS   INT64_C(1000)
#define LONGEST_PAUSE_MS INT64_C(30000)
#define SPREAD_PART      4
#define GOLDEN           UINT64_C(0x9E3779B97F4A7C15) /* of 2^64: near times fall far apart */

enum outage_turn outage_turn(struct outage *outage, int64_t now_ms)
{
    if (!outage->down)
        return OUTAGE_CLOSED;
    if (!outage->probing && now_ms >= outage->next_ms) {
        outage->probing = true;
        return OUTAGE_PROBE;
    }
    return outage->given_up ? OUTAGE_GIVEN_UP : OUTAGE_WAIT;
}

bool outage_heard(struct outage *outage, int64_t now_ms)
{
    bool was_down = outage->down;
    *outage = (struct outage){.reached = true, .heard_ms = now_ms};
    return was_down;
}

static bool is_too_long(const struct outage *outage, const struct outage_rules *rules,
                        int64_t now_ms)
{
    return now_ms - outage->since_ms >= rules->max_ms ||
           (!outage->reached && outage->tries >= rules->max_tries);
}

/* The time at which one failed is as good as a random number: two runs seldom share it. */
static int64_t spread(int64_t pause_ms, int64_t now_ms)
{
    uint64_t mixed = (uint64_t)now_ms * GOLDEN >> 32;
    return pause_ms + (int64_t)(mixed % (uint64_t)(pause_ms / SPREAD_PART + 1));
}

/* The last try before it is given up comes when its time is over, not before. */
static void plan_next(struct outage *outage, const struct outage_rules *rules, int64_t now_ms)
{
    int64_t left_ms = rules->max_ms - (now_ms - outage->since_ms);
    int64_t wait_ms = rules->spread ? spread(outage->pause_ms, now_ms) : outage->pause_ms;
    if (!outage->given_up && left_ms < wait_ms)
        wait_ms = left_ms;
    outage->next_ms = now_ms + wait_ms;
}

bool outage_missed(struct outage *outage, const struct outage_rules *rules, bool probe,
                   int64_t began_ms, int64_t now_ms)
{
    if (!outage->down && outage->reached && outage->heard_ms >= began_ms)
        return false;
    if (outage->down && !probe) /* it went off before that was known, and says nothing new */
        return true;
    if (!outage->down)
        outage->since_ms = now_ms;
    outage->down = true;
    outage->tries++;
    outage->pause_ms = outage->pause_ms == 0 ? FIRST_PAUSE_MS : 2 * outage->pause_ms;
    if (outage->pause_ms > LONGEST_PAUSE_MS)
        outage->pause_ms = LONGEST_PAUSE_MS;
    outage->given_up = outage->given_up || is_too_long(outage, rules, now_ms);
    plan_next(outage, rules, now_ms);
    return true;
}

bool outage_is_patient(const struct outage *outage, int64_t now_ms)
{
    return outage->reached && now_ms - outage->since_ms < PATIENCE_MS;
}

void outage_probed(struct outage *outage)
{
    outage->probing = false;
}
