/* What is said when the run is over, and the exit status that goes with it. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "defaults.h"
#include "exit_status.h"
#include "numbers.h"
#include "run.h"
#include "term.h"

#define PLAIN_NAME_MAX 60
#define NAMED_MAX      4

static const char *signal_name(int number)
{
    return number == SIGINT ? "SIGINT" : number == SIGTERM ? "SIGTERM" : "SIGHUP";
}

/* The rows that were read and are not in the output. */
static void describe_rest(char *dst, size_t room, uint64_t sent, uint64_t unsent)
{
    char sent_text[28];
    char unsent_text[28];
    format_count(sent_text, sent);
    format_count(unsent_text, unsent);
    if (sent > 0)
        snprintf(dst, room, "; %s more may have reached the server, %s had been read but not sent",
                 sent_text, unsent_text);
    else if (unsent > 0)
        snprintf(dst, room, "; %s more row%s had been read but not sent", unsent_text,
                 unsent == 1 ? "" : "s");
    else
        *dst = '\0';
}

/* Rows may be done and yet not be in the output: its reader did not take them, or it failed. */
static void describe_missing(const struct run *run, char *dst, size_t room)
{
    uint64_t sent = run->dropped_sent + report_rows(&run->report) - run->output.rows;
    uint64_t more = run->input.rows - run->output.rows;
    describe_rest(dst, room, sent, more > sent ? more - sent : 0);
}

static void say_what_is_done(const struct run *run, const char *why)
{
    char rows[28];
    char rest[160];
    describe_missing(run, rest, sizeof rest);
    complain("weir run: stopped by %s: %s holds %s rows%s", why, run->output.name,
             format_count(rows, run->output.rows), rest);
}

/* The run is stopped, and its clock with it. */
static void say_away(const struct run *run)
{
    char away[48];
    const struct outage *outage = &run->away->outage;
    complain("weir run: %s has been away for %s (--max-outage): %s", run->away->name,
             format_ms(away, run->ended_ms - outage->since_ms), run->away->why);
    say_what_is_done(run, "that");
}

/* Rows that are left undone while others went on. */
static int say_left(const struct run *run)
{
    char rows[28];
    complain("weir run: %s row%s not sent, since %s server was away: left for another run",
             format_count(rows, run->left), run->left == 1 ? " was" : "s were",
             run->left == 1 ? "its" : "their");
    return EXIT_UNREACHABLE;
}

/* The origin without user and password, which may stand before an @. */
static const char *server_name(const struct run *run)
{
    const char *host = run->origin != NULL ? strrchr(run->origin, '@') : NULL;
    return host != NULL ? host + 1 : run->origin != NULL ? run->origin : "the server";
}

static const char *unreachable_question(int rc)
{
    return rc == WEIR_ERESOLVE ? "is the name right, and this machine on the network"
           : rc == WEIR_ETLS   ? "does it speak https there, with a certificate this machine trusts"
                               : "is the server running";
}

/* For what the command line has an option of its own; NULL: it is the URL's matter. */
static const char *unreachable_advice(const struct run *run)
{
    const struct weir_net_opts *net = &run->options->connection.net;
    if (run->error == WEIR_ECERT)
        return net->ca_file == NULL && net->ca_dir == NULL && net->cert_file == NULL
                   ? "is it the right server? An authority of your own is trusted by --cacert"
                   : "check --cacert, --cert and --key, and the name in --base-url or the rows";
    if (run->error == WEIR_ETLS)
        return NULL;
    if (net->unix_socket != NULL)
        return "does a server listen at that socket? Check --unix-socket";
    if (net->proxy != NULL && net->proxy[0] != '\0')
        return "is the proxy running, and does it reach the server? Check --proxy";
    return NULL;
}

static void say_unreachable(const struct run *run)
{
    const char *advice = unreachable_advice(run);
    bool nothing_sent = run->report.attempts == 0 && run->dropped_sent == 0;
    const char *nothing = nothing_sent ? " Nothing was sent." : "";
    if (advice != NULL)
        complain("weir run: cannot connect to %s: %s; %s.%s", server_name(run), run->why, advice,
                 nothing);
    else
        complain("weir run: cannot connect to %s: %s; %s? Check %s.%s", server_name(run), run->why,
                 unreachable_question(run->error),
                 run->options->base_url != NULL ? "--base-url" : "the rows' URLs", nothing);
}

/* --header 'Authorization: ...', or another name that such headers have, may hold a key. */
static const char *advice_on_key(const struct options *options)
{
    return options->api_key == NULL && options->header_count == 0
               ? "no key was given: add --api-key-env or --header"
               : "check --api-key-env or --header";
}

static void say_refused(const struct run *run)
{
    complain("weir run: the server refused the first " STR(
                 AUTH_ROWS) " rows with %d (%s): stopped; %s",
             run->report.auth_status, run->why, advice_on_key(run->options));
}

