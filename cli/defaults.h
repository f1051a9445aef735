/* Numbers that the options of `weir run` and its manual share. */
#ifndef WEIR_CLI_DEFAULTS_H
#define WEIR_CLI_DEFAULTS_H

#include <weir/client.h>
#include <weir/jsonl.h>

#define STR_(x) #x
#define STR(x)  STR_(x)

#define CONCURRENCY_DEFAULT WEIR_CLIENT_CONCURRENCY
#define CONCURRENCY_MAX     10000
#define BURST_MAX           1000000000
#define ATTEMPTS_DEFAULT    8
#define ATTEMPTS_MAX        1000
#define THROTTLED_MAX       1000000 /* answers of "too fast" that a row takes */
#define SERVER_WAIT_MAX_MS  (400 * INT64_C(86400000))
#define TIMEOUT_MAX_MS      604800000
#define LINE_BYTES_DEFAULT  WEIR_JSONL_MAX_LINE
#define LINE_BYTES_MAX      1073741824

/* After the first interrupt, what is in flight may take so long. */
#define GRACE_S  10
#define GRACE_MS (GRACE_S * 1000)

/* So many rows refused as unauthorised, and none that was not, end the run. */
#define AUTH_ROWS 20

/* A server that has gone away is waited for so long. */
#define OUTAGE_DEFAULT_S  3600
#define OUTAGE_DEFAULT_MS (INT64_C(1000) * OUTAGE_DEFAULT_S)
/* Rows that wait for it take room that rows for other servers need; all of it for so long. */
#define PATIENCE_S  60
#define PATIENCE_MS (INT64_C(1000) * PATIENCE_S)

/* Seconds from one line of progress to the next, where nobody looks and where somebody does. */
#define PROGRESS_UNWATCHED_S 30
#define PROGRESS_PLAIN_S     5

/* Headers of a row. */
#define ROW_HEADERS_MAX 100

#endif
