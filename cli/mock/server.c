#include "mock/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "mock/json.h"

#define ACCEPT_BATCH   64 /* then the connections that are there get their turn */
#define ACCEPT_AGAIN_S 0.1
#define OTHER_FILES    64 /* file descriptors that are not connections */
#define SWEEP_MAX_S    5.0

int64_t mock_server_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * MOCK_NS_PER_S + now.tv_nsec;
}

/* Room for every connection, as far as the system lets us. */
static void raise_file_limit(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= MOCK_CONN_MAX + OTHER_FILES)
        return;
    files.rlim_cur = MOCK_CONN_MAX + OTHER_FILES;
    if (files.rlim_cur > files.rlim_max)
        files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

/* ---- accepting ---- */

static bool is_full(const struct mock_server *server)
{
    return server->service.stats.open >= MOCK_CONN_MAX;
}

void mock_server_room(struct mock_server *server)
{
    if (server->fd < 0 || is_full(server))
        return;
    ev_timer_stop(server->loop, &server->accept_again);
    ev_io_start(server->loop, &server->acceptable);
}

static void on_accept_again(struct ev_loop *loop, ev_timer *timer, int revents)
{
    (void)loop;
    (void)revents;
    mock_server_room(timer->data);
}

/* The kernel keeps the waiting client; without a pause the loop would spin on it. */
static void pause_accepting(struct mock_server *server)
{
    ev_io_stop(server->loop, &server->acceptable);
    if (is_full(server))
        return; /* the next connection that closes wakes us */
    ev_timer_set(&server->accept_again, ACCEPT_AGAIN_S, 0);
    ev_timer_start(server->loop, &server->accept_again);
}

static bool is_shortage(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static void on_acceptable(struct ev_loop *loop, ev_io *watcher, int revents)
{
    struct mock_server *server = watcher->data;

    (void)loop;
    (void)revents;
    for (int i = 0; i < ACCEPT_BATCH && !is_full(server); i++) {
        int fd = accept4(server->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            mock_conn_open(server, fd);
            continue;
        }
        if (is_shortage(errno))
            pause_accepting(server);
        if (errno == EAGAIN || is_shortage(errno))
            return;
    }
    if (is_full(server))
        pause_accepting(server);
}

/* ---- loop ---- */

static void on_sweep(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct mock_server *server = timer->data;
    struct mock_conn *conn = server->conns;

    (void)revents;
    while (conn) {
        struct mock_conn *next = conn->next;

        mock_conn_sweep(conn, ev_now(loop) - server->service.opts->idle_s);
        conn = next;
    }
}

static void on_signal(struct ev_loop *loop, ev_signal *watcher, int revents)
{
    (void)watcher;
    (void)revents;
    ev_break(loop, EVBREAK_ALL);
}

static int listen_on(struct mock_server *server, uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    socklen_t len = sizeof(address);
    int on = 1;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (server->fd < 0)
        return -errno;
    /* accepted sockets inherit TCP_NODELAY: one call here instead of one for each */
    if (setsockopt(server->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        setsockopt(server->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
        bind(server->fd, (struct sockaddr *)&address, len) != 0 ||
        listen(server->fd, SOMAXCONN) != 0 ||
        getsockname(server->fd, (struct sockaddr *)&address, &len) != 0)
        return -errno;
    server->port = ntohs(address.sin_port);
    return 0;
}

static void start_watchers(struct mock_server *server)
{
    double idle_s = server->service.opts->idle_s;
    double sweep_s = idle_s / 4 < SWEEP_MAX_S ? idle_s / 4 : SWEEP_MAX_S;

    ev_io_init(&server->acceptable, on_acceptable, server->fd, EV_READ);
    ev_timer_init(&server->accept_again, on_accept_again, 0, 0);
    ev_timer_init(&server->sweep, on_sweep, sweep_s, sweep_s);
    ev_signal_init(&server->sigint, on_signal, SIGINT);
    ev_signal_init(&server->sigterm, on_signal, SIGTERM);
    server->acceptable.data = server->accept_again.data = server->sweep.data = server;
    ev_io_start(server->loop, &server->acceptable);
    ev_timer_start(server->loop, &server->sweep);
    ev_signal_start(server->loop, &server->sigint);
    ev_signal_start(server->loop, &server->sigterm);
}

int mock_server_open(struct mock_server *server, const struct mock_opts *opts)
{
    int rc;

    server->fd = -1;
    mock_request_setup();
    mock_json_begin();
    mock_service_init(&server->service, opts, mock_server_now_ns());
    raise_file_limit();
    server->scratch = malloc(MOCK_READ_MAX);
    server->loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
    rc = server->scratch && server->loop ? listen_on(server, opts->port) : -ENOMEM;
    if (rc == 0)
        start_watchers(server);
    else
        mock_server_close(server);
    return rc;
}

void mock_server_run(struct mock_server *server)
{
    ev_run(server->loop, 0);
}

void mock_server_close(struct mock_server *server)
{
    if (server->fd >= 0)
        close(server->fd);
    server->fd = -1;
    while (server->conns)
        mock_conn_close(server->conns);
    if (server->loop) {
        ev_io_stop(server->loop, &server->acceptable);
        ev_timer_stop(server->loop, &server->accept_again);
        ev_timer_stop(server->loop, &server->sweep);
        ev_signal_stop(server->loop, &server->sigint);
        ev_signal_stop(server->loop, &server->sigterm);
        ev_loop_destroy(server->loop);
    }
    free(server->scratch);
    mock_json_end();
}
