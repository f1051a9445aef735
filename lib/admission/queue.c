#include "admission/admission.h"

#include <string.h>

#include "admission/overall.h"
#include "base/clock.h"

struct entry {
    struct weir__wait wait; /* its node is in the queue of its class */
    struct weir__stay *stay;
    int64_t clock_ns[WEIR__BLOCKED_KINDS]; /* limiter->blocked.clock_ns as it came */
};

static const struct weir__amounts nothing;

static struct entry *entry_at(const struct weir__list *node)
{
    return WEIR__CONTAINER(node, struct entry, wait.node);
}

/* ---- the order ---- */

static unsigned class_of(const struct weir__stay *stay)
{
    return (unsigned)(stay->priority + WEIR_PRIORITY_MAX);
}

/* Who wakes a waiter takes it out of its queue, so a class may have become empty meanwhile. */
static const struct weir__class *first_class(const weir_limiter *limiter)
{
    for (uint32_t left = limiter->occupied; left != 0;) {
        unsigned highest = 31 - (unsigned)__builtin_clz(left);
        if (!weir__list_empty(&limiter->classes[highest].queue))
            return &limiter->classes[highest];
        left &= ~(UINT32_C(1) << highest);
    }
    return NULL;
}

static struct entry *head_of(const weir_limiter *limiter)
{
    const struct weir__class *first = first_class(limiter);
    return first != NULL ? entry_at(first->queue.next) : NULL;
}

const struct weir__stay *weir__queue_head(const weir_limiter *limiter)
{
    const struct entry *head = head_of(limiter);
    return head != NULL ? head->stay : NULL;
}

static bool somebody_before(const weir_limiter *limiter, const struct weir__stay *stay)
{
    if (limiter->occupied == 0)
        return false;
    const struct weir__class *first = first_class(limiter);
    return first != NULL && first >= &limiter->classes[class_of(stay)];
}

static void add(struct weir__amounts *sum, const struct weir__amounts *more)
{
    for (unsigned i = 0; i < WEIR__UNITS; i++)
        sum->of[i] += more->of[i];
}

static void subtract(struct weir__amounts *sum, const struct weir__amounts *less)
{
    for (unsigned i = 0; i < WEIR__UNITS; i++)
        sum->of[i] -= less->of[i];
}

/* In order of the tickets; a newcomer's place is the end, so this is one step but for retries. */
static void enqueue(weir_limiter *limiter, struct entry *entry)
{
    struct weir__class *own = &limiter->classes[class_of(entry->stay)];
    struct weir__list *place = &own->queue;
    while (place->prev != &own->queue && entry_at(place->prev)->stay->ticket > entry->stay->ticket)
        place = place->prev;
    weir__blocked_tick(limiter, weir__now_ns(limiter->rt));
    memcpy(entry->clock_ns, limiter->blocked.clock_ns, sizeof entry->clock_ns);
    weir__list_insert(place, &entry->wait.node);
    limiter->occupied |= UINT32_C(1) << class_of(entry->stay);
    limiter->waiting++;
    add(&own->queued, &entry->stay->want);
}

static void dequeue(weir_limiter *limiter, struct entry *entry, int64_t now_ns)
{
    struct weir__class *own = &limiter->classes[class_of(entry->stay)];
    weir__blocked_tick(limiter, now_ns);
    for (unsigned i = 0; i < WEIR__BLOCKED_KINDS; i++)
        entry->stay->blocked_ns[i] += limiter->blocked.clock_ns[i] - entry->clock_ns[i];
    limiter->waiting--;
    subtract(&own->queued, &entry->stay->want);
    weir__list_remove(&entry->wait.node);
    if (weir__list_empty(&own->queue))
        limiter->occupied &= ~(UINT32_C(1) << class_of(entry->stay));
}

/* Takes out and wakes those for whom `judge` has an error. */
static void refuse(weir_limiter *limiter,
                   int (*judge)(const weir_limiter *, const struct entry *, int64_t now_ns))
{
    int64_t now_ns = weir__now_ns(limiter->rt);
    for (unsigned i = 0; i < WEIR__CLASSES; i++) {
        struct weir__list *queue = &limiter->classes[i].queue, *node = queue->next;
        while (node != queue) {
            struct entry *entry = entry_at(node);
            node = node->next;
            int rc = judge(limiter, entry, now_ns);
            if (rc < 0) {
                dequeue(limiter, entry, now_ns);
                weir__wake(&entry->wait, rc);
            }
        }
    }
}

