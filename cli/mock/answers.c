#include "mock/answers.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "mock/chance.h"
#include "mock/chat.h"
#include "mock/schema.h"
#include "mock/text.h"
#include "mock/words.h"

#define CREATED    1700000000 /* a constant, for answers are the same in every run */
#define CHOICE_MAX 128        /* OpenAI's own maximum for `n` */

static const char *const models[] = {"gpt-4o", "gpt-4o-mini", "text-embedding-3-large",
                                     "text-embedding-3-small"};

void mock_answer_refuse(struct mock_reply *reply, struct mock_buf *out, const char *param,
                        const char *code, const char *message)
{
    mock_reply_error(reply, out,
                     &(struct mock_error){HTTP_STATUS_BAD_REQUEST, "invalid_request_error", param,
                                          code},
                     "%s", message);
}

static void refuse_json(struct mock_reply *reply, struct mock_buf *out, size_t at)
{
    struct mock_error error = {HTTP_STATUS_BAD_REQUEST, "invalid_request_error", NULL,
                               "invalid_json"};

    if (mock_json_failed()) {
        error.status = HTTP_STATUS_PAYLOAD_TOO_LARGE;
        error.code = "too_many_values";
        mock_reply_error(reply, out, &error, "The request body holds too many JSON values.");
    } else {
        mock_reply_error(reply, out, &error,
                         "We could not parse the JSON body of your request: trouble at byte %zu.",
                         at);
    }
}

const char *mock_answer_model(const cJSON *body)
{
    const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(body, "model"));
    size_t len = 0;

    if (!name)
        return NULL;
    while (len <= MOCK_MODEL_MAX && name[len] > ' ' && name[len] < 0x7f)
        len++;
    return len > 0 && len <= MOCK_MODEL_MAX && name[len] == '\0' ? name : NULL;
}

cJSON *mock_answer_parse(const struct mock_request *req, struct mock_buf *out,
                         struct mock_reply *reply)
{
    size_t at;
    cJSON *body = mock_json_parse(&req->body, &at);

    if (!body)
        refuse_json(reply, out, at);
    else if (!cJSON_IsObject(body))
        mock_answer_refuse(reply, out, NULL, NULL, "The request body must be a JSON object.");
    else if (!cJSON_GetObjectItemCaseSensitive(body, "model"))
        mock_answer_refuse(reply, out, "model", "missing_required_parameter",
                           "you must provide a model parameter");
    else if (!mock_answer_model(body))
        mock_answer_refuse(reply, out, "model", "invalid_value",
                           "Invalid 'model': expected 1 to 128 printable ASCII characters.");
    else
        return body;
    return NULL;
}

int mock_answer_number(const cJSON *body, const char *key, int max, int *value,
                       struct mock_buf *out, struct mock_reply *reply)
{
    const cJSON *number = cJSON_GetObjectItemCaseSensitive(body, key);
    char message[128];

    if (!number || cJSON_IsNull(number))
        return 0;
    if (cJSON_IsNumber(number) && number->valuedouble >= 1 && number->valuedouble <= max &&
        floor(number->valuedouble) == number->valuedouble) {
        *value = (int)number->valuedouble;
        return 0;
    }
    snprintf(message, sizeof(message), "Invalid '%s': expected a whole number from 1 to %d.", key,
             max);
    mock_answer_refuse(reply, out, key, "invalid_value", message);
    return -1;
}

uint64_t mock_answer_tokens(uint64_t characters)
{
    return characters ? (characters + 3) / 4 : 1;
}

uint64_t mock_answer_characters(const char *text)
{
    uint64_t count = 0;

    for (; *text; text++)
        count += (*text & 0xc0) != 0x80; /* all but UTF-8's continuation bytes */
    return count;
}

/* Adds what a message says to *characters. 0, or -1 when it is not a message. */
static int read_message(const cJSON *message, uint64_t *characters)
{
    const cJSON *content = cJSON_GetObjectItemCaseSensitive(message, "content");
    const cJSON *part;

    if (!cJSON_IsString(cJSON_GetObjectItemCaseSensitive(message, "role")))
        return -1;
    if (cJSON_IsString(content)) {
        *characters += mock_answer_characters(content->valuestring);
        return 0;
    }
    if (content && !cJSON_IsArray(content) && !cJSON_IsNull(content))
        return -1;
    cJSON_ArrayForEach(part, content)
    {
        const cJSON *text = cJSON_GetObjectItemCaseSensitive(part, "text");

        if (cJSON_IsString(text))
            *characters += mock_answer_characters(text->valuestring);
    }
    return 0;
}

static int read_messages(struct mock_chat *chat, const cJSON *body, struct mock_buf *out,
                         struct mock_reply *reply)
{
    const cJSON *messages = cJSON_GetObjectItemCaseSensitive(body, "messages");
    const cJSON *message;
    uint64_t characters = 0;

