/* The hash table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <weir/err.h>

#include "base/hash.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/rand.h"

enum { ITEMS = 1000 };

struct item {
    uint32_t number;
    bool in;
    struct weir__hash_node node;
};

/* The published test vectors: the key is 00 01 .. 0f, the text 00 01 .. as long as it is. */
static void test_is_siphash(void **state)
{
    static const struct {
        size_t len;
        uint64_t hash;
    } cases[] = {
        {0, UINT64_C(0x726fdb47dd0e0e31)},
        {8, UINT64_C(0x93f5f5799a932462)},
        {15, UINT64_C(0xa129ca6149be45e5)},
    };
    struct weir__hash table;
    unsigned char text[15];
    (void)state;
    for (unsigned i = 0; i < sizeof text; i++)
        text[i] = (unsigned char)i;
    assert_int_equal(weir__hash_init(&table, UINT64_C(0x0706050403020100),
                                     UINT64_C(0x0f0e0d0c0b0a0908)),
                     0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_true(weir__hash_of(&table, text, cases[i].len) == cases[i].hash);
    weir__hash_free(&table);
}

static struct item *find(const struct weir__hash *table, uint64_t hash, uint32_t number)
{
    struct weir__hash_node *node = NULL;
    while ((node = weir__hash_find(table, hash, node)) != NULL) {
        struct item *item = WEIR__CONTAINER(node, struct item, node);
        if (item->number == number)
            return item;
    }
    return NULL;
}

static void assert_holds(const struct weir__hash *table, struct item *items)
{
    size_t count = 0;
    for (uint32_t i = 0; i < ITEMS; i++) {
        assert_ptr_equal(find(table, items[i].node.hash, i), items[i].in ? &items[i] : NULL);
        count += items[i].in;
    }
    assert_int_equal(table->count, count);
}

/* Items come and go at random. `spread` hashes for all of them; 0: as they are. */
static void come_and_go(uint64_t spread)
{
    struct weir__hash table;
    struct weir__rand rand;
    struct item *items = calloc(ITEMS, sizeof *items);
    assert_non_null(items);
    weir__rand_seed(&rand, 7);
    assert_int_equal(weir__hash_init(&table, 1, 2), 0);
    for (uint32_t i = 0; i < ITEMS; i++) {
        uint64_t hash = weir__hash_of(&table, &i, sizeof i);
        items[i].number = i;
        items[i].node.hash = spread > 0 ? hash % spread : hash;
    }
    for (int round = 0; round < 5000; round++) {
        struct item *item = &items[weir__rand_upto(&rand, ITEMS - 1)];
        if (item->in)
            weir__hash_remove(&table, &item->node);
        else
            weir__hash_put(&table, &item->node);
        item->in = !item->in;
        if (round % 500 == 0)
            assert_holds(&table, items);
    }
    assert_holds(&table, items);
    assert_true(table.room >= table.count / 2);
    weir__hash_free(&table);
    free(items);
}

static void test_come_and_go(void **state)
{
    (void)state;
    come_and_go(0);
}

static void test_equal_hashes_are_told_apart(void **state)
{
    (void)state;
    come_and_go(1);
    come_and_go(3);
}

static void test_without_memory(void **state)
{
    struct weir__hash table;
    struct item items[20];
    (void)state;
    weir__mem_fail_at(1);
    assert_int_equal(weir__hash_init(&table, 1, 2), WEIR_ENOMEM);
    weir__mem_fail_at(0);
    assert_int_equal(weir__hash_init(&table, 1, 2), 0);
    size_t room = table.room;
    weir__mem_fail_at(1);
    for (uint32_t i = 0; i < 20; i++) {
        items[i] = (struct item){.number = i, .node.hash = weir__hash_of(&table, &i, sizeof i)};
        weir__hash_put(&table, &items[i].node);
    }
    weir__mem_fail_at(0);
    assert_int_equal(table.room, room);
    for (uint32_t i = 0; i < 20; i++)
        assert_ptr_equal(find(&table, items[i].node.hash, i), &items[i]);
    weir__hash_free(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_is_siphash),
        cmocka_unit_test(test_come_and_go),
        cmocka_unit_test(test_equal_hashes_are_told_apart),
        cmocka_unit_test(test_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
