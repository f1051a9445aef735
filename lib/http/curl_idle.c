#include "http/curl_idle.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

ino_t weir__idle_id(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode) ? status.st_ino : 0;
}

void weir__idle_remove(struct weir__idle *idle, int fd)
{
    for (unsigned i = 0; i < idle->count; i++) {
        if (idle->sockets[i].fd == fd) {
            idle->sockets[i] = idle->sockets[--idle->count];
            idle->ids[i] = idle->ids[idle->count];
            return;
        }
    }
}

void weir__idle_add(struct weir__idle *idle, int fd, ino_t id, bool silent)
{
    weir__idle_remove(idle, fd);
    if (idle->count == WEIR__IDLE_MAX)
        return;
    short events = silent ? POLLRDHUP | POLLIN : POLLRDHUP;
    idle->sockets[idle->count] = (struct pollfd){.fd = fd, .events = events};
    idle->ids[idle->count++] = id;
}

/* Whoever reads from it finds the end at once. Without a file to spare all stays as it is. */
static void replace(int fd)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
        return;
    close(pair[1]);
    dup3(pair[0], fd, O_CLOEXEC);
    close(pair[0]);
}

static bool is_over(const struct pollfd *at, bool silent_alone)
{
    if (silent_alone && (at->events & POLLIN) == 0)
        return false;
    return (at->revents & (POLLIN | POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)) != 0;
}

void weir__idle_check(struct weir__idle *idle, bool silent_alone)
{
    if (idle->count == 0 || poll(idle->sockets, idle->count, 0) <= 0)
        return;
    for (unsigned i = idle->count; i-- > 0;) {
        const struct pollfd *at = &idle->sockets[i];
        if (!is_over(at, silent_alone))
            continue;
        if (weir__idle_id(at->fd) == idle->ids[i])
            replace(at->fd);
        weir__idle_remove(idle, at->fd); /* the last one takes its place, and has been seen */
    }
}
