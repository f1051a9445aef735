#include "policy/bucket.h"

#include <weir/err.h>

#include "base/clock.h"

#define DEFAULT_BURST_NS (20 * WEIR__NS_PER_MS)
#define SLOWEST_TOKEN_NS (INT64_C(366) * 24 * 3600 * WEIR__NS_PER_S)
#define FASTEST_TOKEN_NS INT64_C(1)

/* tokens times period passes 64 bits for large amounts of a long period. */
__extension__ typedef unsigned __int128 wide;

static int64_t clamped(wide time_ns)
{
    return time_ns > (wide)INT64_MAX ? INT64_MAX : (int64_t)time_ns;
}

/* The time that `amount` tokens take to come. A 128-bit division costs tens of ns, and amounts of
 * this world rarely need one. */
static int64_t time_of(const struct weir__bucket *bucket, uint64_t amount, bool round_up)
{
    uint64_t round = round_up ? bucket->rate - 1 : 0;
    uint64_t product;
    if (!__builtin_mul_overflow(amount, (uint64_t)bucket->period_ns, &product) &&
        !__builtin_add_overflow(product, round, &product))
        return clamped(product / bucket->rate);
    return clamped(((wide)amount * (uint64_t)bucket->period_ns + round) / bucket->rate);
}

static int64_t cost_ns(const struct weir__bucket *bucket, uint64_t amount)
{
    return amount == 1 ? bucket->token_ns : time_of(bucket, amount, true);
}

static bool rate_in_range(uint64_t rate, int64_t period_ns)
{
    uint64_t period = (uint64_t)period_ns;
    return period >= (wide)rate * FASTEST_TOKEN_NS && period <= (wide)rate * SLOWEST_TOKEN_NS;
}

static uint64_t default_burst(uint64_t rate, int64_t period_ns)
{
    uint64_t burst = (uint64_t)((wide)rate * DEFAULT_BURST_NS / (uint64_t)period_ns);
    return burst > 0 ? burst : 1;
}

int weir__bucket_init(struct weir__bucket *bucket, uint64_t rate, int64_t period_ns, uint64_t burst)
{
    if (period_ns <= 0 || burst > WEIR__BUCKET_MAX_BURST)
        return WEIR_EINVAL;
    *bucket = (struct weir__bucket){.tat_ns = INT64_MIN, .rate = rate, .period_ns = period_ns};
    if (rate == 0)
        return burst == 0 ? 0 : WEIR_EINVAL;
    if (!rate_in_range(rate, period_ns))
        return WEIR_EINVAL;
    bucket->burst = burst > 0 ? burst : default_burst(rate, period_ns);
    if (time_of(bucket, bucket->burst, true) > WEIR__BUCKET_MAX_FULL_NS)
        return WEIR_EINVAL;
    bucket->token_ns = time_of(bucket, 1, true);
    bucket->spare_ns = time_of(bucket, bucket->burst - 1, false);
    return 0;
}

int64_t weir__bucket_slot_ns(const struct weir__bucket *bucket, uint64_t ahead, uint64_t amount)
{
    if (bucket->rate == 0)
        return INT64_MIN;
    uint64_t total;
    if (__builtin_add_overflow(ahead, amount, &total))
        total = UINT64_MAX;
    if (total == 1)
        return weir__ns_add(bucket->tat_ns, -bucket->spare_ns);
    if (total <= bucket->burst)
        return weir__ns_add(bucket->tat_ns, -time_of(bucket, bucket->burst - total, false));
    return weir__ns_add(bucket->tat_ns, time_of(bucket, total - bucket->burst, true));
}

int weir__bucket_fits(const struct weir__bucket *bucket, uint64_t amount)
{
    return amount >= 1 && (bucket->rate == 0 || amount <= bucket->burst);
}

static void remember_low(struct weir__bucket *bucket, int64_t at_ns)
{
    int64_t lack_ns = bucket->tat_ns > at_ns ? bucket->tat_ns - at_ns : 0;
    struct weir__bucket_low *lows = bucket->lows;
    unsigned n = bucket->low_count;
    while (n > 0 && lows[n - 1].lack_ns >= lack_ns)
        n--;
    if (n == WEIR__BUCKET_LOWS) { /* two become one that says less than they did, never more */
        lows[1].lack_ns = lows[0].lack_ns;
        for (n = 0; n + 1 < WEIR__BUCKET_LOWS; n++)
            lows[n] = lows[n + 1];
    }
    lows[n] = (struct weir__bucket_low){at_ns, lack_ns};
    bucket->low_count = n + 1;
}

void weir__bucket_take(struct weir__bucket *bucket, uint64_t amount, int64_t at_ns)
{
    if (bucket->rate == 0)
        return;
    remember_low(bucket, at_ns);
    int64_t from_ns = bucket->tat_ns > at_ns ? bucket->tat_ns : at_ns;
    bucket->tat_ns = weir__ns_add(from_ns, cost_ns(bucket, amount));
}

