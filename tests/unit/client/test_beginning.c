/* Streams that begin when their reader says so: what came before is kept, what fails before is
 * tried again, and what is no stream is read as a whole. */
#include "stream_rig.h"

/* What the reader saw of events before the beginning. */
struct seen {
    unsigned events, ends;
    int at_end; /* the word for an end */
    char last[64];
};

/* "go" begins, "bad" is an error, "code" a code; all else is a preface. */
static int begins(const struct weir_sse_event *event, void *arg)
{
    struct seen *seen = arg;
    seen->ends += event == NULL;
    if (event == NULL)
        return seen->at_end;
    seen->events++;
    snprintf(seen->last, sizeof seen->last, "%s:%s", event->event, event->data);
    check_int((int64_t)event->data_len, (int64_t)strlen(event->data));
    if (strncmp(event->data, "go", 2) == 0)
        return WEIR_BEGUN;
    if (strcmp(event->data, "code") == 0)
        return WEIR_EPROTO;
    return strstr(event->data, "bad") != NULL ? WEIR_BEGUN_BADLY : WEIR_NOT_BEGUN;
}

#define OPTS(seen, ...) WEIR_STREAM_OPTS(.begins = begins, .begins_arg = (seen), __VA_ARGS__)
#define GET             WEIR_REQUEST(.url = "/x")

#define HEAD(type) "HTTP/1.1 200 OK\r\nContent-Type: " type "\r\nTransfer-Encoding: chunked\r\n\r\n"

static void check_text(const char *got, const char *want)
{
    if (!check(strcmp(got, want) == 0))
        print_error("got '%s', not '%s'\n", got, want);
}

/* All that can be read, as bytes. */
static void check_content(weir_stream *stream, const char *want)
{
    char got[400];
    size_t len = 0;
    int64_t n;
    while ((n = weir_stream_read(stream, got + len, 3)) > 0)
        len += (size_t)n;
    got[len] = '\0';
    check_int(n, 0);
    check_text(got, want);
}

/* ---- what comes is kept, and tried again ---- */

static int serve_pieces(struct live *live, int fd, unsigned n)
{
    int rc = live_say(live, fd, LIVE_HEAD);
    if (rc == 0)
        rc = live_chunk(live, fd, ": a comment\n\ndata: pi");
    if (n == 0) /* lost before it began */
        return 1;
    if (rc == 0)
        rc = live_chunk(live, fd, n == 1 ? "ng\n\ndata: bad\n\n" : "ng\n\nid: 7\nda");
    if (rc == 0 && n == 2) /* ends before it began */
        rc = live_chunk(live, fd, "ta: x\n\n");
    if (rc == 0 && n > 2)
        rc = live_chunk(live, fd, "ta: go\n\ndata: on\n\n");
    if (rc == 0 && n > 2 && weir_semaphore_acquire(live->go) < 0)
        return 1;
    return rc == 0 ? live_chunk(live, fd, "") : rc;
}

#define WHOLE ": a comment\n\ndata: ping\n\nid: 7\ndata: go\n\ndata: on\n\n"

static int the_attempt_that_begins_is_read(void *unused)
{
    struct live live;
    struct seen seen = {.at_end = WEIR_ERESET};
    weir_stream *stream = NULL;
    const struct weir_sse_event *event;
    (void)unused;
    live_start(&live, serve_pieces);
    weir_client *client = LIVE_CLIENT(&live, .timeout_ms = 0);
    check_int(weir_stream_open(client, GET, OPTS(&seen, .idle_ms = 0), &stream), 0);
    check_int(weir_response_attempts(weir_stream_response(stream)), 4);
    check_int(seen.ends, 1);
    check_text(seen.last, "message:go");
    check_int((int64_t)live_holding(client), 1);
    check_int(weir_sse_next(stream, &event), 1); /* from the first event on */
    check_text(event->data, "ping");
    check_int(weir_sse_next(stream, &event), 1);
    check_text(event->data, "go");
    check_text(event->id, "7");
    check_int(weir_sse_next(stream, &event), 1);
    check_text(event->data, "on");
    weir_semaphore_release(live.go);
    check_int(weir_sse_next(stream, &event), 0);
    weir_stream_close(stream);
    check_int(weir_stream_open(client, GET, OPTS(&seen, .idle_ms = 0), &stream), 0);
    weir_semaphore_release(live.go);
    check_content(stream, WHOLE);
    weir_stream_close(stream);
    return live_end(&live, client);
}

/* ---- an end, an error, a code ---- */

static const char *const answers[] = {
    "data: a\n\n", "", "data: bad luck\n\n", "data: code\n\n", "{\"bad\":\n1}", " [1,2]",
};

static int serve_answers(struct live *live, int fd, unsigned n)
{
    int rc = live_say(live, fd, HEAD("text/plain"));
    if (rc == 0 && answers[n][0] != '\0')
        rc = live_chunk(live, fd, answers[n]);
    return rc == 0 ? live_chunk(live, fd, "") : rc;
}

