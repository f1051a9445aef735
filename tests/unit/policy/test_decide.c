/* The way from an ended attempt to the next one: rules of the caller's, what the server says
 * itself, hooks, deadline, budget. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "policy/backoff.h"
#include "policy/budget.h"

#define MS(x)       ((int64_t)(x)*WEIR__NS_PER_MS)
#define SEC(x)      ((int64_t)(x)*WEIR__NS_PER_S)
#define LENGTH(arr) (sizeof(arr) / sizeof((arr)[0]))
#define POLICY(...) policy_of(WEIR_RETRY_OPTS(__VA_ARGS__))

static struct weir_retry_opts policy_of(const struct weir_retry_opts *opts)
{
    struct weir_retry_opts policy;
    assert_int_equal(weir__retry_init(&policy, opts), 0);
    return policy;
}

static struct weir_attempt answered(int status, enum weir_verdict verdict)
{
    return (struct weir_attempt){.status = status,
                                 .outcome = weir__outcome_of(status, 0),
                                 .sent = WEIR_SENT_ANSWERED,
                                 .number = 1,
                                 .throttled = status == 429,
                                 .server_wait_ms = -1,
                                 .verdict = verdict};
}

static enum weir_why decide_ns(const struct weir_retry_opts *policy, struct weir_attempt *attempt,
                               int64_t *wait_ns)
{
    struct weir__rand rand;
    weir__rand_seed(&rand, 1);
    return weir__retry_decide(policy, attempt, &rand, wait_ns);
}

static enum weir_why decide(const struct weir_retry_opts *policy, struct weir_attempt attempt)
{
    int64_t wait_ns;
    return decide_ns(policy, &attempt, &wait_ns);
}

/* ---- what the server says itself ---- */

static void test_verdicts(void **state)
{
    (void)state;
    static const struct {
        int status;
        enum weir_why by_itself, told_final, told_retry;
    } cases[] = {
        {200, WEIR_WHY_WELL, WEIR_WHY_WELL, WEIR_WHY_WELL},
        {400, WEIR_WHY_NOT_HELPFUL, WEIR_WHY_FINAL, WEIR_WHY_AGAIN_TOLD},
        {429, WEIR_WHY_AGAIN_THROTTLED, WEIR_WHY_FINAL, WEIR_WHY_AGAIN_THROTTLED},
        {500, WEIR_WHY_NOT_SAFE, WEIR_WHY_FINAL, WEIR_WHY_AGAIN_TOLD},
        {503, WEIR_WHY_AGAIN, WEIR_WHY_FINAL, WEIR_WHY_AGAIN_TOLD},
        {0, WEIR_WHY_NOT_HELPFUL, WEIR_WHY_FINAL, WEIR_WHY_NOT_HELPFUL},
    };
    struct weir_retry_opts policy = POLICY(0);
    for (size_t i = 0; i < LENGTH(cases); i++) {
        int status = cases[i].status;
        assert_int_equal(decide(&policy, answered(status, WEIR_VERDICT_NONE)), cases[i].by_itself);
        assert_int_equal(decide(&policy, answered(status, WEIR_VERDICT_FINAL)),
                         cases[i].told_final);
        assert_int_equal(decide(&policy, answered(status, WEIR_VERDICT_RETRY)),
                         cases[i].told_retry);
    }
}

static int always(const struct weir_attempt *attempt, void *seen)
{
    if (seen != NULL)
        *(struct weir_attempt *)seen = *attempt;
    return 1;
}

/* A rule does not overrule what is final; the predicate, which sees it, does. */
static void test_final_is_final_for_rules(void **state)
{
    (void)state;
    struct weir_attempt seen, attempt = answered(429, WEIR_VERDICT_FINAL);
    struct weir_retry_opts policy = POLICY(.retry = weir_retry_if_always());
    attempt.cause = "quota exhausted";
    assert_int_equal(decide(&policy, attempt), WEIR_WHY_FINAL);
    policy = POLICY(.retry_if = always, .retry_if_arg = &seen);
    assert_int_equal(decide(&policy, attempt), WEIR_WHY_AGAIN_RULE);
    assert_int_equal(seen.verdict, WEIR_VERDICT_FINAL);
    assert_int_equal(seen.retry, 0);
    assert_string_equal(seen.cause, "quota exhausted");
}

