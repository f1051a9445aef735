#include "provider/ietf.h"

#include "http/response.h"
#include "http/sfv.h"
#include "policy/duration.h"

#define MS_PER_S INT64_C(1000)

/* The limits as they are put together from several fields. */
struct limits {
    unsigned count;
    int64_t extra_ms; /* to add to each reset */
    struct weir__span name[WEIR__QUOTAS_MAX];
    bool policy[WEIR__QUOTAS_MAX]; /* told by the policy alone so far */
    struct weir__quota quota[WEIR__QUOTAS_MAX];
};

/* Hugging Face names the kind of its policy before the policy: '"fixed window";"api";q=500;w=300',
 * which is no structured field. Its t is cut to whole seconds: its own client waits one more. */
static const struct {
    const char *prefix;
    int64_t extra_ms;
} kinds[] = {
    {"\"fixed window\";", 1000},
};

/* ---- the table of limits ---- */

static struct weir__quota *new_limit(struct limits *limits, struct weir__span name, bool policy)
{
    if (limits->count == WEIR__QUOTAS_MAX)
        return NULL;
    unsigned i = limits->count++;
    limits->name[i] = name;
    limits->policy[i] = policy;
    limits->quota[i] = (struct weir__quota){WEIR__UNIT_REQUESTS, -1, -1, -1, -1, 1};
    return &limits->quota[i];
}

static bool same(struct weir__span a, struct weir__span b)
{
    size_t len = weir__span_len(a);
    return len == weir__span_len(b) && (len == 0 || memcmp(a.at, b.at, len) == 0);
}

/* That of the name; the only policy, since some servers give the two sides different names; else a
 * new one. */
static struct weir__quota *named(struct limits *limits, struct weir__span name, bool single)
{
    for (unsigned i = 0; i < limits->count; i++) {
        if (same(limits->name[i], name) || (single && limits->count == 1 && limits->policy[i])) {
            limits->policy[i] = false;
            return &limits->quota[i];
        }
    }
    return new_limit(limits, name, false);
}

/* That of which the older drafts tell the size alone. */
static struct weir__quota *sized(struct limits *limits, int64_t limit)
{
    for (unsigned i = 0; i < limits->count; i++) {
        if (limits->policy[i] && limits->quota[i].limit == limit) {
            limits->policy[i] = false;
            return &limits->quota[i];
        }
    }
    struct weir__quota *quota = new_limit(limits, (struct weir__span){"", ""}, false);
    if (quota != NULL)
        quota->limit = limit > 0 ? limit : -1;
    return quota;
}

static void drop_last(struct limits *limits)
{
    limits->count--;
}

/* ---- values ---- */

static bool is_count(const struct weir__sfv_value *value)
{
    return value->type == WEIR__SFV_INTEGER && value->number >= 0;
}

static int64_t seconds_ms(int64_t seconds)
{
    int64_t most = WEIR__LONGEST_MS / MS_PER_S;
    return (seconds < most ? seconds : most) * MS_PER_S;
}

static void set_reset(const struct limits *limits, struct weir__quota *quota, int64_t seconds)
{
    int64_t reset_ms = seconds_ms(seconds) + limits->extra_ms;
    quota->reset_ms = reset_ms < WEIR__LONGEST_MS ? reset_ms : WEIR__LONGEST_MS;
    quota->step_ms = MS_PER_S;
}

static void set_param(const struct limits *limits, struct weir__quota *quota, struct weir__span key,
                      const struct weir__sfv_value *value)
{
    if (!is_count(value))
        return;
    if (weir__span_is(key, "q") && value->number > 0)
        quota->limit = value->number;
    else if (weir__span_is(key, "w") && value->number > 0)
        quota->window_ms = seconds_ms(value->number);
    else if (weir__span_is(key, "r"))
        quota->remaining = value->number;
    else if (weir__span_is(key, "t"))
        set_reset(limits, quota, value->number);
}

/* What a limit counts, by its parameter qu; false: bytes, connections, or what nobody knows. */
static bool set_params(const struct limits *limits, struct weir__quota *quota,
                       struct weir__span params)
{
    struct weir__span key;
    struct weir__sfv_value value;
    bool known = true;
    while (weir__sfv_param(&params, &key, &value) > 0) {
        if (weir__span_is(key, "qu")) {
            bool tokens = weir__span_is(value.text, "tokens");
            known = tokens || weir__span_is(value.text, "requests");
            quota->unit = tokens ? WEIR__UNIT_TOKENS : WEIR__UNIT_REQUESTS;
        } else {
            set_param(limits, quota, key, &value);
        }
    }
    return known;
}

/* ---- fields ---- */

/* RateLimit-Policy: "burst";q=100;w=60 and, in the drafts up to 7, 100;w=60 */
static void read_policies(struct limits *limits, struct weir__span field)
{
    struct weir__sfv_member member;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (weir__span_text(&field, kinds[i].prefix))
            limits->extra_ms = kinds[i].extra_ms;
    }
    if (!weir__sfv_list_ok(field))
        return;
    while (weir__sfv_list_next(&field, &member) > 0) {
        struct weir__quota *quota = new_limit(limits, member.value.text, true);
        if (quota == NULL)
            return;
        if (is_count(&member.value) && member.value.number > 0)
            quota->limit = member.value.number;
        if (!set_params(limits, quota, member.params) || quota->limit < 0)
            drop_last(limits);
    }
}

