#include "json/path.h"

#include <string.h>

/* The place that the path's first word names; it has at most four digits. */
static json_t *place(const json_t *array, const char *word, size_t len)
{
    size_t at = 0;
    if (len == 0 || len > 4)
        return NULL;
    for (size_t i = 0; i < len; i++) {
        if (word[i] < '0' || word[i] > '9')
            return NULL;
        at = at * 10 + (size_t)(word[i] - '0');
    }
    return json_array_get(array, at);
}

bool weir__json_each_at(json_t *tree, const char *path, weir__json_visit_fn visit, void *arg)
{
    size_t len = strcspn(path, ".");
    const char *rest = path[len] == '.' ? path + len + 1 : path + len;
    if (tree == NULL)
        return false;
    if (len == 0)
        return visit(tree, arg);
    if (path[0] != '*' && json_is_array(tree))
        return weir__json_each_at(place(tree, path, len), rest, visit, arg);
    if (path[0] != '*')
        return weir__json_each_at(json_object_getn(tree, path, len), rest, visit, arg);
    for (size_t i = 0; i < json_array_size(tree); i++) {
        if (weir__json_each_at(json_array_get(tree, i), rest, visit, arg))
            return true;
    }
    return false;
}

static bool keep(json_t *value, void *arg)
{
    *(json_t **)arg = value;
    return true;
}

json_t *weir__json_at(json_t *tree, const char *path)
{
    json_t *found = NULL;
    weir__json_each_at(tree, path, keep, &found);
    return found;
}

const char *weir__json_text_at(json_t *tree, const char *path, size_t *len)
{
    json_t *value = weir__json_at(tree, path);
    if (len != NULL)
        *len = json_string_length(value);
    return json_string_value(value);
}
