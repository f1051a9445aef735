/* Stacks: slabs, guards, reuse, and what happens when there are no more. */
#include "rig.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "task/sched.h"

static void sizes(void **state)
{
    struct weir__stacks stacks;
    (void)state;
    const struct {
        uint32_t kib;
        size_t want_kib;
    } good[] = {
        {0, WEIR__FIBER_STACK_KIB}, {16, 16}, {17, 32}, {64, 64}, {100, 128}, {65536, 65536}};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(weir__stacks_init(&stacks, good[i].kib), 0);
        assert_true(stacks.stride >= good[i].want_kib * 1024);
        assert_true(stacks.stride <= good[i].want_kib * 1024 || stacks.guard > 4096);
        assert_true(stacks.stride >= 4 * stacks.guard);
    }
    for (const uint32_t *bad = (const uint32_t[]){1, 15, 65537, UINT32_MAX, 0}; *bad != 0; bad++)
        assert_int_equal(weir__stacks_init(&stacks, *bad), WEIR_EINVAL);
}

/* As stack.h says: aligned, apart, usable from end to end, each above its guard. */
static void check_stack(const struct weir__stacks *stacks, const struct weir__stack *stack)
{
    size_t size = (size_t)(stack->top - stack->low);
    assert_int_equal((uintptr_t)stack->top % 16, 0);
    assert_true(size <= stacks->stride - stacks->guard);
    assert_true(size >= stacks->stride - stacks->guard - 1024);
    stack->low[0] = stack->top[-1] = 'x';
}

static void apart_and_known_by_their_guards(void **state)
{
    struct weir__stacks stacks;
    struct weir__stack some[40];
    int owners[40];
    (void)state;
    assert_int_equal(weir__stacks_init(&stacks, 16), 0);
    for (int i = 0; i < 40; i++) {
        assert_int_equal(weir__stack_get(&stacks, &some[i], &owners[i]), 0);
        check_stack(&stacks, &some[i]);
    }
    for (int i = 0; i < 40; i++) {
        assert_ptr_equal(weir__stacks_owner(&stacks, some[i].low - 1), &owners[i]);
        assert_ptr_equal(weir__stacks_owner(&stacks, some[i].low - stacks.guard), &owners[i]);
        assert_null(weir__stacks_owner(&stacks, some[i].low)); /* no guard */
        assert_null(weir__stacks_owner(&stacks, some[i].top - 1));
    }
    assert_null(weir__stacks_owner(&stacks, NULL));
    assert_null(weir__stacks_owner(&stacks, &stacks));
    weir__stack_put(&stacks, &some[7]);
    assert_null(weir__stacks_owner(&stacks, some[7].low - 1));
    assert_int_equal(stacks.used, 39);
    weir__stacks_free(&stacks);
}

static void neighbours_do_not_share_cache_sets(void **state)
{
    struct weir__stacks stacks;
    struct weir__stack some[16];
    unsigned seen = 0;
    (void)state;
    assert_int_equal(weir__stacks_init(&stacks, 64), 0);
    for (int i = 0; i < 16; i++) {
        assert_int_equal(weir__stack_get(&stacks, &some[i], state), 0);
        seen |= 1U << ((uintptr_t)some[i].top / 64 % 16);
    }
    assert_int_equal(seen, 0xffff);
    weir__stacks_free(&stacks);
}

