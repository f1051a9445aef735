/* Answers that are read while they come. The way to the first byte is the pipeline's. */
#include <weir/stream.h>

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/opts.h"
#include "client/client.h"
#include "http/response.h"
#include "http/sse.h"
#include "provider/provider.h"

enum { PIECE = 8 << 10 };

static const uint64_t buffer_bytes = 64 << 10, max_event_bytes = 1 << 20;

/* Behind `done` the end follows at once, or the connection is not worth waiting for. */
enum { END_PIECES = 4 };
static const int64_t end_ms = 100;

struct weir_stream {
    weir_client *client;
    weir_response *response;
    struct weir__opened opened;
    void *body; /* of the request; it may still be on its way */
    int64_t idle_ns;
    size_t read_of_body; /* of the response's, where that holds the answer */
    bool reading;        /* a task is inside */
    bool canceled;       /* the last that was read */
    bool doubt;          /* an end of the content need not be that of the call */
    bool ended;
    int rc; /* how, once ended */
    /* Events. */
    char *done;
    struct weir__sse sse;
    char *piece;
    size_t piece_len, piece_at;
    bool filled, any; /* bytes were parsed, events were in them */
    struct weir_sse_event event;
    struct weir__usage usage;
};

/* ---- reading ---- */

static void set_failure(weir_stream *stream, int rc, const char *text)
{
    stream->response->error = rc;
    stream->response->outcome = WEIR_OUTCOME_FAILED;
    weir_response_set_failure(stream->response, WEIR_SENT_ANSWERED, text);
}

static const char *failure_text(const weir_stream *stream, int rc)
{
    const struct weir__download *download = stream->opened.download;
    const char *text = download != NULL ? weir__curl_failure(download) : "";
    return text[0] != '\0' ? text : weir_strerror(rc);
}

static void tell(weir_stream *stream, int rc)
{
    if (stream->client != NULL)
        weir__observe_content_end(&stream->client->observer, &stream->opened.content, rc,
                                  weir__home_now_ns(&stream->client->home));
}

/* The end: connection and permit go back at once, not only when the reader closes. */
static int end(weir_stream *stream, int rc)
{
    if (rc < 0 && !(stream->ended && stream->rc == rc))
        set_failure(stream, rc, failure_text(stream, rc));
    stream->ended = true;
    stream->rc = rc;
    weir__opened_end(&stream->opened);
    if (rc < 0 || !stream->doubt)
        tell(stream, rc);
    return rc;
}

static size_t read_whole(weir_stream *stream, void *buf, size_t size)
{
    const struct weir__buf *body = &stream->response->body;
    size_t left = body->len - stream->read_of_body;
    size_t n = left < size ? left : size;
    if (n > 0)
        memcpy(buf, body->data + stream->read_of_body, n);
    stream->read_of_body += n;
    return n;
}

static int64_t read_download(weir_stream *stream, void *buf, size_t size, int64_t idle_ns)
{
    size_t ahead = weir__ahead_read(&stream->opened.opening, buf, size);
    stream->opened.content.bytes += ahead;
    if (ahead > 0)
        return (int64_t)ahead;
    int64_t n = weir__curl_read(stream->opened.download, buf, size, idle_ns);
    if (n > 0) {
        stream->client->observer.counts.bytes_received += (uint64_t)n;
        stream->opened.content.bytes += (uint64_t)n;
    }
    return n;
}

static int64_t read_some(weir_stream *stream, void *buf, size_t size, int64_t idle_ns)
{
    if (stream->ended)
        return stream->rc;
    int64_t n;
    stream->reading = true;
    if (stream->opened.download != NULL)
        n = read_download(stream, buf, size, idle_ns);
    else
        n = (int64_t)read_whole(stream, buf, size);
    stream->canceled = n == WEIR_ECANCELED;
    if (n <= 0 && n != WEIR_ECANCELED && n != WEIR_ENORUNTIME)
        n = end(stream, (int)n);
    stream->reading = false;
    return n;
}

/* A stream without a client, which was NULL, is nowhere. */
bool weir__stream_is_elsewhere(const weir_stream *stream)
{
    return stream->client != NULL && !weir__client_is_here(stream->client);
}

int64_t weir_stream_read(weir_stream *stream, void *buf, size_t size)
{
    if (size == 0)
        return WEIR_EINVAL;
    if (weir__stream_is_elsewhere(stream))
        return WEIR_ENORUNTIME;
    if (stream->reading)
        return WEIR_EBUSY;
    return read_some(stream, buf, size, stream->idle_ns);
}

/* ---- events ---- */

/* Where tokens are counted: what the event says of the usage. */
static void note_usage(weir_stream *stream)
{
    const weir_limiter *limiter = stream->opened.limiter;
    if (limiter == NULL || !weir__limits_count(&limiter->limits, WEIR_TOKENS))
        return;
    const struct weir__buf *data = &stream->sse.data;
    int64_t used = weir__provider_used_so_far(&stream->usage, data->data, data->len);
    if (used >= 0)
        stream->opened.used = used;
}

