/* Sends a POST to each URL that stands on a line of stdin, with the connection options of its
 * arguments, and says how it went:
 *
 *     connect_client [http2=N] [tls_min=N] [ca_file=F] [ca_dir=F] [cert_file=F] [curl_first] ...
 *
 * A line "many N URL" sends N at a time. "slow URL" reads the first byte of the answer only and
 * tells how much memory the process has; URLs on the lines behind it are got meanwhile, each told
 * by the same figure, and "." ends it. The client's log goes to stderr. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir/weir.h>

enum { MANY_MAX = 1000 };

/* <curl/curl.h>: what a program may have called before it uses weir. */
enum { CURL_GLOBAL_ALL = 3 };
int curl_global_init(long flags);

struct job {
    struct weir_net_opts net;
    const char *resolve[2];
    int attempt_timeout_ms;
    int argc;
    char **argv;
    weir_client *client;
};

static void say(enum weir_log_level level, const char *text, void *arg)
{
    (void)arg;
    fprintf(stderr, "%s: %s\n", weir_log_level_name(level), text);
}

static const char *value_of(const char *arg, const char *name)
{
    size_t len = strlen(name);
    return strncmp(arg, name, len) == 0 && arg[len] == '=' ? arg + len + 1 : NULL;
}

/* False: the argument has another name. */
static bool number_of(const char *arg, const char *name, int *number)
{
    const char *text = value_of(arg, name);
    if (text != NULL)
        *number = (int)strtol(text, NULL, 10);
    return text != NULL;
}

static int take(struct job *job, const char *arg)
{
    struct weir_net_opts *net = &job->net;
    const struct {
        const char *name, **text;
    } texts[] = {{"ca_file", &net->ca_file},         {"ca_dir", &net->ca_dir},
                 {"cert_file", &net->cert_file},     {"key_file", &net->key_file},
                 {"unix_socket", &net->unix_socket}, {"tls_keylog_file", &net->tls_keylog_file},
                 {"resolve", &job->resolve[0]}};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const char *value = value_of(arg, texts[i].name);
        if (value != NULL) {
            *texts[i].text = value;
            return 0;
        }
    }
    int number;
    if (number_of(arg, "http2", &number))
        net->http2 = (enum weir_http2)number;
    else if (number_of(arg, "tls_min", &number))
        net->tls_min = (enum weir_tls)number;
    else if (number_of(arg, "idle_max_ms", &number))
        net->idle_max_ms = number;
    else if (number_of(arg, "attempt_timeout_ms", &number))
        job->attempt_timeout_ms = number;
    else if (strcmp(arg, "curl_first") == 0)
        return curl_global_init(CURL_GLOBAL_ALL) == 0 ? 0 : WEIR_ENOTSUP;
    else
        return WEIR_EINVAL;
    return 0;
}

static void tell(int rc, weir_response *response)
{
    printf("%s %d attempts=%u sent=%d %s\n", weir_err_name(rc), weir_response_status(response),
           weir_response_attempts(response), (int)weir_response_sent(response),
           weir_response_error_text(response));
    weir_response_free(response);
}

static long resident_kb(void)
{
    char line[256];
    long kb = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "VmRSS:", 6) == 0)
            kb = strtol(line + 6, NULL, 10);
    }
    if (file != NULL)
        fclose(file);
    return kb;
}

static int many(struct job *job, int n, const char *url)
{
    weir_response *responses[MANY_MAX] = {NULL};
    weir_group *group;
    int rc = n > 0 && n <= MANY_MAX ? weir_group_new(&group, NULL) : WEIR_EINVAL;
    if (rc < 0)
        return rc;
    for (int i = 0; i < n; i++)
        weir_request_start(group, job->client, WEIR_REQUEST(.url = url, .body = "{}"),
                           &responses[i]);
    weir_gather(group); /* each tells for itself */
    rc = weir_group_free(group);
    for (int i = 0; i < n; i++)
        tell(responses[i] != NULL ? weir_response_error(responses[i]) : WEIR_ENOMEM, responses[i]);
    return rc;
}

static void tell_memory(int rc)
{
    printf("%s %ld\n", weir_err_name(rc), resident_kb());
    fflush(stdout);
}

static bool next_url(char *line, int size)
{
    if (fgets(line, size, stdin) == NULL)
        return false;
    line[strcspn(line, "\n")] = '\0';
    return strcmp(line, ".") != 0;
}

static int slow(struct job *job, const char *url)
{
    char byte, line[256];
    weir_stream *stream;
    weir_response *response;
    int rc = weir_stream_open(job->client, WEIR_REQUEST(.url = url), NULL, &stream);
    if (rc == 0)
        rc = weir_stream_read(stream, &byte, 1) == 1 ? 0 : WEIR_ERESET;
    tell_memory(rc);
    while (next_url(line, sizeof line)) {
        rc = weir_request(job->client, WEIR_REQUEST(.url = line), &response);
        weir_response_free(response);
        tell_memory(rc);
    }
    weir_stream_close(stream);
    return 0;
}

static int obey(struct job *job, char *line)
{
    weir_response *response;
    line[strcspn(line, "\n")] = '\0';
    if (strncmp(line, "slow ", 5) == 0)
        return slow(job, line + 5);
    if (strncmp(line, "many ", 5) == 0) {
        char *url;
        int n = (int)strtol(line + 5, &url, 10);
        return many(job, n, url + 1);
    }
    int rc = weir_request(job->client, WEIR_REQUEST(.url = line, .body = "{}"), &response);
    tell(rc, response);
    return 0;
}

static int work(void *arg)
{
    struct job *job = arg;
    char line[1024];
    int rc = 0;
    for (int i = 1; rc == 0 && i < job->argc; i++)
        rc = take(job, job->argv[i]);
    if (job->resolve[0] != NULL)
        job->net.resolve = job->resolve;
    if (rc == 0)
        rc = weir_client_new(&job->client,
                             WEIR_CLIENT_OPTS(.net = &job->net, .log = WEIR_LOG_OPTS(.fn = say),
                                              .attempt_timeout_ms = job->attempt_timeout_ms,
                                              .retry = WEIR_RETRY_OPTS(.max_attempts = 1)));
    while (rc == 0 && fgets(line, sizeof line, stdin) != NULL) {
        rc = obey(job, line);
        fflush(stdout);
    }
    weir_client_free(job->client);
    return rc;
}

int main(int argc, char **argv)
{
    struct job job = {.net = {.size = sizeof job.net}, .argc = argc, .argv = argv};
    int rc = weir_run(work, &job, NULL);
    if (rc < 0)
        printf("%s\n", weir_err_name(rc));
    return rc < 0;
}
