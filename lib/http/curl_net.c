#include "http/curl_net.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/ascii.h"
#include "base/mem.h"
#include "base/opts.h"
#include "http/ca.h"
#include "http/curl_keylog.h"
#include "http/curl_version.h"
#include "http/host.h"
#include "http/net_check.h"

enum { CONNECT_TIMEOUT_MS = 30000, IDLE_MAX_MS = 118000 };

/* ---- copying ---- */

void weir__slist_free(struct curl_slist *list)
{
    for (struct curl_slist *line = list; line != NULL; line = line->next)
        weir__wipe(line->data);
    curl_slist_free_all(list);
}

static int copy_texts(struct weir_net_opts *opts, const struct weir_net_opts *given)
{
    struct weir_net_opts from = *given;
    for (size_t i = 0; i < WEIR__NET_TEXTS; i++) {
        const char *value = *weir__net_text(&from, &weir__net_texts[i]);
        const char **copy = weir__net_text(opts, &weir__net_texts[i]);
        *copy = value != NULL ? weir__strdup(value) : NULL;
        if (value != NULL && *copy == NULL)
            return WEIR_ENOMEM;
    }
    return 0;
}

static int copy_resolve(struct weir__net *net, const char *const *entry)
{
    for (; entry != NULL && *entry != NULL; entry++) {
        struct curl_slist *longer = curl_slist_append(net->resolve, *entry);
        if (longer == NULL)
            return WEIR_ENOMEM;
        net->resolve = longer;
    }
    return 0;
}

/* libcurl looks for these in the environment anew for each request. */
static bool proxy_is_named(void)
{
    static const char *const names[] = {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy",
                                        "ALL_PROXY"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (getenv(names[i]) != NULL)
            return true;
    }
    return false;
}

static int open_keylog(struct weir__net *net, char *text)
{
    const char *path = net->opts.tls_keylog_file;
    if (path == NULL)
        return 0;
    int fd = weir__keylog_open(path);
    if (fd < 0) {
        snprintf(text, WEIR__NET_TEXT_MAX,
                 "tls_keylog_file cannot be written, or others may read it: %s", path);
        return fd;
    }
    net->keylog = fd;
    return 0;
}

static int copy(struct weir__net *net, const struct weir_net_opts *given, char *text)
{
    net->opts = *given;
    for (size_t i = 0; i < WEIR__NET_TEXTS; i++)
        *weir__net_text(&net->opts, &weir__net_texts[i]) = NULL;
    net->opts.resolve = NULL;
    if (given->connect_timeout_ms == 0)
        net->opts.connect_timeout_ms = CONNECT_TIMEOUT_MS;
    if (given->idle_max_ms == 0)
        net->opts.idle_max_ms = IDLE_MAX_MS;
    net->env_proxy = given->proxy == NULL && given->unix_socket == NULL && proxy_is_named();
    net->tells_proxy = weir__curl_trait(WEIR__CURL_TELLS_PROXY);
    int rc = copy_texts(&net->opts, given);
    if (rc == 0)
        rc = copy_resolve(net, given->resolve);
    return rc == 0 ? open_keylog(net, text) : rc;
}

int weir__net_init(struct weir__net *net, const struct weir_net_opts *opts, char *text)
{
    struct weir_net_opts given;
    *net = (struct weir__net){.keylog = -1};
    int rc = weir__opts_copy(&given, sizeof given, opts);
    text[0] = '\0';
    if (rc == 0)
        rc = weir__net_check(&given, text, WEIR__NET_TEXT_MAX);
    else
        snprintf(text, WEIR__NET_TEXT_MAX, "the options' size is not set");
    return rc == 0 ? copy(net, &given, text) : rc;
}

void weir__net_free(struct weir__net *net)
{
    for (size_t i = 0; i < WEIR__NET_TEXTS; i++) {
        const char **text = weir__net_text(&net->opts, &weir__net_texts[i]);
        weir__free_secret((char *)(uintptr_t)*text);
        *text = NULL;
    }
    weir__slist_free(net->resolve);
    net->resolve = NULL;
    if (net->keylog >= 0)
        close(net->keylog);
    net->keylog = -1;
}

int weir_net_check(const struct weir_net_opts *net, char *text, size_t size)
{
    char own[WEIR__NET_TEXT_MAX];
    struct weir__net tried;
    int rc = weir__net_init(&tried, net, own);
    weir__net_free(&tried);
    if (rc < 0 && own[0] == '\0')
        snprintf(own, sizeof own, "%s", weir_strerror(rc));
    if (size > 0)
        snprintf(text, size, "%s", own);
    return rc;
}

/* ---- telling a handle ---- */

/* A handle that lacked memory for one of them (its proxy, its socket) must not be used. What this
 * libcurl was built without, and needs not for what was asked for (net_check.c), is no loss. */
struct told {
    CURL *easy;
    bool all;
};

static void note(struct told *told, CURLcode rc)
{
    told->all &= rc == CURLE_OK || rc == CURLE_NOT_BUILT_IN || rc == CURLE_UNKNOWN_OPTION;
}

static void tell(struct told *told, CURLoption option, long value)
{
    note(told, curl_easy_setopt(told->easy, option, value));
}

/* libcurl copies it. NULL, too, is an order: not its own default. */
static void tell_text(struct told *told, CURLoption option, const char *text)
{
    note(told, curl_easy_setopt(told->easy, option, text));
}

