/* Base URLs, and what a request's URL becomes with one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <weir/err.h>

#include "base/mem.h"
#include "http/url.h"

static struct weir__base base_of(const char *text)
{
    struct weir__base base;
    assert_int_equal(weir__base_init(&base, text), 0);
    return base;
}

static void test_base_parts(void **state)
{
    static const struct {
        const char *text, *kept, *path, *scheme, *host, *port;
    } cases[] = {
        {"http://api.example.com", "http://api.example.com", "", "http", "api.example.com", "80"},
        {"https://a.example/", "https://a.example", "", "https", "a.example", "443"},
        {"http://127.0.0.1:8000/v1", "http://127.0.0.1:8000/v1", "/v1", "http", "127.0.0.1",
         "8000"},
        {"https://h:443/a/b///", "https://h:443/a/b", "/a/b", "https", "h", "443"},
        {"http://[::1]:9/x", "http://[::1]:9/x", "/x", "http", "[::1]", "9"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct weir__base base = base_of(cases[i].text);
        assert_string_equal(base.text, cases[i].kept);
        assert_string_equal(base.path, cases[i].path);
        assert_string_equal(base.scheme, cases[i].scheme);
        assert_string_equal(base.host, cases[i].host);
        assert_string_equal(base.port, cases[i].port);
        weir__base_free(&base);
        assert_null(base.text);
        weir__base_free(&base);
    }
}

static void test_origin(void **state)
{
    static const struct {
        const char *url, *origin;
    } cases[] = {
        {"http://h/x", "http://h:80"},
        {"https://h", "https://h:443"},
        {"HTTPS://Api.Example.COM?q=1", "https://api.example.com:443"},
        {"http://h:8000#f", "http://h:8000"},
        {"http://h:/x", "http://h:80"},
        {"http://h:0080/x", "http://h:80"},
        {"http://u:p@h:81/a@b:1", "http://h:81"},
        {"http://u@h/", "http://h:80"},
        {"http://[::A]/x", "http://[::a]:80"},
        {"http://[::1]:9/x", "http://[::1]:9"},
    };
    char origin[64];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t len = weir__url_origin(origin, sizeof origin, cases[i].url);
        assert_string_equal(origin, cases[i].origin);
        assert_int_equal(len, strlen(cases[i].origin));
    }
    assert_int_equal(weir__url_origin(origin, 10, "http://Host/x"), 14);
    assert_string_equal(origin, "http://ho");
}

static void test_bad_bases(void **state)
{
    static const char *const bad[] = {
        "",
        "example.com",
        "/v1",
        "//example.com",
        "ftp://example.com",
        "file:///etc/passwd",
        "http://",
        "http:///v1",
        "http://user:secret@example.com",
        "http://user@example.com",
        "http://h/v1?key=1",
        "http://h/v1?",
        "http://h/v1#top",
        "http://h/v1#",
        "http://h/a b",
        "http://h\r\nEvil: 1/",
        "http://h/\x7f",
        "http://h:99999/",
        "http://h:port/",
        " http://h",
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct weir__base base;
        assert_int_equal(weir__base_init(&base, bad[i]), WEIR_EURL);
        assert_null(base.text);
    }
}

static void assert_resolves(struct weir__base *base, const char *url, const char *want,
                            bool want_own)
{
    char *text;
    bool own;
    assert_int_equal(weir__url_resolve(base, url, &text, &own), 0);
    assert_string_equal(text, want);
    assert_int_equal(own, want_own);
    weir__free(text);
}

static void assert_refuses(struct weir__base *base, const char *url)
{
    char *text;
    bool own;
    assert_int_equal(weir__url_resolve(base, url, &text, &own), WEIR_EURL);
    assert_null(text);
}

static void test_joining(void **state)
{
    static const struct {
        const char *base, *url, *want;
    } cases[] = {
        {"http://h", "/v1/models", "http://h/v1/models"},
        {"http://h/", "/v1/models", "http://h/v1/models"},
        {"http://h", "v1/models", "http://h/v1/models"},
        {"http://h", "/", "http://h/"},
        {"http://h", "?q=1", "http://h?q=1"},
        {"http://h/v1", "/models", "http://h/v1/models"},
        {"http://h/v1", "models?a=b", "http://h/v1/models?a=b"},
        {"http://h/v1", "?q=1", "http://h/v1?q=1"},
        /* A base path that the URL repeats is there once. */
        {"http://h/v1", "/v1/models", "http://h/v1/models"},
        {"http://h/v1/", "/v1/models", "http://h/v1/models"},
        {"http://h/v1", "/v1", "http://h/v1"},
        {"http://h/v1", "/v1?q=1", "http://h/v1?q=1"},
        {"http://h/v1", "/v10/models", "http://h/v1/v10/models"},
        {"http://h/api/v1", "/v1/models", "http://h/api/v1/v1/models"},
        /* No way out to another host. */
        {"http://h", "@evil.example/", "http://h/@evil.example/"},
        {"http://h", ":8080/", "http://h/:8080/"},
        {"http://h", "/x?u=http://evil.example/", "http://h/x?u=http://evil.example/"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct weir__base base = base_of(cases[i].base);
        assert_resolves(&base, cases[i].url, cases[i].want, true);
        weir__base_free(&base);
    }
}

