#include "provider/llm.h"

#include <string.h>

#include "http/redact.h"
#include "provider/error.h"
#include "provider/llm_api.h"
#include "json/path.h"

#define CHAT_COMPLETIONS                                                                           \
    .stop = "stop", .usage_asked_for = true, .needed = "choices.0.message",                        \
    .text = "choices.0.message.content", .json = "choices.0.message.content",                      \
    .parts = "choices.0.message.content.*.text", .refusal = "choices.0.message.refusal",           \
    .reason = "choices.0.finish_reason", .delta = "choices.*.delta", .index = "choices.0.index",   \
    .piece = "choices.0.delta.content", .json_piece = "choices.0.delta.content",                   \
    .parts_piece = "choices.0.delta.content.*.text", .refusal_piece = "choices.0.delta.refusal",   \
    .piece_reason = "choices.0.finish_reason", .last_data = "[DONE]"

static const struct weir__llm_api apis[] = {
    [WEIR_LLM_OPENAI] =
        {
            .server = {.base_url = "https://api.openai.com/v1",
                       .path = "/chat/completions",
                       .key_variable = "OPENAI_API_KEY",
                       .key_header = "Authorization: Bearer "},
            .max_tokens = "max_completion_tokens", /* its newest models refuse the older word, */
            CHAT_COMPLETIONS,
        },
    [WEIR_LLM_ANTHROPIC] =
        {
            .server = {.base_url = "https://api.anthropic.com",
                       .path = "/v1/messages",
                       .key_variable = "ANTHROPIC_API_KEY",
                       .key_header = "x-api-key: ",
                       .version = "anthropic-version: 2023-06-01"},
            .max_tokens = "max_tokens",
            .stop = "stop_sequences",
            .system = "system",
            .bound_needed = true,
            .schema_is_tool = true,
            .needed = "content",
            .text = "content.*.text",
            .json = "content.*.input",
            .reason = "stop_reason",
            .delta = "delta",
            .piece = "delta.text",
            .json_piece = "delta.partial_json",
            .piece_reason = "delta.stop_reason",
            .last_type = "message_stop",
        },
    [WEIR_LLM_COMPATIBLE] =
        {
            .server = {.path = "/chat/completions", .key_header = "Authorization: Bearer "},
            .max_tokens = "max_tokens", /* which is the one that all others know */
            CHAT_COMPLETIONS,
        },
};

static const struct {
    const char *word;
    enum weir_llm_reason reason;
} reasons[] = {
    {"stop", WEIR_LLM_STOP}, /* OpenAI */
    {"length", WEIR_LLM_LENGTH},
    {"tool_calls", WEIR_LLM_TOOLS},
    {"function_call", WEIR_LLM_TOOLS},
    {"content_filter", WEIR_LLM_REFUSED},
    {"end_turn", WEIR_LLM_STOP}, /* Anthropic */
    {"stop_sequence", WEIR_LLM_STOP},
    {"max_tokens", WEIR_LLM_LENGTH},
    {"model_context_window_exceeded", WEIR_LLM_LENGTH},
    {"tool_use", WEIR_LLM_TOOLS},
    {"refusal", WEIR_LLM_REFUSED},
};

/* Where the usage stands, and its counts. Of `input` all are added up. The first row of which the
 * first input is there counts. */
static const char *const usages[] = {"usage", "message.usage"}; /* Anthropic's message_start */
static const struct {
    const char *input[3];
    const char *output, *cached;
} counts[] = {
    {{"prompt_tokens"}, "completion_tokens", "prompt_tokens_details.cached_tokens"},
    {{"input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"},
     "output_tokens",
     "cache_read_input_tokens"},
};

/* Errors, by precedence. */
static const char *const error_texts[] = {"error.message", "error", "message", "detail"};
static const char *const error_types[] = {"error.code", "error.type", "type", "code"};

const struct weir__llm_api *weir__llm_api(enum weir_llm_api api)
{
    return (size_t)api < sizeof apis / sizeof apis[0] ? &apis[api] : NULL;
}

const struct weir__llm_server *weir__llm_server(const struct weir__llm_api *api)
{
    return &api->server;
}

