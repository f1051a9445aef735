/* The waiting side of the policies: one queue in front of gate, concurrency and limits, all granted
 * in one step. weir_limiter is its public face; the client's pipeline comes in through the
 * functions below.
 *     queue.c    the order of those who wait, granting, entering, leaving
 *     limits.c   the limits of one limiter; shared.c: those of several, in shared memory
 *     blocked.c  what held whom back for how long; statistics
 *     limiter.c  the public face; permit.c: that of amounts that are settled later
 *     sleep.c    waiting for another attempt
 *     limiters.c a limiter for each key; overall.c: a bound on the holders of all of them
 * retry.c, which retries functions, needs none of it. */
#ifndef WEIR_ADMISSION_ADMISSION_H
#define WEIR_ADMISSION_ADMISSION_H

#include <weir/limiter.h>

#include "admission/limits.h"
#include "admission/shared.h"
#include "base/list.h"
#include "policy/gate.h"
#include "policy/learn.h"
#include "task/home.h"

/* Timers wake late. A waiter that waited for its slot alone and whose slot has passed by less than
 * this is granted as of its slot, so that a rate without burst is still used in full; beyond it the
 * lost time is lost, so that a process that was stopped does not come back with a flood. */
#define WEIR__CATCH_UP_NS (3 * WEIR__NS_PER_MS)

enum {
    WEIR__CLASSES = 2 * WEIR_PRIORITY_MAX + 1,
    WEIR__BLOCKED_KINDS = WEIR_BLOCKED_LEARNED + 1,
};

/* Those of one priority. */
struct weir__class {
    struct weir__list queue; /* entries by ticket */
    struct weir__amounts queued;
};

/* What holds the first waiter back, and for how long each kind has done so. */
struct weir__blocked {
    enum weir_blocked by; /* since since_ns */
    int64_t since_ns;
    int64_t clock_ns[WEIR__BLOCKED_KINDS];
    int64_t summed_ns[WEIR__BLOCKED_KINDS]; /* times the number of those who waited */
};

struct weir_limiter {
    struct weir__rt *rt; /* as long as its home is here */
    struct weir__home home;
    struct weir__gate gate;
    bool learns; /* the stays that say so are also paced by what is learned from them */
    struct weir__learn learn;
    uint64_t concurrency; /* 0: no bound */
    uint64_t holding;
    uint64_t holding_since; /* of those, admitted since the gate last closed */
    uint64_t next_ticket;
    uint32_t occupied; /* bit i: classes[i] may have entries */
    bool closed;
    size_t waiting;
    uint64_t admitted, throttled;
    size_t users;               /* owner, clients, permits, waiting tasks: the last to let go frees
                                   it */
    struct weir__list sleepers; /* waits in weir__admission_sleep */
    struct weir__timer timer;   /* for the head of the queue */
    weir_shared *shared;        /* NULL: the limits are its own */
    struct weir__booking booking;  /* the slot that its head has in shared limits */
    struct weir__overall *overall; /* NULL: its holders are bounded by nothing but its own bound */
    struct weir__list overall_node;
    struct weir__blocked blocked;
    int64_t backoff_ns; /* slept in weir__admission_sleep by all */
    struct weir__limits limits;
    struct weir__class classes[WEIR__CLASSES]; /* the highest priority last */
};

/* A stay: the place in the order of arrival, and what was granted. Begin with all zero but for what
 * is marked "in"; a retry that enters again with the same stay keeps its age. */
struct weir__stay {
    bool counted;         /* in: among the holders, until weir__admission_leave */
    bool learns;          /* in: _leave or _heard tells how it went, so that the limiter learns */
    int priority;         /* in: within WEIR_PRIORITY_MAX */
    int64_t max_pause_ns; /* in: when the gate closes for longer the stay ends with
                             WEIR_EPAUSED; 0: never */
    struct weir__amounts want;  /* in: tokens; the requests are an argument of _enter */
    uint64_t ticket;            /* 0: not drawn yet */
    struct weir__amounts taken; /* by the last grant */
    int64_t admitted_ns;        /* the last grant, */
    int64_t taken_ns;           /* and as of when the limits were taken from: not later */
    uint64_t mark;              /* of shared limits */
    struct weir__sent sent;     /* of what is learned */
    int64_t blocked_ns[WEIR__BLOCKED_KINDS]; /* waited so long, by enum weir_blocked; all entries */
};

