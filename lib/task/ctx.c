/* The first frame of a stack for the hand-written switches. */
#include "task/ctx.h"

#if !defined(WEIR_UCONTEXT)

#include <stdint.h>
#include <string.h>

void weir__ctx_start(void); /* in the .S file of the architecture */

#if defined(__x86_64__)

/* Laid out as weir__ctx_switch pops it. */
struct first_frame {
    uint32_t mxcsr;
    uint32_t x87_control; /* 16 bits used */
    uint64_t r15, r14, r13, r12, rbx, rbp;
    void (*resume)(void);
    uint64_t pad[2]; /* keeps the stack 16-byte aligned when weir__ctx_start calls */
};

void weir__ctx_make(struct weir__ctx *ctx, void *low, void *top, void (*entry)(void *), void *arg)
{
    (void)low;
    struct first_frame *frame = (struct first_frame *)top - 1;
    memset(frame, 0, sizeof *frame);
    __asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(frame->mxcsr), "=m"(frame->x87_control));
    frame->r12 = (uint64_t)(uintptr_t)entry;
    frame->r13 = (uint64_t)(uintptr_t)arg;
    frame->resume = weir__ctx_start;
    ctx->sp = frame;
}

#elif defined(__aarch64__)

struct first_frame {
    uint64_t x29;
    void (*x30)(void);
    uint64_t x19, x20, others[16];
};

void weir__ctx_make(struct weir__ctx *ctx, void *low, void *top, void (*entry)(void *), void *arg)
{
    (void)low;
    struct first_frame *frame = (struct first_frame *)top - 1;
    memset(frame, 0, sizeof *frame);
    frame->x30 = weir__ctx_start;
    frame->x19 = (uint64_t)(uintptr_t)entry;
    frame->x20 = (uint64_t)(uintptr_t)arg;
    ctx->sp = frame;
}

#endif
#endif