/* ---- when ---- */

/* Behind a pause only those admitted since count against the gate's window: long transfers from
 * before it would otherwise hold the start back until they end. */
static bool in_window(const weir_limiter *limiter, const struct weir__stay *stay, int64_t now_ns)
{
    uint64_t window = weir__gate_window(&limiter->gate, now_ns);
    return !stay->counted || window == 0 || limiter->holding_since < window;
}

int64_t weir__queue_slot_ns(const weir_limiter *limiter, const struct weir__amounts *ahead,
                            const struct weir__amounts *want)
{
    int64_t slot = limiter->shared != NULL
                       ? weir__shared_slot_ns(limiter->shared, &limiter->booking, ahead, want)
                       : weir__limits_slot_ns(&limiter->limits, ahead, want);
    return slot > limiter->gate.open_ns ? slot : limiter->gate.open_ns;
}

int64_t weir__queue_learned_ns(const weir_limiter *limiter, const struct weir__stay *stay,
                               int64_t now_ns)
{
    if (!limiter->learns || !stay->learns)
        return INT64_MIN;
    return weir__learn_slot_ns(&limiter->learn, &stay->want, now_ns);
}

/* ---- granting ---- */

static void grant(weir_limiter *limiter, struct weir__stay *stay, int64_t as_of_ns, int64_t now_ns)
{
    if (limiter->shared != NULL) {
        stay->mark = limiter->booking.mark;
        limiter->booking.held = false;
    } else {
        weir__limits_take(&limiter->limits, &stay->want, as_of_ns, now_ns);
    }
    if (limiter->learns && stay->learns)
        stay->sent = weir__learn_take(&limiter->learn, &stay->want, as_of_ns);
    stay->taken = stay->want;
    stay->taken_ns = as_of_ns;
    stay->admitted_ns = now_ns;
    limiter->holding += stay->counted;
    limiter->holding_since += stay->counted;
    weir__overall_take(limiter, stay->counted);
    limiter->admitted++;
}

/* Somebody else has closed the shared gate. */
static void see_shared_gate(weir_limiter *limiter, int64_t now_ns)
{
    if (limiter->shared != NULL)
        weir__queue_close_gate(limiter, weir__shared_open_ns(limiter->shared), now_ns);
}

/* The slot that is booked for the head in shared limits. One that nobody came for in time is given
 * up: it would be a grant too many in the window it is used in. */
static int64_t booked_ns(weir_limiter *limiter, const struct weir__stay *stay, bool timed,
                         int64_t now_ns)
{
    struct weir__booking *booking = &limiter->booking;
    if (booking->held && !weir__booking_serves(booking, &stay->want, limiter->gate.open_ns, now_ns))
        weir__shared_unbook(limiter->shared, booking);
    if (!booking->held)
        weir__shared_book(limiter->shared, booking, &stay->want,
                          timed ? now_ns - WEIR__CATCH_UP_NS : now_ns, now_ns);
    return booking->slot_ns;
}

static void wake_at(weir_limiter *limiter, int64_t when_ns)
{
    weir__timer_start(&limiter->rt->timers, &limiter->timer, when_ns);
}

static enum weir_blocked blocked_by_limit(const weir_limiter *limiter,
                                          const struct weir__stay *stay, int64_t now_ns)
{
    if (limiter->gate.open_ns > now_ns)
        return WEIR_BLOCKED_GATE;
    unsigned unit = limiter->shared != NULL ? weir__shared_narrowest(limiter->shared, &stay->want)
                                            : weir__limits_narrowest(&limiter->limits, &stay->want);
    return unit == WEIR_TOKENS ? WEIR_BLOCKED_TOKENS : WEIR_BLOCKED_RATE;
}

/* Grants the head or says what holds it back. timed: it waited for nothing but its slot, so what
 * the clock is late by is no fault of its own. */
