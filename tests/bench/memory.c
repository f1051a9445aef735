/* What memory.py measures besides: the memory of N requests in flight and of N idle connections,
 *
 *     bench_memory bare URL N BUNDLE FOLDER    of a bare multi handle of libcurl that looks for the
 *                                              server's authority in these ("-": in none)
 *     bench_memory client URL N                of a weir_client with a task for each request
 *
 * beyond what one idle connection takes. The server (support/hold_server.py) keeps the requests to
 * /hold back; that to /all-in is answered once all N are there. Handles stay for the next requests,
 * as one who sends more would have it. */
#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>
#include <weir/client.h>

enum { N_MAX = 4000, URL_MAX = 128, BODY_LEN = 300, POLL_MS = 1000, IDLE_MS = 600, IDLE_TURNS = 5 };

struct job {
    const char *url, *bundle, *folder;
    size_t n, answered, failed;
    char body[BODY_LEN + 1];
    long before_kib;
};

/* ---- what is measured ---- */

/* Memory of the process that no file is behind, in KiB, without what malloc could give back. */
static long now_kib(void)
{
    char line[256];
    long kib = -1;
    malloc_trim(0);
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    while (file != NULL && kib < 0 && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "Anonymous:", 10) == 0)
            kib = strtol(line + 10, NULL, 10);
    }
    if (file != NULL)
        fclose(file);
    return kib;
}

static void report(const struct job *job, const char *what)
{
    double bytes = (double)(now_kib() - job->before_kib) * 1024 / (double)job->n;
    printf("%s: %.0f\n", what, bytes);
}

static void url_of(const struct job *job, const char *path, char url[static URL_MAX])
{
    snprintf(url, URL_MAX, "%s%s", job->url, path);
}

/* ---- a bare multi handle ---- */

static size_t on_body(char *data, size_t unit, size_t n, void *arg)
{
    (void)data;
    (void)arg;
    return unit * n;
}

static CURL *easy_new(const struct job *job, const char *path)
{
    char url[URL_MAX];
    CURL *easy = curl_easy_init();
    url_of(job, path, url);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, job->body);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_CAINFO, job->bundle);
    curl_easy_setopt(easy, CURLOPT_CAPATH, job->folder);
    return easy;
}

static void drain(struct job *job, CURLM *multi)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(multi, &left)) != NULL) {
        job->answered++;
        job->failed += message->data.result != CURLE_OK;
        curl_multi_remove_handle(multi, message->easy_handle);
    }
}

/* Until so many in all are answered. */
static void ask_bare(struct job *job, CURLM *multi, CURL *easy, const char *path, size_t answers)
{
    char url[URL_MAX];
    int running;
    url_of(job, path, url);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_multi_add_handle(multi, easy);
    while (job->answered < answers && curl_multi_perform(multi, &running) == CURLM_OK) {
        drain(job, multi);
        if (job->answered < answers)
            curl_multi_poll(multi, NULL, 0, POLL_MS, NULL);
    }
}

/* The handles go with the process. */
static void run_bare(struct job *job)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
    CURLM *multi = curl_multi_init();
    CURL *easy = easy_new(job, "/");
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)job->n + 1);
    ask_bare(job, multi, easy, "/", 1);
    job->before_kib = now_kib();
    for (size_t i = 0; i < job->n; i++)
        curl_multi_add_handle(multi, easy_new(job, "/hold"));
    ask_bare(job, multi, easy, "/all-in", 2);
    report(job, "in flight");
    ask_bare(job, multi, easy, "/go", job->n + 3);
    report(job, "idle");
}

/* ---- the library's client ---- */

struct sender {
    struct job *job;
    weir_client *client;
};

static void ask(const struct sender *sender, const char *path)
{
    struct job *job = sender->job;
    char url[URL_MAX];
    weir_response *response;
    url_of(job, path, url);
    int rc = weir_request(sender->client, WEIR_REQUEST(.url = url, .body = job->body), &response);
    job->answered++;
    job->failed += rc < 0;
    weir_response_free(response);
}

static int hold(void *arg)
{
    ask(arg, "/hold");
    return 0;
}

static int send_all(void *arg)
{
    struct job *job = arg;
    struct sender sender = {.job = job};
    weir_group *group = NULL;
    int rc = weir_client_new(&sender.client, WEIR_CLIENT_OPTS(.concurrency = job->n + 1));
    if (rc == 0)
        rc = weir_group_new(&group, NULL);
    if (rc < 0)
        return rc;
    ask(&sender, "/");
    job->before_kib = now_kib();
    for (size_t i = 0; i < job->n; i++)
        weir_spawn(group, hold, &sender);
    ask(&sender, "/all-in");
    report(job, "in flight");
    ask(&sender, "/go");
    rc = weir_gather(group);
    for (int i = 0; i < IDLE_TURNS; i++) /* stacks give back their memory when they are not used */
        weir_sleep_ms(IDLE_MS);
    report(job, "idle");
    weir_group_free(group);
    weir_client_free(sender.client);
    return rc;
}

/* ---- */

static const char *path_or_null(const char *word)
{
    return strcmp(word, "-") != 0 ? word : NULL;
}

int main(int argc, char **argv)
{
    bool bare = argc == 6 && strcmp(argv[1], "bare") == 0;
    long n = argc >= 4 ? strtol(argv[3], NULL, 10) : 0;
    if (n <= 0 || n > N_MAX || (!bare && (argc != 4 || strcmp(argv[1], "client") != 0))) {
        fprintf(stderr, "usage: bench_memory bare|client URL N [BUNDLE FOLDER] (see memory.py)\n");
        return 2;
    }
    struct job job = {.url = argv[2], .n = (size_t)n};
    memset(job.body, 'b', BODY_LEN);
    if (bare) {
        job.bundle = path_or_null(argv[4]);
        job.folder = path_or_null(argv[5]);
        run_bare(&job);
    } else if (weir_run(send_all, &job, NULL) < 0) {
        job.failed++;
    }
    if (job.failed == 0 && job.answered == job.n + 3)
        return 0;
    fprintf(stderr, "bench_memory: %zu answers, %zu failed\n", job.answered, job.failed);
    return 1;
}
