/* What tasks cost, next to an indirect function call: ns per switch, yield and spawn, bytes per
 * parked task. Prints a table and judges nothing. Each figure is the least of several rounds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir/sync.h>
#include <weir/task.h>

#include "base/clock.h"
#include "task/ctx.h"
#include "task/sched.h"

enum { ROUNDS = 7 };

static double call_ns; /* the yardstick */

static void print_row(const char *what, double ns)
{
    printf("%-44s %10.1f ns %8.1f x\n", what, ns, ns / call_ns);
}

/* The least time of several rounds of fn(arg), divided by the number of operations in each. */
static double least_ns(void (*fn)(void *), void *arg, double operations)
{
    int64_t least = INT64_MAX;
    for (int i = 0; i < ROUNDS; i++) {
        int64_t start_ns = weir__clock_mono_ns();
        fn(arg);
        int64_t took_ns = weir__clock_mono_ns() - start_ns;
        if (took_ns < least)
            least = took_ns;
    }
    return (double)least / operations;
}

/* ---- the yardstick ---- */

enum { CALLS = 10000000 };

static __attribute__((noinline)) int count(int n)
{
    __asm__ volatile("" : "+r"(n));
    return n + 1;
}

static int (*volatile called)(int) = count;

static void call_many(void *arg)
{
    int n = 0;
    (void)arg;
    for (int i = 0; i < CALLS; i++)
        n = called(n);
    __asm__ volatile("" : : "r"(n));
}

/* ---- the bare switch ---- */

enum { PAIRS = 2000000 };

static struct weir__ctx outside, inside;
static _Alignas(64) char bare_stack[64 << 10];

static void switch_back(void *arg)
{
    (void)arg;
    for (;;)
        weir__ctx_switch(&inside, &outside);
}

static void switch_many(void *arg)
{
    (void)arg;
    for (int i = 0; i < PAIRS; i++)
        weir__ctx_switch(&outside, &inside);
}

/* ---- yields ---- */

struct turns {
    int each;
    int64_t first_ns, last_ns;
};

static int yield_many(void *arg)
{
    const struct turns *turns = arg;
    for (int i = 0; i < turns->each; i++)
        weir_yield();
    return 0;
}

/* In turn with the others, so between two of its turns each of them has had one. */
static int yield_and_watch(void *arg)
{
    struct turns *turns = arg;
    for (int i = 0; i < 3; i++) /* all have begun by then */
        weir_yield();
    turns->first_ns = weir__clock_mono_ns();
    for (int i = 3; i < turns->each - 1; i++)
        weir_yield();
    turns->last_ns = weir__clock_mono_ns();
    return 0;
}

static double yield_ns(int tasks)
{
    int64_t least = INT64_MAX;
    struct turns turns = {.each = 3000000 / tasks + 10};
    for (int round = 0; round < ROUNDS; round++) {
        weir_group *group;
        if (weir_group_new(&group) < 0)
            return 0;
        weir_spawn(group, yield_and_watch, &turns);
        for (int i = 1; i < tasks; i++)
            weir_spawn(group, yield_many, &turns);
        weir_gather(group);
        weir_group_free(group);
        if (turns.last_ns - turns.first_ns < least)
            least = turns.last_ns - turns.first_ns;
    }
    return (double)least / ((double)(turns.each - 4) * tasks);
}

/* ---- spawning ---- */

enum { SPAWNS = 200000, BATCH = 1000 };

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void spawn_one_by_one(void *arg)
{
    for (int i = 0; i < SPAWNS; i++) {
        weir_task *task = weir_spawn(arg, nothing, NULL);
        if (task == NULL)
            return;
        weir_await(task);
        weir_task_free(task);
    }
}

static void spawn_in_batches(void *arg)
{
    for (int i = 0; i < SPAWNS / BATCH; i++) {
        for (int k = 0; k < BATCH; k++)
            weir_spawn(arg, nothing, NULL);
        for (weir_task *task; (task = weir_as_completed(arg)) != NULL;)
            weir_task_free(task);
    }
}

/* ---- memory ---- */

/* Resident memory and page tables, from the lines VmRSS and VmPTE. */
static long long memory_bytes(void)
{
    char line[256];
    long long kib, sum = 0;
    FILE *file = fopen("/proc/self/status", "r");
    if (file == NULL)
        return 0;
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "VmRSS:", 6) != 0 && strncmp(line, "VmPTE:", 6) != 0)
            continue;
        kib = strtoll(line + 6, NULL, 10);
        sum += kib * 1024;
    }
    fclose(file);
    return sum;
}

static int park(void *arg)
{
    return weir_semaphore_acquire(arg);
}

static void print_memory(int tasks)
{
    weir_semaphore *none;
    weir_group *group;
    if (weir_semaphore_new(&none, 0) < 0 || weir_group_new(&group) < 0)
        return;
    long long before = memory_bytes();
    for (int i = 0; i < tasks; i++)
        weir_spawn(group, park, none);
    long long spawned = memory_bytes();
    weir_yield();
    long long parked = memory_bytes();
    size_t waiting = weir_semaphore_waiting(none);
    printf("%-44s %10lld bytes\n", "a task spawned and not started", (spawned - before) / tasks);
    printf("%-44s %10lld bytes   (%zu parked, %lld MB in all)\n", "a parked task, with page tables",
           (parked - before) / tasks, waiting, parked / 1000000);
    weir_group_free(group);
    weir_semaphore_free(none);
}

/* ---- the table ---- */

static int measure_tasks(void *arg)
{
    weir_group *group;
    (void)arg;
    int rc = weir_group_new(&group);
    if (rc < 0)
        return rc;
    print_memory(weir__rt()->stacks.light ? 100000 : 20000); /* first: later, stacks are warm */
    print_row("yield through the scheduler, 2 tasks", yield_ns(2));
    print_row("yield through the scheduler, 100 tasks", yield_ns(100));
    print_row("yield through the scheduler, 10,000 tasks", yield_ns(10000));
    print_row("spawn to join, one by one, recycled", least_ns(spawn_one_by_one, group, SPAWNS));
    print_row("spawn to join, 1,000 at once, recycled", least_ns(spawn_in_batches, group, SPAWNS));
    return weir_group_free(group);
}

int main(void)
{
    call_ns = least_ns(call_many, NULL, CALLS);
    print_row("indirect function call (yardstick)", call_ns);
    weir__ctx_make(&inside, bare_stack, bare_stack + sizeof bare_stack, switch_back, NULL);
    print_row("context switch, bare", least_ns(switch_many, NULL, 2.0 * PAIRS));
    fflush(stdout);
    int rc = weir_run(measure_tasks, NULL, WEIR_RUN_OPTS(.clock = WEIR_CLOCK_REAL));
    if (rc < 0)
        fprintf(stderr, "bench_tasks: %s\n", weir_strerror(rc));
    return rc < 0;
}
