/* The public face, but for permits and statistics. */
#include "admission/admission.h"

#include "admission/overall.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/opts.h"

/* ---- making ---- */

static int own_limits(weir_limiter *limiter, const struct weir_limiter_opts *opts)
{
    const struct weir_limit first = {.rate = opts->rate,
                                     .period_ms = opts->period_ms,
                                     .burst = opts->burst};
    bool shorthand = opts->rate > 0 || opts->burst > 0;
    if (opts->limit_count > WEIR_LIMITS_MAX - (size_t)shorthand)
        return WEIR_EINVAL;
    int rc = shorthand ? weir__limits_init(&limiter->limits, &first, 1) : 0;
    return rc == 0 ? weir__limits_init(&limiter->limits, opts->limits, opts->limit_count) : rc;
}

static int take_shared(weir_limiter *limiter, const struct weir_limiter_opts *opts)
{
    bool own = opts->rate > 0 || opts->period_ms > 0 || opts->burst > 0 || opts->limit_count > 0;
    if (own)
        return WEIR_EINVAL;
    if (weir__shared_is_file(opts->shared) && limiter->rt->loop->is_virtual)
        return WEIR_ENOTSUP;
    limiter->shared = weir__shared_ref(opts->shared);
    limiter->limits = *weir__shared_limits(opts->shared);
    return 0;
}

static double rate_per_s(const weir_limiter *limiter)
{
    return weir__limits_per_s(&limiter->limits, WEIR_REQUESTS);
}

static bool is_here(const weir_limiter *limiter)
{
    return weir__home_is_here(&limiter->home);
}

int weir_limiter_new(weir_limiter **out, const struct weir_limiter_opts *opts)
{
    struct weir_limiter_opts own;
    struct weir__rt *rt = weir__rt();
    *out = NULL;
    if (rt == NULL)
        return WEIR_ENORUNTIME;
    if (weir__opts_copy(&own, sizeof own, opts) < 0 || own.period_ms < 0 ||
        own.learn > WEIR_LEARN_OFF || own.reserved != 0)
        return WEIR_EINVAL;
    weir_limiter *limiter = weir__zalloc(sizeof *limiter);
    if (limiter == NULL)
        return WEIR_ENOMEM;
    limiter->rt = rt;
    weir__home_init(&limiter->home, NULL);
    limiter->users = 1;
    limiter->concurrency = own.concurrency;
    limiter->learns = own.learn == WEIR_LEARN_ON && own.shared == NULL;
    for (unsigned i = 0; i < WEIR__CLASSES; i++)
        weir__list_init(&limiter->classes[i].queue);
    weir__list_init(&limiter->sleepers);
    weir__list_init(&limiter->overall_node);
    weir__timer_init(&limiter->timer, weir__queue_time_came);
    int rc = own.shared != NULL ? take_shared(limiter, &own) : own_limits(limiter, &own);
    weir__learn_init(&limiter->learn, rate_per_s(limiter));
    if (rc == 0)
        *out = limiter;
    else
        weir__admission_let_go(limiter);
    return rc;
}

void weir_limiter_close(weir_limiter *limiter)
{
    if (!is_here(limiter))
        return;
    limiter->closed = true;
    weir__queue_close(limiter);
    weir__wake_all(&limiter->sleepers, WEIR_ECLOSED);
}

void weir_limiter_free(weir_limiter *limiter)
{
    if (limiter == NULL || !weir__home_lets_free(&limiter->home))
        return;
    weir_limiter_close(limiter);
    weir__admission_let_go(limiter);
}

void weir__admission_let_go(weir_limiter *limiter)
{
    if (--limiter->users > 0)
        return;
    weir__limits_free(&limiter->limits);
    weir_shared_close(limiter->shared);
    weir__overall_part(limiter);
    weir__home_leave(&limiter->home);
    weir__free(limiter);
}

/* ---- one amount ---- */

/* Without a bound on concurrency nobody need release, so nobody is counted. */
int weir_limiter_acquire(weir_limiter *limiter, uint64_t amount)
{
    struct weir__stay stay = {.counted = limiter->concurrency > 0};
    if (!is_here(limiter))
        return WEIR_ENORUNTIME;
    return weir__admission_enter(limiter, &stay, amount);
}

int weir_limiter_try(weir_limiter *limiter, uint64_t amount)
{
    struct weir__stay stay = {.counted = limiter->concurrency > 0};
    if (!is_here(limiter))
        return WEIR_ENORUNTIME;
    return weir__admission_try(limiter, &stay, amount);
}

/* Which of the holders this is cannot be known. It counts as one admitted since the gate last
 * closed if there are any, so that none of these is counted for ever; and as a success unless the
 * gate is closed, when it is most likely one from before. */
void weir_limiter_release(weir_limiter *limiter)
{
    if (limiter->concurrency == 0 || !is_here(limiter))
        return;
    int64_t now_ns = weir__now_ns(limiter->rt);
    weir__queue_release(limiter, now_ns);
    if (now_ns >= limiter->gate.open_ns)
        weir__gate_success(&limiter->gate, now_ns);
    weir__overall_pump(limiter);
}

/* ---- changes ---- */

int weir_limiter_set_limit(weir_limiter *limiter, size_t index, const struct weir_limit *limit)
{
    if (!is_here(limiter))
        return WEIR_ENORUNTIME;
    if (limiter->shared != NULL)
        return WEIR_ENOTSUP;
    int rc = weir__limits_change(&limiter->limits, index, limit, weir__now_ns(limiter->rt));
    if (rc < 0)
        return rc;
    weir__learn_set_ceiling(&limiter->learn, rate_per_s(limiter));
    weir__queue_limits_changed(limiter);
    return 0;
}

int weir_limiter_set_concurrency(weir_limiter *limiter, uint64_t concurrency)
{
    if (!is_here(limiter))
        return WEIR_ENORUNTIME;
    if (concurrency == 0 || limiter->concurrency == 0)
        return WEIR_EINVAL;
    limiter->concurrency = concurrency;
    weir__queue_pump(limiter);
    return 0;
}

void weir_limiter_pause_ms(weir_limiter *limiter, int64_t wait_ms)
{
    if (!is_here(limiter))
        return;
    int64_t now_ns = weir__now_ns(limiter->rt), before_ns = limiter->gate.open_ns;
    weir__queue_close_gate(limiter, weir__ns_add(now_ns, weir__ms_to_ns(wait_ms)), now_ns);
    if (limiter->gate.open_ns != before_ns)
        weir__queue_pump(limiter);
}
