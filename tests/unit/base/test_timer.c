/* The timers' heap against a plain array. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rand.h"
#include "base/timer.h"

static void never_fired(struct weir__timer *timer)
{
    (void)timer;
    fail_msg("the heap only hands timers out");
}

static void init_all(struct weir__timer *timers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        weir__timer_init(&timers[i], never_fired);
}

static void test_empty(void **state)
{
    (void)state;
    struct weir__timers timers = {0};
    struct weir__timer timer;
    weir__timer_init(&timer, never_fired);
    assert_int_equal(weir__timers_next_ns(&timers), INT64_MAX);
    assert_null(weir__timers_pop(&timers, INT64_MAX));
    weir__timer_stop(&timers, &timer);
    assert_false(timer.armed);
    assert_true(timer.fire == never_fired);
}

static void test_due_only(void **state)
{
    (void)state;
    struct weir__timers timers = {0};
    struct weir__timer timer;
    weir__timer_init(&timer, never_fired);
    weir__timer_start(&timers, &timer, 100);
    assert_true(timer.armed);
    assert_int_equal(weir__timers_next_ns(&timers), 100);
    assert_null(weir__timers_pop(&timers, 99));
    assert_ptr_equal(weir__timers_pop(&timers, 100), &timer);
    assert_false(timer.armed);
    assert_null(weir__timers_pop(&timers, 100));
    assert_int_equal(weir__timers_next_ns(&timers), INT64_MAX);
}

static void test_any_time(void **state)
{
    (void)state;
    struct weir__timers timers = {0};
    struct weir__timer all[3];
    init_all(all, 3);
    weir__timer_start(&timers, &all[0], INT64_MAX);
    weir__timer_start(&timers, &all[1], INT64_MIN);
    weir__timer_start(&timers, &all[2], 0);
    assert_ptr_equal(weir__timers_pop(&timers, INT64_MIN), &all[1]);
    assert_null(weir__timers_pop(&timers, -1));
    assert_ptr_equal(weir__timers_pop(&timers, INT64_MAX), &all[2]);
    assert_null(weir__timers_pop(&timers, INT64_MAX - 1));
    assert_ptr_equal(weir__timers_pop(&timers, INT64_MAX), &all[0]);
}

static void test_ties_in_order_of_start(void **state)
{
    (void)state;
    struct weir__timers timers = {0};
    struct weir__timer all[100];
    init_all(all, 100);
    for (size_t i = 0; i < 100; i++)
        weir__timer_start(&timers, &all[i], 7);
    weir__timer_start(&timers, &all[30], 7); /* now the last */
    for (size_t i = 0; i < 100; i++)
        if (i != 30)
            assert_ptr_equal(weir__timers_pop(&timers, 7), &all[i]);
    assert_ptr_equal(weir__timers_pop(&timers, 7), &all[30]);
}

static void test_start_again_moves(void **state)
{
    (void)state;
    struct weir__timers timers = {0};
    struct weir__timer all[2];
    init_all(all, 2);
    weir__timer_start(&timers, &all[0], 10);
    weir__timer_start(&timers, &all[1], 20);
    weir__timer_start(&timers, &all[0], 30);
    assert_int_equal(weir__timers_next_ns(&timers), 20);
    weir__timer_start(&timers, &all[0], 5);
    assert_int_equal(weir__timers_next_ns(&timers), 5);
    assert_ptr_equal(weir__timers_pop(&timers, 30), &all[0]);
    assert_ptr_equal(weir__timers_pop(&timers, 30), &all[1]);
    assert_null(weir__timers_pop(&timers, 30));
}

/* --- against the model --- */

enum { TIMERS = 60, STEPS = 60000 };

struct model {
    struct weir__timers timers;
    struct weir__timer timer[TIMERS];
    int64_t when_ns[TIMERS];
    uint64_t order[TIMERS]; /* 0: not running */
    uint64_t started;
};

