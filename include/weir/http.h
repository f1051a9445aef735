/* Requests and responses as plain data. */
#ifndef WEIR_HTTP_H
#define WEIR_HTTP_H

#include <stddef.h>
#include <stdint.h>

#include <weir/attempt.h>
#include <weir/err.h>
#include <weir/opts.h>

struct weir_body;

/* What is asked for. Borrowed for the time of the call it is given to, which copies what it keeps
 * longer. */
struct weir_request {
    size_t size;        /* set by WEIR_REQUEST */
    const char *method; /* NULL: GET, or POST when there is a body */
    const char *url;    /* "/v1/models", joined to the client's base URL; or http(s)://... */
    const char *const *headers; /* "Name: value" lines, NULL at the end; NULL: none. One that the
                                   client sends too replaces the client's. Content-Length and
                                   Transfer-Encoding are weir's to set, in either list. */
    const void *body;           /* NULL: none; HEAD takes none. No Content-Type goes with it but
                                   what the headers say (weir_request_json says JSON) */
    size_t body_len;            /* 0 with a body: strlen(body); without one, 0 it must be */
    int64_t timeout_ms;         /* for the whole call, waiting and retries included; 0: as the
                                   client's, < 0: none */
    uint64_t amount;            /* requests that an attempt counts for in the limiter; 0: 1 */
    int replay;      /* nonzero: may be sent again when it is unknown whether the server has already
                        acted on it, whatever the method. GET, HEAD, PUT, DELETE, OPTIONS always may
                        (idempotent by RFC 9110, section 9.2.2). */
    int reserved;    /* leave 0 */
    uint64_t tokens; /* of the limits that count tokens: an estimate of what an attempt costs, which
                        is settled with what the answer says it has used, where it does. 0: where
                        such a limit exists, estimated from the body as weir_estimate_tokens does */
    int priority;  /* in the limiter, higher first, within WEIR_PRIORITY_MAX; 0 is the usual one */
    int reserved2; /* leave 0 */
    const char *limit_key; /* whose limiter of the client's .limiters it takes; NULL: its server's,
                              as <weir/limiters.h> says. For clients with .limiters only. */
    const char *idempotency_key; /* sent as "Idempotency-Key", the same with every attempt, so that
                                    a server that knows the header acts once however often it gets
                                    the request (draft-ietf-httpapi-idempotency-key-header, Stripe's
                                    and other APIs). It may be sent again, then, as with .replay.
                                    WEIR_IDEMPOTENCY_KEY_NEW: weir makes one up (a random UUID).
                                    NULL: none. Else 1 to 255 visible ASCII characters, and not in
                                    .headers as well. */
    const struct weir_body *body_from; /* <weir/body.h>: a body that is read while it is sent, in
                                          place of body, which must be NULL; its tokens are not
                                          estimated. What it points to must live until the call
                                          ends. NULL: none */
    int64_t idle_ms; /* silence of the server, once an answer's content has begun, after which the
                        attempt is given up (WEIR_EIDLE), as one that was lost; 0: no limit but the
                        attempt's. Streams have their own (stream.h) */
    int64_t idle_first_ms; /* the same before that, from when the request is sent. A header is not
                              silence, nor is a request's body until the kernel has it all (which
                              keeps up to some MB); 0: no limit */
    void *user;            /* yours: rules and hooks see it in each attempt (<weir/attempt.h>) */
};
/* An idempotency key that is to be made up, anew for each request. */
#define WEIR_IDEMPOTENCY_KEY_NEW ""

/* A list of headers: .headers = WEIR_HEADERS("Content-Type: application/json"). It lives as long as
 * the block it stands in. */
#define WEIR_HEADERS(...) WEIR__LIST(const char *const, __VA_ARGS__, NULL)

#define WEIR_REQUEST(...) WEIR__OPTS(weir_request, __VA_ARGS__)

/* Where the time of an attempt went, in ns, from when it was handed to libcurl; -1: it did not come
 * so far, or that is not known (a transport of your own). */
