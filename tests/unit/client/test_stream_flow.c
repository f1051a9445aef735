/* Streams in numbers and in trouble: slow readers, many at a time, cancelled in every state. */
#include <malloc.h>

#include "base/mem.h"
#include "script_server.h"
#include "stream_rig.h"

#define CHAT WEIR_REQUEST(.url = "/chat", .body = "{}", .replay = 1)

/* ---- a slow reader holds the server back ---- */

enum { LARGE = 8 << 20, BUFFER = 32 << 10, PIECE = 8 << 10 };

/* The byte at a place, so that none can be lost, doubled or moved unseen. */
static char byte_at(size_t at)
{
    return (char)((at * 2654435761u) >> 13);
}

static int serve_large(struct live *live, int fd, unsigned n)
{
    char head[100], *piece = malloc(PIECE);
    (void)n;
    snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", LARGE);
    int rc = live_say(live, fd, head);
    for (size_t at = 0; rc == 0 && at < LARGE; at += PIECE) {
        for (size_t i = 0; i < PIECE; i++)
            piece[i] = byte_at(at + i);
        rc = live_send(live, fd, piece, PIECE);
    }
    free(piece);
    return rc;
}

/* Nothing more went for a while, though the server would. */
static size_t await_standstill(struct live *live)
{
    size_t sent;
    do {
        sent = live->sent;
        check_int(weir_sleep_ms(5), 0);
    } while ((live->blocked == 0 || live->sent != sent) && sent < LARGE);
    return sent;
}

static int a_slow_reader_holds_the_server_back(void *arg)
{
    struct live live;
    weir_stream *stream;
    char *buf = malloc(PIECE);
    size_t got = 0, wrong = 0;
    int64_t n;
    (void)arg;
    live_start(&live, serve_large);
    weir_client *client = LIVE_CLIENT(&live, .limiter = NULL);
    check_int(weir_stream_open(client, CHAT, WEIR_STREAM_OPTS(.buffer_bytes = BUFFER), &stream), 0);
    check(await_standstill(&live) < LARGE / 2); /* most of that lies in the kernel */
    while ((n = weir_stream_read(stream, buf, 5000)) > 0) {
        for (int64_t i = 0; i < n; i++)
            wrong += buf[i] != byte_at(got + (size_t)i);
        got += (size_t)n;
    }
    check_int(n, 0);
    check_int((int64_t)got, LARGE);
    check_int((int64_t)wrong, 0);
    weir_stream_close(stream);
    free(buf);
    return live_end(&live, client);
}

/* Closed while libcurl keeps back a piece, and reused by nobody. */
static int a_full_stream_is_closed(void *arg)
{
    struct live live;
    weir_stream *stream;
    char byte;
    (void)arg;
    live_start(&live, serve_large);
    weir_client *client = LIVE_CLIENT(&live, .limiter = NULL);
    for (unsigned i = 0; i < 3; i++) {
        check_int(weir_stream_open(client, CHAT, NULL, &stream), 0);
        await_standstill(&live);
        for (unsigned k = 0; k < 40000 && i == 1; k++) /* about to go on */
            check_int(weir_stream_read(stream, &byte, 1), 1);
        weir_stream_close(stream);
        live_until(&live, &live.closed, i + 1);
    }
    return live_end(&live, client);
}

/* ---- many ---- */

enum { EVENTS = 40, EVENT_BYTES = 2000, MANY = 1000, SMALL = 16 << 10 };

static int serve_numbered(struct live *live, int fd, unsigned n)
{
    char *text = malloc(EVENT_BYTES + 1);
    (void)n;
    int rc = live_say(live, fd, LIVE_HEAD);
    for (int i = 0; rc == 0 && i < EVENTS; i++) {
        int len = snprintf(text, EVENT_BYTES, "data: %d ", i);
        memset(text + len, 'x', (size_t)(EVENT_BYTES - 2 - len));
        memcpy(text + EVENT_BYTES - 2, "\n\n", 3);
        rc = live_chunk(live, fd, text);
    }
    if (rc == 0)
        rc = live_chunk(live, fd, "data: [DONE]\n\n");
    free(text);
    return rc == 0 ? live_chunk(live, fd, "") : rc;
}