/* The one that is due first, TIMERS when none runs. */
static size_t first_of(const struct model *model)
{
    size_t first = TIMERS;
    for (size_t i = 0; i < TIMERS; i++) {
        if (model->order[i] == 0)
            continue;
        if (first == TIMERS || model->when_ns[i] < model->when_ns[first] ||
            (model->when_ns[i] == model->when_ns[first] && model->order[i] < model->order[first]))
            first = i;
    }
    return first;
}

static void start(struct model *model, size_t i, int64_t when_ns)
{
    weir__timer_start(&model->timers, &model->timer[i], when_ns);
    model->when_ns[i] = when_ns;
    model->order[i] = ++model->started;
}

static void stop(struct model *model, size_t i)
{
    weir__timer_stop(&model->timers, &model->timer[i]);
    model->order[i] = 0;
}

static void pop(struct model *model, int64_t now_ns)
{
    size_t first = first_of(model);
    struct weir__timer *got = weir__timers_pop(&model->timers, now_ns);
    if (first == TIMERS || model->when_ns[first] > now_ns) {
        assert_null(got);
        return;
    }
    assert_ptr_equal(got, &model->timer[first]);
    model->order[first] = 0;
}

static void check(const struct model *model)
{
    size_t first = first_of(model);
    assert_int_equal(weir__timers_next_ns(&model->timers),
                     first == TIMERS ? INT64_MAX : model->when_ns[first]);
    for (size_t i = 0; i < TIMERS; i++)
        assert_int_equal(model->timer[i].armed, model->order[i] != 0);
}

static void test_random_operations(void **state)
{
    (void)state;
    struct model model = {0};
    init_all(model.timer, TIMERS);
    struct weir__rand rand;
    weir__rand_seed(&rand, 11);
    for (int step = 0; step < STEPS; step++) {
        size_t i = (size_t)weir__rand_upto(&rand, TIMERS - 1);
        int64_t time_ns = weir__rand_upto(&rand, 40); /* many ties */
        switch (weir__rand_upto(&rand, 4)) {
        case 0:
            pop(&model, time_ns);
            break;
        case 1:
            stop(&model, i);
            break;
        default:
            start(&model, i, time_ns);
        }
        check(&model);
    }
    for (int i = 0; i < TIMERS; i++)
        pop(&model, 40);
    assert_null(model.timers.root);
}

/* A long list of siblings, and a long chain: neither may recurse. */
static void test_many(void **state)
{
    (void)state;
    enum { MANY = 200000 };
    struct weir__timer *all = weir__zalloc(MANY * sizeof *all);
    assert_non_null(all);
    struct weir__timers timers = {0};
    for (int descending = 0; descending <= 1; descending++) {
        for (int i = 0; i < MANY; i++)
            weir__timer_start(&timers, &all[i], descending ? MANY - i : i);
        for (int i = 1; i < MANY; i += 3)
            weir__timer_stop(&timers, &all[i]);
        int64_t last_ns = INT64_MIN;
        int count = 0;
        for (struct weir__timer *t; (t = weir__timers_pop(&timers, MANY)) != NULL; count++) {
            assert_true(t->when_ns > last_ns);
            last_ns = t->when_ns;
        }
        assert_int_equal(count, MANY - (MANY + 1) / 3);
    }
    weir__free(all);
}

static void test_needs_no_memory(void **state)
{
    (void)state;
    struct weir__timers timers = {0};
    struct weir__timer all[50];
    init_all(all, 50);
    weir__mem_fail_at(1);
    for (size_t i = 0; i < 50; i++)
        weir__timer_start(&timers, &all[i], (int64_t)(i * 17 % 50));
    for (int64_t i = 0; i < 50; i++)
        assert_int_equal(weir__timers_pop(&timers, 50)->when_ns, i);
    assert_int_equal(weir__mem_fail_at(0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_due_only),
        cmocka_unit_test(test_any_time),
        cmocka_unit_test(test_ties_in_order_of_start),
        cmocka_unit_test(test_start_again_moves),
        cmocka_unit_test(test_random_operations),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_needs_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
