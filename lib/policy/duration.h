/* Lengths of time as servers write them. Pure functions. */
#ifndef WEIR_POLICY_DURATION_H
#define WEIR_POLICY_DURATION_H

#include <stddef.h>
#include <stdint.h>

/* No length of time that a server names counts for more: 365 days. */
#define WEIR__LONGEST_MS INT64_C(31536000000)

/* A duration as Go prints it, (\d+h)?(\d+m)?(\d+(\.\d+)?(ms|us|µs|ns|s))? with at least one part:
 * "6m0s", "120ms", "1h2m3.5s". In ms, rounded up, at most WEIR__LONGEST_MS, 0 for "0s"; -1: it is
 * none. */
int64_t weir__duration_ms(const char *text, size_t len);

/* The wait that a message to people names behind "try again in", "retry in" or "retry after":
 * "8m32s", "20s.", "45 seconds", "1 minute". In ms, rounded up, from 1 to WEIR__LONGEST_MS; -1: it
 * names none, at least not in its first 2,048 bytes. */
int64_t weir__wait_in_words_ms(const char *text, size_t len);

/* When a limit is reset: a duration; digits with an optional fraction, which are seconds from now
 * below 1e9, seconds since 1970 below 1e10, else ms since 1970; an RFC 3339 timestamp; an HTTP
 * date. In ms from now_s on, rounded up, 0 to WEIR__LONGEST_MS, 0 where the time is past; -1:
 * malformed, or a point in time while now_s (seconds since 1970, by the server's own clock) is
 * none. *step_ms gets the steps in which it is told: 1000 for whole seconds, and for all points in
 * time, since now_s is whole too; else 1. */
int64_t weir__reset_ms(const char *text, size_t len, int64_t now_s, int64_t *step_ms);

#endif
