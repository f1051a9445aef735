/* `weir run`: a map over the rows of the input, whose results are written as they come. */
#include "run.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <weir/metrics.h>

#include "commands.h"
#include "defaults.h"
#include "exit_status.h"
#include "http_text.h"
#include "job.h"
#include "term.h"

/* While some rows wait for another attempt, others take their places: hence more rows at a time
 * than requests in flight. One place is for the row that is the next to be sent. */
#define EXTRA_PLACES 1
#define EXTRA_LEAST  16
#define EXTRA_MOST   1024
/* Files that are open besides the connections, at least. For a while a connection may take two: to
 * look a name up, or to try both address families. */
#define OTHER_FILES       64
#define FILES_PER_REQUEST 2
#define MORE_FILES        256

/* --- making ready ------------------------------------------------------------------------- */

/* The line that rows with a body get: ours, or the one from the command line, which ours would
 * otherwise replace. */
static const char *content_type(const struct options *options)
{
    static const char ours[] = "Content-Type: application/json";
    for (size_t i = 0; i < options->header_count; i++) {
        if (header_same_name(options->headers[i], ours))
            return options->headers[i];
    }
    return ours;
}

/* The limit is raised to what is wanted, or as far as it goes. */
static int raise_file_limit(const struct options *options)
{
    struct rlimit limit;
    rlim_t least = (rlim_t)options->concurrency + OTHER_FILES;
    rlim_t wanted = (rlim_t)options->concurrency * FILES_PER_REQUEST + MORE_FILES;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
        return 0;
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    if (limit.rlim_cur < least)
        return usage_error("--concurrency %" PRIu64 " needs %ju open files, and %ju are allowed; "
                           "lower it or see 'ulimit -Hn'",
                           options->concurrency, (uintmax_t)least, (uintmax_t)limit.rlim_max);
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        return usage_error("--concurrency %" PRIu64 " needs %ju open files; see 'ulimit -n'",
                           options->concurrency, (uintmax_t)wanted);
    if (limit.rlim_cur < wanted)
        complain("weir run: %ju open files are allowed, and --concurrency %" PRIu64
                 " may need up to %ju: connections may fail and be tried again; lower it or see "
                 "'ulimit -Hn'",
                 (uintmax_t)limit.rlim_cur, options->concurrency, (uintmax_t)wanted);
    return 0;
}

static int internal_error(int rc)
{
    complain("weir run: %s (%s)", weir_strerror(rc), weir_err_name(rc));
    return EXIT_INTERNAL;
}

/* Rows that are out of the input at a time, at most. */
static size_t count_rows(const struct options *options)
{
    uint64_t extra = options->concurrency;
    if (extra < EXTRA_LEAST)
        extra = EXTRA_LEAST;
    if (extra > EXTRA_MOST)
        extra = EXTRA_MOST;
    return (size_t)(options->concurrency + extra);
}

/* The requests in flight are bounded over all servers, since that is what this machine can bear;
 * all else is each server's own. There are more keys than rows at a time, so not all are ever in
 * use. */
static int make_limiters(struct run *run)
{
    const struct options *options = run->options;
    const struct weir_limiter_opts *each =
        WEIR_LIMITER_OPTS(.rate = options->rate, .period_ms = options->period_ms,
                          .burst = options->burst);
    int rc = weir_limiters_new(&run->limiters,
                               WEIR_LIMITERS_OPTS(.each = each,
                                                  .max_keys = WEIR_LIMITERS_KEYS + run->room,
                                                  .concurrency = options->concurrency));
    if (rc == WEIR_EINVAL) /* each is right for itself */
        return usage_error("--burst %" PRIu64 " would take longer than a century to come back at "
                           "this --rate; lower it or raise the rate",
                           options->burst);
    return rc < 0 ? internal_error(rc) : 0;
}

static int complain_of_base_url(const char *url)
{
    size_t origin_len = url_origin_len(url);
    if (memchr(url, '@', origin_len) != NULL)
        return usage_error("--base-url holds a user name; leave it out and send it by --header "
                           "'Authorization: Basic ...'");
    if (strpbrk(url, "?#") != NULL)
        return usage_error("--base-url holds a ? or #; leave out what begins there");
    return usage_error("--base-url is no valid URL; write http://HOST or https://HOST/PATH");
}

