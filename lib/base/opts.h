/* Option structs grow at their end. A program that was built with another version of the headers
 * gives fewer or more members than the library knows. */
#ifndef WEIR_BASE_OPTS_H
#define WEIR_BASE_OPTS_H

#include <stddef.h>

/* Copies the options at `from`, whose first member is their size, over `to`, which is of `size`
 * bytes and becomes zero where `from` has nothing. NULL counts as all zero. WEIR_EINVAL when the
 * size was never set, or when a member that this version does not know is not zero. */
int weir__opts_copy(void *to, size_t size, const void *from);

/* The way back, for figures that are asked for: copies `size` bytes at `from` to `to`, as far as
 * the size that the caller has put first there reaches; what it knows and this version does not
 * becomes zero. The size stays. WEIR_EINVAL when it was never set (nothing is written then). */
int weir__opts_fill(void *to, size_t size, const void *from);

#endif
