#include "admission/limits.h"

#include <assert.h>

#include "base/clock.h"
#include "base/mem.h"

static_assert((int)WEIR_REQUESTS == (int)WEIR__UNIT_REQUESTS &&
                  (int)WEIR_TOKENS == (int)WEIR__UNIT_TOKENS,
              "one numbering of units");

enum { DEFAULT_PERIOD_MS = 60000 };

/* ---- making and changing ---- */

static int64_t period_of(const struct weir_limit *limit)
{
    return weir__ms_to_ns(limit->period_ms > 0 ? limit->period_ms : DEFAULT_PERIOD_MS);
}

/* The burst to give the bucket of a limit; a strict one that lets its whole rate through at once
 * needs no bucket. */
static uint64_t burst_of(const struct weir_limit *limit)
{
    return limit->burst == 0 && limit->unit == WEIR_TOKENS ? limit->rate : limit->burst;
}

static bool needs_bucket(const struct weir_limit *limit)
{
    return !limit->strict || (limit->burst > 0 && limit->burst < limit->rate);
}

static int check(const struct weir_limit *limit)
{
    if (limit->period_ms < 0 || (unsigned)limit->unit >= WEIR__UNITS)
        return WEIR_EINVAL;
    if (limit->rate == 0)
        return limit->burst == 0 ? 0 : WEIR_EINVAL;
    bool too_much = limit->rate > WEIR__BUCKET_MAX_BURST || limit->burst > limit->rate;
    return limit->strict && too_much ? WEIR_EINVAL : 0;
}

/* What a limit of another kind has taken, for a log that begins now. */
static void begin_log(struct weir__window *window, const struct weir__limit *old, int64_t now_ns)
{
    if (old->window != NULL) {
        weir__window_inherit(window, old->window, now_ns);
        return;
    }
    uint64_t taken = weir__bucket_brings(&old->bucket, weir__ns_add(old->bucket.tat_ns, -now_ns));
    if (old->bucket.tat_ns > now_ns)
        weir__window_take(window, taken < window->rate ? taken : window->rate, now_ns);
}

static int make_window(struct weir__limit *limit, const struct weir_limit *asked,
                       const struct weir__limit *old, int64_t now_ns)
{
    limit->window = NULL;
    if (!asked->strict || asked->rate == 0)
        return 0;
    limit->window = weir__alloc(weir__window_size(asked->rate));
    if (limit->window == NULL)
        return WEIR_ENOMEM;
    int64_t period_ns = period_of(asked);
    weir__window_init(limit->window, asked->rate, period_ns, weir__window_margin_ns(period_ns));
    begin_log(limit->window, old, now_ns);
    return 0;
}

/* A log becomes a bucket that holds what the log had left. */
static void empty_by_log(struct weir__bucket *bucket, const struct weir__window *log,
                         int64_t now_ns)
{
    uint64_t left = log->used < log->rate ? log->rate - log->used : 0;
    if (bucket->rate > 0 && left < bucket->burst)
        weir__bucket_take(bucket, bucket->burst - left, now_ns);
}

static int set(struct weir__limit *limit, const struct weir_limit *asked, int64_t now_ns)
{
    static const struct weir_limit none = {.period_ms = 1};
    struct weir__limit changed = *limit;
    int rc = check(asked);
    const struct weir_limit *bucket = needs_bucket(asked) ? asked : &none;
    if (rc == 0) /* a strict limit has the same bounds */
        rc = weir__bucket_init(&changed.bucket, asked->rate, period_of(asked), burst_of(asked));
    changed.bucket = limit->bucket;
    if (rc == 0)
        rc = weir__bucket_change(&changed.bucket, bucket->rate, period_of(bucket), burst_of(bucket),
                                 now_ns);
    if (rc == 0)
        rc = make_window(&changed, asked, limit, now_ns);
    if (rc < 0)
        return rc;
    if (limit->window != NULL && limit->bucket.rate == 0)
        empty_by_log(&changed.bucket, limit->window, now_ns);
    changed.unit = asked->unit;
    changed.most = changed.window != NULL ? asked->rate : UINT64_MAX;
    if (changed.bucket.rate > 0)
        changed.most = changed.bucket.burst;
    weir__free(limit->window);
    *limit = changed;
    return 0;
}

int weir__limits_change(struct weir__limits *limits, size_t index, const struct weir_limit *limit,
                        int64_t now_ns)
{
    if (index > limits->count || index >= WEIR_LIMITS_MAX)
        return WEIR_EINVAL;
    bool added = index == limits->count;
    if (added)
        limits->list[index] = (struct weir__limit){.window = NULL};
    int rc = set(&limits->list[index], limit, now_ns);
    limits->count += rc == 0 && added;
    return rc;
}

int weir__limits_init(struct weir__limits *limits, const struct weir_limit *list, size_t count)
{
    int rc = count <= WEIR_LIMITS_MAX && (list != NULL || count == 0) ? 0 : WEIR_EINVAL;
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = weir__limits_change(limits, limits->count, &list[i], 0);
    return rc;
}

