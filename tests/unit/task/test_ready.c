/* The queue of ready tasks: a ring that grows. It never looks at a task, so numbers stand for them
 * here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rand.h"
#include "task/ready.h"

static weir_task *numbered(size_t n)
{
    return (weir_task *)(n + 1);
}

static void assert_next(struct weir__ready *ready, size_t i, size_t n)
{
    assert_ptr_equal(weir__ready_at(ready, i), numbered(n));
    assert_ptr_equal(weir__ready_take(ready, i), numbered(n));
}

/* Grown at each place where its begin may lie in the ring, with each number of tasks in it. */
static void keeps_their_order_as_it_grows(void **state)
{
    (void)state;
    for (size_t start = 0; start < 70; start++) {
        for (size_t count = 0; count <= 64; count++) {
            struct weir__ready ready = {0};
            assert_int_equal(weir__ready_reserve(&ready, 1), 0);
            for (size_t n = 0; n < start; n++) {
                weir__ready_push(&ready, numbered(n));
                assert_next(&ready, 0, n);
            }
            for (size_t n = 0; n < count; n++)
                weir__ready_push(&ready, numbered(n));
            assert_int_equal(weir__ready_reserve(&ready, 65), 0);
            weir__ready_push(&ready, numbered(count));
            assert_int_equal(weir__ready_count(&ready), count + 1);
            for (size_t n = 0; n <= count; n++)
                assert_next(&ready, 0, n);
            assert_int_equal(weir__ready_count(&ready), 0);
            weir__ready_free(&ready);
        }
    }
}

/* Against an array that is moved by hand. */
static void takes_out_of_the_middle(void **state)
{
    enum { MOST = 100, STEPS = 20000 };
    size_t model[MOST], count = 0, next = 0;
    struct weir__ready ready = {0};
    struct weir__rand rand;
    (void)state;
    weir__rand_seed(&rand, 7);
    assert_int_equal(weir__ready_reserve(&ready, MOST), 0);
    for (int step = 0; step < STEPS; step++) {
        if (count == 0 || (count < MOST && weir__rand_upto(&rand, 1) == 1)) {
            model[count++] = next;
            weir__ready_push(&ready, numbered(next++));
            continue;
        }
        size_t i = (size_t)weir__rand_upto(&rand, (int64_t)count - 1);
        assert_next(&ready, i, model[i]);
        count--;
        for (; i < count; i++)
            model[i] = model[i + 1];
        assert_int_equal(weir__ready_count(&ready), count);
    }
    weir__ready_free(&ready);
}

static void stays_as_it_was_when_memory_is_out(void **state)
{
    struct weir__ready ready = {0};
    (void)state;
    weir__mem_fail_at(1);
    assert_int_equal(weir__ready_reserve(&ready, 1), WEIR_ENOMEM);
    weir__mem_fail_at(0);
    assert_int_equal(weir__ready_reserve(&ready, 1), 0);
    for (size_t n = 0; n < 10; n++)
        weir__ready_push(&ready, numbered(n));
    weir__mem_fail_at(1);
    assert_int_equal(weir__ready_reserve(&ready, 64), 0); /* there is room: nothing is allocated */
    assert_int_equal(weir__ready_reserve(&ready, 65), WEIR_ENOMEM);
    weir__mem_fail_at(0);
    for (size_t n = 0; n < 10; n++)
        assert_next(&ready, 0, n);
    weir__ready_free(&ready);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_their_order_as_it_grows),
        cmocka_unit_test(takes_out_of_the_middle),
        cmocka_unit_test(stays_as_it_was_when_memory_is_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
