/* The bounds that lib/provider/provider.h promises. */
#ifndef TOLD_H
#define TOLD_H

#include "fuzz.h"
#include "policy/duration.h"
#include "provider/provider.h"

#define MOST INT64_C(999999999999999)

static inline void check_quota(const struct weir__quota *quota)
{
    HOLDS(quota->unit < WEIR__UNITS);
    HOLDS(quota->limit == -1 || within(quota->limit, 1, MOST));
    HOLDS(within(quota->remaining, -1, MOST));
    HOLDS(within(quota->reset_ms, -1, WEIR__LONGEST_MS));
    HOLDS(quota->window_ms == -1 || within(quota->window_ms, 1000, WEIR__LONGEST_MS));
    HOLDS(quota->step_ms == 1 || quota->step_ms == 1000);
    HOLDS(quota->limit >= 0 || quota->remaining >= 0 || quota->reset_ms >= 0);
}

static inline void check_told(const weir_response *response)
{
    struct weir__told told;
    memset(&told, 0xA5, sizeof told);
    weir__provider_tell(response, 1696004797, &told);
    HOLDS(told.wait_ms == -1 || within(told.wait_ms, 1, WEIR__LONGEST_MS));
    HOLDS(told.wait_ms == -1 || told.throttled || weir_response_status(response) >= 400);
    HOLDS(within(told.used, -1, MOST));
    HOLDS(told.throttled == 0 || told.throttled == 1);
    HOLDS(told.verdict <= WEIR__VERDICT_FINAL);
    HOLDS(told.cause == NULL || strlen(told.cause) > 0);
    HOLDS(told.quota_count <= WEIR__QUOTAS_MAX);
    for (unsigned i = 0; i < told.quota_count; i++)
        check_quota(&told.quotas[i]);
    HOLDS(within(weir__provider_used(response), -1, MOST));
}

#endif
