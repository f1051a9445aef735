/*
 * One client's connection: reads requests, has them answered one after the other, and writes the
 * answers, with their latency and faults.
 */
#ifndef WEIR_MOCK_CONN_H
#define WEIR_MOCK_CONN_H

#include <ev.h>

#include "mock/buf.h"
#include "mock/reply.h"
#include "mock/request.h"

struct mock_server;

enum mock_conn_state {
    MOCK_CONN_READING,   /* waits for a request, or for the rest of one */
    MOCK_CONN_DELAYED,   /* the answer is ready, its time has not come */
    MOCK_CONN_WRITING,   /* the client takes the answer slowly */
    MOCK_CONN_DRIBBLING, /* we give the answer slowly */
    MOCK_CONN_STALLED,   /* there will be no answer */
    MOCK_CONN_LINGERING, /* all is said; waits for the client to close */
    MOCK_CONN_DEAD,      /* to be freed by the callback that runs */
};

struct mock_conn {
    struct mock_server *server;
    struct mock_conn *prev;
    struct mock_conn *next;
    enum mock_conn_state state;
    int fd;
    bool busy;  /* a request is counted as in flight */
    bool ended; /* the client will send no more */
    ev_io readable;
    ev_io writable;
    ev_timer timer;     /* latency, dribble or linger */
    ev_tstamp active_s; /* loop time of the last byte in or out */
    struct mock_request req;
    struct mock_buf ahead; /* came while a request was being answered; bounded by one read */
    struct mock_buf out;
    struct mock_reply reply;
    size_t sent;
    size_t stop; /* so many bytes of the answer may be sent by now */
};

/* Takes over a non-blocking socket. NULL, with the socket closed, when memory is short. */
struct mock_conn *mock_conn_open(struct mock_server *server, int fd);

/* Closes at once, whatever is going on, and frees. */
void mock_conn_close(struct mock_conn *conn);

/* Closes and frees the connection if nothing moved on it since `since_s` (loop time) and that is
 * the client's doing. */
void mock_conn_sweep(struct mock_conn *conn, ev_tstamp since_s);

#endif
