/* A bound on the holders of several limiters together. Whose head lacks nothing but a place here is
 * in a list, and places that are given back go round that list: a limiter with many who wait does
 * not keep the others out. A limiter without such a bound pays one branch. */
#ifndef WEIR_ADMISSION_OVERALL_H
#define WEIR_ADMISSION_OVERALL_H

#include "admission/admission.h"

struct weir__overall {
    size_t users; /* the set, its limiters: the last to let go frees it */
    uint64_t concurrency, holding;
    struct weir__list lacking; /* limiters, by overall_node */
};

/* One in *out, NULL when concurrency is 0. WEIR_ENOMEM. */
int weir__overall_new(struct weir__overall **out, uint64_t concurrency);
void weir__overall_let_go(struct weir__overall *overall); /* NULL: nothing */

/* Puts a new limiter under the bound. overall may be NULL. */
void weir__overall_join(weir_limiter *limiter, struct weir__overall *overall);
void weir__overall_part(weir_limiter *limiter);

static inline void weir__overall_take(weir_limiter *limiter, uint64_t holders)
{
    if (limiter->overall != NULL)
        limiter->overall->holding += holders;
}

static inline void weir__overall_give_back(weir_limiter *limiter)
{
    if (limiter->overall != NULL)
        limiter->overall->holding--;
}

/* The head of its queue has no place. It is listed if that is for want of one here. Returns
 * WEIR_BLOCKED_CONCURRENCY. */
enum weir_blocked weir__overall_lack(weir_limiter *limiter);

/* weir__queue_pump after a place was given back: those that lack one come first. */
void weir__overall_pump(weir_limiter *limiter);

#endif
