#include "task/home.h"

static void run_end(struct weir__at_end *at_end)
{
    struct weir__home *home = WEIR__CONTAINER(at_end, struct weir__home, at_end);
    if (home->end != NULL)
        home->end(home);
    home->ended_ns = weir__now_ns(weir__rt());
    atomic_store_explicit(&home->ended, true, memory_order_release);
}

void weir__home_init(struct weir__home *home, void (*end)(struct weir__home *home))
{
    struct weir__rt *rt = weir__rt();
    home->serial = rt->serial;
    home->end = end;
    home->ended_ns = 0;
    atomic_init(&home->ended, false);
    home->at_end.run = run_end;
    weir__list_init(&home->at_end.node);
    weir__list_push(&rt->at_end, &home->at_end.node);
}

void weir__home_leave(struct weir__home *home)
{
    weir__list_remove(&home->at_end.node);
}

int64_t weir__home_now_ns(const struct weir__home *home)
{
    return weir__home_has_ended(home) ? home->ended_ns : weir__now_ns(weir__rt());
}
