#include <weir/sync.h>

#include "base/mem.h"
#include "task/sched.h"

struct weir_event {
    struct weir__list waiters;
    bool is_set;
};

int weir_event_new(weir_event **out)
{
    *out = NULL;
    if (weir__rt() == NULL)
        return WEIR_ENORUNTIME;
    weir_event *event = weir__alloc(sizeof *event);
    if (event == NULL)
        return WEIR_ENOMEM;
    event->is_set = false;
    weir__list_init(&event->waiters);
    *out = event;
    return 0;
}

void weir_event_free(weir_event *event)
{
    if (event == NULL)
        return;
    weir__wake_all(&event->waiters, WEIR_ECLOSED);
    weir__free(event);
}

void weir_event_set(weir_event *event)
{
    event->is_set = true;
    weir__wake_all(&event->waiters, 0);
}

void weir_event_clear(weir_event *event)
{
    event->is_set = false;
}

int weir_event_is_set(const weir_event *event)
{
    return event->is_set;
}

int weir_event_wait(weir_event *event)
{
    struct weir__wait wait;
    int rc = weir__wait_begin(&wait);
    if (rc < 0 || event->is_set)
        return rc;
    weir__list_push(&event->waiters, &wait.node);
    return weir__park(&wait);
}
