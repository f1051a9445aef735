/*
 * What the chat endpoint took from a request, and its answer in pieces.
 */
#ifndef WEIR_MOCK_CHAT_H
#define WEIR_MOCK_CHAT_H

#include "mock/buf.h"
#include "mock/reply.h"

struct mock_chat {
    const char *model;
    uint64_t prompt_tokens;
    int choices;
    int max_tokens;
    bool stream;
    bool stream_usage; /* with a last piece that tells the usage */
    uint64_t hash;
    struct mock_buf json; /* what all choices say, when a schema was given; else empty */
};

/* Reads the model, the messages (which must not be empty) and the number of tokens `max_tokens`. 0,
 * or -1 with an error as the reply. */
int mock_chat_read(struct mock_chat *chat, const cJSON *body, struct mock_buf *out,
                   struct mock_reply *reply);

/* Has all choices say JSON by the schema; one that does not fit, if the reply's fault is so. `cut`:
 * that may also be half of it. */
void mock_chat_make_json(struct mock_chat *chat, const cJSON *schema,
                         const struct mock_reply *reply, bool cut);

/* What a choice says, as the whole content of `text`. Returns true when nothing was cut off. */
bool mock_chat_text(const struct mock_chat *chat, int index, struct mock_buf *text);

/* An id: the prefix and 32 digits. */
void mock_chat_id(cJSON *answer, const char *prefix, uint64_t hash);

/* Begins an answer or a piece of one: id, object, created, model. */
void mock_chat_head(cJSON *answer, const struct mock_chat *chat, const char *object);

/* The usage for so many tokens of answers. */
void mock_chat_usage(cJSON *answer, const struct mock_chat *chat, uint64_t tokens);

/* Server-sent events, all in a buffer, each printed by itself. */
struct mock_events {
    struct mock_buf *out;
    struct mock_buf event;
    bool failed;
};

/* Adds an event with the tree as its data, whose values are forgotten with all others. `name` may
 * be NULL. */
void mock_events_add(struct mock_events *events, const char *name, cJSON *tree);
void mock_events_put(struct mock_events *events, const char *text);

/* Makes them the reply, and frees what is not `out`. */
void mock_events_reply(struct mock_events *events, struct mock_reply *reply);

/* The bytes of the text's first word, with the space before it. */
size_t mock_word_len(const char *text);

/* Server-sent events, one a word, [DONE] behind them, all in `out`. */
void mock_chat_stream(const struct mock_chat *chat, struct mock_buf *out, struct mock_reply *reply);

#endif
