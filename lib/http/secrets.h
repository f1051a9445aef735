/* What is secret: by its name, and by what a client knows to be its own. */
#ifndef WEIR_HTTP_SECRETS_H
#define WEIR_HTTP_SECRETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether a header, query parameter or member of that name, which may be percent-encoded, holds a
 * secret: one of its parts (api-key, accessToken, OpenAIKey, X_SECRET, token1) is a word for one.
 */
bool weir__secret_name(const char *name, size_t len);

/* Where known secrets stand: the values of headers and query parameters with secret names, and user
 * and password of URLs. Borrowed, and read only when a text is made; nothing is copied that would
 * have to be wiped. Begin with all zero. */
struct weir__secrets {
    const struct weir__secrets *more; /* those of the client behind those of a request; or NULL */
    const char *const *headers;       /* lines, NULL at the end; or NULL */
    const char *url, *proxy;          /* or NULL */
};

/* Shorter values are not looked for: they would be found in too many words. */
enum { WEIR__SECRET_MIN = 8 };

/* The same, made ready for one text. */
struct weir__known {
    const struct weir__secrets *secrets; /* NULL: none is known */
    uint64_t begins[4];                  /* a set of hashes: of how the values begin */
};

void weir__known_init(struct weir__known *known, const struct weir__secrets *secrets);

/* How many bytes at `text` are a known value, percent-encoded or not; or most of one, of which the
 * rest is cut off. 0: none. */
size_t weir__known_at(const struct weir__known *known, const char *text, const char *end);

/* The byte at `text`, which is not the end, percent-decoded. Returns what is behind it. */
const char *weir__percent_decode(const char *text, const char *end, char *c);

#endif
