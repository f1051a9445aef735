/* The RateLimit fields of the IETF's drafts, and what makes one of them worthless. */
#include "answer_rig.h"

#include <stdio.h>
#include <stdlib.h>

#include "provider/ietf.h"

#define REQUESTS WEIR__UNIT_REQUESTS
#define TOKENS   WEIR__UNIT_TOKENS
#define DAY_MS   INT64_C(86400000)

static void test_forms(void **state)
{
    static const struct {
        const char *head;
        unsigned count;
        struct weir__quota want[4];
    } cases[] = {
        /* draft 10 */
        {"RateLimit-Policy: \"burst\";q=100;w=60,\"daily\";q=1000;w=86400\n"
         "RateLimit: \"daily\";r=50;t=30\n",
         2,
         {{REQUESTS, 100, -1, -1, 60000, 1}, {REQUESTS, 1000, 50, 30000, DAY_MS, 1000}}},
        {"RateLimit: \"default\";r=50\n", 1, {{REQUESTS, -1, 50, -1, -1, 1}}},
        {"RateLimit-Policy: \"p\";q=9;w=1;pk=:cGs=:\nRateLimit: \"p\";r=8;t=1;pk=:cGs=:\n",
         1,
         {{REQUESTS, 9, 8, 1000, 1000, 1000}}},
        {"RateLimit-Policy: \"a\";q=9;qu=\"requests\", \"b\";q=5;qu=\"content-bytes\", "
         "\"c\";q=4;qu=\"concurrent-requests\", \"d\";q=3;qu=tokens\n",
         2,
         {{REQUESTS, 9, -1, -1, -1, 1}, {TOKENS, 3, -1, -1, -1, 1}}},
        /* several lines are one list */
        {"RateLimit: \"a\";r=1;t=2\nX: y\nratelimit: \"b\";r=3;t=4\n",
         2,
         {{REQUESTS, -1, 1, 2000, -1, 1000}, {REQUESTS, -1, 3, 4000, -1, 1000}}},
        /* the last of equal parameters wins; what is no number of its kind is not told */
        {"RateLimit: \"a\";r=1;r=2; t=3\n", 1, {{REQUESTS, -1, 2, 3000, -1, 1000}}},
        {"RateLimit: \"a\";r=1.5;t=-1;r=4\n", 1, {{REQUESTS, -1, 4, -1, -1, 1}}},
        {"RateLimit: \"a\";r;t=999999999999999\n",
         1,
         {{REQUESTS, -1, -1, INT64_C(31536000000), -1, 1000}}},
        /* names that do not match: one of each belongs together, of more it is not known */
        {"RateLimit-Policy: \"burst\";q=100;w=60\nRateLimit: \"default\";r=50;t=30\n",
         1,
         {{REQUESTS, 100, 50, 30000, 60000, 1000}}},
        {"RateLimit-Policy: \"x\";q=1;w=1, \"y\";q=2;w=2\nRateLimit: \"z\";r=1\n",
         3,
         {{REQUESTS, 1, -1, -1, 1000, 1},
          {REQUESTS, 2, -1, -1, 2000, 1},
          {REQUESTS, -1, 1, -1, -1, 1}}},
        /* express-rate-limit */
        {"RateLimit-Policy: \"100-in-15min\"; q=100; w=900\n"
         "RateLimit: \"100-in-15min\"; r=9; t=300\n",
         1,
         {{REQUESTS, 100, 9, 300000, 900000, 1000}}},
        {"RateLimit-Policy: 100;w=900\nRateLimit: limit=100, remaining=9, reset=300\n",
         1,
         {{REQUESTS, 100, 9, 300000, 900000, 1000}}},
        /* draft 7 */
        {"RateLimit: limit=100, remaining=50, reset=5\n", 1, {{REQUESTS, 100, 50, 5000, -1, 1000}}},
        {"RateLimit: limit=100, remaining=50, remaining=40\n", 1, {{REQUESTS, 100, 40, -1, -1, 1}}},
        /* drafts 3 to 6 */
        {"RateLimit-Limit: 100, 100;w=10\nRateLimit-Remaining: 50\nRateLimit-Reset: 5\n",
         1,
         {{REQUESTS, 100, 50, 5000, 10000, 1000}}},
        {"RateLimit-Limit: 10\nRateLimit-Policy: 10;w=1, 50;w=60\nRateLimit-Remaining: 9\n"
         "RateLimit-Reset: 1\n",
         2,
         {{REQUESTS, 10, 9, 1000, 1000, 1000}, {REQUESTS, 50, -1, -1, 60000, 1}}},
        {"RateLimit-Remaining: 0\nRateLimit-Reset: 7\n", 1, {{REQUESTS, -1, 0, 7000, -1, 1000}}},
        {"RateLimit-Limit: x\nRateLimit-Remaining: -1\nRateLimit-Reset: y\n", 0, {{0}}},
        {"RateLimit:\n", 0, {{0}}},
        {"RateLimit: (\"a\" \"b\");r=1\n", 0, {{0}}},
    };
    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct weir__told told = tell(200, cases[i].head, NULL);
        check_field(cases[i].head, "quota_count", told.quota_count, cases[i].count);
        for (unsigned k = 0; k < cases[i].count; k++)
            check_quota(cases[i].head, &told.quotas[k], &cases[i].want[k]);
    }
}

