/* The sockets' watchers, and when the kernel is told of one again. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "http/curl_socket.h"

enum { OURS, THEIRS };

static struct ev_loop *ev;
static struct weir__sockets sockets;
static unsigned seen; /* calls of on_ready */
static int seen_fd, seen_events;
static struct weir__shard *const first = (void *)&sockets, *const second = (void *)&seen;

static void on_ready(struct weir__socket *socket, int events)
{
    seen++;
    seen_fd = socket->watcher.fd;
    seen_events = events;
}

static int set_up(void **state)
{
    (void)state;
    ev = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
    seen = 0;
    weir__sockets_init(&sockets, ev, on_ready);
    return ev == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    weir__sockets_free(&sockets);
    ev_loop_destroy(ev);
    return 0;
}

/* A connected pair, of which one can be read from. */
static void open_pair(int pair[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(write(pair[THEIRS], "x", 1), 1);
}

static void close_pair(const int pair[2])
{
    close(pair[OURS]);
    close(pair[THEIRS]);
}

/* Another such socket gets the number of the pair's. */
static void replace(int pair[2])
{
    int other[2];
    open_pair(other);
    assert_int_equal(dup2(other[OURS], pair[OURS]), pair[OURS]);
    close(other[OURS]);
    close(pair[THEIRS]);
    pair[THEIRS] = other[THEIRS];
}

static struct weir__socket *watch(int fd, struct weir__shard *shard, int events)
{
    struct weir__socket *socket = weir__socket_of(&sockets, fd);
    assert_non_null(socket);
    weir__socket_watch(&sockets, socket, shard, events);
    return socket;
}

static unsigned turn(void)
{
    unsigned before = seen;
    ev_run(ev, EVRUN_NOWAIT);
    return seen - before;
}

static void what_is_watched_for_comes(void **state)
{
    int pair[2];
    (void)state;
    open_pair(pair);
    struct weir__socket *socket = watch(pair[OURS], first, EV_READ);
    assert_int_equal(turn(), 1);
    assert_int_equal(seen_fd, pair[OURS]);
    assert_int_equal(seen_events, EV_READ);
    watch(pair[OURS], first, EV_READ | EV_WRITE);
    assert_int_equal(turn(), 1);
    assert_int_equal(seen_events, EV_READ | EV_WRITE);
    weir__socket_rest(&sockets, socket);
    assert_int_equal(turn(), 0);
    watch(pair[OURS], second, EV_WRITE);
    assert_int_equal(turn(), 1);
    assert_int_equal(seen_events, EV_WRITE);
    assert_ptr_equal(socket->shard, second);
    weir__socket_closed(&sockets, pair[OURS]);
    assert_int_equal(turn(), 0);
    close_pair(pair);
}

/* Before it sends on, libcurl is to see an answer that comes just now. */
static void who_may_write_is_told_to_read_too(void **state)
{
    int pair[2];
    (void)state;
    open_pair(pair);
    watch(pair[THEIRS], first, EV_READ | EV_WRITE);
    assert_int_equal(turn(), 1);
    assert_int_equal(seen_events, EV_READ | EV_WRITE);
    watch(pair[THEIRS], first, EV_WRITE);
    assert_int_equal(turn(), 1);
    assert_int_equal(seen_events, EV_WRITE);
    watch(pair[THEIRS], first, EV_READ);
    assert_int_equal(turn(), 0);
    weir__socket_closed(&sockets, pair[THEIRS]);
    close_pair(pair);
}

/* A connection that stands; its first event has come. */
static struct weir__socket *connect_pair(int pair[2])
{
    open_pair(pair);
    struct weir__socket *socket = watch(pair[OURS], first, EV_READ);
    assert_int_equal(turn(), 1);
    socket->stands = true;
    return socket;
}

/* One request behind the other over one connection. That the kernel is not asked shows in what it
 * does not know. */
static void a_connection_that_is_watched_again_costs_no_call(void **state)
{
    int pair[2];
    (void)state;
    struct weir__socket *socket = connect_pair(pair);
    weir__socket_rest(&sockets, socket);
    watch(pair[OURS], first, EV_READ);
    assert_int_equal(turn(), 1);

    weir__socket_rest(&sockets, socket);
    replace(pair);
    watch(pair[OURS], first, EV_READ);
    assert_int_equal(turn(), 0);
    weir__socket_closed(&sockets, pair[OURS]);
    close_pair(pair);
}

static void a_new_connection_of_the_same_number_is_told(void **state)
{
    int pair[2];
    (void)state;
    connect_pair(pair);
    weir__socket_closed(&sockets, pair[OURS]);
    replace(pair);
    watch(pair[OURS], second, EV_READ);
    assert_int_equal(turn(), 1);
    weir__socket_closed(&sockets, pair[OURS]);
    close_pair(pair);
}

/* A connection that never stood, or the resolver's: they come and go without a word. */
static void other_sockets_are_told_each_time(void **state)
{
    int pair[2];
    (void)state;
    connect_pair(pair);
    weir__socket_closed(&sockets, pair[OURS]);
    for (int i = 0; i < 3; i++) {
        replace(pair);
        struct weir__socket *socket = watch(pair[OURS], first, EV_READ);
        assert_int_equal(turn(), 1);
        weir__socket_rest(&sockets, socket);
    }
    close_pair(pair);
}

static void those_of_one_shard_are_dropped(void **state)
{
    int one[2], other[2];
    (void)state;
    open_pair(one);
    open_pair(other);
    watch(one[OURS], first, EV_READ);
    watch(other[OURS], second, EV_READ);
    weir__sockets_drop(&sockets, first);
    assert_int_equal(turn(), 1);
    assert_int_equal(seen_fd, other[OURS]);
    weir__sockets_drop(&sockets, second);
    close_pair(one);
    close_pair(other);
}

static void those_of_one_shard_that_are_read_from_are_gone_through(void **state)
{
    int one[2], other[2];
    (void)state;
    open_pair(one);
    open_pair(other);
    /* neighbours: any descriptor may be watched, and nothing is read here */
    watch(one[OURS], first, EV_READ);
    watch(one[THEIRS], first, EV_READ | EV_WRITE);
    watch(other[OURS], second, EV_READ);
    struct weir__socket *socket = watch(other[THEIRS], first, EV_READ);
    assert_int_equal(one[THEIRS], one[OURS] + 1);
    assert_true(one[THEIRS] < other[OURS] && other[OURS] < other[THEIRS]);
    assert_int_equal(weir__sockets_next(&sockets, first, -1), one[OURS]);
    assert_int_equal(weir__sockets_next(&sockets, first, one[OURS]), one[THEIRS]);
    assert_int_equal(weir__sockets_next(&sockets, first, one[THEIRS]), other[THEIRS]);
    assert_int_equal(weir__sockets_next(&sockets, first, other[THEIRS]), -1);
    assert_int_equal(weir__sockets_next(&sockets, second, -1), other[OURS]);
    watch(other[THEIRS], first, EV_WRITE);
    assert_int_equal(weir__sockets_next(&sockets, first, one[THEIRS]), -1);
    watch(other[THEIRS], first, EV_READ);
    weir__socket_rest(&sockets, socket);
    assert_int_equal(weir__sockets_next(&sockets, first, one[THEIRS]), -1);
    weir__sockets_drop(&sockets, first);
    weir__sockets_drop(&sockets, second);
    assert_int_equal(weir__sockets_next(&sockets, second, -1), -1);
    close_pair(one);
    close_pair(other);
}

static void any_number_has_an_entry(void **state)
{
    int pair[2];
    (void)state;
    open_pair(pair);
    int high = fcntl(pair[OURS], F_DUPFD_CLOEXEC, 900);
    assert_true(high >= 900);
    watch(high, first, EV_READ);
    assert_int_equal(turn(), 1);
    assert_int_equal(seen_fd, high);
    weir__sockets_drop(&sockets, first);
    close(high);
    close_pair(pair);
    assert_null(weir__socket_of(&sockets, -1));
    weir__socket_closed(&sockets, -1);
    weir__socket_closed(&sockets, 1000000);
}

static void without_memory_there_is_none(void **state)
{
    (void)state;
    for (unsigned long k = 1; k <= 2; k++) {
        weir__mem_fail_at(k);
        struct weir__socket *socket = weir__socket_of(&sockets, 40);
        weir__mem_fail_at(0);
        assert_null(socket);
    }
    assert_non_null(weir__socket_of(&sockets, 40));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_watched_for_comes),
        TEST(who_may_write_is_told_to_read_too),
        TEST(a_connection_that_is_watched_again_costs_no_call),
        TEST(a_new_connection_of_the_same_number_is_told),
        TEST(other_sockets_are_told_each_time),
        TEST(those_of_one_shard_are_dropped),
        TEST(those_of_one_shard_that_are_read_from_are_gone_through),
        TEST(any_number_has_an_entry),
        TEST(without_memory_there_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
