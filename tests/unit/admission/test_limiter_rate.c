/* The token bucket with real tasks in front of it, under the virtual clock. */
#include "limiter_rig.h"

enum { MAX_ASKS = 40 };

#define MS INT64_C(1000) /* in us */
#define S  (1000 * MS)

/* Asks for the amounts at the same time or as told; want: when each is to be served. */
struct vector {
    struct weir_limiter_opts opts;
    size_t count;
    uint64_t amounts[8]; /* 0: 1 */
    int64_t at_us[8];
    int64_t want_us[20];
    int64_t every_us; /* behind the last of want_us that is told: one more each */
    size_t told;
};

static void check_vector(const struct vector *vector)
{
    struct weir_limiter_opts opts = vector->opts;
    opts.size = sizeof opts;
    weir_limiter *limiter = limiter_with(&opts);
    struct ask asks[MAX_ASKS] = {{0}};
    for (size_t i = 0; i < vector->count; i++) {
        asks[i].amount = i < 8 && vector->amounts[i] > 0 ? vector->amounts[i] : 1;
        asks[i].at_us = i < 8 ? vector->at_us[i] : 0;
    }
    asks_run(limiter, asks, vector->count);
    for (size_t i = 0; i < vector->count; i++) {
        int64_t want_us = i < vector->told ? vector->want_us[i]
                                           : vector->want_us[vector->told - 1] +
                                                 (int64_t)(i - vector->told + 1) * vector->every_us;
        check_int(asks[i].got_us, want_us);
    }
    weir_limiter_free(limiter);
}

/* (rate per period with burst == rate) is aiolimiter's bucket. */
static int vectors(void *arg)
{
    static const struct vector vectors[] = {
        {{.rate = 5, .period_ms = 10000, .burst = 5}, 10, {0}, {0}, {0, 0, 0, 0, 0}, 2 * S, 5},
        {{.rate = 10, .period_ms = 60000, .burst = 10},
         20,
         {0},
         {0},
         {0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
         6 * S,
         10},
        {{.rate = 2, .period_ms = 10000, .burst = 2},
         5,
         {0},
         {0, 10 * MS, 20 * MS, 30 * MS, 40 * MS},
         {0, 10 * MS, 5 * S, 10 * S, 15 * S},
         0,
         5},
        {{.rate = 3, .period_ms = 3000, .burst = 3}, 2, {1, 3}, {0}, {0, 1 * S}, 0, 2},
        {{.rate = 3, .period_ms = 3000, .burst = 3}, 2, {2, 2}, {0}, {0, 1 * S}, 0, 2},
        {{.rate = 10, .period_ms = 1000, .burst = 5}, 8, {0}, {0}, {0, 0, 0, 0, 0}, 100 * MS, 5},
        {{.rate = 1000, .period_ms = 1000, .burst = 3000},
         3,
         {2500, 1200, 3000},
         {0},
         {0, 700 * MS, 3700 * MS},
         0,
         3},
        /* By default a rate is per minute, and the burst what 20 ms bring, at least one. */
        {{.rate = 60}, 5, {0}, {0}, {0}, 1 * S, 1},
        {{.rate = 6000}, 4, {0}, {0}, {0, 0}, 10 * MS, 2},
        {{.rate = 1, .period_ms = 1},
         23,
         {0},
         {0},
         {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
         1 * MS,
         20},
    };
    (void)arg;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++)
        check_vector(&vectors[i]);
    return 0;
}

static int thirds_of_a_second(void *arg)
{
    weir_limiter *limiter = LIMITER(.rate = 3, .period_ms = 1000, .burst = 3);
    struct ask asks[10] = {{0}};
    (void)arg;
    for (size_t i = 0; i < 10; i++)
        asks[i].amount = 1;
    asks_run(limiter, asks, 10);
    check_int(asks[2].got_us, 0);
    check(asks[9].got_us >= 2333333 && asks[9].got_us <= 2333334);
    weir_limiter_free(limiter);
    return 0;
}

static int what_can_never_fit(void *arg)
{
    static const struct {
        struct weir_limiter_opts opts;
        uint64_t fits;
    } cases[] = {
        {{.rate = 1, .period_ms = 1000, .burst = 1}, 1},
        {{.rate = 1000, .period_ms = 1000, .burst = 3000}, 3000},
        {{.rate = 5, .period_ms = 1000, .burst = 5}, 5},
        {{.rate = 6000}, 2},
    };
    (void)arg;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct weir_limiter_opts opts = cases[i].opts;
        opts.size = sizeof opts;
        weir_limiter *limiter = limiter_with(&opts);
        int64_t before_ns = weir_now_ns();
        check_int(weir_limiter_acquire(limiter, cases[i].fits + 1), WEIR_ENEVER);
        check_int(weir_limiter_acquire(limiter, 42 + cases[i].fits), WEIR_ENEVER);
        check_int(weir_limiter_acquire(limiter, UINT64_MAX), WEIR_ENEVER);
        check_int(weir_limiter_acquire(limiter, 0), WEIR_ENEVER);
        check_int(weir_limiter_try(limiter, cases[i].fits + 1), WEIR_ENEVER);
        check_int(weir_limiter_try(limiter, 0), WEIR_ENEVER);
        check_int(weir_now_ns() - before_ns, 0);
        check_int(weir_limiter_acquire(limiter, cases[i].fits), 0); /* nothing was taken */
        check_int(weir_now_ns() - before_ns, 0);
        weir_limiter_free(limiter);
    }
    return 0;
}

