/*
 * One answer: what is decided about it, and its head as bytes.
 */
#ifndef WEIR_MOCK_REPLY_H
#define WEIR_MOCK_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mock/buf.h"
#include "mock/faults.h"
#include "mock/json.h"
#include "mock/options.h"
#include "mock/request.h"

enum {
    MOCK_HEAD_MAX = 1024, /* more than all headers at their longest */
};

struct mock_reply {
    int status;
    const char *allow; /* the Allow header of a 405, or NULL */
    const char *type;  /* Content-Type, not NUL-terminated */
    size_t type_len;   /* 0: no such header */
    const char *body;  /* in the request's or the connection's buffer, or a constant */
    size_t len;
    int64_t retry_after_s; /* 0: no such header */
    bool limited;          /* the answer tells about the limit: */
    struct mock_quota quota;

    bool aside;    /* to /stats: counted nowhere */
    bool close;    /* no further request on this connection */
    bool old;      /* to HTTP/1.0 */
    bool events;   /* the body is server-sent events, which go out one by one */
    bool messages; /* errors are worded as Anthropic's API does */
    bool bodiless; /* to HEAD: the head tells of a body that does not follow */
    enum mock_fault fault;
    uint32_t delay_ms;

    uint64_t id[2];
    char head[MOCK_HEAD_MAX];
    size_t head_len;
};

/* Prints the tree into `out` as the reply's body, of type application/json. When memory is short
 * the reply becomes a 500 with a constant body. */
void mock_reply_json(struct mock_reply *reply, int status, cJSON *tree, struct mock_buf *out);

/* An error as OpenAI's API words it, or, for what is said of `messages`, Anthropic's. `param` and
 * `code` may be NULL. */
struct mock_error {
    int status;
    const char *type;
    const char *param;
    const char *code;
};

__attribute__((format(printf, 4, 5))) void mock_reply_error(struct mock_reply *reply,
                                                            struct mock_buf *out,
                                                            const struct mock_error *error,
                                                            const char *format, ...);

/* Writes the head out of all the rest. */
void mock_reply_head(struct mock_reply *reply, const struct mock_opts *opts);

/* Bytes on the wire when nothing goes wrong. */
size_t mock_reply_total(const struct mock_reply *reply);

#endif
