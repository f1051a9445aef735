#include "policy/backoff.h"

#include <stdbool.h>

#include "base/clock.h"
#include "base/opts.h"

enum {
    DEFAULT_ATTEMPTS = 5,
    DEFAULT_THROTTLED = 100,
    DEFAULT_BASE_MS = 500,
    DEFAULT_MAX_MS = 30000,
    DEFAULT_SERVER_WAIT_MAX_MS = 600000,
};

static void default_ms(int64_t *time_ms, int64_t when_zero_ms)
{
    if (*time_ms == 0)
        *time_ms = when_zero_ms;
}

static bool any_negative(const struct weir_retry_opts *policy)
{
    return policy->max_elapsed_ms < 0 || policy->backoff_base_ms < 0 ||
           policy->backoff_max_ms < 0 || policy->server_wait_max_ms < 0;
}

int weir__retry_init(struct weir_retry_opts *policy, const struct weir_retry_opts *opts)
{
    int rc = weir__opts_copy(policy, sizeof *policy, opts);
    if (rc < 0)
        return rc;
    if (any_negative(policy))
        return WEIR_EINVAL;
    if (policy->max_attempts == 0)
        policy->max_attempts = DEFAULT_ATTEMPTS;
    if (policy->max_throttled == 0)
        policy->max_throttled = DEFAULT_THROTTLED;
    default_ms(&policy->backoff_base_ms, DEFAULT_BASE_MS);
    default_ms(&policy->backoff_max_ms, DEFAULT_MAX_MS);
    default_ms(&policy->server_wait_max_ms, DEFAULT_SERVER_WAIT_MAX_MS);
    return policy->backoff_base_ms > policy->backoff_max_ms ? WEIR_EINVAL : 0;
}

int64_t weir__backoff_ceiling_ms(int64_t base_ms, int64_t max_ms, unsigned attempt)
{
    if (base_ms <= 0 || max_ms <= 0)
        return 0;
    if (attempt == 0)
        return base_ms / 2 < max_ms ? base_ms / 2 : max_ms;
    unsigned doublings = attempt - 1;
    if (doublings >= 63 || base_ms > max_ms >> doublings)
        return max_ms;
    return base_ms << doublings;
}

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
    case WEIR_ERESET:
    case WEIR_EATTEMPTTIME:
    case WEIR_ETRANSFER:
        return unsent_or_replayable(attempt);
    case WEIR_EPROTO:
        return attempt->replay != 0; /* something answered, so something was sent */
    default:
        return false;
    }
}

static bool own_rule(const struct weir_attempt *attempt)
{
    switch (attempt->outcome) {
    case WEIR_OUTCOME_THROTTLED:
        return true; /* refused before any work, whatever the method */
    case WEIR_OUTCOME_SERVER_ERROR:
        return attempt->replay != 0 || refused_unread(attempt->status);
    case WEIR_OUTCOME_FAILED:
        return failure_may_pass(attempt);
    case WEIR_OUTCOME_OK:
    case WEIR_OUTCOME_CLIENT_ERROR:
        break;
    }
    return false;
}

static bool helpful(const struct weir_retry_opts *policy, struct weir_attempt *attempt)
{
    attempt->retry = own_rule(attempt);
    return policy->retry_if != NULL ? policy->retry_if(attempt, policy->retry_if_arg) != 0
                                    : attempt->retry != 0;
}

static int64_t jitter_ns(const struct weir_retry_opts *policy, unsigned attempt,
                         struct weir__rand *rand)
{
    int64_t ceiling_ms =
        weir__backoff_ceiling_ms(policy->backoff_base_ms, policy->backoff_max_ms, attempt);
    return weir__rand_upto(rand, weir__ms_to_ns(ceiling_ms));
}

static bool out_of_time(const struct weir_retry_opts *policy, int64_t elapsed_ms, int64_t delay_ns)
{
    return policy->max_elapsed_ms > 0 && weir__ns_add(weir__ms_to_ns(elapsed_ms), delay_ns) >=
                                             weir__ms_to_ns(policy->max_elapsed_ms);
}

/* A 429 says nothing against the request: it must not use up what is meant for failures. */
static bool used_up(const struct weir_retry_opts *policy, const struct weir_attempt *attempt)
{
    if (attempt->outcome == WEIR_OUTCOME_THROTTLED)
        return attempt->throttled >= policy->max_throttled || policy->max_attempts == 1;
    return attempt->number - attempt->throttled >= policy->max_attempts;
}

enum weir__retry_why weir__retry_decide(const struct weir_retry_opts *policy,
                                        struct weir_attempt *attempt, int64_t elapsed_ms,
                                        struct weir__rand *rand, int64_t *wait_ns)
{
    *wait_ns = 0;
    if (!helpful(policy, attempt))
        return WEIR__RETRY_NOT_HELPFUL;
    if (used_up(policy, attempt))
        return WEIR__RETRY_ATTEMPTS;
    if (attempt->server_wait_ms > policy->server_wait_max_ms)
        return WEIR__RETRY_SERVER_WAIT;

    /* Who was throttled waits at the gate, which is closed for as long as the server asked. */
    bool gated = attempt->outcome == WEIR_OUTCOME_THROTTLED;
    int64_t floor_ns = attempt->server_wait_ms > 0 ? weir__ms_to_ns(attempt->server_wait_ms) : 0;
    int64_t delay_ns =
        gated
            ? floor_ns
            : weir__ns_add(floor_ns, jitter_ns(policy, attempt->number - attempt->throttled, rand));
    if (out_of_time(policy, elapsed_ms, delay_ns))
        return WEIR__RETRY_ELAPSED;
    *wait_ns = gated ? 0 : delay_ns;
    return WEIR__RETRY_AGAIN;
}

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
