/* The virtual clock: no I/O, and time moves only when no task can run, straight to the next
 * timer. */
#include <weir/err.h>

#include "base/clock.h"
#include "base/mem.h"
#include "loop/loop.h"

struct virtual_side {
    struct weir__loop loop;
    int64_t now_ns;
};

static struct virtual_side *side_of(struct weir__loop *loop)
{
    return WEIR__CONTAINER(loop, struct virtual_side, loop);
}

static int64_t now_ns(struct weir__loop *loop)
{
    return side_of(loop)->now_ns;
}

static int jump(struct weir__loop *loop, int64_t wake_ns)
{
    struct virtual_side *side = side_of(loop);
    if (wake_ns == INT64_MAX)
        return WEIR_EDEADLK;
    if (wake_ns > side->now_ns)
        side->now_ns = wake_ns;
    return 0;
}

static void free_side(struct weir__loop *loop)
{
    weir__free(side_of(loop));
}

int weir__loop_virtual_new(struct weir__loop **out)
{
    struct virtual_side *side = weir__zalloc(sizeof *side);
    if (side == NULL)
        return WEIR_ENOMEM;
    side->loop =
        (struct weir__loop){.now_ns = now_ns, .wait = jump, .free = free_side, .is_virtual = true};
    side->now_ns = WEIR__NS_PER_S; /* not 0, so that times a little before now are not negative */
    *out = &side->loop;
    return 0;
}
