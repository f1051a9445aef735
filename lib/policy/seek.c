#include "policy/seek.h"

#include "base/clock.h"
#include "policy/seek_parts.h"

/* ---- how it is tuned: docs/design/learning.md says by what ---- */

/* The start. A refusal that did not come within _ECHO_MAX is taken not to come. */
#define FIRST_ROUND   8
#define FIRST_ECHO_NS (250 * WEIR__NS_PER_MS)
#define ECHO_MAX_NS   WEIR__NS_PER_S

/* The way from a cut back to the limit, in requests: as many as have been counted since the limit
 * is believed, times _SPANS; at most _SPAN_MAX or what 4 s bring, if that is more, and long enough
 * that the pauses which the server asks for cost little. Never less than can be under way unheard
 * of. */
#define SPANS       1.5
#define SPAN_MIN    12.0
#define SPAN_MAX    150.0
#define SPAN_NS     (4e9)
#define SPAN_PAUSES 40.0
#define SPAN_ECHOES 4.0

/* A cut saves as many tokens in the server's bucket as this, and the jitter, may cost: while the
 * limit is new, while it may be that nothing is saved, and when it is known to be a bucket. */
#define SAVED_NEW    1.0
#define SAVED_TRIAL  0.4
#define SAVED_BUCKET 1.5
#define TRIAL_THRIFT 3.0 /* where ways got this long, others come and go: no trial succeeds */
#define DEPTH_MIN    0.001
#define DEPTH_MAX    0.3

/* Refusals per request, over which the way gets longer, and under which shorter again. */
#define COST_MUCH   0.007
#define COST_LITTLE 0.003
#define LOST_MUCH   0.025 /* the same, of tokens that flow during rounded pauses */
#define LOST_LITTLE 0.010
#define THRIFT_STEP 1.5
#define THRIFT_MAX  64.0

/* After the first opening of a window the limit counts for so many requests; and a few will do to
 * show that what is believed is so many times too high. */
#define POOL_OPEN 100.0
#define ASTRAY    2.0

/* So many probes refused in a row, or so many tokens' time: no bucket, a window that is used up.
 * Its limit is counted from opening to opening, and is higher as far as windows were not used up.
 */
#define SHUT_PROBES      3
#define SHUT_TOKENS      20.0
#define SHUT_WAIT_TOKENS 4.0
#define SHUT_RISE_MAX    1.3
#define SHUT_RISE        0.5
#define SHUT_AGREE       1.1
#define OUTAGE_AGREED    2   /* counts in a row that show a bucket: then it was an outage */
#define PROBE_AT_ONCE    4.0 /* tokens within an echo, from which on a window is probed at once */

/* A pause of one second may be the server's rounding: a fast bucket is full long before. Then what
 * passed from opening to opening reads low. The limit that was held for a whole way is kept, and
 * lowered when one was not, by what a burst of so many tokens explains. */
#define ROUNDED_NS     WEIR__NS_PER_S
#define ROUNDED_TOKENS 150.0 /* that flow meanwhile, from which on it is worth the trouble */
#define FADE_TOKENS    50.0
#define FADE_MIN       0.005
#define FADE_MAX       0.05
#define KEPT_RISE      2.0

/* A pause without the server's word: so many thousandths of a token's time, doubled by each probe
 * that is refused. */
#define PAUSE_LEAST   1100
#define PAUSE_JITTER  400
#define PAUSE_MAX_NS  (30 * WEIR__NS_PER_S)
#define DOUBLINGS_MAX 60

/* A slot that was missed by less is made up for: the tokens wait in the server's bucket. */
#define LATE_NS (20 * WEIR__NS_PER_MS)

/* ---- what is settled ---- */

/* A request that was not refused by then has been accepted, however long its answer takes. */
static int64_t patience_ns(const struct weir__seek *seek)
{
    if (seek->refusal_ns == 0)
        return seek->echo_ns;
    return seek->refusal_ns + 4 * seek->refusal_var_ns;
}

