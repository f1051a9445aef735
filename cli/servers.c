#include "servers.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http_text.h"

#define SERVERS_MAX 1024
#define NAME_ROOM   1024
/* So many rows, over so long, must have come through at the learned rate, to that part of it. */
#define SURE_ROWS   50
#define SURE_MS     INT64_C(5000)
#define SURE_WITHIN 0.1

/* As the library names the key of a server's limiter: "host", "host:" and "host:080" are one.
 * False: it is too long. */
static bool name_server(char *dst, size_t room, const char *url)
{
    const char *end = url + url_origin_len(url);
    const char *host = strstr(url, "://") + 3;
    int scheme_len = (int)(host - url);
    const char *user = memrchr(host, '@', (size_t)(end - host));
    host = user != NULL ? user + 1 : host;
    const char *bracket = memrchr(host, ']', (size_t)(end - host));
    const char *behind = bracket != NULL ? bracket : host;
    const char *colon = memchr(behind, ':', (size_t)(end - behind));
    const char *host_end = colon != NULL ? colon : end;
    const char *port = host_end;
    while (port < end && (*port == ':' || *port == '0'))
        port++;
    const char *usual = strncasecmp(url, "https", 5) == 0 ? "443" : "80";
    int len = snprintf(dst, room, "%.*s%.*s:%.*s%s", scheme_len, url, (int)(host_end - host), host,
                       (int)(end - port), port, port == end ? usual : "");
    for (char *c = dst; *c != '\0'; c++)
        *c = (char)tolower((unsigned char)*c);
    return len > 0 && (size_t)len < room;
}

static struct server *add(struct servers *servers, const char *name)
{
    size_t room = strlen(name) + 1;
    if (servers->count == SERVERS_MAX)
        return NULL;
    struct server *server = calloc(1, sizeof *server + room);
    if (server == NULL || weir_event_new(&server->changed) < 0) {
        free(server);
        return NULL;
    }
    memcpy(server->name, name, room);
    servers->count++;
    return server;
}

struct server *servers_find(struct servers *servers, const char *url)
{
    char name[NAME_ROOM];
    struct server **at = &servers->first;
    if (!name_server(name, sizeof name, url))
        return NULL;
    while (*at != NULL && strcmp((*at)->name, name) != 0)
        at = &(*at)->next;
    struct server *server = *at;
    if (server != NULL)
        *at = server->next;
    else
        server = add(servers, name);
    if (server == NULL)
        return NULL;
    server->next = servers->first;
    servers->first = server;
    return server;
}

void servers_free(struct servers *servers)
{
    struct server *server;
    while ((server = servers->first) != NULL) {
        servers->first = server->next;
        weir_event_free(server->changed);
        free(server);
    }
}

void servers_note_limits(struct servers *servers, weir_limiters *limiters)
{
    for (struct server *server = servers->first; server != NULL; server = server->next) {
        struct weir_limiter_stats stats = {.size = sizeof stats};
        weir_limiter *limiter;
        if (weir_limiters_get(limiters, server->name, &limiter) < 0 ||
            weir_limiter_stats(limiter, &stats) < 0)
            continue;
        server->throttled = stats.throttled;
        server->accepted = stats.admitted - stats.throttled;
        server->per_s = stats.learned_per_s;
    }
}

double server_sure_per_s(const struct server *server, int64_t elapsed_ms)
{
    if (server->throttled == 0 || server->accepted < SURE_ROWS || elapsed_ms < SURE_MS)
        return 0;
    double passed_per_s = (double)server->accepted / ((double)elapsed_ms / 1000.0);
    double off = passed_per_s - server->per_s;
    if ((off < 0 ? -off : off) > SURE_WITHIN * server->per_s)
        return 0;
    return off < 0 ? passed_per_s : server->per_s;
}

bool servers_all_given_up(const struct servers *servers)
{
    for (const struct server *server = servers->first; server != NULL; server = server->next) {
        if (!server->outage.given_up)
            return false;
    }
    return true;
}

bool servers_one_is_there(const struct servers *servers)
{
    for (const struct server *server = servers->first; server != NULL; server = server->next) {
        if (server->outage.reached && !server->outage.down)
            return true;
    }
    return false;
}

const struct server *servers_away(const struct servers *servers, size_t *count)
{
    const struct server *away = NULL;
    *count = 0;
    for (const struct server *server = servers->first; server != NULL; server = server->next) {
        if (!server->outage.down || server->outage.given_up)
            continue;
        ++*count;
        if (away == NULL || server->outage.since_ms < away->outage.since_ms)
            away = server;
    }
    return away;
}
