#include "sse_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir/err.h>

#include "http/sse.h"

static void print(FILE *out, const struct weir__buf *buf)
{
    for (size_t i = 0; i < buf->len; i++) {
        unsigned char c = (unsigned char)buf->data[i];
        fprintf(out, c < 0x20 || c >= 0x7f ? "\\x%02x" : "%c", c);
    }
}

/* Each piece in memory of its own size, so that a look behind its end is seen. */
static int feed(struct weir__sse *sse, const char *bytes, size_t len, FILE *out)
{
    char *piece = malloc(len > 0 ? len : 1);
    if (piece == NULL)
        abort();
    memcpy(piece, bytes, len);
    size_t at = 0, used;
    int rc;
    while ((rc = weir__sse_feed(sse, piece + at, len - at, &used)) > 0) {
        at += used;
        fputc('[', out);
        print(out, &sse->event);
        fputc('|', out);
        print(out, &sse->id);
        fputc('|', out);
        print(out, &sse->data);
        fputs("]\n", out);
    }
    if (rc == 0 && at + used != len)
        abort();
    free(piece);
    return rc;
}

char *sse_text(const char *bytes, size_t len, size_t max, size_t cut, int all)
{
    struct weir__sse sse;
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL)
        abort();
    weir__sse_init(&sse, max);
    int rc = 0;
    for (size_t at = 0; rc == 0 && at < len;) {
        size_t n = (at == 0 || all) && cut > 0 && cut < len - at ? cut : len - at;
        rc = feed(&sse, bytes + at, n, out);
        at += n;
    }
    if (sse.retry_ms >= 0)
        fprintf(out, "retry %lld\n", (long long)sse.retry_ms);
    if (rc < 0)
        fprintf(out, "%s\n", weir_err_name(rc));
    weir__sse_free(&sse);
    fclose(out);
    return text;
}
