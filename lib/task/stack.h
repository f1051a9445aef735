/* Stacks for tasks, from slabs of 64 MiB, each stack with a guard page at its low end.
 *
 * A guard by mprotect costs two mappings, so vm.max_map_count (65,530 by default) would end it at
 * 32,000 tasks. Where the kernel has MADV_GUARD_INSTALL (Linux 6.13) guards cost none. */
#ifndef WEIR_TASK_STACK_H
#define WEIR_TASK_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct weir__slab;

/* Sizes of stacks, guard included: 16 KiB, 32 KiB, ... 64 MiB. */
enum { WEIR__STACK_CLASSES = 13 };

struct weir__stack {
    char *low, *top; /* usable bytes are [low, top); the guard lies below low */
    struct weir__slab *slab;
    uint32_t index; /* in the slab */
};

struct weir__stacks {
    size_t stride; /* bytes from one stack to the next, guard included: a power of two */
    size_t guard;  /* bytes of the guard: one page */
    bool light;    /* MADV_GUARD_INSTALL works here */
    bool proven;   /* and was seen to */
    struct weir__slab *slabs;
    struct weir__slab *free_slab; /* head of the slabs with something free */
    size_t used, kept;            /* kept: returned, with pages that are still resident */
    size_t used_most;             /* since the last trim */
    size_t slab_count;
};

/* The place of a size in an array of classes, the smallest that holds kib (0: the default's);
 * WEIR_EINVAL when there is none. */
int weir__stack_class(uint32_t kib);

/* kib as in struct weir_run_opts. 0 or WEIR_EINVAL. */
int weir__stacks_init(struct weir__stacks *stacks, uint32_t kib);
void weir__stacks_free(struct weir__stacks *stacks);

/* A stack in *out, most recently returned first, so that its pages are warm. owner is what
 * weir__stacks_owner will tell of it. WEIR_ENOMEM, WEIR_ENOSTACK. */
int weir__stack_get(struct weir__stacks *stacks, struct weir__stack *out, void *owner);
void weir__stack_put(struct weir__stacks *stacks, struct weir__stack *stack);

/* Gives the memory of returned stacks back to the system, but for as many as were needed at the
 * same time since the last call. Their guards stay. */
void weir__stacks_trim(struct weir__stacks *stacks);

/* The address space of all slabs. */
size_t weir__stacks_bytes(const struct weir__stacks *stacks);

/* The owner of the stack whose guard holds addr; NULL: no guard of ours. Safe in a signal handler
 * of the thread that uses the stacks. */
void *weir__stacks_owner(const struct weir__stacks *stacks, const void *addr);

#endif
