#include "base/timer.h"

#include <stddef.h>

static bool earlier(const struct weir__timer *a, const struct weir__timer *b)
{
    return a->when_ns != b->when_ns ? a->when_ns < b->when_ns : a->seq < b->seq;
}

/* Joins two heaps whose roots have no siblings. */
static struct weir__timer *meld(struct weir__timer *a, struct weir__timer *b)
{
    if (a == NULL)
        return b;
    if (b == NULL)
        return a;
    if (earlier(b, a)) {
        struct weir__timer *t = a;
        a = b;
        b = t;
    }
    b->prev = a;
    b->next = a->child;
    if (b->next != NULL)
        b->next->prev = b;
    a->child = b;
    return a;
}

/* Joins a list of siblings in two passes, without recursion: the list can be long. */
static struct weir__timer *meld_siblings(struct weir__timer *first)
{
    struct weir__timer *pairs = NULL; /* stack, linked by next */
    while (first != NULL) {
        struct weir__timer *a = first, *b = a->next;
        first = b != NULL ? b->next : NULL;
        a->next = a->prev = NULL;
        if (b != NULL)
            b->next = b->prev = NULL;
        a = meld(a, b);
        a->next = pairs;
        pairs = a;
    }
    struct weir__timer *root = NULL;
    while (pairs != NULL) {
        struct weir__timer *next = pairs->next;
        pairs->next = NULL;
        root = meld(root, pairs);
        pairs = next;
    }
    return root;
}

static void take_out(struct weir__timers *timers, struct weir__timer *timer)
{
    struct weir__timer *rest = meld_siblings(timer->child);
    if (timer == timers->root) {
        timers->root = rest;
    } else {
        if (timer->prev->child == timer)
            timer->prev->child = timer->next;
        else
            timer->prev->next = timer->next;
        if (timer->next != NULL)
            timer->next->prev = timer->prev;
        timers->root = meld(timers->root, rest);
    }
    timer->child = timer->next = timer->prev = NULL;
    timer->armed = false;
}

void weir__timer_start(struct weir__timers *timers, struct weir__timer *timer, int64_t when_ns)
{
    weir__timer_stop(timers, timer);
    timer->when_ns = when_ns;
    timer->seq = timers->seq++;
    timer->armed = true;
    timers->root = meld(timers->root, timer);
}

void weir__timer_stop(struct weir__timers *timers, struct weir__timer *timer)
{
    if (timer->armed)
        take_out(timers, timer);
}

int64_t weir__timers_next_ns(const struct weir__timers *timers)
{
    return timers->root != NULL ? timers->root->when_ns : INT64_MAX;
}

struct weir__timer *weir__timers_pop(struct weir__timers *timers, int64_t now_ns)
{
    struct weir__timer *timer = timers->root;
    if (timer == NULL || timer->when_ns > now_ns)
        return NULL;
    take_out(timers, timer);
    return timer;
}
