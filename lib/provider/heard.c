#include "provider/heard.h"

#include "base/ascii.h"
#include "http/header.h"
#include "http/response.h"
#include "policy/date.h"
#include "policy/duration.h"
#include "policy/retry_after.h"

#define MS_PER_S   INT64_C(1000)
#define MS_PER_MIN (60 * MS_PER_S)
#define MS_PER_H   (60 * MS_PER_MIN)
#define MS_PER_DAY (24 * MS_PER_H)

#define USED_OF_MAX INT64_C(1000000000)

/* ---- what each header says ---- */

enum role {
    WAIT_MS,      /* a wait in ms */
    WAIT,         /* a wait in seconds, or a date */
    SHOULD_RETRY, /* true or false */
    THROTTLED,    /* sent with "too fast" alone */
    COST,         /* tokens that this request cost */
    IETF,         /* for ietf.c */
    WINDOW,       /* tells the length of the group's window, see companions */
    LIMIT,        /* of the group's limit: its size, */
    LEFT,         /* what remains of it, */
    RESET,        /* when it comes back; of several in a group the first row counts */
    USED_OF,      /* "32/40": used of the limit, which drains evenly over the group's window */
};

#define LIMIT_ROLES (1U << LIMIT | 1U << LEFT | 1U << RESET | 1U << USED_OF)

/* The limits that headers tell, each by several of them. */
enum group {
    NO_GROUP,
    REQUESTS,
    TOKENS,
    CLAUDE_REQUESTS,
    CLAUDE_TOKENS,
    CLAUDE_INPUT,
    CLAUDE_OUTPUT,
    MINUTE_REQUESTS,
    MINUTE_TOKENS,
    PLAIN,
    PLAIN_TOKENS,
    SHOP,
    GROUPS
};

/* window_ms: where the server's documentation fixes it; 0: see set_window(). */
static const struct {
    enum weir__unit unit;
    int64_t window_ms;
} groups[GROUPS] = {
    /* One minute or one day: OpenAI's are per minute on most plans, Groq's per day. */
    [REQUESTS] = {WEIR__UNIT_REQUESTS, 0},
    [TOKENS] = {WEIR__UNIT_TOKENS, MS_PER_MIN},
    [CLAUDE_REQUESTS] = {WEIR__UNIT_REQUESTS, MS_PER_MIN},
    [CLAUDE_TOKENS] = {WEIR__UNIT_TOKENS, MS_PER_MIN},
    [CLAUDE_INPUT] = {WEIR__UNIT_TOKENS, MS_PER_MIN},
    [CLAUDE_OUTPUT] = {WEIR__UNIT_TOKENS, MS_PER_MIN},
    [MINUTE_REQUESTS] = {WEIR__UNIT_REQUESTS, MS_PER_MIN},
    [MINUTE_TOKENS] = {WEIR__UNIT_TOKENS, MS_PER_MIN},
    [PLAIN] = {WEIR__UNIT_REQUESTS, 0},
    [PLAIN_TOKENS] = {WEIR__UNIT_TOKENS, 0},
    [SHOP] = {WEIR__UNIT_REQUESTS, 20 * MS_PER_S}, /* 40 leak by 2 a second */
};

/* Names in lower case. Of waits the first row that can be used counts: the finer unit goes first,
 * since servers that send both round the other one. */
