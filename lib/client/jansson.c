/* Requests with jansson trees as bodies. */
#include <weir/jansson.h>

#include <weir/client.h>

int weir_jansson_request(weir_client *client, const struct weir_request *request,
                         const json_t *tree, weir_response **out)
{
    char *text;
    size_t len;
    if (out == NULL)
        return WEIR_EINVAL;
    *out = NULL;
    int rc = weir_jansson_text(tree, &text, &len);
    if (rc == 0)
        rc = weir_request_json(client, request, text, len, out);
    weir_json_text_free(text);
    return rc;
}

int weir_jansson_request_take(weir_client *client, const struct weir_request *request, json_t *tree,
                              weir_response **out)
{
    int rc = weir_jansson_request(client, request, tree, out);
    json_decref(tree);
    return rc;
}
