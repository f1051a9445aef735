/* Which libcurl is loaded, and what that one needs. It may be another than the one whose headers
 * weir was built with. */
#ifndef WEIR_HTTP_CURL_VERSION_H
#define WEIR_HTTP_CURL_VERSION_H

#include <stdbool.h>
#include <stddef.h>

#include <curl/curl.h>

/* What differs between versions. */
enum weir__curl_trait {
    WEIR__CURL_USABLE,        /* has all that the transport takes for granted */
    WEIR__CURL_QUICK_EXIT,    /* a cancel waits for the resolver's thread unless told otherwise */
    WEIR__CURL_POOL,          /* has a pool of them per multi, whose end waits likewise */
    WEIR__CURL_H2C,           /* may use connections again that began as HTTP/2 without TLS */
    WEIR__CURL_LONG_LINE_OOM, /* a header line over its 100 KB is CURLE_OUT_OF_MEMORY */
    WEIR__CURL_READS_UNASKED, /* what lies on an idle connection is the next request's answer */
    WEIR__CURL_KEEPS_PIECES,  /* of HTTP/2 streams, which it has read and not given out */
    WEIR__CURL_TELLS_PROXY,   /* whether a transfer went through one: CURLINFO_USED_PROXY */
    WEIR__CURL_TRAITS,
};

/* Whether the version (0x075801 is 7.88.1) has it. */
bool weir__curl_trait_of(unsigned version, enum weir__curl_trait trait);

/* The same of the libcurl that is loaded. */
bool weir__curl_trait(enum weir__curl_trait trait);

/* Whether it was built with that CURL_VERSION_... feature. */
bool weir__curl_has(int feature);

/* 0, or WEIR_ELIBCURL and a text that says which version is loaded and which one is needed. */
int weir__curl_check(char *text, size_t size);

#endif
