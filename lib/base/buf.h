/* A growable byte buffer with a maximum, which is given when it is made. */
#ifndef WEIR_BASE_BUF_H
#define WEIR_BASE_BUF_H

#include <stddef.h>

struct weir__buf {
    char *data; /* NUL behind the content once anything was appended or reserved; NULL before */
    size_t len, room, max;
};

void weir__buf_init(struct weir__buf *buf, size_t max);
void weir__buf_free(struct weir__buf *buf); /* may be used again afterwards */

/* Empties it and keeps its memory. */
void weir__buf_reset(struct weir__buf *buf);

/* Makes sure that `more` bytes fit behind the content. 0, WEIR_ENOMEM, or WEIR_ENEVER when that
 * would pass the maximum; the content is unchanged then. */
int weir__buf_reserve(struct weir__buf *buf, size_t more);

/* Appends. Errors as weir__buf_reserve. */
int weir__buf_add(struct weir__buf *buf, const void *data, size_t len);
int weir__buf_adds(struct weir__buf *buf, const char *text);

#endif
