/* Two sendings of one request that race: the tasks and their end. What a sending is, its callers
 * know. */
#ifndef WEIR_CLIENT_HEDGE_H
#define WEIR_CLIENT_HEDGE_H

#include "policy/hedge.h"
#include "task/sched.h"

/* Of a client. */
struct weir__hedger {
    struct weir__rt *rt;
    struct weir__hedge hedge;
    struct weir_hedge_stats stats; /* its counts */
};

/* How good the end of a sending is. */
enum weir__rank {
    WEIR__RANK_NONE, /* it never began */
    WEIR__RANK_FAILED,
    WEIR__RANK_ANSWERED,
    WEIR__RANK_WINS,
};

/* Its two runners are the sendings, called in tasks of their own with `arg`. */
struct weir__race {
    void *arg;
    weir_task_fn runners[2];
    /* Makes the second sending ready, taking what it needs without waiting, or does nothing and
     * returns false. Whatever it took, its runner gives back, or the caller if it never ran. */
    bool (*prepare_second)(void *arg);
    /* Of the sending (0, 1), which has ended. One that wins ends the race. */
    enum weir__rank (*rank)(void *arg, int which);
    int best; /* whose end counts, filled by weir__hedge_race */
};

/* A hedger in *out, NULL when opts is. WEIR_EINVAL, WEIR_ENOMEM. Free it with weir__free. */
int weir__hedger_new(struct weir__hedger **out, struct weir__rt *rt,
                     const struct weir_hedge_opts *opts);

/* Runs the race to its end: both tasks are gone when it returns, whatever happens. 0,
 * WEIR_ECANCELED (the caller is cancelled), or WEIR_ENOMEM, WEIR_ENOSTACK: neither runner was
 * called. */
int weir__hedge_race(struct weir__hedger *hedger, struct weir__race *race);

/* Fills *stats but for its size. NULL: nothing. */
void weir__hedge_figures(const struct weir__hedger *hedger, struct weir_hedge_stats *stats);

#endif