static int complain_of_headers(const struct options *options)
{
    for (size_t i = 0; i < options->header_count; i++) {
        const char *line = options->headers[i];
        if (header_frames_request(line))
            return usage_error("--header '%.*s...' is for weir itself to set; leave it out",
                               (int)strcspn(line, ":"), line);
    }
    return usage_error("a --header is not valid; write --header 'Name: value'");
}

static int make_client(struct run *run)
{
    const struct options *options = run->options;
    const struct weir_retry_opts *retry =
        WEIR_RETRY_OPTS(.max_attempts = options->max_attempts, .max_throttled = THROTTLED_MAX,
                        .max_elapsed_ms = options->timeout_ms,
                        .server_wait_max_ms = SERVER_WAIT_MAX_MS, .retry_if = job_retry_if,
                        .retry_if_arg = run, .before = job_before);
    int rc =
        weir_client_new(&run->client,
                        WEIR_CLIENT_OPTS(.base_url = options->base_url, .headers = options->headers,
                                         .bearer_token = options->api_key,
                                         .limiters = run->limiters, .retry = retry,
                                         .attempt_timeout_ms = options->timeout_ms,
                                         .net = &options->connection.net));
    if (rc == WEIR_EURL)
        return complain_of_base_url(options->base_url);
    if (rc == WEIR_EHEADER)
        return complain_of_headers(options);
    if (rc == WEIR_EINVAL) /* the one contradiction that the options' own checks leave */
        return usage_error("--api-key-env and --header Authorization give two keys; leave one out");
    return rc < 0 ? internal_error(rc) : 0;
}

static int make_parts(struct run *run)
{
    const struct options *options = run->options;
    run->rules = (struct row_rules){.has_base_url = options->base_url != NULL,
                                    .content_type = {content_type(options), NULL}};
    run->room = count_rows(options);
    run->servers.rules = (struct outage_rules){.max_ms = options->outage_ms,
                                               .max_tries = options->max_attempts,
                                               .spread = true};
    if (options->base_url != NULL)
        run->origin = strndup(options->base_url, url_origin_len(options->base_url));
    int rc = input_start(&run->input);
    if (rc == 0)
        rc = output_start(&run->output);
    if (rc == 0)
        rc = weir_semaphore_new(&run->places, options->concurrency + EXTRA_PLACES, 0);
    if (rc == 0)
        rc = weir_group_new(&run->takers, NULL);
    if (rc == 0)
        rc = weir_group_new(&run->helpers, NULL);
    if (rc < 0)
        return internal_error(rc);
    int status = make_limiters(run);
    if (status == 0)
        status = make_client(run);
    run->progress = (struct progress){.input = &run->input,
                                      .report = &run->report,
                                      .limiters = run->limiters,
                                      .places = run->places,
                                      .servers = &run->servers};
    progress_init(&run->progress, options->progress, options->progress_ms,
                  run->output.path == NULL);
    return status;
}

static void free_parts(struct run *run)
{
    weir_group_free(run->helpers);
    weir_group_free(run->takers);
    jobs_free(run);
    weir_semaphore_free(run->places);
    weir_client_free(run->client);
    weir_limiters_free(run->limiters);
    input_stop(&run->input);
    output_stop(&run->output);
}

/* --- running ------------------------------------------------------------------------------ */

static int show_task(void *arg)
{
    struct run *run = arg;
    return run->progress.interval_ms > 0 ? progress_show(&run->progress) : 0;
}

static int keep_task(void *arg)
{
    struct run *run = arg;
    run_fail(run, output_keep_flushing(&run->output));
    return 0;
}

/* Once the run was stopped, a reader that takes nothing is not waited for without end. */
static int flush_task(void *arg)
{
    struct run *run = arg;
    weir_deadline limit;
    if (run->stop == STOP_NOT)
        return output_flush(&run->output);
    weir_deadline_begin_ms(&limit, GRACE_MS);
    return weir_deadline_end(&limit, output_flush(&run->output));
}

