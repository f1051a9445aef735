/* A rate limiter: limits on the rate (token buckets, as aiolimiter; or strict windows), a bound on
 * how many run at once, and a gate that a server's "slow down" closes for all. All are granted in
 * one step, higher priorities first and first come first served among equals, so that nothing is
 * held while waiting for something else.
 *
 * A bucket is the virtual-scheduling form of the generic cell rate algorithm (ITU-T I.371,
 * annex A) in integer nanoseconds: with `rate` tokens per `period_ms` and `burst` capacity, a
 * request for n tokens is granted at the earliest time at which the bucket, refilled steadily,
 * holds n.
 *
 * A limiter belongs to the runtime that it was made in. Elsewhere, and once that has ended, what
 * can fail returns WEIR_ENORUNTIME and the rest does nothing; but after the end it can be freed,
 * its permits ended and its statistics read, by any thread. The same holds for the sets of
 * <weir/limiters.h>. */
#ifndef WEIR_LIMITER_H
#define WEIR_LIMITER_H

#include <stddef.h>
#include <stdint.h>

#include <weir/err.h>
#include <weir/opts.h>

typedef struct weir_limiter weir_limiter;
typedef struct weir_shared weir_shared;

/* What a limit counts. */
enum weir_unit {
    WEIR_REQUESTS = 0,
    WEIR_TOKENS, /* those of language models, or any other cost that is known for sure only
                    afterwards */
};

/* One limit of several. */
struct weir_limit {
    uint64_t rate;     /* per period; 0: no limit */
    int64_t period_ms; /* 0: 60,000, so that rate is per minute */
    uint64_t burst;    /* that may be taken at once after a pause. 0: of requests what 20 ms of the
                          rate bring, at least 1; of tokens, and of a strict limit, the rate of a
                          whole period */
    enum weir_unit unit; /* what it counts */
    int strict;          /* nonzero: never more than `rate` in ANY window of period_ms, where a
                            bucket lets burst + rate through after a pause; burst <= rate then.
                            It keeps to a window longer by one part in 250, at most 50 ms: what was
                            sent may arrive closer together. With burst 1 it is smooth, too */
};
#define WEIR_LIMITS_MAX 8

/* Whether a limiter that serves clients finds the server's limit by itself: by what the answers
 * tell of it, else by their "too fast". Where limits are configured they are the ceiling. Not for
 * shared limits. */
enum weir_learn {
    WEIR_LEARN_ON = 0,
    WEIR_LEARN_OFF, /* after a "too fast" it pauses and starts gently, and remembers nothing */
};

struct weir_limiter_opts {
    size_t size;          /* set by WEIR_LIMITER_OPTS */
    uint64_t rate;        /* requests per period; 0: no such limit. These three are the shorthand
                             for a first limit. */
    int64_t period_ms;    /* 0: 60,000, so that rate is per minute */
    uint64_t burst;       /* tokens that may be taken at once after a pause; 0: what 20 ms of the
                             rate bring, at least 1. aiolimiter's meaning is burst == rate. */
    uint64_t concurrency; /* holders at a time, each until weir_limiter_release; 0: no bound */
    const struct weir_limit *limits; /* more limits, all of which hold; copied. NULL: none */
    size_t limit_count;              /* WEIR_LIMITS_MAX at most, the shorthand included */
    weir_shared *shared; /* limits and gate that several limiters share (weir/shared.h), which may
                            be closed from then on; no limits of its own then. NULL: none */
    enum weir_learn learn;
    int reserved; /* leave 0 */
};
#define WEIR_LIMITER_OPTS(...) WEIR__OPTS(weir_limiter_opts, __VA_ARGS__)

/* Priorities go from -WEIR_PRIORITY_MAX to WEIR_PRIORITY_MAX. A class is served only while no
 * higher one waits, so a low class starves as long as higher ones use the whole rate. Where that
 * must not be, give the high class a limiter of its own with a part of the rate. */
#define WEIR_PRIORITY_MAX 7