void weir__limits_free(struct weir__limits *limits)
{
    for (unsigned i = 0; i < limits->count; i++)
        weir__free(limits->list[i].window);
}

/* ---- arithmetic ---- */

static uint64_t wanted(const struct weir__limit *limit, const struct weir__amounts *want)
{
    return want->of[limit->unit];
}

bool weir__limits_fit(const struct weir__limits *limits, const struct weir__amounts *want)
{
    for (unsigned i = 0; i < limits->count; i++) {
        if (wanted(&limits->list[i], want) > limits->list[i].most)
            return false;
    }
    return true;
}

static int64_t slot_of(const struct weir__limit *limit, uint64_t ahead, uint64_t amount)
{
    int64_t slot_ns = weir__bucket_slot_ns(&limit->bucket, ahead, amount);
    if (limit->window == NULL)
        return slot_ns;
    int64_t window_ns = weir__window_slot_ns(limit->window, ahead, amount);
    return slot_ns > window_ns ? slot_ns : window_ns;
}

int64_t weir__limits_slot_ns(const struct weir__limits *limits, const struct weir__amounts *ahead,
                             const struct weir__amounts *want)
{
    int64_t latest_ns = INT64_MIN;
    for (unsigned i = 0; i < limits->count; i++) {
        const struct weir__limit *limit = &limits->list[i];
        uint64_t amount = wanted(limit, want);
        if (amount == 0)
            continue;
        int64_t slot_ns = slot_of(limit, ahead->of[limit->unit], amount);
        if (slot_ns > latest_ns)
            latest_ns = slot_ns;
    }
    return latest_ns;
}

unsigned weir__limits_narrowest(const struct weir__limits *limits, const struct weir__amounts *want)
{
    int64_t latest_ns = INT64_MIN;
    unsigned unit = limits->count == 1 ? limits->list[0].unit : WEIR_REQUESTS;
    for (unsigned i = 0; limits->count > 1 && i < limits->count; i++) {
        const struct weir__limit *limit = &limits->list[i];
        uint64_t amount = wanted(limit, want);
        int64_t slot_ns = amount > 0 ? slot_of(limit, 0, amount) : INT64_MIN;
        if (slot_ns > latest_ns) {
            latest_ns = slot_ns;
            unit = limit->unit;
        }
    }
    return unit;
}

void weir__limits_take(struct weir__limits *limits, const struct weir__amounts *want, int64_t at_ns,
                       int64_t now_ns)
{
    for (unsigned i = 0; i < limits->count; i++) {
        struct weir__limit *limit = &limits->list[i];
        uint64_t amount = wanted(limit, want);
        if (amount == 0)
            continue;
        weir__bucket_take(&limit->bucket, amount, at_ns);
        if (limit->window != NULL)
            weir__window_take(limit->window, amount, now_ns);
    }
}

void weir__limits_settle(struct weir__limits *limits, const struct weir__amounts *taken,
                         const struct weir__amounts *used, int64_t taken_ns, int64_t granted_ns,
                         int64_t now_ns)
{
    for (unsigned i = 0; i < limits->count; i++) {
        struct weir__limit *limit = &limits->list[i];
        uint64_t had = wanted(limit, taken), cost = wanted(limit, used);
        weir__bucket_settle(&limit->bucket, had, cost, taken_ns, now_ns);
        if (limit->window != NULL && cost < had)
            weir__window_refund(limit->window, had - cost, granted_ns);
        else if (limit->window != NULL)
            weir__window_take(limit->window, cost - had, now_ns);
    }
}

void weir__limits_empty_at(struct weir__limits *limits, int64_t at_ns)
{
    for (unsigned i = 0; i < limits->count; i++)
        weir__bucket_empty_at(&limits->list[i].bucket, at_ns);
}

uint64_t weir__limits_most(const struct weir__limits *limits, unsigned unit)
{
    uint64_t most = UINT64_MAX;
    for (unsigned i = 0; i < limits->count; i++) {
        if (limits->list[i].unit == unit && limits->list[i].most < most)
            most = limits->list[i].most;
    }
    return most;
}

bool weir__limits_count(const struct weir__limits *limits, unsigned unit)
{
    return weir__limits_most(limits, unit) < UINT64_MAX;
}

double weir__limits_per_s(const struct weir__limits *limits, unsigned unit)
{
    double least = 0;
    for (unsigned i = 0; i < limits->count; i++) {
        const struct weir__limit *limit = &limits->list[i];
        const struct weir__window *window = limit->window;
        uint64_t rate = window != NULL ? window->rate : limit->bucket.rate;
        int64_t period_ns = window != NULL ? window->period_ns : limit->bucket.period_ns;
        double per_s = (double)rate * (double)WEIR__NS_PER_S / (double)period_ns;
        if (limit->unit == unit && rate > 0 && (least == 0 || per_s < least))
            least = per_s;
    }
    return least;
}
