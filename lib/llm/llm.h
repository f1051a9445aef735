/* The inside of a chat client. */
#ifndef WEIR_LLM_LLM_H
#define WEIR_LLM_LLM_H

#include <weir/llm.h>

#include "provider/llm.h"

struct weir_llm {
    weir_client *client;
    const struct weir__llm_api *api;
    const char *path; /* of the API, joined to the base URL */
    char *model;      /* NULL: each request names its own */
};

/* An answer and what its texts lie in. */
struct weir__llm_held {
    struct weir_llm_answer shown; /* the first member: it is what callers hold */
    struct weir__llm_heard heard;
    weir_response *response; /* its own; NULL for streams */
};

/* Makes it empty; what it had must have been freed. */
void weir__llm_held_init(struct weir__llm_held *held, const weir_llm *llm, bool json);
void weir__llm_held_free(struct weir__llm_held *held);

/* Gives a failure a text where it has none. Returns rc. */
int weir__llm_explain(struct weir__llm_held *held, int rc, const char *text);

/* WEIR_EINVAL, with its text, for an llm that is NULL, whose maker's failure was not looked at. */
int weir__llm_check(const weir_llm *llm, struct weir__llm_held *held);

/* Renews what is shown. */
void weir__llm_show(struct weir__llm_held *held, const weir_response *response);

/* The request as one to the client, but for its body. */
struct weir_request weir__llm_request(const weir_llm *llm, const struct weir_llm_request *request);

/* The body's text in *text, for weir_json_text_free. Codes of weir_llm_chat; held tells why. */
int weir__llm_text(const weir_llm *llm, const struct weir_llm_request *request, json_t *turns,
                   bool stream, struct weir__llm_held *held, char **text, size_t *len);

/* A failed answer's error, or what its text is when it has none. */
int weir__llm_fail(struct weir__llm_held *held, const weir_response *response);

/* Where a text is not JSON, but has one JSON object or array in it (fenced, or with words around
 * it): true, and *text and *len are those of that. A pure function. */
bool weir__llm_json_within(const char **text, size_t *len);

/* Hears a whole answer. Codes of weir_llm_chat; held tells why. */
int weir__llm_hear(const weir_llm *llm, struct weir__llm_held *held, const weir_response *response);

/* weir_llm_chat, into an empty answer. The request is a copy of the caller's. */
int weir__llm_ask(const weir_llm *llm, const struct weir_llm_request *request, json_t *turns,
                  struct weir__llm_held *held);

#endif
