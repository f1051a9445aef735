/* What tasks cost, at 100, 10,000 and 1,000,000 of them, each figure beside what a plain C program
 * pays for the like: a queue of blocks with a function to call in each, in place of tasks; contexts
 * that are switched by hand, in place of the scheduler. Prints a table with the aims and judges
 * nothing. Each time is the least of several rounds; 1,000,000 stacks need 4.4 GB. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir/sync.h>
#include <weir/task.h>

#include "base/clock.h"
#include "task/ctx.h"
#include "task/sched.h"

enum { ROUNDS = 7, MANY = 1000000, OPERATIONS = 3000000, SIZES = 3 };

static const int sizes[SIZES] = {100, 10000, MANY};

/* ---- the table ---- */

/* measure(n) with n tasks; what cannot be measured here is negative. */
static void print_row(const char *what, double (*measure)(int n), int decimals, const char *aim)
{
    printf("%-46s", what);
    for (int i = 0; i < SIZES; i++) {
        double value = measure(sizes[i]);
        if (value < 0)
            printf(" %10s", "-");
        else
            printf(" %10.*f", decimals, value);
        fflush(stdout);
        malloc_trim(0);
    }
    printf("   %s\n", aim);
}

static void print_single(const char *what, double value, const char *aim)
{
    printf("%-46s %10.1f %25s%s\n", what, value, "", aim);
    fflush(stdout);
}

