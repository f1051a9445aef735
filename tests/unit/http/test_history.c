/* What a response keeps of its attempts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "http/response.h"

static void put(weir_response *response, unsigned number)
{
    const struct weir_attempt_record record = {.number = number, .took_ms = 100 + number};
    weir__history_put(&response->history, &record);
}

static weir_response *response_with(unsigned attempts)
{
    weir_response *response = weir__response_new(1024);
    assert_non_null(response);
    for (unsigned n = 1; n <= attempts; n++)
        put(response, n);
    return response;
}

static void check_kept(const weir_response *response, unsigned first, unsigned last)
{
    for (unsigned n = 0; n <= last + 20; n++) {
        struct weir_attempt_record record = {.size = sizeof record};
        int rc = weir_response_history(response, n, &record);
        if (n < first || n > last) {
            assert_int_equal(rc, WEIR_EINVAL);
            continue;
        }
        assert_int_equal(rc, 0);
        assert_int_equal(record.size, sizeof record);
        assert_int_equal(record.number, n);
        assert_int_equal(record.took_ms, 100 + n);
    }
}

static void test_the_last_ones_are_kept(void **state)
{
    (void)state;
    for (unsigned attempts = 1; attempts <= 50; attempts++) {
        weir_response *response = response_with(attempts);
        check_kept(response, attempts > 16 ? attempts - 15 : 1, attempts);
        weir_response_free(response);
    }
    weir_response *none = response_with(0);
    check_kept(none, 1, 0);
    weir_response_free(none);
}

/* Two that race may end in any order, and what is known of one may change. */
static void test_any_order(void **state)
{
    (void)state;
    weir_response *response = response_with(3);
    struct weir_attempt_record missing = {.size = sizeof missing};
    put(response, 5);
    assert_int_equal(weir_response_history(response, 4, &missing), WEIR_EINVAL);
    put(response, 4);
    check_kept(response, 1, 5);
    struct weir_attempt_record changed = {.size = sizeof changed};
    for (unsigned n = 4; n <= 5; n++) {
        changed = (struct weir_attempt_record){.number = n, .why = WEIR_WHY_RACE};
        weir__history_put(&response->history, &changed);
        changed.size = sizeof changed;
        changed.why = WEIR_WHY_WELL;
        assert_int_equal(weir_response_history(response, n, &changed), 0);
        assert_int_equal(changed.why, WEIR_WHY_RACE);
    }
    weir_response_free(response);
}

/* Without memory the call goes on and only the newest one is known. */
static void test_no_memory(void **state)
{
    (void)state;
    weir_response *response = response_with(1);
    put(response, 1);
    assert_null(response->history.earlier); /* most calls need none */
    weir__mem_fail_at(1);
    put(response, 2);
    weir__mem_fail_at(0);
    check_kept(response, 2, 2);
    put(response, 3);
    check_kept(response, 2, 3);
    weir_response_free(response);
}

static void test_sizes(void **state)
{
    (void)state;
    weir_response *response = response_with(1);
    struct {
        struct weir_attempt_record known;
        int64_t unknown;
    } newer = {.known = {.size = sizeof newer}, .unknown = 7};
    assert_int_equal(weir_response_history(response, 1, &newer.known), 0);
    assert_int_equal(newer.known.size, sizeof newer);
    assert_int_equal(newer.known.took_ms, 101);
    assert_int_equal(newer.unknown, 7);
    struct weir_attempt_record older = {.size = offsetof(struct weir_attempt_record, took_ms),
                                        .took_ms = 5};
    assert_int_equal(weir_response_history(response, 1, &older), 0);
    assert_int_equal(older.number, 1);
    assert_int_equal(older.took_ms, 5);
    older.size = 0;
    assert_int_equal(weir_response_history(response, 1, &older), WEIR_EINVAL);
    weir_response_free(response);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_last_ones_are_kept),
        cmocka_unit_test(test_any_order),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
