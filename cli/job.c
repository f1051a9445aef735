#include "job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "defaults.h"
#include "events.h"
#include "form.h"
#include "http_text.h"
#include "reach.h"
#include "shortage.h"
#include "term.h"

/* --- places ------------------------------------------------------------------------------- */

/* Bounds the rows and answers in memory: an answer that cannot be written yet keeps its place, and
 * only a row that waits for another attempt gives its place to another. */
static int take_place(struct job *job)
{
    int rc = weir_semaphore_acquire(job->run->places);
    job->placed = rc == 0;
    return rc;
}

void job_leave_place(struct job *job)
{
    if (job->placed)
        weir_semaphore_release(job->run->places);
    job->placed = false;
}

/* --- jobs --------------------------------------------------------------------------------- */

/* Jobs are used again, so that a row costs no allocation; the map bounds how many there are. */
static struct job *take_job(struct run *run)
{
    struct job *job = run->spare;
    if (job != NULL) {
        run->spare = job->next;
        return job;
    }
    job = calloc(1, sizeof *job);
    if (job != NULL)
        job->run = run;
    return job;
}

static void leave_job(struct job *job)
{
    struct run *run = job->run;
    job_leave_place(job);
    job->next = run->spare;
    run->spare = job;
}

void jobs_free(struct run *run)
{
    struct job *job;
    while ((job = run->spare) != NULL) {
        run->spare = job->next;
        free(job->line.text);
        free(job);
    }
}

/* --- a server that is not there ----------------------------------------------------------- */

static bool could_not_connect(int rc)
{
    return rc == WEIR_ECONNECT || rc == WEIR_ERESOLVE || rc == WEIR_ETLS || rc == WEIR_ECERT;
}

static bool seems_unreachable(const struct job *job, int rc)
{
    const struct run *run = job->run;
    bool alone = run->options->base_url != NULL || run->servers.count <= 1;
    return could_not_connect(rc) && !run->answered && job->for_origin && alone && !job->shortage;
}

/* A stream that did not come to its end is a lost answer, which the connection did not notice. */
static bool lost_its_end(const struct weir_attempt *attempt)
{
    struct span error;
    if (attempt->rc != 0 || !events_are_in(attempt->response))
        return false;
    struct span body = {weir_response_body(attempt->response),
                        weir_response_body_len(attempt->response)};
    return events_check(body, &error) != EVENTS_WHOLE;
}

void job_before(const struct weir_attempt *attempt, void *arg)
{
    struct job *job = weir_task_arg(weir_task_self());
    (void)attempt;
    (void)arg;
    job->began_ms = weir_now_ms();
}

/* Attempts of a row that was sent in between count on. */
static bool is_used_up(struct job *job, const struct weir_attempt *attempt)
{
    if (attempt->outcome == WEIR_OUTCOME_THROTTLED)
        return false;
    return ++job->spent >= job->run->options->max_attempts;
}

int job_retry_if(const struct weir_attempt *attempt, void *arg)
{
    struct run *run = arg;
    struct job *job = weir_task_arg(weir_task_self());
    bool again = attempt->retry != 0 || (attempt->replay != 0 && lost_its_end(attempt));
    if (attempt->rc == 0)
        run->answered = true;
    job->shortage = could_not_connect(attempt->rc) && shortage_is_now();
    job->sent |= attempt->sent != WEIR_SENT_NEVER;
    if (seems_unreachable(job, attempt->rc) || reach_hear(job, attempt))
        return 0;
    again = again && !is_used_up(job, attempt);
    if (again)
        job_leave_place(job);
    return again;
}

/* Rows may name other servers; one of those that is down does not end the run. Without a base URL
 * the first row's server counts, as long as no row has named another. */
static bool is_for_origin(struct run *run, const char *url)
{
    if (!url_is_absolute(url))
        return true;
    size_t len = url_origin_len(url);
    if (run->origin == NULL)
        run->origin = strndup(url, len);
    return run->origin != NULL && strlen(run->origin) == len &&
           strncasecmp(run->origin, url, len) == 0;
}

