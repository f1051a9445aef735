#include "reach.h"

#include <stdio.h>
#include <string.h>

#include "defaults.h"
#include "numbers.h"
#include "term.h"

/* Away for shorter than this is not worth a line. */
#define WORTH_TELLING_MS INT64_C(3000)
/* Somebody else finds out, and may fail to tell. */
#define GLANCE_MS INT64_C(1000)

/* --- what is said of it ------------------------------------------------------------------- */

static bool says_nothing(const struct run *run)
{
    return run->options->progress == PROGRESS_NONE;
}

static void tell_away(const struct run *run, struct server *server)
{
    char most[48];
    const struct outage *outage = &server->outage;
    if (server->told || says_nothing(run) || !outage->reached || outage->given_up ||
        weir_now_ms() - outage->since_ms < WORTH_TELLING_MS)
        return;
    server->told = true;
    complain("weir run: %s has gone away (%s): its rows wait, and one at a time finds out whether "
             "it is back, for up to %s (--max-outage)",
             server->name, server->why, format_ms(most, run->options->outage_ms));
}

static void tell_back(const struct run *run, struct server *server, int64_t since_ms)
{
    char away[48];
    if (server->told && !says_nothing(run))
        complain("weir run: %s is back after %s", server->name,
                 format_ms(away, weir_now_ms() - since_ms));
    server->told = false;
}

static void tell_given_up(const struct run *run, const struct server *server)
{
    char away[48];
    if (!says_nothing(run) && server->outage.reached && !servers_all_given_up(&run->servers))
        complain("weir run: %s has been away for %s (%s): given up, its rows are left for another "
                 "run",
                 server->name, format_ms(away, weir_now_ms() - server->outage.since_ms),
                 server->why);
}

/* --- attempts ----------------------------------------------------------------------------- */

static bool is_away(int rc)
{
    return rc == WEIR_ECONNECT || rc == WEIR_ERESOLVE;
}

/* Of a server that has lost its power nothing is heard, and what it was asked before times out; one
 * that ends resets its connections. One that finds out has at least come to connect. */
static bool is_sign_of_life(const struct job *job, int rc)
{
    return job->probes || (rc != WEIR_EATTEMPTTIME && rc != WEIR_EIDLE && rc != WEIR_ETIMEDOUT &&
                           rc != WEIR_ERESET);
}

static void note_why(struct server *server, const struct weir_attempt *attempt)
{
    const char *why = weir_response_error_text(attempt->response);
    server->error = attempt->rc;
    term_safe(server->why, sizeof server->why, why, strlen(why));
}

static void hear(struct job *job)
{
    struct server *server = job->server;
    int64_t since_ms = server->outage.since_ms;
    if (!outage_heard(&server->outage, weir_now_ms()))
        return;
    tell_back(job->run, server, since_ms);
    weir_event_set(server->changed);
}

static bool miss(struct job *job, const struct weir_attempt *attempt)
{
    struct server *server = job->server;
    bool given_up = server->outage.given_up;
    if (!outage_missed(&server->outage, &job->run->servers.rules, job->probes, job->began_ms,
                       weir_now_ms()))
        return false;
    note_why(server, attempt);
    weir_event_clear(server->changed);
    if (!given_up && server->outage.given_up) {
        tell_given_up(job->run, server);
        weir_event_set(server->changed);
    }
    tell_away(job->run, server);
    return true;
}

bool reach_hear(struct job *job, const struct weir_attempt *attempt)
{
    if (job->server == NULL || job->shortage)
        return false;
    if (is_away(attempt->rc) && attempt->sent == WEIR_SENT_NEVER)
        job->waits = miss(job, attempt);
    else if (is_sign_of_life(job, attempt->rc))
        hear(job);
    return job->waits;
}

bool reach_goes_on(struct job *job)
{
    if (job->probes)
        outage_probed(&job->server->outage);
    job->probes = false;
    return job->waits;
}

/* --- waiting ------------------------------------------------------------------------------ */

/* Beyond half of the room its rows do not wait, where rows for another server could be sent. */
static bool is_crowded(const struct run *run, const struct server *server)
{
    return !outage_is_patient(&server->outage, weir_now_ms()) &&
           run->servers.waiting > run->room / 2 && servers_one_is_there(&run->servers);
}

static int wait_for_change(struct server *server)
{
    weir_deadline limit;
    int64_t now_ms = weir_now_ms();
    int64_t until_ms = server->outage.next_ms;
    if (server->outage.probing)
        until_ms = now_ms + GLANCE_MS;
    weir_deadline_begin_at_ms(&limit, until_ms);
    int rc = weir_deadline_end(&limit, weir_event_wait(server->changed));
    return rc == WEIR_ETIMEDOUT ? 0 : rc;
}

/* A server that was there will be there again, and then its rows are still to do. */
static int give_up(struct job *job)
{
    struct run *run = job->run;
    struct server *server = job->server;
    job->waits = false;
    if (server->outage.reached) {
        if (servers_all_given_up(&run->servers) && run->stop == STOP_NOT) {
            run->away = server;
            run_stop(run, STOP_AWAY, STOP_DRAIN);
        }
        return REACH_LEFT;
    }
    answer_unreachable(&job->answer, server->error, server->why);
    return REACH_FAILED;
}

static int await(struct job *job)
{
    struct run *run = job->run;
    struct server *server = job->server;
    for (;;) {
        enum outage_turn turn = outage_turn(&server->outage, weir_now_ms());
        job->probes = turn == OUTAGE_PROBE;
        if (turn == OUTAGE_CLOSED || turn == OUTAGE_PROBE)
            return REACH_SEND;
        if (turn == OUTAGE_GIVEN_UP || is_crowded(run, server))
            return give_up(job);
        job_leave_place(job);
        int rc = wait_for_change(server);
        if (rc < 0)
            return rc;
    }
}

int reach_await(struct job *job)
{
    struct run *run = job->run;
    job->waits = false;
    if (job->server == NULL)
        return REACH_SEND;
    run->servers.waiting++;
    int rc = await(job);
    run->servers.waiting--;
    return rc;
}