static void mark(struct weir__seek *seek, struct weir__sent sent)
{
    int64_t apart_ns = patience_ns(seek) / (WEIR__SEEK_MARKS - 4);
    if (sent.serial > 1 && sent.at_ns - seek->marks[seek->mark].at_ns < apart_ns)
        return;
    seek->mark = (seek->mark + 1) % WEIR__SEEK_MARKS;
    seek->marks[seek->mark] = sent;
}

/* The newest request known to be settled. */
static struct weir__sent settled_at(const struct weir__seek *seek, int64_t now_ns)
{
    int64_t before_ns = now_ns - patience_ns(seek);
    struct weir__sent newest = {.at_ns = 0};
    for (unsigned i = 0; i < WEIR__SEEK_MARKS; i++) {
        const struct weir__sent *sent = &seek->marks[i];
        if (sent->serial > newest.serial && sent->at_ns <= before_ns)
            newest = *sent;
    }
    return newest;
}

/* ---- the pace ---- */

static void set_cruise(struct weir__seek *seek)
{
    double x = seek->grown / seek->span - 1;
    double pace = seek->limit * (1 + seek->depth * x * x * x);
    double unheard = seek->pace * (double)patience_ns(seek);
    if (x > 0 && unheard > 1) /* at most doubled before a refusal can be heard */
        pace = weir__within(pace, 0, seek->pace * (1 + 0.7 / unheard));
    seek->pace = weir__within(pace, WEIR__RATE_MIN, WEIR__RATE_MAX);
}

static double saved_by_cut(const struct weir__seek *seek)
{
    if (seek->pool < WEIR__POOL_TRIAL)
        return SAVED_NEW;
    bool trial = seek->tight > -WEIR__TIGHT_TRIALS && seek->thrift < TRIAL_THRIFT;
    return trial ? SAVED_TRIAL : SAVED_BUCKET;
}

/* The surer the limit, the smaller the cuts and the longer the way back. */
static void begin_cruise(struct weir__seek *seek, double grown)
{
    double limit = seek->limit;
    double most = weir__greater(SPAN_MAX, SPAN_NS * limit);
    most = weir__greater(most, (double)seek->pause_ns * SPAN_PAUSES * limit);
    double least = weir__greater(SPAN_MIN, SPAN_ECHOES * limit * (double)patience_ns(seek));
    seek->span = weir__within(SPANS * seek->pool, least, weir__greater(least, most)) * seek->thrift;
    double saved = saved_by_cut(seek) + limit * (double)seek->refusal_var_ns;
    seek->depth = weir__within(4 * saved / seek->span, DEPTH_MIN, DEPTH_MAX); /* its area is 1/4 */
    seek->grown = grown * seek->span;
    seek->phase = WEIR__SEEK_CRUISE;
    set_cruise(seek);
}

static void begin_round(struct weir__seek *seek, int64_t at_ns)
{
    seek->round = (struct weir__sent){.at_ns = at_ns, .serial = seek->newest.serial};
}

/* A round is what can be sent until its first answer is there. */
static void climb(struct weir__seek *seek, int64_t at_ns)
{
    int64_t echo_ns = seek->echo_ns < FIRST_ECHO_NS ? seek->echo_ns : FIRST_ECHO_NS;
    double size = seek->pace * (double)echo_ns;
    if (seek->pace == 0 || at_ns - seek->round.at_ns < echo_ns ||
        (double)(seek->newest.serial - seek->round.serial) < size)
        return;
    seek->pace = weir__within(seek->pace * 2, WEIR__RATE_MIN, WEIR__RATE_MAX);
    begin_round(seek, at_ns);
    if (seek->phase == WEIR__SEEK_CLIMB && seek->pace >= seek->target) {
        seek->limit = seek->target;
        begin_cruise(seek, 1);
    }
}

