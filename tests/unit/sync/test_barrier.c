/* weir_barrier: as many as there are parties go on together, cancelled ones not counted. */
#include "sync_rig.h"

#include <limits.h>

static weir_barrier *new_barrier(size_t parties)
{
    weir_barrier *barrier;
    check_int(weir_barrier_new(&barrier, parties), 0);
    return barrier;
}

static int wait(struct caller *caller)
{
    return weir_barrier_wait(caller->on);
}

static int the_last_one_opens_it(void *arg)
{
    struct crowd crowd;
    weir_barrier *barrier = new_barrier(CROWD + 1);
    (void)arg;
    crowd_make(&crowd, wait, barrier);
    settle();
    check_trace("");
    check_int(weir_barrier_wait(barrier), CROWD); /* does not suspend */
    check_trace("");
    settle();
    check_trace("1 2 3 4");
    for (int i = 1; i <= CROWD; i++)
        check_int(crowd_rc(&crowd, i), i - 1); /* the place of arrival */
    weir_barrier_free(barrier);
    return weir_group_free(crowd.group);
}

static int for_one(void *arg)
{
    weir_barrier *barrier = new_barrier(1);
    (void)arg;
    for (int i = 0; i < 3; i++)
        check_int(weir_barrier_wait(barrier), 0);
    weir_barrier_free(barrier);
    return 0;
}

enum { PARTIES = 5, ROUNDS = 20 };

struct race {
    weir_barrier *barrier;
    int round[PARTIES];
    int runners, places;
};

/* Nobody is more than one round ahead of anybody, however fast it is. */
static int run_rounds(void *arg)
{
    struct race *race = arg;
    int me = race->runners++;
    for (int i = 0; i < ROUNDS; i++) {
        weir_sleep_ms((me * 7 + i * 3) % 11);
        race->round[me] = i;
        int place = weir_barrier_wait(race->barrier);
        check(place >= 0 && place < PARTIES);
        race->places += place;
        for (int other = 0; other < PARTIES; other++)
            check(race->round[other] >= i && race->round[other] <= i + 1);
    }
    return 0;
}

static int again_and_again(void *arg)
{
    struct race race = {.barrier = new_barrier(PARTIES)};
    weir_group *group = rig_group();
    (void)arg;
    for (int i = 0; i < PARTIES; i++)
        weir_spawn(group, run_rounds, &race);
    check_int(weir_gather(group), 0);
    check_int(race.places, ROUNDS * (0 + 1 + 2 + 3 + 4)); /* each place once a round */
    weir_barrier_free(race.barrier);
    return weir_group_free(group);
}

/* ---- cancelled ---- */

static int who_is_cancelled_has_not_arrived(void *arg)
{
    struct crowd crowd;
    weir_barrier *barrier = new_barrier(CROWD + 1);
    struct caller fifth = {.name = "5", .call = wait, .on = barrier};
    (void)arg;
    crowd_make(&crowd, wait, barrier);
    crowd_cancel(&crowd, 1);
    crowd_cancel(&crowd, 3);
    call_in(crowd.group, &fifth); /* arrives fifth, but there are three */
    settle();
    check_trace("1! 3!");
    check_int(crowd_rc(&crowd, 3), WEIR_ECANCELED);
    struct caller sixth = {.name = "6", .call = wait, .on = barrier};
    call_in(crowd.group, &sixth);
    settle();
    check_trace("");
    check_int(weir_barrier_wait(barrier), 4);
    settle();
    check_trace("2 4 5 6");
    check_int(crowd_rc(&crowd, 2), 0); /* places among those who went through */
    check_int(crowd_rc(&crowd, 4), 1);
    check_int(sixth.rc, 3);
    weir_barrier_free(barrier);
    return weir_group_free(crowd.group);
}

/* The last arrival comes in the turn of the cancel, before the cancelled one has run. */
static int cancelled_as_the_last_one_arrives(void *arg)
{
    struct crowd crowd;
    weir_barrier *barrier = new_barrier(CROWD + 1);
    weir_deadline limit;
    (void)arg;
    crowd_make(&crowd, wait, barrier);
    crowd_cancel(&crowd, 2);
    weir_deadline_begin_ms(&limit, 10);
    check_int(weir_deadline_end(&limit, weir_barrier_wait(barrier)), WEIR_ETIMEDOUT);
    check_trace("2!");
    check_int(crowd_rc(&crowd, 1), WEIR_EBUSY);
    weir_barrier_free(barrier);
    return weir_group_free(crowd.group);
}

