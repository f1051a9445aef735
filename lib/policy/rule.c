/* The words of <weir/retry.h>: each is a node, those with operands a node in front of theirs. */
#include <string.h>

#include "policy/rule.h"

static struct weir_rule bad(int32_t error)
{
    struct weir_rule rule = {.error = error};
    return rule;
}

static struct weir_rule leaf(struct weir_rule_node node)
{
    struct weir_rule rule = {.count = 1};
    node.span = 1;
    rule.nodes[0] = node;
    return rule;
}

static struct weir_rule leaf_ms(uint16_t op, int64_t a, int64_t b, int64_t c)
{
    return leaf((struct weir_rule_node){.op = op, .u.n = {a, b, c}});
}

static struct weir_rule leaf_call(uint16_t op, void (*fn)(void), void *arg)
{
    if (fn == NULL)
        return bad(WEIR_EINVAL);
    return leaf((struct weir_rule_node){.op = op, .u.call = {fn, arg}});
}

/* An operand that was never given is a mistake; one that is marked marks the whole. */
static void add(struct weir_rule *rule, const struct weir_rule *operand)
{
    if (operand->error != 0 || operand->count == 0 ||
        rule->count + operand->count > WEIR_RULE_NODES)
        *rule = bad(WEIR_EINVAL);
    if (rule->error != 0)
        return;
    memcpy(&rule->nodes[rule->count], operand->nodes, operand->count * sizeof operand->nodes[0]);
    rule->count += operand->count;
    rule->nodes[0].span = (uint16_t)rule->count;
}

static struct weir_rule join(uint16_t op, const struct weir_rule *a, const struct weir_rule *b)
{
    struct weir_rule rule = leaf((struct weir_rule_node){.op = op});
    add(&rule, a);
    if (b != NULL)
        add(&rule, b);
    return rule;
}

/* ---- stop ---- */

#define STOP(rule_) ((struct weir_retry_stop){.rule = (rule_)})

struct weir_retry_stop weir_stop_never(void)
{
    return STOP(leaf_ms(WEIR__STOP_NEVER, 0, 0, 0));
}

struct weir_retry_stop weir_stop_after_attempt(unsigned n)
{
    return STOP(leaf_ms(WEIR__STOP_AFTER_ATTEMPT, n, 0, 0));
}

struct weir_retry_stop weir_stop_after_delay_ms(int64_t ms)
{
    return STOP(leaf_ms(WEIR__STOP_AFTER_DELAY, ms, 0, 0));
}

struct weir_retry_stop weir_stop_before_delay_ms(int64_t ms)
{
    return STOP(leaf_ms(WEIR__STOP_BEFORE_DELAY, ms, 0, 0));
}

struct weir_retry_stop weir_stop_when_event(weir_event *event)
{
    if (event == NULL)
        return STOP(bad(WEIR_EINVAL));
    return STOP(leaf((struct weir_rule_node){.op = WEIR__STOP_EVENT, .u.event = event}));
}

struct weir_retry_stop weir_stop_any(struct weir_retry_stop a, struct weir_retry_stop b)
{
    return STOP(join(WEIR__STOP_ANY, &a.rule, &b.rule));
}

struct weir_retry_stop weir_stop_all(struct weir_retry_stop a, struct weir_retry_stop b)
{
    return STOP(join(WEIR__STOP_ALL, &a.rule, &b.rule));
}

/* ---- wait ---- */

#define WAIT(rule_) ((struct weir_retry_wait){.rule = (rule_)})

struct weir_retry_wait weir_wait_none(void)
{
    return weir_wait_fixed_ms(0);
}

struct weir_retry_wait weir_wait_fixed_ms(int64_t ms)
{
    return WAIT(ms < 0 ? bad(WEIR_EINVAL) : leaf_ms(WEIR__WAIT_FIXED, ms, 0, 0));
}

struct weir_retry_wait weir_wait_random_ms(int64_t low_ms, int64_t high_ms)
{
    bool ok = 0 <= low_ms && low_ms <= high_ms;
    return WAIT(ok ? leaf_ms(WEIR__WAIT_RANDOM, low_ms, high_ms, 0) : bad(WEIR_EINVAL));
}

struct weir_retry_wait weir_wait_incrementing_ms(int64_t start_ms, int64_t step_ms, int64_t max_ms)
{
    return WAIT(leaf_ms(WEIR__WAIT_INCREMENTING, start_ms, step_ms, max_ms));
}

static struct weir_retry_wait exponential(uint16_t op, int64_t multiplier_ms, unsigned percent,
                                          int64_t b, int64_t c)
{
    if (percent == 0)
        return WAIT(bad(WEIR_EINVAL));
    return WAIT(
        leaf((struct weir_rule_node){.op = op, .percent = percent, .u.n = {multiplier_ms, b, c}}));
}