#define NAME(text) text, sizeof text - 1
static const struct row {
    const char *name;
    size_t len;
    enum role role;
    enum group group;
} rows[] = {
    {NAME("retry-after-ms"), WAIT_MS, NO_GROUP},      /* OpenAI, Azure */
    {NAME("x-ms-retry-after-ms"), WAIT_MS, NO_GROUP}, /* Azure */
    {NAME("retry-after"), WAIT, NO_GROUP},
    {NAME("x-should-retry"), SHOULD_RETRY, NO_GROUP}, /* OpenAI, Anthropic */
    {NAME("stripe-should-retry"), SHOULD_RETRY, NO_GROUP},
    {NAME("stripe-rate-limited-reason"), THROTTLED, NO_GROUP},

    /* OpenAI, Azure, Groq; the last one is Azure's own spelling */
    {NAME("x-ratelimit-limit-requests"), LIMIT, REQUESTS},
    {NAME("x-ratelimit-remaining-requests"), LEFT, REQUESTS},
    {NAME("x-ratelimit-reset-requests"), RESET, REQUESTS},
    {NAME("x-rate-limit-reset-requests"), RESET, REQUESTS},
    {NAME("x-ratelimit-limit-tokens"), LIMIT, TOKENS},
    {NAME("x-ratelimit-remaining-tokens"), LEFT, TOKENS},
    {NAME("x-ratelimit-reset-tokens"), RESET, TOKENS},
    {NAME("x-rate-limit-reset-tokens"), RESET, TOKENS},

    {NAME("anthropic-ratelimit-requests-limit"), LIMIT, CLAUDE_REQUESTS},
    {NAME("anthropic-ratelimit-requests-remaining"), LEFT, CLAUDE_REQUESTS},
    {NAME("anthropic-ratelimit-requests-reset"), RESET, CLAUDE_REQUESTS},
    {NAME("anthropic-ratelimit-tokens-limit"), LIMIT, CLAUDE_TOKENS},
    {NAME("anthropic-ratelimit-tokens-remaining"), LEFT, CLAUDE_TOKENS},
    {NAME("anthropic-ratelimit-tokens-reset"), RESET, CLAUDE_TOKENS},
    {NAME("anthropic-ratelimit-input-tokens-limit"), LIMIT, CLAUDE_INPUT},
    {NAME("anthropic-ratelimit-input-tokens-remaining"), LEFT, CLAUDE_INPUT},
    {NAME("anthropic-ratelimit-input-tokens-reset"), RESET, CLAUDE_INPUT},
    {NAME("anthropic-ratelimit-output-tokens-limit"), LIMIT, CLAUDE_OUTPUT},
    {NAME("anthropic-ratelimit-output-tokens-remaining"), LEFT, CLAUDE_OUTPUT},
    {NAME("anthropic-ratelimit-output-tokens-reset"), RESET, CLAUDE_OUTPUT},

    /* Mistral */
    {NAME("x-ratelimit-limit-req-minute"), LIMIT, MINUTE_REQUESTS},
    {NAME("x-ratelimit-remaining-req-minute"), LEFT, MINUTE_REQUESTS},
    {NAME("x-ratelimit-limit-tokens-minute"), LIMIT, MINUTE_TOKENS},
    {NAME("x-ratelimit-remaining-tokens-minute"), LEFT, MINUTE_TOKENS},
    {NAME("x-ratelimit-tokens-query-cost"), COST, NO_GROUP},

    /* GitHub, OpenRouter, Together, Discord, Jira and many a library */
    {NAME("x-ratelimit-limit"), LIMIT, PLAIN},
    {NAME("x-ratelimit-remaining"), LEFT, PLAIN},
    {NAME("x-ratelimit-reset-after"), RESET, PLAIN}, /* Discord, Jira: finer than the next one */
    {NAME("x-ratelimit-reset"), RESET, PLAIN},
    {NAME("x-ratelimit-resource"), WINDOW, PLAIN}, /* GitHub */
    {NAME("x-tokenlimit-limit"), LIMIT, PLAIN_TOKENS},
    {NAME("x-tokenlimit-remaining"), LEFT, PLAIN_TOKENS},

    {NAME("x-shopify-shop-api-call-limit"), USED_OF, SHOP},

    {NAME("ratelimit"), IETF, NO_GROUP},
    {NAME("ratelimit-policy"), IETF, NO_GROUP},
    {NAME("ratelimit-limit"), IETF, NO_GROUP},
    {NAME("ratelimit-remaining"), IETF, NO_GROUP},
    {NAME("ratelimit-reset"), IETF, NO_GROUP},
};
enum { ROWS = sizeof rows / sizeof rows[0] };
_Static_assert(ROWS <= WEIR__HEARD_MAX, "a place for each header");

