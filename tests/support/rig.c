#include "rig.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static atomic_int failures;
static _Thread_local char trace[4096];
static _Thread_local size_t trace_len;

/* ---- tests ---- */

void rig_assert_no_failure(void)
{
    assert_int_equal(atomic_exchange(&failures, 0), 0);
}

static int run(weir_task_fn fn, void *arg, enum weir_clock clock)
{
    rig_trace_clear();
    int rc = weir_run(fn, arg, WEIR_RUN_OPTS(.clock = clock));
    rig_assert_no_failure();
    return rc;
}

void rig_run_test(void **state)
{
    const struct rig_test *test = *state;
    assert_int_equal(run(test->fn, NULL, test->clock), 0);
}

int rig_run(weir_task_fn fn, void *arg)
{
    return run(fn, arg, WEIR_CLOCK_VIRTUAL);
}

/* ---- checks ---- */

bool rig_check(bool ok, const char *text, const char *file, int line)
{
    if (!ok) {
        print_error("%s:%d: not so: %s\n", file, line, text);
        atomic_fetch_add(&failures, 1);
    }
    return ok;
}

bool rig_check_int(int64_t got, int64_t want, const char *text, const char *file, int line)
{
    if (got != want) {
        print_error("%s:%d: %s is %lld, not %lld\n", file, line, text, (long long)got,
                    (long long)want);
        atomic_fetch_add(&failures, 1);
    }
    return got == want;
}

/* ---- the trace ---- */

void note(const char *format, ...)
{
    char word[128];
    va_list args;
    va_start(args, format);
    vsnprintf(word, sizeof word, format, args);
    va_end(args);
    int len = snprintf(trace + trace_len, sizeof trace - trace_len, "%s%s",
                       trace_len > 0 ? " " : "", word);
    if (check(len >= 0 && (size_t)len < sizeof trace - trace_len))
        trace_len += (size_t)len;
}

const char *rig_trace(void)
{
    return trace;
}

void rig_trace_clear(void)
{
    trace_len = 0;
    trace[0] = '\0';
}

bool rig_check_trace(const char *want, const char *file, int line)
{
    bool same = strcmp(trace, want) == 0;
    if (!same) {
        print_error("%s:%d: the trace is \"%s\", not \"%s\"\n", file, line, trace, want);
        atomic_fetch_add(&failures, 1);
    }
    rig_trace_clear();
    return same;
}

/* ---- jobs and groups ---- */

int job_run(void *arg)
{
    struct job *job = arg;
    job->runs++;
    job->slept_rc = weir_sleep_ms(job->ms);
    if (job->name != NULL)
        note("%s", job->name);
    return job->slept_rc < 0 ? job->slept_rc : job->rc;
}

void jobs_spawn(weir_group *group, struct job *jobs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check(weir_spawn(group, job_run, &jobs[i]) != NULL);
}

weir_group *rig_group(void)
{
    weir_group *group;
    check_int(weir_group_new(&group, NULL), 0);
    return group;
}

void settle(void)
{
    for (int i = 0; i < 8; i++)
        check_int(weir_yield(), 0);
}

/* ---- the process ---- */

/* The number that follows `skip` others at the start of a file. */
static int64_t number_in(const char *path, int skip)
{
    long long number = 0;
    char text[256];
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return 0;
    char *at = fgets(text, sizeof text, file);
    for (int i = 0; at != NULL && i <= skip; i++)
        number = strtoll(at, &at, 10);
    fclose(file);
    return number;
}

int64_t rig_read_number(const char *path)
{
    return number_in(path, 0);
}

int64_t rig_rss_bytes(void)
{
    return number_in("/proc/self/statm", 1) * sysconf(_SC_PAGESIZE);
}

/* Reads to the end of file, keeping what fits. */
static void read_all(int fd, char *text, size_t size)
{
    char rest[512];
    size_t len = 0;
    ssize_t got;
    while (len + 1 < size && (got = read(fd, text + len, size - 1 - len)) > 0)
        len += (size_t)got;
    text[len] = '\0';
    while (read(fd, rest, sizeof rest) > 0)
        continue;
}

/* cmocka catches these, and would go on with the next test in the child. */
static void default_signals(void)
{
    const int caught[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
    for (size_t i = 0; i < sizeof caught / sizeof caught[0]; i++)
        signal(caught[i], SIG_DFL);
}

int rig_in_child(void (*fn)(void *arg), void *arg, char *text, size_t size)
{
    int ends[2], status = -1;
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        default_signals();
        fn(arg);
        _exit(0);
    }
    close(ends[1]);
    read_all(ends[0], text, size);
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}
