/* What was learned, as one more limit of the queue: deadlines, changes of the rate, pauses. */
#include <string.h>

#include "admission/admission.h"
#include "limiter_rig.h"

static struct weir__stay stay_that_learns(void)
{
    return (struct weir__stay){.counted = true, .learns = true};
}

static struct weir__told told_of(int64_t limit, int64_t remaining, int64_t reset_ms)
{
    struct weir__told told = {.wait_ms = -1, .used = -1, .quota_count = 1};
    told.quotas[0] = (struct weir__quota){.limit = limit,
                                          .remaining = remaining,
                                          .reset_ms = reset_ms,
                                          .window_ms = -1,
                                          .step_ms = 1};
    return told;
}

/* A request that is answered at once, within a time limit; 0: none. */
static int ask_within(weir_limiter *limiter, int64_t limit_ms, const struct weir__told *told)
{
    struct weir__stay stay = stay_that_learns();
    weir_deadline limit;
    if (limit_ms > 0)
        weir_deadline_begin_ms(&limit, limit_ms);
    int rc = weir__admission_enter(limiter, &stay, 1);
    if (rc == 0)
        weir__admission_leave(limiter, &stay, WEIR__WENT_ANSWERED, told);
    return limit_ms > 0 ? weir_deadline_end(&limit, rc) : rc;
}

/* The server has said that nothing is left for a minute. */
static int what_was_told_lies_behind_a_deadline(void *arg)
{
    weir_limiter *limiter = LIMITER(.concurrency = 4);
    struct weir__told told = told_of(10, 0, 60000);
    (void)arg;
    check_int(ask_within(limiter, 0, &told), 0);
    int64_t start_ms = weir_now_ms();
    check_int(ask_within(limiter, 5000, &told), WEIR_EDEADLINE);
    check_int(weir_now_ms(), start_ms); /* at once */
    check_int(ask_within(limiter, 61000, &told), 0);
    check(weir_now_ms() >= start_ms + 60000);
    check_int((int64_t)stats_of(limiter).waiting, 0);
    weir_limiter_free(limiter);
    return 0;
}

struct late {
    weir_limiter *limiter;
    int rc;
};

static int ask_soon(void *arg)
{
    struct late *late = arg;
    late->rc = ask_within(late->limiter, 100, NULL);
    return 0;
}

/* The first round waits for its first answer, 250 ms at most: what may come earlier is no reason to
 * refuse. */
static int a_first_answer_may_come_before_a_deadline(void *arg)
{
    weir_limiter *limiter = LIMITER(.concurrency = 64);
    struct weir__stay first[32];
    struct late late = {.limiter = limiter};
    weir_group *group = rig_group();
    (void)arg;
    for (int i = 0; i < 32; i++) {
        first[i] = stay_that_learns();
        check_int(weir__admission_enter(limiter, &first[i], 1), 0);
    }
    check(weir_spawn(group, ask_soon, &late) != NULL);
    check_int(weir_sleep_ms(20), 0);
    for (int i = 0; i < 32; i++)
        weir__admission_leave(limiter, &first[i], WEIR__WENT_ANSWERED, NULL);
    check_int(weir_gather(group), 0);
    check_int(late.rc, 0);
    check_int(weir_group_free(group), 0);
    weir_limiter_free(limiter);
    return 0;
}

/* A rate that is configured later is a ceiling as if it had been from the beginning: with half of a
 * window left nothing is slowed down below it. */
static int a_rate_that_is_set_later_is_the_ceiling(void *arg)
{
    weir_limiter *limiter = LIMITER(.concurrency = 64);
    struct weir__told told = told_of(1000, 500, 60000);
    (void)arg;
    check_int(weir_limiter_set_limit(limiter, 0,
                                     &(struct weir_limit){.rate = 100, .period_ms = 1000}),
              0);
    check_int(ask_within(limiter, 0, &told), 0);
    int64_t start_ms = weir_now_ms();
    for (int i = 0; i < 100; i++)
        check_int(ask_within(limiter, 0, NULL), 0);
    check(weir_now_ms() - start_ms <= 1100);
    weir_limiter_free(limiter);
    return 0;
}

/* And without it there is none: what is left is spread. */
static int a_rate_that_is_taken_away_is_no_ceiling(void *arg)
{
    weir_limiter *limiter = LIMITER(.rate = 100, .period_ms = 1000, .concurrency = 64);
    struct weir__told told = told_of(1000, 500, 50000);
    (void)arg;
    check_int(weir_limiter_set_limit(limiter, 0, &(struct weir_limit){.rate = 0}), 0);
    check_int(ask_within(limiter, 0, &told), 0);
    int64_t start_ms = weir_now_ms();
    for (int i = 0; i < 100; i++)
        check_int(ask_within(limiter, 0, NULL), 0);
    check(weir_now_ms() - start_ms >= 9000);
    weir_limiter_free(limiter);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(what_was_told_lies_behind_a_deadline),
        VIRTUAL_TEST(a_first_answer_may_come_before_a_deadline),
        VIRTUAL_TEST(a_rate_that_is_set_later_is_the_ceiling),
        VIRTUAL_TEST(a_rate_that_is_taken_away_is_no_ceiling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
