/* JSON texts and trees as bodies: what goes out, who owns what, and want of memory in our allocator
 * and in those of the JSON libraries. */
#include "client_rig.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include <weir/cjson.h>
#include <weir/jansson.h>

#include "base/mem.h"

/* ---- a server that keeps what it got ---- */

static struct {
    char method[8], body[100], types[100]; /* types: each Content-Type line, and a newline */
    int requests;
} got;

static int echo(void *self, const struct weir_exchange *exchange, weir_response *response)
{
    (void)self;
    got.requests++;
    got.types[0] = '\0';
    snprintf(got.method, sizeof got.method, "%s", exchange->method);
    snprintf(got.body, sizeof got.body, "%.*s", (int)exchange->body_len,
             (const char *)exchange->body);
    for (const char *const *line = exchange->headers; *line != NULL; line++) {
        size_t len = strlen(got.types);
        if (strncasecmp(*line, "Content-Type:", 13) == 0)
            snprintf(got.types + len, sizeof got.types - len, "%s\n", *line);
    }
    weir_response_set_status(response, 200);
    return weir_response_append(response, exchange->body, exchange->body_len);
}

static weir_client *echo_client(const char *const *headers)
{
    const struct weir_transport transport = WEIR_TRANSPORT(.perform = echo);
    weir_client *client = NULL;
    memset(&got, 0, sizeof got);
    check_int(weir_client_new(&client,
                              WEIR_CLIENT_OPTS(.base_url = "http://model.example",
                                               .headers = headers, .transport = &transport)),
              0);
    return client;
}

static void check_text(const char *text, const char *want)
{
    if (!check(text != NULL && strcmp(text, want) == 0))
        print_error("'%s' instead of '%s'\n", text != NULL ? text : "(null)", want);
}

#define JSON_TYPE "Content-Type: application/json\n"

/* ---- texts ---- */

static int a_text_goes_out_with_its_type(void *unused)
{
    static const char *const plain[] = {"content-type: text/x-json", NULL};
    static const char *const other[] = {"X-A: b", NULL};
    weir_client *client = echo_client((const char *const[]){"Content-Type: text/plain", NULL});
    weir_response *response = NULL;
    (void)unused;
    check_int(weir_request_json(client, WEIR_REQUEST(.url = "/x"), "[1]", 0, &response), 0);
    check_text(got.body, "[1]");
    check_text(got.method, "POST");
    check_text(got.types, JSON_TYPE); /* the client's own type is replaced */
    weir_response_free(response);
    check_int(weir_request_json(client,
                                WEIR_REQUEST(.url = "/x", .method = "PUT", .headers = other),
                                "[1,2]rest", 5, &response),
              0);
    check_text(got.body, "[1,2]");
    check_text(got.method, "PUT");
    check_text(got.types, JSON_TYPE);
    weir_response_free(response);
    check_int(weir_request_json(client, WEIR_REQUEST(.url = "/x", .headers = plain), "{}", 0,
                                &response),
              0);
    check_text(got.types, "content-type: text/x-json\n");
    weir_response_free(response);
    return weir_client_free(client);
}

static int what_is_no_request_is_not_sent(void *unused)
{
    static const char *const bad[] = {"no colon", NULL};
    weir_client *client = echo_client(NULL);
    weir_response *response = NULL;
    (void)unused;
    check_int(weir_request_json(client, WEIR_REQUEST(.url = "/x"), NULL, 0, &response),
              WEIR_EINVAL);
    check(response != NULL && weir_response_error(response) == WEIR_EINVAL);
    weir_response_free(response);
    check_int(weir_request_json(client, POST, "{}", 0, &response), WEIR_EINVAL);
    weir_response_free(response);
    check_int(weir_request_json(client, &(struct weir_request){.size = 1}, "{}", 0, &response),
              WEIR_EINVAL);
    weir_response_free(response);
    check_int(weir_request_json(client, WEIR_REQUEST(.url = "/x", .headers = bad), "{}", 0,
                                &response),
              WEIR_EHEADER);
    weir_response_free(response);
    check_int(got.requests, 0);
    return weir_client_free(client);
}

/* ---- trees ---- */

