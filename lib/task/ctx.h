/* Switching from one stack to another. Three implementations of one face: ctx_x86_64.S,
 * ctx_aarch64.S, ctx_ucontext.c. */
#ifndef WEIR_TASK_CTX_H
#define WEIR_TASK_CTX_H

#include <stddef.h>
#include <stdint.h>

#if defined(WEIR_UCONTEXT)
#include <ucontext.h>
struct weir__ctx {
    ucontext_t uc;
};
#else
struct weir__ctx {
    void *sp;
};
#endif

/* Prepares *ctx so that the first switch to it calls entry(arg) on the given stack. entry must not
 * return. top is 16-byte aligned. */
void weir__ctx_make(struct weir__ctx *ctx, void *low, void *top, void (*entry)(void *), void *arg);

/* Asks the processor to fetch the line of memory. gcc takes a function that does no more than this
 * for one without effect and drops the calls of it: hence the empty statement. */
static inline void weir__prefetch(const void *line)
{
    __asm__ volatile("");
    __builtin_prefetch(line);
}

/* The same with what a switch to *ctx will read. */
static inline void weir__ctx_fetch(const struct weir__ctx *ctx)
{
#if defined(WEIR_UCONTEXT)
    weir__prefetch(ctx);
#else
    weir__prefetch(ctx->sp);
    weir__prefetch((const void *)((uintptr_t)ctx->sp + 64)); /* may be NULL: not yet started */
#endif
}

/* Saves the running context in *from and goes on in *to. */
void weir__ctx_switch(struct weir__ctx *from, struct weir__ctx *to);

#endif
