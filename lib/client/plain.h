/* HTTP/2 that was asked for in vain: with http:// the server is not asked for it. */
#ifndef WEIR_CLIENT_PLAIN_H
#define WEIR_CLIENT_PLAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/net.h>

#include "client/observe.h"

/* Servers that are warned of, each once. */
enum { WEIR__PLAIN_MAX = 16 };

struct weir__plain {
    bool matters; /* HTTP/2 is wanted with TLS, and somebody listens to warnings */
    size_t count;
    uint64_t told[WEIR__PLAIN_MAX]; /* hashes of what was warned of */
};

/* net may be NULL; the observer is ready. */
void weir__plain_init(struct weir__plain *plain, const struct weir_net_opts *net,
                      const struct weir__observer *observer);

/* Warns, the first time for its server, if the URL (as weir__url_resolve makes them) is http://. */
void weir__plain_warn(struct weir__plain *plain, struct weir__observer *observer, const char *url);

#endif
