#include "flow_server.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <weir/task.h>

#include "base/clock.h"
#include "task/sched.h"

static const double ns_per_s = 1e9, ns_per_ms = 1e6;

static void begin(struct flow_server *server)
{
    if (server->begun)
        return;
    server->begun = true;
    weir__rand_seed(&server->rand, server->seed);
    weir__list_init(&server->sleepers);
    server->level = (double)server->burst;
    server->at_ns = weir_now_ns();
    server->window = -1;
    if (server->kind == FLOW_LOG)
        server->log = calloc((size_t)server->limit, sizeof *server->log);
}

void flow_server_end(struct flow_server *server)
{
    free(server->log);
    server->log = NULL;
}

double flow_uniform(struct flow_server *server)
{
    begin(server);
    return (double)(weir__rand_u64(&server->rand) >> 11) / 9007199254740992.0;
}

int flow_sleep_until(struct flow_server *server, int64_t when_ns)
{
    struct weir__wait wait;
    begin(server);
    int rc = weir__wait_begin(&wait);
    return rc < 0 ? rc : weir__park_until(&wait, &server->sleepers, when_ns);
}

static int sleep_for(struct flow_server *server, double ms)
{
    return flow_sleep_until(server, weir_now_ns() + (int64_t)(ms * ns_per_ms));
}

/* ---- the limits ---- */

static double period_ns(const struct flow_server *server)
{
    return server->period_s * ns_per_s;
}

static double tokens_per_ns(const struct flow_server *server)
{
    return (double)server->limit / period_ns(server);
}

/* What it looks like at a time, before anything is taken. */
static void advance(struct flow_server *server, int64_t now_ns)
{
    double period = period_ns(server);
    server->level += (double)(now_ns - server->at_ns) * tokens_per_ns(server);
    if (server->level > (double)server->burst)
        server->level = (double)server->burst;
    server->at_ns = now_ns;
    int64_t window = (int64_t)((double)now_ns / period);
    if (window != server->window)
        server->used = 0;
    server->window = window;
    while (server->log_count > 0 && (double)(now_ns - server->log[server->log_first]) >= period) {
        server->log_first = (server->log_first + 1) % server->limit;
        server->log_count--;
    }
}

static double left(const struct flow_server *server)
{
    if (server->kind == FLOW_BUCKET)
        return server->level;
    return (double)(server->limit -
                    (server->kind == FLOW_WINDOW ? server->used : server->log_count));
}

/* Until there is one more (of a window: all), at least. */
static double reset_ns(const struct flow_server *server)
{
    double period = period_ns(server);
    if (server->kind == FLOW_WINDOW)
        return (double)(server->window + 1) * period - (double)server->at_ns;
    if (server->kind == FLOW_LOG)
        return server->log_count == 0
                   ? 0
                   : (double)(server->log[server->log_first] - server->at_ns) + period;
    return ((double)server->burst - server->level) / tokens_per_ns(server);
}

static double wait_ns(const struct flow_server *server)
{
    return server->kind == FLOW_BUCKET ? (1 - server->level) / tokens_per_ns(server)
                                       : reset_ns(server);
}

static bool admit(struct flow_server *server, int64_t now_ns)
{
    advance(server, now_ns);
    if (left(server) < 1)
        return false;
    server->level -= 1;
    server->used++;
    if (server->kind == FLOW_LOG)
        server->log[(server->log_first + server->log_count++) % server->limit] = now_ns;
    return true;
}

void flow_other(struct flow_server *server)
{
    int64_t now_ns = weir_now_ns();
    begin(server);
    server->taken_by_others += admit(server, now_ns) && now_ns >= server->count_from_ns;
}

/* ---- exchanges ---- */

struct told {
    bool accepted;
    double remaining, reset_ns, wait_ns;
};

static int trip(struct flow_server *server)
{
    return sleep_for(server, (server->trip_ms + flow_uniform(server) * server->trip_jitter_ms) / 2);
}

static void count(struct flow_server *server, bool accepted, int64_t now_ns)
{
    bool counts = now_ns >= server->count_from_ns;
    server->all_accepted += accepted;
    server->all_refused += !accepted;
    server->accepted += accepted && counts;
    server->refused += !accepted && counts;
}

