#include "http/secrets.h"

#include <string.h>

#include "base/ascii.h"

/* ---- bytes, by the C locale, whatever the program's is ---- */

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int hex(char c)
{
    if (is_digit(c))
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

const char *weir__percent_decode(const char *text, const char *end, char *c)
{
    *c = *text;
    if (*text != '%' || end - text < 3 || hex(text[1]) < 0 || hex(text[2]) < 0)
        return text + 1;
    *c = (char)(hex(text[1]) << 4 | hex(text[2]));
    return text + 3;
}

/* ---- names ---- */

enum { WORD_MAX = 24 }; /* longer ones are words for nothing secret */

struct part {
    char text[WORD_MAX];
    size_t len;
};

static const char *const words[] = {
    "key",
    "keys",
    "apikey",
    "apikeys",
    "accesskey",
    "secretkey",
    "privatekey",
    "token",
    "accesstoken",
    "refreshtoken",
    "idtoken",
    "authtoken",
    "apitoken",
    "sessiontoken",
    "auth",
    "authorization",
    "authentication",
    "bearer",
    "jwt",
    "cookie",
    "cookies",
    "secret",
    "secrets",
    "clientsecret",
    "apisecret",
    "password",
    "passwords",
    "passwd",
    "passphrase",
    "pass",
    "pwd",
    "pat",
    "otp",
    "assertion",
    "sig",
    "signature",
    "credential",
    "credentials",
    "session",
    "sessionid",
    NULL,
};

static bool is_secret(const struct part *part)
{
    size_t len = part->len;
    while (len > 0 && len < WORD_MAX && is_digit(part->text[len - 1])) /* token1 */
        len--;
    if (len == 0 || len == WORD_MAX)
        return false;
    for (const char *const *word = words; *word != NULL; word++) {
        bool like = **word == (part->text[0] | 0x20);
        if (like && strlen(*word) == len && weir__ascii_same(*word, part->text, len))
            return true;
    }
    return false;
}

/* Whether a part ends before c: api|Key, API|Key. But OAuth is one word. */
static bool turns(const struct part *part, char before, char c, char behind)
{
    if (part->len == 0 || !is_upper(c))
        return false;
    bool oauth = part->len == 1 && before == 'O' && c == 'A';
    return is_lower(before) || (is_upper(before) && is_lower(behind) && !oauth);
}

bool weir__secret_name(const char *name, size_t len)
{
    const char *end = name + len;
    struct part part = {.len = 0};
    char before = '\0', c, behind;
    while (name < end) {
        name = weir__percent_decode(name, end, &c);
        behind = '\0';
        if (name < end)
            weir__percent_decode(name, end, &behind);
        bool word = is_lower(c) || is_upper(c) || is_digit(c);
        if (!word || turns(&part, before, c, behind)) {
            if (is_secret(&part))
                return true;
            part.len = 0;
        }
        if (word && part.len < WORD_MAX)
            part.text[part.len++] = c;
        before = c;
    }
    return is_secret(&part);
}

/* ---- where known values stand ---- */

typedef void (*see_fn)(const char *value, const char *end, void *arg);

static const char *find_any(const char *text, const char *end, const char *characters)
{
    while (text < end && (*text == '\0' || strchr(characters, *text) == NULL))
        text++;
    return text;
}

static const char *behind_any(const char *text, const char *end, const char *characters)
{
    while (text < end && *text != '\0' && strchr(characters, *text) != NULL)
        text++;
    return text;
}

/* A word of a header's value: a token, of which base64 may end in '='; or a parameter. */
static void see_word(const char *word, const char *end, bool cookie, see_fn see, void *arg)
{
    const char *equals = find_any(word, end, "="), *value = behind_any(equals, end, "=\"");
    if (value == end) {
        see(word, end, arg);
        return;
    }
    if (cookie || weir__secret_name(word, (size_t)(equals - word)))
        see(value, end[-1] == '"' ? end - 1 : end, arg);
}

static void see_header(const char *line, see_fn see, void *arg)
{
    static const char idempotency[] = "Idempotency-Key"; /* is no secret, but may be a common id */
    const char *end = line + strlen(line), *colon = find_any(line, end, ":");
    size_t name_len = (size_t)(colon - line);
    bool public =
        name_len == sizeof idempotency - 1 && weir__ascii_same(line, idempotency, name_len);
    if (colon == end || public || !weir__secret_name(line, name_len))
        return;
    const char *value = behind_any(colon + 1, end, " \t");
    bool cookie = weir__ascii_same(line, "cookie", 6);
    see(value, end, arg);
    see(behind_any(find_any(value, end, " \t"), end, " \t"), end, arg); /* "Bearer TOKEN" */
    while (value < end) { /* "Digest a=b, c=d", "a=b; c=d" */
        const char *stop = find_any(value, end, cookie ? " \t;" : " \t,");
        see_word(value, stop, cookie, see, arg);
        value = behind_any(stop, end, " \t;,");
    }
}

static void see_query(const char *query, const char *end, see_fn see, void *arg)
{
    while (query < end) {
        const char *stop = find_any(query + 1, end, "&;#");
        const char *equals = find_any(query + 1, stop, "=");
        if (equals < stop && weir__secret_name(query + 1, (size_t)(equals - query - 1)))
            see(equals + 1, stop, arg);
        query = stop;
    }
}

/* The scheme of a proxy may be missing. */
static void see_url(const char *url, bool proxy, see_fn see, void *arg)
{
    const char *end = url + strlen(url), *scheme = strstr(url, "://");
    const char *user = scheme != NULL ? scheme + 3 : url;
    const char *stop = find_any(user, end, "/?#");
    const char *at = memrchr(user, '@', (size_t)(stop - user));
    if (at != NULL && (proxy || scheme != NULL)) {
        const char *colon = find_any(user, at, ":");
        see(user, colon, arg);
        if (colon < at)
            see(colon + 1, at, arg);
    }
    see_query(find_any(url, end, "?#"), end, see, arg);
}

static void see_each(const struct weir__secrets *secrets, see_fn see, void *arg)
{
    for (; secrets != NULL; secrets = secrets->more) {
        const char *const *line = secrets->headers;
        for (; line != NULL && *line != NULL; line++)
            see_header(*line, see, arg);
        if (secrets->url != NULL)
            see_url(secrets->url, false, see, arg);
        if (secrets->proxy != NULL)
            see_url(secrets->proxy, true, see, arg);
    }
}

/* ---- finding them ---- */

static unsigned hash(char first, char second)
{
    return ((unsigned char)first * 31U + (unsigned char)second) & 255;
}

static size_t decoded_len(const char *text, const char *end)
{
    size_t len = 0;
    char c;
    for (; text < end; len++)
        text = weir__percent_decode(text, end, &c);
    return len;
}

static void note_begin(const char *value, const char *end, void *arg)
{
    struct weir__known *known = arg;
    char first, second;
    if (decoded_len(value, end) < WEIR__SECRET_MIN)
        return;
    value = weir__percent_decode(value, end, &first);
    weir__percent_decode(value, end, &second);
    unsigned at = hash(first, second);
    known->begins[at / 64] |= UINT64_C(1) << at % 64;
}

void weir__known_init(struct weir__known *known, const struct weir__secrets *secrets)
{
    *known = (struct weir__known){.secrets = secrets};
    see_each(secrets, note_begin, known);
}

struct match {
    const char *text, *end;
    size_t len; /* the longest */
};

/* A value that others cut off, or that the text's end does, counts if most of it stands there. */
static void match(const char *value, const char *value_end, void *arg)
{
    struct match *match = arg;
    const char *text = match->text;
    size_t want = decoded_len(value, value_end), same = 0;
    if (want < WEIR__SECRET_MIN)
        return;
    while (text < match->end && value < value_end) {
        char a, b;
        const char *next = weir__percent_decode(text, match->end, &a);
        value = weir__percent_decode(value, value_end, &b);
        if (a != b)
            break;
        text = next;
        same++;
    }
    bool most = same >= (size_t)2 * WEIR__SECRET_MIN && same >= want / 2;
    bool cut = text == match->end && same >= WEIR__SECRET_MIN;
    if ((same == want || most || cut) && (size_t)(text - match->text) > match->len)
        match->len = (size_t)(text - match->text);
}

size_t weir__known_at(const struct weir__known *known, const char *text, const char *end)
{
    struct match found = {.text = text, .end = end};
    char first, second = '\0';
    if (known->secrets == NULL || text == end)
        return 0;
    text = weir__percent_decode(text, end, &first);
    if (text == end)
        return 0;
    weir__percent_decode(text, end, &second);
    unsigned at = hash(first, second);
    if ((known->begins[at / 64] >> at % 64 & 1) != 0)
        see_each(known->secrets, match, &found);
    return found.len;
}