/* When this task is cancelled, so is what the map is working on. */
static int take_task(void *arg)
{
    struct run *run = arg;
    struct weir_mapped mapped;
    if (run->stop != STOP_NOT)
        return 0;
    int rc = weir_map_new(&run->map, job_read, job_send,
                          WEIR_MAP_OPTS(.concurrency = run->room, .arg = run, .drop = job_end));
    while (rc >= 0 && (rc = weir_map_next(run->map, &mapped)) == 1)
        job_end(run, mapped.item, mapped.result);
    weir_map_free(run->map);
    run->map = NULL;
    return rc;
}

/* As a task that a signal can cancel when a server or the reader is stuck. */
static void run_taker(struct run *run, weir_task_fn fn)
{
    weir_task *task = weir_spawn(run->takers, fn, run);
    run_fail(run, task != NULL ? weir_await(task) : WEIR_ENOMEM);
}

static void write_the_rest(struct run *run)
{
    run->flushing = true;
    output_release(&run->output);
    run_taker(run, flush_task);
    run->flushing = false;
}

/* Nothing was sent: what the output may hold says at most that some rows are bad. */
static bool is_discarded(const struct run *run)
{
    return (run->stop == STOP_UNREACHABLE || run->stop == STOP_BASELESS ||
            run->stop == STOP_FORM) &&
           run->report.attempts == 0;
}

static void run_tasks(struct run *run)
{
    struct weir_limiter_stats stats = {.size = sizeof stats};
    struct weir_client_stats counts = {.size = sizeof counts};
    weir_spawn(run->helpers, signals_task, run);
    weir_spawn(run->helpers, show_task, run);
    weir_spawn(run->helpers, keep_task, run);
    run->report.began_ms = weir_now_ms();
    run_taker(run, take_task);
    if (run->output.error == 0 && !is_discarded(run))
        write_the_rest(run);
    servers_note_limits(&run->servers, run->limiters);
    weir_limiters_stats(run->limiters, &stats, NULL);
    run->throttled = stats.throttled;
    weir_client_stats(run->client, &counts);
    run->attempts = counts.attempts;
    run->connections = counts.connections;
    run->http2_attempts = counts.http2_attempts;
    run->ended_ms = weir_now_ms();
    term_status_end();
}

/* 0 when the run ended, however; else the exit status, and what was wrong is said. */
static int conduct(void *arg)
{
    struct run *run = arg;
    int status = make_parts(run);
    if (status == 0)
        run_tasks(run);
    free_parts(run);
    return status;
}

static int run_with_files(struct run *run)
{
    int status = signals_begin();
    if (status == 0)
        status = weir_run(conduct, run, NULL);
    signals_end();
    if (status < 0)
        status = internal_error(status);
    if (is_discarded(run))
        output_discard(&run->output);
    output_close(&run->output, status == 0 && run->stop == STOP_NOT);
    return status != 0 ? status : run_conclude(run);
}

static int open_files(struct run *run)
{
    const struct options *options = run->options;
    int status = input_open(&run->input, options->input, options->max_line);
    if (status != 0)
        return status;
    status = output_open(&run->output, options->output, options->force, &run->input);
    if (status != 0)
        input_close(&run->input);
    return status;
}

int cmd_run(int argc, char **argv)
{
    struct options options;
    struct run run = {.options = &options};
    switch (options_parse(&options, argc, argv)) {
    case OPTIONS_HELP:
        return EXIT_DONE;
    case OPTIONS_WRONG:
        return EXIT_USAGE;
    case OPTIONS_RUN:
        break;
    }
    signal(SIGXFSZ, SIG_IGN); /* a limit on the size of files is then an error like a full disk */
    int status = raise_file_limit(&options);
    if (status == 0)
        status = open_files(&run);
    if (status != 0)
        return status;
    status = run_with_files(&run);
    input_close(&run.input);
    servers_free(&run.servers);
    free(run.origin);
    return status;
}
