/* What is learned of a limit, step by step: times and answers are given. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"
#include "policy/learn.h"

#define MS WEIR__NS_PER_MS
#define S  WEIR__NS_PER_S

static const struct weir__amounts one = {{1}};

struct bench {
    struct weir__learn learn;
    struct weir__rand rand;
    int64_t now_ns;
};

static void begin(struct bench *bench, bool capped)
{
    *bench = (struct bench){.now_ns = 1000 * S};
    weir__rand_seed(&bench->rand, 1);
    weir__learn_init(&bench->learn, capped ? 1e6 : 0); /* a ceiling that is far off */
}

/* How long the next one has to wait. */
static int64_t wait_ns(const struct bench *bench)
{
    int64_t slot_ns = weir__learn_slot_ns(&bench->learn, &one, bench->now_ns);
    return slot_ns > bench->now_ns ? slot_ns - bench->now_ns : 0;
}

/* Waits for its turn and sends. */
static struct weir__sent next(struct bench *bench)
{
    bench->now_ns += wait_ns(bench);
    return weir__learn_take(&bench->learn, &one, bench->now_ns);
}

static struct weir__told told_of(int64_t limit, int64_t remaining, int64_t reset_ms,
                                 int64_t window_ms)
{
    struct weir__told told = {.wait_ms = -1, .used = -1, .quota_count = 1};
    told.quotas[0] = (struct weir__quota){.limit = limit,
                                          .remaining = remaining,
                                          .reset_ms = reset_ms,
                                          .window_ms = window_ms,
                                          .step_ms = 1};
    return told;
}

static void accept_next(struct bench *bench, const struct weir__told *told)
{
    struct weir__sent sent = next(bench);
    weir__learn_accepted(&bench->learn, sent, told, bench->now_ns + 10 * MS);
    bench->now_ns += 10 * MS;
}

/* ---- nothing is told ---- */

static void before_a_refusal_a_rate_that_is_told_is_left_alone(void **state)
{
    struct bench bench;
    (void)state;
    begin(&bench, true);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(wait_ns(&bench), 0);
        weir__learn_take(&bench.learn, &one, bench.now_ns);
    }
}

static void a_start_is_slow_until_the_first_answer(void **state)
{
    struct bench bench;
    struct weir__sent first = {0};
    int sent = 0;
    (void)state;
    begin(&bench, false);
    for (; sent < 1000 && wait_ns(&bench) == 0; sent++) {
        struct weir__sent now = weir__learn_take(&bench.learn, &one, bench.now_ns);
        first = sent == 0 ? now : first;
    }
    assert_int_equal(sent, 8);
    assert_int_equal(wait_ns(&bench), 250 * MS);
    bench.now_ns += 20 * MS;
    weir__learn_accepted(&bench.learn, first, NULL, bench.now_ns);
    assert_int_equal(wait_ns(&bench), 0);
}

static void refusals_of_one_epoch_cut_once(void **state)
{
    struct bench bench;
    struct weir__sent sent[20];
    (void)state;
    begin(&bench, true);
    for (int i = 0; i < 20; i++) {
        sent[i] = next(&bench);
        bench.now_ns += MS;
    }
    weir__learn_throttled(&bench.learn, sent[10], NULL, bench.now_ns, &bench.rand);
    double limit = bench.learn.seek.limit;
    assert_true(limit > 0);
    for (int i = 11; i < 20; i++)
        weir__learn_throttled(&bench.learn, sent[i], NULL, bench.now_ns + i * MS, &bench.rand);
    assert_true(bench.learn.seek.limit == limit);
    assert_in_range(wait_ns(&bench), 1, 100 * MS);
}

/* Each probe that is refused doubles the pause, up to half a minute. */
static void pauses_double_up_to_a_maximum(void **state)
{
    struct bench bench;
    int64_t last_ns = 0;
    (void)state;
    begin(&bench, true);
    for (int i = 0; i < 40; i++) {
        struct weir__sent sent = next(&bench);
        bench.now_ns += 10 * MS;
        weir__learn_throttled(&bench.learn, sent, NULL, bench.now_ns, &bench.rand);
        if (i > 3 && wait_ns(&bench) < 20 * S)
            assert_true(wait_ns(&bench) > last_ns);
        last_ns = wait_ns(&bench);
        assert_in_range(last_ns, 1, 30 * S);
    }
    assert_int_equal(last_ns, 30 * S);
}

static void nobody_goes_before_the_server_allows(void **state)
{
    struct bench bench;
    struct weir__told told = {.wait_ms = 7000, .used = -1};
    (void)state;
    begin(&bench, true);
    struct weir__sent sent = next(&bench);
    weir__learn_throttled(&bench.learn, sent, &told, bench.now_ns, &bench.rand);
    assert_int_equal(wait_ns(&bench), 7 * S);
}

