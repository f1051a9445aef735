/* Limiters by key: made, found, forgotten; and the bound over all of them. */
#include <weir/limiters.h>

#include <stdio.h>
#include <string.h>

#include <weir/shared.h>

#include "base/mem.h"
#include "limiter_rig.h"

static weir_limiters *set_with(const struct weir_limiters_opts *opts)
{
    weir_limiters *set = NULL;
    check_int(weir_limiters_new(&set, opts), 0);
    return set;
}
#define SET(...) set_with(WEIR_LIMITERS_OPTS(__VA_ARGS__))

static weir_limiter *get(weir_limiters *set, const char *key)
{
    weir_limiter *limiter = NULL;
    check_int(weir_limiters_get(set, key, &limiter), 0);
    check(limiter != NULL);
    return limiter;
}

static int get_rc(weir_limiters *set, const char *key)
{
    weir_limiter *limiter = (weir_limiter *)&limiter;
    int rc = weir_limiters_get(set, key, &limiter);
    check((rc == 0) == (limiter != NULL));
    return rc;
}

/* ---- making ---- */

static int a_key_has_one_limiter(void *arg)
{
    struct weir_limit limits[] = {{.rate = 5, .burst = 5}};
    weir_limiters *set = SET(.each = WEIR_LIMITER_OPTS(.limits = limits, .limit_count = 1));
    (void)arg;
    limits[0].rate = 1; /* they were copied */
    weir_limiter *a = get(set, "a"), *b = get(set, "b");
    check(a != b);
    check(get(set, "a") == a && get(set, "b") == b);
    check(get(set, "") != a); /* a key, too */
    check_int((int64_t)weir_limiters_count(set), 3);
    for (int i = 0; i < 5; i++)
        check_int(weir_limiter_try(a, 1), 0);
    check_int(weir_limiter_try(a, 1), WEIR_EBUSY);
    check_int(weir_limiter_try(b, 5), 0); /* each has its own */
    weir_limiters_free(set);
    weir_limiters_free(NULL);
    return 0;
}

static int wrong_options_and_keys(void *arg)
{
    static char key[WEIR_LIMIT_KEY_MAX + 2];
    weir_limiters *set = (weir_limiters *)&set;
    const struct weir_limit strict = {.rate = 1, .burst = 2, .strict = 1};
    (void)arg;
    check_int(weir_limiters_new(&set, &(struct weir_limiters_opts){.size = 1}), WEIR_EINVAL);
    check(set == NULL);
    check_int(weir_limiters_new(&set, WEIR_LIMITERS_OPTS(.max_keys = WEIR_LIMITERS_KEYS_MAX + 1)),
              WEIR_EINVAL);
    check_int(weir_limiters_new(&set, WEIR_LIMITERS_OPTS(.each = WEIR_LIMITER_OPTS(.burst = 1))),
              WEIR_EINVAL);
    check_int(weir_limiters_new(&set,
                                WEIR_LIMITERS_OPTS(.each = WEIR_LIMITER_OPTS(.limits = &strict,
                                                                             .limit_count = 1))),
              WEIR_EINVAL);
    check_int(weir_limiters_new(&set,
                                WEIR_LIMITERS_OPTS(.each = WEIR_LIMITER_OPTS(.limits = &strict,
                                                                             .limit_count = 9))),
              WEIR_EINVAL);
    check(set == NULL);
    set = SET();
    memset(key, 'k', sizeof key - 1);
    check_int(get_rc(set, key), WEIR_EINVAL);
    check_int(weir_limiters_set(set, key, NULL), WEIR_EINVAL);
    key[WEIR_LIMIT_KEY_MAX] = '\0';
    check_int(get_rc(set, key), 0);
    check_int(get_rc(set, NULL), WEIR_EINVAL);
    check_int(weir_limiters_set(set, NULL, NULL), WEIR_EINVAL);
    weir_limiters_free(set);
    return 0;
}

static int one_key_with_options_of_its_own(void *arg)
{
    weir_limiters *set = SET(.each = WEIR_LIMITER_OPTS(.rate = 5, .burst = 5), .max_keys = 2);
    (void)arg;
    check_int(weir_limiters_set(set, "big", WEIR_LIMITER_OPTS(.burst = 1)), WEIR_EINVAL);
    check_int((int64_t)weir_limiters_count(set), 0);
    check_int(weir_limiters_set(set, "big", WEIR_LIMITER_OPTS(.rate = 50, .burst = 50)), 0);
    check_int(weir_limiters_set(set, "big", NULL), WEIR_EBUSY);
    check_int(weir_limiter_try(get(set, "big"), 50), 0);
    get(set, "a");
    get(set, "b"); /* "a" goes, though "big" was used longer ago: its options would be lost */
    check_int(weir_limiter_try(get(set, "big"), 50), WEIR_EBUSY);
    check_int((int64_t)weir_limiters_count(set), 2);
    weir_limiters_free(set);
    return 0;
}