static void test_outcome_told(void **state)
{
    (void)state;
    static const struct {
        int status, throttled;
        int64_t wait_ms;
        enum weir__verdict verdict;
        enum weir_outcome outcome;
    } cases[] = {
        {200, 0, -1, WEIR__VERDICT_NONE, WEIR_OUTCOME_OK},
        {200, 1, -1, WEIR__VERDICT_NONE, WEIR_OUTCOME_OK},
        {429, 0, -1, WEIR__VERDICT_NONE, WEIR_OUTCOME_THROTTLED},
        {429, 1, 5, WEIR__VERDICT_RETRY, WEIR_OUTCOME_THROTTLED},
        {429, 0, -1, WEIR__VERDICT_FINAL, WEIR_OUTCOME_CLIENT_ERROR},
        {503, 0, 5, WEIR__VERDICT_NONE, WEIR_OUTCOME_THROTTLED},
        {503, 0, 5, WEIR__VERDICT_FINAL, WEIR_OUTCOME_SERVER_ERROR},
        {403, 1, -1, WEIR__VERDICT_NONE, WEIR_OUTCOME_THROTTLED},
        {403, 0, 9, WEIR__VERDICT_NONE, WEIR_OUTCOME_CLIENT_ERROR},
        {529, 1, -1, WEIR__VERDICT_NONE, WEIR_OUTCOME_THROTTLED},
        {529, 0, -1, WEIR__VERDICT_NONE, WEIR_OUTCOME_SERVER_ERROR},
    };
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct weir__told told = {.wait_ms = cases[i].wait_ms,
                                  .verdict = cases[i].verdict,
                                  .throttled = cases[i].throttled};
        assert_int_equal(weir__outcome_told(cases[i].status, &told), cases[i].outcome);
    }
    assert_int_equal(weir__verdict_of(WEIR__VERDICT_NONE), WEIR_VERDICT_NONE);
    assert_int_equal(weir__verdict_of(WEIR__VERDICT_RETRY), WEIR_VERDICT_RETRY);
    assert_int_equal(weir__verdict_of(WEIR__VERDICT_FINAL), WEIR_VERDICT_FINAL);
}

/* ---- the caller's rules ---- */

static void test_a_rule_instead_of_the_own_one(void **state)
{
    (void)state;
    struct weir_retry_opts policy =
        POLICY(.retry = weir_retry_if_any(weir_retry_if_default(), weir_retry_if_status(404, 404)));
    assert_int_equal(decide(&policy, answered(404, WEIR_VERDICT_NONE)), WEIR_WHY_AGAIN_RULE);
    assert_int_equal(decide(&policy, answered(503, WEIR_VERDICT_NONE)), WEIR_WHY_AGAIN);
    assert_int_equal(decide(&policy, answered(400, WEIR_VERDICT_NONE)), WEIR_WHY_NOT_HELPFUL);
    assert_int_equal(decide(&policy, answered(200, WEIR_VERDICT_NONE)), WEIR_WHY_WELL);
    policy = POLICY(.retry = weir_retry_if_never());
    assert_int_equal(decide(&policy, answered(503, WEIR_VERDICT_NONE)), WEIR_WHY_RULE);
}

static void test_try_again_overrules_every_rule(void **state)
{
    (void)state;
    struct weir_attempt asked = {.rc = WEIR_EAGAIN,
                                 .outcome = WEIR_OUTCOME_FAILED,
                                 .sent = WEIR_SENT_MAYBE,
                                 .number = 1,
                                 .server_wait_ms = -1};
    struct weir_retry_opts never = POLICY(.retry = weir_retry_if_never(), .max_attempts = 2);
    assert_int_equal(decide(&never, asked), WEIR_WHY_AGAIN_ASKED);
    asked.number = 2;
    assert_int_equal(decide(&never, asked), WEIR_WHY_ATTEMPTS); /* but no bound */
}

