/* What holds those who wait back, and for how long. All who wait are held back by what holds the
 * first of them back, so one clock per cause serves for all. */
#include <string.h>

#include "admission/admission.h"
#include "base/clock.h"
#include "base/opts.h"

void weir__blocked_tick(weir_limiter *limiter, int64_t now_ns)
{
    struct weir__blocked *blocked = &limiter->blocked;
    if (limiter->waiting > 0 && now_ns > blocked->since_ns) {
        int64_t passed_ns = now_ns - blocked->since_ns, sum_ns;
        blocked->clock_ns[blocked->by] += passed_ns;
        if (__builtin_mul_overflow(passed_ns, (int64_t)limiter->waiting, &sum_ns))
            sum_ns = INT64_MAX;
        blocked->summed_ns[blocked->by] = weir__ns_add(blocked->summed_ns[blocked->by], sum_ns);
    }
    blocked->since_ns = now_ns;
}

static void say_blocked(const weir_limiter *limiter, const struct weir__stay *head, int64_t now_ns,
                        struct weir_limiter_stats *stats)
{
    static const struct weir__amounts nothing;
    int64_t slot = limiter->booking.held ? limiter->booking.slot_ns
                                         : weir__queue_slot_ns(limiter, &nothing, &head->want);
    stats->blocked = limiter->blocked.by;
    if (limiter->blocked.by == WEIR_BLOCKED_LEARNED) {
        int64_t learned = weir__queue_learned_ns(limiter, head, now_ns);
        stats->blocked_ms = learned > now_ns ? weir__ns_to_ms_up(learned - now_ns) : 0;
    } else if (slot > now_ns) {
        stats->blocked_ms = weir__ns_to_ms_up(slot - now_ns);
        if (limiter->gate.open_ns > now_ns)
            stats->blocked = WEIR_BLOCKED_GATE;
        else if (stats->blocked != WEIR_BLOCKED_TOKENS)
            stats->blocked = WEIR_BLOCKED_RATE;
    } else if (weir__queue_has_place(limiter, head)) {
        stats->blocked = WEIR_BLOCKED_GATE; /* open, and letting them through a few at a time */
        stats->blocked_ms = weir__ns_to_ms_up(weir__gate_grows_ns(&limiter->gate, now_ns) - now_ns);
    } else {
        stats->blocked = WEIR_BLOCKED_CONCURRENCY;
    }
}

/* Up to now: what has passed since the last tick, too. */
static int64_t waited_ms(const weir_limiter *limiter, enum weir_blocked by, int64_t now_ns)
{
    const struct weir__blocked *blocked = &limiter->blocked;
    int64_t ns = blocked->summed_ns[by];
    if (blocked->by == by && now_ns > blocked->since_ns)
        ns = weir__ns_add(ns, (now_ns - blocked->since_ns) * (int64_t)limiter->waiting);
    return ns / WEIR__NS_PER_MS;
}

static void say_learned(const weir_limiter *limiter, int64_t now_ns,
                        struct weir_limiter_stats *stats)
{
    const struct weir__learn *learn = &limiter->learn;
    const struct weir__spread *told = weir__learn_told(learn, now_ns);
    stats->learned_per_s = weir__learn_per_s(learn, now_ns);
    stats->told_limit = stats->told_remaining = stats->told_reset_ms = -1;
    if (told == NULL)
        return;
    uint64_t total = learn->total.of[told->unit];
    int64_t reset_ns = weir__spread_reset_ns(told) - now_ns;
    stats->told_limit = told->limit;
    stats->told_remaining = (int64_t)weir__spread_remaining(told, total, now_ns);
    stats->told_reset_ms = reset_ns > 0 ? weir__ns_to_ms_up(reset_ns) : 0;
}

int weir_limiter_stats(const weir_limiter *limiter, struct weir_limiter_stats *stats)
{
    if (!weir__home_lets_free(&limiter->home))
        return WEIR_ENORUNTIME;
    int64_t now_ns = weir__home_now_ns(&limiter->home);
    struct weir_limiter_stats own = {
        .waiting = limiter->waiting,
        .holding = limiter->holding,
        .admitted = limiter->admitted,
        .throttled = limiter->throttled,
        .gate_wait_ms = waited_ms(limiter, WEIR_BLOCKED_GATE, now_ns),
        .requests_wait_ms = waited_ms(limiter, WEIR_BLOCKED_RATE, now_ns),
        .tokens_wait_ms = waited_ms(limiter, WEIR_BLOCKED_TOKENS, now_ns),
        .concurrency_wait_ms = waited_ms(limiter, WEIR_BLOCKED_CONCURRENCY, now_ns),
        .backoff_wait_ms = limiter->backoff_ns / WEIR__NS_PER_MS,
        .learned_wait_ms = waited_ms(limiter, WEIR_BLOCKED_LEARNED, now_ns),
        .concurrency = limiter->concurrency,
        .requests_per_s = weir__limits_per_s(&limiter->limits, WEIR_REQUESTS),
        .tokens_per_s = weir__limits_per_s(&limiter->limits, WEIR_TOKENS),
    };
    say_learned(limiter, now_ns, &own);
    const struct weir__stay *head = weir__queue_head(limiter);
    if (head != NULL)
        say_blocked(limiter, head, now_ns, &own);
    return weir__opts_fill(stats, sizeof own, &own);
}
