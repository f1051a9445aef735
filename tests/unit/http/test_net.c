/* Connection options: what is refused, in which words, and what those that are taken do. */
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <weir/net.h>
#include <weir/stream.h>

#include "curl_rig.h"

#include "base/mem.h"
#include "http/curl_version.h"

#define NET(...)        ((struct weir_net_opts){.size = sizeof(struct weir_net_opts), __VA_ARGS__})
#define NOWHERE         "/nowhere/at.pem"
#define LONG_PATH       "/0123456789/0123456789/0123456789/0123456789/0123456789"
#define LIST(...)       ((const char *const[]){__VA_ARGS__, NULL})
#define POST_TO(target) WEIR_REQUEST(.url = (target), .body = "body")

/* ---- words ---- */

static void refused(struct weir_net_opts opts, int want, const char *about)
{
    char text[256];
    check_int(weir_net_check(&opts, text, sizeof text), want);
    if (!check(strstr(text, about) != NULL))
        fprintf(stderr, "said '%s'\n", text);
    check(strstr(text, "hush") == NULL);
}

static int proxies_that_are_refused(void *arg)
{
    (void)arg;
    refused(NET(.proxy = "3128"), WEIR_EINVAL, "proxy is a number alone");
    refused(NET(.proxy = "ftp://h:1"), WEIR_EINVAL, "proxy is of no known kind");
    refused(NET(.proxy = "http://h:1/path"), WEIR_EINVAL, "proxy has a path");
    refused(NET(.proxy = "http://h:1/?q"), WEIR_EINVAL, "proxy has a path");
    refused(NET(.proxy = "http://me:hush@h:123456"), WEIR_EINVAL, "proxy is no URL");
    refused(NET(.proxy = "http://h\r\nX: y"), WEIR_EINVAL, "proxy has a control character");
    refused(NET(.no_proxy = "a"), WEIR_EINVAL, "no_proxy without a proxy");
    refused(NET(.proxy = "", .no_proxy = "a"), WEIR_EINVAL, "no_proxy without a proxy");
    refused(NET(.proxy = "h:1", .unix_socket = "/s"), WEIR_EINVAL, "unix_socket and proxy");
    return 0;
}

static int targets_that_are_refused(void *arg)
{
    static const char *const entries[] = {"h",
                                          "h:80",
                                          "h:80:",
                                          "h:0:1.2.3.4",
                                          "h:65536:1.2.3.4",
                                          ":80:::",
                                          "h:80:name",
                                          "-h:80:1.2.3.4",
                                          "+h:80:::1",
                                          "h:80:1.2.3.4,",
                                          "h:80:1.2.3.4,x",
                                          "a b:80:::1",
                                          "[::1]:80:::1",
                                          "h:+80:::1",
                                          "h:80:1.2.3.4\n"};
    (void)arg;
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++)
        refused(NET(.resolve = LIST("ok:443:::1", entries[i])), WEIR_EINVAL, "resolve[1]");
    refused(NET(.unix_socket = "/s", .resolve = LIST("h:80:::1")), WEIR_EINVAL, "resolve");
    refused(NET(.unix_socket = LONG_PATH LONG_PATH), WEIR_EINVAL, "too long");
    refused(NET(.unix_socket = ""), WEIR_EINVAL, "unix_socket is empty");
    return 0;
}

static int tls_that_is_refused(void *arg)
{
    (void)arg;
    refused(NET(.ca_file = NOWHERE), WEIR_EIO, "ca_file cannot be read: " NOWHERE);
    refused(NET(.ca_dir = NOWHERE), WEIR_EIO, "ca_dir cannot be read");
    refused(NET(.cert_file = NOWHERE), WEIR_EIO, "cert_file cannot be read");
    refused(NET(.cert_file = "/dev/null", .key_file = NOWHERE), WEIR_EIO, "key_file");
    refused(NET(.key_file = "/dev/null"), WEIR_EINVAL, "key_file");
    refused(NET(.key_password = "hush"), WEIR_EINVAL, "without cert_file");
    refused(NET(.key_password = "hush\n"), WEIR_EINVAL, "key_password has a control character");
    refused(NET(.ca_file = "/dev/null", .insecure_accept_any_certificate = 1), WEIR_EINVAL,
            "insecure");
    refused(NET(.tls_keylog_file = "/nowhere/keys"), WEIR_EIO, "tls_keylog_file");
    refused(NET(.tls_keylog_file = "/dev/null"), WEIR_EIO, "tls_keylog_file");
    return 0;
}

