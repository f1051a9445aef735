#include "script_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_CONNECTIONS = 1024, MAX_REQUESTS = 2048, HEAD_MAX = 512 << 10, WAIT_S = 20 };

struct connection {
    struct script_server *server;
    pthread_t thread;
    int fd; /* -1: ended */
    unsigned number;
};

struct script_server {
    const struct script_step *steps;
    size_t step_count;
    int listener, events;
    char url[40];
    pthread_t acceptor;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t grown;
    bool stopping;
    unsigned connection_count, begun, request_count, closed;
    struct connection connections[MAX_CONNECTIONS];
    struct script_request requests[MAX_REQUESTS];
};

static void require(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "script server: %s: %s\n", what, strerror(errno));
    abort();
}

/* ---- what has happened, told to all who wait ---- */

static void tell(struct script_server *server)
{
    uint64_t one = 1;
    pthread_cond_broadcast(&server->grown);
    require(write(server->events, &one, sizeof one) == sizeof one, "eventfd");
}

static unsigned read_count(struct script_server *server, const unsigned *count)
{
    pthread_mutex_lock(&server->lock);
    unsigned value = *count;
    pthread_mutex_unlock(&server->lock);
    return value;
}

/* ---- reading requests ---- */

static size_t length_of_body(const char *head)
{
    static const char name[] = "\r\ncontent-length:";
    for (const char *at = strstr(head, "\r\n"); at != NULL; at = strstr(at + 2, "\r\n")) {
        if (strncasecmp(at, name, sizeof name - 1) == 0)
            return strtoul(at + sizeof name - 1, NULL, 10);
    }
    return 0;
}

/* Byte by byte, so that nothing behind the head is taken with it. NULL at the connection's end. */
static char *read_head(int fd)
{
    size_t len = 0, room = 1024;
    char *head = malloc(room);
    require(head != NULL, "malloc");
    while (len < 4 || memcmp(head + len - 4, "\r\n\r\n", 4) != 0) {
        if (len + 2 > room) {
            room *= 2;
            head = realloc(head, room);
            require(head != NULL && room <= HEAD_MAX, "the head of a request");
        }
        if (recv(fd, head + len, 1, 0) != 1) {
            free(head);
            return NULL;
        }
        len++;
    }
    head[len] = '\0';
    return head;
}

static size_t read_body(int fd, size_t len)
{
    char part[16384];
    size_t got = 0;
    while (got < len) {
        size_t want = len - got < sizeof part ? len - got : sizeof part;
        ssize_t n = recv(fd, part, want, 0);
        if (n <= 0)
            break;
        got += (size_t)n;
    }
    return got;
}

/* Gives the request its number, and so its step. */
static const struct script_step *begin(struct connection *connection, char *head, unsigned *n)
{
    struct script_server *server = connection->server;
    pthread_mutex_lock(&server->lock);
    *n = server->begun++;
    require(*n < MAX_REQUESTS, "too many requests");
    server->requests[*n].head = head;
    server->requests[*n].connection = connection->number;
    pthread_mutex_unlock(&server->lock);
    return &server->steps[*n < server->step_count ? *n : server->step_count - 1];
}

/* Counted once its body is there (or is not wanted), so that who sees the count sees it all. */
static void count_request(struct script_server *server, unsigned n, size_t body_len)
{
    pthread_mutex_lock(&server->lock);
    server->requests[n].body_len = (int64_t)body_len;
    server->request_count++;
    tell(server);
    pthread_mutex_unlock(&server->lock);
}

static void gather(struct script_server *server, unsigned count)
{
    struct timespec limit;
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += WAIT_S;
    pthread_mutex_lock(&server->lock);
    while (server->request_count < count && !server->stopping) {
        if (pthread_cond_timedwait(&server->grown, &server->lock, &limit) == ETIMEDOUT)
            break;
    }
    pthread_mutex_unlock(&server->lock);
}

/* ---- answering ---- */

static bool send_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

static bool send_fill(int fd, size_t len)
{
    char part[4096];
    memset(part, 'x', sizeof part);
    bool ok = true;
    for (; ok && len > sizeof part; len -= sizeof part)
        ok = send_all(fd, part, sizeof part);
    return ok && send_all(fd, part, len);
}

static void answer(int fd, const struct script_step *step)
{
    bool ok = step->answer == NULL || send_all(fd, step->answer, strlen(step->answer));
    unsigned times = step->repeat > 0 ? step->repeat : 1;
    for (unsigned i = 0; ok && i < times; i++)
        ok = send_fill(fd, step->fill);
}

static void hold(int fd)
{
    char byte;
    while (recv(fd, &byte, 1, 0) > 0)
        continue;
}

/* Serves one request. False: the connection is over. */
static bool serve(struct connection *connection, bool *reset)
{
    struct script_server *server = connection->server;
    int fd = connection->fd;
    char *head = read_head(fd);
    unsigned n;
    if (head == NULL)
        return false;
    const struct script_step *step = begin(connection, head, &n);
    size_t body_len = step->at_once ? 0 : read_body(fd, length_of_body(head));
    count_request(server, n, body_len);
    if (step->gather > 0)
        gather(server, step->gather);
    answer(fd, step);
    if (step->end == SCRIPT_HOLD)
        hold(fd);
    *reset = step->end == SCRIPT_RESET;
    return step->end == SCRIPT_KEEP;
}

