#include <sys/stat.h>

#include <weir/io.h>

#include "loop/loop.h"

struct fd_wait {
    ev_io watcher;
    struct weir__wait wait;
};

static void on_ready(struct ev_loop *ev, ev_io *watcher, int events)
{
    struct fd_wait *waiting = WEIR__CONTAINER(watcher, struct fd_wait, watcher);
    ev_io_stop(ev, watcher);
    events &= watcher->events; /* libev reports an error as all there are */
    int ready = (events & EV_READ ? WEIR_IO_READ : 0) | (events & EV_WRITE ? WEIR_IO_WRITE : 0);
    weir__wake(&waiting->wait, ready);
}

int weir_wait_fd(int fd, int events)
{
    const int known = WEIR_IO_READ | WEIR_IO_WRITE;
    struct weir__rt *rt = weir__rt();
    struct stat status;
    if (rt == NULL)
        return WEIR_ENORUNTIME;
    if ((events & known) == 0 || (events & ~known) != 0 || fstat(fd, &status) != 0)
        return WEIR_EINVAL;
    if (rt->loop->is_virtual)
        return WEIR_ENOTSUP;
    if (S_ISREG(status.st_mode)) /* epoll takes none of these */
        return events;
    struct fd_wait waiting;
    int rc = weir__wait_begin(&waiting.wait);
    if (rc < 0)
        return rc;
    int mask = (events & WEIR_IO_READ ? EV_READ : 0) | (events & WEIR_IO_WRITE ? EV_WRITE : 0);
    ev_io_init(&waiting.watcher, on_ready, fd, mask);
    ev_io_start(weir__rt_ev(rt), &waiting.watcher);
    rc = weir__park(&waiting.wait);
    ev_io_stop(weir__rt_ev(rt), &waiting.watcher);
    return rc;
}
