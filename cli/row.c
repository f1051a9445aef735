#include "row.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "defaults.h"
#include "http_text.h"

struct members {
    struct span custom_id, method, url, headers, body;
};

__attribute__((format(printf, 2, 3))) static bool refuse(struct row *row, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(row->fault, sizeof row->fault, format, args);
    va_end(args);
    return false;
}

/* The place of a part of the line, to be changed. */
static char *in_line(const struct line *line, struct span part)
{
    return line->text + (part.at - line->text);
}

/* A member that is null counts as absent; of several with one name the last counts. */
static void collect(struct span object, struct members *members)
{
    const struct {
        const char *name;
        struct span *value;
    } known[] = {
        {"custom_id", &members->custom_id}, {"method", &members->method}, {"url", &members->url},
        {"headers", &members->headers},     {"body", &members->body},
    };
    struct span key;
    struct span value;
    while (rawjson_member(&object, &key, &value)) {
        for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
            if (!rawjson_equals(key, known[i].name))
                continue;
            *known[i].value = rawjson_is_null(value) ? (struct span){0} : value;
            break;
        }
    }
}

static bool parse_url(struct row *row, const struct line *line, struct span url,
                      const struct row_rules *rules)
{
    size_t len;
    if (url.at == NULL)
        return refuse(row, "no \"url\"; add one such as \"/v1/chat/completions\"");
    if (!rawjson_is_string(url))
        return refuse(row, "\"url\" is not a string; put it in quotes");
    char *text = in_line(line, url);
    if (!rawjson_decode(url, text, &len))
        return refuse(row, "\"url\" has an escape without meaning; correct it");
    text[len] = '\0'; /* there were quotes around it */
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] <= 0x20 || text[i] == 0x7F)
            return refuse(row, "\"url\" has a blank or control character; write it as %%%02X",
                          (unsigned)(unsigned char)text[i]);
    }
    if (!url_is_absolute(text)) {
        if (text[0] != '/')
            return refuse(row,
                          "\"url\" is neither a path nor http(s); begin it with / or https://");
        if (text[1] == '/')
            return refuse(row, "\"url\" begins with //; begin it with one /, or with https://");
        row->lacks_base = !rules->has_base_url;
        if (row->lacks_base)
            return refuse(row, "\"url\" is relative; name its server with --base-url");
    }
    row->url = text;
    return true;
}

static bool parse_method(struct row *row, struct span method)
{
    row->method = row->body.at != NULL ? "POST" : "GET";
    if (method.at == NULL)
        return true;
    if (!rawjson_is_string(method))
        return refuse(row, "\"method\" is not a string; use " METHODS);
    row->method = method_find(method.at + 1, method.len - 2);
    if (row->method == NULL)
        return refuse(row, "unknown method %.*s; use " METHODS,
                      (int)(method.len < 24 ? method.len : 24), method.at);
    if (row->body.at != NULL && strcmp(row->method, "HEAD") == 0)
        return refuse(row, "HEAD with a body; remove \"body\", or use another method");
    return true;
}

/* --- headers ------------------------------------------------------------------------------ */

struct header_list {
    const char **lines;
    size_t count;
    char *text; /* where the next line goes */
};

/* Of several with one name the last counts. */
static void add_header(struct header_list *list, const char *line)
{
    size_t i = 0;
    while (i < list->count && !header_same_name(list->lines[i], line))
        i++;
    list->lines[i] = line;
    if (i == list->count)
        list->count++;
}

static bool parse_header(struct row *row, struct header_list *list, struct span name,
                         struct span value)
{
    char *line = list->text;
    size_t name_len;
    size_t value_len;
    int shown = (int)(name.len < 40 ? name.len : 40);
    if (!rawjson_is_string(value))
        return refuse(row, "header %.*s is not a string; put it in quotes", shown, name.at);
    if (!rawjson_decode(name, line, &name_len) || memchr(line, ':', name_len) != NULL)
        return refuse(row, "header %.*s has no possible name; correct it", shown, name.at);
    line[name_len] = ':';
    line[name_len + 1] = ' ';
    if (!rawjson_decode(value, line + name_len + 2, &value_len))
        return refuse(row, "header %.*s has an escape without meaning; correct it", shown, name.at);
    size_t len = name_len + 2 + value_len;
    line[len] = '\0';
    const char *fault = header_fault(line, len);
    if (fault != NULL)
        return refuse(row, "header %.*s %s; correct it", shown, name.at, fault);
    if (header_frames_request(line))
        return refuse(row, "header %.*s is for weir itself to set; remove it", shown, name.at);
    list->text = line + len + 1;
    add_header(list, line);
    return true;
}