/* ---- connections ---- */

static void close_socket(int fd, bool reset)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    if (reset)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(fd);
}

static void *connection_main(void *arg)
{
    struct connection *connection = arg;
    struct script_server *server = connection->server;
    bool reset = false;
    while (serve(connection, &reset))
        continue;
    pthread_mutex_lock(&server->lock);
    close_socket(connection->fd, reset);
    connection->fd = -1;
    server->closed++;
    tell(server);
    pthread_mutex_unlock(&server->lock);
    return NULL;
}

static void set_up_socket(int fd)
{
    struct timeval limit = {.tv_sec = WAIT_S};
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static void take_connection(struct script_server *server, int fd)
{
    set_up_socket(fd);
    pthread_mutex_lock(&server->lock);
    unsigned number = server->connection_count;
    struct connection *connection = &server->connections[number];
    require(number < MAX_CONNECTIONS, "too many connections");
    *connection = (struct connection){.server = server, .fd = fd, .number = number};
    require(pthread_create(&connection->thread, NULL, connection_main, connection) == 0, "thread");
    server->connection_count++;
    tell(server);
    pthread_mutex_unlock(&server->lock);
}

static void *acceptor_main(void *arg)
{
    struct script_server *server = arg;
    int fd;
    while ((fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0)
        take_connection(server, fd);
    return NULL;
}

/* ---- beginning and end ---- */

static int listen_on_loopback(int backlog, int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    require(fd >= 0, "socket");
    require(bind(fd, (struct sockaddr *)&address, len) == 0, "bind");
    require(listen(fd, backlog) == 0, "listen");
    require(getsockname(fd, (struct sockaddr *)&address, &len) == 0, "getsockname");
    *port = ntohs(address.sin_port);
    return fd;
}

struct script_server *script_server_start(const struct script_step *steps, size_t count)
{
    struct script_server *server = calloc(1, sizeof *server);
    int port;
    require(server != NULL, "calloc");
    server->steps = steps;
    server->step_count = count;
    server->listener = listen_on_loopback(MAX_CONNECTIONS, &port);
    server->events = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    require(server->events >= 0, "eventfd");
    snprintf(server->url, sizeof server->url, "http://127.0.0.1:%d", port);
    pthread_mutex_init(&server->lock, NULL);
    pthread_cond_init(&server->grown, NULL);
    require(pthread_create(&server->acceptor, NULL, acceptor_main, server) == 0, "thread");
    return server;
}

static void end_connections(struct script_server *server)
{
    pthread_mutex_lock(&server->lock);
    server->stopping = true;
    pthread_cond_broadcast(&server->grown);
    for (unsigned i = 0; i < server->connection_count; i++) {
        if (server->connections[i].fd >= 0)
            shutdown(server->connections[i].fd, SHUT_RDWR);
    }
    pthread_mutex_unlock(&server->lock);
    for (unsigned i = 0; i < server->connection_count; i++)
        pthread_join(server->connections[i].thread, NULL);
}

void script_server_stop(struct script_server *server)
{
    shutdown(server->listener, SHUT_RDWR); /* ends accept */
    pthread_join(server->acceptor, NULL);
    end_connections(server);
    close(server->listener);
    close(server->events);
    for (unsigned i = 0; i < server->begun; i++)
        free(server->requests[i].head);
    pthread_cond_destroy(&server->grown);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

const char *script_server_url(const struct script_server *server)
{
    return server->url;
}

/* ---- what it has seen ---- */

unsigned script_server_requests(struct script_server *server)
{
    return read_count(server, &server->request_count);
}

unsigned script_server_connections(struct script_server *server)
{
    return read_count(server, &server->connection_count);
}

unsigned script_server_closed(struct script_server *server)
{
    return read_count(server, &server->closed);
}

int script_server_fd(const struct script_server *server)
{
    return server->events;
}

void script_server_settle(struct script_server *server)
{
    uint64_t count;
    ssize_t got = read(server->events, &count, sizeof count);
    require(got == sizeof count || errno == EAGAIN, "eventfd");
}

const struct script_request *script_server_request(struct script_server *server, unsigned n)
{
    require(n < script_server_requests(server), "no such request");
    return &server->requests[n];
}

/* ---- ports without a server ---- */

int script_closed_port(void)
{
    int port;
    close(listen_on_loopback(1, &port));
    return port;
}

/* Whether a connection to the port is still being made after a while: nobody answers it. */
static bool unanswered(int fd, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct pollfd made = {.fd = fd, .events = POLLOUT};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connect(fd, (struct sockaddr *)&address, sizeof address);
    return poll(&made, 1, 100) == 0;
}

/* The kernel drops what comes once the queue of a listener is full. */
int script_deaf_port(int fds[SCRIPT_DEAF_FDS])
{
    int port, n = 0;
    fds[n++] = listen_on_loopback(0, &port);
    bool deaf = false;
    while (!deaf && n < SCRIPT_DEAF_FDS - 1) {
        fds[n] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        require(fds[n] >= 0, "socket");
        deaf = unanswered(fds[n++], port);
    }
    fds[n] = -1;
    require(deaf, "the listener's queue does not fill");
    return port;
}

void script_deaf_end(int fds[SCRIPT_DEAF_FDS])
{
    for (int i = 0; fds[i] >= 0; i++)
        close(fds[i]);
}
