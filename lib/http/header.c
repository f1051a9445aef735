#include "http/header.h"

#include <stdio.h>
#include <string.h>

#include <weir/err.h>

#include "base/ascii.h"

bool weir__header_name_ok(const char *name, size_t len)
{
    static const char others[] = "!#$%&'*+-.^_`|~"; /* beside letters and digits */
    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        bool alnum = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
        if (!alnum && (c == '\0' || strchr(others, c) == NULL))
            return false;
    }
    return len > 0;
}

bool weir__header_value_ok(const char *value, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)value[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

size_t weir__header_name_len(const char *line)
{
    return strcspn(line, ":");
}

/* What says where a request ends. A wrong one would make the rest of the body the next request of a
 * kept connection. */
static bool frames_the_request(const char *line)
{
    return weir__header_same_name(line, "Content-Length:") ||
           weir__header_same_name(line, "Transfer-Encoding:");
}

/* What is wrong with it; NULL: nothing. */
static const char *line_fault(const char *line)
{
    size_t name = weir__header_name_len(line);
    if (line[name] != ':')
        return "has no colon";
    if (!weir__header_name_ok(line, name))
        return "has a name that is empty or holds a blank or another character of no name";
    if (!weir__header_value_ok(line + name, strlen(line + name)))
        return "holds a control character, such as a line's end";
    return frames_the_request(line) ? "is set by weir alone" : NULL;
}

int weir__headers_check(const char *const *lines)
{
    for (; lines != NULL && *lines != NULL; lines++) {
        if (line_fault(*lines) != NULL)
            return WEIR_EHEADER;
    }
    return 0;
}

void weir__headers_fault(const char *const *lines, char *text, size_t size)
{
    size_t n = 0;
    const char *fault = NULL;
    while (lines != NULL && lines[n] != NULL && (fault = line_fault(lines[n])) == NULL)
        n++;
    if (fault == NULL) {
        snprintf(text, size, "%s", weir_strerror(WEIR_EHEADER));
        return;
    }
    size_t name = weir__header_name_len(lines[n]);
    bool named = lines[n][name] == ':' && weir__header_name_ok(lines[n], name);
    snprintf(text, size, "header %zu%s%.*s%s %s", n + 1, named ? " (" : "", named ? (int)name : 0,
             lines[n], named ? ")" : "", fault);
}

bool weir__header_same_name(const char *a, const char *b)
{
    size_t len = weir__header_name_len(a);
    return len == weir__header_name_len(b) && weir__ascii_same(a, b, len);
}

bool weir__headers_have(const char *const *lines, const char *name)
{
    for (; lines != NULL && *lines != NULL; lines++) {
        if (weir__header_same_name(*lines, name))
            return true;
    }
    return false;
}

size_t weir__headers_count(const char *const *lines)
{
    size_t n = 0;
    while (lines != NULL && lines[n] != NULL)
        n++;
    return n;
}

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

const char *weir__trim(const char *text, const char *end, size_t *len)
{
    while (text < end && blank(*text))
        text++;
    while (end > text && blank(end[-1]))
        end--;
    *len = (size_t)(end - text);
    return text;
}
