/* The heap's door, and the failures that tests order at it. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

static int reset(void **state)
{
    (void)state;
    weir__mem_fail_at(0);
    return 0;
}

static void test_copies(void **state)
{
    (void)state;
    char *text = weir__strdup("text");
    char *bytes = weir__memdup("a\0bc", 3);
    char *nothing = weir__memdup(NULL, 0);
    assert_string_equal(text, "text");
    assert_memory_equal(bytes, "a\0b", 4);
    assert_string_equal(nothing, "");
    weir__free(text);
    weir__free(bytes);
    weir__free(nothing);
    weir__free(NULL);
}

static void test_wiped(void **state)
{
    static const char zeros[8];
    char text[8] = "secret";
    (void)state;
    weir__wipe(text);
    assert_memory_equal(text, zeros, sizeof zeros);
    weir__wipe(NULL);
    weir__free_secret(weir__strdup("secret"));
    weir__free_secret(NULL);
}

static void test_zeroed(void **state)
{
    (void)state;
    enum { SIZE = 4096 };
    static const char zeros[SIZE];
    char *dirty = weir__alloc(SIZE);
    assert_non_null(dirty);
    memset(dirty, 0xff, SIZE);
    weir__free(dirty);
    char *memory = weir__zalloc(SIZE);
    assert_non_null(memory);
    assert_memory_equal(memory, zeros, SIZE);
    weir__free(memory);
}

static void test_realloc_keeps_content(void **state)
{
    (void)state;
    char *memory = weir__realloc(NULL, 4);
    assert_non_null(memory);
    memcpy(memory, "abc", 4);
    memory = weir__realloc(memory, 100000);
    assert_non_null(memory);
    assert_string_equal(memory, "abc");
    weir__mem_fail_at(1);
    assert_null(weir__realloc(memory, 200000));
    assert_string_equal(memory, "abc");
    weir__free(memory);
}

static void *call(int which)
{
    switch (which) {
    case 0:
        return weir__alloc(8);
    case 1:
        return weir__zalloc(8);
    case 2:
        return weir__realloc(NULL, 8);
    case 3:
        return weir__strdup("1234567");
    default:
        return weir__memdup("1234567", 7);
    }
}

enum { CALLS = 5 };

/* From the k-th on each of them fails, whichever it is, and all are counted. */
static void test_fails_from_the_kth_on(void **state)
{
    (void)state;
    for (unsigned long k = 1; k <= CALLS + 1; k++) {
        weir__mem_fail_at(k);
        for (int i = 0; i < CALLS; i++) {
            void *memory = call(i);
            assert_int_equal(memory == NULL, (unsigned long)i + 1 >= k);
            weir__free(memory);
        }
        assert_int_equal(weir__mem_fail_at(0), CALLS);
    }
    void *memory = call(0);
    assert_non_null(memory);
    weir__free(memory);
    assert_int_equal(weir__mem_fail_at(0), 1);
    assert_int_equal(weir__mem_fail_at(0), 0);
}

static void *in_another_thread(void *arg)
{
    *(void **)arg = weir__alloc(8);
    return NULL;
}

static void test_fails_in_this_thread_only(void **state)
{
    (void)state;
    pthread_t thread;
    void *memory = NULL;
    weir__mem_fail_at(1);
    assert_int_equal(pthread_create(&thread, NULL, in_another_thread, &memory), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_non_null(memory);
    assert_null(weir__alloc(8));
    weir__free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_copies, reset),
        cmocka_unit_test_teardown(test_wiped, reset),
        cmocka_unit_test_teardown(test_zeroed, reset),
        cmocka_unit_test_teardown(test_realloc_keeps_content, reset),
        cmocka_unit_test_teardown(test_fails_from_the_kth_on, reset),
        cmocka_unit_test_teardown(test_fails_in_this_thread_only, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
