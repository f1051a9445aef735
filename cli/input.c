#include "input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exit_status.h"
#include "form.h"
#include "options.h"
#include "term.h"

/* A line keeps a buffer of this size between rows, so that usual rows cost no allocation. */
#define LINE_KEPT  ((size_t)64 << 10)
#define LINE_FIRST ((size_t)1 << 10)
#define HEAD_ROOM  512

static int refuse(const struct input *input, int error)
{
    char buf[64];
    const char *hint = error == ENOENT   ? "check the name; - is stdin"
                       : error == EISDIR ? "name a file in it"
                       : error == EACCES ? "you may not read it"
                                         : "name a file of requests";
    return usage_error("cannot read %s: %s; %s", input->name, error_text(error, buf, sizeof buf),
                       hint);
}

int input_complain_of_form(const struct input *input, const struct form *form)
{
    return usage_error("%s %s, and weir reads JSON Lines, a request a line; %s", input->name,
                       form->what, form->mend);
}

/* What can be seen without taking anything from the file. 0 or EXIT_USAGE. */
static int check_head(const struct input *input)
{
    char head[HEAD_ROOM];
    if (!S_ISREG(input->status.st_mode))
        return 0;
    ssize_t len = pread(input->fd, head, sizeof head, input->begin);
    const struct form *form = len > 0 ? form_of_bytes(head, (size_t)len) : NULL;
    return form != NULL ? input_complain_of_form(input, form) : 0;
}

int input_open(struct input *input, const char *name, size_t max_line)
{
    bool is_stdin = strcmp(name, "-") == 0;
    *input = (struct input){.name = is_stdin ? "stdin" : name, .max_line = max_line};
    input->fd = is_stdin ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (input->fd < 0)
        return refuse(input, errno);
    int error = 0;
    if (fstat(input->fd, &input->status) != 0)
        error = errno;
    else if (S_ISDIR(input->status.st_mode))
        error = EISDIR;
    if (error != 0) {
        input_close(input);
        return refuse(input, error);
    }
    off_t at = S_ISREG(input->status.st_mode) ? lseek(input->fd, 0, SEEK_CUR) : 0;
    input->begin = at > 0 ? at : 0;
    int status = check_head(input);
    if (status != 0)
        input_close(input);
    return status;
}

void input_close(struct input *input)
{
    if (input->fd > STDERR_FILENO)
        close(input->fd);
    input->fd = -1;
}

int input_start(struct input *input)
{
    return weir_jsonl_new(&input->reader, input->fd, WEIR_JSONL_OPTS(.max_line = input->max_line));
}

void input_stop(struct input *input)
{
    weir_jsonl_free(input->reader);
    input->reader = NULL;
}

static int keep(struct line *line, const struct weir_line *found)
{
    size_t need = found->len + 1;
    if (need > line->room) {
        size_t room = need < LINE_FIRST ? LINE_FIRST : need + need / 4;
        char *text = realloc(line->text, room);
        if (text == NULL)
            return WEIR_ENOMEM;
        line->text = text;
        line->room = room;
    }
    memcpy(line->text, found->text, need);
    line->len = found->len;
    return 0;
}

int input_next(struct input *input, struct line *line)
{
    struct weir_line found;
    input->reading = true;
    int rc = input->ended ? 0 : weir_jsonl_next(input->reader, &found);
    input->reading = false;
    input->ended |= rc == 0;
    line->too_long = rc == WEIR_ELINESIZE;
    if (rc != 1 && !line->too_long)
        return rc;
    line->len = 0;
    line->number = found.number;
    line->row = ++input->rows;
    if (line->too_long)
        return 1;
    input->bytes += found.len + 1;
    rc = keep(line, &found);
    return rc < 0 ? rc : 1;
}

void line_release(struct line *line)
{
    if (line->room <= LINE_KEPT)
        return;
    free(line->text);
    *line = (struct line){0};
}

uint64_t input_total(const struct input *input)
{
    if (input->ended || input->bytes == 0)
        return input->ended ? input->rows : 0;
    if (!S_ISREG(input->status.st_mode) || input->status.st_size <= input->begin)
        return 0;
    double size = (double)(input->status.st_size - input->begin);
    uint64_t total = (uint64_t)(size / (double)input->bytes * (double)input->rows + 0.5);
    return total > input->rows ? total : input->rows;
}
