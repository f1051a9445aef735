/* The gate: one pause for all that share a limit, with a gentle start behind it. Pure functions of
 * (state, now). A zeroed struct is an open gate. */
#ifndef WEIR_POLICY_GATE_H
#define WEIR_POLICY_GATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/rand.h"

struct weir__gate {
    int64_t open_ns;      /* closed before this time; 0: never was closed */
    int64_t closed_at_ns; /* when the present congestion epoch began; requests admitted up to here
                             belong to earlier ones */
    unsigned epochs;      /* epochs in a row without a success between them */
    uint64_t window;      /* holders allowed: 1 after a pause, doubled by each success; 0: no
                             bound */
};

/* An answer said "too fast". sent_ns: when its request was admitted; server_wait_ns: what the
 * server asked for, <= 0: nothing. A request admitted after the last epoch began begins a new one:
 * it closes the gate and cuts the window to 1. One admitted before is of the same congestion: it
 * can only lengthen the pause (or pause again) to what its server_wait asks for, and cuts nothing.
 * Without a server's wait the pause is full jitter in (0, min(30 s, 250 ms * 2^epochs)], at least
 * 50 ms. A server's wait gets no jitter: the bucket or the window behind the gate spreads.
 * Returns true if the gate's state changed. */
bool weir__gate_throttled(struct weir__gate *gate, int64_t sent_ns, int64_t server_wait_ns,
                          int64_t now_ns, struct weir__rand *rand);

/* Closes it until at least open_ns: the caller's wish, so an epoch begins but is not counted.
 * Returns true if it is closed now for longer than before. */
bool weir__gate_close(struct weir__gate *gate, int64_t open_ns, int64_t now_ns);

/* The same without a gentle start behind it: something else knows the pace. */
bool weir__gate_hold(struct weir__gate *gate, int64_t open_ns, int64_t now_ns);

/* An answer other than "too fast" came for a request admitted at sent_ns; those of an earlier epoch
 * say nothing about this one. Returns true if the window grew. */
bool weir__gate_success(struct weir__gate *gate, int64_t sent_ns);

/* Holders allowed at now_ns who were admitted in this epoch; 0: no bound. The window doubles with
 * each second since the gate opened, too: answers may be slow, and one that never comes must not
 * hold everything back. */
uint64_t weir__gate_window(const struct weir__gate *gate, int64_t now_ns);

/* When the window next grows by itself; INT64_MAX: never. */
int64_t weir__gate_grows_ns(const struct weir__gate *gate, int64_t now_ns);

#endif
