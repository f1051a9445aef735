/* A rate limiter: a token bucket (as aiolimiter), a bound on how many run at once, and a gate that
 * a server's "slow down" closes for all. The three are granted in one step, first come first
 * served, so that nothing is held while waiting for something else.
 *
 * The bucket is the virtual-scheduling form of the generic cell rate algorithm (ITU-T I.371,
 * annex A) in integer nanoseconds: with `rate` tokens per `period_ms` and `burst` capacity, a
 * request for n tokens is granted at the earliest time at which the bucket, refilled steadily,
 * holds n. */
#ifndef WEIR_LIMITER_H
#define WEIR_LIMITER_H

#include <stddef.h>
#include <stdint.h>

#include <weir/err.h>

typedef struct weir_limiter weir_limiter;

struct weir_limiter_opts {
    size_t size;          /* set by WEIR_LIMITER_OPTS */
    uint64_t rate;        /* tokens per period; 0: no rate limit */
    int64_t period_ms;    /* 0: 60,000, so that rate is per minute */
    uint64_t burst;       /* tokens that may be taken at once after a pause; 0: what 20 ms of the
                             rate bring, at least 1. aiolimiter's meaning is burst == rate. */
    uint64_t concurrency; /* holders at a time, each until weir_limiter_release; 0: no bound */
};
#define WEIR_LIMITER_OPTS(...)                                                                     \
    (&(struct weir_limiter_opts){.size = sizeof(struct weir_limiter_opts), __VA_ARGS__})

/* What holds the first waiter back. */
enum weir_blocked {
    WEIR_BLOCKED_NOT = 0,
    WEIR_BLOCKED_GATE,        /* the server asked for a pause, or the gentle start behind one */
    WEIR_BLOCKED_RATE,        /* the token bucket */
    WEIR_BLOCKED_CONCURRENCY, /* the bound on holders */
};

struct weir_limiter_stats {
    size_t size;               /* sizeof(struct weir_limiter_stats): set it before the call */
    size_t waiting;            /* tasks in the queue */
    size_t holding;            /* admitted and not yet released */
    uint64_t admitted;         /* grants since the limiter was made */
    uint64_t throttled;        /* "slow down" answers that were reported to it */
    enum weir_blocked blocked; /* what holds the first waiter now */
    int64_t blocked_ms;        /* for how long still, as far as known; 0 for concurrency */
};

#ifdef __cplusplus
extern "C" {
#endif

/* A limiter in *out. It starts with a full bucket. Free it with weir_limiter_free.
 * Errors: WEIR_EINVAL (period_ms < 0, a rate above 1,000,000,000 per second or under 1 per
 * 366 days, burst without rate, over 1,000,000,000 or longer than 146 years to fill), WEIR_ENOMEM,
 * WEIR_ENORUNTIME. */
WEIR_API int weir_limiter_new(weir_limiter **out, const struct weir_limiter_opts *opts);

/* Closes it and frees it, as soon as no client uses it any more. NULL is fine. Tasks that wait get
 * WEIR_ECLOSED. */
WEIR_API void weir_limiter_free(weir_limiter *limiter);

/* Takes `amount` tokens and, if the limiter bounds the concurrency, one place. Suspends until both
 * are there and the gate is open, in strict order of arrival: an amount of 3 is not overtaken by
 * later amounts of 1. Returns 0, or
 *   WEIR_ENEVER     amount is 0 or more than the burst: at once
 *   WEIR_EDEADLINE  the wait would surely pass the caller's deadline: at once, nothing is taken
 *   WEIR_ECANCELED  nothing was taken
 *   WEIR_ECLOSED    the limiter is closed or was freed. */
WEIR_API int weir_limiter_acquire(weir_limiter *limiter, uint64_t amount);

/* Takes them if they are there now and nobody waits: 0, else WEIR_EBUSY (or WEIR_ENEVER,
 * WEIR_ECLOSED). Does not suspend. */
WEIR_API int weir_limiter_try(weir_limiter *limiter, uint64_t amount);

/* Gives the place back (tokens are spent for good). Does nothing on a limiter without a bound on
 * concurrency, so code need not know. Does not suspend. */
WEIR_API void weir_limiter_release(weir_limiter *limiter);

/* Closes the gate for at least wait_ms from now, for everyone: what an answer such as 429 with
 * Retry-After asks for. A longer pause that is already under way stays. The bucket restarts empty
 * when the gate opens, so that the flow begins at the configured rate instead of with a burst. */
WEIR_API void weir_limiter_pause_ms(weir_limiter *limiter, int64_t wait_ms);

/* Ends admission for good: waiting tasks and later callers get WEIR_ECLOSED, those admitted go on.
 * For a graceful stop. Does not suspend. */
WEIR_API void weir_limiter_close(weir_limiter *limiter);

/* Fills *stats, whose size must be set: 0, else WEIR_EINVAL. */
WEIR_API int weir_limiter_stats(const weir_limiter *limiter, struct weir_limiter_stats *stats);

#ifdef __cplusplus
}
#endif

#endif
