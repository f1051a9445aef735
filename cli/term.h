/* What people read on stderr. Whatever a file or a server put into it, a terminal shows it and does
 * not obey it. */
#ifndef WEIR_CLI_TERM_H
#define WEIR_CLI_TERM_H

#include <stddef.h>

/* Copies text so that it is harmless on a terminal: control characters (C0, C1), what turns the
 * direction of writing, and bytes that are no UTF-8 become visible escapes. The copy ends with
 * "..." where it had to be cut to fit, and with a NUL. Returns dst; room is at least 16. */
char *term_safe(char *dst, size_t room, const char *text, size_t len);

/* Prints one line, made harmless as above. A status line that stands is removed first. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Draws the status line (printable ASCII, shorter than the terminal is wide) over the one before.
 * Without escape codes: carriage return and blanks do on every terminal. */
void term_status(const char *text);

/* Removes the status line, if one stands. */
void term_status_end(void);

/* The columns of the terminal on stderr; 80 when it does not say. */
size_t term_columns(void);

/* The text of an errno value, in buf (room is at least 64) or static. */
const char *error_text(int error, char *buf, size_t room);

#endif
