/* How a run ends before its time. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include <weir/io.h>

#include "defaults.h"
#include "exit_status.h"
#include "run.h"
#include "term.h"

#define POLL_MS 20

static const int stopping_signals[] = {SIGINT, SIGTERM, SIGHUP};
#define SIGNALS (sizeof stopping_signals / sizeof stopping_signals[0])

/* --- stopping ----------------------------------------------------------------------------- */

static size_t in_flight(const struct run *run)
{
    struct weir_limiter_stats stats = {.size = sizeof stats};
    weir_limiters_stats(run->limiters, &stats, NULL);
    return stats.holding;
}

/* Rows that wait for their turn or another attempt hold nobody up: once nothing is in flight they
 * are cancelled. */
static int drain(void *arg)
{
    struct run *run = arg;
    int64_t end_ms = weir_now_ms() + GRACE_MS;
    while ((in_flight(run) > 0 || run->flushing) && weir_now_ms() < end_ms) {
        int rc = weir_sleep_ms(POLL_MS);
        if (rc < 0)
            return rc;
    }
    weir_group_cancel(run->takers);
    return 0;
}

void run_stop(struct run *run, enum stop stop, enum stop_how how)
{
    bool first = run->stop == STOP_NOT;
    if (first)
        run->stop = stop;
    if (run->map != NULL)
        weir_map_stop(run->map);
    servers_note_limits(&run->servers, run->limiters);
    weir_limiters_close(run->limiters);
    if (how == STOP_NOW || (first && weir_spawn(run->helpers, drain, run) == NULL))
        weir_group_cancel(run->takers);
}

void run_fail(struct run *run, int rc)
{
    if (rc == WEIR_EIO) {
        run_stop(run, STOP_OUTPUT, STOP_NOW);
    } else if (rc < 0 && rc != WEIR_ECANCELED && rc != WEIR_ETIMEDOUT) {
        run->error = rc;
        run_stop(run, STOP_INTERNAL, STOP_NOW);
    }
}

/* --- signals ------------------------------------------------------------------------------ */

static int pipe_ends[2] = {-1, -1};
static atomic_int signals_seen;
static struct sigaction before[SIGNALS];

/* The third time even a program that hangs leaves. */
static void on_signal(int number)
{
    int saved = errno;
    char byte = (char)number;
    if (atomic_fetch_add(&signals_seen, 1) >= 2)
        _exit(EXIT_SIGNAL + number);
    if (write(pipe_ends[1], &byte, 1) < 0)
        _exit(EXIT_SIGNAL + number);
    errno = saved;
}

/* Who started us may want a signal ignored (nohup, a shell's background job): it stays so. */
int signals_begin(void)
{
    if (pipe2(pipe_ends, O_CLOEXEC | O_NONBLOCK) != 0)
        return WEIR_EIO;
    for (size_t i = 0; i < SIGNALS; i++) {
        struct sigaction ours = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
        sigaction(stopping_signals[i], NULL, &before[i]);
        if (before[i].sa_handler != SIG_IGN)
            sigaction(stopping_signals[i], &ours, NULL);
    }
    return 0;
}

void signals_end(void)
{
    for (size_t i = 0; i < SIGNALS; i++)
        sigaction(stopping_signals[i], &before[i], NULL);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
}

static void obey(struct run *run, int number)
{
    if (run->signal != 0 || run->stop != STOP_NOT) {
        complain("weir run: cancelling what is in flight");
        run_stop(run, STOP_SIGNAL, STOP_NOW);
        return;
    }
    run->signal = number;
    complain("weir run: stopping: no further request starts; %zu in flight may take %d s to end "
             "(once more cancels them)",
             in_flight(run), GRACE_S);
    run_stop(run, STOP_SIGNAL, STOP_DRAIN);
}

int signals_task(void *arg)
{
    struct run *run = arg;
    for (;;) {
        char number;
        int rc = weir_wait_fd(pipe_ends[0], WEIR_IO_READ);
        if (rc < 0)
            return rc;
        while (read(pipe_ends[0], &number, 1) == 1)
            obey(run, number);
    }
}
