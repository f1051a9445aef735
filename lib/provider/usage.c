#include "provider/provider.h"

#include <weir/jansson.h>

#include "http/response.h"
#include "json/scan.h"

#define USAGE_MAX  ((size_t)8 << 10) /* bytes of the object that tells it */
#define USED_LIMIT INT64_C(1000000000000000)

/* Where the answer's top level tells the tokens, and which fields of that object sum up to them,
 * NULL behind the last. The first row of which the first field is there counts. */
#define FIELDS_MAX 3
static const struct row {
    const char *object;
    const char *fields[FIELDS_MAX];
} rows[] = {
    {"usage", {"total_tokens"}},
    /* Anthropic: what was read from its cache does not count, what was written to it does */
    {"usage", {"input_tokens", "output_tokens", "cache_creation_input_tokens"}},
    {"usage", {"prompt_tokens", "completion_tokens"}},
    {"usageMetadata", {"promptTokenCount"}}, /* Gemini: its limit is on input alone */
};

static const char *skip_white(const char *at, const char *end)
{
    while (at < end && strchr(" \t\r\n", *at) != NULL && *at != '\0')
        at++;
    return at;
}

/* Behind the bracket that closes what the one at `at` opens; end if none does. */
static const char *behind_object(const char *at, const char *end)
{
    size_t depth = 0;
    while (at < end) {
        char c = *at++;
        if (c == '"')
            at = weir__json_skip_string(at, end);
        else if (c == '{' || c == '[')
            depth++;
        else if ((c == '}' || c == ']') && --depth == 0)
            return at;
    }
    return end;
}

/* From `at`, outside strings, on to the end there is one closing bracket too many: `at` lies at the
 * text's top level. */
static bool at_top(const char *at, const char *end)
{
    size_t depth = 1;
    while (at < end) {
        char c = *at++;
        if (c == '"')
            at = weir__json_skip_string(at, end);
        else if (c == '{' || c == '[')
            depth++;
        else if ((c == '}' || c == ']') && --depth == 0)
            return skip_white(at, end) == end;
    }
    return false;
}

/* The object behind the key, which stands at `at` with its quotes; NULL: no object of the top level
 * is there. A quoted key inside a string has backslashes before its quotes, so it is never found.
 */
static const char *object_of(const char *at, size_t key_len, const char *end, const char **behind)
{
    at = skip_white(at + key_len, end);
    if (at == end || *at != ':')
        return NULL;
    at = skip_white(at + 1, end);
    if (at == end || *at != '{')
        return NULL;
    *behind = behind_object(at, end);
    return (size_t)(*behind - at) <= USAGE_MAX && at_top(*behind, end) ? at : NULL;
}

/* The tree of the top level's object of that name, or NULL. Found without reading what stands
 * before it, which may be long. At most four of the name are looked at, for each may be followed by
 * much. */
static json_t *object_named(const char *text, size_t len, const char *name)
{
    char key[24];
    size_t name_len = strlen(name), key_len = name_len + 2;
    const char *end = text + len, *from = text, *at, *behind;
    json_t *tree;
    key[0] = key[key_len - 1] = '"';
    memcpy(key + 1, name, name_len);
    for (int tries = 0; tries < 4; tries++, from = at + key_len) {
        at = memmem(from, (size_t)(end - from), key, key_len);
        if (at == NULL)
            return NULL;
        const char *object = object_of(at, key_len, end, &behind);
        if (object != NULL)
            return weir_jansson_parse(object, (size_t)(behind - object), &tree, NULL) == 0 ? tree
                                                                                           : NULL;
    }
    return NULL;
}

static int64_t sum_of(const json_t *usage, const struct row *row)
{
    int64_t sum = 0;
    if (!json_is_integer(json_object_get(usage, row->fields[0])))
        return -1;
    for (int i = 0; i < FIELDS_MAX && row->fields[i] != NULL; i++) {
        json_int_t count = json_integer_value(json_object_get(usage, row->fields[i]));
        if (count < 0 || count >= USED_LIMIT - sum)
            return -1;
        sum += count;
    }
    return sum;
}

int64_t weir__provider_used(const weir_response *response)
{
    const char *text = weir_response_body(response);
    size_t len = weir_response_body_len(response);
    const char *found = NULL;
    json_t *usage = NULL;
    int64_t used = -1;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0] && used < 0; i++) {
        if (found == NULL || strcmp(found, rows[i].object) != 0) {
            json_decref(usage);
            found = rows[i].object;
            usage = object_named(text, len, found);
        }
        used = sum_of(usage, &rows[i]);
    }
    json_decref(usage);
    return used;
}
