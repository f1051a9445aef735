/* The growable buffer: content, NUL behind it, and the maximum. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <weir/err.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/rand.h"

static void assert_content(const struct weir__buf *buf, const char *text)
{
    assert_int_equal(buf->len, strlen(text));
    assert_string_equal(buf->data, text);
}

static void test_grows_and_stays_terminated(void **state)
{
    (void)state;
    struct weir__buf buf;
    weir__buf_init(&buf, 1000);
    assert_null(buf.data);
    assert_int_equal(weir__buf_adds(&buf, "one"), 0);
    assert_int_equal(weir__buf_add(&buf, " two!", 4), 0);
    assert_content(&buf, "one two");
    assert_int_equal(weir__buf_add(&buf, "\0", 1), 0);
    assert_int_equal(buf.len, 8);
    assert_int_equal(buf.data[8], '\0');
    weir__buf_free(&buf);
}

static void test_nothing_added_is_an_empty_string(void **state)
{
    (void)state;
    struct weir__buf buf;
    weir__buf_init(&buf, 10);
    assert_int_equal(weir__buf_add(&buf, NULL, 0), 0);
    assert_content(&buf, "");
    weir__buf_free(&buf);
    assert_int_equal(weir__buf_reserve(&buf, 10), 0);
    assert_content(&buf, "");
    weir__buf_free(&buf);
}

static void test_the_maximum_fits_and_no_more(void **state)
{
    (void)state;
    struct weir__buf buf;
    weir__buf_init(&buf, 5);
    assert_int_equal(weir__buf_adds(&buf, "123456"), WEIR_ENEVER);
    assert_int_equal(weir__buf_adds(&buf, "12345"), 0);
    assert_int_equal(weir__buf_adds(&buf, "6"), WEIR_ENEVER);
    assert_int_equal(weir__buf_adds(&buf, ""), 0);
    assert_int_equal(weir__buf_reserve(&buf, SIZE_MAX), WEIR_ENEVER);
    assert_int_equal(weir__buf_reserve(&buf, SIZE_MAX - 4), WEIR_ENEVER);
    assert_content(&buf, "12345");
    weir__buf_free(&buf);

    weir__buf_init(&buf, 0);
    assert_int_equal(weir__buf_adds(&buf, ""), 0);
    assert_int_equal(weir__buf_adds(&buf, "1"), WEIR_ENEVER);
    weir__buf_free(&buf);
}

/* "No maximum" is the largest size: sums with it must not wrap. */
static void test_the_largest_maximum(void **state)
{
    (void)state;
    struct weir__buf buf;
    weir__buf_init(&buf, SIZE_MAX);
    assert_int_equal(weir__buf_adds(&buf, "text"), 0);
    assert_content(&buf, "text");
    assert_int_equal(weir__buf_reserve(&buf, SIZE_MAX - 4), WEIR_ENEVER);
    assert_content(&buf, "text");
    weir__buf_free(&buf);
}

static void test_reset_keeps_the_memory(void **state)
{
    (void)state;
    struct weir__buf buf;
    weir__buf_init(&buf, 1000);
    weir__buf_reset(&buf);
    assert_null(buf.data);
    weir__buf_adds(&buf, "content");
    const char *data = buf.data;
    weir__buf_reset(&buf);
    assert_content(&buf, "");
    weir__mem_fail_at(1);
    assert_int_equal(weir__buf_adds(&buf, "other"), 0);
    weir__mem_fail_at(0);
    assert_ptr_equal(buf.data, data);
    assert_content(&buf, "other");
    weir__buf_free(&buf);
}

static void test_free_makes_it_new(void **state)
{
    (void)state;
    struct weir__buf buf;
    weir__buf_init(&buf, 7);
    weir__buf_adds(&buf, "content");
    weir__buf_free(&buf);
    assert_null(buf.data);
    assert_int_equal(buf.len, 0);
    assert_int_equal(weir__buf_adds(&buf, "contents"), WEIR_ENEVER);
    assert_int_equal(weir__buf_adds(&buf, "content"), 0);
    weir__buf_free(&buf);
    weir__buf_free(&buf);
}