/* One fault, and nothing of the field is told. */
static void test_a_fault_drops_the_whole_field(void **state)
{
    static const char *const faults[] = {
        "\"a\";r=1, \"b\" ;r=2",
        "\"a\";r =1",
        "\"a\";r= 1",
        "\"a\";r=1;",
        "\"a\";r=1,",
        "\"a\",,\"b\"",
        "\"a\";=1",
        "\"a\";r=1234567890123456",
        "\"a\";r=1.",
        "\"a\";r=1.1234",
        "\"a\";r=1 2",
        "\"a;r=1",
        "\"a\";r=1;pk=:!:",
    };
    (void)state;
    for (size_t i = 0; i < LENGTH(faults); i++) {
        char head[128];
        snprintf(head, sizeof head, "RateLimit: %s\nRateLimit: \"good\";r=1\n", faults[i]);
        check_field(faults[i], "RateLimit", tell(200, head, NULL).quota_count, 0);
        snprintf(head, sizeof head, "RateLimit-Policy: \"good\";q=1;w=1, %s\n", faults[i]);
        check_field(faults[i], "RateLimit-Policy", tell(200, head, NULL).quota_count, 0);
    }
}

static void test_no_more_than_there_is_room_for(void **state)
{
    static const char head[] = "RateLimit: 1a;r=1\nRateLimit: a;r=1, b;r=1, c;r=1, d;r=1\n";
    static const char many[] = "x-ratelimit-limit: 9\n"
                               "RateLimit: a;r=1, b;r=1, c;r=1, d;r=1, e;r=1, f;r=1\n"
                               "RateLimit: g;r=1, h;r=1, i;r=1, j;r=1\n"
                               "RateLimit-Policy: k;q=1, l;q=1, m;q=1, n;q=1, o;q=1, p;q=1\n";
    (void)state;
    assert_int_equal(tell(200, head, NULL).quota_count, 0); /* 1a is no token */
    assert_int_equal(tell(200, many, NULL).quota_count, WEIR__QUOTAS_MAX);
}

static void test_long_fields_are_not_read(void **state)
{
    static const char start[] = "RateLimit: \"a\";r=1;x=\"";
    (void)state;
    for (size_t over = 0; over < 2; over++) {
        size_t value = WEIR__IETF_FIELD_MAX + over, len = strlen("RateLimit: ") + value;
        char *head = malloc(len + 1);
        assert_non_null(head);
        memset(head, 'x', len);
        memcpy(head, start, strlen(start));
        head[len - 1] = '"';
        head[len] = '\0';
        assert_int_equal(tell(200, head, NULL).quota_count, over == 0);
        free(head);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_a_fault_drops_the_whole_field),
        cmocka_unit_test(test_no_more_than_there_is_room_for),
        cmocka_unit_test(test_long_fields_are_not_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
