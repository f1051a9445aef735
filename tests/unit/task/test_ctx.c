/* What a task finds on its stack, and what a switch must keep. */
#include "rig.h"

#include <execinfo.h>
#include <stdio.h>
#include <string.h>

#include "task/ctx.h"
#include "task/sched.h"

/* Every stack top is of one of 16 colours: 20 tasks have seen them all. */
enum { TASKS = 20 };

static int print_floats(void *arg)
{
    _Alignas(16) volatile double pair[2] = {1.5, -2.25};
    char text[64];
    check((uintptr_t)&pair % 16 == 0);
    check((uintptr_t)__builtin_frame_address(0) % 16 == 0);
    for (int i = 0; i < 3; i++) { /* a misaligned stack crashes at the first spill of SSE */
        snprintf(text, sizeof text, "%f %.2Lf %g", pair[0], (long double)pair[1], 1e300);
        check(strcmp(text, "1.500000 -2.25 1e+300") == 0);
        weir_yield();
    }
    return arg == NULL ? 0 : WEIR_EINVAL;
}

static int a_fresh_stack_is_aligned(void *arg)
{
    weir_group *group = rig_group();
    (void)arg;
    for (int i = 0; i < TASKS; i++)
        weir_spawn(group, print_floats, NULL);
    check_int(weir_gather(group), 0);
    return weir_group_free(group);
}

/* ---- registers ---- */

/* More values alive across the yields than there are registers, whole and broken ones. */
static int compute_across_yields(void *arg)
{
    uint64_t seed = (uint64_t)(uintptr_t)arg;
    uint64_t a = seed, b = seed * 3, c = seed * 5, d = seed * 7, e = seed * 11, f = seed * 13;
    double x = (double)seed, y = x / 2, z = x / 4;
    for (int i = 0; i < 50; i++) {
        check_int(weir_yield(), 0);
        a += 1, b += 3, c += 5, d += 7, e += 11, f += 13;
        x += 1.0, y += 0.5, z += 0.25;
    }
    check(a == seed + 50 && b == a * 3 && c == a * 5 && d == a * 7 && e == a * 11 && f == a * 13);
    check(x == (double)a && y == x / 2 && z == x / 4);
    return 0;
}

static int values_survive_switches(void *arg)
{
    weir_group *group = rig_group();
    (void)arg;
    for (uintptr_t i = 1; i <= TASKS; i++)
        weir_spawn(group, compute_across_yields, (void *)(i * 1000));
    check_int(weir_gather(group), 0);
    return weir_group_free(group);
}

/* What a callee must keep, put there and looked for by name. */
#if defined(__x86_64__)
#define KEPT_WHOLE(X) X(rbx) X(r12) X(r13) X(r14) X(r15)
#define KEPT_FLOAT(X)
#elif defined(__aarch64__)
#define KEPT_WHOLE(X) X(x19) X(x20) X(x21) X(x22) X(x23) X(x24) X(x25) X(x26) X(x27) X(x28)
#define KEPT_FLOAT(X) X(d8) X(d9) X(d10) X(d11) X(d12) X(d13) X(d14) X(d15)
#else
#define KEPT_WHOLE(X)
#define KEPT_FLOAT(X)
#endif

