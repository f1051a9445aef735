/* Sockets that nobody uses: those that the other side has ended are closed, and only those. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "http/curl_idle.h"

enum { PAIRS = 3, OURS = 0, THEIRS = 1 };

static int pairs[PAIRS][2];
static struct weir__idle idle;

static int set_up(void **state)
{
    (void)state;
    idle = (struct weir__idle){.count = 0};
    for (int i = 0; i < PAIRS; i++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i]), 0);
        weir__idle_add(&idle, pairs[i][OURS], weir__idle_id(pairs[i][OURS]), false);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (int i = 0; i < PAIRS; i++) {
        close(pairs[i][OURS]);
        close(pairs[i][THEIRS]);
    }
    return 0;
}

/* Whether whoever looks finds its end at once, nothing before it. */
static int has_ended(int fd)
{
    char byte;
    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/* What libcurl would take for a sign of life, and the end behind it. */
static void speak_and_end(int pair)
{
    assert_int_equal(send(pairs[pair][THEIRS], "x", 1, 0), 1);
    assert_int_equal(shutdown(pairs[pair][THEIRS], SHUT_WR), 0);
}

static void the_ended_one_is_closed(void **state)
{
    char byte;
    (void)state;
    assert_int_equal(send(pairs[0][THEIRS], "x", 1, 0), 1);
    speak_and_end(1);
    assert_false(has_ended(pairs[1][OURS]));
    weir__idle_check(&idle, false);
    assert_false(has_ended(pairs[0][OURS]));
    assert_true(has_ended(pairs[1][OURS]));
    assert_false(has_ended(pairs[2][OURS]));
    assert_int_equal(idle.count, 2);
    /* The other side sees that it is closed, though it has not been by who owns it. (Unread bytes
     * make it a reset.) */
    assert_true(recv(pairs[1][THEIRS], &byte, 1, MSG_DONTWAIT) <= 0);
}

static void several_at_once(void **state)
{
    (void)state;
    for (int i = 0; i < PAIRS; i++)
        speak_and_end(i);
    weir__idle_check(&idle, false);
    for (int i = 0; i < PAIRS; i++)
        assert_true(has_ended(pairs[i][OURS]));
    assert_int_equal(idle.count, 0);
    weir__idle_check(&idle, false); /* none left */
}

/* Also among others that may: the end alone is what counts with them, and not even that if they may
 * be in use. */
static void one_that_should_be_silent_and_is_not_is_closed(void **state)
{
    (void)state;
    weir__idle_add(&idle, pairs[0][OURS], weir__idle_id(pairs[0][OURS]), true);
    weir__idle_add(&idle, pairs[2][OURS], weir__idle_id(pairs[2][OURS]), true);
    weir__idle_check(&idle, true);
    assert_int_equal(idle.count, PAIRS);
    assert_int_equal(send(pairs[0][THEIRS], "x", 1, 0), 1);
    speak_and_end(1);
    weir__idle_check(&idle, true);
    assert_true(has_ended(pairs[0][OURS]));
    assert_false(has_ended(pairs[1][OURS]));
    assert_false(has_ended(pairs[2][OURS]));
    assert_int_equal(idle.count, PAIRS - 1);
    weir__idle_check(&idle, false);
    assert_true(has_ended(pairs[1][OURS]));
    assert_int_equal(idle.count, PAIRS - 2);
}

static void one_in_use_is_left_alone(void **state)
{
    (void)state;
    speak_and_end(1);
    weir__idle_remove(&idle, pairs[1][OURS]);
    weir__idle_remove(&idle, 12345);
    weir__idle_check(&idle, false);
    assert_false(has_ended(pairs[1][OURS]));
    assert_int_equal(idle.count, 2);
}

/* libcurl closes some of its sockets without a word, and their numbers come again for files that
 * are none of its business. */
static void a_number_that_is_another_file_by_now_is_left_alone(void **state)
{
    int other[2];
    struct stat before, after;
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, other), 0);
    assert_int_equal(dup2(other[OURS], pairs[1][OURS]), pairs[1][OURS]);
    close(other[OURS]);
    close(other[THEIRS]); /* so that it has ended */
    assert_int_equal(fstat(pairs[1][OURS], &before), 0);
    weir__idle_check(&idle, false);
    assert_int_equal(fstat(pairs[1][OURS], &after), 0);
    assert_true(before.st_ino == after.st_ino);
    assert_int_equal(idle.count, 2);
    close(pairs[2][OURS]);
    weir__idle_check(&idle, false);
    assert_int_equal(idle.count, 1);
}

static void so_many_and_no_more(void **state)
{
    (void)state;
    for (int fd = 0; fd < 2 * WEIR__IDLE_MAX; fd++) {
        weir__idle_add(&idle, 10000 + fd % WEIR__IDLE_MAX, 1, false); /* and none twice */
        assert_true(idle.count <= WEIR__IDLE_MAX);
    }
    assert_int_equal(idle.count, WEIR__IDLE_MAX);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_ended_one_is_closed),
        TEST(several_at_once),
        TEST(one_that_should_be_silent_and_is_not_is_closed),
        TEST(one_in_use_is_left_alone),
        TEST(a_number_that_is_another_file_by_now_is_left_alone),
        TEST(so_many_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
