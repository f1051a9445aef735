/* A row on its way through the run's map: it is read, sent, and its answer written. */
#ifndef WEIR_CLI_JOB_H
#define WEIR_CLI_JOB_H

#include <weir/retry.h>

#include "answer.h"
#include "run.h"

struct job {
    struct run *run;
    struct job *next; /* in run->spare */
    struct line line;
    struct row row;
    weir_response *response; /* NULL: it was not sent, or nothing came of it */
    struct answer answer;
    bool for_origin; /* its row goes to the run's origin */
    bool placed;     /* it holds one of the run's places */
    bool shortage;   /* this machine had no file or thread left for the last attempt */
};

/* Source and worker of the run's map: arg is the run, an item a job. The result is the job's
 * answer, or none if its row gets no line in the output. */
int job_read(void *run, void **job);
int job_send(void *run, void *job, void **answer);

/* Every job that was read ends here, handed on by the map or dropped: its answer is written, if
 * there is one. Suspends while much waits to be written. */
void job_end(void *run, void *job, void *answer);

/* weir's own rule, but for one thing: while no server has answered anything, a server that cannot
 * be connected to, though this machine has all that takes, is not asked again and again. Runs in a
 * task of the map; arg is the run. */
int job_retry_if(const struct weir_attempt *attempt, void *run);

/* Frees the run's spare jobs, which are all of them once the map is gone. */
void jobs_free(struct run *run);

#endif
