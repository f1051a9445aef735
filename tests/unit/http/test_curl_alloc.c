/* Memory that is out inside libcurl, jansson and cJSON: whichever of their allocations fails, alone
 * or with all that follow, a call ends with WEIR_ENOMEM or with the answer, and the next one is
 * answered. Leaks are AddressSanitizer's to find. */
#include "curl_rig.h"

#include <limits.h>

#include <cjson/cJSON.h>
#include <jansson.h>
#include <weir/cjson.h>
#include <weir/jansson.h>
#include <weir/stream.h>

#include "base/blocks.h"

#define ANSWER "{\"a\": [1, 2]}"
#define JSON_STEP                                                                                  \
    {                                                                                              \
        .answer = "HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 13\r\n\r\n" ANSWER                 \
    }

#define POST WEIR_REQUEST(.url = "/x", .body = "body")

enum { MOST = 3000 };

/* ---- each allocation, once alone and once with all that follow ---- */

struct scene {
    struct script_server *server;
    weir_client *client;
    int (*act)(struct scene *scene); /* returns a WEIR_E code or 0 */
    bool cold;                       /* without a connection that stands */
    bool no_tree;                    /* the NULL for which there was no memory is what it gives */
};

static weir_client *made_client(struct scene *scene)
{
    return CLIENT(scene->server, .limiter = NULL);
}

static void check_well(struct scene *scene)
{
    check_answer(scene->client, POST, 200, ANSWER);
}

/* libcurl 7.88 has other words for memory, too: no host, no URL, and with an answer begun the one
 * that a header line over its maximum has. None of them is believed. */
static bool may_end_so(const struct scene *scene, int rc)
{
    return rc == 0 || rc == WEIR_ENOMEM || (scene->no_tree && rc == WEIR_EINVAL);
}

/* Whether the k-th was reached. */
static bool fails_at(struct scene *scene, unsigned long k, bool all)
{
    scene->client = made_client(scene);
    if (!scene->cold)
        check_well(scene);
    int64_t before_ms = weir_now_ms();
    weir__blocks_fail(k, all ? ULONG_MAX : k);
    int rc = scene->act(scene);
    bool reached = weir__blocks_fail(0, 0) >= k;
    check(reached ? may_end_so(scene, rc) : rc == 0);
    check(weir_now_ms() - before_ms < BOUND_MS / 2); /* nothing waits for a time limit */
    check_well(scene);
    check_int(weir_client_free(scene->client), 0);
    return reached;
}

static int at_any_place(struct scene *scene)
{
    scene->server = SCRIPT_SERVER(JSON_STEP);
    for (int all = 0; all < 2; all++) {
        unsigned long k = 1;
        while (fails_at(scene, k, all) && check(k < MOST))
            k++;
        check(k > 1);
    }
    script_server_stop(scene->server);
    return 0;
}

/* ---- what is done ---- */

static int post(struct scene *scene)
{
    static const char *const headers[] = {"X-Own: 1", "X-Empty:", NULL};
    weir_response *response;
    int rc =
        weir_request(scene->client,
                     WEIR_REQUEST(.url = "/y?z", .method = "PUT", .body = "b", .headers = headers),
                     &response);
    if (rc == 0) {
        check(strcmp(weir_response_body(response), ANSWER) == 0);
        check(weir_response_header(response, "X-A", NULL) != NULL);
    }
    weir_response_free(response);
    return rc;
}

/* One on the kept connection, the others on new ones. */
static int post_some(struct scene *scene)
{
    enum { SOME = 3 };
    weir_response *responses[SOME] = {NULL};
    weir_group *group = rig_group();
    for (size_t i = 0; i < SOME; i++)
        weir_request_start(group, scene->client, POST, &responses[i]);
    int rc = weir_gather(group);
    check_int(weir_group_free(group), 0);
    for (size_t i = 0; i < SOME; i++) {
        int error = weir_response_error(responses[i]);
        check(may_end_so(scene, error));
        check(error != 0 || weir_response_status(responses[i]) == 200);
        weir_response_free(responses[i]);
    }
    return rc;
}

