#include "policy/spread.h"

#include "base/clock.h"
#include "policy/within.h"

/* Votes are counted up to this, and a bucket is believed from _BELIEVED on: the other mistake,
 * spreading a bucket as if it were a window, costs nothing. */
enum { VOTES_MAX = 8, BELIEVED = 3 };

/* A limit of this or more is not believed to be had at once after so many sights of less. */
enum { EMPTIER_FROM = 8, EMPTIER = 2 };

#define LIMIT_MAX     INT64_C(1000000000000)
#define OTHERS_NS     (2e9)
#define MARGIN_NS     (10 * WEIR__NS_PER_MS)
#define STALE_WINDOWS 3
#define STALE_NS      (120 * WEIR__NS_PER_S)
#define WINDOW_MAX_NS (INT64_C(366) * 24 * 3600 * WEIR__NS_PER_S)

static int64_t absolute(int64_t value)
{
    return value < 0 ? -value : value;
}

static bool is_bucket(const struct weir__spread *spread)
{
    return spread->votes >= BELIEVED && spread->rate > 0;
}

/* ---- what kind of limit it is ---- */

static void count_vote(struct weir__spread *spread, int vote)
{
    int votes = spread->votes + vote;
    if (votes <= VOTES_MAX && votes >= -VOTES_MAX)
        spread->votes = votes;
}

/* A bucket's reset grows with what is missing; a window's falls with time. Two answers far enough
 * apart to tell: remaining counts whole tokens, so a bucket's may be off by one. */
static void vote(struct weir__spread *spread, const struct weir__snapshot *now)
{
    const struct weir__snapshot then = spread->anchor;
    int64_t missing = spread->limit - now->remaining, missed = spread->limit - then.remaining;
    int64_t passed_ns = now->sent.at_ns - then.sent.at_ns;
    if (then.reset_ns < 0)
        spread->anchor = *now;
    if (then.reset_ns < 0 || passed_ns < then.reset_ns / 4)
        return;
    spread->anchor = *now;
    if (now->reset_ns < 0 || missing <= 0 || missed <= 0 || 2 * spread->step_ns > spread->window_ns)
        return;
    double fill = (double)then.reset_ns / (double)missed; /* per token */
    if (spread->told_window_ms > 0)
        fill = (double)spread->window_ns / (double)spread->limit;
    int64_t slack_ns = spread->step_ns + (int64_t)(1.5 * fill) + 5 * WEIR__NS_PER_MS;
    int64_t full_ns = (int64_t)weir__within(fill * (double)missing, 0, 4e18);
    bool bucket = absolute(now->reset_ns - full_ns) <= slack_ns;
    bool window = absolute(then.reset_ns - passed_ns - now->reset_ns) <= slack_ns;
    bool over = passed_ns > then.reset_ns; /* a window has ended in between */
    if (bucket && !window && !over)
        count_vote(spread, 1);
    else if (!bucket && (window || over))
        count_vote(spread, -1);
}

/* What comes back little by little is no window's. */
static void vote_by_rise(struct weir__spread *spread, const struct weir__snapshot *now)
{
    const struct weir__snapshot *last = &spread->last;
    int64_t passed_ns = now->sent.at_ns - last->sent.at_ns;
    if (now->remaining <= last->remaining || spread->window_ns == 0 ||
        passed_ns > spread->window_ns / 4)
        return;
    if (now->remaining < spread->limit / 2 && 2 * spread->step_ns <= spread->window_ns)
        count_vote(spread, 1);
    else if (last->remaining < spread->limit / 2 && now->remaining > spread->limit / 4 * 3)
        spread->rolls++;
}

/* Whole tokens are told, so that each answer says between which two the rate must be. Taken into
 * those bounds each time it soon is exact, while a mean is not: answers come in step with tokens.
 */
static void learn_rate(struct weir__spread *spread, const struct weir__snapshot *now)
{
    double missing = (double)(spread->limit - now->remaining);
    if (spread->told_window_ms > 0) {
        spread->rate = (double)spread->limit / (double)spread->window_ns;
    } else if (missing > 0 && now->reset_ns >= 4 * spread->step_ns) {
        double least = (missing - 1) / (double)now->reset_ns;
        double most = missing / (double)(now->reset_ns - spread->step_ns);
        double middle = (missing - 0.5) / (double)now->reset_ns;
        spread->rate = spread->rate > 0 ? weir__within(spread->rate, least, most) : middle;
    }
}

/* Of a bucket the part of a token is told by the reset. */
static double told_left(const struct weir__spread *spread, const struct weir__snapshot *told)
{
    double whole = (double)told->remaining;
    if (!is_bucket(spread) || told->reset_ns < 0)
        return whole;
    double left = (double)spread->limit - spread->rate * (double)told->reset_ns;
    return weir__within(left, whole, whole + 1);
}

