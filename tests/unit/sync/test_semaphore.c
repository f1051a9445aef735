/* weir_semaphore: strictly first come first served, and no permit is ever lost. */
#include "sync_rig.h"

struct waiter {
    const char *name;
    weir_semaphore *semaphore;
    int rc;
    bool done;
};

static int acquire_once(void *arg)
{
    struct waiter *waiter = arg;
    waiter->rc = weir_semaphore_acquire(waiter->semaphore);
    waiter->done = true;
    note("%s%s", waiter->name, waiter->rc == 0 ? "" : "!");
    return waiter->rc;
}

static weir_semaphore *with_permits(size_t permits)
{
    weir_semaphore *semaphore;
    check_int(weir_semaphore_new(&semaphore, permits, 0), 0);
    return semaphore;
}

enum { MANY = 4 };

/* Four tasks that wait on one semaphore, each in a group of its own, so that each can be cancelled
 * alone. */
struct queue {
    weir_semaphore *semaphore;
    struct waiter waiters[MANY];
    weir_group *groups[MANY];
};

static void queue_make(struct queue *queue, size_t permits)
{
    static const char *const names[MANY] = {"1", "2", "3", "4"};
    *queue = (struct queue){.semaphore = with_permits(permits)};
    for (int i = 0; i < MANY; i++) {
        queue->waiters[i] = (struct waiter){.name = names[i], .semaphore = queue->semaphore};
        queue->groups[i] = rig_group();
        weir_spawn(queue->groups[i], acquire_once, &queue->waiters[i]);
    }
    weir_yield();
}

static void cancel(struct queue *queue, int number)
{
    weir_group_cancel(queue->groups[number - 1]);
}

static void queue_counts(const struct queue *queue, size_t permits, size_t waiting)
{
    check_int((int64_t)weir_semaphore_permits(queue->semaphore), (int64_t)permits);
    check_int((int64_t)weir_semaphore_waiting(queue->semaphore), (int64_t)waiting);
}

static int queue_end(struct queue *queue)
{
    for (int i = 0; i < MANY; i++)
        check_int(weir_group_free(queue->groups[i]), 0);
    check_int((int64_t)weir_semaphore_waiting(queue->semaphore), 0);
    weir_semaphore_free(queue->semaphore);
    return 0;
}

/* ---- order ---- */

static int counts_permits(void *arg)
{
    weir_semaphore *semaphore = with_permits(2);
    (void)arg;
    check_int(weir_semaphore_acquire(semaphore), 0); /* none of these suspends */
    check_int(weir_semaphore_try(semaphore), 0);
    check_int(weir_semaphore_try(semaphore), WEIR_EBUSY);
    check_int((int64_t)weir_semaphore_permits(semaphore), 0);
    weir_semaphore_release(semaphore);
    weir_semaphore_release(semaphore);
    weir_semaphore_release(semaphore); /* more than at first is fine */
    check_int((int64_t)weir_semaphore_permits(semaphore), 3);
    weir_semaphore_free(semaphore);
    return 0;
}

static int wakes_in_order_of_arrival(void *arg)
{
    struct queue queue;
    (void)arg;
    queue_make(&queue, 0);
    queue_counts(&queue, 0, 4);
    for (size_t left = MANY; left-- > 0;) {
        weir_semaphore_release(queue.semaphore);
        queue_counts(&queue, 0, left);
        weir_yield();
    }
    check_trace("1 2 3 4");
    return queue_end(&queue);
}

static int k_releases_wake_k_in_one_turn(void *arg)
{
    struct queue queue;
    (void)arg;
    queue_make(&queue, 0);
    for (int i = 0; i < 3; i++)
        weir_semaphore_release(queue.semaphore);
    queue_counts(&queue, 0, 1);
    weir_yield();
    check_trace("1 2 3");
    check(!queue.waiters[3].done);
    return queue_end(&queue);
}

static int nobody_overtakes_one_that_was_granted(void *arg)
{
    struct queue queue;
    (void)arg;
    queue_make(&queue, 0);
    weir_semaphore_release(queue.semaphore);
    check_int(weir_semaphore_try(queue.semaphore), WEIR_EBUSY); /* it is 1's already */
    weir_yield();
    check_trace("1");
    return queue_end(&queue);
}

