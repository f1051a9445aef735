/* What cpu.py measures from outside, beside `weir run`: the same POSTs
 *
 *     bench_cpu bare URL REQUESTS CONNECTIONS BODY      by a bare loop of libcurl and libev
 *     bench_cpu client URL REQUESTS CONNECTIONS BODY    by a weir_client, a task per connection
 *
 * The bare loop is the yardstick: it limits nothing and retries nothing, but does what a good one
 * does. Handles, URL and header list are reused, and libcurl keeps as many connections as there are
 * requests in flight. Both print the requests and what the answers held. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>
#include <ev.h>
#include <weir/client.h>

enum { CONNECTIONS_MAX = 4096 };

#define CONTENT_TYPE "Content-Type: application/json"

/* ---- the bare loop ---- */

struct loop {
    struct ev_loop *ev;
    CURLM *multi;
    ev_timer timer;
    unsigned long to_start, done, failed;
    unsigned long long bytes;
};

static void drain(struct loop *loop)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(loop->multi, &left)) != NULL) {
        CURL *easy = message->easy_handle;
        CURLcode code = message->data.result;
        long status = 0;
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
        loop->done++;
        loop->failed += code != CURLE_OK || status != 200;
        curl_multi_remove_handle(loop->multi, easy);
        if (loop->to_start > 0) {
            loop->to_start--;
            curl_multi_add_handle(loop->multi, easy);
        }
    }
}

static void on_event(struct ev_loop *ev, ev_io *watcher, int events)
{
    struct loop *loop = ev_userdata(ev);
    int running;
    int mask =
        (events & EV_READ ? CURL_CSELECT_IN : 0) | (events & EV_WRITE ? CURL_CSELECT_OUT : 0);
    curl_multi_socket_action(loop->multi, watcher->fd, mask, &running);
    drain(loop);
}

static void on_timer(struct ev_loop *ev, ev_timer *timer, int events)
{
    struct loop *loop = ev_userdata(ev);
    int running;
    (void)timer;
    (void)events;
    curl_multi_socket_action(loop->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    drain(loop);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
    struct loop *loop = arg;
    ev_io *watcher = known;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (watcher != NULL)
            ev_io_stop(loop->ev, watcher);
        free(watcher);
        curl_multi_assign(loop->multi, fd, NULL);
        return 0;
    }
    int mask = (what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0);
    if (watcher == NULL) {
        watcher = calloc(1, sizeof *watcher);
        if (watcher == NULL)
            return -1;
        ev_io_init(watcher, on_event, fd, 0);
        curl_multi_assign(loop->multi, fd, watcher);
    }
    if (ev_is_active(watcher) && (watcher->events & (EV_READ | EV_WRITE)) == mask)
        return 0;
    ev_io_stop(loop->ev, watcher);
    ev_io_set(watcher, fd, mask);
    ev_io_start(loop->ev, watcher);
    return 0;
}

static int on_set_timer(CURLM *multi, long timeout_ms, void *arg)
{
    struct loop *loop = arg;
    (void)multi;
    ev_timer_stop(loop->ev, &loop->timer);
    if (timeout_ms >= 0) {
        ev_timer_set(&loop->timer, (double)timeout_ms / 1000.0, 0.0);
        ev_timer_start(loop->ev, &loop->timer);
    }
    return 0;
}

static size_t on_body(char *data, size_t unit, size_t n, void *arg)
{
    struct loop *loop = arg;
    (void)data;
    loop->bytes += unit * n;
    return unit * n;
}

static CURL *easy_new(struct loop *loop, CURLU *url, struct curl_slist *headers, const char *body)
{
    CURL *easy = curl_easy_init();
    if (easy == NULL)
        return NULL;
    curl_easy_setopt(easy, CURLOPT_CURLU, url);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(body));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, loop);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    return easy;
}