static int each_end_has_its_word(void *unused)
{
    struct live live;
    const struct weir_retry_opts *never = WEIR_RETRY_OPTS(.max_attempts = 1);
    static const struct {
        int at_end, rc;
        enum weir_outcome outcome;
        const char *content;
    } wants[] = {
        {WEIR_NOT_BEGUN, 0, WEIR_OUTCOME_OK, "data: a\n\n"},
        {WEIR_ERESET, WEIR_ERESET, WEIR_OUTCOME_FAILED, ""},
        {0, 0, WEIR_OUTCOME_SERVER_ERROR, "bad luck"},
        {0, WEIR_EPROTO, WEIR_OUTCOME_FAILED, ""},
        {0, 0, WEIR_OUTCOME_SERVER_ERROR, "{\"bad\":\n1}"},
        {0, 0, WEIR_OUTCOME_OK, " [1,2]"},
    };
    (void)unused;
    live_start(&live, serve_answers);
    weir_client *client = LIVE_CLIENT(&live, .retry = never);
    for (size_t i = 0; i < sizeof wants / sizeof wants[0]; i++) {
        struct seen seen = {.at_end = wants[i].at_end};
        weir_stream *stream = NULL;
        check_int(weir_stream_open(client, GET, OPTS(&seen, .idle_ms = 0), &stream), wants[i].rc);
        const weir_response *response = weir_stream_response(stream);
        check_int(weir_response_outcome(response), wants[i].outcome);
        check_int((int64_t)live_holding(client), i == 0); /* of the rest nothing is to come */
        if (wants[i].rc == 0)
            check_content(stream, wants[i].content);
        else
            check(weir_response_error_text(response)[0] != '\0');
        weir_stream_close(stream);
    }
    return live_end(&live, client);
}

/* ---- time, cancels, room ---- */

static int serve_preface(struct live *live, int fd, unsigned n)
{
    char text[4000];
    int rc = live_say(live, fd, LIVE_HEAD);
    memset(text, 'x', sizeof text);
    memcpy(text, "data: ", 6);
    memcpy(text + sizeof text - 3, "\n\n", 3);
    if (n < 3)
        return rc == 0 && live_chunk(live, fd, "data: a\n\n") == 0 ? live_hold(fd) : 1;
    while (rc == 0)
        rc = live_chunk(live, fd, text);
    return 1;
}

static int what_does_not_begin_is_bounded(void *unused)
{
    struct live live;
    struct seen seen = {.at_end = 0};
    weir_stream *stream = NULL;
    const struct weir_retry_opts *never = WEIR_RETRY_OPTS(.max_attempts = 1);
    const struct weir_sse_event *event;
    weir_deadline limit;
    (void)unused;
    live_start(&live, serve_preface);
    weir_client *client = LIVE_CLIENT(&live, .retry = never, .attempt_timeout_ms = 30);
    check_int(weir_stream_open(client, GET, OPTS(&seen, .idle_ms = 0), &stream), WEIR_EATTEMPTTIME);
    check_int(seen.events, 1);
    check_int((int64_t)live_holding(client), 0);
    weir_stream_close(stream);
    check_int(weir_stream_open(client, GET, OPTS(&seen, .idle_ms = 5), &stream), WEIR_EIDLE);
    check_int((int64_t)live_holding(client), 0);
    weir_stream_close(stream);
    weir_deadline_begin_ms(&limit, 5);
    int rc = weir_stream_open(client, GET, OPTS(&seen, .idle_ms = 0), &stream);
    check_int(weir_deadline_end(&limit, rc), WEIR_ETIMEDOUT);
    check_int((int64_t)live_holding(client), 0);
    weir_stream_close(stream);
    /* More than is kept: it begins there, and nothing of it is lost. */
    seen.events = 0;
    rc = weir_stream_open(client, GET, OPTS(&seen, .buffer_bytes = 20000), &stream);
    check_int(rc, 0);
    check_int(seen.events, 5);
    for (unsigned i = 0; i < 8; i++) {
        check_int(weir_sse_next(stream, &event), 1);
        check_int((int64_t)event->data_len, 3991);
    }
    weir_stream_close(stream);
    return live_end(&live, client);
}

/* ---- what is no stream of events ---- */

static const struct {
    const char *head, *body;
    int rc;
    const char *text;
} types[] = {
    {HEAD("application/json"), "{\"error\":{}}", WEIR_EPROTO,
     "no event in the answer, whose Content-Type is application/json"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "<html>", WEIR_EPROTO,
     "no event in the answer, which has no Content-Type"},
    {HEAD("text/plain"), "data: a\n\n", 0, ""}, /* a wrong type, but events */
    {HEAD("text/plain"), "", 0, ""},
    {HEAD("Text/Event-Stream; charset=utf-8"), "{}\n", 0, ""},
};

static int serve_types(struct live *live, int fd, unsigned n)
{
    int rc = live_say(live, fd, types[n].head);
    if (rc == 0 && types[n].body[0] != '\0')
        rc = live_chunk(live, fd, types[n].body);
    return rc == 0 ? live_chunk(live, fd, "") : rc;
}

static int no_events_of_another_type_are_an_error(void *unused)
{
    struct live live;
    (void)unused;
    live_start(&live, serve_types);
    weir_client *client = LIVE_CLIENT(&live, .timeout_ms = 0);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        weir_stream *stream = NULL;
        const struct weir_sse_event *event;
        int rc;
        check_int(weir_stream_open(client, GET, NULL, &stream), 0);
        while ((rc = weir_sse_next(stream, &event)) == 1)
            continue;
        check_int(rc, types[i].rc);
        check_int(weir_sse_next(stream, &event), types[i].rc);
        check_text(weir_response_error_text(weir_stream_response(stream)), types[i].text);
        weir_stream_close(stream);
    }
    return live_end(&live, client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        REAL_TEST(the_attempt_that_begins_is_read),
        REAL_TEST(each_end_has_its_word),
        REAL_TEST(what_does_not_begin_is_bounded),
        REAL_TEST(no_events_of_another_type_are_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