    if (!messages) {
        mock_answer_refuse(reply, out, "messages", "missing_required_parameter",
                           "Missing required parameter: 'messages'.");
        return -1;
    }
    if (!cJSON_IsArray(messages) || !messages->child) {
        mock_answer_refuse(reply, out, "messages", "invalid_type",
                           "Invalid 'messages': expected an array of at least one message.");
        return -1;
    }
    cJSON_ArrayForEach(message, messages)
    {
        if (read_message(message, &characters) == 0)
            continue;
        mock_answer_refuse(reply, out, "messages", "invalid_value",
                           "Invalid 'messages': each message must be an object with a role and "
                           "a content that is a text, an array of parts or null.");
        return -1;
    }
    chat->prompt_tokens = mock_answer_tokens(characters);
    return 0;
}

static int read_stream(struct mock_chat *chat, const cJSON *body, struct mock_buf *out,
                       struct mock_reply *reply)
{
    const cJSON *opts = cJSON_GetObjectItemCaseSensitive(body, "stream_options");

    chat->stream = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(body, "stream"));
    chat->stream_usage = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(opts, "include_usage"));
    if (chat->stream || !opts || cJSON_IsNull(opts))
        return 0;
    mock_answer_refuse(reply, out, "stream_options", "invalid_value",
                       "The 'stream_options' parameter is only allowed when 'stream' is enabled.");
    return -1;
}

int mock_chat_read(struct mock_chat *chat, const cJSON *body, struct mock_buf *out,
                   struct mock_reply *reply)
{
    chat->model = mock_answer_model(body);
    chat->choices = 1;
    chat->max_tokens = INT_MAX;
    if (read_messages(chat, body, out, reply) != 0)
        return -1;
    return mock_answer_number(body, "max_tokens", INT_MAX, &chat->max_tokens, out, reply);
}

void mock_chat_make_json(struct mock_chat *chat, const cJSON *schema,
                         const struct mock_reply *reply, bool cut)
{
    uint64_t choice = mock_mix(chat->hash);
    bool misfit = reply->fault == MOCK_FAULT_MISFIT;
    bool half = misfit && cut && choice % 3 == 0;

    if (mock_json_print(mock_schema_answer(schema, choice, misfit && !half), &chat->json) != 0)
        return;
    if (half)
        chat->json.data[chat->json.len /= 2] = '\0';
}

/* JSON in place of words, where it is asked for. */
static int read_format(struct mock_chat *chat, const cJSON *body, struct mock_buf *out,
                       struct mock_reply *reply)
{
    const cJSON *format = cJSON_GetObjectItemCaseSensitive(body, "response_format");
    const char *type = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(format, "type"));
    const cJSON *named = cJSON_GetObjectItemCaseSensitive(format, "json_schema");
    const cJSON *schema = cJSON_GetObjectItemCaseSensitive(named, "schema");

    if (!format || cJSON_IsNull(format) || (type && strcmp(type, "text") == 0))
        return 0;
    if (type && strcmp(type, "json_schema") == 0 && cJSON_IsObject(schema) &&
        cJSON_IsString(cJSON_GetObjectItemCaseSensitive(named, "name"))) {
        mock_chat_make_json(chat, schema, reply, true);
        return 0;
    }
    mock_answer_refuse(reply, out, "response_format", "invalid_value",
                       "Invalid 'response_format': expected text, or json_schema with a name and "
                       "a schema that is an object.");
    return -1;
}

static int read_chat(struct mock_chat *chat, const cJSON *body, struct mock_buf *out,
                     struct mock_reply *reply)
{
    if (mock_chat_read(chat, body, out, reply) != 0 || read_stream(chat, body, out, reply) != 0)
        return -1;
    if (mock_answer_number(body, "n", CHOICE_MAX, &chat->choices, out, reply) != 0 ||
        mock_answer_number(body, "max_completion_tokens", INT_MAX, &chat->max_tokens, out, reply) !=
            0)
        return -1;
    return read_format(chat, body, out, reply);
}

static void say(struct mock_buf *text, const char *from, size_t len)
{
    text->len = 0;
    mock_buf_append(text, from, len, MOCK_BODY_MAX);
}

bool mock_chat_text(const struct mock_chat *chat, int index, struct mock_buf *text)
{
    size_t max = (size_t)chat->max_tokens * 4;
    char words[MOCK_WORDS_MAX];
    bool whole;

    if (chat->json.len > 0) {
        whole = chat->json.len <= max;
        say(text, chat->json.data, whole ? chat->json.len : max);
        return whole;
    }
    whole = mock_words_write(words, max, mock_mix(chat->hash + (uint64_t)index));
    say(text, words, strlen(words));
    return whole;
}

