/* Wakers: signals from tasks, other threads and signal handlers, and that none is lost. */
#include "rig.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>

#include <weir/offload.h>
#include <weir/sync.h>

#include "base/mem.h"
#include "elsewhere.h"
#include "gate.h"
#include "loop/loop.h"

static weir_waker *waker_new(void)
{
    weir_waker *waker;
    check_int(weir_waker_new(&waker), 0);
    return waker;
}

/* What a wait returns when nothing comes for 2 ms. */
static int wait_briefly(weir_waker *waker)
{
    weir_deadline limit;
    weir_deadline_begin_ms(&limit, 2);
    return weir_deadline_end(&limit, weir_waker_wait(waker));
}

struct waiter {
    weir_waker *waker;
    int rc;
};

static int wait_for_signal(void *arg)
{
    struct waiter *waiter = arg;
    waiter->rc = weir_waker_wait(waiter->waker);
    note("%s", weir_task_name(weir_task_self()));
    return waiter->rc;
}

/* ---- what a signal is ---- */

static int several_signals_may_count_as_one(void *arg)
{
    weir_waker *waker = waker_new();
    (void)arg;
    for (int round = 0; round < 3; round++) {
        check_int(wait_briefly(waker), WEIR_ETIMEDOUT);
        for (int i = 0; i < 5; i++)
            weir_waker_signal(waker);
        check_int(weir_waker_wait(waker), 0);
    }
    check_int(wait_briefly(waker), WEIR_ETIMEDOUT);
    weir_waker_free(waker);
    return 0;
}

static int a_signal_waits_for_its_task(void *arg)
{
    weir_waker *waker = waker_new();
    (void)arg;
    weir_waker_signal(waker);
    check_int(weir_sleep_ms(1), 0); /* the loop has seen it; nobody waited */
    check_int(weir_waker_wait(waker), 0);
    check_int(wait_briefly(waker), WEIR_ETIMEDOUT);
    weir_waker_free(waker);
    return 0;
}

static int one_waits_at_a_time(void *arg)
{
    weir_waker *waker = waker_new();
    struct waiter waiter = {.waker = waker};
    weir_group *group = rig_group();
    (void)arg;
    weir_spawn(group, wait_for_signal, &waiter);
    weir_yield();
    check_int(weir_waker_wait(waker), WEIR_EBUSY);
    weir_waker_signal(waker);
    check_int(weir_gather(group), 0);
    check_int(wait_briefly(waker), WEIR_ETIMEDOUT); /* the refused one has not taken it */
    weir_waker_free(waker);
    return weir_group_free(group);
}

/* ---- from where ---- */

static void *signal_once(void *arg)
{
    weir_waker_signal(arg);
    return NULL;
}

static int from_another_thread(void *arg)
{
    weir_waker *waker = waker_new();
    pthread_t thread;
    (void)arg;
    for (int i = 0; i < 20; i++) {
        check_int(pthread_create(&thread, NULL, signal_once, waker), 0);
        check_int(weir_waker_wait(waker), 0); /* nothing else happens here: no deadlock */
        check_int(pthread_join(thread, NULL), 0);
    }
    weir_waker_free(waker);
    return 0;
}

/* ThreadSanitizer puts off a signal that comes while a task runs until that task runs again. */
#if defined(WEIR__TSAN)
enum { SIGNALS = 0 };
#else
enum { SIGNALS = 20 };
#endif

static weir_waker *to_signal;

static void on_signal(int signum)
{
    (void)signum;
    weir_waker_signal(to_signal);
}

static struct sigaction handle_usr1(void)
{
    struct sigaction action = {.sa_handler = on_signal}, before;
    check_int(sigaction(SIGUSR1, &action, &before), 0);
    return before;
}

static void *raise_in(void *arg)
{
    check_int(pthread_kill(*(pthread_t *)arg, SIGUSR1), 0);
    return NULL;
}

static int from_a_signal_handler(void *arg)
{
    pthread_t self = pthread_self(), thread;
    (void)arg;
    to_signal = waker_new();
    struct sigaction before = handle_usr1();
    raise(SIGUSR1); /* while a task runs */
    check_int(weir_waker_wait(to_signal), 0);
    for (int i = 0; i < SIGNALS; i++) { /* while the loop waits, now and then */
        check_int(pthread_create(&thread, NULL, raise_in, &self), 0);
        check_int(weir_waker_wait(to_signal), 0);
        check_int(pthread_join(thread, NULL), 0);
    }
    check_int(sigaction(SIGUSR1, &before, NULL), 0);
    weir_waker_free(to_signal);
    return 0;
}

