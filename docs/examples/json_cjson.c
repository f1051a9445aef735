/* The same as json_jansson.c with cJSON, whose adapter is a library of its own (libweir-cjson).
 * Usage: json_cjson BASE_URL */
#include <stdio.h>

#include <weir/cjson.h>
#include <weir/weir.h>

static int show(const cJSON *answer)
{
    const cJSON *row;
    int i = 0;
    cJSON_ArrayForEach(row, cJSON_GetObjectItemCaseSensitive(answer, "data"))
    {
        const cJSON *numbers = cJSON_GetObjectItemCaseSensitive(row, "embedding");
        printf("text %d: %d numbers\n", i++, cJSON_GetArraySize(numbers));
    }
    return i > 0 ? 0 : WEIR_EJSON;
}

/* NULL when memory is out, which weir_cjson_request_take refuses. */
static cJSON *question(void)
{
    cJSON *tree = cJSON_CreateObject();
    const cJSON *model = cJSON_AddStringToObject(tree, "model", "text-embedding-3-small");
    cJSON *texts = cJSON_AddArrayToObject(tree, "input");
    if (model != NULL && cJSON_AddItemToArray(texts, cJSON_CreateString("red")) &&
        cJSON_AddItemToArray(texts, cJSON_CreateString("green")))
        return tree;
    cJSON_Delete(tree);
    return NULL;
}

static int run(void *base_url)
{
    weir_client *api = NULL;
    weir_response *response = NULL;
    struct weir_json_error error = {.text = ""};
    cJSON *answer = NULL;
    int rc = weir_client_new(&api, WEIR_CLIENT_OPTS(.base_url = base_url));
    if (rc == 0)
        rc = weir_cjson_request_take(api, WEIR_REQUEST(.url = "/v1/embeddings", .replay = 1),
                                     question(), &response);
    if (rc == 0)
        rc = weir_cjson_response_take(response, &answer, &error);
    else
        weir_response_free(response);
    if (rc == WEIR_EJSON)
        fprintf(stderr, "%u:%u: %s\n", error.line, error.column, error.text);
    if (rc == 0)
        rc = show(answer);
    cJSON_Delete(answer);
    weir_client_free(api);
    return rc;
}

int main(int argc, char **argv)
{
    int rc = argc == 2 ? weir_run(run, argv[1], NULL) : WEIR_EINVAL;
    if (rc < 0)
        fprintf(stderr, "json_cjson: %s\n", weir_strerror(rc));
    return rc < 0;
}
