/* What the tests of streams share: a server whose connections are tasks of the same runtime, so
 * that a test says when the next byte comes, and sees what the server could get rid of. */
#ifndef WEIR_TESTS_STREAM_RIG_H
#define WEIR_TESTS_STREAM_RIG_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <weir/io.h>
#include <weir/stream.h>
#include <weir/sync.h>

#include "rig.h"

struct live {
    /* Answers the n-th request (from 0); nonzero: the connection ends. */
    int (*serve)(struct live *live, int fd, unsigned n);
    int listener;
    char url[40];
    weir_group *tasks;
    weir_semaphore *go;   /* the test lets the server go on */
    weir_semaphore *told; /* the server lets the test go on */
    unsigned connections, closed, requests;
    size_t sent;
    unsigned blocked; /* sends that wait for the client */
    char head[2048];  /* the last request, with its body */
};

struct live_connection {
    struct live *live;
    int fd;
};

static inline int live_send(struct live *live, int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN)
            return WEIR_EIO;
        if (n < 0) {
            live->blocked++;
            weir_semaphore_release(live->told);
            int rc = weir_wait_fd(fd, WEIR_IO_WRITE);
            live->blocked--;
            if (rc < 0)
                return rc;
            continue;
        }
        data += n;
        len -= (size_t)n;
        live->sent += (size_t)n;
    }
    return 0;
}

static inline int live_say(struct live *live, int fd, const char *text)
{
    return live_send(live, fd, text, strlen(text));
}

/* One chunk of a chunked body; "" is the last. */
static inline int live_chunk(struct live *live, int fd, const char *text)
{
    char size[24];
    snprintf(size, sizeof size, "%zx\r\n", strlen(text));
    int rc = live_say(live, fd, size);
    if (rc == 0)
        rc = live_say(live, fd, text);
    return rc == 0 ? live_say(live, fd, "\r\n") : rc;
}

#define LIVE_HEAD                                                                                  \
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Request-Id: req_1\r\n"                \
    "Transfer-Encoding: chunked\r\n\r\n"

/* Until the client closes. */
static inline int live_hold(int fd)
{
    char byte[64];
    while (weir_wait_fd(fd, WEIR_IO_READ) > 0 && recv(fd, byte, sizeof byte, 0) > 0)
        continue;
    return 1;
}

static inline bool live_read_request(struct live *live, int fd)
{
    char *head = live->head;
    size_t len = 0;
    while (len < sizeof live->head - 1) {
        if (weir_wait_fd(fd, WEIR_IO_READ) < 0)
            return false;
        ssize_t n = recv(fd, head + len, sizeof live->head - 1 - len, 0);
        if (n <= 0)
            return false;
        head[len += (size_t)n] = '\0';
        const char *end = strstr(head, "\r\n\r\n"), *size = strcasestr(head, "content-length:");
        if (end != NULL &&
            strlen(end + 4) >= (size != NULL && size < end ? strtoul(size + 15, NULL, 10) : 0))
            return true;
    }
    return false;
}

static inline int live_connection(void *arg)
{
    struct live_connection connection = *(struct live_connection *)arg;
    struct live *live = connection.live;
    free(arg);
    while (live_read_request(live, connection.fd)) {
        unsigned n = live->requests++;
        weir_semaphore_release(live->told);
        if (live->serve(live, connection.fd, n) != 0)
            break;
    }
    close(connection.fd);
    live->closed++;
    weir_semaphore_release(live->told);
    return 0;
}

static inline int live_acceptor(void *arg)
{
    struct live *live = arg;
    while (weir_wait_fd(live->listener, WEIR_IO_READ) > 0) {
        int fd;
        while ((fd = accept4(live->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
            struct live_connection *connection = malloc(sizeof *connection);
            *connection = (struct live_connection){.live = live, .fd = fd};
            live->connections++;
            weir_spawn(live->tasks, live_connection, connection);
        }
    }
    return 0;
}

/* Its connections inherit the options: little is on its way, and that at once. */
static inline void live_start(struct live *live,
                              int (*serve)(struct live *live, int fd, unsigned n))
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;
    int small = 16 << 10;
    *live = (struct live){.serve = serve};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    live->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    setsockopt(live->listener, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    setsockopt(live->listener, IPPROTO_TCP, TCP_NODELAY, &small, sizeof small);
    check(bind(live->listener, (struct sockaddr *)&address, len) == 0);
    check(listen(live->listener, 1024) == 0);
    getsockname(live->listener, (struct sockaddr *)&address, &len);
    snprintf(live->url, sizeof live->url, "http://127.0.0.1:%d", ntohs(address.sin_port));
    check_int(weir_semaphore_new(&live->go, 0, 0), 0);
    check_int(weir_semaphore_new(&live->told, 0, 0), 0);
    live->tasks = rig_group();
    weir_spawn(live->tasks, live_acceptor, live);
}

static inline void live_stop(struct live *live)
{
    weir_group_free(live->tasks);
    close(live->listener);
    weir_semaphore_free(live->go);
    weir_semaphore_free(live->told);
}

/* Waits until the server's count is as high as that. */
static inline void live_until(struct live *live, const unsigned *count, unsigned want)
{
    while (*count < want)
        check_int(weir_semaphore_acquire(live->told), 0);
}

static inline weir_client *live_client_with(struct weir_client_opts *opts)
{
    const struct weir_retry_opts *soon = WEIR_RETRY_OPTS(.backoff_base_ms = 1);
    weir_client *client = NULL;
    if (opts->retry == NULL)
        opts->retry = soon;
    check_int(weir_client_new(&client, opts), 0);
    return client;
}
#define LIVE_CLIENT(live, ...)                                                                     \
    live_client_with(WEIR_CLIENT_OPTS(.base_url = (live)->url, __VA_ARGS__))

static inline size_t live_holding(const weir_client *client)
{
    struct weir_limiter_stats stats = {.size = sizeof stats};
    weir_limiter_stats(weir_client_limiter(client), &stats);
    return stats.holding;
}

/* Everything has come back. */
static inline int live_end(struct live *live, weir_client *client)
{
    check_int((int64_t)live_holding(client), 0);
    check_int(weir_client_free(client), 0);
    live_stop(live);
    return 0;
}

#endif
