/* Freed blocks that are kept for the next who asks. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/blocks.h"
#include "base/mem.h"

static void test_a_freed_block_comes_back(void **state)
{
    (void)state;
    assert_true(weir__blocks_begin());
    for (size_t size = 1; size < 17000; size += size / 3 + 1) {
        char *first = weir__blocks_alloc(size);
        assert_non_null(first);
        memset(first, 'x', size);
        weir__blocks_free(first);
        assert_true(weir__blocks_kept() >= size);
        char *second = weir__blocks_alloc(size);
        assert_ptr_equal(second, first);
        memset(second, 'y', size);
        assert_int_equal(weir__blocks_kept(), 0);
        free(second); /* it is one of malloc's */
    }
    weir__blocks_end();
}

/* Whatever its size was when it was allocated, who gets it can use all that he asked for. */
static void test_a_block_is_as_large_as_asked_for(void **state)
{
    (void)state;
    assert_true(weir__blocks_begin());
    for (size_t size = 0; size < 300; size++) {
        weir__blocks_free(malloc(size)); /* allocated elsewhere */
        for (size_t wanted = 0; wanted < size + 20; wanted++) {
            char *block = weir__blocks_alloc(wanted);
            assert_non_null(block);
            memset(block, 'x', wanted);
            weir__blocks_free(block);
        }
    }
    weir__blocks_end();
}

/* Each with as many lines as it has, or eight. */
static void test_the_last_ones_are_noted(void **state)
{
    static const struct {
        size_t size, lines;
    } cases[] = {{1, 1}, {63, 1}, {64, 2}, {400, 7}, {512, 8}, {9000, 8}};
    enum { N = sizeof cases / sizeof cases[0] };
    struct weir__recent recent;
    void *blocks[N];
    (void)state;
    weir__blocks_note(&recent); /* this thread keeps none */
    for (size_t i = 0; i < WEIR__RECENT; i++)
        assert_int_equal(recent.of[i], 0);
    weir__blocks_fetch(&recent);
    assert_true(weir__blocks_begin());
    for (size_t i = 0; i < WEIR__RECENT; i++)
        weir__blocks_free(weir__blocks_alloc(20));
    for (size_t i = 0; i < N; i++)
        blocks[i] = weir__blocks_alloc(cases[i].size);
    weir__blocks_note(&recent);
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(recent.of[i] & 15, cases[i].lines);
        assert_ptr_equal((void *)(recent.of[i] - cases[i].lines), blocks[i]);
        weir__blocks_free(blocks[i]);
    }
    weir__blocks_fetch(&recent); /* though they are freed */
    weir__blocks_end();
}

static void test_none_is_kept_without_a_user(void **state)
{
    (void)state;
    weir__blocks_free(weir__blocks_alloc(100));
    assert_int_equal(weir__blocks_kept(), 0);
    assert_true(weir__blocks_begin());
    assert_true(weir__blocks_begin());
    weir__blocks_free(weir__blocks_alloc(100));
    weir__blocks_end();
    size_t kept = weir__blocks_kept();
    assert_true(kept >= 100 && kept < 200);
    weir__blocks_end();
    assert_int_equal(weir__blocks_kept(), 0);
}

static void test_what_is_kept_has_a_maximum(void **state)
{
    enum { N = 2000, SIZE = 1000 };
    static void *blocks[N];
    (void)state;
    assert_true(weir__blocks_begin());
    for (size_t i = 0; i < N; i++)
        blocks[i] = weir__blocks_alloc(SIZE);
    for (size_t i = 0; i < N; i++)
        weir__blocks_free(blocks[i]);
    assert_true(weir__blocks_kept() <= WEIR__BLOCKS_MAX);
    assert_true(weir__blocks_kept() > WEIR__BLOCKS_MAX - 2 * SIZE);
    weir__blocks_end();

    assert_true(weir__blocks_begin());
    weir__blocks_free(weir__blocks_alloc(20000)); /* a large one */
    assert_int_equal(weir__blocks_kept(), 0);
    weir__blocks_end();
}

