/* A wait for the limiter in every state in which a cancel can meet it: for a place, for a token,
 * and for the gate. */
#include "cancel_matrix.h"

static void make_limiter(struct stage *stage, const struct weir_limiter_opts *opts)
{
    check_int(weir_limiter_new(&stage->limiter, opts), 0);
    check_int(weir_limiter_try(stage->limiter, 1), 0);
}

/* Nobody waits, nobody holds, and nobody was admitted but by the grants (and at the start). */
static bool is_idle(struct stage *stage, uint64_t admitted)
{
    struct weir_limiter_stats stats = {.size = sizeof stats};
    check_int(weir_limiter_stats(stage->limiter, &stats), 0);
    check_int((int64_t)stats.admitted, (int64_t)admitted);
    return stats.waiting == 0 && stats.holding == 0;
}

static int acquire(struct stage *stage)
{
    int rc = weir_limiter_acquire(stage->limiter, 1);
    stage->count += rc == 0;
    return rc;
}

static void release(struct stage *stage)
{
    weir_limiter_release(stage->limiter);
}

static void free_limiter(struct stage *stage)
{
    weir_limiter_free(stage->limiter);
}

/* ---- a place ---- */

static void make_place(struct stage *stage)
{
    make_limiter(stage, WEIR_LIMITER_OPTS(.concurrency = 1));
}

static bool place_is_free(struct stage *stage)
{
    bool idle = is_idle(stage, 1 + stage->count);
    check_int(weir_limiter_try(stage->limiter, 1), 0);
    check_int(weir_limiter_try(stage->limiter, 1), WEIR_EBUSY);
    return idle;
}

/* ---- the same as a permit ---- */

/* Given back at once. */
static int reserve(struct stage *stage)
{
    weir_permit permit;
    int rc = weir_limiter_reserve(stage->limiter, NULL, &permit);
    stage->count += rc == 0;
    weir_permit_cancel(&permit);
    return rc;
}

/* ---- a token, the next of which comes after a period ---- */

enum {
    PERIOD_MS = 800
}; /* longer than a shielded victim is left waiting, shorter than its limit */

static void make_token(struct stage *stage)
{
    make_limiter(stage, WEIR_LIMITER_OPTS(.rate = 1, .period_ms = PERIOD_MS, .burst = 1));
}

/* Each grant has let one through: the next comes a period after the last. */
static bool no_token_is_missing(struct stage *stage)
{
    int64_t start_ms = weir_now_ms();
    bool idle = is_idle(stage, 1 + stage->grants);
    check_int(weir_limiter_acquire(stage->limiter, 1), 0);
    return idle && weir_now_ms() - start_ms <= PERIOD_MS && weir_now_ms() == stage->due_ms;
}

/* ---- the gate, which lets all through that wait ---- */

static void make_gate(struct stage *stage)
{
    check_int(weir_limiter_new(&stage->limiter, NULL), 0);
    weir_limiter_pause_ms(stage->limiter, PERIOD_MS);
}

static bool gate_is_open(struct stage *stage)
{
    bool idle = is_idle(stage, stage->count);
    check_int(weir_limiter_try(stage->limiter, 1), 0);
    return idle;
}

static const struct row rows[] = {
    {.name = "limiter_place",
     .make = make_place,
     .wait = acquire,
     .grant = release,
     .give_back = release,
     .conserved = place_is_free,
     .free = free_limiter,
     .stays = true},
    {.name = "limiter_reserve",
     .make = make_place,
     .wait = reserve,
     .grant = release,
     .conserved = place_is_free,
     .free = free_limiter,
     .stays = true},
    {.name = "limiter_token",
     .make = make_token,
     .wait = acquire,
     .grant = stage_let_time_pass,
     .conserved = no_token_is_missing,
     .free = free_limiter,
     .refuses = true,
     .period_ms = PERIOD_MS},
    {.name = "limiter_gate",
     .make = make_gate,
     .wait = acquire,
     .grant = stage_let_time_pass,
     .conserved = gate_is_open,
     .free = free_limiter,
     .refuses = true,
     .period_ms = PERIOD_MS},
};

int main(void)
{
    return cancel_matrix_run(rows, sizeof rows / sizeof rows[0]);
}
