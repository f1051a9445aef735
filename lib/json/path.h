/* Values in a tree by their path: keys and places in arrays with "." between them, "*" for each
 * place: "choices.0.message", "details.*.text". */
#ifndef WEIR_JSON_PATH_H
#define WEIR_JSON_PATH_H

#include <stdbool.h>

#include <jansson.h>

typedef bool (*weir__json_visit_fn)(json_t *value, void *arg);

/* Calls visit for each value at the path until one call says true; says whether one did. NULL is an
 * empty tree. Goes as deep as the path is long. */
bool weir__json_each_at(json_t *tree, const char *path, weir__json_visit_fn visit, void *arg);

/* The first value at the path, or NULL. */
json_t *weir__json_at(json_t *tree, const char *path);

/* The same of a string; *len, if len is not NULL, gets its length. NULL for any other value. */
const char *weir__json_text_at(json_t *tree, const char *path, size_t *len);

#endif