static int twice(void *arg)
{
    struct waiter *waiter = arg;
    for (int i = 1; i <= 2; i++) {
        check_int(weir_semaphore_acquire(waiter->semaphore), 0);
        note("%s_%d", waiter->name, i);
        weir_sleep_ms(10);
        weir_semaphore_release(waiter->semaphore);
    }
    return 0;
}

static int three_acquire_twice_in_turns(void *arg)
{
    weir_semaphore *semaphore = with_permits(1);
    struct waiter waiters[] = {{"1", semaphore, 0, 0},
                               {"2", semaphore, 0, 0},
                               {"3", semaphore, 0, 0}};
    weir_group *group = rig_group();
    (void)arg;
    for (size_t i = 0; i < 3; i++)
        weir_spawn(group, twice, &waiters[i]);
    check_int(weir_gather(group), 0);
    check_trace("1_1 2_1 3_1 1_2 2_2 3_2");
    check_int((int64_t)weir_semaphore_permits(semaphore), 1);
    weir_semaphore_free(semaphore);
    return weir_group_free(group);
}

struct busy {
    weir_semaphore *semaphore;
    int inside, most, done;
};

static int enter(void *arg)
{
    struct busy *busy = arg;
    check_int(weir_semaphore_acquire(busy->semaphore), 0);
    if (++busy->inside > busy->most)
        busy->most = busy->inside;
    weir_sleep_ms(10);
    busy->inside--;
    busy->done++;
    weir_semaphore_release(busy->semaphore);
    return 0;
}

static int bounds_what_runs_at_once(void *arg)
{
    struct busy busy = {.semaphore = with_permits(3)};
    weir_group *group = rig_group();
    int64_t start_ms = weir_now_ms();
    (void)arg;
    for (int i = 0; i < 10; i++)
        weir_spawn(group, enter, &busy);
    check_int(weir_gather(group), 0);
    check_int(busy.most, 3);
    check_int(busy.done, 10);
    check_int(weir_now_ms() - start_ms, 40);
    weir_semaphore_free(busy.semaphore);
    return weir_group_free(group);
}

/* ---- cancelled ---- */

static int two_cancelled_then_one_release(void *arg)
{
    struct queue queue;
    (void)arg;
    queue_make(&queue, 0);
    cancel(&queue, 1);
    cancel(&queue, 2);
    queue_counts(&queue, 0, 2); /* they wait no more, though they have not run yet */
    weir_semaphore_release(queue.semaphore);
    weir_yield();
    check_trace("1! 2! 3");
    queue_counts(&queue, 0, 1);
    return queue_end(&queue);
}

static int cancel_then_release_in_one_turn(void *arg)
{
    struct queue queue;
    (void)arg;
    queue_make(&queue, 0);
    cancel(&queue, 1);
    weir_semaphore_release(queue.semaphore);
    weir_yield();
    check_trace("1! 2"); /* exactly one owner */
    queue_counts(&queue, 0, 2);
    return queue_end(&queue);
}

static int release_then_cancel_in_one_turn(void *arg)
{
    struct queue queue;
    (void)arg;
    queue_make(&queue, 0);
    weir_semaphore_release(queue.semaphore);
    cancel(&queue, 1); /* too late: what was handed over is 1's, and 1 knows it */
    weir_yield();
    check_trace("1");
    check_int(queue.waiters[0].rc, 0);
    queue_counts(&queue, 0, 3);
    return queue_end(&queue);
}

static int the_last_one_cancelled_leaves_the_permit(void *arg)
{
    struct queue queue;
    (void)arg;
    queue_make(&queue, 0);
    for (int i = 1; i <= MANY; i++)
        cancel(&queue, i);
    weir_semaphore_release(queue.semaphore);
    queue_counts(&queue, 1, 0);
    weir_yield();
    check_trace("1! 2! 3! 4!");
    check_int(weir_semaphore_try(queue.semaphore), 0);
    return queue_end(&queue);
}