static void *must(void *memory)
{
    if (memory == NULL) {
        fputs("bench_tasks: out of memory\n", stderr);
        exit(1);
    }
    return memory;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int rounds_for(int n)
{
    return n < MANY ? ROUNDS : 2;
}

/* Times around all n, so that a round has about as many operations for every n. */
static int laps_for(int n)
{
    return OPERATIONS / n + 3;
}

/* The least time of several rounds of fn(arg), by the number of operations in each. */
static double least_ns(void (*fn)(void *), void *arg, int rounds, double operations)
{
    int64_t took_ns = INT64_MAX;
    for (int i = 0; i < rounds; i++) {
        int64_t start_ns = weir__clock_mono_ns();
        fn(arg);
        took_ns = least(took_ns, weir__clock_mono_ns() - start_ns);
    }
    return (double)took_ns / operations;
}

/* ---- plain C: calls ---- */

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

/* ---- plain C: blocks in a queue ---- */

/* What a program with callbacks keeps for each job: as much as a task's block. */
struct callback {
    struct callback *next;
    int (*fn)(int);
    int state;
    char rest[sizeof(weir_task) - 2 * sizeof(void *) - sizeof(int)];
};

struct callbacks {
    struct callback *head, **tail;
    int n, laps;
};

static void push(struct callbacks *queue, struct callback *job)
{
    job->next = NULL;
    *queue->tail = job;
    queue->tail = &job->next;
}

static struct callback *pop(struct callbacks *queue)
{
    struct callback *job = queue->head;
    queue->head = job->next;
    if (queue->head == NULL)
        queue->tail = &queue->head;
    return job;
}

static void make_callbacks(struct callbacks *queue, int n)
{
    *queue = (struct callbacks){.n = n, .laps = laps_for(n)};
    queue->tail = &queue->head;
    for (int i = 0; i < n; i++) {
        struct callback *job = must(calloc(1, sizeof *job));
        job->fn = called;
        push(queue, job);
    }
}

static void call_and_free(struct callbacks *queue)
{
    while (queue->head != NULL) {
        struct callback *job = pop(queue);
        job->state = job->fn(job->state);
        free(job);
    }
}

static void call_in_turn(void *arg)
{
    struct callbacks *queue = arg;
    for (int64_t i = (int64_t)queue->n * queue->laps; i > 0; i--) {
        struct callback *job = pop(queue);
        job->state = job->fn(job->state);
        push(queue, job);
    }
}

static double callbacks_in_turn_ns(int n)
{
    struct callbacks queue;
    make_callbacks(&queue, n);
    double ns = least_ns(call_in_turn, &queue, rounds_for(n), (double)n * queue.laps);
    call_and_free(&queue);
    return ns;
}

struct batch {
    weir_group *group; /* of tasks; NULL: blocks */
    int n, laps;
};

static void make_and_call(void *arg)
{
    const struct batch *batch = arg;
    struct callbacks queue;
    for (int lap = 0; lap < batch->laps; lap++) {
        make_callbacks(&queue, batch->n);
        call_and_free(&queue);
    }
}

static double callbacks_made_ns(int n)
{
    struct batch batch = {.n = n, .laps = laps_for(10 * n)};
    return least_ns(make_and_call, &batch, rounds_for(n), (double)n * batch.laps);
}

/* ---- contexts by hand ---- */

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

/* One after the other on stacks like those of tasks: each knows who comes next and who comes soon,
 * whose stack it fetches, and does nothing else. */
static struct ring {
    struct weir__ctx *ctx;
    struct weir__stacks stacks;
    int n, at;
    int64_t left;
} ring;

static __attribute__((noinline)) void switch_in_ring(struct weir__ctx *from, struct weir__ctx *to)
{
    weir__ctx_switch(from, to);
}

static void pass_on(void *arg)
{
    enum { AHEAD = 4 };
    const int me = (int)((struct weir__ctx *)arg - ring.ctx);
    const int next = (me + 1) % ring.n, soon = (me + AHEAD) % ring.n;
    for (;;) {
        ring.at = me;
        bool last = --ring.left < 0;
        weir__ctx_fetch(&ring.ctx[soon]);
        switch_in_ring(&ring.ctx[me], last ? &outside : &ring.ctx[next]);
    }
}

static void go_around(void *arg)
{
    ring.left = *(const int64_t *)arg;
    switch_in_ring(&outside, &ring.ctx[ring.at]);
}

static int make_ring(int n)
{
    ring = (struct ring){.n = n, .ctx = must(calloc((size_t)n, sizeof(struct weir__ctx)))};
    int rc = weir__stacks_init(&ring.stacks, 16);
    for (int i = 0; i < n && rc == 0; i++) {
        struct weir__stack stack;
        rc = weir__stack_get(&ring.stacks, &stack, NULL);
        if (rc == 0)
            weir__ctx_make(&ring.ctx[i], stack.low, stack.top, pass_on, &ring.ctx[i]);
    }
    return rc;
}

static double contexts_in_turn_ns(int n)
{
    int64_t switches = (int64_t)n * laps_for(n);
    double ns = -1;
    if (make_ring(n) == 0)
        ns = least_ns(go_around, &switches, rounds_for(n), (double)switches);
    weir__stacks_free(&ring.stacks);
    free(ring.ctx);
    return ns;
}

/* ---- tasks that take turns ---- */

struct turns {
    int n;
    bool mixed; /* the order in which they are ready has nothing to do with where they lie */
    bool stop;
    int awake;
    double ns;
};

static int take_turns(void *arg)
{
    struct turns *turns = arg;
    if (turns->mixed)
        weir_sleep_ms(1 + rand() % 100);
    turns->awake++;
    while (!turns->stop)
        weir_yield();
    return 0;
}

static void yield_many(void *arg)
{
    for (int i = *(const int *)arg; i > 0; i--)
        weir_yield();
}

/* Between two turns of this task each of the others has had one. */
static int watch_turns(void *arg)
{
    struct turns *turns = arg;
    int laps = laps_for(turns->n);
    while (turns->awake < turns->n - 1)
        weir_sleep_ms(1);
    turns->ns = least_ns(yield_many, &laps, rounds_for(turns->n), (double)laps * turns->n);
    turns->stop = true;
    return 0;
}

static int let_take_turns(void *arg)
{
    struct turns *turns = arg;
    weir_group *group;
    int rc = weir_group_new(&group, WEIR_GROUP_OPTS(.stack_kib = 16));
    if (rc < 0)
        return rc;
    if (!weir__rt()->default_stacks->light && turns->n == MANY)
        return weir_group_free(group); /* there cannot be so many stacks */
    weir_spawn(group, watch_turns, turns);
    for (int i = 1; i < turns->n; i++)
        weir_spawn(group, take_turns, turns);
    rc = weir_gather(group);
    weir_group_free(group);
    return rc;
}

/* In a runtime of its own, so that nothing is warm from another size. */
static int run(weir_task_fn fn, void *arg)
{
    int rc = weir_run(fn, arg, NULL);
    if (rc < 0)
        fprintf(stderr, "bench_tasks: %s\n", weir_strerror(rc));
    return rc;
}

static double turns_ns(int n, bool mixed)
{
    struct turns turns = {.n = n, .mixed = mixed, .ns = -1};
    return run(let_take_turns, &turns) < 0 ? -1 : turns.ns;
}

static double yields_ns(int n)
{
    return turns_ns(n, false);
}

static double mixed_yields_ns(int n)
{
    return turns_ns(n, true);
}

/* ---- spawning ---- */

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void spawn_and_join(void *arg)
{
    const struct batch *batch = arg;
    for (int lap = 0; lap < batch->laps; lap++) {
        for (int i = 0; i < batch->n; i++)
            weir_spawn(batch->group, nothing, NULL);
        for (weir_task *task; (task = weir_as_completed(batch->group)) != NULL;)
            weir_task_free(task);
    }
}

struct spawns {
    int n;
    double ns;
};

static int time_spawns(void *arg)
{
    struct spawns *spawns = arg;
    struct batch batch = {.n = spawns->n, .laps = laps_for(10 * spawns->n)};
    int rc = weir_group_new(&batch.group, WEIR_GROUP_OPTS(.stack_kib = 16));
    if (rc < 0)
        return rc;
    spawns->ns =
        least_ns(spawn_and_join, &batch, rounds_for(batch.n), (double)batch.n * batch.laps);
    return weir_group_free(batch.group);
}

static double spawns_ns(int n)
{
    struct spawns spawns = {.n = n};
    return run(time_spawns, &spawns) < 0 ? -1 : spawns.ns;
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

static double callbacks_bytes(int n)
{
    struct callbacks queue;
    double before = memory_bytes();
    make_callbacks(&queue, n);
    double bytes = (memory_bytes() - before) / n;
    call_and_free(&queue);
    return bytes;
}

struct memory {
    int n;
    double queued, parked;
};

static int park(void *arg)
{
    return weir_semaphore_acquire(arg);
}

static int weigh(void *arg)
{
    struct memory *memory = arg;
    weir_semaphore *none;
    weir_group *group;
    if (weir_semaphore_new(&none, 0, 0) < 0 ||
        weir_group_new(&group, WEIR_GROUP_OPTS(.stack_kib = 16)) < 0)
        return WEIR_ENOMEM;
    double before = memory_bytes();
    for (int i = 0; i < memory->n; i++)
        weir_spawn(group, park, none);
    memory->queued = (memory_bytes() - before) / memory->n;
    weir_yield();
    if (weir_semaphore_waiting(none) == (size_t)memory->n)
        memory->parked = (memory_bytes() - before) / memory->n;
    weir_group_free(group);
    weir_semaphore_free(none);
    return 0;
}

static struct memory memory_of(int n)
{
    struct memory memory = {.n = n, .queued = -1, .parked = -1};
    run(weigh, &memory);
    return memory;
}

static double queued_bytes(int n)
{
    return memory_of(n).queued;
}

static double parked_bytes(int n)
{
    return memory_of(n).parked;
}

int main(void)
{
    weir__ctx_make(&inside, bare_stack, bare_stack + sizeof bare_stack, switch_back, NULL);
    memory_bytes(); /* what stdio allocates once is no task's */
    printf("%-46s %10s %10s %10s   %s\n", "", "100", "10,000", "1,000,000", "aim");
    puts("bytes for each");
    print_row("  plain C: a block as large as a task's", callbacks_bytes, 0, "");
    print_row("  task that was spawned and has not started", queued_bytes, 0, "<= 256");
    print_row("  task that waits, page tables included", parked_bytes, 0, "<= 4,400");
    puts("nanoseconds for each");
    print_single("  plain C: indirect call", least_ns(call_many, NULL, ROUNDS, CALLS), "");
    print_single("  context switch, to and fro", least_ns(switch_many, NULL, ROUNDS, 2.0 * PAIRS),
                 "<= 8");
    print_row("  plain C: block from a queue, call, queue it", callbacks_in_turn_ns, 1, "");
    print_row("  context switch, in turn by hand", contexts_in_turn_ns, 1, "");
    print_row("  weir_yield", yields_ns, 1, "<= 20 at 10,000");
    print_row("  weir_yield, tasks in mixed order", mixed_yields_ns, 1, "");
    print_row("  plain C: calloc, queue, call, free", callbacks_made_ns, 1, "");
    print_row("  spawn to join, recycled", spawns_ns, 1, "<= 300");
    return 0;
}
