/* Growable text with a maximum, as rows of JSON are built. */
#ifndef WEIR_CLI_BYTES_H
#define WEIR_CLI_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero is empty. `failed` stays set once something could not be added, so that a row is built
 * without a look at each step; what was added before stays. */
struct bytes {
    char *data;
    size_t len, room;
    bool failed;
};

void bytes_free(struct bytes *bytes); /* may be used again afterwards */

/* Makes sure that `more` bytes fit behind the content. False when memory is out or the content
 * would pass 1 GiB. */
bool bytes_reserve(struct bytes *bytes, size_t more);

void bytes_add(struct bytes *bytes, const char *text, size_t len);
void bytes_adds(struct bytes *bytes, const char *text);
void bytes_add_uint(struct bytes *bytes, uint64_t number);

/* The text as a JSON string with its quotes. Bytes that are no UTF-8 become U+FFFD each. */
void bytes_add_json_string(struct bytes *bytes, const char *text, size_t len);

/* Valid JSON as it stands, but on one line: line feeds and carriage returns are left out. (They
 * can only stand between tokens: inside of strings JSON forbids them.) */
void bytes_add_json_line(struct bytes *bytes, const char *json, size_t len);

#endif
