/* Request bodies from cJSON trees, and trees from responses and other text. In a library of its own
 * (libweir-cjson), so that only programs that use cJSON depend on it.
 *
 * cJSON trees have one owner. One that is given is borrowed, unless the function's name ends in
 * _take, which deletes it, also when it fails. One that comes back is the caller's. An allocator
 * that was set by cJSON_InitHooks must set errno to ENOMEM where it fails, as malloc does: cJSON
 * does not say why it failed. */
#ifndef WEIR_CJSON_H
#define WEIR_CJSON_H

#include <cjson/cJSON.h>

#include <weir/http.h>
#include <weir/json.h>

typedef struct weir_client weir_client; /* <weir/client.h> */

#ifdef __cplusplus
extern "C" {
#endif

/* The tree as compact JSON text in *text, which the caller frees with weir_json_text_free; *len, if
 * len is not NULL, gets its length. The tree is only read. cJSON prints NaN and infinities as null,
 * raw items as they are, and does not check that strings are UTF-8. Errors, with *text NULL:
 * WEIR_EINVAL (NULL tree or text), WEIR_EJSON (an invalid item, or nested deeper than
 * WEIR_JSON_MAX_DEPTH, or a text over cJSON's own limit of 2 GiB), WEIR_ENOMEM. Does not
 * suspend. */
WEIR_API int weir_cjson_text(const cJSON *tree, char **text, size_t *len);

/* The JSON text (len bytes; a NUL behind them is not needed) as a tree in *tree, which the caller
 * releases with cJSON_Delete. One JSON value is taken, white space around it and a byte order mark
 * before it. cJSON is laxer than JSON (01, 1., control characters, bytes that are no UTF-8) and
 * holds every number as a double. It ends strings at a NUL, so a text with \u0000 is refused. On
 * WEIR_EJSON (also for nesting beyond WEIR_JSON_MAX_DEPTH and texts over WEIR_JSON_MAX_TEXT)
 * *error, if error is not NULL, says where, and what as far as cJSON knows. Other errors:
 * WEIR_EINVAL (NULL text or tree), WEIR_ENOMEM. *tree is NULL then. Does not suspend. */
WEIR_API int weir_cjson_parse(const char *text, size_t len, cJSON **tree,
                              struct weir_json_error *error);

/* weir_request_json (<weir/client.h>) with the tree's text, which is made before anything is sent:
 * the tree may change while the request is under way. Its errors, and those of weir_cjson_text with
 * *out NULL. Suspends. */
WEIR_API int weir_cjson_request(weir_client *client, const struct weir_request *request,
                                const cJSON *tree, weir_response **out);

/* The same, and the tree is deleted in each case. NULL is WEIR_EINVAL. */
WEIR_API int weir_cjson_request_take(weir_client *client, const struct weir_request *request,
                                     cJSON *tree, weir_response **out);

/* weir_cjson_parse of the response's body, with its errors; WEIR_EINVAL also for a NULL
 * response. Does not suspend. */
WEIR_API int weir_cjson_response(const weir_response *response, cJSON **tree,
                                 struct weir_json_error *error);

/* The same, and the response is freed in each case (NULL is WEIR_EINVAL). */
WEIR_API int weir_cjson_response_take(weir_response *response, cJSON **tree,
                                      struct weir_json_error *error);

#ifdef __cplusplus
}
#endif

#endif
