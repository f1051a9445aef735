/* The gate: one pause per congestion epoch, and the start behind it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "policy/gate.h"

#define MS(x)   ((int64_t)(x)*WEIR__NS_PER_MS)
#define SEC(x)  ((int64_t)(x)*WEIR__NS_PER_S)
#define NOTHING INT64_C(-1)

static struct weir__rand seeded(uint64_t seed)
{
    struct weir__rand rand;
    weir__rand_seed(&rand, seed);
    return rand;
}

static void assert_same(const struct weir__gate *a, const struct weir__gate *b)
{
    assert_int_equal(a->open_ns, b->open_ns);
    assert_int_equal(a->closed_at_ns, b->closed_at_ns);
    assert_int_equal(a->epochs, b->epochs);
    assert_int_equal(a->window, b->window);
}

/* Holders allowed at the moment of opening, of max (0: no bound). */
static uint64_t holders(const struct weir__gate *gate, uint64_t max)
{
    uint64_t window = weir__gate_window(gate, gate->open_ns);
    if (window == 0)
        return max;
    return max == 0 || window < max ? window : max;
}

static void test_open_from_the_start(void **state)
{
    (void)state;
    struct weir__gate gate = {0};
    assert_int_equal(holders(&gate, 0), 0);
    assert_int_equal(holders(&gate, 64), 64);
    assert_false(weir__gate_success(&gate, 0));
    assert_int_equal(gate.open_ns, 0);
}

static void test_server_wait_is_taken_as_it_is(void **state)
{
    (void)state;
    struct weir__gate gate = {0};
    struct weir__rand rand = seeded(1);
    assert_true(weir__gate_throttled(&gate, SEC(1), SEC(20), SEC(2), &rand));
    assert_int_equal(gate.open_ns, SEC(22));
    assert_int_equal(gate.closed_at_ns, SEC(2));
    assert_int_equal(gate.epochs, 1);
    assert_int_equal(holders(&gate, 64), 1);
}

/* Under a virtual clock everything may happen at time 0. */
static void test_first_closing_at_time_zero(void **state)
{
    (void)state;
    struct weir__gate gate = {0};
    struct weir__rand rand = seeded(1);
    assert_true(weir__gate_throttled(&gate, 0, SEC(1), 0, &rand));
    assert_int_equal(gate.epochs, 1);
    assert_false(weir__gate_throttled(&gate, 0, SEC(1), 0, &rand));
    assert_false(weir__gate_throttled(&gate, 0, NOTHING, MS(1), &rand));
    assert_int_equal(gate.open_ns, SEC(1));
    assert_int_equal(gate.epochs, 1);
    assert_false(weir__gate_success(&gate, 0));
    assert_true(weir__gate_success(&gate, SEC(1)));
}

static void test_many_of_one_epoch_cut_once(void **state)
{
    (void)state;
    struct weir__gate gate = {0};
    struct weir__rand rand = seeded(2);
    assert_true(weir__gate_throttled(&gate, MS(900), NOTHING, SEC(1), &rand));
    struct weir__gate after_first = gate;
    for (int i = 0; i < 63; i++)
        assert_false(
            weir__gate_throttled(&gate, MS(900) + MS(1) * i, NOTHING, SEC(1) + MS(10) * i, &rand));
    assert_same(&gate, &after_first);
}

static void test_an_earlier_epoch_only_lengthens(void **state)
{
    (void)state;
    struct weir__gate gate = {0};
    struct weir__rand rand = seeded(3);
    weir__gate_throttled(&gate, MS(900), SEC(10), SEC(1), &rand);
    assert_false(weir__gate_throttled(&gate, MS(950), SEC(5), SEC(2), &rand));
    assert_int_equal(gate.open_ns, SEC(11));
    assert_false(weir__gate_throttled(&gate, MS(950), SEC(9), SEC(2), &rand));
    assert_true(weir__gate_throttled(&gate, MS(950), SEC(15), SEC(2), &rand));
    struct weir__gate expected = {SEC(17), SEC(1), 1, 1};
    assert_same(&gate, &expected);
}

