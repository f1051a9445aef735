/* A child process may have a runtime and clients of its own, once those of its parent have ended.
 */
#include <sys/wait.h>
#include <unistd.h>

#include <weir/offload.h>

#include "curl_rig.h"
#include "task/fiber.h"

static int seven(void *arg)
{
    (void)arg;
    return 7;
}

static int ask(void *server)
{
    weir_client *client = CLIENT(server, .limiter = NULL);
    check_int(weir_offload(seven, NULL), 7);
    for (int i = 0; i < 3; i++)
        check_answer(client, WEIR_REQUEST(.url = "/"), 200, "ok");
    return weir_client_free(client);
}

static int ask_as_the_child(void *server)
{
    weir_client *client = CLIENT(server, .limiter = NULL);
    weir_response *response = NULL;
    int rc = weir_offload(seven, NULL) == 7 ? 0 : WEIR_EIO;
    if (rc == 0)
        rc = weir_request(client, WEIR_REQUEST(.url = "/"), &response);
    weir_response_free(response);
    weir_client_free(client);
    return rc;
}

/* ThreadSanitizer lets no forked child start threads. */
static bool may_fork(void)
{
#if defined(WEIR__TSAN)
    return false;
#else
    return true;
#endif
}

static void test_child_after_a_run(void **state)
{
    (void)state;
    if (!may_fork())
        skip();
    struct script_server *server = SCRIPT_SERVER({.answer = SCRIPT_OK("2", "ok")});
    assert_int_equal(weir_run(ask, server, NULL), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        alarm(20); /* rather than hang */
        _exit(weir_run(ask_as_the_child, server, NULL) == 0 ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(weir_run(ask, server, NULL), 0); /* which the child has not harmed */
    assert_int_equal(script_server_requests(server), 7);
    script_server_stop(server);
    rig_assert_no_failure();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_child_after_a_run),
    };
    forget_proxies();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
