/* Clients that have more to ask than a modelled server lets through: how much of the limit they
 * use, and how often they are refused. Weir itself, or other ways of finding a rate, to compare. */
#ifndef WEIR_TESTS_FLOW_RUN_H
#define WEIR_TESTS_FLOW_RUN_H

#include "flow_server.h"

enum flow_way {
    FLOW_WEIR_RIGHT = 0, /* weir with the right rate: strict, where the server counts that way */
    FLOW_WEIR_LEARNS,    /* with no rate */
    FLOW_WEIR_TWICE,     /* with twice the right rate */
    FLOW_GATE,           /* pauses as asked, else doubling from 250 ms; no rate */
    FLOW_AIMD,  /* half the rate after a refusal, else 1/s more with each second; doubles at
                   the start, and cuts once per congestion epoch */
    FLOW_CUBIC, /* the adaptive mode of botocore (retries/throttling.py, adaptive.py) */
    FLOW_WAYS,
};

struct flow_case {
    const char *name;
    struct flow_server server; /* a model of it: copied */
    double others;             /* part of the limit that they ask for */
    int clients, concurrency;  /* each: requests under way at most */
    double warm_up_s, seconds; /* measured are the seconds after the warm-up */
};

struct flow_result {
    double used;             /* of what the others left, as a fraction */
    double refused_per_1000; /* of those sent */
    uint64_t most_overtaken; /* with one client of weir's */
};

/* Runs it on the virtual clock. 0 or a WEIR_E code. */
int flow_run(const struct flow_case *flow, enum flow_way way, uint64_t seed,
             struct flow_result *result);

#endif
