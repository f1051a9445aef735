#include "policy/backoff.h"

#include <limits.h>

#include "base/clock.h"
#include "base/opts.h"
#include "policy/budget.h"
#include "policy/rule.h"

enum {
    DEFAULT_ATTEMPTS = 5,
    DEFAULT_THROTTLED = 100,
    DEFAULT_BASE_MS = 500,
    DEFAULT_MAX_MS = 30000,
    DEFAULT_SERVER_WAIT_MAX_MS = 600000,
    DOUBLES = 200, /* percent */
};

static void default_ms(int64_t *time_ms, int64_t when_zero_ms)
{
    if (*time_ms == 0)
        *time_ms = when_zero_ms;
}

static bool any_negative(const struct weir_retry_opts *policy)
{
    return policy->max_elapsed_ms < 0 || policy->backoff_base_ms < 0 ||
           policy->backoff_max_ms < 0 || policy->server_wait_max_ms < 0 || policy->timeout_ms < 0 ||
           policy->attempt_timeout_ms < 0;
}

static bool contradicts_itself(const struct weir_retry_opts *policy)
{
    bool backoff = policy->backoff_base_ms != 0 || policy->backoff_max_ms != 0;
    return (weir__rule_given(&policy->wait.rule) && backoff) ||
           (weir__rule_given(&policy->retry.rule) && policy->retry_if != NULL);
}

static void fill_defaults(struct weir_retry_opts *policy)
{
    bool own_stop = weir__rule_given(&policy->stop.rule);
    if (policy->max_attempts == 0)
        policy->max_attempts = own_stop ? UINT_MAX : DEFAULT_ATTEMPTS;
    if (policy->max_throttled == 0)
        policy->max_throttled = DEFAULT_THROTTLED;
    default_ms(&policy->backoff_base_ms, DEFAULT_BASE_MS);
    default_ms(&policy->backoff_max_ms, DEFAULT_MAX_MS);
    default_ms(&policy->server_wait_max_ms, DEFAULT_SERVER_WAIT_MAX_MS);
    if (!own_stop)
        policy->stop = weir_stop_never();
    if (!weir__rule_given(&policy->wait.rule))
        policy->wait = weir_wait_random_exponential_ms(policy->backoff_base_ms, DOUBLES, 0,
                                                       policy->backoff_max_ms);
    if (!weir__rule_given(&policy->retry.rule))
        policy->retry = weir_retry_if_default();
}

int weir__retry_init(struct weir_retry_opts *policy, const struct weir_retry_opts *opts)
{
    int rc = weir__opts_copy(policy, sizeof *policy, opts);
    if (rc < 0)
        return rc;
    if (any_negative(policy) || contradicts_itself(policy))
        return WEIR_EINVAL;
    if (policy->stop.rule.error != 0 || policy->wait.rule.error != 0 ||
        policy->retry.rule.error != 0)
        return WEIR_EINVAL;
    fill_defaults(policy);
    return policy->backoff_base_ms > policy->backoff_max_ms ? WEIR_EINVAL : 0;
}

int64_t weir__backoff_ceiling_ms(int64_t base_ms, int64_t max_ms, unsigned attempt)
{
    return weir__exponential_ns(base_ms, DOUBLES, attempt, 0, max_ms); /* in whatever unit */
}

/* ---- retry? ---- */

static bool unsent_or_replayable(const struct weir_attempt *attempt)
{
    return attempt->sent == WEIR_SENT_NEVER || attempt->replay != 0;
}

/* A server that answers so has not acted on the request: it gave up waiting for it, met a conflict
 * or would not take it yet. Behind other 5xx the work may have been done. */
static bool refused_unread(int status)
{
    return status == 408 || status == 409 || status == 425 || status == 503;
}

static bool failure_may_pass(const struct weir_attempt *attempt)
{
    switch (attempt->rc) {
    case WEIR_ERESOLVE:
    case WEIR_ECONNECT:
        return true; /* nothing can have been sent */
    case WEIR_ETLS:  /* cut short, as a busy server does; but ECERT stays as it is */
    case WEIR_ERESET:
    case WEIR_EATTEMPTTIME:
    case WEIR_EIDLE:
    case WEIR_ETRANSFER:
        return unsent_or_replayable(attempt);
    case WEIR_EPROTO:
        return attempt->replay != 0; /* something answered, so something was sent */
    default:
        return false;
    }
}

