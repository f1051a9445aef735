#include "http/url.h"

#include <curl/curl.h>
#include <stdint.h>
#include <string.h>

#include <weir/err.h>

#include "base/ascii.h"
#include "base/mem.h"

enum { URL_MAX = 64 << 10 };

static bool text_ok(const char *text)
{
    size_t len = strnlen(text, URL_MAX + 1);
    if (len == 0 || len > URL_MAX)
        return false;
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] <= 0x20 || text[i] == 0x7f)
            return false;
    }
    return true;
}

/* libcurl forgives a third slash and takes what follows for the host. */
static bool is_absolute(const char *text)
{
    if (weir__ascii_same(text, "http://", 7))
        return text[7] != '/';
    return weir__ascii_same(text, "https://", 8) && text[8] != '/';
}

/* One part of a URL, in our own memory; NULL where it has none or memory is out. */
static char *part(CURLU *url, CURLUPart what, unsigned flags)
{
    char *text = NULL;
    if (curl_url_get(url, what, &text, flags) != CURLUE_OK)
        return NULL;
    char *copy = weir__strdup(text);
    curl_free(text);
    return copy;
}

static int parse(const char *text, CURLU **out)
{
    CURLU *url = curl_url();
    if (url == NULL)
        return WEIR_ENOMEM;
    CURLUcode rc = curl_url_set(url, CURLUPART_URL, text, 0);
    if (rc == CURLUE_OK) {
        *out = url;
        return 0;
    }
    curl_url_cleanup(url);
    return rc == CURLUE_OUT_OF_MEMORY ? WEIR_ENOMEM : WEIR_EURL;
}

static bool has(CURLU *url, CURLUPart what)
{
    char *text = NULL;
    CURLUcode rc = curl_url_get(url, what, &text, 0);
    curl_free(text);
    return rc == CURLUE_OK;
}

void weir__base_free(struct weir__base *base)
{
    weir__free_secret(base->text);
    weir__free(base->scheme);
    weir__free(base->host);
    weir__free(base->port);
    weir__free_secret(base->known);
    *base = (struct weir__base){.path = ""};
}

int weir__base_init(struct weir__base *base, const char *text)
{
    CURLU *url;
    *base = (struct weir__base){.path = ""};
    if (text == NULL)
        return 0;
    if (!text_ok(text) || !is_absolute(text) || strpbrk(text, "?#") != NULL)
        return WEIR_EURL;
    int rc = parse(text, &url);
    if (rc < 0)
        return rc;
    if (has(url, CURLUPART_USER))
        rc = WEIR_EURL;
    base->text = weir__strdup(text);
    base->scheme = part(url, CURLUPART_SCHEME, 0);
    base->host = part(url, CURLUPART_HOST, 0);
    base->port = part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT);
    curl_url_cleanup(url);
    if (rc == 0 && (!base->text || !base->scheme || !base->host || !base->port))
        rc = WEIR_ENOMEM;
    if (rc < 0) {
        weir__base_free(base);
        return rc;
    }
    for (size_t len = strlen(base->text); len > 0 && base->text[len - 1] == '/'; len--)
        base->text[len - 1] = '\0';
    base->path = strchr(strstr(base->text, "://") + 3, '/');
    if (base->path == NULL)
        base->path = "";
    return 0;
}

/* The URL goes where the base goes. */
static int same_origin(const struct weir__base *base, const char *text, bool *own)
{
    CURLU *url;
    int rc = parse(text, &url);
    if (rc < 0)
        return rc;
    char *scheme = part(url, CURLUPART_SCHEME, 0);
    char *host = part(url, CURLUPART_HOST, 0);
    char *port = part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT);
    curl_url_cleanup(url);
    if (scheme == NULL || host == NULL || port == NULL)
        rc = WEIR_ENOMEM;
    else
        *own = base->text == NULL ||
               (weir__ascii_same(scheme, base->scheme, SIZE_MAX) &&
                weir__ascii_same(host, base->host, SIZE_MAX) && strcmp(port, base->port) == 0);
    weir__free(scheme);
    weir__free(host);
    weir__free(port);
    return rc;
}

