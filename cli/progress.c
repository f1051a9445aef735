#include "progress.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <weir/task.h>

#include "defaults.h"
#include "status.h"
#include "term.h"

#define REDRAW_MS      500
#define SMOOTHING_S    10.0 /* a change of speed shows by two thirds after this time */
#define MS_IN_A_SECOND 1000.0

/* Rows that go to a terminal would be torn by a line that is redrawn between them. */
static bool can_redraw(bool rows_to_stdout)
{
    const char *term = getenv("TERM");
    return isatty(STDERR_FILENO) && (term == NULL || strcmp(term, "dumb") != 0) &&
           !(rows_to_stdout && isatty(STDOUT_FILENO));
}

void progress_init(struct progress *progress, enum progress_mode mode, int64_t every_ms,
                   bool rows_to_stdout)
{
    static const int64_t intervals_ms[] = {[PROGRESS_AUTO] = INT64_C(1000) * PROGRESS_UNWATCHED_S,
                                           [PROGRESS_PLAIN] = INT64_C(1000) * PROGRESS_PLAIN_S,
                                           [PROGRESS_NONE] = 0};
    progress->redraws = mode == PROGRESS_AUTO && can_redraw(rows_to_stdout);
    progress->interval_ms = every_ms > 0        ? every_ms
                            : progress->redraws ? REDRAW_MS
                                                : intervals_ms[mode];
}

static void measure(struct progress *progress, uint64_t rows)
{
    int64_t now_ms = weir_now_ms();
    double passed_s = (double)(now_ms - progress->last_ms) / MS_IN_A_SECOND;
    if (passed_s <= 0)
        return;
    double per_s = (double)(rows - progress->last_rows) / passed_s;
    double weight = progress->last_rows == 0 ? 1.0 : passed_s / (passed_s + SMOOTHING_S);
    progress->per_s += weight * (per_s - progress->per_s);
    progress->last_ms = now_ms;
    progress->last_rows = rows;
}

/* Rows that were read and wait for another attempt: nothing of theirs is under way. */
static bool is_backing_off(const struct progress *progress, const struct status *status)
{
    return status->in_flight == 0 && status->limit.waiting == 0 &&
           progress->input->rows > report_rows(progress->report) && !progress->input->reading;
}

static void look(const struct progress *progress, struct status *status)
{
    const struct report *report = progress->report;
    const struct input *input = progress->input;
    const char *server;
    *status = (struct status){.rows = report_rows(report),
                              .total = input_total(input),
                              .estimated = !input->ended,
                              .failed = report->failed,
                              .retries = report->retries,
                              .per_s = progress->per_s,
                              .limit = {.size = sizeof status->limit}};
    weir_limiters_stats(progress->limiters, &status->limit, &server);
    status->in_flight = status->limit.holding;
    status->throttled = status->limit.throttled;
    status->server = weir_limiters_count(progress->limiters) > 1 ? server : NULL;
    status->input_is_slow = input->reading && weir_semaphore_permits(progress->places) > 0;
    const struct server *away = servers_away(progress->servers, &status->away_count);
    if (away != NULL) {
        status->away = away->name;
        status->one_is_there = servers_one_is_there(progress->servers);
        status->away_ms = weir_now_ms() - away->outage.since_ms;
    }
}

/* With several servers nothing is known of the sum. */
static double most_per_s(const struct progress *progress, const struct status *status)
{
    const struct weir_limiter_stats *limit = &status->limit;
    if (weir_limiters_count(progress->limiters) > 1)
        return 0;
    if (limit->learned_per_s > 0 &&
        (limit->requests_per_s == 0 || limit->learned_per_s < limit->requests_per_s))
        return limit->learned_per_s;
    return limit->requests_per_s;
}

static void draw(struct progress *progress)
{
    struct status status;
    char line[STATUS_ROOM];
    size_t columns = term_columns();
    measure(progress, report_rows(progress->report));
    look(progress, &status);
    struct eta_rows rows = {.total = status.total,
                            .done = status.rows,
                            .sent = status.rows - progress->report->unsent,
                            .most_per_s = most_per_s(progress, &status),
                            .held_ms = status_held_ms(&status, is_backing_off(progress, &status))};
    status.left_ms = eta_left_ms(&progress->eta, &rows, weir_now_ms());
    if (!progress->redraws)
        complain("weir run: %s", status_line(line, &status, 0));
    else /* The last column stays free: some terminals wrap when it is filled. */
        term_status(status_line(line, &status, columns > 1 ? columns - 1 : 1));
}

int progress_show(struct progress *progress)
{
    progress->last_ms = weir_now_ms();
    eta_begin(&progress->eta, progress->last_ms);
    for (;;) {
        int rc = weir_sleep_ms(progress->interval_ms);
        if (rc < 0)
            return rc;
        draw(progress);
    }
}
