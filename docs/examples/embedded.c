/* A program with a libev loop of its own: its ticker starts a request at each tick.
 * Usage: embedded BASE_URL */
#include <ev.h>
#include <stdio.h>
#include <weir/weir.h>

static const char *colors[] = {"red", "green", "blue"};
static weir_embed *runtime;
static weir_client *api;
static int failures;

/* A task: it waits, and the loop goes on. */
static int ask(void *color)
{
    weir_response *answer = NULL;
    int rc = weir_request(api, WEIR_REQUEST(.url = "/echo", .body = color), &answer);
    if (rc == 0)
        printf("%d %s\n", weir_response_status(answer), weir_response_body(answer));
    weir_response_free(answer);
    return rc;
}

/* Called from the loop when a task has ended. */
static void on_end(int status, void *color)
{
    if (status == 0)
        return;
    fprintf(stderr, "%s: %s\n", (const char *)color, weir_strerror(status));
    failures++;
}

/* A watcher of the program's own: it cannot wait, but start what does. */
static void on_tick(struct ev_loop *loop, ev_timer *ticker, int events)
{
    static int ticks;
    void *color = (void *)colors[ticks];
    int rc = weir_embed_spawn(runtime, ask, color, on_end);
    (void)events;
    if (rc < 0)
        on_end(rc, color);
    if (++ticks == 3)
        ev_timer_stop(loop, ticker);
}

int main(int argc, char **argv)
{
    struct ev_loop *loop = ev_default_loop(0);
    if (argc != 2 || loop == NULL)
        return 2;
    int rc = weir_embed_new(&runtime, loop, NULL);
    if (rc == 0)
        rc = weir_client_new(&api, WEIR_CLIENT_OPTS(.base_url = argv[1]));
    if (rc == 0) {
        ev_timer ticker;
        ev_timer_init(&ticker, on_tick, 0.0, 0.01);
        ev_timer_start(loop, &ticker);
        ev_run(loop, 0); /* until the ticker has stopped and every task has ended */
    }
    weir_client_free(api);
    weir_embed_free(runtime);
    return rc < 0 || failures > 0;
}
