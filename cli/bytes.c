#include "bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "utf8.h"

#define BYTES_MAX   ((size_t)1 << 30)
#define BYTES_FIRST ((size_t)4 << 10)

void bytes_free(struct bytes *bytes)
{
    free(bytes->data);
    *bytes = (struct bytes){0};
}

bool bytes_reserve(struct bytes *bytes, size_t more)
{
    if (more <= bytes->room - bytes->len)
        return true;
    if (more > BYTES_MAX - bytes->len) { /* room, and so len, never exceeds BYTES_MAX */
        bytes->failed = true;
        return false;
    }
    size_t need = bytes->len + more;
    size_t room = bytes->room + bytes->room / 2;
    if (room < BYTES_FIRST)
        room = BYTES_FIRST;
    if (room < need)
        room = need;
    if (room > BYTES_MAX)
        room = BYTES_MAX;
    char *data = realloc(bytes->data, room);
    if (data == NULL) {
        bytes->failed = true;
        return false;
    }
    bytes->data = data;
    bytes->room = room;
    return true;
}

void bytes_add(struct bytes *bytes, const char *text, size_t len)
{
    if (len == 0 || !bytes_reserve(bytes, len))
        return;
    memcpy(bytes->data + bytes->len, text, len);
    bytes->len += len;
}

void bytes_adds(struct bytes *bytes, const char *text)
{
    bytes_add(bytes, text, strlen(text));
}

void bytes_add_uint(struct bytes *bytes, uint64_t number)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    bytes_add(bytes, digits + at, sizeof digits - at);
}

static void add_escape(struct bytes *bytes, unsigned char c)
{
    char escape[8];
    switch (c) {
    case '"':
    case '\\':
        snprintf(escape, sizeof escape, "\\%c", c);
        break;
    case '\n':
        snprintf(escape, sizeof escape, "\\n");
        break;
    case '\r':
        snprintf(escape, sizeof escape, "\\r");
        break;
    case '\t':
        snprintf(escape, sizeof escape, "\\t");
        break;
    default:
        snprintf(escape, sizeof escape, "\\u%04x", c);
    }
    bytes_adds(bytes, escape);
}

/* Where the run of characters that JSON takes as they are ends. */
static const char *end_of_plain(const char *at, const char *end)
{
    uint32_t point;
    while (at < end) {
        unsigned char c = (unsigned char)*at;
        if (c < 0x20 || c == '"' || c == '\\')
            break;
        size_t len = c < 0x80 ? 1 : utf8_next(at, end, &point);
        if (len == 0)
            break;
        at += len;
    }
    return at;
}

void bytes_add_json_string(struct bytes *bytes, const char *text, size_t len)
{
    const char *end = text + len;
    bytes_add(bytes, "\"", 1);
    while (text < end) {
        const char *stop = end_of_plain(text, end);
        bytes_add(bytes, text, (size_t)(stop - text));
        text = stop;
        if (text == end)
            break;
        if ((unsigned char)*text < 0x80)
            add_escape(bytes, (unsigned char)*text);
        else
            bytes_adds(bytes, "\xEF\xBF\xBD");
        text++;
    }
    bytes_add(bytes, "\"", 1);
}

void bytes_add_json_line(struct bytes *bytes, const char *json, size_t len)
{
    const char *end = json + len;
    if (memchr(json, '\n', len) == NULL && memchr(json, '\r', len) == NULL) {
        bytes_add(bytes, json, len);
        return;
    }
    while (json < end) {
        const char *stop = json;
        while (stop < end && *stop != '\n' && *stop != '\r')
            stop++;
        bytes_add(bytes, json, (size_t)(stop - json));
        json = stop < end ? stop + 1 : end;
    }
}
