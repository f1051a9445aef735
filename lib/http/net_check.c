#include "http/net_check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include <curl/curl.h>

#include "http/curl_keylog.h"
#include "http/curl_version.h"
#include "http/header.h"

enum { RESOLVE_MAX = 256 };

#define TEXT(member_, kind_)                                                                       \
    {                                                                                              \
        .at = offsetof(struct weir_net_opts, member_), .name = #member_, .kind = (kind_)           \
    }
const struct weir__net_text weir__net_texts[WEIR__NET_TEXTS] = {
    TEXT(proxy, WEIR__NET_MAY_BE_EMPTY),   TEXT(no_proxy, WEIR__NET_TEXT),
    TEXT(unix_socket, WEIR__NET_TEXT),     TEXT(ca_file, WEIR__NET_READABLE),
    TEXT(ca_dir, WEIR__NET_READABLE),      TEXT(cert_file, WEIR__NET_READABLE),
    TEXT(key_file, WEIR__NET_READABLE),    TEXT(key_password, WEIR__NET_TEXT),
    TEXT(tls_keylog_file, WEIR__NET_TEXT),
};

const char **weir__net_text(struct weir_net_opts *opts, const struct weir__net_text *text)
{
    return (const char **)(void *)((char *)opts + text->at);
}

/* Who says what is wrong, and hands the code on. */
struct says {
    char *text;
    size_t size;
};

__attribute__((format(printf, 3, 4))) static int wrong(const struct says *says, int rc,
                                                       const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(says->text, says->size, format, args);
    va_end(args);
    return rc;
}

/* ---- each by itself ---- */

static int check_text(const struct weir__net_text *text, const char *value, const struct says *says)
{
    if (value == NULL)
        return 0;
    if (value[0] == '\0' && text->kind != WEIR__NET_MAY_BE_EMPTY)
        return wrong(says, WEIR_EINVAL, "%s is empty", text->name);
    if (!weir__header_value_ok(value, strlen(value)) || strchr(value, '\t') != NULL)
        return wrong(says, WEIR_EINVAL, "%s has a control character", text->name);
    if (text->kind == WEIR__NET_READABLE && access(value, R_OK) != 0)
        return wrong(says, WEIR_EIO, "%s cannot be read: %s", text->name, value);
    return 0;
}

static int check_texts(struct weir_net_opts opts, const struct says *says)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < WEIR__NET_TEXTS; i++)
        rc = check_text(&weir__net_texts[i], *weir__net_text(&opts, &weir__net_texts[i]), says);
    return rc;
}

static int check_numbers(const struct weir_net_opts *opts, const struct says *says)
{
    if (opts->connect_timeout_ms < 0 || opts->idle_max_ms < 0)
        return wrong(says, WEIR_EINVAL, "connect_timeout_ms or idle_max_ms is below 0");
    if (opts->http2 > WEIR_HTTP2_PRIOR_KNOWLEDGE || opts->tls_min > WEIR_TLS_1_3 ||
        opts->compression > WEIR_COMPRESSION_KEEP)
        return wrong(says, WEIR_EINVAL, "http2, tls_min or compression has no such value");
    return 0;
}

/* ---- the proxy ---- */

static bool is_proxy_scheme(const char *scheme)
{
    static const char *const known[] = {"http", "https", "socks4", "socks4a", "socks5", "socks5h"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(scheme, known[i]) == 0)
            return true;
    }
    return false;
}

static char *part(CURLU *url, CURLUPart what)
{
    char *text = NULL;
    return curl_url_get(url, what, &text, 0) == CURLUE_OK ? text : NULL;
}

/* Its text is repeated in no error, since it may hold a password. */
static int check_proxy_url(CURLU *url, const char *proxy, const struct says *says)
{
    if (proxy[strspn(proxy, "0123456789")] == '\0') /* or libcurl takes it for an address */
        return wrong(says, WEIR_EINVAL, "proxy is a number alone, and no http://HOST:PORT");
    if (curl_url_set(url, CURLUPART_URL, proxy, CURLU_NON_SUPPORT_SCHEME | CURLU_GUESS_SCHEME) !=
        CURLUE_OK)
        return wrong(says, WEIR_EINVAL, "proxy is no URL");
    char *scheme = part(url, CURLUPART_SCHEME), *path = part(url, CURLUPART_PATH);
    char *query = part(url, CURLUPART_QUERY);
    bool known = scheme != NULL && is_proxy_scheme(scheme);
    bool tls = known && strcmp(scheme, "https") == 0;
    bool bare = (path == NULL || strcmp(path, "/") == 0) && query == NULL;
    curl_free(scheme);
    curl_free(path);
    curl_free(query);
    if (!known)
        return wrong(says, WEIR_EINVAL, "proxy is of no known kind (http, https, socks5, ...)");
    if (!bare)
        return wrong(says, WEIR_EINVAL, "proxy has a path or a query");
    if (tls && !weir__curl_has(CURL_VERSION_HTTPS_PROXY))
        return wrong(says, WEIR_ELIBCURL, "libcurl was built without https proxies");
    return 0;
}

static int check_proxy(const struct weir_net_opts *opts, const struct says *says)
{
    bool given = opts->proxy != NULL && opts->proxy[0] != '\0';
    if (opts->no_proxy != NULL && !given)
        return wrong(says, WEIR_EINVAL, "no_proxy without a proxy");
    if (given && opts->unix_socket != NULL)
        return wrong(says, WEIR_EINVAL, "unix_socket and proxy exclude each other");
    if (!given)
        return 0;
    CURLU *url = curl_url();
    if (url == NULL)
        return WEIR_ENOMEM;
    int rc = check_proxy_url(url, opts->proxy, says);
    curl_url_cleanup(url);
    return rc;
}