static enum weir_blocked serve(weir_limiter *limiter, struct entry *head, bool timed,
                               int64_t now_ns)
{
    struct weir__stay *stay = head->stay;
    if (!weir__queue_has_place(limiter, stay))
        return weir__overall_lack(limiter);
    bool shared = limiter->shared != NULL, windowed = in_window(limiter, stay, now_ns);
    int64_t slot = INT64_MIN;
    if (!shared)
        slot = weir__queue_slot_ns(limiter, &nothing, &stay->want);
    else if (windowed) /* a slot is not booked before it can be used */
        slot = booked_ns(limiter, stay, timed, now_ns);
    if (slot <= now_ns && !windowed) {
        wake_at(limiter, weir__gate_grows_ns(&limiter->gate, now_ns));
        return WEIR_BLOCKED_GATE;
    }
    int64_t learned = weir__queue_learned_ns(limiter, stay, now_ns);
    if (slot > now_ns && slot >= learned) { /* as the gate opens something else holds it back */
        int64_t open_ns = limiter->gate.open_ns;
        wake_at(limiter, open_ns > now_ns ? open_ns : slot);
        return blocked_by_limit(limiter, stay, now_ns);
    }
    if (learned > now_ns) {
        wake_at(limiter, learned);
        return WEIR_BLOCKED_LEARNED;
    }
    if (learned > slot)
        slot = learned;
    bool late = !shared && (!timed || now_ns - slot > WEIR__CATCH_UP_NS);
    grant(limiter, stay, late ? now_ns : slot, now_ns);
    dequeue(limiter, head, now_ns);
    weir__wake(&head->wait, 0);
    return WEIR_BLOCKED_NOT;
}

static void give_booking_back(weir_limiter *limiter)
{
    if (limiter->booking.held)
        weir__shared_unbook(limiter->shared, &limiter->booking);
}

/* Grants from the head on as long as there is room. */
static void grant_all(weir_limiter *limiter, bool timed)
{
    struct entry *head = head_of(limiter);
    if (head == NULL) {
        give_booking_back(limiter);
        return;
    }
    int64_t now_ns = weir__now_ns(limiter->rt);
    enum weir_blocked by = WEIR_BLOCKED_NOT;
    see_shared_gate(limiter, now_ns);
    while (by == WEIR_BLOCKED_NOT && (head = head_of(limiter)) != NULL)
        by = serve(limiter, head, timed, now_ns);
    weir__blocked_tick(limiter, now_ns);
    limiter->blocked.by = by;
}

void weir__queue_time_came(struct weir__timer *timer)
{
    grant_all(WEIR__CONTAINER(timer, weir_limiter, timer), true);
}

void weir__queue_pump(weir_limiter *limiter)
{
    bool timed = limiter->timer.armed;
    if (timed)
        weir__timer_stop(&limiter->rt->timers, &limiter->timer);
    grant_all(limiter, timed);
}

/* Books only what can be had now; somebody else may be faster. */
static int book_now(weir_limiter *limiter, const struct weir__stay *stay, int64_t now_ns)
{
    if (limiter->booking.held)
        return WEIR_EBUSY; /* a lower one's: the queue passes it on */
    weir__shared_book(limiter->shared, &limiter->booking, &stay->want, now_ns, now_ns);
    if (limiter->booking.slot_ns <= now_ns)
        return 0;
    weir__shared_unbook(limiter->shared, &limiter->booking);
    return WEIR_EBUSY;
}

int weir__queue_enter_now(weir_limiter *limiter, struct weir__stay *stay)
{
    if (somebody_before(limiter, stay) || !weir__queue_has_place(limiter, stay))
        return WEIR_EBUSY;
    int64_t now_ns = weir__now_ns(limiter->rt);
    see_shared_gate(limiter, now_ns);
    if (weir__queue_slot_ns(limiter, &nothing, &stay->want) > now_ns ||
        weir__queue_learned_ns(limiter, stay, now_ns) > now_ns || !in_window(limiter, stay, now_ns))
        return WEIR_EBUSY;
    if (limiter->shared != NULL && book_now(limiter, stay, now_ns) < 0)
        return WEIR_EBUSY;
    grant(limiter, stay, now_ns, now_ns); /* nobody waited: time unused is no credit */
    return 0;
}

