/* Blocks of memory that were freed and are kept for the next who asks: libcurl asks for 50 a
 * request and frees them at its end, which with malloc alone is an eighth of all that a request
 * costs.
 *
 * A block is one of malloc's, so it does no harm when it is freed by free, was allocated elsewhere,
 * or goes from thread to thread. Threads that have not asked for it keep none. */
#ifndef WEIR_BASE_BLOCKS_H
#define WEIR_BASE_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a thread keeps at most, in bytes. */
enum { WEIR__BLOCKS_MAX = 512 << 10 };

/* From now on the calling thread keeps blocks, until weir__blocks_end was called as often. False:
 * memory is out, and nothing has begun. */
bool weir__blocks_begin(void);
void weir__blocks_end(void);

/* Bytes that the calling thread keeps now. */
size_t weir__blocks_kept(void);

/* As the functions of <stdlib.h>. */
void *weir__blocks_alloc(size_t size);
void *weir__blocks_zalloc(size_t n, size_t size);
void *weir__blocks_realloc(void *old, size_t size);
char *weir__blocks_strdup(const char *text);
void weir__blocks_free(void *block);

/* How often memory was out in any thread so far. */
unsigned long weir__blocks_failures(void);

/* For tests, of a thread that keeps blocks: from now (1 = the next) the first to the last that it
 * asks for fail; last = 0 switches that off. Returns how many it has asked for since it was
 * switched on. */
unsigned long weir__blocks_fail(unsigned long first, unsigned long last);

/* The blocks that the calling thread was given last, with what of them is in use; some may be freed
 * by now. */
enum { WEIR__RECENT = 24 };
struct weir__recent {
    uintptr_t of[WEIR__RECENT];
};
void weir__blocks_note(struct weir__recent *recent);

/* Asks for their memory. Nothing is read. */
void weir__blocks_fetch(const struct weir__recent *recent);

#endif
