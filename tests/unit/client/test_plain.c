/* HTTP/2 that was asked for and is not spoken, since the URL is http://: said once for each server.
 */
#include "../http/curl_rig.h"

#include "client/plain.h"

#define HTTP2 .net = WEIR_NET_OPTS(.http2 = WEIR_HTTP2_TLS)

static struct {
    char last[WEIR_LOG_TEXT_MAX];
    int warnings; /* of this kind */
} said;

static void keep(enum weir_log_level level, const char *text, void *arg)
{
    (void)arg;
    if (strstr(text, "HTTP2") == NULL)
        return;
    check_int(level, WEIR_LOG_WARN);
    snprintf(said.last, sizeof said.last, "%s", text);
    said.warnings++;
}
#define LOG(...) .log = WEIR_LOG_OPTS(.fn = keep, __VA_ARGS__)

static void ask(weir_client *client, const char *url)
{
    weir_response *response = NULL;
    weir_get(client, url, &response);
    weir_response_free(response);
}

static int once_for_each_server(void *arg)
{
    struct script_server *server = SCRIPT_SERVER({.answer = SCRIPT_OK("2", "ok")});
    struct script_server *other = SCRIPT_SERVER({.answer = SCRIPT_OK("2", "ok")});
    weir_client *client = CLIENT(server, HTTP2, LOG(.level = 0));
    char want[200];
    (void)arg;
    memset(&said, 0, sizeof said);
    for (int i = 0; i < 3; i++)
        ask(client, "/v1/x");
    check_int(said.warnings, 1);
    snprintf(want, sizeof want,
             "%s is spoken to in HTTP/1.1: WEIR_HTTP2_TLS has no effect with http://",
             script_server_url(server));
    check(strcmp(said.last, want) == 0);
    ask(client, script_server_url(other));
    ask(client, script_server_url(other));
    check_int(said.warnings, 2);
    check_int(script_server_requests(server), 3); /* they are sent all the same */
    check_int(script_server_requests(other), 2);
    check(asked(server, 0, "GET /v1/x"));
    script_server_stop(other);
    return end(server, client);
}

static int only_where_it_is_in_vain(void *arg)
{
    struct script_server *server = SCRIPT_SERVER({.answer = SCRIPT_OK("2", "ok")});
    weir_client *client = CLIENT(server, LOG(.level = 0));
    (void)arg;
    memset(&said, 0, sizeof said);
    ask(client, "/");
    weir_client_free(client);
    client = CLIENT(server, HTTP2, LOG(.level = WEIR_LOG_ERROR));
    ask(client, "/");
    weir_client_free(client);
    client = CLIENT(server, HTTP2, LOG(.level = 0));
    ask(client, "https://127.0.0.1:1/");
    check_int(said.warnings, 0);
    ask(client, "HTTP://127.0.0.1:1/");
    check_int(said.warnings, 1);
    return end(server, client);
}

/* A secret that a URL holds is not told, nor does the memory of servers grow. */
static int for_so_many_servers(void *arg)
{
    weir_client *client = client_with(WEIR_CLIENT_OPTS(HTTP2, LOG(.level = 0)));
    char url[64];
    (void)arg;
    memset(&said, 0, sizeof said);
    for (int i = 1; i <= WEIR__PLAIN_MAX + 4; i++) {
        snprintf(url, sizeof url, "http://127.0.0.1:%d/?key=s3cret", i);
        ask(client, url);
        check(strstr(said.last, "s3cret") == NULL);
    }
    check_int(said.warnings, WEIR__PLAIN_MAX);
    return weir_client_free(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        REAL_TEST(once_for_each_server),
        REAL_TEST(only_where_it_is_in_vain),
        REAL_TEST(for_so_many_servers),
    };
    forget_proxies();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
