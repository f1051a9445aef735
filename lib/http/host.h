/* Which servers have been reached of late, and over which handles. libcurl starts a thread for each
 * look-up of a name it does not know, so 200 requests to a new host start 200 threads: the first
 * one goes ahead and the others wait until its connection stands. */
#ifndef WEIR_HTTP_HOST_H
#define WEIR_HTTP_HOST_H

#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

/* Names that libcurl has looked up are remembered for this long. */
enum { WEIR__DNS_CACHE_S = 300 };

struct weir__host {
    struct weir__list node;    /* in the table, those used last first */
    struct weir__list waiting; /* for the probe's connection */
    struct weir__list idle;    /* handles whose last request went there, the last one first */
    size_t users;              /* transfers under way */
    void *probe;               /* who goes ahead; NULL: nobody */
    int64_t warm_until_ns;     /* until then all go at once */
    size_t origin_len;
    char origin[]; /* "https://host:port" as the URL has it */
};

struct weir__hosts {
    struct weir__list list;
    size_t count;
};

void weir__hosts_init(struct weir__hosts *hosts);
void weir__hosts_free(struct weir__hosts *hosts);

/* The entry for the URL's scheme, host and port, made if it is new. NULL when memory is out or the
 * table is full and all its entries are in use: the caller goes on without. */
struct weir__host *weir__host_of(struct weir__hosts *hosts, const char *url);

#endif