static int without_a_rate_any_amount_goes(void *arg)
{
    weir_limiter *limiter = LIMITER(.concurrency = 2);
    (void)arg;
    check_int(weir_limiter_acquire(limiter, UINT64_MAX), 0);
    check_int(weir_limiter_acquire(limiter, 1), 0);
    check_int(weir_limiter_try(limiter, 1), WEIR_EBUSY);
    check_int(weir_limiter_acquire(limiter, 0), WEIR_ENEVER);
    weir_limiter_free(limiter);
    return 0;
}

/* How long an amount would have to wait now: asks, looks, and goes again without a trace. */
static int64_t wait_ms(weir_limiter *limiter, uint64_t amount)
{
    weir_group *group = rig_group();
    struct ask ask = {.amount = amount};
    asks_spawn(group, limiter, &ask, 1);
    weir_yield();
    struct weir_limiter_stats stats = stats_of(limiter);
    check_int((int64_t)stats.waiting, 1);
    check_int(stats.blocked, WEIR_BLOCKED_RATE);
    weir_group_free(group);
    check_int(ask.rc, WEIR_ECANCELED);
    return stats.blocked_ms;
}

static void check_takes(weir_limiter *limiter, uint64_t amount, int times)
{
    for (int i = 0; i < times; i++)
        check_int(weir_limiter_try(limiter, amount), 0);
    check_int(weir_limiter_try(limiter, amount), WEIR_EBUSY);
}

/* 5 per second, burst 5: a token each 200 ms, up to 800 ms ahead of time. */
static int waits_of_the_cell_rate_algorithm(void *arg)
{
    weir_limiter *limiter = LIMITER(.rate = 5, .period_ms = 1000, .burst = 5);
    (void)arg;
    check_takes(limiter, 1, 5);
    check_int(wait_ms(limiter, 1), 200);
    weir_sleep_ms(200);
    check_takes(limiter, 1, 1);
    check_int(wait_ms(limiter, 1), 200);
    check_int(wait_ms(limiter, 3), 600);
    weir_sleep_ms(600);
    check_takes(limiter, 3, 1);
    check_int(wait_ms(limiter, 1), 200);
    weir_sleep_ms(1200);
    check_takes(limiter, 5, 1);
    check_int(wait_ms(limiter, 1), 200);
    check_int(weir_limiter_try(limiter, 6), WEIR_ENEVER);
    weir_limiter_free(limiter);
    return 0;
}

/* Asks for one as often as it can for a minute, then counts. */
static int64_t grants_in_a_minute(weir_limiter *limiter)
{
    int64_t count = 0, start_ns = weir_now_ns();
    while (weir_limiter_acquire(limiter, 1) == 0 && us_since(start_ns) < 60 * S)
        count++;
    return count;
}

static int burst_is_apart_from_the_rate(void *arg)
{
    weir_limiter *all = LIMITER(.rate = 10, .burst = 10);
    weir_limiter *strict = LIMITER(.rate = 10, .burst = 1);
    (void)arg;
    check_int(grants_in_a_minute(all), 19);
    check_int(grants_in_a_minute(strict), 10);
    weir_limiter_free(all);
    weir_limiter_free(strict);
    return 0;
}

/* ---- order ---- */

/* A large amount is not overtaken by what comes after it. */
static int large_amounts_do_not_starve(void *arg)
{
    weir_limiter *limiter = LIMITER(.rate = 3, .period_ms = 3000, .burst = 3);
    struct ask asks[12] = {{.amount = 3}, {.amount = 3, .at_us = 10 * MS}};
    (void)arg;
    for (size_t i = 2; i < 12; i++)
        asks[i] = (struct ask){.amount = 1, .at_us = (int64_t)(i - 1) * 500 * MS};
    asks_run(limiter, asks, 12);
    check_int(asks[0].got_us, 0);
    check_int(asks[1].got_us, 3 * S);
    for (size_t i = 2; i < 12; i++)
        check_int(asks[i].got_us, (int64_t)(i + 2) * S);
    weir_limiter_free(limiter);
    return 0;
}