static json_t *jansson_tree(void)
{
    return json_pack("{s[i,s]}", "a", 1, "x");
}

static cJSON *cjson_tree(void)
{
    cJSON *tree = cJSON_CreateObject();
    cJSON *array = cJSON_AddArrayToObject(tree, "a");
    cJSON_AddItemToArray(array, cJSON_CreateNumber(1));
    cJSON_AddItemToArray(array, cJSON_CreateString("x"));
    return tree;
}

#define TREE_TEXT "{\"a\":[1,\"x\"]}"

static int a_borrowed_tree_stays(void *unused)
{
    weir_client *client = echo_client(NULL);
    weir_response *response = NULL;
    json_t *tree = jansson_tree();
    cJSON *other = cjson_tree();
    (void)unused;
    check_int(weir_jansson_request(client, WEIR_REQUEST(.url = "/x"), tree, &response), 0);
    check_text(got.body, TREE_TEXT);
    check_text(got.types, JSON_TYPE);
    check_int((int64_t)tree->refcount, 1);
    json_decref(tree);
    weir_response_free(response);
    check_int(weir_cjson_request(client, WEIR_REQUEST(.url = "/y"), other, &response), 0);
    check_text(got.body, TREE_TEXT);
    check_text(got.types, JSON_TYPE);
    cJSON_Delete(other);
    weir_response_free(response);
    return weir_client_free(client);
}

/* The leak checker of the sanitizers is the witness that trees go. */
static int a_taken_tree_goes_in_each_case(void *unused)
{
    weir_client *client = echo_client(NULL);
    weir_response *response = NULL;
    json_t *tree = json_incref(jansson_tree());
    (void)unused;
    check_int(weir_jansson_request_take(client, WEIR_REQUEST(.url = "/x"), tree, &response), 0);
    check_int((int64_t)tree->refcount, 1);
    weir_response_free(response);
    check_int(weir_jansson_request_take(client, POST, tree, &response), WEIR_EINVAL);
    weir_response_free(response);
    check_int(weir_cjson_request_take(client, WEIR_REQUEST(.url = "/x"), cjson_tree(), &response),
              0);
    weir_response_free(response);
    check_int(weir_cjson_request_take(client, POST, cjson_tree(), &response), WEIR_EINVAL);
    weir_response_free(response);
    return weir_client_free(client);
}

static int what_is_no_tree_is_not_sent(void *unused)
{
    weir_client *client = echo_client(NULL);
    weir_response *mark = (weir_response *)&client, *response = mark;
    cJSON bad = {.type = cJSON_Invalid};
    (void)unused;
    check_int(weir_jansson_request_take(client, GET, NULL, &response), WEIR_EINVAL);
    check(response == NULL);
    response = mark;
    check_int(weir_jansson_request_take(client, GET, json_string_nocheck("\xFF"), &response),
              WEIR_EJSON);
    check(response == NULL);
    response = mark;
    check_int(weir_cjson_request_take(client, GET, NULL, &response), WEIR_EINVAL);
    check(response == NULL);
    response = mark;
    check_int(weir_cjson_request(client, GET, &bad, &response), WEIR_EJSON);
    check(response == NULL);
    check_int(got.requests, 0);
    return weir_client_free(client);
}

/* ---- answers ---- */

static weir_response *answered(weir_client *client, const char *text)
{
    weir_response *response = NULL;
    check_int(weir_request_json(client, WEIR_REQUEST(.url = "/x"), text, 0, &response), 0);
    return response;
}

