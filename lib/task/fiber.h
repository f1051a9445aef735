/* Tells the sanitizers about switches between stacks, and Valgrind where the stacks are; a few
 * instructions per stack in other builds, and none per switch. */
#ifndef WEIR_TASK_FIBER_H
#define WEIR_TASK_FIBER_H

#include <stddef.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WEIR__ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define WEIR__TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define WEIR__ASAN 1
#endif
#if defined(__SANITIZE_THREAD__)
#define WEIR__TSAN 1
#endif

#if defined(WEIR__ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define WEIR__FIBER_STACK_KIB 256 /* AddressSanitizer's frames are several times larger */
#elif defined(WEIR__TSAN)
#include <sanitizer/tsan_interface.h>
#define WEIR__FIBER_STACK_KIB 256
#else
#define WEIR__FIBER_STACK_KIB 64
#endif

/* The sanitizers do not work under Valgrind, so a build has one or the other. */
#if defined(WEIR_VALGRIND) && !defined(WEIR__ASAN) && !defined(WEIR__TSAN)
#define WEIR__VALGRIND 1
#include <valgrind/valgrind.h>
#endif

/* One per stack, the thread's own included. Empty where no sanitizer asks for more. */
struct weir__fiber {
#if defined(WEIR__ASAN)
    const void *low; /* of the stack */
    size_t size;
#elif defined(WEIR__TSAN)
    void *tsan;
#else
    unsigned valgrind; /* its number of the stack; unused outside of it */
#endif
};

static inline void weir__fiber_init_task(struct weir__fiber *fiber, const void *low, size_t size)
{
#if defined(WEIR__ASAN)
    fiber->low = low;
    fiber->size = size;
#elif defined(WEIR__TSAN)
    (void)low;
    (void)size;
    fiber->tsan = __tsan_create_fiber(0);
#elif defined(WEIR__VALGRIND)
    /* Without it a switch to a near stack looks like a frame of that size, and what lies between
     * would be taken for undefined. */
    fiber->valgrind = VALGRIND_STACK_REGISTER(low, (const char *)low + size - 1);
#else
    (void)fiber;
    (void)low;
    (void)size;
#endif
}

static inline void weir__fiber_init_thread(struct weir__fiber *fiber)
{
#if defined(WEIR__ASAN)
    fiber->low = NULL;
    fiber->size = 0; /* both are learned at the first switch away */
#elif defined(WEIR__TSAN)
    fiber->tsan = __tsan_get_current_fiber();
#else
    (void)fiber; /* Valgrind knows the thread's own stack */
#endif
}

static inline void weir__fiber_free(struct weir__fiber *fiber)
{
#if defined(WEIR__TSAN)
    __tsan_destroy_fiber(fiber->tsan);
    fiber->tsan = NULL;
#elif defined(WEIR__VALGRIND)
    VALGRIND_STACK_DEREGISTER(fiber->valgrind);
#else
    (void)fiber;
#endif
}

/* Before and after a switch. *fake holds AddressSanitizer's fake stack meanwhile; a NULL fake on
 * the way out says that the stack left is not returned to. `from` is whom the switch came from.
 *
 * Always inline: ThreadSanitizer counts calls and returns per fiber, and a return from
 * weir__fiber_leave would be counted on the fiber switched to. */
static inline __attribute__((always_inline)) void weir__fiber_leave(void **fake,
                                                                    const struct weir__fiber *to)
{
#if defined(WEIR__ASAN)
    __sanitizer_start_switch_fiber(fake, to->low, to->size);
#elif defined(WEIR__TSAN)
    (void)fake;
    __tsan_switch_to_fiber(to->tsan, 0);
#else
    (void)fake;
    (void)to;
#endif
}

static inline __attribute__((always_inline)) void weir__fiber_arrive(void *fake,
                                                                     struct weir__fiber *from)
{
#if defined(WEIR__ASAN)
    const void *low;
    size_t size;
    __sanitizer_finish_switch_fiber(fake, &low, &size);
    if (from != NULL && from->low == NULL) { /* the thread's own stack */
        from->low = low;
        from->size = size;
    }
#else
    (void)fake;
    (void)from;
#endif
}

static inline void weir__fiber_stack_recycled(const void *low, size_t size)
{
#if defined(WEIR__ASAN)
    ASAN_UNPOISON_MEMORY_REGION(low, size);
#else
    (void)low;
    (void)size;
#endif
}

#endif
