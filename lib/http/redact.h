/* The one place that takes secrets out of what people may read: logs and error texts. */
#ifndef WEIR_HTTP_REDACT_H
#define WEIR_HTTP_REDACT_H

#include <stdbool.h>
#include <stddef.h>

/* Whether a header, query parameter or member of that name holds a secret: one of its parts
 * (api-key, accessToken, X_SECRET) is a word for one. */
bool weir__secret_name(const char *name, size_t len);

/* Copies the text (a header line, a URL, a message that may contain some), cut where `room` ends
 * and with a NUL behind it, and returns the length of the copy. Replaced by "***" are user and
 * password of URLs, values of secret names in queries, headers, forms and JSON, and what follows
 * Bearer and Basic; replaced by '?', control characters. Rather too much goes than too little. */
size_t weir__redact(char *copy, size_t room, const char *text, size_t len);

#endif
