/* What is counted and said of streams: they are under way until they end, and end as what they
 * came to, once. */
#include "client_rig.h"
#include "stream_rig.h"

#include <fcntl.h>

#include <weir/body.h>
#include <weir/metrics.h>

#define CHAT  WEIR_REQUEST(.url = "/chat", .body = "{}", .replay = 1)
#define DONE_ WEIR_STREAM_OPTS(.done = "[DONE]")

/* ---- what was said and counted ---- */

static struct {
    char text[4000]; /* "level: text", a line each */
    size_t len;
} said;

static void keep(enum weir_log_level level, const char *text, void *arg)
{
    (void)arg;
    int len = snprintf(said.text + said.len, sizeof said.text - said.len, "%s: %s\n",
                       weir_log_level_name(level), text);
    said.len += (size_t)len < sizeof said.text - said.len ? (size_t)len : 0;
}

/* One line since the last time, which begins and goes on so; '#' is for a number. */
static void check_said(const char *want)
{
    const char *at = said.text;
    for (; *want != '\0' && (*want == *at || *want == '#'); want++) {
        if (*want != '#')
            at++;
        else
            at += strspn(at, "0123456789");
    }
    if (!check(*want == '\0' && strcmp(at, "\n") == 0))
        print_error("said:\n%s", said.text);
    memset(&said, 0, sizeof said);
}

static struct weir_client_stats stats_of(const weir_client *client)
{
    struct weir_client_stats stats = {.size = sizeof stats};
    check_int(weir_client_stats(client, &stats), 0);
    return stats;
}

#define check_counts(counts, ...)                                                                  \
    check(memcmp(&(counts), &(struct weir_outcome_counts){__VA_ARGS__}, sizeof(counts)) == 0)

/* Requests and attempts ended alike, and nothing is under way. */
#define check_ended(client, ...)                                                                   \
    do {                                                                                           \
        struct weir_client_stats ended_ = stats_of(client);                                        \
        check_counts(ended_.requests_ended, __VA_ARGS__);                                          \
        check_counts(ended_.attempts_ended, __VA_ARGS__);                                          \
        check_int((int64_t)ended_.in_flight, 0);                                                   \
        check_int((int64_t)ended_.streams, 0);                                                     \
    } while (0)

/* A metric's whole line. */
static void check_line(const weir_client *client, const char *line)
{
    static char text[10000];
    check(weir_client_metrics_text(&client, NULL, 1, text, sizeof text) < (int)sizeof text);
    if (!check(strstr(text, line) != NULL))
        print_error("no line %s", line);
}

static weir_client *client_to(struct live *live, enum weir_log_level level)
{
    memset(&said, 0, sizeof said);
    return LIVE_CLIENT(live, .log = WEIR_LOG_OPTS(.fn = keep, .level = level));
}

static weir_stream *open_well(weir_client *client, const struct weir_stream_opts *opts)
{
    weir_stream *stream = NULL;
    check_int(weir_stream_open(client, CHAT, opts, &stream), 0);
    return stream;
}

static int read_all(weir_stream *stream)
{
    const struct weir_sse_event *event;
    int rc;
    while ((rc = weir_sse_next(stream, &event)) == 1)
        continue;
    return rc;
}

/* ---- servers ---- */

#define FIRST "data: one\n\n"

static int serve_first(struct live *live, int fd)
{
    int rc = live_say(live, fd, LIVE_HEAD);
    return rc == 0 ? live_chunk(live, fd, FIRST) : rc;
}

/* The rest when the test says so. */
static int serve_in_two(struct live *live, int fd, unsigned n)
{
    (void)n;
    if (serve_first(live, fd) < 0 || weir_semaphore_acquire(live->go) < 0)
        return 1;
    int rc = live_chunk(live, fd, "data: two\n\ndata: [DONE]\n\n");
    return rc == 0 ? live_chunk(live, fd, "") : rc;
}

static int serve_cut(struct live *live, int fd, unsigned n)
{
    (void)n;
    serve_first(live, fd);
    return weir_semaphore_acquire(live->go) < 0 || true;
}

static int serve_without_done(struct live *live, int fd, unsigned n)
{
    (void)n;
    int rc = serve_first(live, fd);
    return rc == 0 ? live_chunk(live, fd, "") : rc;
}

static int serve_and_hold(struct live *live, int fd, unsigned n)
{
    (void)n;
    return serve_first(live, fd) < 0 || live_hold(fd);
}

static int serve_missing(struct live *live, int fd, unsigned n)
{
    (void)n;
    return live_say(live, fd, "HTTP/1.1 404 No\r\nContent-Length: 4\r\n\r\nnone");
}

/* ---- streams ---- */

