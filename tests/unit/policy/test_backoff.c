/* Whether an attempt is followed by another, and after what wait. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "policy/backoff.h"

#define MS(x)       ((int64_t)(x)*WEIR__NS_PER_MS)
#define SEC(x)      ((int64_t)(x)*WEIR__NS_PER_S)
#define LENGTH(arr) (sizeof(arr) / sizeof((arr)[0]))

static struct weir_retry_opts policy_of(const struct weir_retry_opts *opts)
{
    struct weir_retry_opts policy;
    assert_int_equal(weir__retry_init(&policy, opts), 0);
    return policy;
}

static struct weir_attempt answered(int status, int replay)
{
    return (struct weir_attempt){.status = status,
                                 .outcome = weir__outcome_of(status, 0),
                                 .sent = WEIR_SENT_ANSWERED,
                                 .replay = replay,
                                 .number = 1,
                                 .server_wait_ms = -1};
}

static struct weir_attempt failed(int rc, enum weir_sent sent, int replay)
{
    return (struct weir_attempt){.rc = rc,
                                 .outcome = WEIR_OUTCOME_FAILED,
                                 .sent = sent,
                                 .replay = replay,
                                 .number = 1,
                                 .server_wait_ms = -1};
}

static enum weir_why decide(const struct weir_retry_opts *policy, struct weir_attempt *attempt,
                            int64_t elapsed_ms)
{
    struct weir__rand rand;
    weir__rand_seed(&rand, 1);
    int64_t wait_ns = -1;
    attempt->elapsed_ns = weir__ms_to_ns(elapsed_ms);
    enum weir_why why = weir__retry_decide(policy, attempt, &rand, &wait_ns);
    assert_true(wait_ns >= 0);
    if (!weir_why_again(why))
        assert_int_equal(wait_ns, 0);
    return why;
}

/* What weir's own rule says; the decision and the `retry` member agree. */
static bool again(struct weir_attempt attempt)
{
    struct weir_retry_opts policy = policy_of(NULL);
    attempt.retry = -1;
    bool yes = weir_why_again(decide(&policy, &attempt, 0));
    assert_int_equal(attempt.retry, yes);
    return yes;
}

static void test_ceiling_vectors(void **state)
{
    (void)state;
    static const int64_t unbounded_ms[] = {1000, 2000, 4000, 8000, 16000, 32000, 64000, 128000};
    for (unsigned n = 1; n <= LENGTH(unbounded_ms); n++) {
        int64_t at_most_40_ms = unbounded_ms[n - 1] < 40000 ? unbounded_ms[n - 1] : 40000;
        assert_int_equal(weir__backoff_ceiling_ms(1000, INT64_MAX, n), unbounded_ms[n - 1]);
        assert_int_equal(weir__backoff_ceiling_ms(1000, 40000, n), at_most_40_ms);
    }
    assert_int_equal(weir__backoff_ceiling_ms(1000, 40000, 50), 40000);
    assert_int_equal(weir__backoff_ceiling_ms(1000, INT64_MAX, 20), 524288000);
    assert_int_equal(weir__backoff_ceiling_ms(1000, INT64_MAX, 0), 500);
    assert_int_equal(weir__backoff_ceiling_ms(0, 40000, 5), 0);
    assert_int_equal(weir__backoff_ceiling_ms(-1000, 40000, 5), 0);
    assert_int_equal(weir__backoff_ceiling_ms(INT64_MAX, 1, 1), 1);
    assert_int_equal(weir__backoff_ceiling_ms(INT64_MAX, 1, 0), 1);
    assert_int_equal(weir__backoff_ceiling_ms(1000, 0, 1), 0);
}

