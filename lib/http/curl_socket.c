#include "http/curl_socket.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/list.h"
#include "base/mem.h"

void weir__sockets_init(struct weir__sockets *sockets, struct ev_loop *ev,
                        void (*ready)(struct weir__socket *socket, int events))
{
    *sockets = (struct weir__sockets){.ev = ev, .ready = ready};
}

void weir__sockets_free(struct weir__sockets *sockets)
{
    for (size_t i = 0; i < sockets->count; i++)
        weir__free(sockets->of[i]);
    weir__free(sockets->of);
}

/* Whoever may write and also reads looks for an answer before each piece: a server that refuses a
 * body and closes resets the connection, the next sending fails, and libcurl closes with the answer
 * unread. Not where only writing is watched for: libcurl would read for a paused transfer. */
static void on_event(struct ev_loop *ev, ev_io *watcher, int events)
{
    (void)ev;
    struct weir__sockets *sockets = watcher->data;
    if ((events & EV_WRITE) != 0)
        events |= watcher->events & EV_READ;
    sockets->ready(WEIR__CONTAINER(watcher, struct weir__socket, watcher), events);
}

static struct weir__socket *find(const struct weir__sockets *sockets, int fd)
{
    return fd >= 0 && (size_t)fd < sockets->count ? sockets->of[fd] : NULL;
}

/* Room for the number, too: as many as the process may have open at most. */
static bool reserve(struct weir__sockets *sockets, size_t fd)
{
    size_t count = sockets->count > 0 ? sockets->count : 32;
    while (count <= fd)
        count *= 2;
    if (count == sockets->count)
        return true;
    struct weir__socket **of = weir__realloc(sockets->of, count * sizeof of[0]);
    if (of == NULL)
        return false;
    for (size_t i = sockets->count; i < count; i++)
        of[i] = NULL;
    sockets->of = of;
    sockets->count = count;
    return true;
}

struct weir__socket *weir__socket_of(struct weir__sockets *sockets, int fd)
{
    struct weir__socket *socket = find(sockets, fd);
    if (socket != NULL)
        return socket;
    if (fd < 0 || !reserve(sockets, (size_t)fd) || (socket = weir__zalloc(sizeof *socket)) == NULL)
        return NULL;
    ev_io_init(&socket->watcher, on_event, fd, 0);
    socket->watcher.data = sockets;
    sockets->of[fd] = socket;
    return socket;
}

void weir__socket_watch(struct weir__sockets *sockets, struct weir__socket *socket,
                        struct weir__shard *shard, int events)
{
    ev_io *watcher = &socket->watcher;
    socket->shard = shard;
    if (ev_is_active(watcher) && (watcher->events & (EV_READ | EV_WRITE)) == events)
        return;
    ev_io_stop(sockets->ev, watcher);
    if (socket->stands)
        ev_io_modify(watcher, events);
    else
        ev_io_set(watcher, watcher->fd, events);
    ev_io_start(sockets->ev, watcher);
}

void weir__socket_rest(struct weir__sockets *sockets, struct weir__socket *socket)
{
    ev_io_stop(sockets->ev, &socket->watcher);
}

static void forget(struct weir__sockets *sockets, struct weir__socket *socket)
{
    ev_io_stop(sockets->ev, &socket->watcher);
    socket->stands = false;
    socket->shard = NULL;
}

void weir__socket_closed(struct weir__sockets *sockets, int fd)
{
    struct weir__socket *socket = find(sockets, fd);
    if (socket != NULL)
        forget(sockets, socket);
}

int weir__sockets_next(const struct weir__sockets *sockets, const struct weir__shard *shard, int fd)
{
    for (size_t i = (size_t)(fd + 1); i < sockets->count; i++) {
        const struct weir__socket *socket = sockets->of[i];
        if (socket != NULL && socket->shard == shard && ev_is_active(&socket->watcher) &&
            (socket->watcher.events & EV_READ) != 0)
            return (int)i;
    }
    return -1;
}

int weir__sockets_next_standing(const struct weir__sockets *sockets,
                                const struct weir__shard *shard, int fd)
{
    for (size_t i = (size_t)(fd + 1); i < sockets->count; i++) {
        const struct weir__socket *socket = sockets->of[i];
        if (socket != NULL && socket->shard == shard && socket->stands)
            return (int)i;
    }
    return -1;
}

void weir__sockets_drop(struct weir__sockets *sockets, const struct weir__shard *shard)
{
    for (size_t i = 0; i < sockets->count; i++) {
        if (sockets->of[i] != NULL && sockets->of[i]->shard == shard)
            forget(sockets, sockets->of[i]);
    }
}

int weir__socket_port(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } name = {.any.sa_family = AF_UNSPEC};
    socklen_t len = sizeof name;
    if (getsockname(fd, &name.any, &len) < 0)
        return 0;
    return name.any.sa_family == AF_INET    ? ntohs(name.in.sin_port)
           : name.any.sa_family == AF_INET6 ? ntohs(name.in6.sin6_port)
                                            : 0;
}