static void test_a_wait_of_the_callers(void **state)
{
    (void)state;
    struct weir_retry_opts policy = POLICY(.wait = weir_wait_fixed_ms(300));
    struct weir_attempt attempt = answered(503, WEIR_VERDICT_NONE);
    int64_t wait_ns;
    assert_int_equal(decide_ns(&policy, &attempt, &wait_ns), WEIR_WHY_AGAIN);
    assert_int_equal(wait_ns, MS(300));
    attempt.server_wait_ms = 2000; /* the server's comes first */
    assert_int_equal(decide_ns(&policy, &attempt, &wait_ns), WEIR_WHY_AGAIN);
    assert_int_equal(wait_ns, MS(2300));
}

static void test_a_stop_of_the_callers(void **state)
{
    (void)state;
    struct weir_attempt attempt = answered(503, WEIR_VERDICT_NONE);
    struct weir_retry_opts policy = POLICY(.stop = weir_stop_never());
    attempt.number = 1u << 31;
    assert_int_equal(decide(&policy, attempt), WEIR_WHY_AGAIN); /* no 5 besides it */
    policy = POLICY(.stop = weir_stop_never(), .max_attempts = 7);
    assert_int_equal(decide(&policy, attempt), WEIR_WHY_ATTEMPTS);
    policy = POLICY(.stop = weir_stop_before_delay_ms(1000), .wait = weir_wait_fixed_ms(600));
    attempt = answered(503, WEIR_VERDICT_NONE);
    attempt.elapsed_ns = MS(399);
    assert_int_equal(decide(&policy, attempt), WEIR_WHY_AGAIN);
    attempt.elapsed_ns = MS(400);
    assert_int_equal(decide(&policy, attempt), WEIR_WHY_STOP);
    policy = POLICY(.stop = weir_stop_after_attempt(1));
    assert_int_equal(decide(&policy, answered(429, WEIR_VERDICT_NONE)), WEIR_WHY_STOP);
    policy = POLICY(.stop = weir_stop_after_attempt(2));
    assert_int_equal(decide(&policy, answered(429, WEIR_VERDICT_NONE)), WEIR_WHY_AGAIN_THROTTLED);
}

static void test_options_that_contradict_each_other(void **state)
{
    (void)state;
    const struct weir_retry_wait one = weir_wait_fixed_ms(1), bad = weir_wait_fixed_ms(-1);
    const struct weir_retry_opts *cases[] = {
        WEIR_RETRY_OPTS(.wait = one, .backoff_base_ms = 1),
        WEIR_RETRY_OPTS(.wait = one, .backoff_max_ms = 1000),
        WEIR_RETRY_OPTS(.retry = weir_retry_if_always(), .retry_if = always),
        WEIR_RETRY_OPTS(.wait = bad),
        WEIR_RETRY_OPTS(.stop = weir_stop_when_event(NULL)),
        WEIR_RETRY_OPTS(.retry = weir_retry_if_status(2, 1)),
        WEIR_RETRY_OPTS(.timeout_ms = -1),
        WEIR_RETRY_OPTS(.attempt_timeout_ms = -1),
    };
    struct weir_retry_opts policy;
    for (size_t i = 0; i < LENGTH(cases); i++)
        assert_int_equal(weir__retry_init(&policy, cases[i]), WEIR_EINVAL);
}

/* ---- functions ---- */

static void test_the_own_rule_for_functions(void **state)
{
    (void)state;
    static const struct {
        int rc;
        enum weir_why why;
    } cases[] = {{0, WEIR_WHY_WELL},
                 {7, WEIR_WHY_WELL},
                 {WEIR_EINVAL, WEIR_WHY_AGAIN},
                 {-12345, WEIR_WHY_AGAIN},
                 {WEIR_ECANCELED, WEIR_WHY_NOT_HELPFUL},
                 {WEIR_EAGAIN, WEIR_WHY_AGAIN_ASKED}};
    struct weir_retry_opts policy = POLICY(0);
    struct weir__rand rand = {{1, 2, 3, 4}};
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct weir_attempt attempt = {.rc = cases[i].rc, .number = 1, .server_wait_ms = -1};
        int64_t wait_ns;
        assert_int_equal(weir__retry_decide_function(&policy, &attempt, &rand, &wait_ns),
                         cases[i].why);
        assert_int_equal(attempt.retry, weir_why_again(cases[i].why));
    }
}

/* ---- around the decision ---- */

