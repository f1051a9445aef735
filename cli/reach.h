/* Rows and servers that go away: a row that could not be sent waits here until its server is back,
 * and holds no place meanwhile. */
#ifndef WEIR_CLI_REACH_H
#define WEIR_CLI_REACH_H

#include "job.h"

enum reach {
    REACH_SEND = 0,
    REACH_FAILED, /* the server was never there: the row has an answer, which says so */
    REACH_LEFT,   /* it is left to a further run */
};

/* Before a row is sent: waits while its server is away. An enum reach, or WEIR_ECANCELED.
 * Suspends. */
int reach_await(struct job *job);

/* Hears of each attempt of the row. True: the server is away, and the row has cost it nothing. */
bool reach_hear(struct job *job, const struct weir_attempt *attempt);

/* Behind the sending, however it went. True: the row waits for its server, by reach_await. */
bool reach_goes_on(struct job *job);

#endif
