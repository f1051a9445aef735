#include "rawjson.h"

#include <stdint.h>
#include <string.h>

#include <jansson.h>

#include "utf8.h"

struct scan {
    const char *at, *end;
    const char *what; /* is wrong at `at`; NULL: nothing yet */
    unsigned depth;
    uint64_t is_object[RAWJSON_DEPTH_MAX / 64]; /* a bit per level; the others are arrays */
};

static bool refuse(struct scan *scan, const char *what)
{
    scan->what = what;
    return false;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void skip_space(struct scan *scan)
{
    while (scan->at < scan->end && is_space(*scan->at))
        scan->at++;
}

static bool take(struct scan *scan, char c)
{
    if (scan->at == scan->end || *scan->at != c)
        return false;
    scan->at++;
    return true;
}

/* --- strings, numbers, words -------------------------------------------------------------- */

static bool check_hex4(struct scan *scan)
{
    for (int i = 0; i < 4; i++) {
        if (scan->at == scan->end || strchr("0123456789abcdefABCDEF", *scan->at) == NULL ||
            *scan->at == '\0')
            return refuse(scan, "expected four hexadecimal digits");
        scan->at++;
    }
    return true;
}

static bool check_escape(struct scan *scan)
{
    scan->at++;
    if (take(scan, 'u'))
        return check_hex4(scan);
    if (scan->at == scan->end || *scan->at == '\0' || strchr("\"\\/bfnrt", *scan->at) == NULL)
        return refuse(scan, "unknown escape in a string");
    scan->at++;
    return true;
}

static bool check_unusual(struct scan *scan)
{
    uint32_t point;
    if (*scan->at == '\\')
        return check_escape(scan);
    if ((unsigned char)*scan->at < 0x20)
        return refuse(scan, "control character in a string");
    size_t len = utf8_next(scan->at, scan->end, &point);
    if (len == 0)
        return refuse(scan, RAWJSON_NOT_UTF8);
    scan->at += len;
    return true;
}

static bool is_plain(char c)
{
    return (signed char)c >= 0x20 && c != '"' && c != '\\';
}

/* Passes over plain bytes eight at a time. Less than 0x20, or equal to a value, shows as a borrow
 * into the high bit (S. Anderson, Bit Twiddling Hacks); bytes of 0x80 and more show it anyway. */
static void skip_plain_words(struct scan *scan)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones * 0x80;
    uint64_t word;
    while (scan->end - scan->at >= (ptrdiff_t)sizeof word) {
        memcpy(&word, scan->at, sizeof word);
        uint64_t control = word - ones * 0x20;
        uint64_t quote = (word ^ ones * '"') - ones, escape = (word ^ ones * '\\') - ones;
        uint64_t unusual = (word | control | quote | escape) & highs;
        if (unusual != 0) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
            scan->at += __builtin_ctzll(unusual) / 8; /* borrows only run upwards from it */
#endif
            return;
        }
        scan->at += sizeof word;
    }
}

static bool check_string(struct scan *scan)
{
    scan->at++;
    for (;;) {
        skip_plain_words(scan);
        while (scan->at < scan->end && is_plain(*scan->at))
            scan->at++;
        if (scan->at == scan->end)
            return refuse(scan, "a string has no end");
        if (take(scan, '"'))
            return true;
        if (!check_unusual(scan))
            return false;
    }
}

static bool check_digits(struct scan *scan)
{
    if (scan->at == scan->end || !is_digit(*scan->at))
        return refuse(scan, "expected a digit");
    while (scan->at < scan->end && is_digit(*scan->at))
        scan->at++;
    return true;
}

static bool check_number(struct scan *scan)
{
    take(scan, '-');
    if (!take(scan, '0') && !check_digits(scan))
        return false;
    if (take(scan, '.') && !check_digits(scan))
        return false;
    if (take(scan, 'e') || take(scan, 'E')) {
        if (!take(scan, '+'))
            take(scan, '-');
        return check_digits(scan);
    }
    return true;
}

static bool check_word(struct scan *scan, const char *word)
{
    size_t len = strlen(word);
    if ((size_t)(scan->end - scan->at) < len || memcmp(scan->at, word, len) != 0)
        return refuse(scan, "expected a value");
    scan->at += len;
    return true;
}

static bool check_scalar(struct scan *scan)
{
    switch (*scan->at) {
    case '"':
        return check_string(scan);
    case 't':
        return check_word(scan, "true");
    case 'f':
        return check_word(scan, "false");
    case 'n':
        return check_word(scan, "null");
    default:
        if (*scan->at != '-' && !is_digit(*scan->at))
            return refuse(scan, "expected a value");
        return check_number(scan);
    }
}

/* --- arrays and objects ------------------------------------------------------------------- */

static bool in_object(const struct scan *scan)
{
    unsigned level = scan->depth - 1;
    return scan->is_object[level / 64] >> level % 64 & 1;
}

static bool enter(struct scan *scan)
{
    unsigned level = scan->depth;
    uint64_t bit = UINT64_C(1) << level % 64;
    if (level == RAWJSON_DEPTH_MAX)
        return refuse(scan, "nested too deep");
    if (*scan->at == '{')
        scan->is_object[level / 64] |= bit;
    else
        scan->is_object[level / 64] &= ~bit;
    scan->at++;
    scan->depth++;
    return true;
}

static bool check_key(struct scan *scan)
{
    skip_space(scan);
    if (scan->at == scan->end || *scan->at != '"')
        return refuse(scan, "expected a key in quotes");
    if (!check_string(scan))
        return false;
    skip_space(scan);
    return take(scan, ':') || refuse(scan, "expected ':'");
}

