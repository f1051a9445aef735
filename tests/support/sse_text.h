/* What the parser of server-sent events makes of bytes, as text: for tests, and for a fuzzer, that
 * compare what different ways to cut the same bytes give. */
#ifndef WEIR_TESTS_SSE_TEXT_H
#define WEIR_TESTS_SSE_TEXT_H

#include <stddef.h>

/* The bytes in pieces that end at `cut` (and then every `cut` bytes if `all`): a line for each
 * event,
 * "[event|id|data]" with control characters as \xNN, and at the end "retry N" if it was set and the
 * name of an error if there was one. To be freed with free. */
char *sse_text(const char *bytes, size_t len, size_t max, size_t cut, int all);

#endif
