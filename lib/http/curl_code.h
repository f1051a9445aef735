/* What libcurl's result codes mean to us. */
#ifndef WEIR_HTTP_CURL_CODE_H
#define WEIR_HTTP_CURL_CODE_H

#include <curl/curl.h>

/* The WEIR_E code of a failed transfer. */
int weir__curl_error(CURLcode code);

#endif
