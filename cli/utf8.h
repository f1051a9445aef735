/* UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing over U+10FFFF. */
#ifndef WEIR_CLI_UTF8_H
#define WEIR_CLI_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* The length, 1 to 4, of the character that begins at `at` and ends before or at `end` (at < end),
 * and the character in *point; 0 when the bytes are no UTF-8. */
size_t utf8_next(const char *at, const char *end, uint32_t *point);

#endif
