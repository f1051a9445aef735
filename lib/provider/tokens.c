/* Tokens before they are counted: what a request's body may cost, and what of that its API takes
 * from the limit in advance. One pass over the text, without a tree. */
#include <weir/tokens.h>

#include "http/header.h"
#include "policy/span.h"
#include "provider/provider.h"
#include "json/scan.h"

/* Text is counted in quarters of a token. Common rules of thumb; OpenAI's cookbook has the two of
 * chats. */
enum {
    PLAIN_QUARTERS = 1, /* a character of prose */
    WIDE_QUARTERS = 6,  /* a Chinese, Japanese or Korean one, an emoji */
    ID_QUARTERS = 4,    /* a number where the prompt may be given as tokens */
    MESSAGE_QUARTERS = 4 * 4,
    CHAT_QUARTERS = 2 * 4,
    MOST_ANSWERS = 128,
};
#define MOST_TOKENS WEIR__NUMBER_LIMIT

/* Which fields of a body's top level are the prompt. */
enum {
    MESSAGES = 1, /* objects right in its array are messages */
    IDS = 2,      /* numbers in it are tokens */
    SCHEMA = 4,   /* all of it is sent to the model: keys, types, numbers */
};
static const struct section {
    const char *key;
    unsigned flags;
} sections[] = {
    {"messages", MESSAGES},    /* OpenAI's chats and most others, Anthropic */
    {"contents", MESSAGES},    /* Gemini */
    {"input", MESSAGES | IDS}, /* OpenAI's responses and embeddings */
    {"prompt", IDS},           /* completions */
    {"system", 0},             /* Anthropic */
    {"instructions", 0},       /* OpenAI's responses */
    {"systemInstruction", 0},  /* Gemini */
    {"system_instruction", 0}, /* Gemini */
    {"inputs", 0},             /* Hugging Face */
    {"message", 0},            /* Cohere */
    {"texts", 0},              /* Cohere's embeddings */
    {"tools", SCHEMA},
    {"functions", SCHEMA},
};

/* Fields inside the prompt whose strings are no text for the model. */
static const char *const silent_keys[] = {
    "role",      "type",     "id",        "tool_call_id", "tool_use_id", "url",       "data",
    "file_data", "mimeType", "mime_type", "media_type",   "detail",      "signature",
};

/* The longest answer, at the top level or (Gemini's generationConfig) one below. */
static const char *const answer_keys[] = {
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "maxOutputTokens",
};
static const char *const count_keys[] = {"n", "candidateCount"};

struct count {
    const char *at, *end;
    unsigned depth;
    const struct section *section;          /* NULL: not the prompt */
    bool silent;                            /* strings behind the last key are not for the model */
    enum { NOTHING, ANSWER, COUNT } number; /* what a number behind the last key is */
    uint64_t quarters, messages, answer, answers;
};

static bool among(struct weir__span word, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (weir__span_len(word) == strlen(words[i]) &&
            memcmp(word.at, words[i], weir__span_len(word)) == 0)
            return true;
    }
    return false;
}
#define AMONG(word, words) among(word, words, sizeof(words) / sizeof(words)[0])

/* ---- characters ---- */

static bool wide(unsigned code)
{
    return (code >= 0x1100 && code <= 0x11FF) || (code >= 0x2E80 && code <= 0xD7FF) ||
           (code >= 0xD800 && code <= 0xDBFF) || /* the first half of one beyond 0xFFFF */
           (code >= 0xF900 && code <= 0xFAFF) || (code >= 0xFF00 && code <= 0xFFEF);
}

static unsigned quarters_of(unsigned code)
{
    if (code >= 0xDC00 && code <= 0xDFFF)
        return 0; /* the second half */
    return wide(code) ? WIDE_QUARTERS : PLAIN_QUARTERS;
}

/* "\u4e2d": the four digits at `at` */
static unsigned escaped_code(const char *at)
{
    unsigned code = 0;
    for (int i = 0; i < 4; i++) {
        char c = at[i];
        code = code * 16 + (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10) % 16;
    }
    return code;
}

/* One character of a string; *at is behind it then. */
static unsigned take_character(const char **at, const char *end)
{
    const unsigned char *c = (const unsigned char *)*at;
    size_t left = (size_t)(end - *at);
    if (c[0] == '\\' && left >= 6 && c[1] == 'u') {
        *at += 6;
        return quarters_of(escaped_code((const char *)c + 2));
    }
    if (c[0] < 0x80) {
        *at += c[0] == '\\' && left >= 2 ? 2 : 1;
        return PLAIN_QUARTERS;
    }
    size_t size = c[0] >= 0xF0 ? 4 : c[0] >= 0xE0 ? 3 : 2;
    if (size > left)
        size = left;
    *at += size;
    if (size == 4)
        return WIDE_QUARTERS;
    if (size == 3)
        return quarters_of((c[0] & 0x0FU) << 12 | (c[1] & 0x3FU) << 6 | (c[2] & 0x3FU));
    return PLAIN_QUARTERS;
}

static uint64_t text_quarters(struct weir__span text)
{
    uint64_t quarters = 0;
    while (text.at < text.end)
        quarters += take_character(&text.at, text.end);
    return quarters;
}

/* ---- the body ---- */

static void on_key(struct count *count, struct weir__span key)
{
    bool schema = count->section != NULL && (count->section->flags & SCHEMA) != 0;
    count->number = NOTHING;
    if (count->depth <= 2 && AMONG(key, answer_keys))
        count->number = ANSWER;
    else if (count->depth <= 2 && AMONG(key, count_keys))
        count->number = COUNT;
    if (count->depth > 1) {
        count->silent = !schema && AMONG(key, silent_keys);
        if (schema)
            count->quarters += text_quarters(key);
        return;
    }
    count->silent = false;
    count->section = NULL;
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++) {
        if (among(key, &sections[i].key, 1))
            count->section = &sections[i];
    }
}

