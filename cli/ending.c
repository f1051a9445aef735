/* What is said when the run is over, and the exit status that goes with it. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>

#include "defaults.h"
#include "exit_status.h"
#include "numbers.h"
#include "run.h"
#include "term.h"

static const char *signal_name(int number)
{
    return number == SIGINT ? "SIGINT" : number == SIGTERM ? "SIGTERM" : "SIGHUP";
}

/* Rows may be done and yet not have been taken by the reader of a pipe. */
static void say_interrupted(const struct run *run)
{
    char rows[28];
    char more[28];
    char sent[28];
    uint64_t unwritten = report_rows(&run->report) - run->output.rows;
    complain(
        "weir run: stopped by %s: %s holds %s rows; %s more were under way, %s of them may have "
        "reached the server",
        signal_name(run->signal), run->output.name, format_count(rows, run->output.rows),
        format_count(more, run->input.rows - run->output.rows),
        format_count(sent, run->dropped_sent + unwritten));
}

/* The origin without user and password, which may stand before an @. */
static const char *server_name(const struct run *run)
{
    const char *host = run->origin != NULL ? strrchr(run->origin, '@') : NULL;
    return host != NULL ? host + 1 : run->origin != NULL ? run->origin : "the server";
}

static void say_unreachable(const struct run *run)
{
    bool nothing_sent = run->report.attempts == 0 && run->dropped_sent == 0;
    complain("weir run: cannot connect to %s: %s; is the server running? Check %s.%s",
             server_name(run), run->why,
             run->options->base_url != NULL ? "--base-url" : "the rows' URLs",
             nothing_sent ? " Nothing was sent." : "");
}

static void say_refused(const struct run *run)
{
    complain("weir run: the server refused the first " STR(
                 AUTH_ROWS) " rows with %d (%s): stopped; "
                            "check --api-key-env or --header",
             run->report.auth_status, run->why);
}

static int say_output_failed(const struct run *run)
{
    char rows[28];
    char buf[64];
    if (run->output.error == EPIPE)
        complain("weir run: the reader of %s has gone: stopped", run->output.name);
    else
        complain("weir run: writing %s failed: %s; stopped with %s whole rows in it",
                 run->output.name, error_text(run->output.error, buf, sizeof buf),
                 format_count(rows, run->output.rows));
    return EXIT_IO;
}

static int say_stopped(const struct run *run)
{
    switch (run->stop) {
    case STOP_SIGNAL:
        say_interrupted(run);
        return EXIT_SIGNAL + run->signal;
    case STOP_UNREACHABLE:
        say_unreachable(run);
        return EXIT_UNREACHABLE;
    case STOP_REFUSED:
        say_refused(run);
        return EXIT_AUTH;
    case STOP_INPUT:
        complain("weir run: reading %s failed after %" PRIu64 " rows: stopped", run->input.name,
                 run->input.rows);
        return EXIT_IO;
    case STOP_INTERNAL:
        complain("weir run: %s (%s): stopped", weir_strerror(run->error),
                 weir_err_name(run->error));
        return EXIT_INTERNAL;
    case STOP_NOT:
    case STOP_OUTPUT:
        break;
    }
    return run->report.failed > 0 ? EXIT_ROWS_FAILED : EXIT_DONE;
}

int run_conclude(struct run *run)
{
    int status = say_stopped(run);
    if (run->output.error != 0)
        status = say_output_failed(run);
    if (run->options->progress != PROGRESS_NONE && status != EXIT_UNREACHABLE)
        report_print(&run->report, run->input.name, run->output.name, run->throttled,
                     run->ended_ms);
    return status;
}
