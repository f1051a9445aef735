/* A row on its way through the run's map: it is read, sent, and its answer written. */
#ifndef WEIR_CLI_JOB_H
#define WEIR_CLI_JOB_H

#include <weir/retry.h>

#include "answer.h"
#include "run.h"

#define IDEMPOTENCY_KEY_ROOM 256

struct job {
    struct run *run;
    struct job *next; /* in run->spare */
    struct line line;
    struct row row;
    weir_response *response; /* NULL: it was not sent, or nothing came of it */
    struct answer answer;
    struct server *server; /* its row goes to; NULL: nothing is known of it */
    int64_t began_ms;      /* the last attempt */
    unsigned tried;        /* attempts before the present sending */
    unsigned spent;        /* attempts that count: what the server had no chance of does not */
    char key[IDEMPOTENCY_KEY_ROOM]; /* of the sendings before; "": none */
    bool sent;                      /* the server may have got it */
    bool waits;                     /* for its server, which is away */
    bool probes;                    /* it finds out whether that is back */
    bool for_origin;                /* its row goes to the run's origin */
    bool placed;                    /* it holds one of the run's places */
    bool shortage; /* this machine had no file or thread left for the last attempt */
};

/* Source and worker of the run's map: arg is the run, an item a job. The result is the job's
 * answer, or none if its row gets no line in the output. */
int job_read(void *run, void **job);
int job_send(void *run, void *job, void **answer);

/* Every job that was read ends here, handed on by the map or dropped: its answer is written, if
 * there is one. Suspends while much waits to be written. */
void job_end(void *run, void *job, void *answer);

/* weir's own rule, but for two things: while no server has answered anything, a server that cannot
 * be connected to, though this machine has all that takes, is not asked again and again; and a row
 * whose server has gone away waits for it (reach.h), which costs no attempt. Runs in a
 * task of the map; arg is the run. */
int job_retry_if(const struct weir_attempt *attempt, void *run);

/* The hook `before` of each attempt. */
void job_before(const struct weir_attempt *attempt, void *run);

/* Gives its place to another row. */
void job_leave_place(struct job *job);

/* Frees the run's spare jobs, which are all of them once the map is gone. */
void jobs_free(struct run *run);

#endif
