/* JSON Lines. One buffer: [start, end) was read and is not yet delivered; [start, scanned) of it is
 * known to hold no line end. A line is delivered where it lies, with a NUL over its end, or behind
 * the input's last byte: the read that found the end of the input had room for a chunk there. */
#include <weir/jsonl.h>

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <weir/io.h>
#include <weir/task.h>

#include "base/mem.h"
#include "base/opts.h"

/* The size of a read, and the room of the first buffer. */
#define CHUNK            ((size_t)64 << 10)
#define HIGHEST_MAX_LINE ((size_t)1 << 30)
/* What may stand around the text of a line: a byte order mark before it, a CR behind it. */
#define AROUND      4
#define YIELD_AFTER ((size_t)4 << 20)

struct weir_jsonl {
    int fd;
    bool never_waits; /* a regular file: poll and epoll have nothing to say about it */
    bool at_end;      /* of the input */
    bool skipping;    /* the line at `start` is over the maximum; its beginning is gone */
    bool busy;
    size_t max_line;
    char *data;
    size_t room, start, scanned, end;
    size_t since_yield; /* bytes read */
    uint64_t number;    /* lines passed */
};

static int max_line_of(const struct weir_jsonl_opts *opts, size_t *max_line)
{
    struct weir_jsonl_opts own;
    int rc = weir__opts_copy(&own, sizeof own, opts);
    if (rc < 0 || own.max_line > HIGHEST_MAX_LINE)
        return WEIR_EINVAL;
    *max_line = own.max_line > 0 ? own.max_line : WEIR_JSONL_MAX_LINE;
    return 0;
}

int weir_jsonl_new(weir_jsonl **out, int fd, const struct weir_jsonl_opts *opts)
{
    size_t max_line;
    struct stat status;
    if (out == NULL)
        return WEIR_EINVAL;
    *out = NULL;
    if (max_line_of(opts, &max_line) < 0 || fstat(fd, &status) != 0)
        return WEIR_EINVAL;
    weir_jsonl *reader = weir__zalloc(sizeof *reader);
    char *data = weir__alloc(CHUNK);
    if (reader == NULL || data == NULL) {
        weir__free(reader);
        weir__free(data);
        return WEIR_ENOMEM;
    }
    reader->fd = fd;
    reader->never_waits = S_ISREG(status.st_mode);
    reader->max_line = max_line;
    reader->data = data;
    reader->room = CHUNK;
    *out = reader;
    return 0;
}

void weir_jsonl_free(weir_jsonl *reader)
{
    if (reader == NULL)
        return;
    weir__free(reader->data);
    weir__free(reader);
}

/* Suspends until a read would not block the thread. Asks poll first: most often the next piece is
 * there already, and epoll knows less than poll (nothing of /dev/null, for one). */
static int await_input(const weir_jsonl *reader)
{
    if (reader->never_waits || weir_task_self() == NULL)
        return 0;
    struct pollfd input = {.fd = reader->fd, .events = POLLIN};
    int ready;
    do {
        ready = poll(&input, 1, 0);
    } while (ready < 0 && errno == EINTR);
    if (ready != 0)
        return 0; /* readable, or a trouble that read will name */
    int rc = weir_wait_fd(reader->fd, WEIR_IO_READ);
    return rc < 0 ? rc : 0;
}

/* For a descriptor in non-blocking mode outside of weir_run. */
static void block_for_input(const weir_jsonl *reader)
{
    if (weir_task_self() != NULL)
        return; /* await_input will do it */
    struct pollfd input = {.fd = reader->fd, .events = POLLIN};
    poll(&input, 1, -1); /* when it fails, read says why */
}

/* Up to CHUNK bytes to `to`. Returns how many, 0 at the end of the input. */
static int read_chunk(const weir_jsonl *reader, char *to)
{
    for (;;) {
        int rc = await_input(reader);
        if (rc < 0)
            return rc;
        ssize_t got = read(reader->fd, to, CHUNK);
        if (got >= 0)
            return (int)got;
        if (errno == EAGAIN)
            block_for_input(reader);
        else if (errno != EINTR)
            return WEIR_EIO;
    }
}

