/* How much of a server's limit is used, and how many are refused, by weir and by other ways, on
 * virtual time: a table. docs/design/learning.md discusses it.
 *
 *     bench_flow [WORD]          only the cases whose names hold the word
 *     bench_flow WORD SEEDS      of so many seeds, weir alone: the mean, and the worst; and whether
 *                                the mean meets the goal of its kind, which the network's jitter
 *                                may put out of reach */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flow_cases.h"
#include "flow_run.h"

static const char *const ways[FLOW_WAYS] = {
    [FLOW_WEIR_RIGHT] = "right rate", [FLOW_WEIR_LEARNS] = "no rate", [FLOW_WEIR_TWICE] = "twice",
    [FLOW_GATE] = "gate alone",       [FLOW_AIMD] = "AIMD",           [FLOW_CUBIC] = "CUBIC",
};

/* ---- what is asked for ---- */

struct goal {
    double used_least, refused_most;
};

static struct goal goal_of(const struct flow_case *flow, enum flow_way way)
{
    bool headers =
        flow->server.says == FLOW_SAYS_LIKE_OPENAI || flow->server.says == FLOW_SAYS_IETF;
    if (way == FLOW_WEIR_RIGHT && flow->others == 0) /* beside others it is too high */
        return (struct goal){.used_least = 0.995, .refused_most = 0.05};
    if (headers)
        return (struct goal){.used_least = 0.98, .refused_most = 1};
    return (struct goal){.used_least = 0.95, .refused_most = 10};
}

/* The most that can be used with none refused, by one who cannot see how long each is on its way:
 * the first of a bucket's burst may be late by the whole jitter, and the last not at all. */
static double bound_of(const struct flow_case *flow)
{
    const struct flow_server *server = &flow->server;
    double late_s = server->trip_jitter_ms / 2 / 1000; /* one way */
    double token_s = server->period_s / (double)server->limit;
    if (server->kind == FLOW_LOG)
        return server->period_s / (server->period_s + late_s);
    double over_s = late_s - (double)(server->burst - 1) * token_s;
    return server->kind == FLOW_BUCKET && over_s > 0 ? token_s / (token_s + over_s) : 1;
}

static const char *verdict_of(const struct flow_case *flow, enum flow_way way,
                              const struct flow_result *mean)
{
    struct goal goal = goal_of(flow, way);
    if (mean->used >= goal.used_least && mean->refused_per_1000 <= goal.refused_most)
        return "meets";
    return bound_of(flow) < goal.used_least ? "jitter" : "MISSES";
}

/* ---- the table ---- */

static int print_once(const struct flow_case *flow, enum flow_way way)
{
    struct flow_result result;
    if (flow_run(flow, way, 1, &result) < 0)
        return -1;
    printf("  %.3f %6.1f", result.used, result.refused_per_1000);
    return 0;
}

static int print_seeds(const struct flow_case *flow, enum flow_way way, int seeds)
{
    struct flow_result sum = {.used = 0}, worst = {.used = 1e9};
    for (int seed = 1; seed <= seeds; seed++) {
        struct flow_result result;
        if (flow_run(flow, way, (uint64_t)seed, &result) < 0)
            return -1;
        sum.used += result.used;
        sum.refused_per_1000 += result.refused_per_1000;
        if (result.used < worst.used)
            worst.used = result.used;
        if (result.refused_per_1000 > worst.refused_per_1000)
            worst.refused_per_1000 = result.refused_per_1000;
    }
    sum.used /= seeds;
    sum.refused_per_1000 /= seeds;
    printf("  %.3f %5.1f, %.3f %5.1f %s", sum.used, sum.refused_per_1000, worst.used,
           worst.refused_per_1000, verdict_of(flow, way, &sum));
    return 0;
}

int main(int argc, char **argv)
{
    int seeds = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 0;
    int count = seeds > 0 ? FLOW_GATE : FLOW_WAYS;
    printf("%-44s", seeds > 0 ? "used, refused per 1,000: mean, worst" : "used, refused per 1,000");
    for (int way = 0; way < count; way++)
        printf(" %*s", seeds > 0 ? 33 : 14, ways[way]);
    printf("%s\n", seeds > 0 ? "  bound by jitter" : "");
    for (size_t i = 0; i < FLOW_CASES; i++) {
        const struct flow_case *flow = &flow_cases[i];
        if (argc > 1 && strstr(flow->name, argv[1]) == NULL)
            continue;
        printf("%-44s", flow->name);
        for (int way = 0; way < count; way++) {
            if ((seeds > 0 ? print_seeds(flow, (enum flow_way)way, seeds)
                           : print_once(flow, (enum flow_way)way)) < 0)
                return 1;
            fflush(stdout);
        }
        if (seeds > 0)
            printf("  %.3f", bound_of(flow));
        printf("\n");
    }
    return 0;
}