static int cancelled_when_it_has_opened(void *arg)
{
    struct crowd crowd;
    weir_barrier *barrier = new_barrier(CROWD + 1);
    (void)arg;
    crowd_make(&crowd, wait, barrier);
    check_int(weir_barrier_wait(barrier), CROWD);
    crowd_cancel(&crowd, 2);
    settle();
    check_trace("1 2 3 4");
    check_int(crowd_rc(&crowd, 2), 1);
    weir_barrier_free(barrier);
    return weir_group_free(crowd.group);
}

/* All the cancelled ones that were counted are found out before anybody is let through. */
static int after_many_cancels(void *arg)
{
    struct crowd crowd;
    weir_barrier *barrier = new_barrier(CROWD);
    (void)arg;
    for (int round = 0; round < 10; round++) {
        weir_deadline limit;
        weir_deadline_begin_ms(&limit, 1);
        check_int(weir_deadline_end(&limit, weir_barrier_wait(barrier)), WEIR_ETIMEDOUT);
    }
    crowd_make(&crowd, wait, barrier);
    settle();
    check_trace("4 1 2 3"); /* the last one does not wait */
    for (int i = 1; i <= CROWD; i++)
        check_int(crowd_rc(&crowd, i), i - 1);
    weir_barrier_free(barrier);
    return weir_group_free(crowd.group);
}

static int cancel_self_and_wait(struct caller *caller)
{
    weir_task_cancel(weir_task_self());
    return weir_barrier_wait(caller->on);
}

static int a_cancelled_task_does_not_arrive(void *arg)
{
    weir_barrier *barrier = new_barrier(1);
    weir_group *group = rig_group();
    struct caller caller = {.name = "a", .call = cancel_self_and_wait, .on = barrier};
    (void)arg;
    call_in(group, &caller);
    check_int(weir_gather(group), WEIR_ECANCELED);
    weir_barrier_free(barrier);
    return weir_group_free(group);
}

/* ---- made and freed ---- */

static int freeing_it_sends_the_waiters_away(void *arg)
{
    struct crowd crowd;
    weir_barrier *barrier = new_barrier(CROWD + 1);
    (void)arg;
    crowd_make(&crowd, wait, barrier);
    crowd_cancel(&crowd, 1);
    weir_barrier_free(barrier);
    settle();
    check_trace("1! 2! 3! 4!");
    check_int(crowd_rc(&crowd, 1), WEIR_ECANCELED);
    for (int i = 2; i <= CROWD; i++)
        check_int(crowd_rc(&crowd, i), WEIR_ECLOSED);
    return weir_group_free(crowd.group);
}

static int wrong_parties_and_no_memory(void *arg)
{
    weir_barrier *barrier = arg;
    check_int(weir_barrier_new(&barrier, 0), WEIR_EINVAL);
    check_int(weir_barrier_new(&barrier, (size_t)INT_MAX + 1), WEIR_EINVAL);
    weir__mem_fail_at(1);
    int rc = weir_barrier_new(&barrier, 2);
    weir__mem_fail_at(0);
    check_int(rc, WEIR_ENOMEM);
    check(barrier == NULL);
    weir_barrier_free(NULL);
    return 0;
}

static void without_a_runtime(void **state)
{
    weir_barrier *barrier = (weir_barrier *)state;
    assert_int_equal(weir_barrier_new(&barrier, 1), WEIR_ENORUNTIME);
    assert_null(barrier);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(the_last_one_opens_it),
        VIRTUAL_TEST(for_one),
        VIRTUAL_TEST(again_and_again),
        VIRTUAL_TEST(who_is_cancelled_has_not_arrived),
        VIRTUAL_TEST(cancelled_as_the_last_one_arrives),
        VIRTUAL_TEST(cancelled_when_it_has_opened),
        VIRTUAL_TEST(after_many_cancels),
        VIRTUAL_TEST(a_cancelled_task_does_not_arrive),
        VIRTUAL_TEST(freeing_it_sends_the_waiters_away),
        VIRTUAL_TEST(wrong_parties_and_no_memory),
        cmocka_unit_test(without_a_runtime),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
