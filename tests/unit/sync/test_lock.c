/* weir_lock: one owner, first come first served, and never none while somebody waits. */
#include "sync_rig.h"

static weir_lock *new_lock(void)
{
    weir_lock *lock;
    check_int(weir_lock_new(&lock), 0);
    return lock;
}

static int acquire(struct caller *caller)
{
    return weir_lock_acquire(caller->on);
}

/* Keeps it for a while. */
static int acquire_and_release(struct caller *caller)
{
    int rc = weir_lock_acquire(caller->on);
    if (rc == 0) {
        weir_sleep_ms(10);
        rc = weir_lock_release(caller->on);
    }
    return rc;
}

/* ---- owners ---- */

static int has_one_owner(void *arg)
{
    weir_lock *lock = new_lock();
    (void)arg;
    check_int(weir_lock_is_held(lock), 0);
    check_int(weir_lock_release(lock), WEIR_EINVAL);
    check_int(weir_lock_acquire(lock), 0);
    check_int(weir_lock_is_held(lock), 1);
    check_int(weir_lock_acquire(lock), WEIR_EDEADLK);
    check_int(weir_lock_try(lock), WEIR_EDEADLK);
    check_int(weir_lock_release(lock), 0);
    check_int(weir_lock_release(lock), WEIR_EINVAL);
    check_int(weir_lock_is_held(lock), 0);
    check_int(weir_lock_try(lock), 0);
    check_int(weir_lock_release(lock), 0);
    weir_lock_free(lock);
    return 0;
}

static int release(struct caller *caller)
{
    return weir_lock_release(caller->on);
}

static int try(struct caller *caller)
{
    return weir_lock_try(caller->on);
}

static int is_not_for_others_to_release(void *arg)
{
    weir_lock *lock = new_lock();
    weir_group *group = rig_group();
    struct caller thief = {.name = "thief", .call = release, .on = lock};
    struct caller trier = {.name = "trier", .call = try, .on = lock};
    (void)arg;
    check_int(weir_lock_acquire(lock), 0);
    call_in(group, &thief);
    call_in(group, &trier);
    weir_yield();
    check_int(thief.rc, WEIR_EINVAL);
    check_int(trier.rc, WEIR_EBUSY);
    check_int(weir_lock_release(lock), 0);
    weir_lock_free(lock);
    return weir_group_free(group);
}

/* A later task, perhaps at the same address, does not own what an ended one kept. */
static int an_ended_owner_has_no_heir(void *arg)
{
    weir_lock *lock = new_lock();
    weir_group *group = rig_group();
    struct caller first = {.name = "first", .call = acquire, .on = lock};
    (void)arg;
    call_in(group, &first);
    check_int(weir_gather(group), 0);
    check_int(weir_task_free(first.task), 0);
    for (int i = 0; i < 16; i++) {
        struct caller heir = {.name = "heir", .call = try, .on = lock};
        call_in(group, &heir);
        check_int(weir_await(heir.task), WEIR_EBUSY);
        heir.call = release;
        check_int(weir_task_free(heir.task), 0);
        call_in(group, &heir);
        check_int(weir_await(heir.task), WEIR_EINVAL);
        check_int(weir_task_free(heir.task), 0);
    }
    weir_lock_free(lock);
    return weir_group_free(group);
}

/* ---- order ---- */

static int goes_to_the_one_that_waits_longest(void *arg)
{
    struct crowd crowd;
    weir_lock *lock = new_lock();
    int64_t start_ms = weir_now_ms();
    (void)arg;
    check_int(weir_lock_acquire(lock), 0);
    crowd_make(&crowd, acquire_and_release, lock);
    check_int(weir_lock_release(lock), 0);
    check_int(weir_lock_is_held(lock), 1);           /* it is 1's already, */
    check_int(weir_lock_try(lock), WEIR_EBUSY);      /* whoever asks before 1 has run; */
    check_int(weir_lock_release(lock), WEIR_EINVAL); /* not ours any more, */
    check_int(weir_lock_acquire(lock), 0);           /* and we queue behind 4 */
    check_trace("1 2 3 4");
    check_int(weir_now_ms() - start_ms, 40);
    check_int(weir_lock_release(lock), 0);
    check_int(weir_lock_is_held(lock), 0);
    weir_lock_free(lock);
    return weir_group_free(crowd.group);
}

/* ---- cancelled ---- */

static int cancel_first_and_release_in_one_turn(void *arg)
{
    struct crowd crowd;
    weir_lock *lock = new_lock();
    (void)arg;
    check_int(weir_lock_acquire(lock), 0);
    crowd_make(&crowd, acquire, lock);
    crowd_cancel(&crowd, 1);
    check_int(weir_lock_release(lock), 0);
    settle();
    check_trace("1! 2"); /* exactly one owner */
    check_int(crowd_rc(&crowd, 1), WEIR_ECANCELED);
    check_int(crowd_rc(&crowd, 3), WEIR_EBUSY);
    check_int(weir_group_free(crowd.group), 0);
    weir_lock_free(lock);
    return 0;
}

