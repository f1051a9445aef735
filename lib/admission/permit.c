/* Amounts that are reserved and settled later. */
#include <assert.h>
#include <string.h>

#include "admission/admission.h"
#include "base/clock.h"
#include "base/opts.h"

struct permit {
    weir_limiter *limiter; /* NULL: nothing was granted, or it has ended */
    struct weir__stay stay;
};

static_assert(sizeof(struct permit) <= sizeof(weir_permit), "the public storage is small");

static int read_want(const weir_limiter *limiter, const struct weir_want *given,
                     struct weir__stay *stay)
{
    struct weir_want want;
    if (!weir__home_is_here(&limiter->home))
        return WEIR_ENORUNTIME;
    int rc = weir__opts_copy(&want, sizeof want, given);
    if (rc < 0 || want.reserved != 0 || want.priority < -WEIR_PRIORITY_MAX ||
        want.priority > WEIR_PRIORITY_MAX)
        return WEIR_EINVAL;
    *stay = (struct weir__stay){.counted = limiter->concurrency > 0, .priority = want.priority};
    stay->want.of[WEIR_REQUESTS] = want.requests > 0 ? want.requests : 1;
    stay->want.of[WEIR_TOKENS] = want.tokens;
    return 0;
}

static struct permit *begin(weir_permit *storage)
{
    struct permit *permit = (struct permit *)(void *)storage;
    permit->limiter = NULL;
    return permit;
}

/* The limiter outlives its permits. */
static int granted(struct permit *permit, weir_limiter *limiter, int rc)
{
    if (rc == 0) {
        permit->limiter = limiter;
        limiter->users++;
    }
    return rc;
}

int weir_limiter_reserve(weir_limiter *limiter, const struct weir_want *want, weir_permit *storage)
{
    struct permit *permit = begin(storage);
    int rc = read_want(limiter, want, &permit->stay);
    if (rc < 0)
        return rc;
    limiter->users++; /* it may be freed while this waits */
    rc = weir__admission_enter(limiter, &permit->stay, permit->stay.want.of[WEIR_REQUESTS]);
    granted(permit, limiter, rc);
    weir__admission_let_go(limiter);
    return rc;
}

int weir_limiter_try_reserve(weir_limiter *limiter, const struct weir_want *want,
                             weir_permit *storage)
{
    struct permit *permit = begin(storage);
    int rc = read_want(limiter, want, &permit->stay);
    if (rc == 0)
        rc = weir__queue_check(limiter, &permit->stay.want);
    if (rc == 0)
        rc = weir__queue_enter_now(limiter, &permit->stay);
    return granted(permit, limiter, rc);
}

bool weir__admission_end(weir_limiter *limiter, struct weir__stay *stay, enum weir__went went,
                         int64_t tokens)
{
    bool here = weir__home_is_here(&limiter->home);
    if (!here && !weir__home_has_ended(&limiter->home))
        return false;
    if (here) {
        weir__admission_settle(limiter, stay, tokens);
        weir__admission_leave(limiter, stay, went, NULL);
    }
    weir__admission_let_go(limiter);
    return true;
}

static void end(weir_permit *storage, enum weir__went went, int64_t tokens)
{
    struct permit *permit = (struct permit *)(void *)storage;
    weir_limiter *limiter = permit->limiter;
    if (limiter != NULL && weir__admission_end(limiter, &permit->stay, went, tokens))
        permit->limiter = NULL;
}

void weir_permit_settle(weir_permit *permit, int64_t tokens)
{
    end(permit, WEIR__WENT_ANSWERED, tokens);
}

void weir_permit_cancel(weir_permit *permit)
{
    end(permit, WEIR__WENT_UNUSED, -1);
}

int64_t weir_limiter_time_until_ms(const weir_limiter *limiter, const struct weir_want *want)
{
    struct weir__stay stay;
    int rc = read_want(limiter, want, &stay);
    if (rc == 0)
        rc = weir__queue_check(limiter, &stay.want);
    if (rc < 0)
        return rc;
    stay.ticket = limiter->next_ticket; /* behind all */
    int64_t now_ns = weir__now_ns(limiter->rt);
    int64_t turn_ns = weir__admission_earliest_ns(limiter, &stay, stay.want.of[WEIR_REQUESTS]);
    return turn_ns > now_ns ? weir__ns_to_ms_up(weir__ns_add(turn_ns, -now_ns)) : 0;
}