static int numbers_that_are_refused(void *arg)
{
    char text[256] = "x";
    struct weir_net_opts unset = {.size = 0};
    (void)arg;
    refused(NET(.connect_timeout_ms = -1), WEIR_EINVAL, "connect_timeout_ms");
    refused(NET(.idle_max_ms = -1), WEIR_EINVAL, "idle_max_ms");
    refused(NET(.http2 = 3), WEIR_EINVAL, "http2");
    refused(NET(.tls_min = 2), WEIR_EINVAL, "tls_min");
    refused(NET(.compression = WEIR_COMPRESSION_KEEP + 1), WEIR_EINVAL, "compression");
    check_int(weir_net_check(&unset, text, sizeof text), WEIR_EINVAL);
    check_int(weir_net_check(&NET(.http2 = 3), text, 0), WEIR_EINVAL);
    check_int(weir_net_check(NULL, text, sizeof text), 0);
    check(text[0] == '\0');
    return 0;
}

/* As it would be told once connections are used again: HTTP/2 without TLS is broken before 8.0. */
static int http2_without_tls(void *arg)
{
    char text[256];
    bool works = weir__curl_trait(WEIR__CURL_H2C);
    int rc = weir_net_check(WEIR_NET_OPTS(.http2 = WEIR_HTTP2_PRIOR_KNOWLEDGE), text, sizeof text);
    (void)arg;
    check_int(rc, works ? 0 : WEIR_ELIBCURL);
    check(works || strstr(text, "needs libcurl 8.0 or later, not 7.") != NULL);
    check_int(weir_net_check(WEIR_NET_OPTS(.http2 = WEIR_HTTP2_TLS), text, sizeof text), 0);
    return 0;
}

static int all_that_is_taken(void *arg)
{
    (void)arg;
    static const char *const proxies[] = {
        "",           "h:1",         "http://u:p@h:1", "https://h:1/",
        "socks4://h", "socks4a://h", "socks5://h:1",   "socks5h://[::1]:1080"};
    for (size_t i = 0; i < sizeof proxies / sizeof proxies[0]; i++)
        refused(NET(.proxy = proxies[i]), 0, "");
    refused(NET(.proxy = "h:1", .no_proxy = "a,10.0.0.0/8"), 0, "");
    refused(NET(.proxy = "", .unix_socket = "/s"), 0, "");
    refused(NET(.resolve = LIST("h:1:1.2.3.4", "*:65535:[::1],::2,1.1.1.1")), 0, "");
    refused(NET(.cert_file = "/dev/null", .key_file = "/dev/null", .key_password = "p"), 0, "");
    refused(NET(.ca_file = "/dev/null", .ca_dir = "/", .tls_min = WEIR_TLS_1_3), 0, "");
    refused(NET(.connect_timeout_ms = INT64_MAX, .idle_max_ms = INT64_MAX), 0, "");
    return 0;
}

/* ---- a client's log ---- */

struct lines {
    char text[512];
    enum weir_log_level level;
    int count;
};

static void keep(enum weir_log_level level, const char *text, void *arg)
{
    struct lines *lines = arg;
    lines->level = level;
    lines->count++;
    snprintf(lines->text, sizeof lines->text, "%s", text);
}

static int a_client_says_what_is_wrong(void *arg)
{
    struct lines lines = {.count = 0};
    weir_client *client;
    (void)arg;
    const struct weir_log_opts *log = WEIR_LOG_OPTS(.fn = keep, .arg = &lines);
    int rc = weir_client_new(&client, WEIR_CLIENT_OPTS(.log = log,
                                                       .net = WEIR_NET_OPTS(.ca_file = NOWHERE)));
    check_int(rc, WEIR_EIO);
    check(client == NULL);
    check_int(lines.count, 1);
    check_int(lines.level, WEIR_LOG_ERROR);
    check(strstr(lines.text, "ca_file cannot be read") != NULL);
    const struct weir_net_opts *insecure = WEIR_NET_OPTS(.insecure_accept_any_certificate = 1);
    check_int(weir_client_new(&client, WEIR_CLIENT_OPTS(.log = log, .net = insecure)), 0);
    check_int(lines.count, 2);
    check_int(lines.level, WEIR_LOG_WARN);
    check(strstr(lines.text, "insecure") != NULL);
    check_int(weir_client_free(client), 0);
    return 0;
}

static int never_called(void *self, const struct weir_exchange *exchange, weir_response *response)
{
    (void)self;
    (void)exchange;
    (void)response;
    return check(false) ? 0 : WEIR_EINVAL;
}

