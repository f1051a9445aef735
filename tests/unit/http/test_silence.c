/* Limits for a server's silence, as functions of the time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "http/silence.h"

static const int64_t ms = WEIR__NS_PER_MS;
static struct weir__silence silence;

static void looks_at(int64_t now_ms, int64_t want_ms)
{
    assert_int_equal(weir__silence_look_ns(&silence, now_ms * ms), want_ms * ms);
}

static bool over(int64_t due_ms, int64_t now_ms)
{
    return weir__silence_is_over(&silence, due_ms * ms, now_ms * ms);
}

static void each_part_has_its_limit(void **state)
{
    (void)state;
    weir__silence_init(&silence, 100, 300);
    assert_true(weir__silence_matters(&silence));
    looks_at(0, 100); /* queued: it has not been sent */
    assert_false(over(5000, 5000));
    weir__silence_heard(&silence, false, 5000 * ms);
    looks_at(5000, 5100);
    assert_false(over(5099, 5099));
    assert_true(over(5100, 5100));
    weir__silence_heard(&silence, true, 5050 * ms);
    looks_at(5100, 5200); /* the shorter of both */
    assert_false(over(5349, 5349));
    looks_at(5300, 5350);
    assert_true(over(5350, 5350));
    weir__silence_heard(&silence, false, 5340 * ms); /* a trailer is content's, still */
    assert_false(over(5639, 5639));
    assert_true(over(5640, 5640));
}

static void a_limit_may_be_none(void **state)
{
    (void)state;
    weir__silence_init(&silence, 0, 0);
    assert_false(weir__silence_matters(&silence));
    weir__silence_init(&silence, 100, 0);
    assert_true(weir__silence_matters(&silence));
    weir__silence_heard(&silence, true, 0);
    looks_at(7, 107);
    assert_false(over(1000000, 1000000));
    weir__silence_init(&silence, 0, 100);
    assert_true(weir__silence_matters(&silence));
    weir__silence_heard(&silence, false, 0);
    looks_at(7, 107);
    assert_false(over(1000000, 1000000));
    weir__silence_heard(&silence, true, 1000000 * ms);
    assert_true(over(1000100, 1000100));
}

/* We were stopped for 5 s: what has come is yet to be read. */
static void a_late_look_is_spared_once(void **state)
{
    (void)state;
    weir__silence_init(&silence, 100, 100);
    weir__silence_heard(&silence, true, 0);
    assert_false(over(100, 5100));
    looks_at(5100, 5200);
    assert_false(over(5199, 5199));
    assert_true(over(5200, 5200));

    weir__silence_heard(&silence, true, 0);
    assert_false(over(100, 121));
    assert_true(over(221, 5000)); /* late again, and nothing has come */

    weir__silence_heard(&silence, true, 0);
    assert_true(over(100, 120)); /* no later than timers are */
}

static void a_connection_is_trusted_for_half_of_that_time(void **state)
{
    (void)state;
    assert_int_equal(weir__silence_patience_ns(3 * ms, false), 100 * ms);
    assert_int_equal(weir__silence_patience_ns(500 * ms, false), 250 * ms);
    assert_int_equal(weir__silence_patience_ns(500 * ms, true), 1000 * ms);
    assert_int_equal(weir__silence_patience_ns(5000 * ms, false), 2500 * ms);
    assert_int_equal(weir__silence_patience_ns(5000 * ms, true), 2500 * ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_part_has_its_limit),
        cmocka_unit_test(a_limit_may_be_none),
        cmocka_unit_test(a_late_look_is_spared_once),
        cmocka_unit_test(a_connection_is_trusted_for_half_of_that_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
