/*
 * Server-sent events, and the chat endpoint's answer as such.
 */
#include <string.h>

#include "mock/answers.h"
#include "mock/chat.h"

#define EVENTS_MAX ((size_t)16 << 20) /* more than 128 choices take */
#define TYPE       "text/event-stream"

void mock_events_put(struct mock_events *events, const char *text)
{
    if (mock_buf_append(events->out, text, strlen(text), EVENTS_MAX) != 0)
        events->failed = true;
}

void mock_events_add(struct mock_events *events, const char *name, cJSON *tree)
{
    if (mock_json_print(tree, &events->event) != 0) {
        events->failed = true;
        return;
    }
    mock_json_reset();
    if (name) {
        mock_events_put(events, "event: ");
        mock_events_put(events, name);
        mock_events_put(events, "\n");
    }
    mock_events_put(events, "data: ");
    mock_events_put(events, events->event.data);
    mock_events_put(events, "\n\n");
}

void mock_events_reply(struct mock_events *events, struct mock_reply *reply)
{
    mock_buf_free(&events->event);
    if (events->failed) {
        mock_reply_json(reply, HTTP_STATUS_OK, NULL,
                        events->out); /* it says that memory is short */
        return;
    }
    reply->status = HTTP_STATUS_OK;
    reply->type = TYPE;
    reply->type_len = strlen(TYPE);
    reply->body = events->out->data;
    reply->len = events->out->len;
    reply->events = true;
}

size_t mock_word_len(const char *text)
{
    return 1 + strcspn(text + 1, " ");
}

struct stream {
    struct mock_chat chat;
    char model[MOCK_MODEL_MAX + 1]; /* the request is forgotten after each event */
    struct mock_events events;
    uint64_t tokens;
};

static cJSON *begin(const struct stream *stream)
{
    cJSON *piece = cJSON_CreateObject();

    mock_chat_head(piece, &stream->chat, "chat.completion.chunk");
    return piece;
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
    mock_events_add(&stream->events, NULL, piece);
}

/* A word at a time, each but the first with the space before it. */
static void say_words(struct stream *stream, int index, struct mock_buf *text)
{
    for (size_t at = 0; at < text->len && !stream->events.failed;) {
        size_t len = mock_word_len(text->data + at);
        char behind = text->data[at + len];

        text->data[at + len] = '\0';
        say(stream, index, NULL, text->data + at, NULL);
        text->data[at += len] = behind;
    }
}

static void say_choice(struct stream *stream, int index)
{
    struct mock_buf text = {0};
    bool whole = mock_chat_text(&stream->chat, index, &text);

    say(stream, index, "assistant", "", NULL);
    say_words(stream, index, &text);
    say(stream, index, NULL, NULL, whole ? "stop" : "length");
    stream->tokens += mock_answer_tokens(text.len);
    mock_buf_free(&text);
}

static void say_usage(struct stream *stream)
{
    cJSON *piece = begin(stream);

    mock_json_put(piece, "choices", cJSON_CreateArray());
    mock_chat_usage(piece, &stream->chat, stream->tokens);
    mock_events_add(&stream->events, NULL, piece);
}

void mock_chat_stream(const struct mock_chat *chat, struct mock_buf *out, struct mock_reply *reply)
{
    struct stream stream = {.chat = *chat, .events = {.out = out}};

    memcpy(stream.model, chat->model, strlen(chat->model) + 1);
    stream.chat.model = stream.model;
    out->len = 0;
    mock_json_reset();
    for (int i = 0; i < chat->choices && !stream.events.failed; i++)
        say_choice(&stream, i);
    if (chat->stream_usage)
        say_usage(&stream);
    mock_events_put(&stream.events, "data: [DONE]\n\n");
    mock_events_reply(&stream.events, reply);
}
