/* Small facts of HTTP that rows and options are checked by. */
#ifndef WEIR_CLI_HTTP_TEXT_H
#define WEIR_CLI_HTTP_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* What is wrong with the header line "Name: value" of len bytes (static text); NULL: nothing. */
const char *header_fault(const char *line, size_t len);

/* Whether both lines, which are headers as above, have the same name. */
bool header_same_name(const char *a, const char *b);

/* Whether one of the lines, NULL at the end (NULL: none), has the name of that line. */
bool headers_have(const char *const *lines, const char *line);

/* The method of that name in any case, as HTTP spells it (static); NULL when it is none of those
 * in METHODS. */
const char *method_find(const char *name, size_t len);
#define METHODS "GET, POST, PUT, PATCH, DELETE or HEAD"

bool url_is_absolute(const char *url);

/* The length of the beginning of an absolute URL that says whom it talks to: scheme, host, port. */
size_t url_origin_len(const char *url);

/* Whether this header ("Name: value") says where a request ends: the library sets it alone. */
bool header_frames_request(const char *line);

/* The environment variable that names a proxy for this absolute URL; NULL: there is none, or the
 * URL's host is this machine itself, to which no proxy is used. */
const char *proxy_variable(const char *url);

/* What a failure status means, in a few words (static). */
const char *status_meaning(int status);

#endif
