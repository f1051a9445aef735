/* The idle limits of a request: a server that is silent for too long is given up and asked again, a
 * slow one is not. */
#include "client_rig.h"
#include "stream_rig.h"

#include <weir/body.h>

enum { SHORT_MS = 40, LIMIT_MS = 150 };

#define HASTY    .idle_ms = SHORT_MS, .idle_first_ms = SHORT_MS
#define PATIENT  .idle_ms = LIMIT_MS, .idle_first_ms = LIMIT_MS
#define ONCE     WEIR_RETRY_OPTS(.max_attempts = 1)
#define SIZED(n) "HTTP/1.1 200 OK\r\nContent-Length: " n "\r\n\r\n"
#define WHOLE    SIZED("2") "ok"
#define ASK(...) WEIR_REQUEST(.url = "/x", .body = "body", __VA_ARGS__)

/* ---- silence ---- */

/* What the server says before it is silent. */
static const char *said;

/* The first two times it falls silent. */
static int serve_silence(struct live *live, int fd, unsigned n)
{
    if (n >= 2)
        return live_say(live, fd, WHOLE);
    return live_say(live, fd, said) == 0 ? live_hold(fd) : 1;
}

/* Before the head, behind it, within it, within the content. The pool's handles, which had these
 * limits, serve a request without them next. */
static int it_is_asked_again(void *arg)
{
    static const char *const beginnings[] = {"", "HTTP/1.1 200 OK\r\nA: b\r\n", SIZED("9"),
                                             SIZED("9") "part"};
    (void)arg;
    for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++) {
        struct live live;
        said = beginnings[i];
        live_start(&live, serve_silence);
        weir_client *client = LIVE_CLIENT(&live, .attempt_timeout_ms = 5000);
        struct went went = ask(client, ASK(HASTY, .replay = 1));
        check_int(went.rc, 0);
        check_int(went.status, 200);
        check(went.took_ms >= 2 * SHORT_MS);
        if (check_int(went.attempts, 3))
            live_until(&live, &live.closed, 2);
        check_int(ask(client, ASK(.replay = 0)).status, 200);
        check_int(live_end(&live, client), 0);
    }
    return 0;
}

/* As of any answer that was lost. */
static int not_where_it_may_have_been_done(void *arg)
{
    struct live live;
    weir_response *response = NULL;
    (void)arg;
    said = SIZED("9") "part";
    live_start(&live, serve_silence);
    weir_client *client = LIVE_CLIENT(&live, .limiter = NULL);
    check_int(weir_request(client, ASK(HASTY), &response), WEIR_EIDLE);
    check_int(weir_response_attempts(response), 1);
    check_int(weir_response_sent(response), WEIR_SENT_MAYBE);
    check_int(weir_response_status(response), 0);
    check_int((int64_t)weir_response_body_len(response), 0);
    check_int(weir_response_outcome(response), WEIR_OUTCOME_FAILED);
    check(strcmp(weir_response_error_text(response), weir_strerror(WEIR_EIDLE)) == 0);
    weir_response_free(response);
    return live_end(&live, client);
}

static int serve_head_then_content(struct live *live, int fd, unsigned n)
{
    if (live_say(live, fd, n % 2 == 0 ? SIZED("9") : SIZED("9") "part") != 0)
        return 1;
    return live_hold(fd);
}

/* Each of the two is for its own part of the answer, and nothing else. */
static int each_limit_by_itself(void *arg)
{
    enum { ATTEMPT_MS = 200 };
    struct live live;
    (void)arg;
    live_start(&live, serve_head_then_content);
    weir_client *client = LIVE_CLIENT(&live, .attempt_timeout_ms = ATTEMPT_MS, .retry = ONCE);
    check_int(ask(client, ASK(.idle_ms = SHORT_MS)).rc, WEIR_EATTEMPTTIME);
    check_int(ask(client, ASK(.idle_ms = SHORT_MS)).rc, WEIR_EIDLE);
    check_int(ask(client, ASK(.idle_first_ms = SHORT_MS)).rc, WEIR_EIDLE);
    check_int(ask(client, ASK(.idle_first_ms = SHORT_MS)).rc, WEIR_EATTEMPTTIME);
    return live_end(&live, client);
}

