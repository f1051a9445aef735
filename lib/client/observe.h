/* What a client counts and says of its work. Counting is a few additions; the rest is behind one
 * branch each. */
#ifndef WEIR_CLIENT_OBSERVE_H
#define WEIR_CLIENT_OBSERVE_H

#include <stdbool.h>

#include <weir/log.h>
#include <weir/metrics.h>

#include "http/secrets.h"
#include "policy/histogram.h"

struct weir__observer {
    struct weir_log_opts log;            /* all NULL: it says nothing */
    const struct weir__secrets *secrets; /* of the client, in no text */
    struct weir_client_stats counts;
    struct weir__histogram latency;
};

/* A stream, from its answer's head to its end, which ends the call, too. */
struct weir__content {
    bool open;              /* weir__observe_content_end is to come */
    bool sending;           /* the attempt has not ended either: the answer is still on its way */
    struct weir_attempt at; /* the last one, as it was at the head */
    enum weir_why why;
    char *what; /* as lines begin; NULL: nobody listens, or memory is out */
    int64_t begun_ns;
    uint64_t bytes, events; /* that were read */
};

/* How a stream ends whose reader closes it before its end. */
enum { WEIR__CLOSED = 1 };

/* opts may be NULL; it knows no secrets. WEIR_EINVAL. */
int weir__observer_init(struct weir__observer *observer, const struct weir_log_opts *opts);

/* Whether texts of that level are heard. */
bool weir__observe_wants(const struct weir__observer *observer, enum weir_log_level level);

/* A line that belongs to no call. */
void weir__observe_say(struct weir__observer *observer, enum weir_log_level level,
                       const char *text);

/* In the order of their calls. A call begins, and ends with what weir_request returns; `why` is the
 * last decision. The exchange has the URL as given if the request was wrong. An attempt that
 * `goes_on` has brought a stream's head: it ends with the stream, or is dropped for another. */
void weir__observe_begin(struct weir__observer *observer);
void weir__observe_attempt_begin(struct weir__observer *observer,
                                 const struct weir_exchange *exchange);
void weir__observe_attempt_end(struct weir__observer *observer,
                               const struct weir_exchange *exchange, const struct weir_attempt *at,
                               int64_t took_ns, bool goes_on);
void weir__observe_attempt_dropped(struct weir__observer *observer, const struct weir_attempt *at);
void weir__observe_retry(struct weir__observer *observer, const struct weir_exchange *exchange,
                         const struct weir_attempt *at, enum weir_why why, int64_t wait_ns);
void weir__observe_end(struct weir__observer *observer, const struct weir_exchange *exchange,
                       const struct weir_attempt *at, enum weir_why why, int rc);

/* In place of weir__observe_end, for a good answer that is read as a stream. The end's rc is 0, a
 * code, or WEIR__CLOSED; the second one is not heard. */
void weir__observe_content_begin(struct weir__observer *observer, struct weir__content *content,
                                 const struct weir_exchange *exchange,
                                 const struct weir_attempt *at, enum weir_why why, int64_t now_ns);
void weir__observe_content_end(struct weir__observer *observer, struct weir__content *content,
                               int rc, int64_t now_ns);

#endif
