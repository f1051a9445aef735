#include "base/blocks.h"

#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/fetch.h"
#include "base/mem.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WATCHED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define WATCHED 1
#endif

#if defined(WATCHED)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size)   ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#endif

/* Sizes are told apart by 16 bytes, as glibc does. The largest that is kept has room for libcurl's
 * buffer of 16 KiB, which it has for as long as a transfer lasts. */
enum { STEP = 16, LEAST = 24, LISTS = 1032 };

/* Of the large ones only the beginning is in use while an answer is waited for. */
enum { LINES_MAX = 8 };

struct block {
    struct block *next;
};

struct kept {
    unsigned users;
    size_t bytes;
    struct weir__recent recent;
    unsigned given;
    unsigned long asked, fail_first, fail_last; /* of weir__blocks_fail */
    struct block *list[LISTS]; /* list[i]: LEAST + i * STEP bytes are free to use, or a few more */
};

static _Thread_local struct kept *of_thread;

static atomic_ulong failures;

static size_t place_for(size_t size)
{
    return size <= LEAST ? 0 : (size - LEAST + STEP - 1) / STEP;
}

static size_t room_at(size_t place)
{
    return LEAST + place * STEP;
}

/* NULL: none is kept. */
static void *take(struct kept *kept, size_t place)
{
    struct block *block = kept->list[place];
    if (block == NULL)
        return NULL;
    ASAN_UNPOISON_MEMORY_REGION(block, room_at(place));
    kept->list[place] = block->next;
    kept->bytes -= room_at(place);
    return block;
}

bool weir__blocks_begin(void)
{
    if (of_thread == NULL)
        of_thread = weir__zalloc(sizeof *of_thread);
    if (of_thread == NULL)
        return false;
    of_thread->users++;
    return true;
}

void weir__blocks_end(void)
{
    struct kept *kept = of_thread;
    if (--kept->users > 0)
        return;
    of_thread = NULL;
    for (size_t place = 0; place < LISTS; place++) {
        void *block;
        while ((block = take(kept, place)) != NULL)
            free(block);
    }
    weir__free(kept);
}

size_t weir__blocks_kept(void)
{
    return of_thread != NULL ? of_thread->bytes : 0;
}

unsigned long weir__blocks_failures(void)
{
    return atomic_load_explicit(&failures, memory_order_relaxed);
}

unsigned long weir__blocks_fail(unsigned long first, unsigned long last)
{
    struct kept *kept = of_thread;
    unsigned long asked = kept->asked;
    kept->asked = 0;
    kept->fail_first = first;
    kept->fail_last = last;
    return asked;
}

static bool refused(struct kept *kept)
{
    if (kept == NULL || kept->fail_last == 0)
        return false;
    kept->asked++;
    if (kept->asked < kept->fail_first || kept->asked > kept->fail_last)
        return false;
    errno = ENOMEM; /* as malloc says */
    return true;
}

static void *noted(void *block)
{
    if (block == NULL)
        atomic_fetch_add_explicit(&failures, 1, memory_order_relaxed);
    return block;
}

/* The address has room for the number of lines, as blocks lie at multiples of 16. */
static void remember(struct kept *kept, const void *block, size_t size)
{
    size_t lines = size < LINES_MAX * WEIR__LINE ? size / WEIR__LINE + 1 : LINES_MAX;
    kept->recent.of[kept->given++ % WEIR__RECENT] = (uintptr_t)block | lines;
}

void weir__blocks_note(struct weir__recent *recent)
{
    *recent = of_thread != NULL ? of_thread->recent : (struct weir__recent){{0}};
}

/* Its size, which stands before the block, is read when it is freed. */
void weir__blocks_fetch(const struct weir__recent *recent)
{
    for (size_t i = 0; i < WEIR__RECENT; i++) {
        uintptr_t lines = recent->of[i] & (STEP - 1), block = recent->of[i] - lines;
        weir__fetch_all((const void *)(block - sizeof(size_t)), lines * WEIR__LINE);
    }
}

void *weir__blocks_alloc(size_t size)
{
    struct kept *kept = of_thread;
    size_t place = place_for(size);
    if (refused(kept))
        return noted(NULL);
    if (kept == NULL || place >= LISTS)
        return noted(malloc(size));
    void *block = take(kept, place);
    if (block == NULL)
        block = noted(malloc(room_at(place)));
    remember(kept, block, size);
    return block;
}

void weir__blocks_free(void *memory)
{
    struct block *block = memory;
    if (block == NULL) /* every second one */
        return;
    struct kept *kept = of_thread;
    size_t room = kept != NULL ? malloc_usable_size(block) : 0;
    size_t place = (room - LEAST) / STEP;
    if (room < LEAST || place >= LISTS || kept->bytes + room_at(place) > WEIR__BLOCKS_MAX) {
        free(block);
        return;
    }
    kept->bytes += room_at(place);
    block->next = kept->list[place];
    kept->list[place] = block;
    ASAN_POISON_MEMORY_REGION(block, room_at(place));
}

void *weir__blocks_zalloc(size_t n, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes))
        return NULL;
    void *block = weir__blocks_alloc(bytes);
    if (block != NULL)
        memset(block, 0, bytes);
    return block;
}

void *weir__blocks_realloc(void *old, size_t size)
{
    if (old == NULL)
        return weir__blocks_alloc(size);
    size_t room = malloc_usable_size(old);
    if (of_thread == NULL || room >= room_at(LISTS - 1))
        return noted(refused(of_thread) ? NULL : realloc(old, size));
    if (size <= room && size >= room / 4)
        return old;
    void *block = weir__blocks_alloc(size);
    if (block != NULL) {
        memcpy(block, old, room < size ? room : size);
        weir__blocks_free(old);
    }
    return block;
}

char *weir__blocks_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = weir__blocks_alloc(size);
    return copy != NULL ? memcpy(copy, text, size) : NULL;
}
