#include "client/source.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/opts.h"

enum { PIECE = 16 << 10 };

/* ---- reading ---- */

/* Of the counted body, which is ours: >= 0, or -1: not known. */
static int64_t length_of(const struct weir_body *given)
{
    if (given->length == WEIR_BODY_EMPTY)
        return 0;
    return given->length > 0 ? given->length : -1;
}

static bool is_short(const struct weir__source *source)
{
    return source->given.length >= 0 && source->read < source->given.length;
}

static int64_t note(struct weir__source *source, int64_t n)
{
    if (n < 0)
        source->failure = (int)n;
    else if (n == 0 && is_short(source))
        source->failure = WEIR_EBODY;
    else
        source->read += n;
    return source->failure != 0 ? source->failure : n;
}

static int64_t read_counted(void *arg, void *buf, size_t room)
{
    struct weir__source *source = arg;
    const struct weir_body *given = &source->given;
    if (given->length >= 0) {
        uint64_t left = (uint64_t)(given->length - source->read);
        room = left < room ? (size_t)left : room;
    }
    if (room == 0)
        return 0;
    source->touched = true;
    int64_t n = given->read(given->arg, buf, room);
    return note(source, n > (int64_t)room ? WEIR_EINVAL : n);
}

int weir__source_init(struct weir__source *source, const struct weir_body *given)
{
    weir__buf_init(&source->whole, WEIR_BODY_WHOLE_MAX + PIECE);
    if (given == NULL)
        return 0;
    int rc = weir__opts_copy(&source->given, sizeof source->given, given);
    if (rc == 0 && source->given.read == NULL)
        rc = WEIR_EINVAL;
    source->given.length = length_of(&source->given);
    source->counted = source->given;
    source->counted.read = read_counted;
    source->counted.arg = source;
    return rc;
}

void weir__source_free(struct weir__source *source)
{
    weir__buf_free(&source->whole);
}

/* ---- attempts ---- */

bool weir__source_can_repeat(const struct weir__source *source)
{
    return !source->touched || source->given.rewind != NULL;
}

static int read_whole(struct weir__source *source, struct weir_exchange *exchange)
{
    struct weir__buf *whole = &source->whole;
    int64_t n = 1;
    weir__buf_reset(whole);
    while (n > 0) {
        int rc = weir__buf_reserve(whole, PIECE);
        if (rc < 0)
            return source->failure = rc;
        n = read_counted(source, whole->data + whole->len, PIECE);
        whole->len += n > 0 ? (size_t)n : 0;
        if (whole->len > WEIR_BODY_WHOLE_MAX)
            return source->failure = WEIR_EBODYSIZE;
    }
    exchange->body = whole->data;
    exchange->body_len = whole->len;
    return (int)n;
}

int weir__source_begin(struct weir__source *source, bool libcurl, struct weir_exchange *exchange,
                       weir_response *response)
{
    int rc = 0;
    if (!weir__source_is_given(source))
        return 0;
    source->failure = 0;
    source->read = 0;
    if (source->touched && source->given.rewind != NULL)
        rc = source->failure = source->given.rewind(source->given.arg);
    if (rc == 0 && libcurl)
        exchange->body_from = &source->counted;
    else if (rc == 0)
        rc = read_whole(source, exchange);
    response->sent = rc < 0 ? WEIR_SENT_NEVER : response->sent;
    return rc;
}

static void explain(const struct weir__source *source, weir_response *response)
{
    char text[sizeof response->error_text];
    if (source->failure == WEIR_EBODY && is_short(source))
        snprintf(text, sizeof text,
                 "the request's body ended after %" PRId64 " of %" PRId64 " bytes", source->read,
                 source->given.length);
    else if (source->whole.len > WEIR_BODY_WHOLE_MAX)
        snprintf(text, sizeof text, "the request's body is over the maximum of %d bytes",
                 WEIR_BODY_WHOLE_MAX);
    else
        snprintf(text, sizeof text, "the request's body could not be read: %s (%d)",
                 weir_strerror(source->failure), source->failure);
    weir_response_set_failure(response, response->sent, text);
}

int weir__source_result(const struct weir__source *source, int rc, weir_response *response)
{
    if (rc == 0 || source->failure == 0 || rc != source->failure)
        return rc;
    if (rc == WEIR_ECANCELED || rc == WEIR_ENOMEM) {
        weir_response_set_failure(response, response->sent, weir_strerror(rc));
        return rc;
    }
    explain(source, response);
    return WEIR_EBODY;
}
