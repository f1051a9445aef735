/* Many transfers, spread over several multi handles: connections are reused all the same. */
#include <dlfcn.h>
#include <netdb.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "curl_rig.h"
#include "http/curl_shard.h"

enum { MANY = 200 };

#define POST(url_) WEIR_REQUEST(.url = (url_), .body = "body", .replay = 1)

/* So many requests at the same time, each answered. */
static void send_many(weir_client *client, const char *url, int n)
{
    weir_response **responses = calloc((size_t)n, sizeof *responses);
    weir_group *group = rig_group();
    for (int i = 0; i < n; i++)
        check(weir_request_start(group, client, POST(url), &responses[i]) != NULL);
    check_int(weir_gather(group), 0);
    weir_group_free(group);
    for (int i = 0; i < n; i++) {
        check_int(weir_response_status(responses[i]), 200);
        weir_response_free(responses[i]);
    }
    free(responses);
}

static int connections_of_all_shards_are_reused(void *arg)
{
    struct script_server *server = SCRIPT_SERVER({.answer = SCRIPT_OK("2", "ok"), .gather = MANY});
    weir_client *client = CLIENT(server, .concurrency = MANY);
    (void)arg;
    for (int round = 0; round < 3; round++)
        send_many(client, "/", MANY);
    check_int(script_server_requests(server), 3 * MANY);
    check_int(script_server_connections(server), MANY);
    return end(server, client);
}

static int a_trickle_after_a_burst_makes_no_connection(void *arg)
{
    struct script_server *server = SCRIPT_SERVER({.answer = SCRIPT_OK("2", "ok"), .gather = MANY});
    weir_client *client = CLIENT(server, .concurrency = MANY);
    (void)arg;
    send_many(client, "/", MANY);
    for (int i = 0; i < 30; i++)
        check_answer(client, POST("/"), 200, "ok");
    check_int(script_server_connections(server), MANY);
    return end(server, client);
}

/* The connections to a host lie in one shard or another; who comes later finds them. */
static int two_hosts_keep_their_connections(void *arg)
{
    enum { EACH = MANY / 2 };
    struct script_server *own = SCRIPT_SERVER({.answer = SCRIPT_OK("2", "ok"), .gather = EACH});
    struct script_server *other = SCRIPT_SERVER({.answer = SCRIPT_OK("2", "ok"), .gather = EACH});
    weir_client *client = CLIENT(own, .concurrency = MANY);
    char url[64];
    (void)arg;
    snprintf(url, sizeof url, "%s/", script_server_url(other));
    for (int round = 0; round < 3; round++) {
        send_many(client, "/", EACH);
        send_many(client, url, EACH);
    }
    for (int i = 0; i < 20; i++)
        check_answer(client, POST(i % 2 == 0 ? "/" : url), 200, "ok");
    check_int(script_server_connections(own), EACH);
    check_int(script_server_connections(other), EACH);
    script_server_stop(other);
    return end(own, client);
}

static atomic_int lookups;

/* In the place of the C library's, for libcurl: each name is this machine. */
__attribute__((visibility("default"))) int getaddrinfo(const char *name, const char *service,
                                                       const struct addrinfo *hints,
                                                       struct addrinfo **result)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    if (strcmp(name, "weir.test") == 0) {
        atomic_fetch_add(&lookups, 1);
        name = "127.0.0.1";
    }
    return real(name, service, hints, result);
}

static int all_shards_look_a_name_up_once(void *arg)
{
    struct script_server *server = SCRIPT_SERVER({.answer = SCRIPT_OK("2", "ok")},
                                                 {.answer = SCRIPT_OK("2", "ok"), .gather = MANY});
    weir_client *client = CLIENT(server, .concurrency = MANY);
    char url[64];
    (void)arg;
    snprintf(url, sizeof url, "http://weir.test%s/", strrchr(script_server_url(server), ':'));
    send_many(client, url, MANY);
    check(script_server_connections(server) > 100); /* of several shards */
    check_int(atomic_load(&lookups), 1);
    return end(server, client);
}

static int many_are_cancelled_in_all_shards(void *arg)
{
    struct script_server *server = SCRIPT_SERVER({.end = SCRIPT_HOLD});
    weir_client *client = CLIENT(server, .concurrency = MANY);
    weir_response **responses = calloc(MANY, sizeof *responses);
    weir_group *group = rig_group();
    (void)arg;
    for (int i = 0; i < MANY; i++)
        weir_request_start(group, client, POST("/"), &responses[i]);
    wait_requests(server, MANY);
    weir_group_cancel(group);
    weir_group_free(group);
    wait_closed(server, MANY);
    for (int i = 0; i < MANY; i++) {
        check_int(weir_response_error(responses[i]), WEIR_ECANCELED);
        check_int(weir_response_sent(responses[i]), WEIR_SENT_MAYBE);
        weir_response_free(responses[i]);
    }
    free(responses);
    return end(server, client);
}

