/* libcurl's memory: blocks that are kept as long as there is a client, unless the program has set
 * libcurl up by itself. */
#include <curl/curl.h>

#include "base/blocks.h"
#include "curl_rig.h"

#define OK_STEP                                                                                    \
    {                                                                                              \
        .answer = SCRIPT_OK("2", "ok")                                                             \
    }

static weir_client *used_client(struct script_server *server)
{
    weir_client *client = CLIENT(server, .concurrency = 2);
    for (int i = 0; i < 3; i++)
        check_answer(client, WEIR_REQUEST(.url = "/", .body = "b"), 200, "ok");
    return client;
}

static int blocks_are_kept_as_long_as_there_is_a_client(void *arg)
{
    struct script_server *server = SCRIPT_SERVER(OK_STEP), *others = SCRIPT_SERVER(OK_STEP);
    weir_client *client = used_client(server);
    (void)arg;
    check(weir__blocks_kept() > 0);
    check(weir__blocks_kept() <= WEIR__BLOCKS_MAX);
    weir_client *other = used_client(others);
    end(server, client);
    check(weir__blocks_kept() > 0);
    char *text = curl_easy_escape(NULL, "a b", 3);
    check(strcmp(text, "a%20b") == 0);
    free(text); /* a program of less care than it should have: it is malloc's all the same */
    end(others, other);
    check_int((int64_t)weir__blocks_kept(), 0);
    return 0;
}

static size_t allocated;

static void *count_malloc(size_t size)
{
    allocated++;
    return malloc(size);
}

static int with_the_functions_of_the_program(void *arg)
{
    struct script_server *server = SCRIPT_SERVER(OK_STEP);
    weir_client *client = used_client(server);
    (void)arg;
    check(allocated > 0);
    check_int((int64_t)weir__blocks_kept(), 0);
    return end(server, client);
}

/* Says what went wrong on stderr, which is looked at. */
static void set_up_and_ask(void *arg)
{
    (void)arg;
    curl_global_init_mem(CURL_GLOBAL_DEFAULT, count_malloc, free, realloc, strdup, calloc);
    if (weir_run(with_the_functions_of_the_program, NULL, NULL) != 0)
        fputs("failed\n", stderr);
}

/* libcurl is set up once for a process, so this is one of its own. */
static void a_program_that_has_set_libcurl_up_keeps_its_functions(void **state)
{
    char said[1024];
    (void)state;
    assert_int_equal(rig_in_child(set_up_and_ask, NULL, said, sizeof said), 0);
    assert_string_equal(said, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_that_has_set_libcurl_up_keeps_its_functions),
        REAL_TEST(blocks_are_kept_as_long_as_there_is_a_client),
    };
    forget_proxies();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
