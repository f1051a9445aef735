/* Deadline scopes: asyncio.timeout's meaning. */
#include "rig.h"

#include <weir/sync.h>

#include "task/sched.h"

static int a_scope_that_ends_in_time(void *arg)
{
    weir_deadline limit;
    (void)arg;
    weir_deadline_begin_ms(&limit, 100);
    check_int(weir_sleep_ms(99), 0);
    check_int(weir_deadline_end(&limit, 5), 5); /* any rc comes back */
    check_int(weir_sleep_ms(1000), 0);          /* and it bounds nothing any more */
    check(weir_deadline_left_ms() == INT64_MAX);
    return 0;
}

static int a_scope_that_is_cut_off(void *arg)
{
    weir_deadline limit;
    int64_t start_ms = weir_now_ms();
    (void)arg;
    weir_deadline_begin_ms(&limit, 100);
    check_int(weir_sleep_ms(1000), WEIR_ECANCELED);
    check_int(weir_now_ms() - start_ms, 100);
    check_int(weir_cancelled(), 1);
    check_int(weir_sleep_ms(1000), WEIR_ECANCELED); /* as long as the scope lasts */
    check_int(weir_yield(), WEIR_ECANCELED);
    check_int(weir_deadline_end(&limit, WEIR_ECANCELED), WEIR_ETIMEDOUT);
    check_int(weir_cancelled(), 0);
    check_int(weir_sleep_ms(10), 0); /* works again */
    check_int(weir_now_ms() - start_ms, 110);
    return 0;
}

static int only_cancelled_becomes_timed_out(void *arg)
{
    weir_deadline limit;
    (void)arg;
    weir_deadline_begin_ms(&limit, 10);
    weir_sleep_ms(20);
    check_int(weir_deadline_end(&limit, WEIR_EIO), WEIR_EIO);
    weir_deadline_begin_ms(&limit, 10);
    weir_sleep_ms(20);
    check_int(weir_deadline_end(&limit, 0), 0);
    weir_deadline_begin_ms(&limit, 10);
    check_int(weir_deadline_end(&limit, WEIR_ECANCELED), WEIR_ECANCELED); /* not from here */
    return 0;
}

static int none_left(void *arg)
{
    const int64_t passed_ms[] = {0, -1, INT64_MIN};
    weir_deadline limit;
    (void)arg;
    for (size_t i = 0; i < 3; i++) {
        int64_t start_ms = weir_now_ms();
        weir_deadline_begin_ms(&limit, passed_ms[i]);
        check_int(weir_cancelled(), 1);
        check_int(weir_deadline_left_ms(), 0);
        check_int(weir_yield(), WEIR_ECANCELED);
        check_int(weir_sleep_ms(10), WEIR_ECANCELED);
        check_int(weir_deadline_end(&limit, WEIR_ECANCELED), WEIR_ETIMEDOUT);
        check_int(weir_now_ms(), start_ms);
    }
    return 0;
}

static int all_the_time_there_is(void *arg)
{
    weir_deadline limit;
    (void)arg;
    weir_deadline_begin_ms(&limit, INT64_MAX);
    check(weir_deadline_left_ms() == INT64_MAX);
    check_int(weir_sleep_ms(10), 0);
    return weir_deadline_end(&limit, 0);
}

/* ---- nested ---- */

/* The inner and the outer limit, around a sleep of a second: what each end says, and when. */
static void nested(int64_t outer_ms, int64_t inner_ms, int inner_rc, int outer_rc, int64_t took_ms)
{
    weir_deadline outer, inner;
    int64_t start_ms = weir_now_ms();
    weir_deadline_begin_ms(&outer, outer_ms);
    weir_deadline_begin_ms(&inner, inner_ms);
    int rc = weir_deadline_end(&inner, weir_sleep_ms(1000));
    check_int(rc, inner_rc);
    check_int(weir_now_ms() - start_ms, took_ms);
    check_int(weir_deadline_end(&outer, rc), outer_rc);
}