/* RateLimit: "default";r=50;t=30 */
static void read_limit_list(struct limits *limits, struct weir__span field)
{
    struct weir__span rest = field;
    struct weir__sfv_member member;
    if (weir__sfv_list_next(&rest, &member) <= 0)
        return;
    bool single = rest.at == rest.end;
    while (weir__sfv_list_next(&field, &member) > 0) {
        enum weir__sfv_type type = member.value.type;
        if (type != WEIR__SFV_STRING && type != WEIR__SFV_TOKEN)
            continue;
        struct weir__quota *quota = named(limits, member.value.text, single);
        if (quota == NULL)
            return;
        if (!set_params(limits, quota, member.params))
            quota->limit = quota->remaining = quota->reset_ms = -1;
    }
}

/* RateLimit: limit=100, remaining=50, reset=5 (draft 7) */
static void read_limit_dictionary(struct limits *limits, struct weir__span field)
{
    int64_t limit = -1, remaining = -1, reset_s = -1;
    struct weir__sfv_member member;
    while (weir__sfv_dictionary_next(&field, &member) > 0) {
        int64_t number = is_count(&member.value) ? member.value.number : -1;
        if (weir__span_is(member.key, "limit"))
            limit = number;
        else if (weir__span_is(member.key, "remaining"))
            remaining = number;
        else if (weir__span_is(member.key, "reset"))
            reset_s = number;
    }
    struct weir__quota *quota = sized(limits, limit);
    if (quota == NULL)
        return;
    quota->remaining = remaining;
    if (reset_s >= 0)
        set_reset(limits, quota, reset_s);
}

static void read_limits(struct limits *limits, struct weir__span field)
{
    if (weir__sfv_list_ok(field))
        read_limit_list(limits, field);
    else if (weir__sfv_dictionary_ok(field))
        read_limit_dictionary(limits, field);
}

/* RateLimit-Limit: 100, 100;w=10 (drafts 3 to 6): the limit that is nearest, then the policies. */
static int64_t read_nearest(struct limits *limits, struct weir__span field)
{
    struct weir__sfv_member first;
    struct weir__span rest = field;
    if (!weir__sfv_list_ok(field) || weir__sfv_list_next(&rest, &first) <= 0 ||
        !is_count(&first.value))
        return -1;
    if (limits->count == 0)
        read_policies(limits, rest);
    return first.value.number;
}

/* ---- all of them ---- */

/* The field, with its lines joined; false: not sent, too long, or out of memory. */
static bool field_of(const weir_response *response, const char *name, struct weir__buf *buf,
                     struct weir__span *field)
{
    size_t len;
    const char *text = weir__response_joined(response, name, buf, &len);
    if (text == NULL || len > WEIR__IETF_FIELD_MAX)
        return false;
    *field = weir__span_trimmed(text, len);
    return true;
}

/* RateLimit-Limit, -Remaining and -Reset, the last two of one value each */
static void read_single_fields(struct limits *limits, const weir_response *response,
                               struct weir__buf *buf, int64_t now_s)
{
    struct weir__span limit, left, reset;
    struct weir__sfv_member item;
    bool has_limit = field_of(response, "ratelimit-limit", buf, &limit);
    int64_t nearest = has_limit ? read_nearest(limits, limit) : -1;
    int64_t remaining = -1, reset_ms = -1, step_ms = 1;
    if (field_of(response, "ratelimit-remaining", buf, &left) && weir__sfv_item(left, &item) &&
        is_count(&item.value))
        remaining = item.value.number;
    if (field_of(response, "ratelimit-reset", buf, &reset))
        reset_ms = weir__reset_ms(reset.at, weir__span_len(reset), now_s, &step_ms);
    if (nearest < 0 && remaining < 0 && reset_ms < 0)
        return;
    struct weir__quota *quota = sized(limits, nearest);
    if (quota != NULL) {
        quota->remaining = remaining;
        quota->reset_ms = reset_ms;
        quota->step_ms = step_ms;
    }
}

void weir__ietf_quotas(const weir_response *response, int64_t now_s, struct weir__told *told)
{
    struct limits limits = {.count = 0};
    struct weir__buf bufs[3]; /* names are borrowed from the fields */
    struct weir__span field;
    for (int i = 0; i < 3; i++)
        weir__buf_init(&bufs[i], WEIR__IETF_FIELD_MAX);
    if (field_of(response, "ratelimit-policy", &bufs[0], &field))
        read_policies(&limits, field);
    if (field_of(response, "ratelimit", &bufs[1], &field))
        read_limits(&limits, field);
    read_single_fields(&limits, response, &bufs[2], now_s);
    for (unsigned i = 0; i < limits.count && told->quota_count < WEIR__QUOTAS_MAX; i++) {
        const struct weir__quota *quota = &limits.quota[i];
        if (quota->limit >= 0 || quota->remaining >= 0 || quota->reset_ms >= 0)
            told->quotas[told->quota_count++] = *quota;
    }
    for (int i = 0; i < 3; i++)
        weir__buf_free(&bufs[i]);
}
