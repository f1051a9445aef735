/* The inside of a client. */
#ifndef WEIR_CLIENT_CLIENT_H
#define WEIR_CLIENT_CLIENT_H

#include <weir/stream.h>

#include "admission/limiters.h"
#include "client/circuit.h"
#include "client/hedge.h"
#include "client/observe.h"
#include "client/plain.h"
#include "http/curl.h"
#include "http/secrets.h"
#include "http/url.h"

struct weir_client {
    struct weir__rt *rt; /* as long as its home is here */
    struct weir__home home;
    struct weir__base base;
    char **headers;        /* NULL at the end; never NULL itself */
    weir_limiter *limiter; /* NULL: that of the request's key */
    weir_limiters *limiters;
    bool own_limiter;
    struct weir_retry_opts retry;
    struct weir_transport transport;
    bool opens;                    /* it is libcurl's, whose answers can be read while they come */
    struct weir__circuit *circuit; /* NULL: none */
    struct weir__hedger *hedger;   /* NULL: none */
    int64_t timeout_ms, attempt_timeout_ms;
    size_t max_body;
    size_t calls; /* under way */
    struct weir__secrets secrets;
    char *proxy; /* NULL: none with a password */
    struct weir__observer observer;
    struct weir__plain plain;
};

/* False for NULL, too. */
static inline bool weir__client_is_here(const weir_client *client)
{
    return client != NULL && weir__home_is_here(&client->home);
}

/* What a request comes to that cannot even be begun: WEIR_EINVAL, and a response that says why in
 * *out (NULL: memory is out). Without a client, whose maker's failure was not looked at, that is
 * why; and that one is not this runtime's: WEIR_ENORUNTIME. */
int weir__refused(const weir_client *client, weir_response **out, const char *why);

extern const char weir__unknown_size[]; /* why, of a request's struct */

/* A request made ready to be sent: what the transport gets, and what it is made of. */
struct weir__prepared {
    struct weir_exchange exchange;
    struct weir__secrets secrets;
    char *url;
    const char **headers; /* NULL: the client's own list serves */
};

/* 0, WEIR_EURL, WEIR_EHEADER, WEIR_EINVAL, of all of which the response says why, WEIR_ENOMEM.
 * Borrows from client, request, and response, which keeps the line with the idempotency key, and
 * borrows the secrets. */
int weir__prepare(weir_client *client, const struct weir_request *request, weir_response *response,
                  struct weir__prepared *prepared);
void weir__prepared_free(struct weir__prepared *prepared);

/* Who decides whether a stream has begun, and what was read for that. */
struct weir__opening {
    weir_stream_begins_fn begins; /* given; NULL: it has with its first bytes */
    void *arg;
    int64_t idle_ns;        /* given: silence that is borne meanwhile */
    size_t max_event;       /* given */
    struct weir__buf ahead; /* for the reader; its room is given */
    size_t at;              /* bytes of it that were read */
    bool any;               /* events were seen */
    bool whole;             /* the response's body is the answer, and no event stream */
    bool failed;            /* it is an error, as `begins` says */
};

/* Reads what was read ahead: how many bytes, 0 when there are no more. */
size_t weir__ahead_read(struct weir__opening *opening, void *buf, size_t size);

/* By its Content-Type. */
bool weir__is_event_stream(const weir_response *response);

/* The parser's event as callers see it. */
struct weir__sse;
void weir__event_show(const struct weir__sse *sse, struct weir_sse_event *event);

/* An answer that is read while it comes. weir__open fills it: with a download the stay is held
 * until weir__opened_end; without one the response holds the whole answer. */
struct weir__opened {
    size_t room; /* given: what the transport keeps for a slow reader */
    struct weir__download *download;
    weir_limiter *limiter; /* with a download: in use, and the stay's */
    struct weir__stay stay;
    int64_t used; /* tokens that it turned out to cost; -1: unknown */
    struct weir__content content;
    struct weir__opening opening;
};

/* As weir_request, into a response that the caller has made, but returns once the content of a good
 * answer begins, whose end is the caller's to tell (weir__observe_content_end); what the request
 * points to must live until then, its body until weir__opened_end.
 */
int weir__open(weir_client *client, const struct weir_request *request, weir_response *response,
               struct weir__opened *opened);

/* weir_stream_close, but for the response, which is the caller's then. */
weir_response *weir__stream_close_keeping(weir_stream *stream);

/* For who can tell a whole content from one that was cut: its end is not yet that of the call,
 * which is good if weir__stream_finish or weir_stream_close comes first, else weir__stream_fail. */
void weir__stream_doubt(weir_stream *stream);

/* Ends a stream that has not failed yet, as one that did: its user could make nothing of it. With a
 * text the response says so. Suspends for a moment. */
void weir__stream_fail(weir_stream *stream, int rc, const char *text);

/* Closes the download, if there is one, and gives the place back. Suspends for a moment. */
void weir__opened_end(struct weir__opened *opened);

/* Whether the response's body is the answer, and no event stream; *failed: it is an error, as the
 * stream's `begins` has said. */
bool weir__stream_is_whole(const weir_stream *stream, bool *failed);

/* It can be closed by the calling thread: see weir__home_lets_free. */
bool weir__stream_lets_close(const weir_stream *stream);

/* Its client lives in another runtime than the caller, or in one that has ended. */
bool weir__stream_is_elsewhere(const weir_stream *stream);

/* For who knows that an event was the last one: reads what is left, so that the connection can be
 * used again, and ends the stream. Returns 0. Suspends for a moment. */
int weir__stream_finish(weir_stream *stream);

#endif
