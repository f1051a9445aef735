/* Answers that come compressed: who asks for them, what is made of them, and the maxima of that. */
#include "client_rig.h"
#include "stream_rig.h"

#include <fcntl.h>

#include <weir/body.h>
#include <weir/metrics.h>

/* A text without its NUL. */
struct bytes {
    const char *at;
    size_t len;
};
#define BYTES(text)                                                                                \
    {                                                                                              \
        (text), sizeof(text) - 1                                                                   \
    }

#define PLAIN "{\"answer\":42}"
static const struct bytes plain = BYTES(PLAIN);
static const struct bytes gzipped =
    BYTES("\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xab\x56\x4a\xcc\x2b\x2e\x4f\x2d\x52\xb2"
          "\x32\x31\xaa\x05\x00\xf5\x65\xd9\xcc\x0d\x00\x00\x00");
static const struct bytes deflated =
    BYTES("\x78\x9c\xab\x56\x4a\xcc\x2b\x2e\x4f\x2d\x52\xb2\x32\x31\xaa\x05\x00\x20\x9c\x04"
          "\x6d");
enum { ZEROS = 100000 };
static const struct bytes gzipped_zeros =
    BYTES("\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xed\xc1\x31\x01\x00\x00\x00\xc2\xa0\xf5"
          "\x4f\x6d\x0d\x0f\xa0\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
          "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
          "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
          "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
          "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
          "\x00\x80\x57\x03\x7d\x95\x11\xd4\xa0\x86\x01\x00");
/* Three events, each flushed, and the end. */
static const struct bytes gzipped_events[] = {
    BYTES("\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\x4a\x49\x2c\x49\xb4\x52\xc8\xcf\x4b\xe5"
          "\xe2\x02\x00\x00\x00\xff\xff"),
    BYTES("\x4a\x01\x33\x4b\xca\xf3\xb9\xb8\x00\x00\x00\x00\xff\xff"),
    BYTES("\x82\x30\xa3\x5d\xfc\xfd\x5c\x63\xb9\xb8\x00\x00\x00\x00\xff\xff"),
    BYTES("\x03\x00\xbe\x3e\x5b\x26\x24\x00\x00\x00"),
};

/* What the server says to each request. */
static const char *coding;
static int status = 200;
static const struct bytes *content;

static int serve(struct live *live, int fd, unsigned n)
{
    char head[200];
    (void)n;
    snprintf(head, sizeof head,
             "HTTP/1.1 %d Said\r\nContent-Encoding: %s\r\nContent-Length: %zu\r\n\r\n", status,
             coding, content->len);
    int rc = live_say(live, fd, head);
    return rc == 0 ? live_send(live, fd, content->at, content->len) : rc;
}

static void says(int with_status, const char *with_coding, const struct bytes *with_content)
{
    status = with_status;
    coding = with_coding;
    content = with_content;
}

static weir_client *client_for(const struct live *live, enum weir_compression compression,
                               uint64_t max_body)
{
    weir_client *client = NULL;
    check_int(weir_client_new(&client,
                              WEIR_CLIENT_OPTS(.base_url = live->url, .max_body_bytes = max_body,
                                               .retry = WEIR_RETRY_OPTS(.max_attempts = 1),
                                               .net = WEIR_NET_OPTS(.compression = compression))),
              0);
    return client;
}

static void check_gets(weir_client *client, const char *const *headers, const struct bytes *want)
{
    weir_response *response;
    check_int(weir_request(client, WEIR_REQUEST(.url = "/", .headers = headers), &response), 0);
    check_int(weir_response_status(response), status);
    if (check_int((int64_t)weir_response_body_len(response), (int64_t)want->len))
        check(memcmp(weir_response_body(response), want->at, want->len) == 0);
    weir_response_free(response);
}

static void check_fails(weir_client *client, int want, const char *text)
{
    weir_response *response;
    check_int(weir_request(client, WEIR_REQUEST(.url = "/"), &response), want);
    check(strcasestr(weir_response_error_text(response), text) != NULL);
    weir_response_free(response);
}

static bool asked_for(const struct live *live, const char *line)
{
    return strcasestr(live->head, line) != NULL;
}

static int nobody_asks_and_what_comes_is_decompressed(void *arg)
{
    struct live live;
    (void)arg;
    live_start(&live, serve);
    weir_client *client = client_for(&live, WEIR_COMPRESSION_UNASKED, 0);
    says(200, "gzip", &gzipped);
    check_gets(client, NULL, &plain);
    check(!asked_for(&live, "accept-encoding"));
    says(200, "deflate", &deflated);
    check_gets(client, NULL, &plain);
    says(200, "identity", &plain);
    check_gets(client, NULL, &plain);
    says(404, "gzip", &gzipped); /* an error's text, too */
    check_gets(client, NULL, &plain);
    /* Who asks by a header of his own is answered likewise. */
    says(200, "gzip", &gzipped);
    check_gets(client, WEIR_HEADERS("accept-encoding: gzip;q=0.5"), &plain);
    check(asked_for(&live, "\r\naccept-encoding: gzip;q=0.5\r\n"));
    check_gets(client, NULL, &plain);
    check(!asked_for(&live, "accept-encoding"));
    return live_end(&live, client);
}

static int who_asks_says_what_libcurl_knows(void *arg)
{
    struct live live;
    (void)arg;
    live_start(&live, serve);
    weir_client *client = client_for(&live, WEIR_COMPRESSION_ASK, 0);
    says(200, "gzip", &gzipped);
    for (int i = 0; i < 2; i++) {
        check_gets(client, NULL, &plain);
        check(asked_for(&live, "\r\naccept-encoding: ") && asked_for(&live, "gzip"));
        check_gets(client, WEIR_HEADERS("Accept-Encoding: identity"), &plain);
        check(asked_for(&live, "\r\naccept-encoding: identity\r\n"));
    }
    struct weir_client_stats stats = {.size = sizeof stats};
    check_int(weir_client_stats(client, &stats), 0);
    check_int((int64_t)stats.bytes_received, 4 * (int64_t)plain.len);
    return live_end(&live, client);
}

