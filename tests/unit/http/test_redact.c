/* What is taken out of texts that people may read, and what stays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <weir/transport.h>

#include "http/redact.h"
#include "http/response.h"

static void expect(const char *text, const char *want)
{
    char copy[400];
    size_t len = weir__redact(copy, sizeof copy, text, strlen(text));
    assert_string_equal(copy, want);
    assert_int_equal(len, strlen(want));
}

static void names(void **unused)
{
    (void)unused;
    static const char *const secret[] = {"Authorization",
                                         "Proxy-Authorization",
                                         "COOKIE",
                                         "set-cookie",
                                         "api-key",
                                         "X-Api-Key",
                                         "x-goog-api-key",
                                         "key",
                                         "api_key",
                                         "apiKey",
                                         "APIKEY",
                                         "access_token",
                                         "accessToken",
                                         "X-Amz-Security-Token",
                                         "X-Amz-Signature",
                                         "sig",
                                         "client_secret",
                                         "password",
                                         "auth",
                                         "user.password",
                                         "SessionId",
                                         "X-Amz-Credential"};
    static const char *const open[] = {"",
                                       "Content-Type",
                                       "max_tokens",
                                       "keyword",
                                       "monkey",
                                       "author",
                                       "x-ratelimit-limit-tokens",
                                       "design",
                                       "hash",
                                       "model",
                                       "passenger",
                                       "-",
                                       "Host",
                                       "x2key",
                                       "tokens",
                                       "KEYS"};
    for (size_t i = 0; i < sizeof secret / sizeof secret[0]; i++) {
        if (!weir__secret_name(secret[i], strlen(secret[i])))
            fail_msg("%s is a secret's name", secret[i]);
    }
    for (size_t i = 0; i < sizeof open / sizeof open[0]; i++) {
        if (weir__secret_name(open[i], strlen(open[i])))
            fail_msg("%s is no secret's name", open[i]);
    }
}

static void headers(void **unused)
{
    (void)unused;
    expect("Authorization: Bearer s3cret", "Authorization: ***");
    expect("authorization:Basic dTpw", "authorization:***");
    expect("Proxy-Authorization: Digest username=\"u\", response=\"s3cret\"",
           "Proxy-Authorization: ***");
    expect("X-Api-Key: s3cret", "X-Api-Key: ***");
    expect("api-key:\ts3cret", "api-key:?***");
    expect("Cookie: a=s3cret; b=s3cret", "Cookie: ***");
    expect("Set-Cookie: a=s3cret; Path=/", "Set-Cookie: ***");
    expect("Content-Type: application/json", "Content-Type: application/json");
    expect("x-ratelimit-remaining-tokens: 149984", "x-ratelimit-remaining-tokens: 149984");
    expect("Authorization:", "Authorization:");
    expect("two lines: Cookie: s3cret\nHost: h", "two lines: Cookie: ***?Host: h");
}

static void urls(void **unused)
{
    (void)unused;
    expect("https://u:s3cret@api.example:8443/v1", "https://***@api.example:8443/v1");
    expect("https://s3cret@api.example/v1", "https://***@api.example/v1");
    expect("https://u:s3@cret@api.example/v1", "https://***@api.example/v1");
    expect("socks5h://u:s3cret@proxy.example:1080", "socks5h://***@proxy.example:1080");
    expect("https://api.example/a@b?c=d:e@f", "https://api.example/a@b?c=d:e@f");
    expect("https://auth.example:8443/key/x", "https://auth.example:8443/key/x");
    expect("http://[::1]:80/x", "http://[::1]:80/x");
    expect("https://h/p?key=s3cret", "https://h/p?key=***");
    expect("https://h/p?a=1&api_key=s3cret&b=2#f", "https://h/p?a=1&api_key=***&b=2#f");
    expect("https://h/p?api-key=s3cret;x=y", "https://h/p?api-key=***;x=y");
    expect("https://h/p?accessToken=s3cret&max_tokens=5",
           "https://h/p?accessToken=***&max_tokens=5");
    expect("/p?X-Amz-Signature=s3cret&X-Amz-Date=1", "/p?X-Amz-Signature=***&X-Amz-Date=1");
    expect("https://h/p?key=", "https://h/p?key=");
    expect("https://h/p?key", "https://h/p?key");
    expect("https://h/?u=http://a:s3cret@b/&q=1", "https://h/?u=http://***@b/&q=1");
    expect("token=s3cret,http://u:s3cret@h/", "token=***,http://***@h/");
}

static void messages(void **unused)
{
    (void)unused;
    expect("Could not resolve host: api.example", "Could not resolve host: api.example");
    expect("Failed to connect to 127.0.0.1 port 9: Connection refused",
           "Failed to connect to 127.0.0.1 port 9: Connection refused");
    expect("no proxy u:s3cret@proxy.example", "no proxy ***@proxy.example");
    expect("write to me@mail.example", "write to me@mail.example");
    expect("sent 'Bearer s3cret' (\"https://u:s3cret@h/\")",
           "sent 'Bearer ***' (\"https://***@h/\")");
    expect("bearer  s3cret, refused", "bearer  ***, refused");
    expect("{\"api_key\": \"s3\\\"cret\", \"a\": \"b\"}", "{\"api_key\": \"***\", \"a\": \"b\"}");
    expect("{'token':'s3cret'}", "{'token':'***'}");
    expect("password = s3cret here", "password = *** here");
    expect("a\tb\x01\x7f \xC3\xA9", "a?b?? \xC3\xA9");
    expect("", "");
    expect("Bearer", "Bearer");
    expect("key", "key");
    expect("@", "@");
    expect(":@", "***@");
}

/* Whatever the room and wherever the text ends: no byte beyond it, and no secret. */
static void any_room_any_end(void **unused)
{
    (void)unused;
    static const char text[] =
        "GET https://u:S3CRET@h/?key=S3CRET \"token\": \"S3\\\"CRET\" u:S3CRET@h "
        "Bearer S3CRET, Cookie: S3CRET";
    for (size_t len = 0; len < sizeof text; len++) {
        char *part = malloc(len > 0 ? len : 1);
        assert_non_null(part);
        memcpy(part, text, len);
        for (size_t room = 1; room <= sizeof text + 20; room += 7) {
            char *copy = malloc(room);
            assert_non_null(copy);
            size_t copied = weir__redact(copy, room, part, len);
            assert_true(copied < room);
            assert_int_equal(strlen(copy), copied);
            free(copy);
        }
        free(part);
    }
    char copy[200];
    weir__redact(copy, sizeof copy, text, sizeof text - 1);
    assert_null(strstr(copy, "S3"));
    assert_null(strstr(copy, "CRET"));
}

static void error_texts(void **unused)
{
    (void)unused;
    weir_response *response = weir__response_new(10);
    assert_non_null(response);
    weir_response_set_failure(response, WEIR_SENT_NEVER,
                              "no way to http://u:s3cret@h/?key=s3cret\n");
    assert_string_equal(weir_response_error_text(response), "no way to http://***@h/?key=***?");
    weir_response_set_failure(response, WEIR_SENT_NEVER, weir_response_error_text(response));
    assert_string_equal(weir_response_error_text(response), "no way to http://***@h/?key=***");
    weir_response_free(response);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(headers),
        cmocka_unit_test(urls),
        cmocka_unit_test(messages),
        cmocka_unit_test(any_room_any_end),
        cmocka_unit_test(error_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
