/* Chats, asked: the body that each API wants. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "provider/llm_api.h"
#include "json/path.h"

static const char answer_name[] = "answer";

/* A tree that is made without a check at each member. */
struct making {
    int rc; /* the first failure */
    char *why;
    size_t size;
};

__attribute__((format(printf, 3, 4))) static void fail(struct making *making, int rc,
                                                       const char *format, ...)
{
    va_list args;
    if (making->rc != 0)
        return;
    making->rc = rc;
    va_start(args, format);
    vsnprintf(making->why, making->size, format, args);
    va_end(args);
}

/* jansson does not say why it made none: malloc tells by errno. */
static json_t *made(struct making *making, json_t *value, const char *what)
{
    if (value == NULL && errno == ENOMEM)
        fail(making, WEIR_ENOMEM, "%s", weir_strerror(WEIR_ENOMEM));
    else if (value == NULL)
        fail(making, WEIR_EINVAL, "%s: missing, not UTF-8, or not a finite number", what);
    return value;
}

static void put(struct making *making, json_t *object, const char *key, json_t *value)
{
    if (made(making, value, key) != NULL && json_object_set_new(object, key, value) < 0)
        fail(making, WEIR_ENOMEM, "%s", weir_strerror(WEIR_ENOMEM));
}

static void add(struct making *making, json_t *array, json_t *value)
{
    if (made(making, value, "message") != NULL && json_array_append_new(array, value) < 0)
        fail(making, WEIR_ENOMEM, "%s", weir_strerror(WEIR_ENOMEM));
}

static json_t *string(const char *text)
{
    return text != NULL ? json_string(text) : NULL;
}

static json_t *message(struct making *making, const char *role, json_t *content)
{
    json_t *object = made(making, json_object(), "message");
    put(making, object, "role", string(role));
    put(making, object, "content", content);
    return object;
}

/* The text as a tree, which must be an object; NULL if it is none. */
static json_t *object_of(struct making *making, const char *what, const char *text)
{
    struct weir_json_error error;
    json_t *tree;
    int rc = weir_jansson_parse(text, strlen(text), &tree, &error);
    if (rc == WEIR_EJSON)
        fail(making, rc, "%s: %u:%u: %s", what, error.line, error.column, error.text);
    else if (rc < 0)
        fail(making, rc, "%s: %s", what, weir_strerror(rc));
    else if (!json_is_object(tree))
        fail(making, WEIR_EJSON, "%s: no JSON object", what);
    else
        return tree;
    json_decref(tree);
    return NULL;
}

/* ---- members ---- */

static void put_messages(struct making *making, json_t *body, const struct weir__llm_api *api,
                         const struct weir_llm_request *request, json_t *turns)
{
    json_t *messages = json_array(), *turn;
    size_t i;
    put(making, body, "messages", messages);
    if (making->rc != 0) /* `put` has freed it */
        return;
    if (request->system != NULL && api->system != NULL)
        put(making, body, api->system, string(request->system));
    else if (request->system != NULL)
        add(making, messages, message(making, "system", string(request->system)));
    if (request->messages == NULL && request->message_count > 0)
        fail(making, WEIR_EINVAL, "messages: NULL, but message_count is not 0");
    for (i = 0; i < request->message_count && making->rc == 0; i++)
        add(making, messages,
            message(making, request->messages[i].role, string(request->messages[i].content)));
    if (request->prompt != NULL)
        add(making, messages, message(making, "user", string(request->prompt)));
    json_array_foreach(turns, i, turn) add(making, messages, json_incref(turn));
}

static void put_numbers(struct making *making, json_t *body, const struct weir__llm_api *api,
                        const struct weir_llm_request *request)
{
    uint64_t bound = request->max_tokens;
    if (bound == 0 && api->bound_needed)
        bound = WEIR_LLM_MAX_TOKENS;
    if (bound > INT64_MAX)
        fail(making, WEIR_EINVAL, "max_tokens: out of range");
    if (bound > 0)
        put(making, body, api->max_tokens, json_integer((json_int_t)bound));
    if (request->temperature != 0)
        put(making, body, "temperature",
            json_real(request->temperature < 0 ? 0 : request->temperature));
    if (request->top_p != 0)
        put(making, body, "top_p", json_real(request->top_p));
}

static void put_stop(struct making *making, json_t *body, const struct weir__llm_api *api,
                     const char *const *stop)
{
    json_t *list = stop != NULL ? json_array() : NULL;
    if (stop == NULL)
        return;
    put(making, body, api->stop, list);
    for (; *stop != NULL && making->rc == 0; stop++)
        add(making, list, string(*stop));
}

