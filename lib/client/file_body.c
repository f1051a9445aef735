/* A file as a request's body. */
#include <weir/body.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <weir/offload.h>

#include "base/mem.h"

struct weir_file_body {
    struct weir_body body;
    int fd;
    int64_t at;
    /* For the other thread. */
    const char *path;
    void *to;
    size_t room;
    int64_t got;
    int error; /* errno's value */
};

/* ---- on another thread ---- */

static int open_file(void *arg)
{
    struct weir_file_body *file = arg;
    struct stat status;
    file->fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* not to wait for a pipe */
    if (file->fd < 0 || fstat(file->fd, &status) != 0) {
        file->error = errno;
        return WEIR_EIO;
    }
    file->body.length = status.st_size > 0 ? (int64_t)status.st_size : WEIR_BODY_EMPTY;
    return S_ISREG(status.st_mode) ? 0 : WEIR_EIO;
}

static int read_file(void *arg)
{
    struct weir_file_body *file = arg;
    do
        file->got = pread(file->fd, file->to, file->room, (off_t)file->at);
    while (file->got < 0 && errno == EINTR);
    return file->got < 0 ? WEIR_EIO : 0;
}

/* ---- in the task ---- */

static int64_t read_piece(void *arg, void *buf, size_t room)
{
    struct weir_file_body *file = arg;
    file->to = buf;
    file->room = room;
    int rc = weir_offload(read_file, file);
    if (rc < 0)
        return rc;
    file->at += file->got;
    return file->got;
}

static int to_beginning(void *arg)
{
    struct weir_file_body *file = arg;
    file->at = 0;
    return 0;
}

int weir_file_body_open(weir_file_body **out, const char *path, int *error_number)
{
    *out = NULL;
    struct weir_file_body *file = weir__zalloc(sizeof *file);
    if (file == NULL)
        return WEIR_ENOMEM;
    file->fd = -1;
    file->path = path;
    file->body = (struct weir_body){.size = sizeof file->body,
                                    .read = read_piece,
                                    .rewind = to_beginning,
                                    .arg = file};
    int rc = weir_offload(open_file, file);
    if (error_number != NULL)
        *error_number = file->error;
    if (rc < 0) {
        weir_file_body_close(file);
        return rc;
    }
    *out = file;
    return 0;
}

const struct weir_body *weir_file_body_of(weir_file_body *file)
{
    file->at = 0;
    return &file->body;
}

void weir_file_body_close(weir_file_body *file)
{
    if (file == NULL)
        return;
    if (file->fd >= 0)
        close(file->fd);
    weir__free(file);
}
