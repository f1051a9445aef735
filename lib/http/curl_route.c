#include "http/curl_route.h"

#include <string.h>

/* CURLINFO_USED_PROXY, which libcurl's headers have from 8.7 on. */
static const CURLINFO used_proxy = (CURLINFO)(CURLINFO_LONG + 66);

static long number(CURL *easy, CURLINFO info)
{
    long value = 0;
    curl_easy_getinfo(easy, info, &value);
    return value;
}

static bool is_given(const char *text)
{
    return text != NULL && text[0] != '\0';
}

/* What was set decides; where names of hosts do, libcurl's word alone counts. */
static enum weir_via via_of(CURL *easy, const struct weir__net *net, bool sent)
{
    bool named = is_given(net->opts.proxy);
    if (!net->env_proxy && !named)
        return WEIR_VIA_DIRECT;
    if (named && !is_given(net->opts.no_proxy))
        return WEIR_VIA_PROXY;
    if (sent && net->tells_proxy)
        return number(easy, used_proxy) != 0 ? WEIR_VIA_PROXY : WEIR_VIA_DIRECT;
    return number(easy, CURLINFO_HTTP_CONNECTCODE) != 0 ? WEIR_VIA_PROXY : WEIR_VIA_UNKNOWN;
}

static int version_of(CURL *easy)
{
    switch (number(easy, CURLINFO_HTTP_VERSION)) {
    case CURL_HTTP_VERSION_1_0:
        return 10;
    case CURL_HTTP_VERSION_1_1:
        return 11;
    case CURL_HTTP_VERSION_2_0:
        return 20;
    default:
        return 0;
    }
}

/* A unix socket has no port, and libcurl tells a piece of its path. */
static void set_peer(CURL *easy, struct weir__route *route)
{
    char *ip = NULL;
    route->peer_port = (int)number(easy, CURLINFO_PRIMARY_PORT);
    if (route->peer_port == 0 || curl_easy_getinfo(easy, CURLINFO_PRIMARY_IP, &ip) != CURLE_OK)
        return;
    size_t len = strnlen(ip, sizeof route->peer_ip - 1);
    memcpy(route->peer_ip, ip, len);
    route->peer_ip[len] = '\0';
}

void weir__curl_route(CURL *easy, const struct weir__net *net, bool sent, struct weir__route *route)
{
    route->via = via_of(easy, net, sent);
    if (!sent)
        return;
    route->http_version = version_of(easy);
    route->connection =
        number(easy, CURLINFO_NUM_CONNECTS) > 0 ? WEIR_CONNECTION_NEW : WEIR_CONNECTION_REUSED;
    set_peer(easy, route);
}