static void on_string(struct count *count)
{
    struct weir__span text = {count->at, weir__json_skip_string(count->at, count->end)};
    count->at = text.end;
    if (text.end > text.at && text.end[-1] == '"')
        text.end--;
    const char *next = count->at;
    while (next < count->end && (*next == ' ' || *next == '\t' || *next == '\n' || *next == '\r'))
        next++;
    if (next < count->end && *next == ':')
        on_key(count, text);
    else if (count->section != NULL && !count->silent)
        count->quarters += text_quarters(text);
}

static void on_number(struct count *count)
{
    struct weir__span in = {count->at - 1, count->end};
    int64_t value;
    bool whole = weir__span_whole(&in, &value);
    while (in.at < in.end && *in.at != '\0' && strchr("0123456789.eE+-", *in.at) != NULL)
        in.at++;
    count->at = in.at;
    if (whole && count->number == ANSWER)
        count->answer = (uint64_t)value;
    else if (whole && count->number == COUNT)
        count->answers = (uint64_t)value;
    else if (count->section != NULL && (count->section->flags & (IDS | SCHEMA)) != 0)
        count->quarters += ID_QUARTERS;
}

static void on_open(struct count *count, char bracket)
{
    count->depth++;
    if (bracket == '{' && count->depth == 3 && count->section != NULL &&
        (count->section->flags & MESSAGES) != 0)
        count->messages++;
}

static void on_close(struct count *count)
{
    count->depth -= count->depth > 0;
    count->silent = false;
    count->number = NOTHING;
}

static void scan(struct count *count)
{
    while (count->at < count->end) {
        char c = *count->at++;
        if (c == '"')
            on_string(count);
        else if (c == '{' || c == '[')
            on_open(count, c);
        else if (c == '}' || c == ']')
            on_close(count);
        else if (c >= '0' && c <= '9')
            on_number(count);
    }
}

static uint64_t at_most(uint64_t value, uint64_t most)
{
    return value < most ? value : most;
}

/* The tokens of the prompt and of the longest answers. */
static void count_body(const char *body, size_t len, uint64_t *prompt, uint64_t *answer)
{
    *prompt = *answer = 0;
    if (body == NULL)
        return;
    weir__json_skip_mark(&body, &len);
    struct count count = {.at = body, .end = body + len, .answers = 1};
    while (count.at < count.end && *count.at != '\0' && strchr(" \t\r\n", *count.at) != NULL)
        count.at++;
    if (count.at == count.end || *count.at != '{')
        return;
    scan(&count);
    uint64_t answers = at_most(count.answers, MOST_ANSWERS);
    uint64_t chat = count.messages > 0 ? CHAT_QUARTERS : 0;
    *prompt = (count.quarters + count.messages * MESSAGE_QUARTERS + chat + 3) / 4;
    *answer = count.answer * (answers > 0 ? answers : 1);
}

uint64_t weir_estimate_tokens(const char *json_body, size_t len)
{
    uint64_t prompt, answer;
    count_body(json_body, len, &prompt, &answer);
    return at_most(prompt + answer, (uint64_t)MOST_TOKENS);
}

/* ---- what is taken in advance ---- */

enum rule { PROMPT_AND_ANSWER, LARGER, PROMPT };

static const struct {
    const char *host;   /* a name begins with "." for all below it; NULL: see header */
    const char *header; /* of the request */
    enum rule rule;
} rules[] = {
    {"api.openai.com", NULL, LARGER}, /* max(max_tokens, estimate) */
    {".openai.azure.com", NULL, PROMPT_AND_ANSWER},
    {"api.anthropic.com", NULL, PROMPT}, /* output counts as it is produced */
    {"generativelanguage.googleapis.com", NULL, PROMPT},
    {NULL, "anthropic-version", PROMPT},
    {NULL, "x-goog-api-key", PROMPT},
    {NULL, "api-key", PROMPT_AND_ANSWER}, /* Azure */
};

static struct weir__span host_of(const char *url)
{
    const char *from = strstr(url, "://");
    from = from != NULL ? from + 3 : url;
    struct weir__span host = {from, from + strcspn(from, "/?#")};
    const char *user = memchr(host.at, '@', weir__span_len(host));
    if (user != NULL)
        host.at = user + 1;
    const char *port = memchr(host.at, ':', weir__span_len(host));
    if (port != NULL)
        host.end = port;
    return host;
}

static bool host_fits(struct weir__span host, const char *name)
{
    size_t len = strlen(name);
    if (name[0] == '.' && weir__span_len(host) > len)
        host.at = host.end - len;
    return weir__span_is(host, name);
}

static enum rule rule_of(const char *url, const char *const *headers)
{
    struct weir__span host = host_of(url != NULL ? url : "");
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        bool fits = rules[i].host != NULL ? host_fits(host, rules[i].host)
                                          : weir__headers_have(headers, rules[i].header);
        if (fits)
            return rules[i].rule;
    }
    return PROMPT_AND_ANSWER;
}

uint64_t weir__provider_reserve(const char *url, const char *const *headers, const char *body,
                                size_t len)
{
    uint64_t prompt, answer;
    count_body(body, len, &prompt, &answer);
    switch (rule_of(url, headers)) {
    case LARGER:
        return at_most(prompt > answer ? prompt : answer, (uint64_t)MOST_TOKENS);
    case PROMPT:
        return at_most(prompt, (uint64_t)MOST_TOKENS);
    default:
        return at_most(prompt + answer, (uint64_t)MOST_TOKENS);
    }
}
