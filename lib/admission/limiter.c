#include "admission/admission.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/opts.h"

/* Timers wake late. A waiter that waited for its slot alone and whose slot has passed by less than
 * this is granted as of its slot, so that a rate without burst is still used in full; beyond it the
 * lost time is lost, so that a process that was stopped does not come back with a flood. */
enum { CATCH_UP_NS = 3000000 };

struct entry {
    struct weir__wait wait; /* its node is in limiter->queue */
    struct weir__stay *stay;
};

static struct entry *entry_at(struct weir__list *node)
{
    return WEIR__CONTAINER(node, struct entry, wait.node);
}

/* ---- granting ---- */

/* Behind a pause only those admitted since count against the gate's window: long transfers from
 * before it would otherwise hold the start back until they end. */
static bool in_window(const weir_limiter *limiter, const struct weir__stay *stay, int64_t now_ns)
{
    uint64_t window = weir__gate_window(&limiter->gate, now_ns);
    return !stay->counted || window == 0 || limiter->holding_since < window;
}

static bool has_place(const weir_limiter *limiter, const struct weir__stay *stay)
{
    return !stay->counted || limiter->concurrency == 0 || limiter->holding < limiter->concurrency;
}

/* When gate and bucket let the amount through, behind `ahead` tokens of others. */
static int64_t slot_ns(const weir_limiter *limiter, uint64_t ahead, uint64_t amount)
{
    int64_t slot = weir__bucket_slot_ns(&limiter->bucket, ahead, amount);
    return slot > limiter->gate.open_ns ? slot : limiter->gate.open_ns;
}

static void grant(weir_limiter *limiter, struct weir__stay *stay, int64_t as_of_ns, int64_t now_ns)
{
    weir__bucket_take(&limiter->bucket, stay->amount, as_of_ns);
    stay->admitted_ns = now_ns;
    limiter->holding += stay->counted;
    limiter->holding_since += stay->counted;
    limiter->admitted++;
}

static void dequeue(weir_limiter *limiter, struct entry *entry)
{
    limiter->waiting--;
    limiter->queued_amount -= entry->stay->amount;
}

/* Grants from the head on as long as there is room. timed: the head waited for nothing but its
 * slot, so what the clock is late by is no fault of its own. */
static void grant_all(weir_limiter *limiter, bool timed)
{
    if (weir__list_empty(&limiter->queue))
        return;
    int64_t now_ns = weir__now_ns(limiter->rt);
    while (!weir__list_empty(&limiter->queue)) {
        struct entry *head = entry_at(limiter->queue.next);
        if (!has_place(limiter, head->stay))
            return;
        int64_t slot = slot_ns(limiter, 0, head->stay->amount);
        if (slot <= now_ns && !in_window(limiter, head->stay, now_ns))
            slot = weir__gate_grows_ns(&limiter->gate, now_ns);
        if (slot > now_ns) {
            weir__timer_start(&limiter->rt->timers, &limiter->timer, slot);
            return;
        }
        bool late = !timed || now_ns - slot > CATCH_UP_NS;
        grant(limiter, head->stay, late ? now_ns : slot, now_ns);
        dequeue(limiter, head);
        weir__wake(&head->wait, 0);
    }
}

static void time_came(struct weir__timer *timer)
{
    grant_all(WEIR__CONTAINER(timer, weir_limiter, timer), true);
}

/* After every change of anything. */
static void pump(weir_limiter *limiter)
{
    bool timed = limiter->timer.armed;
    weir__timer_stop(&limiter->rt->timers, &limiter->timer);
    grant_all(limiter, timed);
}

/* 0 when granted at once; WEIR_EBUSY when it has to wait. */
static int enter_now(weir_limiter *limiter, struct weir__stay *stay)
{
    if (!weir__list_empty(&limiter->queue) || !has_place(limiter, stay))
        return WEIR_EBUSY;
    int64_t now_ns = weir__now_ns(limiter->rt);
    if (slot_ns(limiter, 0, stay->amount) > now_ns || !in_window(limiter, stay, now_ns))
        return WEIR_EBUSY;
    grant(limiter, stay, now_ns, now_ns); /* nobody waited: time unused is no credit */
    return 0;
}

