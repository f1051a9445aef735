/* Any function, tried again: weir_retry under the virtual clock. */
#include <weir/retry.h>
#include <weir/sync.h>

#include "base/clock.h"
#include "base/mem.h"
#include "rig.h"

enum { CALLS_MAX = 64 };

/* A function that fails so many times. */
struct flaky {
    unsigned failures;
    int rc, value;    /* what it returns when it fails (0: WEIR_EIO), and then */
    int64_t takes_ms; /* each time */
    int64_t begun_ms[CALLS_MAX];
    unsigned calls;
    int slept_rc;
    struct weir_retry_stats stats;
    unsigned stats_inside[CALLS_MAX];
    weir_event *set_after;
    unsigned set_at; /* the call that sets it */
};

static int flaky_run(void *arg)
{
    struct flaky *flaky = arg;
    if (flaky->calls < CALLS_MAX) {
        flaky->begun_ms[flaky->calls] = weir_now_ms();
        flaky->stats_inside[flaky->calls] = flaky->stats.attempts;
    }
    if (++flaky->calls == flaky->set_at)
        weir_event_set(flaky->set_after);
    if (flaky->takes_ms > 0)
        flaky->slept_rc = weir_sleep_ms(flaky->takes_ms);
    if (flaky->slept_rc < 0)
        return flaky->slept_rc;
    if (flaky->calls > flaky->failures)
        return flaky->value;
    return flaky->rc != 0 ? flaky->rc : WEIR_EIO;
}

#define FLAKY(...)                                                                                 \
    {                                                                                              \
        .stats = {.size = sizeof(struct weir_retry_stats)}, __VA_ARGS__                            \
    }

static int retry(const struct weir_retry_opts *opts, struct flaky *flaky)
{
    return weir_retry(opts, flaky_run, flaky, &flaky->stats);
}
#define RETRY(flaky, ...) retry(WEIR_RETRY_OPTS(__VA_ARGS__), (flaky))

/* When the calls began, from the first one on. */
static void check_begun(const struct flaky *flaky, unsigned count, const int64_t *expected_ms)
{
    check_int(flaky->calls, count);
    for (unsigned i = 0; i < count && i < flaky->calls; i++)
        check_int(flaky->begun_ms[i] - flaky->begun_ms[0], expected_ms[i]);
}
#define CHECK_BEGUN(flaky, ...)                                                                    \
    check_begun((flaky), sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t),                 \
                (const int64_t[]){__VA_ARGS__})

/* ---- how often, how long ---- */

static int until_it_goes_well(void *arg)
{
    struct flaky flaky = FLAKY(.failures = 3, .value = 42, .takes_ms = 5);
    (void)arg;
    int64_t start_ms = weir_now_ms();
    check_int(RETRY(&flaky, .wait = weir_wait_exponential_ms(100, 200, 0, 10000)), 42);
    CHECK_BEGUN(&flaky, 0, 105, 310, 715);
    check_int(flaky.stats.attempts, 4);
    check_int(flaky.stats.why, WEIR_WHY_WELL);
    check_int(flaky.stats.started_ms, start_ms);
    check_int(flaky.stats.idle_ms, 700);
    check_int(flaky.stats.elapsed_ms, 720);
    for (unsigned i = 0; i < 4; i++)
        check_int(flaky.stats_inside[i], i + 1);
    return 0;
}

static int nothing_is_slept_after_the_last_attempt(void *arg)
{
    struct flaky flaky = FLAKY(.failures = 99);
    (void)arg;
    int64_t start_ms = weir_now_ms();
    check_int(RETRY(&flaky, .max_attempts = 3, .wait = weir_wait_fixed_ms(100)), WEIR_EIO);
    CHECK_BEGUN(&flaky, 0, 100, 200);
    check_int(weir_now_ms() - start_ms, 200);
    check_int(flaky.stats.why, WEIR_WHY_ATTEMPTS);
    check_int(flaky.stats.idle_ms, 200);
    return 0;
}

static int defaults(void *arg)
{
    struct flaky flaky = FLAKY(.failures = 99, .rc = -12345);
    (void)arg;
    check_int(weir_retry(NULL, flaky_run, &flaky, NULL), -12345);
    check_int(flaky.calls, 5);
    check(flaky.begun_ms[4] - flaky.begun_ms[0] <= 500 + 1000 + 2000 + 4000);
    struct flaky cancelled = FLAKY(.failures = 99, .rc = WEIR_ECANCELED);
    check_int(weir_retry(NULL, flaky_run, &cancelled, NULL), WEIR_ECANCELED);
    check_int(cancelled.calls, 1);
    return 0;
}

