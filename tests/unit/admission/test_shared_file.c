/* Limits shared through a file: what files are taken, and what processes that are killed leave
 * behind. */
#include "limiter_rig.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weir/shared.h>

#include "admission/shared.h"

static char folder[64];
static char path[96];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/weir-shared-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/limits", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static const struct weir_limit one = {.rate = 10, .period_ms = 1000, .burst = 5};

static int opens(const struct weir_limit *limits, size_t count)
{
    weir_shared *shared = NULL;
    int rc = weir_shared_open(&shared, path, limits, count);
    assert_true((shared != NULL) == (rc == 0));
    weir_shared_close(shared);
    return rc;
}

static void write_file(const void *data, size_t len, mode_t mode)
{
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, len), (ssize_t)len);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static void write_at(off_t offset, const void *data, size_t len)
{
    int fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, data, len, offset), (ssize_t)len);
    close(fd);
}

/* ---- files ---- */

static void test_made_and_found(void **state)
{
    struct stat file;
    (void)state;
    assert_int_equal(opens(&one, 1), 0);
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(file.st_mode & 07777, 0600);
    assert_int_equal(opens(&one, 1), 0);
    unlink(path);
}

static void test_other_limits(void **state)
{
    const struct weir_limit limits[] = {one, one},
                            faster = {.rate = 11, .period_ms = 1000, .burst = 5},
                            larger = {.rate = 10, .period_ms = 1000, .burst = 6},
                            tokens = {.rate = 10,
                                      .period_ms = 1000,
                                      .burst = 5,
                                      .unit = WEIR_TOKENS};
    (void)state;
    assert_int_equal(opens(&one, 1), 0);
    assert_int_equal(opens(&faster, 1), WEIR_EMISMATCH);
    assert_int_equal(opens(&larger, 1), WEIR_EMISMATCH);
    assert_int_equal(opens(&tokens, 1), WEIR_EMISMATCH);
    assert_int_equal(opens(limits, 2), WEIR_EMISMATCH);
    assert_int_equal(opens(&one, 1), 0);
    unlink(path);
}