static int arrival_is_the_order(void *arg)
{
    weir_limiter *limiter = LIMITER(.rate = 10, .period_ms = 1000, .burst = 4);
    struct ask asks[MAX_ASKS] = {{0}};
    (void)arg;
    for (size_t i = 0; i < MAX_ASKS; i++)
        asks[i] = (struct ask){.amount = 1 + (i * 7) % 4, .at_us = (int64_t)i * 10 * MS};
    asks_run(limiter, asks, MAX_ASKS);
    for (size_t i = 1; i < MAX_ASKS; i++)
        check(asks[i].got_us >= asks[i - 1].got_us);
    weir_limiter_free(limiter);
    return 0;
}

/* While somebody waits, nobody takes a token past him, even if it is there. */
static int nobody_takes_past_the_queue(void *arg)
{
    weir_limiter *limiter = LIMITER(.rate = 3, .period_ms = 3000, .burst = 3);
    weir_group *group = rig_group();
    struct ask large = {.amount = 3};
    (void)arg;
    check_int(weir_limiter_try(limiter, 1), 0);
    asks_spawn(group, limiter, &large, 1);
    weir_yield();
    check_int(weir_limiter_try(limiter, 1), WEIR_EBUSY); /* two are there */
    check_int(weir_limiter_acquire(limiter, 1), 0);
    check_int(large.got_us, 1 * S);
    check_int(us_since(large.start_ns), 2 * S);
    weir_group_free(group);
    weir_limiter_free(limiter);
    return 0;
}

/* ---- deadlines ---- */

static int refused_if_too_late(void *arg)
{
    weir_limiter *limiter = LIMITER(.rate = 1, .period_ms = 1000, .burst = 1);
    int64_t start_ns = weir_now_ns();
    weir_deadline limit;
    (void)arg;
    check_int(weir_limiter_acquire(limiter, 1), 0);
    weir_deadline_begin_ms(&limit, 999);
    check_int(weir_limiter_acquire(limiter, 1), WEIR_EDEADLINE);
    check_int(us_since(start_ns), 0); /* at once */
    check_int(weir_deadline_end(&limit, WEIR_EDEADLINE), WEIR_EDEADLINE);
    weir_deadline_begin_ms(&limit, 1001);
    check_int(weir_limiter_acquire(limiter, 1), 0); /* nothing was taken by the refused one */
    check_int(us_since(start_ns), 1 * S);
    check_int(weir_deadline_end(&limit, 0), 0);
    check_int((int64_t)stats_of(limiter).waiting, 0);
    weir_limiter_free(limiter);
    return 0;
}

static int refused_by_what_waits_before(void *arg)
{
    weir_limiter *limiter = LIMITER(.rate = 1, .period_ms = 1000, .burst = 2);
    weir_group *group = rig_group();
    struct ask asks[3] = {{.amount = 2}, {.amount = 1}, {.amount = 2}};
    weir_deadline limit;
    (void)arg;
    asks_spawn(group, limiter, asks, 3); /* served at 0, 1 and 3 s */
    weir_yield();
    weir_deadline_begin_ms(&limit, 3999);
    check_int(weir_limiter_acquire(limiter, 1), WEIR_EDEADLINE);
    weir_deadline_end(&limit, 0);
    weir_deadline_begin_ms(&limit, 4001);
    check_int(weir_limiter_acquire(limiter, 1), 0);
    check_int(us_since(asks[0].start_ns), 4 * S);
    weir_deadline_end(&limit, 0);
    check_int(weir_gather(group), 0);
    weir_group_free(group);
    weir_limiter_free(limiter);
    return 0;
}

/* Who was cancelled just now, and has not run since, does not count any more. */
static int the_cancelled_delay_nobody(void *arg)
{
    weir_limiter *limiter = LIMITER(.rate = 1, .period_ms = 1000, .burst = 2);
    weir_group *group = rig_group();
    struct ask asks[3] = {{.amount = 2}, {.amount = 2}, {.amount = 2}};
    weir_deadline limit;
    (void)arg;
    asks_spawn(group, limiter, asks, 3);
    weir_yield();
    weir_group_cancel(group);
    weir_deadline_begin_ms(&limit, 1001);
    check_int(weir_limiter_acquire(limiter, 1), 0);
    check_int(us_since(asks[0].start_ns), 1 * S);
    weir_deadline_end(&limit, 0);
    weir_group_free(group);
    weir_limiter_free(limiter);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(vectors),
        VIRTUAL_TEST(thirds_of_a_second),
        VIRTUAL_TEST(what_can_never_fit),
        VIRTUAL_TEST(without_a_rate_any_amount_goes),
        VIRTUAL_TEST(waits_of_the_cell_rate_algorithm),
        VIRTUAL_TEST(burst_is_apart_from_the_rate),
        VIRTUAL_TEST(large_amounts_do_not_starve),
        VIRTUAL_TEST(arrival_is_the_order),
        VIRTUAL_TEST(nobody_takes_past_the_queue),
        VIRTUAL_TEST(refused_if_too_late),
        VIRTUAL_TEST(refused_by_what_waits_before),
        VIRTUAL_TEST(the_cancelled_delay_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