void weir__llm_heard_init(struct weir__llm_heard *heard, size_t max, bool json,
                          const struct weir__secrets *secrets)
{
    *heard = (struct weir__llm_heard){.secrets = secrets, .json = json, .usage = {-1, -1, -1}};
    weir__buf_init(&heard->text, max);
    weir__buf_init(&heard->refusal, max);
}

void weir__llm_heard_free(struct weir__llm_heard *heard)
{
    weir__buf_free(&heard->text);
    weir__buf_free(&heard->refusal);
}

/* ---- errors ---- */

void weir__llm_set_error(struct weir__llm_heard *heard, const char *text, size_t len)
{
    weir__redact(heard->error, sizeof heard->error, text, len, heard->secrets);
}

/* The first string at one of the paths. */
static const char *first_text(json_t *tree, const char *const *paths, size_t n, size_t *len)
{
    const char *text = NULL;
    for (size_t i = 0; i < n && text == NULL; i++)
        text = weir__json_text_at(tree, paths[i], len);
    return text;
}
#define FIRST_TEXT(tree, paths, len)                                                               \
    first_text((tree), (paths), sizeof(paths) / sizeof *(paths), len)

static void hear_error(json_t *tree, struct weir__llm_heard *heard)
{
    size_t len;
    const char *text = FIRST_TEXT(tree, error_texts, &len);
    if (text != NULL)
        weir__llm_set_error(heard, text, len);
    else
        weir__llm_set_error(heard, "an error without a text", 23);
    text = FIRST_TEXT(tree, error_types, &len);
    if (text != NULL)
        weir__redact(heard->error_type, sizeof heard->error_type, text, len, heard->secrets);
}

/* Servers behind gateways put errors into answers that look good. */
static bool is_error(json_t *tree)
{
    json_t *error = json_object_get(tree, "error");
    const char *object = json_string_value(json_object_get(tree, "object"));
    return json_is_object(error) || json_string_length(error) > 0 ||
           (object != NULL && strcmp(object, "error") == 0);
}

int weir__llm_hear_failure(const char *body, size_t len, struct weir__llm_heard *heard)
{
    json_t *tree = NULL;
    if (len <= WEIR__ERROR_BODY_MAX)
        weir__error_parse(body, len, &tree, NULL);
    if (json_is_object(tree))
        hear_error(tree, heard);
    else
        weir__llm_set_error(heard, body, len);
    json_decref(tree);
    return WEIR_EAPI;
}

/* ---- texts ---- */

struct taking {
    struct weir__buf *buf;
    int rc;
};

static int take_object(const json_t *object, struct weir__buf *buf)
{
    char *text;
    size_t len;
    int rc = weir_jansson_text(object, &text, &len);
    if (rc == 0)
        rc = weir__buf_add(buf, text, len);
    weir_json_text_free(text);
    return rc;
}

static bool take(json_t *value, void *arg)
{
    struct taking *taking = arg;
    if (json_is_string(value))
        taking->rc =
            weir__buf_add(taking->buf, json_string_value(value), json_string_length(value));
    else if (json_is_object(value))
        taking->rc = take_object(value, taking->buf);
    return taking->rc != 0;
}

/* Appends what stands at the path, which may be NULL. */
static int take_all(json_t *tree, const char *path, struct weir__buf *buf)
{
    struct taking taking = {.buf = buf};
    if (path != NULL)
        weir__json_each_at(tree, path, take, &taking);
    return taking.rc == WEIR_ENEVER ? WEIR_EBODYSIZE : taking.rc;
}

static int hear_refusal(json_t *tree, const char *path, struct weir__llm_heard *heard)
{
    size_t len = 0;
    if (path == NULL || weir__json_text_at(tree, path, &len) == NULL || len == 0)
        return 0;
    heard->refused = true;
    return take_all(tree, path, &heard->refusal);
}

