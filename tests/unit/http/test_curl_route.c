/* Which way an attempt went: protocol, connection, proxy, peer; as the record, the hook, the log
 * and the counts tell. */
#include "curl_rig.h"

#include <weir/metrics.h>
#include <weir/stream.h>

#include "http/curl_version.h"

#define NOBODY "http://127.0.0.1:1/"

static int port_of(const struct script_server *server)
{
    return (int)strtol(strrchr(script_server_url(server), ':') + 1, NULL, 10);
}

static struct weir_attempt_record last_of(const weir_response *response)
{
    struct weir_attempt_record record = {.size = sizeof record};
    check_int(weir_response_history(response, weir_response_attempts(response), &record), 0);
    return record;
}

static struct weir_attempt_record record_of(weir_client *client, const struct weir_request *request,
                                            int want_rc)
{
    weir_response *response = NULL;
    int port = -1;
    request_once(client, request, want_rc, &response);
    struct weir_attempt_record record = last_of(response);
    check(strcmp(weir_response_peer(response, &port), record.peer_ip) == 0);
    check_int(port, record.peer_port);
    weir_response_free(response);
    return record;
}

static void check_way(const struct weir_attempt_record *record, int http_version,
                      enum weir_connection connection, enum weir_via via)
{
    check_int(record->http_version, http_version);
    check_int(record->connection, connection);
    check_int(record->via, via);
}

static void check_peer(const struct weir_attempt_record *record, const struct script_server *server)
{
    check(strcmp(record->peer_ip, "127.0.0.1") == 0);
    check_int(record->peer_port, port_of(server));
}

static void check_nobody(const struct weir_attempt_record *record)
{
    check(strcmp(record->peer_ip, "") == 0);
    check_int(record->peer_port, 0);
}

/* ---- what the answer says ---- */

static int new_then_reused(void *arg)
{
    struct script_server *server = SCRIPT_SERVER({.answer = SCRIPT_OK("2", "ok")});
    weir_client *client = CLIENT(server, .rate = 0);
    struct weir_client_stats stats = {.size = sizeof stats};
    (void)arg;
    struct weir_attempt_record record = record_of(client, WEIR_REQUEST(.url = "/"), 0);
    check_way(&record, 11, WEIR_CONNECTION_NEW, WEIR_VIA_DIRECT);
    check_peer(&record, server);
    record = record_of(client, WEIR_REQUEST(.url = "/"), 0);
    check_way(&record, 11, WEIR_CONNECTION_REUSED, WEIR_VIA_DIRECT);
    check_peer(&record, server);
    check_int(weir_client_stats(client, &stats), 0);
    check_int((int64_t)stats.connections, 1);
    check_int((int64_t)(stats.http2_attempts + stats.proxy_attempts), 0);
    return end(server, client);
}

static int an_old_version(void *arg)
{
    struct script_server *server = SCRIPT_SERVER(
        {.answer = "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", .end = SCRIPT_CLOSE});
    weir_client *client = CLIENT(server, .rate = 0);
    (void)arg;
    struct weir_attempt_record record = record_of(client, WEIR_REQUEST(.url = "/"), 0);
    check_way(&record, 10, WEIR_CONNECTION_NEW, WEIR_VIA_DIRECT);
    return end(server, client);
}

/* Who hangs, or has hung up, is what one wants to know most. */
static int no_answer(void *arg)
{
    struct script_server *server = SCRIPT_SERVER({.end = SCRIPT_HOLD}, {.end = SCRIPT_HOLD},
                                                 {.end = SCRIPT_HOLD}, {.end = SCRIPT_RESET});
    weir_client *client = CLIENT(server, .attempt_timeout_ms = 50);
    struct weir_attempt_record record;
    (void)arg;
    record = record_of(client, WEIR_REQUEST(.url = "/"), WEIR_EATTEMPTTIME);
    check_way(&record, 0, WEIR_CONNECTION_NEW, WEIR_VIA_DIRECT);
    check_peer(&record, server);
    record = record_of(client, WEIR_REQUEST(.url = "/", .idle_first_ms = 20), WEIR_EIDLE);
    check_way(&record, 0, WEIR_CONNECTION_NEW, WEIR_VIA_DIRECT);
    check_peer(&record, server);
    record = record_of(client, WEIR_REQUEST(.url = "/", .timeout_ms = 20), WEIR_ETIMEDOUT);
    check_way(&record, 0, WEIR_CONNECTION_NEW, WEIR_VIA_DIRECT);
    check_peer(&record, server);
    record = record_of(client, WEIR_REQUEST(.url = "/"), WEIR_ERESET);
    check_way(&record, 0, WEIR_CONNECTION_NEW, WEIR_VIA_DIRECT);
    check_peer(&record, server);
    return end(server, client);
}