static void test_realloc_keeps_content(void **state)
{
    enum { LAST = 60000 };
    (void)state;
    assert_true(weir__blocks_begin());
    unsigned char *block = weir__blocks_realloc(NULL, 1);
    for (size_t i = 0; i < LAST; i++) {
        assert_non_null(block);
        block[i] = (unsigned char)(i % 251);
        block = weir__blocks_realloc(block, i + 2);
    }
    block = weir__blocks_realloc(block, 100);
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(block[i], i % 251);
    void *same = weir__blocks_realloc(block, 90);
    assert_ptr_equal(same, block);
    weir__blocks_free(same);
    weir__blocks_end();
}

static void test_zeroed_and_copied(void **state)
{
    static const char zeros[64];
    (void)state;
    assert_true(weir__blocks_begin());
    void *dirty = weir__blocks_alloc(sizeof zeros);
    memset(dirty, 0xff, sizeof zeros);
    weir__blocks_free(dirty);
    void *clean = weir__blocks_zalloc(8, 8);
    assert_ptr_equal(clean, dirty);
    assert_memory_equal(clean, zeros, sizeof zeros);
    weir__blocks_free(clean);
    volatile size_t half = SIZE_MAX / 2;
    assert_null(weir__blocks_zalloc(half, 3));
    char *text = weir__blocks_strdup("text");
    assert_string_equal(text, "text");
    weir__blocks_free(text);
    weir__blocks_free(NULL);
    weir__blocks_end();
}

static void *in_another_thread(void *block)
{
    weir__blocks_free(block);
    return weir__blocks_kept() == 0 ? weir__blocks_alloc(100) : NULL;
}

static void test_other_threads_keep_none(void **state)
{
    pthread_t thread;
    void *theirs;
    (void)state;
    assert_true(weir__blocks_begin());
    assert_int_equal(pthread_create(&thread, NULL, in_another_thread, weir__blocks_alloc(100)), 0);
    assert_int_equal(pthread_join(thread, &theirs), 0);
    assert_non_null(theirs);
    assert_int_equal(weir__blocks_kept(), 0);
    weir__blocks_free(theirs);
    assert_true(weir__blocks_kept() > 0);
    weir__blocks_end();
}

static void test_no_memory_to_begin(void **state)
{
    (void)state;
    weir__mem_fail_at(1);
    assert_false(weir__blocks_begin());
    weir__mem_fail_at(0);
    weir__blocks_free(weir__blocks_alloc(100));
    assert_int_equal(weir__blocks_kept(), 0);
}

static void test_failures_are_counted(void **state)
{
    unsigned long before = weir__blocks_failures();
    (void)state;
    assert_true(weir__blocks_begin());
    assert_int_equal(weir__blocks_fail(2, 3), 0);
    void *first = weir__blocks_alloc(100);
    assert_non_null(first);
    errno = 0;
    assert_null(weir__blocks_zalloc(1, 100000));
    assert_int_equal(errno, ENOMEM);
    assert_null(weir__blocks_realloc(first, 30000)); /* and first is still there */
    first = weir__blocks_realloc(first, 40000);
    assert_non_null(first);
    assert_int_equal(weir__blocks_fail(0, 0), 4);
    assert_int_equal(weir__blocks_failures(), before + 2);
    weir__blocks_free(first);
    weir__blocks_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_freed_block_comes_back),
        cmocka_unit_test(test_a_block_is_as_large_as_asked_for),
        cmocka_unit_test(test_the_last_ones_are_noted),
        cmocka_unit_test(test_none_is_kept_without_a_user),
        cmocka_unit_test(test_what_is_kept_has_a_maximum),
        cmocka_unit_test(test_realloc_keeps_content),
        cmocka_unit_test(test_zeroed_and_copied),
        cmocka_unit_test(test_other_threads_keep_none),
        cmocka_unit_test(test_no_memory_to_begin),
        cmocka_unit_test(test_failures_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
