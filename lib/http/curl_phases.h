/* Where the time of a transfer went, as libcurl has clocked it. */
#ifndef WEIR_HTTP_CURL_PHASES_H
#define WEIR_HTTP_CURL_PHASES_H

#include <stdbool.h>

#include <curl/curl.h>

#include <weir/http.h>

/* sent: it had its connection and was set about; whole: its answer has ended. */
void weir__curl_phases(CURL *easy, bool sent, bool whole, struct weir_phases *phases);

#endif
