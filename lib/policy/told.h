/* What one answer says about limits, in one form for every API: provider/ fills it, the gate, the
 * limits and the retry loop read it. Plain data. */
#ifndef WEIR_POLICY_TOLD_H
#define WEIR_POLICY_TOLD_H

#include <stdint.h>

/* What a limit counts. */
enum weir__unit { WEIR__UNIT_REQUESTS = 0, WEIR__UNIT_TOKENS, WEIR__UNITS };

/* Amounts by unit. */
struct weir__amounts {
    uint64_t of[WEIR__UNITS];
};

/* One limit, as a server told it. -1: not told. */
struct weir__quota {
    enum weir__unit unit;
    int64_t limit;     /* per window, or capacity */
    int64_t remaining; /* when the answer was made */
    int64_t reset_ms;  /* from the answer on, until there is more, or all, again */
    int64_t window_ms; /* length of the window */
    int64_t step_ms; /* reset_ms is a multiple of this: 1000 when the server counts whole seconds */
};
#define WEIR__QUOTAS_MAX 8

/* Whether the same request can ever succeed, as far as the server says so. */
enum weir__verdict {
    WEIR__VERDICT_NONE = 0, /* by the status alone */
    WEIR__VERDICT_RETRY,    /* it says: try again */
    WEIR__VERDICT_FINAL,    /* it says: do not (quota exhausted, request larger than the limit) */
};

struct weir__told {
    int64_t wait_ms;   /* nobody should ask earlier; -1: none that can be used */
    int64_t used;      /* tokens that the request cost, by the answer's usage; -1 */
    const char *cause; /* static words for people ("quota exhausted"), or NULL */
    enum weir__verdict verdict;
    int throttled; /* nonzero: "too fast", whatever the status */
    int busy;      /* nonzero, with throttled: it asks for a pause, but names no limit */
    unsigned quota_count;
    unsigned guessed; /* bits: the window_ms of these quotas is what their other numbers mean if
                         they are buckets */
    struct weir__quota quotas[WEIR__QUOTAS_MAX];
};

#endif
