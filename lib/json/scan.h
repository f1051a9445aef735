/* What the adapters do with a text before their parser sees it, and how they say where it is wrong.
 * Inline, because libweir-cjson is a library of its own and sees nothing that libweir hides. */
#ifndef WEIR_JSON_SCAN_H
#define WEIR_JSON_SCAN_H

#include <stdbool.h>
#include <string.h>

#include <weir/json.h>

/* Fills *error, if error is not NULL, with `what` and the place of the byte text[at] (at may be the
 * text's length). Returns WEIR_EJSON. */
static inline int weir__json_refuse(struct weir_json_error *error, const char *text, size_t at,
                                    const char *what)
{
    if (error == NULL)
        return WEIR_EJSON;
    const char *line = text;
    const char *feed;
    size_t what_len = strlen(what);
    if (what_len > sizeof error->text - 1)
        what_len = sizeof error->text - 1;
    error->line = 1;
    while ((feed = memchr(line, '\n', at - (size_t)(line - text))) != NULL) {
        error->line++;
        line = feed + 1;
    }
    error->column = (unsigned)(at - (size_t)(line - text)) + 1;
    memcpy(error->text, what, what_len);
    error->text[what_len] = '\0';
    return WEIR_EJSON;
}

/* RFC 8259 lets a parser ignore a byte order mark; some servers send one. */
static inline void weir__json_skip_mark(const char **text, size_t *len)
{
    if (*len >= 3 && memcmp(*text, "\xEF\xBB\xBF", 3) == 0) {
        *text += 3;
        *len -= 3;
    }
}

/* Whether the character at `at`, in a string that begins at or behind `begin`, is escaped. */
static inline bool weir__json_is_escaped(const char *begin, const char *at)
{
    const char *slash = at;
    while (slash > begin && slash[-1] == '\\')
        slash--;
    return (at - slash) % 2 != 0;
}

/* Behind the closing quote of the string whose inside begins at `begin`; end if there is none. */
static inline const char *weir__json_skip_string(const char *begin, const char *end)
{
    const char *from = begin;
    for (;;) {
        const char *quote = memchr(from, '"', (size_t)(end - from));
        if (quote == NULL)
            return end;
        from = quote + 1;
        if (!weir__json_is_escaped(begin, quote))
            return from;
    }
}

/* From `at`, outside strings and inside so many brackets: behind the one that closes the outermost,
 * or NULL. */
static inline const char *weir__json_behind_last(const char *at, const char *end, size_t depth)
{
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

/* Refuses, with WEIR_EJSON and *error filled, what the parsers must not see: nesting beyond
 * WEIR_JSON_MAX_DEPTH, and NUL bytes, which cJSON takes for white space. All else is left to the
 * parser. */
static inline int weir__json_scan(const char *text, size_t len, struct weir_json_error *error)
{
    const char *end = text + len;
    const char *nul = memchr(text, '\0', len);
    unsigned depth = 0;
    if (nul != NULL)
        return weir__json_refuse(error, text, (size_t)(nul - text), "NUL byte");
    for (const char *at = text; at < end;) {
        char c = *at++;
        if (c == '"')
            at = weir__json_skip_string(at, end);
        else if (c == ']' || c == '}')
            depth -= depth > 0;
        else if ((c == '[' || c == '{') && ++depth > WEIR_JSON_MAX_DEPTH)
            return weir__json_refuse(error, text, (size_t)(at - text) - 1, "nested too deep");
    }
    return 0;
}

#endif
