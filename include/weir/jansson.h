/* Request bodies from jansson trees, and trees from responses and other text.
 *
 * References, in jansson's words: a tree that is given is borrowed, unless the function's name ends
 * in _take, which steals it, also when it fails (as json_array_append_new does). A tree that comes
 * back is a new reference. An allocator that was set by json_set_alloc_funcs must set errno to
 * ENOMEM where it fails, as malloc does: jansson does not say why it failed. */
#ifndef WEIR_JANSSON_H
#define WEIR_JANSSON_H

#include <jansson.h>

#include <weir/http.h>
#include <weir/json.h>

typedef struct weir_client weir_client; /* <weir/client.h> */

#ifdef __cplusplus
extern "C" {
#endif

/* The tree as compact JSON text in *text, which the caller frees with weir_json_text_free; *len, if
 * len is not NULL, gets its length. Any value is taken; a real gets the digits it takes to read the
 * same number back (0.7 is 0.69999999999999996). The tree is only read; strings that were made by
 * jansson's _nocheck functions must be UTF-8, as jansson demands. Errors, with *text NULL:
 * WEIR_EINVAL (NULL tree or text), WEIR_EJSON (a tree that is no JSON, is nested deeper than
 * WEIR_JSON_MAX_DEPTH, or contains itself), WEIR_ENOMEM (also for a text over 1 GiB). Does not
 * suspend. */
WEIR_API int weir_jansson_text(const json_t *tree, char **text, size_t *len);

/* The JSON text (len bytes; a NUL behind them is not needed) as a tree in *tree, which the caller
 * releases with json_decref. Any one JSON value is taken, white space around it and a byte order
 * mark before it. Strings may contain \u0000: use json_string_length. (Keys may not; integers must
 * fit 64 bits and reals a double: jansson's limits.) Of equal keys in an object the last counts.
 * On WEIR_EJSON (also for nesting beyond WEIR_JSON_MAX_DEPTH and texts over WEIR_JSON_MAX_TEXT)
 * *error, if error is not NULL, says what and where. Other errors: WEIR_EINVAL (NULL text or tree),
 * WEIR_ENOMEM. *tree is NULL then. Does not suspend. */
WEIR_API int weir_jansson_parse(const char *text, size_t len, json_t **tree,
                                struct weir_json_error *error);

/* weir_request_json (<weir/client.h>) with the tree's text, which is made before anything is sent:
 * the tree may change while the request is under way. Its errors, and those of weir_jansson_text
 * with *out NULL. Suspends. */
WEIR_API int weir_jansson_request(weir_client *client, const struct weir_request *request,
                                  const json_t *tree, weir_response **out);

/* The same, and the tree is released in each case: for one that is made in the call, such as
 * json_pack(...). NULL, as that returns when memory is out or its format is wrong, is
 * WEIR_EINVAL. */
WEIR_API int weir_jansson_request_take(weir_client *client, const struct weir_request *request,
                                       json_t *tree, weir_response **out);

/* weir_jansson_parse of the response's body, with its errors; WEIR_EINVAL also for a NULL
 * response. Does not suspend. */
WEIR_API int weir_jansson_response(const weir_response *response, json_t **tree,
                                   struct weir_json_error *error);

/* The same, and the response is freed in each case (NULL is WEIR_EINVAL). */
WEIR_API int weir_jansson_response_take(weir_response *response, json_t **tree,
                                        struct weir_json_error *error);

#ifdef __cplusplus
}
#endif

#endif