static void test_reserved_room_needs_no_allocation(void **state)
{
    (void)state;
    struct weir__buf buf;
    weir__buf_init(&buf, 100000);
    assert_int_equal(weir__buf_reserve(&buf, 5000), 0);
    weir__mem_fail_at(1);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(weir__buf_adds(&buf, "12345"), 0);
    weir__mem_fail_at(0);
    assert_int_equal(buf.len, 5000);
    weir__buf_free(&buf);
}

static void test_no_memory_leaves_the_content(void **state)
{
    (void)state;
    struct weir__buf buf;
    weir__buf_init(&buf, 100000);
    weir__mem_fail_at(1);
    assert_int_equal(weir__buf_adds(&buf, "content"), WEIR_ENOMEM);
    assert_null(buf.data);
    weir__mem_fail_at(0);
    weir__buf_adds(&buf, "content");
    weir__mem_fail_at(1);
    assert_int_equal(weir__buf_reserve(&buf, 50000), WEIR_ENOMEM);
    weir__mem_fail_at(0);
    assert_content(&buf, "content");
    weir__buf_free(&buf);
}

/* Byte by byte to a large size: allocations grow with the logarithm of it, never past the
 * maximum. */
static void test_grows_by_doubling(void **state)
{
    (void)state;
    enum { MAX = 1000000 };
    struct weir__buf buf;
    weir__buf_init(&buf, MAX);
    weir__mem_fail_at(0);
    for (int i = 0; i < MAX; i++) {
        char byte = (char)(i % 251);
        assert_int_equal(weir__buf_add(&buf, &byte, 1), 0);
    }
    assert_in_range(weir__mem_fail_at(0), 1, 14);
    assert_int_equal(buf.room, MAX + 1);
    for (int i = 0; i < MAX; i++)
        assert_int_equal(buf.data[i], (char)(i % 251));
    weir__buf_free(&buf);
}

static void test_random_appends(void **state)
{
    (void)state;
    static char model[4096];
    char piece[300];
    memset(piece, 'x', sizeof piece);
    struct weir__rand rand;
    weir__rand_seed(&rand, 1);
    for (int run = 0; run < 500; run++) {
        size_t max = (size_t)weir__rand_upto(&rand, sizeof model), len = 0;
        struct weir__buf buf;
        weir__buf_init(&buf, max);
        for (int i = 0; i < 30; i++) {
            size_t more = (size_t)weir__rand_upto(&rand, sizeof piece);
            piece[0] = (char)weir__rand_upto(&rand, 255);
            int rc = weir__buf_add(&buf, piece, more);
            assert_int_equal(rc, len + more > max ? WEIR_ENEVER : 0);
            if (rc == 0) {
                memcpy(model + len, piece, more);
                len += more;
            }
            assert_int_equal(buf.len, len);
            assert_true(buf.room <= max + 1);
            if (buf.data != NULL) {
                assert_memory_equal(buf.data, model, len);
                assert_int_equal(buf.data[len], '\0');
            }
        }
        weir__buf_free(&buf);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grows_and_stays_terminated),
        cmocka_unit_test(test_nothing_added_is_an_empty_string),
        cmocka_unit_test(test_the_maximum_fits_and_no_more),
        cmocka_unit_test(test_the_largest_maximum),
        cmocka_unit_test(test_reset_keeps_the_memory),
        cmocka_unit_test(test_free_makes_it_new),
        cmocka_unit_test(test_reserved_room_needs_no_allocation),
        cmocka_unit_test(test_no_memory_leaves_the_content),
        cmocka_unit_test(test_grows_by_doubling),
        cmocka_unit_test(test_random_appends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