static bool is_done(const weir_stream *stream)
{
    return stream->done != NULL &&
           strncmp(stream->event.data, stream->done, strlen(stream->done)) == 0;
}

/* Whatever comes of reading on, the content was complete. */
int weir__stream_finish(weir_stream *stream)
{
    int64_t n = 1;
    stream->opened.opening.at = stream->opened.opening.ahead.len;
    stream->reading = true;
    for (int i = 0; i < END_PIECES && n > 0 && stream->opened.download != NULL; i++)
        n = read_download(stream, stream->piece, PIECE, weir__ms_to_ns(end_ms));
    stream->reading = false;
    stream->piece_at = stream->piece_len = 0;
    end(stream, 0);
    tell(stream, 0);
    return 0;
}

void weir__stream_doubt(weir_stream *stream)
{
    stream->doubt = true;
}

void weir__stream_fail(weir_stream *stream, int rc, const char *text)
{
    if (text != NULL)
        set_failure(stream, rc, text);
    if (stream->ended && stream->rc < 0)
        return;
    stream->ended = true;
    stream->rc = rc;
    weir__opened_end(&stream->opened);
    tell(stream, rc);
}

bool weir__stream_is_whole(const weir_stream *stream, bool *failed)
{
    *failed = stream->opened.opening.failed;
    return stream->opened.opening.whole;
}

/* Its end is there, and no event was in it: an error, or something else than events. */
static bool is_no_event_stream(const weir_stream *stream)
{
    if (stream->any)
        return false;
    if (stream->response->status / 100 != 2)
        return true;
    return stream->filled &&
           (stream->opened.opening.whole || !weir__is_event_stream(stream->response));
}

static int refuse_answer(weir_stream *stream)
{
    const weir_response *response = stream->response;
    size_t len;
    const char *type = weir_response_header(response, "content-type", &len);
    char text[160];
    if (response->status / 100 != 2)
        snprintf(text, sizeof text, "no event in the answer, whose status is %d", response->status);
    else if (type != NULL)
        snprintf(text, sizeof text, "no event in the answer, whose Content-Type is %.*s",
                 len < 80 ? (int)len : 80, type);
    else
        snprintf(text, sizeof text, "no event in the answer, which has no Content-Type");
    end(stream, WEIR_EPROTO);
    weir_response_set_failure(stream->response, WEIR_SENT_ANSWERED, text);
    return WEIR_EPROTO;
}

/* More bytes for the parser: 1, 0 at the end. */
static int fill(weir_stream *stream)
{
    if (stream->ended)
        return stream->rc;
    if (stream->piece == NULL && (stream->piece = weir__alloc(PIECE)) == NULL)
        return end(stream, WEIR_ENOMEM);
    int64_t n = read_some(stream, stream->piece, PIECE, stream->idle_ns);
    stream->piece_at = 0;
    stream->piece_len = n > 0 ? (size_t)n : 0;
    stream->filled |= n > 0;
    if (n == 0 && is_no_event_stream(stream))
        return refuse_answer(stream);
    if (n == 0 && stream->done != NULL)
        return end(stream, WEIR_ERESET);
    return n > 0 ? 1 : (int)n;
}

int weir_sse_next(weir_stream *stream, const struct weir_sse_event **event)
{
    *event = NULL;
    if (weir__stream_is_elsewhere(stream))
        return WEIR_ENORUNTIME;
    if (stream->reading)
        return WEIR_EBUSY;
    int rc = 0;
    while (rc == 0) {
        size_t used;
        if (stream->piece_at == stream->piece_len && (rc = fill(stream)) <= 0)
            return rc;
        rc = weir__sse_feed(&stream->sse, stream->piece + stream->piece_at,
                            stream->piece_len - stream->piece_at, &used);
        stream->piece_at += used;
    }
    if (rc < 0)
        return end(stream, rc);
    stream->any = true;
    weir__event_show(&stream->sse, &stream->event);
    note_usage(stream);
    if (is_done(stream))
        return weir__stream_finish(stream);
    stream->opened.content.events++;
    *event = &stream->event;
    return 1;
}

/* ---- beginning and end ---- */

static int set_up(weir_stream *stream, const struct weir_stream_opts *given)
{
    struct weir_stream_opts opts;
    int rc = weir__opts_copy(&opts, sizeof opts, given);
    if (rc < 0)
        return rc;
    uint64_t room = opts.buffer_bytes > 0 ? opts.buffer_bytes : buffer_bytes;
    uint64_t event = opts.max_event_bytes > 0 ? opts.max_event_bytes : max_event_bytes;
    int64_t silence_ms = opts.idle_ms != 0 ? opts.idle_ms : WEIR_STREAM_IDLE_MS;
    if (room > PTRDIFF_MAX || event > PTRDIFF_MAX)
        return WEIR_EINVAL;
    stream->opened.room = (size_t)room;
    stream->idle_ns = silence_ms > 0 ? weir__ms_to_ns(silence_ms) : INT64_MAX;
    stream->doubt = opts.done != NULL;
    weir__sse_init(&stream->sse, (size_t)event);
    stream->opened.opening = (struct weir__opening){.begins = opts.begins,
                                                    .arg = opts.begins_arg,
                                                    .idle_ns = stream->idle_ns,
                                                    .max_event = (size_t)event};
    weir__buf_init(&stream->opened.opening.ahead, (size_t)room);
    if (opts.done == NULL)
        return 0;
    stream->done = weir__strdup(opts.done);
    return stream->done != NULL ? 0 : WEIR_ENOMEM;
}