struct crowd {
    weir_client *client;
    weir_barrier *open;
    unsigned whole, events;
    size_t kept_bytes; /* by the allocator, once all are open and full */
};

static size_t allocated(void)
{
    return RIG_SANITIZED ? 0 : mallinfo2().uordblks;
}

/* Opens, waits until all have, and then reads, letting others go first now and then. */
static int read_slowly(void *arg)
{
    struct crowd *crowd = arg;
    const struct weir_sse_event *event;
    weir_stream *stream;
    const struct weir_stream_opts *opts = WEIR_STREAM_OPTS(.buffer_bytes = SMALL, .done = "[DONE]");
    int rc = weir_stream_open(crowd->client, CHAT, opts, &stream);
    if (rc == 0 && (rc = weir_barrier_wait(crowd->open)) > 0)
        rc = 0;
    if (crowd->kept_bytes == 0)
        crowd->kept_bytes = allocated();
    int i = 0;
    while (rc == 0 && (rc = weir_sse_next(stream, &event)) == 1) {
        check_int(strtol(event->data, NULL, 10), i);
        i++;
        crowd->events++;
        rc = i % 8 == 0 ? weir_yield() : 0;
    }
    crowd->whole += rc == 0 && i == EVENTS;
    weir_stream_close(stream);
    return rc;
}

/* Per stream: 16 KiB here, 16 KiB that libcurl keeps back, its own buffers, handle and connection.
 */
static int many_with_slow_readers(void *arg)
{
    struct live live;
    const unsigned many = RIG_SANITIZED ? MANY / 5 : MANY;
    (void)arg;
    live_start(&live, serve_numbered);
    struct crowd crowd = {.client = LIVE_CLIENT(&live, .concurrency = many)};
    check_int(weir_barrier_new(&crowd.open, many), 0);
    size_t before = allocated();
    weir_group *group = rig_group();
    for (unsigned i = 0; i < many; i++)
        check(weir_spawn(group, read_slowly, &crowd) != NULL);
    check_int(weir_gather(group), 0);
    weir_group_free(group);
    check_int(crowd.whole, many);
    check_int(crowd.events, many * EVENTS);
    check((crowd.kept_bytes - before) / many < (100 << 10));
    weir_barrier_free(crowd.open);
    return live_end(&live, crowd.client);
}

/* ---- cancelled in every state ---- */

/* What the n-th request meets, by its number modulo 4. */
static int serve_states(struct live *live, int fd, unsigned n)
{
    if (n % 4 == 0)
        return live_hold(fd);
    live_say(live, fd, LIVE_HEAD);
    if (n % 4 == 1)
        return live_hold(fd);
    if (n % 4 == 2) {
        live_chunk(live, fd, "data: one\n\n");
        return live_hold(fd);
    }
    int rc = 0;
    while (rc == 0) /* for ever, but that the client takes no more */
        rc = live_chunk(live, fd, "data: 0123456789abcdefghijklmnopqrstuvwxyz\n\n");
    return rc;
}

struct victim {
    weir_client *client;
    const char *url;
    int rc;
    int64_t read;
    bool slow; /* reads a little and then waits for what never comes */
    weir_semaphore *never;
};

static int be_cancelled(void *arg)
{
    struct victim *victim = arg;
    weir_stream *stream;
    char buf[16];
    victim->rc = weir_stream_open(victim->client, WEIR_REQUEST(.url = victim->url), NULL, &stream);
    while (victim->rc == 0) {
        int64_t n = weir_stream_read(stream, buf, sizeof buf);
        if (n <= 0)
            victim->rc = (int)n;
        else
            victim->read += n;
        if (n > 0 && victim->slow)
            victim->rc = weir_semaphore_acquire(victim->never);
    }
    weir_stream_close(stream);
    return 0;
}

