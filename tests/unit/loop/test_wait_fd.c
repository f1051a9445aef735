/* weir_wait_fd. */
#include "rig.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <weir/io.h>

struct ends {
    int fd[2];
};

static struct ends make_pipe(void)
{
    struct ends ends = {{-1, -1}};
    check_int(pipe(ends.fd), 0);
    return ends;
}

static struct ends make_sockets(void)
{
    struct ends ends = {{-1, -1}};
    check_int(socketpair(AF_UNIX, SOCK_STREAM, 0, ends.fd), 0);
    return ends;
}

static void close_both(struct ends *ends)
{
    close(ends->fd[0]);
    close(ends->fd[1]);
}

struct reader {
    int fd;
    int events;
    int rc;
    char got;
};

static int wait_and_read(void *arg)
{
    struct reader *reader = arg;
    reader->rc = weir_wait_fd(reader->fd, reader->events);
    if (reader->rc > 0 && (reader->rc & WEIR_IO_READ))
        check(read(reader->fd, &reader->got, 1) >= 0);
    note("%s", weir_task_name(weir_task_self()));
    return reader->rc < 0 ? reader->rc : 0;
}

static int waits_for_what_another_task_writes(void *arg)
{
    struct ends ends = make_pipe();
    struct reader reader = {.fd = ends.fd[0], .events = WEIR_IO_READ};
    weir_group *group = rig_group();
    (void)arg;
    weir_spawn_named(group, wait_and_read, &reader, "read");
    weir_sleep_ms(1);
    check_trace("");
    check_int(write(ends.fd[1], "x", 1), 1);
    check_int(weir_gather(group), 0);
    check_int(reader.rc, WEIR_IO_READ);
    check_int(reader.got, 'x');
    close_both(&ends);
    return weir_group_free(group);
}

static int says_which_of_both_is_ready(void *arg)
{
    struct ends ends = make_sockets();
    (void)arg;
    check_int(weir_wait_fd(ends.fd[0], WEIR_IO_WRITE), WEIR_IO_WRITE);
    check_int(weir_wait_fd(ends.fd[0], WEIR_IO_READ | WEIR_IO_WRITE), WEIR_IO_WRITE);
    check_int(write(ends.fd[1], "x", 1), 1);
    check_int(weir_wait_fd(ends.fd[0], WEIR_IO_READ), WEIR_IO_READ);
    check_int(weir_wait_fd(ends.fd[0], WEIR_IO_READ | WEIR_IO_WRITE), WEIR_IO_READ | WEIR_IO_WRITE);
    close_both(&ends);
    return 0;
}

static int a_hang_up_is_something_to_read(void *arg)
{
    struct ends ends = make_sockets();
    struct reader reader = {.fd = ends.fd[0], .events = WEIR_IO_READ, .got = '?'};
    weir_group *group = rig_group();
    (void)arg;
    weir_spawn_named(group, wait_and_read, &reader, "read");
    weir_yield();
    close(ends.fd[1]);
    check_int(weir_gather(group), 0);
    check_int(reader.rc, WEIR_IO_READ);
    check_int(reader.got, '?'); /* the end of file */
    close(ends.fd[0]);
    return weir_group_free(group);
}

static int several_wait_for_one(void *arg)
{
    struct ends ends = make_sockets();
    struct reader readers[] = {{.fd = ends.fd[0], .events = WEIR_IO_READ},
                               {.fd = ends.fd[0], .events = WEIR_IO_READ},
                               {.fd = ends.fd[0], .events = WEIR_IO_WRITE}};
    weir_group *group = rig_group();
    (void)arg;
    weir_spawn_named(group, wait_and_read, &readers[0], "read");
    weir_spawn_named(group, wait_and_read, &readers[1], "read");
    weir_spawn_named(group, wait_and_read, &readers[2], "write");
    check_int(weir_sleep_ms(1), 0);
    check_trace("write");
    check_int(write(ends.fd[1], "xy", 2), 2);
    check_int(weir_gather(group), 0);
    check_trace("read read");
    check_int(readers[0].got + readers[1].got, 'x' + 'y');
    close_both(&ends);
    return weir_group_free(group);
}

