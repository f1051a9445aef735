/* Where certificates of authorities are found. */
#ifndef WEIR_HTTP_CA_H
#define WEIR_HTTP_CA_H

#include <curl/curl.h>

void weir__ca_set(CURL *easy);

#endif
