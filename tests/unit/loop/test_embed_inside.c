/* What else waits on the loop works in a caller's as well: descriptors, threads, libcurl. */
#include "embed_rig.h"

#include <pthread.h>
#include <unistd.h>

#include <weir/client.h>
#include <weir/io.h>
#include <weir/offload.h>
#include <weir/stream.h>

#include "script_server.h"

/* ---- what else lives in a loop ---- */

static int read_a_pipe(void *arg)
{
    const int *fd = arg;
    char byte = 0;
    check_int(weir_wait_fd(fd[0], WEIR_IO_READ), WEIR_IO_READ);
    check_int(read(fd[0], &byte, 1), 1);
    check_int(byte, 'z');
    return 0;
}

static int write_a_pipe(void *arg)
{
    const int *fd = arg;
    check_int(weir_sleep_ms(1), 0);
    check_int(write(fd[1], "z", 1), 1);
    return 0;
}

static void tasks_wait_for_descriptors(void **state)
{
    int fd[2];
    (void)state;
    assert_int_equal(pipe(fd), 0);
    assert_int_equal(weir_embed_spawn(embed, read_a_pipe, fd, NULL), 0);
    assert_int_equal(weir_embed_spawn(embed, write_a_pipe, fd, NULL), 0);
    run_loop();
    close(fd[0]);
    close(fd[1]);
}

static void *signal_it(void *arg)
{
    weir_waker_signal(arg);
    return NULL;
}

static int offload_and_be_woken(void *arg)
{
    weir_waker *waker = arg;
    pthread_t thread;
    check_int(weir_offload(seven, NULL), 7);
    check_int(pthread_create(&thread, NULL, signal_it, waker), 0);
    check_int(weir_waker_wait(waker), 0);
    check_int(pthread_join(thread, NULL), 0);
    note("woken");
    return 0;
}

static void other_threads_work(void **state)
{
    weir_waker *waker;
    (void)state;
    assert_int_equal(weir_offload(seven, NULL), WEIR_ENORUNTIME); /* from no task */
    assert_int_equal(weir_waker_new(&waker), 0);
    assert_int_equal(weir_waker_wait(waker), WEIR_ENORUNTIME);
    assert_int_equal(weir_embed_spawn(embed, offload_and_be_woken, waker, NULL), 0);
    run_loop(); /* returns though there is a pool of threads and a waker */
    assert_string_equal(rig_trace(), "woken");
    weir_waker_free(waker);
}

static int get_ok(void *arg)
{
    weir_response *response = NULL;
    int rc = weir_request(arg, WEIR_REQUEST(.url = "/x"), &response);
    if (rc == 0) {
        check_int(weir_response_status(response), 200);
        note("%s", weir_response_body(response));
    }
    weir_response_free(response);
    return rc;
}

static int get_three(void *arg)
{
    weir_group *group = rig_group();
    for (int i = 0; i < 3; i++)
        weir_spawn(group, get_ok, arg);
    int rc = weir_gather(group);
    check_int(weir_group_free(group), 0);
    return rc;
}

static void requests_go_through_a_client(void **state)
{
    struct script_server *server = SCRIPT_SERVER({.answer = SCRIPT_OK("2", "ok")});
    weir_client *client;
    (void)state;
    assert_int_equal(weir_client_new(&client,
                                     WEIR_CLIENT_OPTS(.base_url = script_server_url(server))),
                     0);
    assert_int_equal(weir_embed_spawn(embed, get_ok, client, note_status), 0);
    run_loop(); /* returns though the client keeps its connection */
    assert_string_equal(rig_trace(), "ok done:0");
    rig_trace_clear();
    assert_int_equal(weir_embed_spawn(embed, get_three, client, note_status), 0);
    run_loop();
    assert_string_equal(rig_trace(), "ok ok ok done:0");
    assert_int_equal(weir_client_free(client), 0);
    run_loop();
    script_server_stop(server);
}

static int request_without_end(void *arg)
{
    weir_response *response = NULL;
    weir_client *client = arg;
    int rc = weir_request(client, WEIR_REQUEST(.url = "/x"), &response);
    weir_response_free(response);
    note("cut");
    check_int(weir_client_free(client), 0);
    return rc;
}

