/*
 * One HTTP/1 request as it arrives, read by http_parser. One object per connection is used for one
 * request after the other; the parser stops at the end of each, so pipelined requests are answered
 * in order and one at a time.
 */
#ifndef WEIR_MOCK_REQUEST_H
#define WEIR_MOCK_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include <http_parser.h>

#include "mock/buf.h"

#define MOCK_BODY_MAX   ((size_t)16 * 1024 * 1024)
#define MOCK_HEADER_MAX (64 * 1024) /* request line and all headers together */

enum {
    MOCK_PATH_MAX = 512, /* a longer path names nothing that the server has */
    MOCK_TYPE_MAX = 128,
};

struct mock_request {
    http_parser parser;
    enum http_method method;
    bool keep_alive;
    bool old;            /* HTTP/1.0 */
    bool complete;       /* whole; the next byte belongs to the next request */
    bool expects;        /* has an Expect header */
    bool wants_continue; /* the client waits for `100 Continue` before it sends the body */
    int error;           /* the status that refuses a broken request, or 0 */
    const char *trouble; /* with `error`: what is wrong, a constant */

    /* without the query; bytes that are not printable ASCII stand as '?' */
    char path[MOCK_PATH_MAX + 1];
    size_t path_len;
    bool path_done;
    bool path_cut;

    char type[MOCK_TYPE_MAX]; /* Content-Type, not NUL-terminated; empty when missing or longer */
    size_t type_len;
    bool type_cut;

    char field[16]; /* the header being read, as far as it may be one we know */
    size_t field_len;
    bool in_value;
    struct mock_buf body;
};

/* Sets http_parser's process-wide maximum. */
void mock_request_setup(void);

/* Makes a zeroed object ready for the first request of a connection. */
void mock_request_init(struct mock_request *req);
void mock_request_free(struct mock_request *req);

/* Reads bytes until the request is complete or refused (`complete`, `error`), or no byte is left.
 * Returns how many it has used. Not to be called again after an error. */
size_t mock_request_feed(struct mock_request *req, const char *data, size_t len);

/* Forgets a complete request; a large body's memory goes back. */
void mock_request_next(struct mock_request *req);

#endif
