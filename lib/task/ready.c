#include "task/ready.h"

#include <stdint.h>

#include "base/mem.h"

enum { PLACES_MIN = 64 };

int weir__ready_reserve(struct weir__ready *ready, size_t count)
{
    size_t places = ready->tasks != NULL ? ready->mask + 1 : 0, more = PLACES_MIN;
    if (count <= places)
        return 0;
    while (more < count)
        more *= 2;
    weir_task **tasks = weir__alloc(more * sizeof(weir_task *));
    if (tasks == NULL)
        return WEIR_ENOMEM;
    size_t queued = weir__ready_count(ready);
    for (size_t i = 0; i < queued; i++)
        tasks[i] = weir__ready_at(ready, i);
    weir__free(ready->tasks);
    *ready = (struct weir__ready){.tasks = tasks, .mask = more - 1, .tail = queued};
    return 0;
}

void weir__ready_close_up(struct weir__ready *ready, size_t i)
{
    for (; i > 0; i--)
        ready->tasks[(ready->head + i) & ready->mask] = weir__ready_at(ready, i - 1);
}

void weir__ready_free(struct weir__ready *ready)
{
    weir__free(ready->tasks);
    *ready = (struct weir__ready){0};
}
