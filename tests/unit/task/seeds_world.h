/* One program that uses everything, and what must be true of it after whatever order, cancel or
 * failure: nothing is lost and nothing doubled. */
#ifndef WEIR_TESTS_SEEDS_WORLD_H
#define WEIR_TESTS_SEEDS_WORLD_H

#include "rig.h"

#include <weir/client.h>
#include <weir/limiter.h>
#include <weir/map.h>
#include <weir/offload.h>
#include <weir/sync.h>

#include "base/rand.h"

enum { KINDS = 18 }; /* of calls: happened(world, 1 ... KINDS, what it said) */
enum { PUTTERS = 3, ITEMS_EACH = 4, ITEMS = PUTTERS * ITEMS_EACH, GETTERS = 2, MAPPED = 7 };
enum { PERMITS = 2, PLACES = 2, PARTIES = 2, KIDS = 3 };

enum cut { CUT_NOTHING, CUT_TASK, CUT_GROUP, CUT_FROM_OUTSIDE };

struct world {
    struct weir__rand rand;
    uint64_t trace;     /* a hash of what happened, and when */
    unsigned went_well; /* a bit for each kind of call that did */
    weir_group *group;
    weir_semaphore *semaphore;
    weir_queue *queue;
    weir_lock *lock;
    weir_condition *condition;
    weir_limiter *limiter;
    weir_map *map;
    weir_event *event;
    weir_barrier *barrier;
    weir_once *once;
    weir_client *client;
    size_t permits_held, places_held;
    bool locked;
    int put[ITEMS], got[ITEMS];
    int putters;
    int balance;
    int sourced, mapped[MAPPED], dropped;
    int handed;
    int met;          /* returns from the barrier */
    int begun, ready; /* of what is done once: calls, and those that came to their end */
    int told;         /* that it is ready */
    int kids;         /* that have not ended */
    int blocked;      /* on another thread, less those who heard of it */
    enum cut cut;
    unsigned long step, cut_at; /* waiting calls so far, and where to cancel */
};

