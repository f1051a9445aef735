/* weir_checkpoint, and that tasks which compute do not starve timers. */
#include "rig.h"

#include "task/sched.h"

static int is_cancelled_in_between(void *arg)
{
    int rc = weir_checkpoint();
    check_int(rc, 0);
    weir_task_cancel(weir_task_self());
    check_int(weir_checkpoint(), WEIR_ECANCELED);
    check_int(weir_checkpoint(), WEIR_ECANCELED);
    *(int *)arg = 1;
    return 0;
}

static int a_cancel_is_seen(void *arg)
{
    int ran = 0;
    weir_group *group = rig_group();
    weir_deadline limit;
    (void)arg;
    weir_spawn(group, is_cancelled_in_between, &ran);
    check_int(weir_gather(group), 0);
    check_int(ran, 1);
    weir_deadline_begin_ms(&limit, 0);
    check_int(weir_deadline_end(&limit, weir_checkpoint()), WEIR_ETIMEDOUT);
    check_int(weir_checkpoint(), 0);
    return weir_group_free(group);
}

static void outside_of_a_runtime(void **state)
{
    (void)state;
    assert_int_equal(weir_checkpoint(), WEIR_ENORUNTIME);
}

static int raise_flag(void *arg)
{
    *(int *)arg = 1;
    return 0;
}

/* There a computation takes no time. */
static int never_yields_on_the_virtual_clock(void *arg)
{
    int other_ran = 0;
    weir_group *group = rig_group();
    (void)arg;
    weir_spawn(group, raise_flag, &other_ran);
    for (int i = 0; i < 100000; i++)
        check_int(weir_checkpoint(), 0);
    check_int(other_ran, 0);
    check_int(weir_gather(group), 0);
    check_int(other_ran, 1);
    return weir_group_free(group);
}

static int yields_after_a_millisecond(void *arg)
{
    enum { LONG_NS = 2000000000 };
    int other_ran = 0;
    weir_group *group = rig_group();
    (void)arg;
    weir_spawn(group, raise_flag, &other_ran);
    int64_t turn_ns = weir__rt()->turn_ns, now_ns = weir_now_ns();
    while (!other_ran && now_ns - turn_ns < LONG_NS) {
        now_ns = weir_now_ns();
        check_int(weir_checkpoint(), 0);
        check(!other_ran || weir_now_ns() - turn_ns >= 1000000);
    }
    check_int(other_ran, 1);
    return weir_group_free(group);
}

/* ---- timers ---- */

struct race {
    int over;
    int64_t steps; /* of those who compute, so far */
    int64_t at;    /* of them when the timer came */
};

static int wait_for_a_timer(void *arg)
{
    struct race *race = arg;
    int rc = weir_sleep_ms(5);
    race->over = 1;
    race->at = race->steps;
    return rc;
}

static int only_yield(void *arg)
{
    struct race *race = arg;
    while (!race->over && ++race->steps < INT64_C(2000000000))
        weir_yield();
    return 0;
}

static int yields_do_not_starve_a_timer(void *arg)
{
    weir_group *group = rig_group();
    (void)arg;
    for (int tasks = 1; tasks <= 300; tasks += 299) {
        struct race race = {0};
        weir_spawn(group, wait_for_a_timer, &race);
        for (int i = 0; i < tasks; i++)
            weir_spawn(group, only_yield, &race);
        check_int(weir_gather(group), 0);
        check_int(race.over, 1);
        check(race.steps < INT64_C(1000000000));
    }
    return weir_group_free(group);
}

static void compute_ns(int64_t ns)
{
    int64_t until_ns = weir_now_ns() + ns;
    while (weir_now_ns() < until_ns)
        continue;
}

static int compute_and_yield(void *arg)
{
    struct race *race = arg;
    while (!race->over && race->steps++ < 10000) {
        compute_ns(1000000);
        weir_yield();
    }
    return 0;
}

static int compute_with_checkpoints(void *arg)
{
    struct race *race = arg;
    while (!race->over && race->steps++ < 50000) {
        compute_ns(200000);
        weir_checkpoint();
    }
    return 0;
}

enum { COMPUTING = 2 };

/* How many steps there were before a timer of 5 ms came. A slow machine makes fewer of them. */
static int64_t steps_before_timer(weir_task_fn fn)
{
    struct race race = {0};
    weir_group *group = rig_group();
    for (int i = 0; i < COMPUTING; i++)
        weir_spawn(group, fn, &race);
    while (race.steps < 64) /* how long they take is known by then */
        weir_yield();
    int64_t start = race.steps;
    weir_spawn(group, wait_for_a_timer, &race);
    check_int(weir_gather(group), 0);
    check_int(weir_group_free(group), 0);
    return race.at - start;
}

static int those_who_compute_let_a_timer_through(void *arg)
{
    (void)arg;
    /* The others have a turn each before the timer begins and after it came. */
    check(steps_before_timer(compute_and_yield) < COMPUTING + 5 + COMPUTING + 6);
    check(steps_before_timer(compute_with_checkpoints) < 5 * (COMPUTING + 5 + COMPUTING) + 20);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(a_cancel_is_seen),
        cmocka_unit_test(outside_of_a_runtime),
        VIRTUAL_TEST(never_yields_on_the_virtual_clock),
        REAL_TEST(yields_after_a_millisecond),
        REAL_TEST(yields_do_not_starve_a_timer),
        REAL_TEST(those_who_compute_let_a_timer_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