/* ---- by themselves ---- */

static const struct weir__net net; /* what handles connect with, were they to */

static void never_called(struct weir__curl_handle *handle, int rc)
{
    (void)handle;
    (void)rc;
    fail();
}

static void take(struct weir__shards *shards, struct weir__curl_handle **handles, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        handles[i] = weir__shards_take(shards, NULL);
        assert_non_null(handles[i]);
    }
}

static void shards_come_on_demand_and_go_unused(void **state)
{
    struct weir__curl_handle *handles[MANY];
    struct weir__shards shards;
    struct ev_loop *ev = ev_loop_new(EVFLAG_AUTO);
    (void)state;
    assert_true(weir__shards_init(&shards, NULL, ev, &net, MANY, never_called));
    assert_int_equal(shards.count, 1);
    take(&shards, handles, shards.room);
    assert_int_equal(shards.count, 1);
    take(&shards, handles + shards.room, MANY - shards.room);
    assert_int_equal(shards.count, shards.count_max);
    for (int i = 0; i < MANY; i++)
        weir__shards_give(handles[i], NULL);
    int64_t now_s = 0;
    for (; now_s < 60; now_s++)
        weir__shards_run(&shards, now_s * WEIR__NS_PER_S);
    assert_int_equal(shards.count, shards.count_max);
    weir__shards_run(&shards, now_s * WEIR__NS_PER_S);
    assert_int_equal(shards.count, 1);
    assert_true(shards.handles <= shards.room);
    take(&shards, handles, 1); /* and it works on */
    weir__shards_give(handles[0], NULL);
    weir__shards_free(&shards);
    ev_loop_destroy(ev);
}

/* More than was said: no shard is made for them, they are spread over those that there are. */
static void more_than_planned_are_spread(void **state)
{
    enum { PLANNED = 40 };
    struct weir__curl_handle *handles[MANY];
    struct weir__shards shards;
    struct ev_loop *ev = ev_loop_new(EVFLAG_AUTO);
    (void)state;
    assert_true(weir__shards_init(&shards, NULL, ev, &net, PLANNED, never_called));
    take(&shards, handles, MANY);
    assert_int_equal(shards.count, 2);
    assert_int_equal(shards.handles, MANY);
    size_t in_first = 0;
    for (int i = 0; i < MANY; i++)
        in_first += handles[i]->shard == handles[0]->shard;
    assert_int_equal(in_first, MANY / 2);
    for (int i = 0; i < MANY; i++)
        weir__shards_give(handles[i], NULL);
    weir__shards_free(&shards);
    ev_loop_destroy(ev);
}

/* A host's own handle, the last one first, before one that was elsewhere. */
static void the_handle_that_was_there_last(void **state)
{
    struct weir__shards shards;
    struct weir__hosts hosts;
    struct ev_loop *ev = ev_loop_new(EVFLAG_AUTO);
    (void)state;
    assert_true(weir__shards_init(&shards, NULL, ev, &net, 3, never_called));
    weir__hosts_init(&hosts);
    struct weir__host *a = weir__host_of(&hosts, "http://a/"),
                      *b = weir__host_of(&hosts, "http://b/");
    struct weir__curl_handle *first = weir__shards_take(&shards, a);
    struct weir__curl_handle *second = weir__shards_take(&shards, a);
    struct weir__curl_handle *third = weir__shards_take(&shards, b);
    weir__shards_give(first, a);
    weir__shards_give(third, b);
    weir__shards_give(second, a);
    assert_ptr_equal(weir__shards_take(&shards, a), second);
    assert_ptr_equal(weir__shards_take(&shards, a), first);
    /* None of a's is idle and there are as many as were planned: the oldest of another host. */
    assert_ptr_equal(weir__shards_take(&shards, a), third);
    weir__shards_give(first, a);
    weir__shards_give(second, b);
    weir__shards_give(third, NULL);
    weir__hosts_free(&hosts); /* handles live on without their host */
    assert_ptr_equal(weir__shards_take(&shards, NULL), first);
    weir__shards_give(first, NULL);
    weir__shards_free(&shards);
    ev_loop_destroy(ev);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        REAL_TEST(connections_of_all_shards_are_reused),
        REAL_TEST(a_trickle_after_a_burst_makes_no_connection),
        REAL_TEST(two_hosts_keep_their_connections),
        REAL_TEST(all_shards_look_a_name_up_once),
        REAL_TEST(many_are_cancelled_in_all_shards),
        cmocka_unit_test(shards_come_on_demand_and_go_unused),
        cmocka_unit_test(more_than_planned_are_spread),
        cmocka_unit_test(the_handle_that_was_there_last),
    };
    forget_proxies();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