/* ---- slowness ---- */

enum { PIECES = 5, APART_MS = LIMIT_MS / 3 };

/* A header line or a chunk at a time. */
static int serve_slowly(struct live *live, int fd, unsigned n)
{
    int rc = live_say(live, fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n");
    (void)n;
    for (int i = 0; rc == 0 && i < PIECES; i++) {
        rc = weir_sleep_ms(APART_MS);
        if (rc == 0)
            rc = live_say(live, fd, "X-Line: 1\r\n");
    }
    if (rc == 0)
        rc = live_say(live, fd, "\r\n");
    for (int i = 0; rc == 0 && i < PIECES; i++) {
        rc = weir_sleep_ms(APART_MS);
        if (rc == 0)
            rc = live_chunk(live, fd, "x");
    }
    return rc == 0 ? live_chunk(live, fd, "") : rc;
}

static int a_slow_answer_is_no_silence(void *arg)
{
    struct live live;
    (void)arg;
    live_start(&live, serve_slowly);
    weir_client *client = LIVE_CLIENT(&live, .retry = ONCE);
    struct went went = ask(client, ASK(PATIENT));
    check_int(went.rc, 0);
    check(went.took_ms > 3 * LIMIT_MS);
    return live_end(&live, client);
}

struct slow_body {
    int pieces;
    int64_t apart_ms;
};

static int64_t next_piece(void *arg, void *to, size_t room)
{
    struct slow_body *slow = arg;
    (void)room;
    if (slow->pieces-- == 0)
        return 0;
    memcpy(to, "12345678", 8);
    int rc = weir_sleep_ms(slow->apart_ms);
    return rc < 0 ? rc : 8;
}

static int serve_whole(struct live *live, int fd, unsigned n)
{
    (void)n;
    return live_say(live, fd, WHOLE);
}

/* While its body is made it is not the server that is silent: many short waits, then a long one. */
static int a_slow_body_is_no_silence(void *arg)
{
    struct slow_body slow[] = {{PIECES, APART_MS}, {1, 2 * LIMIT_MS}};
    struct live live;
    (void)arg;
    live_start(&live, serve_whole);
    weir_client *client = LIVE_CLIENT(&live, .retry = ONCE);
    for (size_t i = 0; i < 2; i++) {
        const struct weir_body *body =
            WEIR_BODY(.read = next_piece, .arg = &slow[i], .length = slow[i].pieces * 8);
        struct went went = ask(client, WEIR_REQUEST(.url = "/x", .body_from = body, PATIENT));
        check_int(went.rc, 0);
        check(went.took_ms > LIMIT_MS);
    }
    return live_end(&live, client);
}

/* AT_ONCE: may lie in the kernel, and is read without a pause. */
enum { LARGE = 8 << 20, GULP = 256 << 10, GULP_MS = 20, AT_ONCE = 4 << 20 };

static int serve_a_slow_reader(struct live *live, int fd)
{
    static char gulp[GULP];
    size_t len = 0;
    while (len < LARGE) {
        if (weir_wait_fd(fd, WEIR_IO_READ) < 0)
            return 1;
        ssize_t got = recv(fd, gulp, sizeof gulp, 0);
        bool rests = len < LARGE - AT_ONCE && len / GULP != (len + (size_t)got) / GULP;
        if (got <= 0 || (rests && weir_sleep_ms(GULP_MS) < 0))
            return 1;
        len += (size_t)got;
    }
    live_say(live, fd, WHOLE);
    return 1;
}

static int read_slowly(void *arg)
{
    struct live *live = arg;
    int fd = -1, rc = weir_wait_fd(live->listener, WEIR_IO_READ);
    if (rc > 0)
        fd = accept4(live->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return 1;
    serve_a_slow_reader(live, fd);
    close(fd);
    return 0;
}

static void start_slow_reader(struct live *live)
{
    int small = 256 << 10;
    live_start(live, serve_whole);
    weir_group_free(live->tasks); /* nobody else accepts */
    live->tasks = rig_group();
    setsockopt(live->listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    weir_spawn(live->tasks, read_slowly, live);
}

/* And while it is on its way, neither. */
static int a_long_way_is_no_silence(void *arg)
{
    struct live live;
    char *body = calloc(1, LARGE);
    (void)arg;
    start_slow_reader(&live);
    weir_client *client = LIVE_CLIENT(&live, .retry = ONCE);
    struct went went =
        ask(client, WEIR_REQUEST(.url = "/x", .body = body, .body_len = LARGE, PATIENT));
    check_int(went.rc, 0);
    check(went.took_ms > 2 * LIMIT_MS);
    free(body);
    return live_end(&live, client);
}

/* ---- while we are away ---- */

static int server_fd; /* where the server's task has got to */

static void compute(int64_t ms)
{
    int64_t until_ms = weir_now_ms() + ms;
    while (weir_now_ms() < until_ms)
        continue;
}

static int serve_one_event(struct live *live, int fd, unsigned n)
{
    (void)n;
    server_fd = fd;
    live_say(live, fd, LIVE_HEAD);
    live_chunk(live, fd, "data: one\n\n");
    return live_hold(fd);
}

/* An event comes, and the next turn of the loop once the limit is over for long. */
static int send_and_compute(void *arg)
{
    live_chunk(arg, server_fd, "data: next\n\n");
    compute(2 * SHORT_MS);
    return 0;
}

/* The event comes behind that turn. */
static int compute_and_send(void *arg)
{
    compute(2 * SHORT_MS);
    if (weir_sleep_ms(1) == 0)
        live_chunk(arg, server_fd, "data: next\n\n");
    return 0;
}

static int the_time_while_we_compute_is_not_the_servers(void *arg)
{
    int (*const ways[])(void *) = {send_and_compute, compute_and_send};
    struct live live;
    const struct weir_sse_event *event;
    weir_stream *stream = NULL;
    (void)arg;
    live_start(&live, serve_one_event);
    weir_client *client = LIVE_CLIENT(&live, .retry = ONCE, .limiter = NULL);
    const struct weir_stream_opts *opts = WEIR_STREAM_OPTS(.idle_ms = SHORT_MS);
    check_int(weir_stream_open(client, WEIR_REQUEST(.url = "/x"), opts, &stream), 0);
    check_int(weir_sse_next(stream, &event), 1);
    for (size_t i = 0; i < 2; i++) {
        weir_spawn(live.tasks, ways[i], &live); /* runs once the next line waits */
        if (check_int(weir_sse_next(stream, &event), 1))
            check(strcmp(event->data, "next") == 0);
    }
    check_int(weir_sse_next(stream, &event), WEIR_EIDLE); /* nothing came, and nobody was away */
    weir_stream_close(stream);
    return live_end(&live, client);
}

/* ---- options ---- */

static int wrong_limits(void *arg)
{
    struct live live;
    weir_stream *stream = NULL;
    (void)arg;
    live_start(&live, serve_whole);
    weir_client *client = LIVE_CLIENT(&live, .retry = ONCE);
    check_int(ask(client, ASK(.idle_ms = -1)).rc, WEIR_EINVAL);
    check_int(ask(client, ASK(.idle_first_ms = -1)).rc, WEIR_EINVAL);
    check_int(weir_stream_open(client, ASK(.idle_ms = 1), NULL, &stream), WEIR_EINVAL);
    weir_stream_close(stream);
    check_int(weir_stream_open(client, ASK(.idle_first_ms = 1), NULL, &stream), WEIR_EINVAL);
    weir_stream_close(stream);
    check_int(live.requests, 0);
    return live_end(&live, client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        REAL_TEST(it_is_asked_again),
        REAL_TEST(not_where_it_may_have_been_done),
        REAL_TEST(each_limit_by_itself),
        REAL_TEST(a_slow_answer_is_no_silence),
        REAL_TEST(a_slow_body_is_no_silence),
        REAL_TEST(a_long_way_is_no_silence),
        REAL_TEST(the_time_while_we_compute_is_not_the_servers),
        REAL_TEST(wrong_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