static int release_and_cancel_first_in_one_turn(void *arg)
{
    struct crowd crowd;
    weir_lock *lock = new_lock();
    int64_t start_ms = weir_now_ms();
    (void)arg;
    check_int(weir_lock_acquire(lock), 0);
    crowd_make(&crowd, acquire_and_release, lock);
    check_int(weir_lock_release(lock), 0);
    crowd_cancel(&crowd, 1); /* it is the owner by now; its sleep is cut short */
    crowd_cancel(&crowd, 3);
    check_int(weir_gather(crowd.group), WEIR_ECANCELED); /* 3's */
    check_trace("1 3! 2 4");
    check_int(crowd_rc(&crowd, 1), 0);
    check_int(weir_now_ms() - start_ms, 20);
    check_int(weir_lock_is_held(lock), 0);
    weir_lock_free(lock);
    return weir_group_free(crowd.group);
}

static int past_a_deadline(void *arg)
{
    weir_lock *lock = new_lock();
    weir_group *group = rig_group();
    weir_deadline limit;
    struct caller owner = {.name = "owner", .call = acquire_and_release, .on = lock};
    (void)arg;
    call_in(group, &owner);
    weir_yield();
    weir_deadline_begin_ms(&limit, 5);
    check_int(weir_deadline_end(&limit, weir_lock_acquire(lock)), WEIR_ETIMEDOUT);
    check_int(weir_lock_release(lock), WEIR_EINVAL);
    check_int(weir_gather(group), 0);
    check_int(weir_lock_is_held(lock), 0); /* not handed to who had left */
    weir_lock_free(lock);
    return weir_group_free(group);
}

static int cancelled_before_a_free_lock(struct caller *caller)
{
    weir_task_cancel(weir_task_self());
    int rc = weir_lock_acquire(caller->on);
    check_int(weir_lock_is_held(caller->on), 0);
    check_int(weir_lock_try(caller->on), 0); /* does not wait */
    check_int(weir_lock_release(caller->on), 0);
    return rc;
}

static int a_cancelled_task_takes_nothing(void *arg)
{
    weir_lock *lock = new_lock();
    weir_group *group = rig_group();
    struct caller caller = {.name = "a", .call = cancelled_before_a_free_lock, .on = lock};
    (void)arg;
    call_in(group, &caller);
    check_int(weir_gather(group), WEIR_ECANCELED);
    weir_lock_free(lock);
    return weir_group_free(group);
}

/* ---- freed ---- */

static int freeing_it_sends_the_waiters_away(void *arg)
{
    struct crowd crowd;
    weir_lock *lock = new_lock();
    (void)arg;
    check_int(weir_lock_acquire(lock), 0);
    crowd_make(&crowd, acquire, lock);
    crowd_cancel(&crowd, 1);
    weir_lock_release(lock); /* to 2 */
    weir_lock_free(lock);
    settle();
    check_trace("1! 2 3! 4!");
    check_int(crowd_rc(&crowd, 1), WEIR_ECANCELED);
    check_int(crowd_rc(&crowd, 3), WEIR_ECLOSED);
    check_int(crowd_rc(&crowd, 4), WEIR_ECLOSED);
    return weir_group_free(crowd.group);
}

static int without_memory(void *arg)
{
    weir_lock *lock = arg;
    weir__mem_fail_at(1);
    int rc = weir_lock_new(&lock);
    weir__mem_fail_at(0);
    check_int(rc, WEIR_ENOMEM);
    check(lock == NULL);
    weir_lock_free(NULL);
    return 0;
}

static void without_a_runtime(void **state)
{
    weir_lock *lock = (weir_lock *)state;
    assert_int_equal(weir_lock_new(&lock), WEIR_ENORUNTIME);
    assert_null(lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(has_one_owner),
        VIRTUAL_TEST(is_not_for_others_to_release),
        VIRTUAL_TEST(an_ended_owner_has_no_heir),
        VIRTUAL_TEST(goes_to_the_one_that_waits_longest),
        VIRTUAL_TEST(cancel_first_and_release_in_one_turn),
        VIRTUAL_TEST(release_and_cancel_first_in_one_turn),
        VIRTUAL_TEST(past_a_deadline),
        VIRTUAL_TEST(a_cancelled_task_takes_nothing),
        VIRTUAL_TEST(freeing_it_sends_the_waiters_away),
        VIRTUAL_TEST(without_memory),
        cmocka_unit_test(without_a_runtime),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
