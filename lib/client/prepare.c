/* From what the caller asks for to what goes over the wire. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/rand.h"
#include "client/client.h"
#include "http/header.h"
#include "http/response.h"

enum { HEADER_FAULT_MAX = 160 };

const char weir__unknown_size[] = "the request has a .size that is not known, or values behind it: "
                                  "make it with WEIR_REQUEST(...)";

static bool idempotent(const char *method) /* RFC 9110, section 9.2.2 */
{
    static const char *const methods[] = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (strcmp(method, methods[i]) == 0)
            return true;
    }
    return false;
}

/* The client's headers but for those that the request gives itself, then the request's, and the
 * line with its key, if it has one. */
static const char **merge(char *const *base, const char *const *own, const char *key_line)
{
    const char *const *client = (const char *const *)base;
    size_t n = weir__headers_count(client) + weir__headers_count(own) + (key_line != NULL);
    const char **list = weir__alloc((n + 1) * sizeof *list);
    if (list == NULL)
        return NULL;
    n = 0;
    for (; *client != NULL; client++) {
        bool given = weir__headers_have(own, *client) ||
                     (key_line != NULL && weir__header_same_name(key_line, *client));
        if (!given)
            list[n++] = *client;
    }
    for (; own != NULL && *own != NULL; own++)
        list[n++] = *own;
    if (key_line != NULL)
        list[n++] = key_line;
    list[n] = NULL;
    return list;
}

/* The client's own headers may hold a key: they go to the base URL's origin and nowhere else. */
static int set_headers(const weir_client *client, const struct weir_request *request, bool own,
                       weir_response *response, struct weir__prepared *prepared)
{
    static char *const none[] = {NULL};
    const char *key_line = response->key_line;
    char *const *base = own ? client->headers : none;
    char why[HEADER_FAULT_MAX];
    if (weir__headers_check(request->headers) < 0) {
        weir__headers_fault(request->headers, why, sizeof why);
        return weir__response_refuse(response, WEIR_EHEADER, why);
    }
    if (key_line != NULL && weir__headers_have(request->headers, key_line))
        return weir__response_refuse(response, WEIR_EHEADER,
                                     "both .idempotency_key and a header give the key");
    if (request->headers == NULL && key_line == NULL) {
        prepared->exchange.headers = (const char *const *)base;
        return 0;
    }
    prepared->headers = merge(base, request->headers, key_line);
    prepared->exchange.headers = prepared->headers;
    return prepared->headers != NULL ? 0 : WEIR_ENOMEM;
}

/* ---- the idempotency key ---- */

enum { KEY_MAX = 255, UUID_LEN = 36 };

/* Version 4 (RFC 9562, section 5.4): random but for six bits. From the system, since the numbers of
 * the runtime may be seeded alike in many processes. */
static void make_uuid(char text[UUID_LEN + 1])
{
    uint64_t high = weir__rand_system_seed(), low = weir__rand_system_seed();
    high = (high & ~UINT64_C(0xf000)) | 0x4000;
    low = (low & ~(UINT64_C(3) << 62)) | (UINT64_C(2) << 62);
    snprintf(text, UUID_LEN + 1,
             "%08" PRIx64 "-%04" PRIx64 "-%04" PRIx64 "-%04" PRIx64 "-%012" PRIx64, high >> 32,
             (high >> 16) & 0xffff, high & 0xffff, low >> 48, low & UINT64_C(0xffffffffffff));
}

static bool key_ok(const char *key)
{
    size_t len = strnlen(key, KEY_MAX + 1);
    for (size_t i = 0; i < len; i++) {
        if (key[i] <= 0x20 || key[i] >= 0x7f)
            return false;
    }
    return len <= KEY_MAX;
}

/* The header with it, which stays the response's. */
static int make_key_line(const char *key, weir_response *response)
{
    char uuid[UUID_LEN + 1];
    if (key == NULL)
        return 0;
    if (!key_ok(key))
        return weir__response_refuse(
            response, WEIR_EHEADER,
            ".idempotency_key has a blank or another character that is not "
            "printable ASCII, or is over 255 bytes");
    if (key[0] == '\0') {
        make_uuid(uuid);
        key = uuid;
    }
    size_t size = sizeof WEIR__KEY_HEADER + strlen(key);
    response->key_line = weir__alloc(size);
    if (response->key_line == NULL)
        return WEIR_ENOMEM;
    snprintf(response->key_line, size, "%s%s", WEIR__KEY_HEADER, key);
    return 0;
}

/* What is wrong with it beside URL, headers and key; NULL: nothing. */
static const char *fault_of(const struct weir_request *request, const char *method)
{
    bool body = request->body != NULL || request->body_from != NULL;
    if (request->reserved != 0 || request->reserved2 != 0)
        return "a reserved field is not 0: make the request with WEIR_REQUEST(...)";
    if (request->priority < -WEIR_PRIORITY_MAX || request->priority > WEIR_PRIORITY_MAX)
        return ".priority is beyond WEIR_PRIORITY_MAX";
    if (request->idle_ms < 0 || request->idle_first_ms < 0)
        return ".idle_ms or .idle_first_ms is negative";
    if (!weir__header_name_ok(method, strlen(method)))
        return ".method is empty or holds a blank or another character of no method";
    if (request->body != NULL && request->body_from != NULL)
        return "both .body and .body_from are set";
    if (request->body == NULL && request->body_len > 0)
        return ".body_len is set, but .body is NULL"; /* libcurl would read it from somewhere */
    if (body && strcmp(method, "HEAD") == 0)
        return "a HEAD request has no body"; /* libcurl would wait for the answer's */
    return NULL;
}

static const char *method_of(const struct weir_request *request)
{
    if (request->method != NULL)
        return request->method;
    return request->body != NULL || request->body_from != NULL ? "POST" : "GET";
}

static void fill(struct weir_exchange *exchange, const weir_client *client,
                 const struct weir_request *request)
{
    exchange->body = request->body;
    exchange->body_len = request->body_len;
    if (request->body != NULL && request->body_len == 0)
        exchange->body_len = strlen(request->body);
    exchange->replay =
        request->replay != 0 || request->idempotency_key != NULL || idempotent(exchange->method);
    exchange->timeout_ms = client->attempt_timeout_ms;
    exchange->idle_ms = request->idle_ms;
    exchange->idle_first_ms = request->idle_first_ms;
}

int weir__prepare(weir_client *client, const struct weir_request *request, weir_response *response,
                  struct weir__prepared *prepared)
{
    bool own;
    *prepared = (struct weir__prepared){
        .secrets = {&client->secrets, request->headers, request->url, NULL}};
    response->secrets = &prepared->secrets;
    prepared->exchange.method = method_of(request);
    prepared->exchange.url = request->url; /* for the log, should it be refused */
    const char *fault = fault_of(request, prepared->exchange.method);
    if (fault != NULL)
        return weir__response_refuse(response, WEIR_EINVAL, fault);
    fill(&prepared->exchange, client, request);
    int rc = weir__url_resolve(&client->base, request->url, &prepared->url, &own);
    if (rc == WEIR_EURL)
        weir__response_refuse(response, rc, weir__url_fault(&client->base, request->url));
    if (rc == 0)
        prepared->exchange.url = prepared->url;
    if (rc == 0)
        rc = make_key_line(request->idempotency_key, response);
    return rc < 0 ? rc : set_headers(client, request, own, response, prepared);
}

void weir__prepared_free(struct weir__prepared *prepared)
{
    weir__free_secret(prepared->url);
    weir__free(prepared->headers);
}
