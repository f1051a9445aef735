#include <weir/sync.h>

#include <stdint.h>

#include "base/mem.h"
#include "task/sched.h"

/* Getters wait only while it is empty, putters only while it is full. */
struct weir_queue {
    struct weir__list getters, putters;
    size_t capacity, count;
    size_t first; /* index of the oldest item */
    bool closed;
    void *items[];
};

struct waiter {
    struct weir__wait wait;
    void *item;
};

int weir_queue_new(weir_queue **out, size_t capacity)
{
    *out = NULL;
    if (weir__rt() == NULL)
        return WEIR_ENORUNTIME;
    if (capacity == 0 || capacity > SIZE_MAX / 2 / sizeof(void *))
        return WEIR_EINVAL;
    weir_queue *queue = weir__alloc(sizeof *queue + capacity * sizeof(void *));
    if (queue == NULL)
        return WEIR_ENOMEM;
    *queue = (weir_queue){.capacity = capacity};
    weir__list_init(&queue->getters);
    weir__list_init(&queue->putters);
    *out = queue;
    return 0;
}

void weir_queue_close(weir_queue *queue)
{
    queue->closed = true;
    weir__wake_all(&queue->putters, WEIR_ECLOSED);
    weir__wake_all(&queue->getters, WEIR_ECLOSED);
}

void weir_queue_free(weir_queue *queue)
{
    if (queue == NULL)
        return;
    weir_queue_close(queue);
    weir__free(queue);
}

size_t weir_queue_count(const weir_queue *queue)
{
    return queue->count;
}

static void store(weir_queue *queue, void *item)
{
    size_t to_end = queue->capacity - queue->first; /* first + count might not fit in a size_t */
    size_t at = queue->count < to_end ? queue->first + queue->count : queue->count - to_end;
    queue->items[at] = item;
    queue->count++;
}

static void *take(weir_queue *queue)
{
    void *item = queue->items[queue->first];
    queue->first = queue->first + 1 < queue->capacity ? queue->first + 1 : 0;
    queue->count--;
    return item;
}

static struct waiter *head_of(struct weir__list *waiters)
{
    if (weir__list_empty(waiters))
        return NULL;
    return WEIR__CONTAINER(waiters->next, struct waiter, wait.node);
}

int weir_queue_try_put(weir_queue *queue, void *item)
{
    if (queue->closed)
        return WEIR_ECLOSED;
    if (queue->count == queue->capacity)
        return WEIR_EBUSY;
    struct waiter *getter = head_of(&queue->getters);
    if (getter == NULL) {
        store(queue, item);
        return 0;
    }
    getter->item = item;
    weir__wake(&getter->wait, 0);
    return 0;
}

int weir_queue_try_get(weir_queue *queue, void **item)
{
    if (queue->count == 0)
        return queue->closed ? WEIR_ECLOSED : WEIR_EBUSY;
    *item = take(queue);
    struct waiter *putter = head_of(&queue->putters);
    if (putter != NULL) {
        store(queue, putter->item);
        weir__wake(&putter->wait, 0);
    }
    return 0;
}

int weir_queue_put(weir_queue *queue, void *item)
{
    struct waiter waiter = {.item = item};
    int rc = weir__wait_begin(&waiter.wait);
    if (rc == 0)
        rc = weir_queue_try_put(queue, item);
    if (rc != WEIR_EBUSY)
        return rc;
    weir__list_push(&queue->putters, &waiter.wait.node);
    return weir__park(&waiter.wait);
}

int weir_queue_get(weir_queue *queue, void **item)
{
    struct waiter waiter = {.item = NULL};
    int rc = weir__wait_begin(&waiter.wait);
    if (rc == 0)
        rc = weir_queue_try_get(queue, item);
    if (rc != WEIR_EBUSY)
        return rc;
    weir__list_push(&queue->getters, &waiter.wait.node);
    rc = weir__park(&waiter.wait);
    if (rc == 0)
        *item = waiter.item;
    return rc;
}