/* The answer may begin before the request's body has gone out to its end. */
static int copy_body(weir_stream *stream, struct weir_request *request)
{
    if (request->body == NULL)
        return 0;
    if (request->body_len == 0)
        request->body_len = strlen(request->body);
    stream->body = weir__alloc(request->body_len + 1);
    if (stream->body == NULL)
        return WEIR_ENOMEM;
    memcpy(stream->body, request->body, request->body_len);
    ((char *)stream->body)[request->body_len] = '\0';
    request->body = stream->body;
    return 0;
}

/* What a request may not have as a stream's; NULL: nothing. */
static const char *fault_of(const struct weir_request *request)
{
    if (request->body_from != NULL) /* nobody would read it once the answer has begun */
        return "a stream's request takes no .body_from: give its .body";
    if (request->idle_ms != 0 || request->idle_first_ms != 0)
        return "a stream's .idle_ms is that of WEIR_STREAM_OPTS(...), not of the request";
    return NULL;
}

static int check_and_copy(weir_stream *stream, const struct weir_request *given,
                          const struct weir_stream_opts *opts, struct weir_request *request)
{
    int rc = set_up(stream, opts);
    if (rc == WEIR_EINVAL)
        return weir__response_refuse(
            stream->response, rc,
            "the stream's options are not made with WEIR_STREAM_OPTS(...), "
            "or too large");
    if (rc < 0)
        return rc;
    rc = weir__opts_copy(request, sizeof *request, given);
    if (rc < 0)
        return weir__response_refuse(stream->response, rc, weir__unknown_size);
    const char *fault = fault_of(request);
    if (fault != NULL)
        return weir__response_refuse(stream->response, WEIR_EINVAL, fault);
    return copy_body(stream, request);
}

static int open_stream(weir_stream *stream, const struct weir_request *given,
                       const struct weir_stream_opts *opts)
{
    struct weir_request request;
    int rc = check_and_copy(stream, given, opts, &request);
    if (rc == 0)
        return weir__open(stream->client, &request, stream->response, &stream->opened);
    if (stream->response->error == 0)
        weir__response_refuse(stream->response, rc, weir_strerror(rc));
    return rc;
}

/* Without a response memory was out. */
static int begin(weir_stream *stream, weir_client *client)
{
    if (!weir__client_is_here(client))
        return weir__refused(client, &stream->response, NULL);
    stream->response = weir__response_new(client->max_body);
    if (stream->response == NULL)
        return WEIR_ENOMEM;
    stream->client = client;
    client->calls++;
    return 0;
}

int weir_stream_open(weir_client *client, const struct weir_request *request,
                     const struct weir_stream_opts *opts, weir_stream **out)
{
    if (out == NULL)
        return WEIR_EINVAL;
    *out = NULL;
    weir_stream *stream = weir__zalloc(sizeof *stream);
    if (stream == NULL)
        return WEIR_ENOMEM;
    int rc = begin(stream, client);
    if (stream->response == NULL) {
        weir__free(stream);
        return rc;
    }
    if (rc == 0)
        rc = open_stream(stream, request, opts);
    stream->ended = rc < 0;
    stream->rc = rc;
    *out = stream;
    return rc;
}

const weir_response *weir_stream_response(const weir_stream *stream)
{
    return stream->response;
}

/* What came whole is whole, whether it was read or not. */
static void end_call(weir_stream *stream)
{
    bool cut = !stream->ended && stream->opened.download != NULL;
    int rc = stream->ended ? stream->rc : 0;
    weir__opened_end(&stream->opened);
    if (cut)
        rc = stream->canceled ? WEIR_ECANCELED : WEIR__CLOSED;
    tell(stream, rc);
}

weir_response *weir__stream_close_keeping(weir_stream *stream)
{
    weir_response *response = stream->response;
    end_call(stream);
    stream->response = NULL;
    weir_stream_close(stream);
    return response;
}

bool weir__stream_lets_close(const weir_stream *stream)
{
    return stream->client == NULL || weir__home_lets_free(&stream->client->home);
}

void weir_stream_close(weir_stream *stream)
{
    if (stream == NULL || !weir__stream_lets_close(stream))
        return;
    end_call(stream);
    if (stream->client != NULL)
        stream->client->calls--;
    weir__buf_free(&stream->opened.opening.ahead);
    weir__sse_free(&stream->sse);
    weir_response_free(stream->response);
    weir__free(stream->body);
    weir__free(stream->done);
    weir__free(stream->piece);
    weir__free(stream);
}