/* ---- stress ---- */

enum { THREADS = 4, FLOOD = 100000, TURNS = 5000 };

struct flood {
    weir_waker *waker;
    atomic_int sent;
    int written[THREADS]; /* without a lock: read when the last signal has come */
};

struct source {
    struct flood *flood;
    int *written;
};

static void *flood_it(void *arg)
{
    struct source *source = arg;
    for (int i = 0; i < FLOOD / THREADS; i++) {
        ++*source->written;
        atomic_fetch_add(&source->flood->sent, 1);
        weir_waker_signal(source->flood->waker);
    }
    return NULL;
}

static int no_signal_of_many_is_the_last_lost(void *arg)
{
    struct flood flood = {.waker = waker_new()};
    struct source sources[THREADS];
    pthread_t threads[THREADS];
    weir_deadline limit;
    int sum = 0;
    (void)arg;
    for (int i = 0; i < THREADS; i++) {
        sources[i] = (struct source){&flood, &flood.written[i]};
        check_int(pthread_create(&threads[i], NULL, flood_it, &sources[i]), 0);
    }
    weir_deadline_begin_ms(&limit, 60000);
    while (atomic_load(&flood.sent) < FLOOD && check_int(weir_waker_wait(flood.waker), 0))
        continue;
    check_int(weir_deadline_end(&limit, 0), 0);
    for (int i = 0; i < THREADS; i++)
        sum += flood.written[i];
    check_int(sum, FLOOD);
    for (int i = 0; i < THREADS; i++)
        check_int(pthread_join(threads[i], NULL), 0);
    weir_waker_free(flood.waker);
    return 0;
}

/* Each signal is waited for before the next: one that is lost stops it all. */
struct ball {
    weir_waker *waker;
    struct gate back;
    int count; /* without a lock: the waker and the gate order it */
};

static void *play(void *arg)
{
    struct ball *ball = arg;
    for (unsigned i = 1; i <= TURNS; i++) {
        ball->count++;
        weir_waker_signal(ball->waker);
        gate_await(&ball->back, i);
    }
    return NULL;
}

static int each_signal_wakes(void *arg)
{
    struct ball ball = {.waker = waker_new(), .back = GATE_SHUT};
    pthread_t thread;
    weir_deadline limit;
    (void)arg;
    check_int(pthread_create(&thread, NULL, play, &ball), 0);
    weir_deadline_begin_ms(&limit, 60000);
    for (int i = 1; i <= TURNS; i++) {
        if (!check_int(weir_waker_wait(ball.waker), 0) || !check_int(ball.count, i))
            break;
        gate_come(&ball.back);
    }
    check_int(weir_deadline_end(&limit, 0), 0);
    check_int(pthread_join(thread, NULL), 0);
    weir_waker_free(ball.waker);
    return 0;
}

/* Two runtimes, each in a thread of its own. */
struct side {
    weir_waker *own, *other;
    struct gate *made, *done;
    struct side *peer;
    bool serves;
    int got;
};

static int hit_back(void *arg)
{
    struct side *side = arg;
    weir_deadline limit;
    side->own = waker_new();
    side->peer->other = side->own;
    gate_come(side->made);
    gate_await(side->made, 2);
    weir_deadline_begin_ms(&limit, 60000);
    if (side->serves)
        weir_waker_signal(side->other);
    while (side->got < TURNS && check_int(weir_waker_wait(side->own), 0)) {
        side->got++;
        weir_waker_signal(side->other);
    }
    check_int(weir_deadline_end(&limit, 0), 0);
    gate_come(side->done);
    gate_await(side->done, 2); /* nobody signals any more */
    weir_waker_free(side->own);
    return 0;
}

static void *run_side(void *arg)
{
    return weir_run(hit_back, arg, NULL) == 0 ? arg : NULL;
}

static void two_runtimes_wake_each_other(void **state)
{
    struct gate made = GATE_SHUT, done = GATE_SHUT;
    struct side sides[2] = {{.made = &made, .done = &done, .peer = &sides[1], .serves = true},
                            {.made = &made, .done = &done, .peer = &sides[0]}};
    pthread_t thread;
    void *result = NULL;
    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, run_side, &sides[1]), 0);
    assert_non_null(run_side(&sides[0]));
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_non_null(result);
    assert_int_equal(sides[0].got, TURNS);
    assert_int_equal(sides[1].got, TURNS);
    rig_assert_no_failure();
}

