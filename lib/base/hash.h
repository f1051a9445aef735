/* A hash table whose nodes lie inside their owners. Keys may come from strangers (a URL, a tenant's
 * name), so they are hashed by SipHash with a secret of the table's: nobody can choose many that
 * collide. */
#ifndef WEIR_BASE_HASH_H
#define WEIR_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

struct weir__hash_node {
    struct weir__hash_node *next; /* in its slot */
    uint64_t hash;
};

struct weir__hash {
    struct weir__hash_node **slots; /* a power of two of them */
    size_t room, count;
    uint64_t secret[2];
};

/* An empty table. WEIR_ENOMEM. */
int weir__hash_init(struct weir__hash *table, uint64_t secret0, uint64_t secret1);

/* The nodes are their owners'. */
void weir__hash_free(struct weir__hash *table);

/* SipHash-2-4 (Aumasson, Bernstein 2012). */
uint64_t weir__hash_of(const struct weir__hash *table, const void *key, size_t len);

/* The first node with this hash, or the next one behind `last`; NULL: no more. Whether its key is
 * the one that is looked for, the caller looks. */
struct weir__hash_node *weir__hash_find(const struct weir__hash *table, uint64_t hash,
                                        const struct weir__hash_node *last);

/* node->hash is set. Cannot fail: without memory to grow it gets slower. */
void weir__hash_put(struct weir__hash *table, struct weir__hash_node *node);

/* The node is in the table. */
void weir__hash_remove(struct weir__hash *table, struct weir__hash_node *node);

#endif