static int a_file_is_always_ready(void *arg)
{
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    (void)arg;
    check(fd >= 0);
    check_int(weir_wait_fd(fd, WEIR_IO_READ), WEIR_IO_READ);
    check_int(weir_wait_fd(fd, WEIR_IO_READ | WEIR_IO_WRITE), WEIR_IO_READ | WEIR_IO_WRITE);
    close(fd);
    fd = open("/dev/null", O_WRONLY | O_CLOEXEC); /* not a file, but epoll takes it neither */
    check_int(weir_wait_fd(fd, WEIR_IO_WRITE), WEIR_IO_WRITE);
    close(fd);
    return 0;
}

static int bad_arguments(void *arg)
{
    struct ends ends = make_pipe();
    (void)arg;
    check_int(weir_wait_fd(-1, WEIR_IO_READ), WEIR_EINVAL);
    check_int(weir_wait_fd(ends.fd[0], 0), WEIR_EINVAL);
    check_int(weir_wait_fd(ends.fd[0], 4), WEIR_EINVAL);
    check_int(weir_wait_fd(ends.fd[0], -1), WEIR_EINVAL);
    close_both(&ends);
    check_int(weir_wait_fd(ends.fd[0], WEIR_IO_READ), WEIR_EINVAL);
    return 0;
}

/* ---- cut short ---- */

static int wait_twice(void *arg)
{
    check_int(weir_wait_fd(*(int *)arg, WEIR_IO_READ), WEIR_ECANCELED);
    check_int(weir_wait_fd(*(int *)arg, WEIR_IO_READ), WEIR_ECANCELED);
    return WEIR_ECANCELED;
}

static int a_cancel_ends_the_wait(void *arg)
{
    struct ends ends = make_pipe();
    weir_group *group = rig_group();
    (void)arg;
    weir_spawn(group, wait_twice, &ends.fd[0]);
    weir_sleep_ms(1);
    weir_group_cancel(group);
    check_int(write(ends.fd[1], "x", 1), 1); /* comes too late */
    check_int(weir_gather(group), WEIR_ECANCELED);
    check_int(weir_wait_fd(ends.fd[0], WEIR_IO_READ), WEIR_IO_READ); /* and is there still */
    close_both(&ends);
    return weir_group_free(group);
}

struct rival {
    int fd;
    weir_group *other;
};

/* Both are woken in one turn; the one that runs first cancels the other, which has its events
 * already. */
static int cancel_the_other(void *arg)
{
    struct rival *rival = arg;
    check_int(weir_wait_fd(rival->fd, WEIR_IO_READ), WEIR_IO_READ);
    if (weir_cancelled()) {
        check_int(weir_wait_fd(rival->fd, WEIR_IO_READ), WEIR_ECANCELED);
        note("second");
    } else {
        weir_group_cancel(rival->other);
        note("first");
    }
    return 0;
}

static int woken_but_not_run(void *arg)
{
    struct ends ends = make_pipe();
    weir_group *one = rig_group(), *two = rig_group();
    struct rival rivals[] = {{ends.fd[0], two}, {ends.fd[0], one}};
    (void)arg;
    weir_spawn(one, cancel_the_other, &rivals[0]);
    weir_spawn(two, cancel_the_other, &rivals[1]);
    weir_sleep_ms(1);
    check_int(write(ends.fd[1], "x", 1), 1);
    check_int(weir_gather(one), 0);
    check_int(weir_gather(two), 0);
    check_trace("first second");
    close_both(&ends);
    check_int(weir_group_free(one), 0);
    return weir_group_free(two);
}

static int a_deadline_ends_the_wait(void *arg)
{
    struct ends ends = make_pipe();
    weir_deadline limit;
    (void)arg;
    weir_deadline_begin_ms(&limit, 2);
    check_int(weir_deadline_end(&limit, weir_wait_fd(ends.fd[0], WEIR_IO_READ)), WEIR_ETIMEDOUT);
    close_both(&ends);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        REAL_TEST(waits_for_what_another_task_writes),
        REAL_TEST(says_which_of_both_is_ready),
        REAL_TEST(a_hang_up_is_something_to_read),
        REAL_TEST(several_wait_for_one),
        REAL_TEST(a_file_is_always_ready),
        REAL_TEST(bad_arguments),
        REAL_TEST(a_cancel_ends_the_wait),
        REAL_TEST(woken_but_not_run),
        REAL_TEST(a_deadline_ends_the_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
