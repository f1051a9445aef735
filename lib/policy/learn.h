/* A limit that nobody configured: found by what the server tells of it (spread.h), and where it
 * tells nothing or contradicts itself, by its refusals (seek.h). One more limit beside the
 * configured ones: it says when the next request may go. Pure functions of (state, now). */
#ifndef WEIR_POLICY_LEARN_H
#define WEIR_POLICY_LEARN_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/seek.h"
#include "policy/spread.h"

#define WEIR__LEARN_SPREADS 4

struct weir__learn {
    bool capped;  /* a configured rate is the ceiling: learning only brakes */
    bool doubted; /* one was refused since that rate was set: the server's word leads below it */
    struct weir__seek seek;
    struct weir__spread spreads[WEIR__LEARN_SPREADS];
    unsigned spread_count;
    struct weir__amounts total; /* sent */
    double wrong;               /* refusals of late, in spite of the server's word */
    uint64_t wrong_serial;
    int64_t until_ns; /* nobody goes before: what the server asked for */
};

/* ceiling_per_s: of the configured limits; 0: there are none. */
void weir__learn_init(struct weir__learn *learn, double ceiling_per_s);

/* A rate was configured later, or taken away. */
void weir__learn_set_ceiling(struct weir__learn *learn, double ceiling_per_s);

/* The earliest time for a request that takes these amounts; may lie in the past. */
int64_t weir__learn_slot_ns(const struct weir__learn *learn, const struct weir__amounts *amounts,
                            int64_t now_ns);

/* The same as far as it is sure: without what the next answer may end at any time. */
int64_t weir__learn_earliest_ns(const struct weir__learn *learn,
                                const struct weir__amounts *amounts, int64_t now_ns);

/* It is sent as of at_ns, not before the slot. What is returned belongs to the request. */
struct weir__sent weir__learn_take(struct weir__learn *learn, const struct weir__amounts *amounts,
                                   int64_t at_ns);

/* It was not sent after all; amounts as when it was taken. */
void weir__learn_unsent(struct weir__learn *learn, const struct weir__amounts *amounts,
                        struct weir__sent sent);

/* An answer that was not "too fast". told may be NULL. */
void weir__learn_accepted(struct weir__learn *learn, struct weir__sent sent,
                          const struct weir__told *told, int64_t now_ns);

/* "Too fast"; told->wait_ms is the pause that the server asks for. */
void weir__learn_throttled(struct weir__learn *learn, struct weir__sent sent,
                           const struct weir__told *told, int64_t now_ns, struct weir__rand *rand);

/* ---- what was learned ---- */

/* More than a guess: there is a pace to go on at behind a pause. */
bool weir__learn_knows(const struct weir__learn *learn);

/* The rate at which requests may go on, per second; 0: no bound is known. */
double weir__learn_per_s(const struct weir__learn *learn, int64_t now_ns);

/* Of the limits on requests that were told lately, the one of which the smallest part is left;
 * NULL: none was told. */
const struct weir__spread *weir__learn_told(const struct weir__learn *learn, int64_t now_ns);

#endif
