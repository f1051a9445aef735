/* Whether a server can be connected to, as the attempts on it show: a circuit of its own for each
 * server, which opens only for what was never sent. Pure functions of (state, now).
 *
 * Open means: its rows wait, and one at a time finds out whether it is back, 1 s after the first
 * failure, then after 2, 4, ... 30 s. Any sign of life closes it. */
#ifndef WEIR_CLI_OUTAGE_H
#define WEIR_CLI_OUTAGE_H

#include <stdbool.h>
#include <stdint.h>

struct outage {
    bool reached;     /* it could be connected to at least once */
    bool down;        /* not now */
    bool given_up;    /* down for too long: nobody waits for it any more */
    bool probing;     /* the one that finds out is under way */
    unsigned tries;   /* in vain, one after the other */
    int64_t heard_ms; /* the last sign of life */
    int64_t since_ms; /* down since */
    int64_t next_ms;  /* the next may find out */
    int64_t pause_ms; /* between two */
};

/* When it is given up: after max_ms, or, if it was never reached, after so many tries too, since
 * then its name is more likely wrong than it is away. */
struct outage_rules {
    int64_t max_ms;
    unsigned max_tries;
    bool spread; /* pauses are up to a quarter longer, so that runs which have lost the same server
                    do not come back together, nor one in step with a server that flaps */
};

enum outage_turn {
    OUTAGE_CLOSED,  /* send it */
    OUTAGE_PROBE,   /* send it, to find out: then outage_probed */
    OUTAGE_WAIT,    /* it is down */
    OUTAGE_GIVEN_UP /* it is down, and not waited for */
};

enum outage_turn outage_turn(struct outage *outage, int64_t now_ms);

/* An attempt came as far as the server. True: it was down until now. */
bool outage_heard(struct outage *outage, int64_t now_ms);

/* An attempt that began at began_ms could not connect; probe: it was to find out. False: the server
 * is there all the same, since others were heard of meanwhile. */
bool outage_missed(struct outage *outage, const struct outage_rules *rules, bool probe,
                   int64_t began_ms, int64_t now_ms);

/* Whether its rows may hold those for other servers back: for a minute, but not if it was never
 * there. */
bool outage_is_patient(const struct outage *outage, int64_t now_ms);

/* The probe is over, whatever came of it. */
void outage_probed(struct outage *outage);

#endif
