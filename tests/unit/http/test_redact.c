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
    size_t len = weir__redact(copy, sizeof copy, text, strlen(text), NULL);
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
                                         "X-Amz-Credential",
                                         "OpenAIKey",
                                         "userAPIToken",
                                         "X-APIToken",
                                         "XApiKey",
                                         "userOAuthToken",
                                         "Authentication",
                                         "X-Authentication",
                                         "jwt",
                                         "X-JWT",
                                         "pass",
                                         "user_pass",
                                         "assertion",
                                         "client_assertion",
                                         "SAMLAssertion",
                                         "pat",
                                         "X-PAT",
                                         "otp",
                                         "token1",
                                         "apikey1",
                                         "X-Key-2",
                                         "keys",
                                         "KEYS",
                                         "X-Api-Keys",
                                         "Cookie2",
                                         "api%5Fkey",
                                         "%6bey",
                                         "a%5Btoken%5D",
                                         "a[token]",
                                         "token[]",
                                         "SecretKeys"};
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
                                       "totalTokens",
                                       "usage.total_tokens",
                                       "prompt%5Ftokens",
                                       "tokenizer",
                                       "bypass",
                                       "compass",
                                       "passive",
                                       "path",
                                       "X-Path",
                                       "patch",
                                       "pattern",
                                       "options",
                                       "adopt",
                                       "oauth",
                                       "X-OAuth-Scopes",
                                       "WWW-Authenticate",
                                       "assert",
                                       "keyboard",
                                       "turkeys",
                                       "monkeys2",
                                       "1",
                                       "2024",
                                       "a[b]",
                                       "%6",
                                       "%",
                                       "accesstokenaccesstokenkey"};
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

/* In a query nothing but the next parameter and the fragment ends a value. */
static void queries(void **unused)
{
    (void)unused;
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"/p?api%5Fkey=s3cret&a=1", "/p?api%5Fkey=***&a=1"},
        {"/p?%6bey=s3cret", "/p?%6bey=***"},
        {"/p?%6Bey=s3cret", "/p?%6Bey=***"},
        {"/p?a[token]=s3cret&b", "/p?a[token]=***&b"},
        {"/p?a%5Btoken%5D=s3cret", "/p?a%5Btoken%5D=***"},
        {"/p?token[]=s3cret", "/p?token[]=***"},
        {"/p?keys[0][a]=s3cret", "/p?keys[0][a]=***"},
        {"/p?key=<s3cret whole", "/p?key=*** whole"},
        {"/p?key=s3,cret&b=1", "/p?key=***&b=1"},
        {"/p?key=s3'cret;b=1", "/p?key=***;b=1"},
        {"/p?key='s3'cret", "/p?key=***"},
        {"/p?key=\"s3\"cret#f", "/p?key=***#f"},
        {"/p?token=(s3cret)", "/p?token=***"},
        {"/p?a=b#access_token=s3,cret&x=1", "/p?a=b#access_token=***&x=1"},
        {"/p#access_token=s3'cret", "/p#access_token=***"},
        {"/p?token=s3#token=s3cret", "/p?token=***#token=***"},
        {"/p?jwt=s3cret&pass=s3cret&otp=s3cret", "/p?jwt=***&pass=***&otp=***"},
        {"/p?q=Bearer%20s3cret&a=1", "/p?q=Bearer%20***&a=1"},
        {"/p?to=https%3A%2F%2Fh%2F%3Ftoken%3Ds3cret%26a%3D1",
         "/p?to=https%3A%2F%2Fh%2F%3Ftoken%3D***%26a%3D1"},
        {"/p?q=%7B%22token%22%3A%22s3cret%22%7D", "/p?q=%7B%22token%22%3A%22***%22%7D"},
        {"http://u:s3'(cret)@h/p", "http://***@h/p"},
        {"('http://h/p') me@mail.example", "('http://h/p') me@mail.example"},
        {"a form's key=s3<cret>, b", "a form's key=***, b"},
        /* What a log is read for stays. */
        {"/p?max_tokens=5&path=/a&tokens=7", "/p?max_tokens=5&path=/a&tokens=7"},
        {"usage.total_tokens=15, usage.prompt_tokens: 3",
         "usage.total_tokens=15, usage.prompt_tokens: 3"},
        {"/p?bypass=1&compass=n&pattern=x", "/p?bypass=1&compass=n&pattern=x"},
        {"/p?a%20b=1&c%5Bd%5D=2&e[f]=3&%zz=4", "/p?a%20b=1&c%5Bd%5D=2&e[f]=3&%zz=4"},
        {"why? a=b, max_tokens=5, c", "why? a=b, max_tokens=5, c"},
        {"[error] 50% of [h] is open", "[error] 50% of [h] is open"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        expect(rows[i].text, rows[i].want);
}

/* ---- values that a client knows ---- */

static const char *const client_headers[] = {"Authorization: Bearer sk-KNOWN+KNOWN/1=",
                                             "Accept: application/json", "X-Short: x",
                                             "api-key: short", NULL};