/* A bucket of 100 a second, 20 ms away, that refuses all from `from_ns` to `to_ns`. How many it
 * accepts in the 10 s before end_ns. */
static int accepted_at_the_end(struct bench *bench, int64_t from_ns, int64_t to_ns, int64_t end_ns)
{
    double tokens = 100;
    int accepted = 0;
    while (bench->now_ns < end_ns) {
        int64_t last_ns = bench->now_ns;
        struct weir__sent sent = next(bench);
        tokens += (double)(bench->now_ns - last_ns) / 1e9 * 100;
        tokens = tokens < 100 ? tokens : 100;
        bool closed = bench->now_ns >= from_ns && bench->now_ns < to_ns;
        if (closed || tokens < 1) {
            weir__learn_throttled(&bench->learn, sent, NULL, bench->now_ns, &bench->rand);
        } else {
            weir__learn_accepted(&bench->learn, sent, NULL, bench->now_ns);
            tokens -= 1;
            accepted += bench->now_ns > end_ns - 10 * S;
        }
    }
    return accepted;
}

/* A server that was away for an hour is as fast as before, once it is found back. */
static void an_outage_says_nothing_about_the_limit(void **state)
{
    struct bench bench;
    (void)state;
    begin(&bench, false);
    int64_t from_ns = bench.now_ns + 60 * S, to_ns = from_ns + 3600 * S;
    assert_in_range(accepted_at_the_end(&bench, from_ns, to_ns, to_ns + 50 * S), 950, 1050);
}

/* ---- headers ---- */

/* 30 left for 6 seconds: one every 200 ms, and none is over. */
static void a_window_is_spread(void **state)
{
    struct bench bench;
    (void)state;
    begin(&bench, false);
    struct weir__told told = told_of(300, 31, 6010, 6000);
    accept_next(&bench, &told);
    next(&bench);
    assert_in_range(wait_ns(&bench), 150 * MS, 250 * MS);
}

static void what_is_used_up_waits_for_the_reset(void **state)
{
    struct bench bench;
    (void)state;
    begin(&bench, false);
    struct weir__told told = told_of(300, 0, 4000, 6000);
    accept_next(&bench, &told);
    assert_in_range(wait_ns(&bench), 3900 * MS, 4100 * MS);
    assert_int_equal(weir__learn_told(&bench.learn, bench.now_ns)->limit, 300);
}

/* Behind the reset all is there, without being told. */
static void the_reset_is_predicted(void **state)
{
    struct bench bench;
    (void)state;
    begin(&bench, false);
    struct weir__told told = told_of(300, 0, 4000, 6000);
    accept_next(&bench, &told);
    int64_t from_ns = bench.now_ns;
    for (int i = 0; i < 300; i++)
        next(&bench);
    assert_in_range(bench.now_ns - from_ns, 9 * S, 10 * S); /* one window in full */
    next(&bench);
    assert_in_range(bench.now_ns - from_ns, 9900 * MS, 10100 * MS);
}

static void what_makes_no_sense_is_ignored(void **state)
{
    static const struct weir__quota hostile[] = {
        {.limit = 10, .remaining = 11, .reset_ms = 1000, .window_ms = -1, .step_ms = 1},
        {.limit = 0, .remaining = 0, .reset_ms = 1000, .window_ms = -1, .step_ms = 1},
        {.limit = -1, .remaining = -1, .reset_ms = -1, .window_ms = -1, .step_ms = 1},
        {.limit = 10, .remaining = -1, .reset_ms = 1000, .window_ms = 1000, .step_ms = 1},
        {.limit = 10, .remaining = 5, .reset_ms = -1, .window_ms = -1, .step_ms = 1},
        {.limit = INT64_MAX, .remaining = 5, .reset_ms = 1000, .window_ms = 1, .step_ms = 1},
    };
    struct bench bench;
    (void)state;
    begin(&bench, false);
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        struct weir__told told = {.wait_ms = -1, .used = -1, .quota_count = 1};
        told.quotas[0] = hostile[i];
        accept_next(&bench, &told);
        assert_null(weir__learn_told(&bench.learn, bench.now_ns));
    }
}

/* "0 s until all is back" leaves the window's length open: no rate can be told of it. */
static void a_reset_of_nothing_is_no_rate(void **state)
{
    struct bench bench;
    struct weir__sent sent[2];
    (void)state;
    begin(&bench, false);
    for (int i = 0; i < 2; i++)
        sent[i] = next(&bench); /* at the same time */
    struct weir__told less = told_of(10, 1, 0, -1), more = told_of(10, 9, 0, -1);
    weir__learn_accepted(&bench.learn, sent[0], &less, bench.now_ns);
    weir__learn_accepted(&bench.learn, sent[1], &more, bench.now_ns);
    assert_true(weir__learn_per_s(&bench.learn, bench.now_ns) < 1e9);
}