static int other_rules(void *arg)
{
    (void)arg;
    struct flaky flaky = FLAKY(.failures = 99);
    check_int(RETRY(&flaky, .retry = weir_retry_if_error(WEIR_EBUSY)), WEIR_EIO);
    check_int(flaky.calls, 1);
    check_int(flaky.stats.why, WEIR_WHY_RULE);
    flaky = (struct flaky)FLAKY(.failures = 2, .rc = WEIR_EAGAIN);
    check_int(RETRY(&flaky, .retry = weir_retry_if_never(), .wait = weir_wait_none()), 0);
    check_int(flaky.calls, 3);
    flaky = (struct flaky)FLAKY(.failures = 2, .rc = 7);
    check_int(RETRY(&flaky, .retry = weir_retry_if_always(), .wait = weir_wait_none(),
                    .max_attempts = 6),
              0);
    check_int(flaky.calls, 6);
    check_int(flaky.stats.why, WEIR_WHY_ATTEMPTS);
    return 0;
}

static int a_wait_of_nothing_lets_others_run(void *arg)
{
    struct flaky flaky = FLAKY(.failures = 2);
    struct job job = JOB("other", 0, 0);
    weir_group *group = rig_group();
    (void)arg;
    weir_spawn(group, job_run, &job);
    check_int(RETRY(&flaky, .wait = weir_wait_none()), 0);
    check_int(job.runs, 1);
    check_int(weir_group_free(group), 0);
    return 0;
}

static int decorrelated_jitter_knows_its_last_wait(void *arg)
{
    (void)arg;
    struct flaky flaky = FLAKY(.failures = 99);
    check_int(RETRY(&flaky, .stop = weir_stop_after_attempt(60),
                    .wait = weir_wait_decorrelated_ms(10, 100000)),
              WEIR_EIO);
    int64_t last_ms = 10, most_ms = 0;
    for (unsigned i = 1; i < flaky.calls; i++) {
        int64_t wait_ms = flaky.begun_ms[i] - flaky.begun_ms[i - 1];
        check(wait_ms >= 10 && wait_ms <= 3 * (last_ms + 1));
        last_ms = wait_ms > 10 ? wait_ms : 10;
        most_ms = wait_ms > most_ms ? wait_ms : most_ms;
    }
    check(most_ms > 1000);
    return 0;
}

static int stop_when_an_event_is_set(void *arg)
{
    weir_event *event = NULL;
    (void)arg;
    check_int(weir_event_new(&event), 0);
    struct flaky flaky = FLAKY(.failures = 99, .set_after = event, .set_at = 3);
    check_int(RETRY(&flaky, .stop = weir_stop_any(weir_stop_when_event(event),
                                                  weir_stop_after_attempt(50))),
              WEIR_EIO);
    check_int(flaky.calls, 3);
    check_int(flaky.stats.why, WEIR_WHY_STOP);
    weir_event_free(event);
    return 0;
}

/* ---- limits of time ---- */

static int each_attempt_has_its_time(void *arg)
{
    struct flaky flaky = FLAKY(.takes_ms = 1000);
    (void)arg;
    check_int(RETRY(&flaky, .attempt_timeout_ms = 50, .max_attempts = 3,
                    .wait = weir_wait_fixed_ms(10)),
              WEIR_EATTEMPTTIME);
    CHECK_BEGUN(&flaky, 0, 60, 120);
    flaky = (struct flaky)FLAKY(.takes_ms = 49, .failures = 1);
    check_int(RETRY(&flaky, .attempt_timeout_ms = 50), 0);
    return 0;
}

static int the_call_has_its_time(void *arg)
{
    (void)arg;
    int64_t start_ms = weir_now_ms();
    struct flaky flaky = FLAKY(.takes_ms = 1000);
    check_int(RETRY(&flaky, .timeout_ms = 300), WEIR_ETIMEDOUT);
    check_int(flaky.calls, 1);
    check_int(flaky.stats.why, WEIR_WHY_CANCELED);
    check_int(weir_now_ms() - start_ms, 300);

    start_ms = weir_now_ms();
    flaky = (struct flaky)FLAKY(.failures = 99);
    check_int(RETRY(&flaky, .timeout_ms = 250, .wait = weir_wait_fixed_ms(100)), WEIR_EIO);
    CHECK_BEGUN(&flaky, 0, 100, 200);
    check_int(weir_now_ms() - start_ms, 200); /* the last error now, not after a wait in vain */
    check_int(flaky.stats.why, WEIR_WHY_DEADLINE);
    return 0;
}