/* From an empty bucket no more comes out than flows in: if more did, the limit is higher. */
static void raise_limit(struct weir__seek *seek, int64_t at_ns)
{
    if (seek->grown < seek->span)
        return;
    struct weir__sent settled = settled_at(seek, at_ns);
    double sure = weir__seek_passed(seek, settled.serial) - 3;
    double sure_ns = (double)(settled.at_ns - seek->ref.at_ns);
    if (sure > 0 && sure_ns > 0 && sure > seek->limit * sure_ns)
        seek->limit = weir__rate_of(sure, sure_ns);
}

static void grow(struct weir__seek *seek, int64_t at_ns)
{
    if (seek->phase != WEIR__SEEK_CRUISE) {
        climb(seek, at_ns);
        return;
    }
    seek->grown++;
    raise_limit(seek, at_ns);
    set_cruise(seek);
}

/* ---- a server that was shut ---- */

/* Between a bucket, which lets one through, and a window, which lets all through again; and up from
 * there. */
static void climb_to(struct weir__seek *seek, double window, struct weir__sent probe)
{
    double bucket =
        weir__within(1 / (double)(probe.at_ns - seek->cut_ns + 1), WEIR__RATE_MIN, window);
    seek->target = window;
    seek->pace = weir__root(bucket * window * 1e18) / 1e9;
    seek->phase = WEIR__SEEK_CLIMB;
    begin_round(seek, probe.at_ns);
}

/* What a window let through from one opening to the next. */
static void believe_window(struct weir__seek *seek, double passed, double window, bool first)
{
    bool agree = window < seek->counted * SHUT_AGREE && window > seek->counted / SHUT_AGREE;
    double room = weir__within(seek->high, window, window * SHUT_RISE_MAX) - window;
    double most = agree ? weir__within(2 * seek->pool, POOL_OPEN, WEIR__POOL_MAX / 2) : POOL_OPEN;
    seek->counted = window;
    seek->limit = window + room * SHUT_RISE;
    seek->pool = first ? 0 : weir__within(passed, 0, most);
    seek->pool_ns = seek->pool / window;
}

/* Half of the way to the pace at which it was refused, if only behind the plateau. */
static double raised(const struct weir__seek *seek, double limit)
{
    double half = weir__root(limit * seek->high * 1e18) / 1e9;
    return seek->whole ? weir__within(half, limit, limit * KEPT_RISE) : limit;
}

/* The limit behind a pause that may have been rounded up. */
static void keep(struct weir__seek *seek, double passed, double counted)
{
    double fade = weir__within(FADE_TOKENS / passed, FADE_MIN, FADE_MAX);
    if (seek->whole)
        seek->floor = seek->limit;
    else
        seek->floor = weir__greater(seek->floor, seek->limit) * (1 - fade);
    believe_window(seek, passed, weir__greater(counted, seek->floor), false);
    seek->limit = raised(seek, seek->counted);
}

/* From one opening to the next a window lets through what it holds, and a bucket no more than flows
 * in. It opened between the last probe that was refused and this one. */
static void opened(struct weir__seek *seek, struct weir__sent probe)
{
    int64_t open_ns = seek->failed_ns + (probe.at_ns - seek->failed_ns) / 2;
    double total = (double)(probe.serial - 1) - (double)seek->refused;
    double passed = total - seek->open_total, passed_ns = (double)(open_ns - seek->open_ns);
    double window = weir__rate_of(passed, passed_ns);
    bool first = seek->open_total == 0, outage = seek->agreed >= OUTAGE_AGREED;
    bool rounded = seek->rounded && !first;
    bool astray = !first && !outage && !rounded && window < seek->counted / ASTRAY;
    seek->agreed = 0;
    if (first && seek->pause_ns == 0)
        seek->closed_ns = open_ns - seek->cut_ns;
    if (!outage && (passed < (first || astray ? 1 : WEIR__POOL_NEW) || passed_ns < 1))
        return;
    seek->open_ns = open_ns;
    seek->open_total = total;
    if (outage) { /* of a bucket: nothing was learned of its limit */
        begin_cruise(seek, 0);
        return;
    }
    seek->ref = (struct weir__sent){.at_ns = open_ns, .serial = probe.serial - 1};
    seek->rejected = 0;
    if (astray) {
        weir__seek_believe(seek, weir__rate_of(passed + 0.5, passed_ns), 0);
        seek->counted = seek->limit;
    } else if (rounded) {
        keep(seek, passed, window);
    } else {
        believe_window(seek, passed, window, first);
    }
    if (first)
        climb_to(seek, window, probe);
    else
        begin_cruise(seek, astray); /* at the new limit at once: the next count is soon */
}

