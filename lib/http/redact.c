#include "http/redact.h"

#include <string.h>

#include "base/ascii.h"

/* By the C locale, whatever the program's is. */
static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_word(char c)
{
    return is_lower(c) || is_upper(c) || (c >= '0' && c <= '9');
}

static bool is_name(char c)
{
    return is_word(c) || c == '-' || c == '_' || c == '.';
}

/* ---- names ---- */

static bool is_one_of(const char *const *words, const char *text, size_t len)
{
    for (; *words != NULL; words++) {
        if (strlen(*words) == len && weir__ascii_same(*words, text, len))
            return true;
    }
    return false;
}

static bool secret_part(const char *part, size_t len)
{
    static const char *const words[] = {
        "key",       "apikey",       "token",        "accesstoken", "auth",        "authorization",
        "cookie",    "cookies",      "secret",       "password",    "passwd",      "passphrase",
        "pwd",       "sig",          "signature",    "credential",  "credentials", "session",
        "sessionid", "clientsecret", "refreshtoken", "idtoken",     "authtoken",   NULL};
    return is_one_of(words, part, len);
}

bool weir__secret_name(const char *name, size_t len)
{
    size_t begin = 0;
    for (size_t i = 0; i <= len; i++) {
        bool turn = i > 0 && i < len && is_upper(name[i]) && is_lower(name[i - 1]); /* apiKey */
        if (i < len && is_word(name[i]) && !turn)
            continue;
        if (secret_part(name + begin, i - begin))
            return true;
        begin = turn ? i : i + 1;
    }
    return false;
}

/* ---- copying ---- */

struct copy {
    char *to;
    size_t len, room; /* room for the NUL is kept apart */
};

static void put(struct copy *copy, char c)
{
    unsigned char byte = (unsigned char)c;
    if (copy->len < copy->room)
        copy->to[copy->len++] = byte < 0x20 || byte == 0x7f ? '?' : c;
}

static void put_range(struct copy *copy, const char *from, const char *to)
{
    while (from < to)
        put(copy, *from++);
}

static void put_stars(struct copy *copy)
{
    for (int i = 0; i < 3; i++)
        put(copy, '*');
}

/* The first of the characters in [text, end), or end. */
static const char *find_any(const char *text, const char *end, const char *characters)
{
    while (text < end && (*text == '\0' || strchr(characters, *text) == NULL))
        text++;
    return text;
}

/* ---- what is secret ---- */

/* Copies the "user:password@" and the host that stand at `text`. Returns what is behind. */
static const char *copy_authority(struct copy *copy, const char *text, const char *end)
{
    const char *host_end = find_any(text, end, " \t\r\n\"'<>()/?#");
    const char *at = memrchr(text, '@', (size_t)(host_end - text));
    if (at != NULL) {
        put_stars(copy);
        text = at;
    }
    put_range(copy, text, host_end);
    return host_end;
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

/* The value that belongs to the name in [name, name_end) when that is followed by '=', or ':' with
 * blanks; NULL when there is none. *value_end is its end. */
static const char *value_of(const char *name_end, const char *end, const char **value_end)
{
    const char *at = name_end;
    if (at < end && (*at == '"' || *at == '\'')) /* of a JSON member's name */
        at++;
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    if (at == end || (*at != '=' && *at != ':'))
        return NULL;
    bool form = *at++ == '=';
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    if (at < end && (*at == '"' || *at == '\'')) {
        *value_end = quote_end(at + 1, end, *at);
        return at + 1;
    }
    *value_end = find_any(at, end, form ? "&; \t\r\n\"'<>,#" : "\r\n");
    return at;
}

/* What follows the name of a scheme of authentication is its secret. */
static const char *credentials_of(const char *name, const char *name_end, const char *end,
                                  const char **value_end)
{
    static const char *const schemes[] = {"bearer", "basic", NULL};
    const char *at = name_end;
    if (!is_one_of(schemes, name, (size_t)(name_end - name)))
        return NULL;
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    *value_end = find_any(at, end, " \t\r\n\"'<>,;");
    return at > name_end && *value_end > at ? at : NULL;
}

/* Copies the name at `text` and, if it is a secret's, replaces its value. Returns what is behind.
 */
static const char *copy_name(struct copy *copy, const char *text, const char *end)
{
    const char *name_end = text, *value_end = NULL, *value = NULL;
    while (name_end < end && is_name(*name_end))
        name_end++;
    if (end - name_end >= 3 && memcmp(name_end, "://", 3) == 0) {
        put_range(copy, text, name_end + 3);
        return copy_authority(copy, name_end + 3, end);
    }
    if (weir__secret_name(text, (size_t)(name_end - text)))
        value = value_of(name_end, end, &value_end);
    if (value == NULL)
        value = credentials_of(text, name_end, end, &value_end);
    if (value == NULL) {
        put_range(copy, text, name_end);
        return name_end;
    }
    put_range(copy, text, value);
    if (value < value_end)
        put_stars(copy);
    return value_end;
}

size_t weir__redact(char *to, size_t room, const char *text, size_t len)
{
    const char *end = text + len;
    struct copy copy = {.to = to, .room = room - 1};
    bool word = true; /* a new one begins here */
    while (text < end && copy.len < copy.room) {
        char c = *text;
        if (word && is_user(text, end))
            text = copy_authority(&copy, text, end);
        else if (is_name(c))
            text = copy_name(&copy, text, end);
        else
            put(&copy, *text++);
        word = find_any(&c, &c + 1, " \t\r\n\"'<>()") == &c;
    }
    to[copy.len] = '\0';
    return copy.len;
}
