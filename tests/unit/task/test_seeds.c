/* One program that uses everything, in 10,000 orders: whatever the order, whoever is cancelled and
 * whichever allocation fails, nothing is lost and nothing doubled. */
#include "rig.h"

#include <stdlib.h>
#include <string.h>

#include <weir/limiter.h>
#include <weir/map.h>
#include <weir/sync.h>

#include "base/mem.h"
#include "base/rand.h"

enum { PUTTERS = 3, ITEMS_EACH = 4, ITEMS = PUTTERS * ITEMS_EACH, GETTERS = 2, MAPPED = 7 };
enum { PERMITS = 2, PLACES = 2 };

enum cut { CUT_NOTHING, CUT_TASK, CUT_GROUP, CUT_FROM_OUTSIDE };

struct world {
    struct weir__rand rand;
    uint64_t trace; /* a hash of what happened, and when */
    weir_group *group;
    weir_semaphore *semaphore;
    weir_queue *queue;
    weir_lock *lock;
    weir_condition *condition;
    weir_limiter *limiter;
    weir_map *map;
    size_t permits_held, places_held;
    bool locked;
    int put[ITEMS], got[ITEMS];
    int putters;
    int balance;
    int sourced, mapped[MAPPED], dropped;
    int handed;
    enum cut cut;
    unsigned long step, cut_at; /* waiting calls so far, and where to cancel */
};

static void happened(struct world *world, int what, int64_t detail)
{
    const int64_t parts[] = {what, detail, weir_now_ns()};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        world->trace = (world->trace ^ (uint64_t)parts[i]) * UINT64_C(1099511628211);
}

/* Before each call that may wait. */
static void step(struct world *world)
{
    if (++world->step != world->cut_at)
        return;
    if (world->cut == CUT_TASK)
        weir_task_cancel(weir_task_self());
    else if (world->cut == CUT_GROUP)
        weir_group_cancel(world->group);
}

static int draw(struct world *world, int most)
{
    return (int)weir__rand_upto(&world->rand, most);
}

static int nap(struct world *world, int most_ms)
{
    step(world);
    return weir_sleep_ms(draw(world, most_ms));
}

/* ---- putters and getters ---- */

static int put_all(void *arg)
{
    struct world *world = arg;
    int base = ITEMS_EACH * world->putters++, rc = 0;
    for (int i = base; i < base + ITEMS_EACH && rc == 0; i++) {
        weir_deadline limit;
        weir_deadline_begin_ms(&limit, 3 + draw(world, 20));
        rc = nap(world, 2);
        step(world);
        if (rc == 0)
            rc = weir_queue_put(world->queue, &world->put[i]);
        world->put[i] += rc == 0;
        rc = weir_deadline_end(&limit, rc);
        happened(world, 1, i * 100 - rc);
    }
    return rc;
}

static int hold_a_permit(struct world *world)
{
    size_t n = 1 + (size_t)draw(world, PERMITS - 1);
    step(world);
    int rc = weir_semaphore_acquire_n(world->semaphore, n);
    happened(world, 2, rc);
    if (rc < 0)
        return rc;
    world->permits_held += n;
    check(world->permits_held <= PERMITS);
    rc = nap(world, 3);
    world->permits_held -= n;
    check_int(weir_semaphore_release_n(world->semaphore, n), 0);
    return rc;
}

static int get_all(void *arg)
{
    struct world *world = arg;
    for (;;) {
        void *item = NULL;
        step(world);
        int rc = weir_queue_get(world->queue, &item);
        happened(world, 3, rc);
        if (rc < 0)
            return rc == WEIR_ECLOSED ? 0 : rc;
        world->got[(int *)item - world->put]++;
        rc = hold_a_permit(world);
        if (rc < 0)
            return rc;
    }
}

/* ---- lock and condition ---- */

static int enter(struct world *world)
{
    step(world);
    int rc = weir_lock_acquire(world->lock);
    happened(world, 4, rc);
    if (rc == 0) {
        check(!world->locked);
        world->locked = true;
    }
    return rc;
}

static void leave(struct world *world)
{
    world->locked = false;
    check_int(weir_lock_release(world->lock), 0);
}

