#include "http/curl_version.h"

#include <stdio.h>

#include <weir/err.h>

/* The oldest one that the tests run with. 7.85 is the first with CURLOPT_PROTOCOLS_STR, 7.87 with
 * CURLOPT_QUICK_EXIT: older ones would ignore both without a word. */
enum { OLDEST = 0x075800 };

static const struct {
    unsigned from, to; /* from this version on, below that one; 0: no bound */
} traits[WEIR__CURL_TRAITS] = {
    [WEIR__CURL_USABLE] = {OLDEST, 0},
    [WEIR__CURL_QUICK_EXIT] = {0, 0x081500},    /* 8.21 lets the thread go by itself */
    [WEIR__CURL_POOL] = {0x081400, 0},          /* curl/curl#20936 */
    [WEIR__CURL_H2C] = {0x080000, 0},           /* 8.0 has the fix, curl/curl#10643 */
    [WEIR__CURL_READS_UNASKED] = {0, 0x080000}, /* curl/curl#10690 */
    [WEIR__CURL_LONG_LINE_OOM] = {0, 0x080600}, /* then CURLE_TOO_LARGE */
    [WEIR__CURL_TELLS_PROXY] = {0x080700, 0},
    [WEIR__CURL_KEEPS_PIECES] = {0, 0x080e00}, /* seen with 7.88, not with 8.14 */
};

bool weir__curl_trait_of(unsigned version, enum weir__curl_trait trait)
{
    return version >= traits[trait].from && (traits[trait].to == 0 || version < traits[trait].to);
}

bool weir__curl_trait(enum weir__curl_trait trait)
{
    return weir__curl_trait_of(curl_version_info(CURLVERSION_NOW)->version_num, trait);
}

bool weir__curl_has(int feature)
{
    return (curl_version_info(CURLVERSION_NOW)->features & feature) != 0;
}

int weir__curl_check(char *text, size_t size)
{
    if (weir__curl_trait(WEIR__CURL_USABLE))
        return 0;
    snprintf(text, size, "libcurl %s is loaded, and %d.%d or later is needed",
             curl_version_info(CURLVERSION_NOW)->version, OLDEST >> 16, OLDEST >> 8 & 0xff);
    return WEIR_ELIBCURL;
}