static int not_beside_a_transport(void *arg)
{
    const struct weir_transport transport = WEIR_TRANSPORT(.perform = never_called);
    weir_client *client;
    (void)arg;
    int rc = weir_client_new(&client, WEIR_CLIENT_OPTS(.transport = &transport,
                                                       .net = WEIR_NET_OPTS(.http2 = 0)));
    check_int(rc, WEIR_EINVAL);
    return 0;
}

/* ---- where requests go ---- */

static const struct script_step answer = {.answer = SCRIPT_OK("2", "ok")};
static const struct script_step no_way = {
    .answer = "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"};

/* "me:hush" in base64, RFC 7617. */
static const char proxy_key[] = "Proxy-Authorization: Basic bWU6aHVzaA==\r\n";

static void proxy_url(char *out, size_t size, const struct script_server *server)
{
    snprintf(out, size, "http://me:hush@%s", script_server_url(server) + strlen("http://"));
}

static int a_proxy_of_ones_own(void *arg)
{
    struct script_server *proxy = SCRIPT_SERVER(answer), *server = SCRIPT_SERVER(answer);
    char url[64];
    (void)arg;
    proxy_url(url, sizeof url, proxy);
    struct weir_net_opts net = NET(.proxy = url);
    weir_client *client = client_with(WEIR_CLIENT_OPTS(.base_url = "http://upstream.example",
                                                       .net = &net, .bearer_token = "key"));
    memset(url, 'x', strlen(url)); /* copied */
    check_answer(client, POST_TO("/v1/x"), 200, "ok");
    check(asked(proxy, 0, "POST http://upstream.example/v1/x"));
    check(head_has(proxy, 0, proxy_key));
    check(head_has(proxy, 0, "\r\nAuthorization: Bearer key\r\n"));
    /* Loopback, too, is behind it, if one says so; another origin does not get the key. */
    check_answer(client, POST_TO(script_server_url(server)), 200, "ok");
    check_int(script_server_requests(server), 0);
    check(!head_has(proxy, 1, "\r\nAuthorization:"));
    script_server_stop(server);
    return end(proxy, client);
}

static int hosts_beside_the_proxy(void *arg)
{
    struct script_server *proxy = SCRIPT_SERVER(answer), *server = SCRIPT_SERVER(answer);
    (void)arg;
    weir_client *client =
        client_with(WEIR_CLIENT_OPTS(.net = WEIR_NET_OPTS(.proxy = script_server_url(proxy),
                                                          .no_proxy = "a.example,127.0.0.0/8")));
    check_answer(client, POST_TO(script_server_url(server)), 200, "ok");
    check_int(script_server_requests(server), 1);
    check_int(script_server_requests(proxy), 0);
    check_answer(client, POST_TO("http://b.example/"), 200, "ok");
    check_int(script_server_requests(proxy), 1);
    script_server_stop(server);
    return end(proxy, client);
}

/* What goes to the proxy in the clear holds the proxy's password and not the server's key. */
static int a_tunnel(void *arg)
{
    struct script_server *proxy = SCRIPT_SERVER(no_way);
    char url[64];
    weir_response *response;
    (void)arg;
    proxy_url(url, sizeof url, proxy);
    weir_client *client =
        client_with(WEIR_CLIENT_OPTS(.base_url = "https://upstream.example", .bearer_token = "key",
                                     .net = WEIR_NET_OPTS(.proxy = url)));
    check_int(weir_request(client, POST_TO("/v1/x"), &response), WEIR_ECONNECT);
    check_int(weir_response_sent(response), WEIR_SENT_NEVER);
    check(strstr(weir_response_error_text(response), "hush") == NULL);
    check(asked(proxy, 0, "CONNECT upstream.example:443"));
    check(head_has(proxy, 0, proxy_key));
    check(!head_has(proxy, 0, "\r\nAuthorization:") && !head_has(proxy, 0, "key\r\n"));
    weir_response_free(response);
    return end(proxy, client);
}