static char trace[256];

static void note(const char *word, const struct weir_attempt *attempt)
{
    size_t len = strlen(trace);
    snprintf(trace + len, sizeof trace - len, "%s%u:%lld/%lld ", word, attempt->number,
             (long long)(attempt->wait_ns / WEIR__NS_PER_MS),
             (long long)(attempt->idle_ns / WEIR__NS_PER_MS));
}

static void before(const struct weir_attempt *attempt, void *arg)
{
    (void)arg;
    note("before", attempt);
}

static void after(const struct weir_attempt *attempt, void *arg)
{
    (void)arg;
    note("after", attempt);
}

static void before_sleep(const struct weir_attempt *attempt, void *arg)
{
    (void)arg;
    note("sleep", attempt);
}

static int give_up(const struct weir_attempt *attempt, enum weir_why why, void *arg)
{
    note("giveup", attempt);
    *(enum weir_why *)arg = why;
    return -99;
}

static int retry_if(const struct weir_attempt *attempt, void *arg)
{
    (void)arg;
    note("if", attempt);
    return attempt->retry;
}

static int64_t ten_ms(const struct weir_attempt *attempt, void *arg)
{
    (void)arg;
    note("wait", attempt);
    return attempt->number * 10;
}

/* A call against a server that is down until attempt `well`; what it returns. */
static int call(const struct weir_retry_opts *policy, unsigned well, int64_t deadline_ns)
{
    struct weir_attempt attempt = {.server_wait_ms = -1, .sent = WEIR_SENT_ANSWERED};
    struct weir__rand rand = {{1, 2, 3, 4}};
    int64_t now_ns = SEC(5), wait_ns = 0;
    enum weir_why why = WEIR_WHY_WELL;
    trace[0] = '\0';
    do {
        now_ns += wait_ns;
        weir__retry_begin(policy, &attempt, now_ns);
        now_ns += MS(1);
        attempt.status = attempt.number >= well ? 200 : 503;
        attempt.outcome = weir__outcome_of(attempt.status, 0);
        weir__retry_ended(&attempt, now_ns);
        struct weir__retry_bounds bounds = {.now_ns = now_ns, .deadline_ns = deadline_ns};
        why = weir__retry_decide(policy, &attempt, &rand, &wait_ns);
        why = weir__retry_afford(policy, &attempt, why, &bounds, &wait_ns);
    } while (weir_why_again(why));
    return weir__retry_give_up(policy, &attempt, why);
}

static struct weir_retry_opts traced(enum weir_why *why, unsigned most)
{
    return POLICY(.max_attempts = most, .wait = weir_wait_callback(ten_ms, NULL),
                  .retry_if = retry_if, .before = before, .after = after,
                  .before_sleep = before_sleep, .give_up = give_up, .hook_arg = why);
}

static void test_order(void **state)
{
    (void)state;
    enum weir_why why = WEIR_WHY_WELL;
    struct weir_retry_opts policy = traced(&why, 3);
    assert_int_equal(call(&policy, 2, INT64_MAX), 0);
    assert_string_equal(trace, "before1:0/0 if1:0/0 after1:0/0 wait1:0/0 sleep1:10/10 "
                               "before2:10/10 if2:10/10 ");
    assert_int_equal(why, WEIR_WHY_WELL);
    assert_int_equal(call(&policy, 9, INT64_MAX), -99);
    assert_string_equal(trace, "before1:0/0 if1:0/0 after1:0/0 wait1:0/0 sleep1:10/10 "
                               "before2:10/10 if2:10/10 after2:10/10 wait2:10/10 sleep2:20/30 "
                               "before3:20/30 if3:20/30 after3:20/30 giveup3:20/30 ");
    assert_int_equal(why, WEIR_WHY_ATTEMPTS);
}

static void test_the_wait_would_pass_the_deadline(void **state)
{
    (void)state;
    enum weir_why why = WEIR_WHY_WELL;
    struct weir_retry_opts policy = traced(&why, 3);
    assert_int_equal(call(&policy, 2, SEC(5) + MS(12)), 0); /* 1 + 10 */
    assert_int_equal(call(&policy, 2, SEC(5) + MS(11)), -99);
    assert_int_equal(why, WEIR_WHY_DEADLINE);
    assert_null(strstr(trace, "sleep"));
}