static int deposit(void *arg)
{
    struct world *world = arg;
    int rc = nap(world, 4);
    if (rc == 0)
        rc = enter(world);
    if (rc < 0)
        return rc;
    rc = nap(world, 1);
    world->balance++;
    weir_condition_notify(world->condition, 1);
    leave(world);
    return rc;
}

static int withdraw(void *arg)
{
    struct world *world = arg;
    int rc = enter(world);
    if (rc < 0)
        return rc;
    while (rc == 0 && world->balance == 0) {
        world->locked = false;
        step(world);
        rc = weir_condition_wait(world->condition);
        check(!world->locked); /* it is ours again, whatever rc says */
        world->locked = true;
        happened(world, 5, rc);
    }
    if (rc == 0)
        check(world->balance-- > 0);
    leave(world);
    return rc;
}

/* ---- limiter ---- */

static int be_limited(void *arg)
{
    struct world *world = arg;
    step(world);
    int rc = weir_limiter_acquire(world->limiter, 1);
    happened(world, 6, rc);
    if (rc < 0)
        return rc;
    check(++world->places_held <= PLACES);
    weir_deadline shield;
    weir_shield_begin_ms(&shield, 100);
    check_int(nap(world, 3), 0); /* a cancel does not come in */
    rc = weir_deadline_end(&shield, 0);
    world->places_held--;
    weir_limiter_release(world->limiter);
    return rc;
}

/* ---- map ---- */

static int source(void *arg, void **item)
{
    struct world *world = arg;
    if (world->sourced == MAPPED)
        return 0;
    *item = &world->mapped[world->sourced++];
    return 1;
}

static int worker(void *arg, void *item, void **result)
{
    struct world *world = arg;
    int rc = nap(world, 3);
    happened(world, 7, rc);
    *result = item;
    return rc;
}

static void drop(void *arg, void *item, void *result)
{
    struct world *world = arg;
    (void)result;
    ++*(int *)item;
    world->dropped++;
}

static int take_mapped(void *arg)
{
    struct world *world = arg;
    struct weir_mapped mapped;
    int rc;
    do {
        step(world);
        rc = weir_map_next(world->map, &mapped);
        happened(world, 8, rc);
        if (rc == 1) {
            ++*(int *)mapped.item;
            world->handed++;
        }
    } while (rc == 1);
    return rc;
}

/* ---- troublemakers ---- */

static int cancel_someone(void *arg)
{
    struct world *world = arg;
    int rc = nap(world, 12);
    int n = draw(world, 15);
    weir_task *task = weir_group_first(world->group);
    while (n-- > 0 && weir_task_next(task) != NULL)
        task = weir_task_next(task);
    weir_task_cancel(task);
    happened(world, 9, n);
    return rc;
}

static int leave_a_scope_open(void *arg)
{
    weir_deadline limit;
    weir_deadline_begin_ms(&limit, 1 + draw(arg, 5));
    return nap(arg, 5);
}

/* ---- the program ---- */

static int make(struct world *world)
{
    int rc = weir_semaphore_new(&world->semaphore, PERMITS, PERMITS);
    if (rc == 0)
        rc = weir_queue_new(&world->queue, 2);
    if (rc == 0)
        rc = weir_lock_new(&world->lock);
    if (rc == 0)
        rc = weir_condition_new(&world->condition, world->lock);
    if (rc == 0)
        rc =
            weir_limiter_new(&world->limiter, WEIR_LIMITER_OPTS(.rate = 500, .period_ms = 1000,
                                                                .burst = 2, .concurrency = PLACES));
    if (rc == 0)
        rc = weir_map_new(&world->map, source, worker,
                          WEIR_MAP_OPTS(.concurrency = 3, .ordered = draw(world, 1), .arg = world,
                                        .drop = drop));
    if (rc == 0)
        rc = weir_group_new(&world->group, WEIR_GROUP_OPTS(.max_live = 12, .stack_kib = 64));
    return rc;
}

