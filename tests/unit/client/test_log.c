/* What a client says: texts by level, the hook of each attempt, and no secret in any of them. */
#include "client_rig.h"

#include <stdio.h>

#define RETRY(...) .retry = WEIR_RETRY_OPTS(.backoff_base_ms = 1, .backoff_max_ms = 1, __VA_ARGS__)
#define URL        "http://model.example/x"

/* ---- a log that keeps what it got ---- */

static struct {
    char text[6000]; /* "level: text", a line each */
    size_t len;
    unsigned texts, attempts;
    struct weir_attempt last;
} said;

static void keep(enum weir_log_level level, const char *text, void *arg)
{
    check(arg == &said);
    check(strlen(text) < WEIR_LOG_TEXT_MAX);
    said.texts++;
    int len = snprintf(said.text + said.len, sizeof said.text - said.len, "%s: %s\n",
                       weir_log_level_name(level), text);
    said.len += (size_t)len < sizeof said.text - said.len ? (size_t)len : 0;
}

static void keep_attempt(const struct weir_attempt *attempt, void *arg)
{
    check(arg == &said);
    said.attempts++;
    said.last = *attempt;
    check_int(weir_response_status(attempt->response), attempt->status);
}

#define LOG(...) .log = WEIR_LOG_OPTS(.fn = keep, .arg = &said, __VA_ARGS__)

static void forget(void)
{
    memset(&said, 0, sizeof said);
}

static void check_said(const char *want)
{
    if (!check(strcmp(said.text, want) == 0))
        print_error("said:\n%sinstead of:\n%s", said.text, want);
    forget();
}

/* ---- levels ---- */

static int silent_unless_something_is_wrong(void *unused)
{
    struct model_server server = {.latency_ms = 10};
    weir_client *client = CLIENT(&server, LOG(.level = 0));
    (void)unused;
    forget();
    check_int(ask(client, GET).rc, 0);
    check_said("");
    return done(client, &server);
}

static int a_text_for_each_end(void *unused)
{
    struct model_server server = SERVER({.status = 200}, {.status = 404}, {.status = 500});
    weir_client *client = CLIENT(&server, LOG(.level = WEIR_LOG_INFO));
    (void)unused;
    forget();
    ask(client, GET);
    check_said("info: GET " URL ": 200; attempts: 1, in 10 ms; it went well\n");
    ask(client, POST);
    check_said("info: POST " URL ": 404; attempts: 1, in 10 ms; another attempt would not help, by "
               "its status or error\n");
    ask(client, POST);
    check_said("error: POST " URL ": 500; attempts: 1, in 10 ms; the server may have acted on it, "
               "and it may not be sent twice\n");
    return done(client, &server);
}

static int retries_are_warned_of(void *unused)
{
    struct model_server server =
        SERVER({.status = 503}, {.rc = WEIR_ERESET, .sent = WEIR_SENT_MAYBE}, {.status = 200},
               {.status = 429, .retry_after = "2"}, {.status = 200});
    weir_client *client = CLIENT(&server, LOG(.level = WEIR_LOG_WARN),
                                 .retry = WEIR_RETRY_OPTS(.wait = weir_wait_fixed_ms(7)));
    (void)unused;
    forget();
    check_int(ask(client, AGAIN).attempts, 3);
    check_said("warn: POST " URL " attempt 1: 503; retry: it may pass, after 7 ms\n"
               "warn: POST " URL " attempt 2: connection lost before the answer was complete (as "
               "the script says); retry: it may pass, after 7 ms\n");
    check_int(ask(client, AGAIN).attempts, 2);
    check_said("warn: POST " URL " attempt 1: 429; retry: throttled, when the limiter lets it (the "
               "server asks for 2000 ms)\n");
    return done(client, &server);
}

