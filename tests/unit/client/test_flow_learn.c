/* What the table of `./dev bench flow` shows, as assertions: how much of a server's limit weir
 * uses, and how often it is refused, on virtual time. */
#include <stdio.h>
#include <string.h>

#include "flow_cases.h"
#include "flow_run.h"
#include "rig.h"

struct bound {
    const char *name; /* of the case */
    enum flow_way way;
    double used_least, refused_most;
};

static const struct flow_case *case_named(const char *name)
{
    for (size_t i = 0; i < FLOW_CASES; i++)
        if (strcmp(flow_cases[i].name, name) == 0)
            return &flow_cases[i];
    return NULL;
}

/* With two seeds each. Nobody is overtaken by more requests than can be under way. */
static void check_bounds(const struct bound *bounds, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct flow_case *flow = case_named(bounds[i].name);
        assert_non_null(flow);
        for (uint64_t seed = 1; seed <= (RIG_SANITIZED ? 1 : 2); seed++) {
            struct flow_result result;
            assert_int_equal(flow_run(flow, bounds[i].way, seed, &result), 0);
            if (result.used < bounds[i].used_least ||
                result.refused_per_1000 > bounds[i].refused_most)
                fail_msg("%s, seed %d: %.4f used, %.2f refused per 1,000", flow->name, (int)seed,
                         result.used, result.refused_per_1000);
            if (flow->clients == 1)
                assert_in_range(result.most_overtaken, 0, (uint64_t)flow->concurrency);
        }
    }
}
#define CHECK(bounds) check_bounds((bounds), sizeof(bounds) / sizeof((bounds)[0]))

static void the_right_rate_is_left_alone(void **state)
{
    static const struct bound bounds[] = {
        {"bucket 20/min, burst 20, 1 s", FLOW_WEIR_RIGHT, 0.995, 0},
        {"bucket 10/s, burst 10, 1 s", FLOW_WEIR_RIGHT, 0.995, 0},
        {"bucket 1000/s, burst 50, 20 ms", FLOW_WEIR_RIGHT, 0.995, 0},
        {"window 600/min, 1 s", FLOW_WEIR_RIGHT, 0.995, 0},
        {"window 300/6 s, 20 ms, IETF", FLOW_WEIR_RIGHT, 0.995, 0},
        {"log 20/min, 1 s", FLOW_WEIR_RIGHT, 0.995, 0},
        {"log 600/min, 1 s", FLOW_WEIR_RIGHT, 0.995, 0},
        {"log 1000/s, 20 ms", FLOW_WEIR_RIGHT, 0.995, 0},
        {"bucket 10/s, burst 60, 1 s, OpenAI", FLOW_WEIR_RIGHT, 0.995, 0},
    };
    (void)state;
    CHECK(bounds);
}

static void headers_are_followed(void **state)
{
    static const struct bound bounds[] = {
        {"bucket 20/min, burst 20, 1 s, OpenAI", FLOW_WEIR_LEARNS, 0.98, 1},
        {"bucket 10/s, burst 60, 1 s, OpenAI", FLOW_WEIR_LEARNS, 0.98, 1},
        {"bucket 1000/s, burst 1000, 20 ms, OpenAI", FLOW_WEIR_LEARNS, 0.98, 1},
        {"window 600/min, 1 s, OpenAI", FLOW_WEIR_LEARNS, 0.98, 1},
        {"window 20/min, 8 s, IETF", FLOW_WEIR_LEARNS, 0.98, 1},
        {"window 300/6 s, 20 ms, IETF", FLOW_WEIR_LEARNS, 0.98, 1},
        {"window 600/min, 1 s, IETF", FLOW_WEIR_LEARNS, 0.98, 1},
        {"log 20/min, 1 s, IETF", FLOW_WEIR_LEARNS, 0.98, 1},
        {"bucket 10/s, burst 10, 8 s, OpenAI", FLOW_WEIR_LEARNS, 0.99, 1},
        {"the same, OpenAI", FLOW_WEIR_LEARNS, 0.98, 1}, /* with other tenants */
        {"the same, OpenAI", FLOW_WEIR_RIGHT, 0.98, 1},
        {"window 600/min, 1 s, 3 clients, IETF", FLOW_WEIR_LEARNS, 0.98, 3},
    };
    (void)state;
    CHECK(bounds);
}

static void a_silent_limit_is_found(void **state)
{
    static const struct bound bounds[] = {
        {"bucket 20/min, burst 20, 1 s", FLOW_WEIR_LEARNS, 0.99, 5},
        {"bucket 10/s, burst 10, 1 s", FLOW_WEIR_LEARNS, 0.99, 5},
        {"bucket 100/s, burst 100, 8 s", FLOW_WEIR_LEARNS, 0.99, 5},
        {"bucket 1000/s, burst 50, 20 ms", FLOW_WEIR_LEARNS, 0.99, 5},
        {"window 20/min, 1 s", FLOW_WEIR_LEARNS, 0.95, 10},
        {"window 600/min, 1 s", FLOW_WEIR_LEARNS, 0.97, 10},
        {"window 10/s, 1 s", FLOW_WEIR_LEARNS, 0.96, 5},
        {"log 20/min, 1 s", FLOW_WEIR_LEARNS, 0.97, 5},
        {"log 600/min, 1 s", FLOW_WEIR_LEARNS, 0.97, 6},
        {"log 1000/s, 20 ms", FLOW_WEIR_LEARNS, 0.95, 5},
        {"bucket 10/s, burst 1, 1 s", FLOW_WEIR_LEARNS, 0.91, 5}, /* jitter takes 0.05 */
        {"bucket 10/s, burst 10, 1 s, Retry-After", FLOW_WEIR_LEARNS, 0.99, 5},
        {"window 600/min, 1 s, Retry-After", FLOW_WEIR_LEARNS, 0.99, 5},
        {"bucket 1000/s, burst 50, 20 ms, Retry-After", FLOW_WEIR_LEARNS, 0.96, 1},
    };
    (void)state;
    CHECK(bounds);
}

