/* The JSON Lines reader: failures at every point, and waiting for input. */
#include "jsonl_input.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/syscall.h>

#include <weir/task.h>

#include "base/mem.h"

/* ---- system calls that fail when told to ---- */

/* By the C library's names, but not by its declarations, which may be inline. */
ssize_t read_or_fail(int fd, void *to, size_t size) __asm__("read");
int poll_or_fail(struct pollfd *fds, nfds_t count, int timeout_ms) __asm__("poll");

static int read_error;   /* errno of the next read, 0: none */
static int poll_error;   /* the same for poll */
static int late_fd = -1; /* gets a line when the next read begins */
static unsigned long reads, polls;

static int is_readable(int fd)
{
    const struct timespec at_once = {0};
    struct pollfd input = {.fd = fd, .events = POLLIN};
    return (int)syscall(SYS_ppoll, &input, 1, &at_once, NULL, 0);
}

ssize_t read_or_fail(int fd, void *to, size_t size)
{
    reads++;
    if (late_fd >= 0)
        assert_int_equal(write(late_fd, "late\n", 5), 5);
    late_fd = -1;
    if (read_error == 0) {
        assert_true(is_readable(fd)); /* else it would stop the thread */
        return (ssize_t)syscall(SYS_read, fd, to, size);
    }
    errno = read_error;
    read_error = 0;
    return -1;
}

int poll_or_fail(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    const struct timespec at_once = {0};
    polls++;
    if (poll_error == 0)
        return (int)syscall(SYS_ppoll, fds, count, timeout_ms == 0 ? &at_once : NULL, NULL, 0);
    errno = poll_error;
    poll_error = 0;
    return -1;
}

/* ---- failures ---- */

/* Reads three lines, asking again whenever memory is out. Returns how often it was. */
static unsigned read_with_little_memory(int fd, const size_t lens[3], unsigned long fail_at)
{
    weir_jsonl *reader = NULL;
    struct weir_line line;
    unsigned failures = 0;
    uint64_t lines = 0;
    int rc;
    weir__mem_fail_at(fail_at);
    if (weir_jsonl_new(&reader, fd, NULL) == WEIR_ENOMEM) {
        failures++;
        assert_null(reader);
        weir__mem_fail_at(0);
        reader = reader_of(fd, 0);
    }
    while ((rc = weir_jsonl_next(reader, &line)) != 0) {
        if (rc == WEIR_ENOMEM) {
            failures++;
            weir__mem_fail_at(0);
            continue;
        }
        assert_int_equal(rc, 1);
        assert_int_equal(line.number, lines + 1);
        assert_int_equal(line.len, lens[lines]);
        lines++;
    }
    assert_int_equal(lines, 3);
    weir__mem_fail_at(0);
    weir_jsonl_free(reader);
    return failures;
}

static void memory_runs_out_at_every_point(void **unused)
{
    (void)unused;
    const size_t len = 6 * CHUNK;
    const size_t lens[] = {CHUNK / 2, len - CHUNK / 2 - 11, 9};
    char *data = malloc(len);
    assert_non_null(data);
    memset(data, 'x', len);
    data[CHUNK / 2] = '\n';
    data[len - 10] = '\n';
    unsigned long k = 0;
    unsigned failures;
    do {
        int fd = file_of(data, len);
        failures = read_with_little_memory(fd, lens, ++k);
        assert_true(failures <= 1);
        close(fd);
    } while (failures > 0);
    assert_true(k > 5); /* the reader, its buffer, and three growths or more */
    free(data);
}

static void reading_fails(void **unused)
{
    (void)unused;
    int folder = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    weir_jsonl *reader = reader_of(folder, 0);
    expect_none(reader, WEIR_EIO, 0);
    weir_jsonl_free(reader);
    close(folder);

    int fd = file_of("1\n2\n", 4);
    reader = reader_of(fd, 0);
    read_error = EIO;
    expect_none(reader, WEIR_EIO, 0);
    expect_line(reader, 1, "1"); /* it passed */
    expect_line(reader, 2, "2");
    read_error = EIO;
    expect_none(reader, WEIR_EIO, 2);
    expect_none(reader, 0, 2);
    weir_jsonl_free(reader);
    close(fd);
}