static int failures_and_refusals(void *unused)
{
    struct model_server server =
        SERVER({.rc = WEIR_ECONNECT, .sent = WEIR_SENT_NEVER, .times = 2}, {.latency_ms = 1000});
    weir_client *client = CLIENT(&server, LOG(.level = WEIR_LOG_ERROR), RETRY(.max_attempts = 2));
    (void)unused;
    forget();
    check_int(ask(client, GET).rc, WEIR_ECONNECT);
    check_said("error: GET " URL ": connection could not be made (as the script says); attempts: "
               "2, in 20 ms; max_attempts reached\n");
    check_int(ask(client, WEIR_REQUEST(.url = "/x", .timeout_ms = 50)).rc, WEIR_ETIMEDOUT);
    check_said(""); /* the caller's own wish */
    check_int(ask(client, WEIR_REQUEST(.url = "/x", .method = "G T")).rc, WEIR_EINVAL);
    check_said("");
    done(client, &server);

    struct model_server again = {.latency_ms = 1000};
    client = CLIENT(&again, LOG(.level = WEIR_LOG_WARN));
    check_int(ask(client, WEIR_REQUEST(.url = "/x", .timeout_ms = 50)).rc, WEIR_ETIMEDOUT);
    check_said("warn: GET " URL ": deadline passed; attempts: 1, in 50 ms; cancelled\n");
    check_int(ask(client, WEIR_REQUEST(.url = "/x", .method = "G T")).rc, WEIR_EINVAL);
    check_said("warn: G T /x: invalid argument or option (.method is empty or holds a blank "
               "or another character of no method); attempts: 0, in 0 ms\n");
    return done(client, &again);
}

static int each_attempt_at_debug(void *unused)
{
    struct model_server server = SERVER({.status = 500}, {.status = 200});
    weir_client *client = CLIENT(&server, LOG(.level = WEIR_LOG_DEBUG), RETRY(.max_attempts = 3));
    (void)unused;
    forget();
    ask(client, GET);
    check(strstr(said.text, "debug: GET " URL " attempt 1: 500, took 10 ms\n") == said.text);
    check(strstr(said.text, "debug: GET " URL " attempt 2: 200, took 10 ms\n") != NULL);
    check_int(said.texts, 4);
    forget();
    return done(client, &server);
}

/* ---- secrets ---- */

static int answer_with_a_cookie(void *self, const struct weir_exchange *exchange,
                                weir_response *response)
{
    (void)self;
    (void)exchange;
    weir_response_set_status(response, 200);
    weir_response_add_header(response, "Set-Cookie", "id=s3cret");
    return weir_response_add_header(response, "X-Served-By", "a\tb");
}

static int no_secret_is_told(void *unused)
{
    const struct weir_transport transport = WEIR_TRANSPORT(.perform = answer_with_a_cookie);
    static const char *const headers[] = {"X-Api-Key: s3cret", "Cookie: s3cret", "X-Plain: open",
                                          NULL};
    weir_client *client = NULL;
    weir_response *response = NULL;
    (void)unused;
    forget();
    check_int(weir_client_new(&client,
                              WEIR_CLIENT_OPTS(.base_url = "http://model.example",
                                               .transport = &transport, .bearer_token = "s3cret",
                                               LOG(.level = WEIR_LOG_TRACE))),
              0);
    check_int(weir_request(client,
                           WEIR_REQUEST(.url = "/x?key=s3cret&model=m", .headers = headers,
                                        .body = "{\"password\":\"s3cret\"}"),
                           &response),
              0);
    check_said("trace: POST " URL "?key=***&model=m attempt 1 begins, body of 21 bytes\n"
               "trace: > Authorization: ***\n"
               "trace: > X-Api-Key: ***\n"
               "trace: > Cookie: ***\n"
               "trace: > X-Plain: open\n"
               "debug: POST " URL "?key=***&model=m attempt 1: 200, took 0 ms\n"
               "trace: < Set-Cookie: ***\n"
               "trace: < X-Served-By: a?b\n"
               "info: POST " URL "?key=***&model=m: 200; attempts: 1, in 0 ms; it went well\n");
    weir_response_free(response);
    return weir_client_free(client);
}

/* What is known to be secret, in the words of others. */
#define THEY_KNOW "no: bearer-s3cret, header-s3cret, query%2Ds3cret"
#define WE_SAY    "no: ***, ***, ***"

static int tell_secrets(void *self, const struct weir_exchange *exchange, weir_response *response)
{
    (void)self;
    (void)exchange;
    weir_response_set_failure(response, WEIR_SENT_NEVER, THEY_KNOW);
    return weir_sleep_ms(20) == 0 ? WEIR_ECONNECT : WEIR_ECANCELED;
}

static void look_at_attempt(const struct weir_attempt *attempt, void *arg)
{
    keep_attempt(attempt, arg);
    check(strstr(weir_response_error_text(attempt->response), WE_SAY) != NULL);
    check(strcmp(attempt->url, URL "?key=***&q=***") == 0);
}

static const char *const s3cret_header[] = {"X-Api-Key: header-s3cret", NULL};