/* ---- entering ---- */

/* In order of the tickets; a newcomer's place is the end, so this is one step but for retries. */
static void enqueue(weir_limiter *limiter, struct entry *entry)
{
    struct weir__list *place = &limiter->queue;
    while (place->prev != &limiter->queue &&
           entry_at(place->prev)->stay->ticket > entry->stay->ticket)
        place = place->prev;
    weir__list_insert(place, &entry->wait.node);
    limiter->waiting++;
    limiter->queued_amount += entry->stay->amount;
}

static uint64_t amount_before(const weir_limiter *limiter, uint64_t ticket)
{
    uint64_t ahead = 0;
    for (struct weir__list *node = limiter->queue.next; node != &limiter->queue;
         node = node->next) {
        if (entry_at(node)->stay->ticket > ticket)
            break;
        ahead += entry_at(node)->stay->amount;
    }
    return ahead;
}

static uint64_t amount_ahead(const weir_limiter *limiter, const struct weir__stay *stay)
{
    bool newest = stay->ticket == limiter->next_ticket; /* behind all */
    return newest ? limiter->queued_amount : amount_before(limiter, stay->ticket);
}

int64_t weir__admission_earliest_ns(const weir_limiter *limiter, const struct weir__stay *stay,
                                    uint64_t amount)
{
    return slot_ns(limiter, amount_ahead(limiter, stay), amount);
}

static int check(const weir_limiter *limiter, uint64_t amount)
{
    if (limiter->closed)
        return WEIR_ECLOSED;
    return amount > 0 && weir__bucket_fits(&limiter->bucket, amount) ? 0 : WEIR_ENEVER;
}

/* Before it refuses it counts anew: the sum at hand holds those, too, who were cancelled and have
 * not run since. */
static bool too_late(const weir_limiter *limiter, const struct entry *entry)
{
    const struct weir__stay *stay = entry->stay;
    int64_t deadline_ns = weir__deadline_ns(entry->wait.task);
    return deadline_ns != INT64_MAX &&
           weir__admission_earliest_ns(limiter, stay, stay->amount) > deadline_ns &&
           slot_ns(limiter, amount_before(limiter, stay->ticket), stay->amount) > deadline_ns;
}

static int wait_for_turn(weir_limiter *limiter, struct entry *entry)
{
    if (too_late(limiter, entry))
        return WEIR_EDEADLINE;
    enqueue(limiter, entry);
    pump(limiter); /* may grant at once: a retry can be older than the head */
    limiter->users++;
    int rc = weir__park(&entry->wait);
    if (rc == WEIR_ECANCELED && !limiter->closed) { /* closing has emptied the queue */
        dequeue(limiter, entry);
        pump(limiter); /* the next one may be smaller */
    }
    weir__admission_let_go(limiter);
    return rc;
}

static bool paused_too_long(const weir_limiter *limiter, const struct weir__stay *stay,
                            int64_t now_ns)
{
    return stay->max_pause_ns > 0 && limiter->gate.open_ns - now_ns > stay->max_pause_ns;
}

int weir__admission_enter(weir_limiter *limiter, struct weir__stay *stay, uint64_t amount)
{
    struct entry entry = {.stay = stay};
    int rc = weir__wait_begin(&entry.wait);
    if (rc == 0)
        rc = check(limiter, amount);
    if (rc == 0 && paused_too_long(limiter, stay, weir__now_ns(limiter->rt)))
        rc = WEIR_EPAUSED;
    if (rc < 0)
        return rc;
    stay->amount = amount;
    if (stay->ticket == 0)
        stay->ticket = ++limiter->next_ticket;
    rc = enter_now(limiter, stay);
    return rc == WEIR_EBUSY ? wait_for_turn(limiter, &entry) : rc;
}

