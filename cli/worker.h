/* A worker: takes a row, sends it, writes what came, and takes the next. */
#ifndef WEIR_CLI_WORKER_H
#define WEIR_CLI_WORKER_H

#include <weir/retry.h>

#include "answer.h"
#include "run.h"

struct worker {
    struct run *run;
    struct line line;
    struct row row;
    struct answer answer;
    bool for_origin; /* its row goes to the run's origin */
    bool placed;     /* it holds one of the run's places */
    bool shortage;   /* this machine had no file or thread left for the last attempt */
};

/* For a task whose argument is the worker. Ends with the input or the run. */
int worker_task(void *worker);

/* weir's own rule, but for one thing: while no server has answered anything, a server that cannot
 * be connected to, though this machine has all that takes, is not asked again and again. Runs in a
 * worker's task; arg is the run. */
int worker_retry_if(const struct weir_attempt *attempt, void *run);

void worker_release(struct worker *worker);

#endif
