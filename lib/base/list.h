/* Intrusive, circular, doubly linked list. A node that is in no list links to itself, so removing
 * twice is harmless: that is what lets whoever wakes a waiter first also unlink it. */
#ifndef WEIR_BASE_LIST_H
#define WEIR_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct weir__list {
    struct weir__list *next, *prev;
};

#define WEIR__CONTAINER(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

static inline void weir__list_init(struct weir__list *list)
{
    list->next = list->prev = list;
}

static inline bool weir__list_empty(const struct weir__list *list)
{
    return list->next == list;
}

/* Puts node right before `place`: before the list's head means at its end. */
static inline void weir__list_insert(struct weir__list *place, struct weir__list *node)
{
    node->prev = place->prev;
    node->next = place;
    place->prev->next = node;
    place->prev = node;
}

static inline void weir__list_push(struct weir__list *list, struct weir__list *node)
{
    weir__list_insert(list, node);
}

static inline void weir__list_remove(struct weir__list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    weir__list_init(node);
}

/* The first node, removed; NULL when there is none. */
static inline struct weir__list *weir__list_pop(struct weir__list *list)
{
    struct weir__list *node = list->next;
    if (node == list)
        return NULL;
    weir__list_remove(node);
    return node;
}

#endif
