/* Any function of the caller's, tried again: the waiting side of policy/backoff. */
#include <weir/retry.h>

#include <string.h>

#include "admission/retry.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/opts.h"
#include "policy/backoff.h"
#include "policy/budget.h"
#include "task/sched.h"

struct retrying {
    struct weir__rt *rt;
    const struct weir_retry_opts *policy;
    weir_task_fn fn;
    void *arg;
    struct weir_attempt attempt;
    struct weir_retry_stats *stats; /* the caller's */
};

static void tell(const struct retrying *retrying, enum weir_why why)
{
    const struct weir_attempt *attempt = &retrying->attempt;
    struct weir_retry_stats *stats = retrying->stats;
    if (stats == NULL)
        return;
    struct weir_retry_stats own = {
        .attempts = attempt->number,
        .why = why,
        .started_ms = attempt->started_ns / WEIR__NS_PER_MS,
        .elapsed_ms = attempt->elapsed_ns / WEIR__NS_PER_MS,
        .idle_ms = attempt->idle_ns / WEIR__NS_PER_MS,
    };
    weir__opts_fill(stats, sizeof own, &own); /* its size was looked at before the first attempt */
}

static int call(const struct retrying *retrying)
{
    weir_deadline limit;
    int64_t limit_ms = retrying->policy->attempt_timeout_ms;
    if (limit_ms == 0)
        return retrying->fn(retrying->arg);
    weir_deadline_begin_ms(&limit, limit_ms);
    int rc = retrying->fn(retrying->arg);
    int ended = weir_deadline_end(&limit, rc);
    return ended == WEIR_ETIMEDOUT && rc == WEIR_ECANCELED ? WEIR_EATTEMPTTIME : ended;
}

static enum weir_why attempt_once(struct retrying *retrying, enum weir_why before, int64_t *wait_ns)
{
    struct weir_attempt *attempt = &retrying->attempt;
    struct weir__rt *rt = retrying->rt;
    weir__retry_begin(retrying->policy, attempt, weir__now_ns(rt));
    tell(retrying, before);
    attempt->rc = call(retrying);
    attempt->outcome = attempt->rc < 0 ? WEIR_OUTCOME_FAILED : WEIR_OUTCOME_OK;
    struct weir__retry_bounds bounds = {.now_ns = weir__now_ns(rt),
                                        .deadline_ns = weir__deadline_ns(rt->current)};
    weir__retry_ended(attempt, bounds.now_ns);
    if (attempt->rc < 0 && weir__cancel_pending(rt->current))
        return WEIR_WHY_CANCELED;
    enum weir_why why = weir__retry_decide_function(retrying->policy, attempt, &rt->rand, wait_ns);
    return weir__retry_afford(retrying->policy, attempt, why, &bounds, wait_ns);
}

/* A wait of nothing lets others run, too. */
static int sleep_ns(struct weir__rt *rt, int64_t wait_ns)
{
    struct weir__wait wait;
    if (wait_ns == 0)
        return weir_yield();
    int rc = weir__wait_begin(&wait);
    return rc < 0 ? rc : weir__park_until(&wait, NULL, weir__ns_add(weir__now_ns(rt), wait_ns));
}

static int run(struct retrying *retrying)
{
    enum weir_why why = WEIR_WHY_WELL;
    int64_t wait_ns = 0;
    while (why = attempt_once(retrying, why, &wait_ns), tell(retrying, why), weir_why_again(why)) {
        int rc = sleep_ns(retrying->rt, wait_ns);
        if (rc < 0) {
            weir__retry_undo(retrying->policy, &retrying->attempt);
            tell(retrying, WEIR_WHY_CANCELED);
            return rc;
        }
    }
    return weir__retry_give_up(retrying->policy, &retrying->attempt, why);
}

static int run_within(struct retrying *retrying, int64_t timeout_ms)
{
    weir_deadline limit;
    if (timeout_ms == 0)
        return run(retrying);
    weir_deadline_begin_ms(&limit, timeout_ms);
    return weir_deadline_end(&limit, run(retrying));
}

int weir_retry(const struct weir_retry_opts *opts, weir_task_fn fn, void *arg,
               struct weir_retry_stats *stats)
{
    static const struct weir_retry_stats no_stats;
    struct weir_retry_opts policy;
    struct retrying retrying = {.rt = weir__rt(),
                                .policy = &policy,
                                .fn = fn,
                                .arg = arg,
                                .stats = stats,
                                .attempt = {.server_wait_ms = -1, .replay = 1}};
    if (retrying.rt == NULL || retrying.rt->current == NULL)
        return WEIR_ENORUNTIME;
    int rc = weir__retry_init(&policy, opts);
    if (rc < 0 || fn == NULL ||
        (stats != NULL && weir__opts_fill(stats, sizeof no_stats, &no_stats) < 0))
        return WEIR_EINVAL;
    if (policy.budget != NULL)
        policy.budget->users++;
    rc = run_within(&retrying, policy.timeout_ms);
    if (policy.budget != NULL)
        weir__retry_budget_let_go(policy.budget);
    return rc;
}

/* ---- budgets ---- */

int weir_retry_budget_new(weir_retry_budget **out, const struct weir_retry_budget_opts *opts)
{
    struct weir_retry_budget budget;
    *out = NULL;
    int rc = weir__budget_init(&budget, opts);
    if (rc < 0)
        return rc;
    weir_retry_budget *own = weir__alloc(sizeof *own);
    if (own == NULL)
        return WEIR_ENOMEM;
    *own = budget;
    own->users = 1;
    *out = own;
    return 0;
}

void weir__retry_budget_let_go(weir_retry_budget *budget)
{
    if (--budget->users == 0)
        weir__free(budget);
}

void weir_retry_budget_free(weir_retry_budget *budget)
{
    if (budget != NULL)
        weir__retry_budget_let_go(budget);
}

int weir_retry_budget_stats(const weir_retry_budget *budget, struct weir_retry_budget_stats *stats)
{
    struct weir__rt *rt = weir__rt();
    struct weir_retry_budget_stats own = {
        .available = weir__budget_available(budget, rt != NULL ? weir__now_ns(rt) : budget->at_ns),
        .retries = budget->retries,
        .refused = budget->refused,
    };
    return weir__opts_fill(stats, sizeof own, &own);
}
