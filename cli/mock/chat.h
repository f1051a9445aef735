/*
 * What the chat endpoint took from a request, and its answer in pieces.
 */
#ifndef WEIR_MOCK_CHAT_H
#define WEIR_MOCK_CHAT_H

#include "mock/reply.h"

struct mock_chat {
    const char *model;
    uint64_t prompt_tokens;
    int choices;
    int max_tokens;
    bool stream;
    bool stream_usage; /* with a last piece that tells the usage */
    uint64_t hash;
};

/* Begins an answer or a piece of one: id, object, created, model. */
void mock_chat_head(cJSON *answer, const struct mock_chat *chat, const char *object);

/* The usage for so many tokens of answers. */
void mock_chat_usage(cJSON *answer, const struct mock_chat *chat, uint64_t tokens);

/* Server-sent events, one a word, [DONE] behind them, all in `out`. */
void mock_chat_stream(const struct mock_chat *chat, struct mock_buf *out, struct mock_reply *reply);

#endif
