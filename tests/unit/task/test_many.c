/* Very many tasks at once: parked, and spawned but not started. */
#include "rig.h"

#include <stdio.h>

#include <weir/sync.h>

#include "task/sched.h"

enum {
    MANY = 100000,
    MANY_SANITIZED = 2000,
    MANY_GUARDS = 20000, /* where each guard costs two of the process's 65,530 mappings */
};

static bool guards_are_light(void)
{
    return weir__rt()->default_stacks->light; /* known once a task runs */
}

static int how_many(void)
{
    if (RIG_SANITIZED)
        return MANY_SANITIZED;
    if (guards_are_light())
        return MANY;
    print_message("only %d tasks: this kernel has no MADV_GUARD_INSTALL\n", MANY_GUARDS);
    return MANY_GUARDS;
}

static int count_mappings(void)
{
    int c, lines = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    if (maps == NULL)
        return 0;
    while ((c = getc(maps)) != EOF)
        lines += c == '\n';
    fclose(maps);
    return lines;
}

/* ---- parked ---- */

static int parked_now, woken;

static int park(void *arg)
{
    parked_now++;
    int rc = weir_semaphore_acquire(arg);
    parked_now--;
    woken++;
    return rc;
}

/* What the tests of one runtime can see when all of them are parked at once. */
static void check_costs(int count, int64_t rss_before, int maps_before)
{
    if (RIG_SANITIZED)
        return;
    int64_t each = (rig_rss_bytes() - rss_before) / count;
    print_message("%d parked tasks of %lld bytes each\n", count, (long long)each);
    check(rig_rss_bytes() < (int64_t)1 << 30);
    check(each < 8192);
    if (!guards_are_light())
        return;
    check(count_mappings() - maps_before < 1000);
    int64_t most_maps = rig_read_number("/proc/sys/vm/max_map_count");
    if (most_maps >= count)
        print_message("not more than vm.max_map_count = %lld here\n", (long long)most_maps);
}

static int a_hundred_thousand_parked_at_once(void *arg)
{
    int count = how_many(), maps = count_mappings();
    int64_t rss = rig_rss_bytes();
    weir_semaphore *none;
    weir_group *group = rig_group();
    (void)arg;
    parked_now = woken = 0;
    check_int(weir_semaphore_new(&none, 0, 0), 0);
    for (int i = 0; i < count; i++)
        weir_spawn(group, park, none);
    weir_yield();
    check_int(parked_now, count);
    check_int((int64_t)weir_semaphore_waiting(none), count);
    check_costs(count, rss, maps);
    for (int i = 0; i < count; i++)
        weir_semaphore_release(none);
    check_int(weir_gather(group), 0);
    check_int(woken, count);
    check_int((int64_t)weir__rt()->default_stacks->used, 1);
    weir_semaphore_free(none);
    return weir_group_free(group);
}

static int as_many_are_cancelled(void *arg)
{
    int count = how_many();
    weir_semaphore *none;
    weir_group *group = rig_group();
    (void)arg;
    parked_now = woken = 0;
    check_int(weir_semaphore_new(&none, 0, 0), 0);
    for (int i = 0; i < count; i++)
        weir_spawn(group, park, none);
    weir_yield();
    check_int(parked_now, count);
    check_int(weir_group_free(group), 0);
    check_int(woken, count);
    check_int((int64_t)weir__rt()->live, 1);
    check_int((int64_t)weir_semaphore_waiting(none), 0);
    weir_semaphore_free(none);
    return 0;
}

/* ---- not started ---- */

static int spawned_and_not_started(void *arg)
{
    int count = RIG_SANITIZED ? MANY_SANITIZED : MANY;
    int64_t rss = rig_rss_bytes();
    weir_group *group = rig_group();
    (void)arg;
    woken = 0;
    for (int i = 0; i < count; i++)
        weir_spawn(group, park, NULL);
    check_int((int64_t)weir__rt()->default_stacks->used, 1); /* a stack comes with the first run */
    if (!RIG_SANITIZED)
        check((rig_rss_bytes() - rss) / count < (int64_t)(2 * sizeof(weir_task)));
    check_int(weir_group_free(group), 0);
    check_int(woken, 0);
    check_int((int64_t)weir__rt()->default_stacks->slab_count, 1);
    return 0;
}

/* One after the other, each on the stack of the one before. */
static int stacks_are_recycled(void *arg)
{
    (void)arg;
    for (int i = 0; i < MANY_SANITIZED; i++) {
        struct job job = {.rc = WEIR_EIO};
        weir_group *group = rig_group();
        weir_spawn(group, job_run, &job);
        check_int(weir_gather(group), WEIR_EIO);
        check_int(weir_group_free(group), 0);
    }
    check_int((int64_t)weir__rt()->default_stacks->slab_count, 1);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(spawned_and_not_started),
        VIRTUAL_TEST(a_hundred_thousand_parked_at_once),
        VIRTUAL_TEST(as_many_are_cancelled),
        VIRTUAL_TEST(stacks_are_recycled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
