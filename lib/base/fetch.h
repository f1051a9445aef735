/* Asking the processor for memory ahead. With hundreds of requests under way, what one of them
 * needs when its answer comes has left the cache long before. */
#ifndef WEIR_BASE_FETCH_H
#define WEIR_BASE_FETCH_H

#include <stddef.h>
#include <stdint.h>

enum { WEIR__LINE = 64 }; /* bytes of a cache line */

/* The line of an address, which may be any: nothing is read. gcc takes a function that does no more
 * than this for one without effect and drops the calls of it: hence the empty statement. */
static inline void weir__fetch(const void *at)
{
    __asm__ volatile("");
    __builtin_prefetch(at);
}

/* In fours, as counting takes longer than asking. */
static inline void weir__fetch_all(const void *from, size_t bytes)
{
    uintptr_t at = (uintptr_t)from;
    size_t lines = (bytes + WEIR__LINE - 1) / WEIR__LINE;
    for (; lines >= 4; lines -= 4, at += 4 * (uintptr_t)WEIR__LINE) {
        weir__fetch((const void *)at);
        weir__fetch((const void *)(at + WEIR__LINE));
        weir__fetch((const void *)(at + 2 * (uintptr_t)WEIR__LINE));
        weir__fetch((const void *)(at + 3 * (uintptr_t)WEIR__LINE));
    }
    for (; lines > 0; lines--, at += WEIR__LINE)
        weir__fetch((const void *)at);
}

#endif
