/* What tasks cost, next to an indirect function call and a block of malloc: ns per switch, yield
 * and spawn with 100, 10,000 and 1,000,000 tasks, bytes per task. Prints a table with the targets
 * and judges nothing. Each time is the least of several rounds. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir/sync.h>
#include <weir/task.h>

#include "base/clock.h"
#include "task/ctx.h"
#include "task/sched.h"

enum { ROUNDS = 7, MANY = 1000000 };

static double call_ns; /* the yardstick */

static void print_row(const char *what, double ns, const char *target)
{
    printf("%-44s %10.1f ns %8.1f x   %s\n", what, ns, ns / call_ns, target);
    fflush(stdout);
}

static void print_bytes(const char *what, double bytes, const char *target)
{
    printf("%-44s %10.0f bytes          %s\n", what, bytes, target);
    fflush(stdout);
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

/* ---- the yardsticks ---- */

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

/* What a program with callbacks would keep and do per job: a block, and a call through it. */
struct callback {
    struct callback *next;
    int (*fn)(int);
};

static void call_through_blocks(void *arg)
{
    int n = 0;
    (void)arg;
    for (int i = 0; i < CALLS / 10; i++) {
        struct callback *block = malloc(sizeof(weir_task));
        if (block == NULL)
            return;
        block->fn = called;
        __asm__ volatile("" : : "r"(block) : "memory");
        n = block->fn(n);
        free(block);
    }
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
    for (int round = 0; round < (tasks < MANY ? ROUNDS : 2); round++) {
        weir_group *group;
        if (weir_group_new(&group, WEIR_GROUP_OPTS(.stack_kib = 16)) < 0)
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

struct batch {
    weir_group *group;
    int tasks, rounds;
};

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void spawn_and_join(void *arg)
{
    const struct batch *batch = arg;
    for (int i = 0; i < batch->rounds; i++) {
        for (int k = 0; k < batch->tasks; k++)
            weir_spawn(batch->group, nothing, NULL);
        for (weir_task *task; (task = weir_as_completed(batch->group)) != NULL;)
            weir_task_free(task);
    }
}

static double spawn_ns(weir_group *group, int tasks)
{
    struct batch batch = {group, tasks, MANY / 5 / tasks};
    if (batch.rounds == 0)
        batch.rounds = 1;
    return least_ns(spawn_and_join, &batch, (double)tasks * batch.rounds);
}

/* ---- memory ---- */

/* Resident memory and page tables, from the lines VmRSS and VmPTE. */
static double memory_bytes(void)
{
    char line[256];
    double sum = 0;
    FILE *file = fopen("/proc/self/status", "r");
    if (file == NULL)
        return 0;
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "VmRSS:", 6) == 0 || strncmp(line, "VmPTE:", 6) == 0)
            sum += strtod(line + 6, NULL) * 1024;
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
    if (weir_semaphore_new(&none, 0, 0) < 0 ||
        weir_group_new(&group, WEIR_GROUP_OPTS(.stack_kib = 16)) < 0)
        return;
    double before = memory_bytes();
    for (int i = 0; i < tasks; i++)
        weir_spawn(group, park, none);
    double spawned = memory_bytes();
    weir_yield();
    double parked = memory_bytes();
    char what[64];
    snprintf(what, sizeof what, "spawned and not started, %d tasks", tasks);
    print_bytes(what, (spawned - before) / tasks, tasks == MANY ? "<= 256" : "");
    snprintf(what, sizeof what, "parked, page tables too, %zu tasks", weir_semaphore_waiting(none));
    print_bytes(what, (parked - before) / tasks, tasks == MANY ? "<= 4,400" : "");
    weir_group_free(group);
    weir_semaphore_free(none);
}

/* One size per runtime, so that nothing is warm from another. */
static int measure_memory(void *arg)
{
    print_memory(*(int *)arg);
    malloc_trim(0);
    return 0;
}

/* ---- the table ---- */

static int measure_times(void *arg)
{
    const int sizes[] = {100, 10000, MANY};
    bool light = weir__rt()->default_stacks->light;
    weir_group *group;
    char what[64];
    (void)arg;
    int rc = weir_group_new(&group, WEIR_GROUP_OPTS(.stack_kib = 16));
    if (rc < 0)
        return rc;
    for (int i = 0; i < 3 && (light || sizes[i] < MANY); i++) {
        snprintf(what, sizeof what, "yield through the scheduler, %d tasks", sizes[i]);
        print_row(what, yield_ns(sizes[i]), i == 1 ? "<= 20" : "");
    }
    for (int i = 0; i < 3; i++) {
        snprintf(what, sizeof what, "spawn to join, recycled, %d at once", sizes[i]);
        print_row(what, spawn_ns(group, sizes[i]), "<= 300");
    }
    return weir_group_free(group);
}

static void run(weir_task_fn fn, void *arg)
{
    int rc = weir_run(fn, arg, WEIR_RUN_OPTS(.clock = WEIR_CLOCK_REAL));
    if (rc < 0)
        fprintf(stderr, "bench_tasks: %s\n", weir_strerror(rc));
}

int main(void)
{
    int sizes[] = {100, 10000, MANY};
    call_ns = least_ns(call_many, NULL, CALLS);
    print_row("indirect function call (yardstick)", call_ns, "");
    print_row("malloc, call through it, free (yardstick)",
              least_ns(call_through_blocks, NULL, CALLS / 10), "");
    weir__ctx_make(&inside, bare_stack, bare_stack + sizeof bare_stack, switch_back, NULL);
    print_row("context switch, bare", least_ns(switch_many, NULL, 2.0 * PAIRS), "<= 8");
    print_bytes("a task's block (yardstick)", sizeof(weir_task), "");
    for (int i = 0; i < 3; i++)
        run(measure_memory, &sizes[i]);
    run(measure_times, NULL);
    return 0;
}
