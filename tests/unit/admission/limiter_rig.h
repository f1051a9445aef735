/* What the tests of the limiter share: tasks that ask for their turn at a given time and note when
 * they got it. */
#ifndef WEIR_TESTS_LIMITER_RIG_H
#define WEIR_TESTS_LIMITER_RIG_H

#include <weir/limiter.h>

#include "base/clock.h"
#include "rig.h"

static inline weir_limiter *limiter_with(const struct weir_limiter_opts *opts)
{
    weir_limiter *limiter = NULL;
    check_int(weir_limiter_new(&limiter, opts), 0);
    return limiter;
}
#define LIMITER(...) limiter_with(WEIR_LIMITER_OPTS(__VA_ARGS__))

/* One turn asked for, in microseconds from the start of the test. */
struct ask {
    uint64_t amount;
    int64_t at_us;
    int64_t hold_ms; /* < 0: is not released */
    int rc;
    int64_t got_us; /* -1: never */
    weir_limiter *limiter;
    int64_t start_ns;
};

static inline int64_t us_since(int64_t start_ns)
{
    return (weir_now_ns() - start_ns) / 1000;
}

static inline int ask_run(void *arg)
{
    struct ask *ask = arg;
    ask->got_us = -1;
    ask->rc = ask->at_us > 0 ? weir_sleep_ms(ask->at_us / 1000) : 0;
    if (ask->rc == 0)
        ask->rc = weir_limiter_acquire(ask->limiter, ask->amount);
    if (ask->rc != 0)
        return ask->rc;
    ask->got_us = us_since(ask->start_ns);
    if (ask->hold_ms < 0)
        return 0;
    int rc = ask->hold_ms > 0 ? weir_sleep_ms(ask->hold_ms) : 0;
    weir_limiter_release(ask->limiter);
    return rc;
}

static inline void asks_spawn(weir_group *group, weir_limiter *limiter, struct ask *asks,
                              size_t count)
{
    for (size_t i = 0; i < count; i++) {
        asks[i].limiter = limiter;
        asks[i].start_ns = weir_now_ns();
        check(weir_spawn(group, ask_run, &asks[i]) != NULL);
    }
}

/* Runs them all to their end. */
static inline void asks_run(weir_limiter *limiter, struct ask *asks, size_t count)
{
    weir_group *group = rig_group();
    asks_spawn(group, limiter, asks, count);
    check_int(weir_gather(group), 0);
    check_int(weir_group_free(group), 0);
}

static inline struct weir_limiter_stats stats_of(const weir_limiter *limiter)
{
    struct weir_limiter_stats stats = {.size = sizeof stats};
    weir_limiter_stats(limiter, &stats);
    return stats;
}

#endif
