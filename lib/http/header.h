/* Header lines: checking, and joining two lists. */
#ifndef WEIR_HTTP_HEADER_H
#define WEIR_HTTP_HEADER_H

#include <stdbool.h>
#include <stddef.h>

/* A field name is a token, a value has no control characters but tab (RFC 9110, sections 5.1 and
 * 5.5): anything else could smuggle in a header or a request. */
bool weir__header_name_ok(const char *name, size_t len);
bool weir__header_value_ok(const char *value, size_t len);

/* Each line is "Name: value" by the rules above, and none frames the request (Content-Length,
 * Transfer-Encoding). 0 or WEIR_EHEADER. NULL is an empty list. */
int weir__headers_check(const char *const *lines);

/* Which line it was and why, for people; no line's value, which may be a key. */
void weir__headers_fault(const char *const *lines, char *text, size_t size);

/* Bytes of the name in a checked line. */
size_t weir__header_name_len(const char *line);

bool weir__header_same_name(const char *a, const char *b);
bool weir__headers_have(const char *const *lines, const char *name);
size_t weir__headers_count(const char *const *lines);

/* [text, end) without white space around it. */
const char *weir__trim(const char *text, const char *end, size_t *len);

#endif
