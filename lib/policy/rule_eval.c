/* A rule is a tree, written down from its root: behind a node its operands, each with its own. */
#include "base/clock.h"
#include "policy/rule.h"

typedef const struct weir_rule_node *node_at;
__extension__ typedef __int128 wide;

static node_at next_operand(node_at operand)
{
    return operand + operand->span;
}

/* ---- waits ---- */

static int64_t clamped(wide time_ns)
{
    return time_ns > INT64_MAX ? INT64_MAX : (int64_t)time_ns;
}

/* x * percent/100, clamped. */
static int64_t scale(int64_t x, unsigned percent)
{
    return clamped((wide)x * percent / 100);
}

/* Ends as soon as nothing changes any more: at the maximum, at 0, at a percent of 100. */
int64_t weir__exponential_ns(int64_t multiplier_ns, unsigned percent, unsigned n, int64_t min_ns,
                             int64_t max_ns)
{
    int64_t wait_ns = multiplier_ns > 0 ? multiplier_ns : 0;
    if (n == 0)
        wait_ns = clamped((wide)wait_ns * 100 / percent);
    bool grows = percent > 100;
    for (; n > 1 && !(grows && wait_ns >= max_ns); n--) {
        int64_t next_ns = scale(wait_ns, percent);
        if (next_ns == wait_ns)
            break;
        wait_ns = next_ns;
    }
    if (wait_ns > max_ns)
        wait_ns = max_ns;
    int64_t least_ns = min_ns > 0 ? min_ns : 0;
    return wait_ns > least_ns ? wait_ns : least_ns;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t uniform_ns(struct weir__rand *rand, int64_t low_ns, int64_t high_ns)
{
    return high_ns > low_ns ? low_ns + weir__rand_upto(rand, high_ns - low_ns) : low_ns;
}

static int64_t incrementing_ns(node_at node, unsigned n)
{
    int64_t max_ns = weir__ms_to_ns(node->u.n[2]);
    wide wait_ns =
        (wide)weir__ms_to_ns(node->u.n[0]) + (wide)weir__ms_to_ns(node->u.n[1]) * ((int64_t)n - 1);
    wait_ns = wait_ns < max_ns ? wait_ns : max_ns;
    return wait_ns > 0 ? (int64_t)wait_ns : 0;
}

static int64_t random_exponential_ns(node_at node, unsigned n, struct weir__rand *rand)
{
    int64_t multiplier_ns = weir__ms_to_ns(node->u.n[0]);
    int64_t min_ns = node->u.n[1] > 0 ? weir__ms_to_ns(node->u.n[1]) : 0;
    int64_t max_ns = weir__ms_to_ns(node->u.n[2]);
    int64_t top_ns = weir__exponential_ns(multiplier_ns, node->percent, n, 0, max_ns);
    if (min_ns > 0) /* the range is never narrower than the first one above 0 would be */
        top_ns = larger(top_ns, weir__ns_add(min_ns, larger(multiplier_ns, 0)));
    return uniform_ns(rand, min_ns, top_ns < max_ns ? top_ns : max_ns);
}

static int64_t exponential_jitter_ns(node_at node, unsigned n, struct weir__rand *rand)
{
    int64_t max_ns = weir__ms_to_ns(node->u.n[1]), jitter_ns = weir__ms_to_ns(node->u.n[2]);
    int64_t low_ns = weir__exponential_ns(weir__ms_to_ns(node->u.n[0]), node->percent, n, 0,
                                          max_ns > jitter_ns ? max_ns - jitter_ns : 0);
    int64_t high_ns = weir__ns_add(low_ns, jitter_ns);
    return uniform_ns(rand, low_ns, high_ns < max_ns ? high_ns : max_ns);
}

static int64_t decorrelated_ns(node_at node, int64_t last_ns, struct weir__rand *rand)
{
    int64_t base_ns = weir__ms_to_ns(node->u.n[0]), max_ns = weir__ms_to_ns(node->u.n[1]);
    int64_t from_ns = last_ns > base_ns ? last_ns : base_ns;
    int64_t top_ns = from_ns > INT64_MAX / 3 ? INT64_MAX : 3 * from_ns;
    top_ns = top_ns < max_ns ? top_ns : max_ns;
    return uniform_ns(rand, base_ns, top_ns > base_ns ? top_ns - 1 : base_ns);
}

static node_at link_of_chain(node_at chain, unsigned n)
{
    node_at end = next_operand(chain), operand = chain + 1;
    while (n > 1 && next_operand(operand) < end) {
        operand = next_operand(operand);
        n--;
    }
    return operand;
}

static int64_t wait_ns(node_at node, const struct weir_attempt *attempt, struct weir__rand *rand)
{
    unsigned n = weir__attempt_count(attempt);
    const int64_t *ms = node->u.n;
    int64_t said_ms, first_ns;
    switch ((enum weir__rule_op)node->op) {
    case WEIR__WAIT_FIXED:
        return weir__ms_to_ns(ms[0]);
    case WEIR__WAIT_RANDOM:
        return uniform_ns(rand, weir__ms_to_ns(ms[0]), weir__ms_to_ns(ms[1]));
    case WEIR__WAIT_INCREMENTING:
        return incrementing_ns(node, n);
    case WEIR__WAIT_EXPONENTIAL:
        return weir__exponential_ns(weir__ms_to_ns(ms[0]), node->percent, n, weir__ms_to_ns(ms[1]),
                                    weir__ms_to_ns(ms[2]));
    case WEIR__WAIT_RANDOM_EXPONENTIAL:
        return random_exponential_ns(node, n, rand);
    case WEIR__WAIT_EXPONENTIAL_JITTER:
        return exponential_jitter_ns(node, n, rand);
    case WEIR__WAIT_DECORRELATED:
        return decorrelated_ns(node, attempt->wait_ns, rand);
    case WEIR__WAIT_CALLBACK:
        said_ms = ((weir_wait_fn)node->u.call.fn)(attempt, node->u.call.arg);
        return said_ms > 0 ? weir__ms_to_ns(said_ms) : 0;
    case WEIR__WAIT_SUM:
        first_ns = wait_ns(node + 1, attempt, rand);
        return weir__ns_add(first_ns, wait_ns(next_operand(node + 1), attempt, rand));
    case WEIR__WAIT_CHAIN:
        return wait_ns(link_of_chain(node, n), attempt, rand);
    default:
        return 0;
    }
}

int64_t weir__rule_wait_ns(const struct weir_retry_wait *wait, const struct weir_attempt *attempt,
                           struct weir__rand *rand)
{
    return wait_ns(wait->rule.nodes, attempt, rand);
}

/* ---- stops ---- */

static bool stops(node_at node, const struct weir_attempt *attempt, int64_t coming_ns)
{
    switch ((enum weir__rule_op)node->op) {
    case WEIR__STOP_AFTER_ATTEMPT:
        return weir__attempt_count(attempt) >= node->u.n[0];
    case WEIR__STOP_AFTER_DELAY:
        return attempt->elapsed_ns >= weir__ms_to_ns(node->u.n[0]);
    case WEIR__STOP_BEFORE_DELAY:
        return weir__ns_add(attempt->elapsed_ns, coming_ns) >= weir__ms_to_ns(node->u.n[0]);
    case WEIR__STOP_EVENT:
        return weir_event_is_set(node->u.event) != 0;
    case WEIR__STOP_ANY:
        return stops(node + 1, attempt, coming_ns) ||
               stops(next_operand(node + 1), attempt, coming_ns);
    case WEIR__STOP_ALL:
        return stops(node + 1, attempt, coming_ns) &&
               stops(next_operand(node + 1), attempt, coming_ns);
    case WEIR__STOP_NEVER:
    default:
        return false;
    }
}

bool weir__rule_stops(const struct weir_retry_stop *stop, const struct weir_attempt *attempt,
                      int64_t coming_ns)
{
    return stops(stop->rule.nodes, attempt, coming_ns);
}

/* ---- retry if ---- */

static bool says_yes(node_at node, const struct weir_attempt *attempt)
{
    return ((weir_retry_if_fn)node->u.call.fn)(attempt, node->u.call.arg) != 0;
}

static bool retries(node_at node, const struct weir_attempt *attempt)
{
    switch ((enum weir__rule_op)node->op) {
    case WEIR__IF_ALWAYS:
        return true;
    case WEIR__IF_DEFAULT:
        return attempt->retry != 0;
    case WEIR__IF_ANY_ERROR:
        return attempt->rc < 0;
    case WEIR__IF_ERROR:
        return attempt->rc == node->u.n[0];
    case WEIR__IF_STATUS:
        return attempt->status >= node->u.n[0] && attempt->status <= node->u.n[1];
    case WEIR__IF_OUTCOME:
        return attempt->outcome == (enum weir_outcome)node->u.n[0];
    case WEIR__IF_SAFE:
        return weir__attempt_is_safe(attempt);
    case WEIR__IF_FAILURE:
        return attempt->rc < 0 && says_yes(node, attempt);
    case WEIR__IF_RESULT:
        return attempt->rc >= 0 && says_yes(node, attempt);
    case WEIR__IF_NOT:
        return !retries(node + 1, attempt);
    case WEIR__IF_ANY:
        return retries(node + 1, attempt) || retries(next_operand(node + 1), attempt);
    case WEIR__IF_ALL:
        return retries(node + 1, attempt) && retries(next_operand(node + 1), attempt);
    default:
        return false;
    }
}

bool weir__rule_retries(const struct weir_retry_if *retry, const struct weir_attempt *attempt)
{
    return retries(retry->rule.nodes, attempt);
}
