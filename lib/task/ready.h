/* The queue of ready tasks: a ring of pointers. A list through the tasks would need no memory of
 * its own; but to fetch what a switch will touch several tasks ahead, one must know them without
 * reading one from the other (docs/design/task.md).
 *
 * Each task is in it once at most, and its place is reserved when it is spawned: queueing cannot
 * fail. */
#ifndef WEIR_TASK_READY_H
#define WEIR_TASK_READY_H

#include <stdbool.h>
#include <stddef.h>

#include <weir/task.h>

struct weir__ready {
    weir_task **tasks;
    size_t mask;       /* places less one: a power of two */
    size_t head, tail; /* of those taken out and put in so far; the low bits are the place */
};

static inline size_t weir__ready_count(const struct weir__ready *ready)
{
    return ready->tail - ready->head;
}

/* The one that comes i-th, from 0. */
static inline weir_task *weir__ready_at(const struct weir__ready *ready, size_t i)
{
    return ready->tasks[(ready->head + i) & ready->mask];
}

/* Moves those before the i-th one up by one place. */
void weir__ready_close_up(struct weir__ready *ready, size_t i);

static inline void weir__ready_push(struct weir__ready *ready, weir_task *task)
{
    ready->tasks[ready->tail++ & ready->mask] = task;
}

/* Takes the i-th out; the others keep their order. */
static inline weir_task *weir__ready_take(struct weir__ready *ready, size_t i)
{
    weir_task *task = weir__ready_at(ready, i);
    if (i > 0)
        weir__ready_close_up(ready, i);
    ready->head++;
    return task;
}

/* Makes room for so many tasks in all. WEIR_ENOMEM leaves it as it was. */
int weir__ready_reserve(struct weir__ready *ready, size_t count);
void weir__ready_free(struct weir__ready *ready);

#endif
