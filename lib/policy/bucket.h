/* Token bucket as virtual scheduling (ITU-T I.371 annex A, "GCRA"): its state is the theoretical
 * arrival time, one 64-bit word, and what it takes to give back no more than it could have kept.
 * Pure functions of (state, now).
 *
 * Times are rounded so that no window ever gets more than burst + rate * window: what is taken
 * costs its time rounded up (under 1 ns each), what may be taken early is rounded down. */
#ifndef WEIR_POLICY_BUCKET_H
#define WEIR_POLICY_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

#define WEIR__BUCKET_MAX_BURST UINT64_C(1000000000)
/* The longest time (146 years) that a burst may take to fill: beyond it times would be clamped,
 * and a clamped bucket forgets what was taken. */
#define WEIR__BUCKET_MAX_FULL_NS (INT64_MAX / 2)

/* Just before a take at at_ns the bucket was short of being full by lack_ns. */
struct weir__bucket_low {
    int64_t at_ns, lack_ns;
};
enum { WEIR__BUCKET_LOWS = 4 };

struct weir__bucket {
    int64_t tat_ns; /* when the bucket will be full again; <= now: it is full */
    /* The least lack since any time: by time, each with less than all behind it. */
    struct weir__bucket_low lows[WEIR__BUCKET_LOWS];
    unsigned low_count;
    /* Fixed from here on. */
    uint64_t rate; /* tokens per period; 0: no limit */
    int64_t period_ns;
    uint64_t burst;   /* capacity in tokens */
    int64_t token_ns; /* what one token costs, rounded up */
    int64_t spare_ns; /* one token is there this long before tat_ns */
};

/* A full bucket. burst 0: what 20 ms of the rate bring, at least 1. rate 0: every amount is granted
 * at once. WEIR_EINVAL for period_ns <= 0, a rate above 1,000,000,000 per second or under 1 per 366
 * days, burst without rate, over the maximum, or longer to fill than WEIR__BUCKET_MAX_FULL_NS. */
int weir__bucket_init(struct weir__bucket *bucket, uint64_t rate, int64_t period_ns,
                      uint64_t burst);

/* The earliest time at which `ahead` tokens for others and then `amount` are there (ahead may be
 * any number, amount must fit: see _fits). May lie in the past. With others ahead it is a lower
 * bound: a bucket that stays full because nothing is taken yet (the others wait for something else)
 * brings later what is counted here as brought. */
int64_t weir__bucket_slot_ns(const struct weir__bucket *bucket, uint64_t ahead, uint64_t amount);

/* Nonzero if amount (>= 1) can ever be granted. */
int weir__bucket_fits(const struct weir__bucket *bucket, uint64_t amount);

/* Takes amount as of at_ns, which must not be before its slot. */
void weir__bucket_take(struct weir__bucket *bucket, uint64_t amount, int64_t at_ns);

/* Gives back what one _take took (the same amount) at taken_ns and was not used. Tokens that were
 * taken longer ago than it takes to fill the bucket are taken to have flowed over since, and are
 * not given back: late refunds would else add up to a second rate. */
void weir__bucket_refund(struct weir__bucket *bucket, uint64_t amount, int64_t taken_ns,
                         int64_t now_ns);

/* What a _take took at taken_ns turned out to cost `used`: what is over comes back, as far as the
 * bucket, had it not been taken, would have had room for it since; what is missing is taken now,
 * whether it is there or not. */
void weir__bucket_settle(struct weir__bucket *bucket, uint64_t taken, uint64_t used,
                         int64_t taken_ns, int64_t now_ns);

/* What an amount costs on the time line; what a time brings (rounded down). */
int64_t weir__bucket_cost_ns(const struct weir__bucket *bucket, uint64_t amount);
uint64_t weir__bucket_brings(const struct weir__bucket *bucket, int64_t time_ns);

/* Another rate and burst, as in _init: what was in the bucket stays in it, up to the new burst; a
 * debt stays a debt. A bucket that had no rate starts full. An error leaves all as it was. */
int weir__bucket_change(struct weir__bucket *bucket, uint64_t rate, int64_t period_ns,
                        uint64_t burst, int64_t now_ns);

/* Makes sure that the bucket is empty just before at_ns, so that the flow begins there at its rate:
 * one token is there at at_ns, the next a token's time later. Never gives tokens back. */
void weir__bucket_empty_at(struct weir__bucket *bucket, int64_t at_ns);

#endif