static int past_a_deadline(void *arg)
{
    struct queue queue;
    weir_deadline limit;
    (void)arg;
    queue_make(&queue, 0);
    for (int i = 0; i < 3; i++) {
        weir_deadline_begin_ms(&limit, 10);
        int rc = weir_semaphore_acquire(queue.semaphore);
        check_int(weir_deadline_end(&limit, rc), WEIR_ETIMEDOUT);
        queue_counts(&queue, 0, 4);
    }
    for (int i = 0; i < MANY + 1; i++)
        weir_semaphore_release(queue.semaphore);
    weir_yield();
    check_trace("1 2 3 4");
    queue_counts(&queue, 1, 0); /* a timeout loses no permit, not even after many */
    return queue_end(&queue);
}

static int a_permit_that_comes_with_the_deadline(void *arg)
{
    struct busy busy = {.semaphore = with_permits(1)};
    weir_group *group = rig_group();
    weir_deadline limit;
    (void)arg;
    weir_spawn(group, enter, &busy);
    weir_yield(); /* it will be released in 10 ms, */
    weir_deadline_begin_ms(&limit, 10);
    int rc = weir_deadline_end(&limit, weir_semaphore_acquire(busy.semaphore));
    check_int(rc, WEIR_ETIMEDOUT); /* just when the time is up */
    check_int(weir_gather(group), 0);
    check_int((int64_t)weir_semaphore_permits(busy.semaphore), 1);
    weir_semaphore_free(busy.semaphore);
    return weir_group_free(group);
}

/* ---- many at a time ---- */

/* Tasks that each want some permits of one semaphore, in a group. */
struct wants {
    weir_semaphore *semaphore;
    weir_group *group;
    struct caller callers[4];
    int count;
};

static int acquire_n(struct caller *caller)
{
    return weir_semaphore_acquire_n(caller->on, caller->n);
}

static void wants_make(struct wants *wants, size_t permits, size_t max)
{
    *wants = (struct wants){.group = rig_group()};
    check_int(weir_semaphore_new(&wants->semaphore, permits, max), 0);
}

static struct caller *want(struct wants *wants, const char *name, size_t n)
{
    struct caller *caller = &wants->callers[wants->count++];
    *caller = (struct caller){.name = name, .call = acquire_n, .on = wants->semaphore, .n = n};
    call_in(wants->group, caller);
    weir_yield();
    return caller;
}

static void wants_counts(const struct wants *wants, size_t permits, size_t waiting)
{
    check_int((int64_t)weir_semaphore_permits(wants->semaphore), (int64_t)permits);
    check_int((int64_t)weir_semaphore_waiting(wants->semaphore), (int64_t)waiting);
}

static int wants_end(struct wants *wants)
{
    check_int(weir_group_free(wants->group), 0);
    check_int((int64_t)weir_semaphore_waiting(wants->semaphore), 0);
    weir_semaphore_free(wants->semaphore);
    return 0;
}

static int many_are_taken_in_one_step(void *arg)
{
    struct wants wants;
    (void)arg;
    wants_make(&wants, 3, 0);
    check_int(weir_semaphore_acquire_n(wants.semaphore, 2), 0);
    check_int(weir_semaphore_try_n(wants.semaphore, 2), WEIR_EBUSY);
    wants_counts(&wants, 1, 0); /* nothing was taken of what did not suffice */
    want(&wants, "two", 2);
    wants_counts(&wants, 1, 1);
    check_int(weir_semaphore_release_n(wants.semaphore, 1), 0);
    wants_counts(&wants, 0, 0);
    weir_yield();
    check_trace("two");
    return wants_end(&wants);
}

static int who_wants_many_is_not_overtaken(void *arg)
{
    struct wants wants;
    (void)arg;
    wants_make(&wants, 2, 0);
    want(&wants, "three", 3);
    want(&wants, "one", 1);
    check_int(weir_semaphore_try(wants.semaphore), WEIR_EBUSY);
    wants_counts(&wants, 2, 2);
    weir_semaphore_release(wants.semaphore);
    weir_yield();
    check_trace("three");
    weir_semaphore_release(wants.semaphore);
    weir_yield();
    check_trace("one");
    return wants_end(&wants);
}