/* ---- the window ---- */

/* Requests are not all equally long on their way: none is sent this close to the roll. */
static int64_t margin_ns(const struct weir__spread *spread)
{
    int64_t margin = spread->window_ns / 50;
    return margin < MARGIN_NS ? margin : MARGIN_NS;
}

/* When all is taken to be there again. */
static int64_t opens_ns(const struct weir__spread *spread)
{
    return weir__ns_add(spread->roll_ns, margin_ns(spread) - spread->early_ns);
}

/* By the clock alone that is not to be said of what may be a bucket. */
static bool may_predict(const struct weir__spread *spread)
{
    return spread->told_window_ms > 0 || spread->rolls > 0;
}

/* The window ended between the two requests, and not when its roll was expected: what is told in
 * whole seconds is told late by up to one, and again so in the next window. */
static void rolled(struct weir__spread *spread, const struct weir__snapshot *now)
{
    int64_t by_ns = opens_ns(spread) - margin_ns(spread) - now->sent.at_ns;
    if (spread->predicted || by_ns <= 0)
        return;
    int64_t twice_ns = by_ns < spread->was_early_ns ? by_ns : spread->was_early_ns;
    spread->was_early_ns = by_ns;
    spread->early_ns += twice_ns - twice_ns / 16;
    if (spread->early_ns > 2 * spread->step_ns)
        spread->early_ns = 2 * spread->step_ns;
}

static void set_roll(struct weir__spread *spread, const struct weir__snapshot *now)
{
    if (now->reset_ns < 0)
        return;
    int64_t latest_ns = weir__ns_add(now->sent.at_ns, now->reset_ns);
    int64_t earliest_ns = latest_ns - 2 * spread->step_ns - 2 * WEIR__NS_PER_MS;
    if (spread->window_ns == 0 || now->reset_ns > spread->window_ns)
        spread->window_ns = now->reset_ns;
    int64_t length = spread->window_ns;
    if (spread->predicted && now->sent.at_ns < spread->at_ns && length > 0) {
        /* Told of a window before this one: its end counts, as many windows later. */
        if (spread->step_ns > length / 2)
            return;
        int64_t behind_ns = spread->roll_ns - latest_ns + length / 2;
        if (behind_ns > 0)
            latest_ns += behind_ns / length * length;
        int64_t late_ns = latest_ns - spread->roll_ns;
        if (late_ns < 0 || late_ns > spread->step_ns + 2 * WEIR__NS_PER_MS)
            spread->roll_ns = latest_ns;
        return;
    }
    bool other = earliest_ns > spread->roll_ns || spread->roll_ns == 0 || spread->predicted;
    if (other || latest_ns < spread->roll_ns)
        spread->roll_ns = latest_ns;
}

/* By the clock the window ended: all is there again. */
static void predict(struct weir__spread *spread, uint64_t total, int64_t at_ns)
{
    int64_t opens = opens_ns(spread), length = spread->window_ns;
    if (is_bucket(spread) || length <= 0 || at_ns < opens || !may_predict(spread))
        return;
    int64_t windows = (at_ns - opens) / length;
    spread->at_ns = opens + windows * length;
    spread->roll_ns = weir__ns_add(spread->roll_ns, (windows + 1) * length);
    spread->left = (double)spread->limit;
    spread->total = total;
    spread->predicted = true;
    spread->was_early_ns = 0;
}

/* ---- others ---- */

/* What others take of the same limit: more went between two answers than was sent here. */
static void note_others(struct weir__spread *spread, const struct weir__snapshot *now)
{
    const struct weir__snapshot *last = &spread->last;
    double passed_ns = (double)(now->sent.at_ns - last->sent.at_ns);
    if (passed_ns <= 0 || (!is_bucket(spread) && now->remaining > last->remaining))
        return;
    double left = told_left(spread, last) -
                  (double)(now->sent.total.of[spread->unit] - last->sent.total.of[spread->unit]);
    if (is_bucket(spread))
        left = weir__within(left + spread->rate * passed_ns, -1e12, (double)spread->limit);
    double over_ns = (double)spread->window_ns / 3;
    double weight = weir__within(passed_ns / (over_ns > OTHERS_NS ? over_ns : OTHERS_NS), 0, 1);
    double taken = (left - told_left(spread, now)) / passed_ns;
    spread->others += (taken - spread->others) * weight;
}

static double others_of(const struct weir__spread *spread)
{
    double least = (double)spread->limit / (double)(spread->window_ns + 1) / 8;
    return spread->others > least ? spread->others : 0;
}

