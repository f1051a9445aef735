/* Three requests at the same time, started at most 100 a minute: the program of the README.
 * Usage: first BASE_URL */
#include <stdio.h>
#include <weir/weir.h>

static int run(void *base_url)
{
    const char *body[] = {"red", "green", "blue"};
    weir_response *answer[3] = {NULL};
    weir_client *api = NULL;
    weir_group *group = NULL;
    /* At most 100 a minute start; .period_ms = 1000 would make it 100 a second. */
    int rc = weir_client_new(&api, WEIR_CLIENT_OPTS(.base_url = base_url, .rate = 100));
    if (rc == 0 && (rc = weir_group_new(&group, NULL)) == 0) {
        for (int i = 0; i < 3; i++)
            weir_request_start(group, api, WEIR_REQUEST(.url = "/echo", .body = body[i]),
                               &answer[i]);
        rc = weir_gather(group); /* waits for all; 0 when all were answered */
    }
    for (int i = 0; i < 3 && rc == 0; i++)
        printf("%d %s\n", weir_response_status(answer[i]), weir_response_body(answer[i]));
    weir_group_free(group);
    for (int i = 0; i < 3; i++)
        weir_response_free(answer[i]);
    weir_client_free(api);
    return rc;
}

int main(int argc, char **argv)
{
    int rc = argc == 2 ? weir_run(run, argv[1], NULL) : WEIR_EINVAL;
    if (rc < 0)
        fprintf(stderr, "%s\n", weir_strerror(rc));
    return rc < 0;
}
