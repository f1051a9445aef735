/* What cpu.py measures beside `weir run`: the same POSTs
 *
 *     bench_cpu bare URL REQUESTS CONNECTIONS BODY WARM-UP      by a bare loop of libcurl and libev
 *     bench_cpu client URL REQUESTS CONNECTIONS BODY WARM-UP [QUEUED]
 *                          by a weir_client, one task for each connection, and so many tasks more
 *                          that wait for their turn all the time
 *
 * The bare loop is the yardstick: it limits nothing and retries nothing, but does what a good one
 * does. Handles, URL and header list are reused, and libcurl keeps as many connections as there are
 * requests in flight. WARM-UP requests go first, and as many as there are connections are still
 * under way at the end (or queued); they do not count, neither in what is printed nor under
 * callgrind. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <curl/curl.h>
#include <ev.h>
#include <weir/client.h>

#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else
#define CALLGRIND_ZERO_STATS
#endif

enum { CONNECTIONS_MAX = 4096, QUEUED_MAX = 100000 };

#define CONTENT_TYPE "Content-Type: application/json"

/* The client sends it by itself: the bare loop shall send the same bytes. */
#define USER_AGENT "User-Agent: weir"

struct job {
    const char *url, *body;
    unsigned long requests, connections, warm_up, queued;
    unsigned long to_start, done, failed;
    struct rusage before;
};

/* ---- what is counted ---- */

static double us_between(struct timeval before, struct timeval after)
{
    return (double)(after.tv_sec - before.tv_sec) * 1e6 + (double)(after.tv_usec - before.tv_usec);
}

static void begin_to_count(struct job *job)
{
    getrusage(RUSAGE_SELF, &job->before);
    CALLGRIND_ZERO_STATS;
}

/* Ends the program, so that closing all does not count. */
static void report(const struct job *job)
{
    struct rusage after;
    getrusage(RUSAGE_SELF, &after);
    double system = us_between(job->before.ru_stime, after.ru_stime) / (double)job->requests;
    double user = us_between(job->before.ru_utime, after.ru_utime) / (double)job->requests;
    printf("%lu requests, %lu failed, CPU us per request: %.3f, of that system: %.3f\n",
           job->requests, job->failed, user + system, system);
    fflush(stdout);
    _exit(job->failed > 0);
}

static void answered(struct job *job, bool well)
{
    job->failed += !well;
    if (++job->done == job->warm_up)
        begin_to_count(job);
    if (job->done == job->warm_up + job->requests)
        report(job);
}

/* ---- the bare loop ---- */

struct loop {
    struct ev_loop *ev;
    CURLM *multi;
    ev_timer timer;
    struct job *job;
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
        answered(loop->job, code == CURLE_OK && status == 200);
        curl_multi_remove_handle(loop->multi, easy);
        if (loop->job->to_start > 0) {
            loop->job->to_start--;
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

static bool run_bare(struct job *job)
{
    struct loop loop = {.job = job};
    CURLU *url = curl_url();
    struct curl_slist *headers =
        curl_slist_append(curl_slist_append(NULL, CONTENT_TYPE), USER_AGENT);
    if (!loop_init(&loop, job->connections) || url == NULL || headers == NULL ||
        headers->next == NULL || curl_url_set(url, CURLUPART_URL, job->url, 0) != CURLUE_OK)
        return false;
    for (unsigned long i = 0; i < job->connections && job->to_start > 0; i++, job->to_start--) {
        CURL *easy = easy_new(&loop, url, headers, job->body);
        if (easy == NULL)
            return false;
        curl_multi_add_handle(loop.multi, easy);
    }
    ev_run(loop.ev, 0);
    return true;
}

/* ---- the library's client ---- */

struct sender {
    struct job *job;
    weir_client *client;
};

static int send_some(void *arg)
{
    struct sender *sender = arg;
    struct job *job = sender->job;
    while (job->to_start > 0) {
        weir_response *response;
        job->to_start--;
        int rc = weir_request(sender->client, WEIR_REQUEST(.url = job->url, .body = job->body),
                              &response);
        answered(job, rc == 0 && weir_response_status(response) == 200);
        weir_response_free(response);
    }
    return 0;
}

static int send_all(void *arg)
{
    static const char *const headers[] = {CONTENT_TYPE, NULL};
    struct job *job = arg;
    struct sender sender = {.job = job};
    weir_group *group = NULL;
    int rc = weir_client_new(&sender.client,
                             WEIR_CLIENT_OPTS(.headers = headers, .concurrency = job->connections));
    if (rc == 0)
        rc = weir_group_new(&group, NULL);
    for (unsigned long i = 0; rc == 0 && i < job->connections + job->queued; i++)
        rc = weir_spawn(group, send_some, &sender) != NULL ? 0 : WEIR_ENOMEM;
    if (rc == 0)
        rc = weir_gather(group);
    weir_group_free(group);
    weir_client_free(sender.client);
    return rc;
}

static bool run_client(struct job *job)
{
    return weir_run(send_all, job, NULL) == 0;
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
    bool bare = argc == 7 && strcmp(argv[1], "bare") == 0;
    bool known = bare || ((argc == 7 || argc == 8) && strcmp(argv[1], "client") == 0);
    struct job job = {.requests = 0};
    if (known)
        job = (struct job){.url = argv[2],
                           .requests = number(argv[3]),
                           .connections = number(argv[4]),
                           .body = argv[5],
                           .warm_up = number(argv[6]),
                           .queued = argc == 8 ? number(argv[7]) : 0};
    if (job.requests == 0 || job.connections == 0 || job.connections > CONNECTIONS_MAX ||
        job.queued > QUEUED_MAX) {
        fprintf(stderr, "usage: bench_cpu bare|client URL REQUESTS CONNECTIONS BODY WARM-UP "
                        "[QUEUED] (see cpu.py)\n");
        return 2;
    }
    job.to_start = job.requests + job.warm_up + job.queued;
    job.to_start += job.warm_up > 0 ? job.connections : 0;
    if (bare)
        curl_global_init(CURL_GLOBAL_DEFAULT);
    if (job.warm_up == 0)
        begin_to_count(&job);
    bool ok = (bare ? run_bare : run_client)(&job);
    fprintf(stderr, "bench_cpu: %s\n", ok ? "ended before the last answer" : "could not begin");
    return 1;
}