/* What libcurl does not know, or does not say. */
static void explain_failure(struct job *job, int rc)
{
    const struct run *run = job->run;
    const char *url = job->row.url;
    const struct weir_net_opts *net = &run->options->connection.net;
    const char *proxy = NULL;
    if (rc == WEIR_EIDLE)
        answer_add_text(&job->answer, "; --idle-timeout says so");
    if (net->proxy == NULL && net->unix_socket == NULL)
        proxy = proxy_variable(url_is_absolute(url) ? url : run->origin);
    if (!could_not_connect(rc))
        return;
    if (job->shortage)
        answer_add_text(&job->answer, "; this machine had no file or thread left for it: "
                                      "lower --concurrency, or see 'ulimit -n' and '-u'");
    else if (proxy != NULL)
        answer_add_text(&job->answer,
                        "; the variable %s names a proxy: check it, or except "
                        "the host by no_proxy",
                        proxy);
}

/* The limit that the server tells of, if it does so in one plain number. */
static void note_limit(struct run *run, const weir_response *response)
{
    size_t len = 0;
    if (run->server_limit[0] != '\0' || response == NULL)
        return;
    const char *limit = weir_response_header(response, "x-ratelimit-limit-requests", &len);
    if (limit == NULL || len >= sizeof run->server_limit)
        return;
    memcpy(run->server_limit, limit, len);
    run->server_limit[len] = '\0';
    if (strspn(run->server_limit, "0123456789") != len)
        run->server_limit[0] = '\0';
}

static void watch_server(struct job *job, int rc)
{
    struct run *run = job->run;
    const struct answer *answer = &job->answer;
    if (rc == 0)
        run->answered = true;
    if (seems_unreachable(job, rc) && run->stop == STOP_NOT) {
        answer_message(answer, run->why, sizeof run->why);
        run->error = rc;
        run_stop(run, STOP_UNREACHABLE, STOP_NOW);
    }
    if (run->stop == STOP_NOT && report_is_refused(&run->report)) {
        answer_message(answer, run->why, sizeof run->why);
        run_stop(run, STOP_REFUSED, STOP_DRAIN);
    }
}

/* --- a row -------------------------------------------------------------------------------- */

/* Nothing was sent before the first row was read. */
static bool is_no_row(struct run *run, const struct line *line)
{
    if (line->row == 1 && !line->too_long)
        run->form = form_of_line((struct span){line->text, line->len});
    return run->form != NULL;
}

int job_read(void *arg, void **item)
{
    struct run *run = arg;
    struct job *job = take_job(run);
    int rc = job != NULL ? take_place(job) : WEIR_ENOMEM;
    if (rc == 0)
        rc = input_next(&run->input, &job->line);
    if (rc > 0 && is_no_row(run, &job->line)) {
        run_stop(run, STOP_FORM, STOP_DRAIN);
        rc = 0;
    }
    if (rc > 0) {
        *item = job;
        return rc;
    }
    if (job != NULL)
        leave_job(job);
    if (rc == WEIR_EIO)
        run_stop(run, STOP_INPUT, STOP_DRAIN);
    else
        run_fail(run, rc);
    return rc;
}

/* Whether the row is to get an idempotency key: not if it has one, of its own or of the command
 * line, whose headers go to the base URL's origin alone. */
static bool wants_key(const struct job *job)
{
    static const char key[] = "Idempotency-Key:";
    const struct options *options = job->run->options;
    const struct row *row = &job->row;
    if (!options->idempotency_key ||
        (strcmp(row->method, "POST") != 0 && strcmp(row->method, "PATCH") != 0))
        return false;
    bool given = options->base_url == NULL || job->for_origin;
    return !headers_have(row->headers, key) && !(given && headers_have(options->headers, key));
}

static int request(struct job *job)
{
    const struct options *options = job->run->options;
    const struct row *row = &job->row;
    bool streams = row_asks_for_stream(row);
    job->shortage = false;
    return weir_request(job->run->client,
                        WEIR_REQUEST(.method = row->method, .url = row->url,
                                     .headers = row->headers, .body = row->body.at,
                                     .body_len = row->body.len, .replay = options->replay,
                                     .idempotency_key = wants_key(job) ? job->key : NULL,
                                     .idle_ms = streams ? options->idle_ms : 0,
                                     .idle_first_ms = streams ? options->idle_ms : 0),
                        &job->response);
}