static int join(const struct weir__base *base, const char *url, char **out)
{
    size_t repeated = strlen(base->path);
    if (repeated > 0 && strncmp(url, base->path, repeated) == 0 &&
        strchr("/?#", url[repeated]) != NULL) /* the end matches, too */
        url += repeated;
    size_t base_len = strlen(base->text), len = strlen(url);
    size_t slash = len > 0 && url[0] != '/' && url[0] != '?' ? 1 : 0;
    char *text = weir__alloc(base_len + slash + len + 1);
    if (text == NULL)
        return WEIR_ENOMEM;
    memcpy(text, base->text, base_len);
    text[base_len] = '/';
    memcpy(text + base_len + slash, url, len + 1);
    *out = text;
    return 0;
}

/* Most requests of a client go to the same URL, and parsing it costs a tenth of what all of such a
 * request does. */
static int resolve_absolute(struct weir__base *base, const char *url, char **out, bool *own)
{
    if (base->known == NULL || strcmp(url, base->known) != 0) {
        int rc = text_ok(url) ? same_origin(base, url, own) : WEIR_EURL;
        char *known = rc == 0 ? weir__strdup(url) : NULL;
        if (known == NULL)
            return rc < 0 ? rc : WEIR_ENOMEM;
        weir__free_secret(base->known);
        base->known = known;
        base->known_own = *own;
    }
    *own = base->known_own;
    *out = weir__strdup(url);
    return *out != NULL ? 0 : WEIR_ENOMEM;
}

/* "//host/path" would leave the base's host, and "ftp://" is another protocol. */
static bool leaves(const char *url)
{
    return strncmp(url, "//", 2) == 0 || (url[0] != '/' && strstr(url, "://") != NULL);
}

int weir__url_resolve(struct weir__base *base, const char *url, char **out, bool *own)
{
    *out = NULL;
    *own = true;
    if (url != NULL && is_absolute(url))
        return resolve_absolute(base, url, out, own);
    if (url == NULL || !text_ok(url) || leaves(url) || base->text == NULL)
        return WEIR_EURL;
    return join(base, url, out);
}

const char *weir__url_fault(const struct weir__base *base, const char *url)
{
    if (url == NULL || url[0] == '\0')
        return "the request has no URL: set .url";
    if (!text_ok(url))
        return "the URL has a blank or a control character, which must be percent-encoded (%20), "
               "or is over 64 KiB";
    if (is_absolute(url))
        return "the URL is malformed: it is not of the form https://host:port/path";
    if (leaves(url))
        return "the URL leads to another server without http:// or https:// in front";
    if (base->text == NULL)
        return "the URL has no http:// or https:// in front, and the client has no .base_url";
    return weir_strerror(WEIR_EURL);
}

/* ---- who is asked ---- */

enum { LETTERS = 26 };

struct out {
    char *text;
    size_t size, len;
};

static void put(struct out *out, const char *text, size_t len)
{
    size_t room = out->len < out->size ? out->size - out->len : 0;
    size_t kept = len < room ? len : room;
    for (size_t i = 0; i < kept; i++) {
        unsigned char c = (unsigned char)text[i];
        out->text[out->len + i] = (char)((unsigned)c - 'A' < LETTERS ? c | 0x20 : c);
    }
    out->len += len;
}

/* Behind the host: where path, query or fragment begin. Shorter than strcspn, which makes a table
 * first. */
static const char *end_of_authority(const char *at)
{
    while (*at != '\0' && *at != '/' && *at != '?' && *at != '#')
        at++;
    return at;
}

size_t weir__url_origin(char *text, size_t size, const char *url)
{
    struct out out = {text, size, 0};
    const char *host = strstr(url, "://") + strlen("://");
    const char *end = end_of_authority(host), *name = memrchr(host, '@', (size_t)(end - host));
    put(&out, url, (size_t)(host - url));
    host = name != NULL ? name + 1 : host;
    const char *port = memrchr(host, ':', (size_t)(end - host));
    if (port == NULL || memchr(port, ']', (size_t)(end - port)) != NULL)
        port = end;
    put(&out, host, (size_t)(port - host));
    while (port < end && (*port == ':' || *port == '0'))
        port++;
    put(&out, ":", 1);
    if (port == end) {
        port = url[strlen("http")] == ':' ? "80" : "443";
        end = port + strlen(port);
    }
    put(&out, port, (size_t)(end - port));
    text[out.len < size ? out.len : size - 1] = '\0';
    return out.len;
}