static void test_the_turn_would_come_too_late(void **state)
{
    (void)state;
    struct weir_retry_opts policy = POLICY(.max_elapsed_ms = 100, .wait = weir_wait_fixed_ms(10));
    struct weir_attempt attempt = answered(503, WEIR_VERDICT_NONE);
    struct weir__retry_bounds bounds = {.now_ns = MS(50), .turn_ns = MS(90), .deadline_ns = MS(91)};
    int64_t wait_ns = MS(10);
    attempt.elapsed_ns = MS(50);
    assert_int_equal(weir__retry_afford(&policy, &attempt, WEIR_WHY_AGAIN, &bounds, &wait_ns),
                     WEIR_WHY_AGAIN);
    assert_int_equal(wait_ns, MS(10)); /* the turn is waited for in the queue */
    bounds.turn_ns = MS(91);
    assert_int_equal(weir__retry_afford(&policy, &attempt, WEIR_WHY_AGAIN, &bounds, &wait_ns),
                     WEIR_WHY_DEADLINE);
    bounds.deadline_ns = INT64_MAX;
    bounds.turn_ns = MS(100);
    assert_int_equal(weir__retry_afford(&policy, &attempt, WEIR_WHY_AGAIN, &bounds, &wait_ns),
                     WEIR_WHY_ELAPSED);
}

/* ---- budget ---- */

static struct weir_retry_budget budget_of(const struct weir_retry_budget_opts *opts)
{
    struct weir_retry_budget budget;
    assert_int_equal(weir__budget_init(&budget, opts), 0);
    return budget;
}

static void test_budget_is_spent_by_failures_and_filled_by_success(void **state)
{
    (void)state;
    enum weir_why why = WEIR_WHY_WELL;
    struct weir_retry_budget budget =
        budget_of(WEIR_RETRY_BUDGET_OPTS(.ratio_percent = 50, .min_per_s = -1, .capacity = 3));
    struct weir_retry_opts policy = traced(&why, 3);
    policy.budget = &budget;
    assert_int_equal(call(&policy, 9, INT64_MAX), -99);
    assert_int_equal(why, WEIR_WHY_ATTEMPTS);
    assert_int_equal(budget.level / 10000000, 100); /* two of three are gone */
    assert_int_equal(call(&policy, 9, INT64_MAX), -99);
    assert_int_equal(why, WEIR_WHY_BUDGET);
    assert_string_equal(trace, "before1:0/0 if1:0/0 after1:0/0 wait1:0/0 sleep1:10/10 "
                               "before2:10/10 if2:10/10 after2:10/10 wait2:10/10 giveup2:10/10 ");
    assert_int_equal(call(&policy, 1, INT64_MAX), 0);
    assert_int_equal(budget.level / 10000000, 50);
    assert_int_equal(call(&policy, 1, INT64_MAX), 0);
    assert_int_equal(call(&policy, 2, INT64_MAX), 0); /* one retry, one success */
    assert_int_equal(budget.level / 10000000, 50);
}

static void test_throttled_do_not_burn_the_budget(void **state)
{
    (void)state;
    struct weir_retry_budget budget =
        budget_of(WEIR_RETRY_BUDGET_OPTS(.ratio_percent = -1, .min_per_s = -1, .capacity = 1));
    struct weir_retry_opts policy = POLICY(.budget = &budget);
    struct weir__retry_bounds bounds = {.deadline_ns = INT64_MAX};
    struct weir_attempt attempt = answered(429, WEIR_VERDICT_NONE);
    int64_t wait_ns = 0;
    for (int i = 0; i < 5; i++)
        assert_int_equal(weir__retry_afford(&policy, &attempt, WEIR_WHY_AGAIN_THROTTLED, &bounds,
                                            &wait_ns),
                         WEIR_WHY_AGAIN_THROTTLED);
    weir__retry_undo(&policy, &attempt);
    assert_int_equal(weir__budget_available(&budget, 0), 1);
    attempt = answered(503, WEIR_VERDICT_NONE);
    assert_int_equal(weir__retry_afford(&policy, &attempt, WEIR_WHY_AGAIN, &bounds, &wait_ns),
                     WEIR_WHY_AGAIN);
    assert_int_equal(weir__retry_afford(&policy, &attempt, WEIR_WHY_AGAIN, &bounds, &wait_ns),
                     WEIR_WHY_BUDGET);
    weir__retry_undo(&policy, &attempt);
    assert_int_equal(weir__budget_available(&budget, 0), 1);
}