bool weir__attempt_is_safe(const struct weir_attempt *attempt)
{
    return unsent_or_replayable(attempt) || attempt->outcome == WEIR_OUTCOME_THROTTLED ||
           attempt->outcome == WEIR_OUTCOME_CLIENT_ERROR || refused_unread(attempt->status);
}

static enum weir_why rule_for_failures(const struct weir_attempt *attempt)
{
    struct weir_attempt replayable = *attempt;
    replayable.replay = 1;
    if (failure_may_pass(attempt))
        return WEIR_WHY_AGAIN;
    return failure_may_pass(&replayable) ? WEIR_WHY_NOT_SAFE : WEIR_WHY_NOT_HELPFUL;
}

/* weir's own rule for requests. */
static enum weir_why own_rule(const struct weir_attempt *attempt)
{
    if (attempt->outcome == WEIR_OUTCOME_OK)
        return WEIR_WHY_WELL;
    if (attempt->verdict == WEIR_VERDICT_FINAL)
        return WEIR_WHY_FINAL;
    if (attempt->outcome == WEIR_OUTCOME_THROTTLED)
        return WEIR_WHY_AGAIN_THROTTLED; /* refused before any work, whatever the method */
    if (attempt->outcome == WEIR_OUTCOME_FAILED)
        return rule_for_failures(attempt);
    if (attempt->verdict == WEIR_VERDICT_RETRY)
        return WEIR_WHY_AGAIN_TOLD;
    if (attempt->outcome == WEIR_OUTCOME_CLIENT_ERROR)
        return WEIR_WHY_NOT_HELPFUL;
    return attempt->replay != 0 || refused_unread(attempt->status) ? WEIR_WHY_AGAIN
                                                                   : WEIR_WHY_NOT_SAFE;
}

static enum weir_why own_rule_for_functions(const struct weir_attempt *attempt)
{
    if (attempt->rc >= 0)
        return WEIR_WHY_WELL;
    return attempt->rc == WEIR_ECANCELED ? WEIR_WHY_NOT_HELPFUL : WEIR_WHY_AGAIN;
}

/* own: what weir's own rule says. */
static enum weir_why wanted(const struct weir_retry_opts *policy, struct weir_attempt *attempt,
                            enum weir_why own)
{
    if (attempt->rc == WEIR_EAGAIN)
        own = WEIR_WHY_AGAIN_ASKED;
    attempt->retry = weir_why_again(own);
    if (own == WEIR_WHY_AGAIN_ASKED || (own == WEIR_WHY_FINAL && policy->retry_if == NULL))
        return own;
    bool yes = policy->retry_if != NULL ? policy->retry_if(attempt, policy->retry_if_arg) != 0
                                        : weir__rule_retries(&policy->retry, attempt);
    if (yes == (attempt->retry != 0))
        return own;
    return yes ? WEIR_WHY_AGAIN_RULE : WEIR_WHY_RULE;
}

/* ---- wait, stop? ---- */

/* A 429 says nothing against the request: it must not use up what is meant for failures. */
static bool used_up(const struct weir_retry_opts *policy, const struct weir_attempt *attempt)
{
    if (attempt->outcome == WEIR_OUTCOME_THROTTLED && policy->max_attempts > 1)
        return attempt->throttled >= policy->max_throttled;
    return attempt->number - attempt->throttled >= policy->max_attempts ||
           policy->max_attempts == 1;
}

static bool out_of_time(const struct weir_retry_opts *policy, const struct weir_attempt *attempt,
                        int64_t delay_ns)
{
    return policy->max_elapsed_ms > 0 &&
           weir__ns_add(attempt->elapsed_ns, delay_ns) >= weir__ms_to_ns(policy->max_elapsed_ms);
}

