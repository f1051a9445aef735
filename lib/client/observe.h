/* What a client counts and says of its work. Counting is a few additions; the rest is behind one
 * branch each. */
#ifndef WEIR_CLIENT_OBSERVE_H
#define WEIR_CLIENT_OBSERVE_H

#include <stdbool.h>

#include <weir/log.h>
#include <weir/metrics.h>

#include "policy/histogram.h"

struct weir__observer {
    struct weir_log_opts log; /* all NULL: it says nothing */
    struct weir_client_stats counts;
    struct weir__histogram latency;
};

/* opts may be NULL. WEIR_EINVAL. */
int weir__observer_init(struct weir__observer *observer, const struct weir_log_opts *opts);

/* Whether texts of that level are heard. */
bool weir__observe_wants(const struct weir__observer *observer, enum weir_log_level level);

/* A line that belongs to no call. */
void weir__observe_say(struct weir__observer *observer, enum weir_log_level level,
                       const char *text);

/* In the order of their calls. A call begins, and ends with what weir_request returns; `why` is the
 * last decision. The exchange has no URL if the request was wrong. */
void weir__observe_begin(struct weir__observer *observer);
void weir__observe_attempt_begin(struct weir__observer *observer,
                                 const struct weir_exchange *exchange);
void weir__observe_attempt_end(struct weir__observer *observer,
                               const struct weir_exchange *exchange, const struct weir_attempt *at,
                               int64_t took_ns);
void weir__observe_retry(struct weir__observer *observer, const struct weir_exchange *exchange,
                         const struct weir_attempt *at, enum weir_why why, int64_t wait_ns);
void weir__observe_end(struct weir__observer *observer, const struct weir_exchange *exchange,
                       const struct weir_attempt *at, enum weir_why why, int rc);

#endif
