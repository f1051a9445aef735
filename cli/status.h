/* The words of the status line. Pure: what it is made of comes as facts.
 *
 * Where the terminal is too narrow for all of it, the least important goes first: the retries, the
 * answers of "too fast", the percentage, the long words of the limit, what is in flight, the speed,
 * the limit's server, the failed rows, the time that is left, the total. What holds the run up
 * and the rows that are done stay, and are cut at the end if that does not help. */
#ifndef WEIR_CLI_STATUS_H
#define WEIR_CLI_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/limiter.h>

#define STATUS_ROOM 512

struct status {
    uint64_t rows, total; /* total 0: not known */
    bool estimated;       /* the total is */
    uint64_t failed, retries, throttled;
    size_t in_flight;
    double per_s;
    int64_t left_ms;    /* less than 0: cannot be said */
    const char *away;   /* the server that rows wait for, longest; NULL: none */
    size_t away_count;  /* servers that are away */
    int64_t away_ms;    /* for so long */
    bool one_is_there;  /* another server, meanwhile */
    bool input_is_slow; /* rows could be sent, and there are none */
    const char *server; /* that the limit is of; NULL: there is but one */
    struct weir_limiter_stats limit;
};

/* In dst (STATUS_ROOM bytes), which it returns: at most `columns` characters; 0: all of it. */
char *status_line(char *dst, const struct status *status, size_t columns);

/* How long nothing can be sent for: 0, ms, or ETA_UNKNOWN. backing_off: rows that were sent wait
 * for another attempt. */
int64_t status_held_ms(const struct status *status, bool backing_off);

#endif
