#include "policy/learn.h"

#include <stddef.h>

#include "base/clock.h"

/* After so many refusals the server's word does not explain (one is forgotten with so many
 * answers), its refusals count, too. */
enum { WRONG_MAX = 4, WRONG_FORGOTTEN = 300 };

void weir__learn_init(struct weir__learn *learn, double ceiling_per_s)
{
    *learn = (struct weir__learn){.capped = ceiling_per_s > 0, .until_ns = INT64_MIN};
    weir__seek_init(&learn->seek, ceiling_per_s);
}

void weir__learn_set_ceiling(struct weir__learn *learn, double ceiling_per_s)
{
    learn->capped = ceiling_per_s > 0;
    learn->doubted = false;
    weir__seek_set_ceiling(&learn->seek, ceiling_per_s);
}

/* ---- which of the two leads ---- */

static int64_t slot_with(const struct weir__learn *learn, int64_t seek_ns,
                         const struct weir__amounts *amounts, int64_t now_ns)
{
    int64_t slot_ns = learn->until_ns;
    bool led = false;
    for (unsigned i = 0; i < learn->spread_count; i++) {
        const struct weir__spread *spread = &learn->spreads[i];
        if (!weir__spread_is_fresh(spread, now_ns))
            continue;
        led = led || (spread->unit == WEIR__UNIT_REQUESTS && weir__spread_is_settled(spread));
        int64_t own_ns =
            weir__spread_slot_ns(spread, learn->total.of[spread->unit], amounts->of[spread->unit]);
        if (own_ns > slot_ns)
            slot_ns = own_ns;
    }
    /* Where the server's word leads, the other is a second cap from its first refusal on. */
    if ((!led || learn->seek.limit > 0) && seek_ns > slot_ns)
        slot_ns = seek_ns;
    return slot_ns;
}

int64_t weir__learn_slot_ns(const struct weir__learn *learn, const struct weir__amounts *amounts,
                            int64_t now_ns)
{
    return slot_with(learn, weir__seek_slot_ns(&learn->seek), amounts, now_ns);
}

int64_t weir__learn_earliest_ns(const struct weir__learn *learn,
                                const struct weir__amounts *amounts, int64_t now_ns)
{
    return slot_with(learn, weir__seek_earliest_ns(&learn->seek), amounts, now_ns);
}

struct weir__sent weir__learn_take(struct weir__learn *learn, const struct weir__amounts *amounts,
                                   int64_t at_ns)
{
    struct weir__sent sent = weir__seek_take(&learn->seek, at_ns);
    for (unsigned i = 0; i < WEIR__UNITS; i++)
        learn->total.of[i] += amounts->of[i];
    sent.total = learn->total;
    for (unsigned i = 0; i < learn->spread_count; i++)
        weir__spread_take(&learn->spreads[i], amounts->of[learn->spreads[i].unit], sent,
                          learn->capped && !learn->doubted);
    return sent;
}

/* ---- answers ---- */

/* A guess of the window is right for buckets alone, and which it is shows in how the numbers move.
 * Besides it comes and goes from one answer to the next, while it tells one limit from another. */
static struct weir__quota quota_without_guess(const struct weir__told *told, unsigned i)
{
    struct weir__quota quota = told->quotas[i];
    if ((told->guessed >> i & 1) != 0)
        quota.window_ms = -1;
    return quota;
}

/* For a limit that was not told before; NULL: there are enough of them. */
static struct weir__spread *place_for_one(struct weir__learn *learn, int64_t now_ns)
{
    if (learn->spread_count < WEIR__LEARN_SPREADS)
        return &learn->spreads[learn->spread_count++];
    for (unsigned i = 0; i < WEIR__LEARN_SPREADS; i++) {
        if (!weir__spread_is_fresh(&learn->spreads[i], now_ns))
            return &learn->spreads[i];
    }
    return NULL;
}

static struct weir__spread *spread_of(struct weir__learn *learn, const struct weir__quota *quota,
                                      int64_t now_ns)
{
    for (unsigned i = 0; i < learn->spread_count; i++) {
        struct weir__spread *spread = &learn->spreads[i];
        if (spread->unit == quota->unit && spread->told_window_ms == quota->window_ms)
            return spread;
    }
    struct weir__spread *spread = place_for_one(learn, now_ns);
    if (spread != NULL)
        *spread = (struct weir__spread){.unit = quota->unit,
                                        .told_window_ms = quota->window_ms,
                                        .next_ns = INT64_MIN};
    return spread;
}

