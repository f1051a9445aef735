/*
 * What the server has counted since its start, as GET /stats shows it.
 */
#ifndef WEIR_MOCK_STATS_H
#define WEIR_MOCK_STATS_H

#include <stdint.h>

#include "mock/faults.h"
#include "mock/json.h"

enum {
    MOCK_STATUS_END = 600,
};

/* Requests for /stats itself are in none of these, so looking does not change what is seen. */
struct mock_stats {
    uint64_t requests;                 /* complete, or refused as broken */
    uint64_t status[MOCK_STATUS_END];  /* answers, by status; a stall, for one, has none */
    uint64_t throttled;                /* refused by the limit */
    uint64_t admitted;                 /* to a limited endpoint, and let through */
    uint64_t faults[MOCK_FAULT_KINDS]; /* drawn, by kind */
    uint64_t in_flight;                /* requests received whole and not yet done with */
    uint64_t max_in_flight;
    uint64_t accepted; /* connections */
    uint64_t open;     /* connections */
};

/* All the figures as one JSON object (see json.h about failure). */
cJSON *mock_stats_json(const struct mock_stats *stats);

#endif