/* A straggler of the last epoch pauses again after the gate has opened, and does not undo the start
 * that was made since. */
static void test_a_straggler_pauses_again(void **state)
{
    (void)state;
    struct weir__gate gate = {0};
    struct weir__rand rand = seeded(4);
    weir__gate_throttled(&gate, MS(900), SEC(1), SEC(1), &rand);
    assert_true(weir__gate_success(&gate, SEC(2)));
    assert_true(weir__gate_success(&gate, SEC(3)));
    assert_true(weir__gate_throttled(&gate, MS(990), SEC(7), SEC(5), &rand));
    struct weir__gate expected = {SEC(12), SEC(1), 0, 4};
    assert_same(&gate, &expected);
}

static void test_each_epoch_cuts(void **state)
{
    (void)state;
    struct weir__gate gate = {0};
    struct weir__rand rand = seeded(5);
    weir__gate_throttled(&gate, MS(500), SEC(1), SEC(1), &rand);
    for (int i = 0; i < 4; i++)
        weir__gate_success(&gate, SEC(2) + MS(1));
    assert_int_equal(holders(&gate, 64), 16);
    assert_int_equal(gate.epochs, 0);
    assert_true(weir__gate_throttled(&gate, SEC(2) + MS(2), SEC(1), SEC(3), &rand));
    assert_int_equal(holders(&gate, 64), 1);
    assert_true(weir__gate_throttled(&gate, SEC(4), SEC(1), SEC(5), &rand));
    assert_int_equal(gate.epochs, 2);
    assert_int_equal(gate.open_ns, SEC(6));
}

/* A pause that is already longer stays, though the epoch is a new one. */
static void test_a_new_epoch_never_shortens(void **state)
{
    (void)state;
    struct weir__gate gate = {0};
    struct weir__rand rand = seeded(6);
    weir__gate_throttled(&gate, MS(500), SEC(1), SEC(1), &rand);
    weir__gate_throttled(&gate, MS(500), SEC(60), SEC(3), &rand); /* a straggler */
    assert_true(weir__gate_throttled(&gate, SEC(2), SEC(1), SEC(4), &rand));
    struct weir__gate expected = {SEC(63), SEC(4), 2, 1};
    assert_same(&gate, &expected);
}

static void test_window_doubles_until_there_is_no_bound(void **state)
{
    (void)state;
    struct weir__gate gate = {0};
    struct weir__rand rand = seeded(7);
    weir__gate_throttled(&gate, 1, SEC(1), 2, &rand);
    uint64_t window = 1;
    for (int i = 0; i < 31; i++) {
        assert_int_equal(holders(&gate, 0), window);
        assert_int_equal(holders(&gate, 64), window < 64 ? window : 64);
        assert_true(weir__gate_success(&gate, SEC(2)));
        window *= 2;
    }
    assert_int_equal(holders(&gate, 0), window);
    assert_true(weir__gate_success(&gate, SEC(2)));
    assert_int_equal(holders(&gate, 0), 0);
    assert_int_equal(holders(&gate, 64), 64);
    assert_false(weir__gate_success(&gate, SEC(2)));
}

static void test_success_of_an_earlier_epoch_says_nothing(void **state)
{
    (void)state;
    struct weir__gate gate = {0};
    struct weir__rand rand = seeded(8);
    weir__gate_throttled(&gate, MS(500), SEC(1), SEC(1), &rand);
    struct weir__gate closed = gate;
    assert_false(weir__gate_success(&gate, MS(400)));
    assert_false(weir__gate_success(&gate, SEC(1)));
    assert_same(&gate, &closed);
    assert_true(weir__gate_success(&gate, SEC(1) + 1));
}

/* Epochs without a success between them: full jitter under 250 ms * 2^n, at most 30 s, at least
 * 50 ms. */
