/* The rows of the cancel matrix: each way of waiting in sync, how to let it go on, and how to tell
 * that nothing was lost. */
#ifndef WEIR_TESTS_CANCEL_ROWS_H
#define WEIR_TESTS_CANCEL_ROWS_H

#include "cancel_matrix.h"

#include "task/sched.h"

/* ---- semaphore ---- */

static void make_semaphore(struct stage *stage)
{
    check_int(weir_semaphore_new(&stage->semaphore, 0, 0), 0);
}

static int acquire(struct stage *stage)
{
    return weir_semaphore_acquire(stage->semaphore);
}

static void release(struct stage *stage)
{
    check_int(weir_semaphore_release(stage->semaphore), 0);
}

static bool permits_are_there(struct stage *stage)
{
    return weir_semaphore_permits(stage->semaphore) == stage->grants &&
           weir_semaphore_waiting(stage->semaphore) == 0;
}

static void free_semaphore(struct stage *stage)
{
    weir_semaphore_free(stage->semaphore);
}

static void make_semaphore_of_2(struct stage *stage)
{
    check_int(weir_semaphore_new(&stage->semaphore, 2, 0), 0);
}

static int acquire_3(struct stage *stage)
{
    return weir_semaphore_acquire_n(stage->semaphore, 3);
}

static void release_3(struct stage *stage)
{
    check_int(weir_semaphore_release_n(stage->semaphore, 3), 0);
}

static bool all_permits_are_there(struct stage *stage)
{
    return weir_semaphore_permits(stage->semaphore) == 2 + 3 * stage->grants &&
           weir_semaphore_waiting(stage->semaphore) == 0;
}

/* ---- lock ---- */

static void make_lock(struct stage *stage)
{
    check_int(weir_lock_new(&stage->lock), 0);
    check_int(weir_lock_acquire(stage->lock), 0);
}

static int lock(struct stage *stage)
{
    return weir_lock_acquire(stage->lock);
}

static void unlock(struct stage *stage)
{
    check_int(weir_lock_release(stage->lock), 0);
}

static bool lock_is_free(struct stage *stage)
{
    return !weir_lock_is_held(stage->lock);
}

static void free_lock(struct stage *stage)
{
    weir_lock_free(stage->lock);
}

/* ---- event ---- */

static void make_event(struct stage *stage)
{
    check_int(weir_event_new(&stage->event), 0);
}

static int wait_for_event(struct stage *stage)
{
    return weir_event_wait(stage->event);
}

static void set(struct stage *stage)
{
    weir_event_set(stage->event);
}

static void set_and_clear(struct stage *stage)
{
    weir_event_set(stage->event);
    weir_event_clear(stage->event);
}

static bool event_is_clear(struct stage *stage)
{
    return !weir_event_is_set(stage->event);
}

static void free_event(struct stage *stage)
{
    weir_event_free(stage->event);
}

/* ---- condition ---- */

static void make_condition(struct stage *stage)
{
    check_int(weir_lock_new(&stage->lock), 0);
    check_int(weir_condition_new(&stage->condition, stage->lock), 0);
}

static int wait_for_notify(struct stage *stage)
{
    int rc = weir_lock_acquire(stage->lock);
    if (rc < 0)
        return rc;
    rc = weir_condition_wait(stage->condition);
    unlock(stage); /* the owner again, cancelled or not */
    return rc;
}

static void notify(struct stage *stage)
{
    check_int(weir_lock_acquire(stage->lock), 0);
    check_int(weir_condition_notify(stage->condition, 1), 0);
    unlock(stage);
}

static void free_condition(struct stage *stage)
{
    weir_condition_free(stage->condition);
    weir_lock_free(stage->lock);
}

/* ---- queue: putters on a full one, getters on an empty one ---- */

static void make_full_queue(struct stage *stage)
{
    check_int(weir_queue_new(&stage->queue, 1), 0);
    check_int(weir_queue_put(stage->queue, stage), 0);
}

static int put(struct stage *stage)
{
    return weir_queue_put(stage->queue, stage);
}

static void take_out(struct stage *stage)
{
    void *item = NULL;
    check_int(weir_queue_try_get(stage->queue, &item), 0);
    check(item == stage);
}

static bool queue_is_full(struct stage *stage)
{
    return weir_queue_count(stage->queue) == 1;
}

static void free_queue(struct stage *stage)
{
    weir_queue_free(stage->queue);
}

static void make_empty_queue(struct stage *stage)
{
    check_int(weir_queue_new(&stage->queue, 1), 0);
}

static int get(struct stage *stage)
{
    void *item = NULL;
    int rc = weir_queue_get(stage->queue, &item);
    check(rc == 0 ? item == stage : item == NULL);
    return rc;
}

static void put_in(struct stage *stage)
{
    check_int(weir_queue_try_put(stage->queue, stage), 0);
}

static bool queue_is_empty(struct stage *stage)
{
    return weir_queue_count(stage->queue) == 0;
}

/* ---- barrier ---- */

enum { PARTIES = 4 };

static void make_barrier(struct stage *stage)
{
    check_int(weir_barrier_new(&stage->barrier, PARTIES), 0);
}

static int arrive(struct stage *stage)
{
    int rc = weir_barrier_wait(stage->barrier);
    return rc < 0 ? rc : 0;
}

static int arrive_too(void *arg)
{
    return arrive(arg);
}

static void arrive_many(struct stage *stage, size_t count)
{
    for (size_t i = 0; i < count; i++)
        weir_spawn(stage->helpers, arrive_too, stage);
    weir_yield(); /* the last one of them wakes all, who have not run yet */
}