static int a_taken_response_goes_in_each_case(void *unused)
{
    struct weir_json_error error;
    weir_client *client = echo_client(NULL);
    json_t *tree = NULL;
    cJSON *other = NULL;
    (void)unused;
    check_int(weir_jansson_response_take(answered(client, "[7]"), &tree, &error), 0);
    check_int(json_integer_value(json_array_get(tree, 0)), 7);
    json_decref(tree);
    check_int(weir_jansson_response_take(answered(client, "[7"), &tree, &error), WEIR_EJSON);
    check(tree == NULL);
    check_int(error.column, 3);
    check_int(weir_jansson_response_take(answered(client, "[7]"), NULL, NULL), WEIR_EINVAL);
    check_int(weir_jansson_response_take(NULL, &tree, NULL), WEIR_EINVAL);
    check_int(weir_cjson_response_take(answered(client, "[7]"), &other, &error), 0);
    check_int(cJSON_GetArrayItem(other, 0)->valueint, 7);
    cJSON_Delete(other);
    check_int(weir_cjson_response_take(answered(client, "[7 7]"), &other, &error), WEIR_EJSON);
    check(other == NULL);
    check_int(error.column, 4);
    check_int(weir_cjson_response_take(answered(client, "[7]"), NULL, NULL), WEIR_EINVAL);
    check_int(weir_cjson_response_take(NULL, &other, NULL), WEIR_EINVAL);
    return weir_client_free(client);
}

/* ---- want of memory, in our allocator and in the JSON libraries' ---- */

static unsigned long allocations, fail_at;

static void *failing_malloc(size_t size)
{
    allocations++;
    if (fail_at > 0 && allocations >= fail_at) {
        errno = ENOMEM;
        return NULL;
    }
    return malloc(size);
}

static void fail_from(bool ours, unsigned long k)
{
    if (ours)
        weir__mem_fail_at(k);
    allocations = 0;
    fail_at = ours ? 0 : k;
}

static int jansson_round_trip(weir_client *client, bool ours, unsigned long k)
{
    weir_response *response = NULL;
    json_t *tree = jansson_tree(), *back = NULL;
    fail_from(ours, k);
    int rc = weir_jansson_request_take(client, WEIR_REQUEST(.url = "/x"), tree, &response);
    if (rc == 0)
        rc = weir_jansson_response_take(response, &back, NULL);
    else
        weir_response_free(response);
    fail_from(ours, 0);
    check((rc == 0) == (back != NULL));
    json_decref(back);
    return rc;
}

static int cjson_round_trip(weir_client *client, bool ours, unsigned long k)
{
    weir_response *response = NULL;
    cJSON *tree = cjson_tree(), *back = NULL;
    fail_from(ours, k);
    int rc = weir_cjson_request_take(client, WEIR_REQUEST(.url = "/x"), tree, &response);
    if (rc == 0)
        rc = weir_cjson_response_take(response, &back, NULL);
    else
        weir_response_free(response);
    fail_from(ours, 0);
    check((rc == 0) == (back != NULL));
    cJSON_Delete(back);
    return rc;
}

static void at_every_point(weir_client *client, bool ours,
                           int (*round_trip)(weir_client *client, bool ours, unsigned long k))
{
    unsigned long k = 0;
    int rc;
    do {
        rc = round_trip(client, ours, ++k);
        check(rc == 0 || rc == WEIR_ENOMEM);
    } while (rc != 0 && k < 1000);
    check(k > 4 && k < 1000);
}

static int any_allocation_may_fail(void *unused)
{
    weir_client *client = echo_client(NULL);
    (void)unused;
    at_every_point(client, true, jansson_round_trip);
    at_every_point(client, false, jansson_round_trip);
    at_every_point(client, true, cjson_round_trip);
    at_every_point(client, false, cjson_round_trip);
    return weir_client_free(client);
}

static int with_failing_allocators(void **unused)
{
    cJSON_Hooks hooks = {.malloc_fn = failing_malloc, .free_fn = free};
    (void)unused;
    fail_at = 0;
    json_set_alloc_funcs(failing_malloc, free);
    cJSON_InitHooks(&hooks);
    return 0;
}

static int with_plain_allocators(void **unused)
{
    (void)unused;
    json_set_alloc_funcs(malloc, free);
    cJSON_InitHooks(NULL);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(a_text_goes_out_with_its_type),
        VIRTUAL_TEST(what_is_no_request_is_not_sent),
        VIRTUAL_TEST(a_borrowed_tree_stays),
        VIRTUAL_TEST(a_taken_tree_goes_in_each_case),
        VIRTUAL_TEST(what_is_no_tree_is_not_sent),
        VIRTUAL_TEST(a_taken_response_goes_in_each_case),
        VIRTUAL_TEST(any_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, with_failing_allocators, with_plain_allocators);
}
