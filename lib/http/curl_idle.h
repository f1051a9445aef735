/* Connections that no transfer uses, and whether their servers have ended them or sent what nobody
 * asked for. libcurl looks before it uses one again, but takes what came before the end for a sign
 * of life: with HTTP/2 (an acknowledgement of settings, say) the request is lost, and with HTTP/1.1
 * and libcurl 7.88 the next request has it for its answer. */
#ifndef WEIR_HTTP_CURL_IDLE_H
#define WEIR_HTTP_CURL_IDLE_H

#include <poll.h>
#include <stdbool.h>
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

/* silent: whatever comes is not asked for. Not so with HTTP/2. */
void weir__idle_add(struct weir__idle *idle, int fd, ino_t id, bool silent);
void weir__idle_remove(struct weir__idle *idle, int fd); /* in use again, or closed */

/* Puts a socket that has nothing more to say in the place of each that the server has ended, or
 * that is not silent and should be, and thereby closes the connection: libcurl finds it dead when
 * it looks. silent_alone: the others are left out. */
void weir__idle_check(struct weir__idle *idle, bool silent_alone);

#endif