int weir__admission_try(weir_limiter *limiter, struct weir__stay *stay, uint64_t amount)
{
    int rc = check(limiter, amount);
    stay->amount = amount;
    return rc < 0 ? rc : enter_now(limiter, stay);
}

/* ---- leaving ---- */

/* Those whose patience the pause exceeds go now. */
static void refuse_impatient(weir_limiter *limiter)
{
    int64_t now_ns = weir__now_ns(limiter->rt);
    struct weir__list *node = limiter->queue.next;
    while (node != &limiter->queue) {
        struct entry *entry = entry_at(node);
        node = node->next;
        if (paused_too_long(limiter, entry->stay, now_ns)) {
            dequeue(limiter, entry);
            weir__wake(&entry->wait, WEIR_EPAUSED);
        }
    }
}

/* The gate has closed, or closed for longer. */
static void gate_closed(weir_limiter *limiter, int64_t closed_before_ns)
{
    refuse_impatient(limiter);
    weir__bucket_empty_at(&limiter->bucket, limiter->gate.open_ns);
    if (limiter->gate.closed_at_ns != closed_before_ns)
        limiter->holding_since = 0;
}

static void learn(weir_limiter *limiter, const struct weir__stay *stay, enum weir__went went,
                  int64_t server_wait_ms)
{
    int64_t now_ns = weir__now_ns(limiter->rt);
    if (went == WEIR__WENT_ANSWERED)
        weir__gate_success(&limiter->gate, stay->admitted_ns);
    if (went != WEIR__WENT_THROTTLED)
        return;
    limiter->throttled++;
    int64_t wait_ns = server_wait_ms >= 0 ? weir__ms_to_ns(server_wait_ms) : -1;
    int64_t closed_before_ns = limiter->gate.closed_at_ns;
    if (weir__gate_throttled(&limiter->gate, stay->admitted_ns, wait_ns, now_ns,
                             &limiter->rt->rand))
        gate_closed(limiter, closed_before_ns);
}

static void give_place_back(weir_limiter *limiter, int64_t admitted_ns)
{
    limiter->holding--;
    if (admitted_ns > limiter->gate.closed_at_ns && limiter->holding_since > 0)
        limiter->holding_since--;
}

void weir__admission_leave(weir_limiter *limiter, const struct weir__stay *stay,
                           enum weir__went went, int64_t server_wait_ms)
{
    give_place_back(limiter, stay->admitted_ns);
    if (went == WEIR__WENT_UNUSED)
        weir__bucket_refund(&limiter->bucket, stay->amount, stay->admitted_ns,
                            weir__now_ns(limiter->rt));
    else
        learn(limiter, stay, went, server_wait_ms);
    pump(limiter);
}

int weir__admission_sleep_in(weir_limiter *limiter, struct weir__wait *wait, int64_t when_ns)
{
    if (limiter->closed)
        return WEIR_ECLOSED;
    return weir__park_until(wait, &limiter->sleepers, when_ns);
}

int weir__admission_sleep(weir_limiter *limiter, int64_t when_ns)
{
    struct weir__wait wait;
    int rc = weir__wait_begin(&wait);
    return rc < 0 ? rc : weir__admission_sleep_in(limiter, &wait, when_ns);
}

/* ---- the public face ---- */

int weir_limiter_new(weir_limiter **out, const struct weir_limiter_opts *opts)
{
    struct weir_limiter_opts own;
    struct weir__rt *rt = weir__rt();
    *out = NULL;
    if (rt == NULL)
        return WEIR_ENORUNTIME;
    if (weir__opts_copy(&own, sizeof own, opts) < 0 || own.period_ms < 0)
        return WEIR_EINVAL;
    weir_limiter *limiter = weir__zalloc(sizeof *limiter);
    if (limiter == NULL)
        return WEIR_ENOMEM;
    int64_t period_ms = own.period_ms > 0 ? own.period_ms : 60000;
    int rc = weir__bucket_init(&limiter->bucket, own.rate, weir__ms_to_ns(period_ms), own.burst);
    if (rc < 0) {
        weir__free(limiter);
        return rc;
    }
    limiter->rt = rt;
    limiter->users = 1;
    limiter->concurrency = own.concurrency;
    weir__list_init(&limiter->queue);
    weir__list_init(&limiter->sleepers);
    weir__timer_init(&limiter->timer, time_came);
    *out = limiter;
    return 0;
}

