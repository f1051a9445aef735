/*
 * A growable run of bytes with a maximum that each call states. Always NUL-terminated behind `len`
 * once it holds memory. All zero is an empty buffer; free it with mock_buf_free.
 */
#ifndef WEIR_MOCK_BUF_H
#define WEIR_MOCK_BUF_H

#include <stddef.h>

struct mock_buf {
    char *data;
    size_t len;
    size_t cap; /* bytes of memory, one of them for the NUL */
};

/* Makes room for `need` bytes in all and a NUL. 0, or -1 when `need` is over `max` or memory is
 * short; the content stays as it was then. */
int mock_buf_reserve(struct mock_buf *buf, size_t need, size_t max);

/* Adds bytes at the end. 0 or -1 as mock_buf_reserve. */
int mock_buf_append(struct mock_buf *buf, const void *from, size_t len, size_t max);

/* Removes the first `len` bytes. */
void mock_buf_drop(struct mock_buf *buf, size_t len);

/* Empties the buffer, and gives its memory back when that is more than `keep` bytes. */
void mock_buf_clear(struct mock_buf *buf, size_t keep);

void mock_buf_free(struct mock_buf *buf);

#endif
