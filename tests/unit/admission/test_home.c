/* Limiters beyond the runtime that they were made in: refused elsewhere, and freed late. */
#include <weir/limiters.h>

#include "elsewhere.h"
#include "limiter_rig.h"

struct stage {
    weir_limiter *limiter;
    weir_limiters *set;
    weir_limiter *keyed; /* of the set */
    weir_permit permit;  /* of the limiter */
};

/* One is held of the limiter, by the permit. */
static int make(void *arg)
{
    struct stage *stage = arg;
    stage->limiter = LIMITER(.rate = 6000, .burst = 10, .concurrency = 3);
    check_int(weir_limiters_new(&stage->set,
                                WEIR_LIMITERS_OPTS(.each = WEIR_LIMITER_OPTS(.concurrency = 2),
                                                   .concurrency = 3)),
              0);
    check_int(weir_limiters_get(stage->set, "k", &stage->keyed), 0);
    check_int(weir_limiter_acquire(stage->keyed, 1), 0);
    check_int(weir_limiter_reserve(stage->limiter, NULL, &stage->permit), 0);
    return 0;
}

static int be_refused(void *arg)
{
    struct stage *stage = arg;
    weir_limiter *limiter = stage->limiter, *keyed = limiter;
    const struct weir_limit limit = {.rate = 1};
    weir_permit permit;
    check_int(weir_limiter_acquire(limiter, 1), WEIR_ENORUNTIME);
    check_int(weir_limiter_try(limiter, 1), WEIR_ENORUNTIME);
    check_int(weir_limiter_reserve(limiter, NULL, &permit), WEIR_ENORUNTIME);
    weir_permit_settle(&permit, 1); /* it is empty */
    check_int(weir_limiter_try_reserve(limiter, NULL, &permit), WEIR_ENORUNTIME);
    weir_permit_cancel(&permit);
    check_int(weir_limiter_time_until_ms(limiter, NULL), WEIR_ENORUNTIME);
    check_int(weir_limiter_set_limit(limiter, 0, &limit), WEIR_ENORUNTIME);
    check_int(weir_limiter_set_concurrency(limiter, 7), WEIR_ENORUNTIME);
    weir_limiter_release(limiter);
    weir_limiter_pause_ms(limiter, 1000);
    weir_limiter_close(limiter);
    check_int(weir_limiters_get(stage->set, "k", &keyed), WEIR_ENORUNTIME);
    check(keyed == NULL);
    check_int(weir_limiters_set(stage->set, "l", NULL), WEIR_ENORUNTIME);
    weir_limiters_close(stage->set);
    return 0;
}

static void check_figures(const struct stage *stage)
{
    struct weir_limiter_stats stats = stats_of(stage->limiter);
    check_int((int64_t)stats.holding, 1);
    check_int((int64_t)stats.admitted, 1);
    check_int((int64_t)stats.concurrency, 3);
    check_int(weir_limiters_stats(stage->set, &stats, NULL), 0);
    check_int((int64_t)stats.admitted, 1);
    check_int((int64_t)weir_limiters_count(stage->set), 1);
}

/* ---- while its runtime goes on ---- */

static int let_go_in_vain(void *arg)
{
    struct stage *stage = arg;
    struct weir_limiter_stats stats = {.size = sizeof stats};
    weir_permit_settle(&stage->permit, 1);
    weir_permit_cancel(&stage->permit);
    weir_limiter_free(stage->limiter);
    weir_limiters_free(stage->set);
    check_int(weir_limiter_stats(stage->limiter, &stats), WEIR_ENORUNTIME);
    check_int(weir_limiters_stats(stage->set, &stats, NULL), WEIR_ENORUNTIME);
    return 0;
}

static int others_change_nothing(void *unused)
{
    struct stage stage;
    (void)unused;
    make(&stage);
    in_other_runtime(be_refused, &stage);
    in_other_runtime(let_go_in_vain, &stage);
    on_other_thread(be_refused, &stage);
    on_other_thread(let_go_in_vain, &stage);
    check_figures(&stage);
    check_int(weir_limiter_time_until_ms(stage.limiter, NULL), 0);
    check_int(weir_limiter_try(stage.limiter, 1), 0);
    check_int(weir_limiter_try(stage.keyed, 1), 0);
    weir_permit_settle(&stage.permit, 1);
    check_int((int64_t)stats_of(stage.limiter).holding, 1);
    weir_limiter_free(stage.limiter);
    weir_limiters_free(stage.set);
    return 0;
}

/* ---- after its end ---- */

static int end_permit(void *arg)
{
    struct stage *stage = arg;
    weir_permit_settle(&stage->permit, 1);
    return 0;
}

static int free_all(void *arg)
{
    struct stage *stage = arg;
    weir_limiter_free(stage->limiter);
    weir_limiters_free(stage->set);
    return 0;
}

static void outlive(enum weir_clock clock, struct stage *stage)
{
    assert_int_equal(weir_run(make, stage, WEIR_RUN_OPTS(.clock = clock)), 0);
    after_the_end(be_refused, stage);
    check_figures(stage);
}

static void freed_without_a_runtime(void **state)
{
    struct stage stage;
    (void)state;
    outlive(WEIR_CLOCK_REAL, &stage);
    free_all(&stage);
    end_permit(&stage); /* the last one to let go */
    rig_assert_no_failure();
}

static void freed_in_the_next_run(void **state)
{
    struct stage stage;
    (void)state;
    outlive(WEIR_CLOCK_VIRTUAL, &stage);
    assert_int_equal(rig_run(end_permit, &stage), 0);
    assert_int_equal(rig_run(free_all, &stage), 0);
}

static void freed_by_another_thread(void **state)
{
    struct stage stage;
    (void)state;
    outlive(WEIR_CLOCK_REAL, &stage);
    in_other_runtime(end_permit, &stage);
    on_other_thread(free_all, &stage);
    rig_assert_no_failure();
}

/* ---- with somebody in its queue at the end ---- */

/* The limiter's timer is set then. */
static int wait_for_turn(void *arg)
{
    struct stage *stage = arg;
    return weir_limiter_acquire(stage->limiter, 1);
}

static int leave_a_queue(void *arg)
{
    struct stage *stage = arg;
    weir_group *group = rig_group();
    make(stage);
    weir_limiter_pause_ms(stage->limiter, 100000);
    check(weir_spawn(group, wait_for_turn, stage) != NULL);
    settle();
    check_int((int64_t)stats_of(stage->limiter).waiting, 1);
    check_int(weir_sleep_ms(1000), 0);
    return 0;
}

static void its_figures_stand_still(void **state)
{
    struct stage stage;
    (void)state;
    assert_int_equal(rig_run(leave_a_queue, &stage), 0);
    struct weir_limiter_stats stats = stats_of(stage.limiter);
    assert_int_equal(stats.waiting, 0);
    assert_int_equal(stats.blocked, WEIR_BLOCKED_NOT);
    assert_int_equal(stats.gate_wait_ms, 1000);
    end_permit(&stage);
    free_all(&stage);
    rig_assert_no_failure();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(others_change_nothing),       cmocka_unit_test(freed_without_a_runtime),
        cmocka_unit_test(freed_in_the_next_run),   cmocka_unit_test(freed_by_another_thread),
        cmocka_unit_test(its_figures_stand_still),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