/* ---- forgetting ---- */

static int the_one_used_longest_ago_is_forgotten(void *arg)
{
    weir_limiters *set = SET(.each = WEIR_LIMITER_OPTS(.rate = 1, .burst = 1), .max_keys = 3);
    struct weir_limiter_stats stats = {.size = sizeof stats};
    char key[16];
    (void)arg;
    check_int(weir_limiter_try(get(set, "a"), 1), 0);
    check_int(weir_limiter_try(get(set, "b"), 1), 0);
    check_int(weir_limiter_try(get(set, "c"), 1), 0);
    get(set, "a");
    get(set, "d");
    check_int(weir_limiter_try(get(set, "a"), 1), WEIR_EBUSY);
    check_int(weir_limiter_try(get(set, "c"), 1), WEIR_EBUSY);
    check_int(weir_limiter_try(get(set, "b"), 1), 0); /* anew */
    for (int i = 0; i < 1000; i++) {
        snprintf(key, sizeof key, "k%d", i);
        check_int(weir_limiter_try(get(set, key), 1), 0);
        check(weir_limiters_count(set) <= 3);
    }
    check_int(weir_limiters_stats(set, &stats, NULL), 0);
    check_int((int64_t)stats.admitted, 1004); /* of those that are gone, too */
    weir_limiters_free(set);
    return 0;
}

static int one_in_use_is_not_forgotten(void *arg)
{
    weir_limiters *set = SET(.each = WEIR_LIMITER_OPTS(.concurrency = 1), .max_keys = 2);
    struct ask ask = {.amount = 1};
    weir_group *group = rig_group();
    weir_permit permit;
    (void)arg;
    weir_limiter *held = get(set, "held");
    check_int(weir_limiter_acquire(held, 1), 0);
    check_int(weir_limiter_reserve(get(set, "permit"), NULL, &permit), 0);
    check_int(get_rc(set, "more"), WEIR_EKEYS);
    check_int(weir_limiters_set(set, "more", NULL), WEIR_EKEYS);
    check_int(get_rc(set, "held"), 0);
    asks_spawn(group, held, &ask, 1);
    settle();
    weir_permit_settle(&permit, -1);
    check_int(get_rc(set, "more"), 0); /* in the place of "permit" */
    check(get(set, "held") == held);
    weir_limiter_release(held); /* passes it on */
    check_int(weir_gather(group), 0);
    check_int(weir_group_free(group), 0);
    get(set, "x");
    get(set, "y");
    check_int((int64_t)weir_limiters_count(set), 2);
    weir_limiters_free(set);
    return 0;
}

static int a_pause_is_forgotten_last(void *arg)
{
    weir_limiters *set = SET(.max_keys = 2);
    (void)arg;
    weir_limiter_pause_ms(get(set, "paused"), 1000);
    get(set, "a");
    get(set, "b");
    check_int(weir_limiter_try(get(set, "paused"), 1), WEIR_EBUSY);
    weir_limiter_pause_ms(get(set, "b"), 1000);
    get(set, "c"); /* there is no choice: "paused" is older */
    check_int(weir_limiter_try(get(set, "b"), 1), WEIR_EBUSY);
    check_int(weir_limiter_try(get(set, "paused"), 1), 0);
    weir_limiters_free(set);
    return 0;
}

/* ---- the end ---- */

static int closing_ends_all(void *arg)
{
    weir_limiters *set = SET(.each = WEIR_LIMITER_OPTS(.rate = 1, .burst = 1));
    struct ask asks[] = {{.amount = 1}, {.amount = 1}, {.amount = 1}, {.amount = 1}};
    weir_group *group = rig_group();
    (void)arg;
    asks_spawn(group, get(set, "a"), asks, 2);
    asks_spawn(group, get(set, "b"), asks + 2, 2);
    settle();
    weir_limiters_close(set);
    check_int(get_rc(set, "a"), WEIR_ECLOSED);
    check_int(get_rc(set, "new"), WEIR_ECLOSED);
    check_int(weir_limiters_set(set, "new", NULL), WEIR_ECLOSED);
    check_int(weir_gather(group), WEIR_ECLOSED);
    check_int(weir_group_free(group), 0);
    check_int(asks[0].rc, 0);
    check_int(asks[1].rc, WEIR_ECLOSED);
    check_int(asks[3].rc, WEIR_ECLOSED);
    weir_limiters_free(set);
    return 0;
}