/* Who was throttled waits at the gate, which is closed for as long as the server asked. */
static enum weir_why wait_or_stop(const struct weir_retry_opts *policy,
                                  const struct weir_attempt *attempt, enum weir_why why,
                                  struct weir__rand *rand, int64_t *wait_ns)
{
    bool gated = attempt->outcome == WEIR_OUTCOME_THROTTLED;
    if (used_up(policy, attempt))
        return gated && policy->max_attempts > 1 ? WEIR_WHY_THROTTLED : WEIR_WHY_ATTEMPTS;
    if (attempt->server_wait_ms > policy->server_wait_max_ms)
        return WEIR_WHY_SERVER_WAIT;
    int64_t floor_ns = attempt->server_wait_ms > 0 ? weir__ms_to_ns(attempt->server_wait_ms) : 0;
    int64_t own_ns = gated ? 0 : weir__rule_wait_ns(&policy->wait, attempt, rand);
    int64_t delay_ns = weir__ns_add(floor_ns, own_ns);
    if (out_of_time(policy, attempt, delay_ns))
        return WEIR_WHY_ELAPSED;
    if (weir__rule_stops(&policy->stop, attempt, delay_ns))
        return WEIR_WHY_STOP;
    *wait_ns = gated ? 0 : delay_ns;
    return why;
}

static enum weir_why decide(const struct weir_retry_opts *policy, struct weir_attempt *attempt,
                            enum weir_why own, struct weir__rand *rand, int64_t *wait_ns)
{
    *wait_ns = 0;
    enum weir_why why = wanted(policy, attempt, own);
    if (weir_why_again(why)) {
        if (policy->after != NULL)
            policy->after(attempt, policy->hook_arg);
        return wait_or_stop(policy, attempt, why, rand, wait_ns);
    }
    bool taken = attempt->outcome == WEIR_OUTCOME_OK ||
                 attempt->outcome == WEIR_OUTCOME_CLIENT_ERROR; /* the server works */
    if (policy->budget != NULL && taken)
        weir__budget_deposit(policy->budget);
    return why;
}

enum weir_why weir__retry_decide(const struct weir_retry_opts *policy, struct weir_attempt *attempt,
                                 struct weir__rand *rand, int64_t *wait_ns)
{
    return decide(policy, attempt, own_rule(attempt), rand, wait_ns);
}

enum weir_why weir__retry_decide_function(const struct weir_retry_opts *policy,
                                          struct weir_attempt *attempt, struct weir__rand *rand,
                                          int64_t *wait_ns)
{
    return decide(policy, attempt, own_rule_for_functions(attempt), rand, wait_ns);
}

/* ---- around it ---- */

void weir__retry_begin(const struct weir_retry_opts *policy, struct weir_attempt *attempt,
                       int64_t now_ns)
{
    if (attempt->number++ == 0)
        attempt->started_ns = now_ns;
    attempt->elapsed_ns = now_ns - attempt->started_ns;
    if (policy->before != NULL)
        policy->before(attempt, policy->hook_arg);
}

bool weir__retry_allows_two(const struct weir_retry_opts *policy,
                            const struct weir_attempt *attempt)
{
    struct weir_attempt next = *attempt;
    next.number++;
    return !used_up(policy, &next) && !weir__rule_stops(&policy->stop, &next, 0);
}

/* Refused now, with the last real outcome, rather than after the wait. */
static enum weir_why in_time(const struct weir_retry_opts *policy,
                             const struct weir_attempt *attempt, enum weir_why why,
                             const struct weir__retry_bounds *bounds, int64_t wait_ns)
{
    int64_t start_ns = weir__ns_add(bounds->now_ns, wait_ns);
    if (bounds->turn_ns > start_ns)
        start_ns = bounds->turn_ns;
    if (start_ns >= bounds->deadline_ns && bounds->deadline_ns != INT64_MAX)
        return WEIR_WHY_DEADLINE;
    return out_of_time(policy, attempt, start_ns - bounds->now_ns) ? WEIR_WHY_ELAPSED : why;
}

static bool costs(const struct weir_retry_opts *policy, const struct weir_attempt *attempt)
{
    return policy->budget != NULL && attempt->outcome != WEIR_OUTCOME_THROTTLED;
}

