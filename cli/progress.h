/* How far the run is, shown on stderr while it goes. */
#ifndef WEIR_CLI_PROGRESS_H
#define WEIR_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include <weir/limiters.h>
#include <weir/sync.h>

#include "eta.h"
#include "input.h"
#include "options.h"
#include "report.h"
#include "servers.h"

struct progress {
    const struct input *input;
    const struct report *report;
    const weir_limiters *limiters;
    const weir_semaphore *places; /* of rows: those that are free lack input */
    const struct servers *servers;
    bool redraws;        /* one line on a terminal, again and again */
    int64_t interval_ms; /* 0: nothing is shown */
    int64_t last_ms;
    uint64_t last_rows;
    double per_s; /* smoothed */
    struct eta eta;
};

/* every_ms: from line to line; 0: the mode's own. */
void progress_init(struct progress *progress, enum progress_mode mode, int64_t every_ms,
                   bool rows_to_stdout);

/* Shows it again and again until it is cancelled: for a task of its own. Returns
 * WEIR_ECANCELED. */
int progress_show(struct progress *progress);

#endif