/* A header whose presence, or whose value, tells how long a group's window is. */
static const struct {
    const char *name, *value; /* value NULL: any */
    enum group group;
    int64_t window_ms;
} companions[] = {
    {"x-tokenlimit-limit", NULL, PLAIN, MS_PER_S}, /* Together counts by the second */
    {"x-tokenlimit-limit", NULL, PLAIN_TOKENS, MS_PER_S},
    {"x-ratelimit-resource", "core", PLAIN, MS_PER_H}, /* GitHub */
    {"x-ratelimit-resource", "search", PLAIN, MS_PER_MIN},
};

/* ---- picking them ---- */

void weir__heard_init(struct weir__heard *heard)
{
    heard->roles = 0;
    heard->sent = 0;
    heard->date = heard->age = (struct weir__span){NULL, NULL};
}

/* Most headers have nothing to do with limits, and each of each answer is asked about: this is on
 * the way of every request. A test sees to it that all rows pass. */
#define FOUR(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (d))
static enum glance { NOTHING, LIMITS, A_DATE, AN_AGE } glance(const char *line, size_t len)
{
    const unsigned char *c = (const unsigned char *)line;
    if (len < 5)
        return NOTHING;
    switch (FOUR(c[0], c[1], c[2], c[3]) | 0x20202020) {
    case FOUR('x', '-', 'r', 'a'):
    case FOUR('x', '-', 't', 'o'):
    case FOUR('x', '-', 's', 'h'):
    case FOUR('x', '-', 'm', 's'):
    case FOUR('r', 'a', 't', 'e'):
    case FOUR('r', 'e', 't', 'r'):
    case FOUR('a', 'n', 't', 'h'):
        return LIMITS;
    case FOUR('s', 't', 'r', 'i'): /* but not strict-transport-security */
        return (c[4] | 0x20) == 'p' ? LIMITS : NOTHING;
    case FOUR('d', 'a', 't', 'e'):
        return c[4] == ':' ? A_DATE : NOTHING;
    case FOUR('a', 'g', 'e', ':'):
        return AN_AGE;
    default:
        return NOTHING;
    }
}

static bool was_sent(const struct weir__heard *heard, size_t row)
{
    return (heard->sent >> row & 1) != 0;
}

void weir__heard_add(struct weir__heard *heard, const char *name, size_t name_len,
                     const char *value, size_t len)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (rows[i].len != name_len || !weir__ascii_same(name, rows[i].name, name_len))
            continue;
        if (!was_sent(heard, i))
            heard->value[i] = weir__span_trimmed(value, len);
        heard->sent |= UINT64_C(1) << i;
        heard->roles |= 1U << rows[i].role;
        return;
    }
}

static void keep_first(struct weir__span *kept, const char *line, size_t name_len, size_t len)
{
    if (kept->at == NULL)
        *kept = (struct weir__span){line + name_len, line + len};
}

void weir__heard_all(struct weir__heard *heard, const weir_response *response)
{
    struct weir_header header;
    const char *line;
    size_t at = 0, len;
    while (weir__response_next_line(response, &at, &line, &len)) {
        enum glance seen = glance(line, len);
        if (seen == LIMITS && weir__header_split(line, len, &header))
            weir__heard_add(heard, header.name, header.name_len, header.value, header.value_len);
        else if (seen == A_DATE)
            keep_first(&heard->date, line, strlen("date:"), len);
        else if (seen == AN_AGE)
            keep_first(&heard->age, line, strlen("age:"), len);
    }
}