static size_t count_members(struct span object)
{
    struct span key;
    struct span value;
    size_t count = 0;
    while (rawjson_member(&object, &key, &value))
        count++;
    return count;
}

/* "N":"V" in the line is longer than what becomes of it, N: V and a NUL. */
static bool make_header_list(struct row *row, struct header_list *list, struct span headers)
{
    size_t count = count_members(headers);
    if (count > ROW_HEADERS_MAX)
        return refuse(row, "more than " STR(ROW_HEADERS_MAX) " headers; remove some");
    size_t pointers = (count + 2) * sizeof(char *); /* two: content type, NULL */
    char *memory = malloc(pointers + headers.len);
    if (memory == NULL)
        return refuse(row, "out of memory for its headers; run it again");
    row->owned = memory;
    *list = (struct header_list){.lines = (const char **)(void *)memory, .text = memory + pointers};
    return true;
}

static bool has_header(const struct header_list *list, const char *line)
{
    for (size_t i = 0; i < list->count; i++) {
        if (header_same_name(list->lines[i], line))
            return true;
    }
    return false;
}

static bool parse_headers(struct row *row, struct span headers, const struct row_rules *rules)
{
    struct header_list list = {0};
    struct span name;
    struct span value;
    if (!rawjson_is_object(headers))
        return refuse(row, "\"headers\" is not an object; write {\"Name\":\"value\"}");
    if (!make_header_list(row, &list, headers))
        return false;
    while (rawjson_member(&headers, &name, &value)) {
        if (!parse_header(row, &list, name, value))
            return false;
    }
    if (row->body.at != NULL && !has_header(&list, rules->content_type[0]))
        list.lines[list.count++] = rules->content_type[0];
    list.lines[list.count] = NULL;
    row->headers = list.lines;
    return true;
}

/* --- the row ------------------------------------------------------------------------------ */

static const char *advice_on(const struct rawjson_fault *fault)
{
    return strcmp(fault->what, RAWJSON_NOT_UTF8) == 0
               ? "convert the file, from Latin-1 by: iconv -f LATIN1 -t UTF-8 FILE"
               : "write one JSON object a line";
}

bool row_parse(struct row *row, struct line *line, const struct row_rules *rules)
{
    struct members members = {0};
    struct span text = {line->text, line->len};
    struct rawjson_fault fault;
    row->custom_id = (struct span){0};
    row->headers = NULL;
    row->owned = NULL;
    row->lacks_base = false;
    row->fault[0] = '\0';
    if (line->too_long)
        return refuse(row, "longer than the maximum; --max-line-bytes raises it");
    if (!rawjson_check(&text, &fault))
        return refuse(row, "not JSON at byte %zu: %s; %s", fault.offset + 1, fault.what,
                      advice_on(&fault));
    if (!rawjson_is_object(text))
        return refuse(row, "not a JSON object; write {\"url\":...,\"body\":...}");
    collect(text, &members);
    row->custom_id = members.custom_id;
    row->body = members.body;
    if (!parse_method(row, members.method) || !parse_url(row, line, members.url, rules))
        return false;
    if (members.headers.at != NULL)
        return parse_headers(row, members.headers, rules);
    if (row->body.at != NULL)
        row->headers = rules->content_type;
    return true;
}

/* Whether the URL's query has this part. */
static bool query_has(const char *url, const char *part)
{
    size_t len = strlen(part);
    for (const char *at = strchr(url, '?'); at != NULL; at = strchr(at, '&')) {
        at++;
        if (strncmp(at, part, len) == 0 && strchr("&#", at[len]) != NULL)
            return true;
    }
    return false;
}

bool row_asks_for_stream(const struct row *row)
{
    static const char name[] = "\"stream\"";
    if (query_has(row->url, "alt=sse"))
        return true;
    if (row->body.at == NULL || memmem(row->body.at, row->body.len, name, sizeof name - 1) == NULL)
        return false; /* most rows; going through the members would take longer */
    struct span value = rawjson_find(row->body, "stream");
    return value.len == 4 && memcmp(value.at, "true", 4) == 0;
}

void row_release(struct row *row)
{
    free(row->owned);
    row->owned = NULL;
}
