/* The limits of a limiter: token buckets and strict windows, taken together or not at all. What
 * behaves like a bucket (it names the earliest time, it is taken from) is added here. */
#ifndef WEIR_ADMISSION_LIMITS_H
#define WEIR_ADMISSION_LIMITS_H

#include <stdbool.h>

#include <weir/limiter.h>

#include "policy/bucket.h"
#include "policy/told.h"
#include "policy/window.h"

struct weir__limit {
    unsigned unit;
    uint64_t most;               /* that can be granted at once */
    struct weir__window *window; /* NULL: not strict */
    struct weir__bucket bucket;  /* without a rate where there is no such limit */
};

struct weir__limits {
    unsigned count;
    struct weir__limit list[WEIR_LIMITS_MAX];
};

/* The limits of the options; none are freed on failure. WEIR_EINVAL, WEIR_ENOMEM. */
int weir__limits_init(struct weir__limits *limits, const struct weir_limit *list, size_t count);
void weir__limits_free(struct weir__limits *limits);

/* Another rate for one of them (index < count), or one more (index == count). What was taken stays
 * taken. Errors, which leave all as it was: as above. */
int weir__limits_change(struct weir__limits *limits, size_t index, const struct weir_limit *limit,
                        int64_t now_ns);

/* The amounts can be granted at all. */
bool weir__limits_fit(const struct weir__limits *limits, const struct weir__amounts *want);

/* The earliest time at which `ahead` for others and then `want` are there in all limits. May lie in
 * the past. */
int64_t weir__limits_slot_ns(const struct weir__limits *limits, const struct weir__amounts *ahead,
                             const struct weir__amounts *want);

/* The unit of the limit that makes want wait longest. */
unsigned weir__limits_narrowest(const struct weir__limits *limits,
                                const struct weir__amounts *want);

/* Takes want as of at_ns, which must not be before its slot; strict limits see now_ns. */
void weir__limits_take(struct weir__limits *limits, const struct weir__amounts *want, int64_t at_ns,
                       int64_t now_ns);

/* What was taken as of taken_ns, at granted_ns, turned out to cost `used`. */
void weir__limits_settle(struct weir__limits *limits, const struct weir__amounts *taken,
                         const struct weir__amounts *used, int64_t taken_ns, int64_t granted_ns,
                         int64_t now_ns);

/* Makes sure that the buckets are empty just before at_ns. */
void weir__limits_empty_at(struct weir__limits *limits, int64_t at_ns);

/* There is a limit that counts this unit. */
bool weir__limits_count(const struct weir__limits *limits, unsigned unit);

/* The most of the unit that can be granted at once; UINT64_MAX: any amount. */
uint64_t weir__limits_most(const struct weir__limits *limits, unsigned unit);

/* The tightest limit of the unit, per second; 0: none. */
double weir__limits_per_s(const struct weir__limits *limits, unsigned unit);

#endif