static int freed_while_tasks_wait_and_hold(void *arg)
{
    weir_limiters *set = SET(.concurrency = 1);
    struct ask ask = {.amount = 1};
    weir_group *group = rig_group();
    weir_permit permit;
    (void)arg;
    check_int(weir_limiter_reserve(get(set, "a"), NULL, &permit), 0);
    asks_spawn(group, get(set, "b"), &ask, 1);
    settle();
    weir_limiters_free(set);
    check_int(weir_gather(group), WEIR_ECLOSED);
    check_int(weir_group_free(group), 0);
    weir_permit_settle(&permit, -1); /* AddressSanitizer would tell */
    return 0;
}

static int when_memory_is_out(void *arg)
{
    const struct weir_limit strict = {.rate = 100, .strict = 1};
    const struct weir_limiter_opts *each = WEIR_LIMITER_OPTS(.limits = &strict, .limit_count = 1);
    weir_limiters *set = NULL;
    int rc = WEIR_ENOMEM;
    (void)arg;
    for (unsigned long k = 1; rc == WEIR_ENOMEM; k++) {
        check(set == NULL && k < 20);
        weir__mem_fail_at(k);
        rc = weir_limiters_new(&set,
                               WEIR_LIMITERS_OPTS(.each = each, .concurrency = 4, .max_keys = 1));
        weir__mem_fail_at(0);
    }
    check_int(rc, 0);
    check_int(get_rc(set, "a"), 0);
    rc = WEIR_ENOMEM;
    for (unsigned long k = 1; rc == WEIR_ENOMEM && k < 20; k++) {
        weir__mem_fail_at(k);
        rc = get_rc(set, "b");
        weir__mem_fail_at(0);
        check_int((int64_t)weir_limiters_count(set), 1); /* nothing was forgotten in vain */
    }
    check_int(rc, 0);
    weir_limiters_free(set);
    return 0;
}

/* ---- the bound over all ---- */

enum { EACH_ASKS = 20 };

/* 20 for each of three keys, 10 ms each, 2 of all at a time: the keys take turns. */
static int a_bound_over_all(void *arg)
{
    static struct ask asks[3][EACH_ASKS];
    static const char *const keys[] = {"a", "b", "c"};
    weir_limiters *set = SET(.concurrency = 2);
    struct weir_limiter_stats stats = {.size = sizeof stats};
    weir_group *group = rig_group();
    (void)arg;
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < EACH_ASKS; j++)
            asks[i][j] = (struct ask){.amount = 1, .hold_ms = 10};
        asks_spawn(group, get(set, keys[i]), asks[i], EACH_ASKS);
    }
    check_int(weir_sleep_ms(5), 0);
    check_int(weir_limiters_stats(set, &stats, NULL), 0);
    check_int((int64_t)stats.holding, 2);
    check_int((int64_t)stats.waiting, 58);
    check_int((int64_t)stats.concurrency, 2);
    check_int((int64_t)stats.blocked, WEIR_BLOCKED_CONCURRENCY);
    check_int(weir_gather(group), 0);
    check_int(us_since(asks[0][0].start_ns), 300000);
    check_int(weir_group_free(group), 0);
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < EACH_ASKS; j++)
            check(asks[i][j].got_us >= (int64_t)j * 15000 - 20000 &&
                  asks[i][j].got_us <= (int64_t)j * 15000 + 20000);
    }
    weir_limiters_free(set);
    return 0;
}

/* What waits for the rate or behind a pause has no place, nor has one that was cancelled. */
static int a_key_that_waits_holds_no_place(void *arg)
{
    weir_limiters *set = SET(.concurrency = 1);
    struct ask paused = {.amount = 1}, cancelled = {.amount = 1}, last = {.amount = 1};
    weir_group *group = rig_group();
    (void)arg;
    weir_limiter_pause_ms(get(set, "paused"), 1000);
    asks_spawn(group, get(set, "paused"), &paused, 1);
    settle();
    check_int(weir_limiter_acquire(get(set, "a"), 1), 0);
    weir_group *doomed = rig_group();
    asks_spawn(doomed, get(set, "b"), &cancelled, 1);
    settle();
    weir_group_cancel(doomed);
    check_int(weir_group_free(doomed), 0);
    check_int(cancelled.rc, WEIR_ECANCELED);
    asks_spawn(group, get(set, "c"), &last, 1);
    check_int(weir_sleep_ms(10), 0);
    weir_limiter_release(get(set, "a"));
    check_int(weir_gather(group), 0);
    check_int(weir_group_free(group), 0);
    check_int(last.got_us, 10000);
    check_int(paused.got_us, 1000000);
    weir_limiters_free(set);
    return 0;
}