static int no_proxy_at_all(void *arg)
{
    struct script_server *server = SCRIPT_SERVER(answer);
    const char *port = strrchr(script_server_url(server), ':') + 1;
    char entry[64], url[64];
    (void)arg;
    snprintf(entry, sizeof entry, "pinned.example:%s:127.0.0.1", port);
    snprintf(url, sizeof url, "http://pinned.example:%s/", port);
    setenv("all_proxy", "http://127.0.0.1:1", 1);
    for (int none = 0; none <= 1; none++) {
        struct weir_net_opts net = NET(.proxy = none ? "" : NULL, .resolve = LIST(entry));
        weir_client *client = client_with(WEIR_CLIENT_OPTS(.net = &net));
        if (none)
            check_answer(client, POST_TO(url), 200, "ok");
        else
            check_failure(client, POST_TO(url), WEIR_ECONNECT, WEIR_SENT_NEVER);
        check_int(weir_client_free(client), 0);
    }
    forget_proxies();
    script_server_stop(server);
    return 0;
}

static int pinned_addresses(void *arg)
{
    struct script_server *server = SCRIPT_SERVER(answer);
    const char *port = strrchr(script_server_url(server), ':') + 1;
    char entry[64], url[64];
    (void)arg;
    snprintf(entry, sizeof entry, "pinned.example:%s:127.0.0.1", port);
    snprintf(url, sizeof url, "http://pinned.example:%s/x", port);
    weir_client *client = client_with(
        WEIR_CLIENT_OPTS(.net = WEIR_NET_OPTS(.resolve = LIST("other.example:1:::1", entry))));
    memset(entry, 'x', strlen(entry)); /* copied */
    for (int i = 0; i < 3; i++)
        check_answer(client, POST_TO(url), 200, "ok");
    check(head_has(server, 2, "\r\nHost: pinned.example:"));
    check_int(script_server_connections(server), 1);
    return end(server, client);
}

static int a_connect_that_takes_too_long(void *arg)
{
    int fds[SCRIPT_DEAF_FDS];
    char url[64];
    (void)arg;
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", script_deaf_port(fds));
    weir_client *client =
        client_with(WEIR_CLIENT_OPTS(.attempt_timeout_ms = 4 * BOUND_MS,
                                     .net = WEIR_NET_OPTS(.connect_timeout_ms = 20)));
    int64_t begun_ms = weir_now_ms();
    check_failure(client, POST_TO(url), WEIR_ECONNECT, WEIR_SENT_NEVER);
    check(weir_now_ms() - begun_ms < BOUND_MS);
    check_int(weir_client_free(client), 0);
    script_deaf_end(fds);
    return 0;
}

/* ---- connections that nobody uses ---- */

enum { LONG_BODY = 150000 };

static bool read_all(weir_stream *stream, size_t want)
{
    static char piece[4096];
    int64_t n;
    size_t all = 0;
    while ((n = weir_stream_read(stream, piece, sizeof piece)) > 0)
        all += (size_t)n;
    return check_int(n, 0) && check_int((int64_t)all, (int64_t)want);
}

/* A stream whose reader is slow stops its connection, which libcurl then no longer wants watched.
 * The server has sent all and closed it: what the kernel has got of it is not lost when the next
 * request looks for dead ones. */
static int check_paused(enum weir_http2 http2)
{
    struct script_server *server =
        SCRIPT_SERVER({.answer = "HTTP/1.1 200 OK\r\nContent-Length: 150000\r\n\r\n",
                       .fill = LONG_BODY,
                       .end = SCRIPT_CLOSE},
                      answer);
    weir_stream *stream;
    weir_client *client = CLIENT(server, .net = WEIR_NET_OPTS(.http2 = http2));
    check_int(weir_stream_open(client, WEIR_REQUEST(.url = "/"), NULL, &stream), 0);
    wait_closed(server, 1);
    check_answer(client, POST_TO("/"), 200, "ok");
    check(read_all(stream, LONG_BODY));
    weir_stream_close(stream);
    return end(server, client);
}

static int a_paused_connection_is_in_use(void *arg)
{
    (void)arg;
    return check_paused(WEIR_HTTP2_OFF);
}

static int a_paused_connection_is_in_use_with_http2(void *arg)
{
    (void)arg;
    return check_paused(WEIR_HTTP2_TLS);
}

