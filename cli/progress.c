#include "progress.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <weir/task.h>

#include "defaults.h"
#include "numbers.h"
#include "term.h"

#define LINE_ROOM      256
#define REDRAW_MS      500
#define GENTLE_STEP_MS 1000
#define SMOOTHING_S    10.0 /* a change of speed shows by two thirds after this time */
#define MS_IN_A_SECOND 1000.0

struct text {
    char line[LINE_ROOM];
    size_t len;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *text, const char *format, ...)
{
    va_list args;
    size_t room = sizeof text->line - text->len;
    va_start(args, format);
    int len = vsnprintf(text->line + text->len, room, format, args);
    va_end(args);
    if (len > 0)
        text->len += (size_t)len < room ? (size_t)len : room - 1;
}

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

static void add_rows(struct text *text, const struct progress *progress, uint64_t rows)
{
    char done[28];
    char all[28];
    uint64_t total = input_total(progress->input);
    add(text, "%s", format_count(done, rows));
    if (total > 0) {
        unsigned percent = (unsigned)((double)rows * 100.0 / (double)total);
        add(text, " of %s%s rows (%u %%)", progress->input->ended ? "" : "about ",
            format_count(all, total), percent);
    } else {
        add(text, " rows");
    }
    if (progress->report->failed > 0)
        add(text, ", %s failed", format_count(done, progress->report->failed));
    add(text, ", %.1f/s", progress->per_s);
    if (total > rows && progress->per_s > 0.01) {
        char left[48];
        double left_ms = (double)(total - rows) / progress->per_s * MS_IN_A_SECOND;
        add(text, ", %s left", format_ms(left, (int64_t)(left_ms < 1e15 ? left_ms : 1e15)));
    }
}

/* Behind a pause a few are let through, and more at least every second. In a pause that has longer
 * to go, or that nobody is in flight in, the server's wish holds all back. */
static bool is_gentle_start(const struct weir_limiter_stats *stats)
{
    return stats->holding > 0 && stats->blocked_ms <= GENTLE_STEP_MS;
}

/* At its rate, or until its quota comes back. */
static void add_learned(struct text *text, const struct weir_limiter_stats *stats)
{
    char pause[48];
    add(text, "; limited by the server's limit");
    if (stats->learned_per_s > 0)
        add(text, ", %.3g/s", stats->learned_per_s);
    if (stats->told_remaining == 0)
        add(text, ", none of %" PRId64 " left", stats->told_limit);
    if (stats->blocked_ms > GENTLE_STEP_MS)
        add(text, ", next in %s", format_ms(pause, stats->blocked_ms));
}

static void add_limit(struct text *text, const struct progress *progress,
                      const struct weir_limiter_stats *stats)
{
    char pause[48];
    switch (stats->blocked) {
    case WEIR_BLOCKED_GATE:
        if (is_gentle_start(stats)) {
            add(text, "; starting again gently after a pause");
            break;
        }
        add(text, "; limited by the server's pause, %s", format_ms(pause, stats->blocked_ms));
        break;
    case WEIR_BLOCKED_RATE:
        add(text, "; limited by the rate");
        break;
    case WEIR_BLOCKED_TOKENS:
        add(text, "; limited by the rate of tokens");
        break;
    case WEIR_BLOCKED_LEARNED:
        add_learned(text, stats);
        break;
    case WEIR_BLOCKED_CONCURRENCY:
        add(text, "; limited by the concurrency");
        break;
    case WEIR_BLOCKED_NOT:
        if (progress->input->reading && weir_semaphore_permits(progress->places) > 0)
            add(text, "; limited by the input");
    }
}

/* With several servers, which one the limit is of: that for which most rows wait. */
static void add_server(struct text *text, const struct progress *progress,
                       const struct weir_limiter_stats *stats, const char *server)
{
    if (stats->blocked != WEIR_BLOCKED_NOT && weir_limiters_count(progress->limiters) > 1)
        add(text, " (%s)", server);
}

static void compose(struct text *text, struct progress *progress)
{
    struct weir_limiter_stats stats = {.size = sizeof stats};
    char number[28];
    uint64_t rows = report_rows(progress->report);
    const char *server;
    weir_limiters_stats(progress->limiters, &stats, &server);
    measure(progress, rows);
    text->len = 0;
    add_rows(text, progress, rows);
    add(text, "; %zu in flight", stats.holding);
    if (progress->report->retries > 0)
        add(text, ", %s retries", format_count(number, progress->report->retries));
    if (stats.throttled > 0)
        add(text, ", %s too fast", format_count(number, stats.throttled));
    add_limit(text, progress, &stats);
    add_server(text, progress, &stats, server);
}

static void draw(struct progress *progress)
{
    struct text text;
    size_t columns = term_columns();
    compose(&text, progress);
    if (!progress->redraws) {
        complain("weir run: %s", text.line);
        return;
    }
    /* The last column stays free: some terminals wrap when it is filled. */
    if (text.len + 1 > columns)
        text.line[columns - 1] = '\0';
    term_status(text.line);
}

int progress_show(struct progress *progress)
{
    progress->last_ms = weir_now_ms();
    for (;;) {
        int rc = weir_sleep_ms(progress->interval_ms);
        if (rc < 0)
            return rc;
        draw(progress);
    }
}