static void test_ceiling_never_overflows(void **state)
{
    (void)state;
    static const unsigned attempts[] = {63, 64, 65, 1025, 1u << 31, UINT_MAX};
    for (size_t i = 0; i < LENGTH(attempts); i++) {
        assert_int_equal(weir__backoff_ceiling_ms(1000, 60000, attempts[i]), 60000);
        assert_int_equal(weir__backoff_ceiling_ms(1000, INT64_MAX, attempts[i]), INT64_MAX);
    }
    assert_int_equal(weir__backoff_ceiling_ms(1, INT64_MAX, 63), INT64_C(1) << 62);
    assert_int_equal(weir__backoff_ceiling_ms(1, INT64_MAX, 64), INT64_MAX);
    assert_int_equal(weir__backoff_ceiling_ms(3, INT64_MAX, 62), INT64_C(3) << 61);
    assert_int_equal(weir__backoff_ceiling_ms(3, INT64_MAX, 63), INT64_MAX);
}

static int64_t mean_wait_ns(const struct weir_retry_opts *policy, unsigned number)
{
    enum { DRAWS = 4000 };
    struct weir__rand rand;
    weir__rand_seed(&rand, number);
    int64_t sum_ns = 0,
            ceiling_ns = weir__ms_to_ns(
                weir__backoff_ceiling_ms(policy->backoff_base_ms, policy->backoff_max_ms, number));
    for (int i = 0; i < DRAWS; i++) {
        struct weir_attempt attempt = answered(500, 1);
        attempt.number = number;
        int64_t wait_ns;
        assert_int_equal(weir__retry_decide(policy, &attempt, &rand, &wait_ns), WEIR_WHY_AGAIN);
        assert_in_range(wait_ns, 0, ceiling_ns);
        sum_ns += wait_ns;
    }
    return sum_ns / DRAWS;
}

static void test_full_jitter_means(void **state)
{
    (void)state;
    static const int64_t means_ms[] = {250, 500, 1000, 2000, 4000, 8000, 16000, 30000, 30000};
    struct weir_retry_opts policy = policy_of(
        WEIR_RETRY_OPTS(.max_attempts = 100, .backoff_base_ms = 500, .backoff_max_ms = 60000));
    for (unsigned n = 1; n <= LENGTH(means_ms); n++)
        assert_in_range(mean_wait_ns(&policy, n), MS(means_ms[n - 1]) * 92 / 100,
                        MS(means_ms[n - 1]) * 108 / 100);
}

/* Every wait of the range comes, so the jitter is full, at the ceiling too. */
static void test_jitter_fills_its_range(void **state)
{
    (void)state;
    struct weir_retry_opts policy = policy_of(
        WEIR_RETRY_OPTS(.max_attempts = 1000, .backoff_base_ms = 100, .backoff_max_ms = 1000));
    struct weir__rand rand;
    weir__rand_seed(&rand, 3);
    int tenths[10] = {0};
    for (int i = 0; i < 10000; i++) {
        struct weir_attempt attempt = answered(503, 0);
        attempt.number = 20;
        int64_t wait_ns;
        weir__retry_decide(&policy, &attempt, &rand, &wait_ns);
        tenths[wait_ns < SEC(1) ? wait_ns / MS(100) : 9]++;
    }
    for (size_t i = 0; i < LENGTH(tenths); i++)
        assert_in_range(tenths[i], 850, 1150);
}

static void test_jitter_only_lengthens_the_servers_wait(void **state)
{
    (void)state;
    struct weir_retry_opts policy =
        policy_of(WEIR_RETRY_OPTS(.backoff_base_ms = 1000, .backoff_max_ms = 1000));
    struct weir__rand rand;
    weir__rand_seed(&rand, 4);
    int64_t most_ns = 0, least_ns = INT64_MAX;
    for (int i = 0; i < 2000; i++) {
        struct weir_attempt attempt = answered(500, 1);
        attempt.server_wait_ms = 20000;
        int64_t wait_ns;
        assert_int_equal(weir__retry_decide(&policy, &attempt, &rand, &wait_ns), WEIR_WHY_AGAIN);
        most_ns = wait_ns > most_ns ? wait_ns : most_ns;
        least_ns = wait_ns < least_ns ? wait_ns : least_ns;
    }
    assert_in_range(least_ns, SEC(20), SEC(20) + MS(10));
    assert_in_range(most_ns, SEC(21) - MS(10), SEC(21));
}