/* As weir_limiter_acquire. */
int weir__admission_enter(weir_limiter *limiter, struct weir__stay *stay, uint64_t requests);

/* As weir_limiter_try: 0 when granted, WEIR_EBUSY when it would have to wait. */
int weir__admission_try(weir_limiter *limiter, struct weir__stay *stay, uint64_t amount);

/* The end of a use: by its owner, by a client, by a call. */
void weir__admission_let_go(weir_limiter *limiter);

/* What the stay turned out to have cost in tokens; < 0: unknown, the estimate stands. Before
 * weir__admission_leave. */
void weir__admission_settle(weir_limiter *limiter, struct weir__stay *stay, int64_t tokens);

/* Ends a stay and says how it went, and what the answer told of limits; NULL: nothing. */
enum weir__went {
    WEIR__WENT_UNUSED,    /* nothing was sent: requests and tokens come back */
    WEIR__WENT_ANSWERED,  /* the server took it */
    WEIR__WENT_THROTTLED, /* the server said "too fast": the tokens come back */
    WEIR__WENT_UNKNOWN,   /* no answer: neither good nor bad for the gate */
};
void weir__admission_leave(weir_limiter *limiter, struct weir__stay *stay, enum weir__went went,
                           const struct weir__told *told);

/* Settles, leaves and lets go. Once the limiter's runtime has ended, the last of these alone; and
 * nothing, false, where that goes on elsewhere. */
bool weir__admission_end(weir_limiter *limiter, struct weir__stay *stay, enum weir__went went,
                         int64_t tokens);

/* Says so before the end, for what goes on after its answer has begun: _leave is told
 * WEIR__WENT_UNKNOWN then. */
void weir__admission_heard(weir_limiter *limiter, const struct weir__stay *stay,
                           enum weir__went went, const struct weir__told *told);

/* Holds nothing and sleeps until when_ns. 0, WEIR_ECANCELED, or WEIR_ECLOSED as soon as the limiter
 * closes. */
int weir__admission_sleep(weir_limiter *limiter, int64_t when_ns);

/* The same with a wait that the caller has begun, so that others may end it earlier. */
int weir__admission_sleep_in(weir_limiter *limiter, struct weir__wait *wait, int64_t when_ns);

/* The earliest time at which the stay, which has a ticket, could be admitted (again) as far as
 * known: what it takes to refuse at once rather than wait for a deadline. */
int64_t weir__admission_earliest_ns(const weir_limiter *limiter, const struct weir__stay *stay,
                                    uint64_t requests);

/* ---- between the files of this layer ---- */

/* 0, WEIR_ECLOSED, WEIR_ENEVER. */
int weir__queue_check(const weir_limiter *limiter, const struct weir__amounts *want);

/* Grants now, without waiting, or WEIR_EBUSY. */
int weir__queue_enter_now(weir_limiter *limiter, struct weir__stay *stay);

/* The stay at the head; NULL: nobody waits. */
const struct weir__stay *weir__queue_head(const weir_limiter *limiter);

/* The earliest time by gate and limits, with nobody before it. */
int64_t weir__queue_slot_ns(const weir_limiter *limiter, const struct weir__amounts *ahead,
                            const struct weir__amounts *want);

/* By what was learned, for a stay that learns; INT64_MIN: no bound. */
int64_t weir__queue_learned_ns(const weir_limiter *limiter, const struct weir__stay *stay,
                               int64_t now_ns);
bool weir__queue_has_place(const weir_limiter *limiter, const struct weir__stay *stay);

/* After a change of anything: grants what can be granted. */
void weir__queue_pump(weir_limiter *limiter);
void weir__queue_time_came(struct weir__timer *timer);
void weir__queue_close(weir_limiter *limiter); /* everybody gets WEIR_ECLOSED */
void weir__queue_limits_changed(weir_limiter *limiter);
void weir__queue_release(weir_limiter *limiter, int64_t admitted_ns);
void weir__queue_close_gate(weir_limiter *limiter, int64_t open_ns, int64_t now_ns);

/* The time up to now_ns goes to what has held the head back; before `waiting` changes. */
void weir__blocked_tick(weir_limiter *limiter, int64_t now_ns);

#endif
