/*
 * The chat endpoint's answer as server-sent events.
 */
#include <string.h>

#include "mock/answers.h"
#include "mock/chance.h"
#include "mock/chat.h"
#include "mock/words.h"

#define EVENTS_MAX ((size_t)16 << 20) /* more than 128 choices take */
#define TYPE       "text/event-stream"

struct stream {
    struct mock_chat chat;
    char model[MOCK_MODEL_MAX + 1]; /* the request is forgotten after each event */
    struct mock_buf *out;
    struct mock_buf event;
    uint64_t tokens;
    bool failed;
};

static void put(struct stream *stream, const char *text)
{
    if (mock_buf_append(stream->out, text, strlen(text), EVENTS_MAX) != 0)
        stream->failed = true;
}

static cJSON *begin(const struct stream *stream)
{
    cJSON *piece;

    mock_json_reset();
    piece = cJSON_CreateObject();
    mock_chat_head(piece, &stream->chat, "chat.completion.chunk");
    return piece;
}

static void end(struct stream *stream, cJSON *piece)
{
    if (mock_json_print(piece, &stream->event) != 0) {
        stream->failed = true;
        return;
    }
    put(stream, "data: ");
    put(stream, stream->event.data);
    put(stream, "\n\n");
}

/* One piece of a choice. `role`, `content` and `reason` may be NULL. */
static void say(struct stream *stream, int index, const char *role, const char *content,
                const char *reason)
{
    cJSON *piece = begin(stream);
    cJSON *choices = mock_json_put(piece, "choices", cJSON_CreateArray());
    cJSON *choice = cJSON_CreateObject();
    cJSON *delta;

    mock_json_put_int(choice, "index", (uint64_t)index);
    delta = mock_json_put(choice, "delta", cJSON_CreateObject());
    if (role)
        mock_json_put_str(delta, "role", role);
    if (content)
        mock_json_put_str(delta, "content", content);
    mock_json_put_null(choice, "logprobs");
    if (reason)
        mock_json_put_str(choice, "finish_reason", reason);
    else
        mock_json_put_null(choice, "finish_reason");
    mock_json_add(choices, choice);
    if (stream->chat.stream_usage)
        mock_json_put_null(piece, "usage");
    end(stream, piece);
}

/* A word at a time, each but the first with the space before it. */
static void say_words(struct stream *stream, int index, const char *text)
{
    char word[MOCK_WORDS_MAX];

    while (*text) {
        size_t len = 1 + strcspn(text + 1, " ");

        memcpy(word, text, len);
        word[len] = '\0';
        say(stream, index, NULL, word, NULL);
        text += len;
    }
}

static void say_choice(struct stream *stream, int index)
{
    const struct mock_chat *chat = &stream->chat;
    char text[MOCK_WORDS_MAX];
    bool whole = mock_words_write(text, (size_t)chat->max_tokens * 4,
                                  mock_mix(chat->hash + (uint64_t)index));

    say(stream, index, "assistant", "", NULL);
    say_words(stream, index, text);
    say(stream, index, NULL, NULL, whole ? "stop" : "length");
    stream->tokens += mock_answer_tokens(strlen(text));
}

static void say_usage(struct stream *stream)
{
    cJSON *piece = begin(stream);

    mock_json_put(piece, "choices", cJSON_CreateArray());
    mock_chat_usage(piece, &stream->chat, stream->tokens);
    end(stream, piece);
}

void mock_chat_stream(const struct mock_chat *chat, struct mock_buf *out, struct mock_reply *reply)
{
    struct stream stream = {.chat = *chat, .out = out};

    memcpy(stream.model, chat->model, strlen(chat->model) + 1);
    stream.chat.model = stream.model;
    out->len = 0;
    for (int i = 0; i < chat->choices && !stream.failed; i++)
        say_choice(&stream, i);
    if (chat->stream_usage)
        say_usage(&stream);
    put(&stream, "data: [DONE]\n\n");
    mock_buf_free(&stream.event);
    if (stream.failed) {
        mock_reply_json(reply, HTTP_STATUS_OK, NULL, out); /* it says that memory is short */
        return;
    }
    reply->status = HTTP_STATUS_OK;
    reply->type = TYPE;
    reply->type_len = strlen(TYPE);
    reply->body = out->data;
    reply->len = out->len;
    reply->events = true;
}
