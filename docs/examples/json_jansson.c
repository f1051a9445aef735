/* A tree goes out, a tree comes back, with jansson. Who owns what is in the names: _take releases
 * what it is given, in each case.
 * Usage: json_jansson BASE_URL */
#include <stdio.h>

#include <weir/jansson.h>
#include <weir/weir.h>

static int show(const json_t *answer)
{
    json_t *row;
    size_t i;
    json_array_foreach(json_object_get(answer, "data"), i, row)
        printf("text %zu: %zu numbers\n", i, json_array_size(json_object_get(row, "embedding")));
    return i > 0 ? 0 : WEIR_EJSON;
}

static int run(void *base_url)
{
    weir_client *api = NULL;
    weir_response *response = NULL;
    struct weir_json_error error = {.text = ""};
    json_t *answer = NULL;
    int rc = weir_client_new(&api, WEIR_CLIENT_OPTS(.base_url = base_url));
    if (rc == 0)
        rc = weir_jansson_request_take(api, WEIR_REQUEST(.url = "/v1/embeddings", .replay = 1),
                                       json_pack("{ss s[ss]}", "model", "text-embedding-3-small",
                                                 "input", "red", "green"),
                                       &response);
    if (rc == 0)
        rc = weir_jansson_response_take(response, &answer, &error);
    else
        weir_response_free(response);
    if (rc == WEIR_EJSON)
        fprintf(stderr, "%u:%u: %s\n", error.line, error.column, error.text);
    if (rc == 0)
        rc = show(answer);
    json_decref(answer);
    weir_client_free(api);
    return rc;
}

int main(int argc, char **argv)
{
    int rc = argc == 2 ? weir_run(run, argv[1], NULL) : WEIR_EINVAL;
    if (rc < 0)
        fprintf(stderr, "json_jansson: %s\n", weir_strerror(rc));
    return rc < 0;
}