static int one_release_serves_as_many_as_it_can(void *arg)
{
    struct wants wants;
    (void)arg;
    wants_make(&wants, 0, 0);
    want(&wants, "a", 2);
    want(&wants, "b", 1);
    want(&wants, "c", 3);
    want(&wants, "d", 1);
    check_int(weir_semaphore_release_n(wants.semaphore, 5), 0);
    wants_counts(&wants, 2, 2);
    weir_yield();
    check_trace("a b");
    check_int(weir_semaphore_release_n(wants.semaphore, 2), 0);
    weir_yield();
    check_trace("c d");
    wants_counts(&wants, 0, 0);
    return wants_end(&wants);
}

static int a_cancelled_head_lets_smaller_ones_through(void *arg)
{
    struct wants wants;
    int64_t start_ms = weir_now_ms();
    (void)arg;
    wants_make(&wants, 2, 0);
    struct caller *head = want(&wants, "three", 3);
    want(&wants, "a", 1);
    want(&wants, "b", 1);
    want(&wants, "c", 1);
    weir_task_cancel(head->task);
    weir_yield(); /* it runs, and sees to the others; */
    wants_counts(&wants, 0, 1);
    weir_yield(); /* they run */
    check_trace("three! a b");
    check_int(head->rc, WEIR_ECANCELED);
    check_int(weir_now_ms(), start_ms);
    return wants_end(&wants);
}

static int so_does_one_whose_time_is_up(void *arg)
{
    struct wants wants;
    weir_deadline limit;
    int64_t start_ms = weir_now_ms();
    (void)arg;
    wants_make(&wants, 2, 0);
    weir_deadline_begin_ms(&limit, 10);
    weir_group *group = rig_group();
    struct caller small = {.name = "small", .call = acquire_n, .on = wants.semaphore, .n = 2};
    call_in(group, &small);
    int rc = weir_semaphore_acquire_n(wants.semaphore, 3);
    check_int(weir_deadline_end(&limit, rc), WEIR_ETIMEDOUT);
    wants_counts(&wants, 0, 0);
    check_int(weir_gather(group), 0);
    check_int(weir_now_ms() - start_ms, 10);
    check_int(weir_group_free(group), 0);
    return wants_end(&wants);
}

/* The head is cancelled and has not run yet: nobody may use the gap to overtake. */
static int newcomers_do_not_overtake_behind_a_cancelled_head(void *arg)
{
    struct wants wants;
    (void)arg;
    wants_make(&wants, 2, 0);
    struct caller *head = want(&wants, "three", 3);
    want(&wants, "two", 2);
    weir_task_cancel(head->task);
    check_int(weir_semaphore_try(wants.semaphore), WEIR_EBUSY);
    wants_counts(&wants, 0, 0);
    settle();
    check_trace("three! two");
    return wants_end(&wants);
}

static int freed_before_a_cancelled_head_has_run(void *arg)
{
    struct wants wants;
    (void)arg;
    wants_make(&wants, 2, 0);
    struct caller *head = want(&wants, "three", 3);
    struct caller *next = want(&wants, "one", 1);
    weir_task_cancel(head->task);
    weir_semaphore_free(wants.semaphore);
    settle();
    check_trace("three! one!");
    check_int(head->rc, WEIR_ECANCELED);
    check_int(next->rc, WEIR_ECLOSED);
    return weir_group_free(wants.group);
}

static int what_can_never_be_granted(void *arg)
{
    weir_semaphore *semaphore;
    (void)arg;
    check_int(weir_semaphore_new(&semaphore, 2, 3), 0);
    check_int(weir_semaphore_acquire_n(semaphore, 0), WEIR_ENEVER);
    check_int(weir_semaphore_acquire_n(semaphore, 4), WEIR_ENEVER);
    check_int(weir_semaphore_try_n(semaphore, 0), WEIR_ENEVER);
    check_int(weir_semaphore_try_n(semaphore, 4), WEIR_ENEVER);
    check_int(weir_semaphore_try_n(semaphore, 3), WEIR_EBUSY);
    check_int((int64_t)weir_semaphore_permits(semaphore), 2);
    weir_semaphore_free(semaphore);
    return 0;
}

