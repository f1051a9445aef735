/* Whatever is asked for, given back, cancelled or changed in between: no limit is ever passed. From
 * fixed seeds. */
#include "limiter_rig.h"

#include <stdlib.h>

#include "base/rand.h"

enum { RUNS = 12, TASKS = 40, EACH = 25 };

/* One limit of each kind. */
enum { STRICT_RATE = 30, REQUESTS_BURST = 12, REQUESTS_RATE = 50, TOKENS_RATE = 400 };
static const struct weir_limit limits[] = {
    {.rate = STRICT_RATE, .period_ms = 1000, .strict = 1},
    {.rate = REQUESTS_RATE, .period_ms = 1000, .burst = REQUESTS_BURST},
    {.rate = TOKENS_RATE, .period_ms = 1000, .unit = WEIR_TOKENS},
};

struct grant {
    int64_t at_us;
    int64_t requests, tokens; /* that were used */
};

struct scene {
    weir_limiter *limiter;
    struct weir__rand rand;
    int64_t start_ns;
    struct grant *grants;
    size_t count, refused;
};

static int64_t draw(struct scene *scene, int64_t low, int64_t high)
{
    return low + weir__rand_upto(&scene->rand, high - low);
}

static void use(struct scene *scene, weir_permit *permit, int64_t requests, int64_t tokens)
{
    struct grant *grant = &scene->grants[scene->count++];
    *grant = (struct grant){.at_us = us_since(scene->start_ns)};
    weir_sleep_ms(draw(scene, 0, 300));
    if (draw(scene, 0, 3) == 0) {
        weir_permit_cancel(permit);
        return;
    }
    grant->requests = requests;
    grant->tokens = draw(scene, 0, tokens);
    weir_permit_settle(permit, grant->tokens);
}

static int ask_often(void *arg)
{
    struct scene *scene = arg;
    for (int i = 0; i < EACH; i++) {
        int64_t requests = draw(scene, 1, 3), tokens = draw(scene, 0, 60);
        weir_permit permit;
        weir_deadline limit;
        weir_deadline_begin_ms(&limit, draw(scene, 1, 20000));
        int rc = weir_limiter_reserve(scene->limiter,
                                      WEIR_WANT(.requests = (uint64_t)requests,
                                                .tokens = (uint64_t)tokens,
                                                .priority = (int)draw(scene, -1, 1)),
                                      &permit);
        weir_deadline_end(&limit, 0);
        scene->refused += rc < 0;
        if (rc == 0)
            use(scene, &permit, requests, tokens);
        weir_sleep_ms(draw(scene, 0, 5) == 0 ? draw(scene, 0, 3000) : 0);
    }
    return 0;
}

static int by_time(const void *a, const void *b)
{
    const struct grant *x = a, *y = b;
    return (x->at_us > y->at_us) - (x->at_us < y->at_us);
}

/* Times are cut to whole us, and each take is rounded up by less than 1 ns. */
static bool over(int64_t sum, int64_t burst, int64_t rate, int64_t window_us)
{
    return (sum - burst) * 1000000 > rate * (window_us + 2);
}

static void check_windows(const struct grant *grants, size_t count)
{
    for (size_t from = 0; from < count; from++) {
        int64_t requests = 0, tokens = 0;
        for (size_t to = from; to < count; to++) {
            int64_t window_us = grants[to].at_us - grants[from].at_us;
            requests += grants[to].requests;
            tokens += grants[to].tokens;
            bool kept = (window_us >= 1000000 || requests <= STRICT_RATE) &&
                        !over(requests, REQUESTS_BURST, REQUESTS_RATE, window_us) &&
                        !over(tokens, TOKENS_RATE, TOKENS_RATE, window_us);
            if (!check(kept))
                return;
        }
    }
}

static int play(void *arg)
{
    struct scene scene = {.start_ns = weir_now_ns()};
    weir_group *group = rig_group();
    weir__rand_seed(&scene.rand, *(const uint64_t *)arg);
    scene.grants = test_calloc(TASKS * EACH, sizeof *scene.grants);
    scene.limiter = LIMITER(.limits = limits, .limit_count = 3, .concurrency = 20);
    for (int i = 0; i < TASKS; i++)
        check(weir_spawn(group, ask_often, &scene) != NULL);
    for (int i = 0; i < 20; i++) { /* the same limits anew change nothing, whenever it is */
        weir_sleep_ms(500);
        check_int(weir_limiter_set_limit(scene.limiter, (size_t)i % 3, &limits[i % 3]), 0);
        check_int(weir_limiter_set_concurrency(scene.limiter, (uint64_t)draw(&scene, 5, 20)), 0);
    }
    check_int(weir_gather(group), 0);
    check(scene.count > TASKS * EACH / 2);
    check_int((int64_t)(scene.count + scene.refused), TASKS * EACH);
    check_int((int64_t)stats_of(scene.limiter).holding, 0);
    check_int((int64_t)stats_of(scene.limiter).waiting, 0);
    qsort(scene.grants, scene.count, sizeof *scene.grants, by_time);
    check_windows(scene.grants, scene.count);
    weir_group_free(group);
    weir_limiter_free(scene.limiter);
    test_free(scene.grants);
    return 0;
}

static void test_no_limit_is_passed(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= RUNS; seed++) {
        assert_int_equal(rig_run(play, &seed), 0);
        rig_assert_no_failure();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_no_limit_is_passed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
