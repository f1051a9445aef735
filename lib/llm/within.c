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

bool weir__llm_json_within(const char **text, size_t *len)
{
    const char *end = *text + *len;
    const char *at = behind_last(*text, end, "</think>");
    const char *fence = find(at, end, "```");
    const char *begin = first_bracket(fence != NULL ? fence : at, end);
    const char *rest = weir__json_behind_last(begin, end, 0);
    /* Of two objects nobody knows which one is meant. */
    if (rest == NULL || memchr(rest, '{', (size_t)(end - rest)) != NULL)
        return false;
    if (begin == *text && rest == end)
        return false; /* all of it, which has been tried */
    *text = begin;
    *len = (size_t)(rest - begin);
    return true;
}
