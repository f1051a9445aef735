/* weir_event: everybody who waited when it was set goes on. */
#include "sync_rig.h"

static weir_event *new_event(void)
{
    weir_event *event;
    check_int(weir_event_new(&event), 0);
    return event;
}

static int wait(struct caller *caller)
{
    return weir_event_wait(caller->on);
}

static int set_wakes_all_in_order(void *arg)
{
    struct crowd crowd;
    weir_event *event = new_event();
    (void)arg;
    check_int(weir_event_is_set(event), 0);
    crowd_make(&crowd, wait, event);
    check_trace("");
    weir_event_set(event);
    weir_event_set(event); /* twice is once */
    check_int(weir_event_is_set(event), 1);
    check_int(weir_event_wait(event), 0); /* does not suspend */
    check_trace("");
    weir_yield();
    check_trace("1 2 3 4");
    weir_event_free(event);
    return weir_group_free(crowd.group);
}

static int set_and_clear_wakes_them_too(void *arg)
{
    struct crowd crowd;
    struct caller late = {.name = "late", .call = wait};
    weir_event *event = new_event();
    (void)arg;
    crowd_make(&crowd, wait, event);
    weir_event_set(event);
    weir_event_clear(event);
    check_int(weir_event_is_set(event), 0);
    late.on = event;
    call_in(crowd.group, &late);
    settle();
    check_trace("1 2 3 4");
    check(!late.done); /* it came after the clear */
    weir_event_set(event);
    settle();
    check_trace("late");
    weir_event_free(event);
    return weir_group_free(crowd.group);
}

static int cancelled_before_and_after_the_set(void *arg)
{
    struct crowd crowd;
    weir_event *event = new_event();
    (void)arg;
    crowd_make(&crowd, wait, event);
    crowd_cancel(&crowd, 2);
    weir_event_set(event);
    crowd_cancel(&crowd, 3); /* too late: it was woken */
    settle();
    check_trace("2! 1 3 4");
    check_int(crowd_rc(&crowd, 2), WEIR_ECANCELED);
    weir_event_free(event);
    return weir_group_free(crowd.group);
}

static int cancelled_and_set(struct caller *caller)
{
    weir_task_cancel(weir_task_self());
    return weir_event_wait(caller->on);
}

static int a_cancel_comes_before_a_set_event(void *arg)
{
    weir_event *event = new_event();
    weir_group *group = rig_group();
    struct caller caller = {.name = "a", .call = cancelled_and_set, .on = event};
    (void)arg;
    weir_event_set(event);
    call_in(group, &caller);
    check_int(weir_gather(group), WEIR_ECANCELED);
    weir_event_free(event);
    return weir_group_free(group);
}

static int past_a_deadline(void *arg)
{
    weir_deadline limit;
    weir_event *event = new_event();
    int64_t start_ms = weir_now_ms();
    (void)arg;
    weir_deadline_begin_ms(&limit, 10);
    check_int(weir_deadline_end(&limit, weir_event_wait(event)), WEIR_ETIMEDOUT);
    check_int(weir_now_ms() - start_ms, 10);
    weir_event_set(event); /* wakes nobody */
    check_int(weir_event_wait(event), 0);
    weir_event_free(event);
    return 0;
}

static int freeing_it_sends_the_waiters_away(void *arg)
{
    struct crowd crowd;
    weir_event *event = new_event();
    (void)arg;
    crowd_make(&crowd, wait, event);
    crowd_cancel(&crowd, 1);
    weir_event_free(event);
    settle();
    check_trace("1! 2! 3! 4!");
    check_int(crowd_rc(&crowd, 1), WEIR_ECANCELED);
    for (int i = 2; i <= CROWD; i++)
        check_int(crowd_rc(&crowd, i), WEIR_ECLOSED);
    return weir_group_free(crowd.group);
}

static int without_memory(void *arg)
{
    weir_event *event = arg;
    weir__mem_fail_at(1);
    int rc = weir_event_new(&event);
    weir__mem_fail_at(0);
    check_int(rc, WEIR_ENOMEM);
    check(event == NULL);
    weir_event_free(NULL);
    return 0;
}

static void without_a_runtime(void **state)
{
    weir_event *event = (weir_event *)state;
    assert_int_equal(weir_event_new(&event), WEIR_ENORUNTIME);
    assert_null(event);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(set_wakes_all_in_order),
        VIRTUAL_TEST(set_and_clear_wakes_them_too),
        VIRTUAL_TEST(cancelled_before_and_after_the_set),
        VIRTUAL_TEST(a_cancel_comes_before_a_set_event),
        VIRTUAL_TEST(past_a_deadline),
        VIRTUAL_TEST(freeing_it_sends_the_waiters_away),
        VIRTUAL_TEST(without_memory),
        cmocka_unit_test(without_a_runtime),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
