/* Bodies that do not lie in memory: a request's that is read from a file or made while it is sent,
 * and an answer's that is written to a descriptor while it comes. Both in memory that does not
 * depend on their length. */
#ifndef WEIR_BODY_H
#define WEIR_BODY_H

#include <stddef.h>
#include <stdint.h>

#include <weir/client.h>
#include <weir/opts.h>

/* ---- a request's: .body_from of weir_request ---- */

/* Writes up to room (> 0) bytes to buf: how many, 0 at the end; or a negative code, with which the
 * attempt ends as WEIR_EBODY and is not repeated. It is called in the task of the request, when
 * libcurl has sent what came before, and may suspend: weir_queue_get, weir_stream_read,
 * weir_offload. When a wait inside returns WEIR_ECANCELED, so must it. */
typedef int64_t (*weir_body_read_fn)(void *arg, void *buf, size_t room);

/* Goes back to the beginning: 0, or a negative code. It may suspend, too. */
typedef int (*weir_body_rewind_fn)(void *arg);

struct weir_body {
    size_t size; /* set by WEIR_BODY */
    weir_body_read_fn read;
    weir_body_rewind_fn rewind; /* called before a repetition. NULL: once something was read, the
                                   request is not sent again (WEIR_WHY_BODY in its history) */
    void *arg;                  /* of both */
    int64_t length; /* bytes, sent as Content-Length: fewer are WEIR_EBODY, and read is not called
                       for more. 0 or less: not known before, sent in chunks. WEIR_BODY_EMPTY: known
                       to be none, sent as "Content-Length: 0" */
};
#define WEIR_BODY(...) WEIR__OPTS(weir_body, __VA_ARGS__)

#define WEIR_BODY_EMPTY INT64_MIN

/* What a transport of your own, which gets all of a body at once, is given at most. */
#define WEIR_BODY_WHOLE_MAX (64 << 20)

/* A file as a request's body; for one request at a time. */
typedef struct weir_file_body weir_file_body;

#ifdef __cplusplus
extern "C" {
#endif

/* Opens a regular file in *out; its length is the body's. Close it with weir_file_body_close, once
 * the request has ended. A file that becomes shorter meanwhile is WEIR_EBODY. Files are opened and
 * read on other threads, so a slow file system stops no other task. Suspends. Errors: WEIR_EIO (it
 * cannot be opened or is no regular file; *error_number, if not NULL, is the errno value, 0 for the
 * latter), WEIR_ENOMEM, WEIR_ECANCELED, WEIR_ENORUNTIME (also outside of tasks). */
WEIR_API int weir_file_body_open(weir_file_body **out, const char *path, int *error_number);

/* What to give to a request, borrowed, from the file's beginning. Does not suspend. */
WEIR_API const struct weir_body *weir_file_body_of(weir_file_body *file);

/* Closes it; no request may be sending it. NULL is fine. Does not suspend. */
WEIR_API void weir_file_body_close(weir_file_body *file);

#ifdef __cplusplus
}
#endif

/* ---- an answer's ---- */

struct weir_save_opts {
    size_t size;        /* set by WEIR_SAVE_OPTS */
    uint64_t max_bytes; /* of the content, after decompression (net.h); 0: no maximum */
    int64_t idle_ms;    /* as in weir_stream_opts */
};
#define WEIR_SAVE_OPTS(...) WEIR__OPTS(weir_save_opts, __VA_ARGS__)

#ifdef __cplusplus
extern "C" {
#endif

/* As weir_request, but writes the content of a 2xx answer to fd, from where that stands, as it
 * comes; who reads fd slowly slows the server down. fd may be a regular file, which is written
 * on another thread, a pipe, a socket, a terminal; it is borrowed, and its flags stay as they are.
 * The body of *out is then empty. Of any other answer (a redirect, 3xx, too, which is not followed)
 * the body is in *out and nothing is written, with 0 returned all the same: look at
 * weir_response_status. 206 and 204 are 2xx.
 * opts may be NULL. Suspends.
 *
 * What fails before the first byte of content is tried again as any request; later nothing is sent
 * again, since what was written cannot be taken back. *written, if not NULL, tells the bytes that
 * were in each case. timeout_ms bounds the time until content begins, a deadline of yours all of
 * it. `.body_from`, `.idle_ms` and `.idle_first_ms` of a request cannot be had here.
 *
 * Returns 0 when the server answered and all is written; what weir_request and weir_stream_read
 * return; WEIR_EBODYSIZE over max_bytes; WEIR_EIO when fd takes no more, whose error text tells
 * why; WEIR_EINVAL for bad options or an fd that is not open; WEIR_ENOTSUP for an fd that is no
 * regular file under the virtual clock. *out as weir_request's. */
WEIR_API int weir_request_save(weir_client *client, const struct weir_request *request, int fd,
                               const struct weir_save_opts *opts, int64_t *written,
                               weir_response **out);

#ifdef __cplusplus
}
#endif

#endif
