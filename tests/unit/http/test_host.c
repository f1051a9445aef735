/* The table of servers that were reached of late. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "http/host.h"

static void one_entry_for_each_origin(void **state)
{
    struct weir__hosts hosts;
    (void)state;
    weir__hosts_init(&hosts);
    struct weir__host *first = weir__host_of(&hosts, "http://a.example/v1/x");
    assert_non_null(first);
    assert_ptr_equal(weir__host_of(&hosts, "http://a.example"), first);
    assert_ptr_equal(weir__host_of(&hosts, "http://a.example?q=http://b/"), first);
    static const char *const others[] = {"https://a.example/v1/x", "http://a.example:81/v1/x",
                                         "http://a.example.org/", "http://a/", "http://b/"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_ptr_not_equal(weir__host_of(&hosts, others[i]), first);
    assert_int_equal(hosts.count, 6);
    assert_ptr_equal(weir__host_of(&hosts, "http://a.example/"), first);
    weir__hosts_free(&hosts);
    assert_int_equal(hosts.count, 0);
}

static struct weir__host *numbered(struct weir__hosts *hosts, int i)
{
    char url[40];
    snprintf(url, sizeof url, "http://h%d/", i);
    return weir__host_of(hosts, url);
}

static void a_full_table_forgets_the_oldest_that_is_idle(void **state)
{
    struct weir__hosts hosts;
    (void)state;
    weir__hosts_init(&hosts);
    for (int i = 0; i < 256; i++)
        numbered(&hosts, i)->warm_until_ns = 7;
    numbered(&hosts, 0); /* used again: 1 is the oldest now */
    assert_non_null(numbered(&hosts, 1000));
    assert_int_equal(hosts.count, 256);
    assert_int_equal(numbered(&hosts, 0)->warm_until_ns, 7);
    numbered(&hosts, 2)->warm_until_ns = 8;
    assert_int_equal(numbered(&hosts, 1)->warm_until_ns, 0); /* forgotten, and 3 for it */
    for (int i = 0; i < 256; i++)
        numbered(&hosts, i)->probe = &hosts; /* each pushes one out, until all are busy */
    assert_null(numbered(&hosts, 2000));
    weir__hosts_free(&hosts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_entry_for_each_origin),
        cmocka_unit_test(a_full_table_forgets_the_oldest_that_is_idle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
