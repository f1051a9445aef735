/* Names in protocols do not mind the case of ASCII letters, whatever the program's locale. The C
 * library's strcasecmp goes by that: in a Turkish one "ID" is not "id". */
#ifndef WEIR_BASE_ASCII_H
#define WEIR_BASE_ASCII_H

#include <stdbool.h>
#include <stddef.h>

static inline char weir__ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Whether the first len bytes are the same but for case, or all up to a NUL in both. */
static inline bool weir__ascii_same(const char *a, const char *b, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (a[i] != b[i] && weir__ascii_lower(a[i]) != weir__ascii_lower(b[i]))
            return false;
        if (a[i] == '\0')
            return true;
    }
    return true;
}

#endif