/* In log lines, error texts and what hooks see, of both sendings; the response outlives them. */
static int known_secrets_are_not_told(void *unused)
{
    const struct weir_transport transport = WEIR_TRANSPORT(.perform = tell_secrets);
    weir_client *client = NULL;
    weir_response *response = NULL;
    (void)unused;
    forget();
    check_int(weir_client_new(
                  &client,
                  WEIR_CLIENT_OPTS(.base_url = "http://model.example", .transport = &transport,
                                   .bearer_token = "bearer-s3cret",
                                   LOG(.level = WEIR_LOG_TRACE, .attempt = look_at_attempt),
                                   .hedge = WEIR_HEDGE_OPTS(.delay_ms = 10, .budget_percent = 100),
                                   RETRY(.max_attempts = 3))),
              0);
    check_int(weir_request(client,
                           WEIR_REQUEST(.url = "/x?key=query-s3cret&q=bearer-s3cret",
                                        .headers = s3cret_header),
                           &response),
              WEIR_ECONNECT);
    check_int(said.attempts, 3);
    check(strstr(said.text, "(" WE_SAY) != NULL);
    check(strstr(said.text, "bearer-") == NULL && strstr(said.text, "header-") == NULL &&
          strstr(said.text, "query-") == NULL && strstr(said.text, "query%") == NULL);
    check(strstr(weir_response_error_text(response), WE_SAY) != NULL);
    check_int(weir_client_free(client), 0);
    weir_response_set_failure(response, WEIR_SENT_NEVER, "bearer-s3cret"); /* nobody's now */
    check(strcmp(weir_response_error_text(response), "bearer-s3cret") == 0);
    weir_response_free(response);
    return 0;
}

/* Lines that belong to no call, and what a call says before anything is sent. */
static int a_proxys_password_is_known(void *unused)
{
    weir_client *client = NULL;
    weir_response *response = NULL;
    (void)unused;
    forget();
    check_int(weir_client_new(
                  &client,
                  WEIR_CLIENT_OPTS(LOG(.level = WEIR_LOG_TRACE), RETRY(.max_attempts = 1),
                                   .net = WEIR_NET_OPTS(.proxy =
                                                            "http://u:proxy-s3cret@127.0.0.1:1"))),
              0);
    check_int(weir_request(client, WEIR_REQUEST(.url = "http://proxy-s3cret.example/proxy-s3cret"),
                           &response),
              WEIR_ECONNECT);
    check(strstr(said.text, "GET http://***.example/***") != NULL);
    check(strstr(said.text, "proxy-s3cret") == NULL);
    check(strstr(weir_response_error_text(response), "s3cret") == NULL);
    weir_response_free(response);
    return weir_client_free(client);
}

/* Over real sockets: what libcurl says of a failure, and a URL with a password. */
static int libcurls_words_are_clean(void *unused)
{
    weir_client *client = NULL;
    weir_response *response = NULL;
    (void)unused;
    forget();
    check_int(weir_client_new(&client, WEIR_CLIENT_OPTS(LOG(.level = WEIR_LOG_TRACE),
                                                        RETRY(.max_attempts = 1))),
              0);
    int rc = weir_request(client, WEIR_REQUEST(.url = "http://u:s3cret@127.0.0.1:1/?token=s3cret"),
                          &response);
    check(rc == WEIR_ECONNECT || rc == WEIR_EURL);
    check(said.texts > 0);
    check(strstr(said.text, "s3cret") == NULL);
    check(strstr(weir_response_error_text(response), "s3cret") == NULL);
    weir_response_free(response);
    return weir_client_free(client);
}

static int a_long_url_leaves_room(void *unused)
{
    struct model_server server = {.latency_ms = 10};
    weir_client *client = CLIENT(&server, LOG(.level = WEIR_LOG_INFO));
    char url[3000];
    (void)unused;
    forget();
    memset(url, 'a', sizeof url);
    url[0] = '/';
    url[sizeof url - 1] = '\0';
    ask(client, WEIR_REQUEST(.url = url));
    check(strstr(said.text, "aaa: 200; attempts: 1, in 10 ms; it went well\n") != NULL);
    return done(client, &server);
}

/* ---- the hook ---- */

static int the_hook_sees_each_attempt(void *unused)
{
    struct model_server server = SERVER({.status = 500}, {.status = 429, .retry_after = "1"},
                                        {.rc = WEIR_ERESET, .sent = WEIR_SENT_MAYBE});
    weir_client *client =
        CLIENT(&server, .log = WEIR_LOG_OPTS(.attempt = keep_attempt, .arg = &said),
               RETRY(.max_attempts = 5));
    (void)unused;
    forget();
    check_int(ask(client, GET).attempts, 4);
    check_int(said.attempts, 4);
    check_int(said.last.number, 4);
    check_int(said.last.status, 200);
    check_int(said.last.throttled, 1);
    return done(client, &server);
}

