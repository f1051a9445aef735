/* The keys of TLS connections, for who wants to read what was sent, and for nobody else: libcurl
 * itself writes them to the file that SSLKEYLOGFILE names, with mode 0644. */
#ifndef WEIR_HTTP_CURL_KEYLOG_H
#define WEIR_HTTP_CURL_KEYLOG_H

#include <stdbool.h>

#include <curl/curl.h>

/* curl_global_init, with the memory of base/blocks.h, so that libcurl does not see the variable.
 * Where the program itself has called it before, the file may have been made, and stays empty. */
CURLcode weir__keylog_global_init(void);

/* Whether it can be steered: libcurl's TLS is OpenSSL's, in a library of its own. */
bool weir__keylog_works(void);

/* The file, to be closed with close(); WEIR_EIO if it cannot be made or others may read it. */
int weir__keylog_open(const char *path);

/* The keys of the handle's connections go to *fd, which must outlive them, or nowhere (-1). */
void weir__keylog_set(CURL *easy, const int *fd);

#endif