/* Returns the tokens of the choice. */
static uint64_t add_choice(cJSON *choices, const struct mock_chat *chat, int index)
{
    struct mock_buf text = {0};
    bool whole = mock_chat_text(chat, index, &text);
    cJSON *choice = cJSON_CreateObject();
    cJSON *message;
    uint64_t tokens = mock_answer_tokens(text.len);

    mock_json_put_int(choice, "index", (uint64_t)index);
    message = mock_json_put(choice, "message", cJSON_CreateObject());
    mock_json_put_str(message, "role", "assistant");
    mock_json_put_str(message, "content", text.data ? text.data : "");
    mock_json_put_null(message, "refusal");
    mock_json_put_null(choice, "logprobs");
    mock_json_put_str(choice, "finish_reason", whole ? "stop" : "length");
    mock_json_add(choices, choice);
    mock_buf_free(&text);
    return tokens;
}

void mock_chat_id(cJSON *answer, const char *prefix, uint64_t hash)
{
    char id[64];
    struct mock_text text = mock_text_over(id, sizeof(id));

    mock_text_str(&text, prefix);
    mock_text_hex(&text, hash);
    mock_text_hex(&text, mock_mix(hash));
    mock_text_end(&text);
    mock_json_put_str(answer, "id", id);
}

void mock_chat_head(cJSON *answer, const struct mock_chat *chat, const char *object)
{
    mock_chat_id(answer, "chatcmpl-", chat->hash);
    mock_json_put_str(answer, "object", object);
    mock_json_put_int(answer, "created", CREATED);
    mock_json_put_str(answer, "model", chat->model);
}

void mock_chat_usage(cJSON *answer, const struct mock_chat *chat, uint64_t tokens)
{
    cJSON *usage = mock_json_put(answer, "usage", cJSON_CreateObject());

    mock_json_put_int(usage, "prompt_tokens", chat->prompt_tokens);
    mock_json_put_int(usage, "completion_tokens", tokens);
    mock_json_put_int(usage, "total_tokens", chat->prompt_tokens + tokens);
}

static cJSON *chat_answer(const struct mock_chat *chat)
{
    cJSON *answer = cJSON_CreateObject();
    cJSON *choices;
    uint64_t tokens = 0;

    mock_chat_head(answer, chat, "chat.completion");
    choices = mock_json_put(answer, "choices", cJSON_CreateArray());
    for (int i = 0; i < chat->choices; i++)
        tokens += add_choice(choices, chat, i);
    mock_chat_usage(answer, chat, tokens);
    mock_json_put_str(answer, "system_fingerprint", "fp_weir_mock");
    return answer;
}

void mock_answer_chat(const struct mock_request *req, struct mock_buf *out,
                      struct mock_reply *reply)
{
    cJSON *body = mock_answer_parse(req, out, reply);
    struct mock_chat chat = {0};

    chat.hash = mock_hash(req->body.data, req->body.len, 0);
    if (body && read_chat(&chat, body, out, reply) == 0) {
        if (chat.stream)
            mock_chat_stream(&chat, out, reply);
        else
            mock_reply_json(reply, HTTP_STATUS_OK, chat_answer(&chat), out);
    }
    mock_buf_free(&chat.json);
}

static cJSON *model_object(const char *id)
{
    cJSON *model = cJSON_CreateObject();

    mock_json_put_str(model, "id", id);
    mock_json_put_str(model, "object", "model");
    mock_json_put_int(model, "created", CREATED);
    mock_json_put_str(model, "owned_by", "weir");
    return model;
}

static cJSON *model_list(void)
{
    cJSON *list = cJSON_CreateObject();
    cJSON *data;

    mock_json_put_str(list, "object", "list");
    data = mock_json_put(list, "data", cJSON_CreateArray());
    for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++)
        mock_json_add(data, model_object(models[i]));
    return list;
}

void mock_answer_models(const struct mock_request *req, struct mock_buf *out,
                        struct mock_reply *reply)
{
    static const struct mock_error unknown = {HTTP_STATUS_NOT_FOUND, "invalid_request_error",
                                              "model", "model_not_found"};
    const char *id = req->path + strlen("/v1/models");

    if (*id == '\0') {
        mock_reply_json(reply, HTTP_STATUS_OK, model_list(), out);
        return;
    }
    id++;
    for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++) {
        if (strcmp(models[i], id) == 0) {
            mock_reply_json(reply, HTTP_STATUS_OK, model_object(id), out);
            return;
        }
    }
    mock_reply_error(reply, out, &unknown, "The model '%s' does not exist.", id);
}

void mock_answer_echo(const struct mock_request *req, struct mock_buf *out,
                      struct mock_reply *reply)
{
    (void)out;
    reply->status = HTTP_STATUS_OK;
    reply->type = req->type;
    reply->type_len = req->type_len;
    reply->body = req->body.len ? req->body.data : "";
    reply->len = req->body.len;
}
