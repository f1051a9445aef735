/* The circuit breaker: what counts, when it opens, for how long, and how it closes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "policy/breaker.h"

#define MS(x) ((int64_t)(x)*WEIR__NS_PER_MS)
#define GOOD  WEIR__HEALTH_GOOD
#define BAD   WEIR__HEALTH_BAD
#define NONE  WEIR__HEALTH_UNKNOWN

/* A breaker and the time it is at. */
struct bench {
    struct weir__breaker breaker;
    struct weir__rand rand;
    int64_t now_ns;
};

static struct bench bench_of(const struct weir_breaker_opts *opts)
{
    struct bench bench = {.now_ns = MS(1000000)};
    weir__rand_seed(&bench.rand, 7);
    assert_int_equal(weir__breaker_init(&bench.breaker, opts), 0);
    return bench;
}
#define BENCH(...) bench_of(WEIR_BREAKER_OPTS(__VA_ARGS__))

static bool enter(struct bench *bench, uint64_t *epoch)
{
    return weir__breaker_enter(&bench->breaker, bench->now_ns, epoch);
}

static bool leave(struct bench *bench, uint64_t epoch, enum weir__health how)
{
    return weir__breaker_leave(&bench->breaker, epoch, how, bench->now_ns, &bench->rand);
}

/* n attempts, one after the other, that end at once. */
static void pass(struct bench *bench, unsigned n, enum weir__health how)
{
    for (unsigned i = 0; i < n; i++) {
        uint64_t epoch;
        assert_true(enter(bench, &epoch));
        leave(bench, epoch, how);
    }
}

static struct weir_breaker_stats figures(const struct bench *bench)
{
    struct weir_breaker_stats stats = {.size = sizeof stats};
    weir__breaker_figures(&bench->breaker, bench->now_ns, &stats);
    return stats;
}

static enum weir_circuit state(const struct bench *bench)
{
    return figures(bench).state;
}

static void to_half_open(struct bench *bench)
{
    bench->now_ns = bench->breaker.open_until_ns;
}

/* ---- what counts ---- */

