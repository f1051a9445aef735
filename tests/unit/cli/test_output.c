/* The output file when another run gets its lock first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "exit_status.h"
#include "output.h"

static int lock_error;
static const char *other_wrote; /* before it let go of the lock; NULL: nothing */

/* In place of the C library's. */
int flock(int fd, int operation)
{
    (void)operation;
    if (other_wrote != NULL)
        assert_int_equal(pwrite(fd, other_wrote, strlen(other_wrote), 0), strlen(other_wrote));
    errno = lock_error;
    return lock_error != 0 ? -1 : 0;
}

static int open_new(struct output *output, const char *name)
{
    struct input input = {.fd = -1};
    return output_open(output, name, true, &input);
}

static void in_folder(void (*test)(const char *name))
{
    char folder[] = "/tmp/weir-output-XXXXXX";
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    test("out.jsonl");
    unlink("out.jsonl");
    assert_int_equal(rmdir(folder), 0);
}

static void lose_the_race(const char *name)
{
    struct output output;
    lock_error = EWOULDBLOCK;
    assert_int_equal(open_new(&output, name), EXIT_USAGE);
    assert_int_equal(access(name, F_OK), 0);
}

/* It came in between: the file that we have created is the other's now, though still empty. */
static void test_what_another_run_has_locked_is_not_removed(void **state)
{
    (void)state;
    in_folder(lose_the_race);
}

static void come_right_behind(const char *name)
{
    struct output output;
    lock_error = 0;
    other_wrote = "{}\n";
    assert_int_equal(open_new(&output, name), 0);
    other_wrote = NULL;
    assert_true(output.stale);
    output_close(&output, true);
    assert_int_equal(truncate(name, 0), 0);
}

/* Else what is longer would stand behind our rows. */
static void test_what_another_run_wrote_until_now_is_overwritten(void **state)
{
    (void)state;
    in_folder(come_right_behind);
}

static void go_without(const char *name)
{
    struct output output;
    lock_error = ENOLCK;
    assert_int_equal(open_new(&output, name), 0);
    output_close(&output, false);
    assert_int_equal(access(name, F_OK), -1);
}

static void test_where_files_cannot_be_locked(void **state)
{
    (void)state;
    in_folder(go_without);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_another_run_has_locked_is_not_removed),
        cmocka_unit_test(test_what_another_run_wrote_until_now_is_overwritten),
        cmocka_unit_test(test_where_files_cannot_be_locked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