struct weir_retry_wait weir_wait_exponential_ms(int64_t multiplier_ms, unsigned base_percent,
                                                int64_t min_ms, int64_t max_ms)
{
    return exponential(WEIR__WAIT_EXPONENTIAL, multiplier_ms, base_percent, min_ms, max_ms);
}

struct weir_retry_wait weir_wait_random_exponential_ms(int64_t multiplier_ms, unsigned base_percent,
                                                       int64_t min_ms, int64_t max_ms)
{
    return exponential(WEIR__WAIT_RANDOM_EXPONENTIAL, multiplier_ms, base_percent, min_ms, max_ms);
}

struct weir_retry_wait weir_wait_exponential_jitter_ms(int64_t multiplier_ms, unsigned base_percent,
                                                       int64_t max_ms, int64_t jitter_ms)
{
    if (jitter_ms < 0)
        return WAIT(bad(WEIR_EINVAL));
    return exponential(WEIR__WAIT_EXPONENTIAL_JITTER, multiplier_ms, base_percent, max_ms,
                       jitter_ms);
}

struct weir_retry_wait weir_wait_decorrelated_ms(int64_t base_ms, int64_t max_ms)
{
    bool ok = 0 < base_ms && base_ms <= max_ms;
    return WAIT(ok ? leaf_ms(WEIR__WAIT_DECORRELATED, base_ms, max_ms, 0) : bad(WEIR_EINVAL));
}

struct weir_retry_wait weir_wait_callback(weir_wait_fn fn, void *arg)
{
    return WAIT(leaf_call(WEIR__WAIT_CALLBACK, (void (*)(void))fn, arg));
}

struct weir_retry_wait weir_wait_sum(struct weir_retry_wait a, struct weir_retry_wait b)
{
    return WAIT(join(WEIR__WAIT_SUM, &a.rule, &b.rule));
}

struct weir_retry_wait weir_wait_chain(const struct weir_retry_wait *list, size_t count)
{
    struct weir_rule rule = leaf((struct weir_rule_node){.op = WEIR__WAIT_CHAIN});
    if (count == 0)
        rule = bad(WEIR_EINVAL);
    for (size_t i = 0; i < count && rule.error == 0; i++)
        add(&rule, &list[i].rule);
    return WAIT(rule);
}

/* ---- retry if ---- */

#define IF(rule_) ((struct weir_retry_if){.rule = (rule_)})

struct weir_retry_if weir_retry_if_always(void)
{
    return IF(leaf_ms(WEIR__IF_ALWAYS, 0, 0, 0));
}

struct weir_retry_if weir_retry_if_never(void)
{
    return weir_retry_if_not(weir_retry_if_always());
}

struct weir_retry_if weir_retry_if_default(void)
{
    return IF(leaf_ms(WEIR__IF_DEFAULT, 0, 0, 0));
}

struct weir_retry_if weir_retry_if_any_error(void)
{
    return IF(leaf_ms(WEIR__IF_ANY_ERROR, 0, 0, 0));
}

struct weir_retry_if weir_retry_if_error(int code)
{
    return IF(leaf_ms(WEIR__IF_ERROR, code, 0, 0));
}

struct weir_retry_if weir_retry_if_status(int low, int high)
{
    return IF(low <= high ? leaf_ms(WEIR__IF_STATUS, low, high, 0) : bad(WEIR_EINVAL));
}

struct weir_retry_if weir_retry_if_outcome(enum weir_outcome outcome)
{
    return IF(leaf_ms(WEIR__IF_OUTCOME, (int64_t)outcome, 0, 0));
}

struct weir_retry_if weir_retry_if_safe(void)
{
    return IF(leaf_ms(WEIR__IF_SAFE, 0, 0, 0));
}

struct weir_retry_if weir_retry_if_failure(weir_retry_if_fn fn, void *arg)
{
    return IF(leaf_call(WEIR__IF_FAILURE, (void (*)(void))fn, arg));
}

struct weir_retry_if weir_retry_if_result(weir_retry_if_fn fn, void *arg)
{
    return IF(leaf_call(WEIR__IF_RESULT, (void (*)(void))fn, arg));
}

struct weir_retry_if weir_retry_if_not(struct weir_retry_if a)
{
    return IF(join(WEIR__IF_NOT, &a.rule, NULL));
}

struct weir_retry_if weir_retry_if_any(struct weir_retry_if a, struct weir_retry_if b)
{
    return IF(join(WEIR__IF_ANY, &a.rule, &b.rule));
}

struct weir_retry_if weir_retry_if_all(struct weir_retry_if a, struct weir_retry_if b)
{
    return IF(join(WEIR__IF_ALL, &a.rule, &b.rule));
}
