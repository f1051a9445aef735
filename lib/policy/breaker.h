/* The circuit breaker: closed, open, half-open. Pure functions of (state, now). */
#ifndef WEIR_POLICY_BREAKER_H
#define WEIR_POLICY_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#include <weir/breaker.h>
#include <weir/http.h>

#include "base/rand.h"

enum { WEIR__BREAKER_SLICES = 10 };

struct weir__breaker {
    struct weir_breaker_opts policy;
    enum weir_circuit state; /* OPEN until an attempt is let through, whatever the time */
    uint64_t epoch;          /* counts the changes of state */
    int64_t open_until_ns;   /* of the present or last opening */
    int64_t open_for_ns;     /* its length */
    int64_t closed_at_ns;
    unsigned openings; /* in a row, for the length of the next */
    unsigned probing;
    uint64_t opened; /* in all */
    struct weir__slice {
        int64_t number; /* the time it stands for, in lengths of a slice */
        uint64_t calls, failures;
    } slices[WEIR__BREAKER_SLICES];
};

/* How an attempt went, as far as the circuit is concerned. */
enum weir__health { WEIR__HEALTH_UNKNOWN, WEIR__HEALTH_GOOD, WEIR__HEALTH_BAD };

/* rc: 0, or the code of an attempt that got no answer. A server's error may stand in the first
 * event of a stream, whose status is good. */
enum weir__health weir__breaker_judge(int rc, int status, enum weir_outcome outcome);

/* A closed circuit with every default filled in. WEIR_EINVAL for negative times, a share over 100,
 * open_ms over open_max_ms, a size of 0. */
int weir__breaker_init(struct weir__breaker *breaker, const struct weir_breaker_opts *opts);

/* When it would let an attempt through, as far as known: now or earlier, if it would now. */
int64_t weir__breaker_earliest_ns(const struct weir__breaker *breaker, int64_t now_ns);

/* Lets an attempt through, and it must then end with the *epoch it is given here; or false. */
bool weir__breaker_enter(struct weir__breaker *breaker, int64_t now_ns, uint64_t *epoch);

/* An attempt has ended. One that began before the state last changed says nothing about the present
 * one. Returns true if others may be let through now who were not before, or must wait longer. */
bool weir__breaker_leave(struct weir__breaker *breaker, uint64_t epoch, enum weir__health how,
                         int64_t now_ns, struct weir__rand *rand);

/* Fills state, calls, failures, opened, open_ms, probing. */
void weir__breaker_figures(const struct weir__breaker *breaker, int64_t now_ns,
                           struct weir_breaker_stats *stats);

#endif