static void the_last_returned_is_the_first_reused(void **state)
{
    struct weir__stacks stacks;
    struct weir__stack some[3], again[3];
    (void)state;
    assert_int_equal(weir__stacks_init(&stacks, 64), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(weir__stack_get(&stacks, &some[i], state), 0);
    for (int i = 0; i < 3; i++)
        weir__stack_put(&stacks, &some[i]);
    assert_int_equal(stacks.used, 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(weir__stack_get(&stacks, &again[i], state), 0);
        assert_ptr_equal(again[i].low, some[2 - i].low);
    }
    assert_int_equal(stacks.slab_count, 1);
    weir__stacks_free(&stacks);
}

static void full_slabs_are_followed_by_others(void **state)
{
    struct weir__stacks stacks;
    struct weir__stack some[5], again;
    (void)state;
    assert_int_equal(weir__stacks_init(&stacks, 32768), 0); /* two to a slab */
    for (int i = 0; i < 5; i++)
        assert_int_equal(weir__stack_get(&stacks, &some[i], &some[i]), 0);
    assert_int_equal(stacks.slab_count, 3);
    for (int i = 0; i < 5; i++)
        assert_ptr_equal(weir__stacks_owner(&stacks, some[i].low - 1), &some[i]);
    weir__stack_put(&stacks, &some[0]); /* the oldest slab has room again, */
    weir__stack_put(&stacks, &some[2]);
    for (int i = 0; i < 3; i++)
        assert_int_equal(weir__stack_get(&stacks, &again, state), 0);
    assert_int_equal(stacks.slab_count, 3); /* and is used before a new one is made */
    assert_int_equal(weir__stack_get(&stacks, &again, state), 0);
    assert_int_equal(stacks.slab_count, 4);
    weir__stacks_free(&stacks);
}

/* ---- guards ---- */

struct touch {
    bool light;
    bool recycled;
    ptrdiff_t offset; /* from the lowest usable byte */
};

static void touch(void *arg)
{
    const struct touch *touch = arg;
    struct weir__stacks stacks;
    struct weir__stack stack;
    if (weir__stacks_init(&stacks, 64) != 0)
        _exit(3);
    stacks.light = touch->light;
    for (int i = 0; i < (touch->recycled ? 3 : 1); i++) {
        if (weir__stack_get(&stacks, &stack, &stack) != 0)
            _exit(4);
        if (touch->recycled && i < 2)
            weir__stack_put(&stacks, &stack);
    }
    ((volatile char *)stack.low)[touch->offset] = 'x';
    weir__stacks_free(&stacks);
}

static void assert_dies(struct touch *how)
{
    char text[4096];
    int status = rig_in_child(touch, how, text, sizeof text);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

static void guards_are_not_to_be_touched(void **state)
{
    const ptrdiff_t page = sysconf(_SC_PAGESIZE);
    char text[1024];
    (void)state;
    for (int how = 0; how < 4; how++) {
        struct touch in = {how & 1, how & 2, 0};
        struct touch below = {how & 1, how & 2, -1}, lowest = {how & 1, how & 2, -page};
        assert_int_equal(rig_in_child(touch, &in, text, sizeof text), 0);
        assert_dies(&below);
        assert_dies(&lowest);
    }
}

/* ---- no more ---- */

static void without_memory(void **state)
{
    struct weir__stacks stacks;
    struct weir__stack stack;
    (void)state;
    assert_int_equal(weir__stacks_init(&stacks, 64), 0);
    weir__mem_fail_at(1);
    int rc = weir__stack_get(&stacks, &stack, state);
    weir__mem_fail_at(0);
    assert_int_equal(rc, WEIR_ENOMEM);
    assert_int_equal(weir__stack_get(&stacks, &stack, state), 0);
    assert_int_equal(stacks.used, 1);
    weir__stacks_free(&stacks);
}

#if !RIG_SANITIZED /* they need address space and mappings themselves */
static void take_in_little_space(void *arg)
{
    struct weir__stacks stacks;
    struct weir__stack stack;
    struct rlimit little = {64 << 20, 64 << 20};
    (void)arg;
    if (weir__stacks_init(&stacks, 64) != 0 || setrlimit(RLIMIT_AS, &little) != 0)
        _exit(3);
    _exit(weir__stack_get(&stacks, &stack, &stack) == WEIR_ENOSTACK ? 0 : 1);
}

static void without_address_space(void **state)
{
    char text[1024];
    (void)state;
    assert_int_equal(rig_in_child(take_in_little_space, NULL, text, sizeof text), 0);
}

/* Guards by mprotect cost two mappings each: at the system's maximum there is a clear error, and
 * the stacks that exist go on working. */
static void where_guards_cost_mappings_they_run_out(void **state)
{
    enum { MOST = 40000 };
    static struct weir__stack some[MOST];
    struct weir__stacks stacks;
    int count = 0, rc = 0;
    (void)state;
    if (rig_read_number("/proc/sys/vm/max_map_count") > 2 * MOST) {
        print_message("skipped: vm.max_map_count is above %d here\n", 2 * MOST);
        skip();
    }
    assert_int_equal(weir__stacks_init(&stacks, 16), 0);
    stacks.light = false;
    while (count < MOST && (rc = weir__stack_get(&stacks, &some[count], state)) == 0)
        count++;
    assert_int_equal(rc, WEIR_ENOSTACK);
    assert_int_equal(stacks.used, count);
    assert_true(count > 1000);
    check_stack(&stacks, &some[count - 1]);
    weir__stack_put(&stacks, &some[0]);
    assert_int_equal(weir__stack_get(&stacks, &some[0], state), 0);
    assert_int_equal(weir__stack_get(&stacks, &some[count], state), WEIR_ENOSTACK);
    weir__stacks_free(&stacks);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes),
        cmocka_unit_test(apart_and_known_by_their_guards),
        cmocka_unit_test(neighbours_do_not_share_cache_sets),
        cmocka_unit_test(the_last_returned_is_the_first_reused),
        cmocka_unit_test(full_slabs_are_followed_by_others),
        cmocka_unit_test(guards_are_not_to_be_touched),
        cmocka_unit_test(without_memory),
#if !RIG_SANITIZED
        cmocka_unit_test(without_address_space),
        cmocka_unit_test(where_guards_cost_mappings_they_run_out),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
