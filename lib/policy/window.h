/* A strict limit: never more than `rate` in any window of a period, whatever came before, where a
 * bucket lets burst + rate through. A log of what was taken, which slides with time. Pure functions
 * of (state, now).
 *
 * The log is a ring of cells. When it is full, what was taken within one part in 512 of the period
 * becomes one cell with the time of the last of it: it counts for a little longer than it must,
 * never for less. */
#ifndef WEIR_POLICY_WINDOW_H
#define WEIR_POLICY_WINDOW_H

#include <stddef.h>
#include <stdint.h>

enum { WEIR__WINDOW_CELLS = 1024 };

struct weir__window_cell {
    int64_t at_ns; /* of the last that was taken in it */
    uint64_t amount;
};

struct weir__window {
    uint64_t rate; /* per period */
    int64_t period_ns, margin_ns;
    uint64_t used; /* sum of the cells */
    uint32_t first, count, room;
    uint32_t unused_;
    struct weir__window_cell cells[]; /* a ring, by time */
};

/* The memory that a window of that rate takes: no more cells than it can fill. */
size_t weir__window_size(uint64_t rate);

/* How much longer a window must be for a server that others reach through a network: what arrives
 * may be closer together than what was sent. */
int64_t weir__window_margin_ns(int64_t period_ns);

/* An empty log in memory of _size(rate). rate and period_ns are positive. Windows are longer than
 * the period by margin_ns >= 0. */
void weir__window_init(struct weir__window *window, uint64_t rate, int64_t period_ns,
                       int64_t margin_ns);

/* The earliest time at which `ahead` for others and then `amount` (<= rate) fit. May lie in the
 * past. With others ahead it is a lower bound: see weir__bucket_slot_ns. */
int64_t weir__window_slot_ns(const struct weir__window *window, uint64_t ahead, uint64_t amount);

/* Takes amount at at_ns, which must be no earlier than its slot and than every take before. More
 * than fits (a debt) holds back all that come until it has left the window. */
void weir__window_take(struct weir__window *window, uint64_t amount, int64_t at_ns);

/* Gives back what was taken at taken_ns and was not used, if it still counts. */
void weir__window_refund(struct weir__window *window, uint64_t amount, int64_t taken_ns);

/* Copies the log of another one (all of it that still counts at now_ns). */
void weir__window_inherit(struct weir__window *window, const struct weir__window *from,
                          int64_t now_ns);

#endif
