#include "base/hash.h"

#include <endian.h>
#include <string.h>

#include <weir/err.h>

#include "base/mem.h"

enum { FIRST_ROOM = 8 };

/* ---- SipHash ---- */

enum { ROUNDS_PER_WORD = 2, ROUNDS_AT_END = 4 };

static uint64_t rotl(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

static void mix(uint64_t v[4], int rounds)
{
    while (rounds-- > 0) {
        v[0] += v[1];
        v[2] += v[3];
        v[1] = rotl(v[1], 13) ^ v[0];
        v[3] = rotl(v[3], 16) ^ v[2];
        v[0] = rotl(v[0], 32);
        v[2] += v[1];
        v[0] += v[3];
        v[1] = rotl(v[1], 17) ^ v[2];
        v[3] = rotl(v[3], 21) ^ v[0];
        v[2] = rotl(v[2], 32);
    }
}

static void take(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    mix(v, ROUNDS_PER_WORD);
    v[0] ^= word;
}

/* The first byte is the lowest. */
static uint64_t word_at(const unsigned char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return le64toh(word);
}

static uint64_t rest_at(const unsigned char *at, size_t len)
{
    uint64_t word = 0;
    for (size_t i = 0; i < len; i++)
        word |= (uint64_t)at[i] << (8 * i);
    return word;
}

uint64_t weir__hash_of(const struct weir__hash *table, const void *key, size_t len)
{
    const unsigned char *at = key;
    uint64_t v[4] = {
        table->secret[0] ^ UINT64_C(0x736f6d6570736575),
        table->secret[1] ^ UINT64_C(0x646f72616e646f6d),
        table->secret[0] ^ UINT64_C(0x6c7967656e657261),
        table->secret[1] ^ UINT64_C(0x7465646279746573),
    };
    for (size_t left = len; left >= 8; left -= 8, at += 8)
        take(v, word_at(at));
    take(v, rest_at(at, len % 8) | (uint64_t)len << 56);
    v[2] ^= 0xff;
    mix(v, ROUNDS_AT_END);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* ---- the table ---- */

int weir__hash_init(struct weir__hash *table, uint64_t secret0, uint64_t secret1)
{
    *table = (struct weir__hash){.room = FIRST_ROOM, .secret = {secret0, secret1}};
    table->slots = weir__zalloc(FIRST_ROOM * sizeof(struct weir__hash_node *));
    return table->slots != NULL ? 0 : WEIR_ENOMEM;
}

void weir__hash_free(struct weir__hash *table)
{
    weir__free(table->slots);
    table->slots = NULL;
}

static struct weir__hash_node **slot_of(const struct weir__hash *table, uint64_t hash)
{
    return &table->slots[hash & (table->room - 1)];
}

struct weir__hash_node *weir__hash_find(const struct weir__hash *table, uint64_t hash,
                                        const struct weir__hash_node *last)
{
    struct weir__hash_node *node = last != NULL ? last->next : *slot_of(table, hash);
    while (node != NULL && node->hash != hash)
        node = node->next;
    return node;
}

static void link_in(struct weir__hash *table, struct weir__hash_node *node)
{
    struct weir__hash_node **slot = slot_of(table, node->hash);
    node->next = *slot;
    *slot = node;
}

static void grow(struct weir__hash *table)
{
    struct weir__hash_node **old = table->slots;
    size_t old_room = table->room;
    table->slots = weir__zalloc(2 * old_room * sizeof(struct weir__hash_node *));
    if (table->slots == NULL) {
        table->slots = old;
        return;
    }
    table->room = 2 * old_room;
    for (size_t i = 0; i < old_room; i++) {
        for (struct weir__hash_node *node = old[i], *next; node != NULL; node = next) {
            next = node->next;
            link_in(table, node);
        }
    }
    weir__free(old);
}

void weir__hash_put(struct weir__hash *table, struct weir__hash_node *node)
{
    if (table->count >= table->room)
        grow(table);
    link_in(table, node);
    table->count++;
}

void weir__hash_remove(struct weir__hash *table, struct weir__hash_node *node)
{
    struct weir__hash_node **at = slot_of(table, node->hash);
    while (*at != node)
        at = &(*at)->next;
    *at = node->next;
    table->count--;
}
