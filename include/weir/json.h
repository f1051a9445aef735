/* What the JSON adapters share. */
#ifndef WEIR_JSON_H
#define WEIR_JSON_H

#include <stddef.h>

#include <weir/err.h>

/* How deep arrays and objects may be nested, in both directions; deeper ones are WEIR_EJSON. The
 * JSON libraries recurse, and their own limits (2,048 and 1,000) are for larger stacks than a
 * task's: a server, or a model that writes JSON, could end the program with a run of brackets. */
#define WEIR_JSON_MAX_DEPTH 100

/* The longest text that is parsed, in bytes; longer ones are WEIR_EJSON. A tree takes many times
 * the memory of its text (40 times and more where it is brackets and small numbers): what a server
 * may make of that is bounded by the client's max_body_bytes. */
#define WEIR_JSON_MAX_TEXT ((size_t)1 << 30)

struct weir_json_error {
    unsigned line;   /* from 1 */
    unsigned column; /* in bytes, from 1; a byte order mark is not counted */
    char text[120];  /* what is wrong, NUL-terminated */
};

#ifdef __cplusplus
extern "C" {
#endif

/* Frees a text that an adapter made. NULL is fine. */
WEIR_API void weir_json_text_free(char *text);

/* For adapters to further JSON libraries: a copy of len bytes, with a NUL behind them, that
 * weir_json_text_free frees. NULL when memory is out. */
WEIR_API char *weir_json_text_copy(const char *text, size_t len);

#ifdef __cplusplus
}
#endif

#endif