/* ---- entering ---- */

/* Of those who wait before it, counted one by one. */
static struct weir__amounts counted_before(const weir_limiter *limiter,
                                           const struct weir__stay *stay)
{
    struct weir__amounts ahead = {{0}};
    for (unsigned i = class_of(stay); i < WEIR__CLASSES; i++) {
        const struct weir__list *queue = &limiter->classes[i].queue;
        for (const struct weir__list *node = queue->next; node != queue; node = node->next) {
            const struct weir__stay *other = entry_at(node)->stay;
            if (i == class_of(stay) && other->ticket > stay->ticket)
                break;
            add(&ahead, &other->want);
        }
    }
    return ahead;
}

static struct weir__amounts ahead_of(const weir_limiter *limiter, const struct weir__stay *stay)
{
    struct weir__amounts ahead = {{0}};
    if (limiter->waiting == 0)
        return ahead;
    if (stay->ticket != limiter->next_ticket)
        return counted_before(limiter, stay);
    for (unsigned i = class_of(stay); i < WEIR__CLASSES; i++) /* behind all */
        add(&ahead, &limiter->classes[i].queued);
    return ahead;
}

/* What was learned is not reckoned for those ahead: their answers may change it. */
static int64_t earliest_ns(const weir_limiter *limiter, const struct weir__stay *stay,
                           const struct weir__amounts *ahead, const struct weir__amounts *want)
{
    int64_t slot_ns = weir__queue_slot_ns(limiter, ahead, want);
    if (!limiter->learns || !stay->learns)
        return slot_ns;
    int64_t learned_ns = weir__learn_earliest_ns(&limiter->learn, want, weir__now_ns(limiter->rt));
    return learned_ns > slot_ns ? learned_ns : slot_ns;
}

int64_t weir__admission_earliest_ns(const weir_limiter *limiter, const struct weir__stay *stay,
                                    uint64_t requests)
{
    struct weir__amounts ahead = ahead_of(limiter, stay), want = stay->want;
    want.of[WEIR_REQUESTS] = requests;
    return earliest_ns(limiter, stay, &ahead, &want);
}

int weir__queue_check(const weir_limiter *limiter, const struct weir__amounts *want)
{
    if (limiter->closed)
        return WEIR_ECLOSED;
    if (want->of[WEIR_REQUESTS] == 0 || !weir__limits_fit(&limiter->limits, want))
        return WEIR_ENEVER;
    return 0;
}

/* Before it refuses it counts anew: the sums at hand hold those, too, who were cancelled and have
 * not run since. */
static bool too_late(const weir_limiter *limiter, const struct entry *entry)
{
    const struct weir__stay *stay = entry->stay;
    int64_t deadline_ns = weir__deadline_ns(entry->wait.task);
    if (deadline_ns == INT64_MAX ||
        weir__admission_earliest_ns(limiter, stay, stay->want.of[WEIR_REQUESTS]) <= deadline_ns)
        return false;
    struct weir__amounts ahead = counted_before(limiter, stay);
    return earliest_ns(limiter, stay, &ahead, &stay->want) > deadline_ns;
}

static int wait_for_turn(weir_limiter *limiter, struct entry *entry)
{
    if (too_late(limiter, entry))
        return WEIR_EDEADLINE;
    enqueue(limiter, entry);
    weir__queue_pump(limiter); /* may grant at once: a retry can be older than the head */
    limiter->users++;
    int rc = weir__park(&entry->wait);
    if (rc == WEIR_ECANCELED && !limiter->closed) { /* closing has emptied the queue */
        dequeue(limiter, entry, weir__now_ns(limiter->rt));
        weir__queue_pump(limiter); /* the next one may be smaller */
    }
    weir__admission_let_go(limiter);
    return rc;
}

static bool paused_too_long(const weir_limiter *limiter, const struct weir__stay *stay,
                            int64_t now_ns)
{
    return stay->max_pause_ns > 0 && limiter->gate.open_ns - now_ns > stay->max_pause_ns;
}