static int no_connection(void *arg)
{
    weir_client *client = client_with(WEIR_CLIENT_OPTS(.rate = 0));
    (void)arg;
    struct weir_attempt_record record =
        record_of(client, WEIR_REQUEST(.url = NOBODY), WEIR_ECONNECT);
    check_way(&record, 0, WEIR_CONNECTION_NONE, WEIR_VIA_DIRECT);
    check_nobody(&record);
    return weir_client_free(client);
}

static int answer_ok(void *self, const struct weir_exchange *exchange, weir_response *response)
{
    (void)self;
    (void)exchange;
    return weir_response_set_status(response, 200);
}

static int unknown_of_a_transport_of_ones_own(void *arg)
{
    const struct weir_transport transport = WEIR_TRANSPORT(.perform = answer_ok);
    weir_client *client = NULL;
    (void)arg;
    check_int(weir_client_new(&client, WEIR_CLIENT_OPTS(.transport = &transport)), 0);
    struct weir_attempt_record record = record_of(client, WEIR_REQUEST(.url = NOBODY), 0);
    check_way(&record, 0, WEIR_CONNECTION_NONE, WEIR_VIA_UNKNOWN);
    check_nobody(&record);
    return weir_client_free(client);
}

/* Known as soon as the answer begins. */
static int of_a_stream(void *arg)
{
    struct script_server *server = SCRIPT_SERVER({.answer = SCRIPT_OK("4", "text")});
    weir_client *client = CLIENT(server, .rate = 0);
    weir_stream *stream = NULL;
    (void)arg;
    check_int(weir_stream_open(client, WEIR_REQUEST(.url = "/"), NULL, &stream), 0);
    struct weir_attempt_record record = last_of(weir_stream_response(stream));
    check_way(&record, 11, WEIR_CONNECTION_NEW, WEIR_VIA_DIRECT);
    check_peer(&record, server);
    weir_stream_close(stream);
    return end(server, client);
}

/* Each attempt has its own. */
static int of_each_attempt(void *arg)
{
    struct script_server *server =
        SCRIPT_SERVER({.answer = "HTTP/1.0 500 No\r\nContent-Length: 0\r\n\r\n",
                       .end = SCRIPT_CLOSE},
                      {.answer = SCRIPT_OK("2", "ok")});
    weir_client *client =
        CLIENT(server, .retry = WEIR_RETRY_OPTS(.max_attempts = 2, .wait = weir_wait_fixed_ms(1)));
    struct weir_attempt_record record = {.size = sizeof record};
    weir_response *response = NULL;
    (void)arg;
    request_once(client, WEIR_REQUEST(.url = "/"), 0, &response);
    check_int(weir_response_history(response, 1, &record), 0);
    check_way(&record, 10, WEIR_CONNECTION_NEW, WEIR_VIA_DIRECT);
    check_peer(&record, server);
    record = last_of(response);
    check_int(record.number, 2);
    check_way(&record, 11, WEIR_CONNECTION_NEW, WEIR_VIA_DIRECT);
    weir_response_free(response);
    return end(server, client);
}

/* ---- proxies ---- */

static int a_proxy_of_ones_own(void *arg)
{
    struct script_server *proxy = SCRIPT_SERVER({.answer = SCRIPT_OK("2", "ok")});
    weir_client *client =
        client_with(WEIR_CLIENT_OPTS(.net = WEIR_NET_OPTS(.proxy = script_server_url(proxy))));
    struct weir_client_stats stats = {.size = sizeof stats};
    (void)arg;
    for (int i = 0; i < 2; i++) {
        struct weir_attempt_record record =
            record_of(client, WEIR_REQUEST(.url = "http://upstream.example/"), 0);
        check_way(&record, 11, i > 0 ? WEIR_CONNECTION_REUSED : WEIR_CONNECTION_NEW,
                  WEIR_VIA_PROXY);
        check_peer(&record, proxy);
    }
    check_int(weir_client_stats(client, &stats), 0);
    check_int((int64_t)stats.proxy_attempts, 2);
    check_int((int64_t)stats.connections, 1);
    return end(proxy, client);
}

