/* What tls.py measures: GETs one after the other to a server that closes the connection behind
 * each,
 *
 *     bench_tls easy URL REQUESTS BUNDLE FOLDER    by one easy handle of libcurl, which looks for
 * the server's authority in these ("-": in none) bench_tls client URL REQUESTS                by a
 * weir_client
 *
 * The first few do not count. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <curl/curl.h>
#include <weir/client.h>

enum { WARM_UP = 5 };

static double cpu_ms(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e3 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e3;
}

struct job {
    const char *url, *bundle, *folder;
    long requests;
    double before_ms;
};

static void begin_to_count(struct job *job, long i)
{
    if (i == WARM_UP)
        job->before_ms = cpu_ms();
}

static void report(const struct job *job)
{
    printf("CPU ms per connection: %.3f\n", (cpu_ms() - job->before_ms) / (double)job->requests);
}

static size_t on_body(char *data, size_t unit, size_t n, void *arg)
{
    (void)data;
    (void)arg;
    return unit * n;
}

static const char *path_or_null(const char *word)
{
    return strcmp(word, "-") != 0 ? word : NULL;
}

static bool run_easy(struct job *job)
{
    CURL *easy = curl_easy_init();
    CURLcode code = CURLE_OK;
    curl_easy_setopt(easy, CURLOPT_URL, job->url);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_CAINFO, path_or_null(job->bundle));
    curl_easy_setopt(easy, CURLOPT_CAPATH, path_or_null(job->folder));
    for (long i = 0; code == CURLE_OK && i < job->requests + WARM_UP; i++) {
        begin_to_count(job, i);
        code = curl_easy_perform(easy);
    }
    if (code == CURLE_OK)
        report(job);
    else
        fprintf(stderr, "bench_tls: %s\n", curl_easy_strerror(code));
    curl_easy_cleanup(easy);
    return code == CURLE_OK;
}

static int send_all(void *arg)
{
    struct job *job = arg;
    weir_client *client;
    int rc = weir_client_new(&client, NULL);
    for (long i = 0; rc == 0 && i < job->requests + WARM_UP; i++) {
        weir_response *response;
        begin_to_count(job, i);
        rc = weir_request(client, WEIR_REQUEST(.url = job->url), &response);
        if (rc < 0)
            fprintf(stderr, "bench_tls: %s\n", weir_response_error_text(response));
        weir_response_free(response);
    }
    if (rc == 0)
        report(job);
    weir_client_free(client);
    return rc;
}

int main(int argc, char **argv)
{
    bool easy = argc == 6 && strcmp(argv[1], "easy") == 0;
    struct job job = {.requests = argc >= 4 ? strtol(argv[3], NULL, 10) : 0};
    if (job.requests <= 0 || (!easy && (argc != 4 || strcmp(argv[1], "client") != 0))) {
        fprintf(stderr, "usage: bench_tls easy|client URL REQUESTS [BUNDLE FOLDER] (see tls.py)\n");
        return 2;
    }
    job.url = argv[2];
    if (!easy)
        return weir_run(send_all, &job, NULL) == 0 ? 0 : 1;
    job.bundle = argv[4];
    job.folder = argv[5];
    curl_global_init(CURL_GLOBAL_DEFAULT);
    return run_easy(&job) ? 0 : 1;
}
