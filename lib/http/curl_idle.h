/* Connections that no transfer uses, and whether their servers have ended them. libcurl looks
 * before it uses one again, but with HTTP/2 takes what came before the end (an acknowledgement of
 * settings, say) for a sign of life, and the request is lost. */
#ifndef WEIR_HTTP_CURL_IDLE_H
#define WEIR_HTTP_CURL_IDLE_H

#include <poll.h>
#include <sys/types.h>

enum { WEIR__IDLE_MAX = 64 }; /* more than a shard keeps; the rest is not looked after */

/* All zero: none. */
struct weir__idle {
    struct pollfd sockets[WEIR__IDLE_MAX];
    ino_t ids[WEIR__IDLE_MAX];
    unsigned count;
};

/* Which socket it is, whatever becomes of its number: libcurl closes some (of a failed connect, of
 * its resolver) without a word, and the number may be anybody's next. 0: it is none. */
ino_t weir__idle_id(int fd);

void weir__idle_add(struct weir__idle *idle, int fd, ino_t id);
void weir__idle_remove(struct weir__idle *idle, int fd); /* in use again, or closed */

/* Puts a socket that has nothing more to say in the place of each that the server has ended, and
 * thereby closes the connection: libcurl finds it dead when it looks. */
void weir__idle_check(struct weir__idle *idle);

#endif