/* Starts it, lets it come to its state, and cancels it by the end of its group. */
static void cancel_one(struct live *live, struct victim *victim, unsigned requests)
{
    weir_group *group = rig_group();
    weir_spawn(group, be_cancelled, victim);
    live_until(live, &live->requests, requests);
    if (victim->slow)
        await_standstill(live);
    for (int i = 0; i < 5; i++) /* whatever has been sent arrives */
        check_int(weir_sleep_ms(1), 0);
    weir_group_free(group);
    check_int(victim->rc, WEIR_ECANCELED);
    check_int((int64_t)live_holding(victim->client), 0);
}

static int cancelled_in_every_state(void *arg)
{
    struct live live;
    (void)arg;
    live_start(&live, serve_states);
    weir_client *client = LIVE_CLIENT(&live, .concurrency = 1);
    weir_semaphore *never;
    check_int(weir_semaphore_new(&never, 0, 0), 0);
    for (unsigned n = 0; n < 12; n++) { /* head, content, more content, and full */
        struct victim victim = {.client = client, .url = "/", .slow = n % 4 == 3, .never = never};
        cancel_one(&live, &victim, n + 1);
        check((victim.read > 0) == (n % 4 >= 2));
        live_until(&live, &live.closed, n + 1);
    }
    weir_semaphore_free(never);
    return live_end(&live, client);
}

/* Before anything is sent: in the queue for a place, and while the connection is made. */
static int cancelled_before_it_is_sent(void *arg)
{
    int fds[SCRIPT_DEAF_FDS];
    char url[64];
    struct live live;
    (void)arg;
    live_start(&live, serve_states);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", script_deaf_port(fds));
    weir_client *client = LIVE_CLIENT(&live, .concurrency = 1);
    struct victim connecting = {.client = client, .url = url};
    struct victim queued = {.client = client, .url = "/"};
    weir_group *group = rig_group();
    weir_spawn(group, be_cancelled, &connecting);
    weir_spawn(group, be_cancelled, &queued);
    for (int i = 0; i < 5; i++)
        check_int(weir_sleep_ms(1), 0);
    check_int((int64_t)live_holding(client), 1);
    weir_group_free(group);
    check_int(connecting.rc, WEIR_ECANCELED);
    check_int(queued.rc, WEIR_ECANCELED);
    check_int(live.requests, 0);
    script_deaf_end(fds);
    return live_end(&live, client);
}

/* ---- without memory ---- */

/* Opens, reads to the end, closes: the events that came, and in *rc how it ended. */
static int read_all(weir_client *client, int *rc)
{
    const struct weir_sse_event *event;
    weir_stream *stream;
    int events = 0;
    *rc = weir_stream_open(client, CHAT, WEIR_STREAM_OPTS(.done = "[DONE]"), &stream);
    while (*rc == 0 && (*rc = weir_sse_next(stream, &event)) == 1) {
        events++;
        *rc = 0;
    }
    weir_stream_close(stream);
    return events;
}

/* Whatever allocation fails, and all after it: the error is told, and nothing stays behind. */
static int no_memory_at_any_place(void *arg)
{
    struct script_server *server =
        SCRIPT_SERVER({.answer = LIVE_HEAD "1c\r\ndata: one\n\nid: 1\ndata: two\n\n\r\n"
                                           "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"});
    const struct weir_retry_opts *once = WEIR_RETRY_OPTS(.max_attempts = 1);
    unsigned long k = 0, made;
    int rc;
    (void)arg;
    do {
        weir_client *client = NULL;
        check_int(weir_client_new(&client, WEIR_CLIENT_OPTS(.base_url = script_server_url(server),
                                                            .retry = once)),
                  0);
        weir__mem_fail_at(++k);
        int events = read_all(client, &rc);
        made = weir__mem_fail_at(0);
        check(rc == WEIR_ENOMEM || (rc == 0 && events == 2));
        check_int((int64_t)live_holding(client), 0);
        check_int(weir_client_free(client), 0);
    } while (made >= k && k < 1000);
    check_int(rc, 0);
    check(k > 10);
    script_server_stop(server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        REAL_TEST(a_slow_reader_holds_the_server_back),
        REAL_TEST(a_full_stream_is_closed),
        REAL_TEST(many_with_slow_readers),
        REAL_TEST(cancelled_in_every_state),
        REAL_TEST(cancelled_before_it_is_sent),
        REAL_TEST(no_memory_at_any_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