static void free_cuts_a_request(void **state)
{
    struct script_server *server = SCRIPT_SERVER({.end = SCRIPT_HOLD});
    weir_client *client;
    (void)state;
    assert_int_equal(weir_client_new(&client,
                                     WEIR_CLIENT_OPTS(.base_url = script_server_url(server))),
                     0);
    assert_int_equal(weir_embed_spawn(embed, request_without_end, client, note_status), 0);
    while (script_server_requests(server) == 0)
        ev_run(ev, EVRUN_NOWAIT);
    assert_int_equal(weir_embed_free(embed), 0);
    embed = NULL;
    assert_string_equal(rig_trace(), "cut done:-3");
    script_server_stop(server);
}

/* ---- a stream in the hands of callbacks ---- */

struct reader {
    weir_client *client;
    weir_stream *stream;
};

static int read_one(void *arg)
{
    struct reader *reader = arg;
    char byte = 0;
    int rc = weir_stream_open(reader->client, WEIR_REQUEST(.url = "/x"), NULL, &reader->stream);
    if (rc == 0)
        check_int(weir_stream_read(reader->stream, &byte, 1), 1);
    check_int(byte, 'h');
    return rc;
}

/* The stream is active, so the loop would go on. */
static void note_and_break(int status, void *arg)
{
    note_status(status, arg);
    ev_break(ev, EVBREAK_ALL);
}

/* What has come can be read; where it would have to wait it says so, and has not ended. */
static void a_stream_outside_of_tasks(void **state)
{
    struct script_server *server =
        SCRIPT_SERVER({.answer = SCRIPT_OK("9", "hello"), .end = SCRIPT_HOLD});
    struct reader reader = {0};
    const struct weir_sse_event *event;
    char text[16] = "";
    (void)state;
    assert_int_equal(weir_client_new(&reader.client,
                                     WEIR_CLIENT_OPTS(.base_url = script_server_url(server))),
                     0);
    assert_int_equal(weir_embed_spawn(embed, read_one, &reader, note_and_break), 0);
    run_loop();
    assert_string_equal(rig_trace(), "done:0");
    assert_int_equal(weir_stream_read(reader.stream, text, sizeof text - 1), 4);
    assert_string_equal(text, "ello");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(weir_stream_read(reader.stream, text, sizeof text), WEIR_ENORUNTIME);
        assert_int_equal(weir_sse_next(reader.stream, &event), WEIR_ENORUNTIME);
        assert_int_equal(weir_response_error(weir_stream_response(reader.stream)), 0);
    }
    weir_stream_close(reader.stream); /* while the transfer is under way */
    assert_int_equal(weir_client_free(reader.client), 0);
    run_loop();
    script_server_stop(server);
}

/* ---- threads ---- */

enum { TASKS = 100 };

static int nap(void *arg)
{
    int *count = arg;
    check_int(weir_sleep_ms(1), 0);
    check_int(weir_offload(seven, NULL), 7);
    ++*count;
    return 0;
}

static void *run_in_thread(void *arg)
{
    if (!check_int(set_up(NULL), 0))
        return NULL;
    for (int i = 0; i < TASKS; i++)
        check_int(weir_embed_spawn(embed, nap, arg, NULL), 0);
    run_loop();
    check_int(weir_embed_free(embed), 0);
    ev_loop_destroy(ev);
    return arg;
}

static void two_loops_in_two_threads(void **state)
{
    int counts[2] = {0};
    pthread_t threads[2];
    (void)state;
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_in_thread, &counts[i]), 0);
    for (int i = 0; i < 2; i++) {
        void *result = NULL;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_ptr_equal(result, &counts[i]);
        assert_int_equal(counts[i], TASKS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EMBED_TEST(tasks_wait_for_descriptors),   EMBED_TEST(other_threads_work),
        EMBED_TEST(requests_go_through_a_client), EMBED_TEST(free_cuts_a_request),
        EMBED_TEST(a_stream_outside_of_tasks),    cmocka_unit_test(two_loops_in_two_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
