/* weir_condition: no notify is lost, and the lock is always owned again. */
#include "sync_rig.h"

struct pair {
    weir_lock *lock;
    weir_condition *condition;
};

static void pair_make(struct pair *pair)
{
    check_int(weir_lock_new(&pair->lock), 0);
    check_int(weir_condition_new(&pair->condition, pair->lock), 0);
}

static void pair_free(struct pair *pair)
{
    check_int(weir_lock_is_held(pair->lock), 0);
    weir_condition_free(pair->condition);
    weir_lock_free(pair->lock);
}

/* Waits once for a notify, and gives the lock back. */
static int wait(struct caller *caller)
{
    struct pair *pair = caller->on;
    int rc = weir_lock_acquire(pair->lock);
    if (rc < 0)
        return rc;
    rc = weir_condition_wait(pair->condition);
    check_int(weir_lock_release(pair->lock), 0); /* the owner again, whatever it said */
    return rc;
}

static void notify(struct pair *pair, size_t n)
{
    check_int(weir_lock_acquire(pair->lock), 0);
    check_int(weir_condition_notify(pair->condition, n), 0);
    check_int(weir_lock_release(pair->lock), 0);
}

/* ---- notify ---- */

static int notify_wakes_those_who_wait_longest(void *arg)
{
    struct pair pair;
    struct crowd crowd;
    (void)arg;
    pair_make(&pair);
    crowd_make(&crowd, wait, &pair);
    check_int(weir_lock_is_held(pair.lock), 0); /* they gave it back */
    notify(&pair, 0);
    settle();
    check_trace("");
    notify(&pair, 1);
    settle();
    check_trace("1");
    notify(&pair, 2);
    settle();
    check_trace("2 3");
    notify(&pair, 2); /* more than there are */
    settle();
    check_trace("4");
    notify(&pair, 1); /* nobody is there: it is not kept */
    pair_free(&pair);
    return weir_group_free(crowd.group);
}

static int notify_all(void *arg)
{
    struct pair pair;
    struct crowd crowd;
    (void)arg;
    pair_make(&pair);
    crowd_make(&crowd, wait, &pair);
    notify(&pair, SIZE_MAX);
    settle();
    check_trace("1 2 3 4");
    pair_free(&pair);
    return weir_group_free(crowd.group);
}

static int only_the_owner_may(void *arg)
{
    struct pair pair;
    (void)arg;
    pair_make(&pair);
    check_int(weir_condition_wait(pair.condition), WEIR_EINVAL);
    check_int(weir_condition_notify(pair.condition, 1), WEIR_EINVAL);
    check_int(weir_lock_is_held(pair.lock), 0);
    pair_free(&pair);
    return 0;
}

static int lock_and_release(struct caller *caller)
{
    struct pair *pair = caller->on;
    int rc = weir_lock_acquire(pair->lock);
    return rc < 0 ? rc : weir_lock_release(pair->lock);
}

/* Whoever was notified stands in the lock's queue from then on, before those who come later. */
static int newcomers_do_not_overtake_the_notified(void *arg)
{
    struct pair pair;
    struct crowd crowd;
    struct caller early = {.name = "early", .call = lock_and_release, .on = &pair};
    struct caller late = {.name = "late", .call = lock_and_release, .on = &pair};
    (void)arg;
    pair_make(&pair);
    crowd_make(&crowd, wait, &pair);
    check_int(weir_lock_acquire(pair.lock), 0);
    call_in(crowd.group, &early);
    weir_yield();
    check_int(weir_condition_notify(pair.condition, 2), 0);
    call_in(crowd.group, &late);
    weir_yield();
    check_trace(""); /* nobody runs while we own it */
    check_int(weir_lock_release(pair.lock), 0);
    check_int(weir_lock_try(pair.lock), WEIR_EBUSY);
    settle();
    check_trace("early 1 2 late");
    notify(&pair, 2);
    settle();
    check_trace("3 4");
    pair_free(&pair);
    return weir_group_free(crowd.group);
}

static int two_conditions_share_a_lock(void *arg)
{
    struct pair pair, other;
    weir_group *group = rig_group();
    struct caller a = {.name = "a", .call = wait, .on = &pair};
    struct caller b = {.name = "b", .call = wait, .on = &other};
    (void)arg;
    pair_make(&pair);
    other.lock = pair.lock;
    check_int(weir_condition_new(&other.condition, pair.lock), 0);
    call_in(group, &a);
    call_in(group, &b);
    settle();
    notify(&other, SIZE_MAX);
    settle();
    check_trace("b");
    notify(&pair, SIZE_MAX);
    settle();
    check_trace("a");
    weir_condition_free(other.condition);
    pair_free(&pair);
    return weir_group_free(group);
}

/* ---- cancelled ---- */