/* ---- what is left ---- */

/* Of a bucket: what others leave. */
static double net_rate(const struct weir__spread *spread)
{
    return weir__within(spread->rate - others_of(spread), spread->rate / 16, spread->rate);
}

static double left_at(const struct weir__spread *spread, uint64_t total, int64_t at_ns)
{
    double left = spread->left - (double)(total - spread->total);
    if (is_bucket(spread) && at_ns > spread->at_ns)
        left = weir__within(left + net_rate(spread) * (double)(at_ns - spread->at_ns), -1e12,
                            (double)spread->limit);
    if (!is_bucket(spread) && at_ns > spread->at_ns && left > 1) /* what others took meanwhile */
        left -=
            weir__within(others_of(spread) * (double)(at_ns - spread->at_ns), 0, (left - 1) / 2);
    return left;
}

bool weir__spread_is_usable(const struct weir__quota *quota)
{
    return quota->limit >= 1 && quota->limit <= LIMIT_MAX && quota->remaining >= 0 &&
           quota->remaining <= quota->limit && (quota->reset_ms >= 0 || quota->window_ms > 0);
}

/* Some servers tell a limit per minute and let through no more at once than a second's share of it.
 * That shows when all that was told to be there again is not. */
static void note_full(struct weir__spread *spread, int64_t limit, const struct weir__snapshot *now)
{
    const struct weir__snapshot *last = &spread->last;
    int64_t passed_ns = now->sent.at_ns - last->sent.at_ns;
    if (spread->told_window_ms > 0 || last->reset_ns < 0 || limit < EMPTIER_FROM ||
        passed_ns < last->reset_ns + spread->step_ns)
        return;
    unsigned unit = spread->unit;
    int64_t seen = now->remaining + (int64_t)(now->sent.total.of[unit] - last->sent.total.of[unit]);
    if (seen >= limit / 2) {
        spread->emptier = 0;
        spread->full = 0;
        return;
    }
    if (spread->emptier < EMPTIER)
        spread->emptier++;
    if (seen > spread->full)
        spread->full = seen;
}

static int64_t believed_limit(const struct weir__spread *spread, const struct weir__quota *quota)
{
    if (spread->emptier < EMPTIER)
        return quota->limit;
    int64_t full = spread->full > quota->remaining ? spread->full : quota->remaining;
    return full > 1 ? full : 1;
}

static void adopt(struct weir__spread *spread, const struct weir__quota *quota)
{
    if (spread->limit != quota->limit) {
        spread->votes = 0;
        spread->rolls = 0;
        spread->anchor.reset_ns = -1;
        spread->window_ns = 0;
        spread->rate = 0;
    }
    spread->limit = quota->limit;
    if (spread->left > (double)spread->limit)
        spread->left = (double)spread->limit;
    spread->step_ns = weir__ms_to_ns(quota->step_ms > 0 ? quota->step_ms : 1000);
    if (quota->window_ms > 0)
        spread->window_ns = weir__ms_to_ns(quota->window_ms);
    if (spread->window_ns > WINDOW_MAX_NS)
        spread->window_ns = WINDOW_MAX_NS;
}

void weir__spread_told(struct weir__spread *spread, const struct weir__quota *told,
                       struct weir__sent sent, bool refused)
{
    struct weir__quota believed = *told;
    const struct weir__quota *quota = &believed;
    if (!weir__spread_is_usable(quota) ||
        (spread->known && sent.serial <= spread->last.sent.serial))
        return;
    struct weir__snapshot now = {.sent = sent,
                                 .remaining = refused ? 0 : quota->remaining,
                                 .reset_ns =
                                     quota->reset_ms >= 0 ? weir__ms_to_ns(quota->reset_ms) : -1};
    bool first = !spread->known;
    if (!first && !refused)
        note_full(spread, told->limit, &now);
    believed.limit = believed_limit(spread, told);
    adopt(spread, quota);
    if (first)
        spread->anchor = now;
    int64_t drop = now.remaining - spread->last.remaining;
    if (!first) {
        vote(spread, &now);
        vote_by_rise(spread, &now);
        note_others(spread, &now);
        if (drop > 0 && !is_bucket(spread))
            rolled(spread, &now);
    }
    if (refused && spread->predicted) /* too early */
        spread->early_ns /= 2;
    learn_rate(spread, &now);
    set_roll(spread, &now);
    if (first || !spread->predicted || sent.at_ns >= spread->at_ns) {
        spread->predicted = false;
        spread->left = told_left(spread, &now);
        spread->total = sent.total.of[spread->unit];
        spread->at_ns = sent.at_ns;
    }
    spread->last = now;
    spread->known = true;
}

/* ---- sending ---- */

