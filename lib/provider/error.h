/* What the body of a failed answer says. */
#ifndef WEIR_PROVIDER_ERROR_H
#define WEIR_PROVIDER_ERROR_H

#include <jansson.h>

#include <weir/http.h>
#include <weir/json.h>

#include "policy/told.h"
#include "provider/heard.h"

/* Longer bodies are not read for errors. */
#define WEIR__ERROR_BODY_MAX ((size_t)64 << 10)

struct weir__error {
    enum weir__verdict verdict;
    bool throttled;
    const char *cause;   /* static, or NULL */
    int64_t wait_ms;     /* the server names it; -1 */
    int64_t fallback_ms; /* documented for this error, where no header tells more; -1 */
};

/* As weir_jansson_parse, but of an array the first: Gemini's streams wrap their errors so. */
int weir__error_parse(const char *text, size_t len, json_t **tree, struct weir_json_error *error);

/* The body as a tree, which the caller releases, if it may be an error's: that of a status from 400
 * on, or one that begins as errors do, whatever the status. Else NULL. */
json_t *weir__error_tree(const weir_response *response);

/* What the tree and the status (the tree may be NULL) say. */
void weir__error_read(json_t *tree, int status, struct weir__error *error);

/* Headers that stand in the body, those of the server behind a gateway; borrowed from the tree. */
void weir__error_headers(const json_t *tree, struct weir__heard *heard);

#endif
