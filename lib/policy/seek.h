/* Finds the rate of a server that says nothing but "too fast": pure functions of (state, now).
 * docs/design/learning.md tells the method and what it was chosen from.
 *
 * Rates are doubles, requests per nanosecond, kept within bounds; times are int64 nanoseconds. A
 * rate is an estimate anyhow, and each slot is computed from the last one, so that no rounding adds
 * up. */
#ifndef WEIR_POLICY_SEEK_H
#define WEIR_POLICY_SEEK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/rand.h"
#include "policy/sent.h"

enum weir__seek_phase {
    WEIR__SEEK_OPEN = 0, /* never refused: doubles with each round */
    WEIR__SEEK_CLIMB,    /* doubles with each round up to a target */
    WEIR__SEEK_CRUISE,   /* around the believed limit */
};

#define WEIR__SEEK_MARKS 8

struct weir__seek {
    enum weir__seek_phase phase;
    bool eager;      /* no slow start: another limit holds the rate back, */
    int64_t held_ns; /* to one request in this time */
    double limit;    /* believed; 0: none yet */
    double counted;  /* the limit by what passed alone, at the last cut */
    double pace;     /* now; 0: no bound */
    double target;   /* where a climb ends */
    int64_t next_ns;
    struct weir__sent newest;

    /* How soon a refusal is known. */
    int64_t echo_ns;                           /* the shortest answer */
    int64_t refusal_ns, refusal_var_ns;        /* those of refusals, smoothed; 0: none came */
    struct weir__sent marks[WEIR__SEEK_MARKS]; /* sendings of late, in a ring */
    unsigned mark;
    struct weir__sent round; /* a climb's present round began behind it */

    /* A congestion epoch begins with a refusal that is news, and with a cut. */
    uint64_t epoch_serial; /* refusals up to here are no news */
    bool passed;           /* one that was sent behind it has been accepted */
    unsigned fails;        /* probes refused in a row */
    unsigned epoch_fails;  /* since the last cut */
    int64_t failed_ns;     /* when the last of them was sent */
    int64_t cut_ns;        /* when the one that led to the last cut was sent */
    double high;           /* the pace then */
    bool shut;             /* after the last cut it was closed for long, as a window is */

    struct weir__sent ref; /* the server's bucket was empty when this one arrived */
    uint64_t rejected;     /* of those sent behind it */
    uint64_t refused;      /* of all */
    double pool, pool_ns;  /* accepted between empty and empty, over the epochs that agree */
    int64_t open_ns;       /* when it last opened after it was shut */
    double open_total;     /* accepted until then; 0: never was shut */
    int64_t closed_ns;     /* how long it was shut the first time; 0: never was */
    int tight;             /* > 0: it saves nothing while the pace is low, as a bucket would */
    double tried;          /* the count over which the limit was raised on trial; 0: it was not */
    unsigned agreed;       /* counts in a row that agreed since then: it is a bucket */

    /* From one cut to the next. */
    double grown;                         /* requests at the pace */
    double span;                          /* of them from a cut to the plateau */
    double depth;                         /* of the cut, as a fraction */
    double thrift;                        /* lengthens the way while too many are refused */
    uint64_t cycle_refused, cycle_serial; /* at the cut */
    int64_t pause_ns;                     /* the longest pause a server asked for */
    bool rounded; /* the last one was a second, and may have been rounded up from nearly nothing */
    bool whole;   /* the last way to the plateau was gone to its end, and */
    double floor; /* the limit at which it was */
    double lost;  /* tokens that flowed during the last such pause */
};

/* ceiling_per_s: another limit holds the rate back to this, so nothing is held back here before a
 * refusal; 0: there is none. */
void weir__seek_init(struct weir__seek *seek, double ceiling_per_s);

/* The same later, when that limit comes or goes. */
void weir__seek_set_ceiling(struct weir__seek *seek, double ceiling_per_s);

/* The earliest time for the next request; may lie in the past. */
int64_t weir__seek_slot_ns(const struct weir__seek *seek);

/* The same, whatever answers come until then; INT64_MIN while the next one may end the wait. */
int64_t weir__seek_earliest_ns(const struct weir__seek *seek);

/* It is sent as of at_ns, which must not be before the slot. */
struct weir__sent weir__seek_take(struct weir__seek *seek, int64_t at_ns);

/* It was not sent after all. */
void weir__seek_unsent(struct weir__seek *seek, struct weir__sent sent);

/* An answer other than "too fast" came. */
void weir__seek_accepted(struct weir__seek *seek, struct weir__sent sent, int64_t now_ns);

/* "Too fast". server_wait_ns: what the server asks to wait, <= 0: it does not say. The pause is in
 * the slot. */
void weir__seek_throttled(struct weir__seek *seek, struct weir__sent sent, int64_t server_wait_ns,
                          int64_t now_ns, struct weir__rand *rand);

#endif
