/* The output file: rows are collected and written many at a time, whole lines if it can be helped.
 *
 * A regular file is written by plain write(2). Anything else (a pipe, a terminal) may have a slow
 * reader: it is waited for, and gets pieces small enough that write(2) never blocks. */
#ifndef WEIR_CLI_OUTPUT_H
#define WEIR_CLI_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include <weir/sync.h>

#include "bytes.h"
#include "input.h"

struct output {
    int fd;
    const char *name; /* as messages call it */
    const char *path; /* NULL: stdout */
    struct stat status;
    bool regular;
    bool created;           /* by us */
    bool stale;             /* holds what --force allows to overwrite */
    bool held;              /* nothing is overwritten yet */
    bool armed;             /* the keeper knows that there is something to write */
    int error;              /* errno of what made writing fail for good; 0: all is well */
    uint64_t rows;          /* that are written, as whole lines */
    struct bytes filling;   /* rows since the last write began */
    struct bytes writing;   /* rows that are being written, ... */
    size_t written;         /* ... and so many bytes of them are */
    size_t row_begin;       /* where in filling the row that is being built begins */
    weir_semaphore *turn;   /* whose turn it is to write */
    weir_semaphore *keeper; /* gets a permit when the first row waits */
};

/* Opens or creates the file of that name, or takes stdout for "-", and makes sure that it is not
 * the input. What --force overwrites stays as it is until there is something to write. 0, or
 * EXIT_USAGE with a message and nothing created. */
int output_open(struct output *output, const char *name, bool force, const struct input *input);

/* Closes it; output->error is set if that fails. keep: the run went well, so even an empty output
 * stays; else a file that was created and got nothing is removed. */
void output_close(struct output *output, bool keep);

/* Empties a file that was created, so that output_close removes it. */
void output_discard(struct output *output);

/* The rows are worth what --force overwrites: until this is called, and no more rows wait than
 * memory should hold, the old content stays. */
void output_release(struct output *output);

/* Inside weir_run, before the first row: 0 or a WEIR_E code; and after the last. */
int output_start(struct output *output);
void output_stop(struct output *output);

/* To be called with a row in hand: while a slow reader leaves much to be written it takes part in
 * the writing, so that rows pile up where their number is bounded, and not in memory. 0, WEIR_EIO
 * or WEIR_ECANCELED. Suspends. */
int output_make_room(struct output *output);

/* A row is built between these two, without suspending: add to what the first returns. The second
 * returns 0, WEIR_ENOMEM (the row was dropped), WEIR_EIO (output->error says why), or
 * WEIR_ECANCELED (the row is kept for output_flush). Does not suspend. */
struct bytes *output_row_begin(struct output *output);
int output_row_end(struct output *output);

/* Writes all rows that wait. 0, WEIR_EIO or WEIR_ECANCELED; what was not written stays. Suspends.
 */
int output_flush(struct output *output);

/* Writes rows soon after they came, until it is cancelled or writing fails: for a task of its own.
 * Returns WEIR_ECANCELED or WEIR_EIO. */
int output_keep_flushing(struct output *output);

/* Bytes that wait to be written. */
size_t output_pending(const struct output *output);

#endif