static void test_what_is_no_such_file(void **state)
{
    static char garbage[100000];
    (void)state;
    memset(garbage, 'x', sizeof garbage);
    write_file(garbage, sizeof garbage, 0600);
    assert_int_equal(opens(&one, 1), WEIR_ESHARED);
    write_file("short", 5, 0600);
    assert_int_equal(opens(&one, 1), WEIR_ESHARED);
    assert_int_equal(opens(&one, 1), WEIR_ESHARED); /* it was left as it was */
    unlink(path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(opens(&one, 1), WEIR_ESHARED);
    rmdir(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(opens(&one, 1), WEIR_ESHARED);
    unlink(path);
    weir_shared *shared;
    assert_int_equal(weir_shared_open(&shared, "/nonexistent/folder/file", &one, 1), WEIR_EIO);
}

static void test_a_link_is_not_followed(void **state)
{
    char target[128];
    (void)state;
    snprintf(target, sizeof target, "%s/target", folder);
    assert_int_equal(symlink(target, path), 0);
    assert_int_equal(opens(&one, 1), WEIR_ESHARED);
    assert_int_equal(access(target, F_OK), -1);
    unlink(path);
}

static void test_open_to_others(void **state)
{
    (void)state;
    write_file("", 0, 0644);
    assert_int_equal(opens(&one, 1), WEIR_ESHARED);
    write_file("", 0, 0600);
    assert_int_equal(opens(&one, 1), 0);
    unlink(path);
}

static void test_damaged(void **state)
{
    const uint32_t version = 99;
    struct stat file;
    (void)state;
    assert_int_equal(opens(&one, 1), 0);
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(truncate(path, file.st_size - 1), 0);
    assert_int_equal(opens(&one, 1), WEIR_ESHARED);
    assert_int_equal(truncate(path, file.st_size), 0);
    assert_int_equal(opens(&one, 1), 0);
    write_at((off_t)offsetof(struct weir__shared_head, version), &version, sizeof version);
    assert_int_equal(opens(&one, 1), WEIR_ESHARED);
    unlink(path);
}

/* ---- what is in it ---- */

/* Takes what there is, at once; returns how many. */
static int take_all(void *arg)
{
    weir_shared *shared = NULL;
    weir_limiter *limiter = NULL;
    int count = 0, rc = weir_shared_open(&shared, path, arg, 1);
    if (rc == 0)
        rc = weir_limiter_new(&limiter, WEIR_LIMITER_OPTS(.shared = shared));
    weir_shared_close(shared);
    while (rc == 0 && weir_limiter_try(limiter, 1) == 0)
        count++;
    weir_limiter_free(limiter);
    return rc < 0 ? rc : count;
}

static const struct weir_limit hourly = {.rate = 5, .period_ms = 3600000, .burst = 5};

static void test_what_was_taken_is_remembered(void **state)
{
    (void)state;
    assert_int_equal(weir_run(take_all, (void *)&hourly, NULL), 5);
    assert_int_equal(weir_run(take_all, (void *)&hourly, NULL), 0);
    unlink(path);
}

static void test_of_an_earlier_boot(void **state)
{
    const struct weir_limit daily = {.rate = 5, .period_ms = 86400000, .burst = 3},
                            two[] = {daily, daily};
    const off_t id = (off_t)offsetof(struct weir__shared_head, boot_id);
    (void)state;
    assert_int_equal(weir_run(take_all, (void *)&hourly, NULL), 5);
    write_at(id, "another", 7);
    assert_int_equal(weir_run(take_all, (void *)&hourly, NULL), 5); /* full again */
    write_at(id, "another", 7);
    assert_int_equal(weir_run(take_all, (void *)&daily, NULL), 3);
    write_at(id, "another", 7);
    assert_int_equal(opens(two, 2), 0);
    unlink(path);
}

/* Its creator was killed before it was done. */
static void test_unfinished(void **state)
{
    static const char nothing[8];
    (void)state;
    assert_int_equal(weir_run(take_all, (void *)&hourly, NULL), 5);
    write_at(0, nothing, sizeof nothing);
    assert_int_equal(weir_run(take_all, (void *)&hourly, NULL), 5);
    write_file("", 0, 0600);
    assert_int_equal(weir_run(take_all, (void *)&hourly, NULL), 5);
    unlink(path);
}

static void test_not_under_the_virtual_clock(void **state)
{
    (void)state;
    assert_int_equal(weir_run(take_all, (void *)&hourly,
                              WEIR_RUN_OPTS(.clock = WEIR_CLOCK_VIRTUAL)),
                     WEIR_ENOTSUP);
    unlink(path);
}

/* ---- processes, some of which are killed ---- */

enum {
    PROCESSES = 8,
    RATE = 400,
    BURST = 16,
    RUN_MS = 1200,
    ROOM = 4096,
};

/* In memory that parent and children share. */
struct log {
    _Atomic int next;
    _Atomic int64_t at_ns[ROOM]; /* 0: killed between taking its place in the log and writing it */
    int64_t start_ns;
};
static struct log *grants;

static const struct weir_limit busy = {.rate = RATE, .period_ms = 1000, .burst = BURST};

static int log_grants(void *arg)
{
    weir_shared *shared = NULL;
    weir_limiter *limiter = NULL;
    int rc = weir_shared_open(&shared, path, &busy, 1);
    (void)arg;
    if (rc == 0)
        rc = weir_limiter_new(&limiter, WEIR_LIMITER_OPTS(.shared = shared));
    weir_shared_close(shared);
    while (rc == 0 && weir_now_ns() - grants->start_ns < RUN_MS * WEIR__NS_PER_MS) {
        rc = weir_limiter_acquire(limiter, 1);
        int place = atomic_fetch_add(&grants->next, 1);
        if (rc == 0 && place < ROOM)
            atomic_store(&grants->at_ns[place], weir_now_ns());
    }
    weir_limiter_free(limiter);
    return rc;
}

static pid_t start_process(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(weir_run(log_grants, NULL, NULL) == 0 ? 0 : 1);
    return pid;
}

static int by_time(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Waits until so many grants have been logged. */
static void await_grants(int count)
{
    while (atomic_load(&grants->next) < count)
        sched_yield();
}

static int collect(int64_t *at_ns)
{
    int logged = atomic_load(&grants->next), count = 0;
    assert_true(logged <= ROOM);
    for (int i = 0; i < logged; i++) {
        int64_t at = atomic_load(&grants->at_ns[i]);
        if (at != 0)
            at_ns[count++] = at;
    }
    qsort(at_ns, (size_t)count, sizeof *at_ns, by_time);
    return count;
}

static void test_killed_processes(void **state)
{
    enum { KILLS = 8 };
    static int64_t at_ns[ROOM];
    pid_t pids[PROCESSES];
    (void)state;
    grants = mmap(NULL, sizeof *grants, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(grants != MAP_FAILED);
    grants->start_ns = weir__clock_mono_ns();
    for (int i = 0; i < PROCESSES; i++)
        pids[i] = start_process();
    for (int i = 0; i < KILLS; i++) { /* and another takes its place */
        await_grants((i + 1) * 30);
        kill(pids[i % PROCESSES], SIGKILL);
        waitpid(pids[i % PROCESSES], NULL, 0);
        pids[i % PROCESSES] = start_process();
    }
    for (int i = 0; i < PROCESSES; i++) {
        int status;
        waitpid(pids[i], &status, 0);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    int count = collect(at_ns), most = 0;
    for (int to = 0, from = 0; to < count; to++) {
        while (at_ns[to] - at_ns[from] > WEIR__NS_PER_S)
            from++;
        most = to + 1 - from > most ? to + 1 - from : most;
    }
    int possible = BURST + RATE * RUN_MS / 1000;
    assert_true(most <= BURST + RATE);
    assert_true(count <= possible + PROCESSES); /* each may end with one behind the end */
    /* tests/integration/test_shared.py, which runs alone, measures what is lost. */
    assert_true(count >= possible / 2);
    munmap(grants, sizeof *grants);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_made_and_found),
        cmocka_unit_test(test_other_limits),
        cmocka_unit_test(test_what_is_no_such_file),
        cmocka_unit_test(test_a_link_is_not_followed),
        cmocka_unit_test(test_open_to_others),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_what_was_taken_is_remembered),
        cmocka_unit_test(test_of_an_earlier_boot),
        cmocka_unit_test(test_unfinished),
        cmocka_unit_test(test_not_under_the_virtual_clock),
        cmocka_unit_test(test_killed_processes),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
