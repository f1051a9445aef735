#include "task/stack.h"

#include <sys/mman.h>
#include <unistd.h>

#include <weir/err.h>

#include "base/fetch.h"
#include "base/mem.h"
#include "task/fiber.h"

#if !defined(MADV_GUARD_INSTALL)
#define MADV_GUARD_INSTALL 102
#endif
#if !defined(MADV_POPULATE_READ)
#define MADV_POPULATE_READ 22
#endif

enum {
    SLAB_BYTES = 64 << 20,
    KIB_MIN = 16,
    KIB_MAX = 65536,
    /* Stack tops are offset by 0..15 cache lines: equal ones would compete for the same sets. */
    COLOURS = 16,
};

struct weir__slab {
    struct weir__slab *next, *next_free;
    char *base;
    uint32_t count;     /* stacks in the slab */
    uint32_t fresh;     /* never used ones begin here; their guards are not installed yet */
    uint32_t free_head; /* returned ones, linked by next[]; count: none */
    bool listed;        /* in the list of slabs with something free */
    struct place {
        void *owner; /* NULL: free */
        uint32_t next;
        bool kept; /* free, and its pages are resident */
    } place[];
};

static uint32_t round_up_pow2(uint32_t n)
{
    uint32_t p = KIB_MIN;
    while (p < n)
        p *= 2;
    return p;
}

int weir__stack_class(uint32_t kib)
{
    int class = 0;
    if (kib == 0)
        kib = WEIR__FIBER_STACK_KIB;
    if (kib < KIB_MIN || kib > KIB_MAX)
        return WEIR_EINVAL;
    for (uint32_t size = KIB_MIN; size < kib; size *= 2)
        class ++;
    return class;
}

int weir__stacks_init(struct weir__stacks *stacks, uint32_t kib)
{
    if (kib == 0)
        kib = WEIR__FIBER_STACK_KIB;
    if (kib < KIB_MIN || kib > KIB_MAX)
        return WEIR_EINVAL;
    *stacks = (struct weir__stacks){
        .stride = (size_t)round_up_pow2(kib) * 1024,
        .guard = (size_t)sysconf(_SC_PAGESIZE),
        .light = true, /* until the kernel says otherwise */
    };
    while (stacks->stride < 4 * stacks->guard) /* where pages are of 16 or 64 KiB */
        stacks->stride *= 2;
    return 0;
}

void weir__stacks_free(struct weir__stacks *stacks)
{
    for (struct weir__slab *slab = stacks->slabs, *next; slab != NULL; slab = next) {
        next = slab->next;
        munmap(slab->base, SLAB_BYTES);
        weir__free(slab);
    }
    stacks->slabs = stacks->free_slab = NULL;
}