static int say_baseless(const struct run *run)
{
    return usage_error("%s: \"url\" is relative: name the server of such rows with --base-url "
                       "https://HOST, or write whole URLs",
                       run->why);
}

static int say_output_failed(const struct run *run)
{
    char rows[28];
    char buf[64];
    char rest[160];
    describe_missing(run, rest, sizeof rest);
    if (run->output.error == EPIPE)
        complain("weir run: the reader of %s has gone: stopped", run->output.name);
    else
        complain("weir run: writing %s failed: %s; stopped with %s whole rows in it%s",
                 run->output.name, error_text(run->output.error, buf, sizeof buf),
                 format_count(rows, run->output.rows), rest);
    return EXIT_IO;
}

static int say_stopped(const struct run *run)
{
    switch (run->stop) {
    case STOP_SIGNAL:
        say_what_is_done(run, signal_name(run->signal));
        return EXIT_SIGNAL + run->signal;
    case STOP_UNREACHABLE:
        say_unreachable(run);
        return EXIT_UNREACHABLE;
    case STOP_AWAY:
        say_away(run);
        return EXIT_UNREACHABLE;
    case STOP_REFUSED:
        say_refused(run);
        return EXIT_AUTH;
    case STOP_BASELESS:
        return say_baseless(run);
    case STOP_FORM:
        return input_complain_of_form(&run->input, run->form);
    case STOP_INPUT:
        complain("weir run: reading %s failed after %" PRIu64 " rows: stopped", run->input.name,
                 run->input.rows);
        return EXIT_IO;
    case STOP_INTERNAL:
        complain("weir run: %s (%s): stopped", weir_strerror(run->error),
                 weir_err_name(run->error));
        return EXIT_INTERNAL;
    case STOP_NOT:
    case STOP_OUTPUT:
        break;
    }
    if (run->left > 0)
        return say_left(run);
    return run->report.failed > 0 ? EXIT_ROWS_FAILED : EXIT_DONE;
}

/* --- what may help ------------------------------------------------------------------------ */

/* How many servers' limits are known well enough to be named, which it does. */
static size_t name_learned(const struct run *run)
{
    size_t named = 0;
    bool several = run->servers.count > 1;
    for (const struct server *server = run->servers.first; server != NULL; server = server->next) {
        char rate[48];
        double per_s = server_sure_per_s(server, run->ended_ms - run->report.began_ms);
        if (per_s == 0)
            continue;
        if (++named > NAMED_MAX)
            continue;
        complain("weir run: %s lets about %.3g/s through: --rate %s %s starts there, without most "
                 "of the \"too fast\" answers",
                 server->name, per_s, format_rate(rate, per_s),
                 several ? "in a run for it alone" : "next time");
    }
    return named;
}

static void hint_at_rate(const struct run *run)
{
    const char *limit = run->server_limit;
    char told[64] = "";
    if (run->throttled == 0 || name_learned(run) > 0)
        return;
    if (*limit != '\0')
        snprintf(told, sizeof told, " (the server's x-ratelimit-limit-requests: %s)", limit);
    if (run->options->rate > 0)
        complain("weir run: a lower --rate than %s would avoid the \"too fast\" answers%s",
                 run->options->rate_text, told);
    else
        complain("weir run: giving a --rate would avoid the \"too fast\" answers%s", told);
}

/* Whether the name can be copied into a shell, and leaves the line short. */
static bool is_plain(const char *name)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._/-";
    size_t len = strspn(name, plain);
    return name[len] == '\0' && len <= PLAIN_NAME_MAX && *name != '-';
}

static void hint_at_failed_rows(const struct run *run)
{
    const struct output *output = &run->output;
    if (run->report.failed > 0 && output->path != NULL && output->regular && output->error == 0 &&
        is_plain(output->path))
        complain("weir run: failed rows: jq 'select(.error != null) | .row' %s", output->path);
}

static void say_whether_http2(const struct run *run)
{
    char attempts[28];
    char connections[28];
    if (run->options->connection.net.http2 != WEIR_HTTP2_OFF)
        complain("weir run: --http2: %s attempts were answered in HTTP/2; %s connections made",
                 format_count(attempts, run->http2_attempts),
                 format_count(connections, run->connections));
}

static void sum_up(const struct run *run)
{
    report_print(&run->report, run->input.name, run->output.name, run->attempts, run->throttled,
                 run->ended_ms);
    say_whether_http2(run);
    if (run->input.rows == 0 && run->stop == STOP_NOT)
        complain("weir run: %s holds no row", run->input.name);
    hint_at_rate(run);
    hint_at_failed_rows(run);
}

int run_conclude(struct run *run)
{
    int status = say_stopped(run);
    if (run->output.error != 0)
        status = say_output_failed(run);
    if (run->options->progress != PROGRESS_NONE && run->stop != STOP_UNREACHABLE &&
        status != EXIT_USAGE)
        sum_up(run);
    return status;
}