static int read_despite_signals(void *arg)
{
    int ends[2];
    new_pair(ends);
    put(ends[1], "1\n", 2);
    weir_jsonl *reader = reader_of(ends[0], 0);
    read_error = EINTR;
    expect_line(reader, 1, "1");
    put(ends[1], "2\n", 2);
    read_error = EAGAIN; /* somebody else was quicker, or the descriptor does not block */
    expect_line(reader, 2, "2");
    assert_int_equal(read_error, 0);
    weir_jsonl_free(reader);
    close(ends[0]);
    close(ends[1]);
    (void)arg;
    return 0;
}

static void signals_and_non_blocking_descriptors(void **unused)
{
    (void)unused;
    read_despite_signals(NULL);
    assert_int_equal(weir_run(read_despite_signals, NULL, NULL), 0);
}

/* Without a runtime it reads at once, and would block there. */
static void blocks_outside_of_weir_run(void **unused)
{
    (void)unused;
    int ends[2];
    new_pair(ends);
    weir_jsonl *reader = reader_of(ends[0], 0);
    late_fd = ends[1];
    expect_line(reader, 1, "late");
    weir_jsonl_free(reader);
    close(ends[0]);
    close(ends[1]);
}

/* ---- waiting ---- */

struct pipe_test {
    int ends[2];
    weir_jsonl *reader;
    unsigned turns;
    int rc;
};

static void pipe_test_begin(struct pipe_test *test)
{
    *test = (struct pipe_test){0};
    new_pair(test->ends);
    test->reader = reader_of(test->ends[0], 0);
}

static void pipe_test_end(struct pipe_test *test)
{
    weir_jsonl_free(test->reader);
    close(test->ends[0]);
    if (test->ends[1] >= 0)
        close(test->ends[1]);
}

static int wait_for_line(void *arg)
{
    struct pipe_test *test = arg;
    struct weir_line line;
    test->turns++;
    test->rc = weir_jsonl_next(test->reader, &line);
    test->turns++;
    return test->rc < 0 ? test->rc : 0;
}

/* A reader that waits suspends its task alone; another task gets WEIR_EBUSY. */
static int others_run(void *arg)
{
    struct pipe_test test;
    struct weir_line line;
    weir_group *group;
    pipe_test_begin(&test);
    assert_int_equal(weir_group_new(&group, NULL), 0);
    weir_task *task = weir_spawn(group, wait_for_line, &test);
    poll_error = EINTR;
    assert_int_equal(weir_yield(), 0);
    assert_int_equal(test.turns, 1);
    assert_int_equal(poll_error, 0);
    assert_int_equal(weir_jsonl_next(test.reader, &line), WEIR_EBUSY);
    put(test.ends[1], "1\n", 2);
    assert_int_equal(weir_await(task), 0);
    assert_int_equal(test.rc, 1);
    put(test.ends[1], "2", 1);
    close(test.ends[1]);
    test.ends[1] = -1;
    expect_line(test.reader, 2, "2");
    expect_none(test.reader, 0, 2);
    weir_group_free(group);
    pipe_test_end(&test);
    (void)arg;
    return 0;
}

static void waiting_suspends_one_task(void **unused)
{
    (void)unused;
    assert_int_equal(weir_run(others_run, NULL, NULL), 0);
}

/* Cancelled in the middle of a line, and of a line over the maximum. */
static int cancel_and_go_on(void *arg)
{
    struct pipe_test test;
    pipe_test_begin(&test);
    weir_jsonl_free(test.reader);
    test.reader = reader_of(test.ends[0], 4);
    static const char *const parts[] = {"ab", "cd\n12345678901", "23\nx", "\n"};
    for (size_t i = 0; i < 3; i++) {
        weir_group *group;
        put(test.ends[1], parts[i], strlen(parts[i]));
        if (i == 1)
            expect_line(test.reader, 1, "abcd");
        if (i == 2)
            expect_none(test.reader, WEIR_ELINESIZE, 2);
        assert_int_equal(weir_group_new(&group, NULL), 0);
        weir_task *task = weir_spawn(group, wait_for_line, &test);
        assert_int_equal(weir_yield(), 0);
        weir_group_cancel(group);
        assert_int_equal(weir_await(task), WEIR_ECANCELED);
        assert_int_equal(test.rc, WEIR_ECANCELED);
        weir_group_free(group);
    }
    put(test.ends[1], parts[3], 1);
    expect_line(test.reader, 3, "x");
    pipe_test_end(&test);
    (void)arg;
    return 0;
}

