/* A body that is made while it is sent: libcurl takes it from one piece of memory, and when that is
 * empty its transfer pauses until the task of the request has filled it again. */
#ifndef WEIR_HTTP_CURL_UPLOAD_H
#define WEIR_HTTP_CURL_UPLOAD_H

#include <stdbool.h>
#include <stddef.h>

#include <weir/body.h>
#include <weir/task.h>

#define WEIR__UPLOAD_PIECE ((size_t)64 << 10)

struct weir__upload {
    const struct weir_body *body;
    char *piece;
    size_t len, at;       /* in piece, and taken of it */
    bool wanted;          /* libcurl waits for more */
    bool ended;           /* there is no more */
    bool filling;         /* the task is inside of the body's read function, in ... */
    weir_deadline within; /* ... this scope, which ends with the transfer */
};

/* False: memory is out. Free it in each case. */
bool weir__upload_init(struct weir__upload *upload, const struct weir_body *body);
void weir__upload_free(struct weir__upload *upload);

/* Called by libcurl: up to room bytes, 0 at the end; CURL_READFUNC_PAUSE: there are none yet, and
 * `wanted` is set. */
size_t weir__upload_take(struct weir__upload *upload, char *to, size_t room);

/* Called in the task: brings more. 0, or the code of the body's read function. WEIR_ETIMEDOUT: the
 * transfer ended meanwhile. */
int weir__upload_fill(struct weir__upload *upload);

/* The transfer has ended: whatever the read function waits for is of no use any more. */
void weir__upload_end(struct weir__upload *upload);

#endif