static bool take_closing(struct scan *scan)
{
    if (!take(scan, in_object(scan) ? '}' : ']'))
        return false;
    scan->depth--;
    return true;
}

/* Behind a value: what encloses it may end, or go on with a further value. */
static bool leave(struct scan *scan)
{
    while (scan->depth > 0) {
        skip_space(scan);
        if (take(scan, ','))
            return !in_object(scan) || check_key(scan);
        if (!take_closing(scan))
            return refuse(scan, in_object(scan) ? "expected ',' or '}'" : "expected ',' or ']'");
    }
    return true;
}

/* A value, or the opening of one with its first key. */
static bool check_beginning(struct scan *scan)
{
    skip_space(scan);
    if (scan->at == scan->end)
        return refuse(scan, "it ends where a value is expected");
    if (*scan->at != '{' && *scan->at != '[')
        return check_scalar(scan) && leave(scan);
    if (!enter(scan))
        return false;
    skip_space(scan);
    if (take_closing(scan))
        return leave(scan);
    return !in_object(scan) || check_key(scan);
}

bool rawjson_check(struct span *span, struct rawjson_fault *fault)
{
    struct scan scan;
    scan.at = span->at;
    scan.end = span->at + span->len;
    scan.what = NULL;
    scan.depth = 0;
    skip_space(&scan);
    const char *begin = scan.at;
    do {
        if (!check_beginning(&scan))
            break;
    } while (scan.depth > 0);
    const char *stop = scan.at;
    skip_space(&scan);
    if (scan.what == NULL && scan.at < scan.end)
        scan.what = "text behind the end of the value";
    if (scan.what == NULL)
        *span = (struct span){begin, (size_t)(stop - begin)};
    else if (fault != NULL)
        *fault = (struct rawjson_fault){scan.what, (size_t)(scan.at - span->at)};
    return scan.what == NULL;
}

/* --- parts of valid JSON ------------------------------------------------------------------ */

/* Behind the quote that ends the string: the first one with an even number of backslashes before.
 */
static const char *string_end(const char *at, const char *end)
{
    const char *quote = at;
    for (;;) {
        quote = memchr(quote + 1, '"', (size_t)(end - quote - 1));
        if (quote == NULL) /* not in valid JSON */
            return end;
        const char *run = quote;
        while (run[-1] == '\\')
            run--;
        if ((quote - run) % 2 == 0)
            return quote + 1;
    }
}

static const char *nested_end(const char *at, const char *end)
{
    size_t depth = 0;
    while (at < end) {
        if (*at == '"') {
            at = string_end(at, end);
            continue;
        }
        if (*at == '{' || *at == '[')
            depth++;
        else if ((*at == '}' || *at == ']') && --depth == 0)
            return at + 1;
        at++;
    }
    return end;
}

static const char *value_end(const char *at, const char *end)
{
    if (*at == '"')
        return string_end(at, end);
    if (*at == '{' || *at == '[')
        return nested_end(at, end);
    while (at < end && !is_space(*at) && *at != ',' && *at != '}')
        at++;
    return at;
}

/* The first byte that is neither white space nor punctuation between members. */
static const char *skip_to_token(const char *at, const char *end)
{
    while (at < end && (is_space(*at) || *at == ',' || *at == ':'))
        at++;
    return at;
}

bool rawjson_member(struct span *rest, struct span *key, struct span *value)
{
    const char *at = rest->at;
    const char *end = rest->at + rest->len;
    if (at == NULL || at == end)
        return false;
    if (*at == '{') /* the object itself: the first call */
        at++;
    else if (*at != ',')
        return false;
    at = skip_to_token(at, end);
    if (at == end || *at != '"')
        return false;
    key->at = at;
    at = string_end(at, end);
    key->len = (size_t)(at - key->at);
    at = skip_to_token(at, end);
    value->at = at;
    at = value_end(at, end);
    value->len = (size_t)(at - value->at);
    while (at < end && is_space(*at))
        at++;
    *rest = (struct span){at, (size_t)(end - at)};
    return true;
}

struct span rawjson_find(struct span object, const char *name)
{
    struct span found = {0};
    struct span key;
    struct span value;
    while (rawjson_member(&object, &key, &value)) {
        if (rawjson_equals(key, name))
            found = value;
    }
    return found;
}

bool rawjson_is_string(struct span value)
{
    return value.at != NULL && *value.at == '"';
}

bool rawjson_is_object(struct span value)
{
    return value.at != NULL && *value.at == '{';
}

bool rawjson_is_null(struct span value)
{
    return value.at != NULL && *value.at == 'n';
}

static bool has_escape(struct span string)
{
    return memchr(string.at, '\\', string.len) != NULL;
}

bool rawjson_equals(struct span string, const char *text)
{
    size_t len = strlen(text);
    if (!has_escape(string))
        return string.len == len + 2 && memcmp(string.at + 1, text, len) == 0;
    json_t *value = json_loadb(string.at, string.len, JSON_DECODE_ANY, NULL);
    bool equal = value != NULL && strcmp(json_string_value(value), text) == 0;
    json_decref(value);
    return equal;
}

bool rawjson_decode(struct span string, char *dst, size_t *len)
{
    if (!has_escape(string)) {
        *len = string.len - 2;
        memmove(dst, string.at + 1, *len);
        return true;
    }
    json_t *value = json_loadb(string.at, string.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    if (value == NULL)
        return false;
    *len = json_string_length(value);
    memcpy(dst, json_string_value(value), *len);
    json_decref(value);
    return true;
}