static int a_deadline_outside_is_seen(void *arg)
{
    struct flaky flaky = FLAKY(.failures = 99);
    weir_deadline limit;
    (void)arg;
    int64_t start_ms = weir_now_ms();
    weir_deadline_begin_ms(&limit, 200);
    int rc = RETRY(&flaky, .wait = weir_wait_fixed_ms(100));
    check_int(weir_deadline_end(&limit, rc), WEIR_EIO);
    CHECK_BEGUN(&flaky, 0, 100); /* one that began at 200 would have no time at all */
    check_int(weir_now_ms() - start_ms, 100);
    flaky = (struct flaky)FLAKY(.takes_ms = 500);
    weir_deadline_begin_ms(&limit, 200);
    rc = RETRY(&flaky, .attempt_timeout_ms = 300);
    check_int(rc, WEIR_ECANCELED);
    check_int(weir_deadline_end(&limit, rc), WEIR_ETIMEDOUT);
    check_int(flaky.calls, 1);
    return 0;
}

static int retrier(void *arg)
{
    return RETRY((struct flaky *)arg, .wait = weir_wait_fixed_ms(1000));
}

static int a_cancel_is_seen(void *arg)
{
    static const int64_t takes_ms[] = {0, 900};
    (void)arg;
    for (size_t i = 0; i < 2; i++) { /* in the wait, in the attempt */
        struct flaky flaky = FLAKY(.failures = 99, .takes_ms = takes_ms[i]);
        weir_group *group = rig_group();
        weir_task *task = weir_spawn(group, retrier, &flaky);
        check_int(weir_sleep_ms(500), 0);
        weir_group_cancel(group);
        check_int(weir_await(task), WEIR_ECANCELED);
        check_int(flaky.calls, 1);
        check_int(flaky.stats.why, WEIR_WHY_CANCELED);
        check_int(weir_group_free(group), 0);
    }
    return 0;
}

/* ---- hooks ---- */

struct hooked {
    struct weir_retry_stats *stats;
    int answer;
};

static void before(const struct weir_attempt *attempt, void *arg)
{
    (void)arg;
    note("before%u", attempt->number);
}

static void after(const struct weir_attempt *attempt, void *arg)
{
    (void)arg;
    note("after%u(%d)", attempt->number, attempt->rc);
}

static void before_sleep(const struct weir_attempt *attempt, void *arg)
{
    (void)arg;
    note("sleep%u(%d)", attempt->number, (int)(attempt->wait_ns / WEIR__NS_PER_MS));
}

static int give_up(const struct weir_attempt *attempt, enum weir_why why, void *arg)
{
    const struct hooked *hooked = arg;
    note("giveup%u(%s)", attempt->number, weir_why_text(why));
    return hooked->answer;
}

static int hooks_are_called_in_order(void *arg)
{
    struct flaky flaky = FLAKY(.failures = 2, .rc = -50);
    struct hooked hooked = {.answer = 77};
    const struct weir_retry_opts *opts =
        WEIR_RETRY_OPTS(.max_attempts = 3, .wait = weir_wait_incrementing_ms(10, 10, 99),
                        .before = before, .after = after, .before_sleep = before_sleep,
                        .give_up = give_up, .hook_arg = &hooked);
    (void)arg;
    check_int(retry(opts, &flaky), 0);
    check_trace("before1 after1(-50) sleep1(10) before2 after2(-50) sleep2(20) before3");
    flaky = (struct flaky)FLAKY(.failures = 3, .rc = -50);
    check_int(retry(opts, &flaky), 77);
    check_trace("before1 after1(-50) sleep1(10) before2 after2(-50) sleep2(20) before3 after3(-50) "
                "giveup3(max_attempts reached)");
    return 0;
}

/* ---- many at once ---- */

struct one_of_many {
    struct flaky flaky;
    const struct weir_retry_opts *opts;
    int rc;
};

static int one_of_many(void *arg)
{
    struct one_of_many *one = arg;
    return one->rc = retry(one->opts, &one->flaky);
}