static int arrive(struct flow_server *server, struct told *told)
{
    int rc = trip(server);
    if (rc < 0)
        return rc;
    int64_t now_ns = weir_now_ns();
    told->accepted = admit(server, now_ns);
    told->remaining = floor(left(server));
    told->reset_ns = reset_ns(server);
    told->wait_ns = told->accepted ? -1 : wait_ns(server);
    count(server, told->accepted, now_ns);
    return 0;
}

static int go_back(struct flow_server *server, const struct told *told)
{
    int rc = 0;
    if (told->accepted)
        rc = sleep_for(server, server->work_ms + flow_uniform(server) * server->work_jitter_ms);
    return rc < 0 ? rc : trip(server);
}

static double whole_s(double ns)
{
    return ceil(ns / ns_per_s);
}

static void add(weir_response *response, const char *name, const char *format, double value)
{
    char text[80];
    snprintf(text, sizeof text, format, value);
    weir_response_add_header(response, name, text);
}

static double told_limit(const struct flow_server *server)
{
    if (server->told_limit > 0)
        return (double)server->told_limit;
    return (double)(server->kind == FLOW_BUCKET ? server->burst : server->limit);
}

static void add_policy(const struct flow_server *server, weir_response *response)
{
    char text[80];
    double limit = told_limit(server);
    double window_s = server->period_s * limit / (double)server->limit;
    snprintf(text, sizeof text, "\"all\";q=%.0f;w=%.0f", limit, window_s);
    weir_response_add_header(response, "RateLimit-Policy", text);
}

static void say(const struct flow_server *server, const struct told *told, weir_response *response)
{
    double limit = told_limit(server);
    if (server->says != FLOW_SAYS_NOTHING && !told->accepted)
        add(response, "Retry-After", "%.0f", whole_s(told->wait_ns));
    if (server->says == FLOW_SAYS_LIKE_OPENAI) {
        add(response, "x-ratelimit-limit-requests", "%.0f", limit);
        add(response, "x-ratelimit-remaining-requests", "%.0f", told->remaining);
        add(response, "x-ratelimit-reset-requests", "%.0fms", ceil(told->reset_ns / ns_per_ms));
    } else if (server->says == FLOW_SAYS_IETF) {
        char text[80];
        snprintf(text, sizeof text, "\"all\";r=%.0f;t=%.0f", told->remaining,
                 whole_s(told->reset_ns));
        add_policy(server, response);
        weir_response_add_header(response, "RateLimit", text);
    }
}

/* The number that is the last part of the URL: the order in which requests were made. */
static void see_order(struct flow_server *server, const char *url)
{
    const char *slash = url;
    for (const char *at = url; *at != '\0'; at++)
        if (*at == '/')
            slash = at + 1;
    uint64_t number = strtoull(slash, NULL, 10);
    if (number > server->newest_accepted)
        server->newest_accepted = number;
    /* All up to this one would be accepted by now but for those that it overtook, and the newer
     * ones that overtook it. */
    uint64_t before = server->all_accepted - 1,
             overtaken = before + 1 > number ? before + 1 - number : 0;
    if (overtaken > server->most_overtaken)
        server->most_overtaken = overtaken;
}

static int perform(void *self, const struct weir_exchange *exchange, weir_response *response)
{
    struct flow_server *server = self;
    struct told told;
    begin(server);
    int rc = arrive(server, &told);
    if (rc == 0 && told.accepted)
        see_order(server, exchange->url);
    if (rc == 0)
        rc = go_back(server, &told);
    if (rc == 0)
        rc = weir_response_set_status(response, told.accepted ? 200 : 429);
    if (rc == 0)
        say(server, &told, response);
    return rc;
}

int flow_exchange(struct flow_server *server, int64_t *wait_ms)
{
    struct told told;
    begin(server);
    int rc = arrive(server, &told);
    if (rc == 0)
        rc = go_back(server, &told);
    bool says = rc == 0 && !told.accepted && server->says != FLOW_SAYS_NOTHING;
    *wait_ms = says ? (int64_t)(whole_s(told.wait_ns) * 1000) : -1;
    return rc < 0 ? rc : told.accepted ? 200 : 429;
}

struct weir_transport flow_transport(struct flow_server *server)
{
    return WEIR_TRANSPORT(.perform = perform, .self = server);
}
