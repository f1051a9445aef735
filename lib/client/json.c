/* Requests with JSON texts as bodies. */
#include <string.h>

#include "base/mem.h"
#include "base/opts.h"
#include "client/client.h"
#include "http/header.h"

/* The request's own headers and the type; NULL when memory is out. */
static const char **with_type(const char *const *own)
{
    size_t n = weir__headers_count(own);
    const char **list = weir__alloc((n + 2) * sizeof *list);
    if (list == NULL)
        return NULL;
    if (n > 0)
        memcpy(list, own, n * sizeof *list);
    list[n] = "Content-Type: application/json";
    list[n + 1] = NULL;
    return list;
}

int weir_request_json(weir_client *client, const struct weir_request *given, const char *json,
                      size_t len, weir_response **out)
{
    struct weir_request request;
    const char **headers = NULL;
    if (out == NULL)
        return WEIR_EINVAL;
    *out = NULL;
    int rc = weir__opts_copy(&request, sizeof request, given);
    if (rc < 0)
        return weir__refused(client, out, weir__unknown_size);
    if (json == NULL)
        return weir__refused(client, out, "the JSON text is NULL");
    if (request.body != NULL || request.body_from != NULL)
        return weir__refused(client, out,
                             "the JSON text is the body: the request has one of its own");
    request.body = json;
    request.body_len = len;
    if (!weir__headers_have(request.headers, "Content-Type:")) {
        headers = with_type(request.headers);
        if (headers == NULL)
            return WEIR_ENOMEM;
        request.headers = headers;
    }
    rc = weir_request(client, &request, out);
    weir__free(headers);
    return rc;
}
