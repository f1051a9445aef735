/* Answers that are read while they come, in straight-line code:
 *
 *     rc = weir_stream_open(client, request, WEIR_STREAM_OPTS(.done = "[DONE]"), &stream);
 *     while (rc == 0 && (rc = weir_sse_next(stream, &event)) == 1)
 *         rc = use(event->data);
 *     weir_stream_close(stream);
 *
 * Opening goes the whole way of a request: its turn, the attempts, the waits between them. The
 * stream is open once the first bytes of a good answer's content are there, so what fails before
 * that is tried again as any other request; what fails later is reported, since what you have read
 * cannot be unread. The stream counts among the client's requests in flight until it ends or is
 * closed; then its tokens are settled, by the usage that an event told or else by the estimate.
 *
 * A reader that is slower than the server holds the server back: when buffer_bytes are full no more
 * is taken from the connection. (With HTTP/2, whose connections are shared, up to 32 MiB are, which
 * is libcurl's window: <weir/net.h>.)
 *
 * A stream belongs to its client's runtime and ends with that at the latest. It is closed before
 * the client is freed, then or later. */
#ifndef WEIR_STREAM_H
#define WEIR_STREAM_H

#include <weir/client.h>
#include <weir/opts.h>

typedef struct weir_stream weir_stream;
struct weir_sse_event;

#define WEIR_STREAM_IDLE_MS 120000 /* silence that a reader bears unless told otherwise */

/* What an event is for a stream that has not begun. */
enum weir_beginning {
    WEIR_NOT_BEGUN,   /* what may come before the answer, such as a ping */
    WEIR_BEGUN,       /* the answer begins with it */
    WEIR_BEGUN_BADLY, /* it is an error that stands for the answer */
};

/* Looks at an event, which lives as long as the call: one of the above, or a WEIR_E code, with
 * which the attempt has failed. NULL: the stream has ended. */
typedef int (*weir_stream_begins_fn)(const struct weir_sse_event *event, void *arg);

struct weir_stream_opts {
    size_t size;           /* set by WEIR_STREAM_OPTS */
    uint64_t buffer_bytes; /* content kept for a slow reader, at least 16 KiB; 0: 64 KiB */
    int64_t idle_ms;       /* silence in which a read ends with WEIR_EIDLE; 0: WEIR_STREAM_IDLE_MS;
                              < 0: none. A comment that keeps the connection alive is not
                              silence. */
    uint64_t max_event_bytes; /* of an event's data, and of a line; 0: 1 MiB */
    const char *done; /* an event whose data begins so ends the stream, such as "[DONE]", and
                         an end without it is WEIR_ERESET. NULL: its end is the end. */
    weir_stream_begins_fn begins; /* says when the answer has begun, for servers that send comments,
                                     pings or errors before it; see weir_stream_open. NULL: it has
                                     with its first byte */
    void *begins_arg;
};
#define WEIR_STREAM_OPTS(...) WEIR__OPTS(weir_stream_opts, __VA_ARGS__)

/* A server-sent event. Each text has a NUL behind it. */
struct weir_sse_event {
    const char *event; /* its name; "message" when the server gave none */
    const char *data;
    size_t data_len;
    const char *id;   /* the last one that the server gave, with this event or before; else "" */
    int64_t retry_ms; /* the wait that the server wants before a reconnection, as last given; -1 */
};

#ifdef __cplusplus
extern "C" {
#endif

/* Sends the request and waits for the content of its answer to begin. The request is copied as far
 * as it is needed later; opts may be NULL. Suspends.
 *
 * Returns what weir_request returns: 0 when the server answered, whatever the status. The request's
 * (or client's) timeout_ms bounds this call, and the client's attempt_timeout_ms each attempt until
 * its content begins; neither bounds reading. Streams are not hedged. WEIR_EINVAL also for bad
 * options, and for .body_from, .idle_ms or .idle_first_ms of the request. *out is set in each case,
 * for weir_stream_response, but for NULL when memory is out; close it with weir_stream_close.
 *
 * With .begins the stream opens with the first event of a good answer that .begins says it begins
 * with, and what fails before that is tried again. It is asked of each attempt's events from the
 * first on; comments are none. An error (WEIR_BEGUN_BADLY) is judged as the body of an answer that
 * failed, and if it is not tried again, or in vain, this returns 0 and weir_stream_read gives the
 * event's data. An answer that is JSON instead of events (it begins with { or [, whatever its
 * Content-Type) is read to its end, shown to .begins as one event, and read by weir_stream_read.
 * Events that came before the answer are kept for the reader, up to buffer_bytes; with more, the
 * stream has begun. The attempt's time limit and .idle_ms both bound it until then.
 *
 * An answer with another status than 2xx has been read to its end, and so has any answer of a
 * transport of your own: weir_stream_read gives its body. */
WEIR_API int weir_stream_open(weir_client *client, const struct weir_request *request,
                              const struct weir_stream_opts *opts, weir_stream **out);

/* Status, headers, outcome, attempts, and once something has failed the error and its text. Its
 * body is empty where the content is to be read. Lives as long as the stream. Does not suspend. */
WEIR_API const weir_response *weir_stream_response(const weir_stream *stream);

/* Reads up to size (> 0) bytes of the content into buf: how many, or 0 at its end. Suspends while
 * there are none. Otherwise
 *   WEIR_ECANCELED  the caller is cancelled, or a deadline of its own passed; may be called again
 *   WEIR_ENORUNTIME the caller is no task, and nothing is there, or the stream is of another
 *                   runtime than the caller's; may be called again
 *   WEIR_EIDLE      nothing came for idle_ms
 *   WEIR_ERESET, WEIR_EPROTO, WEIR_ETRANSFER, WEIR_ENOMEM   how the transfer failed
 *   WEIR_EINVAL     size is 0
 *   WEIR_EBUSY      another task is reading.
 * But for WEIR_ECANCELED, WEIR_ENORUNTIME, WEIR_EINVAL and WEIR_EBUSY the stream has ended, and
 * further calls return the same. */
WEIR_API int64_t weir_stream_read(weir_stream *stream, void *buf, size_t size);

/* Reads the next server-sent event: 1 and *event, which lives until the next call; 0 at the end.
 * Suspends. Errors as weir_stream_read, and WEIR_EEVENTSIZE over max_event_bytes; WEIR_ERESET when
 * the stream ends without its `done`; WEIR_EPROTO at the end of an answer that had no event in it
 * and whose status is not 2xx, or that has content and is not of the type text/event-stream: the
 * response's text says which. An event that the end cut off is none. What an answer with a bad
 * status says is its body: look at the status first. Do not mix with weir_stream_read. */
WEIR_API int weir_sse_next(weir_stream *stream, const struct weir_sse_event **event);

/* Closes the stream, whatever its state, and frees it. NULL is fine. What is not read to its end
 * costs the connection. No other task may be reading. May suspend for a moment, and a cancel of the
 * caller does not keep it from its end. Outside of tasks it does not suspend. Does nothing while
 * the stream's runtime goes on in another thread. */
WEIR_API void weir_stream_close(weir_stream *stream);

#ifdef __cplusplus
}
#endif

#endif
