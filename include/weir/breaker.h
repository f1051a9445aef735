/* A circuit breaker for a client: once too large a share of the attempts fails, nothing is sent for
 * a while, and then a few attempts find out whether the server is back.
 *
 *     closed -- too many failures --> open -- its time is over --> half-open -- failure --> open
 *       ^                                                              |
 *       +----------------------------- success ------------------------+
 *
 * A failure is an attempt that says the server is in trouble: refused or lost connections, names
 * that cannot be resolved, TLS failures, answers that are not HTTP, attempts that ran out of
 * attempt_timeout_ms, 5xx. Answers of "too fast" (429, 503 with Retry-After) say neither good nor
 * bad: they are the limiter's gate's. So do attempts that were cancelled, by a call's timeout_ms
 * too: it may have passed in the queue. All other answers, 4xx too, are successes.
 *
 * A client has one circuit, so it should talk to one server. */
#ifndef WEIR_BREAKER_H
#define WEIR_BREAKER_H

#include <stddef.h>
#include <stdint.h>

#include <weir/err.h>
#include <weir/opts.h>

/* A call that finds the circuit open is refused with WEIR_EOPEN: nothing is sent, nothing held. A
 * retry waits for the circuit to half-open, if its deadline and max_elapsed_ms allow, and for how
 * the others' probes end; when the circuit opens again it ends with its last real outcome. */
struct weir_breaker_opts {
    size_t size;         /* set by WEIR_BREAKER_OPTS */
    int64_t window_ms;   /* failures are counted over the last so many ms, to a tenth of it;
                            0: 10,000 */
    int64_t open_ms;     /* how long it stays open at first; 0: 5,000. Doubled with each opening
                            that follows a failed probe, or the closing within window_ms; a
                            quarter more at random, so that clients do not come back together */
    int64_t open_max_ms; /* the doubling ends here; 0: 60,000, or open_ms if that is more */
    unsigned min_calls;  /* in the window, for the share to mean something; 0: 20 */
    unsigned failure_percent; /* opens at this share of failures, 1 to 100; 0: 50 */
    unsigned probes;          /* attempts at a time while half-open; 0: 1. One more with each time
                                 that it was open, should they not end. The first to end decides. */
    int wait;                 /* nonzero: nothing is refused, all wait for the circuit as they do
                                 for the gate: for bulk work */
};
#define WEIR_BREAKER_OPTS(...) WEIR__OPTS(weir_breaker_opts, __VA_ARGS__)

enum weir_circuit { WEIR_CIRCUIT_CLOSED = 0, WEIR_CIRCUIT_OPEN, WEIR_CIRCUIT_HALF_OPEN };

struct weir_breaker_stats {
    size_t size;       /* sizeof(struct weir_breaker_stats): set it before the call */
    uint64_t calls;    /* that ended in the window, since the circuit last closed */
    uint64_t failures; /* of those */
    uint64_t opened;   /* times, since the client was made */
    uint64_t refused;  /* with WEIR_EOPEN, or as retries that ended early */
    int64_t open_ms;   /* until it is half-open; 0 unless it is open */
    size_t waiting;    /* tasks that wait for it */
    enum weir_circuit state;
    unsigned probing; /* attempts under way while half-open */
};

#endif
