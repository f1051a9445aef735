#include "policy/breaker.h"

#include <string.h>

#include "base/clock.h"
#include "base/opts.h"
#include "policy/backoff.h"

enum {
    DEFAULT_WINDOW_MS = 10000,
    DEFAULT_OPEN_MS = 5000,
    DEFAULT_OPEN_MAX_MS = 60000,
    DEFAULT_MIN_CALLS = 20,
    DEFAULT_FAILURE_PERCENT = 50,
    DEFAULT_PROBES = 1,
    OPENINGS_COUNTED = 64, /* the length stopped growing long before */
    JITTER_PART = 4,       /* up to a quarter more */
};

static void fill_in(struct weir_breaker_opts *policy)
{
    if (policy->window_ms == 0)
        policy->window_ms = DEFAULT_WINDOW_MS;
    if (policy->open_ms == 0)
        policy->open_ms = DEFAULT_OPEN_MS;
    if (policy->open_max_ms == 0)
        policy->open_max_ms =
            policy->open_ms > DEFAULT_OPEN_MAX_MS ? policy->open_ms : DEFAULT_OPEN_MAX_MS;
    if (policy->min_calls == 0)
        policy->min_calls = DEFAULT_MIN_CALLS;
    if (policy->failure_percent == 0)
        policy->failure_percent = DEFAULT_FAILURE_PERCENT;
    if (policy->probes == 0)
        policy->probes = DEFAULT_PROBES;
}

int weir__breaker_init(struct weir__breaker *breaker, const struct weir_breaker_opts *opts)
{
    *breaker = (struct weir__breaker){.state = WEIR_CIRCUIT_CLOSED};
    struct weir_breaker_opts *policy = &breaker->policy;
    int rc = weir__opts_copy(policy, sizeof *policy, opts);
    if (rc < 0)
        return rc;
    if (policy->window_ms < 0 || policy->open_ms < 0 || policy->open_max_ms < 0)
        return WEIR_EINVAL;
    fill_in(policy);
    bool meant = policy->failure_percent <= 100 && policy->open_ms <= policy->open_max_ms;
    return meant ? 0 : WEIR_EINVAL;
}

/* ---- what an attempt says ---- */

static enum weir__health of_failure(int rc)
{
    switch (rc) {
    case WEIR_ERESOLVE:
    case WEIR_ECONNECT:
    case WEIR_ETLS:
    case WEIR_ECERT:
    case WEIR_ERESET:
    case WEIR_EPROTO:
    case WEIR_EATTEMPTTIME:
    case WEIR_EIDLE:
    case WEIR_ETRANSFER:
        return WEIR__HEALTH_BAD;
    default: /* cancelled, out of memory, an answer too large for us */
        return WEIR__HEALTH_UNKNOWN;
    }
}

enum weir__health weir__breaker_judge(int rc, int status, enum weir_outcome outcome)
{
    if (rc < 0)
        return of_failure(rc);
    if (outcome == WEIR_OUTCOME_THROTTLED)
        return WEIR__HEALTH_UNKNOWN;
    bool told = status < 400 && outcome == WEIR_OUTCOME_SERVER_ERROR; /* in a stream's event */
    return status >= 500 || told ? WEIR__HEALTH_BAD : WEIR__HEALTH_GOOD;
}

/* ---- the window ---- */

static int64_t slice_number(const struct weir__breaker *breaker, int64_t now_ns)
{
    int64_t slice_ns = weir__ms_to_ns(breaker->policy.window_ms) / WEIR__BREAKER_SLICES;
    return now_ns / (slice_ns > 0 ? slice_ns : 1);
}

/* The slice of now; what it held a window ago is forgotten. */
static struct weir__slice *slice_of(struct weir__breaker *breaker, int64_t now_ns)
{
    int64_t number = slice_number(breaker, now_ns);
    struct weir__slice *slice = &breaker->slices[number % WEIR__BREAKER_SLICES];
    if (slice->number != number)
        *slice = (struct weir__slice){.number = number};
    return slice;
}

static void sum(const struct weir__breaker *breaker, int64_t now_ns, uint64_t *calls,
                uint64_t *failures)
{
    int64_t oldest = slice_number(breaker, now_ns) - WEIR__BREAKER_SLICES + 1;
    *calls = *failures = 0;
    for (int i = 0; i < WEIR__BREAKER_SLICES; i++) {
        const struct weir__slice *slice = &breaker->slices[i];
        if (slice->number >= oldest) {
            *calls += slice->calls;
            *failures += slice->failures;
        }
    }
}

/* ---- changes of state ---- */