/* What was not sent was not refused either, and is no probe. */
static void what_was_not_sent_says_nothing(void **state)
{
    struct bench bench;
    (void)state;
    begin(&bench, false);
    struct weir__sent sent = next(&bench);
    weir__learn_throttled(&bench.learn, sent, NULL, bench.now_ns + 10 * MS, &bench.rand);
    bench.now_ns += 10 * MS;
    sent = next(&bench);
    weir__learn_throttled(&bench.learn, sent, NULL, bench.now_ns + 10 * MS, &bench.rand);
    bench.now_ns += 10 * MS;
    unsigned fails = bench.learn.seek.fails;
    assert_true(fails > 0);
    for (int i = 0; i < 10; i++) {
        sent = next(&bench);
        weir__learn_unsent(&bench.learn, &one, sent);
        bench.now_ns += S;
    }
    next(&bench);
    assert_int_equal(bench.learn.seek.fails, fails);
}

/* What a cancelled request would have taken of a quota is there for the next one. */
static void what_was_not_sent_is_left(void **state)
{
    const struct weir__amounts large = {{1, 900}};
    struct bench bench;
    (void)state;
    begin(&bench, true);
    struct weir__told told = told_of(1000, 1000, 60000, 60000);
    told.quotas[0].unit = WEIR__UNIT_TOKENS;
    accept_next(&bench, &told);
    struct weir__sent sent = weir__learn_take(&bench.learn, &large, bench.now_ns);
    assert_true(weir__learn_slot_ns(&bench.learn, &large, bench.now_ns) > bench.now_ns + 50 * S);
    weir__learn_unsent(&bench.learn, &large, sent);
    assert_true(weir__learn_slot_ns(&bench.learn, &large, bench.now_ns) <= bench.now_ns);
    sent = weir__learn_take(&bench.learn, &large, bench.now_ns); /* but no more than that */
    assert_true(weir__learn_slot_ns(&bench.learn, &large, bench.now_ns) > bench.now_ns + 50 * S);
    told.quotas[0].remaining = 100;
    weir__learn_accepted(&bench.learn, sent, &told, bench.now_ns);
    weir__learn_unsent(&bench.learn, &large, sent);
    assert_true(weir__learn_slot_ns(&bench.learn, &large, bench.now_ns) > bench.now_ns + 50 * S);
}

/* Nearly all of a quota of tokens at once: the rest comes back with the window, whatever that one
 * took; and from a bucket as soon as it is full. */
static void a_large_amount_waits_for_no_more_than_all(void **state)
{
    const struct weir__amounts large = {{1, 9900}}, small = {{1, 50}};
    struct bench bench;
    (void)state;
    for (int bucket = 0; bucket < 2; bucket++) {
        begin(&bench, false);
        struct weir__told told = told_of(10000, 10000, bucket ? 0 : 60000, 60000);
        told.quotas[0].unit = WEIR__UNIT_TOKENS;
        accept_next(&bench, &told);
        bench.learn.spreads[0].votes = bucket ? 8 : -8;
        weir__learn_take(&bench.learn, &large, bench.now_ns);
        int64_t slot_ns = weir__learn_slot_ns(&bench.learn, &small, bench.now_ns);
        assert_in_range(slot_ns - bench.now_ns, 0, 61 * S);
        slot_ns = weir__learn_slot_ns(&bench.learn, &large, bench.now_ns);
        assert_in_range(slot_ns - bench.now_ns, 55 * S, 61 * S);
    }
}

/* A limit that was lowered, told by an answer from before the roll. */
static void no_more_is_left_than_the_limit(void **state)
{
    struct bench bench;
    (void)state;
    begin(&bench, false);
    struct weir__told told = told_of(1000, 1, 1000, 1000);
    accept_next(&bench, &told);
    struct weir__sent early = weir__learn_take(&bench.learn, &one, bench.now_ns);
    bench.now_ns += 1100 * MS;
    next(&bench);
    told = told_of(10, 1, 1000, 1000);
    weir__learn_accepted(&bench.learn, early, &told, bench.now_ns);
    const struct weir__spread *spread = weir__learn_told(&bench.learn, bench.now_ns);
    assert_in_range(weir__spread_remaining(spread, bench.learn.total.of[0], bench.now_ns), 0, 10);
}