static void happened(struct world *world, int what, int64_t detail)
{
    const int64_t parts[] = {what, detail, weir_now_ns()};
    world->went_well |= detail >= 0 ? 1U << what : 0;
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

/* ---- event, barrier, once ---- */

static int announce(void *arg)
{
    struct world *world = arg;
    int rc = nap(world, 6);
    weir_event_set(world->event);
    weir_event_clear(world->event);
    return rc;
}

static int listen(void *arg)
{
    struct world *world = arg;
    weir_deadline limit;
    weir_deadline_begin_ms(&limit, 5);
    step(world);
    int rc = weir_deadline_end(&limit, weir_event_wait(world->event));
    happened(world, 12, rc);
    return rc;
}

static int meet(void *arg)
{
    struct world *world = arg;
    int rc = nap(world, 3);
    step(world);
    if (rc == 0)
        rc = weir_barrier_wait(world->barrier);
    happened(world, 13, rc);
    world->met += rc >= 0;
    return rc < 0 ? rc : 0;
}

static int get_ready(void *arg)
{
    struct world *world = arg;
    check_int(world->begun++ - world->ready, 0); /* one at a time, and never again */
    int rc = nap(world, 2);
    world->begun -= rc < 0;
    world->ready += rc == 0;
    return rc;
}

static int be_ready(void *arg)
{
    struct world *world = arg;
    step(world);
    int rc = weir_once_run(world->once, get_ready, world);
    happened(world, 14, rc);
    world->told += rc == 0;
    return rc;
}

/* ---- a group of its own ---- */

static int be_a_kid(void *arg)
{
    struct world *world = arg;
    world->kids++;
    step(world);
    int rc = weir_checkpoint();
    if (rc == 0)
        rc = nap(world, 3);
    if (rc == 0)
        rc = weir_yield();
    world->kids--;
    return rc == 0 && draw(world, 5) == 0 ? WEIR_EIO : rc;
}

static int collect_kids(struct world *world, weir_group *group)
{
    weir_task *eldest = weir_group_first(group);
    int ended = 0, rc = 0;
    step(world);
    if (eldest != NULL)
        rc = weir_await(eldest);
    happened(world, 15, rc);
    while (weir_as_completed(group) != NULL) {
        step(world);
        ended++;
    }
    check(ended <= KIDS);
    step(world);
    rc = weir_gather(group);
    happened(world, 16, rc);
    return rc;
}

static int raise_kids(void *arg)
{
    struct world *world = arg;
    weir_group *group;
    int rc = weir_group_new(&group, WEIR_GROUP_OPTS(.fail_fast = draw(world, 1)));
    if (rc < 0)
        return rc;
    for (int i = 0; i < KIDS; i++)
        weir_spawn(group, be_a_kid, world);
    rc = collect_kids(world, group);
    check_int(weir_group_free(group), 0);
    return rc;
}

/* ---- other threads, and requests ---- */

static int block(void *arg)
{
    struct world *world = arg;
    world->blocked++;
    return 7;
}

static int be_blocked(void *arg)
{
    struct world *world = arg;
    int rc = nap(world, 4);
    step(world);
    if (rc == 0)
        rc = weir_offload(block, world);
    world->blocked -= rc == 7;
    happened(world, 17, rc);
    return rc == 7 ? 0 : rc;
}

static int answer(void *self, const struct weir_exchange *exchange, weir_response *response)
{
    struct world *world = self;
    (void)exchange;
    check(++world->places_held <= PLACES);
    int rc = nap(world, 3);
    world->places_held--;
    return rc < 0 ? rc : weir_response_set_status(response, 200);
}

static int ask(void *arg)
{
    struct world *world = arg;
    weir_response *response = NULL;
    step(world);
    int rc = weir_request(world->client,
                          WEIR_REQUEST(.url = "/x", .timeout_ms = 1 + draw(world, 40)), &response);
    happened(world, 18, rc);
    if (rc == 0)
        check_int(weir_response_status(response), 200);
    weir_response_free(response);
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
    happened(world, 9, n + 1);
    return rc;
}

static int leave_a_scope_open(void *arg)
{
    weir_deadline limit;
    weir_deadline_begin_ms(&limit, 1 + draw(arg, 5));
    return nap(arg, 5);
}

/* ---- the program ---- */

static int make_sync(struct world *world)
{
    int rc = weir_semaphore_new(&world->semaphore, PERMITS, PERMITS);
    if (rc == 0)
        rc = weir_queue_new(&world->queue, 2);
    if (rc == 0)
        rc = weir_lock_new(&world->lock);
    if (rc == 0)
        rc = weir_condition_new(&world->condition, world->lock);
    if (rc == 0)
        rc = weir_event_new(&world->event);
    if (rc == 0)
        rc = weir_barrier_new(&world->barrier, PARTIES);
    return rc == 0 ? weir_once_new(&world->once) : rc;
}

static int make_client(struct world *world)
{
    const struct weir_transport transport = WEIR_TRANSPORT(.perform = answer, .self = world);
    return weir_client_new(&world->client,
                           WEIR_CLIENT_OPTS(.base_url = "http://model.test",
                                            .limiter = world->limiter, .transport = &transport));
}

static int make(struct world *world)
{
    int rc = make_sync(world);
    if (rc == 0)
        rc =
            weir_limiter_new(&world->limiter, WEIR_LIMITER_OPTS(.rate = 500, .period_ms = 1000,
                                                                .burst = 2, .concurrency = PLACES));
    if (rc == 0)
        rc = make_client(world);
    if (rc == 0)
        rc = weir_map_new(&world->map, source, worker,
                          WEIR_MAP_OPTS(.concurrency = 3, .ordered = draw(world, 1), .arg = world,
                                        .drop = drop));
    if (rc == 0)
        rc = weir_group_new(&world->group, WEIR_GROUP_OPTS(.max_live = 16, .stack_kib = 64));
    return rc;
}

static void spawn_all(struct world *world)
{
    const weir_task_fn cast[] = {put_all,    get_all,        deposit,        withdraw,
                                 be_limited, put_all,        listen,         get_all,
                                 be_ready,   take_mapped,    raise_kids,     meet,
                                 be_blocked, cancel_someone, withdraw,       be_limited,
                                 ask,        deposit,        put_all,        meet,
                                 be_ready,   announce,       be_limited,     ask,
                                 listen,     meet,           be_blocked,     leave_a_scope_open,
                                 be_ready,   be_limited,     cancel_someone, deposit};
    for (size_t i = 0; i < sizeof cast / sizeof cast[0]; i++)
        weir_spawn(world->group, cast[i], world);
}

static void unmake(struct world *world)
{
    weir_group_free(world->group);
    world->group = NULL;
    weir_map_free(world->map);
    check_int(weir_client_free(world->client), 0);
    weir_limiter_free(world->limiter);
    weir_once_free(world->once);
    weir_barrier_free(world->barrier);
    weir_event_free(world->event);
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
    check_int(world->met % PARTIES, 0);
    check(world->ready <= 1 && world->begun == world->ready);
    check(world->told == 0 || world->ready == 1);
    check(world->kids == 0 && world->blocked == 0);
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

#endif
