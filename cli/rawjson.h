/* JSON as text: is it valid, and where do its parts lie?
 *
 * Rows and answers pass through the program byte for byte, so that numbers of any size, the order
 * of keys and the spelling stay what they were. They are therefore checked and cut up, and never
 * turned into a tree and back; that also takes a tenth of the time, and no stack. */
#ifndef WEIR_CLI_RAWJSON_H
#define WEIR_CLI_RAWJSON_H

#include <stdbool.h>
#include <stddef.h>

/* A part of a text, borrowed. */
struct span {
    const char *at; /* NULL: there is none */
    size_t len;
};

#define RAWJSON_NOT_UTF8 "not UTF-8" /* one of the texts of a fault */

struct rawjson_fault {
    const char *what; /* static */
    size_t offset;
};

/* Arrays and objects inside of each other at most: so many that no real request or answer needs
 * them, and so few that common readers of our output take them (jq 1.6 takes 256). */
#define RAWJSON_DEPTH_MAX 192

/* Cuts *span, which holds one JSON value (RFC 8259) in UTF-8 and white space around it, down to the
 * value. False, with *fault filled (fault may be NULL), when it holds anything else. */
bool rawjson_check(struct span *span, struct rawjson_fault *fault);

/* The functions below take valid JSON: a value found by rawjson_check, or a part of one. */

/* Goes through the members of an object: start with *rest = the object; each call that returns true
 * fills key (a string with its quotes) and value. A span that is no object has no members. */
bool rawjson_member(struct span *rest, struct span *key, struct span *value);

/* The last member of that name, as parsers have it; none: .at is NULL. */
struct span rawjson_find(struct span object, const char *name);

bool rawjson_is_string(struct span value);
bool rawjson_is_object(struct span value);
bool rawjson_is_null(struct span value);

/* Whether a string says `text`. */
bool rawjson_equals(struct span string, const char *text);

/* What a string says, to dst, which has room for string.len - 2 bytes and may be where the string
 * itself lies; *len gets its length. False when it has an escape without meaning (half a surrogate
 * pair), or memory is out. */
bool rawjson_decode(struct span string, char *dst, size_t *len);

#endif
