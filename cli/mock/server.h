/*
 * The listening socket, the loop and all connections.
 */
#ifndef WEIR_MOCK_SERVER_H
#define WEIR_MOCK_SERVER_H

#include <ev.h>

#include "mock/conn.h"
#include "mock/options.h"
#include "mock/service.h"

enum {
    MOCK_CONN_MAX = 8192,
    MOCK_READ_MAX = 64 * 1024, /* bytes that one read takes */
};

struct mock_server {
    struct mock_service service;
    struct ev_loop *loop;
    int fd;
    uint16_t port;
    ev_io acceptable;
    ev_timer accept_again; /* after the process ran out of file descriptors */
    ev_timer sweep;
    ev_signal sigint;
    ev_signal sigterm;
    struct mock_conn *conns;
    char *scratch; /* MOCK_READ_MAX bytes for one read; what must stay is copied out of it */
};

/* Sets a zeroed server up and listens on 127.0.0.1. 0, or a negative errno with nothing left to
 * close. `opts` is borrowed. */
int mock_server_open(struct mock_server *server, const struct mock_opts *opts);

/* Serves until SIGINT or SIGTERM. */
void mock_server_run(struct mock_server *server);

/* Closes everything. */
void mock_server_close(struct mock_server *server);

/* For connections: a slot has become free. */
void mock_server_room(struct mock_server *server);

/* Monotonic time. */
int64_t mock_server_now_ns(void);

#endif
