/* From what the caller asks for to what goes over the wire. */
#include <string.h>

#include "base/mem.h"
#include "client/client.h"
#include "http/header.h"

static bool idempotent(const char *method) /* RFC 9110, section 9.2.2 */
{
    static const char *const methods[] = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (strcmp(method, methods[i]) == 0)
            return true;
    }
    return false;
}

/* The client's headers but for those that the request gives itself, then the request's. */
static const char **merge(char *const *base, const char *const *own)
{
    const char *const *client = (const char *const *)base;
    size_t n = weir__headers_count(client) + weir__headers_count(own);
    const char **list = weir__alloc((n + 1) * sizeof *list);
    if (list == NULL)
        return NULL;
    n = 0;
    for (; *client != NULL; client++) {
        if (!weir__headers_have(own, *client))
            list[n++] = *client;
    }
    for (; own != NULL && *own != NULL; own++)
        list[n++] = *own;
    list[n] = NULL;
    return list;
}

/* The client's own headers may hold a key: they go to the base URL's origin and nowhere else. */
static int set_headers(const weir_client *client, const struct weir_request *request, bool own,
                       struct weir__prepared *prepared)
{
    static char *const none[] = {NULL};
    char *const *base = own ? client->headers : none;
    int rc = weir__headers_check(request->headers);
    if (rc < 0)
        return rc;
    if (request->headers == NULL) {
        prepared->exchange.headers = (const char *const *)base;
        return 0;
    }
    prepared->headers = merge(base, request->headers);
    prepared->exchange.headers = prepared->headers;
    return prepared->headers != NULL ? 0 : WEIR_ENOMEM;
}

int weir__prepare(weir_client *client, const struct weir_request *request,
                  struct weir__prepared *prepared)
{
    struct weir_exchange *exchange = &prepared->exchange;
    bool own;
    *prepared = (struct weir__prepared){.url = NULL};
    if (request->reserved != 0 || request->reserved2 != 0 ||
        request->priority < -WEIR_PRIORITY_MAX || request->priority > WEIR_PRIORITY_MAX)
        return WEIR_EINVAL;
    exchange->body = request->body;
    exchange->body_len = request->body_len;
    if (request->body != NULL && request->body_len == 0)
        exchange->body_len = strlen(request->body);
    exchange->method = request->method;
    if (request->method == NULL)
        exchange->method = request->body != NULL ? "POST" : "GET";
    if (!weir__header_name_ok(exchange->method, strlen(exchange->method)))
        return WEIR_EINVAL;
    if (request->body != NULL && strcmp(exchange->method, "HEAD") == 0)
        return WEIR_EINVAL; /* it means nothing, and libcurl would wait for the answer's body */
    exchange->replay = request->replay != 0 || idempotent(exchange->method);
    exchange->timeout_ms = client->attempt_timeout_ms;
    int rc = weir__url_resolve(&client->base, request->url, &prepared->url, &own);
    exchange->url = prepared->url;
    return rc < 0 ? rc : set_headers(client, request, own, prepared);
}

void weir__prepared_free(struct weir__prepared *prepared)
{
    weir__free(prepared->url);
    weir__free(prepared->headers);
}