#define PUT_WHOLE(name)                                                                            \
    register uint64_t name __asm__(#name) = number++;                                              \
    __asm__ volatile("" : "+r"(name));
#define PUT_FLOAT(name)                                                                            \
    register double name __asm__(#name) = (double)number++;                                        \
    __asm__ volatile("" : "+w"(name));
#define FIND_WHOLE(name)                                                                           \
    __asm__ volatile("" : "+r"(name));                                                             \
    check(name == number++);
#define FIND_FLOAT(name)                                                                           \
    __asm__ volatile("" : "+w"(name));                                                             \
    check(name == (double)number++);

static int keep_registers(void *arg)
{
    const uint64_t seed = *(const uint64_t *)arg;
    uint64_t number = seed;
    KEPT_WHOLE(PUT_WHOLE)
    KEPT_FLOAT(PUT_FLOAT)
    for (int i = 0; i < 3; i++)
        weir_yield();
    number = seed;
    KEPT_WHOLE(FIND_WHOLE)
    KEPT_FLOAT(FIND_FLOAT)
    return number > seed ? 0 : WEIR_ENOTSUP;
}

static int registers_survive_switches(void *arg)
{
    uint64_t seeds[TASKS];
    weir_group *group = rig_group();
    (void)arg;
    for (unsigned i = 0; i < TASKS; i++) {
        seeds[i] = 1000 * i;
        weir_spawn(group, keep_registers, &seeds[i]);
    }
    int rc = weir_gather(group);
    check(rc == 0 || rc == WEIR_ENOTSUP); /* no names of registers known here */
    return weir_group_free(group);
}

/* ---- floating-point control ---- */

#if defined(__x86_64__)
/* Of SSE in the high half, the bits that say how to compute, not what happened; of x87 in the low.
 */
static unsigned control(void)
{
    unsigned sse;
    unsigned short x87;
    __asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(sse), "=m"(x87));
    return (sse & 0xffc0) << 16 | x87;
}

static unsigned rounding(unsigned how)
{
    unsigned sse = (control() >> 16 & 0x9fff) | how << 13;
    unsigned short x87 = (unsigned short)((control() & 0xf3ff) | how << 10);
    __asm__ volatile("ldmxcsr %0\n\tfldcw %1" : : "m"(sse), "m"(x87));
    return control();
}

static unsigned usual; /* of the thread that runs them */

static int round_its_own_way(void *arg)
{
    check_int(control(), usual); /* whatever the others have set by now */
    unsigned mine = rounding(*(unsigned *)arg);
    for (int i = 0; i < 10; i++) {
        check_int(weir_sleep_ms(i), 0);
        check_int(control(), mine);
    }
    return 0;
}

static int all_ways(void *arg)
{
    unsigned ways[] = {0, 1, 2, 3};
    weir_group *group = rig_group();
    (void)arg;
    for (size_t i = 0; i < 4; i++)
        weir_spawn(group, round_its_own_way, &ways[i]);
    check_int(weir_gather(group), 0);
    check_int(control(), usual);
    rounding(3);
    return weir_group_free(group);
}

static void floating_point_control_is_a_task_s_own(void **state)
{
    (void)state;
    for (unsigned how = 0; how < 3; how++) {
        usual = rounding(how);
        int rc = rig_run(all_ways, NULL);
        unsigned after = control();
        rounding(0);
        assert_int_equal(rc, 0);
        assert_int_equal(after, usual);
    }
}
#endif

/* ---- backtraces ---- */

enum { FRAMES = 64 };

static int trace_back(void *arg)
{
    void *frames[FRAMES];
    (void)arg;
    for (int i = 0; i < 2; i++) {
        int count = backtrace(frames, FRAMES);
        check(count >= 2 && count < 16); /* here, the entry, the start, and nothing below */
#if !defined(WEIR_UCONTEXT)
        extern void weir__ctx_start(void);
        uintptr_t into = (uintptr_t)frames[count - 1] - (uintptr_t)weir__ctx_start;
        check(into > 0 && into < 32);
#endif
        weir_yield();
    }
    return 0;
}

static int a_backtrace_ends_at_the_start_of_the_task(void *arg)
{
    weir_group *group = rig_group();
    (void)arg;
    weir_spawn(group, trace_back, NULL);
    weir_spawn(group, trace_back, NULL);
    check_int(weir_gather(group), 0);
    return weir_group_free(group);
}

/* ---- from one to another ---- */

#if !RIG_SANITIZED /* they want to be told of switches, as fiber.h does */
static struct weir__ctx outside, inside;
static char *there;

static void answer(void *arg)
{
    char *text = arg;
    for (;;) {
        there = text++;
        weir__ctx_switch(&inside, &outside);
    }
}

static void switches_back_and_forth(void **state)
{
    static _Alignas(16) char stack[64 << 10];
    static char text[] = "abc";
    (void)state;
    weir__ctx_make(&inside, stack, stack + sizeof stack, answer, text);
    for (const char *at = text; *at != '\0'; at++) {
        weir__ctx_switch(&outside, &inside);
        assert_ptr_equal(there, at);
    }
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(a_fresh_stack_is_aligned),
        VIRTUAL_TEST(values_survive_switches),
        VIRTUAL_TEST(registers_survive_switches),
#if defined(__x86_64__)
        cmocka_unit_test(floating_point_control_is_a_task_s_own),
#endif
        VIRTUAL_TEST(a_backtrace_ends_at_the_start_of_the_task),
#if !RIG_SANITIZED
        cmocka_unit_test(switches_back_and_forth),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