static void test_whose_origin_an_absolute_url_has(void **state)
{
    static const struct {
        const char *url;
        bool own;
    } cases[] = {
        {"https://api.example.com/x", true},
        {"https://api.example.com:443/x", true},
        {"HTTPS://API.Example.com/x", true},
        {"http://api.example.com/x", false},
        {"http://api.example.com:443/x", false},
        {"https://api.example.com:8443/x", false},
        {"https://api.example.com.evil.example/x", false},
        {"https://evil.example/api.example.com", false},
        {"https://api.example.com@evil.example/x", false},
        {"https://example.com/x", false},
    };
    (void)state;
    struct weir__base base = base_of("https://api.example.com/v1");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_resolves(&base, cases[i].url, cases[i].url, cases[i].own);
    weir__base_free(&base);
}

static void test_without_a_base(void **state)
{
    (void)state;
    struct weir__base base = base_of(NULL);
    assert_resolves(&base, "http://h/x", "http://h/x", true);
    assert_refuses(&base, "/x");
    assert_refuses(&base, "x");
    weir__base_free(&base);
}

static void test_bad_urls(void **state)
{
    static const char *const bad[] = {
        "",
        "//evil.example/x",
        "ftp://h/x",
        "file:///etc/passwd",
        "gopher://h/",
        "/a b",
        "/a\r\nEvil: 1",
        "/a\t",
        "/\x7f",
        "http://",
        "http:///x",
        "https:////x",
        "http://h:99999/",
        "http://h ost/",
    };
    (void)state;
    struct weir__base base = base_of("http://h");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_refuses(&base, bad[i]);
    assert_refuses(&base, NULL);
    weir__base_free(&base);
}

static void test_longest_url(void **state)
{
    const size_t max = 64 << 10;
    (void)state;
    char *url = malloc(max + 2);
    assert_non_null(url);
    memset(url, 'a', max + 1);
    url[0] = '/';
    url[max + 1] = '\0';
    struct weir__base base = base_of("http://h");
    assert_refuses(&base, url);
    url[max] = '\0';
    char *text;
    bool own;
    assert_int_equal(weir__url_resolve(&base, url, &text, &own), 0);
    assert_int_equal(strlen(text), strlen("http://h") + max);
    weir__free(text);
    weir__base_free(&base);
    free(url);
}

/* Each of our own allocations fails in turn. */
static void test_out_of_memory(void **state)
{
    int rc = WEIR_ENOMEM;
    unsigned long k = 0;
    (void)state;
    while (rc == WEIR_ENOMEM) {
        struct weir__base base;
        char *text = NULL;
        bool own;
        assert_true(++k < 100);
        weir__mem_fail_at(k);
        rc = weir__base_init(&base, "http://h/v1");
        if (rc == 0)
            rc = weir__url_resolve(&base, "http://h/x", &text, &own);
        weir__mem_fail_at(0);
        weir__free(text);
        weir__base_free(&base);
    }
    assert_int_equal(rc, 0);
    assert_true(k > 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base_parts),
        cmocka_unit_test(test_origin),
        cmocka_unit_test(test_bad_bases),
        cmocka_unit_test(test_joining),
        cmocka_unit_test(test_whose_origin_an_absolute_url_has),
        cmocka_unit_test(test_without_a_base),
        cmocka_unit_test(test_bad_urls),
        cmocka_unit_test(test_longest_url),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