static void spawn_all(struct world *world)
{
    const weir_task_fn cast[] = {put_all,    get_all,     deposit,
                                 withdraw,   be_limited,  put_all,
                                 get_all,    take_mapped, cancel_someone,
                                 withdraw,   be_limited,  deposit,
                                 put_all,    be_limited,  leave_a_scope_open,
                                 be_limited, deposit};
    for (size_t i = 0; i < sizeof cast / sizeof cast[0]; i++)
        weir_spawn(world->group, cast[i], world);
}

static void unmake(struct world *world)
{
    weir_group_free(world->group);
    world->group = NULL;
    weir_map_free(world->map);
    weir_limiter_free(world->limiter);
    weir_condition_free(world->condition);
    weir_lock_free(world->lock);
    weir_queue_free(world->queue);
    weir_semaphore_free(world->semaphore);
}

static void check_items(struct world *world)
{
    void *item;
    while (world->queue != NULL && weir_queue_try_get(world->queue, &item) == 0)
        world->got[(int *)item - world->put]++;
    for (int i = 0; i < ITEMS; i++) {
        check(world->put[i] <= 1);
        check_int(world->got[i], world->put[i]);
    }
}

static void check_conserved(struct world *world)
{
    check_items(world);
    if (world->semaphore != NULL) {
        check_int((int64_t)weir_semaphore_permits(world->semaphore), PERMITS);
        check_int((int64_t)weir_semaphore_waiting(world->semaphore), 0);
    }
    check(world->lock == NULL || !weir_lock_is_held(world->lock));
    if (world->limiter != NULL) {
        struct weir_limiter_stats stats = {.size = sizeof stats};
        weir_limiter_stats(world->limiter, &stats);
        check_int((int64_t)stats.holding + (int64_t)stats.waiting, 0);
    }
    check(world->permits_held == 0 && world->places_held == 0);
}

static void check_mapped(const struct world *world)
{
    check_int(world->handed + world->dropped, world->sourced);
    for (int i = 0; i < MAPPED; i++)
        check_int(world->mapped[i], i < world->sourced);
}

/* Waits for all, cancels who waits for what will not come, and cancels at cut_at. */
static void join(struct world *world)
{
    struct weir_runtime_stats stats = {.size = sizeof stats};
    for (unsigned long n = 1; world->cut == CUT_FROM_OUTSIDE && n <= world->cut_at; n++) {
        if (n % 4 == 0)
            weir_sleep_ms(1);
        else
            weir_yield();
    }
    if (world->cut == CUT_FROM_OUTSIDE)
        weir_group_cancel(world->group);
    int ended = weir_wait(world->group, WEIR_WAIT_FIRST_FAILED, 30);
    happened(world, 10, ended);
    weir_wait(world->group, WEIR_WAIT_ALL, 60);
    weir_queue_close(world->queue);
    weir_sleep_ms(20);
    weir_group_cancel(world->group);
    weir_gather(world->group);
    check_int(weir_runtime_stats(&stats), 0);
    happened(world, 11, (int64_t)stats.switches);
}

static int play(void *arg)
{
    struct world *world = arg;
    int rc = make(world);
    if (rc == 0) {
        spawn_all(world);
        join(world);
    }
    weir_group_free(world->group);
    world->group = NULL;
    check_conserved(world);
    unmake(world);
    check_mapped(world);
    return rc;
}

/* ---- orders ---- */

static struct world begin_world(uint64_t seed)
{
    struct world world = {.trace = UINT64_C(14695981039346656037)};
    weir__rand_seed(&world.rand, seed);
    return world;
}

static int run_world(struct world *world, uint64_t seed)
{
    int rc = weir_run(play, world,
                      WEIR_RUN_OPTS(.clock = WEIR_CLOCK_VIRTUAL, .seed = seed, .shuffle = 1));
    rig_assert_no_failure();
    return rc;
}

#if defined(WEIR__TSAN)
enum { SEEDS = 300 }; /* gcc's ThreadSanitizer takes 10 ms to make and end a program's fibers */
#else
enum { SEEDS = 10000 };
#endif