/* Whether a host is beside it is libcurl's to say. */
static int hosts_beside_the_proxy(void *arg)
{
    bool tells = weir__curl_trait(WEIR__CURL_TELLS_PROXY);
    struct script_server *proxy = SCRIPT_SERVER({.answer = SCRIPT_OK("2", "ok")});
    struct script_server *server = SCRIPT_SERVER({.answer = SCRIPT_OK("2", "ok")});
    weir_client *client =
        client_with(WEIR_CLIENT_OPTS(.base_url = script_server_url(server),
                                     .net = WEIR_NET_OPTS(.proxy = script_server_url(proxy),
                                                          .no_proxy = "127.0.0.0/8")));
    (void)arg;
    struct weir_attempt_record record = record_of(client, WEIR_REQUEST(.url = "/"), 0);
    check_way(&record, 11, WEIR_CONNECTION_NEW, tells ? WEIR_VIA_DIRECT : WEIR_VIA_UNKNOWN);
    check_peer(&record, server);
    record = record_of(client, WEIR_REQUEST(.url = "http://upstream.example/"), 0);
    check_way(&record, 11, WEIR_CONNECTION_NEW, tells ? WEIR_VIA_PROXY : WEIR_VIA_UNKNOWN);
    check_peer(&record, proxy);
    script_server_stop(proxy);
    return end(server, client);
}

/* It was asked for a tunnel, so it is used, whatever libcurl. */
static int the_environments(void *arg)
{
    struct script_server *proxy =
        SCRIPT_SERVER({.answer = "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"});
    setenv("all_proxy", script_server_url(proxy), 1);
    weir_client *client = client_with(WEIR_CLIENT_OPTS(.rate = 0));
    (void)arg;
    struct weir_attempt_record record =
        record_of(client, WEIR_REQUEST(.url = "https://upstream.example/"), WEIR_ECONNECT);
    check_way(&record, 0, WEIR_CONNECTION_NONE, WEIR_VIA_PROXY);
    forget_proxies();
    return end(proxy, client);
}

/* ---- who is told ---- */

static struct {
    char text[2000];
    struct weir_attempt last;
} told;

static void keep_text(enum weir_log_level level, const char *text, void *arg)
{
    (void)arg;
    if (level == WEIR_LOG_DEBUG)
        snprintf(told.text, sizeof told.text, "%s", text);
}

static void keep_attempt(const struct weir_attempt *attempt, void *arg)
{
    (void)arg;
    told.last = *attempt;
}

static void check_told(weir_client *client, const struct script_server *peer, const char *format)
{
    char want[200];
    weir_response *response = NULL;
    request_once(client, WEIR_REQUEST(.url = "http://127.0.0.1:2/"), 0, &response);
    weir_response_free(response);
    snprintf(want, sizeof want, format, port_of(peer));
    if (!check(strstr(told.text, want) != NULL))
        print_error("no '%s' in '%s'\n", want, told.text);
    check_int(told.last.http_version, 11);
}

static int hook_and_log(void *arg)
{
    struct script_server *proxy = SCRIPT_SERVER({.answer = SCRIPT_OK("2", "ok")});
    weir_client *client =
        client_with(WEIR_CLIENT_OPTS(.net = WEIR_NET_OPTS(.proxy = script_server_url(proxy)),
                                     .log = WEIR_LOG_OPTS(.fn = keep_text, .attempt = keep_attempt,
                                                          .level = WEIR_LOG_DEBUG)));
    (void)arg;
    check_told(client, proxy,
               ": 200, HTTP/1.1, connection new, through a proxy, to 127.0.0.1:%d, took ");
    check_int(told.last.connection, WEIR_CONNECTION_NEW);
    check_int(told.last.via, WEIR_VIA_PROXY);
    check_told(client, proxy,
               ": 200, HTTP/1.1, connection reused, through a proxy, to 127.0.0.1:%d, took ");
    check_int(told.last.connection, WEIR_CONNECTION_REUSED);
    return end(proxy, client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        REAL_TEST(new_then_reused),
        REAL_TEST(an_old_version),
        REAL_TEST(no_answer),
        REAL_TEST(no_connection),
        REAL_TEST(unknown_of_a_transport_of_ones_own),
        REAL_TEST(of_a_stream),
        REAL_TEST(of_each_attempt),
        REAL_TEST(a_proxy_of_ones_own),
        REAL_TEST(hosts_beside_the_proxy),
        REAL_TEST(the_environments),
        REAL_TEST(hook_and_log),
    };
    forget_proxies();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