static void test_own_pause_grows(void **state)
{
    (void)state;
    enum { DRAWS = 4000 };
    static const int64_t ceiling_ms[] = {250,  500,   1000,  2000,  4000,
                                         8000, 16000, 30000, 30000, 30000};
    for (unsigned n = 0; n < 10; n++) {
        struct weir__rand rand = seeded(100 + n);
        int64_t sum_ns = 0, least_ns = INT64_MAX, most_ns = 0;
        for (int i = 0; i < DRAWS; i++) {
            struct weir__gate gate = {.open_ns = 1, .closed_at_ns = 1, .epochs = n, .window = 1};
            assert_true(weir__gate_throttled(&gate, 2, NOTHING, 3, &rand));
            int64_t pause_ns = gate.open_ns - 3;
            sum_ns += pause_ns;
            least_ns = pause_ns < least_ns ? pause_ns : least_ns;
            most_ns = pause_ns > most_ns ? pause_ns : most_ns;
        }
        int64_t ceiling_ns = MS(ceiling_ms[n]);
        /* What the floor of 50 ms adds to the mean of a uniform pause: floor^2 / (2 * ceiling). */
        int64_t mean_ns = ceiling_ns / 2 + MS(50) * 50 / (2 * ceiling_ms[n]);
        assert_in_range(sum_ns / DRAWS, mean_ns * 96 / 100, mean_ns * 104 / 100);
        assert_in_range(least_ns, MS(50), MS(50) + ceiling_ns / 100);
        assert_in_range(most_ns, ceiling_ns * 99 / 100, ceiling_ns);
    }
}

static void test_epochs_stop_counting(void **state)
{
    (void)state;
    struct weir__gate gate = {0};
    struct weir__rand rand = seeded(9);
    int64_t now_ns = 1;
    for (int i = 0; i < 1000; i++) {
        assert_true(weir__gate_throttled(&gate, now_ns, NOTHING, now_ns, &rand));
        assert_in_range(gate.open_ns - now_ns, MS(50), SEC(30));
        now_ns = gate.open_ns;
    }
    assert_in_range(gate.epochs, 10, 1000);
}

static void test_close_by_hand(void **state)
{
    (void)state;
    struct weir__gate gate = {0};
    assert_false(weir__gate_close(&gate, SEC(5), SEC(5)));
    assert_false(weir__gate_close(&gate, SEC(4), SEC(5)));
    assert_int_equal(gate.open_ns, 0);

    assert_true(weir__gate_close(&gate, SEC(9), SEC(5)));
    struct weir__gate expected = {SEC(9), SEC(5), 0, 1};
    assert_same(&gate, &expected);
    assert_false(weir__gate_close(&gate, SEC(8), SEC(6)));
    assert_same(&gate, &expected);
    assert_true(weir__gate_close(&gate, SEC(10), SEC(6)));
    assert_int_equal(gate.open_ns, SEC(10));
}

/* What was under way when the caller paused belongs to the epoch that the pause began. */
static void test_close_begins_an_epoch(void **state)
{
    (void)state;
    struct weir__gate gate = {0};
    struct weir__rand rand = seeded(10);
    weir__gate_close(&gate, SEC(9), SEC(5));
    assert_false(weir__gate_throttled(&gate, SEC(4), NOTHING, SEC(6), &rand));
    assert_false(weir__gate_success(&gate, SEC(4)));
    assert_true(weir__gate_throttled(&gate, SEC(9), SEC(2), SEC(10), &rand));
    assert_int_equal(gate.open_ns, SEC(12));
    assert_int_equal(gate.epochs, 1);
}

static void test_waits_beyond_the_end_of_time(void **state)
{
    (void)state;
    struct weir__gate gate = {0};
    struct weir__rand rand = seeded(11);
    assert_true(weir__gate_throttled(&gate, 1, INT64_MAX, 2, &rand));
    assert_int_equal(gate.open_ns, INT64_MAX);
    assert_false(weir__gate_throttled(&gate, 1, INT64_MAX, INT64_MAX, &rand));
    assert_false(weir__gate_close(&gate, INT64_MAX, SEC(1)));
}