void weir_limiter_close(weir_limiter *limiter)
{
    limiter->closed = true;
    weir__timer_stop(&limiter->rt->timers, &limiter->timer);
    weir__wake_all(&limiter->queue, WEIR_ECLOSED);
    weir__wake_all(&limiter->sleepers, WEIR_ECLOSED);
    limiter->waiting = 0;
    limiter->queued_amount = 0;
}

void weir_limiter_free(weir_limiter *limiter)
{
    if (limiter == NULL)
        return;
    weir_limiter_close(limiter);
    weir__admission_let_go(limiter);
}

void weir__admission_let_go(weir_limiter *limiter)
{
    if (--limiter->users == 0)
        weir__free(limiter);
}

/* Without a bound on concurrency nobody need release, so nobody is counted. */
int weir_limiter_acquire(weir_limiter *limiter, uint64_t amount)
{
    struct weir__stay stay = {.counted = limiter->concurrency > 0};
    return weir__admission_enter(limiter, &stay, amount);
}

int weir_limiter_try(weir_limiter *limiter, uint64_t amount)
{
    struct weir__stay stay = {.counted = limiter->concurrency > 0};
    return weir__admission_try(limiter, &stay, amount);
}

/* Which of the holders this is cannot be known. It counts as one admitted since the gate last
 * closed if there are any, so that none of these is counted for ever; and as a success unless the
 * gate is closed, when it is most likely one from before. */
void weir_limiter_release(weir_limiter *limiter)
{
    int64_t now_ns = weir__now_ns(limiter->rt);
    if (limiter->concurrency == 0)
        return;
    give_place_back(limiter, now_ns);
    if (now_ns >= limiter->gate.open_ns)
        weir__gate_success(&limiter->gate, now_ns);
    pump(limiter);
}

void weir_limiter_pause_ms(weir_limiter *limiter, int64_t wait_ms)
{
    int64_t now_ns = weir__now_ns(limiter->rt), closed_before_ns = limiter->gate.closed_at_ns;
    if (!weir__gate_close(&limiter->gate, weir__ns_add(now_ns, weir__ms_to_ns(wait_ms)), now_ns))
        return;
    gate_closed(limiter, closed_before_ns);
    pump(limiter);
}

static void say_blocked(const weir_limiter *limiter, struct weir_limiter_stats *stats)
{
    const struct entry *head = entry_at(limiter->queue.next);
    int64_t now_ns = weir__now_ns(limiter->rt);
    int64_t slot = slot_ns(limiter, 0, head->stay->amount);
    if (slot > now_ns) {
        stats->blocked = limiter->gate.open_ns > now_ns ? WEIR_BLOCKED_GATE : WEIR_BLOCKED_RATE;
        stats->blocked_ms = weir__ns_to_ms_up(slot - now_ns);
    } else if (has_place(limiter, head->stay)) {
        stats->blocked = WEIR_BLOCKED_GATE; /* open, and letting them through a few at a time */
        stats->blocked_ms = weir__ns_to_ms_up(weir__gate_grows_ns(&limiter->gate, now_ns) - now_ns);
    } else {
        stats->blocked = WEIR_BLOCKED_CONCURRENCY;
    }
}

int weir_limiter_stats(const weir_limiter *limiter, struct weir_limiter_stats *stats)
{
    struct weir_limiter_stats own = {
        .size = stats->size,
        .waiting = limiter->waiting,
        .holding = limiter->holding,
        .admitted = limiter->admitted,
        .throttled = limiter->throttled,
    };
    if (stats->size < sizeof stats->size)
        return WEIR_EINVAL;
    if (!weir__list_empty(&limiter->queue))
        say_blocked(limiter, &own);
    memcpy(stats, &own, own.size < sizeof own ? own.size : sizeof own);
    return 0;
}
