/*
 * The command line of `weir mock`.
 */
#ifndef WEIR_MOCK_OPTIONS_H
#define WEIR_MOCK_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "mock/faults.h"
#include "mock/limit.h"

/* How an answer tells about the limit. */
enum mock_headers {
    MOCK_HEADERS_OPENAI,
    MOCK_HEADERS_IETF,
    MOCK_HEADERS_NONE,
};

struct mock_opts {
    uint16_t port; /* 0: a free one */
    bool limited;
    struct mock_rate rate; /* when limited */
    uint32_t latency_lo_ms;
    uint32_t latency_hi_ms;
    enum mock_headers headers;
    struct mock_faults faults;
    uint64_t seed;
    double idle_s; /* a connection silent for so long is closed */
};

enum mock_opts_result {
    MOCK_OPTS_RUN,
    MOCK_OPTS_HELP,  /* the help was asked for and stands on stdout */
    MOCK_OPTS_WRONG, /* a line on stderr says what and what would be right */
};

enum mock_opts_result mock_opts_parse(struct mock_opts *opts, int argc, char **argv);

#endif
