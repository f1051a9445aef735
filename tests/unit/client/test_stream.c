/* Answers that are read while they come: from the first byte to the end, and what goes wrong. */
#include "client_rig.h"
#include "stream_rig.h"

#include <weir/metrics.h>

#include "base/mem.h"

#define CHAT  WEIR_REQUEST(.url = "/chat", .body = "{}", .replay = 1)
#define ONCE  WEIR_REQUEST(.url = "/chat", .body = "{}")
#define DONE_ WEIR_STREAM_OPTS(.done = "[DONE]")

static weir_stream *open_stream(weir_client *client, const struct weir_request *request,
                                const struct weir_stream_opts *opts, int want_rc)
{
    weir_stream *stream = NULL;
    int rc = weir_stream_open(client, request, opts, &stream);
    check_int(rc, want_rc);
    check_int(weir_response_error(weir_stream_response(stream)), rc);
    check((rc == 0) == (weir_response_error_text(weir_stream_response(stream))[0] == '\0'));
    return stream;
}

static void check_event(weir_stream *stream, const char *data)
{
    const struct weir_sse_event *event;
    if (check_int(weir_sse_next(stream, &event), 1))
        check(strcmp(event->data, data) == 0);
}

static void check_end(weir_stream *stream, int want)
{
    const struct weir_sse_event *event;
    for (int i = 0; i < 2; i++) { /* and it stays so */
        check_int(weir_sse_next(stream, &event), want);
        check(event == NULL);
    }
    check_int(weir_response_error(weir_stream_response(stream)), want);
    check((want == 0) == (weir_response_error_text(weir_stream_response(stream))[0] == '\0'));
}

/* ---- good streams ---- */

/* The n-th event goes out when the test says so. */
static int serve_on_demand(struct live *live, int fd, unsigned n)
{
    (void)n;
    int rc = live_say(live, fd, LIVE_HEAD);
    for (int i = 0; rc == 0 && i < 3; i++) {
        static const char *const events[] = {"event: a\nid: 7\ndata: one\n\n", "data: two\n\n",
                                             "data: [DONE]\n\n"};
        if (weir_semaphore_acquire(live->go) < 0)
            return 1;
        rc = live_chunk(live, fd, events[i]);
    }
    return rc == 0 ? live_chunk(live, fd, "") : rc;
}

static int events_are_read_while_they_come(void *arg)
{
    struct live live;
    const struct weir_sse_event *event;
    size_t len;
    (void)arg;
    live_start(&live, serve_on_demand);
    weir_client *client = LIVE_CLIENT(&live, .limiter = NULL);
    for (unsigned round = 0; round < 2; round++) {
        weir_semaphore_release(live.go);
        weir_stream *stream = open_stream(client, CHAT, DONE_, 0);
        const weir_response *response = weir_stream_response(stream);
        check_int(weir_response_status(response), 200);
        check_int(weir_response_outcome(response), WEIR_OUTCOME_OK);
        check(strncmp(weir_response_request_id(response, &len), "req_1", 5) == 0 && len == 5);
        check_int((int64_t)live_holding(client), 1);
        check_int(weir_sse_next(stream, &event), 1);
        check(strcmp(event->event, "a") == 0 && strcmp(event->id, "7") == 0);
        check(strcmp(event->data, "one") == 0 && event->data_len == 3 && event->retry_ms == -1);
        weir_semaphore_release(live.go);
        check_int(weir_sse_next(stream, &event), 1);
        check(strcmp(event->event, "message") == 0 && strcmp(event->id, "7") == 0);
        check_int(weir_client_free(client), WEIR_EBUSY);
        weir_semaphore_release(live.go);
        check_end(stream, 0);
        check_int((int64_t)live_holding(client), 0); /* before it is closed */
        weir_stream_close(stream);
    }
    check_int(live.connections, 1); /* what was read to its end is used again */
    struct weir_client_stats stats = {.size = sizeof stats};
    check_int(weir_client_stats(client, &stats), 0);
    check_int((int64_t)stats.bytes_received,
              2 * (int64_t)strlen("event: a\nid: 7\ndata: one\n\ndata: two\n\ndata: [DONE]\n\n"));
    check_int((int64_t)stats.requests_ended.ok, 2);
    return live_end(&live, client);
}

