/* The headers that say something about limits, picked from an answer. */
#ifndef WEIR_PROVIDER_HEARD_H
#define WEIR_PROVIDER_HEARD_H

#include <weir/http.h>

#include "policy/span.h"
#include "policy/told.h"

#define WEIR__HEARD_MAX 64

/* The value of each header of the table in heard.c, the first line's. */
struct weir__heard {
    unsigned roles;              /* bits: what kinds of headers were sent, */
    uint64_t sent;               /* and which; others have no value */
    struct weir__span date, age; /* nearly every answer has a date, few need it: not trimmed */
    struct weir__span value[WEIR__HEARD_MAX];
};

void weir__heard_init(struct weir__heard *heard);

/* Keeps one header if the table knows it. The value is borrowed. Of equal ones the first counts. */
void weir__heard_add(struct weir__heard *heard, const char *name, size_t name_len,
                     const char *value, size_t len);

/* Keeps those of a response. */
void weir__heard_all(struct weir__heard *heard, const weir_response *response);

/* The name of the i-th header of the table, NULL behind the last. */
const char *weir__heard_name(size_t i);

/* The server's clock, or wall_s, the local one, where the answer does not tell it. */
int64_t weir__heard_now_s(const struct weir__heard *heard, int64_t wall_s);

/* A cache gave the answer: the limits it tells are those of long ago. */
bool weir__heard_cached(const struct weir__heard *heard);

/* The wait of the Retry-After headers, in ms; -1: none that can be used. */
int64_t weir__heard_wait_ms(const struct weir__heard *heard, int64_t now_s);

/* What x-should-retry and its like say of the request. */
enum weir__verdict weir__heard_verdict(const struct weir__heard *heard);

/* There is a header that comes with "too fast" alone. */
bool weir__heard_throttled(const struct weir__heard *heard);

/* There are headers that tell limits, */
bool weir__heard_limits(const struct weir__heard *heard);

/* and among them fields of the IETF's drafts, which need all their lines (ietf.h). */
bool weir__heard_ietf(const struct weir__heard *heard);

/* Tokens that the request cost, or -1. */
int64_t weir__heard_cost(const struct weir__heard *heard);

/* Appends the limits that the headers tell to told->quotas. True: one for requests of any kind is
 * used up, which makes even a 403 mean "too fast". */
bool weir__heard_quotas(const struct weir__heard *heard, int64_t now_s, struct weir__told *told);

#endif
