#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <weir/io.h>
#include <weir/task.h>

#include "exit_status.h"
#include "options.h"
#include "term.h"

#define FLUSH_BYTES    ((size_t)256 << 10)
#define FLUSH_DELAY_MS 10
/* Memory beyond this, which huge answers took, is given back. */
#define KEPT_BYTES ((size_t)4 << 20)
/* While more than this waits to be written, no row is added. */
#define PENDING_BYTES ((size_t)2 << 20)

/* --- opening ------------------------------------------------------------------------------ */

static bool is_same_file(const struct stat *a, const struct stat *b)
{
    return S_ISREG(a->st_mode) && a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static int refuse(const char *name, int error)
{
    char buf[64];
    const char *hint = error == ENOENT    ? "create its folder first"
                       : error == ENOTDIR ? "a part of its path is no folder"
                       : error == EISDIR  ? "name a file in it"
                       : error == EACCES  ? "you may not write there"
                                          : "name another output";
    return usage_error("cannot write %s: %s; %s", name, error_text(error, buf, sizeof buf), hint);
}

/* What exists already may be opened by --force, and when there is nothing in it to lose: pipes and
 * devices (as the shell's noclobber has it). */
static int open_existing(struct output *output, bool force)
{
    struct stat status;
    int rc = stat(output->path, &status);
    if (rc != 0 && !force)
        return usage_error("%s exists already, as a link to nothing; name another output",
                           output->name);
    if (rc == 0 && S_ISDIR(status.st_mode))
        return refuse(output->name, EISDIR);
    if (rc == 0 && S_ISREG(status.st_mode) && !force)
        return usage_error("%s exists already; name another output, or --force overwrites it "
                           "and the answers in it",
                           output->name);
    output->fd = open(output->path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
    return output->fd < 0 ? refuse(output->name, errno) : 0;
}

static int open_path(struct output *output, bool force)
{
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY;
    output->fd = open(output->path, flags, 0600);
    if (output->fd >= 0) {
        output->created = true;
        return 0;
    }
    return errno == EEXIST ? open_existing(output, force) : refuse(output->name, errno);
}

/* Two runs into one file would overwrite each other's rows. Where files cannot be locked so it
 * goes without. Released by close. */
static int claim(struct output *output)
{
    if (!output->regular || output->path == NULL)
        return 0;
    if (flock(output->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        output->created = false; /* it is the other's now: not to be removed */
        return usage_error("%s is being written by another run; name another output", output->name);
    }
    /* Until then another run may have written. */
    return fstat(output->fd, &output->status) == 0 ? 0 : refuse(output->name, errno);
}

int output_open(struct output *output, const char *name, bool force, const struct input *input)
{
    bool is_stdout = strcmp(name, "-") == 0;
    *output = (struct output){.fd = STDOUT_FILENO,
                              .name = is_stdout ? "stdout" : name,
                              .path = is_stdout ? NULL : name};
    struct stat before;
    if (!is_stdout && stat(name, &before) == 0 && is_same_file(&before, &input->status))
        return usage_error("%s is the input itself; name another output", name);
    int rc = is_stdout ? 0 : open_path(output, force);
    if (rc != 0)
        return rc;
    if (fstat(output->fd, &output->status) != 0) {
        rc = refuse(output->name, errno);
    } else if (is_same_file(&output->status, &input->status)) {
        rc = usage_error("%s is the input itself; name another output", output->name);
    } else {
        output->regular = S_ISREG(output->status.st_mode);
        rc = claim(output);
        output->stale = output->regular && !is_stdout && output->status.st_size > 0;
        output->held = output->stale;
        if (rc == 0)
            return 0;
    }
    output_close(output, false);
    return rc;
}

int output_start(struct output *output)
{
    int rc = weir_semaphore_new(&output->turn, 1, 0);
    return rc < 0 ? rc : weir_semaphore_new(&output->keeper, 0, 0);
}

void output_stop(struct output *output)
{
    weir_semaphore_free(output->turn);
    weir_semaphore_free(output->keeper);
    output->turn = NULL;
    output->keeper = NULL;
    bytes_free(&output->filling);
    bytes_free(&output->writing);
    output->written = 0;
}

/* --- writing ------------------------------------------------------------------------------ */

static int fail(struct output *output, int error)
{
    if (output->error == 0)
        output->error = error;
    return WEIR_EIO;
}

static int drop_stale(struct output *output)
{
    if (!output->stale)
        return 0;
    if (ftruncate(output->fd, 0) != 0)
        return fail(output, errno);
    output->stale = false;
    return 0;
}

/* A disk that is full takes a part of the last write. */
static void cut_torn_line(struct output *output)
{
    const char *data = output->writing.data;
    const char *feed = memrchr(data, '\n', output->written);
    size_t whole = feed != NULL ? (size_t)(feed - data) + 1 : 0;
    off_t at = lseek(output->fd, 0, SEEK_CUR);
    struct stat status;
    if (whole == output->written || at < 0 || fstat(output->fd, &status) != 0 ||
        status.st_size != at)
        return;
    if (ftruncate(output->fd, at - (off_t)(output->written - whole)) == 0)
        output->written = whole;
}

static int write_regular(struct output *output)
{
    while (output->written < output->writing.len) {
        ssize_t put = write(output->fd, output->writing.data + output->written,
                            output->writing.len - output->written);
        if (put > 0) {
            output->written += (size_t)put;
        } else if (put == 0 || errno != EINTR) {
            int error = put == 0 ? EIO : errno;
            cut_torn_line(output);
            return fail(output, error);
        }
    }
    return 0;
}

/* Suspends until a piece can be written. poll first: most often it can be at once. */
static int await_reader(const struct output *output)
{
    struct pollfd writable = {.fd = output->fd, .events = POLLOUT};
    if (poll(&writable, 1, 0) == 1)
        return 0;
    int rc = weir_wait_fd(output->fd, WEIR_IO_WRITE);
    return rc < 0 ? rc : 0;
}

static int write_pieces(struct output *output)
{
    while (output->written < output->writing.len) {
        size_t left = output->writing.len - output->written;
        int rc = await_reader(output);
        if (rc < 0)
            return rc;
        ssize_t put = write(output->fd, output->writing.data + output->written,
                            left < PIPE_BUF ? left : PIPE_BUF);
        if (put > 0)
            output->written += (size_t)put;
        else if (put == 0 || (errno != EINTR && errno != EAGAIN))
            return fail(output, put == 0 ? EIO : errno);
    }
    return 0;
}

static uint64_t count_lines(const char *text, size_t len)
{
    uint64_t lines = 0;
    const char *end = text + len;
    const char *feed;
    while (text < end && (feed = memchr(text, '\n', (size_t)(end - text))) != NULL) {
        lines++;
        text = feed + 1;
    }
    return lines;
}

static void reuse(struct bytes *bytes)
{
    if (bytes->room > KEPT_BYTES)
        bytes_free(bytes);
    bytes->len = 0;
    bytes->failed = false;
}

/* Writes what is left of the last time, if that was interrupted. */
static int write_taken(struct output *output)
{
    size_t before = output->written;
    int rc = output->regular ? write_regular(output) : write_pieces(output);
    output->rows += count_lines(output->writing.data + before, output->written - before);
    if (rc < 0)
        return rc;
    reuse(&output->writing);
    output->written = 0;
    return 0;
}

static int write_all(struct output *output)
{
    if (output->error != 0)
        return WEIR_EIO;
    size_t pending = output_pending(output);
    if (pending == 0 || (output->held && pending <= PENDING_BYTES))
        return 0;
    output->held = false;
    int rc = drop_stale(output);
    if (rc == 0)
        rc = write_taken(output);
    if (rc < 0 || output->filling.len == 0)
        return rc;
    struct bytes empty = output->writing;
    output->writing = output->filling;
    output->filling = empty;
    return write_taken(output);
}

int output_flush(struct output *output)
{
    int rc = weir_semaphore_acquire(output->turn);
    if (rc < 0)
        return rc;
    rc = write_all(output);
    weir_semaphore_release(output->turn);
    return rc;
}

void output_release(struct output *output)
{
    output->held = false;
}

/* --- rows --------------------------------------------------------------------------------- */

int output_make_room(struct output *output)
{
    int rc = 0;
    while (rc == 0 && output_pending(output) > PENDING_BYTES)
        rc = output_flush(output);
    return rc;
}

struct bytes *output_row_begin(struct output *output)
{
    output->row_begin = output->filling.len;
    return &output->filling;
}

int output_row_end(struct output *output)
{
    struct bytes *filling = &output->filling;
    if (filling->failed) {
        filling->len = output->row_begin;
        filling->failed = false;
        return WEIR_ENOMEM;
    }
    if (output->error != 0)
        return WEIR_EIO;
    if (filling->len >= FLUSH_BYTES && output->regular) /* what may be slow is left to the keeper */
        return output_flush(output);
    if (!output->armed) {
        output->armed = true;
        weir_semaphore_release(output->keeper);
    }
    return 0;
}

int output_keep_flushing(struct output *output)
{
    for (;;) {
        int rc = weir_semaphore_acquire(output->keeper);
        if (rc == 0)
            rc = weir_sleep_ms(FLUSH_DELAY_MS);
        output->armed = false;
        if (rc == 0)
            rc = output_flush(output);
        if (rc < 0)
            return rc;
    }
}

size_t output_pending(const struct output *output)
{
    return output->filling.len + output->writing.len - output->written;
}

/* --- closing ------------------------------------------------------------------------------ */

void output_discard(struct output *output)
{
    if (output->created && output->error == 0 && ftruncate(output->fd, 0) != 0)
        fail(output, errno);
}

/* Only what is still the file that we created. */
static void remove_if_ours(const struct output *output)
{
    struct stat now;
    if (lstat(output->path, &now) == 0 && is_same_file(&now, &output->status) && now.st_size == 0)
        unlink(output->path);
}

void output_close(struct output *output, bool keep)
{
    if (keep)
        drop_stale(output);
    else if (output->created)
        remove_if_ours(output);
    if (output->path != NULL && output->fd >= 0 && close(output->fd) != 0)
        fail(output, errno);
    output->fd = -1;
}