static int a_notify_is_passed_on(void *arg)
{
    struct pair pair;
    struct crowd crowd;
    (void)arg;
    pair_make(&pair);
    crowd_make(&crowd, wait, &pair);
    crowd_cancel(&crowd, 1);
    notify(&pair, 1); /* 1 has not run yet */
    settle();
    check_trace("2 1!");
    check_int(crowd_rc(&crowd, 1), WEIR_ECANCELED);
    notify(&pair, 2);
    settle();
    check_trace("3 4");
    pair_free(&pair);
    return weir_group_free(crowd.group);
}

static int a_notify_that_was_given_stays_given(void *arg)
{
    struct pair pair;
    struct crowd crowd;
    (void)arg;
    pair_make(&pair);
    crowd_make(&crowd, wait, &pair);
    check_int(weir_lock_acquire(pair.lock), 0);
    check_int(weir_condition_notify(pair.condition, 2), 0);
    crowd_cancel(&crowd, 1); /* while it waits for the lock */
    settle();
    check_trace("");
    check_int(weir_lock_release(pair.lock), 0);
    crowd_cancel(&crowd, 2);
    settle();
    check_trace("1 2");
    notify(&pair, 2);
    settle();
    check_trace("3 4");
    pair_free(&pair);
    return weir_group_free(crowd.group);
}

static int a_cancelled_waiter_takes_the_lock_again(void *arg)
{
    struct pair pair;
    struct crowd crowd;
    (void)arg;
    pair_make(&pair);
    crowd_make(&crowd, wait, &pair);
    check_int(weir_lock_acquire(pair.lock), 0);
    crowd_cancel(&crowd, 1);
    crowd_cancel(&crowd, 3);
    weir_sleep_ms(10);
    check_trace(""); /* they wait for the lock, cancelled or not */
    check_int(weir_lock_release(pair.lock), 0);
    settle();
    check_trace("1! 3!");
    notify(&pair, SIZE_MAX);
    settle();
    check_trace("2 4");
    pair_free(&pair);
    return weir_group_free(crowd.group);
}

static int cancel_self_and_wait(struct caller *caller)
{
    struct pair *pair = caller->on;
    check_int(weir_lock_acquire(pair->lock), 0);
    weir_task_cancel(weir_task_self());
    int rc = weir_condition_wait(pair->condition);
    check_int(weir_condition_wait(pair->condition), rc);
    check_int(weir_lock_release(pair->lock), 0); /* never given away */
    check_int(weir_condition_wait(pair->condition), WEIR_EINVAL);
    return rc;
}

static int a_cancelled_task_keeps_the_lock(void *arg)
{
    struct pair pair;
    weir_group *group = rig_group();
    struct caller caller = {.name = "a", .call = cancel_self_and_wait, .on = &pair};
    (void)arg;
    pair_make(&pair);
    call_in(group, &caller);
    check_int(weir_gather(group), WEIR_ECANCELED);
    pair_free(&pair);
    return weir_group_free(group);
}

static int past_a_deadline(void *arg)
{
    struct pair pair;
    weir_deadline limit;
    int64_t start_ms = weir_now_ms();
    (void)arg;
    pair_make(&pair);
    check_int(weir_lock_acquire(pair.lock), 0);
    weir_deadline_begin_ms(&limit, 10);
    check_int(weir_deadline_end(&limit, weir_condition_wait(pair.condition)), WEIR_ETIMEDOUT);
    check_int(weir_now_ms() - start_ms, 10);
    check_int(weir_lock_release(pair.lock), 0);
    pair_free(&pair);
    return 0;
}

/* ---- a program: a stock that is never sold twice ---- */

struct shop {
    struct pair pair;
    int stock, sold, missed;
};

static int buy(void *arg)
{
    struct shop *shop = arg;
    int rc = weir_lock_acquire(shop->pair.lock);
    if (rc < 0)
        return rc;
    while (rc == 0 && shop->stock == 0)
        rc = weir_condition_wait(shop->pair.condition);
    if (rc == 0) {
        shop->stock--;
        shop->sold++;
    } else {
        shop->missed++;
    }
    check_int(weir_lock_release(shop->pair.lock), 0);
    return rc;
}

static void deliver(struct shop *shop)
{
    check_int(weir_lock_acquire(shop->pair.lock), 0);
    shop->stock++;
    check_int(weir_condition_notify(shop->pair.condition, 1), 0);
    check_int(weir_lock_release(shop->pair.lock), 0);
}