static void test_throttled_waits_at_the_gate(void **state)
{
    (void)state;
    struct weir_retry_opts policy = policy_of(NULL);
    struct weir__rand rand;
    weir__rand_seed(&rand, 5);
    struct weir_attempt attempt = answered(429, 0);
    attempt.server_wait_ms = 20000;
    int64_t wait_ns = -1;
    assert_int_equal(weir__retry_decide(&policy, &attempt, &rand, &wait_ns),
                     WEIR_WHY_AGAIN_THROTTLED);
    assert_int_equal(wait_ns, 0);
    attempt.server_wait_ms = -1;
    assert_int_equal(weir__retry_decide(&policy, &attempt, &rand, &wait_ns),
                     WEIR_WHY_AGAIN_THROTTLED);
    assert_int_equal(wait_ns, 0);
}

static void test_stop_after_attempts(void **state)
{
    (void)state;
    struct weir_retry_opts policy = policy_of(WEIR_RETRY_OPTS(.max_attempts = 3));
    static const enum weir_why expected[] = {WEIR_WHY_AGAIN, WEIR_WHY_AGAIN, WEIR_WHY_ATTEMPTS,
                                             WEIR_WHY_ATTEMPTS};
    for (unsigned n = 1; n <= LENGTH(expected); n++) {
        struct weir_attempt attempt = answered(500, 1);
        attempt.number = n;
        assert_int_equal(decide(&policy, &attempt, 0), expected[n - 1]);
        assert_int_equal(attempt.retry, 1);
    }
    policy = policy_of(WEIR_RETRY_OPTS(.max_attempts = 1));
    struct weir_attempt attempt = answered(503, 0);
    assert_int_equal(decide(&policy, &attempt, 0), WEIR_WHY_ATTEMPTS);
}

/* The throttled wait for the gate, not for a backoff, so the time can be said to the ms. */
static void test_stop_after_and_before_delay(void **state)
{
    (void)state;
    struct weir_retry_opts policy = policy_of(WEIR_RETRY_OPTS(.max_elapsed_ms = 1000));
    static const struct {
        int64_t elapsed_ms, server_wait_ms;
        enum weir_why why;
    } cases[] = {
        {0, -1, WEIR_WHY_AGAIN_THROTTLED},  {999, -1, WEIR_WHY_AGAIN_THROTTLED},
        {1000, -1, WEIR_WHY_ELAPSED},       {1001, -1, WEIR_WHY_ELAPSED},
        {0, 999, WEIR_WHY_AGAIN_THROTTLED}, {0, 1000, WEIR_WHY_ELAPSED},
        {998, 1, WEIR_WHY_AGAIN_THROTTLED}, {999, 1, WEIR_WHY_ELAPSED},
    };
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct weir_attempt attempt = answered(429, 0);
        attempt.server_wait_ms = cases[i].server_wait_ms;
        assert_int_equal(decide(&policy, &attempt, cases[i].elapsed_ms), cases[i].why);
    }
}

/* .999 s + .0001 s is under 1 s: the wait counts in ns, and the verdict is that of the sum. */
static void test_stop_before_delay_counts_the_wait(void **state)
{
    (void)state;
    struct weir_retry_opts bounded = policy_of(
        WEIR_RETRY_OPTS(.max_elapsed_ms = 1000, .backoff_base_ms = 2, .backoff_max_ms = 2));
    struct weir_retry_opts unbounded = bounded;
    unbounded.max_elapsed_ms = 0;
    struct weir__rand rand;
    weir__rand_seed(&rand, 6);
    int stopped = 0;
    for (int i = 0; i < 1000; i++) {
        struct weir__rand twin = rand;
        struct weir_attempt attempt = answered(500, 1);
        attempt.elapsed_ns = MS(999);
        int64_t wait_ns, same_ns;
        assert_int_equal(weir__retry_decide(&unbounded, &attempt, &twin, &same_ns), WEIR_WHY_AGAIN);
        bool over = weir__retry_decide(&bounded, &attempt, &rand, &wait_ns) == WEIR_WHY_ELAPSED;
        assert_int_equal(over, MS(999) + same_ns >= SEC(1));
        assert_int_equal(wait_ns, over ? 0 : same_ns);
        stopped += over;
    }
    assert_in_range(stopped, 450, 550);
}

