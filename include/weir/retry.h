/* When something is tried again, and after what wait: for requests (.retry of weir_client_opts) and
 * for any function of yours (weir_retry). tenacity's words, as small values:
 *
 *     int rc = weir_retry(
 *         WEIR_RETRY_OPTS(.stop = weir_stop_any(weir_stop_after_attempt(7),
 *                                               weir_stop_before_delay_ms(60000)),
 *                         .wait = weir_wait_sum(weir_wait_fixed_ms(300),
 *                                               weir_wait_random_ms(0, 100)),
 *                         .retry = weir_retry_if_error(WEIR_EIO)),
 *         fetch, &page, NULL);
 *
 * A value owns nothing, may be copied, kept and shared by any number of calls, and has no state:
 * two calls that run at once under one policy never see each other. It holds up to
 * WEIR_RULE_NODES words; one that was made of more, or of arguments that make no sense, is marked,
 * and whoever is given it returns WEIR_EINVAL. A zeroed value means: not given. */
#ifndef WEIR_RETRY_H
#define WEIR_RETRY_H

#include <stddef.h>
#include <stdint.h>

#include <weir/attempt.h>
#include <weir/opts.h>
#include <weir/sync.h>
#include <weir/task.h>

/* ---- values; the members are private ---- */

#define WEIR_RULE_NODES 16

struct weir_rule_node {
    uint16_t op;
    uint16_t span; /* nodes of this word, its operands included */
    uint32_t percent;
    union {
        int64_t n[3];
        struct {
            void (*fn)(void);
            void *arg;
        } call;
        weir_event *event;
    } u;
};

/* A word, and behind it its operands. */
struct weir_rule {
    uint32_t count;
    int32_t error;
    struct weir_rule_node nodes[WEIR_RULE_NODES];
};

struct weir_retry_wait {
    struct weir_rule rule;
};
struct weir_retry_stop {
    struct weir_rule rule;
};
struct weir_retry_if {
    struct weir_rule rule;
};

/* What callbacks and hooks look like. None of them may suspend. For a client they run in the task
 * that called weir_request, so weir_task_self tells whose attempt it was (but `before`, with
 * hedging on, in the task of the sending). */

/* Returns nonzero to try again (limits on attempts and time still hold). */
typedef int (*weir_retry_if_fn)(const struct weir_attempt *attempt, void *arg);

/* Returns the wait in ms; less than 0 counts as 0. */
typedef int64_t (*weir_wait_fn)(const struct weir_attempt *attempt, void *arg);

typedef void (*weir_retry_hook_fn)(const struct weir_attempt *attempt, void *arg);

/* Called when another attempt would follow, were it not for a bound `why`. What it returns, the
 * call returns: attempt->rc to leave it at that. */
typedef int (*weir_give_up_fn)(const struct weir_attempt *attempt, enum weir_why why, void *arg);

/* ---- a budget: how much of the load retries may be ---- */

typedef struct weir_retry_budget weir_retry_budget;

/* Tokens: each attempt that goes well brings ratio_percent hundredths of one, time brings min_per_s
 * of them, each retry costs one. Attempts that fail for everyone are so followed by few retries
 * instead of by a multiple of the load (Finagle's and tower's RetryBudget, whose defaults these
 * are; gRPC A6 has the same in a simpler form). A throttled attempt costs nothing: the gate holds
 * it back, and the budget is meant for what fails. */
struct weir_retry_budget_opts {
    size_t size;           /* set by WEIR_RETRY_BUDGET_OPTS */
    int64_t ratio_percent; /* 0: 20; < 0: none; at most 1000 */
    int64_t min_per_s;     /* 0: 10; < 0: none; at most 1,000,000 */
    int64_t capacity;      /* tokens at the start and at most; 0: 10 s of min_per_s, at least 1; at
                              most 1,000,000,000 */
    int slows;             /* 0: without a token there is no retry. Nonzero, for bulk work: it waits
                              until its token comes by min_per_s, which must not be none then */
    int reserved;          /* leave 0 */
};
#define WEIR_RETRY_BUDGET_OPTS(...) WEIR__OPTS(weir_retry_budget_opts, __VA_ARGS__)

