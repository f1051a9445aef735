/* Answers that are written to a descriptor while they come. */
#include "client_rig.h"
#include "stream_rig.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <weir/body.h>
#include <weir/metrics.h>

enum { LARGE = 1000000 };

static char byte_at(int64_t n)
{
    return (char)('a' + n % 23 + n / 1000 % 3);
}

static int send_large(struct live *live, int fd)
{
    static char piece[10000];
    int rc = live_say(live, fd, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
    for (int64_t at = 0; rc == 0 && at < LARGE; at += (int64_t)sizeof piece) {
        for (size_t i = 0; i < sizeof piece; i++)
            piece[i] = byte_at(at + (int64_t)i);
        rc = live_send(live, fd, piece, sizeof piece);
    }
    return rc;
}

static int serve_large(struct live *live, int fd, unsigned n)
{
    (void)n;
    return send_large(live, fd);
}

static int serve_busy_then_large(struct live *live, int fd, unsigned n)
{
    if (n == 0)
        return live_say(live, fd, "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy");
    return send_large(live, fd);
}

static int serve_missing(struct live *live, int fd, unsigned n)
{
    (void)n;
    return live_say(live, fd, "HTTP/1.1 404 No\r\nContent-Length: 4\r\n\r\nnone");
}

static int serve_elsewhere(struct live *live, int fd, unsigned n)
{
    (void)n;
    return live_say(live, fd,
                    "HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 5\r\n\r\nthere");
}

static int serve_part(struct live *live, int fd, unsigned n)
{
    (void)n;
    return live_say(live, fd, "HTTP/1.1 206 Part\r\nContent-Length: 4\r\n\r\npart");
}

static int serve_half(struct live *live, int fd, unsigned n)
{
    (void)n;
    live_say(live, fd, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabcde");
    return 1;
}

/* What a call came to. */
struct saved {
    int rc, status;
    unsigned attempts;
    int64_t written;
    char text[256], body[16];
};

static struct saved save_with(weir_client *client, const struct weir_request *request, int fd,
                              const struct weir_save_opts *opts)
{
    struct saved saved = {.written = -1};
    weir_response *response;
    saved.rc = weir_request_save(client, request, fd, opts, &saved.written, &response);
    check_int(weir_response_error(response), saved.rc);
    saved.status = weir_response_status(response);
    saved.attempts = weir_response_attempts(response);
    snprintf(saved.text, sizeof saved.text, "%s", weir_response_error_text(response));
    snprintf(saved.body, sizeof saved.body, "%s", weir_response_body(response));
    weir_response_free(response);
    return saved;
}

static struct saved save(weir_client *client, int fd)
{
    return save_with(client, WEIR_REQUEST(.url = "/"), fd, NULL);
}

/* An open file without a name. */
static int file_new(void)
{
    char path[] = "/tmp/weir-save-XXXXXX";
    int fd = mkstemp(path);
    unlink(path);
    return fd;
}

static bool holds_large(int fd, off_t from)
{
    static char bytes[LARGE + 1];
    bool right = pread(fd, bytes, sizeof bytes, from) == LARGE;
    for (int64_t i = 0; right && i < LARGE; i++)
        right = bytes[i] == byte_at(i);
    return right;
}

static int to_a_file_from_where_it_stands(void *arg)
{
    struct live live;
    int fd = file_new();
    (void)arg;
    check_int(write(fd, "before", 6), 6);
    live_start(&live, serve_busy_then_large);
    weir_client *client = LIVE_CLIENT(&live, .max_body_bytes = 1000); /* no maximum for a file */
    struct saved saved = save(client, fd);
    check_int(saved.rc, 0);
    check_int(saved.status, 200);
    check_int((int64_t)saved.attempts, 2);
    check_int(saved.written, LARGE);
    check(saved.body[0] == '\0');
    check(holds_large(fd, 6));
    close(fd);
    return live_end(&live, client);
}

struct drain {
    int fd;
    weir_event *go;
    int64_t bytes;
    bool right;
};

static int drain(void *arg)
{
    struct drain *drain = arg;
    char bytes[5000];
    ssize_t n = 1;
    int rc = weir_event_wait(drain->go);
    while (rc == 0 && n > 0) {
        rc = weir_wait_fd(drain->fd, WEIR_IO_READ) < 0;
        n = rc == 0 ? read(drain->fd, bytes, sizeof bytes) : 0;
        for (ssize_t i = 0; i < n; i++)
            drain->right = drain->right && bytes[i] == byte_at(drain->bytes + i);
        drain->bytes += n;
    }
    return rc;
}

struct writer {
    weir_client *client;
    int fd;
    struct saved saved;
};

static int write_and_close(void *arg)
{
    struct writer *writer = arg;
    writer->saved = save(writer->client, writer->fd);
    close(writer->fd);
    return 0;
}

/* Nobody reads: the server is held back. Then somebody does, and all of it comes. */
static void through(int write_fd, int read_fd)
{
    struct live live;
    struct drain drained = {.fd = read_fd, .right = true};
    weir_group *group = rig_group();
    check_int(weir_event_new(&drained.go), 0);
    live_start(&live, serve_large);
    struct writer writer = {.client = LIVE_CLIENT(&live, .limiter = NULL), .fd = write_fd};
    weir_spawn(group, write_and_close, &writer);
    weir_spawn(group, drain, &drained);
    live_until(&live, &live.blocked, 1);
    check(live.sent < LARGE);
    weir_event_set(drained.go);
    check_int(weir_gather(group), 0);
    weir_group_free(group);
    check_int(writer.saved.rc, 0);
    check_int(writer.saved.written, LARGE);
    check_int(drained.bytes, LARGE);
    check(drained.right);
    close(read_fd);
    weir_event_free(drained.go);
    live_end(&live, writer.client);
}

static int to_a_slow_pipe(void *arg)
{
    int ends[2];
    (void)arg;
    check_int(pipe2(ends, O_CLOEXEC), 0); /* one that blocks */
    through(ends[1], ends[0]);
    check_int(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    through(ends[1], ends[0]);
    return 0;
}

static int to_a_slow_socket(void *arg)
{
    int ends[2];
    (void)arg;
    check_int(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    through(ends[1], ends[0]);
    return 0;
}

/* No space, nobody who reads any more, not open for writing. */
static int what_takes_no_more(void *arg)
{
    struct live live;
    int ends[2];
    (void)arg;
    live_start(&live, serve_large);
    weir_client *client = LIVE_CLIENT(&live, .limiter = NULL);
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    struct saved saved = save(client, full);
    check_int(saved.rc, WEIR_EIO);
    check(strcmp(saved.text, "the answer could not be written: No space left on device") == 0);
    check_int(saved.written, 0);
    close(full);
    check_int(pipe2(ends, O_CLOEXEC), 0);
    close(ends[0]);
    saved = save(client, ends[1]);
    check_int(saved.rc, WEIR_EIO);
    check(strcmp(saved.text, "the answer could not be written: Broken pipe") == 0);
    close(ends[1]);
    check_int(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    close(ends[0]);
    check_int(save(client, ends[1]).rc, WEIR_EIO);
    close(ends[1]);
    int reader = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    saved = save(client, reader);
    check_int(saved.rc, WEIR_EIO);
    check(strcmp(saved.text, "the answer could not be written: Bad file descriptor") == 0);
    close(reader);
    return live_end(&live, client);
}

static void check_not_written(int (*serve)(struct live *, int, unsigned), int status,
                              const char *body)
{
    struct live live;
    int fd = file_new();
    live_start(&live, serve);
    weir_client *client = LIVE_CLIENT(&live, .limiter = NULL);
    struct saved saved = save(client, fd);
    check_int(saved.rc, 0);
    check_int(saved.status, status);
    check(strcmp(saved.body, body) == 0);
    check_int(saved.written, 0);
    check_int(lseek(fd, 0, SEEK_END), 0);
    close(fd);
    live_end(&live, client);
}

static int what_is_no_success_is_not_written(void *arg)
{
    (void)arg;
    check_not_written(serve_missing, 404, "none");
    check_not_written(serve_elsewhere, 302, "there");
    return 0;
}

static int a_part_is_written(void *arg)
{
    struct live live;
    int fd = file_new();
    (void)arg;
    live_start(&live, serve_part);
    weir_client *client = LIVE_CLIENT(&live, .limiter = NULL);
    struct saved saved = save(client, fd);
    check_int(saved.rc, 0);
    check_int(saved.status, 206);
    check_int(saved.written, 4);
    close(fd);
    return live_end(&live, client);
}

static int what_was_written_is_told(void *arg)
{
    struct live live;
    int fd = file_new();
    (void)arg;
    live_start(&live, serve_half);
    weir_client *client = LIVE_CLIENT(&live, .limiter = NULL);
    struct saved saved = save(client, fd);
    check_int(saved.rc, WEIR_ERESET);
    check_int((int64_t)saved.attempts, 1); /* it cannot be unwritten */
    check_int(saved.written, 5);
    check_int(lseek(fd, 0, SEEK_END), 5);
    close(fd);
    return live_end(&live, client);
}

static int a_maximum(void *arg)
{
    struct live live;
    int fd = file_new();
    (void)arg;
    live_start(&live, serve_large);
    weir_client *client = LIVE_CLIENT(&live, .limiter = NULL);
    const struct weir_request *request = WEIR_REQUEST(.url = "/");
    struct saved saved = save_with(client, request, fd, WEIR_SAVE_OPTS(.max_bytes = LARGE - 1));
    check_int(saved.rc, WEIR_EBODYSIZE);
    check(saved.written < LARGE);
    check_int(lseek(fd, 0, SEEK_END), saved.written);
    check_int(save_with(client, request, fd, WEIR_SAVE_OPTS(.max_bytes = LARGE)).rc, 0);
    close(fd);
    return live_end(&live, client);
}

static int a_deadline_cuts_it_off(void *arg)
{
    struct live live;
    weir_deadline limit;
    int ends[2];
    (void)arg;
    check_int(pipe2(ends, O_CLOEXEC), 0);
    live_start(&live, serve_large);
    weir_client *client = LIVE_CLIENT(&live, .limiter = NULL);
    weir_deadline_begin_ms(&limit, 30);
    struct saved saved = save(client, ends[1]); /* nobody reads */
    check_int(weir_deadline_end(&limit, saved.rc), WEIR_ETIMEDOUT);
    check(saved.written > 0);
    close(ends[0]);
    close(ends[1]);
    return live_end(&live, client);
}

static int wrong_arguments(void *arg)
{
    struct live live;
    (void)arg;
    live_start(&live, serve_large);
    weir_client *client = LIVE_CLIENT(&live, .limiter = NULL);
    check_int(save(client, -1).rc, WEIR_EINVAL);
    const struct weir_save_opts unset = {.size = 0};
    check_int(save_with(client, WEIR_REQUEST(.url = "/"), 1, &unset).rc, WEIR_EINVAL);
    check_int(save_with(client, WEIR_REQUEST(.url = "ftp://a/"), 1, NULL).rc, WEIR_EURL);
    check_int((int64_t)live.requests, 0);
    return live_end(&live, client);
}

/* ---- a transport of one's own ---- */

static int say_four(void *self, const struct weir_exchange *exchange, weir_response *response)
{
    (void)self;
    (void)exchange;
    check_int(weir_response_set_status(response, 200), 0);
    return weir_response_append(response, "four", 4);
}

static int from_a_transport_of_ones_own(void *arg)
{
    const struct weir_transport transport = WEIR_TRANSPORT(.perform = say_four);
    int fd = file_new();
    weir_client *client;
    (void)arg;
    check_int(weir_client_new(&client, WEIR_CLIENT_OPTS(.base_url = "http://a.example",
                                                        .transport = &transport)),
              0);
    struct saved saved = save(client, fd);
    check_int(saved.rc, 0);
    check_int(saved.written, 4);
    check_int(lseek(fd, 0, SEEK_END), 4);
    check(saved.body[0] == '\0');
    close(fd);
    return weir_client_free(client);
}

/* What makes one wait for another process does not go with a clock that jumps. */
static int no_pipe_under_the_virtual_clock(void *arg)
{
    const struct weir_transport transport = WEIR_TRANSPORT(.perform = say_four);
    int fds[2];
    weir_client *client;
    (void)arg;
    check_int(pipe(fds), 0);
    check_int(weir_client_new(&client, WEIR_CLIENT_OPTS(.base_url = "http://a.example",
                                                        .transport = &transport)),
              0);
    struct saved saved = save(client, fds[1]);
    check_int(saved.rc, WEIR_ENOTSUP);
    check_int(saved.written, 0);
    close(fds[0]);
    close(fds[1]);
    return weir_client_free(client);
}

/* Nobody may send for longer than the request would wait. */
static int never_enough(const struct weir_attempt *attempt, void *arg)
{
    weir_limiter_pause_ms(arg, 1000000);
    return attempt->rc == 0;
}

/* A rule wants another answer than the one whose content was to be written, and none may be had. */
static int what_was_dropped_is_no_success(void *unused)
{
    struct live live;
    struct weir_client_stats stats = {.size = sizeof stats};
    weir_response *response = NULL;
    int64_t written = -1;
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    weir_limiter *limiter = NULL;
    (void)unused;
    check_int(weir_limiter_new(&limiter, NULL), 0);
    live_start(&live, serve_part);
    weir_client *client =
        LIVE_CLIENT(&live, .limiter = limiter,
                    .retry = WEIR_RETRY_OPTS(.retry_if = never_enough, .retry_if_arg = limiter,
                                             .backoff_base_ms = 1, .backoff_max_ms = 1,
                                             .server_wait_max_ms = 1000));
    int rc = weir_request_save(client, WEIR_REQUEST(.url = "/"), fd, NULL, &written, &response);
    check_int(rc, WEIR_EPAUSED);
    check_int(written, 0);
    weir_response_free(response);
    weir_client_stats(client, &stats);
    check_int((int64_t)stats.requests_ended.ok, 0);
    weir_limiter_free(limiter);
    close(fd);
    return live_end(&live, client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(from_a_transport_of_ones_own),
        VIRTUAL_TEST(no_pipe_under_the_virtual_clock),
        REAL_TEST(to_a_file_from_where_it_stands),
        REAL_TEST(to_a_slow_pipe),
        REAL_TEST(to_a_slow_socket),
        REAL_TEST(what_takes_no_more),
        REAL_TEST(what_is_no_success_is_not_written),
        REAL_TEST(a_part_is_written),
        REAL_TEST(what_was_dropped_is_no_success),
        REAL_TEST(what_was_written_is_told),
        REAL_TEST(a_maximum),
        REAL_TEST(a_deadline_cuts_it_off),
        REAL_TEST(wrong_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
