/* What was made beside an embedded runtime outlives it, and another thread leaves it alone. */
#include "embed_rig.h"

#include <weir/client.h>

#include "elsewhere.h"
#include "script_server.h"

struct stage {
    struct script_server *server;
    weir_client *client;
};

static int request(void *arg)
{
    struct stage *stage = arg;
    weir_response *response = NULL;
    int rc = weir_get(stage->client, "/", &response);
    weir_response_free(response);
    return rc;
}

static void a_client_outlives_the_loop(void **state)
{
    struct stage stage = {.server = SCRIPT_SERVER({.answer = "HTTP/1.1 204 No Content\r\n\r\n"})};
    assert_int_equal(weir_client_new(&stage.client,
                                     WEIR_CLIENT_OPTS(.base_url = script_server_url(stage.server))),
                     0);
    assert_int_equal(weir_embed_spawn(embed, request, &stage, note_status), 0);
    run_loop();
    assert_string_equal(rig_trace(), "done:0");
    assert_int_equal(tear_down(state), 0);
    assert_int_equal(request(&stage), WEIR_ENORUNTIME);
    assert_int_equal(set_up(state), 0); /* the next one, in a loop that may lie at the same place */
    assert_int_equal(request(&stage), WEIR_ENORUNTIME);
    assert_int_equal(weir_client_free(stage.client), 0);
    script_server_stop(stage.server);
}

static int touch(void *arg)
{
    struct job job = JOB("never", 0, 0);
    (void)arg;
    check_int(weir_embed_spawn(arg, job_run, &job, NULL), WEIR_ENORUNTIME);
    weir_embed_stop(arg);
    check_int(weir_embed_free(arg), WEIR_ENORUNTIME);
    return 0;
}

static void other_threads_change_nothing(void **state)
{
    struct job job = JOB("a", 1, 0);
    (void)state;
    in_other_runtime(touch, embed);
    on_other_thread(touch, embed);
    spawn_job(&job);
    run_loop();
    assert_string_equal(rig_trace(), "a a:0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EMBED_TEST(a_client_outlives_the_loop),
        EMBED_TEST(other_threads_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
