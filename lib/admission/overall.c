#include "admission/overall.h"

#include "base/mem.h"

int weir__overall_new(struct weir__overall **out, uint64_t concurrency)
{
    *out = NULL;
    if (concurrency == 0)
        return 0;
    *out = weir__zalloc(sizeof **out);
    if (*out == NULL)
        return WEIR_ENOMEM;
    (*out)->users = 1;
    (*out)->concurrency = concurrency;
    weir__list_init(&(*out)->lacking);
    return 0;
}

void weir__overall_let_go(struct weir__overall *overall)
{
    if (overall != NULL && --overall->users == 0)
        weir__free(overall);
}

void weir__overall_join(weir_limiter *limiter, struct weir__overall *overall)
{
    limiter->overall = overall;
    if (overall != NULL)
        overall->users++;
}

void weir__overall_part(weir_limiter *limiter)
{
    weir__list_remove(&limiter->overall_node);
    weir__overall_let_go(limiter->overall);
}

static bool has_own_place(const weir_limiter *limiter)
{
    return limiter->concurrency == 0 || limiter->holding < limiter->concurrency;
}

static bool has_overall_place(const weir_limiter *limiter)
{
    const struct weir__overall *overall = limiter->overall;
    return overall == NULL || overall->holding < overall->concurrency;
}

bool weir__queue_has_place(const weir_limiter *limiter, const struct weir__stay *stay)
{
    return !stay->counted || (has_own_place(limiter) && has_overall_place(limiter));
}

enum weir_blocked weir__overall_lack(weir_limiter *limiter)
{
    if (limiter->overall != NULL && has_own_place(limiter) &&
        weir__list_empty(&limiter->overall_node))
        weir__list_push(&limiter->overall->lacking, &limiter->overall_node);
    return WEIR_BLOCKED_CONCURRENCY;
}

/* One that still lacks a place afterwards is behind the others. */
void weir__overall_pump(weir_limiter *limiter)
{
    struct weir__list *node;
    while (limiter->overall != NULL && has_overall_place(limiter) &&
           (node = weir__list_pop(&limiter->overall->lacking)) != NULL)
        weir__queue_pump(WEIR__CONTAINER(node, weir_limiter, overall_node));
    weir__queue_pump(limiter);
}
