/* Which way a transfer went, as far as libcurl tells. */
#ifndef WEIR_HTTP_CURL_ROUTE_H
#define WEIR_HTTP_CURL_ROUTE_H

#include <stdbool.h>

#include "http/curl_net.h"
#include "http/response.h"

/* sent: it had its connection and was set about. */
void weir__curl_route(CURL *easy, const struct weir__net *net, bool sent,
                      struct weir__route *route);

#endif