static int kept_as_it_came(void *arg)
{
    struct live live;
    (void)arg;
    live_start(&live, serve);
    weir_client *client = client_for(&live, WEIR_COMPRESSION_KEEP, 0);
    says(200, "gzip", &gzipped);
    check_gets(client, NULL, &gzipped);
    check(!asked_for(&live, "accept-encoding"));
    says(200, "unheard-of", &plain);
    check_gets(client, NULL, &plain);
    return live_end(&live, client);
}

static int what_cannot_be_decompressed_says_so(void *arg)
{
    struct live live;
    (void)arg;
    live_start(&live, serve);
    weir_client *client = client_for(&live, WEIR_COMPRESSION_UNASKED, 0);
    says(200, "unheard-of", &plain);
    check_fails(client, WEIR_EPROTO, "coding");
    says(200, "gzip", &plain);
    check_fails(client, WEIR_EPROTO, "coding");
    return live_end(&live, client);
}

/* Of what was decompressed, not of the 130 bytes that came. */
static int maxima_are_of_what_it_becomes(void *arg)
{
    struct live live;
    weir_response *response;
    int64_t written;
    char path[] = "/tmp/weir-compression-XXXXXX";
    int fd = mkstemp(path);
    (void)arg;
    unlink(path);
    live_start(&live, serve);
    says(200, "gzip", &gzipped_zeros);
    weir_client *client = client_for(&live, WEIR_COMPRESSION_UNASKED, ZEROS - 1);
    check_fails(client, WEIR_EBODYSIZE, "");
    check_int(weir_request_save(client, WEIR_REQUEST(.url = "/"), fd,
                                WEIR_SAVE_OPTS(.max_bytes = ZEROS - 1), &written, &response),
              WEIR_EBODYSIZE);
    check(written < ZEROS);
    weir_response_free(response);
    check_int(ftruncate(fd, 0), 0);
    check_int(lseek(fd, 0, SEEK_SET), 0);
    check_int(weir_request_save(client, WEIR_REQUEST(.url = "/"), fd, NULL, &written, &response),
              0);
    check_int(written, ZEROS);
    check_int(lseek(fd, 0, SEEK_END), ZEROS);
    weir_response_free(response);
    close(fd);
    return live_end(&live, client);
}

/* ---- streams ---- */

/* The next event goes out when the test has read the one before. */
static int serve_events(struct live *live, int fd, unsigned n)
{
    int rc = live_say(live, fd,
                      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                      "Content-Encoding: gzip\r\nConnection: close\r\n\r\n");
    (void)n;
    for (size_t i = 0; rc == 0 && i < sizeof gzipped_events / sizeof gzipped_events[0]; i++) {
        if (weir_semaphore_acquire(live->go) < 0)
            return 1;
        rc = live_send(live, fd, gzipped_events[i].at, gzipped_events[i].len);
    }
    return 1;
}

static int an_event_is_there_when_it_was_flushed(void *arg)
{
    static const char *const data[] = {"one", "two"};
    struct live live;
    weir_stream *stream;
    const struct weir_sse_event *event;
    (void)arg;
    live_start(&live, serve_events);
    weir_client *client = client_for(&live, WEIR_COMPRESSION_ASK, 0);
    weir_semaphore_release(live.go);
    check_int(weir_stream_open(client, WEIR_REQUEST(.url = "/"),
                               WEIR_STREAM_OPTS(.done = "[DONE]", .idle_ms = 5000), &stream),
              0);
    check(asked_for(&live, "\r\naccept-encoding: "));
    for (size_t i = 0; i < 2; i++) {
        if (check_int(weir_sse_next(stream, &event), 1))
            check(strcmp(event->data, data[i]) == 0);
        weir_semaphore_release(live.go);
    }
    weir_semaphore_release(live.go);
    check_int(weir_sse_next(stream, &event), 0);
    weir_stream_close(stream);
    return live_end(&live, client);
}

/* libcurl holds back what was decompressed behind the room of the reader. */
static int a_slow_reader_gets_all_of_it(void *arg)
{
    struct live live;
    weir_stream *stream;
    char piece[1000];
    int64_t n, read = 0;
    bool zeros = true;
    (void)arg;
    live_start(&live, serve);
    says(200, "gzip", &gzipped_zeros);
    weir_client *client = client_for(&live, WEIR_COMPRESSION_UNASKED, 0);
    check_int(weir_stream_open(client, WEIR_REQUEST(.url = "/"),
                               WEIR_STREAM_OPTS(.buffer_bytes = 16384), &stream),
              0);
    while ((n = weir_stream_read(stream, piece, sizeof piece)) > 0) {
        for (int64_t i = 0; i < n; i++)
            zeros = zeros && piece[i] == '\0';
        read += n;
    }
    check_int(n, 0);
    check_int(read, ZEROS);
    check(zeros);
    weir_stream_close(stream);
    return live_end(&live, client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        REAL_TEST(nobody_asks_and_what_comes_is_decompressed),
        REAL_TEST(who_asks_says_what_libcurl_knows),
        REAL_TEST(kept_as_it_came),
        REAL_TEST(what_cannot_be_decompressed_says_so),
        REAL_TEST(maxima_are_of_what_it_becomes),
        REAL_TEST(an_event_is_there_when_it_was_flushed),
        REAL_TEST(a_slow_reader_gets_all_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
