#include "http/host.h"

#include <string.h>

#include "base/mem.h"

enum { HOSTS_MAX = 256 };

void weir__hosts_init(struct weir__hosts *hosts)
{
    weir__list_init(&hosts->list);
    hosts->count = 0;
}

static struct weir__host *host_at(struct weir__list *node)
{
    return WEIR__CONTAINER(node, struct weir__host, node);
}

static void drop(struct weir__hosts *hosts, struct weir__host *host)
{
    weir__list_remove(&host->node);
    while (weir__list_pop(&host->idle) != NULL)
        continue; /* the handles live on */
    weir__free(host);
    hosts->count--;
}

void weir__hosts_free(struct weir__hosts *hosts)
{
    while (!weir__list_empty(&hosts->list))
        drop(hosts, host_at(hosts->list.next));
}

static size_t origin_len(const char *url)
{
    const char *host = strstr(url, "://");
    host = host != NULL ? host + 3 : url;
    while (*host != '\0' && *host != '/' && *host != '?' && *host != '#')
        host++; /* shorter than strcspn, which makes a table first */
    return (size_t)(host - url);
}

/* Makes room by forgetting the one whose last use is longest ago. */
static bool make_room(struct weir__hosts *hosts)
{
    if (hosts->count < HOSTS_MAX)
        return true;
    struct weir__host *oldest = host_at(hosts->list.prev);
    if (oldest->users > 0 || oldest->probe != NULL || !weir__list_empty(&oldest->waiting))
        return false;
    drop(hosts, oldest);
    return true;
}

static struct weir__host *add(struct weir__hosts *hosts, const char *url, size_t len)
{
    struct weir__host *host = make_room(hosts) ? weir__zalloc(sizeof *host + len) : NULL;
    if (host == NULL)
        return NULL;
    weir__list_init(&host->waiting);
    weir__list_init(&host->idle);
    host->origin_len = len;
    memcpy(host->origin, url, len);
    weir__list_insert(hosts->list.next, &host->node);
    hosts->count++;
    return host;
}

struct weir__host *weir__host_of(struct weir__hosts *hosts, const char *url)
{
    size_t len = origin_len(url);
    for (struct weir__list *node = hosts->list.next; node != &hosts->list; node = node->next) {
        struct weir__host *host = host_at(node);
        if (host->origin_len != len || memcmp(host->origin, url, len) != 0)
            continue;
        if (node != hosts->list.next) {
            weir__list_remove(node);
            weir__list_insert(hosts->list.next, node);
        }
        return host;
    }
    return add(hosts, url, len);
}
