/* What the tests of tasks share: a test that runs as the first task of a runtime, checks that do
 * not jump out of a task's stack, a trace of what happened in which order, and a task to order
 * about. */
#ifndef WEIR_TESTS_RIG_H
#define WEIR_TESTS_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <weir/task.h>

#include "task/fiber.h"

#if defined(WEIR__ASAN) || defined(WEIR__TSAN)
#define RIG_SANITIZED 1 /* stacks cost far more, and there may be only 8,128 of them */
#else
#define RIG_SANITIZED 0
#endif

/* One test of a file's table: fn runs as the first task, and must return 0 with no check failed. */
struct rig_test {
    weir_task_fn fn;
    enum weir_clock clock;
};
#define RIG_TEST_ON(clock_, fn_)                                                                   \
    {                                                                                              \
        .name = #fn_, .test_func = rig_run_test, .initial_state = &(struct rig_test)               \
        {                                                                                          \
            .fn = (fn_), .clock = (clock_)                                                         \
        }                                                                                          \
    }
#define VIRTUAL_TEST(fn) RIG_TEST_ON(WEIR_CLOCK_VIRTUAL, fn)
#define REAL_TEST(fn)    RIG_TEST_ON(WEIR_CLOCK_REAL, fn)

void rig_run_test(void **state);

/* Runs fn(arg) on the virtual clock and returns what weir_run returned; a failed check fails the
 * cmocka test that calls this. The trace is emptied first. */
int rig_run(weir_task_fn fn, void *arg);

/* cmocka's assertions leave by longjmp, which must not cross from a task's stack to the thread's.
 * Inside tasks these are used: they print and count, and the test fails at its end. */
#define check(cond)          rig_check((cond), #cond, __FILE__, __LINE__)
#define check_int(got, want) rig_check_int((got), (want), #got, __FILE__, __LINE__)
#define check_trace(want)    rig_check_trace((want), __FILE__, __LINE__)

bool rig_check(bool ok, const char *text, const char *file, int line);
bool rig_check_int(int64_t got, int64_t want, const char *text, const char *file, int line);
void rig_assert_no_failure(void); /* outside of tasks */

/* Adds a word to the trace of this thread; check_trace compares all words, joined by blanks, and
 * empties it. */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
bool rig_check_trace(const char *want, const char *file, int line);
const char *rig_trace(void);
void rig_trace_clear(void);

/* A task to order about: sleeps, notes its name (if it has one), returns. */
struct job {
    const char *name;
    int64_t ms;
    int rc;       /* to return when the sleep was not cut short */
    int runs;     /* times it was started */
    int slept_rc; /* what weir_sleep_ms returned */
};
#define JOB(name_, ms_, rc_)                                                                       \
    {                                                                                              \
        .name = (name_), .ms = (ms_), .rc = (rc_)                                                  \
    }
int job_run(void *arg);

/* Spawns one task per job. */
void jobs_spawn(weir_group *group, struct job *jobs, size_t count);
#define JOBS_SPAWN(group, jobs) jobs_spawn((group), (jobs), sizeof(jobs) / sizeof((jobs)[0]))

/* A new group, checked. */
weir_group *rig_group(void);

/* Until whatever was set going has run its course, without any time passing. */
void settle(void);

/* Resident memory of the process; a number in a file under /proc (0: not there). */
int64_t rig_rss_bytes(void);
int64_t rig_read_number(const char *path);

/* Runs fn(arg) in a child process; its stderr goes to text. Returns its wait status. */
int rig_in_child(void (*fn)(void *arg), void *arg, char *text, size_t size);

#endif
