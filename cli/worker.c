#include "worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "defaults.h"
#include "http_text.h"
#include "shortage.h"
#include "term.h"

/* --- places ------------------------------------------------------------------------------- */

/* Bounds the rows and answers in memory: an answer that cannot be written yet keeps its place, and
 * only a row that waits for another attempt gives its place to another. */
static int take_place(struct worker *worker)
{
    int rc = weir_semaphore_acquire(worker->run->places);
    worker->placed = rc == 0;
    return rc;
}

static void leave_place(struct worker *worker)
{
    if (worker->placed)
        weir_semaphore_release(worker->run->places);
    worker->placed = false;
}

/* --- a server that is not there ----------------------------------------------------------- */

static bool could_not_connect(int rc)
{
    return rc == WEIR_ECONNECT || rc == WEIR_ERESOLVE || rc == WEIR_ETLS;
}

static bool seems_unreachable(const struct worker *worker, int rc)
{
    return could_not_connect(rc) && !worker->run->answered && worker->for_origin &&
           !worker->shortage;
}

int worker_retry_if(const struct weir_attempt *attempt, void *arg)
{
    struct run *run = arg;
    struct worker *worker = weir_task_arg(weir_task_self());
    if (attempt->rc == 0)
        run->answered = true;
    worker->shortage = could_not_connect(attempt->rc) && shortage_is_now();
    if (seems_unreachable(worker, attempt->rc))
        return 0;
    if (attempt->retry)
        leave_place(worker);
    return attempt->retry;
}

/* Rows may name other servers; one of those that is down does not end the run. Without a base URL
 * the first row's server counts. */
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
static void explain_failure(struct worker *worker, int rc)
{
    const struct run *run = worker->run;
    const char *url = worker->row.url;
    const char *proxy = proxy_variable(url_is_absolute(url) ? url : run->origin);
    if (!could_not_connect(rc))
        return;
    if (worker->shortage)
        answer_add_text(&worker->answer, "; this machine had no file or thread left for it: "
                                         "lower --concurrency, or see 'ulimit -n' and '-u'");
    else if (proxy != NULL)
        answer_add_text(&worker->answer,
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

static void watch_server(struct worker *worker, int rc)
{
    struct run *run = worker->run;
    const struct answer *answer = &worker->answer;
    if (rc == 0)
        run->answered = true;
    if (seems_unreachable(worker, rc) && run->stop == STOP_NOT) {
        answer_message(answer, run->why, sizeof run->why);
        run_stop(run, STOP_UNREACHABLE, STOP_NOW);
    }
    if (run->stop == STOP_NOT && report_is_refused(&run->report)) {
        answer_message(answer, run->why, sizeof run->why);
        run_stop(run, STOP_REFUSED, STOP_DRAIN);
    }
}

/* --- a row -------------------------------------------------------------------------------- */

static void write_answer(struct worker *worker)
{
    struct run *run = worker->run;
    if (worker->answer.attempts > 0)
        output_release(&run->output);
    int rc = output_make_room(&run->output);
    struct bytes *out = output_row_begin(&run->output);
    answer_write(&worker->answer, &worker->line, &worker->row, out);
    report_count(&run->report, &worker->answer, &worker->line);
    run_fail(run, rc);
    run_fail(run, output_row_end(&run->output));
}

/* The row gets no line in the output; the server may have got it all the same. */
static void drop(struct run *run, const weir_response *response)
{
    if (response != NULL && weir_response_sent(response) != WEIR_SENT_NEVER)
        run->dropped_sent++;
}

static void send_row(struct worker *worker)
{
    struct run *run = worker->run;
    const struct row *row = &worker->row;
    weir_response *response = NULL;
    worker->for_origin = is_for_origin(run, row->url);
    run->sending = true;
    worker->shortage = false;
    int rc = weir_request(run->client,
                          WEIR_REQUEST(.method = row->method, .url = row->url,
                                       .headers = row->headers, .body = row->body.at,
                                       .body_len = row->body.len, .replay = run->options->replay),
                          &response);
    if (rc == WEIR_ECANCELED || rc == WEIR_ECLOSED) {
        drop(run, response);
    } else {
        answer_judge(&worker->answer, run->input.name, &worker->line, rc, response);
        explain_failure(worker, rc);
        note_limit(run, response);
        watch_server(worker, rc);
        if (run->stop == STOP_UNREACHABLE)
            drop(run, response);
        else
            write_answer(worker);
    }
    weir_response_free(response);
}

/* A base URL that was forgotten would fail all rows in the same way. */
static void watch_base(struct worker *worker)
{
    struct run *run = worker->run;
    const struct line *line = &worker->line;
    if (!worker->row.lacks_base || line->row > BASE_ROWS)
        return;
    if (line->row == 1)
        run->first_line = line->number;
    if (++run->baseless == BASE_ROWS && !run->sending)
        run_stop(run, STOP_BASELESS, STOP_NOW);
}

/* A row that is not sent does not suspend; a file of nothing else would hold up all tasks. */
static void refuse_row(struct worker *worker)
{
    answer_bad_row(&worker->answer, worker->run->input.name, &worker->line, worker->row.fault);
    write_answer(worker);
    watch_base(worker);
    weir_yield();
}

static int next_row(struct worker *worker)
{
    struct run *run = worker->run;
    int rc = take_place(worker);
    if (rc == 0 && run->stop == STOP_NOT)
        rc = input_next(&run->input, &worker->line);
    if (rc <= 0)
        leave_place(worker);
    return rc;
}

int worker_task(void *arg)
{
    struct worker *worker = arg;
    struct run *run = worker->run;
    int rc = 0;
    while (run->stop == STOP_NOT && (rc = next_row(worker)) > 0) {
        if (run->stop != STOP_NOT)
            break;
        if (row_parse(&worker->row, &worker->line, &run->rules))
            send_row(worker);
        else
            refuse_row(worker);
        row_release(&worker->row);
        line_release(&worker->line);
        leave_place(worker);
    }
    leave_place(worker);
    if (rc == WEIR_EIO)
        run_stop(run, STOP_INPUT, STOP_DRAIN);
    else
        run_fail(run, rc);
    return 0;
}

void worker_release(struct worker *worker)
{
    free(worker->line.text);
}
