/* The JSON within a text: models fence it, think aloud before it, or say a word behind it. */
#include <string.h>

#include "llm/llm.h"
#include "json/scan.h"

static const char *find(const char *at, const char *end, const char *what)
{
    return memmem(at, (size_t)(end - at), what, strlen(what));
}

/* Behind the last of them, or `at`. */
static const char *behind_last(const char *at, const char *end, const char *what)
{
    for (const char *next; (next = find(at, end, what)) != NULL;)
        at = next + strlen(what);
    return at;
}

static const char *first_bracket(const char *at, const char *end)
{
    while (at < end && *at != '{' && *at != '[')
        at++;
    return at;
}

/* Behind the bracket that closes the one at `at`; NULL: none does. */
static const char *matching_end(const char *at, const char *end)
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
    return NULL;
}

bool weir__llm_json_within(const char **text, size_t *len)
{
    const char *end = *text + *len;
    const char *at = behind_last(*text, end, "</think>");
    const char *fence = find(at, end, "```");
    const char *begin = first_bracket(fence != NULL ? fence : at, end);
    const char *rest = matching_end(begin, end);
    /* Of two objects nobody knows which one is meant. */
    if (rest == NULL || memchr(rest, '{', (size_t)(end - rest)) != NULL)
        return false;
    if (begin == *text && rest == end)
        return false; /* all of it, which has been tried */
    *text = begin;
    *len = (size_t)(rest - begin);
    return true;
}