static int the_scope_whose_time_it_was_says_so(void *arg)
{
    (void)arg;
    nested(200, 100, WEIR_ETIMEDOUT, WEIR_ETIMEDOUT, 100); /* an error by then: it goes through */
    nested(100, 200, WEIR_ECANCELED, WEIR_ETIMEDOUT, 100);
    nested(100, 100, WEIR_ETIMEDOUT, WEIR_ETIMEDOUT, 100);
    nested(0, 100, WEIR_ECANCELED, WEIR_ETIMEDOUT, 0);
    nested(100, 0, WEIR_ETIMEDOUT, WEIR_ETIMEDOUT, 0);
    nested(2000, 2000, 0, 0, 1000);
    nested(INT64_MAX, 100, WEIR_ETIMEDOUT, WEIR_ETIMEDOUT, 100);
    return 0;
}

static int the_outer_one_goes_on_after_the_inner(void *arg)
{
    weir_deadline outer, inner;
    (void)arg;
    weir_deadline_begin_ms(&outer, 100);
    for (int i = 1; i <= 3; i++) {
        weir_deadline_begin_ms(&inner, 30);
        check_int(weir_deadline_end(&inner, weir_sleep_ms(50)), WEIR_ETIMEDOUT);
        check_int(weir_deadline_left_ms(), 100 - 30 * i);
    }
    weir_deadline_begin_ms(&inner, 30);
    check_int(weir_deadline_end(&inner, weir_sleep_ms(50)), WEIR_ECANCELED);
    return weir_deadline_end(&outer, WEIR_ECANCELED) == WEIR_ETIMEDOUT ? 0 : 1;
}

enum { DEEP = 300 };

static int hundreds_nested(void *arg)
{
    weir_deadline *limits = arg;
    for (int i = 0; i < DEEP; i++) /* the outermost last by 300 ms, the innermost first */
        weir_deadline_begin_ms(&limits[i], DEEP - i);
    for (int i = DEEP; i-- > 0;) {
        check_int(weir_deadline_left_ms(), 1);
        check_int(weir_sleep_ms(1000), WEIR_ECANCELED);
        check_int(weir_deadline_end(&limits[i], WEIR_ECANCELED), WEIR_ETIMEDOUT);
        check_int(weir_cancelled(), 0);
    }
    check_int(weir_now_ms(), 1000 + DEEP);
    return 0;
}

static void hundreds_nested_test(void **state)
{
    static weir_deadline limits[DEEP];
    (void)state;
    assert_int_equal(rig_run(hundreds_nested, limits), 0);
}

static int all_of_hundreds_at_once(void *arg)
{
    weir_deadline *limits = arg;
    for (int i = 0; i < DEEP; i++)
        weir_deadline_begin_ms(&limits[i], 5);
    check_int(weir_sleep_ms(1000), WEIR_ECANCELED);
    for (int i = DEEP; i-- > 0;) {
        check_int(weir_sleep_ms(1), WEIR_ECANCELED); /* as long as one is left */
        check_int(weir_deadline_end(&limits[i], WEIR_ECANCELED), WEIR_ETIMEDOUT);
    }
    return weir_sleep_ms(1);
}

static void all_of_hundreds_at_once_test(void **state)
{
    static weir_deadline limits[DEEP];
    (void)state;
    assert_int_equal(rig_run(all_of_hundreds_at_once, limits), 0);
}

/* ---- with a cancel from outside ---- */

struct bounded {
    int64_t limit_ms;
    int64_t sleep_ms;
    int inner_rc; /* of the scope */
};

static int sleep_bounded(void *arg)
{
    struct bounded *bounded = arg;
    weir_deadline limit;
    weir_deadline_begin_ms(&limit, bounded->limit_ms);
    bounded->inner_rc = weir_deadline_end(&limit, weir_sleep_ms(bounded->sleep_ms));
    return bounded->inner_rc;
}

static int cancel_at_ms(int64_t limit_ms, int64_t cancel_ms)
{
    struct bounded bounded = {limit_ms, 1000, 0};
    weir_group *group = rig_group();
    weir_spawn(group, sleep_bounded, &bounded);
    weir_sleep_ms(cancel_ms); /* started before the scope: runs first when both are due */
    weir_group_cancel(group);
    int rc = weir_gather(group);
    check_int(rc, bounded.inner_rc);
    check_int(weir_group_free(group), 0);
    return rc;
}

