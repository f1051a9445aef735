#include "worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http_text.h"
#include "term.h"

/* --- a server that is not there ----------------------------------------------------------- */

static bool could_not_connect(int rc)
{
    return rc == WEIR_ECONNECT || rc == WEIR_ERESOLVE || rc == WEIR_ETLS;
}

int worker_retry_if(const struct weir_attempt *attempt, void *arg)
{
    struct run *run = arg;
    const struct worker *worker = weir_task_arg(weir_task_self());
    if (attempt->rc == 0)
        run->answered = true;
    if (could_not_connect(attempt->rc) && !run->answered && worker->for_origin)
        return 0;
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

static void watch_server(struct worker *worker, int rc)
{
    struct run *run = worker->run;
    const struct answer *answer = &worker->answer;
    if (rc == 0)
        run->answered = true;
    if (could_not_connect(rc) && !run->answered && worker->for_origin && run->stop == STOP_NOT) {
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
    struct bytes *out = output_row_begin(&run->output);
    answer_write(&worker->answer, &worker->line, &worker->row, out);
    report_count(&run->report, &worker->answer, &worker->line);
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
    int rc = weir_request(run->client,
                          WEIR_REQUEST(.method = row->method, .url = row->url,
                                       .headers = row->headers, .body = row->body.at,
                                       .body_len = row->body.len, .replay = run->options->replay),
                          &response);
    if (rc == WEIR_ECANCELED || rc == WEIR_ECLOSED) {
        drop(run, response);
    } else {
        answer_judge(&worker->answer, run->input.name, &worker->line, rc, response);
        watch_server(worker, rc);
        if (run->stop == STOP_UNREACHABLE)
            drop(run, response);
        else
            write_answer(worker);
    }
    weir_response_free(response);
}

/* A row that is not sent does not suspend; a file of nothing else would hold up all tasks. */
static void refuse_row(struct worker *worker)
{
    answer_bad_row(&worker->answer, worker->run->input.name, &worker->line, worker->row.fault);
    write_answer(worker);
    weir_yield();
}

int worker_task(void *arg)
{
    struct worker *worker = arg;
    struct run *run = worker->run;
    int rc = 0;
    while (run->stop == STOP_NOT && (rc = input_next(&run->input, &worker->line)) > 0) {
        if (run->stop != STOP_NOT)
            break;
        if (row_parse(&worker->row, &worker->line, &run->rules))
            send_row(worker);
        else
            refuse_row(worker);
        row_release(&worker->row);
        line_release(&worker->line);
    }
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
