/* For test_gdb.py: tasks that wait in known functions, a task that has not started and one that has
 * ended, while the first task is in all_are_parked. Ends with 0 when it was left unharmed. With an
 * argument it ends in a deadlock, and with 0 when that was found. */
#include <weir/weir.h>

static weir_group *group;
static weir_semaphore *no_permits;

void all_are_parked(void);
__attribute__((noinline)) void all_are_parked(void)
{
    __asm__ volatile("" ::: "memory");
}

static int fetches_prices(void *arg)
{
    (void)arg;
    volatile int price_of_tea = 4711;
    int rc = weir_sleep_ms(3600000);
    return rc == WEIR_ECANCELED && price_of_tea == 4711 ? 0 : 1;
}

static int wants_a_permit(void *arg)
{
    (void)arg;
    int rc = weir_semaphore_acquire(no_permits);
    return rc == WEIR_ECANCELED ? 0 : 1;
}

__attribute__((noinline)) static int at_depth(volatile int depth)
{
    int rc = depth > 0 ? at_depth(depth - 1) : weir_gather(group);
    depth = rc;
    return depth;
}

static int waits_for_all(void *arg)
{
    (void)arg;
    int rc = at_depth(3);
    return rc;
}

static int ends(void *arg)
{
    (void)arg;
    return 0;
}

static int run(void *arg)
{
    weir_group *others = NULL;
    int rc = weir_group_new(&group, NULL);
    if (rc == 0)
        rc = weir_group_new(&others, NULL);
    if (rc == 0)
        rc = weir_semaphore_new(&no_permits, 0, 0);
    if (rc == 0) {
        weir_spawn(group, fetches_prices, NULL);
        weir_spawn(group, wants_a_permit, NULL);
        weir_spawn(others, waits_for_all, NULL);
        weir_spawn_named(others, ends, NULL, "has ended");
        rc = weir_sleep_ms(1);
    }
    if (rc == 0) {
        weir_spawn_named(others, ends, NULL, "not yet");
        all_are_parked();
        weir_sleep_ms(1); /* the thread waits for its loop, in no task */
        if (arg != NULL)
            weir_task_cancel(weir_group_first(group)); /* the only one that waits for a time */
        else
            weir_group_cancel(group);
        rc = weir_gather(others);
    }
    weir_group_free(others);
    weir_group_free(group);
    weir_semaphore_free(no_permits);
    return rc;
}

int main(int argc, char **argv)
{
    int rc = weir_run(run, argv[1], NULL);
    return rc == (argc > 1 ? WEIR_EDEADLK : 0) ? 0 : 1;
}
