/* The rows of the cancel matrix: each way of waiting in sync, how to let it go on, and how to tell
 * that nothing was lost. */
#ifndef WEIR_TESTS_CANCEL_ROWS_H
#define WEIR_TESTS_CANCEL_ROWS_H

#include "sync_rig.h"

#include "task/sched.h"

struct stage {
    const struct row *row;
    weir_group *group, *helpers;
    weir_task *victim;
    int rc;         /* of the victim's wait; WEIR_EBUSY until then */
    int bystander;  /* of the bystander's */
    size_t waiting; /* of the two, those who wait now */
    size_t grants;
    weir_semaphore *semaphore;
    weir_lock *lock;
    weir_event *event;
    weir_condition *condition;
    weir_queue *queue;
    weir_barrier *barrier;
    weir_once *once;
};

/* One way of waiting. */
struct row {
    const char *name;
    void (*make)(struct stage *stage);
    int (*wait)(struct stage *stage);       /* one call that has to wait */
    void (*grant)(struct stage *stage);     /* wakes the head, or all if it is for all */
    void (*give_back)(struct stage *stage); /* what the call gave; or NULL */
    bool (*conserved)(struct stage *stage); /* nothing is missing, nothing too much */
    void (*free)(struct stage *stage);
    bool stays; /* a grant that meets nobody is there for the next one */
};

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

static const struct row rows[] = {
    {"semaphore", make_semaphore, acquire, release, release, permits_are_there, free_semaphore,
     true},
    {"semaphore_n", make_semaphore_of_2, acquire_3, release_3, release_3, all_permits_are_there,
     free_semaphore, true},
    {"lock", make_lock, lock, unlock, unlock, lock_is_free, free_lock, true},
    {"event", make_event, wait_for_event, set_and_clear, NULL, event_is_clear, free_event, false},
    {"condition", make_condition, wait_for_notify, notify, NULL, lock_is_free, free_condition,
     false},
    {"queue_put", make_full_queue, put, take_out, NULL, queue_is_full, free_queue, true},
    {"queue_get", make_empty_queue, get, put_in, NULL, queue_is_empty, free_queue, true},
    {"barrier", make_barrier, arrive, fill_barrier, NULL, barrier_is_empty, free_barrier, false},
    {"once_waiter", make_running_once, run_once, let_it_end, NULL, once_is_done, free_once, false},
    {"once_runner", make_once, run_once, set, NULL, once_is_done, free_once, false},
};

#endif