/* Whose attempt it is: told for the time of the call. */
static struct {
    char method[8], url[WEIR_LOG_URL_MAX];
    void *user;
} whose;

static void keep_request(const struct weir_attempt *attempt, void *arg)
{
    (void)arg;
    snprintf(whose.method, sizeof whose.method, "%s", attempt->method);
    snprintf(whose.url, sizeof whose.url, "%s", attempt->url);
    whose.user = attempt->user;
}

static int keep_user(const struct weir_attempt *attempt, void *arg)
{
    *(void **)arg = attempt->user;
    return 0;
}

static int the_hook_sees_whose_it_is(void *unused)
{
    struct model_server server = {.latency_ms = 10};
    void *seen = NULL;
    weir_client *client =
        CLIENT(&server, .log = WEIR_LOG_OPTS(.attempt = keep_request),
               .retry = WEIR_RETRY_OPTS(.retry_if = keep_user, .retry_if_arg = &seen));
    char url[3000];
    (void)unused;
    ask(client, WEIR_REQUEST(.url = "/x?key=s3cret&model=m", .body = "", .user = &server));
    check(strcmp(whose.method, "POST") == 0);
    check(strcmp(whose.url, URL "?key=***&model=m") == 0);
    check(whose.user == &server);
    check(seen == &server); /* rules do, too */
    ask(client, GET);
    check(strcmp(whose.method, "GET") == 0);
    check(strcmp(whose.url, URL) == 0);
    check(whose.user == NULL);
    memset(url, 'a', sizeof url);
    url[0] = '/';
    url[sizeof url - 1] = '\0';
    ask(client, WEIR_REQUEST(.url = url));
    check_int((int64_t)strlen(whose.url), WEIR_LOG_URL_MAX - 1);
    return done(client, &server);
}

static int the_hook_sees_both_sendings(void *unused)
{
    struct model_server server = SERVER({.status = 200, .latency_ms = 1000}, {.status = 200});
    weir_client *client =
        CLIENT(&server, .log = WEIR_LOG_OPTS(.attempt = keep_attempt, .arg = &said),
               .hedge = WEIR_HEDGE_OPTS(.delay_ms = 100, .budget_percent = 100));
    (void)unused;
    forget();
    check_int(ask(client, GET).took_ms, 110);
    check_int(said.attempts, 2);
    check_int(said.last.rc, WEIR_ECANCELED); /* the first one, which lost */
    check_int(said.last.number, 1);
    return done(client, &server);
}

/* ---- options ---- */

static int wrong_options(void *unused)
{
    struct model_server server = {.latency_ms = 10};
    const struct weir_transport transport = model_transport(&server);
    weir_client *client = NULL;
    (void)unused;
    check_int(weir_client_new(&client, WEIR_CLIENT_OPTS(.transport = &transport,
                                                        LOG(.level = WEIR_LOG_TRACE + 1))),
              WEIR_EINVAL);
    check_int(weir_client_new(&client,
                              WEIR_CLIENT_OPTS(.transport = &transport, LOG(.reserved = 1))),
              WEIR_EINVAL);
    check(client == NULL);
    check(strcmp(weir_log_level_name(0), "?") == 0);
    check(strcmp(weir_log_level_name(WEIR_LOG_TRACE), "trace") == 0);
    check(strcmp(weir_log_level_name(WEIR_LOG_TRACE + 1), "?") == 0);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(silent_unless_something_is_wrong),
        VIRTUAL_TEST(a_text_for_each_end),
        VIRTUAL_TEST(retries_are_warned_of),
        VIRTUAL_TEST(failures_and_refusals),
        VIRTUAL_TEST(each_attempt_at_debug),
        VIRTUAL_TEST(no_secret_is_told),
        VIRTUAL_TEST(known_secrets_are_not_told),
        REAL_TEST(a_proxys_password_is_known),
        REAL_TEST(libcurls_words_are_clean),
        VIRTUAL_TEST(a_long_url_leaves_room),
        VIRTUAL_TEST(the_hook_sees_each_attempt),
        VIRTUAL_TEST(the_hook_sees_whose_it_is),
        VIRTUAL_TEST(the_hook_sees_both_sendings),
        VIRTUAL_TEST(wrong_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
