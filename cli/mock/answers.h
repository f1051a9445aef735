/*
 * What the endpoints answer: bodies like OpenAI's (and for chats also Anthropic's), made up from
 * the request alone, so the same request is answered alike in every run.
 */
#ifndef WEIR_MOCK_ANSWERS_H
#define WEIR_MOCK_ANSWERS_H

#include "mock/buf.h"
#include "mock/reply.h"
#include "mock/request.h"

/* Each fills in status, type and body of the reply; a body of JSON is printed into `out`. */
typedef void mock_answer_fn(const struct mock_request *req, struct mock_buf *out,
                            struct mock_reply *reply);

mock_answer_fn mock_answer_chat;
mock_answer_fn mock_answer_messages; /* as Anthropic's */
mock_answer_fn mock_answer_embeddings;
mock_answer_fn mock_answer_models; /* the list, and one by its id behind the path */
mock_answer_fn mock_answer_echo;

/* Parses the request's body, which must be a JSON object with a usable `model`. NULL when it is
 * not: the reply is the error then. */
cJSON *mock_answer_parse(const struct mock_request *req, struct mock_buf *out,
                         struct mock_reply *reply);

enum {
    MOCK_MODEL_MAX = 128, /* bytes of a model's name */
};

/* The model that a body names, when that is a string that may be repeated in an answer: 1 to 128
 * printable ASCII characters. Else NULL. */
const char *mock_answer_model(const cJSON *body);

/* Reads the optional whole number `key` from 1 to `max`; missing or null leaves *value. Returns 0,
 * or -1 with an error as the reply. */
int mock_answer_number(const cJSON *body, const char *key, int max, int *value,
                       struct mock_buf *out, struct mock_reply *reply);

/* About how many tokens a text has: a quarter of its characters, at least 1. */
uint64_t mock_answer_tokens(uint64_t characters);

/* The number of characters of a UTF-8 text. */
uint64_t mock_answer_characters(const char *text);

/* Refuses the request: 400, about the parameter `param` (or NULL). */
void mock_answer_refuse(struct mock_reply *reply, struct mock_buf *out, const char *param,
                        const char *code, const char *message);

#endif
