/* A modelled API server as a transport, for tests under the virtual clock: latency, a limit that it
 * enforces, and answers or failures by a script. It has its own arithmetic, so that it and the
 * limiter under test do not share their mistakes. */
#ifndef WEIR_TESTS_MODEL_SERVER_H
#define WEIR_TESTS_MODEL_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/transport.h>

#include "base/rand.h"

/* What meets the n-th request that arrives; behind the last step the server answers by itself. */
struct model_step {
    int status; /* 0: no answer, but rc and sent */
    int rc;
    enum weir_sent sent;
    const char *retry_after; /* header; NULL: none */
    int64_t latency_ms;      /* 0: the server's; < 0: for ever, until the attempt's time limit */
    unsigned times;          /* requests it meets; 0: 1 */
};

enum model_retry_after { MODEL_SAYS_SECONDS = 0, MODEL_SAYS_DATE, MODEL_SAYS_NOTHING };

struct model_arrival {
    int64_t at_ns;
    int status;       /* what it was answered; 0: nothing */
    unsigned attempt; /* as the client counts */
};

struct model_server {
    /* Set before use. */
    const struct model_step *steps;
    size_t step_count;
    int64_t latency_ms, latency_spread_ms; /* uniform in latency + [0, spread] */
    uint64_t rate, burst;                  /* tokens per period; rate 0: no limit */
    int64_t period_ms;
    enum model_retry_after says;
    struct model_arrival *log; /* room for log_room arrivals; NULL: none is kept */
    size_t log_room;

    /* Counts. */
    size_t requests;     /* that arrived */
    size_t answered;     /* 2xx by itself */
    size_t throttled;    /* 429 by itself */
    size_t while_closed; /* that arrived between an answer that told a time, and that time */
    size_t in_flight, most_in_flight;
    size_t frees; /* calls of the transport's free */

    /* Private. */
    size_t step, step_used;
    int64_t level_ns, level_at_ns; /* what is in the bucket, as time, and when that was so */
    int64_t closed_from_ns, closed_until_ns;
    struct weir__rand rand;
    bool begun;
};

/* The server as a transport. Borrows it. */
struct weir_transport model_transport(struct model_server *server);

#endif
