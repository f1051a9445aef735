/* libcurl's multi handles and their libev watchers. What a request costs grows with the number of
 * connections of its multi, so there are several, each with a share of the easy handles: its shard.
 *
 * An easy handle stays in its shard, where the connection is that it used last, so who wants to
 * reuse a connection to a host takes the handle that was there last. Made on demand, the oldest
 * shard with room first; one that has not been used for a while is closed. So is one whose
 * HTTP/2 connection has fallen silent, once the transfers that are under way there have ended:
 * those that start meanwhile find the connections of another. */
#ifndef WEIR_HTTP_CURL_SHARD_H
#define WEIR_HTTP_CURL_SHARD_H

#include "http/curl_handle.h"
#include "http/curl_socket.h"
#include "http/host.h"
#include "loop/loop.h"

struct weir__shards {
    struct weir__rt *rt;
    struct ev_loop *ev;
    /* Called, outside of libcurl, when a handle has left its multi: rc and the handle's response
     * say how it went. It hands the handle back with weir__shards_give. */
    void (*ended)(struct weir__curl_handle *handle, int rc);
    const struct weir__net *net;
    CURLSH *share;           /* looked-up names and TLS sessions, the same for all shards */
    struct weir__list list;  /* the oldest first */
    struct weir__list idle;  /* handles, most recently used first */
    struct weir__list moved; /* shards with transfers to be set going */
    struct weir__sockets sockets;
    size_t count, count_max, room; /* without the deserted; handles in each */
    size_t deserted;               /* shards that wait for their last transfers */
    size_t handles;                /* in all, running or idle */
    bool http2;                    /* a connection may be shared */
    bool looks;                    /* after its sockets: libcurl keeps pieces */
    int64_t sweep_at_ns;           /* when shards without a transfer are looked for next */
};

/* For up to max_parallel transfers at a time without reconnecting (more work, at a cost). The clock
 * is rt's, and ev its loop. *net is borrowed. False: memory is out; to be freed nevertheless. */
bool weir__shards_init(struct weir__shards *shards, struct weir__rt *rt, struct ev_loop *ev,
                       const struct weir__net *net, size_t max_parallel,
                       void (*ended)(struct weir__curl_handle *handle, int rc));
void weir__shards_free(struct weir__shards *shards); /* transfers under way are `ended` */

/* An idle handle: the one that last sent to the host (NULL: unknown) if there is one. NULL: memory
 * is out. */
struct weir__curl_handle *weir__shards_take(struct weir__shards *shards, struct weir__host *host);
void weir__shards_give(struct weir__curl_handle *handle, struct weir__host *host);

/* Adds the handle's transfer, which the next weir__shards_run sets going. False: memory is out. */
bool weir__shards_start(struct weir__curl_handle *handle);

/* Takes it out before its end: its connection is closed, unless others may share it. Then it is
 * left by all that start from now on if nothing has come over it, to anybody, since the transfer
 * was started and for patience_ns: a connection that has fallen silent is not known to libcurl as
 * dead. `ended` is not called. */
void weir__shards_stop(struct weir__curl_handle *handle, int64_t patience_ns);

/* Brings the content that was to come later; `ended` may be called. On the thread's own stack. */
void weir__shards_resume(struct weir__curl_handle *handle);

/* Goes on with what was started, and closes shards that have had no transfer for a minute. On the
 * thread's own stack. */
void weir__shards_run(struct weir__shards *shards, int64_t now_ns);

#endif
