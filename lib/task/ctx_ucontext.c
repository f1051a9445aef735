/* Context switch for other architectures: slower (two system calls for the signal mask), right
 * everywhere. */
#include "task/ctx.h"

#include <stdint.h>
#include <stdlib.h>

/* makecontext passes ints: the two pointers travel in halves. */
static void start(unsigned entry_high, unsigned entry_low, unsigned arg_high, unsigned arg_low)
{
    uintptr_t entry = ((uintptr_t)entry_high << 16 << 16) | entry_low;
    uintptr_t arg = ((uintptr_t)arg_high << 16 << 16) | arg_low;
    ((void (*)(void *))entry)((void *)arg);
    abort();
}

void weir__ctx_make(struct weir__ctx *ctx, void *low, void *top, void (*entry)(void *), void *arg)
{
    uintptr_t e = (uintptr_t)entry, a = (uintptr_t)arg;
    getcontext(&ctx->uc);
    ctx->uc.uc_stack.ss_sp = low;
    ctx->uc.uc_stack.ss_size = (size_t)((char *)top - (char *)low);
    ctx->uc.uc_link = NULL;
    makecontext(&ctx->uc, (void (*)(void))start, 4, (unsigned)(e >> 16 >> 16), (unsigned)e,
                (unsigned)(a >> 16 >> 16), (unsigned)a);
}

void weir__ctx_switch(struct weir__ctx *from, struct weir__ctx *to)
{
    swapcontext(&from->uc, &to->uc);
}