static int a_release_past_the_maximum(void *arg)
{
    weir_semaphore *semaphore;
    (void)arg;
    check_int(weir_semaphore_new(&semaphore, 4, 3), WEIR_EINVAL);
    check(semaphore == NULL);
    check_int(weir_semaphore_new(&semaphore, 2, 3), 0);
    check_int(weir_semaphore_release_n(semaphore, 2), WEIR_EINVAL);
    check_int((int64_t)weir_semaphore_permits(semaphore), 2);
    check_int(weir_semaphore_release(semaphore), 0);
    check_int(weir_semaphore_release(semaphore), WEIR_EINVAL);
    check_int((int64_t)weir_semaphore_permits(semaphore), 3);
    weir_semaphore_free(semaphore);
    check_int(weir_semaphore_new(&semaphore, SIZE_MAX, 0), 0);
    check_int(weir_semaphore_release(semaphore), WEIR_EINVAL); /* no maximum, but a size_t */
    check_int(weir_semaphore_acquire_n(semaphore, SIZE_MAX), 0);
    check_int((int64_t)weir_semaphore_permits(semaphore), 0);
    weir_semaphore_free(semaphore);
    return 0;
}

/* ---- freed ---- */

static int freeing_it_sends_the_waiters_away(void *arg)
{
    struct queue queue;
    (void)arg;
    queue_make(&queue, 0);
    weir_semaphore_free(queue.semaphore);
    queue.semaphore = with_permits(0);
    weir_yield();
    for (int i = 0; i < MANY; i++)
        check_int(queue.waiters[i].rc, WEIR_ECLOSED);
    check_trace("1! 2! 3! 4!");
    return queue_end(&queue);
}

/* Those woken by then must not touch it any more when they run. */
static int freed_before_those_woken_have_run(void *arg)
{
    struct queue queue;
    (void)arg;
    queue_make(&queue, 0);
    cancel(&queue, 1);
    weir_semaphore_release(queue.semaphore);
    weir_semaphore_free(queue.semaphore);
    queue.semaphore = with_permits(0);
    weir_yield();
    check_int(queue.waiters[0].rc, WEIR_ECANCELED);
    check_int(queue.waiters[1].rc, 0);
    check_int(queue.waiters[2].rc, WEIR_ECLOSED);
    check_int(queue.waiters[3].rc, WEIR_ECLOSED);
    rig_trace_clear();
    return queue_end(&queue);
}

static int without_memory(void *arg)
{
    weir_semaphore *semaphore = arg;
    weir__mem_fail_at(1);
    int rc = weir_semaphore_new(&semaphore, 1, 0);
    weir__mem_fail_at(0);
    check_int(rc, WEIR_ENOMEM);
    check(semaphore == NULL);
    weir_semaphore_free(NULL);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(counts_permits),
        VIRTUAL_TEST(wakes_in_order_of_arrival),
        VIRTUAL_TEST(k_releases_wake_k_in_one_turn),
        VIRTUAL_TEST(nobody_overtakes_one_that_was_granted),
        VIRTUAL_TEST(three_acquire_twice_in_turns),
        VIRTUAL_TEST(bounds_what_runs_at_once),
        VIRTUAL_TEST(two_cancelled_then_one_release),
        VIRTUAL_TEST(cancel_then_release_in_one_turn),
        VIRTUAL_TEST(release_then_cancel_in_one_turn),
        VIRTUAL_TEST(the_last_one_cancelled_leaves_the_permit),
        VIRTUAL_TEST(past_a_deadline),
        VIRTUAL_TEST(a_permit_that_comes_with_the_deadline),
        VIRTUAL_TEST(many_are_taken_in_one_step),
        VIRTUAL_TEST(who_wants_many_is_not_overtaken),
        VIRTUAL_TEST(one_release_serves_as_many_as_it_can),
        VIRTUAL_TEST(a_cancelled_head_lets_smaller_ones_through),
        VIRTUAL_TEST(so_does_one_whose_time_is_up),
        VIRTUAL_TEST(newcomers_do_not_overtake_behind_a_cancelled_head),
        VIRTUAL_TEST(freed_before_a_cancelled_head_has_run),
        VIRTUAL_TEST(what_can_never_be_granted),
        VIRTUAL_TEST(a_release_past_the_maximum),
        VIRTUAL_TEST(freeing_it_sends_the_waiters_away),
        VIRTUAL_TEST(freed_before_those_woken_have_run),
        VIRTUAL_TEST(without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
