#include "base/buf.h"

#include <stdint.h>
#include <string.h>

#include <weir/err.h>

#include "base/mem.h"

enum { FIRST_ROOM = 1024 }; /* most answers and their headers fit: one allocation each */

void weir__buf_init(struct weir__buf *buf, size_t max)
{
    /* No object is larger, and sums below it cannot wrap. */
    *buf = (struct weir__buf){.max = max < PTRDIFF_MAX ? max : PTRDIFF_MAX};
}

void weir__buf_free(struct weir__buf *buf)
{
    weir__free(buf->data);
    weir__buf_init(buf, buf->max);
}

void weir__buf_reset(struct weir__buf *buf)
{
    buf->len = 0;
    if (buf->data != NULL)
        buf->data[0] = '\0';
}

int weir__buf_reserve(struct weir__buf *buf, size_t more)
{
    if (more > buf->max || buf->len > buf->max - more)
        return WEIR_ENEVER;
    size_t need = buf->len + more + 1;
    if (need <= buf->room)
        return 0;
    size_t room = buf->room < FIRST_ROOM ? FIRST_ROOM : buf->room * 2;
    if (room < need)
        room = need;
    if (room > buf->max + 1)
        room = buf->max + 1;
    char *data = weir__realloc(buf->data, room);
    if (data == NULL)
        return WEIR_ENOMEM;
    data[buf->len] = '\0';
    buf->data = data;
    buf->room = room;
    return 0;
}

int weir__buf_add(struct weir__buf *buf, const void *data, size_t len)
{
    int rc = weir__buf_reserve(buf, len);
    if (rc < 0)
        return rc;
    if (len > 0)
        memcpy(buf->data + buf->len, data, len);
    buf->len += len;
    buf->data[buf->len] = '\0';
    return 0;
}

int weir__buf_adds(struct weir__buf *buf, const char *text)
{
    return weir__buf_add(buf, text, strlen(text));
}
