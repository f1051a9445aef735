/* Bodies that are read while they are sent, by the task of the request: what arrives, what cuts it
 * off, and what is sent again. */
#include "body_rig.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <weir/body.h>

#include "base/mem.h"

/* ---- bodies ---- */

struct made {
    int64_t total, at;
    size_t most;      /* at a time; 0: what there is room for */
    int64_t pause_ms; /* before each piece */
    int fail;         /* instead of the end; 0: none */
    int rewinds, rc;  /* rc: of a rewind */
    weir_event *gate; /* waited for before the last piece; NULL: none */
    bool cut;         /* a wait inside was cancelled */
    size_t reads;
};

static int64_t make(void *arg, void *buf, size_t room)
{
    struct made *made = arg;
    unsigned char *to = buf;
    int rc = made->pause_ms > 0 ? weir_sleep_ms(made->pause_ms) : 0;
    if (rc == 0 && made->gate != NULL && made->at > 0)
        rc = weir_event_wait(made->gate);
    made->cut = made->cut || rc == WEIR_ECANCELED;
    made->reads++;
    if (rc < 0)
        return rc;
    if (made->at == made->total)
        return made->fail;
    size_t n = made->most > 0 && made->most < room ? made->most : room;
    if ((int64_t)n > made->total - made->at)
        n = (size_t)(made->total - made->at);
    for (size_t i = 0; i < n; i++)
        to[i] = byte_at(made->at++);
    return (int64_t)n;
}

static int make_again(void *arg)
{
    struct made *made = arg;
    made->at = 0;
    made->rewinds++;
    return made->rc;
}

static weir_client *client_to(const struct server *server, struct weir_client_opts *opts)
{
    const struct weir_retry_opts *soon = WEIR_RETRY_OPTS(.backoff_base_ms = 1, .backoff_max_ms = 1);
    weir_client *client = NULL;
    opts->base_url = server->url;
    opts->retry = opts->retry != NULL ? opts->retry : soon;
    check_int(weir_client_new(&client, opts), 0);
    return client;
}
#define CLIENT_TO(server, ...) client_to((server), WEIR_CLIENT_OPTS(__VA_ARGS__))

#define SEND(body) WEIR_REQUEST(.url = "/", .body_from = (body), .replay = 1)

static int lengths_known_and_unknown(void *arg)
{
    enum { KNOWN, ZERO, BELOW, WAYS };
    static const int64_t totals[] = {0, 1, 65535, 65536, 65537, 3000000};
    struct server server = SERVER_SAYS(OK_);
    (void)arg;
    server_start(&server);
    weir_client *client = CLIENT_TO(&server, .rate = 0);
    for (size_t i = 0; i < sizeof totals / sizeof totals[0]; i++) {
        const int64_t empty = totals[i] > 0 ? totals[i] : WEIR_BODY_EMPTY;
        const int64_t lengths[WAYS] = {[KNOWN] = empty, [ZERO] = 0, [BELOW] = -1};
        for (int way = 0; way < WAYS; way++) {
            bool known = way == KNOWN;
            for (size_t most = 0; most <= 1000; most += 1000) {
                struct made made = {.total = totals[i], .most = most};
                struct went went =
                    ask(client,
                        SEND(WEIR_BODY(.read = make, .arg = &made, .length = lengths[way])));
                check_int(went.rc, 0);
                check_int(went.status, 200);
                check_int(seen.length, known ? totals[i] : -1);
                check_int(seen.chunked, !known);
                check_int(seen.bytes, totals[i]);
                check(seen.right && seen.whole && !seen.expect && seen.type[0] == '\0');
            }
        }
    }
    /* And one from memory over the same connection. */
    check_int(ask(client, WEIR_REQUEST(.url = "/", .body = "\0", .body_len = 1)).rc, 0);
    check_int(seen.length, 1);
    check(seen.right);
    check_int(weir_client_free(client), 0);
    server_stop(&server);
    return 0;
}

/* The reader sleeps between pieces, and others run meanwhile. */
static int ticks(void *arg)
{
    unsigned *count = arg;
    while (weir_sleep_ms(1) == 0)
        ++*count;
    return 0;
}