/* The socket of a connect that failed is closed, and its number is another file's next. */
static int files_of_others_are_left_alone(void *arg)
{
    char refuses[48];
    const char *const urls[] = {refuses, "http://nowhere.invalid/"};
    struct stat before, after;
    int other[2];
    (void)arg;
    forget_proxies();
    snprintf(refuses, sizeof refuses, "http://127.0.0.1:%d/", script_closed_port());
    weir_client *client =
        client_with(WEIR_CLIENT_OPTS(.net = WEIR_NET_OPTS(.http2 = WEIR_HTTP2_TLS)));
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        weir_response *response;
        check(weir_request(client, WEIR_REQUEST(.url = urls[i]), &response) < 0);
        weir_response_free(response);
        check(pipe2(other, O_CLOEXEC) == 0);
        close(other[1]); /* so that it has ended */
        check(fstat(other[0], &before) == 0);
        check(weir_request(client, WEIR_REQUEST(.url = urls[i]), &response) < 0);
        weir_response_free(response);
        check(fstat(other[0], &after) == 0 && before.st_ino == after.st_ino);
        close(other[0]);
    }
    return weir_client_free(client);
}

/* ---- programs that are started meanwhile ---- */

/* Whether it is the client's end of a connection to that port. */
static bool goes_to(int fd, int port)
{
    struct sockaddr_in peer;
    socklen_t len = sizeof peer;
    return getpeername(fd, (struct sockaddr *)&peer, &len) == 0 && peer.sin_family == AF_INET &&
           ntohs(peer.sin_port) == port;
}

static int connections_are_not_inherited(void *arg)
{
    enum { FILES = 256 };
    struct script_server *server = SCRIPT_SERVER(answer);
    weir_client *client = CLIENT(server, .concurrency = 1);
    int port = (int)strtol(strrchr(script_server_url(server), ':') + 1, NULL, 10), found = 0;
    (void)arg;
    check_answer(client, POST_TO("/"), 200, "ok");
    for (int fd = 0; fd < FILES; fd++) {
        if (!goes_to(fd, port))
            continue;
        found++;
        check((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    }
    check_int(found, 1);
    return end(server, client);
}

/* ---- files and memory ---- */

static int the_key_log_is_its_owners(void *arg)
{
    char path[] = "/tmp/weir-test-XXXXXX", text[256];
    struct stat info;
    (void)arg;
    int fd = mkstemp(path);
    close(fd);
    check_int(chmod(path, 0644), 0);
    refused(NET(.tls_keylog_file = path), WEIR_EIO, "others may read it");
    check_int(unlink(path), 0);
    mode_t mask = umask(0);
    check_int(weir_net_check(&NET(.tls_keylog_file = path), text, sizeof text), 0);
    umask(mask);
    check_int(stat(path, &info), 0);
    check_int(info.st_mode & 0777, 0600);
    check_int(unlink(path), 0);
    check_int(symlink("/dev/null", path), 0);
    refused(NET(.tls_keylog_file = path), WEIR_EIO, "tls_keylog_file");
    check_int(unlink(path), 0);
    return 0;
}

/* Whichever allocation fails, the client is not made, and nothing is left. */
static int allocations_that_fail(void *arg)
{
    const struct weir_net_opts net =
        NET(.proxy = "http://me:hush@h:1", .no_proxy = "a", .resolve = LIST("h:1:::1"),
            .cert_file = "/dev/null", .key_password = "p");
    weir_client *client = NULL;
    int rc = WEIR_ENOMEM;
    unsigned long k = 0;
    (void)arg;
    while (rc == WEIR_ENOMEM && k++ < 100) {
        weir__mem_fail_at(k);
        rc = weir_client_new(&client, WEIR_CLIENT_OPTS(.net = &net));
        weir__mem_fail_at(0);
        check((client != NULL) == (rc == 0));
    }
    check_int(rc, 0);
    check(k > 4); /* the texts */
    check_int(weir_client_free(client), 0);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        REAL_TEST(proxies_that_are_refused),
        REAL_TEST(targets_that_are_refused),
        REAL_TEST(tls_that_is_refused),
        REAL_TEST(numbers_that_are_refused),
        REAL_TEST(http2_without_tls),
        REAL_TEST(all_that_is_taken),
        REAL_TEST(a_client_says_what_is_wrong),
        REAL_TEST(not_beside_a_transport),
        REAL_TEST(a_proxy_of_ones_own),
        REAL_TEST(hosts_beside_the_proxy),
        REAL_TEST(a_tunnel),
        REAL_TEST(no_proxy_at_all),
        REAL_TEST(pinned_addresses),
        REAL_TEST(a_connect_that_takes_too_long),
        REAL_TEST(a_paused_connection_is_in_use),
        REAL_TEST(connections_are_not_inherited),
        REAL_TEST(a_paused_connection_is_in_use_with_http2),
        REAL_TEST(files_of_others_are_left_alone),
        REAL_TEST(the_key_log_is_its_owners),
        REAL_TEST(allocations_that_fail),
    };
    forget_proxies();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
