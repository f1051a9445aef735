#include "http/sse.h"

#include <string.h>

#include <weir/err.h>

static const unsigned char bom[] = {0xef, 0xbb, 0xbf};

void weir__sse_init(struct weir__sse *sse, size_t max)
{
    *sse = (struct weir__sse){.retry_ms = -1};
    weir__buf_init(&sse->data, max);
    weir__buf_init(&sse->event, max);
    weir__buf_init(&sse->id, max);
    weir__buf_init(&sse->line, max);
}

void weir__sse_free(struct weir__sse *sse)
{
    weir__buf_free(&sse->data);
    weir__buf_free(&sse->event);
    weir__buf_free(&sse->id);
    weir__buf_free(&sse->line);
}

/* ---- fields ---- */

static int set(struct weir__buf *buf, const char *value, size_t len)
{
    weir__buf_reset(buf);
    return weir__buf_add(buf, value, len);
}

static int add_data(struct weir__sse *sse, const char *value, size_t len)
{
    int rc = weir__buf_add(&sse->data, value, len);
    return rc == 0 ? weir__buf_add(&sse->data, "\n", 1) : rc;
}

/* Digits alone, else it does not count. */
static void set_retry(struct weir__sse *sse, const char *value, size_t len)
{
    int64_t ms = 0;
    for (size_t i = 0; i < len; i++) {
        if (value[i] < '0' || value[i] > '9')
            return;
        int digit = value[i] - '0';
        ms = ms > (INT64_MAX - digit) / 10 ? INT64_MAX : ms * 10 + digit;
    }
    if (len > 0)
        sse->retry_ms = ms;
}

static bool is(const char *name, size_t len, const char *want)
{
    return len == strlen(want) && memcmp(name, want, len) == 0;
}

static int take_field(struct weir__sse *sse, const char *line, size_t len)
{
    const char *colon = memchr(line, ':', len), *end = line + len;
    size_t name = colon != NULL ? (size_t)(colon - line) : len;
    const char *value = colon != NULL ? colon + 1 : end;
    if (value < end && *value == ' ')
        value++;
    size_t value_len = (size_t)(end - value);
    if (is(line, name, "data"))
        return add_data(sse, value, value_len);
    if (is(line, name, "event"))
        return set(&sse->event, value, value_len);
    if (is(line, name, "id") && memchr(value, '\0', value_len) == NULL)
        return set(&sse->id, value, value_len);
    if (is(line, name, "retry"))
        set_retry(sse, value, value_len);
    return 0; /* others mean nothing, nor does a comment, whose name is empty */
}

/* ---- lines ---- */

/* 1: the empty line behind an event that has data. */
static int take_line(struct weir__sse *sse, const char *line, size_t len)
{
    if (len > 0)
        return take_field(sse, line, len);
    if (sse->data.len == 0) {
        weir__buf_reset(&sse->event);
        return 0;
    }
    sse->data.data[--sse->data.len] = '\0'; /* the last LF */
    sse->complete = true;
    return 1;
}

/* A line's end has come: what was kept of it, and len bytes more. */
static int end_line(struct weir__sse *sse, const char *bytes, size_t len)
{
    if (sse->line.len == 0)
        return len <= sse->line.max ? take_line(sse, bytes, len) : WEIR_ENEVER;
    int rc = weir__buf_add(&sse->line, bytes, len);
    if (rc == 0)
        rc = take_line(sse, sse->line.data, sse->line.len);
    weir__buf_reset(&sse->line);
    return rc;
}

static size_t until_line_end(const char *bytes, size_t len)
{
    size_t i = 0;
    while (i < len && bytes[i] != '\n' && bytes[i] != '\r')
        i++;
    return i;
}

/* Drops a byte order mark at the very start; what only began like one is part of the line. */
static int skip_bom(struct weir__sse *sse, const char *bytes, size_t len, size_t *at)
{
    while (sse->bom < sizeof bom && *at < len) {
        if ((unsigned char)bytes[*at] != bom[sse->bom]) {
            unsigned seen = sse->bom;
            sse->bom = sizeof bom;
            return weir__buf_add(&sse->line, bom, seen);
        }
        sse->bom++;
        ++*at;
    }
    return 0;
}

static int feed(struct weir__sse *sse, const char *bytes, size_t len, size_t *at)
{
    int rc = skip_bom(sse, bytes, len, at);
    while (rc == 0 && *at < len) {
        bool belongs = sse->after_cr && bytes[*at] == '\n';
        sse->after_cr = false;
        if (belongs) {
            ++*at;
            continue;
        }
        const char *start = bytes + *at;
        size_t n = until_line_end(start, len - *at);
        *at += n;
        if (*at == len)
            return weir__buf_add(&sse->line, start, n);
        sse->after_cr = bytes[*at] == '\r';
        ++*at;
        rc = end_line(sse, start, n);
    }
    return rc;
}

int weir__sse_feed(struct weir__sse *sse, const char *bytes, size_t len, size_t *used)
{
    *used = 0;
    if (sse->failure < 0)
        return sse->failure;
    if (sse->complete) {
        sse->complete = false;
        weir__buf_reset(&sse->data);
        weir__buf_reset(&sse->event);
    }
    int rc = feed(sse, bytes, len, used);
    if (rc < 0)
        sse->failure = rc == WEIR_ENEVER ? WEIR_EEVENTSIZE : rc;
    return rc < 0 ? sse->failure : rc;
}
