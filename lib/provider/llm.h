/* Chats: how each API wants to be asked, and where its answers tell what. Pure functions of trees.
 */
#ifndef WEIR_PROVIDER_LLM_H
#define WEIR_PROVIDER_LLM_H

#include <stdbool.h>

#include <weir/llm.h>
#include <weir/stream.h>

#include "base/buf.h"
#include "http/secrets.h"

struct weir__llm_api; /* a row of the table */

/* NULL: there is no such API. */
const struct weir__llm_api *weir__llm_api(enum weir_llm_api api);

/* What a client needs to know; each is NULL where there is none. */
struct weir__llm_server {
    const char *base_url;
    const char *path;         /* joined to the base URL */
    const char *key_variable; /* of the environment */
    const char *key_header;   /* what stands before the key in its line */
    const char *version;      /* a header line */
};
const struct weir__llm_server *weir__llm_server(const struct weir__llm_api *api);

/* ---- asking ---- */

/* The request's body in *body, a new reference. turns: an array of messages behind those of the
 * request, borrowed, or NULL. 0, WEIR_EINVAL, WEIR_EJSON (why, of `size` bytes, says what is wrong)
 * or WEIR_ENOMEM. */
int weir__llm_body(const struct weir__llm_api *api, const struct weir_llm_request *request,
                   const char *model, json_t *turns, bool stream, json_t **body, char *why,
                   size_t size);

/* Appends to turns the answer (its tree and its text) and that it would not do. 0, WEIR_ENOMEM. */
int weir__llm_ask_again(const struct weir__llm_api *api, json_t *answer, const char *text,
                        size_t len, const char *why, json_t *turns);

/* ---- hearing ---- */

/* An answer as far as it was heard. */
struct weir__llm_heard {
    struct weir__buf text, refusal;
    enum weir_llm_reason reason;
    struct weir_llm_usage usage;
    const struct weir__secrets *secrets; /* in no text; NULL: none is known */
    bool json;                           /* a schema was asked for */
    bool refused;
    bool complete; /* a stream's last event was heard */
    char reason_text[32], error_type[64], error[WEIR_LLM_ERROR_MAX];
};

/* max: bytes of text. The secrets are borrowed. */
void weir__llm_heard_init(struct weir__llm_heard *heard, size_t max, bool json,
                          const struct weir__secrets *secrets);
void weir__llm_heard_free(struct weir__llm_heard *heard);

/* From the body of a good answer: 0; WEIR_EAPI (it is an error after all), WEIR_ESHAPE (error says
 * what is missing), WEIR_EBODYSIZE, WEIR_ENOMEM. */
int weir__llm_hear_answer(const struct weir__llm_api *api, json_t *body,
                          struct weir__llm_heard *heard);

/* What an event says of the beginning of its stream, as weir_stream_begins_fn: content, or what
 * comes behind all content, is the beginning. Or WEIR_ENOMEM. */
int weir__llm_begins(const struct weir__llm_api *api, const struct weir_sse_event *event);

/* From an event. The same codes as of an answer, and WEIR_EJSON. */
int weir__llm_hear_event(const struct weir__llm_api *api, const struct weir_sse_event *event,
                         struct weir__llm_heard *heard);

/* The error in the body of an answer that failed, of whatever kind the body is. Returns
 * WEIR_EAPI. */
int weir__llm_hear_failure(const char *body, size_t len, struct weir__llm_heard *heard);

/* Sets the error's text, without secrets. */
void weir__llm_set_error(struct weir__llm_heard *heard, const char *text, size_t len);

#endif
