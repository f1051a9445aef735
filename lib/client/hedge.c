#include "client/hedge.h"

#include "base/mem.h"

int weir__hedger_new(struct weir__hedger **out, struct weir__rt *rt,
                     const struct weir_hedge_opts *opts)
{
    *out = NULL;
    if (opts == NULL)
        return 0;
    struct weir__hedger *hedger = weir__zalloc(sizeof *hedger);
    if (hedger == NULL)
        return WEIR_ENOMEM;
    int rc = weir__hedge_init(&hedger->hedge, opts);
    if (rc < 0) {
        weir__free(hedger);
        return rc;
    }
    hedger->rt = rt;
    *out = hedger;
    return 0;
}

/* A race under way. */
struct course {
    struct weir__hedger *hedger;
    struct weir__race *race;
    weir_group *group;
    weir_task *tasks[2];
    int64_t started_ns;
    unsigned running;
};

static bool start(struct course *course, int which)
{
    static const char *const names[] = {"request, first sending", "request, second sending"};
    struct weir__race *race = course->race;
    course->tasks[which] =
        weir_spawn_named(course->group, race->runners[which], race->arg, names[which]);
    course->running += course->tasks[which] != NULL;
    return course->tasks[which] != NULL;
}

static void try_second(struct course *course)
{
    struct weir__hedger *hedger = course->hedger;
    if (!weir__hedge_affords(&hedger->hedge)) {
        hedger->stats.over_budget++;
    } else if (!course->race->prepare_second(course->race->arg)) {
        hedger->stats.not_admitted++;
    } else if (start(course, 1)) {
        weir__hedge_spend(&hedger->hedge);
        hedger->stats.seconds++;
    }
}

/* Once the first one is late, the second follows. */
static int hedge(struct course *course)
{
    int64_t delay_ms = weir__hedge_delay_ms(&course->hedger->hedge);
    if (delay_ms < 0)
        return 0;
    int ended = weir_wait(course->group, WEIR_WAIT_FIRST_COMPLETED, delay_ms);
    if (ended == 0)
        try_second(course);
    return ended < 0 ? ended : 0;
}

/* The first one's time counts, as it is or as far as it was known when it was given up: if those
 * that are cut short did not count, the late ones would never be seen. */
static void learn(struct course *course, int winner)
{
    struct weir__hedger *hedger = course->hedger;
    weir__hedge_took(&hedger->hedge, weir__now_ns(hedger->rt) - course->started_ns);
    hedger->stats.won += winner == 1;
}

/* Until one wins, or all have ended. */
static int await_best(struct course *course)
{
    struct weir__race *race = course->race;
    enum weir__rank best = WEIR__RANK_NONE;
    while (course->running > 0 && best != WEIR__RANK_WINS) {
        weir_task *task = weir_as_completed(course->group);
        if (task == NULL)
            return WEIR_ECANCELED;
        course->running--;
        int which = task == course->tasks[1];
        enum weir__rank rank = race->rank(race->arg, which);
        if (rank > best) {
            best = rank;
            race->best = which;
        }
    }
    if (best == WEIR__RANK_WINS)
        learn(course, race->best);
    return best != WEIR__RANK_NONE ? 0 : weir_task_status(course->tasks[0]);
}

int weir__hedge_race(struct weir__hedger *hedger, struct weir__race *race)
{
    struct course course = {.hedger = hedger, .race = race, .started_ns = weir__now_ns(hedger->rt)};
    int rc = weir_group_new(&course.group, NULL);
    if (rc < 0)
        return rc;
    course.group->stacks = hedger->rt->current->group->stacks; /* the transport may need them */
    rc = start(&course, 0) ? 0 : WEIR_ENOMEM;
    if (rc == 0) {
        weir__hedge_earn(&hedger->hedge);
        hedger->stats.firsts++;
        rc = hedge(&course);
    }
    if (rc == 0)
        rc = await_best(&course);
    weir_group_free(course.group);
    return rc;
}

void weir__hedge_figures(const struct weir__hedger *hedger, struct weir_hedge_stats *stats)
{
    if (hedger == NULL)
        return;
    *stats = hedger->stats;
    stats->delay_ms = weir__hedge_delay_ms(&hedger->hedge);
}
