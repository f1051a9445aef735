#include "client/circuit.h"

#include <stdio.h>

#include "base/mem.h"

enum { FAILURE_MAX = 160 };

struct weir__circuit {
    struct weir__breaker breaker;
    struct weir__rt *rt;
    struct weir__list waiters; /* struct waiter */
    size_t waiting;
    uint64_t refused;
    char last_failure[FAILURE_MAX];
};

/* In two lists, since two things end it: a change of the circuit, and the closing of its call's
 * limiter. */
struct waiter {
    struct weir__list node;
    struct weir__wait wait;
};

int weir__circuit_new(struct weir__circuit **out, struct weir__rt *rt,
                      const struct weir_breaker_opts *opts)
{
    *out = NULL;
    if (opts == NULL)
        return 0;
    struct weir__circuit *circuit = weir__zalloc(sizeof *circuit);
    if (circuit == NULL)
        return WEIR_ENOMEM;
    int rc = weir__breaker_init(&circuit->breaker, opts);
    if (rc < 0) {
        weir__free(circuit);
        return rc;
    }
    circuit->rt = rt;
    weir__list_init(&circuit->waiters);
    *out = circuit;
    return 0;
}

void weir__circuit_free(struct weir__circuit *circuit)
{
    weir__free(circuit);
}

static int64_t now_ns(const struct weir__circuit *circuit)
{
    return weir__now_ns(circuit->rt);
}

/* ---- waiting ---- */

int64_t weir__circuit_earliest_ns(const struct weir__circuit *circuit)
{
    if (circuit == NULL)
        return INT64_MIN;
    return weir__breaker_earliest_ns(&circuit->breaker, now_ns(circuit));
}

/* A retry waits through one opening: it may be the one that finds the server back. Else a call
 * without a deadline would last as long as the server is away. */
static bool may_wait(const struct weir__circuit *circuit, struct weir__pass *pass)
{
    if (circuit->breaker.policy.wait != 0)
        return true;
    if (pass->again && pass->opened == 0)
        pass->opened = circuit->breaker.opened;
    return pass->again && pass->opened == circuit->breaker.opened;
}

static int wait_until(struct weir__circuit *circuit, weir_limiter *limiter, int64_t when_ns)
{
    struct waiter waiter;
    int rc = weir__wait_begin(&waiter.wait);
    if (rc < 0)
        return rc;
    weir__list_push(&circuit->waiters, &waiter.node);
    circuit->waiting++;
    rc = weir__admission_sleep_in(limiter, &waiter.wait, when_ns);
    circuit->waiting--;
    weir__list_remove(&waiter.node);
    return rc;
}

int weir__circuit_await(struct weir__circuit *circuit, weir_limiter *limiter,
                        struct weir__pass *pass, int64_t last_ns)
{
    if (circuit == NULL)
        return 0;
    int64_t deadline_ns = weir__deadline_ns(circuit->rt->current);
    if (deadline_ns < last_ns)
        last_ns = deadline_ns;
    for (;;) {
        int64_t when_ns = weir__circuit_earliest_ns(circuit);
        if (when_ns <= now_ns(circuit))
            return 0;
        int rc = may_wait(circuit, pass) ? 0 : WEIR_EOPEN;
        if (rc == 0 && when_ns > last_ns)
            rc = WEIR_EDEADLINE;
        circuit->refused += rc < 0;
        if (rc == 0)
            rc = wait_until(circuit, limiter, when_ns);
        if (rc < 0)
            return rc;
    }
}

/* Each looks again at what it may do now. */
static void changed(struct weir__circuit *circuit)
{
    for (struct weir__list *node = circuit->waiters.next; node != &circuit->waiters;
         node = node->next)
        weir__wake(&WEIR__CONTAINER(node, struct waiter, node)->wait, 0);
}

/* ---- coming and going ---- */

bool weir__circuit_enter(struct weir__circuit *circuit, struct weir__pass *pass)
{
    if (circuit != NULL)
        pass->held = weir__breaker_enter(&circuit->breaker, now_ns(circuit), &pass->epoch);
    return circuit == NULL || pass->held;
}

bool weir__circuit_enter_closed(struct weir__circuit *circuit, struct weir__pass *pass)
{
    bool closed = circuit == NULL || circuit->breaker.state == WEIR_CIRCUIT_CLOSED;
    return closed && weir__circuit_enter(circuit, pass);
}

static void leave(struct weir__circuit *circuit, struct weir__pass *pass, enum weir__health how)
{
    pass->held = false;
    if (weir__breaker_leave(&circuit->breaker, pass->epoch, how, now_ns(circuit),
                            &circuit->rt->rand))
        changed(circuit);
}

static void remember(struct weir__circuit *circuit, const weir_response *response)
{
    if (response->error < 0)
        snprintf(circuit->last_failure, sizeof circuit->last_failure, "%.*s", FAILURE_MAX - 1,
                 response->error_text);
    else
        snprintf(circuit->last_failure, sizeof circuit->last_failure, "HTTP status %d",
                 response->status);
}

void weir__circuit_leave(struct weir__circuit *circuit, struct weir__pass *pass,
                         const weir_response *response)
{
    if (circuit == NULL || !pass->held)
        return;
    enum weir__health how =
        weir__breaker_judge(response->error, response->status, response->outcome);
    if (how == WEIR__HEALTH_BAD)
        remember(circuit, response);
    leave(circuit, pass, how);
}

void weir__circuit_give_back(struct weir__circuit *circuit, struct weir__pass *pass)
{
    if (circuit != NULL && pass->held)
        leave(circuit, pass, WEIR__HEALTH_UNKNOWN);
}

/* ---- what it says ---- */

void weir__circuit_explain(const struct weir__circuit *circuit, weir_response *response)
{
    char text[sizeof response->error_text];
    snprintf(text, sizeof text, "%s; the last one: %s", weir_strerror(WEIR_EOPEN),
             circuit->last_failure);
    weir_response_set_failure(response, response->sent, text);
}

void weir__circuit_figures(const struct weir__circuit *circuit, int64_t at_ns,
                           struct weir_breaker_stats *stats)
{
    if (circuit == NULL)
        return;
    weir__breaker_figures(&circuit->breaker, at_ns, stats);
    stats->refused = circuit->refused;
    stats->waiting = circuit->waiting;
}