static void test_what_counts(void **unused)
{
    (void)unused;
    static const struct {
        int rc, status;
        enum weir_outcome outcome;
        enum weir__health want;
    } cases[] = {
        {0, 200, WEIR_OUTCOME_OK, GOOD},
        {0, 302, WEIR_OUTCOME_OK, GOOD},
        {0, 200, WEIR_OUTCOME_SERVER_ERROR, BAD}, /* told by a stream's first event */
        {0, 404, WEIR_OUTCOME_CLIENT_ERROR, GOOD},
        {0, 408, WEIR_OUTCOME_SERVER_ERROR, GOOD},
        {0, 409, WEIR_OUTCOME_SERVER_ERROR, GOOD},
        {0, 429, WEIR_OUTCOME_THROTTLED, NONE},
        {0, 503, WEIR_OUTCOME_THROTTLED, NONE},
        {0, 500, WEIR_OUTCOME_SERVER_ERROR, BAD},
        {0, 503, WEIR_OUTCOME_SERVER_ERROR, BAD},
        {0, 529, WEIR_OUTCOME_SERVER_ERROR, BAD},
        {WEIR_ERESOLVE, 0, WEIR_OUTCOME_FAILED, BAD},
        {WEIR_ECONNECT, 0, WEIR_OUTCOME_FAILED, BAD},
        {WEIR_ETLS, 0, WEIR_OUTCOME_FAILED, BAD},
        {WEIR_ECERT, 0, WEIR_OUTCOME_FAILED, BAD},
        {WEIR_ERESET, 200, WEIR_OUTCOME_FAILED, BAD},
        {WEIR_EPROTO, 0, WEIR_OUTCOME_FAILED, BAD},
        {WEIR_EATTEMPTTIME, 0, WEIR_OUTCOME_FAILED, BAD},
        {WEIR_EIDLE, 0, WEIR_OUTCOME_FAILED, BAD},
        {WEIR_ETRANSFER, 0, WEIR_OUTCOME_FAILED, BAD},
        {WEIR_ECANCELED, 0, WEIR_OUTCOME_FAILED, NONE},
        {WEIR_EBODYSIZE, 200, WEIR_OUTCOME_FAILED, NONE},
        {WEIR_EHEADERSIZE, 0, WEIR_OUTCOME_FAILED, NONE},
        {WEIR_ENOMEM, 0, WEIR_OUTCOME_FAILED, NONE},
        {-12345, 0, WEIR_OUTCOME_FAILED, NONE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(weir__breaker_judge(cases[i].rc, cases[i].status, cases[i].outcome),
                         cases[i].want);
}

/* ---- options ---- */

static void test_options(void **unused)
{
    (void)unused;
    static const struct weir_breaker_opts bad[] = {
        {.size = 0},
        {.size = sizeof bad[0], .window_ms = -1},
        {.size = sizeof bad[0], .open_ms = -1},
        {.size = sizeof bad[0], .open_max_ms = -1},
        {.size = sizeof bad[0], .open_ms = 10, .open_max_ms = 9},
        {.size = sizeof bad[0], .open_max_ms = 4999},
        {.size = sizeof bad[0], .failure_percent = 101},
    };
    struct weir__breaker breaker;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(weir__breaker_init(&breaker, &bad[i]), WEIR_EINVAL);
    assert_int_equal(weir__breaker_init(&breaker, WEIR_BREAKER_OPTS(.open_ms = 70000)), 0);
    assert_int_equal(breaker.policy.open_max_ms, 70000);
    assert_int_equal(breaker.policy.min_calls, 20);
    assert_int_equal(breaker.policy.failure_percent, 50);
    assert_int_equal(breaker.policy.probes, 1);
}

/* ---- opening ---- */

/* good attempts, then bad ones: the n-th bad one opens it, 0: none of 1,000 does. */
static void test_opens_at_its_share_of_enough_calls(void **unused)
{
    (void)unused;
    static const struct {
        unsigned min_calls, percent, good, nth_bad;
    } cases[] = {
        {20, 50, 0, 20},  {20, 50, 10, 10}, {20, 50, 15, 15}, {20, 50, 100, 100}, {1, 50, 0, 1},
        {10, 100, 0, 10}, {10, 100, 1, 0},  {4, 75, 1, 3},    {4, 75, 2, 6},      {5, 1, 400, 5},
        {5, 10, 90, 10},  {20, 50, 19, 19}, {3, 34, 2, 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bench bench =
            BENCH(.min_calls = cases[i].min_calls, .failure_percent = cases[i].percent);
        unsigned n = 0;
        pass(&bench, cases[i].good, GOOD);
        while (n < 1000 && state(&bench) == WEIR_CIRCUIT_CLOSED) {
            pass(&bench, 1, BAD);
            n++;
        }
        assert_int_equal(n, cases[i].nth_bad > 0 ? cases[i].nth_bad : 1000);
    }
}

static void test_a_good_end_may_complete_the_number(void **unused)
{
    (void)unused;
    struct bench bench = BENCH(.min_calls = 4);
    pass(&bench, 3, BAD);
    assert_int_equal(state(&bench), WEIR_CIRCUIT_CLOSED);
    pass(&bench, 1, GOOD);
    assert_int_equal(state(&bench), WEIR_CIRCUIT_OPEN);
}

static void test_what_says_nothing_does_not_count(void **unused)
{
    (void)unused;
    struct bench bench = BENCH(.min_calls = 4);
    pass(&bench, 3, BAD);
    pass(&bench, 100, NONE);
    assert_int_equal(state(&bench), WEIR_CIRCUIT_CLOSED);
    assert_int_equal(figures(&bench).calls, 3);
    pass(&bench, 1, BAD);
    assert_int_equal(state(&bench), WEIR_CIRCUIT_OPEN);
}

/* What is a window old, to a tenth of it, is forgotten. */
static void test_the_window_rolls(void **unused)
{
    (void)unused;
    struct bench bench = BENCH(.min_calls = 10, .window_ms = 1000);
    pass(&bench, 9, BAD);
    bench.now_ns += MS(899);
    assert_int_equal(figures(&bench).failures, 9);
    bench.now_ns += MS(101);
    assert_int_equal(figures(&bench).failures, 0);
    pass(&bench, 9, BAD);
    assert_int_equal(state(&bench), WEIR_CIRCUIT_CLOSED);
    bench.now_ns += MS(1000000); /* far more than all slices */
    pass(&bench, 5, GOOD);
    assert_int_equal(figures(&bench).calls, 5);
    for (int i = 0; i < 100; i++) { /* 4 in 10 for ever does not open it */
        pass(&bench, 2, BAD);
        pass(&bench, 3, GOOD);
        bench.now_ns += MS(70);
    }
    assert_int_equal(state(&bench), WEIR_CIRCUIT_CLOSED);
    assert_true(figures(&bench).calls >= 60 && figures(&bench).calls <= 75);
}

/* ---- open ---- */

static void test_open_lets_nobody_through(void **unused)
{
    (void)unused;
    struct bench bench = BENCH(.min_calls = 1, .open_ms = 1000);
    uint64_t epoch;
    pass(&bench, 1, BAD);
    int64_t until_ns = bench.breaker.open_until_ns;
    assert_true(until_ns >= bench.now_ns + MS(1000) && until_ns <= bench.now_ns + MS(1250));
    assert_int_equal(weir__breaker_earliest_ns(&bench.breaker, bench.now_ns), until_ns);
    assert_int_equal(figures(&bench).open_ms, weir__ns_to_ms_up(until_ns - bench.now_ns));
    bench.now_ns = until_ns - 1;
    assert_false(enter(&bench, &epoch));
    assert_int_equal(state(&bench), WEIR_CIRCUIT_OPEN);
    bench.now_ns++;
    assert_int_equal(state(&bench), WEIR_CIRCUIT_HALF_OPEN);
    assert_int_equal(figures(&bench).open_ms, 0);
    assert_true(enter(&bench, &epoch));
}

static void test_late_ends_say_nothing(void **unused)
{
    (void)unused;
    struct bench bench = BENCH(.min_calls = 1);
    uint64_t late[4], probe;
    for (int i = 0; i < 4; i++)
        assert_true(enter(&bench, &late[i]));
    assert_true(leave(&bench, late[0], BAD));
    int64_t until_ns = bench.breaker.open_until_ns;
    assert_false(leave(&bench, late[1], BAD));
    assert_false(leave(&bench, late[2], GOOD));
    assert_int_equal(bench.breaker.open_until_ns, until_ns);
    assert_int_equal(state(&bench), WEIR_CIRCUIT_OPEN);
    to_half_open(&bench);
    assert_true(enter(&bench, &probe));
    assert_false(leave(&bench, late[3], GOOD)); /* it was sent to the server of before */
    assert_int_equal(state(&bench), WEIR_CIRCUIT_HALF_OPEN);
    assert_int_equal(figures(&bench).probing, 1);
    assert_true(leave(&bench, probe, GOOD));
    assert_int_equal(state(&bench), WEIR_CIRCUIT_CLOSED);
}

/* ---- half-open ---- */

static void test_probes(void **unused)
{
    (void)unused;
    struct bench bench = BENCH(.min_calls = 1, .probes = 3);
    uint64_t probes[3], epoch;
    pass(&bench, 1, BAD);
    to_half_open(&bench);
    for (int i = 0; i < 3; i++)
        assert_true(enter(&bench, &probes[i]));
    assert_false(enter(&bench, &epoch));
    assert_true(leave(&bench, probes[0], NONE)); /* cancelled: its permit comes back */
    assert_true(enter(&bench, &epoch));
    assert_false(enter(&bench, &epoch));
    assert_true(leave(&bench, probes[1], GOOD));
    assert_int_equal(state(&bench), WEIR_CIRCUIT_CLOSED);
    assert_false(leave(&bench, probes[2], BAD)); /* the first has decided */
    assert_int_equal(state(&bench), WEIR_CIRCUIT_CLOSED);
    assert_int_equal(figures(&bench).calls, 0); /* begins anew */
}

static void test_a_failed_probe_reopens(void **unused)
{
    (void)unused;
    struct bench bench = BENCH(.min_calls = 1, .probes = 2);
    uint64_t first, second;
    pass(&bench, 1, BAD);
    to_half_open(&bench);
    assert_true(enter(&bench, &first));
    assert_true(enter(&bench, &second));
    assert_true(leave(&bench, first, BAD));
    assert_int_equal(state(&bench), WEIR_CIRCUIT_OPEN);
    assert_int_equal(figures(&bench).opened, 2);
    assert_int_equal(figures(&bench).probing, 0);
    to_half_open(&bench);
    assert_false(leave(&bench, second, GOOD)); /* of the earlier trial */
    assert_int_equal(state(&bench), WEIR_CIRCUIT_HALF_OPEN);
}

/* One more with each length of the opening, so that a probe without an end locks nobody out. */
static void test_probes_that_do_not_end(void **unused)
{
    (void)unused;
    struct bench bench = BENCH(.min_calls = 1);
    uint64_t epoch;
    pass(&bench, 1, BAD);
    to_half_open(&bench);
    for (int i = 1; i <= 5; i++) {
        assert_true(enter(&bench, &epoch));
        int64_t next_ns = bench.breaker.open_until_ns + i * bench.breaker.open_for_ns;
        assert_int_equal(weir__breaker_earliest_ns(&bench.breaker, bench.now_ns), next_ns);
        bench.now_ns = next_ns - 1;
        assert_false(enter(&bench, &epoch));
        bench.now_ns = next_ns;
    }
}

/* ---- how long ---- */

static void fail_probe(struct bench *bench)
{
    uint64_t epoch;
    to_half_open(bench);
    assert_true(enter(bench, &epoch));
    assert_true(leave(bench, epoch, BAD));
}

static void assert_length(const struct bench *bench, int64_t base_ms)
{
    int64_t length_ns = bench->breaker.open_until_ns - bench->now_ns;
    assert_true(length_ns >= MS(base_ms) && length_ns <= MS(base_ms) * 5 / 4);
}

static void test_longer_each_time(void **unused)
{
    (void)unused;
    static const int64_t lengths_ms[] = {1000, 2000, 4000, 7000, 7000};
    struct bench bench = BENCH(.min_calls = 1, .open_ms = 1000, .open_max_ms = 7000);
    pass(&bench, 1, BAD);
    for (int i = 0; i < 5; i++) {
        assert_length(&bench, lengths_ms[i]);
        fail_probe(&bench);
    }
    for (int i = 0; i < 1000; i++)
        fail_probe(&bench);
    assert_length(&bench, 7000);
}

static void test_the_length_starts_over_after_a_well_window(void **unused)
{
    (void)unused;
    struct bench bench = BENCH(.min_calls = 1, .open_ms = 1000, .window_ms = 5000);
    for (int i = 0; i < 3; i++) { /* closed, but not for long */
        pass(&bench, 1, BAD);
        assert_length(&bench, 1000 << i);
        to_half_open(&bench);
        pass(&bench, 1, GOOD);
        bench.now_ns += MS(5000);
    }
    bench.now_ns++;
    pass(&bench, 1, BAD);
    assert_length(&bench, 1000);
}

static void test_jitter_at_the_cap_too(void **unused)
{
    (void)unused;
    struct bench bench = BENCH(.min_calls = 1, .open_ms = 1000, .open_max_ms = 1000);
    int64_t least_ns = INT64_MAX, most_ns = 0;
    pass(&bench, 1, BAD);
    for (int i = 0; i < 1000; i++) {
        fail_probe(&bench);
        int64_t length_ns = bench.breaker.open_until_ns - bench.now_ns;
        least_ns = length_ns < least_ns ? length_ns : least_ns;
        most_ns = length_ns > most_ns ? length_ns : most_ns;
    }
    assert_true(least_ns >= MS(1000) && least_ns < MS(1005));
    assert_true(most_ns <= MS(1250) && most_ns > MS(1245));
}

static void test_extremes(void **unused)
{
    (void)unused;
    struct bench bench = BENCH(.min_calls = 1, .window_ms = INT64_MAX, .open_ms = INT64_MAX);
    uint64_t epoch;
    pass(&bench, 1, BAD);
    assert_int_equal(bench.breaker.open_until_ns, INT64_MAX);
    assert_false(enter(&bench, &epoch));
    bench = BENCH(.min_calls = 1, .window_ms = 1, .open_ms = 1, .probes = UINT32_MAX);
    pass(&bench, 1, BAD);
    bench.now_ns = INT64_MAX / 2;
    for (int i = 0; i < 1000; i++)
        assert_true(enter(&bench, &epoch));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_counts),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_opens_at_its_share_of_enough_calls),
        cmocka_unit_test(test_a_good_end_may_complete_the_number),
        cmocka_unit_test(test_what_says_nothing_does_not_count),
        cmocka_unit_test(test_the_window_rolls),
        cmocka_unit_test(test_open_lets_nobody_through),
        cmocka_unit_test(test_late_ends_say_nothing),
        cmocka_unit_test(test_probes),
        cmocka_unit_test(test_a_failed_probe_reopens),
        cmocka_unit_test(test_probes_that_do_not_end),
        cmocka_unit_test(test_longer_each_time),
        cmocka_unit_test(test_the_length_starts_over_after_a_well_window),
        cmocka_unit_test(test_jitter_at_the_cap_too),
        cmocka_unit_test(test_extremes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
