/* Requests with cJSON trees as bodies; in libweir-cjson, by public functions alone. */
#include <weir/cjson.h>

#include <weir/client.h>

int weir_cjson_request(weir_client *client, const struct weir_request *request, const cJSON *tree,
                       weir_response **out)
{
    char *text;
    size_t len;
    if (out == NULL)
        return WEIR_EINVAL;
    *out = NULL;
    int rc = weir_cjson_text(tree, &text, &len);
    if (rc == 0)
        rc = weir_request_json(client, request, text, len, out);
    weir_json_text_free(text);
    return rc;
}

int weir_cjson_request_take(weir_client *client, const struct weir_request *request, cJSON *tree,
                            weir_response **out)
{
    int rc = weir_cjson_request(client, request, tree, out);
    cJSON_Delete(tree);
    return rc;
}
