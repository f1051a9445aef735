/* The one door to the heap, so that tests can make the k-th allocation fail. */
#ifndef WEIR_BASE_MEM_H
#define WEIR_BASE_MEM_H

#include <stddef.h>

void *weir__alloc(size_t size);
void *weir__zalloc(size_t size);
void *weir__realloc(void *old, size_t size); /* old stays valid when NULL is returned */
char *weir__strdup(const char *text);
char *weir__memdup(const void *data, size_t len); /* with a NUL behind it */
void weir__free(void *memory);

/* For what may hold a key: header lines, URLs, passwords. NULL is fine for both. */
void weir__wipe(char *text);
void weir__free_secret(char *text); /* wiped first */

/* For tests: the k-th allocation of this thread from now (1 = the next) and all after it fail;
 * 0 switches that off. Returns how many allocations were made since the last call. */
unsigned long weir__mem_fail_at(unsigned long k);

#endif
