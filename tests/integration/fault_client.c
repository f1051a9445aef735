/* A client that is ordered about: reads commands from stdin, a line each, and answers each with a
 * line of JSON on stdout. So a test can wait until its server has seen what it is to see, and only
 * then go on. A command is a word and settings, "send url=/x method=POST body=1000 count=5":
 *
 *   open      a client, made of: base_url concurrency rate burst (per hour) per_s attempts
 *             backoff_ms timeout_ms attempt_timeout_ms max_body token keys (a limiter per server)
 *             ca cert key (files) http2 compression (as the number of enum
 *             weir_compression)
 *   send      starts requests: url method body (bytes) replay timeout_ms idle_ms idle_first_ms
 *             count parallel (so many tasks take turns; 0: all at once) burn_ms (of the
 *             processor, after each answer) mark (each URL gets "?NUMBER")
 *   stream    starts one stream: url done idle_ms hold (is opened and not read)
 *   cancel    all that was started
 *   join      waits for all that was started, and tells of each
 *   state     of limiter, client and process
 *   tokens    how many the limiter grants at once
 *   dns       from now on a look-up takes: ms
 *   close     frees the client */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <weir/weir.h>

#include "fault_resolver.h"

enum { WORDS = 20, LINE = 4096, MAX_JOBS = 16384, TOKENS_MAX = 1000 };

struct job {
    weir_client *client;
    const struct settings *settings;
    int number, count, stride;
    int64_t took_ns, last_gap_ns; /* a stream's from its last event to its end */
    int rc, events;
    weir_response *response;
    int status, sent, attempts;
    size_t body_len;
    char text[160];
    char body[80];
};

struct settings {
    char line[LINE];
    const char *words[WORDS];
    char *body;
};

struct session {
    weir_client *client;
    weir_limiters *keys;
    weir_group *group, *ticker;
    struct job *jobs;
    size_t job_count;
    struct settings *settings[16]; /* of what was started, until the join */
    size_t settings_count;
    int64_t stall_ns;
};

/* ---- settings ---- */

static const char *text_of(const struct settings *settings, const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < WORDS && settings->words[i] != NULL; i++)
        if (strncmp(settings->words[i], name, len) == 0 && settings->words[i][len] == '=')
            return settings->words[i] + len + 1;
    return NULL;
}

static long long number_of(const struct settings *settings, const char *name, long long otherwise)
{
    const char *text = text_of(settings, name);
    return text != NULL ? strtoll(text, NULL, 10) : otherwise;
}

static bool is(const struct settings *settings, const char *command)
{
    return settings->words[0] != NULL && strcmp(settings->words[0], command) == 0;
}

static void split(struct settings *settings)
{
    char *rest = settings->line, *word;
    size_t n = 0;
    while (n < WORDS - 1 && (word = strsep(&rest, " \n")) != NULL)
        if (word[0] != '\0')
            settings->words[n++] = word;
}

/* ---- requests and streams ---- */

static void quote(const char *text)
{
    putchar('"');
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20 || c >= 0x7f)
            printf("\\u%04x", c);
        else if (c == '"' || c == '\\')
            printf("\\%c", c);
        else
            putchar(c);
    }
    putchar('"');
}

static void copy(char *to, size_t room, const char *from)
{
    snprintf(to, room, "%s", from != NULL ? from : "");
}

static void keep(struct job *job, const weir_response *response)
{
    if (response == NULL)
        return;
    job->status = weir_response_status(response);
    job->sent = (int)weir_response_sent(response);
    job->attempts = (int)weir_response_attempts(response);
    job->body_len = weir_response_body_len(response);
    copy(job->text, sizeof job->text, weir_response_error_text(response));
    copy(job->body, sizeof job->body, weir_response_body(response));
}

static void burn(long long ms)
{
    int64_t until_ns = weir_now_ns() + ms * 1000000;
    while (weir_now_ns() < until_ns)
        continue;
}

