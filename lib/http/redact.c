#include "http/redact.h"

#include <string.h>

#include "base/ascii.h"

/* Nobody reads more of one text, and a server may send what is dear to look through. */
enum { TEXT_MAX = 4 << 10 };

static bool is_name(char c)
{
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); /* of the C locale */
    return letter || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

/* ---- copying ---- */

struct copy {
    char *to;
    size_t len, room; /* room for the NUL is kept apart */
    const char *end;  /* of the text */
    bool query;       /* the text is within a URL's query, or behind it */
    struct weir__known known;
};

static void put(struct copy *copy, char c)
{
    unsigned char byte = (unsigned char)c;
    if (c == '?' || c == '&' || c == '#')
        copy->query = true;
    else if (byte <= ' ')
        copy->query = false;
    if (copy->len < copy->room)
        copy->to[copy->len++] = byte < 0x20 || byte == 0x7f ? '?' : c;
}

static void put_stars(struct copy *copy)
{
    for (int i = 0; i < 3; i++)
        put(copy, '*');
}

/* Returns what is behind, which may be beyond `to`: a known value reaches as far as it does. */
static const char *put_range(struct copy *copy, const char *from, const char *to)
{
    while (from < to) {
        size_t known = weir__known_at(&copy->known, from, copy->end);
        if (known > 0)
            put_stars(copy);
        else
            put(copy, *from);
        from += known > 0 ? known : 1;
    }
    return from;
}

/* The same, for what is replaced as a whole. */
static const char *hide_range(struct copy *copy, const char *from, const char *to)
{
    if (from < to)
        put_stars(copy);
    while (from < to) {
        size_t known = weir__known_at(&copy->known, from, copy->end);
        from += known > 0 ? known : 1;
    }
    return from;
}

/* The first of the characters in [text, end), or end. */
static const char *find_any(const char *text, const char *end, const char *characters)
{
    while (text < end && (*text == '\0' || strchr(characters, *text) == NULL))
        text++;
    return text;
}

/* The same where they may be percent-encoded, too. */
static const char *find_any_decoded(const char *text, const char *end, const char *characters)
{
    while (text < end) {
        char c;
        const char *next = weir__percent_decode(text, end, &c);
        if (c != '\0' && strchr(characters, c) != NULL)
            return text;
        text = next;
    }
    return end;
}

/* What is behind the character at `text`, percent-encoded or not, if it is one of those; else NULL.
 */
static const char *behind_one(const char *text, const char *end, const char *characters)
{
    char c;
    if (text == end)
        return NULL;
    const char *next = weir__percent_decode(text, end, &c);
    return c != '\0' && strchr(characters, c) != NULL ? next : NULL;
}

static const char *behind_blanks(const char *text, const char *end)
{
    while (text < end && (*text == ' ' || *text == '\t'))
        text++;
    return text;
}

/* ---- what is secret ---- */

/* Copies the "user:password@" and the host that stand at `text`. Returns what is behind. */
static const char *copy_authority(struct copy *copy, const char *text)
{
    const char *user_end = find_any(text, copy->end, " \t\r\n\"<>/?#"); /* "'()" may be in it */
    const char *at = memrchr(text, '@', (size_t)(user_end - text));
    if (at != NULL)
        text = hide_range(copy, text, at);
    return put_range(copy, text, find_any(text, copy->end, " \t\r\n\"'<>()/?#"));
}

/* Whether "user:password@" stands at `text`, without a scheme before it. Mail addresses have no
 * colon. */
static bool is_user(const char *text, const char *end)
{
    const char *stop = find_any(text, end, " \t\r\n\"'<>()/?#");
    const char *at = memrchr(text, '@', (size_t)(stop - text));
    return at != NULL && memchr(text, ':', (size_t)(at - text)) != NULL;
}

static const char *quote_end(const char *text, const char *end, char quote)
{
    while (text < end && *text != quote && *text != '\n')
        text += *text == '\\' && text + 1 < end ? 2 : 1;
    return text;
}

/* The value that belongs to the name before `at` when that is followed by '=', or ':' with blanks;
 * NULL when there is none. *value_end is its end. */
