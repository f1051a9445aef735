/* The intrusive list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/list.h"
#include "base/rand.h"

struct item {
    int number;
    struct weir__list link; /* not the first member, so that the container is not the link */
};

static struct item *item_of(struct weir__list *link)
{
    return WEIR__CONTAINER(link, struct item, link);
}

static void init_items(struct item *items, int count)
{
    for (int i = 0; i < count; i++) {
        items[i].number = i;
        weir__list_init(&items[i].link);
    }
}

/* The list holds just these numbers, read in both directions. */
static void assert_holds(struct weir__list *list, const int *numbers, int count)
{
    struct weir__list *link = list;
    for (int i = 0; i < count; i++) {
        link = link->next;
        assert_ptr_not_equal(link, list);
        assert_int_equal(item_of(link)->number, numbers[i]);
    }
    assert_ptr_equal(link->next, list);
    for (int i = count - 1; i >= 0; i--) {
        assert_int_equal(item_of(link)->number, numbers[i]);
        link = link->prev;
    }
    assert_ptr_equal(link, list);
    assert_int_equal(weir__list_empty(list), count == 0);
}

static void test_first_in_first_out(void **state)
{
    (void)state;
    struct weir__list list;
    struct item items[3];
    weir__list_init(&list);
    init_items(items, 3);
    assert_true(weir__list_empty(&list));
    assert_null(weir__list_pop(&list));
    for (int i = 0; i < 3; i++)
        weir__list_push(&list, &items[i].link);
    assert_holds(&list, (int[]){0, 1, 2}, 3);
    for (int i = 0; i < 3; i++)
        assert_ptr_equal(item_of(weir__list_pop(&list)), &items[i]);
    assert_null(weir__list_pop(&list));
}

static void test_insert_before(void **state)
{
    (void)state;
    struct weir__list list;
    struct item items[4];
    weir__list_init(&list);
    init_items(items, 4);
    weir__list_push(&list, &items[1].link);
    weir__list_insert(&items[1].link, &items[0].link);
    weir__list_insert(&list, &items[3].link);
    weir__list_insert(&items[3].link, &items[2].link);
    assert_holds(&list, (int[]){0, 1, 2, 3}, 4);
}

/* Whoever wakes a waiter first unlinks it; the second removal must do nothing. */
static void test_removing_twice_is_harmless(void **state)
{
    (void)state;
    struct weir__list list;
    struct item items[3];
    weir__list_init(&list);
    init_items(items, 3);
    weir__list_remove(&items[0].link); /* in no list */
    for (int i = 0; i < 3; i++)
        weir__list_push(&list, &items[i].link);
    weir__list_remove(&items[1].link);
    weir__list_remove(&items[1].link);
    assert_true(weir__list_empty(&items[1].link));
    assert_holds(&list, (int[]){0, 2}, 2);
    struct weir__list *popped = weir__list_pop(&list);
    weir__list_remove(popped);
    assert_holds(&list, (int[]){2}, 1);
    weir__list_push(&list, popped);
    assert_holds(&list, (int[]){2, 0}, 2);
}

static int place_of(const int *numbers, int count, int number)
{
    int place = 0;
    while (place < count && numbers[place] != number)
        place++;
    return place;
}

static void test_random_operations(void **state)
{
    (void)state;
    enum { ITEMS = 12 };
    struct weir__list list;
    struct item items[ITEMS];
    int numbers[ITEMS + 1], count = 0;
    weir__list_init(&list);
    init_items(items, ITEMS);
    struct weir__rand rand;
    weir__rand_seed(&rand, 5);
    for (int step = 0; step < 20000; step++) {
        int number = (int)weir__rand_upto(&rand, ITEMS - 1);
        int place = place_of(numbers, count, number);
        if (place < count) {
            weir__list_remove(&items[number].link);
            count--;
            for (int i = place; i < count; i++)
                numbers[i] = numbers[i + 1];
        } else {
            int at = (int)weir__rand_upto(&rand, count);
            weir__list_insert(at < count ? &items[numbers[at]].link : &list, &items[number].link);
            for (int i = count++; i > at; i--)
                numbers[i] = numbers[i - 1];
            numbers[at] = number;
        }
        assert_holds(&list, numbers, count);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_in_first_out),
        cmocka_unit_test(test_insert_before),
        cmocka_unit_test(test_removing_twice_is_harmless),
        cmocka_unit_test(test_random_operations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
