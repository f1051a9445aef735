/* The cases of the table: limits from 20 a minute to 10,000 a second, of three kinds, that say more
 * or less of themselves; fast and slow servers, other tenants, several clients. */
#ifndef WEIR_TESTS_FLOW_CASES_H
#define WEIR_TESTS_FLOW_CASES_H

#include "flow_run.h"

#define FLOW_FAST .trip_ms = 10, .trip_jitter_ms = 2, .work_ms = 8, .work_jitter_ms = 4
#define FLOW_1S   .trip_ms = 40, .trip_jitter_ms = 10, .work_ms = 900, .work_jitter_ms = 200
#define FLOW_8S   .trip_ms = 40, .trip_jitter_ms = 10, .work_ms = 6000, .work_jitter_ms = 2000

#define FLOW_CASE(name_, warm_up, secs, many, ...)                                                 \
    {                                                                                              \
        .name = (name_), .clients = 1, .concurrency = (many), .warm_up_s = (warm_up),              \
        .seconds = (secs), .server = {                                                             \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
#define FLOW_SHARED(name_, warm_up, secs, many, clients_, others_, ...)                            \
    {                                                                                              \
        .name = (name_), .clients = (clients_), .others = (others_), .concurrency = (many),        \
        .warm_up_s = (warm_up), .seconds = (secs), .server = {                                     \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
#define BUCKET(limit_, period, burst_)                                                             \
    .kind = FLOW_BUCKET, .limit = (limit_), .period_s = (period), .burst = (burst_)
#define WINDOW(limit_, period) .kind = FLOW_WINDOW, .limit = (limit_), .period_s = (period)
#define LOG(limit_, period)    .kind = FLOW_LOG, .limit = (limit_), .period_s = (period)

static const struct flow_case flow_cases[] = {
    /* Nothing is told. */
    FLOW_CASE("bucket 20/min, burst 20, 1 s", 300, 7200, 64, BUCKET(20, 60, 20), FLOW_1S),
    FLOW_CASE("bucket 10/s, burst 10, 1 s", 30, 600, 64, BUCKET(10, 1, 10), FLOW_1S),
    FLOW_CASE("bucket 100/s, burst 100, 8 s", 60, 300, 2000, BUCKET(100, 1, 100), FLOW_8S),
    FLOW_CASE("bucket 1000/s, burst 50, 20 ms", 10, 60, 64, BUCKET(1000, 1, 50), FLOW_FAST),
    FLOW_CASE("bucket 10000/s, burst 1000, 20 ms", 10, 30, 1000, BUCKET(10000, 1, 1000), FLOW_FAST),
    FLOW_CASE("window 20/min, 1 s", 300, 7200, 64, WINDOW(20, 60), FLOW_1S),
    FLOW_CASE("window 600/min, 1 s", 120, 3600, 64, WINDOW(600, 60), FLOW_1S),
    FLOW_CASE("window 1000/s, 20 ms", 30, 60, 64, WINDOW(1000, 1), FLOW_FAST),
    FLOW_CASE("log 20/min, 1 s", 600, 7200, 64, LOG(20, 60), FLOW_1S),
    FLOW_CASE("log 600/min, 1 s", 120, 3600, 64, LOG(600, 60), FLOW_1S),
    FLOW_CASE("log 1000/s, 20 ms", 30, 60, 64, LOG(1000, 1), FLOW_FAST),
    FLOW_CASE("window 10/s, 1 s", 60, 600, 64, WINDOW(10, 1), FLOW_1S),
    FLOW_CASE("bucket 10/s, burst 1, 1 s", 60, 600, 64, BUCKET(10, 1, 1), FLOW_1S),
    /* Only Retry-After, in whole seconds. */
    FLOW_CASE("bucket 10/s, burst 10, 1 s, Retry-After", 30, 600, 64, BUCKET(10, 1, 10), FLOW_1S,
              .says = FLOW_SAYS_WAIT),
    FLOW_CASE("window 600/min, 1 s, Retry-After", 240, 3600, 64, WINDOW(600, 60), FLOW_1S,
              .says = FLOW_SAYS_WAIT),
    FLOW_CASE("bucket 1000/s, burst 50, 20 ms, Retry-After", 30, 300, 64, BUCKET(1000, 1, 50),
              FLOW_FAST, .says = FLOW_SAYS_WAIT),
    /* Headers. */
    FLOW_CASE("bucket 20/min, burst 20, 1 s, OpenAI", 300, 7200, 64, BUCKET(20, 60, 20), FLOW_1S,
              .says = FLOW_SAYS_LIKE_OPENAI),
    FLOW_CASE("bucket 10/s, burst 60, 1 s, OpenAI", 30, 600, 64, BUCKET(10, 1, 60), FLOW_1S,
              .says = FLOW_SAYS_LIKE_OPENAI),
    FLOW_CASE("bucket 10/s, burst 10, 8 s, OpenAI", 60, 600, 128, BUCKET(10, 1, 10), FLOW_8S,
              .says = FLOW_SAYS_LIKE_OPENAI),
    FLOW_CASE("bucket 1000/s, burst 1000, 20 ms, OpenAI", 5, 60, 64, BUCKET(1000, 1, 1000),
              FLOW_FAST, .says = FLOW_SAYS_LIKE_OPENAI),
    FLOW_CASE("bucket 10000/s, burst 10000, 20 ms, OpenAI", 5, 30, 1000, BUCKET(10000, 1, 10000),
              FLOW_FAST, .says = FLOW_SAYS_LIKE_OPENAI),
    FLOW_CASE("window 600/min, 1 s, OpenAI", 120, 3600, 64, WINDOW(600, 60), FLOW_1S,
              .says = FLOW_SAYS_LIKE_OPENAI),
    FLOW_CASE("window 20/min, 8 s, IETF", 300, 7200, 64, WINDOW(20, 60), FLOW_8S,
              .says = FLOW_SAYS_IETF),
    FLOW_CASE("window 300/6 s, 20 ms, IETF", 12, 120, 64, WINDOW(300, 6), FLOW_FAST,
              .says = FLOW_SAYS_IETF),
    FLOW_CASE("window 600/min, 1 s, IETF", 120, 3600, 64, WINDOW(600, 60), FLOW_1S,
              .says = FLOW_SAYS_IETF),
    FLOW_CASE("log 20/min, 1 s, IETF", 300, 7200, 64, LOG(20, 60), FLOW_1S, .says = FLOW_SAYS_IETF),
    /* Not alone. */
    FLOW_SHARED("bucket 100/s, burst 100, 1 s, others 50 %", 30, 600, 200, 1, 0.5,
                BUCKET(100, 1, 100), FLOW_1S),
    FLOW_SHARED("the same, OpenAI", 30, 600, 200, 1, 0.5, BUCKET(100, 1, 100), FLOW_1S,
                .says = FLOW_SAYS_LIKE_OPENAI),
    FLOW_SHARED("bucket 100/s, burst 100, 1 s, 2 clients", 30, 600, 200, 2, 0, BUCKET(100, 1, 100),
                FLOW_1S),
    FLOW_SHARED("window 600/min, 1 s, 3 clients, IETF", 120, 3600, 64, 3, 0, WINDOW(600, 60),
                FLOW_1S, .says = FLOW_SAYS_IETF),
};
#define FLOW_CASES (sizeof flow_cases / sizeof flow_cases[0])

#endif
