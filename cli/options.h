/* The command line of `weir run`. */
#ifndef WEIR_CLI_OPTIONS_H
#define WEIR_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "connection.h"

#define OPTIONS_HEADERS_MAX 64

enum progress_mode {
    PROGRESS_AUTO,  /* a line that is redrawn on a terminal, else a line now and then */
    PROGRESS_PLAIN, /* lines */
    PROGRESS_NONE,  /* fatal errors alone */
};

/* Texts are borrowed from the command line and the environment. */
struct options {
    const char *input;  /* "-": stdin */
    const char *output; /* "-": stdout */
    const char *base_url;
    const char *api_key;
    const char *headers[OPTIONS_HEADERS_MAX + 1]; /* NULL at the end */
    size_t header_count;
    uint64_t concurrency;
    uint64_t rate; /* requests per period_ms; 0: no limit */
    int64_t period_ms;
    const char *rate_text; /* as it was given; NULL: no limit */
    uint64_t burst;        /* 0: the library's choice */
    unsigned max_attempts;
    int64_t timeout_ms; /* 0: none */
    int64_t idle_ms;    /* of rows that ask for a stream; 0: none */
    int64_t outage_ms;  /* a server that has gone away is waited for so long */
    size_t max_line;    /* bytes */
    enum progress_mode progress;
    int64_t progress_ms; /* between lines; 0: the mode's own */
    struct connection connection;
    bool force;           /* overwrite the output */
    bool replay;          /* a row may be sent again when its outcome is unknown */
    bool idempotency_key; /* POST and PATCH rows get one */
};

enum options_result {
    OPTIONS_RUN,
    OPTIONS_HELP,  /* the help was asked for and stands on stdout */
    OPTIONS_WRONG, /* a line on stderr says what and what would be right */
};

enum options_result options_parse(struct options *options, int argc, char **argv);

/* Says that the command line is wrong, and where the manual is. Returns EXIT_USAGE. */
int usage_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

void print_run_help(void);

#endif
