/* Timers in order of time, those of one time in order of their start. A pairing heap (Fredman,
 * Sedgewick, Sleator, Tarjan 1986): it needs no memory of its own, so starting a timer cannot
 * fail. */
#ifndef WEIR_BASE_TIMER_H
#define WEIR_BASE_TIMER_H

#include <stdbool.h>
#include <stdint.h>

struct weir__timer {
    int64_t when_ns;
    uint64_t seq;
    struct weir__timer *child, *next, *prev; /* prev: left sibling, or parent of a first child */
    void (*fire)(struct weir__timer *timer);
    bool armed;
};

struct weir__timers {
    struct weir__timer *root;
    uint64_t seq;
};

/* Prepares a timer; fire is called once it is due, after the timer was taken out. */
static inline void weir__timer_init(struct weir__timer *timer, void (*fire)(struct weir__timer *))
{
    *timer = (struct weir__timer){.fire = fire};
}

/* Starts the timer, or moves it if it is running already. */
void weir__timer_start(struct weir__timers *timers, struct weir__timer *timer, int64_t when_ns);
void weir__timer_stop(struct weir__timers *timers, struct weir__timer *timer); /* if running */

/* When the next one is due; INT64_MAX: none. */
int64_t weir__timers_next_ns(const struct weir__timers *timers);

/* Takes out and returns the next timer due at now_ns or before; NULL: none. */
struct weir__timer *weir__timers_pop(struct weir__timers *timers, int64_t now_ns);

#endif