static void test_any_stop_is_enough(void **state)
{
    (void)state;
    struct weir_retry_opts policy =
        policy_of(WEIR_RETRY_OPTS(.max_attempts = 4, .max_elapsed_ms = 1000, .backoff_base_ms = 1,
                                  .backoff_max_ms = 1));
    static const struct {
        unsigned number;
        int64_t elapsed_ms;
        enum weir_why why;
    } cases[] = {
        {2, 800, WEIR_WHY_AGAIN},
        {4, 800, WEIR_WHY_ATTEMPTS},
        {3, 1800, WEIR_WHY_ELAPSED},
        {4, 1800, WEIR_WHY_ATTEMPTS},
    };
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct weir_attempt attempt = answered(500, 1);
        attempt.number = cases[i].number;
        assert_int_equal(decide(&policy, &attempt, cases[i].elapsed_ms), cases[i].why);
    }
}

static void test_no_bound_on_time(void **state)
{
    (void)state;
    struct weir_retry_opts policy = policy_of(NULL);
    struct weir_attempt attempt = answered(503, 0);
    assert_int_equal(decide(&policy, &attempt, INT64_MAX), WEIR_WHY_AGAIN);
}

static void test_a_server_that_asks_for_too_much(void **state)
{
    (void)state;
    struct weir_retry_opts policy = policy_of(WEIR_RETRY_OPTS(.server_wait_max_ms = 5000));
    static const int statuses[] = {429, 503};
    for (size_t i = 0; i < LENGTH(statuses); i++) {
        struct weir_attempt attempt = answered(statuses[i], 1);
        attempt.server_wait_ms = 5000;
        assert_int_equal(decide(&policy, &attempt, 0),
                         statuses[i] == 429 ? WEIR_WHY_AGAIN_THROTTLED : WEIR_WHY_AGAIN);
        attempt.server_wait_ms = 5001;
        assert_int_equal(decide(&policy, &attempt, 0), WEIR_WHY_SERVER_WAIT);
    }
}

/* The first reason that holds is told: whether it helps, attempts, the server's wait, time. */
static void test_order_of_reasons(void **state)
{
    (void)state;
    struct weir_retry_opts policy =
        policy_of(WEIR_RETRY_OPTS(.max_attempts = 1, .max_elapsed_ms = 1, .server_wait_max_ms = 1));
    struct weir_attempt attempt = answered(400, 1);
    attempt.server_wait_ms = 1000;
    assert_int_equal(decide(&policy, &attempt, 1000), WEIR_WHY_NOT_HELPFUL);
    attempt.outcome = WEIR_OUTCOME_THROTTLED;
    assert_int_equal(decide(&policy, &attempt, 1000), WEIR_WHY_ATTEMPTS);
    policy.max_attempts = 2;
    assert_int_equal(decide(&policy, &attempt, 1000), WEIR_WHY_SERVER_WAIT);
    attempt.server_wait_ms = 1;
    assert_int_equal(decide(&policy, &attempt, 1000), WEIR_WHY_ELAPSED);
}

