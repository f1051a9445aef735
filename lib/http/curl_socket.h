/* The sockets of libcurl's transfers, watched by libev.
 *
 * There is one entry for each number that a descriptor has had, so that a connection's socket which
 * is let go of and watched again in the same turn, as with one request behind the other, costs no
 * system call: the kernel still has it. For that its end must be known. libcurl calls its close
 * function for connections that have stood; those that never did, and its resolver's sockets, it
 * closes without a word, and the number may be anybody's next: the kernel is told of them each
 * time. */
#ifndef WEIR_HTTP_CURL_SOCKET_H
#define WEIR_HTTP_CURL_SOCKET_H

#include <stdbool.h>
#include <sys/types.h>

#include "http/curl_ahead.h"
#include "loop/loop.h"

struct weir__shard;

struct weir__socket {
    ev_io watcher;
    struct weir__shard *shard; /* NULL: nobody's */
    struct weir__ahead ahead;
    bool stands; /* a connection whose end will be said: set by the shard, once it is known */
    /* The shard's to use. */
    ino_t id;
    int64_t heard_ns;
};

struct weir__sockets {
    struct ev_loop *ev;
    struct weir__socket **of; /* by number; NULL: never seen */
    size_t count;
    /* Called on the thread's own stack: the socket can be read from or written to (EV_READ,
     * EV_WRITE); with EV_WRITE always EV_READ, too, if it is watched for both. */
    void (*ready)(struct weir__socket *socket, int events);
};

void weir__sockets_init(struct weir__sockets *sockets, struct ev_loop *ev,
                        void (*ready)(struct weir__socket *socket, int events));
void weir__sockets_free(struct weir__sockets *sockets); /* none may be watched */

/* The entry of the number, made if it is new. NULL: memory is out. */
struct weir__socket *weir__socket_of(struct weir__sockets *sockets, int fd);

/* Watches it for the shard, for events alone; nothing happens if it is so already. */
void weir__socket_watch(struct weir__sockets *sockets, struct weir__socket *socket,
                        struct weir__shard *shard, int events);

/* Lets go of it. */
void weir__socket_rest(struct weir__sockets *sockets, struct weir__socket *socket);

/* The number is nobody's from now on. */
void weir__socket_closed(struct weir__sockets *sockets, int fd);

/* The next number above fd that is watched for the shard, for reading; -1: none. */
int weir__sockets_next(const struct weir__sockets *sockets, const struct weir__shard *shard,
                       int fd);

/* The next number above fd whose connection stands in the shard, watched or not; -1: none. */
int weir__sockets_next_standing(const struct weir__sockets *sockets,
                                const struct weir__shard *shard, int fd);

/* Lets go of all that are watched for the shard. */
void weir__sockets_drop(struct weir__sockets *sockets, const struct weir__shard *shard);

/* The port at this end; 0: it has none. */
int weir__socket_port(int fd);

#endif
