/* A server that reads bodies, of a told length or in chunks, as a task of the test's own runtime,
 * and tells what it has seen of them. */
#ifndef WEIR_TESTS_BODY_RIG_H
#define WEIR_TESTS_BODY_RIG_H

#include "client_rig.h"
#include "stream_rig.h"

/* The n-th byte of all bodies here. */
static inline unsigned char byte_at(int64_t n)
{
    return (unsigned char)(n * 7 + n / 251);
}

struct reader {
    int fd;
    char bytes[16 << 10];
    size_t len, at;
};

/* The next byte; -1 at the end. */
static inline int next_byte(struct reader *reader)
{
    if (reader->at == reader->len) {
        if (weir_wait_fd(reader->fd, WEIR_IO_READ) < 0)
            return -1;
        ssize_t n = recv(reader->fd, reader->bytes, sizeof reader->bytes, 0);
        if (n <= 0)
            return -1;
        reader->len = (size_t)n;
        reader->at = 0;
    }
    return (unsigned char)reader->bytes[reader->at++];
}

static inline bool read_line(struct reader *reader, char *line, size_t room)
{
    size_t len = 0;
    for (int c = next_byte(reader); c >= 0 && len < room - 1; c = next_byte(reader)) {
        if (c == '\n') {
            line[len > 0 ? len - 1 : 0] = '\0'; /* without the CR */
            return true;
        }
        line[len++] = (char)c;
    }
    return false;
}

/* What the server has seen of the last request. */
static struct {
    int64_t length; /* Content-Length; -1: none */
    bool chunked, whole, right, expect;
    int64_t bytes;
    char type[64];
} seen;

static inline bool take(struct reader *reader, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        int c = next_byte(reader);
        if (c < 0)
            return false;
        seen.right = seen.right && c == byte_at(seen.bytes);
        seen.bytes++;
    }
    return true;
}

static inline bool take_chunks(struct reader *reader)
{
    char line[64];
    for (;;) {
        if (!read_line(reader, line, sizeof line))
            return false;
        int64_t n = strtoll(line, NULL, 16);
        if (!take(reader, n) || !read_line(reader, line, sizeof line))
            return false;
        if (n == 0)
            return true;
    }
}

static inline bool read_head(struct reader *reader)
{
    char line[512];
    if (!read_line(reader, line, sizeof line))
        return false;
    seen.length = -1;
    seen.chunked = seen.whole = seen.expect = false;
    seen.right = true;
    seen.bytes = 0;
    seen.type[0] = '\0';
    while (read_line(reader, line, sizeof line)) {
        if (line[0] == '\0')
            return true;
        if (strncasecmp(line, "content-length: ", 16) == 0)
            seen.length = strtoll(line + 16, NULL, 10);
        if (strncasecmp(line, "content-type: ", 14) == 0)
            snprintf(seen.type, sizeof seen.type, "%.60s", line + 14);
        seen.expect = seen.expect || strncasecmp(line, "expect:", 7) == 0;
        seen.chunked = seen.chunked || strcasecmp(line, "transfer-encoding: chunked") == 0;
    }
    return false;
}

struct server {
    int listener;
    char url[40];
    weir_group *tasks;
    unsigned requests;
    const char *const *answers; /* one for each request, the last for all further ones; NULL: the
                                   connection is cut */
    unsigned answer_count;
    bool at_once;       /* answers to the head, and closes */
    const char *hint;   /* said to the head, before the body is read; NULL: nothing */
    weir_event *hinted; /* set once the client has had a few turns to see it */
};

static inline bool answer(struct server *server, int fd)
{
    unsigned n = server->requests < server->answer_count ? server->requests : server->answer_count;
    const char *text = server->answers[n - 1];
    return text != NULL && send(fd, text, strlen(text), MSG_NOSIGNAL) > 0;
}

static inline void say_hint(struct server *server, int fd)
{
    if (server->hint == NULL)
        return;
    check(send(fd, server->hint, strlen(server->hint), MSG_NOSIGNAL) > 0);
    weir_sleep_ms(5);
    weir_event_set(server->hinted);
}

static inline void serve(struct server *server, int fd)
{
    struct reader *reader = malloc(sizeof *reader);
    reader->fd = fd;
    reader->len = reader->at = 0;
    bool on = true;
    while (on && read_head(reader)) {
        server->requests++;
        say_hint(server, fd);
        if (server->at_once) {
            on = answer(server, fd) && false;
            break;
        }
        seen.whole =
            seen.chunked ? take_chunks(reader) : take(reader, seen.length > 0 ? seen.length : 0);
        on = seen.whole && answer(server, fd);
    }
    free(reader);
}

static inline int serve_all(void *arg)
{
    struct server *server = arg;
    while (weir_wait_fd(server->listener, WEIR_IO_READ) > 0) {
        int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
            continue;
        serve(server, fd);
        close(fd);
    }
    return 0;
}

static inline void server_start(struct server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    check(bind(server->listener, (struct sockaddr *)&address, len) == 0);
    check(listen(server->listener, 16) == 0);
    getsockname(server->listener, (struct sockaddr *)&address, &len);
    snprintf(server->url, sizeof server->url, "http://127.0.0.1:%d", ntohs(address.sin_port));
    server->tasks = rig_group();
    weir_spawn(server->tasks, serve_all, server);
}

static inline void server_stop(struct server *server)
{
    weir_group_free(server->tasks);
    close(server->listener);
}

#define OK_       "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define BUSY      "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
#define TOO_LARGE "HTTP/1.1 413 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

#define SERVER_SAYS(...)                                                                           \
    {                                                                                              \
        .answers = (const char *const[]){__VA_ARGS__},                                             \
        .answer_count = sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)                \
    }

#endif