static void test_statuses(void **state)
{
    (void)state;
    static const struct {
        int status, has_wait;
        enum weir_outcome outcome;
        bool post, replay; /* tried again: not to be replayed, may be replayed */
    } cases[] = {
        {100, 0, WEIR_OUTCOME_OK, false, false},
        {200, 0, WEIR_OUTCOME_OK, false, false},
        {200, 1, WEIR_OUTCOME_OK, false, false},
        {304, 0, WEIR_OUTCOME_OK, false, false},
        {399, 0, WEIR_OUTCOME_OK, false, false},
        {400, 0, WEIR_OUTCOME_CLIENT_ERROR, false, false},
        {400, 1, WEIR_OUTCOME_CLIENT_ERROR, false, false},
        {401, 0, WEIR_OUTCOME_CLIENT_ERROR, false, false},
        {404, 0, WEIR_OUTCOME_CLIENT_ERROR, false, false},
        {413, 1, WEIR_OUTCOME_CLIENT_ERROR, false, false},
        {422, 0, WEIR_OUTCOME_CLIENT_ERROR, false, false},
        {499, 0, WEIR_OUTCOME_CLIENT_ERROR, false, false},
        {408, 0, WEIR_OUTCOME_SERVER_ERROR, true, true},
        {409, 0, WEIR_OUTCOME_SERVER_ERROR, true, true},
        {425, 1, WEIR_OUTCOME_SERVER_ERROR, true, true},
        {429, 0, WEIR_OUTCOME_THROTTLED, true, true},
        {429, 1, WEIR_OUTCOME_THROTTLED, true, true},
        {500, 0, WEIR_OUTCOME_SERVER_ERROR, false, true},
        {500, 1, WEIR_OUTCOME_SERVER_ERROR, false, true},
        {502, 0, WEIR_OUTCOME_SERVER_ERROR, false, true},
        {503, 0, WEIR_OUTCOME_SERVER_ERROR, true, true},
        {503, 1, WEIR_OUTCOME_THROTTLED, true, true},
        {504, 0, WEIR_OUTCOME_SERVER_ERROR, false, true},
        {529, 0, WEIR_OUTCOME_SERVER_ERROR, false, true},
        {599, 0, WEIR_OUTCOME_SERVER_ERROR, false, true},
        {0, 0, WEIR_OUTCOME_FAILED, false, false},
        {600, 1, WEIR_OUTCOME_FAILED, false, false},
        {-200, 0, WEIR_OUTCOME_FAILED, false, false},
    };
    for (size_t i = 0; i < LENGTH(cases); i++) {
        assert_int_equal(weir__outcome_of(cases[i].status, cases[i].has_wait), cases[i].outcome);
        for (int replay = 0; replay <= 1; replay++) {
            struct weir_attempt attempt = answered(cases[i].status, replay);
            attempt.outcome = cases[i].outcome;
            assert_int_equal(again(attempt), replay ? cases[i].replay : cases[i].post);
        }
    }
}

enum when { NO, YES, IF_UNSENT_OR_REPLAY, IF_REPLAY };

/* Each code there is has its line here: a new one must be thought about. */
static enum when failure_is_retried(int rc)
{
    switch ((enum weir_err)rc) {
    case WEIR_ERESOLVE:
    case WEIR_ECONNECT:
    case WEIR_EAGAIN:
        return YES;
    case WEIR_ETLS:
    case WEIR_ERESET:
    case WEIR_EATTEMPTTIME:
    case WEIR_EIDLE:
    case WEIR_ETRANSFER:
        return IF_UNSENT_OR_REPLAY;
    case WEIR_EPROTO:
        return IF_REPLAY;
    case WEIR_ENOMEM:
    case WEIR_EINVAL:
    case WEIR_ECANCELED:
    case WEIR_ETIMEDOUT:
    case WEIR_EPAUSED:
    case WEIR_EOPEN:
    case WEIR_ESHARED:
    case WEIR_EMISMATCH:
    case WEIR_EDEADLINE:
    case WEIR_ECLOSED:
    case WEIR_EBUSY:
    case WEIR_EDEADLK:
    case WEIR_ENOTSUP:
    case WEIR_ENORUNTIME:
    case WEIR_ENOSTACK:
    case WEIR_ENEVER:
    case WEIR_EIO:
    case WEIR_EURL:
    case WEIR_EHEADER:
    case WEIR_ECERT:
    case WEIR_EBODY:
    case WEIR_EBODYSIZE:
    case WEIR_EHEADERSIZE:
    case WEIR_EJSON:
    case WEIR_ELINESIZE:
    case WEIR_EEVENTSIZE:
    case WEIR_EKEYS:
    case WEIR_ELIBCURL:
    case WEIR_ENOKEY:
    case WEIR_EAPI:
    case WEIR_ESHAPE:
    case WEIR_EREFUSED:
        return NO;
    }
    return NO; /* a code of someone's own transport */
}