/* Twice as long as the last time, unless it was closed and well for a window between. */
static void open_it(struct weir__breaker *breaker, int64_t now_ns, struct weir__rand *rand)
{
    const struct weir_breaker_opts *policy = &breaker->policy;
    bool was_well = breaker->state == WEIR_CIRCUIT_CLOSED &&
                    now_ns > weir__ns_add(breaker->closed_at_ns, weir__ms_to_ns(policy->window_ms));
    breaker->openings = was_well ? 1 : breaker->openings + 1;
    if (breaker->openings > OPENINGS_COUNTED)
        breaker->openings = OPENINGS_COUNTED;
    int64_t base_ns = weir__ms_to_ns(
        weir__backoff_ceiling_ms(policy->open_ms, policy->open_max_ms, breaker->openings));
    breaker->open_for_ns = weir__ns_add(base_ns, weir__rand_upto(rand, base_ns / JITTER_PART));
    breaker->open_until_ns = weir__ns_add(now_ns, breaker->open_for_ns);
    breaker->state = WEIR_CIRCUIT_OPEN;
    breaker->opened++;
    breaker->epoch++;
}

static void half_open_it(struct weir__breaker *breaker)
{
    breaker->state = WEIR_CIRCUIT_HALF_OPEN;
    breaker->probing = 0;
    breaker->epoch++;
}

static void close_it(struct weir__breaker *breaker, int64_t now_ns)
{
    breaker->state = WEIR_CIRCUIT_CLOSED;
    breaker->closed_at_ns = now_ns;
    breaker->epoch++;
    memset(breaker->slices, 0, sizeof breaker->slices);
}

/* ---- coming and going ---- */

/* Probes that do not end must not hold everything back: one more is allowed with each time that the
 * circuit was open. */
static int64_t lengths_since(const struct weir__breaker *breaker, int64_t now_ns)
{
    return (now_ns - breaker->open_until_ns) / breaker->open_for_ns;
}

int64_t weir__breaker_earliest_ns(const struct weir__breaker *breaker, int64_t now_ns)
{
    if (breaker->state == WEIR_CIRCUIT_CLOSED)
        return now_ns;
    if (breaker->state == WEIR_CIRCUIT_OPEN)
        return breaker->open_until_ns;
    int64_t beyond = (int64_t)breaker->probing - (int64_t)breaker->policy.probes + 1, grow_ns;
    if (beyond <= lengths_since(breaker, now_ns))
        return now_ns;
    if (__builtin_mul_overflow(beyond, breaker->open_for_ns, &grow_ns))
        return INT64_MAX;
    return weir__ns_add(breaker->open_until_ns, grow_ns);
}

bool weir__breaker_enter(struct weir__breaker *breaker, int64_t now_ns, uint64_t *epoch)
{
    if (weir__breaker_earliest_ns(breaker, now_ns) > now_ns)
        return false;
    if (breaker->state == WEIR_CIRCUIT_OPEN)
        half_open_it(breaker);
    breaker->probing += breaker->state == WEIR_CIRCUIT_HALF_OPEN;
    *epoch = breaker->epoch;
    return true;
}

static bool count(struct weir__breaker *breaker, enum weir__health how, int64_t now_ns,
                  struct weir__rand *rand)
{
    uint64_t calls, failures;
    if (how == WEIR__HEALTH_UNKNOWN)
        return false;
    struct weir__slice *slice = slice_of(breaker, now_ns);
    slice->calls++;
    slice->failures += how == WEIR__HEALTH_BAD;
    sum(breaker, now_ns, &calls, &failures);
    if (calls < breaker->policy.min_calls ||
        failures * 100 < calls * breaker->policy.failure_percent)
        return false;
    open_it(breaker, now_ns, rand);
    return true;
}

bool weir__breaker_leave(struct weir__breaker *breaker, uint64_t epoch, enum weir__health how,
                         int64_t now_ns, struct weir__rand *rand)
{
    if (epoch != breaker->epoch)
        return false;
    if (breaker->state == WEIR_CIRCUIT_CLOSED)
        return count(breaker, how, now_ns, rand);
    breaker->probing--; /* half-open: nothing is let through in the epoch of an open circuit */
    if (how == WEIR__HEALTH_GOOD)
        close_it(breaker, now_ns);
    if (how == WEIR__HEALTH_BAD)
        open_it(breaker, now_ns, rand);
    return true;
}

void weir__breaker_figures(const struct weir__breaker *breaker, int64_t now_ns,
                           struct weir_breaker_stats *stats)
{
    sum(breaker, now_ns, &stats->calls, &stats->failures);
    stats->state = breaker->state;
    stats->opened = breaker->opened;
    stats->probing = breaker->state == WEIR_CIRCUIT_HALF_OPEN ? breaker->probing : 0;
    if (breaker->state != WEIR_CIRCUIT_OPEN)
        return;
    if (breaker->open_until_ns > now_ns)
        stats->open_ms = weir__ns_to_ms_up(breaker->open_until_ns - now_ns);
    else
        stats->state = WEIR_CIRCUIT_HALF_OPEN; /* as the next one will find it */
}