static int under_way_until_its_end(void *arg)
{
    struct live live;
    (void)arg;
    live_start(&live, serve_in_two);
    weir_client *client = client_to(&live, WEIR_LOG_INFO);
    weir_stream *stream = open_well(client, DONE_);
    struct weir_client_stats stats = stats_of(client);
    check_counts(stats.requests_ended, .ok = 0);
    check_counts(stats.attempts_ended, .ok = 0);
    check_int((int64_t)stats.in_flight, 1);
    check_int((int64_t)stats.streams, 1);
    check_int((int64_t)stats.latency_count, 1); /* to the head */
    check_line(client, "\nweir_requests_in_progress 1\n");
    check_line(client, "\nweir_attempts_in_flight 1\n");
    check_line(client, "\nweir_streams_open 1\n");
    check_int((int64_t)said.len, 0);

    weir_semaphore_release(live.go);
    check_int(read_all(stream), 0);
    check_ended(client, .ok = 1); /* before it is closed */
    check_line(client, "\nweir_streams_open 0\n");
    check_said("info: POST http://127.0.0.1:#/chat: 200; attempts: 1, in # ms; a stream of 36 "
               "bytes, 2 events, in # ms; it went well");
    weir_stream_close(stream);
    check_ended(client, .ok = 1);
    check_int((int64_t)stats_of(client).requests, 1);
    check_int((int64_t)stats_of(client).bytes_received, 36);
    check_int((int64_t)said.len, 0);
    return live_end(&live, client);
}

static int one_that_is_cut_off_failed(void *arg)
{
    struct live live;
    (void)arg;
    live_start(&live, serve_cut);
    weir_client *client = client_to(&live, 0);
    weir_stream *stream = open_well(client, NULL);
    weir_semaphore_release(live.go);
    check_int(read_all(stream), WEIR_ERESET);
    check_ended(client, .failed = 1);
    const char *text = strchr(said.text, '(');
    check(strncmp(said.text, "error: POST http://127.0.0.1:", 29) == 0 && text != NULL);
    check(strstr(said.text, "/chat: connection lost before the answer was complete (") != NULL);
    check(strstr(said.text, "); attempts: 1, in ") != NULL);
    check(strstr(said.text, " ms; a stream of 11 bytes, 1 events, in ") != NULL);
    memset(&said, 0, sizeof said);
    check_int(read_all(stream), WEIR_ERESET);
    weir_stream_close(stream);
    check_ended(client, .failed = 1);
    check_int((int64_t)said.len, 0);
    return live_end(&live, client);
}

/* The content ended well, and yet it is not whole. */
static int one_without_its_done_failed(void *arg)
{
    struct live live;
    (void)arg;
    live_start(&live, serve_without_done);
    weir_client *client = client_to(&live, 0);
    weir_stream *stream = open_well(client, DONE_);
    check_int(read_all(stream), WEIR_ERESET);
    check_ended(client, .failed = 1);
    check_said("error: POST http://127.0.0.1:#/chat: connection lost before the answer was "
               "complete; attempts: 1, in # ms; a stream of 11 bytes, 1 events, in # ms");
    weir_stream_close(stream);
    check_ended(client, .failed = 1);
    return live_end(&live, client);
}

static int one_that_is_closed_before_was_canceled(void *arg)
{
    struct live live;
    (void)arg;
    live_start(&live, serve_and_hold);
    weir_client *client = client_to(&live, WEIR_LOG_INFO);
    weir_stream *stream = open_well(client, NULL);
    weir_stream_close(stream);
    check_ended(client, .canceled = 1);
    check_said("info: POST http://127.0.0.1:#/chat: 200; attempts: 1, in # ms; a stream of 0 "
               "bytes, in # ms; closed before its end");
    check_int((int64_t)stats_of(client).latency_count, 1);
    return live_end(&live, client);
}

/* Its reader was cancelled, which is warned of like the cancel of a call. */
static int one_whose_reader_was_canceled(void *arg)
{
    struct live live;
    const struct weir_sse_event *event;
    weir_deadline limit;
    (void)arg;
    live_start(&live, serve_and_hold);
    weir_client *client = client_to(&live, 0);
    weir_stream *stream = open_well(client, NULL);
    check_int(weir_sse_next(stream, &event), 1);
    weir_deadline_begin_ms(&limit, 1);
    check_int(weir_deadline_end(&limit, weir_sse_next(stream, &event)), WEIR_ETIMEDOUT);
    check_int((int64_t)stats_of(client).in_flight, 1); /* it may be read on */
    weir_stream_close(stream);
    check_ended(client, .canceled = 1);
    check_said("warn: POST http://127.0.0.1:#/chat: cancelled; attempts: 1, in # ms; a stream of "
               "11 bytes, 1 events, in # ms");
    return live_end(&live, client);
}

static int a_bad_answer_ends_at_once(void *arg)
{
    struct live live;
    (void)arg;
    live_start(&live, serve_missing);
    weir_client *client = client_to(&live, WEIR_LOG_INFO);
    weir_stream *stream = open_well(client, NULL);
    check_ended(client, .client_error = 1);
    check_said("info: POST http://127.0.0.1:#/chat: 404; attempts: 1, in # ms; another attempt "
               "would not help, by its status or error");
    check_int(read_all(stream), WEIR_EPROTO); /* it is no event stream */
    weir_stream_close(stream);
    check_ended(client, .client_error = 1);
    check_int((int64_t)said.len, 0);
    return live_end(&live, client);
}

