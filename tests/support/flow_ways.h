/* Ways of finding a rate that others go, to compare weir with. */
#ifndef WEIR_TESTS_FLOW_WAYS_H
#define WEIR_TESTS_FLOW_WAYS_H

#include <weir/sync.h>

#include "flow_run.h"

struct flow_pacer {
    weir_semaphore *turn;
    enum flow_way way;
    int64_t next_ns, open_ns;
    double rate;     /* per second; 0: no bound */
    unsigned pauses; /* in a row */
    /* CUBIC, by the names that botocore gives them. */
    double max_rate, measured, window_s;
    int64_t last_throttle_ns, bucket_began_ns;
    uint64_t in_bucket;
};

void flow_pacer_init(struct flow_pacer *pacer, enum flow_way way);

void flow_pacer_end(struct flow_pacer *pacer);

/* Waits for a turn, and returns when it was. */
int64_t flow_pacer_wait(struct flow_pacer *pacer, struct flow_server *server);

/* How that went. wait_ms: what the server asks for; -1: nothing. */
void flow_pacer_heard(struct flow_pacer *pacer, bool refused, int64_t wait_ms, int64_t sent_ns,
                      int64_t now_ns);

#endif