static bool loop_init(struct loop *loop, unsigned long connections)
{
    loop->ev = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
    loop->multi = curl_multi_init();
    if (loop->ev == NULL || loop->multi == NULL)
        return false;
    ev_set_userdata(loop->ev, loop);
    ev_timer_init(&loop->timer, on_timer, 0.0, 0.0);
    curl_multi_setopt(loop->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(loop->multi, CURLMOPT_SOCKETDATA, loop);
    curl_multi_setopt(loop->multi, CURLMOPT_TIMERFUNCTION, on_set_timer);
    curl_multi_setopt(loop->multi, CURLMOPT_TIMERDATA, loop);
    curl_multi_setopt(loop->multi, CURLMOPT_MAXCONNECTS, (long)connections);
    return true;
}

/* Everything stays until the process ends. */
static bool run_bare(const char *address, unsigned long requests, unsigned long connections,
                     const char *body)
{
    static struct loop all, *loop = &all;
    CURLU *url = curl_url();
    struct curl_slist *headers = curl_slist_append(NULL, CONTENT_TYPE);
    loop->to_start = requests;
    if (!loop_init(loop, connections) || url == NULL || headers == NULL ||
        curl_url_set(url, CURLUPART_URL, address, 0) != CURLUE_OK)
        return false;
    for (unsigned long i = 0; i < connections && loop->to_start > 0; i++, loop->to_start--) {
        CURL *easy = easy_new(loop, url, headers, body);
        if (easy == NULL)
            return false;
        curl_multi_add_handle(loop->multi, easy);
    }
    ev_run(loop->ev, 0);
    printf("%lu requests, %lu failed, %llu bytes\n", loop->done, loop->failed, loop->bytes);
    return loop->done == requests && loop->failed == 0;
}

/* ---- the library's client ---- */

struct job {
    const char *url, *body;
    unsigned long connections;
    weir_client *client;
    unsigned long to_start, done, failed;
    unsigned long long bytes;
};

static int send_some(void *arg)
{
    struct job *job = arg;
    while (job->to_start > 0) {
        weir_response *response;
        job->to_start--;
        int rc =
            weir_request(job->client, WEIR_REQUEST(.url = job->url, .body = job->body), &response);
        job->done++;
        job->failed += rc < 0 || weir_response_status(response) != 200;
        job->bytes += rc == 0 ? weir_response_body_len(response) : 0;
        weir_response_free(response);
    }
    return 0;
}

static int send_all(void *arg)
{
    static const char *const headers[] = {CONTENT_TYPE, NULL};
    struct job *job = arg;
    weir_group *group = NULL;
    int rc = weir_client_new(&job->client,
                             WEIR_CLIENT_OPTS(.headers = headers, .concurrency = job->connections));
    if (rc == 0)
        rc = weir_group_new(&group, NULL);
    for (unsigned long i = 0; rc == 0 && i < job->connections; i++)
        rc = weir_spawn(group, send_some, job) != NULL ? 0 : WEIR_ENOMEM;
    if (rc == 0)
        rc = weir_gather(group);
    weir_group_free(group);
    weir_client_free(job->client);
    return rc;
}

static bool run_client(const char *address, unsigned long requests, unsigned long connections,
                       const char *body)
{
    struct job job = {.url = address,
                      .body = body,
                      .connections = connections,
                      .to_start = requests};
    int rc = weir_run(send_all, &job, NULL);
    printf("%lu requests, %lu failed, %llu bytes\n", job.done, job.failed, job.bytes);
    return rc == 0 && job.done == requests && job.failed == 0;
}

/* ---- */

static unsigned long number(const char *text)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    return *end == '\0' ? value : 0;
}

int main(int argc, char **argv)
{
    unsigned long requests = argc == 6 ? number(argv[3]) : 0;
    unsigned long connections = argc == 6 ? number(argv[4]) : 0;
    bool bare = argc == 6 && strcmp(argv[1], "bare") == 0;
    bool known = bare || (argc == 6 && strcmp(argv[1], "client") == 0);
    if (!known || requests == 0 || connections == 0 || connections > CONNECTIONS_MAX) {
        fprintf(stderr,
                "usage: bench_cpu bare|client URL REQUESTS CONNECTIONS BODY (see cpu.py)\n");
        return 2;
    }
    curl_global_init(CURL_GLOBAL_DEFAULT);
    bool ok = (bare ? run_bare : run_client)(argv[2], requests, connections, argv[5]);
    return ok ? 0 : 1;
}