static int the_reader_may_wait(void *arg)
{
    struct server server = SERVER_SAYS(OK_);
    struct made made = {.total = 50, .most = 10, .pause_ms = 3};
    unsigned ticked = 0;
    weir_group *others = rig_group();
    (void)arg;
    server_start(&server);
    weir_client *client = CLIENT_TO(&server, .rate = 0);
    weir_spawn(others, ticks, &ticked);
    check_int(ask(client, SEND(WEIR_BODY(.read = make, .arg = &made, .length = 50))).rc, 0);
    weir_group_free(others);
    check(ticked >= 5);
    check_int(seen.bytes, 50);
    check_int((int64_t)made.reads, 5); /* not called for more than was said */
    check_int(weir_client_free(client), 0);
    server_stop(&server);
    return 0;
}

static int sent_again_from_the_beginning(void *arg)
{
    struct server server = SERVER_SAYS(BUSY, NULL, OK_);
    struct made made = {.total = 100000};
    struct weir_body body =
        *WEIR_BODY(.read = make, .rewind = make_again, .arg = &made, .length = -1);
    (void)arg;
    server_start(&server);
    weir_client *client = CLIENT_TO(&server, .rate = 0);
    struct went went = ask(client, SEND(&body));
    check_int(went.rc, 0);
    check_int((int64_t)went.attempts, 3);
    check_int(made.rewinds, 2);
    check_int(seen.bytes, 100000);
    check(seen.right && seen.whole);
    check_int(weir_client_free(client), 0);
    server_stop(&server);
    return 0;
}

static enum weir_why why_of(weir_client *client, const struct weir_request *request, int want_rc)
{
    weir_response *response;
    struct weir_attempt_record record = {.size = sizeof record};
    check_int(weir_request(client, request, &response), want_rc);
    check_int(weir_response_history(response, weir_response_attempts(response), &record), 0);
    weir_response_free(response);
    return record.why;
}

static int not_sent_again_without_a_way_back(void *arg)
{
    struct server server = SERVER_SAYS(BUSY, OK_);
    struct made made = {.total = 10};
    (void)arg;
    server_start(&server);
    weir_client *client = CLIENT_TO(&server, .rate = 0);
    check_int(why_of(client, SEND(WEIR_BODY(.read = make, .arg = &made, .length = -1)), 0),
              WEIR_WHY_BODY);
    check_int((int64_t)server.requests, 1);
    /* A way back that fails. */
    struct made stuck = {.total = 10, .rc = -77};
    server.requests = 0;
    check_int(why_of(client,
                     SEND(WEIR_BODY(.read = make, .rewind = make_again, .arg = &stuck,
                                    .length = -1)),
                     WEIR_EBODY),
              WEIR_WHY_NOT_HELPFUL);
    check_int((int64_t)server.requests, 1);
    check_int(weir_client_free(client), 0);
    server_stop(&server);
    return 0;
}

/* What was never read of may be sent again: nobody listened. */
static int untouched_it_is_tried_again(void *arg)
{
    struct server server = SERVER_SAYS(OK_);
    struct made made = {.total = 10};
    (void)arg;
    server_start(&server);
    server_stop(&server); /* its port refuses from now on */
    weir_client *client = CLIENT_TO(&server, .rate = 0);
    struct went went = ask(client, SEND(WEIR_BODY(.read = make, .arg = &made, .length = -1)));
    check_int(went.rc, WEIR_ECONNECT);
    check_int((int64_t)went.attempts, 5);
    check_int((int64_t)made.reads, 0);
    return weir_client_free(client);
}

static void check_refused(weir_client *client, const struct weir_body *body, const char *text)
{
    weir_response *response;
    check_int(weir_request(client, SEND(body), &response), WEIR_EBODY);
    check_int(weir_response_attempts(response), 1);
    if (!check(strstr(weir_response_error_text(response), text) != NULL))
        print_error("%s\n", weir_response_error_text(response));
    weir_response_free(response);
}