/* The next sending is to have the same key, which is made by the first: "" asks for one. */
static void keep_for_next(struct job *job)
{
    const char *key = weir_response_idempotency_key(job->response);
    snprintf(job->key, sizeof job->key, "%s", key != NULL ? key : WEIR_IDEMPOTENCY_KEY_NEW);
    job->tried += weir_response_attempts(job->response);
}

/* What its server has answered, or that it never was there; again, when that was away. */
static int get_answer(struct job *job)
{
    int reach;
    while ((reach = reach_await(job)) == REACH_SEND) {
        weir_response_free(job->response);
        job->response = NULL;
        int rc = request(job);
        bool goes_on = reach_goes_on(job);
        if (rc == WEIR_ECANCELED || rc == WEIR_ECLOSED)
            return rc;
        if (!goes_on) {
            job->answer.key = job->run->options->api_key;
            answer_judge(&job->answer, job->run->input.name, &job->line, rc, job->response);
            job->answer.attempts += job->tried;
            explain_failure(job, rc);
            watch_server(job, rc);
            return 0;
        }
        keep_for_next(job);
    }
    if (reach == REACH_LEFT) {
        job->run->left++;
        return WEIR_ECANCELED;
    }
    if (reach != REACH_FAILED)
        return reach;
    job->answer.attempts = job->tried;
    explain_failure(job, job->server->error);
    return 0;
}

/* 0 when the row has an answer, which may be that it failed. */
static int send_row(struct job *job)
{
    struct run *run = job->run;
    const char *url = job->row.url;
    job->for_origin = is_for_origin(run, url);
    url = url_is_absolute(url) ? url : run->origin;
    job->server = url != NULL ? servers_find(&run->servers, url) : NULL;
    job->tried = job->spent = 0;
    job->sent = false;
    memcpy(job->key, WEIR_IDEMPOTENCY_KEY_NEW, sizeof WEIR_IDEMPOTENCY_KEY_NEW);
    run->sending = true;
    int rc = get_answer(job);
    if (rc < 0)
        return rc;
    note_limit(run, job->response);
    return run->stop == STOP_UNREACHABLE ? WEIR_ECANCELED : 0;
}

/* A base URL that was forgotten would fail all rows in the same way. Once a row could be sent, one
 * without a server is one bad row of many. */
static void watch_base(struct job *job)
{
    struct run *run = job->run;
    if (!job->row.lacks_base || run->sending || run->stop != STOP_NOT)
        return;
    answer_place(run->why, run->input.name, &job->line);
    run_stop(run, STOP_BASELESS, STOP_NOW);
}

int job_send(void *arg, void *item, void **result)
{
    struct run *run = arg;
    struct job *job = item;
    int rc = 0;
    if (row_parse(&job->row, &job->line, &run->rules)) {
        rc = send_row(job);
    } else {
        answer_bad_row(&job->answer, run->input.name, &job->line, job->row.fault);
        watch_base(job);
    }
    if (rc == 0)
        *result = &job->answer;
    return rc;
}

static void write_answer(struct job *job)
{
    struct run *run = job->run;
    if (job->answer.attempts > 0)
        output_release(&run->output);
    int rc = output_make_room(&run->output);
    struct bytes *out = output_row_begin(&run->output);
    answer_write(&job->answer, &job->line, &job->row, out);
    report_count(&run->report, &job->answer, &job->line);
    run_fail(run, rc);
    run_fail(run, output_row_end(&run->output));
}

/* The row gets no line in the output; the server may have got it all the same. */
static void count_lost(struct job *job)
{
    if (job->sent ||
        (job->response != NULL && weir_response_sent(job->response) != WEIR_SENT_NEVER))
        job->run->dropped_sent++;
}

void job_end(void *arg, void *item, void *result)
{
    struct job *job = item;
    (void)arg;
    if (result != NULL)
        write_answer(job);
    else
        count_lost(job);
    weir_response_free(job->response);
    job->response = NULL;
    job->sent = false;
    row_release(&job->row);
    line_release(&job->line);
    leave_job(job);
}
