/* How much of a server's limit is used, and how many are refused, by weir and by other ways, on
 * virtual time: a table. docs/design/learning.md discusses it.
 *
 *     bench_flow [WORD]    only the cases whose names hold the word */
#include <stdio.h>
#include <string.h>

#include "flow_cases.h"
#include "flow_run.h"

static const char *const ways[FLOW_WAYS] = {
    [FLOW_WEIR_RIGHT] = "right rate", [FLOW_WEIR_LEARNS] = "no rate", [FLOW_WEIR_TWICE] = "twice",
    [FLOW_GATE] = "gate alone",       [FLOW_AIMD] = "AIMD",           [FLOW_CUBIC] = "CUBIC",
};

int main(int argc, char **argv)
{
    printf("%-44s", "used / refused per 1,000");
    for (int way = 0; way < FLOW_WAYS; way++)
        printf(" %14s", ways[way]);
    printf("\n");
    for (size_t i = 0; i < FLOW_CASES; i++) {
        if (argc > 1 && strstr(flow_cases[i].name, argv[1]) == NULL)
            continue;
        printf("%-44s", flow_cases[i].name);
        for (int way = 0; way < FLOW_WAYS; way++) {
            struct flow_result result;
            if (flow_run(&flow_cases[i], (enum flow_way)way, 1, &result) < 0)
                return 1;
            printf("  %.3f %6.1f", result.used, result.refused_per_1000);
            fflush(stdout);
        }
        printf("\n");
    }
    return 0;
}
