/* How much of a server's limit is used, and how many are refused, by weir and by other ways, on
 * virtual time: a table. docs/design/learning.md discusses it.
 *
 *     bench_flow [WORD]          only the cases whose names hold the word
 *     bench_flow WORD SEEDS      of so many seeds, weir alone: the mean, and the worst */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flow_cases.h"
#include "flow_run.h"

static const char *const ways[FLOW_WAYS] = {
    [FLOW_WEIR_RIGHT] = "right rate", [FLOW_WEIR_LEARNS] = "no rate", [FLOW_WEIR_TWICE] = "twice",
    [FLOW_GATE] = "gate alone",       [FLOW_AIMD] = "AIMD",           [FLOW_CUBIC] = "CUBIC",
};

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
    printf("  %.3f %5.1f, %.3f %5.1f", sum.used / seeds, sum.refused_per_1000 / seeds, worst.used,
           worst.refused_per_1000);
    return 0;
}

int main(int argc, char **argv)
{
    int seeds = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 0;
    int count = seeds > 0 ? FLOW_GATE : FLOW_WAYS;
    printf("%-44s", seeds > 0 ? "used, refused per 1,000: mean, worst" : "used, refused per 1,000");
    for (int way = 0; way < count; way++)
        printf(" %*s", seeds > 0 ? 27 : 14, ways[way]);
    printf("\n");
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
        printf("\n");
    }
    return 0;
}