struct weir_retry_budget_stats {
    size_t size;       /* sizeof(struct weir_retry_budget_stats): set it before the call */
    int64_t available; /* whole tokens now; negative: retries wait for so many */
    uint64_t retries;  /* tokens that were spent */
    uint64_t refused;  /* retries that there was no token for */
};

/* ---- a policy ---- */

/* weir's own rule. For requests:
 *   429, or 503 with Retry-After                 again, once the gate has opened
 *   the server says to try again, or not to      as it says
 *   408, 409, 425, 503                           again: the server has not acted on it
 *   other 5xx, lost or cut off after sending,    again if the request may be sent twice (GET, PUT,
 *   no answer in time, an answer that is no HTTP  DELETE, ..., .replay, .idempotency_key)
 *   never sent (refused, not resolved, no TLS)   again
 *   other 4xx, certificates, body or headers over the maximum   never
 * For functions: any error but WEIR_ECANCELED.
 * Whatever rule there is, WEIR_EAGAIN (from a function, or a transport of yours) means: again.
 *
 * The order: before -> the attempt -> retry? (no: return) -> after -> wait -> stop? (yes: give_up's
 * value, else the last error) -> would the wait pass a deadline? (as stop) -> budget (as stop)
 * -> statistics -> before_sleep -> sleep. Nothing is slept after the last attempt.
 *
 * The wait before attempt n+1, unless `wait` is given, is uniform in [0, min(backoff_max_ms,
 * backoff_base_ms * 2^(n-1))] ("full jitter": M. Brooker, Exponential Backoff And Jitter, AWS
 * Architecture Blog, 2015). A wait that the server asked for comes first and the own wait on top:
 * never earlier than asked, and those who were told the same time do not come back together. */
struct weir_retry_opts {
    size_t size;                /* set by WEIR_RETRY_OPTS */
    unsigned max_attempts;      /* 0: 5, or no bound when `stop` is given; 1: never again */
    unsigned max_throttled;     /* answers of "too fast" that a request takes; they do not count as
                                   attempts here. 0: 100 */
    int64_t max_elapsed_ms;     /* no new attempt once this time has passed since the first one
                                   began, or would have after the wait; 0: no bound */
    int64_t backoff_base_ms;    /* 0: 500; with `wait`, leave 0 */
    int64_t backoff_max_ms;     /* 0: 30,000; with `wait`, leave 0 */
    int64_t server_wait_max_ms; /* when a server asks for a longer wait than this, requests fail at
                                   once instead of waiting for it; 0: 600,000 */
    weir_retry_if_fn retry_if;  /* overrules everything, the server's verdict too. NULL: `retry` */
    void *retry_if_arg;
    weir_retry_budget *budget; /* shared, must outlive the calls; a client holds it until it is
                                  freed. NULL: none */
    int64_t timeout_ms; /* of weir_retry, for the whole call; 0: none. A client has its own in
                           weir_client_opts, as the next: leave both 0 there */
    int64_t attempt_timeout_ms; /* for one attempt, which then fails with WEIR_EATTEMPTTIME */
    weir_retry_hook_fn before;
    weir_retry_hook_fn after; /* of an attempt that is to be followed by another */
    weir_retry_hook_fn before_sleep;
    weir_give_up_fn give_up;
    void *hook_arg;              /* of the four */
    struct weir_retry_stop stop; /* not given: the bounds above alone; else besides them */
    struct weir_retry_wait wait; /* not given: full jitter, above */
    struct weir_retry_if retry;  /* not given: weir's own rule. What the server calls final is not
                                    tried again. Not together with retry_if */
};
#define WEIR_RETRY_OPTS(...) WEIR__OPTS(weir_retry_opts, __VA_ARGS__)

