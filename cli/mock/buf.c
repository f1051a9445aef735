#include "mock/buf.h"

#include <stdlib.h>
#include <string.h>

#define BUF_FIRST 1024 /* most requests and answers fit without growing twice */

int mock_buf_reserve(struct mock_buf *buf, size_t need, size_t max)
{
    size_t cap = buf->cap ? buf->cap : BUF_FIRST;
    char *data;

    if (need < buf->cap)
        return 0;
    if (need > max)
        return -1;
    while (cap <= need)
        cap *= 2;
    if (cap > max + 1)
        cap = max + 1;
    data = realloc(buf->data, cap);
    if (!data)
        return -1;
    data[buf->len] = '\0';
    buf->data = data;
    buf->cap = cap;
    return 0;
}

int mock_buf_append(struct mock_buf *buf, const void *from, size_t len, size_t max)
{
    if (len > max || buf->len > max - len || mock_buf_reserve(buf, buf->len + len, max) != 0)
        return -1;
    memcpy(buf->data + buf->len, from, len);
    buf->len += len;
    buf->data[buf->len] = '\0';
    return 0;
}

void mock_buf_drop(struct mock_buf *buf, size_t len)
{
    if (len == 0)
        return;
    buf->len -= len;
    memmove(buf->data, buf->data + len, buf->len + 1);
}

void mock_buf_clear(struct mock_buf *buf, size_t keep)
{
    if (buf->cap > keep)
        mock_buf_free(buf);
    buf->len = 0;
}

void mock_buf_free(struct mock_buf *buf)
{
    free(buf->data);
    *buf = (struct mock_buf){0};
}