static void fill_barrier(struct stage *stage)
{
    arrive_many(stage, PARTIES - stage->waiting);
    stage->waiting = 0;
}

/* One less than a round waits, a full one does not: so nobody was in it. */
static bool barrier_is_empty(struct stage *stage)
{
    size_t live = weir__rt()->live;
    arrive_many(stage, PARTIES - 1);
    settle();
    bool all_wait = weir__rt()->live == live + PARTIES - 1;
    arrive_many(stage, 1);
    settle();
    return all_wait && weir__rt()->live == live;
}

static void free_barrier(struct stage *stage)
{
    weir_barrier_free(stage->barrier);
}

/* ---- once: those who wait for it, and the one who runs it ---- */

static void make_once(struct stage *stage)
{
    make_event(stage);
    check_int(weir_once_new(&stage->once), 0);
}

static int wait_for_start(void *arg)
{
    return wait_for_event(arg);
}

static int run_once(struct stage *stage)
{
    return weir_once_run(stage->once, wait_for_start, stage);
}

static int run_once_too(void *arg)
{
    return run_once(arg);
}

static void make_running_once(struct stage *stage)
{
    make_once(stage);
    weir_spawn(stage->helpers, run_once_too, stage);
    weir_yield();
}

static void let_it_end(struct stage *stage)
{
    set_and_clear(stage);
    weir_yield(); /* the runner wakes the others, who have not run yet */
}

static int must_not_run(void *arg)
{
    (void)arg;
    check(false);
    return 0;
}

static bool once_is_done(struct stage *stage)
{
    return weir_once_run(stage->once, must_not_run, NULL) == 0;
}

static void free_once(struct stage *stage)
{
    weir_once_free(stage->once);
    free_event(stage);
}

/* ---- map: an item for each permit ---- */

static int give_item(void *arg, void **item)
{
    struct stage *stage = arg;
    int rc = weir_semaphore_acquire(stage->semaphore);
    *item = stage;
    return rc < 0 ? rc : 1;
}

static int pass_item_on(void *arg, void *item, void **result)
{
    *result = item;
    return arg == item ? 0 : WEIR_EINVAL;
}

static void drop_item(void *arg, void *item, void *result)
{
    (void)arg;
    (void)item;
    (void)result;
    check(false); /* nobody may leave one behind */
}

static void make_map(struct stage *stage)
{
    make_semaphore(stage);
    check_int(weir_map_new(&stage->map, give_item, pass_item_on,
                           WEIR_MAP_OPTS(.concurrency = 3, .arg = stage, .drop = drop_item)),
              0);
    settle(); /* the source waits */
}

static int take_mapped(struct stage *stage)
{
    struct weir_mapped mapped = {0};
    int rc = weir_map_next(stage->map, &mapped);
    check(mapped.result == (rc == 1 ? stage : NULL));
    stage->count += rc == 1;
    return rc < 0 ? rc : 0;
}

static void let_one_through(struct stage *stage)
{
    release(stage);
    weir_yield(); /* it is worked on, and handed to the first taker, who has not run yet */
}

static bool all_was_handed_on(struct stage *stage)
{
    weir_map_stop(stage->map);
    settle();
    return stage->count == stage->grants && weir_semaphore_permits(stage->semaphore) == 0 &&
           weir_semaphore_waiting(stage->semaphore) == 0;
}

static void free_map(struct stage *stage)
{
    weir_map_free(stage->map);
    free_semaphore(stage);
}

static const struct row rows[] = {
    {.name = "semaphore",
     .make = make_semaphore,
     .wait = acquire,
     .grant = release,
     .give_back = release,
     .conserved = permits_are_there,
     .free = free_semaphore,
     .stays = true},
    {.name = "semaphore_n",
     .make = make_semaphore_of_2,
     .wait = acquire_3,
     .grant = release_3,
     .give_back = release_3,
     .conserved = all_permits_are_there,
     .free = free_semaphore,
     .stays = true},
    {.name = "lock",
     .make = make_lock,
     .wait = lock,
     .grant = unlock,
     .give_back = unlock,
     .conserved = lock_is_free,
     .free = free_lock,
     .stays = true},
    {.name = "event",
     .make = make_event,
     .wait = wait_for_event,
     .grant = set_and_clear,
     .conserved = event_is_clear,
     .free = free_event},
    {.name = "condition",
     .make = make_condition,
     .wait = wait_for_notify,
     .grant = notify,
     .conserved = lock_is_free,
     .free = free_condition},
    {.name = "queue_put",
     .make = make_full_queue,
     .wait = put,
     .grant = take_out,
     .conserved = queue_is_full,
     .free = free_queue,
     .stays = true},
    {.name = "queue_get",
     .make = make_empty_queue,
     .wait = get,
     .grant = put_in,
     .conserved = queue_is_empty,
     .free = free_queue,
     .stays = true},
    {.name = "barrier",
     .make = make_barrier,
     .wait = arrive,
     .grant = fill_barrier,
     .conserved = barrier_is_empty,
     .free = free_barrier},
    {.name = "once_waiter",
     .make = make_running_once,
     .wait = run_once,
     .grant = let_it_end,
     .conserved = once_is_done,
     .free = free_once},
    {.name = "once_runner",
     .make = make_once,
     .wait = run_once,
     .grant = set,
     .conserved = once_is_done,
     .free = free_once},
    {.name = "map_next",
     .make = make_map,
     .wait = take_mapped,
     .grant = let_one_through,
     .conserved = all_was_handed_on,
     .free = free_map},
};

#endif
