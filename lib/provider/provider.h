/* What APIs' answers mean, as tables of data: the only place that knows one API from another. */
#ifndef WEIR_PROVIDER_PROVIDER_H
#define WEIR_PROVIDER_PROVIDER_H

#include <stdint.h>

#include <weir/http.h>

#include "policy/told.h"

/* What the answer says about limits, from its headers and, where it is an error, its body. wall_s:
 * the local clock (seconds since 1970), which counts only where the answer bears no Date of its
 * own. Whatever a server sends, what is told lies within these bounds, or is -1:
 *   wait_ms          1 to 365 days, of an answer that failed (see docs/design/provider.md)
 *   limit            1 to 1e15 - 1
 *   remaining, used  0 to 1e15 - 1
 *   reset_ms         0 to 365 days
 *   window_ms        1 s to 365 days
 *   step_ms          1 or 1000
 * A verdict and throttled never contradict: what is final is "too fast" only if the server says no
 * more than not to try again. Does not suspend. */
void weir__provider_tell(const weir_response *response, int64_t wall_s, struct weir__told *told);

/* The tokens that the request cost towards its limit, by the usage in the answer's body, 0 to
 * 1e15 - 1; -1: it names none. Apart from weir__provider_tell, because it reads the bodies of
 * answers that succeeded, in time that grows with their length: for those with a limit on tokens.
 */
int64_t weir__provider_used(const weir_response *response);

/* The same of an answer that comes in pieces, each a JSON text: what all so far say. Begins with
 * zeros. */
struct weir__usage {
    const void *row;
    int64_t counts[3];
};
int64_t weir__provider_used_so_far(struct weir__usage *usage, const char *text, size_t len);

/* The tokens to take from a limit before the request is sent, by what its API counts in advance:
 * told by the URL's host, else by the request's headers ("Name: value", NULL at the end; NULL:
 * none), else the prompt and the longest answer. The body is JSON; 0 for what is none. */
uint64_t weir__provider_reserve(const char *url, const char *const *headers, const char *body,
                                size_t len);

#endif
