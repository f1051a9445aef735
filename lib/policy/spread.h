/* Spreads requests by what a server tells of one of its limits: "so many left, all again in so
 * long". Pure functions of (state, now). docs/design/learning.md tells the method.
 *
 * Two kinds of limit say the same words. A window gives all of its quota back at one instant, so
 * what is left is spread evenly until then. A bucket refills steadily, so its rate is known at once
 * and what is left is only kept from running out. Which one it is shows in how the numbers move. */
#ifndef WEIR_POLICY_SPREAD_H
#define WEIR_POLICY_SPREAD_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/sent.h"
#include "policy/told.h"

/* What was told by an answer, seen from when its request was sent. */
struct weir__snapshot {
    struct weir__sent sent;
    int64_t remaining, reset_ns; /* reset_ns -1: not told */
};

struct weir__spread {
    enum weir__unit unit;
    bool known; /* something usable was told */
    int64_t told_window_ms;
    int64_t limit, window_ns, step_ns; /* window_ns 0: not known */
    int64_t full;                      /* the most that was seen when all should have been there */
    unsigned emptier;                  /* how often in a row that was less than half of the limit */
    int votes;                         /* > 0: a bucket, else a window */
    unsigned rolls;                    /* windows that were seen to end */
    struct weir__snapshot anchor;      /* an older one, to compare with */
    struct weir__snapshot last;        /* by the newest request of which there is an answer */

    /* What is believed to be left, and when. */
    double left;
    uint64_t total; /* of what was sent is counted in `left` */
    int64_t at_ns;
    double rate;   /* of a bucket, per ns; 0: not known */
    double others; /* what they take, per ns */

    /* The window: all is there again at roll_ns or before. */
    int64_t roll_ns;      /* as told, narrowed by each answer */
    int64_t early_ns;     /* by how much windows have been seen to roll before that */
    int64_t was_early_ns; /* the last window did; once is no rule */
    bool predicted;       /* the present window began by the clock, no answer has shown it */

    int64_t next_ns;
};

/* Whether a quota makes sense and says enough. */
bool weir__spread_is_usable(const struct weir__quota *quota);

/* What an answer to `sent` told. Answers to older requests than the newest heard
 * of are ignored, and so are numbers that contradict themselves. refused: it was a "too fast". */
void weir__spread_told(struct weir__spread *spread, const struct weir__quota *quota,
                       struct weir__sent sent, bool refused);

/* The earliest time for an amount, `total` having been sent so far; may lie in the past. */
int64_t weir__spread_slot_ns(const struct weir__spread *spread, uint64_t total, uint64_t amount);

/* `amount` is sent as of at_ns. sent: the whole of what was sent, with it. brake: it is spread
 * elsewhere, and here only kept from being used up. */
void weir__spread_take(struct weir__spread *spread, uint64_t amount, struct weir__sent sent,
                       bool brake);

/* It was not sent after all. */
void weir__spread_unsent(struct weir__spread *spread, uint64_t amount, struct weir__sent sent);

/* What is left at now_ns, and when there is more; its rate in steady flow, 0: not known. */
uint64_t weir__spread_remaining(const struct weir__spread *spread, uint64_t total, int64_t now_ns);
int64_t weir__spread_reset_ns(const struct weir__spread *spread);
double weir__spread_per_ns(const struct weir__spread *spread);

/* Whether it is known how the limit comes back. */
bool weir__spread_is_settled(const struct weir__spread *spread);

/* Until it is used up its word counts: not for ever, if no answer renews it. */
bool weir__spread_is_fresh(const struct weir__spread *spread, int64_t now_ns);

#endif