static int read_stream(struct scene *scene)
{
    weir_stream *stream;
    char piece[100];
    int rc = weir_stream_open(scene->client, POST, NULL, &stream);
    int64_t n = rc, whole = 0;
    while (rc == 0 && (n = weir_stream_read(stream, piece, sizeof piece)) > 0)
        whole += n;
    check(n < 0 || whole == 13);
    weir_stream_close(stream);
    return (int)n;
}

static int make_client(struct scene *scene)
{
    weir_client *client = NULL;
    int rc =
        weir_client_new(&client, WEIR_CLIENT_OPTS(.base_url = script_server_url(scene->server)));
    check((rc == 0) == (client != NULL));
    check_int(weir_client_free(client), 0);
    return rc;
}

static int jansson(struct scene *scene)
{
    weir_response *response = NULL;
    json_t *tree = NULL;
    int rc = weir_jansson_request_take(scene->client, WEIR_REQUEST(.url = "/j"),
                                       json_pack("{s:s, s:[i, f, b], s:{s:n}}", "model", "m",
                                                 "list", 1, 0.5, 1, "more", "none"),
                                       &response);
    if (rc == 0)
        rc = weir_jansson_response_take(response, &tree, NULL);
    else
        weir_response_free(response);
    if (rc == 0)
        check_int((int64_t)json_array_size(json_object_get(tree, "a")), 2);
    json_decref(tree);
    return rc;
}

static int cjson(struct scene *scene)
{
    weir_response *response = NULL;
    cJSON *tree = cJSON_CreateObject();
    if (tree != NULL && (cJSON_AddStringToObject(tree, "model", "m") == NULL ||
                         cJSON_AddArrayToObject(tree, "list") == NULL)) {
        cJSON_Delete(tree);
        return WEIR_ENOMEM;
    }
    int rc = weir_cjson_request_take(scene->client, WEIR_REQUEST(.url = "/c"), tree, &response);
    tree = NULL;
    if (rc == 0)
        rc = weir_cjson_response_take(response, &tree, NULL);
    else
        weir_response_free(response);
    if (rc == 0)
        check_int(cJSON_GetArraySize(cJSON_GetObjectItem(tree, "a")), 2);
    cJSON_Delete(tree);
    return rc;
}

#define SCENE(name, ...)                                                                           \
    static int name(void *arg)                                                                     \
    {                                                                                              \
        (void)arg;                                                                                 \
        return at_any_place(&(struct scene){__VA_ARGS__});                                         \
    }
SCENE(a_first_request, .act = post, .cold = true)
SCENE(a_request_on_a_kept_connection, .act = post)
SCENE(a_first_stream, .act = read_stream, .cold = true)
SCENE(a_stream_on_a_kept_connection, .act = read_stream)
SCENE(a_client, .act = make_client)
SCENE(some_at_the_same_time, .act = post_some)
SCENE(jansson_trees, .act = jansson, .no_tree = true)
SCENE(cjson_trees, .act = cjson, .no_tree = true)

int main(void)
{
    const struct CMUnitTest tests[] = {
        REAL_TEST(a_first_request), REAL_TEST(a_request_on_a_kept_connection),
        REAL_TEST(a_first_stream),  REAL_TEST(a_stream_on_a_kept_connection),
        REAL_TEST(a_client),        REAL_TEST(some_at_the_same_time),
        REAL_TEST(jansson_trees),   REAL_TEST(cjson_trees),
    };
    cJSON_Hooks hooks = {.malloc_fn = weir__blocks_alloc, .free_fn = weir__blocks_free};
    forget_proxies();
    json_set_alloc_funcs(weir__blocks_alloc, weir__blocks_free); /* as libcurl's are */
    cJSON_InitHooks(&hooks);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