/* ---- cut short ---- */

static int a_cancel_ends_the_wait(void *arg)
{
    weir_waker *waker = waker_new();
    struct waiter waiter = {.waker = waker};
    weir_group *group = rig_group();
    (void)arg;
    weir_spawn(group, wait_for_signal, &waiter);
    weir_yield();
    weir_group_cancel(group);
    check_int(weir_gather(group), WEIR_ECANCELED);
    check_int(waiter.rc, WEIR_ECANCELED);
    weir_waker_signal(waker); /* and the waker is as good as before */
    check_int(weir_waker_wait(waker), 0);
    weir_waker_free(waker);
    return weir_group_free(group);
}

struct rival {
    weir_waker *waker;
    weir_group *other;
};

static int cancel_the_other(void *arg)
{
    struct rival *rival = arg;
    check_int(weir_waker_wait(rival->waker), 0); /* the first wake wins */
    if (weir_cancelled()) {
        check_int(weir_waker_wait(rival->waker), WEIR_ECANCELED);
        note("second");
    } else {
        weir_group_cancel(rival->other);
        note("first");
    }
    return 0;
}

static int woken_but_not_run(void *arg)
{
    weir_group *one = rig_group(), *two = rig_group();
    struct rival rivals[] = {{waker_new(), two}, {waker_new(), one}};
    (void)arg;
    weir_spawn(one, cancel_the_other, &rivals[0]);
    weir_spawn(two, cancel_the_other, &rivals[1]);
    weir_yield();
    weir_waker_signal(rivals[0].waker);
    weir_waker_signal(rivals[1].waker);
    check_int(weir_gather(one), 0);
    check_int(weir_gather(two), 0);
    check_trace("first second");
    weir_waker_free(rivals[0].waker);
    weir_waker_free(rivals[1].waker);
    check_int(weir_group_free(one), 0);
    return weir_group_free(two);
}

static void cancel_group(struct ev_loop *ev, ev_timer *timer, int events)
{
    (void)ev;
    (void)events;
    weir_group_cancel(timer->data);
}

/* In one turn of the loop the waiter is cancelled, and then its signal is seen. */
static int a_signal_that_meets_a_cancel_is_kept(void *arg)
{
    struct waiter waiter = {.waker = waker_new()};
    weir_group *group = rig_group();
    ev_timer timer;
    (void)arg;
    weir_spawn(group, wait_for_signal, &waiter);
    weir_yield();
    ev_timer_init(&timer, cancel_group, 0.0, 0.0);
    ev_set_priority(&timer, EV_MAXPRI);
    timer.data = group;
    ev_timer_start(weir__rt_ev(weir__rt()), &timer);
    weir_waker_signal(waiter.waker);
    check_int(weir_gather(group), WEIR_ECANCELED);
    check_int(weir_waker_wait(waiter.waker), 0);
    weir_waker_free(waiter.waker);
    return weir_group_free(group);
}

static int free_closes_the_wait(void *arg)
{
    struct waiter waiters[3];
    weir_group *group = rig_group();
    (void)arg;
    for (int i = 0; i < 3; i++) {
        waiters[i] = (struct waiter){.waker = waker_new()};
        weir_spawn_named(group, wait_for_signal, &waiters[i], "waiter");
    }
    weir_yield();
    weir_task_cancel(weir_group_first(group)); /* awake, and has not run */
    for (int i = 0; i < 3; i++)
        weir_waker_free(waiters[i].waker);
    weir_waker_free(NULL);
    check_int(weir_gather(group), WEIR_ECANCELED);
    check_int(waiters[0].rc, WEIR_ECANCELED);
    check_int(waiters[1].rc, WEIR_ECLOSED);
    check_int(waiters[2].rc, WEIR_ECLOSED);
    return weir_group_free(group);
}

static int free_it_before_the_other_runs(void *arg)
{
    struct waiter *waiter = arg;
    check_int(weir_waker_wait(waiter[0].waker), 0);
    weir_waker_free(waiter[1].waker);
    return 0;
}

/* The signal has woken it, and the waker goes before it runs. Which of two wakers' tasks runs first
 * is libev's choice, so both orders are tried. */