int weir__admission_enter(weir_limiter *limiter, struct weir__stay *stay, uint64_t requests)
{
    struct entry entry = {.stay = stay};
    stay->want.of[WEIR_REQUESTS] = requests;
    int rc = weir__wait_begin(&entry.wait);
    if (rc == 0)
        rc = weir__queue_check(limiter, &stay->want);
    if (rc == 0 && paused_too_long(limiter, stay, weir__now_ns(limiter->rt)))
        rc = WEIR_EPAUSED;
    if (rc < 0)
        return rc;
    if (stay->ticket == 0)
        stay->ticket = ++limiter->next_ticket;
    rc = weir__queue_enter_now(limiter, stay);
    return rc == WEIR_EBUSY ? wait_for_turn(limiter, &entry) : rc;
}

int weir__admission_try(weir_limiter *limiter, struct weir__stay *stay, uint64_t requests)
{
    stay->want.of[WEIR_REQUESTS] = requests;
    int rc = weir__queue_check(limiter, &stay->want);
    return rc < 0 ? rc : weir__queue_enter_now(limiter, stay);
}

/* ---- changes ---- */

/* Of those who wait when the gate closes, or closes for longer. */
static int judge_pause(const weir_limiter *limiter, const struct entry *entry, int64_t now_ns)
{
    if (paused_too_long(limiter, entry->stay, now_ns))
        return WEIR_EPAUSED;
    return limiter->gate.open_ns > weir__deadline_ns(entry->wait.task) ? WEIR_EDEADLINE : 0;
}

static void gate_closed(weir_limiter *limiter, int64_t closed_before_ns)
{
    refuse(limiter, judge_pause);
    if (limiter->shared != NULL)
        weir__shared_pause(limiter->shared, limiter->gate.open_ns);
    weir__limits_empty_at(&limiter->limits, limiter->gate.open_ns);
    if (limiter->gate.closed_at_ns != closed_before_ns)
        limiter->holding_since = 0;
}

void weir__queue_close_gate(weir_limiter *limiter, int64_t open_ns, int64_t now_ns)
{
    int64_t closed_before_ns = limiter->gate.closed_at_ns;
    if (weir__gate_close(&limiter->gate, open_ns, now_ns))
        gate_closed(limiter, closed_before_ns);
}

static int judge_amount(const weir_limiter *limiter, const struct entry *entry, int64_t now_ns)
{
    (void)now_ns;
    return weir__queue_check(limiter, &entry->stay->want);
}

void weir__queue_limits_changed(weir_limiter *limiter)
{
    if (limiter->gate.open_ns > weir__now_ns(limiter->rt))
        weir__limits_empty_at(&limiter->limits, limiter->gate.open_ns);
    refuse(limiter, judge_amount);
    weir__queue_pump(limiter);
}

void weir__queue_close(weir_limiter *limiter)
{
    weir__blocked_tick(limiter, weir__now_ns(limiter->rt));
    limiter->blocked.by = WEIR_BLOCKED_NOT;
    weir__timer_stop(&limiter->rt->timers, &limiter->timer);
    for (unsigned i = WEIR__CLASSES; i-- > 0;) {
        weir__wake_all(&limiter->classes[i].queue, WEIR_ECLOSED);
        limiter->classes[i].queued = nothing;
    }
    limiter->occupied = 0;
    limiter->waiting = 0;
    give_booking_back(limiter);
}

/* ---- leaving ---- */

static void settle(weir_limiter *limiter, struct weir__stay *stay, const struct weir__amounts *used)
{
    int64_t now_ns = weir__now_ns(limiter->rt);
    if (limiter->shared != NULL)
        weir__shared_settle(limiter->shared, stay->mark, &stay->taken, used, now_ns);
    else
        weir__limits_settle(&limiter->limits, &stay->taken, used, stay->taken_ns, stay->admitted_ns,
                            now_ns);
    stay->taken = *used;
}

