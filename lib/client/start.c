/* Requests as tasks of their own, and shorthands. */
#include <string.h>

#include "base/mem.h"
#include "base/opts.h"
#include "client/client.h"
#include "http/header.h"

/* A copied request, all in one block, which belongs to its task: it is freed with it even if it
 * was cancelled before it ever ran. */
struct started {
    weir_client *client;
    bool counted; /* among the client's calls */
    struct weir_request request;
};

static size_t text_size(const char *text)
{
    return text != NULL ? strlen(text) + 1 : 0;
}

static size_t size_of(const struct weir_request *request, size_t body_len)
{
    size_t n = weir__headers_count(request->headers);
    size_t size = sizeof(struct started) + (n + 1) * sizeof(char *);
    for (size_t i = 0; i < n; i++)
        size += text_size(request->headers[i]);
    return size + text_size(request->method) + text_size(request->url) +
           text_size(request->limit_key) + text_size(request->idempotency_key) + body_len + 1;
}

static char *put(char **at, const void *data, size_t len)
{
    char *copy = *at;
    if (data == NULL)
        return NULL;
    memcpy(copy, data, len);
    copy[len] = '\0';
    *at += len + 1;
    return copy;
}

static char *put_text(char **at, const char *text)
{
    return put(at, text, text != NULL ? strlen(text) : 0);
}

static struct started *copy(weir_client *client, const struct weir_request *given)
{
    struct weir_request known, *request = &known;
    if (weir__opts_copy(&known, sizeof known, given) < 0)
        request->reserved = 1; /* so that the task says it: no such request is sent */
    size_t body_len = request->body_len, n = weir__headers_count(request->headers);
    if (request->body != NULL && body_len == 0)
        body_len = strlen(request->body);
    struct started *started = weir__alloc(size_of(request, body_len));
    if (started == NULL)
        return NULL;
    const char **headers = (const char **)(void *)(started + 1);
    char *at = (char *)(headers + n + 1);
    for (size_t i = 0; i < n; i++)
        headers[i] = put_text(&at, request->headers[i]);
    headers[n] = NULL;
    started->client = client;
    started->counted = weir__client_is_here(client);
    started->request = *request;
    started->request.headers = request->headers != NULL ? headers : NULL;
    started->request.method = put_text(&at, request->method);
    started->request.url = put_text(&at, request->url);
    started->request.limit_key = put_text(&at, request->limit_key);
    started->request.idempotency_key = put_text(&at, request->idempotency_key);
    started->request.body = put(&at, request->body, body_len);
    started->request.body_len = body_len;
    return started;
}

/* The block lives as long as its task, which may be long after the request. */
static void wipe(const struct started *started)
{
    const char *const *line = started->request.headers;
    for (; line != NULL && *line != NULL; line++)
        weir__wipe((char *)(uintptr_t)*line);
    weir__wipe((char *)(uintptr_t)started->request.url);
}

static int run_started(void *arg)
{
    const struct started *started = weir__task_owned(weir_task_self());
    if (started->counted)
        started->client->calls--; /* weir_request counts it itself */
    int rc = weir_request(started->client, &started->request, arg);
    wipe(started);
    return rc;
}

static void never_ran(weir_task *task)
{
    const struct started *started = weir__task_owned(task);
    if (started->counted)
        started->client->calls--;
    wipe(started);
}

weir_task *weir_request_start(weir_group *group, weir_client *client,
                              const struct weir_request *request, weir_response **out)
{
    if (out != NULL) /* else the task says that it is */
        *out = NULL;
    struct started *started = copy(client, request);
    weir_task *task = weir__spawn_owning(group, run_started, out, "request", started, never_ran);
    if (weir__client_is_here(client))
        client->calls += task != NULL; /* from now on it is in use */
    return task;
}

int weir_get(weir_client *client, const char *url, weir_response **out)
{
    return weir_request(client, WEIR_REQUEST(.url = url), out);
}

int weir_post_json(weir_client *client, const char *url, const char *json, weir_response **out)
{
    static const char *const headers[] = {"Content-Type: application/json", NULL};
    if (json == NULL && out != NULL) /* not the GET that it would be without a body */
        return weir__refused(client, out, "the JSON text is NULL");
    return weir_request(client, WEIR_REQUEST(.url = url, .body = json, .headers = headers), out);
}