static void request(struct job *job)
{
    const struct settings *settings = job->settings;
    const char *url = text_of(settings, "url");
    char marked[1000];
    weir_response *response = NULL;
    if (number_of(settings, "mark", 0)) {
        snprintf(marked, sizeof marked, "%s?%d", url, job->number);
        url = marked;
    }
    int64_t start_ns = weir_now_ns();
    job->rc = weir_request(job->client,
                           WEIR_REQUEST(.url = url, .method = text_of(settings, "method"),
                                        .body = settings->body,
                                        .timeout_ms = number_of(settings, "timeout_ms", 0),
                                        .idle_ms = number_of(settings, "idle_ms", 0),
                                        .idle_first_ms = number_of(settings, "idle_first_ms", 0),
                                        .replay = (int)number_of(settings, "replay", 0)),
                           &response);
    job->took_ns = weir_now_ns() - start_ns;
    keep(job, response);
    weir_response_free(response);
    burn(number_of(settings, "burn_ms", 0));
}

static int send_task(void *arg)
{
    struct job *job = arg;
    for (int i = 0; i < job->count; i++)
        request(&job[(size_t)i * (size_t)job->stride]);
    return 0;
}

static int read_events(struct job *job, weir_stream *stream)
{
    const struct weir_sse_event *event;
    int64_t last_ns = weir_now_ns();
    int rc;
    while ((rc = weir_sse_next(stream, &event)) == 1) {
        job->events++;
        last_ns = weir_now_ns();
    }
    job->last_gap_ns = weir_now_ns() - last_ns;
    return rc;
}

static int stream_task(void *arg)
{
    struct job *job = arg;
    const struct settings *settings = job->settings;
    weir_stream *stream = NULL;
    int64_t start_ns = weir_now_ns();
    int rc = weir_stream_open(job->client, WEIR_REQUEST(.url = text_of(settings, "url")),
                              WEIR_STREAM_OPTS(.done = text_of(settings, "done"),
                                               .idle_ms = number_of(settings, "idle_ms", 0)),
                              &stream);
    if (rc == 0 && number_of(settings, "hold", 0))
        rc = weir_sleep_ms(3600000);
    if (rc == 0)
        rc = read_events(job, stream);
    job->rc = rc;
    job->took_ns = weir_now_ns() - start_ns;
    if (stream != NULL)
        keep(job, weir_stream_response(stream));
    weir_stream_close(stream);
    return 0;
}

/* ---- commands ---- */

static void answer(bool ok, int rc)
{
    printf("{\"ok\": %s, \"rc\": \"%s\"}\n", ok ? "true" : "false", weir_err_name(rc));
}

static void open_client(struct session *session, const struct settings *settings)
{
    uint64_t per_h = (uint64_t)number_of(settings, "rate", 0);
    uint64_t per_s = (uint64_t)number_of(settings, "per_s", 0);
    const struct weir_limiter_opts limiter = {.size = sizeof limiter,
                                              .rate = per_s > 0 ? per_s : per_h,
                                              .period_ms = per_s > 0   ? 1000
                                                           : per_h > 0 ? 3600000
                                                                       : 0,
                                              .burst = (uint64_t)number_of(settings, "burst", 0),
                                              .concurrency =
                                                  (uint64_t)number_of(settings, "concurrency", 64),
                                              .learn = WEIR_LEARN_OFF};
    const struct weir_retry_opts *retry =
        WEIR_RETRY_OPTS(.max_attempts = (unsigned)number_of(settings, "attempts", 1),
                        .backoff_base_ms = number_of(settings, "backoff_ms", 1),
                        .backoff_max_ms = number_of(settings, "backoff_ms", 1));
    const struct weir_net_opts *net =
        WEIR_NET_OPTS(.ca_file = text_of(settings, "ca"), .cert_file = text_of(settings, "cert"),
                      .key_file = text_of(settings, "key"),
                      .http2 = number_of(settings, "http2", 0) ? WEIR_HTTP2_TLS : WEIR_HTTP2_OFF,
                      .compression = (enum weir_compression)number_of(settings, "compression", 0));
    weir_limiter *single = NULL;
    bool keys = number_of(settings, "keys", 0) != 0;
    int rc = keys ? weir_limiters_new(&session->keys, WEIR_LIMITERS_OPTS(.each = &limiter))
                  : weir_limiter_new(&single, &limiter);
    if (rc == 0)
        rc = weir_client_new(
            &session->client,
            WEIR_CLIENT_OPTS(.base_url = text_of(settings, "base_url"), .limiter = single,
                             .limiters = session->keys, .retry = retry, .net = net,
                             .bearer_token = text_of(settings, "token"),
                             .timeout_ms = number_of(settings, "timeout_ms", 0),
                             .attempt_timeout_ms = number_of(settings, "attempt_timeout_ms", 20000),
                             .max_body_bytes = (uint64_t)number_of(settings, "max_body", 0)));
    answer(rc == 0, rc);
}