static int a_cancel_from_outside_wins(void *arg)
{
    (void)arg;
    check_int(cancel_at_ms(100, 50), WEIR_ECANCELED);
    check_int(cancel_at_ms(50, 100), WEIR_ETIMEDOUT);
    check_int(cancel_at_ms(50, 50),
              WEIR_ECANCELED); /* woken by its deadline, cancelled, then run */
    return 0;
}

static int the_deadline_of_one_task_is_not_another_s(void *arg)
{
    struct job job = {.ms = 50};
    weir_group *group = rig_group();
    weir_deadline limit;
    (void)arg;
    weir_deadline_begin_ms(&limit, 10);
    weir_spawn(group, job_run, &job);
    check_int(weir_deadline_end(&limit, weir_sleep_ms(20)), WEIR_ETIMEDOUT);
    check_int(weir_gather(group), 0);
    check_int(job.slept_rc, 0);
    return weir_group_free(group);
}

/* ---- time left ---- */

static int the_nearest_counts(void *arg)
{
    weir_deadline outer, middle, inner;
    (void)arg;
    check(weir_deadline_left_ms() == INT64_MAX);
    weir_deadline_begin_ms(&outer, 100);
    check_int(weir_deadline_left_ms(), 100);
    weir_deadline_begin_ms(&middle, 50);
    weir_deadline_begin_ms(&inner, 500); /* changes nothing */
    check_int(weir_deadline_left_ms(), 50);
    weir_sleep_ms(20);
    check_int(weir_deadline_left_ms(), 30);
    weir_sleep_ms(40);
    check_int(weir_deadline_left_ms(), 0);
    check_int(weir_deadline_end(&inner, WEIR_ECANCELED), WEIR_ECANCELED);
    check_int(weir_deadline_end(&middle, WEIR_ECANCELED), WEIR_ETIMEDOUT);
    check_int(weir_deadline_left_ms(), 50);
    check_int(weir_deadline_end(&outer, 0), 0);
    check(weir_deadline_left_ms() == INT64_MAX);
    return 0;
}

/* ---- points of time, and moving them ---- */

static int at_a_point_of_time(void *arg)
{
    weir_deadline limit;
    int64_t start_ms = weir_now_ms();
    (void)arg;
    weir_deadline_begin_at_ms(&limit, start_ms + 30);
    check_int(weir_deadline_left_ms(), 30);
    check_int(weir_deadline_end(&limit, weir_sleep_ms(100)), WEIR_ETIMEDOUT);
    check_int(weir_now_ms() - start_ms, 30);
    weir_deadline_begin_at_ms(&limit, start_ms + 30); /* now */
    check_int(weir_deadline_end(&limit, weir_yield()), WEIR_ETIMEDOUT);
    weir_deadline_begin_at_ms(&limit, INT64_MIN);
    check_int(weir_deadline_end(&limit, weir_sleep_ms(1)), WEIR_ETIMEDOUT);
    weir_deadline_begin_at_ms(&limit, INT64_MAX);
    check(weir_deadline_left_ms() == INT64_MAX);
    check_int(weir_sleep_ms(1), 0);
    return weir_deadline_end(&limit, 0);
}

/* Begins with 50 ms, moves the end at 20 ms to reset_ms from then, and sleeps: when it is cut off.
 */
static void moved(int64_t reset_ms, int64_t want_ms)
{
    weir_deadline limit;
    int64_t start_ms = weir_now_ms();
    weir_deadline_begin_ms(&limit, 50);
    check_int(weir_sleep_ms(20), 0);
    check_int(weir_deadline_reset_ms(&limit, reset_ms), 0);
    check_int(weir_deadline_left_ms(), reset_ms > 0 ? reset_ms : 0);
    check_int(weir_deadline_end(&limit, weir_sleep_ms(1000)), WEIR_ETIMEDOUT);
    check_int(weir_now_ms() - start_ms, want_ms);
}

static int the_end_is_moved(void *arg)
{
    (void)arg;
    moved(10, 30);   /* earlier */
    moved(100, 120); /* later */
    moved(0, 20);
    moved(-5, 20);
    return 0;
}

