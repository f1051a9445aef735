/* When a server is taken to be away, who finds out, and when it is given up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "outage.h"

static const struct outage_rules rules = {.max_ms = 100000, .max_tries = 3};

/* One that was heard of at 1,000 ms. */
static struct outage reached(void)
{
    struct outage outage = {.reached = false};
    assert_false(outage_heard(&outage, 1000));
    return outage;
}

/* The next row finds out at now_ms, in vain. */
static void probe_in_vain(struct outage *outage, int64_t now_ms)
{
    assert_int_equal(outage_turn(outage, now_ms), OUTAGE_PROBE);
    assert_true(outage_missed(outage, &rules, true, now_ms, now_ms));
    outage_probed(outage);
}

static void test_one_that_answers_others_is_there(void **state)
{
    struct outage outage = reached();
    (void)state;
    assert_false(outage_missed(&outage, &rules, false, 1000, 1500));
    assert_int_equal(outage_turn(&outage, 1500), OUTAGE_CLOSED);
    assert_true(outage_missed(&outage, &rules, false, 1001, 1500)); /* nothing since it began */
    assert_int_equal(outage_turn(&outage, 1500), OUTAGE_WAIT);
}

static void test_one_at_a_time_finds_out(void **state)
{
    struct outage outage = reached();
    (void)state;
    assert_true(outage_missed(&outage, &rules, false, 2000, 2000));
    assert_int_equal(outage_turn(&outage, 2999), OUTAGE_WAIT);
    assert_int_equal(outage_turn(&outage, 3000), OUTAGE_PROBE);
    assert_int_equal(outage_turn(&outage, 3000), OUTAGE_WAIT);
    assert_int_equal(outage_turn(&outage, 99000), OUTAGE_WAIT);
    outage_probed(&outage); /* it was cancelled: another does it */
    assert_int_equal(outage_turn(&outage, 99000), OUTAGE_PROBE);
}

static void test_pauses_grow_to_half_a_minute(void **state)
{
    static const int64_t pauses_ms[] = {1000, 2000, 4000, 8000, 16000, 30000, 30000};
    struct outage outage = reached();
    int64_t now_ms = 2000;
    (void)state;
    assert_true(outage_missed(&outage, &rules, false, now_ms, now_ms));
    for (size_t i = 0; i < sizeof pauses_ms / sizeof pauses_ms[0]; i++) {
        assert_int_equal(outage.next_ms - now_ms, pauses_ms[i]);
        now_ms = outage.next_ms;
        probe_in_vain(&outage, now_ms);
        assert_int_equal(outage.since_ms, 2000);
    }
}

/* It is there for a second and then not for one, and so on: pauses of 1, 2, 4, ... s could miss it
 * for ever. */
static void test_a_server_that_flaps_is_met(void **state)
{
    static const struct outage_rules spread = {.max_ms = INT64_MAX, .max_tries = 3, .spread = true};
    (void)state;
    for (int64_t begin_ms = 2000; begin_ms < 2050; begin_ms++) {
        struct outage outage = reached();
        int64_t now_ms = begin_ms;
        assert_true(outage_missed(&outage, &spread, false, now_ms, now_ms));
        do {
            assert_in_range(outage.next_ms - now_ms, outage.pause_ms, outage.pause_ms * 5 / 4);
            now_ms = outage.next_ms;
            assert_true(now_ms < 600000);
            assert_int_equal(outage_turn(&outage, now_ms), OUTAGE_PROBE);
            assert_true(outage_missed(&outage, &spread, true, now_ms, now_ms));
            outage_probed(&outage);
        } while (now_ms % 2000 < 1050);
    }
}

static void test_what_went_off_before_says_nothing_new(void **state)
{
    struct outage outage = reached();
    (void)state;
    assert_true(outage_missed(&outage, &rules, false, 2000, 2000));
    for (int i = 0; i < 100; i++)
        assert_true(outage_missed(&outage, &rules, false, 2000, 2100 + i));
    assert_int_equal(outage.next_ms, 3000);
    assert_int_equal(outage.tries, 1);
}

static void test_a_sign_of_life_closes_it(void **state)
{
    struct outage outage = reached();
    (void)state;
    assert_true(outage_missed(&outage, &rules, false, 2000, 2000));
    probe_in_vain(&outage, 3000);
    assert_true(outage_heard(&outage, 4000));
    assert_int_equal(outage_turn(&outage, 4000), OUTAGE_CLOSED);
    assert_false(outage_heard(&outage, 4001));
    assert_true(outage_missed(&outage, &rules, false, 5000, 5000));
    assert_int_equal(outage.next_ms, 6000); /* pauses begin anew */
}

static void test_given_up_when_its_time_is_over_and_not_before(void **state)
{
    struct outage outage = reached();
    int64_t now_ms = 2000;
    (void)state;
    assert_true(outage_missed(&outage, &rules, false, now_ms, now_ms));
    while (!outage.given_up) {
        assert_true(now_ms < 2000 + rules.max_ms);
        now_ms = outage.next_ms;
        probe_in_vain(&outage, now_ms);
    }
    assert_int_equal(now_ms, 2000 + rules.max_ms);
    assert_int_equal(outage_turn(&outage, now_ms), OUTAGE_GIVEN_UP);
    probe_in_vain(&outage, now_ms + 30000); /* it may come back all the same */
    assert_true(outage_heard(&outage, now_ms + 60000));
    assert_int_equal(outage_turn(&outage, now_ms + 60000), OUTAGE_CLOSED);
}

static void test_one_that_was_never_there_is_given_up_after_some_tries(void **state)
{
    struct outage outage = {.reached = false};
    (void)state;
    assert_true(outage_missed(&outage, &rules, false, 1000, 1000));
    probe_in_vain(&outage, 2000);
    assert_int_equal(outage_turn(&outage, 2000), OUTAGE_WAIT);
    probe_in_vain(&outage, 4000);
    assert_int_equal(outage_turn(&outage, 4000), OUTAGE_GIVEN_UP);
}

static void test_others_are_held_back_for_a_minute(void **state)
{
    struct outage outage = reached();
    struct outage never = {.reached = false};
    (void)state;
    assert_true(outage_missed(&outage, &rules, false, 2000, 2000));
    assert_true(outage_is_patient(&outage, 61999));
    assert_false(outage_is_patient(&outage, 62000));
    assert_true(outage_missed(&never, &rules, false, 2000, 2000));
    assert_false(outage_is_patient(&never, 2000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_that_answers_others_is_there),
        cmocka_unit_test(test_one_at_a_time_finds_out),
        cmocka_unit_test(test_pauses_grow_to_half_a_minute),
        cmocka_unit_test(test_a_server_that_flaps_is_met),
        cmocka_unit_test(test_what_went_off_before_says_nothing_new),
        cmocka_unit_test(test_a_sign_of_life_closes_it),
        cmocka_unit_test(test_given_up_when_its_time_is_over_and_not_before),
        cmocka_unit_test(test_one_that_was_never_there_is_given_up_after_some_tries),
        cmocka_unit_test(test_others_are_held_back_for_a_minute),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