/* ---- where to ---- */

static bool is_address(const char *text, size_t len)
{
    struct in6_addr any;
    char copy[INET6_ADDRSTRLEN];
    if (len > 2 && text[0] == '[' && text[len - 1] == ']') {
        text++;
        len -= 2;
    }
    if (len == 0 || len >= sizeof copy)
        return false;
    memcpy(copy, text, len);
    copy[len] = '\0';
    return inet_pton(AF_INET, copy, &any) == 1 || inet_pton(AF_INET6, copy, &any) == 1;
}

/* "+" and "-" before the host mean something else to libcurl, and "[" it takes for a name. */
static bool is_resolve_entry(const char *entry)
{
    const char *colon = strchr(entry, ':');
    char *end;
    if (colon == NULL || colon == entry || strchr("+-[", entry[0]) != NULL ||
        strcspn(entry, " ,/@") < (size_t)(colon - entry) || colon[1] < '1' || colon[1] > '9')
        return false;
    errno = 0;
    long port = strtol(colon + 1, &end, 10);
    if (errno != 0 || port > 65535 || *end != ':')
        return false;
    for (const char *at = end; at[0] != '\0'; at = end) {
        end = strchrnul(at + 1, ',');
        if (!is_address(at + 1, (size_t)(end - at - 1)))
            return false;
    }
    return true;
}

static int check_resolve(const char *const *entries, const struct says *says)
{
    size_t n = 0;
    for (; entries != NULL && entries[n] != NULL; n++) {
        if (n == RESOLVE_MAX)
            return wrong(says, WEIR_EINVAL, "resolve has over %d entries", RESOLVE_MAX);
        if (!weir__header_value_ok(entries[n], strlen(entries[n])) || !is_resolve_entry(entries[n]))
            return wrong(says, WEIR_EINVAL, "resolve[%zu] is not host:port:address", n);
    }
    return 0;
}

static int check_target(const struct weir_net_opts *opts, const struct says *says)
{
    if (opts->unix_socket == NULL)
        return check_resolve(opts->resolve, says);
    if (opts->resolve != NULL)
        return wrong(says, WEIR_EINVAL, "unix_socket and resolve exclude each other");
    if (strlen(opts->unix_socket) >= sizeof((struct sockaddr_un *)NULL)->sun_path)
        return wrong(says, WEIR_EINVAL, "unix_socket is too long for a path of a socket");
    if (!weir__curl_has(CURL_VERSION_UNIX_SOCKETS))
        return wrong(says, WEIR_ELIBCURL, "libcurl was built without unix sockets");
    return 0;
}

/* ---- TLS, HTTP/2 ---- */

static int check_tls(const struct weir_net_opts *opts, const struct says *says)
{
    bool authorities = opts->ca_file != NULL || opts->ca_dir != NULL;
    if (opts->insecure_accept_any_certificate != 0 && authorities)
        return wrong(says, WEIR_EINVAL,
                     "insecure_accept_any_certificate checks against no ca_file or ca_dir");
    if (opts->cert_file == NULL && (opts->key_file != NULL || opts->key_password != NULL))
        return wrong(says, WEIR_EINVAL, "key_file or key_password without cert_file");
    bool any = authorities || opts->cert_file != NULL || opts->tls_min != WEIR_TLS_1_2;
    if (any && !weir__curl_has(CURL_VERSION_SSL))
        return wrong(says, WEIR_ELIBCURL, "libcurl was built without TLS");
    if (opts->tls_keylog_file != NULL && !weir__keylog_works())
        return wrong(says, WEIR_ELIBCURL, "tls_keylog_file needs a libcurl with OpenSSL");
    return 0;
}

static int check_http2(const struct weir_net_opts *opts, const struct says *says)
{
    if (opts->http2 == WEIR_HTTP2_OFF)
        return 0;
    if (!weir__curl_has(CURL_VERSION_HTTP2))
        return wrong(says, WEIR_ELIBCURL, "libcurl was built without HTTP/2");
    if (opts->http2 == WEIR_HTTP2_PRIOR_KNOWLEDGE && !weir__curl_trait(WEIR__CURL_H2C))
        return wrong(says, WEIR_ELIBCURL, "HTTP/2 without TLS needs libcurl 8.0 or later, not %s",
                     curl_version_info(CURLVERSION_NOW)->version);
    return 0;
}

static int check_compression(const struct weir_net_opts *opts, const struct says *says)
{
    enum { ANY = CURL_VERSION_LIBZ | CURL_VERSION_BROTLI | CURL_VERSION_ZSTD };
    if (opts->compression == WEIR_COMPRESSION_ASK && !weir__curl_has(ANY))
        return wrong(says, WEIR_ELIBCURL, "compression: libcurl was built without any");
    return 0;
}

int weir__net_check(const struct weir_net_opts *opts, char *text, size_t size)
{
    static int (*const checks[])(const struct weir_net_opts *,
                                 const struct says *) = {check_numbers, check_proxy,
                                                         check_target,  check_tls,
                                                         check_http2,   check_compression};
    const struct says says = {.text = text, .size = size};
    text[0] = '\0';
    int rc = weir__curl_check(text, size);
    if (rc == 0)
        rc = check_texts(*opts, &says);
    for (size_t i = 0; rc == 0 && i < sizeof checks / sizeof checks[0]; i++)
        rc = checks[i](opts, &says);
    return rc;
}
