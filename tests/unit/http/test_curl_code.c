/* What libcurl's codes mean here, and whether the attempt that ended so is repeated. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

#include <weir/retry.h>

#include "base/rand.h"
#include "http/curl_code.h"
#include "policy/backoff.h"

enum again { NEVER, IF_IDEMPOTENT, ALWAYS };

/* How far a request can have come when libcurl says so. */
static const struct {
    CURLcode code;
    int error;
    enum weir_sent sent;
    enum again again;
} rows[] = {
    {CURLE_COULDNT_RESOLVE_PROXY, WEIR_ERESOLVE, WEIR_SENT_NEVER, ALWAYS},  /* 5 */
    {CURLE_COULDNT_RESOLVE_HOST, WEIR_ERESOLVE, WEIR_SENT_NEVER, ALWAYS},   /* 6 */
    {CURLE_COULDNT_CONNECT, WEIR_ECONNECT, WEIR_SENT_NEVER, ALWAYS},        /* 7 */
    {CURLE_OPERATION_TIMEDOUT, WEIR_EATTEMPTTIME, WEIR_SENT_NEVER, ALWAYS}, /* 28 */
    {CURLE_SSL_CONNECT_ERROR, WEIR_ETLS, WEIR_SENT_NEVER, ALWAYS},          /* 35 */
    {CURLE_PROXY, WEIR_ECONNECT, WEIR_SENT_NEVER, ALWAYS},                  /* 97 */

    {CURLE_HTTP2, WEIR_ERESET, WEIR_SENT_MAYBE, IF_IDEMPOTENT},        /* 16 */
    {CURLE_PARTIAL_FILE, WEIR_ERESET, WEIR_SENT_MAYBE, IF_IDEMPOTENT}, /* 18 */
    {CURLE_OPERATION_TIMEDOUT, WEIR_EATTEMPTTIME, WEIR_SENT_MAYBE, IF_IDEMPOTENT},
    {CURLE_GOT_NOTHING, WEIR_ERESET, WEIR_SENT_MAYBE, IF_IDEMPOTENT},          /* 52 */
    {CURLE_SEND_ERROR, WEIR_ERESET, WEIR_SENT_MAYBE, IF_IDEMPOTENT},           /* 55 */
    {CURLE_RECV_ERROR, WEIR_ERESET, WEIR_SENT_MAYBE, IF_IDEMPOTENT},           /* 56 */
    {CURLE_SEND_FAIL_REWIND, WEIR_ERESET, WEIR_SENT_MAYBE, IF_IDEMPOTENT},     /* 65 */
    {CURLE_HTTP2_STREAM, WEIR_ERESET, WEIR_SENT_MAYBE, IF_IDEMPOTENT},         /* 92 */
    {CURLE_UNSUPPORTED_PROTOCOL, WEIR_EPROTO, WEIR_SENT_MAYBE, IF_IDEMPOTENT}, /* 1: garbage */
    {CURLE_WEIRD_SERVER_REPLY, WEIR_EPROTO, WEIR_SENT_MAYBE, IF_IDEMPOTENT},   /* 8 */
    {CURLE_BAD_CONTENT_ENCODING, WEIR_EPROTO, WEIR_SENT_MAYBE, IF_IDEMPOTENT}, /* 61 */

    {CURLE_URL_MALFORMAT, WEIR_EURL, WEIR_SENT_NEVER, NEVER},             /* 3 */
    {CURLE_OUT_OF_MEMORY, WEIR_ENOMEM, WEIR_SENT_NEVER, NEVER},           /* 27 */
    {CURLE_SSL_CERTPROBLEM, WEIR_ECERT, WEIR_SENT_NEVER, NEVER},          /* 58 */
    {CURLE_PEER_FAILED_VERIFICATION, WEIR_ECERT, WEIR_SENT_NEVER, NEVER}, /* 60 */
    {CURLE_SSL_CACERT_BADFILE, WEIR_ECERT, WEIR_SENT_NEVER, NEVER},       /* 77 */
    {CURLE_SSL_CRL_BADFILE, WEIR_ECERT, WEIR_SENT_NEVER, NEVER},          /* 82 */
    {CURLE_SSL_ISSUER_ERROR, WEIR_ECERT, WEIR_SENT_NEVER, NEVER},         /* 83 */
    {CURLE_SSL_PINNEDPUBKEYNOTMATCH, WEIR_ECERT, WEIR_SENT_NEVER, NEVER}, /* 90 */
    {CURLE_SSL_INVALIDCERTSTATUS, WEIR_ECERT, WEIR_SENT_NEVER, NEVER},    /* 91 */
    {CURLE_SSL_CLIENTCERT, WEIR_ECERT, WEIR_SENT_MAYBE, NEVER},           /* 98 */
    {(CURLcode)100, WEIR_EHEADERSIZE, WEIR_SENT_MAYBE, NEVER},
};

static bool is_repeated(int error, enum weir_sent sent, int replay)
{
    struct weir_retry_opts policy;
    struct weir__rand rand;
    int64_t wait_ns;
    weir__rand_seed(&rand, 1);
    assert_int_equal(weir__retry_init(&policy, NULL), 0);
    struct weir_attempt attempt = {.rc = error,
                                   .outcome = WEIR_OUTCOME_FAILED,
                                   .sent = sent,
                                   .replay = replay,
                                   .number = 1,
                                   .server_wait_ms = -1};
    return weir_why_again(weir__retry_decide(&policy, &attempt, &rand, &wait_ns)) != 0;
}

static void test_each_code(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int error = weir__curl_error(rows[i].code);
        assert_int_equal(error, rows[i].error);
        assert_int_equal(is_repeated(error, rows[i].sent, 0), rows[i].again == ALWAYS);
        assert_int_equal(is_repeated(error, rows[i].sent, 1), rows[i].again != NEVER);
    }
}

/* What has no word of its own is none of the request's making. */
static void test_others(void **state)
{
    (void)state;
    assert_int_equal(weir__curl_error(CURLE_FAILED_INIT), WEIR_ETRANSFER);
    assert_int_equal(weir__curl_error((CURLcode)9999), WEIR_ETRANSFER);
}

static void test_texts_of_headers(void **state)
{
    (void)state;
    assert_true(weir__curl_names_headers("Too large response headers: 307217 > 307200"));
    assert_false(weir__curl_names_headers("Recv failure: Connection reset by peer"));
}

static void test_texts_of_certificates(void **state)
{
    static const struct {
        const char *text;
        bool names;
    } texts[] = {
        {"OpenSSL SSL_read: error:0A00045C:SSL routines::tlsv13 alert certificate required, errno "
         "0",
         true},
        {"error:0A000418:SSL routines::tlsv1 alert unknown ca", true},
        {"error:0A000412:SSL routines::sslv3 alert bad certificate", true},
        {"error:0A000412:SSL routines::ssl/tls alert bad certificate", true},
        {"error:0A000413:SSL routines::sslv3 alert unsupported certificate", true},
        {"error:0A000414:SSL routines::sslv3 alert certificate revoked", true},
        {"error:0A000415:SSL routines::sslv3 alert certificate expired", true},
        {"error:0A000416:SSL routines::sslv3 alert certificate unknown", true},
        {"error:0A000410:SSL routines::sslv3 alert handshake failure", false},
        {"error:0A000438:SSL routines::tlsv1 alert internal error", false},
        {"OpenSSL SSL_read: Connection reset by peer, errno 104", false},
        {"", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(weir__curl_names_certificate(texts[i].text), texts[i].names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_code),
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_texts_of_headers),
        cmocka_unit_test(test_texts_of_certificates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
