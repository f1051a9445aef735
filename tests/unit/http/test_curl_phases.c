/* Where an attempt's time went. */
#include "curl_rig.h"

#include <weir/stream.h>

#include "base/clock.h"

static struct weir_phases phases_of(const weir_response *response)
{
    struct weir_phases phases = {.size = sizeof phases};
    check_int(weir_response_phases(response, &phases), 0);
    check_int((int64_t)phases.size, (int64_t)sizeof phases);
    return phases;
}

static struct weir_phases phases_of_get(weir_client *client, const char *url, int want_rc)
{
    weir_response *response = NULL;
    request_once(client, WEIR_REQUEST(.url = url), want_rc, &response);
    struct weir_phases phases = phases_of(response);
    weir_response_free(response);
    return phases;
}

static void check_new(const struct weir_phases *phases)
{
    check_int(phases->reused, 0);
    check(phases->lookup_ns >= 0);
    check(phases->connect_ns > 0);
    check_int(phases->tls_ns, 0);
}

static int a_new_connection_and_an_old_one(void *arg)
{
    struct script_server *server = SCRIPT_SERVER({.answer = SCRIPT_OK("2", "ok")});
    weir_client *client = CLIENT(server, .rate = 0);
    (void)arg;
    int64_t start_ns = weir_now_ns();
    struct weir_phases phases = phases_of_get(client, "/", 0);
    int64_t took_ns = weir_now_ns() - start_ns;
    check_new(&phases);
    check(phases.first_byte_ns > 0);
    check(phases.body_ns >= 0);
    int64_t sum_ns = phases.lookup_ns + phases.connect_ns + phases.first_byte_ns + phases.body_ns;
    check(sum_ns <= took_ns + 5 * WEIR__NS_PER_MS); /* libcurl's clock is another */
    phases = phases_of_get(client, "/", 0);
    check_int(phases.reused, 1);
    check_int(phases.lookup_ns + phases.connect_ns + phases.tls_ns, 0);
    check(phases.first_byte_ns > 0);
    check(phases.body_ns >= 0);
    check_int(weir_client_free(client), 0);
    script_server_stop(server);
    return 0;
}

static int it_did_not_come_so_far(void *arg)
{
    struct script_server *server = SCRIPT_SERVER({.end = SCRIPT_HOLD});
    weir_client *client = CLIENT(server, .attempt_timeout_ms = 50);
    char nobody[64];
    (void)arg;
    struct weir_phases phases = phases_of_get(client, "/", WEIR_EATTEMPTTIME);
    check_new(&phases);
    check_int(phases.first_byte_ns, -1);
    check_int(phases.body_ns, -1);
    snprintf(nobody, sizeof nobody, "%s", script_server_url(server));
    script_server_stop(server);
    phases = phases_of_get(client, nobody, WEIR_ECONNECT);
    check_int(phases.reused, 0);
    check_int(phases.connect_ns, -1);
    check_int(phases.tls_ns, -1);
    check_int(phases.first_byte_ns, -1);
    return weir_client_free(client);
}

static int of_a_stream_to_its_first_byte(void *arg)
{
    struct script_server *server = SCRIPT_SERVER({.answer = SCRIPT_OK("4", "text")});
    weir_client *client = CLIENT(server, .rate = 0);
    weir_stream *stream = NULL;
    char text[8];
    (void)arg;
    check_int(weir_stream_open(client, WEIR_REQUEST(.url = "/"), NULL, &stream), 0);
    check_int(weir_stream_read(stream, text, sizeof text), 4);
    check_int(weir_stream_read(stream, text, sizeof text), 0);
    struct weir_phases phases = phases_of(weir_stream_response(stream));
    check_new(&phases);
    check(phases.first_byte_ns > 0);
    check_int(phases.body_ns, -1);
    weir_stream_close(stream);
    check_int(weir_client_free(client), 0);
    script_server_stop(server);
    return 0;
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
    struct weir_phases phases = phases_of_get(client, "http://a.example/", 0);
    check_int(phases.lookup_ns, -1);
    check_int(phases.connect_ns, -1);
    check_int(phases.tls_ns, -1);
    check_int(phases.first_byte_ns, -1);
    check_int(phases.body_ns, -1);
    check_int(phases.reused, 0);
    return weir_client_free(client);
}

static int the_size_must_be_set(void *arg)
{
    struct script_server *server = SCRIPT_SERVER({.answer = SCRIPT_OK("2", "ok")});
    weir_client *client = CLIENT(server, .rate = 0);
    weir_response *response = NULL;
    struct weir_phases phases = {.size = 0};
    (void)arg;
    request_once(client, WEIR_REQUEST(.url = "/"), 0, &response);
    check_int(weir_response_phases(response, &phases), WEIR_EINVAL);
    weir_response_free(response);
    check_int(weir_client_free(client), 0);
    script_server_stop(server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        REAL_TEST(a_new_connection_and_an_old_one),
        REAL_TEST(it_did_not_come_so_far),
        REAL_TEST(of_a_stream_to_its_first_byte),
        REAL_TEST(unknown_of_a_transport_of_ones_own),
        REAL_TEST(the_size_must_be_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