/* As long as it is open its key's limiter is in use, and counts and settles it. */
static int a_stream_keeps_the_limiter_of_its_key(void *arg)
{
    static const struct weir_limit tokens = {.rate = 100000, .unit = WEIR_TOKENS};
    struct live live;
    weir_limiters *set = NULL;
    weir_response *response = NULL;
    struct weir_limiter_stats stats = {.size = sizeof stats};
    (void)arg;
    live_start(&live, serve_on_demand);
    check_int(weir_limiters_new(&set,
                                WEIR_LIMITERS_OPTS(.each = WEIR_LIMITER_OPTS(.limits = &tokens,
                                                                             .limit_count = 1),
                                                   .max_keys = 1)),
              0);
    weir_client *client = LIVE_CLIENT(&live, .limiters = set);
    for (int i = 0; i < 3; i++)
        weir_semaphore_release(live.go);
    weir_stream *stream = open_stream(client, CHAT, DONE_, 0);
    check_int(weir_limiters_stats(set, &stats, NULL), 0);
    check_int((int64_t)stats.holding, 1);
    check_int(weir_request(client, WEIR_REQUEST(.url = "/", .limit_key = "other"), &response),
              WEIR_EKEYS);
    weir_response_free(response);
    const struct weir_sse_event *event;
    check_int(weir_sse_next(stream, &event), 1);
    check_int(weir_sse_next(stream, &event), 1);
    check_end(stream, 0);
    weir_limiter *other = NULL;
    check_int(weir_limiters_get(set, "other", &other), 0);
    weir_stream_close(stream);
    check_int(weir_limiters_stats(set, &stats, NULL), 0);
    check_int((int64_t)stats.holding, 0);
    check_int((int64_t)stats.admitted, 1);
    check_int(weir_client_free(client), 0);
    weir_limiters_free(set);
    live_stop(&live);
    return 0;
}

