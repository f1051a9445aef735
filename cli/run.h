/* One run of `weir run`, as its parts share it. */
#ifndef WEIR_CLI_RUN_H
#define WEIR_CLI_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/client.h>
#include <weir/limiters.h>
#include <weir/map.h>
#include <weir/sync.h>
#include <weir/task.h>

#include "input.h"
#include "options.h"
#include "output.h"
#include "progress.h"
#include "report.h"
#include "row.h"
#include "servers.h"

/* Why the run ends before the input does. */
enum stop {
    STOP_NOT = 0,
    STOP_SIGNAL,
    STOP_UNREACHABLE, /* the server could not be connected to before it ever answered */
    STOP_AWAY,        /* it has gone away for too long: run->away */
    STOP_REFUSED,     /* the server does not accept the key */
    STOP_BASELESS,    /* before any row could be sent, one's URL is relative to no base URL */
    STOP_FORM,        /* the input is no file of rows: run->form says what */
    STOP_INPUT,       /* reading failed */
    STOP_OUTPUT,      /* writing failed */
    STOP_INTERNAL,    /* run->error says what */
};

struct run {
    const struct options *options;
    struct input input;
    struct output output;
    struct report report;
    struct progress progress;
    struct row_rules rules;
    weir_limiters *limiters; /* one for each server */
    weir_client *client;
    weir_map *map;          /* of the rows, each a struct job; NULL before and after */
    weir_group *takers;     /* the task that takes from the map, then the one that writes the rest;
                               their cancel is the map's end */
    weir_semaphore *places; /* of rows that are on their first attempt, or hold its answer */
    struct job *spare;      /* without a row */
    weir_group *helpers;    /* signals, progress, the output's keeper */
    char *origin;           /* scheme, host and port that rows go to: the base URL's or the first
                               row's; NULL before */
    struct servers servers; /* that rows go to */
    struct server *away;    /* of STOP_AWAY */
    size_t room;            /* rows that are out of the input at a time, at most */
    uint64_t left;          /* rows for servers that were given up */
    bool answered;          /* that server, or another, has answered something */
    bool sending;           /* some row could be sent */
    char server_limit[16];  /* x-ratelimit-limit-requests of an answer, digits; "": not known */
    enum stop stop;
    int signal;              /* that stopped the run */
    const struct form *form; /* of STOP_FORM */
    int error;               /* WEIR_E code of STOP_INTERNAL and STOP_UNREACHABLE */
    char why[ANSWER_PLACE];  /* of STOP_UNREACHABLE and STOP_REFUSED, harmless on a terminal; where
                                the row of STOP_BASELESS stands */
    int64_t ended_ms;
    uint64_t attempts; /* made */
    uint64_t connections;
    uint64_t http2_attempts; /* of the attempts, those that were answered in HTTP/2 */
    uint64_t throttled;      /* answers that said "too fast" */
    bool flushing;           /* the last rows are being written */
    size_t dropped_sent;     /* rows without an outcome that the server may have got */
};

/* How a run is stopped. */
enum stop_how {
    STOP_DRAIN, /* what is in flight may finish, for GRACE_S at most */
    STOP_NOW,   /* what is in flight is cancelled */
};

/* Ends the run: no row is read and no request starts any more. The first reason counts. Does not
 * suspend. */
void run_stop(struct run *run, enum stop stop, enum stop_how how);

/* run_stop for what writing a row or running out of memory returned; 0 and WEIR_ECANCELED are fine.
 */
void run_fail(struct run *run, int rc);

/* Says how the run ended. Returns the exit status. */
int run_conclude(struct run *run);

/* From now on INT, TERM and HUP end the run: first by draining it, then by cancelling, and the
 * third time the process. 0 or a WEIR_E code. */
int signals_begin(void);
void signals_end(void);

/* Waits for signals and obeys them, until it is cancelled: for a task whose argument is the run. */
int signals_task(void *run);

#endif
