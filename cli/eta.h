/* How long the rest will take. Pure functions of (state, now).
 *
 * What counts is the pace of rows that were sent, over the time in which some could be: bad rows
 * cost nothing, neither those that are done nor those to come, of which there will be as many in a
 * hundred; and while all rows wait (for the end of a pause, for another attempt, for a server that
 * is away) the pace is not slower, it begins later. */
#ifndef WEIR_CLI_ETA_H
#define WEIR_CLI_ETA_H

#include <stdint.h>

#define ETA_UNKNOWN INT64_C(-1)

struct eta {
    int64_t last_ms;
    uint64_t last_sent;
    double per_s; /* smoothed; 0: none yet */
};

/* What is known of the run's rows at a moment. */
struct eta_rows {
    uint64_t total; /* 0: not known */
    uint64_t done;
    uint64_t sent;     /* of those, what was not bad */
    double most_per_s; /* the limit, as far as it is known; 0: none */
    int64_t held_ms;   /* until any can be sent again: 0 is now, ETA_UNKNOWN nobody knows */
};

void eta_begin(struct eta *eta, int64_t now_ms);

/* Looks again, and says how many ms are left, or ETA_UNKNOWN. */
int64_t eta_left_ms(struct eta *eta, const struct eta_rows *rows, int64_t now_ms);

#endif
