/*
 * What the server does with a request, apart from moving bytes: it finds the endpoint, asks the
 * limit, draws fault and latency, and makes the answer. Time comes in as an argument.
 */
#ifndef WEIR_MOCK_SERVICE_H
#define WEIR_MOCK_SERVICE_H

#include "mock/limit.h"
#include "mock/options.h"
#include "mock/reply.h"
#include "mock/request.h"
#include "mock/stats.h"

struct mock_service {
    const struct mock_opts *opts; /* borrowed */
    struct mock_limit limit;
    struct mock_stats stats;
    uint64_t asked_for_stats;
};

/* Sets a zeroed service up. */
void mock_service_init(struct mock_service *service, const struct mock_opts *opts, int64_t now_ns);

/* Answers a request that is complete or refused: fills the whole reply. `out` is memory for a body;
 * the reply points into it and into the request. Counts everything but connections and what is in
 * flight. */
void mock_service_answer(struct mock_service *service, const struct mock_request *req,
                         int64_t now_ns, struct mock_buf *out, struct mock_reply *reply);

#endif