static int make_room(weir_jsonl *reader)
{
    size_t highest = reader->max_line + AROUND + CHUNK;
    if (reader->end + CHUNK <= reader->room)
        return 0;
    size_t room = reader->room * 2; /* enough, for the first room was a chunk too */
    if (room > highest)
        room = highest;
    char *data = weir__realloc(reader->data, room);
    if (data == NULL)
        return WEIR_ENOMEM;
    reader->data = data;
    reader->room = room;
    return 0;
}

/* A file that is always ready would else hold up all tasks while a long line is read or skipped. */
static int let_others_run(weir_jsonl *reader, size_t got)
{
    reader->since_yield += got;
    if (reader->since_yield < YIELD_AFTER || weir_task_self() == NULL)
        return 0;
    reader->since_yield = 0;
    return weir_yield();
}

/* Reads on behind the unfinished line. Whatever it returns, nothing that was read is lost. */
static int fill(weir_jsonl *reader)
{
    size_t pending = reader->end - reader->start;
    if (pending > reader->max_line + AROUND)
        reader->skipping = true;
    if (reader->skipping)
        pending = 0;
    if (pending > 0 && reader->start > 0)
        memmove(reader->data, reader->data + reader->start, pending);
    reader->start = 0;
    reader->scanned = pending;
    reader->end = pending;
    int rc = make_room(reader);
    if (rc < 0)
        return rc;
    int got = read_chunk(reader, reader->data + reader->end);
    if (got < 0)
        return got;
    reader->at_end = got == 0;
    reader->end += (size_t)got;
    return let_others_run(reader, (size_t)got);
}

/* Where the line at `start` ends: at its LF, or at the end of the input if it has none. NULL when
 * that is not known yet, or when there is no further line. */
static char *line_stop(weir_jsonl *reader)
{
    size_t unseen = reader->end - reader->scanned;
    char *feed = unseen > 0 ? memchr(reader->data + reader->scanned, '\n', unseen) : NULL;
    if (feed != NULL)
        return feed;
    reader->scanned = reader->end;
    bool last = reader->at_end && (reader->start < reader->end || reader->skipping);
    return last ? reader->data + reader->end : NULL;
}

static bool is_blank(const char *text, size_t len)
{
    size_t i = 0;
    while (i < len && (text[i] == ' ' || text[i] == '\t' || text[i] == '\r'))
        i++;
    return i == len;
}

/* Takes the line that ends at stop out of the buffer. 1, WEIR_ELINESIZE, or 0 for a blank line. */
static int take(weir_jsonl *reader, char *stop, struct weir_line *line)
{
    char *text = reader->data + reader->start;
    size_t len = (size_t)(stop - text);
    bool whole = !reader->skipping;

    reader->start = (size_t)(stop - reader->data);
    if (reader->start < reader->end)
        reader->start++; /* behind the LF */
    reader->scanned = reader->start;
    reader->skipping = false;
    reader->number++;
    if (reader->number == 1 && len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
        text += 3;
        len -= 3;
    }
    if (len > 0 && text[len - 1] == '\r')
        len--;
    if (!whole || len > reader->max_line)
        return WEIR_ELINESIZE;
    if (is_blank(text, len))
        return 0;
    text[len] = '\0';
    *line = (struct weir_line){.text = text, .len = len, .number = reader->number};
    return 1;
}

static int next_line(weir_jsonl *reader, struct weir_line *line)
{
    for (;;) {
        int rc;
        char *stop = line_stop(reader);
        if (stop != NULL)
            rc = take(reader, stop, line);
        else if (reader->at_end)
            return 0;
        else
            rc = fill(reader);
        if (rc != 0)
            return rc;
    }
}

int weir_jsonl_next(weir_jsonl *reader, struct weir_line *line)
{
    if (reader == NULL || line == NULL)
        return WEIR_EINVAL;
    if (reader->busy)
        return WEIR_EBUSY;
    reader->busy = true;
    int rc = next_line(reader, line);
    reader->busy = false;
    if (rc <= 0)
        *line = (struct weir_line){.number = reader->number};
    return rc;
}
