/* The waiting side of the policies: one queue in front of gate, concurrency and token bucket, all
 * three granted in one step. weir_limiter is its public face; the client's pipeline comes in
 * through the functions below. */
#ifndef WEIR_ADMISSION_ADMISSION_H
#define WEIR_ADMISSION_ADMISSION_H

#include <weir/limiter.h>

#include "base/list.h"
#include "policy/bucket.h"
#include "policy/gate.h"
#include "task/sched.h"

struct weir_limiter {
    struct weir__rt *rt;
    struct weir__bucket bucket;
    struct weir__gate gate;
    uint64_t concurrency; /* 0: no bound */
    uint64_t holding;
    uint64_t holding_since; /* of those, admitted since the gate last closed */
    uint64_t next_ticket;
    struct weir__list queue;    /* entries by ticket */
    struct weir__list sleepers; /* waits in weir__admission_sleep */
    struct weir__timer timer;   /* for the head of the queue */
    uint64_t queued_amount;     /* of all in the queue */
    size_t waiting;
    uint64_t admitted, throttled;
    size_t users; /* owner, clients, waiting tasks: the last to let go frees it */
    bool closed;
};

/* A stay: the place in the order of arrival, and what was granted. Begin with all but `counted`
 * zero; a retry that enters again with the same stay keeps its age. */
struct weir__stay {
    bool counted;         /* among the holders, until weir__admission_leave */
    uint64_t ticket;      /* 0: not drawn yet */
    int64_t max_pause_ns; /* when the gate closes for longer the stay ends with WEIR_EPAUSED; 0:
                             never */
    uint64_t amount;
    int64_t admitted_ns; /* of the last grant */
};

/* As weir_limiter_acquire. */
int weir__admission_enter(weir_limiter *limiter, struct weir__stay *stay, uint64_t amount);

/* As weir_limiter_try: 0 when granted, WEIR_EBUSY when it would have to wait. */
int weir__admission_try(weir_limiter *limiter, struct weir__stay *stay, uint64_t amount);

/* The end of a use: by its owner, by a client. */
void weir__admission_let_go(weir_limiter *limiter);

/* Ends a stay and says how it went. */
enum weir__went {
    WEIR__WENT_UNUSED,    /* nothing was sent: the tokens come back */
    WEIR__WENT_ANSWERED,  /* the server took it */
    WEIR__WENT_THROTTLED, /* the server said "too fast" */
    WEIR__WENT_UNKNOWN,   /* no answer: neither good nor bad for the gate */
};
void weir__admission_leave(weir_limiter *limiter, const struct weir__stay *stay,
                           enum weir__went went, int64_t server_wait_ms);

/* Holds nothing and sleeps until when_ns. 0, WEIR_ECANCELED, or WEIR_ECLOSED as soon as the limiter
 * closes. */
int weir__admission_sleep(weir_limiter *limiter, int64_t when_ns);

/* The same with a wait that the caller has begun, so that others may end it earlier. */
int weir__admission_sleep_in(weir_limiter *limiter, struct weir__wait *wait, int64_t when_ns);

/* The earliest time at which the stay, which has a ticket, could be admitted (again) as far as
 * known: what it takes to refuse at once rather than wait for a deadline. */
int64_t weir__admission_earliest_ns(const weir_limiter *limiter, const struct weir__stay *stay,
                                    uint64_t amount);

#endif
