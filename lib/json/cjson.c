#include <weir/cjson.h>

#include <errno.h>

#include "json/scan.h"

/* Whether no value lies deeper than `left` arrays and objects; one that contains itself does. */
static bool fits(const cJSON *tree, unsigned left)
{
    const cJSON *child;
    if (!cJSON_IsArray(tree) && !cJSON_IsObject(tree))
        return true;
    if (left == 0)
        return false;
    cJSON_ArrayForEach(child, tree)
    {
        if (!fits(child, left - 1))
            return false;
    }
    return true;
}

int weir_cjson_text(const cJSON *tree, char **text, size_t *len)
{
    if (text == NULL)
        return WEIR_EINVAL;
    *text = NULL;
    if (tree == NULL)
        return WEIR_EINVAL;
    if (!fits(tree, WEIR_JSON_MAX_DEPTH))
        return WEIR_EJSON;
    errno = 0; /* cJSON reports a bad tree and want of memory alike; malloc says which */
    char *printed = cJSON_PrintUnformatted(tree);
    if (printed == NULL)
        return errno == ENOMEM ? WEIR_ENOMEM : WEIR_EJSON;
    size_t printed_len = strlen(printed);
    *text = weir_json_text_copy(printed, printed_len);
    cJSON_free(printed); /* from cJSON's own allocator, which the program may have replaced */
    if (*text == NULL)
        return WEIR_ENOMEM;
    if (len != NULL)
        *len = printed_len;
    return 0;
}

/* The first \u0000 in the text, or NULL. cJSON would cut the string there without a word. */
static const char *find_nul_escape(const char *text, size_t len)
{
    static const char nul_escape[] = "\\u0000";
    const char *end = text + len;
    const char *found = text;
    while ((found = memmem(found, (size_t)(end - found), nul_escape, sizeof nul_escape - 1)) !=
           NULL) {
        if (!weir__json_is_escaped(text, found))
            return found;
        found++;
    }
    return NULL;
}

/* What is wrong with a text that cJSON took, or NULL; *at is the place. */
static const char *find_fault(const char *text, size_t len, const char *end, size_t *at)
{
    *at = (size_t)(end - text);
    while (*at < len && memchr(" \t\r\n", text[*at], 4) != NULL)
        ++*at;
    if (*at < len)
        return "text behind the value";
    const char *nul = find_nul_escape(text, len);
    if (nul == NULL)
        return NULL;
    *at = (size_t)(nul - text);
    return "\\u0000, which cJSON cannot hold";
}

int weir_cjson_parse(const char *text, size_t len, cJSON **tree, struct weir_json_error *error)
{
    size_t at;
    if (tree == NULL)
        return WEIR_EINVAL;
    *tree = NULL;
    if (text == NULL)
        return WEIR_EINVAL;
    if (len > WEIR_JSON_MAX_TEXT)
        return weir__json_refuse(error, text, 0, "text over the maximum length");
    weir__json_skip_mark(&text, &len);
    int rc = weir__json_scan(text, len, error);
    if (rc < 0)
        return rc;
    const char *end = text;
    errno = 0;
    cJSON *parsed = cJSON_ParseWithLengthOpts(text, len, &end, 0);
    if (parsed == NULL && errno == ENOMEM)
        return WEIR_ENOMEM;
    if (parsed == NULL) /* cJSON tells the place alone, at the end of the text the last byte's */
        return weir__json_refuse(error, text, (size_t)(end - text),
                                 "not valid JSON, here or just behind");
    const char *fault = find_fault(text, len, end, &at);
    if (fault != NULL) {
        cJSON_Delete(parsed);
        return weir__json_refuse(error, text, at, fault);
    }
    *tree = parsed;
    return 0;
}

int weir_cjson_response(const weir_response *response, cJSON **tree, struct weir_json_error *error)
{
    if (tree == NULL)
        return WEIR_EINVAL;
    *tree = NULL;
    if (response == NULL)
        return WEIR_EINVAL;
    return weir_cjson_parse(weir_response_body(response), weir_response_body_len(response), tree,
                            error);
}

int weir_cjson_response_take(weir_response *response, cJSON **tree, struct weir_json_error *error)
{
    int rc = weir_cjson_response(response, tree, error);
    weir_response_free(response);
    return rc;
}