static bool was_shut(const struct weir__seek *seek)
{
    double tokens = (double)(seek->failed_ns - seek->cut_ns) * seek->limit;
    return seek->epoch_fails >= SHUT_PROBES || (seek->epoch_fails > 0 && tokens > SHUT_TOKENS);
}

/* One was accepted, after some were refused in a row. */
static void probe_passed(struct weir__seek *seek, struct weir__sent probe)
{
    seek->shut = was_shut(seek);
    if (seek->shut)
        opened(seek, probe);
    seek->fails = 0;
    seek->passed = true;
    seek->next_ns = weir__ns_add(seek->newest.at_ns, weir__time_of(1, seek->pace));
}

/* ---- sending ---- */

/* The first round is over, and nothing has been heard. */
static bool is_waiting(const struct weir__seek *seek)
{
    return seek->phase == WEIR__SEEK_OPEN && seek->pace == 0 && !seek->eager;
}

void weir__seek_init(struct weir__seek *seek, double ceiling_per_s)
{
    *seek = (struct weir__seek){.next_ns = INT64_MIN, .thrift = 1, .echo_ns = ECHO_MAX_NS};
    weir__seek_set_ceiling(seek, ceiling_per_s);
}

/* What was slowed down without a refusal is so no more. */
void weir__seek_set_ceiling(struct weir__seek *seek, double ceiling_per_s)
{
    bool eager = ceiling_per_s > 0;
    if (eager && !seek->eager && seek->limit == 0) {
        seek->pace = 0;
        seek->next_ns = INT64_MIN;
    }
    seek->eager = eager;
    seek->held_ns = eager ? weir__time_of(WEIR__HELD_SLACK, ceiling_per_s / 1e9) : 0;
}

int64_t weir__seek_slot_ns(const struct weir__seek *seek)
{
    return seek->next_ns;
}

int64_t weir__seek_earliest_ns(const struct weir__seek *seek)
{
    bool probing = seek->fails > 0 && seek->newest.serial > seek->epoch_serial;
    return is_waiting(seek) || probing ? INT64_MIN : seek->next_ns;
}

/* Time in which nothing was asked for says nothing about the limit. */
static bool was_idle(struct weir__seek *seek, int64_t at_ns)
{
    int64_t interval_ns = seek->pace > 0 ? weir__time_of(1, seek->pace) : 0;
    int64_t last_ns = seek->newest.at_ns;
    if (interval_ns < seek->held_ns)
        interval_ns = seek->held_ns;
    int64_t idle_ns = at_ns - (seek->next_ns > last_ns ? seek->next_ns : last_ns);
    if (idle_ns <= (interval_ns > LATE_NS ? interval_ns : LATE_NS))
        return false;
    seek->ref.at_ns += idle_ns;
    seek->open_ns += idle_ns;
    seek->round.at_ns += idle_ns;
    return true;
}

static int64_t interval_ns(const struct weir__seek *seek)
{
    int64_t interval = seek->pace > 0 ? weir__time_of(1, seek->pace) : 0;
    if (is_waiting(seek) && seek->newest.serial >= FIRST_ROUND)
        return FIRST_ECHO_NS;
    if (seek->fails > 0 && interval < patience_ns(seek)) /* one probe at a time */
        return patience_ns(seek);
    return interval;
}

/* The first answer is there, or too late to wait for. */
static void begin_pace(struct weir__seek *seek, int64_t echo_ns, int64_t at_ns)
{
    seek->pace = weir__rate_of(FIRST_ROUND, weir__within((double)echo_ns, 1, FIRST_ECHO_NS));
    begin_round(seek, at_ns);
}

