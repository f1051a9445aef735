/* What each libcurl needs, by its version number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <weir/err.h>

#include "http/curl_version.h"

static void what_changed_when(void **state)
{
    static const struct {
        enum weir__curl_trait trait;
        unsigned without, with;
    } changes[] = {
        {WEIR__CURL_USABLE, 0x075701, 0x075800},
        {WEIR__CURL_USABLE, 0x070a00, 0x090000},
        {WEIR__CURL_QUICK_EXIT, 0x081500, 0x081401},
        {WEIR__CURL_QUICK_EXIT, 0x090000, 0x075801},
        {WEIR__CURL_POOL, 0x081303, 0x081400},
        {WEIR__CURL_H2C, 0x075801, 0x080000},
        {WEIR__CURL_H2C, 0x075800, 0x080e01},
        {WEIR__CURL_READS_UNASKED, 0x080000, 0x075801},
        {WEIR__CURL_LONG_LINE_OOM, 0x080600, 0x080500},
        {WEIR__CURL_KEEPS_PIECES, 0x080e00, 0x075801},
    };
    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        assert_false(weir__curl_trait_of(changes[i].without, changes[i].trait));
        assert_true(weir__curl_trait_of(changes[i].with, changes[i].trait));
    }
}

static void the_one_that_is_loaded(void **state)
{
    char text[64] = "";
    (void)state;
    assert_int_equal(weir__curl_check(text, sizeof text), 0);
    assert_string_equal(text, "");
    assert_true(weir__curl_trait(WEIR__CURL_USABLE));
    assert_true(weir__curl_has(CURL_VERSION_SSL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_changed_when),
        cmocka_unit_test(the_one_that_is_loaded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
