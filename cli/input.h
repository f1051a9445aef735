/* The rows of a file, one after the other. */
#ifndef WEIR_CLI_INPUT_H
#define WEIR_CLI_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <weir/jsonl.h>

#include "form.h"

struct input {
    int fd;
    const char *name; /* as messages call it */
    struct stat status;
    off_t begin; /* where in a regular file reading began */
    size_t max_line;
    weir_jsonl *reader;
    uint64_t rows;  /* read so far */
    uint64_t bytes; /* of them */
    bool reading;   /* a task is inside input_next: it waits, if another sees this */
    bool ended;
};

/* A row's text, owned by who reads it, so that others may read on. */
struct line {
    char *text; /* may be changed; a NUL stands behind it */
    size_t len, room;
    uint64_t number; /* in the file, from 1 */
    uint64_t row;    /* from 1, blank lines not counted */
    bool too_long;   /* then there is no text */
};

/* Opens the file of that name, or takes stdin for "-". 0, or EXIT_USAGE with a message. */
int input_open(struct input *input, const char *name, size_t max_line);
void input_close(struct input *input);

/* Says what the file is instead of rows, and what to do. Returns EXIT_USAGE. */
int input_complain_of_form(const struct input *input, const struct form *form);

/* Inside weir_run, before the first row: 0 or a WEIR_E code; and after the last. */
int input_start(struct input *input);
void input_stop(struct input *input);

/* The next row: for one task at a time. 1, 0 at the end, or WEIR_ECANCELED, WEIR_EIO, WEIR_ENOMEM.
 * Suspends. */
int input_next(struct input *input, struct line *line);

/* Gives a line's memory back if it is much. */
void line_release(struct line *line);

/* The number of rows in all: exact at the end, an estimate from the bytes read of a regular file,
 * 0 when nothing can be said. */
uint64_t input_total(const struct input *input);

#endif
