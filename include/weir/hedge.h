/* Hedged requests (J. Dean, L. A. Barroso: The Tail at Scale, CACM 56(2), 2013): when an answer is
 * late, the request is sent once more and the first good answer wins. It cuts the tail of a server
 * that is now and then slow, for a few per cent more load. It makes a server that is slow because
 * it is overloaded slower still, hence the budget, and costs money where answers are paid for.
 *
 * Only what may be sent twice is hedged (GET, PUT, ..., or .replay), and only if the limiter grants
 * the second sending without waiting: it takes its tokens and its place as any attempt. Whichever
 * comes second is cancelled and gives its place back, and its tokens if nothing of it was sent; it
 * may be carried out by the server all the same. */
#ifndef WEIR_HEDGE_H
#define WEIR_HEDGE_H

#include <stddef.h>
#include <stdint.h>

#include <weir/err.h>
#include <weir/opts.h>

/* With a client's hedging on, a transport is called in tasks of its own, not in the one that called
 * weir_request. Second sendings count as attempts, so with max_attempts = 1 there would be none:
 * WEIR_EINVAL. A request that was answered "too fast" is not hedged any more. */
struct weir_hedge_opts {
    size_t size;             /* set by WEIR_HEDGE_OPTS */
    int64_t delay_ms;        /* answers that take longer are late; with a percentile, its floor; 0:
                                none */
    unsigned percentile;     /* late is what takes longer than this share (in per cent, 50 to 99) of
                                the last thousand or so good answers; nothing is hedged before 100
                                of them are known. 0: 95, or none if delay_ms is given */
    unsigned budget_percent; /* second sendings per 100 first ones at most, 1 to 100; 0: 5. What is
                                not used is kept for up to 10 of them. */
};
#define WEIR_HEDGE_OPTS(...) WEIR__OPTS(weir_hedge_opts, __VA_ARGS__)

struct weir_hedge_stats {
    size_t size;           /* sizeof(struct weir_hedge_stats): set it before the call */
    uint64_t firsts;       /* sendings that might have been followed by a second one */
    uint64_t seconds;      /* that were */
    uint64_t won;          /* of these, whose answer was taken */
    uint64_t over_budget;  /* late ones that the budget did not allow a second for */
    uint64_t not_admitted; /* that the limiter, or the circuit breaker, did not */
    int64_t delay_ms;      /* what is late now; -1: not known yet */
};

#endif
