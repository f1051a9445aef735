/* What libcurl's result codes mean to us. */
#ifndef WEIR_HTTP_CURL_CODE_H
#define WEIR_HTTP_CURL_CODE_H

#include <stdbool.h>

#include <curl/curl.h>

/* The WEIR_E code of a failed transfer. */
int weir__curl_error(CURLcode code);

/* Whether the text says that all heads together, those of 1xx answers included, were over libcurl's
 * maximum (300 KB), for which it has no code of its own. */
bool weir__curl_names_headers(const char *text);

/* Whether libcurl's text of a failure says that the server did not accept the client's certificate,
 * or got none. With TLS 1.3 that comes behind the handshake, under a code like any other loss. */
bool weir__curl_names_certificate(const char *text);

#endif
