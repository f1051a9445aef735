/* The base URL of a client, and what a request's URL becomes with it. Parsing is libcurl's. */
#ifndef WEIR_HTTP_URL_H
#define WEIR_HTTP_URL_H

#include <stdbool.h>
#include <stddef.h>

struct weir__base {
    char *text;       /* without a slash at its end; NULL: no base */
    const char *path; /* within text; "" when it has none */
    char *scheme, *host, *port;
    char *known; /* the absolute URL that was resolved last; NULL: none yet */
    bool known_own;
};

/* text may be NULL. 0, WEIR_EURL (not http or https, no host, a query, a user name, control
 * characters), WEIR_ENOMEM. */
int weir__base_init(struct weir__base *base, const char *text);
void weir__base_free(struct weir__base *base);

/* The absolute URL in *out, to be freed with weir__free; *own tells whether it goes to the base's
 * scheme, host and port (true when there is no base). "/v1/x" is joined to the base; a base path
 * that the URL repeats ("http://h/v1" and "/v1/x") is not doubled, since batch files name whole
 * paths while SDKs' base URLs end in /v1. 0, WEIR_EURL, WEIR_ENOMEM. */
int weir__url_resolve(struct weir__base *base, const char *url, char **out, bool *own);

/* Why it was WEIR_EURL, for people. */
const char *weir__url_fault(const struct weir__base *base, const char *url);

/* "scheme://host:port" of an absolute URL that weir__url_resolve has made, in small letters and
 * with the port even where the URL leaves it out, without a user name: two URLs of one server give
 * the same text. Cut off at size - 1, with a NUL behind it. Returns the length without the cut. */
size_t weir__url_origin(char *out, size_t size, const char *url);

#endif
