/* Files that are not what `weir run` reads, known by how they begin. */
#ifndef WEIR_CLI_FORM_H
#define WEIR_CLI_FORM_H

#include <stddef.h>

#include "rawjson.h"

struct form {
    const char *what; /* it is */
    const char *mend; /* what makes requests of it */
};

/* What a file that begins with these bytes is; NULL: nothing speaks against it. */
const struct form *form_of_bytes(const char *bytes, size_t len);

/* The same, by its whole first line. */
const struct form *form_of_line(struct span line);

#endif