const char *weir__heard_name(size_t i)
{
    return i < ROWS ? rows[i].name : NULL;
}

/* The value of the first row from *at on that has that role and was sent; *at is behind it then. */
static bool next_of(const struct weir__heard *heard, enum role role, size_t *at,
                    struct weir__span *value)
{
    while ((heard->roles >> role & 1) != 0 && *at < ROWS) {
        size_t i = (*at)++;
        if (rows[i].role == role && was_sent(heard, i)) {
            *value = heard->value[i];
            return true;
        }
    }
    return false;
}

/* ---- single facts ---- */

/* A whole number; a fraction is cut off. -1: it is none, or 1e15 and more. */
static int64_t number_of(struct weir__span in)
{
    int64_t thousandths;
    if (!weir__span_decimal(&in, 1000, &thousandths) || in.at != in.end)
        return -1;
    return thousandths / 1000;
}

int64_t weir__heard_now_s(const struct weir__heard *heard, int64_t wall_s)
{
    size_t len;
    if (heard->date.at == NULL)
        return wall_s;
    const char *date = weir__trim(heard->date.at, heard->date.end, &len);
    int64_t date_s = weir__http_date_s(date, len);
    return date_s >= 0 ? date_s : wall_s;
}

bool weir__heard_cached(const struct weir__heard *heard)
{
    size_t len;
    if (heard->age.at == NULL)
        return false;
    const char *age = weir__trim(heard->age.at, heard->age.end, &len);
    return number_of((struct weir__span){age, age + len}) > 0;
}

int64_t weir__heard_wait_ms(const struct weir__heard *heard, int64_t now_s)
{
    struct weir__span value;
    int64_t wait_ms;
    for (size_t at = 0; next_of(heard, WAIT_MS, &at, &value);) {
        wait_ms = weir__retry_after_millis(value.at, weir__span_len(value));
        if (wait_ms >= 0)
            return wait_ms;
    }
    for (size_t at = 0; next_of(heard, WAIT, &at, &value);) {
        wait_ms = weir__retry_after_ms(value.at, weir__span_len(value), now_s);
        if (wait_ms >= 0)
            return wait_ms;
    }
    return -1;
}

enum weir__verdict weir__heard_verdict(const struct weir__heard *heard)
{
    struct weir__span value;
    for (size_t at = 0; next_of(heard, SHOULD_RETRY, &at, &value);) {
        if (weir__span_is(value, "true"))
            return WEIR__VERDICT_RETRY;
        if (weir__span_is(value, "false"))
            return WEIR__VERDICT_FINAL;
    }
    return WEIR__VERDICT_NONE;
}

bool weir__heard_throttled(const struct weir__heard *heard)
{
    return (heard->roles >> THROTTLED & 1) != 0;
}

bool weir__heard_ietf(const struct weir__heard *heard)
{
    return (heard->roles >> IETF & 1) != 0;
}

bool weir__heard_limits(const struct weir__heard *heard)
{
    return (heard->roles & (LIMIT_ROLES | 1U << IETF)) != 0;
}

int64_t weir__heard_cost(const struct weir__heard *heard)
{
    struct weir__span value;
    size_t at = 0;
    return next_of(heard, COST, &at, &value) ? number_of(value) : -1;
}

/* ---- limits ---- */

/* "32/40" */
static void read_used_of(struct weir__span in, int64_t window_ms, struct weir__quota *quota)
{
    int64_t used, limit;
    if (!weir__span_whole(&in, &used) || !weir__span_char(&in, '/') ||
        !weir__span_whole(&in, &limit) || in.at != in.end || limit == 0 || limit > USED_OF_MAX)
        return;
    used = used < limit ? used : limit;
    quota->limit = limit;
    quota->remaining = limit - used;
    quota->reset_ms = used * window_ms / limit;
    quota->step_ms = 1;
}