/* A tool that stands for the answer's format is nobody's call. */
static enum weir_llm_reason reason_of(const char *word, const struct weir__llm_heard *heard)
{
    enum weir_llm_reason reason = WEIR_LLM_OTHER;
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (strcmp(reasons[i].word, word) == 0)
            reason = reasons[i].reason;
    }
    return reason == WEIR_LLM_TOOLS && heard->json && heard->text.len > 0 ? WEIR_LLM_STOP : reason;
}

static void hear_reason(json_t *tree, const char *path, struct weir__llm_heard *heard)
{
    size_t len;
    const char *word = weir__json_text_at(tree, path, &len);
    if (word == NULL || len == 0) /* gateways write each field that they know of, null or not */
        return;
    weir__redact(heard->reason_text, sizeof heard->reason_text, word, len, heard->secrets);
    heard->reason = reason_of(word, heard);
    heard->refused |= heard->reason == WEIR_LLM_REFUSED;
}

/* ---- usage ---- */

#define COUNT_LIMIT INT64_C(1000000000000000)

/* -1: none is there. */
static int64_t count_at(json_t *usage, const char *path)
{
    json_t *count = weir__json_at(usage, path);
    json_int_t value = json_is_integer(count) ? json_integer_value(count) : -1;
    return value >= 0 && value < COUNT_LIMIT ? value : -1;
}

static int64_t input_of(json_t *usage, const char *const paths[3])
{
    int64_t sum = count_at(usage, paths[0]);
    for (int i = 1; i < 3 && sum >= 0 && paths[i] != NULL; i++) {
        int64_t count = count_at(usage, paths[i]);
        sum += count > 0 ? count : 0;
    }
    return sum;
}

/* Events repeat counts as they grow, and may leave out those that do not. */
static void renew(int64_t *known, int64_t now)
{
    if (now >= 0)
        *known = now;
}

static void hear_usage(json_t *tree, struct weir__llm_heard *heard)
{
    json_t *usage = NULL;
    for (size_t i = 0; i < sizeof usages / sizeof usages[0] && usage == NULL; i++)
        usage = weir__json_at(tree, usages[i]);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        renew(&heard->usage.input, input_of(usage, counts[i].input));
        renew(&heard->usage.output, count_at(usage, counts[i].output));
        renew(&heard->usage.cached, count_at(usage, counts[i].cached));
        if (count_at(usage, counts[i].input[0]) >= 0)
            return;
    }
}

/* ---- answers ---- */

static int misses(struct weir__llm_heard *heard, const char *what)
{
    static const char beginning[] = "the API's answer has no ";
    char text[sizeof beginning + 40];
    size_t len = strlen(what) < 40 ? strlen(what) : 40;
    memcpy(text, beginning, sizeof beginning - 1);
    memcpy(text + sizeof beginning - 1, what, len);
    weir__llm_set_error(heard, text, sizeof beginning - 1 + len);
    return WEIR_ESHAPE;
}

static bool is_text(json_t *value, void *arg)
{
    (void)arg;
    return json_is_string(value);
}

/* Parts of kinds that are not known are no empty text, unless something else says what they are. */
static bool lacks_text(const struct weir__llm_api *api, json_t *body,
                       const struct weir__llm_heard *heard)
{
    bool explained =
        heard->refused || heard->reason == WEIR_LLM_TOOLS || heard->reason == WEIR_LLM_LENGTH;
    return api->parts != NULL && !explained && json_is_array(weir__json_at(body, api->text)) &&
           !weir__json_each_at(body, api->parts, is_text, NULL);
}

int weir__llm_hear_answer(const struct weir__llm_api *api, json_t *body,
                          struct weir__llm_heard *heard)
{
    json_t *needed = weir__json_at(body, api->needed);
    if (is_error(body)) {
        hear_error(body, heard);
        return WEIR_EAPI;
    }
    if (!json_is_object(needed) && !json_is_array(needed))
        return misses(heard, api->needed);
    int rc = take_all(body, heard->json ? api->json : api->text, &heard->text);
    if (rc == 0 && heard->text.len == 0 && heard->json)
        rc = take_all(body, api->text, &heard->text); /* it was told to, and did not */
    if (rc == 0)
        rc = take_all(body, api->parts, &heard->text);
    if (rc == 0)
        rc = hear_refusal(body, api->refusal, heard);
    hear_reason(body, api->reason, heard);
    hear_usage(body, heard);
    return rc == 0 && lacks_text(api, body, heard) ? misses(heard, api->parts) : rc;
}

