/* What became of the rows: counts while the run goes, and the summary at its end. */
#ifndef WEIR_CLI_REPORT_H
#define WEIR_CLI_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "answer.h"
#include "input.h"

#define REPORT_CAUSES 12

/* Failures of one kind, with the first as an example. */
struct cause {
    char code[24];
    uint64_t rows;
    struct line example_at; /* without its text */
    char example[160];
};

struct report {
    int64_t began_ms;
    uint64_t succeeded;
    uint64_t failed;
    uint64_t unsent;   /* of those that failed: no attempt was made */
    uint64_t attempts; /* of the rows that are done */
    uint64_t retries;  /* those of them that were not a row's first */
    struct cause causes[REPORT_CAUSES];
    size_t cause_count;
    uint64_t other_causes; /* rows that failed in yet other ways */
    bool varied;           /* some row ended otherwise than the first */
    int auth_status;       /* 401 or 403: how all sent rows have ended so far */
};

void report_count(struct report *report, const struct answer *answer, const struct line *line);

/* Whether the server refused the first AUTH_ROWS rows all in the same way, for want of a key. */
bool report_is_refused(const struct report *report);

uint64_t report_rows(const struct report *report);

/* Prints the summary. attempts: all that were made, those of rows that are not done too; throttled:
 * answers that said "too fast". */
void report_print(const struct report *report, const char *input, const char *output,
                  uint64_t attempts, uint64_t throttled, int64_t now_ms);

#endif