static const char *const request_headers[] = {
    "X-Custom: not-secret-at-all",
    "Cookie: lang=en; sid=c00kie-c00kie",
    "X-Signature: realm=\"id-of-it\", signature=\"s1gned-s1gned\"",
    "Idempotency-Key: order-12345678",
    "token",
    NULL};
static const struct weir__secrets of_client = {.headers = client_headers,
                                               .proxy =
                                                   "pr0xy-user:pr%40xy-pass@proxy.example:3128"};
static const struct weir__secrets of_request = {
    .more = &of_client,
    .headers = request_headers,
    .url = "https://url-user:url-pass@h/path-of-it?api%5Fkey=qu%65ry,value&q=open-value"
           "#token=fragment-token"};

static void expect_known(const char *text, const char *want)
{
    char copy[400];
    size_t len = weir__redact(copy, sizeof copy, text, strlen(text), &of_request);
    assert_string_equal(copy, want);
    assert_int_equal(len, strlen(want));
}

static void known_values(void **unused)
{
    (void)unused;
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"Incorrect API key provided: sk-KNOWN+KNOWN/1=. You",
         "Incorrect API key provided: ***. You"},
        {"sk-KNOWN+KNOWN/1=", "***"},
        {"xsk-KNOWN+KNOWN/1=x", "x***x"},
        {"got sk%2DKNOWN%2BKNOWN%2f1%3d", "got ***"},
        {"/sk-KNOWN+KNOWN/1=/a", "/***/a"},
        {"http://sk-KNOWN+KNOWN/1=/a", "http://***/a"},
        {"[sk-KNOWN+KNOWN/1=]sk-KNOWN+KNOWN/1=", "[***]***"},
        {"token_sk-KNOWN+KNOWN/1=: 5", "token_***: 5"},
        {"key=\"sk\"; sk-KNOWN+KNOWN/1=", "key=\"***\"; ***"},
        {"key=a;sk-KNOWN+KNOWN/1=", "key=***;***"},
        {"sid c00kie-c00kie, s1gned-s1gned", "sid ***, ***"},
        {"url-user and url-pass", "*** and ***"},
        {"query,value qu%65ry%2Cvalue", "*** ***"},
        {"fragment-token", "***"},
        {"pr0xy-user:pr@xy-pass pr%40xy-pass", "***:*** ***"},
        /* The text's end or a server cut it off: what is there is most of it. */
        {"provided: sk-KNOWN", "provided: ***"},
        {"provided: sk-KNOWN+KNOWN/1", "provided: ***"},
        {"provided: sk-KNOWN+KNOWN/1...", "provided: ***..."},
        /* What is not known, or no secret. */
        {"sk-KNOWN... sk-KNO***1= sk-KNO", "sk-KNOWN... sk-KNO***1= sk-KNO"},
        {"a short value, short", "a short value, short"},
        {"not-secret-at-all, application/json", "not-secret-at-all, application/json"},
        {"/orders/order-12345678 of id-of-it", "/orders/order-12345678 of id-of-it"},
        {"open-value in /path-of-it", "open-value in /path-of-it"},
        {"max_tokens=5 at proxy.example:3128", "max_tokens=5 at proxy.example:3128"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        expect_known(rows[i].text, rows[i].want);
}

/* Nothing may be there, and no other URL names a user than one with a scheme. */
static void few_known(void **unused)
{
    (void)unused;
    static const char *const none[] = {NULL}, *const odd[] = {"", "Cookie", "key:", "key: ", NULL};
    static const struct weir__secrets rows[] = {
        {.url = ""},
        {.proxy = ""},
        {.headers = none},
        {.headers = odd},
        {.url = "?key="},
        {.url = "?key#token&"},
        {.url = "like-a-user@h/x"},
        {.url = "/like-a-user@h?a=like-a-user"},
        {.proxy = "http://like-a-user"},
    };
    char copy[60];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        weir__redact(copy, sizeof copy, "like-a-user at h", 16, &rows[i]);
        assert_string_equal(copy, "like-a-user at h");
    }
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
            size_t copied = weir__redact(copy, room, part, len, NULL);
            assert_true(copied < room);
            assert_int_equal(strlen(copy), copied);
            free(copy);
        }
        free(part);
    }
    char copy[200];
    weir__redact(copy, sizeof copy, text, sizeof text - 1, NULL);
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
    response->secrets = &of_request;
    weir_response_set_failure(response, WEIR_SENT_NEVER, "they say: sk-KNOWN+KNOWN/1=");
    assert_string_equal(weir_response_error_text(response), "they say: ***");
    weir_response_free(response);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),        cmocka_unit_test(headers),
        cmocka_unit_test(urls),         cmocka_unit_test(queries),
        cmocka_unit_test(known_values), cmocka_unit_test(few_known),
        cmocka_unit_test(messages),     cmocka_unit_test(any_room_any_end),
        cmocka_unit_test(error_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