/* Of one call. */
struct weir_retry_stats {
    size_t size;        /* sizeof(struct weir_retry_stats): set it before the call */
    unsigned attempts;  /* begun so far */
    enum weir_why why;  /* the last decision */
    int64_t started_ms; /* weir_now_ms at the beginning of the first attempt */
    int64_t elapsed_ms; /* from there to the end of the last attempt */
    int64_t idle_ms;    /* slept between attempts */
};

#ifdef __cplusplus
extern "C" {
#endif

/* Calls fn(arg) in the calling task until it succeeds (returns 0 or more), or the policy (NULL: the
 * defaults) ends it. Suspends in the waits, at least as weir_yield. The opts are copied. stats may
 * be NULL; it is kept up to date during the call, so that fn may look at it. Returns what fn
 * returned last, or what give_up returned, or
 *   WEIR_EINVAL      a bad option; fn was not called, as with
 *   WEIR_ENORUNTIME  outside of tasks
 *   WEIR_EATTEMPTTIME  attempt_timeout_ms cut the last attempt off
 *   WEIR_ETIMEDOUT   timeout_ms cut the last attempt off; a wait that would pass it is not begun
 *   WEIR_ECANCELED   the caller is cancelled, or a deadline of its own passed. */
WEIR_API int weir_retry(const struct weir_retry_opts *opts, weir_task_fn fn, void *arg,
                        struct weir_retry_stats *stats);

/* A budget in *out, opts may be NULL. WEIR_EINVAL (a number out of its range), WEIR_ENOMEM. Free it
 * with weir_retry_budget_free (NULL is fine): it goes when the last client that has it goes.
 * Neither suspends. */
WEIR_API int weir_retry_budget_new(weir_retry_budget **out,
                                   const struct weir_retry_budget_opts *opts);
WEIR_API void weir_retry_budget_free(weir_retry_budget *budget);

/* Fills *stats, whose size must be set: 0, else WEIR_EINVAL. */
WEIR_API int weir_retry_budget_stats(const weir_retry_budget *budget,
                                     struct weir_retry_budget_stats *stats);

/* ---- stop: `n` counts attempts, but for those that were throttled ---- */

WEIR_API struct weir_retry_stop weir_stop_never(void);
WEIR_API struct weir_retry_stop weir_stop_after_attempt(unsigned n); /* n attempts were made */

/* So much time has passed since the first attempt began; or will have after the coming wait. */
WEIR_API struct weir_retry_stop weir_stop_after_delay_ms(int64_t ms);
WEIR_API struct weir_retry_stop weir_stop_before_delay_ms(int64_t ms);

/* The event, which must outlive the calls, is set. */
WEIR_API struct weir_retry_stop weir_stop_when_event(weir_event *event);

/* One of them says stop; both do. */
WEIR_API struct weir_retry_stop weir_stop_any(struct weir_retry_stop a, struct weir_retry_stop b);
WEIR_API struct weir_retry_stop weir_stop_all(struct weir_retry_stop a, struct weir_retry_stop b);

/* ---- wait: before attempt n+1. INT64_MAX as a maximum: none ---- */

/* No wait; always the same, 0 or more. */
WEIR_API struct weir_retry_wait weir_wait_none(void);
WEIR_API struct weir_retry_wait weir_wait_fixed_ms(int64_t ms);

/* Uniform; 0 <= low_ms <= high_ms. */
WEIR_API struct weir_retry_wait weir_wait_random_ms(int64_t low_ms, int64_t high_ms);

/* start_ms, then each time step_ms (which may be negative) more; not below 0. */
WEIR_API struct weir_retry_wait weir_wait_incrementing_ms(int64_t start_ms, int64_t step_ms,
                                                          int64_t max_ms);

/* multiplier_ms * (base_percent/100)^(n-1), within min_ms and max_ms; min_ms wins. base_percent 200
 * doubles. Any n gives a finite wait. */
WEIR_API struct weir_retry_wait weir_wait_exponential_ms(int64_t multiplier_ms,
                                                         unsigned base_percent, int64_t min_ms,
                                                         int64_t max_ms);

/* Full jitter: uniform between min_ms and that. While it is below min_ms, the range is
 * multiplier_ms wide, so that there is jitter from the first wait on. */
WEIR_API struct weir_retry_wait weir_wait_random_exponential_ms(int64_t multiplier_ms,
                                                                unsigned base_percent,
                                                                int64_t min_ms, int64_t max_ms);

/* weir_wait_exponential_ms from 0 on, and up to jitter_ms more, within max_ms: near it the range
 * lies below it, so that there is jitter at the maximum, too. */
WEIR_API struct weir_retry_wait weir_wait_exponential_jitter_ms(int64_t multiplier_ms,
                                                                unsigned base_percent,
                                                                int64_t max_ms, int64_t jitter_ms);

/* Uniform between base_ms and three times the last wait, at most max_ms ("decorrelated jitter", as
 * above). base_ms > 0. */
WEIR_API struct weir_retry_wait weir_wait_decorrelated_ms(int64_t base_ms, int64_t max_ms);

/* What fn(attempt, arg) says; called once for each wait. */
WEIR_API struct weir_retry_wait weir_wait_callback(weir_wait_fn fn, void *arg);

/* Both waits together. */
WEIR_API struct weir_retry_wait weir_wait_sum(struct weir_retry_wait a, struct weir_retry_wait b);

/* The n-th of them before attempt n+1, and the last one from then on: WEIR_WAIT_CHAIN(a, b, c). */
WEIR_API struct weir_retry_wait weir_wait_chain(const struct weir_retry_wait *list, size_t count);
#define WEIR_WAIT_CHAIN(...)                                                                       \
    weir_wait_chain(WEIR__LIST(const struct weir_retry_wait, __VA_ARGS__),                         \
                    WEIR__COUNT(const struct weir_retry_wait, __VA_ARGS__))

/* ---- retry if ---- */

WEIR_API struct weir_retry_if weir_retry_if_always(void); /* even when it went well */
WEIR_API struct weir_retry_if weir_retry_if_never(void);
WEIR_API struct weir_retry_if weir_retry_if_default(void);             /* weir's own rule says so */
WEIR_API struct weir_retry_if weir_retry_if_any_error(void);           /* rc < 0 */
WEIR_API struct weir_retry_if weir_retry_if_error(int code);           /* rc == code */
WEIR_API struct weir_retry_if weir_retry_if_status(int low, int high); /* low <= status <= high */
WEIR_API struct weir_retry_if weir_retry_if_outcome(enum weir_outcome outcome);

/* Another one can do no harm: it never left, was refused unread, failed and may be sent twice. A
 * rule other than weir's own does not ask this by itself: join it with weir_retry_if_all. Always so
 * for a function. */
WEIR_API struct weir_retry_if weir_retry_if_safe(void);

/* fn(attempt, arg) says so; asked of failures (rc < 0) alone, or of all else alone. */
WEIR_API struct weir_retry_if weir_retry_if_failure(weir_retry_if_fn fn, void *arg);
WEIR_API struct weir_retry_if weir_retry_if_result(weir_retry_if_fn fn, void *arg);

/* When `a` says no; when one of them says yes; when both do. */
WEIR_API struct weir_retry_if weir_retry_if_not(struct weir_retry_if a);
WEIR_API struct weir_retry_if weir_retry_if_any(struct weir_retry_if a, struct weir_retry_if b);
WEIR_API struct weir_retry_if weir_retry_if_all(struct weir_retry_if a, struct weir_retry_if b);

#ifdef __cplusplus
}
#endif

#endif