static int64_t too_many(void *arg, void *buf, size_t room)
{
    (void)arg;
    (void)buf;
    return (int64_t)room + 1;
}

static int readers_that_fail(void *arg)
{
    struct server server = SERVER_SAYS(OK_);
    struct made brief = {.total = 70000}, broken = {.total = 20, .fail = WEIR_ERESET},
                first = {.fail = -4711};
    (void)arg;
    server_start(&server);
    weir_client *client = CLIENT_TO(&server, .rate = 0);
    check_refused(client, WEIR_BODY(.read = make, .arg = &brief, .length = 70001),
                  "ended after 70000 of 70001 bytes");
    check(!seen.whole);
    check_refused(client, WEIR_BODY(.read = make, .arg = &broken, .length = -1),
                  "could not be read: connection lost");
    check(!seen.whole);
    check_refused(client, WEIR_BODY(.read = make, .arg = &first, .length = -1), "(-4711)");
    check_refused(client, WEIR_BODY(.read = too_many, .length = -1), "invalid argument");
    check_int(weir_client_free(client), 0);
    server_stop(&server);
    return 0;
}

/* The server has its say before the body is whole, and the reader waits for something that will
 * never be: it is told. */
static int an_early_answer_ends_the_reader(void *arg)
{
    struct server server = SERVER_SAYS(TOO_LARGE);
    struct made made = {.total = 10, .most = 5};
    (void)arg;
    server.at_once = true;
    check_int(weir_event_new(&made.gate), 0);
    server_start(&server);
    weir_client *client = CLIENT_TO(&server, .rate = 0, .timeout_ms = 5000);
    struct went went = ask(client, SEND(WEIR_BODY(.read = make, .arg = &made, .length = 10)));
    check_int(went.rc, 0);
    check_int(went.status, 413);
    check(went.took_ms < 4000);
    check(made.cut);
    check_int(weir_client_free(client), 0);
    server_stop(&server);
    weir_event_free(made.gate);
    return 0;
}

/* An interim answer lets the transfer go on while the reader waits. It has nothing to send then,
 * and what the reader brings is still sent. */
static int an_interim_answer_loses_no_byte(void *arg)
{
    struct server server = SERVER_SAYS(OK_);
    struct made made = {.total = 40, .most = 5};
    (void)arg;
    check_int(weir_event_new(&made.gate), 0);
    server.hint = "HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n";
    server.hinted = made.gate;
    server_start(&server);
    weir_client *client = CLIENT_TO(&server, .rate = 0, .timeout_ms = 5000);
    check_int(ask(client, SEND(WEIR_BODY(.read = make, .arg = &made, .length = -1))).rc, 0);
    check_int(seen.bytes, 40);
    check(seen.right && seen.whole);
    check_int(weir_client_free(client), 0);
    server_stop(&server);
    weir_event_free(made.gate);
    return 0;
}

/* ... and so is one whose time is up, for the attempt or the call. */
static int time_limits_reach_the_reader(void *arg)
{
    struct server server = SERVER_SAYS(OK_);
    struct made made = {.total = 10, .most = 5};
    const struct weir_body body = *WEIR_BODY(.read = make, .arg = &made, .length = 10);
    (void)arg;
    check_int(weir_event_new(&made.gate), 0);
    server_start(&server);
    weir_client *client = CLIENT_TO(&server, .rate = 0, .attempt_timeout_ms = 30);
    check_int(ask(client, SEND(&body)).rc, WEIR_EATTEMPTTIME);
    check(made.cut);
    check_int(weir_client_free(client), 0);
    client = CLIENT_TO(&server, .rate = 0, .timeout_ms = 30);
    made.at = 0;
    check_int(ask(client, SEND(&body)).rc, WEIR_ETIMEDOUT);
    check_int(weir_client_free(client), 0);
    server_stop(&server);
    weir_event_free(made.gate);
    return 0;
}

struct asker {
    weir_client *client;
    const struct weir_body *body;
    int rc;
};

static int ask_in_task(void *arg)
{
    struct asker *asker = arg;
    return asker->rc = ask(asker->client, SEND(asker->body)).rc;
}

