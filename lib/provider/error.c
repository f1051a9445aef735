#include "provider/error.h"

#include <weir/jansson.h>

#include "policy/duration.h"
#include "json/path.h"
#include "json/scan.h"

#define MINUTE_MS INT64_C(60000)

enum match {
    IS,     /* a string equals the text, whatever its case */
    HAS,    /* a string contains the text */
    NUMBER, /* an integer lies between low and high */
};

/* The status that a rule is for, besides HTTP's own numbers. */
enum { ANY = 0, SUCCESS = 2 };

/* One fact about error bodies. A path is of keys, "*" stands for each member of an array. */
struct rule {
    const char *path;
    enum match match;
    const char *text;
    int low, high;
    int status;
    enum weir__verdict verdict;
    bool throttled;
    int64_t wait_ms; /* documented, for want of a better one; 0: none */
    const char *cause;
};

#define FINAL(what) .verdict = WEIR__VERDICT_FINAL, .cause = (what)
#define TOO_FAST    .verdict = WEIR__VERDICT_RETRY, .throttled = true
#define AGAIN(what) .verdict = WEIR__VERDICT_RETRY, .cause = (what)

/* The first one that fits counts. Never match "billing": ordinary messages about limits link to the
 * page of that name. A type "credit_limit" (Together) is an ordinary limit, so it has no rule. */
static const struct rule rules[] = {
    /* OpenAI */
    {"error.code", IS, "insufficient_quota", FINAL("quota exhausted")},
    {"error.type", IS, "insufficient_quota", FINAL("quota exhausted")},
    {"error.code", IS, "credit_balance_exhausted", FINAL("credit exhausted")},
    {"error.code", IS, "organization_spend_limit_exceeded", FINAL("spend limit reached")},
    {"error.code", IS, "project_spend_limit_exceeded", FINAL("spend limit reached")},
    {"error.code", IS, "organization_usage_limit_exceeded", FINAL("usage limit reached")},
    /* Groq: larger than the limit per minute */
    {"error.code", IS, "rate_limit_exceeded", .status = 413,
     FINAL("request larger than the limit")},
    /* Anthropic */
    {"error.details.error_code", IS, "enforced_spend_limit_reached", FINAL("spend limit reached")},
    {"error.details.error_code", IS, "contract_spend_limit_reached", FINAL("spend limit reached")},
    {"error.details.error_code", IS, "ramp_limit_exceeded", TOO_FAST},
    {"error.message", HAS, "credit balance is too low", .status = 400, FINAL("credit exhausted")},
    {"error.type", IS, "overloaded_error", AGAIN("overloaded")},
    /* Gemini */
    {"error.details.*.violations.*.quotaId", HAS, "PerDay", FINAL("daily quota exhausted")},
    {"error.details.*.violations.*.quotaId", HAS, "PerMinute", TOO_FAST, .wait_ms = MINUTE_MS},
    {"error.status", IS, "CANCELLED", .status = 499, AGAIN("cancelled by the server")},
    /* Cohere's trial keys */
    {"message", HAS, "/ month", .status = 429, FINAL("monthly quota exhausted")},
    {"message", HAS, "/ minute", .status = 429, TOO_FAST},
    /* GitHub */
    {"message", HAS, "secondary rate limit", .status = 403, TOO_FAST, .wait_ms = MINUTE_MS},
    {"message", HAS, "secondary rate limit", .status = 429, TOO_FAST, .wait_ms = MINUTE_MS},
    /* Slack, also with status 200 */
    {"error", IS, "ratelimited", TOO_FAST},
    /* OpenRouter: the status stands in the body alone */
    {"error.code", NUMBER, .low = 429, .high = 429, .status = SUCCESS, TOO_FAST},
    {"error.code", NUMBER, .low = 408, .high = 408, .status = SUCCESS,
     AGAIN("timed out behind the gateway")},
    {"error.code", NUMBER, .low = 500, .high = 599, .status = SUCCESS,
     AGAIN("failed behind the gateway")},
    {"error.code", NUMBER, .low = 400, .high = 499, .status = SUCCESS,
     FINAL("refused behind the gateway")},
    /* Errors in streams, whose status was sent before them */
    {"error.type", IS, "rate_limit_error", .status = SUCCESS, TOO_FAST},
    {"error.code", IS, "rate_limit_exceeded", .status = SUCCESS, TOO_FAST},
    {"error.type", IS, "api_error", .status = SUCCESS, AGAIN("failed on the server")},
    {"error.type", IS, "server_error", .status = SUCCESS, AGAIN("failed on the server")},
    {"error.type", IS, "timeout_error", .status = SUCCESS, AGAIN("timed out on the server")},
    {"error.type", IS, "invalid_request_error", .status = SUCCESS, FINAL("refused as invalid")},
    {"error.type", IS, "authentication_error", .status = SUCCESS, FINAL("key not accepted")},
    {"error.type", IS, "permission_error", .status = SUCCESS, FINAL("not permitted")},
    {"error.type", IS, "not_found_error", .status = SUCCESS, FINAL("not found")},
};

/* What a status says that has a meaning by custom alone, whatever the body is. */
static const struct rule statuses[] = {
    {.status = 402, FINAL("payment required")}, /* OpenRouter, Together, Hugging Face: credits */
    {.status = 529, AGAIN("overloaded")},       /* Anthropic */
};

