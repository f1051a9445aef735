#include "provider/provider.h"

#include <weir/jansson.h>

#include "http/response.h"
#include "json/scan.h"

#define USAGE_MAX  ((size_t)8 << 10) /* bytes of the object that tells it */
#define USED_LIMIT INT64_C(1000000000000000)

/* Where the answer's top level tells the tokens, and which fields of that object sum up to them,
 * NULL behind the last. The first row of which the first field is there counts. */
#define FIELDS_MAX 3
static const char *const objects[] = {"usage", "usageMetadata"};
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

/* From `at`, outside strings, on to the end there is one closing bracket too many: `at` lies at the
 * text's top level. */
static bool at_top(const char *at, const char *end)
{
    const char *last = weir__json_behind_last(at, end, 1);
    return last != NULL && skip_white(last, end) == end;
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
    *behind = weir__json_behind_last(at + 1, end, 1);
    bool fits = *behind != NULL && (size_t)(*behind - at) <= USAGE_MAX;
    return fits && at_top(*behind, end) ? at : NULL;
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

/* Takes the row's counts that the object has into `counts`: false if its first one is neither there
 * nor known from before, or one is no count. */
static bool take_counts(const json_t *usage, const struct row *row, struct weir__usage *known)
{
    struct weir__usage now = {.row = row};
    if (known->row == row)
        now = *known;
    else if (!json_is_integer(json_object_get(usage, row->fields[0])))
        return false;
    for (int i = 0; i < FIELDS_MAX && row->fields[i] != NULL; i++) {
        const json_t *field = json_object_get(usage, row->fields[i]);
        if (json_is_integer(field))
            now.counts[i] = json_integer_value(field);
        if (now.counts[i] < 0 || now.counts[i] >= USED_LIMIT)
            return false;
    }
    *known = now;
    return true;
}

static int64_t sum_of(const struct weir__usage *usage)
{
    int64_t sum = 0;
    for (int i = 0; i < FIELDS_MAX; i++)
        sum += usage->counts[i];
    return sum < USED_LIMIT ? sum : -1;
}

static bool take_rows(const char *object, const json_t *tree, struct weir__usage *usage)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool fits = strcmp(rows[i].object, object) == 0 && json_is_object(tree);
        if (fits && take_counts(tree, &rows[i], usage))
            return true;
    }
    return false;
}

/* In the text itself, else in its object `around`, where that is not NULL. */
static int64_t used_of(const char *text, size_t len, const char *around, struct weir__usage *usage)
{
    bool found = false;
    for (size_t i = 0; i < sizeof objects / sizeof objects[0] && !found; i++) {
        json_t *tree = object_named(text, len, objects[i]);
        found = take_rows(objects[i], tree, usage);
        json_decref(tree);
    }
    if (!found && around != NULL) {
        json_t *tree = object_named(text, len, around);
        found = take_rows(objects[0], json_object_get(tree, objects[0]), usage);
        json_decref(tree);
    }
    return found ? sum_of(usage) : -1;
}

int64_t weir__provider_used(const weir_response *response)
{
    struct weir__usage usage = {.row = NULL};
    return used_of(weir_response_body(response), weir_response_body_len(response), NULL, &usage);
}

int64_t weir__provider_used_so_far(struct weir__usage *usage, const char *text, size_t len)
{
    return len > 0 ? used_of(text, len, "message", usage) : -1; /* Anthropic's message_start */
}