/* A third of the buyers is cancelled, each at another moment of a delivery. */
static int every_delivery_is_sold(void *arg)
{
    enum { BUYERS = 30 };
    struct shop shop = {0};
    weir_task *buyers[BUYERS];
    weir_group *group = rig_group();
    (void)arg;
    pair_make(&shop.pair);
    for (int i = 0; i < BUYERS; i++)
        buyers[i] = weir_spawn(group, buy, &shop);
    weir_yield();
    for (int i = 0; i < BUYERS; i += 3) {
        if (i % 2 == 0)
            weir_task_cancel(buyers[i]);
        deliver(&shop);
        if (i % 2 == 1)
            weir_task_cancel(buyers[i]);
        if (i % 4 == 0)
            settle();
    }
    settle();
    check_int(shop.sold, 10);
    check_int(shop.stock, 0);
    check_int(weir_group_free(group), 0);
    check_int(shop.sold + shop.missed, BUYERS);
    pair_free(&shop.pair);
    return 0;
}

/* ---- freed ---- */

static int freeing_it_sends_the_waiters_away(void *arg)
{
    struct pair pair;
    struct crowd crowd;
    (void)arg;
    pair_make(&pair);
    crowd_make(&crowd, wait, &pair);
    crowd_cancel(&crowd, 2);
    weir_condition_free(pair.condition);
    pair.condition = NULL;
    settle();
    check_trace("1! 3! 4! 2!");
    check_int(crowd_rc(&crowd, 1), WEIR_ECLOSED);
    check_int(crowd_rc(&crowd, 2), WEIR_ECANCELED);
    pair_free(&pair);
    return weir_group_free(crowd.group);
}

static int wait_only(struct caller *caller)
{
    struct pair *pair = caller->on;
    int rc = weir_lock_acquire(pair->lock);
    return rc < 0 ? rc : weir_condition_wait(pair->condition);
}

/* The lock goes too, before anyone has run: the notified 1 owned it, 2 was cancelled, 3 and 4 stood
 * in its queue. */
static int freeing_the_lock_as_well(void *arg)
{
    struct pair pair;
    struct crowd crowd;
    (void)arg;
    pair_make(&pair);
    crowd_make(&crowd, wait_only, &pair);
    crowd_cancel(&crowd, 2);
    notify(&pair, 1);
    weir_condition_free(pair.condition);
    weir_lock_free(pair.lock);
    settle();
    check_trace("2! 1 3! 4!");
    check_int(crowd_rc(&crowd, 2), WEIR_ECLOSED); /* it does not own the lock */
    check_int(crowd_rc(&crowd, 3), WEIR_ECLOSED);
    check_int(crowd_rc(&crowd, 4), WEIR_ECLOSED);
    return weir_group_free(crowd.group);
}

/* Who was notified can never have the lock, which its owner has left locked. */
static int leave_the_lock_locked(void *arg)
{
    struct pair *pair = arg;
    struct crowd crowd;
    pair_make(pair);
    crowd_make(&crowd, wait_only, pair);
    check_int(weir_lock_acquire(pair->lock), 0);
    check_int(weir_condition_notify(pair->condition, 1), 0);
    return 0;
}

static void freeing_after_a_deadlock(void **state)
{
    static struct pair pair; /* a task that never goes on still has its use of the lock */
    (void)state;
    assert_int_equal(rig_run(leave_the_lock_locked, &pair), WEIR_EDEADLK);
    weir_condition_free(pair.condition);
    weir_lock_free(pair.lock);
}

static int without_memory_or_lock(void *arg)
{
    struct pair pair;
    weir_condition *condition = arg;
    pair_make(&pair);
    weir__mem_fail_at(1);
    int rc = weir_condition_new(&condition, pair.lock);
    weir__mem_fail_at(0);
    check_int(rc, WEIR_ENOMEM);
    check(condition == NULL);
    check_int(weir_condition_new(&condition, NULL), WEIR_EINVAL);
    check(condition == NULL);
    weir_condition_free(NULL);
    pair_free(&pair);
    return 0;
}

static void without_a_runtime(void **state)
{
    weir_condition *condition = (weir_condition *)state;
    assert_int_equal(weir_condition_new(&condition, NULL), WEIR_ENORUNTIME);
    assert_null(condition);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(notify_wakes_those_who_wait_longest),
        VIRTUAL_TEST(notify_all),
        VIRTUAL_TEST(only_the_owner_may),
        VIRTUAL_TEST(newcomers_do_not_overtake_the_notified),
        VIRTUAL_TEST(two_conditions_share_a_lock),
        VIRTUAL_TEST(a_notify_is_passed_on),
        VIRTUAL_TEST(a_notify_that_was_given_stays_given),
        VIRTUAL_TEST(a_cancelled_waiter_takes_the_lock_again),
        VIRTUAL_TEST(a_cancelled_task_keeps_the_lock),
        VIRTUAL_TEST(past_a_deadline),
        VIRTUAL_TEST(every_delivery_is_sold),
        VIRTUAL_TEST(freeing_it_sends_the_waiters_away),
        VIRTUAL_TEST(freeing_the_lock_as_well),
        cmocka_unit_test(freeing_after_a_deadlock),
        VIRTUAL_TEST(without_memory_or_lock),
        cmocka_unit_test(without_a_runtime),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