/* There is room for few limits, but not for ever those of the first answers. */
static void limits_of_long_ago_make_room(void **state)
{
    struct bench bench;
    (void)state;
    begin(&bench, false);
    for (int i = 1; i <= WEIR__LEARN_SPREADS; i++) {
        struct weir__told told = told_of(1000, 900, 1000, i * 1000);
        accept_next(&bench, &told);
    }
    struct weir__told told = told_of(777, 700, 1000, 60000);
    accept_next(&bench, &told);
    assert_int_equal(weir__learn_told(&bench.learn, bench.now_ns)->limit, 1000);
    bench.now_ns += 3600 * S;
    accept_next(&bench, &told);
    assert_int_equal(weir__learn_told(&bench.learn, bench.now_ns)->limit, 777);
}

/* Two answers of one limit as far apart as their numbers can be. */
static void extremes_can_be_compared(void **state)
{
    const int64_t most = INT64_C(1000000000000);
    struct bench bench;
    (void)state;
    begin(&bench, false);
    struct weir__told full = told_of(most, most - 1, 3000, -1), empty = told_of(most, 0, 1, -1);
    accept_next(&bench, &full);
    bench.now_ns += S;
    accept_next(&bench, &empty);
    assert_true(wait_ns(&bench) <= 3 * S);
}

/* Whatever is told, no slot is further than the longest reset. */
static void numbers_at_random_do_no_harm(void **state)
{
    struct bench bench;
    const int64_t most_ms = INT64_C(365) * 24 * 3600 * 1000;
    (void)state;
    begin(&bench, false);
    for (int i = 0; i < 20000; i++) {
        struct weir__told told = {.wait_ms = -1, .used = -1, .quota_count = 2};
        for (int j = 0; j < 2; j++)
            told.quotas[j] = (struct weir__quota){
                .unit = j == 0 ? WEIR__UNIT_REQUESTS : WEIR__UNIT_TOKENS,
                .limit = 1 + weir__rand_upto(&bench.rand, i % 2 == 0 ? 10 : INT64_C(1000000000000)),
                .remaining = weir__rand_upto(&bench.rand, i % 3 == 0 ? 3 : INT64_C(100000000000)),
                .reset_ms = weir__rand_upto(&bench.rand, i % 5 == 0 ? most_ms : 3000) - 1,
                .window_ms = i % 7 == 0 ? weir__rand_upto(&bench.rand, most_ms) : -1,
                .step_ms = i % 2 == 0 ? 1 : 1000};
        struct weir__sent sent = weir__learn_take(&bench.learn, &one, bench.now_ns);
        bench.now_ns += weir__rand_upto(&bench.rand, 100 * MS);
        if (i % 11 == 0)
            weir__learn_throttled(&bench.learn, sent, &told, bench.now_ns, &bench.rand);
        else
            weir__learn_accepted(&bench.learn, sent, &told, bench.now_ns);
        assert_true(wait_ns(&bench) <= 2 * most_ms * MS);
        assert_true(weir__learn_per_s(&bench.learn, bench.now_ns) >= 0);
    }
}

/* The server says that there is plenty, and refuses: it is believed no longer. */
static void a_contradiction_is_not_believed(void **state)
{
    struct bench bench;
    (void)state;
    begin(&bench, false);
    struct weir__told told = told_of(1000, 900, 1000, 1000);
    accept_next(&bench, &told);
    struct weir__sent sent = next(&bench);
    weir__learn_throttled(&bench.learn, sent, &told, bench.now_ns + 10 * MS, &bench.rand);
    assert_true(bench.learn.seek.limit > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(before_a_refusal_a_rate_that_is_told_is_left_alone),
        cmocka_unit_test(a_start_is_slow_until_the_first_answer),
        cmocka_unit_test(refusals_of_one_epoch_cut_once),
        cmocka_unit_test(pauses_double_up_to_a_maximum),
        cmocka_unit_test(nobody_goes_before_the_server_allows),
        cmocka_unit_test(an_outage_says_nothing_about_the_limit),
        cmocka_unit_test(a_window_is_spread),
        cmocka_unit_test(what_is_used_up_waits_for_the_reset),
        cmocka_unit_test(the_reset_is_predicted),
        cmocka_unit_test(what_makes_no_sense_is_ignored),
        cmocka_unit_test(a_reset_of_nothing_is_no_rate),
        cmocka_unit_test(what_was_not_sent_says_nothing),
        cmocka_unit_test(what_was_not_sent_is_left),
        cmocka_unit_test(a_large_amount_waits_for_no_more_than_all),
        cmocka_unit_test(no_more_is_left_than_the_limit),
        cmocka_unit_test(limits_of_long_ago_make_room),
        cmocka_unit_test(extremes_can_be_compared),
        cmocka_unit_test(numbers_at_random_do_no_harm),
        cmocka_unit_test(a_contradiction_is_not_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