void weir__admission_settle(weir_limiter *limiter, struct weir__stay *stay, int64_t tokens)
{
    struct weir__amounts used = stay->taken;
    used.of[WEIR_TOKENS] = (uint64_t)tokens;
    if (tokens >= 0 && used.of[WEIR_TOKENS] != stay->taken.of[WEIR_TOKENS])
        settle(limiter, stay, &used);
}

static void close_gate_for(weir_limiter *limiter, const struct weir__stay *stay, int64_t wait_ns,
                           int64_t now_ns)
{
    int64_t closed_before_ns = limiter->gate.closed_at_ns;
    if (weir__gate_throttled(&limiter->gate, stay->admitted_ns, wait_ns, now_ns,
                             &limiter->rt->rand))
        gate_closed(limiter, closed_before_ns);
}

/* What is learned sets the pace, so the gate only holds as long as the server asks for; while
 * nothing is known it starts gently behind that. */
static void brake(weir_limiter *limiter, const struct weir__stay *stay,
                  const struct weir__told *told, int64_t wait_ns, int64_t now_ns)
{
    weir__learn_throttled(&limiter->learn, stay->sent, told, now_ns, &limiter->rt->rand);
    if (wait_ns <= 0)
        return;
    if (!limiter->learn.capped && !weir__learn_knows(&limiter->learn))
        close_gate_for(limiter, stay, wait_ns, now_ns);
    else if (weir__gate_hold(&limiter->gate, weir__ns_add(now_ns, wait_ns), now_ns))
        gate_closed(limiter, limiter->gate.closed_at_ns);
}

/* A server that is busy asks for a pause, at whatever rate it was asked: no limit is learned of
 * that, or each such pause would make the pace of the next one look too high. */
static void hear_throttled(weir_limiter *limiter, const struct weir__stay *stay, bool learns,
                           const struct weir__told *told, int64_t now_ns)
{
    bool asked = told != NULL && told->wait_ms >= 0;
    int64_t wait_ns = asked ? weir__ms_to_ns(told->wait_ms) : -1;
    bool busy = told != NULL && told->busy != 0;
    limiter->throttled++;
    if (learns && busy)
        weir__learn_accepted(&limiter->learn, stay->sent, told, now_ns);
    if (learns && !busy)
        brake(limiter, stay, told, wait_ns, now_ns);
    else
        close_gate_for(limiter, stay, wait_ns, now_ns);
}

static void hear(weir_limiter *limiter, const struct weir__stay *stay, enum weir__went went,
                 const struct weir__told *told)
{
    int64_t now_ns = weir__now_ns(limiter->rt);
    bool learns = limiter->learns && stay->learns;
    switch (went) {
    case WEIR__WENT_UNUSED:
        if (learns)
            weir__learn_unsent(&limiter->learn, &stay->want, stay->sent);
        break;
    case WEIR__WENT_ANSWERED:
        weir__gate_success(&limiter->gate, stay->admitted_ns);
        if (learns)
            weir__learn_accepted(&limiter->learn, stay->sent, told, now_ns);
        break;
    case WEIR__WENT_THROTTLED:
        hear_throttled(limiter, stay, learns, told, now_ns);
        break;
    case WEIR__WENT_UNKNOWN:
        break;
    }
}

void weir__admission_heard(weir_limiter *limiter, const struct weir__stay *stay,
                           enum weir__went went, const struct weir__told *told)
{
    hear(limiter, stay, went, told);
    weir__queue_pump(limiter);
}

void weir__queue_release(weir_limiter *limiter, int64_t admitted_ns)
{
    if (limiter->holding > 0) {
        limiter->holding--;
        weir__overall_give_back(limiter);
    }
    if (admitted_ns > limiter->gate.closed_at_ns && limiter->holding_since > 0)
        limiter->holding_since--;
}

void weir__admission_leave(weir_limiter *limiter, struct weir__stay *stay, enum weir__went went,
                           const struct weir__told *told)
{
    if (stay->counted)
        weir__queue_release(limiter, stay->admitted_ns);
    if (went == WEIR__WENT_UNUSED)
        settle(limiter, stay, &nothing);
    else if (went == WEIR__WENT_THROTTLED)
        weir__admission_settle(limiter, stay, 0);
    hear(limiter, stay, went, told);
    weir__overall_pump(limiter);
}
