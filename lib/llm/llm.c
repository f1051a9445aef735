#include "llm/llm.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/opts.h"
#include "http/header.h"

/* Where the key comes from: NULL with rc 0 is none, where none is needed. */
static const char *key_of(const struct weir_llm_opts *opts, const struct weir__llm_server *server,
                          int *rc)
{
    const char *key = opts->api_key;
    if (key == NULL && opts->base_url == NULL && server->key_variable != NULL)
        key = getenv(server->key_variable);
    bool none = key == NULL || key[0] == '\0';
    *rc = none && opts->base_url == NULL ? WEIR_ENOKEY : 0;
    return none ? NULL : key;
}

static char *key_line(const struct weir__llm_server *server, const char *key)
{
    size_t head_len = strlen(server->key_header), len = strlen(key);
    char *line = weir__alloc(head_len + len + 1);
    if (line == NULL)
        return NULL;
    memcpy(line, server->key_header, head_len);
    memcpy(line + head_len, key, len + 1);
    return line;
}

/* The client's own headers, and what the API wants. */
static int make_client(weir_llm *llm, const struct weir_llm_opts *opts, const char *key_header)
{
    const struct weir__llm_server *server = weir__llm_server(llm->api);
    struct weir_client_opts client;
    int rc = weir__opts_copy(&client, sizeof client, opts->client);
    if (rc < 0)
        return rc;
    if (client.base_url != NULL || client.bearer_token != NULL)
        return WEIR_EINVAL;
    size_t n = weir__headers_count(client.headers);
    const char **headers = weir__zalloc((n + 4) * sizeof *headers);
    if (headers == NULL)
        return WEIR_ENOMEM;
    for (size_t i = 0; i < n; i++)
        headers[i] = client.headers[i];
    headers[n++] = "Content-Type: application/json";
    if (key_header != NULL)
        headers[n++] = key_header;
    if (server->version != NULL)
        headers[n] = server->version;
    client.size = sizeof client;
    client.headers = headers;
    client.base_url = opts->base_url != NULL ? opts->base_url : server->base_url;
    rc = weir_client_new(&llm->client, &client);
    weir__free(headers);
    return rc;
}

/* Not all know whether the base URL of an API ends in its "/v1": what both have counts once. */
static const char *path_of(const struct weir__llm_server *server, const char *base_url)
{
    static const char version[] = "/v1";
    const char *path = server->path;
    size_t version_len = sizeof version - 1, len = base_url != NULL ? strlen(base_url) : 0;
    len -= len > 0 && base_url[len - 1] == '/';
    bool twice = len >= version_len && strncmp(path, "/v1/", 4) == 0 &&
                 memcmp(base_url + len - version_len, version, version_len) == 0;
    return twice ? path + version_len : path;
}

static int set_up(weir_llm *llm, const struct weir_llm_opts *opts)
{
    const struct weir__llm_server *server = weir__llm_server(llm->api);
    char *line = NULL;
    int rc;
    llm->path = path_of(server, opts->base_url);
    if (opts->model != NULL && (llm->model = weir__strdup(opts->model)) == NULL)
        return WEIR_ENOMEM;
    const char *key = key_of(opts, server, &rc);
    if (key != NULL && (line = key_line(server, key)) == NULL)
        rc = WEIR_ENOMEM;
    if (rc == 0)
        rc = make_client(llm, opts, line);
    weir__free_secret(line);
    return rc;
}

int weir_llm_new(weir_llm **out, const struct weir_llm_opts *opts)
{
    struct weir_llm_opts own;
    if (out == NULL)
        return WEIR_EINVAL;
    *out = NULL;
    int rc = weir__opts_copy(&own, sizeof own, opts);
    if (rc < 0)
        return rc;
    const struct weir__llm_api *api = weir__llm_api(own.api);
    if (own.reserved != 0 || api == NULL)
        return WEIR_EINVAL;
    if (own.base_url == NULL && weir__llm_server(api)->base_url == NULL)
        return WEIR_EINVAL;
    weir_llm *llm = weir__zalloc(sizeof *llm);
    if (llm == NULL)
        return WEIR_ENOMEM;
    llm->api = api;
    rc = set_up(llm, &own);
    if (rc < 0) {
        weir_llm_free(llm);
        return rc;
    }
    *out = llm;
    return 0;
}

int weir_llm_free(weir_llm *llm)
{
    if (llm == NULL)
        return 0;
    int rc = weir_client_free(llm->client);
    if (rc < 0)
        return rc;
    weir__free(llm->model);
    weir__free(llm);
    return 0;
}

weir_client *weir_llm_client(const weir_llm *llm)
{
    return llm != NULL ? llm->client : NULL;
}