/* Had it not been taken, the bucket would have been fuller by what comes back, and never fuller
 * than full: what it lacked at its fullest since is the most. From now on it has lacked less. */
static int64_t kept_ns(struct weir__bucket *bucket, int64_t back_ns, int64_t taken_ns,
                       int64_t now_ns)
{
    struct weir__bucket_low *lows = bucket->lows;
    unsigned n = bucket->low_count, since = 0;
    while (since < n && lows[since].at_ns <= taken_ns)
        since++;
    if (since == n || lows[since].at_ns > now_ns)
        return back_ns;
    if (lows[since].lack_ns < back_ns)
        back_ns = lows[since].lack_ns;
    for (unsigned i = since; i < n; i++)
        lows[i].lack_ns -= back_ns;
    for (unsigned i = 0; i < since; i++) {
        if (lows[i].lack_ns > lows[since].lack_ns)
            lows[i].lack_ns = lows[since].lack_ns;
    }
    return back_ns;
}

void weir__bucket_settle(struct weir__bucket *bucket, uint64_t taken, uint64_t used,
                         int64_t taken_ns, int64_t now_ns)
{
    if (bucket->rate == 0 || used == taken)
        return;
    if (used > taken) {
        weir__bucket_take(bucket, used - taken, now_ns);
    } else if (now_ns - taken_ns <= bucket->spare_ns + bucket->token_ns) {
        int64_t back_ns = cost_ns(bucket, taken) - (used > 0 ? cost_ns(bucket, used) : 0);
        bucket->tat_ns = weir__ns_add(bucket->tat_ns, -kept_ns(bucket, back_ns, taken_ns, now_ns));
    }
}

void weir__bucket_refund(struct weir__bucket *bucket, uint64_t amount, int64_t taken_ns,
                         int64_t now_ns)
{
    weir__bucket_settle(bucket, amount, 0, taken_ns, now_ns);
}

int64_t weir__bucket_cost_ns(const struct weir__bucket *bucket, uint64_t amount)
{
    return cost_ns(bucket, amount);
}

uint64_t weir__bucket_brings(const struct weir__bucket *bucket, int64_t time_ns)
{
    if (time_ns <= 0 || bucket->rate == 0)
        return 0;
    wide brought = (wide)(uint64_t)time_ns * bucket->rate / (uint64_t)bucket->period_ns;
    return brought < UINT64_MAX ? (uint64_t)brought : UINT64_MAX;
}

/* What the changed bucket lacks when it holds what the old one did. */
static int64_t lack_after(const struct weir__bucket *old, const struct weir__bucket *changed,
                          int64_t lack_ns)
{
    uint64_t lack = weir__bucket_brings(old, lack_ns);
    int64_t rest_ns = lack_ns - time_of(old, lack, false); /* of a token */
    if (changed->burst < old->burst && lack < old->burst - changed->burst)
        return 0;
    lack += changed->burst - old->burst;
    wide rest =
        ((wide)(uint64_t)rest_ns * (uint64_t)changed->token_ns + (uint64_t)old->token_ns - 1) /
        (uint64_t)old->token_ns;
    return weir__ns_add(time_of(changed, lack, true), clamped(rest));
}

/* What it lacked before, in whole tokens; and what it lacks now, of a new burst. */
static void carry_lows(struct weir__bucket *bucket, const struct weir__bucket *old, int64_t now_ns)
{
    bucket->low_count = old->low_count;
    for (unsigned i = 0; i < old->low_count; i++) {
        uint64_t lack = weir__bucket_brings(old, old->lows[i].lack_ns);
        bucket->lows[i] =
            (struct weir__bucket_low){old->lows[i].at_ns, time_of(bucket, lack, false)};
    }
    remember_low(bucket, now_ns);
}

int weir__bucket_change(struct weir__bucket *bucket, uint64_t rate, int64_t period_ns,
                        uint64_t burst, int64_t now_ns)
{
    struct weir__bucket old = *bucket;
    int rc = weir__bucket_init(bucket, rate, period_ns, burst);
    if (rc < 0) {
        *bucket = old;
    } else if (rate > 0 && old.rate > 0) {
        int64_t lack_ns = old.tat_ns > now_ns ? old.tat_ns - now_ns : 0;
        bucket->tat_ns = weir__ns_add(now_ns, lack_after(&old, bucket, lack_ns));
        carry_lows(bucket, &old, now_ns);
    }
    return rc;
}

void weir__bucket_empty_at(struct weir__bucket *bucket, int64_t at_ns)
{
    if (bucket->rate == 0)
        return;
    int64_t tat_ns = weir__ns_add(at_ns, bucket->spare_ns);
    if (tat_ns > bucket->tat_ns)
        bucket->tat_ns = tat_ns;
}
