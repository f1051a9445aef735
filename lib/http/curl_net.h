/* Connection options (weir/net.h): checked and copied once, and what each handle is told of them
 * once. A client's handles share them. */
#ifndef WEIR_HTTP_CURL_NET_H
#define WEIR_HTTP_CURL_NET_H

#include <stdbool.h>

#include <curl/curl.h>

#include <weir/net.h>

enum { WEIR__NET_TEXT_MAX = 256 };

struct weir__net {
    struct weir_net_opts opts; /* its texts are copies */
    struct curl_slist *resolve;
    bool env_proxy;   /* the environment names one */
    bool tells_proxy; /* libcurl knows afterwards whether it was used */
    int keylog;       /* file; -1: none */
};

/* Given options may be NULL. 0 or what weir_net_check returns, and its text (of WEIR__NET_TEXT_MAX
 * bytes). To be freed in either case. */
int weir__net_init(struct weir__net *net, const struct weir_net_opts *opts, char *text);
void weir__net_free(struct weir__net *net);

/* Tells a new handle what holds for all its requests. The handle borrows from *net. False: memory
 * is out. */
bool weir__net_set(const struct weir__net *net, CURL *easy);

/* Tells it what depends on the URL, which is absolute. */
void weir__net_set_for(const struct weir__net *net, CURL *easy, const char *url);

/* Wipes and frees a list of header lines or the like. NULL is fine. */
void weir__slist_free(struct curl_slist *list);

#endif