/* Whatever it is just doing: a cancel so many turns after so many pieces were read. */
static int a_cancel_at_any_time(void *arg)
{
    struct server server = SERVER_SAYS(OK_);
    (void)arg;
    server_start(&server);
    weir_client *client = CLIENT_TO(&server, .rate = 0);
    int answered = 0;
    for (int n = 0; n < 12 * 8; n++) {
        struct made made = {.total = 200000, .most = 30000};
        const struct weir_body body = *WEIR_BODY(.read = make, .arg = &made, .length = -1);
        struct asker asker = {.client = client, .body = &body, .rc = 1};
        weir_group *group = rig_group();
        weir_task *task = weir_spawn(group, ask_in_task, &asker);
        while (made.reads < (size_t)n / 8 && asker.rc == 1)
            weir_yield();
        for (int i = 0; i < (n % 8) * (n % 8) && asker.rc == 1; i++)
            weir_yield();
        weir_task_cancel(task);
        weir_group_free(group);
        check(asker.rc == 0 || asker.rc == WEIR_ECANCELED || asker.rc == 1);
        answered += asker.rc == 0;
        struct weir_limiter_stats stats = {.size = sizeof stats};
        weir_limiter_stats(weir_client_limiter(client), &stats);
        check_int((int64_t)stats.holding, 0);
    }
    check(answered > 0); /* who waits for more pieces than there are waits for the end */
    check_int(ask(client, WEIR_REQUEST(.url = "/")).rc, 0);
    check_int(weir_client_free(client), 0);
    server_stop(&server);
    return 0;
}

static int wrong_requests(void *arg)
{
    struct server server = SERVER_SAYS(OK_);
    struct made made = {.total = 1};
    const struct weir_body body = *WEIR_BODY(.read = make, .arg = &made);
    weir_stream *stream;
    (void)arg;
    server_start(&server);
    weir_client *client = CLIENT_TO(&server, .rate = 0);
    check_int(ask(client, SEND(WEIR_BODY(.length = 1))).rc, WEIR_EINVAL);
    check_int(ask(client, SEND(&(struct weir_body){.read = make})).rc, WEIR_EINVAL);
    check_int(ask(client, WEIR_REQUEST(.url = "/", .body = "b", .body_from = &body)).rc,
              WEIR_EINVAL);
    check_int(ask(client, WEIR_REQUEST(.url = "/", .method = "HEAD", .body_from = &body)).rc,
              WEIR_EINVAL);
    check_int(ask(client, WEIR_REQUEST(.url = "/", .method = "POST", .body_len = 1)).rc,
              WEIR_EINVAL);
    check_int(weir_stream_open(client, SEND(&body), NULL, &stream), WEIR_EINVAL);
    weir_stream_close(stream);
    check_int((int64_t)server.requests, 0);
    check_int(weir_client_free(client), 0);
    server_stop(&server);
    return 0;
}

/* Whichever allocation fails: the request says so, or does without. */
static int allocations_that_fail(void *arg)
{
    struct server server = SERVER_SAYS(OK_);
    unsigned long failing = 0;
    int rc = WEIR_ENOMEM;
    (void)arg;
    server_start(&server);
    weir_client *client = CLIENT_TO(&server, .rate = 0);
    check_int(ask(client, WEIR_REQUEST(.url = "/")).rc, 0);
    while (rc < 0 && failing < 200) {
        struct made made = {.total = 100};
        weir_response *response;
        weir__mem_fail_at(++failing);
        rc = weir_request(client, SEND(WEIR_BODY(.read = make, .arg = &made, .length = -1)),
                          &response);
        weir__mem_fail_at(0);
        check(rc == 0 || rc == WEIR_ENOMEM);
        if (response != NULL && rc < 0)
            check(weir_response_error_text(response)[0] != '\0');
        weir_response_free(response);
    }
    check(failing > 3);
    check_int(weir_client_free(client), 0);
    server_stop(&server);
    return 0;
}

/* ---- files ---- */

