/* Whether a stream has begun, by the word of who asked for it. Until it has, what fails is an
 * attempt that failed, and nobody has read anything. */
#include <stdio.h>
#include <string.h>

#include "base/ascii.h"
#include "base/clock.h"
#include "base/mem.h"
#include "client/call.h"
#include "http/sse.h"

enum { PIECE = 4 << 10 };

/* On the heap: it is too large for a task's stack. */
struct judging {
    struct weir__call *call;
    struct weir__opening *opening;
    struct weir__sse sse;
    struct weir_sse_event event;
    int64_t last_ns; /* when the attempt's time is over */
    char piece[PIECE];
};

/* ---- what comes ---- */

void weir__event_show(const struct weir__sse *sse, struct weir_sse_event *event)
{
    *event = (struct weir_sse_event){
        .event = sse->event.len > 0 ? sse->event.data : "message",
        .data = sse->data.len > 0 ? sse->data.data : "",
        .data_len = sse->data.len,
        .id = sse->id.len > 0 ? sse->id.data : "",
        .retry_ms = sse->retry_ms,
    };
}

bool weir__is_event_stream(const weir_response *response)
{
    static const char type[] = "text/event-stream";
    size_t len;
    const char *text = weir_response_header(response, "content-type", &len);
    return text != NULL && len >= sizeof type - 1 && weir__ascii_same(text, type, sizeof type - 1);
}

/* No line of an event stream that means anything begins so. Types are not asked: some servers give
 * event streams a wrong one, and errors that of the stream. */
static bool is_json(const char *text, size_t len)
{
    if (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
        text += 3;
        len -= 3;
    }
    while (len > 0 && (*text == ' ' || *text == '\t' || *text == '\r' || *text == '\n')) {
        text++;
        len--;
    }
    return len > 0 && (*text == '{' || *text == '[');
}

size_t weir__ahead_read(struct weir__opening *opening, void *buf, size_t size)
{
    size_t left = opening->ahead.len - opening->at;
    size_t n = left < size ? left : size;
    if (n > 0)
        memcpy(buf, opening->ahead.data + opening->at, n);
    opening->at += n;
    return n;
}

/* ---- what is made of it ---- */

/* What has come is no answer. */
static int fail(struct weir__call *call, int rc, const char *text)
{
    weir_response *response = call->response;
    char why[sizeof response->error_text];
    snprintf(why, sizeof why, "%s", text[0] != '\0' ? text : weir_strerror(rc));
    weir__response_forget_answer(response);
    weir_response_set_failure(response, WEIR_SENT_MAYBE, why);
    return rc;
}

/* The response has all of the answer, which is no stream. */
static int take_whole(struct weir__call *call, int beginning)
{
    struct weir__opening *opening = &call->opened->opening;
    if (beginning < 0)
        return beginning;
    opening->whole = true;
    opening->failed = beginning == WEIR_BEGUN_BADLY;
    call->response->sent = WEIR_SENT_ANSWERED;
    return 0;
}

/* An event that is an error is the answer. */
static int take_event(struct judging *judging)
{
    weir_response *response = judging->call->response;
    weir__buf_reset(&response->body);
    int rc = weir_response_append(response, judging->event.data, judging->event.data_len);
    return take_whole(judging->call, rc < 0 ? rc : WEIR_BEGUN_BADLY);
}

/* JSON instead of events, which is judged as one. */
static int judge_body(struct judging *judging)
{
    const weir_response *response = judging->call->response;
    judging->event = (struct weir_sse_event){
        .event = "message",
        .data = weir_response_body(response),
        .data_len = weir_response_body_len(response),
        .id = "",
        .retry_ms = -1,
    };
    return take_whole(judging->call,
                      judging->opening->begins(&judging->event, judging->opening->arg));
}

/* WEIR_NOT_BEGUN: none of its events was more than that. */
static int judge_events(struct judging *judging, const char *bytes, size_t len)
{
    int beginning = WEIR_NOT_BEGUN;
    while (len > 0 && beginning == WEIR_NOT_BEGUN) {
        size_t used;
        int rc = weir__sse_feed(&judging->sse, bytes, len, &used);
        if (rc <= 0)
            return rc;
        weir__event_show(&judging->sse, &judging->event);
        judging->opening->any = true;
        beginning = judging->opening->begins(&judging->event, judging->opening->arg);
        bytes += used;
        len -= used;
    }
    return beginning;
}

/* What is no event stream at all begins here, and its reader is told so. */
static int judge_end(const struct judging *judging, size_t len)
{
    const struct weir__opening *opening = judging->opening;
    if (len > 0 && !opening->any && !weir__is_event_stream(judging->call->response))
        return WEIR_BEGUN;
    int beginning = opening->begins(NULL, opening->arg);
    return beginning == WEIR_BEGUN_BADLY ? WEIR_ERESET : beginning; /* there is no event for it */
}

