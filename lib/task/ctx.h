/* Switching from one stack to another. Three implementations of one face: ctx_x86_64.S,
 * ctx_aarch64.S, ctx_ucontext.c. */
#ifndef WEIR_TASK_CTX_H
#define WEIR_TASK_CTX_H

#include <stddef.h>
#include <stdint.h>

#include "base/fetch.h"

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

/* Asks for the memory that a switch to *ctx will read. */
static inline void weir__ctx_fetch(const struct weir__ctx *ctx)
{
#if defined(WEIR_UCONTEXT)
    weir__fetch(ctx);
#else
    weir__fetch(ctx->sp);
    weir__fetch((const void *)((uintptr_t)ctx->sp + WEIR__LINE)); /* may be NULL: not yet started */
#endif
}

/* Saves the running context in *from and goes on in *to. */
void weir__ctx_switch(struct weir__ctx *from, struct weir__ctx *to);

#endif
