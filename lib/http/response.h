/* The inside of a response. */
#ifndef WEIR_HTTP_RESPONSE_H
#define WEIR_HTTP_RESPONSE_H

#include <stdbool.h>

#include <weir/transport.h>

#include "base/buf.h"
#include "http/history.h"
#include "http/secrets.h"

#define WEIR__HEAD_MAX ((size_t)256 << 10)

#define WEIR__KEY_HEADER "Idempotency-Key: " /* how key_line begins */

/* The way of an attempt, as <weir/attempt.h> has it. */
struct weir__route {
    int http_version;
    enum weir_connection connection;
    enum weir_via via;
    int peer_port;
    char peer_ip[WEIR_PEER_IP_MAX];
};

struct weir_response {
    int status;
    enum weir_outcome outcome;
    enum weir_sent sent;
    int error; /* WEIR_E code of the last attempt */
    unsigned attempts;
    int64_t server_wait_ms;
    struct weir_phases phases;
    struct weir__route route;
    struct weir__buf head; /* "Name: value" lines, each with its CRLF */
    struct weir__buf body;
    struct weir__history history;
    char *key_line; /* the header with the idempotency key, NULL: none; not the attempt's */
    const struct weir__secrets
        *secrets; /* of the call, while it runs: for error_text. NULL: none */
    char error_text[256];
};

static inline bool weir__is_success(int status)
{
    return status >= 200 && status < 300;
}

weir_response *weir__response_new(size_t max_body);

/* A request that is not sent at all: its code, and why, for people. Returns rc. */
int weir__response_refuse(weir_response *response, int rc, const char *why);

/* Forgets what an earlier attempt left, but keeps its memory, the count of attempts and the
 * history. */
void weir__response_reset(weir_response *response);

/* As reset, for an attempt that was given up: what has come by then is no answer, but the way that
 * it went stays known. */
void weir__response_forget_answer(weir_response *response);

/* Appends one raw header line, as a server sent it. One that begins with white space goes on with
 * the value of the line before (RFC 9112, section 5.2). Errors as weir_response_add_header. */
int weir__response_add_line(weir_response *response, const char *line, size_t len);

/* As weir_response_header, for the first of n names that there is, in one pass. */
const char *weir__response_first_header(const weir_response *response, const char *const *names,
                                        size_t n, size_t *len);

/* The line at *at, without its LF; *at is then that of the next one and begins with 0. False: no
 * more. Cheaper than the next function where most lines can be told by their beginning. */
bool weir__response_next_line(const weir_response *response, size_t *at, const char **line,
                              size_t *len);

/* Splits a line. False: it has no colon. */
bool weir__header_split(const char *line, size_t len, struct weir_header *header);

/* All lines of a header as one list, as if their values stood in one line with ", " between them
 * (RFC 9110, section 5.3). A single one is handed out where it lies; several are put together in
 * buf, which the caller has made and frees. NULL: there is none, or buf cannot hold it. */
const char *weir__response_joined(const weir_response *response, const char *name,
                                  struct weir__buf *buf, size_t *len);

#endif
