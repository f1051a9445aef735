/* When a request is tried again, and after what wait. tenacity's words: stop after attempts or
 * delay, exponential backoff with full jitter, retry on a predicate of the outcome. */
#ifndef WEIR_RETRY_H
#define WEIR_RETRY_H

#include <stddef.h>
#include <stdint.h>

#include <weir/http.h>

/* One ended attempt, as the predicate sees it. */
struct weir_attempt {
    int rc;                    /* 0: an answer came; else a WEIR_E code */
    int status;                /* HTTP status; 0: none */
    enum weir_outcome outcome; /* class of the two above */
    enum weir_sent sent;       /* what is known of the server having got it */
    int replay;                /* nonzero: may be sent again even if the server may have it */
    unsigned number;           /* 1, 2, ... */
    unsigned throttled;        /* of those up to here, how many were answered "too fast" */
    int64_t server_wait_ms;    /* the wait the server asked for; -1: none */
    int retry;                 /* what weir itself would do: 1 try again, 0 do not */
};

/* weir's own rule:
 *   429, or 503 with Retry-After                 again, once the gate has opened
 *   408, 409, 425, 503                           again: the server has not acted on it
 *   other 5xx, lost or cut off after sending,    again if the request may be sent twice (GET, PUT,
 *   no answer in time                            DELETE, ... or .replay)
 *   never sent (refused, not resolved)           again
 *   other 4xx, TLS, body or headers over the maximum, answers that are not HTTP   never */

/* Returns nonzero to try again (limits on attempts and time still hold). It is called in the task
 * that called weir_request, so weir_task_self tells whose attempt it was. Must not suspend. */
typedef int (*weir_retry_if_fn)(const struct weir_attempt *attempt, void *arg);

/* The wait before attempt n+1 is uniform in [0, min(backoff_max_ms, backoff_base_ms * 2^(n-1))]
 * ("full jitter": M. Brooker, Exponential Backoff And Jitter, AWS Architecture Blog, 2015), and
 * never shorter than what the server asked for. */
struct weir_retry_opts {
    size_t size;                /* set by WEIR_RETRY_OPTS */
    unsigned max_attempts;      /* 0: 5; 1: never again */
    unsigned max_throttled;     /* answers of "too fast" that a request takes; they do not count as
                                   attempts here. 0: 100 */
    int64_t max_elapsed_ms;     /* no new attempt once this time has passed since the first one
                                   began, or would have after the wait; 0: no bound */
    int64_t backoff_base_ms;    /* 0: 500 */
    int64_t backoff_max_ms;     /* 0: 30,000 */
    int64_t server_wait_max_ms; /* when a server asks for a longer wait than this, requests fail at
                                   once instead of waiting for it; 0: 600,000 */
    weir_retry_if_fn retry_if;  /* NULL: weir's own rule, above */
    void *retry_if_arg;
};
#define WEIR_RETRY_OPTS(...)                                                                       \
    (&(struct weir_retry_opts){.size = sizeof(struct weir_retry_opts), __VA_ARGS__})

#endif