static int again_once(const struct weir_attempt *attempt, void *arg)
{
    (void)arg;
    return attempt->number == 1;
}

/* A good answer that a rule wants another one for is an attempt that ended well, as whole ones. */
static int an_answer_that_a_rule_refuses(void *arg)
{
    struct live live;
    (void)arg;
    live_start(&live, serve_in_two);
    weir_client *client =
        LIVE_CLIENT(&live, .retry = WEIR_RETRY_OPTS(.backoff_base_ms = 1, .retry_if = again_once));
    weir_semaphore_release(live.go);
    weir_semaphore_release(live.go);
    weir_stream *stream = open_well(client, DONE_);
    check_int((int64_t)stats_of(client).in_flight, 1);
    check_int(read_all(stream), 0);
    weir_stream_close(stream);
    struct weir_client_stats stats = stats_of(client);
    check_counts(stats.requests_ended, .ok = 1);
    check_counts(stats.attempts_ended, .ok = 2);
    check_int((int64_t)stats.in_flight, 0);
    return live_end(&live, client);
}

/* The transport brings the answer whole: it is the call that lasts. */
static int one_that_came_whole(void *arg)
{
    struct model_server server = {.latency_ms = 10};
    weir_client *client = CLIENT(&server, .log = WEIR_LOG_OPTS(.fn = keep, .level = WEIR_LOG_INFO));
    weir_stream *stream;
    (void)arg;
    memset(&said, 0, sizeof said);
    check_int(weir_stream_open(client, GET, NULL, &stream), 0);
    struct weir_client_stats stats = stats_of(client);
    check_counts(stats.attempts_ended, .ok = 1);
    check_counts(stats.requests_ended, .ok = 0);
    check_int((int64_t)stats.in_flight, 0);
    check_int((int64_t)stats.streams, 0);
    weir_stream_close(stream);
    check_ended(client, .ok = 1);
    check_said("info: GET http://model.example/x: 200; attempts: 1, in 10 ms; it went well");
    return done(client, &server);
}

/* ---- answers to a descriptor ---- */

static int save(weir_client *client, const char *path, uint64_t max)
{
    weir_response *response;
    int fd = open(path, O_WRONLY);
    int rc = weir_request_save(client, CHAT, fd, WEIR_SAVE_OPTS(.max_bytes = max), NULL, &response);
    check_int(weir_response_error(response), rc);
    weir_response_free(response);
    close(fd);
    return rc;
}

static int what_could_not_be_saved_failed(void *arg)
{
    struct live live;
    (void)arg;
    live_start(&live, serve_without_done);
    weir_client *client = client_to(&live, WEIR_LOG_INFO);
    check_int(save(client, "/dev/full", 0), WEIR_EIO);
    check_ended(client, .failed = 1);
    check_said("error: POST http://127.0.0.1:#/chat: input or output error (the answer could not "
               "be written: No space left on device); attempts: 1, in # ms; a stream of 11 bytes, "
               "in # ms");
    check_int(save(client, "/dev/null", 5), WEIR_EBODYSIZE);
    check_ended(client, .failed = 2);
    check(strncmp(said.text, "error: ", 7) == 0);
    memset(&said, 0, sizeof said);
    check_int(save(client, "/dev/null", 0), 0);
    check_ended(client, .ok = 1, .failed = 2);
    check_said("info: POST http://127.0.0.1:#/chat: 200; attempts: 1, in # ms; a stream of 11 "
               "bytes, in # ms; it went well");
    return live_end(&live, client);
}

static int what_came_whole_could_not_be_saved(void *arg)
{
    struct model_server server = {.latency_ms = 10};
    weir_client *client = CLIENT(&server, .log = WEIR_LOG_OPTS(.fn = keep, .level = WEIR_LOG_INFO));
    (void)arg;
    memset(&said, 0, sizeof said);
    check_int(save(client, "/dev/null", 3), WEIR_EBODYSIZE);
    struct weir_client_stats stats = stats_of(client);
    check_counts(stats.requests_ended, .failed = 1);
    check_counts(stats.attempts_ended, .ok = 1); /* the server did its part */
    check(strncmp(said.text, "error: POST http://model.example/chat: ", 39) == 0);
    check(strchr(said.text, '\n') == said.text + said.len - 1);
    return done(client, &server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        REAL_TEST(under_way_until_its_end),
        REAL_TEST(one_that_is_cut_off_failed),
        REAL_TEST(one_without_its_done_failed),
        REAL_TEST(one_that_is_closed_before_was_canceled),
        REAL_TEST(one_whose_reader_was_canceled),
        REAL_TEST(a_bad_answer_ends_at_once),
        REAL_TEST(an_answer_that_a_rule_refuses),
        VIRTUAL_TEST(one_that_came_whole),
        REAL_TEST(what_could_not_be_saved_failed),
        VIRTUAL_TEST(what_came_whole_could_not_be_saved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