/* What shows that the server works; not what is only not tried again. */
static void test_what_fills_the_budget(void **state)
{
    (void)state;
    static const struct {
        int status, brings;
    } cases[] = {{200, 1}, {404, 1}, {500, 0}, {503, 0}, {429, 0}, {0, 0}};
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct weir_retry_budget budget =
            budget_of(WEIR_RETRY_BUDGET_OPTS(.ratio_percent = 100, .min_per_s = -1, .capacity = 9));
        struct weir_retry_opts policy = POLICY(.budget = &budget);
        budget.level = 0;
        decide(&policy, answered(cases[i].status, WEIR_VERDICT_NONE));
        assert_int_equal(weir__budget_available(&budget, 0), cases[i].brings);
    }
}

/* What cannot be in time costs nothing. */
static void test_a_slow_budget_lengthens_the_wait(void **state)
{
    (void)state;
    struct weir_retry_budget budget =
        budget_of(WEIR_RETRY_BUDGET_OPTS(.min_per_s = 2, .capacity = 1, .slows = 1));
    struct weir_retry_opts policy = POLICY(.budget = &budget);
    struct weir__retry_bounds bounds = {.deadline_ns = MS(900)};
    struct weir_attempt attempt = answered(503, WEIR_VERDICT_NONE);
    static const struct {
        enum weir_why why;
        int64_t wait_ms;
    } expected[] = {{WEIR_WHY_AGAIN, 10}, {WEIR_WHY_AGAIN, 500}, {WEIR_WHY_DEADLINE, 0}};
    for (size_t i = 0; i < LENGTH(expected); i++) {
        int64_t wait_ns = MS(10);
        assert_int_equal(weir__retry_afford(&policy, &attempt, WEIR_WHY_AGAIN, &bounds, &wait_ns),
                         expected[i].why);
        if (expected[i].why == WEIR_WHY_AGAIN)
            assert_int_equal(wait_ns, MS(expected[i].wait_ms));
    }
    assert_int_equal(attempt.wait_ns, MS(500));
    assert_int_equal(attempt.idle_ns, MS(510));
    assert_int_equal(weir__budget_available(&budget, 0), -1);
}

/* ---- words ---- */

static void test_each_reason_has_its_text(void **state)
{
    (void)state;
    static const enum weir_why all[] = {
#define WHY(number, name, text) WEIR_WHY_##name,
        WEIR_WHY_MAP(WHY)
#undef WHY
    };
    for (size_t i = 0; i < LENGTH(all); i++) {
        const char *text = weir_why_text(all[i]);
        assert_int_equal(all[i], i);
        assert_int_equal(weir_why_again(all[i]), strncmp(text, "retry:", 6) == 0);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(text, weir_why_text(all[k]));
    }
    assert_string_equal(weir_why_text((enum weir_why)LENGTH(all)), "unknown reason");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_final_is_final_for_rules),
        cmocka_unit_test(test_outcome_told),
        cmocka_unit_test(test_a_rule_instead_of_the_own_one),
        cmocka_unit_test(test_try_again_overrules_every_rule),
        cmocka_unit_test(test_a_wait_of_the_callers),
        cmocka_unit_test(test_a_stop_of_the_callers),
        cmocka_unit_test(test_options_that_contradict_each_other),
        cmocka_unit_test(test_the_own_rule_for_functions),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_the_wait_would_pass_the_deadline),
        cmocka_unit_test(test_the_turn_would_come_too_late),
        cmocka_unit_test(test_budget_is_spent_by_failures_and_filled_by_success),
        cmocka_unit_test(test_throttled_do_not_burn_the_budget),
        cmocka_unit_test(test_what_fills_the_budget),
        cmocka_unit_test(test_a_slow_budget_lengthens_the_wait),
        cmocka_unit_test(test_each_reason_has_its_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