struct weir_phases {
    size_t size;        /* sizeof(struct weir_phases): set it before the call */
    int64_t lookup_ns;  /* the host's name; 0, as the next two, over a connection that stood */
    int64_t connect_ns; /* TCP */
    int64_t tls_ns;     /* the handshake; 0 without TLS */
    int64_t
        first_byte_ns; /* from then to the answer's first byte: sending, and the server's work */
    int64_t body_ns;   /* from there to the answer's end; of a stream -1 */
    int reused;        /* 1: it went over a connection that stood already */
    int reserved;
};

/* A header of an answer. Neither text has a NUL behind it; white space around the value is removed.
 */
struct weir_header {
    const char *name, *value;
    size_t name_len, value_len;
};

#ifdef __cplusplus
extern "C" {
#endif

/* Frees a response. NULL is fine. What the functions below return is borrowed from it and lives as
 * long as it; none of them suspends, or takes NULL for it. */
WEIR_API void weir_response_free(weir_response *response);

/* HTTP status, 0 when no answer came (3xx: a redirect, which weir does not follow, so 200 <= status
 * < 300 is success); its class, in which 3xx is WEIR_OUTCOME_OK, or WEIR_OUTCOME_FAILED; and what
 * is known of the server having got the request. All of the last attempt. */
WEIR_API int weir_response_status(const weir_response *response);
WEIR_API enum weir_outcome weir_response_outcome(const weir_response *response);
WEIR_API enum weir_sent weir_response_sent(const weir_response *response);

/* The body, after decompression (.compression of <weir/net.h>), with a NUL behind it that body_len
 * (in bytes) does not count; "" when there is none. */
WEIR_API const char *weir_response_body(const weir_response *response);
WEIR_API size_t weir_response_body_len(const weir_response *response);

/* The value of the first header of that name (case-insensitive, white space around it removed),
 * or NULL. *len, if len is not NULL, gets its length; the value is NOT NUL-terminated. */
WEIR_API const char *weir_response_header(const weir_response *response, const char *name,
                                          size_t *len);

/* One header after the other, as they came: those of that name (case-insensitive), such as each
 * Set-Cookie or Link; or all, with name NULL. *at is yours, and 0 before the first call. 1 and
 * *header, which is borrowed as well; or 0 at the end, and *header means nothing. */
WEIR_API int weir_response_next_header(const weir_response *response, const char *name, size_t *at,
                                       struct weir_header *header);

/* The server's own id of the request (x-request-id, request-id, ...), or NULL; as above: NOT
 * NUL-terminated. */
WEIR_API const char *weir_response_request_id(const weir_response *response, size_t *len);

/* The idempotency key that each of its attempts had, or was to have, or NULL: to ask, or to send it
 * once more, later. */
WEIR_API const char *weir_response_idempotency_key(const weir_response *response);

/* Attempts made, 0 when the request was never admitted. */
WEIR_API unsigned weir_response_attempts(const weir_response *response);

/* Tells of one of the attempts, of which the last 16 are kept: fills *record, whose size must be
 * set. number: 1 .. weir_response_attempts. 0, or WEIR_EINVAL: a size that was never set, a number
 * that there was not, or that is forgotten. */
WEIR_API int weir_response_history(const weir_response *response, unsigned number,
                                   struct weir_attempt_record *record);

/* Fills *phases, whose size must be set, with those of the last attempt (of each one, in the hook
 * of <weir/log.h> that is told of it): 0, else WEIR_EINVAL. */
WEIR_API int weir_response_phases(const weir_response *response, struct weir_phases *phases);

/* The address of the other end of the connection that the last attempt went over (in a hook or a
 * rule: that attempt), which is the server's or the proxy's, such as "192.0.2.7" or "2001:db8::1",
 * and its port in *port, if port is not NULL. "" and 0: none stood, a unix socket, or a transport
 * of your own. */
WEIR_API const char *weir_response_peer(const weir_response *response, int *port);

/* The wait that the server asked for with its last answer, in ms; -1: none. */
WEIR_API int64_t weir_response_server_wait_ms(const weir_response *response);

/* The code and the text of the last attempt's failure (libcurl's words where they say more), such
 * as WEIR_ECONNECT and "Failed to connect to 127.0.0.1 port 9: Connection refused"; 0 and "" when
 * an answer came. */
WEIR_API int weir_response_error(const weir_response *response);
WEIR_API const char *weir_response_error_text(const weir_response *response);

#ifdef __cplusplus
}
#endif

#endif