/* A random history: the gate opens never earlier than any answer asked for, and what one epoch says
 * cuts once. */
static void test_random_histories(void **state)
{
    (void)state;
    struct weir__rand rand = seeded(12);
    for (int run = 0; run < 200; run++) {
        struct weir__gate gate = {0};
        int64_t now_ns = 0, asked_ns = 0;
        for (int i = 0; i < 200; i++) {
            now_ns += weir__rand_upto(&rand, SEC(1));
            int64_t sent_ns = now_ns - weir__rand_upto(&rand, SEC(3));
            bool told = weir__rand_upto(&rand, 1) == 0;
            int64_t wait_ns = told ? 1 + weir__rand_upto(&rand, SEC(4)) : NOTHING;
            struct weir__gate before = gate;
            bool fresh = before.open_ns == 0 || sent_ns > before.closed_at_ns;
            bool changed = weir__gate_throttled(&gate, sent_ns, wait_ns, now_ns, &rand);
            if (told && now_ns + wait_ns > asked_ns)
                asked_ns = now_ns + wait_ns;
            assert_true(gate.open_ns >= asked_ns);
            assert_true(gate.open_ns >= before.open_ns);
            assert_int_equal(gate.closed_at_ns, fresh ? now_ns : before.closed_at_ns);
            assert_int_equal(changed, fresh || gate.open_ns > before.open_ns);
            assert_int_equal(holders(&gate, 64), fresh ? 1 : before.window);
            weir__gate_success(&gate, sent_ns);
        }
    }
}

/* An answer that never comes must not hold everything back. */
static void test_window_grows_with_time(void **state)
{
    (void)state;
    struct weir__gate gate = {0};
    struct weir__rand rand = seeded(13);
    assert_int_equal(weir__gate_grows_ns(&gate, SEC(5)), INT64_MAX);
    weir__gate_throttled(&gate, 1, SEC(10), SEC(1), &rand);
    assert_int_equal(weir__gate_window(&gate, SEC(2)), 1); /* still closed */
    assert_int_equal(weir__gate_grows_ns(&gate, SEC(2)), SEC(12));
    for (int i = 0; i < 32; i++) {
        assert_int_equal(weir__gate_window(&gate, SEC(11 + i)), UINT64_C(1) << i);
        assert_int_equal(weir__gate_window(&gate, SEC(12 + i) - 1), UINT64_C(1) << i);
        assert_int_equal(weir__gate_grows_ns(&gate, SEC(11 + i)), SEC(12 + i));
    }
    assert_int_equal(weir__gate_window(&gate, SEC(43)), 0); /* no bound any more */
    assert_int_equal(weir__gate_grows_ns(&gate, SEC(43)), INT64_MAX);
    weir__gate_success(&gate, SEC(12));
    assert_int_equal(weir__gate_window(&gate, SEC(13)), 8); /* both ways together */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_window_grows_with_time),
        cmocka_unit_test(test_open_from_the_start),
        cmocka_unit_test(test_server_wait_is_taken_as_it_is),
        cmocka_unit_test(test_first_closing_at_time_zero),
        cmocka_unit_test(test_many_of_one_epoch_cut_once),
        cmocka_unit_test(test_an_earlier_epoch_only_lengthens),
        cmocka_unit_test(test_a_straggler_pauses_again),
        cmocka_unit_test(test_each_epoch_cuts),
        cmocka_unit_test(test_a_new_epoch_never_shortens),
        cmocka_unit_test(test_window_doubles_until_there_is_no_bound),
        cmocka_unit_test(test_success_of_an_earlier_epoch_says_nothing),
        cmocka_unit_test(test_own_pause_grows),
        cmocka_unit_test(test_epochs_stop_counting),
        cmocka_unit_test(test_close_by_hand),
        cmocka_unit_test(test_close_begins_an_epoch),
        cmocka_unit_test(test_waits_beyond_the_end_of_time),
        cmocka_unit_test(test_random_histories),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
