#include "flow_run.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <weir/client.h>

#include "base/clock.h"
#include "flow_ways.h"

struct run {
    const struct flow_case *flow;
    enum flow_way way;
    struct flow_server server;
    int64_t end_ns;
    uint64_t number; /* of the newest request */
    int rc;
};

/* One of those who ask as fast as they are let. */
struct worker {
    struct run *run;
    weir_client *client; /* weir's, or */
    struct flow_pacer *pacer;
};

static bool is_over(const struct run *run)
{
    return weir_now_ns() >= run->end_ns;
}

static int ask_weir(void *arg)
{
    struct worker *worker = arg;
    struct run *run = worker->run;
    char url[32];
    while (!is_over(run)) {
        weir_response *response;
        snprintf(url, sizeof url, "/%llu", (unsigned long long)++run->number);
        weir_request(worker->client, WEIR_REQUEST(.url = url), &response);
        weir_response_free(response);
    }
    return 0;
}

static int ask_paced(void *arg)
{
    struct worker *worker = arg;
    struct run *run = worker->run;
    while (!is_over(run)) {
        int64_t wait_ms, sent_ns = flow_pacer_wait(worker->pacer, &run->server);
        if (is_over(run))
            break;
        int status = flow_exchange(&run->server, &wait_ms);
        flow_pacer_heard(worker->pacer, status == 429, wait_ms, sent_ns, weir_now_ns());
    }
    return 0;
}

/* Others come as they please. */
static int be_others(void *arg)
{
    struct run *run = arg;
    double per_ns = run->flow->others * (double)run->server.limit / run->server.period_s / 1e9;
    while (!is_over(run)) {
        double gap_ns = -log(1 - flow_uniform(&run->server)) / per_ns;
        flow_sleep_until(&run->server, weir_now_ns() + (int64_t)gap_ns);
        flow_other(&run->server);
    }
    return 0;
}

/* ---- a run ---- */

enum { CLIENTS_MAX = 4, CONCURRENCY_MAX = 4096 };

struct crew {
    struct run *run;
    weir_group *group;
    weir_limiter *limiters[CLIENTS_MAX];
    weir_client *clients[CLIENTS_MAX];
    struct flow_pacer pacers[CLIENTS_MAX];
    struct worker workers[CLIENTS_MAX];
};

static int make_client(struct crew *crew, int i)
{
    struct run *run = crew->run;
    const struct weir_transport transport = flow_transport(&run->server);
    uint64_t rate = (uint64_t)run->server.limit / (uint64_t)run->flow->clients;
    if (run->way == FLOW_WEIR_TWICE)
        rate *= 2;
    if (run->way == FLOW_WEIR_LEARNS)
        rate = 0;
    const struct weir_limit limit = {.rate = rate,
                                     .period_ms = (int64_t)(run->server.period_s * 1000),
                                     .burst = rate > 0,
                                     .strict = run->way == FLOW_WEIR_RIGHT &&
                                               run->server.kind == FLOW_LOG};
    int rc = weir_limiter_new(&crew->limiters[i],
                              WEIR_LIMITER_OPTS(.limits = &limit, .limit_count = rate > 0,
                                                .concurrency = (uint64_t)run->flow->concurrency));
    if (rc == 0)
        rc = weir_client_new(&crew->clients[i],
                             WEIR_CLIENT_OPTS(.base_url = "http://model.example",
                                              .limiter = crew->limiters[i], .transport = &transport,
                                              .retry = WEIR_RETRY_OPTS(.max_throttled = 1000000)));
    return rc;
}

static void hire(struct crew *crew, int i)
{
    struct run *run = crew->run;
    bool weir = run->way <= FLOW_WEIR_TWICE;
    struct worker *worker = &crew->workers[i];
    *worker = (struct worker){.run = run, .client = crew->clients[i], .pacer = &crew->pacers[i]};
    int count = run->flow->concurrency + (weir ? 8 : 0); /* a few always wait */
    for (int j = 0; j < count; j++)
        weir_spawn(crew->group, weir ? ask_weir : ask_paced, worker);
}

static int run_crew(struct crew *crew)
{
    struct run *run = crew->run;
    int rc = weir_group_new(&crew->group, NULL);
    for (int i = 0; rc == 0 && i < run->flow->clients; i++) {
        flow_pacer_init(&crew->pacers[i], run->way);
        if (run->way <= FLOW_WEIR_TWICE)
            rc = make_client(crew, i);
        if (rc == 0)
            hire(crew, i);
    }
    if (rc == 0 && run->flow->others > 0)
        weir_spawn(crew->group, be_others, run);
    if (rc == 0)
        rc = flow_sleep_until(&run->server, run->end_ns);
    for (int i = 0; i < run->flow->clients; i++)
        if (crew->limiters[i] != NULL)
            weir_limiter_close(crew->limiters[i]);
    weir_group_cancel(crew->group);
    weir_group_free(crew->group);
    for (int i = 0; i < run->flow->clients; i++) {
        if (crew->clients[i] != NULL)
            weir_client_free(crew->clients[i]);
        weir_limiter_free(crew->limiters[i]);
        flow_pacer_end(&crew->pacers[i]);
    }
    return rc;
}

static int run_all(void *arg)
{
    struct run *run = arg;
    static struct crew crew;
    crew = (struct crew){.run = run};
    int64_t start_ns = weir_now_ns();
    run->server.count_from_ns = start_ns + (int64_t)(run->flow->warm_up_s * 1e9);
    run->end_ns = run->server.count_from_ns + (int64_t)(run->flow->seconds * 1e9);
    run->rc = run_crew(&crew);
    return run->rc;
}

int flow_run(const struct flow_case *flow, enum flow_way way, uint64_t seed,
             struct flow_result *result)
{
    struct run run = {.flow = flow, .way = way, .server = flow->server};
    run.server.seed = seed;
    int rc = weir_run(run_all, &run, WEIR_RUN_OPTS(.clock = WEIR_CLOCK_VIRTUAL, .seed = seed));
    const struct flow_server *server = &run.server;
    double room = (double)server->limit / server->period_s * flow->seconds;
    double sent = (double)(server->accepted + server->refused);
    result->used = (double)server->accepted / (room - (double)server->taken_by_others);
    result->refused_per_1000 = sent > 0 ? 1000 * (double)server->refused / sent : 0;
    result->most_overtaken = server->most_overtaken;
    flow_server_end(&run.server);
    return rc;
}
