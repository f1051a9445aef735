/* The one place that takes secrets out of what people may read: logs and error texts. */
#ifndef WEIR_HTTP_REDACT_H
#define WEIR_HTTP_REDACT_H

#include "http/secrets.h"

/* Copies the text (a header line, a URL, a message that may contain some), cut where `room` ends
 * and with a NUL behind it, and returns the length of the copy. Replaced by "***" are the known
 * secrets, which may be NULL, wherever they stand; user and password of URLs, values of secret
 * names in queries, headers, forms and JSON, and what follows Bearer and Basic; replaced by '?',
 * control characters. Rather too much goes than too little. Of a text of over 4 KiB the beginning
 * counts.
 */
size_t weir__redact(char *copy, size_t room, const char *text, size_t len,
                    const struct weir__secrets *secrets);

#endif
