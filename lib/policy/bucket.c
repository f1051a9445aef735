#include "policy/bucket.h"

#include <stdbool.h>

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

void weir__bucket_take(struct weir__bucket *bucket, uint64_t amount, int64_t at_ns)
{
    if (bucket->rate == 0)
        return;
    int64_t from_ns = bucket->tat_ns > at_ns ? bucket->tat_ns : at_ns;
    bucket->tat_ns = weir__ns_add(from_ns, cost_ns(bucket, amount));
}

void weir__bucket_refund(struct weir__bucket *bucket, uint64_t amount, int64_t taken_ns,
                         int64_t now_ns)
{
    if (bucket->rate != 0 && now_ns - taken_ns <= bucket->spare_ns + bucket->token_ns)
        bucket->tat_ns = weir__ns_add(bucket->tat_ns, -cost_ns(bucket, amount));
}

void weir__bucket_empty_at(struct weir__bucket *bucket, int64_t at_ns)
{
    if (bucket->rate == 0)
        return;
    int64_t tat_ns = weir__ns_add(at_ns, bucket->spare_ns);
    if (tat_ns > bucket->tat_ns)
        bucket->tat_ns = tat_ns;
}