/* Servers on this machine are never behind the environment's proxy. */
static void set_no_proxy(struct told *told)
{
    static const char loopback[] = "localhost,127.0.0.0/8,::1";
    const char *named = getenv("no_proxy");
    char list[4096];
    if (named == NULL)
        named = getenv("NO_PROXY");
    int len = snprintf(list, sizeof list, "%s,%s", loopback, named != NULL ? named : "");
    if (len > 0 && (size_t)len < sizeof list) /* a longer list stays as it is */
        tell_text(told, CURLOPT_NOPROXY, list);
}

static void set_proxy(const struct weir__net *net, struct told *told)
{
    const struct weir_net_opts *opts = &net->opts;
    if (net->env_proxy) {
        set_no_proxy(told);
        return;
    }
    tell_text(told, CURLOPT_PROXY, opts->proxy != NULL ? opts->proxy : "");
    tell_text(told, CURLOPT_NOPROXY, opts->no_proxy != NULL ? opts->no_proxy : "");
}

static void set_authorities(const struct weir_net_opts *opts, struct told *told)
{
    if (opts->insecure_accept_any_certificate != 0) {
        tell(told, CURLOPT_SSL_VERIFYPEER, 0L);
        tell(told, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (opts->ca_file == NULL && opts->ca_dir == NULL) {
        weir__ca_set(told->easy);
        return;
    }
    tell_text(told, CURLOPT_CAINFO, opts->ca_file);
    tell_text(told, CURLOPT_CAPATH, opts->ca_dir);
    tell_text(told, CURLOPT_PROXY_CAINFO, opts->ca_file);
    tell_text(told, CURLOPT_PROXY_CAPATH, opts->ca_dir);
}

static void set_tls(const struct weir__net *net, struct told *told)
{
    const struct weir_net_opts *opts = &net->opts;
    long least =
        opts->tls_min == WEIR_TLS_1_3 ? CURL_SSLVERSION_TLSv1_3 : (long)CURL_SSLVERSION_TLSv1_2;
    tell(told, CURLOPT_SSLVERSION, least);
    tell(told, CURLOPT_PROXY_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    set_authorities(opts, told);
    if (opts->cert_file != NULL) {
        tell_text(told, CURLOPT_SSLCERT, opts->cert_file);
        tell_text(told, CURLOPT_SSLKEY, opts->key_file != NULL ? opts->key_file : opts->cert_file);
        tell_text(told, CURLOPT_KEYPASSWD, opts->key_password);
    }
    weir__keylog_set(told->easy, &net->keylog);
}

static void set_http_version(const struct weir_net_opts *opts, struct told *told)
{
    bool two = opts->http2 != WEIR_HTTP2_OFF;
    tell(told, CURLOPT_HTTP_VERSION,
         two ? (long)CURL_HTTP_VERSION_2TLS : (long)CURL_HTTP_VERSION_1_1);
}

/* Whole seconds, and at least one: 0 would be "however long". */
static long seconds_up(int64_t ms)
{
    int64_t s = ms / 1000 + (ms % 1000 > 0);
    return s < INT_MAX ? (long)s : INT_MAX;
}

bool weir__net_set(const struct weir__net *net, CURL *easy)
{
    struct told own = {.easy = easy, .all = true}, *told = &own;
    const struct weir_net_opts *opts = &net->opts;
    int64_t connect_ms = opts->connect_timeout_ms;
    tell_text(told, CURLOPT_PROTOCOLS_STR, "http,https");
    tell(told, CURLOPT_NOSIGNAL, 1L);
    if (weir__curl_trait(WEIR__CURL_QUICK_EXIT))
        tell(told, CURLOPT_QUICK_EXIT, 1L);           /* a cancel does not wait for a resolver */
    tell(told, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L); /* a proxy's are not an answer */
    tell(told, CURLOPT_DNS_CACHE_TIMEOUT, (long)WEIR__DNS_CACHE_S);
    tell(told, CURLOPT_CONNECTTIMEOUT_MS, connect_ms < INT_MAX ? (long)connect_ms : INT_MAX);
    tell(told, CURLOPT_MAXAGE_CONN, seconds_up(opts->idle_max_ms));
    set_http_version(opts, told);
    if (opts->compression != WEIR_COMPRESSION_KEEP)
        tell_text(told, CURLOPT_ACCEPT_ENCODING, ""); /* all that it knows */
    set_tls(net, told);
    set_proxy(net, told);
    if (opts->unix_socket != NULL)
        tell_text(told, CURLOPT_UNIX_SOCKET_PATH, opts->unix_socket);
    if (net->resolve != NULL)
        note(told, curl_easy_setopt(told->easy, CURLOPT_RESOLVE, net->resolve));
    return own.all;
}

/* Requests wait for a connection that may be shared, or each would make one before that is known:
 * but not where none can be, as they would wait for the first answer. */
void weir__net_set_for(const struct weir__net *net, CURL *easy, const char *url)
{
    if (net->opts.http2 == WEIR_HTTP2_OFF)
        return;
    bool tls = weir__ascii_same(url, "https:", 6);
    bool known = !tls && net->opts.http2 == WEIR_HTTP2_PRIOR_KNOWLEDGE;
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
                     known ? (long)CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE
                           : (long)CURL_HTTP_VERSION_2TLS);
    curl_easy_setopt(easy, CURLOPT_PIPEWAIT, tls || known ? 1L : 0L);
}
