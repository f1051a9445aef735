/* The servers of a run: which URLs are one, and whether a learned limit is sure. */
#include "rig.h"

#include <stdio.h>
#include <string.h>

#include "servers.h"

static int names(void *arg)
{
    static const struct {
        const char *url, *name;
    } cases[] = {
        {"http://A.example/x", "http://a.example:80"},
        {"HTTPS://a.example", "https://a.example:443"},
        {"http://user:pw@a.example:8080?q", "http://a.example:8080"},
        {"http://[::1]/x", "http://[::1]:80"},
        {"http://[::1]:81/x", "http://[::1]:81"},
    };
    struct servers servers = {.count = 0};
    (void)arg;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct server *server = servers_find(&servers, cases[i].url);
        check(server != NULL && strcmp(server->name, cases[i].name) == 0);
        check(servers_find(&servers, cases[i].name) == server);
    }
    check(servers.count == 5);
    struct server *server = servers_find(&servers, "http://a.example/");
    check(servers_find(&servers, "http://a.example:/") == server);
    check(servers_find(&servers, "http://a.example:080/") == server);
    check(servers.count == 5);
    char longer[2000] = "http://";
    memset(longer + 7, 'a', sizeof longer - 8);
    check(servers_find(&servers, longer) == NULL);
    servers_free(&servers);
    return 0;
}

static int too_many(void *arg)
{
    struct servers servers = {.count = 0};
    size_t made = 0;
    (void)arg;
    for (int i = 0; i < 2000; i++) {
        char url[40];
        snprintf(url, sizeof url, "http://host-%d/", i);
        made += servers_find(&servers, url) != NULL;
    }
    check(made == 1024);
    check(servers_find(&servers, "http://host-0/") != NULL);
    servers_free(&servers);
    return 0;
}

static int who_is_away(void *arg)
{
    struct servers servers = {.rules = {.max_ms = 100, .max_tries = 3}};
    struct server *a = servers_find(&servers, "http://a");
    struct server *b = servers_find(&servers, "http://b");
    size_t count;
    (void)arg;
    check(servers_away(&servers, &count) == NULL);
    check(!servers_one_is_there(&servers) && !servers_all_given_up(&servers));
    outage_heard(&b->outage, 1000);
    check(servers_one_is_there(&servers));
    outage_missed(&b->outage, &servers.rules, false, 2000, 2000);
    check(!servers_one_is_there(&servers));
    outage_missed(&a->outage, &servers.rules, false, 1500, 1500);
    check(servers_away(&servers, &count) == a);
    check(count == 2);
    check_int(outage_turn(&a->outage, 1600), OUTAGE_PROBE);
    outage_missed(&a->outage, &servers.rules, true, 1600, 1600);
    check(a->outage.given_up && !servers_all_given_up(&servers));
    check(servers_away(&servers, &count) == b);
    check(count == 1);
    check_int(outage_turn(&b->outage, 2100), OUTAGE_PROBE);
    outage_missed(&b->outage, &servers.rules, true, 2100, 2100);
    check(servers_all_given_up(&servers));
    servers_free(&servers);
    return 0;
}

static int sure_limits(void *arg)
{
    struct server server = {.accepted = 1000, .throttled = 5, .per_s = 10.2};
    (void)arg;
    check(server_sure_per_s(&server, 100000) == 10.0); /* what came through */
    check(server_sure_per_s(&server, 95000) == 10.2);  /* what was learned */
    check(server_sure_per_s(&server, 120000) == 0);    /* it went more slowly than that */
    check(server_sure_per_s(&server, 80000) == 0);     /* or faster */
    server.throttled = 0;
    check(server_sure_per_s(&server, 100000) == 0);
    server.throttled = 5;
    server.per_s = 0;
    check(server_sure_per_s(&server, 100000) == 0);
    server = (struct server){.accepted = 49, .throttled = 5, .per_s = 4.9};
    check(server_sure_per_s(&server, 10000) == 0);
    server = (struct server){.accepted = 4900, .throttled = 5, .per_s = 1000};
    check(server_sure_per_s(&server, 4900) == 0);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(names),
        VIRTUAL_TEST(too_many),
        VIRTUAL_TEST(who_is_away),
        VIRTUAL_TEST(sure_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
