/* Server-sent events by the rules of the WHATWG's HTML standard ("Interpreting an event stream"): a
 * pure parser, fed with bytes as they come. Bytes that are not UTF-8 go through as they are. */
#ifndef WEIR_HTTP_SSE_H
#define WEIR_HTTP_SSE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct weir__sse {
    /* The last complete event: all have a NUL behind or are NULL, and live until the next feed. */
    struct weir__buf data;
    struct weir__buf event; /* empty: "message" is meant */
    struct weir__buf id;    /* as last set, by this event or one before */
    int64_t retry_ms;       /* as last set; -1: never */
    /* Of the parser itself. */
    struct weir__buf line; /* the beginning of a line whose end is still to come */
    unsigned bom;          /* bytes of a byte order mark seen at the start; 3: that is over */
    bool after_cr;         /* an LF that comes now belongs to the CR before */
    bool complete;         /* data and event are of an event that was handed out */
    int failure;           /* sticky */
};

/* Data, event, id and a line are each at most max bytes. */
void weir__sse_init(struct weir__sse *sse, size_t max);
void weir__sse_free(struct weir__sse *sse);

/* Takes bytes until an event is complete: 1, and *used says how many were taken. 0: all were taken
 * and none is. WEIR_EEVENTSIZE over the maximum, WEIR_ENOMEM: and so from then on. What is left at
 * the end of a stream is not an event. */
int weir__sse_feed(struct weir__sse *sse, const char *bytes, size_t len, size_t *used);

#endif