static int compare(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void thousands_of_orders(void **state)
{
    static uint64_t traces[SEEDS];
    size_t different = 1;
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct world world = begin_world(seed);
        if (run_world(&world, seed) != 0)
            fail_msg("seed %llu", (unsigned long long)seed);
        traces[seed - 1] = world.trace;
    }
    qsort(traces, SEEDS, sizeof traces[0], compare);
    for (size_t i = 1; i < SEEDS; i++)
        different += traces[i] != traces[i - 1];
    assert_true(different > SEEDS * 99 / 100);
}

static void the_same_seed_gives_the_same_trace(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct world first = begin_world(seed), second = begin_world(seed);
        assert_int_equal(run_world(&first, seed), 0);
        assert_int_equal(run_world(&second, seed), 0);
        assert_true(first.trace == second.trace);
        assert_true(first.step == second.step);
    }
}

/* Ten tasks that are ready at once note their numbers. */
static int ten_at_once(void *arg)
{
    static struct job jobs[10];
    static const char *const names[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
    weir_group *group = rig_group();
    (void)arg;
    for (int i = 0; i < 10; i++) {
        jobs[i] = (struct job){.name = names[i]};
        jobs_spawn(group, &jobs[i], 1);
    }
    check_int(weir_gather(group), 0);
    return weir_group_free(group);
}

static char *order_of_ten(uint64_t seed, int shuffle)
{
    rig_trace_clear();
    assert_int_equal(weir_run(ten_at_once, NULL,
                              WEIR_RUN_OPTS(.clock = WEIR_CLOCK_VIRTUAL, .seed = seed,
                                            .shuffle = shuffle)),
                     0);
    rig_assert_no_failure();
    return strdup(rig_trace());
}

static void the_seed_draws_the_order(void **state)
{
    int as_spawned = 0;
    char *first = order_of_ten(1, 1);
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        char *drawn = order_of_ten(seed, 1), *again = order_of_ten(seed, 1);
        char *plain = order_of_ten(seed, 0);
        assert_string_equal(drawn, again);
        assert_string_equal(plain, "0 1 2 3 4 5 6 7 8 9");
        assert_int_equal(strlen(drawn), strlen(plain)); /* each once: a trace of ten */
        as_spawned += strcmp(drawn, plain) == 0 || (seed > 1 && strcmp(drawn, first) == 0);
        free(drawn);
        free(again);
        free(plain);
    }
    free(first);
    assert_true(as_spawned <= 1);
}

/* ---- every place ---- */

static unsigned long count_steps(uint64_t seed)
{
    struct world world = begin_world(seed);
    assert_int_equal(run_world(&world, seed), 0);
    return world.step;
}

static void cancel_at_every_step(enum cut cut, uint64_t seed, unsigned long steps)
{
    assert_true(steps > 50);
    for (unsigned long k = 1; k <= steps; k++) {
        struct world world = begin_world(seed);
        world.cut = cut;
        world.cut_at = k;
        assert_int_equal(run_world(&world, seed), 0);
        assert_true(cut == CUT_FROM_OUTSIDE || world.step >= k);
    }
}

/* The one that comes to a wait, all at that moment, or all while they wait. */
static void a_cancel_at_every_wait(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= (RIG_SANITIZED ? 3 : 20); seed++) {
        unsigned long steps = count_steps(seed);
        cancel_at_every_step(CUT_TASK, seed, steps);
        cancel_at_every_step(CUT_GROUP, seed, steps);
        cancel_at_every_step(CUT_FROM_OUTSIDE, seed, 200);
    }
}

static void a_failure_of_every_allocation(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= (RIG_SANITIZED ? 3 : 20); seed++) {
        count_steps(seed);
        weir__mem_fail_at(0);
        count_steps(seed);
        unsigned long count = weir__mem_fail_at(0);
        assert_true(count > 25);
        for (unsigned long k = 1; k <= count; k++) {
            struct world world = begin_world(seed);
            weir__mem_fail_at(k);
            int rc = run_world(&world, seed);
            weir__mem_fail_at(0);
            assert_true(rc == 0 || rc == WEIR_ENOMEM);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thousands_of_orders),
        cmocka_unit_test(the_same_seed_gives_the_same_trace),
        cmocka_unit_test(the_seed_draws_the_order),
        cmocka_unit_test(a_cancel_at_every_wait),
        cmocka_unit_test(a_failure_of_every_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