static void a_rate_too_high_is_corrected(void **state)
{
    static const struct bound bounds[] = {
        {"bucket 10/s, burst 10, 1 s", FLOW_WEIR_TWICE, 0.99, 5},
        {"bucket 1000/s, burst 50, 20 ms", FLOW_WEIR_TWICE, 0.99, 5},
        {"window 600/min, 1 s", FLOW_WEIR_TWICE, 0.97, 10},
        {"window 300/6 s, 20 ms, IETF", FLOW_WEIR_TWICE, 0.98, 5},
        {"bucket 10/s, burst 10, 8 s, OpenAI", FLOW_WEIR_TWICE, 0.99, 1},
        {"bucket 1000/s, burst 1000, 20 ms, OpenAI", FLOW_WEIR_TWICE, 0.99, 0.1},
        {"window 600/min, 1 s, 3 clients, IETF", FLOW_WEIR_TWICE, 0.98, 1},
        {"log 20/min, 1 s", FLOW_WEIR_TWICE, 0.95, 5},
        {"window 10/s, 1 s", FLOW_WEIR_TWICE, 0.96, 5},
    };
    (void)state;
    CHECK(bounds);
}

/* The first refusals of a fast server with a small burst say that the limit is high, by a hundred
 * times and more. Few runs get there by luck, so there are many. */
static void a_wild_first_guess_is_soon_corrected(void **state)
{
    static const struct flow_case flow =
        FLOW_CASE("bucket 60/min, burst 6, 1 ms", 5, 103, 64, BUCKET(60, 60, 6), .trip_ms = 0.4,
                  .trip_jitter_ms = 0.3, .work_ms = 0.3, .work_jitter_ms = 0.5);
    (void)state;
    for (uint64_t seed = 1; seed <= (RIG_SANITIZED ? 400 : 1000); seed++) {
        struct flow_result result;
        assert_int_equal(flow_run(&flow, FLOW_WEIR_LEARNS, seed, &result), 0);
        if (result.used < 0.75 || result.refused_per_1000 > 40)
            fail_msg("seed %d: %.4f used, %.2f refused per 1,000", (int)seed, result.used,
                     result.refused_per_1000);
    }
}

/* Held back by the rate that it was told, the client is not idle. The start counts. */
/* A limit of 100 a second is told, and there are never more than 5 at once. */
static void a_smaller_burst_than_told_is_seen(void **state)
{
    static const struct flow_case flow =
        FLOW_CASE("bucket 100/s, burst 5, 100 told", 8, 60, 64, BUCKET(100, 1, 5), .trip_ms = 1,
                  .trip_jitter_ms = 0.5, .work_ms = 0.5, .work_jitter_ms = 0.5,
                  .says = FLOW_SAYS_LIKE_OPENAI, .told_limit = 100);
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct flow_result result;
        assert_int_equal(flow_run(&flow, FLOW_WEIR_LEARNS, seed, &result), 0);
        if (result.used < 0.95 || result.refused_per_1000 > 5)
            fail_msg("seed %d: %.4f used, %.2f refused per 1,000", (int)seed, result.used,
                     result.refused_per_1000);
    }
}

static void a_small_limit_told_twice_as_high_is_found_at_once(void **state)
{
    static const struct flow_case flow =
        FLOW_CASE("bucket 20/min, burst 1, 100 ms, refused in 1 ms", 0, 600, 64, BUCKET(20, 60, 1),
                  .trip_ms = 1, .work_ms = 100);
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct flow_result result;
        assert_int_equal(flow_run(&flow, FLOW_WEIR_TWICE, seed, &result), 0);
        if (result.used < 0.7 || result.refused_per_1000 > 50)
            fail_msg("seed %d: %.4f used, %.2f refused per 1,000", (int)seed, result.used,
                     result.refused_per_1000);
    }
}

/* The control: a gate alone is refused all the time, so the server does limit. */
static void the_server_refuses(void **state)
{
    struct flow_result result;
    (void)state;
    assert_int_equal(flow_run(case_named("window 600/min, 1 s"), FLOW_GATE, 1, &result), 0);
    assert_true(result.refused_per_1000 > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_right_rate_is_left_alone),
        cmocka_unit_test(headers_are_followed),
        cmocka_unit_test(a_silent_limit_is_found),
        cmocka_unit_test(a_rate_too_high_is_corrected),
        cmocka_unit_test(a_wild_first_guess_is_soon_corrected),
        cmocka_unit_test(a_smaller_burst_than_told_is_seen),
        cmocka_unit_test(a_small_limit_told_twice_as_high_is_found_at_once),
        cmocka_unit_test(the_server_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
