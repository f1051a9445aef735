/*
 * The chat endpoint of Anthropic's API: POST /v1/messages.
 */
#include <limits.h>
#include <string.h>

#include "mock/answers.h"
#include "mock/chance.h"
#include "mock/chat.h"

#define TOOL_MAX 64 /* bytes of a tool's name */

struct messages {
    struct mock_chat chat;
    char model[MOCK_MODEL_MAX + 1]; /* the request is forgotten with the first event */
    char tool[TOOL_MAX + 1];        /* the one to be called; "": none */
    struct mock_buf text;
    bool whole;
    struct mock_events events;
};

static const cJSON *get(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

static int refuse(struct mock_buf *out, struct mock_reply *reply, const char *message)
{
    mock_answer_refuse(reply, out, NULL, NULL, message);
    return -1;
}

static int read_roles(const cJSON *body, struct mock_buf *out, struct mock_reply *reply)
{
    const cJSON *message;

    cJSON_ArrayForEach(message, get(body, "messages"))
    {
        const char *role = cJSON_GetStringValue(get(message, "role"));

        if (!role || (strcmp(role, "user") != 0 && strcmp(role, "assistant") != 0))
            return refuse(out, reply,
                          "messages: unexpected role; use the top-level `system` "
                          "parameter for a system prompt");
    }
    return 0;
}

/* The tool that must be called, by its name; NULL: none. */
static const cJSON *chosen_tool(const cJSON *body)
{
    const cJSON *choice = get(body, "tool_choice");
    const char *type = cJSON_GetStringValue(get(choice, "type"));
    const char *name = cJSON_GetStringValue(get(choice, "name"));
    const cJSON *tool;

    cJSON_ArrayForEach(tool, get(body, "tools"))
    {
        const char *own = cJSON_GetStringValue(get(tool, "name"));

        if (type && own && (strcmp(type, "any") == 0 || (name && strcmp(name, own) == 0)))
            return tool;
    }
    return NULL;
}

static int read_tool(struct messages *messages, const cJSON *body, struct mock_buf *out,
                     struct mock_reply *reply)
{
    const char *type = cJSON_GetStringValue(get(get(body, "tool_choice"), "type"));
    const cJSON *tool = chosen_tool(body);
    const char *name = cJSON_GetStringValue(get(tool, "name"));

    if (!tool && type && strcmp(type, "tool") == 0)
        return refuse(out, reply, "tool_choice: the tool was not found in `tools`");
    if (!tool)
        return 0;
    if (!cJSON_IsObject(get(tool, "input_schema")) || strlen(name) == 0 || strlen(name) > TOOL_MAX)
        return refuse(out, reply, "tools.0: a name and an input_schema are required");
    memcpy(messages->tool, name, strlen(name) + 1);
    mock_chat_make_json(&messages->chat, get(tool, "input_schema"), reply, false);
    return 0;
}

static int read_body(struct messages *messages, const cJSON *body, struct mock_buf *out,
                     struct mock_reply *reply)
{
    if (!get(body, "max_tokens"))
        return refuse(out, reply, "max_tokens: Field required");
    if (mock_chat_read(&messages->chat, body, out, reply) != 0 ||
        read_roles(body, out, reply) != 0 || read_tool(messages, body, out, reply) != 0)
        return -1;
    messages->chat.stream = cJSON_IsTrue(get(body, "stream"));
    memcpy(messages->model, messages->chat.model, strlen(messages->chat.model) + 1);
    messages->chat.model = messages->model;
    messages->whole = mock_chat_text(&messages->chat, 0, &messages->text);
    return messages->text.data ? 0 : refuse(out, reply, "out of memory");
}

/* ---- answers ---- */

static const char *stop_reason(const struct messages *messages)
{
    if (!messages->whole)
        return "max_tokens";
    return messages->tool[0] ? "tool_use" : "end_turn";
}

static void put_usage(cJSON *object, const struct messages *messages, uint64_t tokens)
{
    cJSON *usage = mock_json_put(object, "usage", cJSON_CreateObject());

    mock_json_put_int(usage, "input_tokens", messages->chat.prompt_tokens);
    mock_json_put_int(usage, "cache_creation_input_tokens", 0);
    mock_json_put_int(usage, "cache_read_input_tokens", 0);
    mock_json_put_int(usage, "output_tokens", tokens);
}

/* With a text, or an input, of its own; NULL: an empty one. */
static cJSON *block(const struct messages *messages, const char *content)
{
    cJSON *part = cJSON_CreateObject();

    if (messages->tool[0]) {
        mock_json_put_str(part, "type", "tool_use");
        mock_chat_id(part, "toolu_", messages->chat.hash);
        mock_json_put_str(part, "name", messages->tool);
        mock_json_put(part, "input", cJSON_CreateRaw(content ? content : "{}"));
    } else {
        mock_json_put_str(part, "type", "text");
        mock_json_put_str(part, "text", content ? content : "");
    }
    return part;
}

/* reason NULL: it only begins. */
static cJSON *message(const struct messages *messages, const char *reason, uint64_t tokens)
{
    cJSON *object = cJSON_CreateObject();
    cJSON *content;

    mock_chat_id(object, "msg_", messages->chat.hash);
    mock_json_put_str(object, "type", "message");
    mock_json_put_str(object, "role", "assistant");
    mock_json_put_str(object, "model", messages->chat.model);
    content = mock_json_put(object, "content", cJSON_CreateArray());
    if (reason) {
        bool broken = messages->tool[0] && !messages->whole; /* an input that is cut is none */

        mock_json_add(content, block(messages, broken ? NULL : messages->text.data));
        mock_json_put_str(object, "stop_reason", reason);
    } else {
        mock_json_put_null(object, "stop_reason");
    }
    mock_json_put_null(object, "stop_sequence");
    put_usage(object, messages, tokens);
    return object;
}

/* ---- as a stream ---- */

static cJSON *event(const char *type, bool of_block)
{
    cJSON *data = cJSON_CreateObject();

    mock_json_put_str(data, "type", type);
    if (of_block)
        mock_json_put_int(data, "index", 0);
    return data;
}

static void say(struct messages *messages, const char *text)
{
    cJSON *data = event("content_block_delta", true);
    cJSON *delta = mock_json_put(data, "delta", cJSON_CreateObject());
    bool tool = messages->tool[0] != '\0';

    mock_json_put_str(delta, "type", tool ? "input_json_delta" : "text_delta");
    mock_json_put_str(delta, tool ? "partial_json" : "text", text);
    mock_events_add(&messages->events, "content_block_delta", data);
}

static void say_words(struct messages *messages)
{
    char *at = messages->text.data;

    while (*at && !messages->events.failed) {
        size_t len = mock_word_len(at);
        char behind = at[len];

        at[len] = '\0';
        say(messages, at);
        at[len] = behind;
        at += len;
    }
}

static void begin(struct messages *messages)
{
    cJSON *data = event("message_start", false);

    mock_json_put(data, "message", message(messages, NULL, 1));
    mock_events_add(&messages->events, "message_start", data);
    data = event("content_block_start", true);
    mock_json_put(data, "content_block", block(messages, NULL));
    mock_events_add(&messages->events, "content_block_start", data);
    mock_events_add(&messages->events, "ping", event("ping", false));
}

static void end(struct messages *messages, uint64_t tokens)
{
    cJSON *data;
    cJSON *part;

    mock_events_add(&messages->events, "content_block_stop", event("content_block_stop", true));
    data = event("message_delta", false);
    part = mock_json_put(data, "delta", cJSON_CreateObject());
    mock_json_put_str(part, "stop_reason", stop_reason(messages));
    mock_json_put_null(part, "stop_sequence");
    part = mock_json_put(data, "usage", cJSON_CreateObject());
    mock_json_put_int(part, "output_tokens", tokens);
    mock_events_add(&messages->events, "message_delta", data);
    mock_events_add(&messages->events, "message_stop", event("message_stop", false));
}

void mock_answer_messages(const struct mock_request *req, struct mock_buf *out,
                          struct mock_reply *reply)
{
    cJSON *body = mock_answer_parse(req, out, reply);
    struct messages messages = {.events = {.out = out}};
    uint64_t tokens;

    messages.chat.hash = mock_hash(req->body.data, req->body.len, 0);
    if (body && read_body(&messages, body, out, reply) == 0) {
        tokens = mock_answer_tokens(messages.text.len);
        if (messages.chat.stream) {
            out->len = 0;
            mock_json_reset();
            begin(&messages);
            say_words(&messages);
            end(&messages, tokens);
            mock_events_reply(&messages.events, reply);
        } else {
            mock_reply_json(reply, HTTP_STATUS_OK,
                            message(&messages, stop_reason(&messages), tokens), out);
        }
    }
    mock_buf_free(&messages.chat.json);
    mock_buf_free(&messages.text);
}