/* One policy for all: each has its own count, waits and statistics. */
static int calls_do_not_see_each_other(void *arg)
{
    enum { MANY = 7 };
    const struct weir_retry_opts *opts =
        WEIR_RETRY_OPTS(.max_attempts = 5, .wait = weir_wait_exponential_ms(10, 200, 0, 1000));
    struct one_of_many many[MANY];
    weir_group *group = rig_group();
    (void)arg;
    for (unsigned i = 0; i < MANY; i++) {
        many[i] = (struct one_of_many){.opts = opts, .flaky = FLAKY(.failures = i, .takes_ms = i)};
        weir_spawn(group, one_of_many, &many[i]);
    }
    weir_gather(group);
    for (unsigned i = 0; i < MANY; i++) {
        unsigned attempts = i < 5 ? i + 1 : 5;
        check_int(many[i].rc, i < 5 ? 0 : WEIR_EIO);
        check_int(many[i].flaky.stats.attempts, attempts);
        check_int(many[i].flaky.stats.idle_ms, 10 * ((1 << (attempts - 1)) - 1));
    }
    check_int(weir_group_free(group), 0);
    return 0;
}

static weir_retry_budget *budget_of(const struct weir_retry_budget_opts *opts)
{
    weir_retry_budget *budget = NULL;
    check_int(weir_retry_budget_new(&budget, opts), 0);
    return budget;
}
#define BUDGET(...) budget_of(WEIR_RETRY_BUDGET_OPTS(__VA_ARGS__))

static int one_budget_for_all(void *arg)
{
    enum { MANY = 20 };
    weir_retry_budget *budget = BUDGET(.ratio_percent = -1, .min_per_s = -1, .capacity = 7);
    const struct weir_retry_opts *opts =
        WEIR_RETRY_OPTS(.budget = budget, .wait = weir_wait_fixed_ms(10), .max_attempts = 2);
    struct one_of_many many[MANY];
    weir_group *group = rig_group();
    (void)arg;
    for (unsigned i = 0; i < MANY; i++) {
        many[i] = (struct one_of_many){.opts = opts, .flaky = FLAKY(.failures = 99)};
        weir_spawn(group, one_of_many, &many[i]);
    }
    weir_gather(group);
    unsigned retried = 0, refused = 0;
    for (unsigned i = 0; i < MANY; i++) {
        retried += many[i].flaky.calls == 2;
        refused += many[i].flaky.stats.why == WEIR_WHY_BUDGET;
        check_int(many[i].flaky.stats.idle_ms, many[i].flaky.calls == 2 ? 10 : 0);
    }
    check_int(retried, 7);
    check_int(refused, MANY - 7);
    struct weir_retry_budget_stats stats = {.size = sizeof stats};
    check_int(weir_retry_budget_stats(budget, &stats), 0);
    check_int(stats.available, 0);
    check_int((int64_t)stats.retries, 7);
    check_int((int64_t)stats.refused, MANY - 7);
    weir_retry_budget_free(budget);
    check_int(weir_group_free(group), 0);
    return 0;
}

/* Nobody fails for want of a token, and the retries leave at its rate. */
static int a_slow_budget(void *arg)
{
    enum { MANY = 10 };
    weir_retry_budget *budget = BUDGET(.min_per_s = 10, .capacity = 1, .slows = 1);
    const struct weir_retry_opts *opts =
        WEIR_RETRY_OPTS(.budget = budget, .wait = weir_wait_none(), .max_attempts = 2);
    struct one_of_many many[MANY];
    weir_group *group = rig_group();
    (void)arg;
    for (unsigned i = 0; i < MANY; i++) {
        many[i] = (struct one_of_many){.opts = opts, .flaky = FLAKY(.failures = 1)};
        weir_spawn(group, one_of_many, &many[i]);
    }
    check_int(weir_gather(group), 0);
    for (unsigned i = 0; i < MANY; i++)
        check_int(many[i].flaky.begun_ms[1] - many[i].flaky.begun_ms[0], 100 * (int64_t)i);
    weir_retry_budget_free(budget);
    check_int(weir_group_free(group), 0);
    return 0;
}

