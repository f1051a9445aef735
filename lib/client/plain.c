#include "client/plain.h"

#include <stdio.h>

#include "base/ascii.h"
#include "base/opts.h"
#include "http/url.h"

enum { NAME_MAX_BYTES = 256 };

void weir__plain_init(struct weir__plain *plain, const struct weir_net_opts *net,
                      const struct weir__observer *observer)
{
    struct weir_net_opts own;
    *plain = (struct weir__plain){.count = 0};
    bool asked = weir__opts_copy(&own, sizeof own, net) == 0 && own.http2 == WEIR_HTTP2_TLS;
    plain->matters = asked && weir__observe_wants(observer, WEIR_LOG_WARN);
}

static uint64_t hash_of(const char *text) /* FNV-1a */
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return hash;
}

/* Whether it is the first time; never again once there are too many to remember. */
static bool is_new(struct weir__plain *plain, uint64_t hash)
{
    for (size_t i = 0; i < plain->count; i++) {
        if (plain->told[i] == hash)
            return false;
    }
    if (plain->count == WEIR__PLAIN_MAX)
        return false;
    plain->told[plain->count++] = hash;
    return true;
}

void weir__plain_warn(struct weir__plain *plain, struct weir__observer *observer, const char *url)
{
    char origin[NAME_MAX_BYTES], text[NAME_MAX_BYTES + 128];
    if (!weir__ascii_same(url, "http:", 5))
        return;
    weir__url_origin(origin, sizeof origin, url);
    if (!is_new(plain, hash_of(origin)))
        return;
    snprintf(text, sizeof text,
             "%s is spoken to in HTTP/1.1: WEIR_HTTP2_TLS has no effect with http://", origin);
    weir__observe_say(observer, WEIR_LOG_WARN, text);
}
