/* A server for tests of the HTTP driver: a thread that does what a script says, byte by byte. The
 * n-th request that arrives, on whatever connection, meets the n-th step; the last step goes on for
 * all that follow. */
#ifndef WEIR_TESTS_SCRIPT_SERVER_H
#define WEIR_TESTS_SCRIPT_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum script_end {
    SCRIPT_KEEP = 0, /* the connection goes on */
    SCRIPT_CLOSE,    /* FIN */
    SCRIPT_RESET,    /* RST */
    SCRIPT_HOLD,     /* silence until the client closes */
};

struct script_step {
    const char *answer; /* raw text; NULL: not a byte */
    size_t fill;        /* then so many bytes of 'x' ... */
    unsigned repeat;    /* ... so many times; 0: once */
    enum script_end end;
    unsigned gather; /* answers only once so many requests have arrived; 0: at once */
    bool at_once;    /* answers to the head, without reading the body */
};

/* What a server got, in order of arrival. */
struct script_request {
    char *head;       /* from the method to the empty line, NUL behind */
    int64_t body_len; /* bytes read of the body */
    unsigned connection;
};

struct script_server;

#define SCRIPT_OK(body_len_text, body)                                                             \
    "HTTP/1.1 200 OK\r\nContent-Length: " body_len_text "\r\n\r\n" body

/* Listens on a free port of 127.0.0.1. The steps are borrowed. Ends the test program if it cannot.
 * Every wait of the server's ends after 20 s. */
struct script_server *script_server_start(const struct script_step *steps, size_t count);
#define SCRIPT_SERVER(...)                                                                         \
    script_server_start((const struct script_step[]){__VA_ARGS__},                                 \
                        sizeof((const struct script_step[]){__VA_ARGS__}) /                        \
                            sizeof(struct script_step))

/* Closes all connections, joins all threads, frees all. */
void script_server_stop(struct script_server *server);

const char *script_server_url(const struct script_server *server); /* http://127.0.0.1:PORT */

/* Counts so far. */
unsigned script_server_requests(struct script_server *server);
unsigned script_server_connections(struct script_server *server);
unsigned script_server_closed(struct script_server *server); /* connections that ended */

/* Readable whenever one of the counts has grown since script_server_settle. */
int script_server_fd(const struct script_server *server);
void script_server_settle(struct script_server *server);

/* The n-th request, from 0; it must have arrived. Lives as long as the server. */
const struct script_request *script_server_request(struct script_server *server, unsigned n);

/* A port of 127.0.0.1 where a connection attempt is neither accepted nor refused: *fds (up to 8,
 * -1 at the end) keep it so until they are closed. */
enum { SCRIPT_DEAF_FDS = 9 };
int script_deaf_port(int fds[SCRIPT_DEAF_FDS]);
void script_deaf_end(int fds[SCRIPT_DEAF_FDS]);

/* A port of 127.0.0.1 where nobody listens. */
int script_closed_port(void);

#endif
