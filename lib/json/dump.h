/* Jansson trees as text, into a buffer with a maximum. */
#ifndef WEIR_JSON_DUMP_H
#define WEIR_JSON_DUMP_H

#include <jansson.h>

#include "base/buf.h"

/* Appends the tree's compact text to buf. 0, WEIR_EJSON as weir_jansson_text, or WEIR_ENOMEM, also
 * when buf's maximum is reached; buf then holds a part of the text. */
int weir__jansson_dump(const json_t *tree, struct weir__buf *buf);

#endif
