/* Answers that go to a descriptor while they come. */
#include <weir/body.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <weir/io.h>
#include <weir/offload.h>
#include <weir/stream.h>

#include "base/mem.h"
#include "base/opts.h"
#include "client/client.h"
#include "http/response.h"

enum {
    PIECE = 64 << 10,
    AT_A_TIME = 4 << 10, /* Linux's PIPE_BUF: as many can be written where poll says "writable" */
};

struct sink {
    int fd;
    bool regular, is_socket;
    uint64_t max;
    int64_t written;
    int error; /* errno's value */
    /* For the other thread. */
    const char *from;
    size_t len;
    ssize_t done;
};

/* ---- writing ---- */

/* On another thread. */
static int write_file(void *arg)
{
    struct sink *sink = arg;
    do
        sink->done = write(sink->fd, sink->from, sink->len);
    while (sink->done < 0 && errno == EINTR);
    sink->error = sink->done < 0 ? errno : 0;
    return 0;
}

/* Of a descriptor that may make one wait, without letting it. */
static int write_when_ready(struct sink *sink)
{
    int rc = weir_wait_fd(sink->fd, WEIR_IO_WRITE);
    if (rc < 0)
        return rc;
    if (sink->is_socket)
        sink->done = send(sink->fd, sink->from, sink->len, MSG_DONTWAIT | MSG_NOSIGNAL);
    else
        sink->done = write(sink->fd, sink->from, sink->len < AT_A_TIME ? sink->len : AT_A_TIME);
    sink->error = sink->done < 0 ? errno : 0;
    if (sink->error == EAGAIN || sink->error == EINTR)
        sink->done = sink->error = 0;
    return 0;
}

static int write_all(struct sink *sink, const char *data, size_t len)
{
    while (len > 0) {
        sink->from = data;
        sink->len = len;
        int rc = sink->regular ? weir_offload(write_file, sink) : write_when_ready(sink);
        if (rc < 0)
            return rc;
        if (sink->error != 0)
            return WEIR_EIO;
        data += sink->done;
        len -= (size_t)sink->done;
        sink->written += sink->done;
    }
    return 0;
}

static int sink_init(struct sink *sink, int fd, uint64_t max)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        return WEIR_EINVAL;
    *sink = (struct sink){.fd = fd,
                          .regular = S_ISREG(status.st_mode),
                          .is_socket = S_ISSOCK(status.st_mode),
                          .max = max > 0 ? max : UINT64_MAX};
    return 0;
}

/* ---- the answer ---- */

static int copy_all(weir_stream *stream, struct sink *sink, char *piece)
{
    int64_t n;
    while ((n = weir_stream_read(stream, piece, PIECE)) > 0) {
        if ((uint64_t)n > sink->max - (uint64_t)sink->written)
            return WEIR_EBODYSIZE;
        int rc = write_all(sink, piece, (size_t)n);
        if (rc < 0)
            return rc;
    }
    return (int)n;
}

static int save(weir_stream *stream, struct sink *sink)
{
    if (!weir__is_success(weir_response_status(weir_stream_response(stream))))
        return 0;
    char *piece = weir__alloc(PIECE);
    int rc = piece != NULL ? copy_all(stream, sink, piece) : WEIR_ENOMEM;
    weir__free(piece);
    return rc;
}

/* In the response's own words, where it was not the transfer that failed. */
static void explain(weir_stream *stream, const struct sink *sink, int rc)
{
    char text[sizeof((weir_response *)NULL)->error_text];
    if (rc == 0 || weir_response_error(weir_stream_response(stream)) == rc)
        return;
    snprintf(text, sizeof text, "%s", weir_strerror(rc));
    if (sink->error != 0)
        snprintf(text, sizeof text, "the answer could not be written: %s", strerror(sink->error));
    weir__stream_fail(stream, rc, text);
}

int weir_request_save(weir_client *client, const struct weir_request *request, int fd,
                      const struct weir_save_opts *given, int64_t *written, weir_response **out)
{
    struct weir_save_opts opts;
    struct sink sink = {.fd = -1};
    weir_stream *stream;
    if (out == NULL)
        return WEIR_EINVAL;
    *out = NULL;
    if (written != NULL)
        *written = 0;
    int rc = weir__opts_copy(&opts, sizeof opts, given);
    if (rc == 0)
        rc = sink_init(&sink, fd, opts.max_bytes);
    if (rc < 0)
        return weir__refused(client, out,
                             "the descriptor is not open, or the options are not made with "
                             "WEIR_SAVE_OPTS(...)");
    rc = weir_stream_open(client, request, WEIR_STREAM_OPTS(.idle_ms = opts.idle_ms), &stream);
    if (stream == NULL)
        return rc;
    if (rc == 0)
        rc = save(stream, &sink);
    explain(stream, &sink, rc);
    *out = weir__stream_close_keeping(stream);
    if (weir__is_success(weir_response_status(*out)))
        weir__buf_reset(&(*out)->body); /* of a transport that brings it whole */
    if (written != NULL)
        *written = sink.written;
    return rc;
}