static const char *value_of(const struct copy *copy, const char *at, const char **value_end)
{
    const char *end = copy->end;
    const char *quote = behind_one(at, end, "\"'"); /* of a JSON member's name */
    at = behind_blanks(quote != NULL ? quote : at, end);
    const char *equals = behind_one(at, end, "="), *value = behind_one(at, end, "=:");
    if (value == NULL)
        return NULL;
    bool nested = value - at > 1; /* in a URL or JSON that is a query's value */
    at = behind_blanks(value, end);
    quote = behind_one(at, end, "\"'");
    if (nested) {
        at = quote != NULL ? quote : at;
        *value_end = find_any_decoded(at, end, "&;# \t\r\n\"'");
    } else if (equals != NULL && copy->query) {
        *value_end = find_any(at, end, "&;# \t\r\n");
    } else if (quote == at + 1) {
        *value_end = quote_end(quote, end, *at);
        return quote;
    } else {
        *value_end = find_any(at, end, equals != NULL ? "&; \t\r\n\"," : "\r\n");
    }
    return at;
}

/* What follows the name of a scheme of authentication is its secret. */
static const char *credentials_of(const char *name, const char *name_end, const char *end,
                                  const char **value_end)
{
    const char *at = name_end, *next;
    size_t len = (size_t)(name_end - name);
    bool scheme = (len == 6 && weir__ascii_same(name, "bearer", len)) ||
                  (len == 5 && weir__ascii_same(name, "basic", len));
    if (!scheme)
        return NULL;
    while ((next = behind_one(at, end, " \t+")) != NULL)
        at = next;
    *value_end = find_any(at, end, " \t\r\n\"'<>,;&");
    return at > name_end && *value_end > at ? at : NULL;
}

/* What is behind the character of a name at `text`, percent-encoded or not; NULL: it is none. */
static const char *behind_name_char(const char *text, const char *end)
{
    char c;
    if (text == end)
        return NULL;
    const char *next = weir__percent_decode(text, end, &c);
    return is_name(c) ? next : NULL;
}

static const char *behind_word(const char *text, const char *end)
{
    for (const char *next = text; next != NULL; next = behind_name_char(text, end))
        text = next;
    return text;
}

/* "name", "name[member]", "name[]". */
static const char *behind_name(const char *text, const char *end)
{
    text = behind_word(text, end);
    for (;;) {
        const char *open = behind_one(text, end, "[");
        const char *close = open != NULL ? behind_one(behind_word(open, end), end, "]") : NULL;
        if (close == NULL)
            return text;
        text = close;
    }
}

/* Copies the name at `text` and, if it is a secret's, replaces its value. Returns what is behind.
 */
static const char *copy_name(struct copy *copy, const char *text)
{
    const char *end = copy->end, *value = NULL, *value_end = NULL;
    const char *name_end = behind_name(text, end);
    if (end - name_end >= 3 && memcmp(name_end, "://", 3) == 0) {
        const char *host = put_range(copy, text, name_end + 3);
        return host == name_end + 3 ? copy_authority(copy, host) : host;
    }
    if (weir__secret_name(text, (size_t)(name_end - text)))
        value = value_of(copy, name_end, &value_end);
    if (value == NULL)
        value = credentials_of(text, name_end, end, &value_end);
    if (value == NULL)
        return put_range(copy, text, name_end);
    text = put_range(copy, text, value);
    return hide_range(copy, text, value_end);
}

size_t weir__redact(char *to, size_t room, const char *text, size_t len,
                    const struct weir__secrets *secrets)
{
    const char *end = text + (len < TEXT_MAX ? len : TEXT_MAX);
    struct copy copy = {.to = to, .room = room - 1, .end = end};
    bool word = true; /* a new one begins here */
    weir__known_init(&copy.known, secrets);
    while (text < end && copy.len < copy.room) {
        char c = *text, decoded;
        if (weir__known_at(&copy.known, text, end) > 0)
            text = put_range(&copy, text, text + 1);
        else if (word && is_user(text, end))
            text = copy_authority(&copy, text);
        else if (behind_name_char(text, end) != NULL)
            text = copy_name(&copy, text);
        else
            text = put_range(&copy, text, weir__percent_decode(text, end, &decoded));
        word = find_any(&c, &c + 1, " \t\r\n\"'<>()") == &c;
    }
    to[copy.len] = '\0';
    return copy.len;
}
