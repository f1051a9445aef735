/* A request under way, as the files of its way share it: pipeline.c (all of it), attempt.c (one
 * attempt), beginning.c (the beginning of a stream), race.c (two at once), record.c (what the
 * response keeps of them). */
#ifndef WEIR_CLIENT_CALL_H
#define WEIR_CLIENT_CALL_H

#include "client/client.h"
#include "client/source.h"
#include "http/response.h"

struct weir__call {
    weir_client *client;
    weir_limiter *limiter; /* in use; NULL: the request is wrong */
    struct weir__prepared prepared;
    struct weir__stay stay;
    struct weir__pass pass;            /* of the circuit breaker */
    uint64_t amount;                   /* requests to take from the limiter per attempt */
    struct weir_attempt at;            /* the present attempt, and what came before it */
    struct weir_attempt_record record; /* of it */
    int64_t slept_ns;                  /* before it */
    int64_t queued_ns;                 /* when it began to wait for its turn */
    bool begun;                        /* it was; what it took for it, it gives back */
    struct weir__source source;        /* of a body that is read while it is sent */
    struct weir__opened *opened;       /* of a stream; NULL: the answer is wanted whole */
    weir_response *response;
};

/* One attempt of an admitted call: 0 when an answer came. Its place is given back when it ends,
 * that of a stream when the stream does. */
int weir__attempt(struct weir__call *call);

/* A stream's answer is there: waits until the stream has begun. 0; with a code, or if what begins
 * is no stream, the download is closed. Suspends. */
int weir__begin(struct weir__call *call);

/* A stream has its answer, and the content is still to come. */
bool weir__call_is_open(const struct weir__call *call);

/* Whether the attempt may be two sendings that race, and that attempt: as weir__attempt. */
bool weir__call_may_race(const struct weir__call *call);
int weir__call_race(struct weir__call *call);

/* The record of the present attempt: what it waited for, and how it ended. */
void weir__record_begin(struct weir__call *call);
void weir__record_result(struct weir__call *call);

/* Keeps it, with the reason of what comes next. */
void weir__record_why(struct weir__call *call, enum weir_why why, int64_t wait_ns);

#endif