enum weir_why weir__retry_afford(const struct weir_retry_opts *policy, struct weir_attempt *attempt,
                                 enum weir_why why, const struct weir__retry_bounds *bounds,
                                 int64_t *wait_ns)
{
    if (!weir_why_again(why))
        return why;
    enum weir_why verdict = in_time(policy, attempt, why, bounds, *wait_ns);
    if (verdict == why && costs(policy, attempt)) {
        int64_t token_ns = weir__budget_withdraw_ns(policy->budget, bounds->now_ns);
        if (token_ns < 0)
            return WEIR_WHY_BUDGET;
        *wait_ns = token_ns > *wait_ns ? token_ns : *wait_ns;
        verdict = in_time(policy, attempt, why, bounds, *wait_ns);
        if (verdict != why)
            weir__budget_refund(policy->budget);
    }
    if (verdict != why)
        return verdict;
    attempt->wait_ns = *wait_ns;
    attempt->idle_ns = weir__ns_add(attempt->idle_ns, *wait_ns);
    if (policy->before_sleep != NULL)
        policy->before_sleep(attempt, policy->hook_arg);
    return why;
}

void weir__retry_undo(const struct weir_retry_opts *policy, const struct weir_attempt *attempt)
{
    if (costs(policy, attempt))
        weir__budget_refund(policy->budget);
}

static bool is_bound(enum weir_why why)
{
    switch (why) {
    case WEIR_WHY_ATTEMPTS:
    case WEIR_WHY_THROTTLED:
    case WEIR_WHY_ELAPSED:
    case WEIR_WHY_STOP:
    case WEIR_WHY_SERVER_WAIT:
    case WEIR_WHY_DEADLINE:
    case WEIR_WHY_BUDGET:
    case WEIR_WHY_OPEN:
        return true;
    default:
        return false;
    }
}

int weir__retry_give_up(const struct weir_retry_opts *policy, const struct weir_attempt *attempt,
                        enum weir_why why)
{
    if (policy->give_up != NULL && is_bound(why))
        return policy->give_up(attempt, why, policy->hook_arg);
    return attempt->rc;
}

const char *weir_why_text(enum weir_why why)
{
    switch (why) {
#define WHY_CASE(number, name, text)                                                               \
    case WEIR_WHY_##name:                                                                          \
        return text;
        WEIR_WHY_MAP(WHY_CASE)
#undef WHY_CASE
    }
    return "unknown reason";
}

int weir_why_again(enum weir_why why)
{
    switch (why) {
    case WEIR_WHY_AGAIN:
    case WEIR_WHY_AGAIN_THROTTLED:
    case WEIR_WHY_AGAIN_TOLD:
    case WEIR_WHY_AGAIN_RULE:
    case WEIR_WHY_AGAIN_ASKED:
        return 1;
    default:
        return 0;
    }
}

/* ---- the class of an answer ---- */

enum weir_outcome weir__outcome_of(int status, int has_server_wait)
{
    if (status == 429 || (status == 503 && has_server_wait))
        return WEIR_OUTCOME_THROTTLED;
    if (status == 408 || status == 409 || status == 425)
        return WEIR_OUTCOME_SERVER_ERROR;
    switch (status / 100) {
    case 1:
    case 2:
    case 3:
        return WEIR_OUTCOME_OK;
    case 4:
        return WEIR_OUTCOME_CLIENT_ERROR;
    case 5:
        return WEIR_OUTCOME_SERVER_ERROR;
    default:
        return WEIR_OUTCOME_FAILED;
    }
}

enum weir_outcome weir__outcome_told(int status, const struct weir__told *told)
{
    enum weir_outcome outcome = weir__outcome_of(status, told->wait_ms >= 0);
    if (told->throttled != 0 && status >= 400)
        return WEIR_OUTCOME_THROTTLED;
    if (outcome == WEIR_OUTCOME_THROTTLED && told->verdict == WEIR__VERDICT_FINAL)
        return status / 100 == 4 ? WEIR_OUTCOME_CLIENT_ERROR : WEIR_OUTCOME_SERVER_ERROR;
    return outcome;
}

enum weir_verdict weir__verdict_of(enum weir__verdict told)
{
    switch (told) {
    case WEIR__VERDICT_RETRY:
        return WEIR_VERDICT_RETRY;
    case WEIR__VERDICT_FINAL:
        return WEIR_VERDICT_FINAL;
    case WEIR__VERDICT_NONE:
        break;
    }
    return WEIR_VERDICT_NONE;
}
