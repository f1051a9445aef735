#include "task/home.h"

#include "base/mem.h"

struct weir__life *weir__life_new(void)
{
    struct weir__life *life = weir__zalloc(sizeof *life);
    if (life != NULL)
        atomic_init(&life->users, 1);
    return life;
}

static void let_go(struct weir__life *life)
{
    if (atomic_fetch_sub_explicit(&life->users, 1, memory_order_acq_rel) == 1)
        weir__free(life);
}

void weir__life_end(struct weir__rt *rt)
{
    rt->life->ended_ns = weir__now_ns(rt);
    atomic_store_explicit(&rt->life->ended, true, memory_order_release);
    let_go(rt->life);
}

static void run_end(struct weir__at_end *at_end)
{
    struct weir__home *home = WEIR__CONTAINER(at_end, struct weir__home, at_end);
    if (home->end != NULL)
        home->end(home);
}

void weir__home_init(struct weir__home *home, void (*end)(struct weir__home *home))
{
    struct weir__rt *rt = weir__rt();
    home->serial = rt->serial;
    home->end = end;
    home->life = rt->life;
    atomic_fetch_add_explicit(&rt->life->users, 1, memory_order_relaxed);
    home->at_end.run = run_end;
    weir__list_init(&home->at_end.node);
    weir__list_push(&rt->at_end, &home->at_end.node);
}

void weir__home_leave(struct weir__home *home)
{
    weir__list_remove(&home->at_end.node);
    let_go(home->life);
}

int64_t weir__home_now_ns(const struct weir__home *home)
{
    return weir__home_has_ended(home) ? home->life->ended_ns : weir__now_ns(weir__rt());
}
