#include <weir/jansson.h>

#include <errno.h>

#include "json/dump.h"
#include "json/scan.h"

#define MAX_TEXT ((size_t)1 << 30)

struct sink {
    struct weir__buf *buf;
    int rc; /* sticky: jansson goes on after a callback that failed on an object's key */
};

static int add(const char *text, size_t len, void *arg)
{
    struct sink *sink = arg;
    if (sink->rc == 0)
        sink->rc = weir__buf_add(sink->buf, text, len);
    return sink->rc;
}

/* Whether no value lies deeper than `left` arrays and objects; one that contains itself does. */
static bool fits(json_t *tree, unsigned left)
{
    size_t i;
    const char *key;
    json_t *child;
    if (!json_is_array(tree) && !json_is_object(tree))
        return true;
    if (left == 0)
        return false;
    json_array_foreach(tree, i, child)
    {
        if (!fits(child, left - 1))
            return false;
    }
    json_object_foreach(tree, key, child)
    {
        if (!fits(child, left - 1))
            return false;
    }
    return true;
}

int weir__jansson_dump(const json_t *tree, struct weir__buf *buf)
{
    /* No JSON_REAL_PRECISION: jansson then prints a real so that the same number is read back, by
     * 17 digits, or, in versions that can tell, by the fewest that do. A precision below 17 would
     * print 0.7 more nicely and change other numbers. */
    const size_t flags = JSON_COMPACT | JSON_ENCODE_ANY;
    struct sink sink = {.buf = buf};
    if (!fits((json_t *)tree, WEIR_JSON_MAX_DEPTH)) /* reads only; jansson's iterators lack const */
        return WEIR_EJSON;
    errno = 0; /* jansson reports bad text and want of memory alike; malloc says which */
    if (json_dump_callback(tree, add, &sink, flags) != 0 && sink.rc == 0)
        return errno == ENOMEM ? WEIR_ENOMEM : WEIR_EJSON;
    return sink.rc < 0 ? WEIR_ENOMEM : 0;
}

int weir_jansson_text(const json_t *tree, char **text, size_t *len)
{
    struct weir__buf buf;
    if (text == NULL)
        return WEIR_EINVAL;
    *text = NULL;
    if (tree == NULL)
        return WEIR_EINVAL;
    weir__buf_init(&buf, MAX_TEXT);
    int rc = weir__jansson_dump(tree, &buf);
    if (rc < 0) {
        weir__buf_free(&buf);
        return rc;
    }
    *text = buf.data;
    if (len != NULL)
        *len = buf.len;
    return 0;
}

/* jansson's position counts the bytes it has taken, the one it stumbled over included, unless it
 * stumbled over the end or over a byte that is no UTF-8. */
static size_t offender(const json_error_t *why)
{
    size_t taken = why->position > 0 ? (size_t)why->position : 0;
    enum json_error_code code = json_error_code(why);
    bool included =
        code != json_error_premature_end_of_input && code != json_error_invalid_utf8 && taken > 0;
    return included ? taken - 1 : taken;
}

int weir_jansson_parse(const char *text, size_t len, json_t **tree, struct weir_json_error *error)
{
    json_error_t why;
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
    errno = 0;
    json_t *parsed = json_loadb(text, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);
    /* Looked at even if it succeeded: 2.14 drops bytes of a string that it cannot make room for. */
    if (errno == ENOMEM || (parsed == NULL && why.text[0] == '\0')) {
        json_decref(parsed);
        return WEIR_ENOMEM;
    }
    if (parsed == NULL)
        return weir__json_refuse(error, text, offender(&why), why.text);
    *tree = parsed;
    return 0;
}

int weir_jansson_response(const weir_response *response, json_t **tree,
                          struct weir_json_error *error)
{
    if (tree == NULL)
        return WEIR_EINVAL;
    *tree = NULL;
    if (response == NULL)
        return WEIR_EINVAL;
    return weir_jansson_parse(weir_response_body(response), weir_response_body_len(response), tree,
                              error);
}

int weir_jansson_response_take(weir_response *response, json_t **tree,
                               struct weir_json_error *error)
{
    int rc = weir_jansson_response(response, tree, error);
    weir_response_free(response);
    return rc;
}