static int hear_piece(const struct weir__llm_api *api, json_t *tree, struct weir__llm_heard *heard)
{
    const char *type = json_string_value(json_object_get(tree, "type"));
    if (is_error(tree)) {
        hear_error(tree, heard);
        return WEIR_EAPI;
    }
    hear_usage(tree, heard);
    heard->complete |= api->last_type != NULL && type != NULL && strcmp(type, api->last_type) == 0;
    if (api->index != NULL && json_integer_value(weir__json_at(tree, api->index)) != 0)
        return 0;
    int rc = take_all(tree, heard->json ? api->json_piece : api->piece, &heard->text);
    if (rc == 0)
        rc = take_all(tree, api->parts_piece, &heard->text);
    if (rc == 0)
        rc = hear_refusal(tree, api->refusal_piece, heard);
    hear_reason(tree, api->piece_reason, heard);
    return rc;
}

static bool is_last(const struct weir__llm_api *api, const char *data)
{
    return api->last_data != NULL && strncmp(data, api->last_data, strlen(api->last_data)) == 0;
}

static bool is_named_error(const struct weir_sse_event *event)
{
    return strcmp(event->event, "error") == 0;
}

int weir__llm_hear_event(const struct weir__llm_api *api, const struct weir_sse_event *event,
                         struct weir__llm_heard *heard)
{
    struct weir_json_error error;
    json_t *tree;
    if (is_named_error(event))
        return weir__llm_hear_failure(event->data, event->data_len, heard);
    if (is_last(api, event->data)) {
        heard->complete = true;
        return 0;
    }
    int rc = weir__error_parse(event->data, event->data_len, &tree, &error);
    if (rc == WEIR_EJSON)
        weir__llm_set_error(heard, error.text, strlen(error.text));
    if (rc < 0)
        return rc;
    rc = json_is_object(tree) ? hear_piece(api, tree, heard) : misses(heard, "object");
    json_decref(tree);
    return rc;
}

/* ---- beginnings ---- */

/* Of a delta: whether it says more than who speaks and of what kind it is. Thoughts and calls of
 * tools count as much as text: they have been paid for. */
static bool has_content(json_t *delta, void *arg)
{
    const char *key;
    json_t *value;
    (void)arg;
    json_object_foreach(delta, key, value)
    {
        bool label = strcmp(key, "role") == 0 || strcmp(key, "type") == 0;
        if (!label && (json_string_length(value) > 0 || json_array_size(value) > 0 ||
                       json_object_size(value) > 0))
            return true;
    }
    return false;
}

/* Whether the model has said something, or is done. */
static bool begins_with(const struct weir__llm_api *api, json_t *tree)
{
    size_t len;
    const char *type = json_string_value(json_object_get(tree, "type"));
    if (api->last_type != NULL && type != NULL && strcmp(type, api->last_type) == 0)
        return true;
    return weir__json_each_at(tree, api->delta, has_content, NULL) ||
           (weir__json_text_at(tree, api->piece_reason, &len) != NULL && len > 0) ||
           json_is_object(json_object_get(tree, "usage"));
}

int weir__llm_begins(const struct weir__llm_api *api, const struct weir_sse_event *event)
{
    json_t *tree;
    int beginning = WEIR_NOT_BEGUN;
    if (is_named_error(event))
        return WEIR_BEGUN_BADLY;
    if (is_last(api, event->data))
        return WEIR_BEGUN;
    int rc = weir__error_parse(event->data, event->data_len, &tree, NULL);
    if (rc < 0)
        return rc == WEIR_ENOMEM ? rc : WEIR_BEGUN; /* it will be heard, and is an error then */
    if (is_error(tree))
        beginning = WEIR_BEGUN_BADLY;
    else if (!json_is_object(tree) || begins_with(api, tree))
        beginning = WEIR_BEGUN;
    json_decref(tree);
    return beginning;
}