/* What one request needs of the limits. */
struct weir_want {
    size_t size;       /* set by WEIR_WANT */
    uint64_t requests; /* of the limits that count requests; 0: 1 */
    uint64_t tokens;   /* of the limits that count tokens: an estimate, settled later */
    int priority;      /* higher first; 0 is the usual one */
    int reserved;      /* leave 0 */
};
#define WEIR_WANT(...) WEIR__OPTS(weir_want, __VA_ARGS__)

/* What was granted: storage of the caller's, filled by weir_limiter_reserve. The members are
 * private. Each permit that was granted is ended once, by _settle or _cancel. */
typedef struct weir_permit {
    int64_t private_[32];
} weir_permit;

/* What holds the first waiter back. */
enum weir_blocked {
    WEIR_BLOCKED_NOT = 0,
    WEIR_BLOCKED_GATE,        /* the server asked for a pause, or the gentle start behind one */
    WEIR_BLOCKED_RATE,        /* a limit that counts requests */
    WEIR_BLOCKED_CONCURRENCY, /* the bound on holders */
    WEIR_BLOCKED_TOKENS,      /* a limit that counts tokens */
    WEIR_BLOCKED_LEARNED,     /* the server's limit, as far as it was learned */
};

struct weir_limiter_stats {
    size_t size;               /* sizeof(struct weir_limiter_stats): set it before the call */
    size_t waiting;            /* tasks in the queue */
    size_t holding;            /* admitted and not yet released */
    uint64_t admitted;         /* grants since the limiter was made */
    uint64_t throttled;        /* "slow down" answers that were reported to it */
    enum weir_blocked blocked; /* what holds the first waiter now */
    int64_t blocked_ms;        /* for how long still, as far as known; 0 for concurrency */
    /* Time spent waiting since the limiter was made, summed over all who waited, by what held the
     * first of the queue back meanwhile. */
    int64_t gate_wait_ms;
    int64_t requests_wait_ms;
    int64_t tokens_wait_ms;
    int64_t concurrency_wait_ms;
    uint64_t concurrency; /* the bound as it is now; 0: none */
    /* The tightest limit of each unit as it is now, in steady flow; 0: none. */
    double requests_per_s;
    double tokens_per_s;
    /* What was learned of the server's limit on requests. */
    double learned_per_s;    /* its rate; 0: not known */
    int64_t told_limit;      /* the scarcest that answers told of lately: per window or capacity; */
    int64_t told_remaining;  /* what is left of it now, */
    int64_t told_reset_ms;   /* and when there is more; -1 all three: none was told */
    int64_t learned_wait_ms; /* as gate_wait_ms */
    int64_t backoff_wait_ms; /* slept between attempts by the requests of clients, all added up */
};