static int make_file(char *path, int64_t len)
{
    int fd = mkstemp(path);
    for (int64_t i = 0; i < len; i++) {
        unsigned char byte = byte_at(i);
        check(write(fd, &byte, 1) == 1);
    }
    return fd;
}

static int a_file_as_a_body(void *arg)
{
    char path[] = "/tmp/weir-body-XXXXXX";
    struct server server = SERVER_SAYS(BUSY, OK_);
    weir_file_body *file;
    int error = -1;
    (void)arg;
    int fd = make_file(path, 140000);
    server_start(&server);
    weir_client *client = CLIENT_TO(&server, .rate = 0);
    check_int(weir_file_body_open(&file, path, &error), 0);
    check_int(error, 0);
    struct went went = ask(client, SEND(weir_file_body_of(file)));
    check_int(went.rc, 0);
    check_int((int64_t)went.attempts, 2); /* read twice */
    check_int(seen.length, 140000);
    check(seen.right && seen.whole);
    check_int(ftruncate(fd, 70000), 0);
    check_refused(client, weir_file_body_of(file), "ended after 70000 of 140000 bytes");
    weir_file_body_close(file);
    close(fd);
    unlink(path);
    check_int(weir_file_body_open(&file, path, &error), WEIR_EIO);
    check_int(error, ENOENT);
    check_int(weir_file_body_open(&file, "/tmp", &error), WEIR_EIO);
    check_int(error, 0);
    check(file == NULL);
    weir_file_body_close(NULL);
    check_int(weir_client_free(client), 0);
    server_stop(&server);
    return 0;
}

/* ---- a transport of one's own ---- */

static int64_t got_len;

static int keep(void *self, const struct weir_exchange *exchange, weir_response *response)
{
    (void)self;
    check(exchange->body_from == NULL);
    got_len = (int64_t)exchange->body_len;
    bool right = true;
    for (int64_t i = 0; i < got_len; i++)
        right = right && ((const unsigned char *)exchange->body)[i] == byte_at(i);
    check(right);
    return weir_response_set_status(response, exchange->attempt == 1 ? 503 : 200);
}

static int a_transport_of_ones_own_gets_it_whole(void *arg)
{
    const struct weir_transport transport = WEIR_TRANSPORT(.perform = keep);
    struct made made = {.total = 100000, .pause_ms = 10}, endless = {.total = INT64_MAX};
    weir_client *client;
    (void)arg;
    check_int(weir_client_new(&client, WEIR_CLIENT_OPTS(.base_url = "http://a.example",
                                                        .transport = &transport)),
              0);
    const struct weir_body body =
        *WEIR_BODY(.read = make, .rewind = make_again, .arg = &made, .length = 100000);
    struct went went = ask(client, SEND(&body));
    check_int(went.rc, 0);
    check_int((int64_t)went.attempts, 2);
    check_int(got_len, 100000);
    check_refused(client, WEIR_BODY(.read = make, .arg = &endless, .length = -1),
                  "request's body is over the maximum");
    struct made most = {.total = WEIR_BODY_WHOLE_MAX};
    const struct weir_body largest =
        *WEIR_BODY(.read = make, .rewind = make_again, .arg = &most, .length = -1);
    check_int(ask(client, SEND(&largest)).rc, 0);
    check_int(got_len, WEIR_BODY_WHOLE_MAX);
    return weir_client_free(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        REAL_TEST(lengths_known_and_unknown),
        REAL_TEST(the_reader_may_wait),
        REAL_TEST(sent_again_from_the_beginning),
        REAL_TEST(not_sent_again_without_a_way_back),
        REAL_TEST(untouched_it_is_tried_again),
        REAL_TEST(readers_that_fail),
        REAL_TEST(an_early_answer_ends_the_reader),
        REAL_TEST(an_interim_answer_loses_no_byte),
        REAL_TEST(time_limits_reach_the_reader),
        REAL_TEST(a_cancel_at_any_time),
        REAL_TEST(wrong_requests),
        REAL_TEST(allocations_that_fail),
        REAL_TEST(a_file_as_a_body),
        VIRTUAL_TEST(a_transport_of_ones_own_gets_it_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