static void look_back(struct weir__seek *seek, int64_t at_ns)
{
    bool waited = is_waiting(seek) && at_ns >= seek->next_ns;
    if (waited && seek->newest.serial >= FIRST_ROUND) {
        begin_pace(seek, FIRST_ECHO_NS, at_ns);
        return;
    }
    bool idle = was_idle(seek, at_ns);
    if (seek->fails == 0) {
        if (!idle)
            grow(seek, at_ns);
    } else if (seek->newest.serial > seek->epoch_serial &&
               at_ns - seek->newest.at_ns >= patience_ns(seek)) {
        probe_passed(seek, seek->newest);
    }
}

struct weir__sent weir__seek_take(struct weir__seek *seek, int64_t at_ns)
{
    if (seek->newest.serial == 0)
        seek->ref.at_ns = seek->round.at_ns = seek->open_ns = at_ns;
    else
        look_back(seek, at_ns);
    bool late = at_ns > seek->next_ns && at_ns < weir__ns_add(seek->next_ns, LATE_NS);
    int64_t from_ns = late && seek->fails == 0 ? seek->next_ns : at_ns;
    seek->newest.at_ns = at_ns;
    seek->newest.serial++;
    mark(seek, seek->newest);
    seek->next_ns = weir__ns_add(from_ns, interval_ns(seek));
    return seek->newest;
}

/* ---- answers ---- */

static void heard(struct weir__seek *seek, struct weir__sent sent, int64_t now_ns)
{
    int64_t took_ns = now_ns - sent.at_ns;
    if (took_ns < seek->echo_ns)
        seek->echo_ns = took_ns > 0 ? took_ns : 1;
}

/* As a round trip is estimated by RFC 6298. */
static void refused_after(struct weir__seek *seek, int64_t took_ns)
{
    if (seek->refusal_ns == 0) {
        seek->refusal_ns = took_ns > 0 ? took_ns : 1;
        seek->refusal_var_ns = took_ns / 2;
        return;
    }
    int64_t error_ns = took_ns - seek->refusal_ns;
    seek->refusal_ns += error_ns / 8;
    seek->refusal_var_ns += ((error_ns < 0 ? -error_ns : error_ns) - seek->refusal_var_ns) / 4;
}

void weir__seek_unsent(struct weir__seek *seek, struct weir__sent sent)
{
    seek->refused++;
    seek->cycle_refused++; /* but it is none that costs */
    seek->rejected += sent.serial > seek->ref.serial;
    if (seek->fails > 0 && sent.serial == seek->newest.serial)
        seek->epoch_serial = sent.serial; /* it was no probe */
}

void weir__seek_accepted(struct weir__seek *seek, struct weir__sent sent, int64_t now_ns)
{
    heard(seek, sent, now_ns);
    if (is_waiting(seek)) {
        begin_pace(seek, seek->echo_ns, now_ns);
        seek->next_ns = now_ns;
    }
    if (sent.serial <= seek->epoch_serial)
        return;
    seek->passed = true;
    if (seek->fails > 0)
        probe_passed(seek, sent);
}

/* ---- refusals ---- */

static void note_cost(struct weir__seek *seek)
{
    double cost = (double)(seek->refused - seek->cycle_refused);
    double size = (double)(seek->newest.serial - seek->cycle_serial);
    seek->cycle_refused = seek->refused;
    seek->cycle_serial = seek->newest.serial;
    bool much = cost > COST_MUCH * size || seek->lost > LOST_MUCH * size;
    bool little = cost < COST_LITTLE * size && seek->lost < LOST_LITTLE * size;
    seek->lost = 0;
    if (much && seek->pool > WEIR__POOL_NEW)
        seek->thrift = weir__within(seek->thrift * THRIFT_STEP, 1, THRIFT_MAX);
    else if (little || seek->pool <= WEIR__POOL_NEW)
        seek->thrift = weir__within(seek->thrift / THRIFT_STEP, 1, THRIFT_MAX);
}

