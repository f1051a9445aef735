/* One program that uses everything, in 10,000 orders; with a cancel at every wait, and with a
 * failure of every allocation. */
#include "seeds_world.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* ---- orders ---- */

static struct world begin_world(uint64_t seed)
{
    struct world world = {.trace = UINT64_C(14695981039346656037)};
    weir__rand_seed(&world.rand, seed);
    return world;
}

static int run_world(struct world *world, uint64_t seed)
{
    int rc = weir_run(play, world,
                      WEIR_RUN_OPTS(.clock = WEIR_CLOCK_VIRTUAL, .seed = seed, .shuffle = 1));
    rig_assert_no_failure();
    return rc;
}

#if defined(WEIR__TSAN)
enum { SEEDS = 300 }; /* gcc's ThreadSanitizer takes 10 ms to make and end a program's fibers */
#else
enum { SEEDS = 10000 };
#endif

static int compare(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void thousands_of_orders(void **state)
{
    static uint64_t traces[SEEDS];
    unsigned went_well = 0;
    size_t different = 1;
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct world world = begin_world(seed);
        if (run_world(&world, seed) != 0)
            fail_msg("seed %llu", (unsigned long long)seed);
        traces[seed - 1] = world.trace;
        went_well |= world.went_well;
    }
    qsort(traces, SEEDS, sizeof traces[0], compare);
    for (size_t i = 1; i < SEEDS; i++)
        different += traces[i] != traces[i - 1];
    assert_true(different > SEEDS * 99 / 100);
    assert_int_equal(went_well, (1U << KINDS << 1) - 2); /* no call has failed every time */
}

static void the_same_seed_gives_the_same_trace(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct world first = begin_world(seed), second = begin_world(seed);
        assert_int_equal(run_world(&first, seed), 0);
        assert_int_equal(run_world(&second, seed), 0);
        assert_true(first.trace == second.trace);
        assert_true(first.step == second.step);
    }
}

/* Ten tasks that are ready at once note their numbers. */
static int ten_at_once(void *arg)
{
    static struct job jobs[10];
    static const char *const names[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
    weir_group *group = rig_group();
    (void)arg;
    for (int i = 0; i < 10; i++) {
        jobs[i] = (struct job){.name = names[i]};
        jobs_spawn(group, &jobs[i], 1);
    }
    check_int(weir_gather(group), 0);
    return weir_group_free(group);
}

static char *order_of_ten(uint64_t seed, int shuffle)
{
    rig_trace_clear();
    assert_int_equal(weir_run(ten_at_once, NULL,
                              WEIR_RUN_OPTS(.clock = WEIR_CLOCK_VIRTUAL, .seed = seed,
                                            .shuffle = shuffle)),
                     0);
    rig_assert_no_failure();
    return strdup(rig_trace());
}

static void the_seed_draws_the_order(void **state)
{
    int as_spawned = 0;
    char *first = order_of_ten(1, 1);
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        char *drawn = order_of_ten(seed, 1), *again = order_of_ten(seed, 1);
        char *plain = order_of_ten(seed, 0);
        assert_string_equal(drawn, again);
        assert_string_equal(plain, "0 1 2 3 4 5 6 7 8 9");
        assert_int_equal(strlen(drawn), strlen(plain)); /* each once: a trace of ten */
        as_spawned += strcmp(drawn, plain) == 0 || (seed > 1 && strcmp(drawn, first) == 0);
        free(drawn);
        free(again);
        free(plain);
    }
    free(first);
    assert_true(as_spawned <= 1);
}

/* ---- every place ---- */

static unsigned long count_steps(uint64_t seed)
{
    struct world world = begin_world(seed);
    assert_int_equal(run_world(&world, seed), 0);
    return world.step;
}

static void cancel_at_every_step(enum cut cut, uint64_t seed, unsigned long steps)
{
    assert_true(steps > 50);
    for (unsigned long k = 1; k <= steps; k++) {
        struct world world = begin_world(seed);
        world.cut = cut;
        world.cut_at = k;
        assert_int_equal(run_world(&world, seed), 0);
        assert_true(cut == CUT_FROM_OUTSIDE || world.step >= k);
    }
}

/* The one that comes to a wait, all at that moment, or all while they wait. */
static void a_cancel_at_every_wait(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= (RIG_SANITIZED ? 3 : 20); seed++) {
        unsigned long steps = count_steps(seed);
        cancel_at_every_step(CUT_TASK, seed, steps);
        cancel_at_every_step(CUT_GROUP, seed, steps);
        cancel_at_every_step(CUT_FROM_OUTSIDE, seed, 200);
    }
}

static void a_failure_of_every_allocation(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= (RIG_SANITIZED ? 3 : 20); seed++) {
        count_steps(seed);
        weir__mem_fail_at(0);
        count_steps(seed);
        unsigned long count = weir__mem_fail_at(0);
        assert_true(count > 25);
        for (unsigned long k = 1; k <= count; k++) {
            struct world world = begin_world(seed);
            weir__mem_fail_at(k);
            int rc = run_world(&world, seed);
            weir__mem_fail_at(0);
            assert_true(rc == 0 || rc == WEIR_ENOMEM);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thousands_of_orders),
        cmocka_unit_test(the_same_seed_gives_the_same_trace),
        cmocka_unit_test(the_seed_draws_the_order),
        cmocka_unit_test(a_cancel_at_every_wait),
        cmocka_unit_test(a_failure_of_every_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
