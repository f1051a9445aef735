#include "http/curl_code.h"

#include <stddef.h>
#include <string.h>

#include <weir/err.h>

static const struct {
    CURLcode code;
    int error;
} meanings[] = {
    {CURLE_URL_MALFORMAT, WEIR_EURL},
    {CURLE_COULDNT_RESOLVE_PROXY, WEIR_ERESOLVE},
    {CURLE_COULDNT_RESOLVE_HOST, WEIR_ERESOLVE},
    {CURLE_COULDNT_CONNECT, WEIR_ECONNECT},
    {CURLE_PROXY, WEIR_ECONNECT},
    {CURLE_OPERATION_TIMEDOUT, WEIR_EATTEMPTTIME},
    {CURLE_SSL_CONNECT_ERROR, WEIR_ETLS},
    {CURLE_SSL_CIPHER, WEIR_ETLS},
    {CURLE_PEER_FAILED_VERIFICATION, WEIR_ECERT},
    {CURLE_SSL_CERTPROBLEM, WEIR_ECERT},
    {CURLE_SSL_CACERT_BADFILE, WEIR_ECERT},
    {CURLE_SSL_CRL_BADFILE, WEIR_ECERT},
    {CURLE_SSL_ISSUER_ERROR, WEIR_ECERT},
    {CURLE_SSL_PINNEDPUBKEYNOTMATCH, WEIR_ECERT},
    {CURLE_SSL_INVALIDCERTSTATUS, WEIR_ECERT},
    {CURLE_SSL_CLIENTCERT, WEIR_ECERT},
    {CURLE_GOT_NOTHING, WEIR_ERESET},
    {CURLE_SEND_ERROR, WEIR_ERESET},
    {CURLE_RECV_ERROR, WEIR_ERESET},
    {CURLE_PARTIAL_FILE, WEIR_ERESET},
    {CURLE_HTTP2, WEIR_ERESET},
    {CURLE_HTTP2_STREAM, WEIR_ERESET},
    {CURLE_SEND_FAIL_REWIND, WEIR_ERESET},     /* our veto of a silent second sending */
    {CURLE_UNSUPPORTED_PROTOCOL, WEIR_EPROTO}, /* how 7.88 reports an answer that is not HTTP */
    {CURLE_WEIRD_SERVER_REPLY, WEIR_EPROTO},
    {CURLE_BAD_CONTENT_ENCODING, WEIR_EPROTO},
    {CURLE_OUT_OF_MEMORY, WEIR_ENOMEM},
    {(CURLcode)100, WEIR_EHEADERSIZE}, /* CURLE_TOO_LARGE, which headers before 8.6 lack */
};

int weir__curl_error(CURLcode code)
{
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++) {
        if (meanings[i].code == code)
            return meanings[i].error;
    }
    return WEIR_ETRANSFER;
}

bool weir__curl_names_headers(const char *text)
{
    return strstr(text, "Too large response headers") != NULL;
}

/* As OpenSSL has them, behind "tlsv1 ", "tlsv13 ", "sslv3 " or, from 3.2 on, "ssl/tls ". GnuTLS
 * says no more than that there was an alert. */
static const char *const certificate_alerts[] = {
    "alert certificate required", "alert bad certificate",     "alert unsupported certificate",
    "alert certificate revoked",  "alert certificate expired", "alert certificate unknown",
    "alert unknown ca",
};

bool weir__curl_names_certificate(const char *text)
{
    for (size_t i = 0; i < sizeof certificate_alerts / sizeof certificate_alerts[0]; i++) {
        if (strstr(text, certificate_alerts[i]) != NULL)
            return true;
    }
    return false;
}