static void read_row(enum role role, struct weir__span value, int64_t now_s,
                     struct weir__quota *quota)
{
    int64_t number;
    if (role == LIMIT && quota->limit < 0) {
        number = number_of(value);
        quota->limit = number > 0 ? number : -1;
    } else if (role == LEFT && quota->remaining < 0) {
        quota->remaining = number_of(value);
    } else if (role == RESET && quota->reset_ms < 0) {
        quota->reset_ms = weir__reset_ms(value.at, weir__span_len(value), now_s, &quota->step_ms);
    } else if (role == USED_OF) {
        read_used_of(value, quota->window_ms, quota);
    }
}

/* The value of the header of that name was sent, and is `value`, if that is not NULL. */
static bool has(const struct weir__heard *heard, const char *name, const char *value)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (was_sent(heard, i) && strcmp(rows[i].name, name) == 0)
            return value == NULL || weir__span_is(heard->value[i], value);
    }
    return false;
}

static int64_t companion_ms(const struct weir__heard *heard, enum group group)
{
    for (size_t i = 0; i < sizeof companions / sizeof companions[0]; i++) {
        if (companions[i].group == group && has(heard, companions[i].name, companions[i].value))
            return companions[i].window_ms;
    }
    return -1;
}

/* A bucket that says when all will be back tells its rate by it: used / reset = limit / window. The
 * window is one that people choose, if that is within a fifth of one: a guess, so in doubles. */
static int64_t inferred_ms(const struct weir__quota *quota)
{
    static const int64_t usual_ms[] = {MS_PER_S, MS_PER_MIN, MS_PER_H, MS_PER_DAY};
    if (quota->limit <= 0 || quota->remaining < 0 || quota->remaining >= quota->limit ||
        quota->reset_ms <= 0 || quota->step_ms != 1)
        return -1;
    double used = (double)(quota->limit - quota->remaining);
    double window_ms = (double)quota->reset_ms * (double)quota->limit / used;
    for (size_t i = 0; i < sizeof usual_ms / sizeof usual_ms[0]; i++) {
        double usual = (double)usual_ms[i];
        if (window_ms > usual * 0.8 && window_ms < usual * 1.2)
            return usual_ms[i];
    }
    return -1;
}

/* Returns whether the window is but inferred. */
static bool set_window(const struct weir__heard *heard, enum group group, struct weir__quota *quota)
{
    if (groups[group].window_ms > 0)
        return false;
    quota->window_ms = companion_ms(heard, group);
    if (quota->window_ms > 0 || group != REQUESTS)
        return false;
    quota->window_ms = inferred_ms(quota);
    return quota->window_ms > 0;
}

/* Azure has sentinels, -1, -1 and 0, for what it does not know. */
static bool says_nothing(const struct weir__quota *quota)
{
    return quota->limit < 0 && quota->remaining < 0 && quota->reset_ms <= 0;
}

bool weir__heard_quotas(const struct weir__heard *heard, int64_t now_s, struct weir__told *told)
{
    struct weir__quota quotas[GROUPS];
    if ((heard->roles & LIMIT_ROLES) == 0)
        return false;
    for (enum group i = NO_GROUP; i < GROUPS; i++)
        quotas[i] = (struct weir__quota){groups[i].unit, -1, -1, -1, groups[i].window_ms, 1};
    for (size_t i = 0; i < ROWS; i++) {
        if (rows[i].group != NO_GROUP && was_sent(heard, i))
            read_row(rows[i].role, heard->value[i], now_s, &quotas[rows[i].group]);
    }
    for (enum group i = NO_GROUP + 1; i < GROUPS; i++) {
        if (says_nothing(&quotas[i]) || told->quota_count == WEIR__QUOTAS_MAX)
            continue;
        if (set_window(heard, i, &quotas[i]))
            told->guessed |= 1U << told->quota_count;
        told->quotas[told->quota_count++] = quotas[i];
    }
    return quotas[PLAIN].remaining == 0;
}