static void test_failures(void **state)
{
    (void)state;
    static const enum weir_sent sents[] = {WEIR_SENT_NEVER, WEIR_SENT_MAYBE, WEIR_SENT_ANSWERED};
    for (int rc = -42; rc < 0; rc++) {
        enum when when = failure_is_retried(rc);
        for (size_t i = 0; i < LENGTH(sents); i++) {
            for (int replay = 0; replay <= 1; replay++) {
                bool unsent = sents[i] == WEIR_SENT_NEVER;
                bool expected = when == YES || (when == IF_REPLAY && replay) ||
                                (when == IF_UNSENT_OR_REPLAY && (replay || unsent));
                assert_int_equal(again(failed(rc, sents[i], replay)), expected);
            }
        }
    }
}

static int overrule(const struct weir_attempt *attempt, void *arg)
{
    int *own = arg;
    *own = attempt->retry;
    return !attempt->retry;
}

static void test_predicate_sees_the_own_rule_and_overrules_it(void **state)
{
    (void)state;
    int own = -1;
    struct weir_retry_opts policy =
        policy_of(WEIR_RETRY_OPTS(.max_attempts = 2, .retry_if = overrule, .retry_if_arg = &own));
    struct weir_attempt attempt = answered(429, 0);
    assert_int_equal(decide(&policy, &attempt, 0), WEIR_WHY_RULE);
    assert_int_equal(own, 1);
    attempt = answered(200, 0);
    assert_int_equal(decide(&policy, &attempt, 0), WEIR_WHY_AGAIN_RULE);
    assert_int_equal(own, 0);
    attempt.number = 2;
    assert_int_equal(decide(&policy, &attempt, 0), WEIR_WHY_ATTEMPTS);
}

static void test_defaults(void **state)
{
    (void)state;
    struct weir_retry_opts policies[] = {policy_of(NULL), policy_of(WEIR_RETRY_OPTS(0))};
    for (size_t i = 0; i < LENGTH(policies); i++) {
        assert_int_equal(policies[i].size, sizeof policies[i]);
        assert_int_equal(policies[i].max_attempts, 5);
        assert_int_equal(policies[i].max_elapsed_ms, 0);
        assert_int_equal(policies[i].backoff_base_ms, 500);
        assert_int_equal(policies[i].backoff_max_ms, 30000);
        assert_int_equal(policies[i].server_wait_max_ms, 600000);
        assert_null(policies[i].retry_if);
    }
}

static void test_options_are_kept(void **state)
{
    (void)state;
    int arg = 0;
    struct weir_retry_opts policy =
        policy_of(WEIR_RETRY_OPTS(.max_attempts = 7, .max_elapsed_ms = 8, .backoff_base_ms = 9,
                                  .backoff_max_ms = 10, .server_wait_max_ms = 11,
                                  .retry_if = overrule, .retry_if_arg = &arg));
    assert_int_equal(policy.max_attempts, 7);
    assert_int_equal(policy.max_elapsed_ms, 8);
    assert_int_equal(policy.backoff_base_ms, 9);
    assert_int_equal(policy.backoff_max_ms, 10);
    assert_int_equal(policy.server_wait_max_ms, 11);
    assert_true(policy.retry_if == overrule);
    assert_ptr_equal(policy.retry_if_arg, &arg);
}

