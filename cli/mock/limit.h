/*
 * The server's own limit: a token bucket in whole nanoseconds. It shares no code with the client's
 * limiter on purpose: one mistake must not hide on both ends.
 *
 * The level is counted in 1/period_ns of a request: one nanosecond adds `count` of them, one
 * request takes `period_ns`. So no rate is ever rounded, whatever its period.
 */
#ifndef WEIR_MOCK_LIMIT_H
#define WEIR_MOCK_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#define MOCK_NS_PER_S           INT64_C(1000000000)
#define MOCK_RATE_MAX_PER_S     100000
#define MOCK_BURST_MAX          100000 /* times a day in nanoseconds still fits in 63 bits */
#define MOCK_LIMIT_PERIOD_MAX_S 86400

/* What the limit is told: `count` requests in `period_s` seconds, `burst` of them at once. */
struct mock_rate {
    int64_t count;
    int64_t period_s;
    int64_t burst;
};

struct mock_limit {
    struct mock_rate rate;
    int64_t period_ns;
    int64_t level;
    int64_t full;
    int64_t seen_ns; /* the time up to which the level has been filled */
};

/* What an answer tells about the limit. */
struct mock_quota {
    int64_t remaining; /* whole requests that would pass now */
    int64_t wait_ns;   /* until one request would pass; 0 when one would now */
    int64_t more_ns;   /* until `remaining` grows by one; 0 when the bucket is full */
    int64_t full_ns;   /* until the bucket is full */
};

/* A full bucket. The rate is within the maxima above. */
void mock_limit_init(struct mock_limit *limit, const struct mock_rate *rate, int64_t now_ns);

/* Takes one request out of the bucket if it holds one; *quota is the state after that. */
bool mock_limit_take(struct mock_limit *limit, int64_t now_ns, struct mock_quota *quota);

#endif