static int what_has_passed_stays_so(void *arg)
{
    weir_deadline limit;
    (void)arg;
    weir_deadline_begin_ms(&limit, 10);
    check_int(weir_sleep_ms(20), WEIR_ECANCELED);
    check_int(weir_deadline_reset_ms(&limit, 100), WEIR_ETIMEDOUT);
    check_int(weir_deadline_passed(&limit), 1);
    check_int(weir_sleep_ms(20), WEIR_ECANCELED);
    check_int(weir_deadline_end(&limit, WEIR_ECANCELED), WEIR_ETIMEDOUT);
    return 0;
}

static int moving_the_outer_one(void *arg)
{
    weir_deadline outer, inner;
    int64_t start_ms = weir_now_ms();
    (void)arg;
    weir_deadline_begin_ms(&outer, 100);
    weir_deadline_begin_ms(&inner, 50);
    check_int(weir_deadline_reset_ms(&outer, 20), 0);
    int rc = weir_deadline_end(&inner, weir_sleep_ms(1000));
    check_int(rc, WEIR_ECANCELED); /* not its own time */
    check_int(weir_now_ms() - start_ms, 20);
    check_int(weir_deadline_end(&outer, rc), WEIR_ETIMEDOUT);
    return 0;
}

static int passed_tells_of_its_own_time(void *arg)
{
    weir_deadline outer, inner;
    (void)arg;
    weir_deadline_begin_ms(&outer, 10);
    weir_deadline_begin_ms(&inner, 20);
    check_int(weir_deadline_passed(&outer), 0);
    check_int(weir_sleep_ms(15), WEIR_ECANCELED);
    check_int(weir_deadline_passed(&outer), 1);
    check_int(weir_deadline_passed(&inner), 0);
    weir_deadline_end(&inner, 0);
    weir_deadline_end(&outer, 0);
    return 0;
}

/* ---- a scope that its task forgot ---- */

static int leaves_two_open(void *arg)
{
    weir_deadline outer, inner; /* gone with the stack; their timers must be, too */
    (void)arg;
    weir_deadline_begin_ms(&outer, 10);
    weir_deadline_begin_ms(&inner, 20);
    return 0;
}

static int overwrites_the_stack(void *arg)
{
    volatile char frame[2048];
    (void)arg;
    for (size_t i = 0; i < sizeof frame; i++)
        frame[i] = 0x55;
    return weir_sleep_ms(100) == 0 && frame[7] == 0x55 ? 0 : WEIR_EINVAL;
}

static int a_scope_ends_with_its_task(void *arg)
{
    weir_group *group = rig_group();
    (void)arg;
    check_int(weir_await(weir_spawn(group, leaves_two_open, NULL)), 0);
    check(weir__timers_next_ns(&weir__rt()->timers) == INT64_MAX);
    check_int(weir_await(weir_spawn(group, overwrites_the_stack, NULL)), 0);
    return weir_group_free(group);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(a_scope_that_ends_in_time),
        VIRTUAL_TEST(a_scope_that_is_cut_off),
        VIRTUAL_TEST(only_cancelled_becomes_timed_out),
        VIRTUAL_TEST(none_left),
        VIRTUAL_TEST(all_the_time_there_is),
        VIRTUAL_TEST(the_scope_whose_time_it_was_says_so),
        VIRTUAL_TEST(the_outer_one_goes_on_after_the_inner),
        cmocka_unit_test(hundreds_nested_test),
        cmocka_unit_test(all_of_hundreds_at_once_test),
        VIRTUAL_TEST(a_cancel_from_outside_wins),
        VIRTUAL_TEST(the_deadline_of_one_task_is_not_another_s),
        VIRTUAL_TEST(the_nearest_counts),
        VIRTUAL_TEST(at_a_point_of_time),
        VIRTUAL_TEST(the_end_is_moved),
        VIRTUAL_TEST(what_has_passed_stays_so),
        VIRTUAL_TEST(moving_the_outer_one),
        VIRTUAL_TEST(passed_tells_of_its_own_time),
        VIRTUAL_TEST(a_scope_ends_with_its_task),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