/* Waits that bodies name, by precedence. */
static const struct {
    const char *path;
    enum form { DURATION, WORDS, SECONDS } form;
} waits[] = {
    {"error.details.*.retryDelay", DURATION},               /* Gemini */
    {"error.details.*.metadata.quotaResetDelay", DURATION}, /* Gemini */
    {"retry_after", SECONDS},                               /* Discord */
    {"error.message", WORDS},                               /* OpenAI, Azure, Groq, Gemini */
    {"message", WORDS},
    {"error", WORDS},
};

/* ---- rules ---- */

static bool contains(const char *text, size_t len, const char *part)
{
    return memmem(text, len, part, strlen(part)) != NULL;
}

static bool fits(json_t *value, void *arg)
{
    const struct rule *rule = arg;
    if (rule->match == NUMBER) {
        json_int_t number = json_integer_value(value); /* 0 for what is none */
        return number >= rule->low && number <= rule->high;
    }
    const char *text = json_string_value(value);
    if (text == NULL)
        return false;
    size_t len = json_string_length(value);
    return rule->match == IS ? weir__span_is((struct weir__span){text, text + len}, rule->text)
                             : contains(text, len, rule->text);
}

static bool status_fits(const struct rule *rule, int status)
{
    return rule->status == ANY || rule->status == status ||
           (rule->status == SUCCESS && status >= 200 && status <= 299);
}

static void apply(const struct rule *rule, struct weir__error *error)
{
    error->verdict = rule->verdict;
    error->throttled = rule->throttled;
    error->cause = rule->cause;
    error->fallback_ms = rule->wait_ms > 0 ? rule->wait_ms : -1;
}

static void apply_rules(json_t *tree, int status, struct weir__error *error)
{
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        struct rule rule = rules[i];
        if (status_fits(&rule, status) && weir__json_each_at(tree, rule.path, fits, &rule)) {
            apply(&rule, error);
            return;
        }
    }
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        if (status_fits(&statuses[i], status))
            apply(&statuses[i], error);
    }
}

/* ---- waits ---- */

struct wait {
    enum form form;
    int64_t ms;
};

static int64_t seconds_ms(const json_t *value)
{
    double most_s = (double)WEIR__LONGEST_MS / 1000;
    double seconds = json_number_value(value); /* 0 for what is none */
    if (!(seconds > 0))
        return -1;
    if (seconds >= most_s)
        return WEIR__LONGEST_MS;
    int64_t ms = (int64_t)(seconds * 1000);
    return ms + ((double)ms < seconds * 1000);
}

static bool read_wait(json_t *value, void *arg)
{
    struct wait *wait = arg;
    const char *text = json_string_value(value);
    size_t len = json_string_length(value);
    if (wait->form == SECONDS)
        wait->ms = seconds_ms(value);
    else if (text != NULL && wait->form == DURATION)
        wait->ms = weir__duration_ms(text, len);
    else if (text != NULL)
        wait->ms = weir__wait_in_words_ms(text, len);
    return wait->ms > 0;
}

static int64_t wait_of(json_t *tree)
{
    for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
        struct wait wait = {waits[i].form, -1};
        if (weir__json_each_at(tree, waits[i].path, read_wait, &wait))
            return wait.ms;
    }
    return -1;
}

void weir__error_read(json_t *tree, int status, struct weir__error *error)
{
    *error = (struct weir__error){.wait_ms = -1, .fallback_ms = -1};
    apply_rules(tree, status, error);
    error->wait_ms = wait_of(tree);
}

/* ---- the tree ---- */

static bool begins_as_error(const char *text, size_t len)
{
    static const char *const beginnings[] = {"{\"error\":", "[{\"error\":", "{\"ok\":false",
                                             "{\"type\":\"error\"", "{\"object\":\"error\""};
    char dense[24]; /* the beginning without white space */
    size_t n = 0;
    weir__json_skip_mark(&text, &len);
    for (size_t i = 0; i < len && i < 256 && n < sizeof dense; i++) {
        char c = text[i];
        if (c != ' ' && c != '\t' && c != '\r' && c != '\n')
            dense[n++] = c;
        if (n == 4 && memchr("eot\"", dense[2], 4) == NULL)
            return false; /* most answers: on the way of every request */
    }
    for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++) {
        size_t size = strlen(beginnings[i]);
        if (n >= size && memcmp(dense, beginnings[i], size) == 0)
            return true;
    }
    return false;
}

int weir__error_parse(const char *text, size_t len, json_t **tree, struct weir_json_error *error)
{
    int rc = weir_jansson_parse(text, len, tree, error);
    if (rc == 0 && json_is_array(*tree)) {
        json_t *first = json_incref(json_array_get(*tree, 0));
        json_decref(*tree);
        *tree = first;
    }
    return rc;
}

json_t *weir__error_tree(const weir_response *response)
{
    const char *text = weir_response_body(response);
    size_t len = weir_response_body_len(response);
    json_t *tree;
    if (len == 0 || len > WEIR__ERROR_BODY_MAX)
        return NULL;
    if (weir_response_status(response) < 400 && !begins_as_error(text, len))
        return NULL;
    return weir__error_parse(text, len, &tree, NULL) == 0 ? tree : NULL;
}

void weir__error_headers(const json_t *tree, struct weir__heard *heard)
{
    const json_t *error = json_object_get(tree, "error");
    json_t *headers = json_object_get(json_object_get(error, "metadata"), "headers");
    const char *name;
    json_t *value;
    json_object_foreach(headers, name, value)
    {
        if (json_is_string(value))
            weir__heard_add(heard, name, strlen(name), json_string_value(value),
                            json_string_length(value));
    }
}
