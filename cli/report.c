#include "report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "defaults.h"
#include "numbers.h"
#include "term.h"

static struct cause *find_cause(struct report *report, const char *code)
{
    for (size_t i = 0; i < report->cause_count; i++) {
        if (strcmp(report->causes[i].code, code) == 0)
            return &report->causes[i];
    }
    return NULL;
}

static void count_cause(struct report *report, const struct answer *answer, const struct line *line)
{
    struct cause *cause = find_cause(report, answer->code);
    if (cause != NULL) {
        cause->rows++;
        return;
    }
    if (report->cause_count == REPORT_CAUSES) {
        report->other_causes++;
        return;
    }
    cause = &report->causes[report->cause_count++];
    *cause = (struct cause){.rows = 1, .example_at = {.number = line->number, .row = line->row}};
    memcpy(cause->code, answer->code, sizeof cause->code);
    answer_message(answer, cause->example, sizeof cause->example);
}

/* Rows that were never answered say nothing about the key. */
static void watch_refusal(struct report *report, const struct answer *answer)
{
    if (report->varied || answer->status == 0)
        return;
    if (report->auth_status == 0)
        report->auth_status = answer->status;
    report->varied =
        (answer->status != 401 && answer->status != 403) || answer->status != report->auth_status;
}

void report_count(struct report *report, const struct answer *answer, const struct line *line)
{
    report->attempts += answer->attempts;
    report->retries += answer->attempts > 1 ? answer->attempts - 1 : 0;
    report->unsent += answer->attempts == 0;
    watch_refusal(report, answer);
    if (answer->ok) {
        report->succeeded++;
        return;
    }
    report->failed++;
    count_cause(report, answer, line);
}

bool report_is_refused(const struct report *report)
{
    if (report->varied || report->auth_status == 0)
        return false;
    const char *code = report->auth_status == 401 ? "http_401" : "http_403";
    for (size_t i = 0; i < report->cause_count; i++) {
        if (strcmp(report->causes[i].code, code) == 0)
            return report->causes[i].rows >= AUTH_ROWS;
    }
    return false;
}

uint64_t report_rows(const struct report *report)
{
    return report->succeeded + report->failed;
}

/* --- the summary -------------------------------------------------------------------------- */

static int by_rows(const void *a, const void *b)
{
    const struct cause *left = a;
    const struct cause *right = b;
    return left->rows < right->rows ? 1 : left->rows > right->rows ? -1 : 0;
}

static void print_cause(const struct cause *cause, const char *input)
{
    char rows[28];
    char place[ANSWER_PLACE];
    complain("  %10s  %-12s %s: %s", format_count(rows, cause->rows), cause->code,
             answer_place(place, input, &cause->example_at), cause->example);
}

static void print_causes(const struct report *report, const char *input)
{
    struct cause sorted[REPORT_CAUSES];
    char rows[28];
    memcpy(sorted, report->causes, sizeof sorted);
    qsort(sorted, report->cause_count, sizeof sorted[0], by_rows);
    for (size_t i = 0; i < report->cause_count; i++)
        print_cause(&sorted[i], input);
    if (report->other_causes > 0)
        complain("  %10s  for other causes", format_count(rows, report->other_causes));
}

void report_print(const struct report *report, const char *input, const char *output,
                  uint64_t attempts, uint64_t throttled, int64_t now_ms)
{
    char rows[28];
    char succeeded[28];
    char failed[28];
    char tries[28];
    char slow_downs[28];
    char took[48];
    int64_t elapsed_ms = now_ms - report->began_ms;
    double per_s = elapsed_ms > 0 ? (double)report_rows(report) * 1000.0 / (double)elapsed_ms : 0.0;
    complain("weir run: %s rows in %s (%.1f/s): %s succeeded, %s failed",
             format_count(rows, report_rows(report)), format_ms(took, elapsed_ms), per_s,
             format_count(succeeded, report->succeeded), format_count(failed, report->failed));
    print_causes(report, input);
    complain("weir run: %s attempts, %s answered \"too fast\"; output: %s",
             format_count(tries, attempts), format_count(slow_downs, throttled), output);
}