static void cut(struct weir__seek *seek, struct weir__sent sent)
{
    bool window = seek->shut;
    bool counted = window || weir__seek_count(seek, sent);
    note_cost(seek);
    seek->fails = seek->epoch_fails = 0;
    seek->shut = false;
    seek->failed_ns = seek->cut_ns = sent.at_ns;
    if (window && seek->limit * (double)patience_ns(seek) > PROBE_AT_ONCE)
        seek->fails = 1;
    seek->high = seek->pace;
    seek->whole = seek->grown >= seek->span;
    if (counted) {
        seek->ref = sent;
        seek->rejected = 0;
    } else {
        seek->rejected++;
    }
    begin_cruise(seek, 0);
}

/* Whether nothing that was sent in this epoch has been accepted yet. */
static bool is_failed_probe(const struct weir__seek *seek, struct weir__sent sent, int64_t now_ns)
{
    uint64_t settled = settled_at(seek, now_ns).serial;
    if (settled > sent.serial - 1)
        settled = sent.serial - 1;
    return seek->limit > 0 && !seek->passed && settled <= seek->epoch_serial;
}

static int64_t own_pause_ns(const struct weir__seek *seek, struct weir__rand *rand)
{
    double tokens = (double)(PAUSE_LEAST + weir__rand_upto(rand, PAUSE_JITTER)) / 1000;
    for (unsigned i = 0; i < seek->fails && i < DOUBLINGS_MAX; i++)
        tokens *= 2;
    int64_t pause_ns = weir__time_of(tokens, seek->limit);
    return pause_ns < PAUSE_MAX_NS ? pause_ns : PAUSE_MAX_NS;
}

static void news(struct weir__seek *seek, struct weir__sent sent, int64_t now_ns)
{
    if (is_failed_probe(seek, sent, now_ns)) {
        seek->fails++;
        seek->epoch_fails++;
        seek->failed_ns = sent.at_ns;
        seek->rejected++;
    } else {
        cut(seek, sent);
    }
    seek->epoch_serial = seek->newest.serial;
    seek->passed = false;
}

/* A long pause is a window's, or as good as one. */
static void asked_to_wait(struct weir__seek *seek, int64_t wait_ns, int64_t now_ns)
{
    double tokens = (double)wait_ns * seek->limit;
    if (tokens <= SHUT_WAIT_TOKENS)
        return;
    seek->rounded = wait_ns <= ROUNDED_NS && tokens > ROUNDED_TOKENS;
    seek->lost = seek->rounded ? tokens : 0;
    seek->fails = seek->epoch_fails = SHUT_PROBES;
    seek->failed_ns = weir__ns_add(now_ns, wait_ns);
}

void weir__seek_throttled(struct weir__seek *seek, struct weir__sent sent, int64_t server_wait_ns,
                          int64_t now_ns, struct weir__rand *rand)
{
    bool is_news = sent.serial > seek->epoch_serial, is_first = seek->limit == 0;
    heard(seek, sent, now_ns);
    refused_after(seek, now_ns - sent.at_ns);
    seek->refused++;
    if (is_news)
        news(seek, sent, now_ns);
    else if (sent.serial > seek->ref.serial)
        seek->rejected++;
    int64_t pause_ns = server_wait_ns;
    if (server_wait_ns > 0 && is_news)
        asked_to_wait(seek, server_wait_ns, now_ns);
    else if (server_wait_ns <= 0)
        pause_ns = is_news ? own_pause_ns(seek, rand) : 0;
    if (server_wait_ns > seek->pause_ns)
        seek->pause_ns = server_wait_ns < PAUSE_MAX_NS ? server_wait_ns : PAUSE_MAX_NS;
    int64_t open_ns = weir__ns_add(now_ns, pause_ns);
    if (open_ns > seek->next_ns || is_first) /* which ends the wait for a first answer */
        seek->next_ns = open_ns;
}
