/* Answers that are read while they come. */
#include <weir/stream.h>

#include <string.h>

#include "base/mem.h"
#include "base/opts.h"
#include "client/client.h"
#include "llm/llm.h"

struct weir_llm_stream {
    const weir_llm *llm;
    weir_stream *stream; /* NULL: nothing was sent */
    struct weir__llm_held held;
    size_t given; /* bytes of the text */
    bool ended;
    int rc; /* how, once ended */
};

static int end(weir_llm_stream *stream, int rc)
{
    const weir_response *response =
        stream->stream != NULL ? weir_stream_response(stream->stream) : NULL;
    const char *text = response != NULL ? weir_response_error_text(response) : "";
    stream->ended = true;
    stream->rc = rc;
    weir__llm_explain(&stream->held, rc, text);
    if (rc < 0 && stream->stream != NULL)
        weir__stream_fail(stream->stream, rc, NULL);
    return rc;
}

/* A stream that ends without a word of the model's is one that was cut off. */
static int begins(const struct weir_sse_event *event, void *arg)
{
    const weir_llm_stream *stream = arg;
    return event != NULL ? weir__llm_begins(stream->llm->api, event) : WEIR_ERESET;
}

/* What is open may be an error, or a whole answer: not all servers know of streams. */
static int look(weir_llm_stream *stream)
{
    const weir_response *response = weir_stream_response(stream->stream);
    bool failed, whole = weir__stream_is_whole(stream->stream, &failed);
    if (failed)
        return weir__llm_fail(&stream->held, response);
    if (!whole && weir_response_status(response) < 300)
        return 0;
    int rc = weir__llm_hear(stream->llm, &stream->held, response);
    return rc == 0 ? end(stream, 0) : rc;
}

static int open_stream(weir_llm_stream *stream, const struct weir_llm_request *request)
{
    struct weir_request sent = weir__llm_request(stream->llm, request);
    char *text;
    size_t len = 0;
    int rc = weir__llm_text(stream->llm, request, NULL, true, &stream->held, &text, &len);
    sent.body = text;
    sent.body_len = len;
    if (rc == 0)
        rc = weir_stream_open(stream->llm->client, &sent,
                              WEIR_STREAM_OPTS(.begins = begins, .begins_arg = stream),
                              &stream->stream);
    weir_json_text_free(text);
    if (rc < 0)
        return rc;
    weir__stream_doubt(stream->stream);
    return look(stream);
}

int weir_llm_stream_open(weir_llm *llm, const struct weir_llm_request *given, weir_llm_stream **out)
{
    struct weir_llm_request request;
    if (out == NULL)
        return WEIR_EINVAL;
    weir_llm_stream *stream = weir__zalloc(sizeof *stream);
    *out = NULL;
    if (stream == NULL)
        return WEIR_ENOMEM;
    int rc = weir__opts_copy(&request, sizeof request, given);
    stream->llm = llm;
    weir__llm_held_init(&stream->held, llm, rc == 0 && request.schema != NULL);
    if (rc == 0)
        rc = weir__llm_check(llm, &stream->held);
    if (rc == 0)
        rc = open_stream(stream, &request);
    if (rc < 0)
        end(stream, rc);
    *out = stream;
    return rc;
}

/* The end of the connection: good if the model had said that it was done. */
static int at_end(weir_llm_stream *stream)
{
    bool good = stream->held.heard.reason != WEIR_LLM_UNTOLD;
    return end(stream, good ? weir__stream_finish(stream->stream) : WEIR_ERESET);
}

static bool may_go_on(int rc)
{
    return rc == WEIR_ECANCELED || rc == WEIR_ENORUNTIME || rc == WEIR_EBUSY;
}

/* Hears one event: 1, 0 at the end. */
static int hear(weir_llm_stream *stream)
{
    const struct weir_sse_event *event;
    int rc = weir_sse_next(stream->stream, &event);
    if (rc == 0)
        return at_end(stream);
    if (rc < 0)
        return may_go_on(rc) ? rc : end(stream, rc);
    rc = weir__llm_hear_event(stream->llm->api, event, &stream->held.heard);
    if (rc < 0)
        return end(stream, rc);
    if (!stream->held.heard.complete)
        return 1;
    return end(stream, weir__stream_finish(stream->stream));
}

int weir_llm_stream_next(weir_llm_stream *stream, const char **piece)
{
    const struct weir__buf *text = &stream->held.heard.text;
    int rc = stream->ended ? stream->rc : 1;
    *piece = NULL;
    if (stream->stream != NULL && weir__stream_is_elsewhere(stream->stream))
        return WEIR_ENORUNTIME;
    while (rc == 1 && text->len == stream->given)
        rc = hear(stream);
    if (text->len == stream->given)
        return rc;
    *piece = text->data + stream->given; /* before an end in the same event */
    stream->given = text->len;
    return 1;
}

const struct weir_llm_answer *weir_llm_stream_answer(weir_llm_stream *stream)
{
    weir__llm_show(&stream->held,
                   stream->stream != NULL ? weir_stream_response(stream->stream) : NULL);
    return &stream->held.shown;
}

void weir_llm_stream_close(weir_llm_stream *stream)
{
    if (stream == NULL || (stream->stream != NULL && !weir__stream_lets_close(stream->stream)))
        return;
    weir_stream_close(stream->stream);
    weir__llm_held_free(&stream->held);
    weir__free(stream);
}
