/* JSON Lines (jsonlines.org) from a file descriptor, one line at a time, in memory bounded by the
 * longest line. */
#ifndef WEIR_JSONL_H
#define WEIR_JSONL_H

#include <stddef.h>
#include <stdint.h>

#include <weir/err.h>
#include <weir/opts.h>

typedef struct weir_jsonl weir_jsonl;

#define WEIR_JSONL_MAX_LINE ((size_t)16 << 20) /* bytes of a line unless told otherwise */

struct weir_jsonl_opts {
    size_t size;     /* set by WEIR_JSONL_OPTS */
    size_t max_line; /* bytes of a line without its end, up to 1 GiB; 0: WEIR_JSONL_MAX_LINE */
};
#define WEIR_JSONL_OPTS(...) WEIR__OPTS(weir_jsonl_opts, __VA_ARGS__)

/* A line, borrowed until the next call on the reader. */
struct weir_line {
    const char *text; /* without line end and byte order mark; a NUL stands behind it, and may
                         stand inside it too. NULL unless weir_jsonl_next returned 1 */
    size_t len;       /* 0 with a NULL text */
    uint64_t number;  /* of the line in the file, from 1, blank lines counted. When there is no
                         line: of the last one that was passed, 0 before the first */
};

#ifdef __cplusplus
extern "C" {
#endif

/* A reader of fd in *out; opts may be NULL. The descriptor is borrowed: keep it open as long as the
 * reader. It holds at most max_line + 64 KiB of the input. Free it with weir_jsonl_free. Errors:
 * WEIR_ENOMEM, WEIR_EINVAL (NULL out, a bad option, fd is not open). */
WEIR_API int weir_jsonl_new(weir_jsonl **out, int fd, const struct weir_jsonl_opts *opts);

/* NULL is fine. Not while a task is inside weir_jsonl_next. */
WEIR_API void weir_jsonl_free(weir_jsonl *reader);

/* The next line that is not blank: white space alone is blank, line ends are LF or CRLF, a byte
 * order mark before the first line and a missing end behind the last are fine. The text is not
 * checked to be JSON. Returns 1 with *line filled, 0 at the end (also when called again), or
 *   WEIR_ELINESIZE  this line is over the maximum; it was skipped, line->number tells which, and
 *                   the next call goes on behind it
 *   WEIR_EIO        reading failed
 *   WEIR_ENOMEM     may be called again; nothing is lost
 *   WEIR_EBUSY      another task is inside this call
 *   WEIR_ECANCELED  the caller was cancelled while it waited; nothing is lost
 *   WEIR_ENOTSUP    it would have to wait for a pipe, socket or terminal under the virtual clock
 *   WEIR_EINVAL     NULL reader or line.
 * In a task it suspends while a pipe, socket or terminal has nothing to read, and only then:
 * regular files, and what has been read already, are delivered at once, to a cancelled task too.
 * It may be used outside of tasks, and then blocks the thread. */
WEIR_API int weir_jsonl_next(weir_jsonl *reader, struct weir_line *line);

#ifdef __cplusplus
}
#endif

#endif