static const char *name_of(struct making *making, const struct weir_llm_request *request)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    const char *name = request->schema_name != NULL ? request->schema_name : answer_name;
    size_t len = strlen(name);
    if (len == 0 || len > 64 || strspn(name, allowed) != len)
        fail(making, WEIR_EINVAL, "schema_name: letters, digits, _ and -, 64 at most");
    return name;
}

/* A tool that the model has to call, once: its input is the answer. */
static void put_tool(struct making *making, json_t *body, const char *name, json_t *schema)
{
    put(making, body, "tools",
        json_pack("[{s:s, s:s, s:o}]", "name", name, "description", "Takes the answer.",
                  "input_schema", schema));
    put(making, body, "tool_choice",
        json_pack("{s:s, s:s, s:b}", "type", "tool", "name", name, "disable_parallel_tool_use", 1));
}

static void put_format(struct making *making, json_t *body, const char *name, json_t *schema,
                       bool strict)
{
    put(making, body, "response_format",
        json_pack("{s:s, s:{s:s, s:o, s:b}}", "type", "json_schema", "json_schema", "name", name,
                  "schema", schema, "strict", strict));
}

static void put_schema(struct making *making, json_t *body, const struct weir__llm_api *api,
                       const struct weir_llm_request *request)
{
    if (request->schema == NULL)
        return;
    const char *name = name_of(making, request);
    json_t *schema = object_of(making, "schema", request->schema);
    if (schema == NULL)
        return;
    if (api->schema_is_tool)
        put_tool(making, body, name, schema);
    else
        put_format(making, body, name, schema, !request->loose);
}

static void put_stream(struct making *making, json_t *body, const struct weir__llm_api *api)
{
    put(making, body, "stream", json_true());
    if (api->usage_asked_for)
        put(making, body, "stream_options", json_pack("{s:b}", "include_usage", 1));
}

static void put_extra(struct making *making, json_t *body, const char *text)
{
    json_t *extra = text != NULL ? object_of(making, "extra", text) : NULL;
    if (extra != NULL && json_object_update(body, extra) < 0)
        fail(making, WEIR_ENOMEM, "%s", weir_strerror(WEIR_ENOMEM));
    json_decref(extra);
}

int weir__llm_body(const struct weir__llm_api *api, const struct weir_llm_request *request,
                   const char *model, json_t *turns, bool stream, json_t **body, char *why,
                   size_t size)
{
    struct making making = {.why = why, .size = size};
    errno = 0;
    json_t *tree = made(&making, json_object(), "body");
    put(&making, tree, "model", string(model));
    put_messages(&making, tree, api, request, turns);
    put_numbers(&making, tree, api, request);
    put_stop(&making, tree, api, request->stop);
    put_schema(&making, tree, api, request);
    if (stream)
        put_stream(&making, tree, api);
    put_extra(&making, tree, request->extra);
    if (json_array_size(json_object_get(tree, "messages")) == 0)
        fail(&making, WEIR_EINVAL, "messages: there is none");
    if (making.rc < 0) {
        json_decref(tree);
        tree = NULL;
    }
    *body = tree;
    return making.rc;
}

/* ---- once more ---- */

static const char *call_id(json_t *answer)
{
    const char *id = NULL;
    json_t *part;
    size_t i;
    json_array_foreach(json_object_get(answer, "content"), i, part)
    {
        if (json_is_object(json_object_get(part, "input")) && id == NULL)
            id = json_string_value(json_object_get(part, "id"));
    }
    return id;
}

/* What stands in the reason may come from the answer and be cut off within a character. */
static void make_utf8(char *text)
{
    json_t *probe = json_string(text);
    for (; probe == NULL && *text != '\0'; text++)
        *text = (unsigned char)*text < 0x80 ? *text : '?';
    json_decref(probe);
}

int weir__llm_ask_again(const struct weir__llm_api *api, json_t *answer, const char *text,
                        size_t len, const char *why, json_t *turns)
{
    char ignored[64], again[WEIR_LLM_ERROR_MAX + 160];
    struct making making = {.why = ignored, .size = sizeof ignored};
    const char *call = api->schema_is_tool ? call_id(answer) : NULL;
    snprintf(again, sizeof again,
             "That answer is not valid: %s. Answer again, in full, with what is wrong mended and "
             "nothing but the JSON.",
             why);
    make_utf8(again);
    errno = 0;
    if (call != NULL) {
        json_t *content = json_incref(json_object_get(answer, "content"));
        add(&making, turns, message(&making, "assistant", content));
        add(&making, turns,
            message(&making, "user",
                    json_pack("[{s:s, s:s, s:b, s:s}]", "type", "tool_result", "tool_use_id", call,
                              "is_error", 1, "content", again)));
        return making.rc;
    }
    if (len > 0) /* an empty message would be refused */
        add(&making, turns, message(&making, "assistant", json_stringn(text, len)));
    add(&making, turns, message(&making, "user", string(again)));
    return making.rc;
}