#ifdef __cplusplus
extern "C" {
#endif

/* A limiter in *out. It starts with full buckets. Free it with weir_limiter_free.
 * Errors: WEIR_EINVAL (period_ms < 0, a rate above 1,000,000,000 per second or under 1 per
 * 366 days, burst without rate, over 1,000,000,000 or longer than 146 years to fill, strict with a
 * burst over the rate or a rate over 1,000,000,000, more than WEIR_LIMITS_MAX limits, limits
 * besides shared ones), WEIR_ENOTSUP (limits shared through a file, under the virtual clock),
 * WEIR_ENOMEM, WEIR_ENORUNTIME. Does not suspend. */
WEIR_API int weir_limiter_new(weir_limiter **out, const struct weir_limiter_opts *opts);

/* Closes it and frees it, as soon as no client or permit uses it any more. NULL is fine. Tasks that
 * wait get WEIR_ECLOSED. Does not suspend. */
WEIR_API void weir_limiter_free(weir_limiter *limiter);

/* Takes `amount` requests and, if the limiter bounds the concurrency, one place. Suspends until
 * both are there and the gate is open, in strict order of arrival: an amount of 3 is not overtaken
 * by later amounts of 1. Returns 0, or
 *   WEIR_ENEVER     amount is 0 or more than the burst: at once
 *   WEIR_EDEADLINE  the wait would surely pass the caller's deadline: at once, or as soon as a
 *                   pause makes it so; nothing is taken
 *   WEIR_ECANCELED  nothing was taken
 *   WEIR_ECLOSED    the limiter is closed or was freed
 *   WEIR_ENORUNTIME the caller is no task: at once, nothing is taken. */
WEIR_API int weir_limiter_acquire(weir_limiter *limiter, uint64_t amount);

/* Takes them if they are there now and nobody waits: 0, else WEIR_EBUSY (or WEIR_ENEVER,
 * WEIR_ECLOSED). Does not suspend. */
WEIR_API int weir_limiter_try(weir_limiter *limiter, uint64_t amount);

/* Gives the place back (tokens are spent for good). Does nothing on a limiter without a bound on
 * concurrency, so code need not know. Does not suspend. */
WEIR_API void weir_limiter_release(weir_limiter *limiter);

/* As weir_limiter_acquire for all that *want asks for (NULL: one request) in one step; the permit
 * says what was granted and is ended by weir_permit_settle or weir_permit_cancel, which gives the
 * place back, too. On failure the permit is empty: ending it does nothing. Also WEIR_EINVAL: a
 * priority out of range, want without its size. */
WEIR_API int weir_limiter_reserve(weir_limiter *limiter, const struct weir_want *want,
                                  weir_permit *permit);

/* weir_limiter_reserve if it can be had now and nobody of this or a higher priority waits: 0, else
 * WEIR_EBUSY (or as above). Does not suspend. */
WEIR_API int weir_limiter_try_reserve(weir_limiter *limiter, const struct weir_want *want,
                                      weir_permit *permit);

/* Ends the permit of something that was done and has cost `tokens` (-1: unknown, the estimate
 * stands). What was reserved beyond that comes back, as far as the limits could have kept it; what
 * is missing is a debt that those who come next wait for. Does not suspend. */
WEIR_API void weir_permit_settle(weir_permit *permit, int64_t tokens);

/* Ends the permit of something that was not done: requests and tokens come back, as far as the
 * limits could have kept them. Does not suspend. */
WEIR_API void weir_permit_cancel(weir_permit *permit);

/* How long weir_limiter_reserve would have to wait, behind all who wait already, as far as gate and
 * limits tell: in ms, rounded up, 0 for not at all. Takes nothing, and knows nothing of when places
 * are given back. Or WEIR_ENEVER, WEIR_ECLOSED, WEIR_EINVAL. Does not suspend. */
WEIR_API int64_t weir_limiter_time_until_ms(const weir_limiter *limiter,
                                            const struct weir_want *want);

/* Changes a limit: 0 is the shorthand's if rate was given, the others follow in order; an index one
 * behind the last adds one. Takes effect at once, for those who wait, too: who asks for more than
 * can ever be granted now gets WEIR_ENEVER. What was in the bucket stays in it, up to the new
 * burst. Errors, which leave all as it was: WEIR_EINVAL as in weir_limiter_new or for the index,
 * WEIR_ENOTSUP (shared limits), WEIR_ENOMEM. Does not suspend. */
WEIR_API int weir_limiter_set_limit(weir_limiter *limiter, size_t index,
                                    const struct weir_limit *limit);

/* Changes the bound on concurrency of a limiter that was made with one. A lower one takes effect as
 * places are given back. WEIR_EINVAL: 0, or a limiter that was made without. Does not suspend. */
WEIR_API int weir_limiter_set_concurrency(weir_limiter *limiter, uint64_t concurrency);

/* Closes the gate for at least wait_ms from now, for everyone: what an answer such as 429 with
 * Retry-After asks for. A longer pause that is already under way stays. The buckets restart empty
 * when the gate opens, so that the flow begins at the configured rate instead of with a burst. 0 or
 * less changes nothing. Does not suspend. */
WEIR_API void weir_limiter_pause_ms(weir_limiter *limiter, int64_t wait_ms);

/* Ends admission for good: waiting tasks and later callers get WEIR_ECLOSED, those admitted go on.
 * For a graceful stop. Does not suspend. */
WEIR_API void weir_limiter_close(weir_limiter *limiter);

/* Fills *stats, whose size must be set: 0, WEIR_EINVAL, or WEIR_ENORUNTIME (its runtime goes on, in
 * another thread). Once the runtime has ended time stands still. Does not suspend. */
WEIR_API int weir_limiter_stats(const weir_limiter *limiter, struct weir_limiter_stats *stats);

#ifdef __cplusplus
}
#endif

#endif
