/* Figures of the runtime, and stacks that go back to the system after a burst. */
#include "rig.h"

#include <string.h>

#include "task/sched.h"

static struct weir_runtime_stats look(void)
{
    struct weir_runtime_stats stats = {.size = sizeof stats};
    check_int(weir_runtime_stats(&stats), 0);
    return stats;
}

static void check_stats(size_t tasks, size_t ready, size_t stacks, size_t kept)
{
    struct weir_runtime_stats stats = look();
    check_int((int64_t)stats.tasks, (int64_t)tasks);
    check_int((int64_t)stats.ready, (int64_t)ready);
    check_int((int64_t)stats.stacks, (int64_t)stacks);
    check_int((int64_t)stats.stacks_kept, (int64_t)kept);
}

static int counts(void *arg)
{
    struct job jobs[3] = {{.ms = 10}, {.ms = 10}, {.ms = 20}};
    weir_group *group = rig_group();
    (void)arg;
    check_stats(1, 0, 1, 0);
    check_int((int64_t)look().spawned, 1);
    JOBS_SPAWN(group, jobs);
    check_stats(4, 3, 1, 0); /* who has not started has no stack */
    uint64_t switches = look().switches, turns = look().turns;
    weir_yield();
    check_stats(4, 0, 4, 0);
    check(look().switches >= switches + 4);
    weir_sleep_ms(15);
    check_stats(2, 0, 2, 2);
    check(look().turns > turns);
    check_int(weir_gather(group), 0);
    check_stats(1, 0, 1, 3);
    check_int((int64_t)look().spawned, 4);
    return weir_group_free(group);
}

static int address_space(void *arg)
{
    struct job job = {.ms = 10};
    weir_group *group;
    size_t before = look().stack_bytes;
    (void)arg;
    check(before > 0 && before % (64 << 20) == 0);
    check_int(weir_group_new(&group, WEIR_GROUP_OPTS(.stack_kib = 1024)), 0);
    check_int((int64_t)look().stack_bytes, (int64_t)before);
    jobs_spawn(group, &job, 1);
    check_int(weir_gather(group), 0);
    check(look().stack_bytes > before); /* another class has slabs of its own */
    return weir_group_free(group);
}

static void outside_of_a_runtime(void **state)
{
    struct weir_runtime_stats stats;
    (void)state;
    memset(&stats, 0xff, sizeof stats);
    stats.size = sizeof stats;
    assert_int_equal(weir_runtime_stats(&stats), WEIR_ENORUNTIME);
    assert_int_equal(stats.tasks, 0);
    assert_int_equal(stats.turns, 0);
}

/* ---- programs that were built with other headers ---- */

static int knows_less(void *arg)
{
    struct weir_runtime_stats stats = look();
    (void)arg;
    memset(&stats, 0xff, sizeof stats);
    stats.size = offsetof(struct weir_runtime_stats, stacks);
    check_int(weir_runtime_stats(&stats), 0);
    check_int((int64_t)stats.size, offsetof(struct weir_runtime_stats, stacks));
    check_int((int64_t)stats.tasks, 1);
    check_int((int64_t)stats.ready, 0);
    check(stats.stacks == SIZE_MAX && stats.turns == UINT64_MAX); /* not its own */
    return 0;
}

static int knows_more(void *arg)
{
    struct {
        struct weir_runtime_stats known;
        int64_t more;
    } later = {.known.size = sizeof later, .more = -1};
    (void)arg;
    check_int(weir_runtime_stats(&later.known), 0);
    check_int((int64_t)later.known.tasks, 1);
    check(later.known.turns > 0);
    check_int(later.more, 0);
    return 0;
}

static int has_set_no_size(void *arg)
{
    struct weir_runtime_stats stats = {.size = 0, .tasks = 7};
    (void)arg;
    check_int(weir_runtime_stats(&stats), WEIR_EINVAL);
    memset(&stats, 0xa5, sizeof stats);
    check_int(weir_runtime_stats(&stats), WEIR_EINVAL);
    check(stats.tasks == stats.ready); /* as it was */
    return 0;
}

/* ---- after a burst ---- */

enum { BURST = 2000, TOUCHED = 8000 };

static int use_some_stack(void *arg)
{
    volatile char memory[TOUCHED];
    for (size_t i = 0; i < sizeof memory; i += 512)
        memory[i] = (char)i;
    return weir_sleep_ms(10) + memory[0] + (arg != NULL);
}

static void burst(void)
{
    weir_group *group = rig_group();
    for (int i = 0; i < BURST; i++)
        weir_spawn(group, use_some_stack, NULL);
    check_int(weir_gather(group), 0);
    check_int(weir_group_free(group), 0);
}

static int idle_stacks_go_back(void *arg)
{
    (void)arg;
    burst();
    check_stats(1, 0, 1, BURST);
    int64_t rss = rig_rss_bytes();
    for (int i = 0; i < 4; i++)
        weir_sleep_ms(1000);
    check(look().stacks_kept < 10);
    if (!RIG_SANITIZED) /* they keep memory of their own for it */
        check(rss - rig_rss_bytes() > (int64_t)BURST * TOUCHED / 2);
    burst(); /* they can be used again */
    check_stats(1, 0, 1, BURST);
    return 0;
}

/* What is needed every half a second is not given back and fetched again. */
static int a_burst_that_comes_again_finds_them(void *arg)
{
    (void)arg;
    for (int i = 0; i < 8; i++) {
        burst();
        weir_sleep_ms(490);
        check_int((int64_t)look().stacks_kept, BURST);
    }
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(counts),
        VIRTUAL_TEST(address_space),
        cmocka_unit_test(outside_of_a_runtime),
        VIRTUAL_TEST(knows_less),
        VIRTUAL_TEST(knows_more),
        VIRTUAL_TEST(has_set_no_size),
        VIRTUAL_TEST(idle_stacks_go_back),
        VIRTUAL_TEST(a_burst_that_comes_again_finds_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