static double reserve_of(const struct weir__spread *spread)
{
    return (double)(spread->limit / 128);
}

static int64_t bucket_interval(const struct weir__spread *spread, double left)
{
    double aim = weir__within((double)spread->limit / 2, 1, 1e12);
    double factor = weir__within(left / aim, 0.02, 2);
    return (int64_t)weir__within(1 / (net_rate(spread) * factor), 0, 1e18);
}

static int64_t window_interval(const struct weir__spread *spread, double left, int64_t at_ns)
{
    double until_ns = (double)(opens_ns(spread) - 2 * margin_ns(spread) - at_ns);
    if (until_ns <= 0 && !may_predict(spread) && spread->rate > 0)
        return (int64_t)weir__within((spread->last.remaining > spread->limit / 2 ? 0.4 : 1) /
                                         spread->rate,
                                     0, 1e18);
    if (until_ns <= 0) /* the rest at once, unless others think so, too */
        return left >= 2 && others_of(spread) <= 0 ? 0 : opens_ns(spread) - at_ns;
    double of = left - reserve_of(spread);
    double theirs = others_of(spread) * until_ns;
    of -= weir__within(theirs, 0, of / 2);
    return (int64_t)weir__within(until_ns / weir__within(of, 1, 1e12), 0, 1e18);
}

/* Until all is there again: a large amount need not wait for what it would take of a rate. */
static double longest_pause_ns(const struct weir__spread *spread, double left, int64_t at_ns)
{
    if (is_bucket(spread))
        return ((double)spread->limit - left) / net_rate(spread);
    int64_t until_ns = opens_ns(spread) - at_ns;
    return (double)(until_ns > 0 ? until_ns : spread->window_ns);
}

int64_t weir__spread_slot_ns(const struct weir__spread *spread, uint64_t total, uint64_t amount)
{
    int64_t at_ns = spread->next_ns;
    double left = left_at(spread, total, at_ns);
    double wanted = weir__within((double)amount, 1, (double)spread->limit);
    if (left >= wanted)
        return at_ns;
    if (!is_bucket(spread))
        return at_ns > opens_ns(spread) ? at_ns : opens_ns(spread);
    double missing = wanted - left;
    return weir__ns_add(at_ns > spread->at_ns ? at_ns : spread->at_ns,
                        (int64_t)weir__within(missing / net_rate(spread), 0, 4e18));
}

void weir__spread_take(struct weir__spread *spread, uint64_t amount, struct weir__sent sent,
                       bool brake)
{
    predict(spread, sent.total.of[spread->unit] - amount, sent.at_ns);
    if (brake) {
        spread->next_ns = sent.at_ns;
        return;
    }
    double left = left_at(spread, sent.total.of[spread->unit], sent.at_ns);
    int64_t interval = is_bucket(spread) ? bucket_interval(spread, left)
                                         : window_interval(spread, left + 1, sent.at_ns);
    double most_ns = weir__within(longest_pause_ns(spread, left, sent.at_ns), 0, 4e18);
    double pause_ns = weir__within((double)interval * (double)amount, 0, most_ns);
    spread->next_ns = weir__ns_add(sent.at_ns, (int64_t)pause_ns);
}

/* The sum stays, since the requests behind it remember theirs: what is left becomes more. */
void weir__spread_unsent(struct weir__spread *spread, uint64_t amount, struct weir__sent sent)
{
    if (sent.total.of[spread->unit] > spread->total)
        spread->total += amount;
}

bool weir__spread_is_settled(const struct weir__spread *spread)
{
    return is_bucket(spread) || may_predict(spread);
}

uint64_t weir__spread_remaining(const struct weir__spread *spread, uint64_t total, int64_t now_ns)
{
    if (!is_bucket(spread) && may_predict(spread) && now_ns >= opens_ns(spread))
        return (uint64_t)spread->limit;
    double left = left_at(spread, total, now_ns);
    return left > 0 ? (uint64_t)left : 0;
}

int64_t weir__spread_reset_ns(const struct weir__spread *spread)
{
    return spread->roll_ns;
}

double weir__spread_per_ns(const struct weir__spread *spread)
{
    if (is_bucket(spread))
        return spread->rate;
    return may_predict(spread) ? (double)spread->limit / (double)spread->window_ns : 0;
}

bool weir__spread_is_fresh(const struct weir__spread *spread, int64_t now_ns)
{
    int64_t lasts_ns = spread->window_ns < WINDOW_MAX_NS ? spread->window_ns * STALE_WINDOWS : 0;
    if (lasts_ns < STALE_NS)
        lasts_ns = STALE_NS;
    return spread->known && now_ns - spread->last.sent.at_ns < lasts_ns;
}