static int serve_bytes(struct live *live, int fd, unsigned n)
{
    (void)n;
    return live_say(live, fd, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789");
}

static int bytes_are_read_as_they_are(void *arg)
{
    struct live live;
    char buf[8];
    (void)arg;
    live_start(&live, serve_bytes);
    weir_client *client = LIVE_CLIENT(&live, .limiter = NULL);
    weir_stream *stream = open_stream(client, GET, NULL, 0);
    check_int(weir_stream_read(stream, buf, 0), WEIR_EINVAL);
    check_int(weir_stream_read(stream, buf, 4), 4);
    check(memcmp(buf, "0123", 4) == 0);
    check_int(weir_stream_read(stream, buf, 8), 6);
    check(memcmp(buf, "456789", 6) == 0);
    check_int(weir_stream_read(stream, buf, 8), 0);
    check_int(weir_stream_read(stream, buf, 8), 0);
    weir_stream_close(stream);
    weir_stream_close(NULL);
    return live_end(&live, client);
}

static int serve_nothing(struct live *live, int fd, unsigned n)
{
    (void)n;
    return live_say(live, fd, "HTTP/1.1 204 No Content\r\n\r\n");
}

static int an_answer_may_be_empty(void *arg)
{
    struct live live;
    char byte;
    (void)arg;
    live_start(&live, serve_nothing);
    weir_client *client = LIVE_CLIENT(&live, .limiter = NULL);
    weir_stream *stream = open_stream(client, GET, NULL, 0);
    check_int(weir_response_status(weir_stream_response(stream)), 204);
    check_int(weir_stream_read(stream, &byte, 1), 0);
    weir_stream_close(stream);
    return live_end(&live, client);
}

/* ---- until the content begins it is a request like others ---- */

static int serve_at_the_third(struct live *live, int fd, unsigned n)
{
    if (n == 0) {
        live_say(live, fd, LIVE_HEAD); /* and no content */
        return 1;
    }
    if (n == 1)
        return live_say(live, fd, "HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\nno");
    int rc = live_say(live, fd, LIVE_HEAD);
    if (rc == 0)
        rc = live_chunk(live, fd, "data: good\n\ndata: [DONE]\n\n");
    return rc == 0 ? live_chunk(live, fd, "") : rc;
}

static int what_fails_before_its_content_is_tried_again(void *arg)
{
    struct live live;
    (void)arg;
    live_start(&live, serve_at_the_third);
    weir_client *client = LIVE_CLIENT(&live, .limiter = NULL);
    weir_stream *stream = open_stream(client, CHAT, DONE_, 0);
    check_int(weir_response_attempts(weir_stream_response(stream)), 3);
    check_event(stream, "good");
    check_end(stream, 0);
    weir_stream_close(stream);
    return live_end(&live, client);
}

static int what_may_not_be_sent_again_is_not(void *arg)
{
    struct live live;
    (void)arg;
    live_start(&live, serve_at_the_third);
    weir_client *client = LIVE_CLIENT(&live, .limiter = NULL);
    weir_stream *stream = open_stream(client, ONCE, DONE_, WEIR_ERESET);
    check_int(weir_response_attempts(weir_stream_response(stream)), 1);
    check_int(weir_response_sent(weir_stream_response(stream)), WEIR_SENT_MAYBE);
    check_end(stream, WEIR_ERESET);
    weir_stream_close(stream);
    return live_end(&live, client);
}

static int serve_refusal(struct live *live, int fd, unsigned n)
{
    (void)n;
    return live_say(live, fd, "HTTP/1.1 400 Bad\r\nContent-Length: 11\r\n\r\n{\"error\":1}");
}

static int a_refusal_is_whole(void *arg)
{
    struct live live;
    char buf[32];
    (void)arg;
    live_start(&live, serve_refusal);
    weir_client *client = LIVE_CLIENT(&live, .limiter = NULL);
    weir_stream *stream = open_stream(client, CHAT, DONE_, 0);
    const weir_response *response = weir_stream_response(stream);
    check_int(weir_response_status(response), 400);
    check_int(weir_response_outcome(response), WEIR_OUTCOME_CLIENT_ERROR);
    check(strcmp(weir_response_body(response), "{\"error\":1}") == 0);
    check_int((int64_t)live_holding(client), 0);
    check_int(weir_stream_read(stream, buf, sizeof buf), 11);
    check_int(weir_stream_read(stream, buf, sizeof buf), 0);
    weir_stream_close(stream);
    return live_end(&live, client);
}

/* Whoever reads events without a look at the status is told by the first. */
static int a_refusal_has_no_events(void *arg)
{
    const struct weir_stream_opts *const ways[] = {NULL, DONE_};
    struct live live;
    (void)arg;
    live_start(&live, serve_refusal);
    weir_client *client = LIVE_CLIENT(&live, .limiter = NULL);
    for (size_t i = 0; i < 2; i++) {
        weir_stream *stream = open_stream(client, CHAT, ways[i], 0);
        check_end(stream, WEIR_EPROTO);
        const char *text = weir_response_error_text(weir_stream_response(stream));
        check(strstr(text, "status is 400") != NULL);
        weir_stream_close(stream);
    }
    return live_end(&live, client);
}

static int bad_requests_and_options(void *arg)
{
    struct live live;
    (void)arg;
    live_start(&live, serve_nothing);
    weir_client *client = LIVE_CLIENT(&live, .limiter = NULL);
    weir_stream_close(open_stream(client, WEIR_REQUEST(.url = "bad url"), NULL, WEIR_EURL));
    weir_stream_close(
        open_stream(client, GET, WEIR_STREAM_OPTS(.buffer_bytes = UINT64_MAX), WEIR_EINVAL));
    check_int(live.requests, 0);
    return live_end(&live, client);
}

/* ---- how it may end ---- */

static int serve_cut(struct live *live, int fd, unsigned n)
{
    (void)n;
    live_say(live, fd, LIVE_HEAD);
    live_chunk(live, fd, "data: one\n\ndata: tw");
    return 1;
}

static int a_lost_connection_is_reported(void *arg)
{
    struct live live;
    (void)arg;
    live_start(&live, serve_cut);
    weir_client *client = LIVE_CLIENT(&live, .limiter = NULL);
    weir_stream *stream = open_stream(client, CHAT, NULL, 0);
    check_event(stream, "one");
    check_end(stream, WEIR_ERESET);
    check_int(weir_response_outcome(weir_stream_response(stream)), WEIR_OUTCOME_FAILED);
    check_int(weir_response_sent(weir_stream_response(stream)), WEIR_SENT_ANSWERED);
    check_int(live.requests, 1); /* what was read cannot be unread */
    weir_stream_close(stream);
    return live_end(&live, client);
}

static int serve_undone(struct live *live, int fd, unsigned n)
{
    (void)n;
    int rc = live_say(live, fd, LIVE_HEAD);
    if (rc == 0)
        rc = live_chunk(live, fd, "data: one\n\ndata: two\n");
    return rc == 0 ? live_chunk(live, fd, "") : rc;
}

static int the_end_without_its_word(void *arg)
{
    struct live live;
    (void)arg;
    live_start(&live, serve_undone);
    weir_client *client = LIVE_CLIENT(&live, .limiter = NULL);
    weir_stream *stream = open_stream(client, CHAT, DONE_, 0);
    check_event(stream, "one");
    check_end(stream, WEIR_ERESET);
    weir_stream_close(stream);
    stream = open_stream(client, CHAT, NULL, 0); /* where none is expected */
    check_event(stream, "one");
    check_end(stream, 0);
    weir_stream_close(stream);
    return live_end(&live, client);
}

static int an_event_too_large(void *arg)
{
    struct live live;
    (void)arg;
    live_start(&live, serve_undone);
    weir_client *client = LIVE_CLIENT(&live, .limiter = NULL);
    weir_stream *stream = open_stream(client, CHAT, WEIR_STREAM_OPTS(.max_event_bytes = 5), 0);
    check_end(stream, WEIR_EEVENTSIZE);
    check_int((int64_t)live_holding(client), 0);
    weir_stream_close(stream);
    return live_end(&live, client);
}

/* A comment each 20 ms, 5 of them, and then silence. */
static int serve_heartbeats(struct live *live, int fd, unsigned n)
{
    (void)n;
    int rc = live_say(live, fd, LIVE_HEAD);
    for (int i = 0; rc == 0 && i < 5; i++) {
        rc = live_chunk(live, fd, ": still here\n");
        if (rc == 0)
            rc = weir_sleep_ms(20);
    }
    if (rc == 0)
        rc = live_chunk(live, fd, "data: one\n\n");
    return rc == 0 ? live_hold(fd) : rc;
}

static int silence_ends_it_and_comments_are_none(void *arg)
{
    struct live live;
    (void)arg;
    live_start(&live, serve_heartbeats);
    weir_client *client = LIVE_CLIENT(&live, .limiter = NULL);
    weir_stream *stream = open_stream(client, CHAT, WEIR_STREAM_OPTS(.idle_ms = 70), 0);
    int64_t start_ms = weir_now_ms();
    check_event(stream, "one");
    check(weir_now_ms() - start_ms > 70);
    start_ms = weir_now_ms();
    check_end(stream, WEIR_EIDLE);
    check(weir_now_ms() - start_ms >= 70);
    check_int((int64_t)live_holding(client), 0);
    live_until(&live, &live.closed, 1);
    weir_stream_close(stream);
    return live_end(&live, client);
}

static int serve_head_alone(struct live *live, int fd, unsigned n)
{
    (void)n;
    live_say(live, fd, LIVE_HEAD);
    return live_hold(fd);
}

static int no_content_in_time(void *arg)
{
    struct live live;
    (void)arg;
    live_start(&live, serve_head_alone);
    weir_client *client =
        LIVE_CLIENT(&live, .attempt_timeout_ms = 20,
                    .retry = WEIR_RETRY_OPTS(.max_attempts = 2, .backoff_base_ms = 1));
    weir_stream *stream = open_stream(client, CHAT, NULL, WEIR_EATTEMPTTIME);
    check_int(weir_response_attempts(weir_stream_response(stream)), 2);
    check_int(weir_response_status(weir_stream_response(stream)), 0);
    check_int(weir_response_sent(weir_stream_response(stream)), WEIR_SENT_MAYBE);
    weir_stream_close(stream);
    stream = open_stream(client, WEIR_REQUEST(.url = "/", .timeout_ms = 10), NULL, WEIR_ETIMEDOUT);
    weir_stream_close(stream);
    live_until(&live, &live.closed, 3);
    return live_end(&live, client);
}

/* The time limits end where the content begins. */
static int serve_late_end(struct live *live, int fd, unsigned n)
{
    (void)n;
    int rc = live_say(live, fd, LIVE_HEAD);
    if (rc == 0)
        rc = live_chunk(live, fd, "data: one\n\n");
    if (rc == 0)
        rc = weir_sleep_ms(60);
    if (rc == 0)
        rc = live_chunk(live, fd, "data: two\n\n");
    return rc == 0 ? live_chunk(live, fd, "") : rc;
}

static int reading_is_not_bounded_by_them(void *arg)
{
    struct live live;
    (void)arg;
    live_start(&live, serve_late_end);
    weir_client *client = LIVE_CLIENT(&live, .attempt_timeout_ms = 30, .timeout_ms = 40);
    weir_stream *stream = open_stream(client, CHAT, NULL, 0);
    check_event(stream, "one");
    check_event(stream, "two");
    check_end(stream, 0);
    weir_stream_close(stream);
    return live_end(&live, client);
}

/* ---- its place ---- */

struct other {
    weir_client *client;
    int rc;
    bool ended;
};

static int open_other(void *arg)
{
    struct other *other = arg;
    weir_stream *stream;
    other->rc = weir_stream_open(other->client, GET, NULL, &stream);
    other->ended = true;
    weir_stream_close(stream);
    return 0;
}

static int the_place_is_held_until_the_end(void *arg)
{
    struct live live;
    (void)arg;
    live_start(&live, serve_cut);
    weir_client *client = LIVE_CLIENT(&live, .concurrency = 1);
    struct other other = {.client = client};
    weir_group *group = rig_group();
    weir_stream *stream = open_stream(client, CHAT, NULL, 0);
    weir_spawn(group, open_other, &other);
    check_event(stream, "one");
    check_int(live.requests, 1);
    check(!other.ended);
    weir_stream_close(stream); /* in mid-stream */
    check_int(weir_gather(group), 0);
    check_int(other.rc, 0);
    check_int(live.requests, 2);
    weir_group_free(group);
    return live_end(&live, client);
}

static int serve_usage(struct live *live, int fd, unsigned n)
{
    (void)n;
    int rc = live_say(live, fd, LIVE_HEAD);
    if (rc == 0)
        rc = live_chunk(live, fd, "data: {\"choices\":[],\"usage\":null}\n\n");
    if (rc == 0)
        rc = live_chunk(live, fd, "data: {\"usage\":{\"total_tokens\":100}}\n\ndata: [DONE]\n\n");
    return rc == 0 ? live_chunk(live, fd, "") : rc;
}

static int64_t until_ms(const weir_limiter *limiter, uint64_t tokens)
{
    return weir_limiter_time_until_ms(limiter, WEIR_WANT(.tokens = tokens));
}

/* As with a whole answer: what it says to have cost counts, and else the estimate. */
static int usage_settles_the_tokens(void *arg)
{
    const struct weir_limit limit = {.rate = 1000,
                                     .period_ms = 10000000,
                                     .unit = WEIR_TOKENS}; /* one in 10 s */
    const struct weir_request *request = WEIR_REQUEST(.url = "/x", .tokens = 400);
    weir_limiter *limiter = NULL;
    struct live live;
    (void)arg;
    live_start(&live, serve_usage);
    check_int(weir_limiter_new(&limiter, WEIR_LIMITER_OPTS(.limits = &limit, .limit_count = 1)), 0);
    weir_client *client = LIVE_CLIENT(&live, .limiter = limiter);
    weir_stream *stream = open_stream(client, request, DONE_, 0);
    check(until_ms(limiter, 610) > 0);
    check_event(stream, "{\"choices\":[],\"usage\":null}");
    check_event(stream, "{\"usage\":{\"total_tokens\":100}}");
    check_end(stream, 0);
    weir_stream_close(stream);
    check_int(until_ms(limiter, 900), 0);
    check(until_ms(limiter, 910) > 0);
    stream = open_stream(client, request, DONE_, 0); /* and one that is not read to its end */
    check_event(stream, "{\"choices\":[],\"usage\":null}");
    weir_stream_close(stream);
    check_int(until_ms(limiter, 500), 0);
    check(until_ms(limiter, 510) > 0);
    live_end(&live, client);
    weir_limiter_free(limiter);
    return 0;
}

/* A transport that cannot stream. */
static int a_transport_of_ones_own(void *arg)
{
    struct model_server server = SERVER({.status = 503}, {.status = 200});
    weir_client *client = CLIENT(&server, .limiter = NULL);
    char buf[256];
    (void)arg;
    weir_stream *stream = open_stream(client, AGAIN, NULL, 0);
    const weir_response *response = weir_stream_response(stream);
    check_int(weir_response_attempts(response), 2);
    int64_t len = (int64_t)weir_response_body_len(response);
    check_int(weir_stream_read(stream, buf, sizeof buf), len);
    check_int(weir_stream_read(stream, buf, sizeof buf), 0);
    weir_stream_close(stream);
    return done(client, &server);
}

static int memory_that_is_out_ends_it(void *arg)
{
    struct model_server server = SERVER({.status = 200});
    weir_client *client = CLIENT(&server, .limiter = NULL);
    (void)arg;
    weir_stream *stream = open_stream(client, AGAIN, NULL, 0);
    weir__mem_fail_at(1);
    check_end(stream, WEIR_ENOMEM);
    weir__mem_fail_at(0);
    check_end(stream, WEIR_ENOMEM);
    check_int(weir_response_error(weir_stream_response(stream)), WEIR_ENOMEM);
    weir_stream_close(stream);
    return done(client, &server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        REAL_TEST(events_are_read_while_they_come),
        REAL_TEST(a_stream_keeps_the_limiter_of_its_key),
        REAL_TEST(bytes_are_read_as_they_are),
        REAL_TEST(an_answer_may_be_empty),
        REAL_TEST(what_fails_before_its_content_is_tried_again),
        REAL_TEST(what_may_not_be_sent_again_is_not),
        REAL_TEST(a_refusal_is_whole),
        REAL_TEST(a_refusal_has_no_events),
        REAL_TEST(bad_requests_and_options),
        REAL_TEST(a_lost_connection_is_reported),
        REAL_TEST(the_end_without_its_word),
        REAL_TEST(an_event_too_large),
        REAL_TEST(silence_ends_it_and_comments_are_none),
        REAL_TEST(no_content_in_time),
        REAL_TEST(reading_is_not_bounded_by_them),
        REAL_TEST(the_place_is_held_until_the_end),
        REAL_TEST(usage_settles_the_tokens),
        VIRTUAL_TEST(a_transport_of_ones_own),
        VIRTUAL_TEST(memory_that_is_out_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