/* The settings of what was started live until the join. */
static const struct settings *held(struct session *session, struct settings *settings)
{
    long long len = number_of(settings, "body", 0);
    if (session->settings_count == sizeof session->settings / sizeof session->settings[0])
        exit(3);
    struct settings *copy_of = malloc(sizeof *copy_of);
    *copy_of = *settings;
    for (size_t i = 0; i < WORDS && settings->words[i] != NULL; i++)
        copy_of->words[i] = copy_of->line + (settings->words[i] - settings->line);
    if (len > 0) {
        copy_of->body = malloc((size_t)len + 1);
        memset(copy_of->body, 'b', (size_t)len);
        copy_of->body[len] = '\0';
    }
    session->settings[session->settings_count++] = copy_of;
    return copy_of;
}

static struct job *next_job(struct session *session, const struct settings *settings)
{
    if (session->job_count == MAX_JOBS)
        exit(3);
    struct job *job = &session->jobs[session->job_count++];
    *job = (struct job){.client = session->client, .settings = settings, .count = 1, .stride = 1};
    job->number = (int)session->job_count;
    job->rc = WEIR_ECANCELED; /* until it has run */
    return job;
}

static void send_requests(struct session *session, const struct settings *settings)
{
    int count = (int)number_of(settings, "count", 1);
    int tasks = (int)number_of(settings, "parallel", 0);
    struct job *first = NULL;
    for (int i = 0; i < count; i++) {
        struct job *job = next_job(session, settings);
        first = i == 0 ? job : first;
    }
    if (tasks == 0 || tasks > count)
        tasks = count;
    for (int i = 0; i < tasks; i++) {
        first[i].stride = tasks;
        first[i].count = (count - i + tasks - 1) / tasks;
        weir_spawn(session->group, send_task, &first[i]);
    }
    answer(true, 0);
}

static void print_job(const struct job *job)
{
    printf("{\"rc\": \"%s\", \"status\": %d, \"sent\": %d, \"attempts\": %d, \"ms\": %.3f, "
           "\"len\": %zu, \"events\": %d, \"gap_ms\": %.3f, \"text\": ",
           weir_err_name(job->rc), job->status, job->sent, job->attempts,
           (double)job->took_ns / 1e6, job->body_len, job->events, (double)job->last_gap_ns / 1e6);
    quote(job->text);
    printf(", \"body\": ");
    quote(job->body);
    printf("}");
}

static double cpu_ms(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e3 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e3;
}

static int join(struct session *session)
{
    weir_gather(session->group);
    int rc = weir_group_free(session->group);
    printf("{\"cpu_ms\": %.3f, \"results\": [", cpu_ms());
    for (size_t i = 0; i < session->job_count; i++) {
        printf("%s", i > 0 ? ", " : "");
        print_job(&session->jobs[i]);
    }
    printf("]}\n");
    for (size_t i = 0; i < session->settings_count; i++) {
        free(session->settings[i]->body);
        free(session->settings[i]);
    }
    session->settings_count = session->job_count = 0;
    return rc < 0 ? rc : weir_group_new(&session->group, NULL);
}

static void print_state(struct session *session)
{
    struct weir_limiter_stats limiter = {.size = sizeof limiter};
    struct weir_client_stats client = {.size = sizeof client};
    struct rusage usage;
    if (session->keys != NULL)
        weir_limiters_stats(session->keys, &limiter, NULL);
    else if (session->client != NULL)
        weir_limiter_stats(weir_client_limiter(session->client), &limiter);
    if (session->client != NULL)
        weir_client_stats(session->client, &client);
    getrusage(RUSAGE_SELF, &usage);
    printf("{\"waiting\": %zu, \"holding\": %zu, \"throttled\": %llu, \"blocked\": %d, "
           "\"blocked_ms\": %lld, \"attempts\": %llu, \"in_flight\": %llu, \"cpu_ms\": %.3f, "
           "\"streams\": %llu, \"rss_kib\": %ld, \"stall_ms\": %.3f, \"lookups\": %d, \"looking\": "
           "%d, "
           "\"lookups_peak\": %d}\n",
           limiter.waiting, limiter.holding, (unsigned long long)limiter.throttled,
           (int)limiter.blocked, (long long)limiter.blocked_ms, (unsigned long long)client.attempts,
           (unsigned long long)client.in_flight, cpu_ms(), (unsigned long long)client.streams,
           usage.ru_maxrss, (double)session->stall_ns / 1e6, fault_resolver_calls(),
           fault_resolver_running(), fault_resolver_peak());
    session->stall_ns = 0;
}