static void cancel_loses_nothing(void **unused)
{
    (void)unused;
    assert_int_equal(weir_run(cancel_and_go_on, NULL, NULL), 0);
}

static int read_under_virtual_clock(void *arg)
{
    struct pipe_test test;
    pipe_test_begin(&test);
    expect_none(test.reader, WEIR_ENOTSUP, 0);
    put(test.ends[1], "1\n", 2);
    expect_line(test.reader, 1, "1");
    pipe_test_end(&test);
    int fd = file_of("1\n", 2);
    weir_jsonl *reader = reader_of(fd, 0);
    expect_line(reader, 1, "1");
    expect_none(reader, 0, 1);
    weir_jsonl_free(reader);
    close(fd);
    (void)arg;
    return 0;
}

static void virtual_clock_has_no_input_to_wait_for(void **unused)
{
    (void)unused;
    assert_int_equal(weir_run(read_under_virtual_clock, NULL,
                              WEIR_RUN_OPTS(.clock = WEIR_CLOCK_VIRTUAL)),
                     0);
}

static void devices(void **unused)
{
    (void)unused;
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    weir_jsonl *reader = reader_of(fd, 0);
    expect_none(reader, 0, 0);
    weir_jsonl_free(reader);
    close(fd);
}

/* A file of 64 full chunks takes 65 reads, and no other call: it is read by chunks, not by lines.
 */
static int read_large_file(void *arg)
{
    size_t len = 64 * CHUNK;
    char *data = malloc(len);
    assert_non_null(data);
    for (size_t i = 0; i < len; i++)
        data[i] = i % 500 == 499 ? '\n' : 'x';
    int fd = file_of(data, len);
    weir_jsonl *reader = reader_of(fd, 0);
    reads = 0;
    polls = 0;
    struct weir_line line;
    size_t total = 0;
    while (weir_jsonl_next(reader, &line) == 1)
        total += line.len + 1;
    assert_int_equal(total, len + 1); /* the last line has no end */
    assert_int_equal(reads, 65);
    assert_int_equal(polls, 0);
    weir_jsonl_free(reader);
    close(fd);
    free(data);
    (void)arg;
    return 0;
}

static void files_are_read_by_chunks(void **unused)
{
    (void)unused;
    assert_int_equal(weir_run(read_large_file, NULL, NULL), 0);
}

/* ---- a line without end ---- */

static int reads_zeros(void *arg)
{
    struct weir_line line;
    return weir_jsonl_next(arg, &line);
}

static int cancels_who_reads_zeros(void *arg)
{
    weir_group *group;
    int rc = weir_group_new(&group, NULL);
    if (rc < 0)
        return rc;
    weir_task *reading = weir_spawn(group, reads_zeros, arg);
    weir_sleep_ms(1); /* ends only if the other one lets go */
    weir_group_cancel(group);
    rc = weir_await(reading);
    weir_group_free(group);
    return rc;
}

static void a_line_without_end_lets_others_run(void **state)
{
    weir_jsonl *reader;
    int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(weir_jsonl_new(&reader, fd, WEIR_JSONL_OPTS(.max_line = 100)), 0);
    assert_int_equal(weir_run(cancels_who_reads_zeros, reader, NULL), WEIR_ECANCELED);
    weir_jsonl_free(reader);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_without_end_lets_others_run),
        cmocka_unit_test(memory_runs_out_at_every_point),
        cmocka_unit_test(reading_fails),
        cmocka_unit_test(signals_and_non_blocking_descriptors),
        cmocka_unit_test(blocks_outside_of_weir_run),
        cmocka_unit_test(waiting_suspends_one_task),
        cmocka_unit_test(cancel_loses_nothing),
        cmocka_unit_test(virtual_clock_has_no_input_to_wait_for),
        cmocka_unit_test(devices),
        cmocka_unit_test(files_are_read_by_chunks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
