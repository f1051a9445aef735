/* The real clock over libev. Sleeps of a few milliseconds only; nothing is said of how late they
 * may be on a busy machine, only that they are not early. */
#include "rig.h"

#include "base/clock.h"
#include "loop/loop.h"

static int a_sleep_is_never_early(void *arg)
{
    (void)arg;
    for (int64_t ms = 1; ms <= 3; ms++) {
        int64_t start_ns = weir__clock_mono_ns();
        check_int(weir_sleep_ms(ms), 0);
        check(weir__clock_mono_ns() - start_ns >= ms * WEIR__NS_PER_MS);
    }
    int64_t before_ns = weir__clock_mono_ns(), now_ns = weir_now_ns();
    check(before_ns <= now_ns && now_ns <= weir__clock_mono_ns());
    return 0;
}

/* Sleeps that begin at different times cannot be told apart by their lengths: these end at a time
 * that all of them know. */
static int64_t base_ns, last_began_ns;

static int sleep_to_the_time(void *arg)
{
    const struct job *job = arg;
    struct weir__wait wait;
    check_int(weir__wait_begin(&wait), 0);
    last_began_ns = weir_now_ns();
    check_int(weir__park_until(&wait, NULL, base_ns + job->ms * WEIR__NS_PER_MS), 0);
    check(weir_now_ns() >= base_ns + job->ms * WEIR__NS_PER_MS);
    note("%s", job->name);
    return 0;
}

/* Says whether all of them slept before the first was to wake, lead_ms later than it wants: a busy
 * machine may be too slow. */
static bool sleep_all(struct job *jobs, size_t count, int64_t lead_ms)
{
    weir_group *group = rig_group();
    rig_trace_clear();
    base_ns = weir_now_ns() + lead_ms * WEIR__NS_PER_MS;
    for (size_t i = 0; i < count; i++)
        weir_spawn(group, sleep_to_the_time, &jobs[i]);
    check_int(weir_gather(group), 0);
    weir_group_free(group);
    return last_began_ns < base_ns + WEIR__NS_PER_MS;
}

static int sleepers_wake_in_order(void *arg)
{
    struct job jobs[] = {JOB("c", 3, 0), JOB("a", 1, 0), JOB("b", 2, 0), JOB("b2", 2, 0)};
    int64_t lead_ms = 0;
    (void)arg;
    while (!sleep_all(jobs, 4, lead_ms) && lead_ms < 100)
        lead_ms++;
    check(lead_ms < 100);
    check_trace("a b b2 c");
    return 0;
}

static int yield_until_set(void *arg)
{
    const bool *set = arg;
    while (!*set) {
        if (weir_yield() < 0)
            return WEIR_ECANCELED;
    }
    return 0;
}

static int tasks_that_only_yield_do_not_starve_a_sleeper(void *arg)
{
    bool awake = false;
    weir_group *group = rig_group();
    (void)arg;
    weir_spawn(group, yield_until_set, &awake);
    weir_spawn(group, yield_until_set, &awake);
    check_int(weir_sleep_ms(2), 0);
    awake = true;
    check_int(weir_gather(group), 0);
    return weir_group_free(group);
}

static int a_deadline_ends_a_computation_that_asks(void *arg)
{
    weir_deadline limit;
    int64_t start_ns = weir__clock_mono_ns();
    int64_t give_up_ns = start_ns + 10 * WEIR__NS_PER_S;
    (void)arg;
    weir_deadline_begin_ms(&limit, 2);
    while (!weir_cancelled() && weir__clock_mono_ns() < give_up_ns)
        continue;
    check(weir__clock_mono_ns() - start_ns >= 2 * WEIR__NS_PER_MS);
    check(weir__clock_mono_ns() < give_up_ns);
    check_int(weir_deadline_left_ms(), 0);
    check_int(weir_deadline_end(&limit, WEIR_ECANCELED), WEIR_ETIMEDOUT);
    return 0;
}

static int a_deadline_cuts_a_sleep(void *arg)
{
    weir_deadline limit;
    int64_t start_ns = weir__clock_mono_ns();
    (void)arg;
    weir_deadline_begin_ms(&limit, 2);
    check(weir_deadline_left_ms() <= 2);
    check_int(weir_deadline_end(&limit, weir_sleep_ms(60000)), WEIR_ETIMEDOUT);
    check(weir__clock_mono_ns() - start_ns < 30 * WEIR__NS_PER_S);
    return 0;
}

/* ---- libev's own watchers ---- */

static struct weir__wait *waiting;

static void on_watcher(struct ev_loop *ev, ev_prepare *watcher, int events)
{
    (void)events;
    check(weir_task_self() == NULL); /* on the thread's own stack */
    ev_prepare_stop(ev, watcher);
    weir__wake(waiting, 9);
}

static int a_watcher_may_wake_a_task(void *arg)
{
    ev_prepare watcher;
    struct weir__wait wait;
    (void)arg;
    check(weir__rt_ev(weir__rt()) != NULL);
    ev_prepare_init(&watcher, on_watcher);
    ev_prepare_start(weir__rt_ev(weir__rt()), &watcher);
    check_int(weir__wait_begin(&wait), 0);
    waiting = &wait;
    check_int(weir__park(&wait), 9); /* the only watcher there is: no deadlock, though */
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        REAL_TEST(a_sleep_is_never_early),
        REAL_TEST(sleepers_wake_in_order),
        REAL_TEST(tasks_that_only_yield_do_not_starve_a_sleeper),
        REAL_TEST(a_deadline_ends_a_computation_that_asks),
        REAL_TEST(a_deadline_cuts_a_sleep),
        REAL_TEST(a_watcher_may_wake_a_task),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