static void print_tokens(struct session *session)
{
    weir_limiter *limiter = weir_client_limiter(session->client);
    int granted = 0;
    while (granted < TOKENS_MAX && weir_limiter_try(limiter, 1) == 0)
        granted++;
    for (int i = 0; i < granted; i++)
        weir_limiter_release(limiter);
    printf("{\"tokens\": %d}\n", granted);
}

static void close_client(struct session *session)
{
    weir_limiter *limiter = weir_client_limiter(session->client);
    int rc = weir_client_free(session->client);
    if (rc == 0) {
        weir_limiter_free(limiter);
        weir_limiters_free(session->keys);
        session->client = NULL;
        session->keys = NULL;
    }
    answer(rc == 0, rc);
}

static int obey(struct session *session, struct settings *settings)
{
    if (is(settings, "join"))
        return join(session);
    if (is(settings, "open")) {
        open_client(session, settings);
    } else if (is(settings, "send")) {
        send_requests(session, held(session, settings));
    } else if (is(settings, "stream")) {
        weir_spawn(session->group, stream_task, next_job(session, held(session, settings)));
        answer(true, 0);
    } else if (is(settings, "cancel")) {
        weir_group_cancel(session->group);
        answer(true, 0);
    } else if (is(settings, "state")) {
        print_state(session);
    } else if (is(settings, "tokens")) {
        print_tokens(session);
    } else if (is(settings, "dns")) {
        fault_resolver_set_ms((int)number_of(settings, "ms", 0));
        answer(true, 0);
    } else if (is(settings, "close")) {
        close_client(session);
    } else {
        answer(false, WEIR_EINVAL);
    }
    return 0;
}

/* Sees by how much the loop comes too late. */
static int tick(void *arg)
{
    struct session *session = arg;
    int64_t before_ns = weir_now_ns();
    while (weir_sleep_ms(1) == 0) {
        int64_t late_ns = weir_now_ns() - before_ns - 1000000;
        if (late_ns > session->stall_ns)
            session->stall_ns = late_ns;
        before_ns = weir_now_ns();
    }
    return 0;
}

/* A line, which a test writes in one go; 0 at the end. */
static int next_line(struct settings *settings)
{
    *settings = (struct settings){.line = ""};
    size_t len = 0;
    while (len == 0 || settings->line[len - 1] != '\n') {
        ssize_t n = weir_wait_fd(STDIN_FILENO, WEIR_IO_READ);
        if (n > 0)
            n = read(STDIN_FILENO, settings->line + len, sizeof settings->line - 1 - len);
        if (n <= 0)
            return (int)n;
        len += (size_t)n;
    }
    split(settings);
    return 1;
}

static int session_run(void *arg)
{
    struct session *session = arg;
    struct settings *settings = malloc(sizeof *settings);
    int rc = weir_group_new(&session->group, NULL);
    if (rc == 0)
        rc = weir_group_new(&session->ticker, NULL);
    if (rc == 0)
        weir_spawn(session->ticker, tick, session);
    while (rc == 0 && (rc = next_line(settings)) > 0) {
        rc = obey(session, settings);
        fflush(stdout);
    }
    free(settings);
    weir_group_free(session->ticker);
    weir_group_free(session->group);
    return rc;
}

int main(void)
{
    struct session session = {.jobs = calloc(MAX_JOBS, sizeof(struct job))};
    int rc = weir_run(session_run, &session, NULL);
    free(session.jobs);
    if (rc < 0)
        fprintf(stderr, "%s\n", weir_strerror(rc));
    return rc < 0;
}