static void test_bad_options(void **state)
{
    (void)state;
    const struct weir_retry_opts *cases[] = {
        WEIR_RETRY_OPTS(.max_elapsed_ms = -1),
        WEIR_RETRY_OPTS(.backoff_base_ms = -1),
        WEIR_RETRY_OPTS(.backoff_max_ms = -1),
        WEIR_RETRY_OPTS(.server_wait_max_ms = -1),
        WEIR_RETRY_OPTS(.backoff_base_ms = 1001, .backoff_max_ms = 1000),
        WEIR_RETRY_OPTS(.backoff_base_ms = 30001), /* over the default maximum */
        WEIR_RETRY_OPTS(.backoff_max_ms = 499),    /* under the default base */
        &(struct weir_retry_opts){.max_attempts = 3},
    };
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct weir_retry_opts policy;
        assert_int_equal(weir__retry_init(&policy, cases[i]), WEIR_EINVAL);
    }
}

/* A program built with an older or newer header than the library. */
/* What a server throttles is not what fails. */
static void test_throttled_attempts_are_counted_apart(void **state)
{
    (void)state;
    struct weir__rand rand = {{1, 2, 3, 4}};
    struct weir_retry_opts policy =
        policy_of(WEIR_RETRY_OPTS(.max_attempts = 3, .max_throttled = 7));
    struct weir_attempt attempt = answered(429, 0);
    int64_t wait_ns;
    attempt.outcome = WEIR_OUTCOME_THROTTLED;
    attempt.number = attempt.throttled = 6;
    assert_int_equal(weir__retry_decide(&policy, &attempt, &rand, &wait_ns),
                     WEIR_WHY_AGAIN_THROTTLED);
    attempt.number = attempt.throttled = 7;
    assert_int_equal(weir__retry_decide(&policy, &attempt, &rand, &wait_ns), WEIR_WHY_THROTTLED);
    attempt = answered(503, 0);
    attempt.outcome = WEIR_OUTCOME_SERVER_ERROR;
    attempt.number = 8;
    attempt.throttled = 6; /* so it is the second that failed */
    assert_int_equal(weir__retry_decide(&policy, &attempt, &rand, &wait_ns), WEIR_WHY_AGAIN);
    attempt.number = 9;
    assert_int_equal(weir__retry_decide(&policy, &attempt, &rand, &wait_ns), WEIR_WHY_ATTEMPTS);
}

static void test_other_sizes(void **state)
{
    (void)state;
    struct weir_retry_opts older = {.size = offsetof(struct weir_retry_opts, backoff_base_ms),
                                    .max_attempts = 9,
                                    .backoff_base_ms = -1}; /* not there in the older one */
    struct weir_retry_opts policy = policy_of(&older);
    assert_int_equal(policy.max_attempts, 9);
    assert_int_equal(policy.backoff_base_ms, 500);
    assert_int_equal(policy.size, sizeof policy);

    struct {
        struct weir_retry_opts known;
        int64_t unknown;
    } newer = {.known = {.size = sizeof newer, .max_attempts = 9}};
    policy = policy_of(&newer.known);
    assert_int_equal(policy.max_attempts, 9);
    assert_int_equal(policy.size, sizeof policy);
    newer.unknown = 1;
    assert_int_equal(weir__retry_init(&policy, &newer.known), WEIR_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ceiling_vectors),
        cmocka_unit_test(test_ceiling_never_overflows),
        cmocka_unit_test(test_full_jitter_means),
        cmocka_unit_test(test_jitter_fills_its_range),
        cmocka_unit_test(test_jitter_only_lengthens_the_servers_wait),
        cmocka_unit_test(test_throttled_waits_at_the_gate),
        cmocka_unit_test(test_stop_after_attempts),
        cmocka_unit_test(test_stop_after_and_before_delay),
        cmocka_unit_test(test_stop_before_delay_counts_the_wait),
        cmocka_unit_test(test_any_stop_is_enough),
        cmocka_unit_test(test_no_bound_on_time),
        cmocka_unit_test(test_a_server_that_asks_for_too_much),
        cmocka_unit_test(test_order_of_reasons),
        cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_predicate_sees_the_own_rule_and_overrules_it),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_options_are_kept),
        cmocka_unit_test(test_bad_options),
        cmocka_unit_test(test_throttled_attempts_are_counted_apart),
        cmocka_unit_test(test_other_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
