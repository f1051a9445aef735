/* A modelled API server that limits requests, as a transport, for the virtual clock: the kinds of
 * limits that are about, what they say of themselves, and other tenants of the same limit. Its
 * arithmetic is its own, so that it does not share the mistakes of what is measured with it. */
#ifndef WEIR_TESTS_FLOW_SERVER_H
#define WEIR_TESTS_FLOW_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include <weir/transport.h>

#include "base/list.h"
#include "base/rand.h"

enum flow_kind {
    FLOW_BUCKET = 0, /* refills steadily */
    FLOW_WINDOW,     /* all at once, at fixed times */
    FLOW_LOG,        /* never more than `limit` within any period */
};

enum flow_says {
    FLOW_SAYS_NOTHING = 0,
    FLOW_SAYS_WAIT,        /* Retry-After in whole seconds, of a 429 */
    FLOW_SAYS_LIKE_OPENAI, /* x-ratelimit-*-requests in ms, and Retry-After */
    FLOW_SAYS_IETF,        /* RateLimit and RateLimit-Policy in whole seconds, and Retry-After */
};

struct flow_server {
    /* Set before use. */
    enum flow_kind kind;
    enum flow_says says;
    int64_t limit; /* requests per period, and what a window or log holds */
    double period_s;
    int64_t burst;                  /* capacity of a bucket */
    int64_t told_limit;             /* in place of the capacity; 0: that itself */
    double trip_ms, trip_jitter_ms; /* there and back; a refusal takes no more than that */
    double work_ms, work_jitter_ms; /* besides, of an answer that is none */
    int64_t count_from_ns;          /* counts begin with this arrival */
    uint64_t seed;

    /* Counts. */
    uint64_t accepted, refused;         /* since count_from_ns, */
    uint64_t all_accepted, all_refused; /* and in all */
    uint64_t taken_by_others;           /* since count_from_ns */
    uint64_t most_overtaken;            /* requests accepted before an older one, at most */

    /* Private. */
    bool begun;
    struct weir__rand rand;
    double level; /* of a bucket */
    int64_t at_ns, window, used;
    int64_t *log; /* times of the last `limit` accepted, a ring */
    int64_t log_first, log_count;
    struct weir__list sleepers;
    uint64_t newest_accepted; /* by number in X-Number */
    uint64_t *accepted_bits;  /* of numbers up to numbers_max */
    uint64_t numbers_max;
};

/* The server as a transport. Borrows it; flow_server_end frees what it holds. */
struct weir_transport flow_transport(struct flow_server *server);
void flow_server_end(struct flow_server *server);

/* One exchange, without HTTP: 200 or 429, and the wait that the server asks for (-1: none). */
int flow_exchange(struct flow_server *server, int64_t *wait_ms);

/* A request of somebody else, now. */
void flow_other(struct flow_server *server);

/* Sleeps on the virtual clock, to the nanosecond. */
int flow_sleep_until(struct flow_server *server, int64_t when_ns);

/* Uniform in [0, 1). */
double flow_uniform(struct flow_server *server);

#endif