/* A call that is cancelled in its wait did not retry; a budget lives as long as a call has it. */
static int a_cancelled_wait_gives_its_token_back(void *arg)
{
    weir_retry_budget *budget = BUDGET(.min_per_s = -1, .capacity = 5);
    const struct weir_retry_opts *opts =
        WEIR_RETRY_OPTS(.budget = budget, .wait = weir_wait_fixed_ms(1000));
    struct one_of_many one = {.opts = opts, .flaky = FLAKY(.failures = 99)};
    weir_group *group = rig_group();
    (void)arg;
    weir_spawn(group, one_of_many, &one);
    check_int(weir_sleep_ms(500), 0);
    struct weir_retry_budget_stats stats = {.size = sizeof stats};
    check_int(weir_retry_budget_stats(budget, &stats), 0);
    check_int(stats.available, 4);
    weir_group_cancel(group);
    check_int(weir_yield(), 0);
    check_int(weir_retry_budget_stats(budget, &stats), 0);
    check_int(stats.available, 5);
    check_int((int64_t)stats.retries, 0);
    one.flaky = (struct flaky)FLAKY(.failures = 3);
    weir_spawn(group, one_of_many, &one);
    check_int(weir_sleep_ms(500), 0);
    weir_retry_budget_free(budget);
    weir_gather(group);
    check_int(one.rc, 0);
    check_int(weir_group_free(group), 0);
    return 0;
}

/* ---- mistakes ---- */

static int bad_options(void *arg)
{
    struct flaky flaky = FLAKY(.failures = 0);
    struct weir_retry_wait overfull = weir_wait_none();
    (void)arg;
    for (int i = 0; i < WEIR_RULE_NODES; i++)
        overfull = weir_wait_sum(overfull, weir_wait_none());
    check_int(RETRY(&flaky, .wait = overfull), WEIR_EINVAL);
    check_int(RETRY(&flaky, .stop = weir_stop_when_event(NULL)), WEIR_EINVAL);
    check_int(RETRY(&flaky, .timeout_ms = -1), WEIR_EINVAL);
    check_int(weir_retry(NULL, NULL, NULL, NULL), WEIR_EINVAL);
    flaky.stats.size = 0;
    check_int(RETRY(&flaky, .max_attempts = 1), WEIR_EINVAL);
    check_int(flaky.calls, 0);
    weir_retry_budget *budget = NULL;
    check_int(weir_retry_budget_new(&budget, WEIR_RETRY_BUDGET_OPTS(.capacity = -1)), WEIR_EINVAL);
    weir__mem_fail_at(1);
    check_int(weir_retry_budget_new(&budget, NULL), WEIR_ENOMEM);
    weir__mem_fail_at(0);
    check(budget == NULL);
    weir_retry_budget_free(NULL);
    struct weir_retry_budget_stats stats = {.size = 0};
    budget = budget_of(NULL);
    check_int(weir_retry_budget_stats(budget, &stats), WEIR_EINVAL);
    weir_retry_budget_free(budget);
    return 0;
}

static void outside_of_a_runtime(void **state)
{
    struct flaky flaky = FLAKY(.failures = 0);
    (void)state;
    assert_int_equal(weir_retry(NULL, flaky_run, &flaky, NULL), WEIR_ENORUNTIME);
    assert_int_equal(flaky.calls, 0);
    weir_retry_budget *budget = NULL;
    struct weir_retry_budget_stats stats = {.size = sizeof stats};
    assert_int_equal(weir_retry_budget_new(&budget, NULL), 0);
    assert_int_equal(weir_retry_budget_stats(budget, &stats), 0);
    assert_int_equal(stats.available, 100);
    weir_retry_budget_free(budget);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(until_it_goes_well),
        VIRTUAL_TEST(nothing_is_slept_after_the_last_attempt),
        VIRTUAL_TEST(defaults),
        VIRTUAL_TEST(other_rules),
        VIRTUAL_TEST(a_wait_of_nothing_lets_others_run),
        VIRTUAL_TEST(decorrelated_jitter_knows_its_last_wait),
        VIRTUAL_TEST(stop_when_an_event_is_set),
        VIRTUAL_TEST(each_attempt_has_its_time),
        VIRTUAL_TEST(the_call_has_its_time),
        VIRTUAL_TEST(a_deadline_outside_is_seen),
        VIRTUAL_TEST(a_cancel_is_seen),
        VIRTUAL_TEST(hooks_are_called_in_order),
        VIRTUAL_TEST(calls_do_not_see_each_other),
        VIRTUAL_TEST(one_budget_for_all),
        VIRTUAL_TEST(a_slow_budget),
        VIRTUAL_TEST(a_cancelled_wait_gives_its_token_back),
        VIRTUAL_TEST(bad_options),
        cmocka_unit_test(outside_of_a_runtime),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