static int slab_new(struct weir__stacks *stacks, struct weir__slab **out)
{
    uint32_t count = (uint32_t)(SLAB_BYTES / stacks->stride);
    struct weir__slab *slab = weir__zalloc(sizeof *slab + count * sizeof slab->place[0]);
    if (slab == NULL)
        return WEIR_ENOMEM;
    void *base = mmap(NULL, SLAB_BYTES, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (base == MAP_FAILED) {
        weir__free(slab);
        return WEIR_ENOSTACK;
    }
    madvise(base, SLAB_BYTES, MADV_NOHUGEPAGE); /* a huge page would make every stack resident */
    slab->base = base;
    slab->count = slab->free_head = count;
    slab->next = stacks->slabs;
    stacks->slabs = slab;
    stacks->slab_count++;
    *out = slab;
    return 0;
}

static void list_free_slab(struct weir__stacks *stacks, struct weir__slab *slab)
{
    if (slab->listed)
        return;
    slab->listed = true;
    slab->next_free = stacks->free_slab;
    stacks->free_slab = slab;
}

/* Emulators accept advice they do not know (qemu-user does) and there would be no guard. A real one
 * cannot be populated. */
static bool is_guard(char *at, size_t size)
{
    return madvise(at, size, MADV_POPULATE_READ) != 0;
}

static int install_guard(struct weir__stacks *stacks, char *at)
{
    if (stacks->light && madvise(at, stacks->guard, MADV_GUARD_INSTALL) == 0) {
        stacks->proven = stacks->proven || is_guard(at, stacks->guard);
        if (stacks->proven)
            return 0;
    }
    stacks->light = false;
    return mprotect(at, stacks->guard, PROT_NONE) == 0 ? 0 : WEIR_ENOSTACK;
}

/* A place of the slab, which has one free; *rc tells whether its guard could be installed. */
static uint32_t take_place(struct weir__stacks *stacks, struct weir__slab *slab, int *rc)
{
    uint32_t i = slab->free_head;
    *rc = 0;
    if (i != slab->count) {
        slab->free_head = slab->place[i].next;
        return i;
    }
    i = slab->fresh;
    *rc = install_guard(stacks, slab->base + i * stacks->stride);
    if (*rc == 0)
        slab->fresh++;
    return i;
}

int weir__stack_get(struct weir__stacks *stacks, struct weir__stack *out, void *owner)
{
    struct weir__slab *slab = stacks->free_slab;
    int rc = 0;
    if (slab == NULL) {
        rc = slab_new(stacks, &slab);
        if (rc < 0)
            return rc;
        list_free_slab(stacks, slab);
    }
    uint32_t i = take_place(stacks, slab, &rc);
    if (rc < 0)
        return rc;
    if (slab->free_head == slab->count && slab->fresh == slab->count) {
        stacks->free_slab = slab->next_free;
        slab->listed = false;
    }
    stacks->kept -= slab->place[i].kept;
    slab->place[i].kept = false;
    slab->place[i].owner = owner;
    char *low = slab->base + i * stacks->stride;
    out->low = low + stacks->guard;
    out->top = low + stacks->stride - (i % COLOURS) * WEIR__LINE;
    out->slab = slab;
    out->index = i;
    stacks->used++;
    if (stacks->used > stacks->used_most)
        stacks->used_most = stacks->used;
    return 0;
}

void weir__stack_put(struct weir__stacks *stacks, struct weir__stack *stack)
{
    struct weir__slab *slab = stack->slab;
    weir__fiber_stack_recycled(stack->low, (size_t)(stack->top - stack->low));
    slab->place[stack->index].owner = NULL;
    slab->place[stack->index].next = slab->free_head;
    slab->place[stack->index].kept = true;
    slab->free_head = stack->index;
    list_free_slab(stacks, slab);
    stack->slab = NULL;
    stacks->used--;
    stacks->kept++;
}

static void trim_slab(struct weir__stacks *stacks, struct weir__slab *slab, size_t keep)
{
    for (uint32_t i = slab->fresh; i-- > 0 && stacks->kept > keep;) {
        if (!slab->place[i].kept)
            continue;
        char *low = slab->base + i * stacks->stride + stacks->guard;
        madvise(low, stacks->stride - stacks->guard, MADV_DONTNEED);
        slab->place[i].kept = false;
        stacks->kept--;
    }
}

void weir__stacks_trim(struct weir__stacks *stacks)
{
    size_t keep = stacks->used_most - stacks->used;
    for (struct weir__slab *slab = stacks->slabs; slab != NULL; slab = slab->next)
        trim_slab(stacks, slab, keep);
    stacks->used_most = stacks->used;
}

size_t weir__stacks_bytes(const struct weir__stacks *stacks)
{
    return stacks->slab_count * SLAB_BYTES;
}

void *weir__stacks_owner(const struct weir__stacks *stacks, const void *addr)
{
    const char *at = addr;
    for (const struct weir__slab *slab = stacks->slabs; slab != NULL; slab = slab->next) {
        if (at < slab->base || at >= slab->base + SLAB_BYTES)
            continue;
        size_t offset = (size_t)(at - slab->base);
        if (offset % stacks->stride >= stacks->guard)
            return NULL;
        return slab->place[offset / stacks->stride].owner;
    }
    return NULL;
}