/* ---- while it comes ---- */

static int64_t read_on(struct judging *judging, size_t size)
{
    struct weir__call *call = judging->call;
    struct weir__rt *rt = call->client->rt;
    int64_t idle_ns = judging->opening->idle_ns, left_ns = INT64_MAX;
    if (judging->last_ns < INT64_MAX)
        left_ns = judging->last_ns - weir__now_ns(rt);
    if (left_ns < 0)
        left_ns = 0;
    int64_t n = weir__curl_read(call->opened->download, judging->piece, size,
                                left_ns < idle_ns ? left_ns : idle_ns);
    return n == WEIR_EIDLE && left_ns < idle_ns ? WEIR_EATTEMPTTIME : n;
}

static int read_whole(struct judging *judging)
{
    struct weir__buf *ahead = &judging->opening->ahead;
    weir_response *response = judging->call->response;
    int rc = weir_response_append(response, ahead->data, ahead->len);
    int64_t n = 1;
    weir__buf_reset(ahead);
    while (rc == 0 && (n = read_on(judging, PIECE)) > 0)
        rc = weir_response_append(response, judging->piece, (size_t)n);
    return rc < 0 ? rc : (int)n;
}

/* More of the preface is kept for the reader than the room holds: then it has begun. */
static int judge_more(struct judging *judging)
{
    struct weir__buf *ahead = &judging->opening->ahead;
    size_t room = ahead->max - ahead->len;
    if (room == 0)
        return WEIR_BEGUN;
    int64_t n = read_on(judging, room < PIECE ? room : PIECE);
    if (n < 0)
        return (int)n;
    if (n == 0) {
        int rc = judge_end(judging, ahead->len);
        return rc == WEIR_NOT_BEGUN ? WEIR_BEGUN : rc;
    }
    int rc = weir__buf_add(ahead, judging->piece, (size_t)n);
    return rc < 0 ? rc : judge_events(judging, judging->piece, (size_t)n);
}

static int judge_download(struct judging *judging)
{
    struct weir__opened *opened = judging->call->opened;
    const struct weir__buf *ahead = &judging->opening->ahead;
    int rc = WEIR_NOT_BEGUN;
    while (rc == WEIR_NOT_BEGUN && !is_json(ahead->data, ahead->len))
        rc = judge_more(judging);
    if (is_json(ahead->data, ahead->len)) {
        rc = read_whole(judging);
        if (rc == 0)
            rc = judge_body(judging);
    } else if (rc == WEIR_BEGUN_BADLY) {
        rc = take_event(judging);
    } else { /* a response's body is counted with its attempt */
        judging->call->client->observer.counts.bytes_received += ahead->len;
    }
    if (rc == WEIR_BEGUN)
        return 0; /* it stays open */
    if (rc < 0)
        rc = fail(judging->call, rc, weir__curl_failure(opened->download));
    weir__curl_close(opened->download);
    opened->download = NULL;
    return rc;
}

/* The same for an answer that has come as a whole. */
static int judge_response(struct judging *judging)
{
    const weir_response *response = judging->call->response;
    const char *body = weir_response_body(response);
    size_t len = weir_response_body_len(response);
    int rc;
    if (is_json(body, len))
        rc = judge_body(judging);
    else if ((rc = judge_events(judging, body, len)) == WEIR_NOT_BEGUN)
        rc = judge_end(judging, len);
    if (rc == WEIR_BEGUN_BADLY && !judging->opening->whole)
        rc = take_event(judging);
    return rc < 0 ? fail(judging->call, rc, "") : 0;
}

int weir__begin(struct weir__call *call)
{
    struct weir__opening *opening = &call->opened->opening;
    int64_t limit_ms = call->prepared.exchange.timeout_ms;
    weir__buf_reset(&opening->ahead);
    opening->at = 0;
    opening->any = opening->whole = opening->failed = false;
    if (opening->begins == NULL || call->response->status / 100 != 2)
        return 0;
    struct judging *judging = weir__alloc(sizeof *judging);
    if (judging == NULL) {
        weir__curl_close(call->opened->download);
        call->opened->download = NULL;
        return fail(call, WEIR_ENOMEM, "");
    }
    judging->call = call;
    judging->opening = opening;
    judging->last_ns =
        limit_ms > 0 ? weir__ns_add(call->stay.admitted_ns, weir__ms_to_ns(limit_ms)) : INT64_MAX;
    weir__sse_init(&judging->sse, opening->max_event);
    int rc = weir__call_is_open(call) ? judge_download(judging) : judge_response(judging);
    weir__sse_free(&judging->sse);
    weir__free(judging);
    return rc;
}