/* Returns whether one of them explains a refusal: it is used up. */
static bool hear(struct weir__learn *learn, struct weir__sent sent, const struct weir__told *told,
                 bool refused, int64_t now_ns)
{
    bool used_up = false;
    for (unsigned i = 0; told != NULL && i < told->quota_count; i++) {
        const struct weir__quota quota = quota_without_guess(told, i);
        if (!weir__spread_is_usable(&quota))
            continue;
        struct weir__spread *spread = spread_of(learn, &quota, now_ns);
        if (spread == NULL)
            continue;
        weir__spread_told(spread, &quota, sent, refused && quota.remaining == 0);
        used_up = used_up || quota.remaining == 0;
    }
    return used_up;
}

void weir__learn_accepted(struct weir__learn *learn, struct weir__sent sent,
                          const struct weir__told *told, int64_t now_ns)
{
    weir__seek_accepted(&learn->seek, sent, now_ns);
    if (learn->wrong > 0)
        learn->wrong -= 1.0 / WRONG_FORGOTTEN;
    hear(learn, sent, told, false, now_ns);
}

void weir__learn_throttled(struct weir__learn *learn, struct weir__sent sent,
                           const struct weir__told *told, int64_t now_ns, struct weir__rand *rand)
{
    int64_t wait_ns = told != NULL && told->wait_ms > 0 ? weir__ms_to_ns(told->wait_ms) : -1;
    learn->doubted = true;
    bool explained = hear(learn, sent, told, true, now_ns);
    if (sent.serial > learn->wrong_serial) {
        learn->wrong += 1;
        learn->wrong_serial = learn->seek.newest.serial;
    }
    explained = explained && learn->wrong < WRONG_MAX;
    if (!explained)
        weir__seek_throttled(&learn->seek, sent, wait_ns, now_ns, rand);
    if (wait_ns > 0 && weir__ns_add(now_ns, wait_ns) > learn->until_ns)
        learn->until_ns = weir__ns_add(now_ns, wait_ns);
}

void weir__learn_unsent(struct weir__learn *learn, const struct weir__amounts *amounts,
                        struct weir__sent sent)
{
    weir__seek_unsent(&learn->seek, sent);
    for (unsigned i = 0; i < learn->spread_count; i++)
        weir__spread_unsent(&learn->spreads[i], amounts->of[learn->spreads[i].unit], sent);
}

/* ---- what was learned ---- */

bool weir__learn_knows(const struct weir__learn *learn)
{
    bool knows = learn->seek.pool > 0;
    for (unsigned i = 0; i < learn->spread_count; i++)
        knows = knows || weir__spread_is_settled(&learn->spreads[i]);
    return knows;
}

double weir__learn_per_s(const struct weir__learn *learn, int64_t now_ns)
{
    double per_ns = learn->seek.limit;
    for (unsigned i = 0; i < learn->spread_count; i++) {
        const struct weir__spread *spread = &learn->spreads[i];
        double own = weir__spread_per_ns(spread);
        bool counts = spread->unit == WEIR__UNIT_REQUESTS && own > 0;
        if (counts && weir__spread_is_fresh(spread, now_ns) && (per_ns == 0 || own < per_ns))
            per_ns = own;
    }
    return per_ns * (double)WEIR__NS_PER_S;
}

const struct weir__spread *weir__learn_told(const struct weir__learn *learn, int64_t now_ns)
{
    const struct weir__spread *scarcest = NULL;
    double least = 0;
    for (unsigned i = 0; i < learn->spread_count; i++) {
        const struct weir__spread *spread = &learn->spreads[i];
        if (spread->unit != WEIR__UNIT_REQUESTS || !weir__spread_is_fresh(spread, now_ns))
            continue;
        uint64_t left = weir__spread_remaining(spread, learn->total.of[spread->unit], now_ns);
        double part = (double)left / (double)spread->limit;
        if (scarcest != NULL && part >= least)
            continue;
        scarcest = spread;
        least = part;
    }
    return scarcest;
}
