/* The wait that a server asks for. Pure functions. */
#ifndef WEIR_POLICY_RETRY_AFTER_H
#define WEIR_POLICY_RETRY_AFTER_H

#include <stddef.h>
#include <stdint.h>

/* A Retry-After value (RFC 9110, section 10.2.3): strict decimal seconds with an optional fraction,
 * a number of 1e9 or more as seconds since 1970, or an HTTP date in any of its three forms (section
 * 5.6.7), independent of the locale and time zone. Returns the wait in ms, rounded up, at most
 * 365 days; -1 for what is malformed, zero, past or after the year 9999 (such as a time in
 * milliseconds): then the caller's own backoff applies.
 * now_s: the wall clock, by the server's Date header where there is one. */
int64_t weir__retry_after_ms(const char *text, size_t len, int64_t now_s);

/* As above for a header that counts milliseconds (retry-after-ms): a number is always a wait, and
 * there are no dates. */
int64_t weir__retry_after_millis(const char *text, size_t len);

#endif