/* A key's own bound is as tight as without. */
static int an_own_bound_within_the_one_over_all(void *arg)
{
    weir_limiters *set = SET(.each = WEIR_LIMITER_OPTS(.concurrency = 1), .concurrency = 2);
    (void)arg;
    weir_limiter *a = get(set, "a"), *b = get(set, "b"), *c = get(set, "c");
    check_int(weir_limiter_try(a, 1), 0);
    check_int(weir_limiter_try(a, 1), WEIR_EBUSY);
    check_int(weir_limiter_try(b, 1), 0);
    check_int(weir_limiter_try(c, 1), WEIR_EBUSY);
    weir_limiter_release(a);
    check_int(weir_limiter_try(b, 1), WEIR_EBUSY);
    check_int(weir_limiter_try(c, 1), 0);
    weir_limiter_release(b);
    weir_limiter_release(c);
    weir_limiters_free(set);
    return 0;
}

/* A rate over all: shared limits in `each`. */
static int a_rate_over_all(void *arg)
{
    const struct weir_limit limit = {.rate = 10, .period_ms = 1000, .burst = 1};
    weir_shared *shared = NULL;
    int64_t start_ms = weir_now_ms();
    (void)arg;
    check_int(weir_shared_open(&shared, NULL, &limit, 1), 0);
    weir_limiters *set = SET(.each = WEIR_LIMITER_OPTS(.shared = shared));
    weir_shared_close(shared);
    for (int i = 0; i < 6; i++)
        check_int(weir_limiter_acquire(get(set, i % 2 == 0 ? "a" : "b"), 1), 0);
    check_int(weir_now_ms() - start_ms, 500);
    weir_limiters_free(set);
    return 0;
}

/* ---- figures ---- */

static int figures_of_all(void *arg)
{
    weir_limiters *set = SET(.each = WEIR_LIMITER_OPTS(.concurrency = 4));
    struct weir_limiter_stats stats = {.size = sizeof stats}, unset = {.size = 0};
    struct ask asks[] = {{.amount = 1}, {.amount = 1}, {.amount = 1}};
    weir_group *group = rig_group();
    const char *key = "";
    (void)arg;
    check_int(weir_limiters_stats(set, &unset, NULL), WEIR_EINVAL);
    check_int(weir_limiters_stats(set, &stats, &key), 0);
    check(key == NULL);
    check_int(stats.told_limit, -1);
    check_int(weir_limiter_acquire(get(set, "busy"), 1), 0);
    weir_limiter_pause_ms(get(set, "one waits"), 9000);
    weir_limiter_pause_ms(get(set, "two wait"), 3000);
    asks_spawn(group, get(set, "one waits"), asks, 1);
    asks_spawn(group, get(set, "two wait"), asks + 1, 2);
    check_int(weir_sleep_ms(1000), 0);
    check_int(weir_limiters_stats(set, &stats, &key), 0);
    check(strcmp(key, "two wait") == 0);
    check_int((int64_t)stats.waiting, 3);
    check_int((int64_t)stats.holding, 1);
    check_int((int64_t)stats.admitted, 1);
    check_int((int64_t)stats.blocked, WEIR_BLOCKED_GATE);
    check_int(stats.blocked_ms, 2000);
    check_int(stats.gate_wait_ms, 3000);
    check_int((int64_t)stats.concurrency, 4);
    check_int(weir_gather(group), 0);
    check_int(weir_group_free(group), 0);
    weir_limiter_release(get(set, "busy"));
    weir_limiters_free(set);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(a_key_has_one_limiter),
        VIRTUAL_TEST(wrong_options_and_keys),
        VIRTUAL_TEST(one_key_with_options_of_its_own),
        VIRTUAL_TEST(the_one_used_longest_ago_is_forgotten),
        VIRTUAL_TEST(one_in_use_is_not_forgotten),
        VIRTUAL_TEST(a_pause_is_forgotten_last),
        VIRTUAL_TEST(closing_ends_all),
        VIRTUAL_TEST(freed_while_tasks_wait_and_hold),
        VIRTUAL_TEST(when_memory_is_out),
        VIRTUAL_TEST(a_bound_over_all),
        VIRTUAL_TEST(a_key_that_waits_holds_no_place),
        VIRTUAL_TEST(an_own_bound_within_the_one_over_all),
        VIRTUAL_TEST(a_rate_over_all),
        VIRTUAL_TEST(figures_of_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
