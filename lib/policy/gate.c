#include "policy/gate.h"

#include "base/clock.h"
#include "policy/backoff.h"

enum {
    PAUSE_BASE_MS = 250,
    PAUSE_MAX_MS = 30000,
    PAUSE_MIN_MS = 50,
    FIRST_WINDOW = 1,
    EPOCHS_COUNTED = 64, /* the pause stopped growing long before */
};

/* More holders than any process has: the start is over. */
#define LAST_WINDOW (UINT64_C(1) << 31)

/* While the gate is closed nothing is admitted, so what was admitted at the very instant of the
 * closing was admitted before it. */
static bool of_earlier_epoch(const struct weir__gate *gate, int64_t sent_ns)
{
    return gate->open_ns != 0 && sent_ns <= gate->closed_at_ns;
}

static bool lengthen(struct weir__gate *gate, int64_t open_ns)
{
    if (open_ns <= gate->open_ns)
        return false;
    gate->open_ns = open_ns;
    return true;
}

static void begin_epoch(struct weir__gate *gate, int64_t now_ns)
{
    gate->closed_at_ns = now_ns;
    gate->window = FIRST_WINDOW;
}

static int64_t own_pause_ns(const struct weir__gate *gate, struct weir__rand *rand)
{
    int64_t ceiling_ms = weir__backoff_ceiling_ms(PAUSE_BASE_MS, PAUSE_MAX_MS, gate->epochs + 1);
    int64_t pause_ns = 1 + weir__rand_upto(rand, weir__ms_to_ns(ceiling_ms) - 1);
    int64_t least_ns = weir__ms_to_ns(PAUSE_MIN_MS);
    return pause_ns > least_ns ? pause_ns : least_ns;
}

bool weir__gate_throttled(struct weir__gate *gate, int64_t sent_ns, int64_t server_wait_ns,
                          int64_t now_ns, struct weir__rand *rand)
{
    bool told = server_wait_ns > 0;
    if (of_earlier_epoch(gate, sent_ns))
        return told && lengthen(gate, weir__ns_add(now_ns, server_wait_ns));
    int64_t pause_ns = told ? server_wait_ns : own_pause_ns(gate, rand);
    lengthen(gate, weir__ns_add(now_ns, pause_ns));
    begin_epoch(gate, now_ns);
    if (gate->epochs < EPOCHS_COUNTED)
        gate->epochs++;
    return true;
}

bool weir__gate_close(struct weir__gate *gate, int64_t open_ns, int64_t now_ns)
{
    if (open_ns <= now_ns || !lengthen(gate, open_ns))
        return false;
    begin_epoch(gate, now_ns);
    return true;
}

bool weir__gate_hold(struct weir__gate *gate, int64_t open_ns, int64_t now_ns)
{
    return open_ns > now_ns && lengthen(gate, open_ns);
}

bool weir__gate_success(struct weir__gate *gate, int64_t sent_ns)
{
    if (of_earlier_epoch(gate, sent_ns))
        return false;
    gate->epochs = 0;
    if (gate->window == 0)
        return false;
    gate->window = gate->window < LAST_WINDOW ? gate->window * 2 : 0;
    return true;
}

/* Whole seconds since the gate opened. */
static int64_t open_for_s(const struct weir__gate *gate, int64_t now_ns)
{
    return now_ns > gate->open_ns ? (now_ns - gate->open_ns) / WEIR__NS_PER_S : 0;
}

uint64_t weir__gate_window(const struct weir__gate *gate, int64_t now_ns)
{
    int64_t doublings = open_for_s(gate, now_ns);
    if (gate->window == 0 || doublings > 31 || gate->window << doublings > LAST_WINDOW)
        return 0;
    return gate->window << doublings;
}

int64_t weir__gate_grows_ns(const struct weir__gate *gate, int64_t now_ns)
{
    if (weir__gate_window(gate, now_ns) == 0)
        return INT64_MAX;
    return gate->open_ns + (open_for_s(gate, now_ns) + 1) * WEIR__NS_PER_S;
}