static int free_after_the_signal(void *arg)
{
    (void)arg;
    for (int way = 0; way < 2; way++) {
        weir_waker *wakers[] = {waker_new(), waker_new()};
        struct waiter pair[] = {{.waker = wakers[way]}, {.waker = wakers[1 - way]}};
        weir_group *group = rig_group();
        weir_spawn(group, free_it_before_the_other_runs, pair);
        weir_spawn(group, wait_for_signal, &pair[1]);
        weir_yield();
        weir_waker_signal(wakers[0]);
        weir_waker_signal(wakers[1]);
        check_int(weir_gather(group), 0);
        check_int(pair[1].rc, 0);
        check_int(weir_group_free(group), 0);
        weir_waker_free(pair[0].waker);
    }
    return 0;
}

/* ---- limits ---- */

static int lock_up(void *arg)
{
    weir_semaphore *none;
    weir_waker *waker = waker_new(); /* nobody waits on it */
    (void)arg;
    check_int(weir_semaphore_new(&none, 0, 0), 0);
    check_int(weir_semaphore_acquire(none), WEIR_ECANCELED);
    weir_semaphore_free(none);
    weir_waker_free(waker);
    return 0;
}

static void a_waker_hides_no_deadlock(void **state)
{
    (void)state;
    assert_int_equal(weir_run(lock_up, NULL, NULL), WEIR_EDEADLK);
    rig_assert_no_failure();
}

static int without_memory_or_descriptors(void *arg)
{
    struct rlimit before, none;
    weir_waker *waker = NULL;
    (void)arg;
    weir__mem_fail_at(1);
    check_int(weir_waker_new(&waker), WEIR_ENOMEM);
    weir__mem_fail_at(0);
    check_int(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
    check_int(setrlimit(RLIMIT_NOFILE, &none), 0);
    check_int(weir_waker_new(&waker), WEIR_ENOMEM);
    check_int(setrlimit(RLIMIT_NOFILE, &before), 0);
    check(waker == NULL);
    weir_waker_free(waker_new());
    return 0;
}

static int not_under_the_virtual_clock(void *arg)
{
    weir_waker *waker;
    (void)arg;
    check_int(weir_waker_new(&waker), WEIR_ENOTSUP);
    check(waker == NULL);
    return 0;
}

static void outside_of_a_runtime(void **state)
{
    weir_waker *waker;
    (void)state;
    assert_int_equal(weir_waker_new(&waker), WEIR_ENORUNTIME);
    assert_null(waker);
}

/* ---- beyond its runtime ---- */

static int use_elsewhere(void *arg)
{
    if (weir_task_self() != NULL)
        check_int(weir_waker_wait(arg), WEIR_ENORUNTIME);
    return 0;
}

static int free_it(void *arg)
{
    weir_waker_free(arg);
    return 0;
}

static int others_may_but_signal(void *arg)
{
    weir_waker *waker;
    (void)arg;
    check_int(weir_waker_new(&waker), 0);
    in_other_runtime(use_elsewhere, waker);
    in_other_runtime(free_it, waker);
    weir_waker_signal(waker);
    check_int(weir_waker_wait(waker), 0);
    weir_waker_free(waker);
    return 0;
}

static int make_it(void *arg)
{
    return weir_waker_new(arg);
}

static void freed_after_the_run(void **state)
{
    weir_waker *waker;
    (void)state;
    assert_int_equal(weir_run(make_it, &waker, NULL), 0);
    after_the_end(use_elsewhere, waker);
    weir_waker_signal(waker);
    weir_waker_free(waker);
    rig_assert_no_failure();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        REAL_TEST(several_signals_may_count_as_one),
        REAL_TEST(a_signal_waits_for_its_task),
        REAL_TEST(one_waits_at_a_time),
        REAL_TEST(from_another_thread),
        REAL_TEST(from_a_signal_handler),
        REAL_TEST(no_signal_of_many_is_the_last_lost),
        REAL_TEST(each_signal_wakes),
        cmocka_unit_test(two_runtimes_wake_each_other),
        REAL_TEST(a_cancel_ends_the_wait),
        REAL_TEST(woken_but_not_run),
        REAL_TEST(a_signal_that_meets_a_cancel_is_kept),
        REAL_TEST(free_closes_the_wait),
        REAL_TEST(free_after_the_signal),
        cmocka_unit_test(a_waker_hides_no_deadlock),
        REAL_TEST(without_memory_or_descriptors),
        VIRTUAL_TEST(not_under_the_virtual_clock),
        cmocka_unit_test(outside_of_a_runtime),
        REAL_TEST(others_may_but_signal),
        cmocka_unit_test(freed_after_the_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
