/* Structured fields (RFC 9651): lists, dictionaries and items of HTTP headers, read in place. The
 * RFC's own rules: what is wrong anywhere makes the whole field worthless, so ask
 * weir__sfv_list_ok or weir__sfv_dictionary_ok first. Pure functions, without recursion and without
 * memory of their own. */
#ifndef WEIR_HTTP_SFV_H
#define WEIR_HTTP_SFV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/span.h"

enum weir__sfv_type {
    WEIR__SFV_INTEGER,
    WEIR__SFV_DECIMAL,
    WEIR__SFV_STRING,
    WEIR__SFV_TOKEN,
    WEIR__SFV_BYTES,
    WEIR__SFV_BOOLEAN,
    WEIR__SFV_DATE,
    WEIR__SFV_DISPLAY,
    WEIR__SFV_INNER_LIST, /* of a member only */
};

struct weir__sfv_value {
    enum weir__sfv_type type;
    int64_t number; /* integer, date (seconds since 1970): up to 15 digits; decimal: thousandths;
                       boolean: 0 or 1 */
    struct weir__span text; /* string, bytes, display string, inner list: what stands between the
                               delimiters, escapes and encoding as they came; token: itself */
};

struct weir__sfv_member {
    struct weir__span key; /* of a dictionary; else empty */
    struct weir__sfv_value value;
    struct weir__span params; /* for weir__sfv_param */
};

/* The next member of the list or dictionary that *in holds, taken with the comma behind it. 1; 0
 * at the end; -1: malformed. Of equal keys in a dictionary the last one counts. Spaces around the
 * whole field are to be trimmed by the caller. */
int weir__sfv_list_next(struct weir__span *in, struct weir__sfv_member *member);
int weir__sfv_dictionary_next(struct weir__span *in, struct weir__sfv_member *member);

/* The next parameter of a member. 1, or 0 at the end. Of equal keys the last one counts. */
int weir__sfv_param(struct weir__span *params, struct weir__span *key,
                    struct weir__sfv_value *value);

/* The whole field is well formed. An empty one is. */
bool weir__sfv_list_ok(struct weir__span in);
bool weir__sfv_dictionary_ok(struct weir__span in);

/* The whole field is one item, with its parameters. */
bool weir__sfv_item(struct weir__span in, struct weir__sfv_member *item);

#endif
