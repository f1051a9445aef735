/* The way of a request, top to bottom:
 *     deadline -> retry { circuit -> admission -> attempt (or two) -> decide -> backoff }
 * docs/design/client.md says why in this order. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/opts.h"
#include "client/call.h"
#include "http/url.h"
#include "policy/backoff.h"
#include "provider/provider.h"

/* ---- would another help, and when? ---- */

/* When a new attempt may begin at the latest. */
static int64_t last_start_ns(const struct weir__call *call)
{
    int64_t max_ms = call->client->retry.max_elapsed_ms;
    if (max_ms == 0 || call->at.number == 0)
        return INT64_MAX;
    return weir__ns_add(call->at.started_ns, weir__ms_to_ns(max_ms));
}

static int64_t later_ns(int64_t a_ns, int64_t b_ns)
{
    return a_ns > b_ns ? a_ns : b_ns;
}

static enum weir_why decide(struct weir__call *call, int64_t *wait_ns)
{
    const weir_client *client = call->client;
    struct weir__rt *rt = client->rt;
    enum weir_why why = weir__retry_decide(&client->retry, &call->at, &rt->rand, wait_ns);
    if (!weir_why_again(why))
        return why;
    if (!weir__source_can_repeat(&call->source))
        return WEIR_WHY_BODY;
    int64_t turn_ns = weir__admission_earliest_ns(call->limiter, &call->stay, call->amount);
    struct weir__retry_bounds bounds = {
        .now_ns = weir__now_ns(rt),
        .turn_ns = later_ns(turn_ns, weir__circuit_earliest_ns(client->circuit)),
        .deadline_ns = weir__deadline_ns(rt->current),
    };
    return weir__retry_afford(&client->retry, &call->at, why, &bounds, wait_ns);
}

/* ---- retry ---- */

/* The circuit is asked before the queue, so that nobody queues in vain, and behind it, since it may
 * have opened meanwhile. Nothing is held while waiting for it. */
static int admit(struct weir__call *call)
{
    weir_client *client = call->client;
    call->pass = (struct weir__pass){.again = call->at.number > 0};
    call->queued_ns = weir__now_ns(client->rt);
    for (;;) {
        int rc =
            weir__circuit_await(client->circuit, call->limiter, &call->pass, last_start_ns(call));
        if (rc == 0)
            rc = weir__admission_enter(call->limiter, &call->stay, call->amount);
        if (rc < 0 || weir__circuit_enter(client->circuit, &call->pass))
            return rc;
        weir__admission_leave(call->limiter, &call->stay, WEIR__WENT_UNUSED, NULL);
    }
}

/* Nothing is held here. A throttled attempt has no wait of its own: the gate has. */
static int sleep_and_admit(struct weir__call *call, int64_t wait_ns)
{
    weir_limiter *limiter = call->limiter;
    int64_t start_ns = weir__ns_add(weir__now_ns(call->client->rt), wait_ns);
    int rc = wait_ns > 0 ? weir__admission_sleep(limiter, start_ns) : 0;
    call->slept_ns = wait_ns;
    return rc == 0 ? admit(call) : rc;
}

/* Why there is no other attempt although one was decided on. */
static enum weir_why not_admitted(int rc)
{
    switch (rc) {
    case WEIR_EDEADLINE:
        return WEIR_WHY_DEADLINE;
    case WEIR_EPAUSED:
        return WEIR_WHY_SERVER_WAIT;
    case WEIR_EOPEN:
        return WEIR_WHY_OPEN;
    case WEIR_ECLOSED:
        return WEIR_WHY_CLOSED;
    default:
        return WEIR_WHY_CANCELED;
    }
}

/* What refused it at once, and until when. */
static void explain_refusal(struct weir__call *call, int rc)
{
    const weir_client *client = call->client;
    int64_t now_ns = weir__now_ns(client->rt), open_ns = call->limiter->gate.open_ns;
    int64_t turn_ns = weir__admission_earliest_ns(call->limiter, &call->stay, call->amount);
    turn_ns = later_ns(turn_ns, weir__circuit_earliest_ns(client->circuit));
    bool paused = open_ns > now_ns;
    int64_t left_ms = weir__ns_to_ms_up(paused ? open_ns - now_ns : turn_ns - now_ns);
    char text[sizeof call->response->error_text];
    snprintf(text, sizeof text,
             paused ? "%s; the server's pause ends in %lld ms"
                    : "%s; its turn comes in %lld ms at the earliest",
             weir_strerror(rc), (long long)left_ms);
    weir_response_set_failure(call->response, call->response->sent, text);
}

static int fail(struct weir__call *call, int rc)
{
    weir_response *response = call->response;
    response->error = rc;
    if (rc < 0)
        weir_response_set_failure(response, response->sent, weir_strerror(rc));
    if (rc == WEIR_EOPEN)
        weir__circuit_explain(call->client->circuit, response);
    if (rc == WEIR_EDEADLINE || rc == WEIR_EPAUSED)
        explain_refusal(call, rc);
    return rc;
}

/* The last real outcome, unless the caller's hook makes another of it. */
static int end(struct weir__call *call, enum weir_why why)
{
    int rc = weir__retry_give_up(&call->client->retry, &call->at, why);
    return rc == call->at.rc ? rc : fail(call, rc);
}

/* The caller's rule wants another answer than a good one whose content is still to come, or none.
 * True: there was one. */
static bool drop(struct weir__call *call)
{
    if (!weir__call_is_open(call))
        return false;
    weir__opened_end(call->opened);
    weir__observe_attempt_dropped(&call->client->observer, &call->at);
    return true;
}

static int run(struct weir__call *call)
{
    int rc = admit(call);
    while (rc == 0) {
        int64_t wait_ns = 0;
        int result = weir__call_may_race(call) ? weir__call_race(call) : weir__attempt(call);
        enum weir_why why = WEIR_WHY_CANCELED;
        if (result != WEIR_ECANCELED)
            why = decide(call, &wait_ns);
        weir__record_why(call, why, wait_ns);
        if (!weir_why_again(why))
            return end(call, why);
        weir__observe_retry(&call->client->observer, &call->prepared.exchange, &call->at, why,
                            wait_ns);
        bool dropped = drop(call); /* it cannot be the outcome any more */
        rc = sleep_and_admit(call, wait_ns);
        if (rc < 0) {
            weir__retry_undo(&call->client->retry, &call->at);
            weir__record_why(call, not_admitted(rc), wait_ns);
        }
        if (!dropped && (rc == WEIR_EDEADLINE || rc == WEIR_EPAUSED || rc == WEIR_EOPEN))
            return end(call, not_admitted(rc));
    }
    return fail(call, rc);
}

/* ---- deadline ---- */

static int run_within(struct weir__call *call, int64_t timeout_ms)
{
    weir_deadline limit;
    if (timeout_ms <= 0)
        return run(call);
    weir_deadline_begin_ms(&limit, timeout_ms);
    int rc = weir_deadline_end(&limit, run(call));
    if (rc == WEIR_ETIMEDOUT) {
        call->response->error = rc;
        weir_response_set_failure(call->response, call->response->sent, weir_strerror(rc));
    }
    return rc;
}

static int64_t timeout_of(const weir_client *client, const struct weir_request *request)
{
    return request->timeout_ms != 0 ? request->timeout_ms : client->timeout_ms;
}

/* An estimate of our own that passes what can be had at all is cut to that: the request may well
 * cost less, and if not, its usage makes a debt. */
static uint64_t tokens_of(const struct weir__call *call, const struct weir_request *request)
{
    const struct weir__limits *limits = &call->limiter->limits;
    const struct weir_exchange *exchange = &call->prepared.exchange;
    if (request->tokens > 0 || exchange->body == NULL || !weir__limits_count(limits, WEIR_TOKENS))
        return request->tokens;
    uint64_t estimate = weir__provider_reserve(exchange->url, exchange->headers, exchange->body,
                                               exchange->body_len);
    uint64_t most = weir__limits_most(limits, WEIR_TOKENS);
    return estimate < most ? estimate : most;
}

/* Not inlined: the text would lie on the task's stack as long as the call. */
static __attribute__((noinline)) int use_servers_limiter(struct weir__call *call)
{
    char origin[WEIR_LIMIT_KEY_MAX + 1];
    size_t len = weir__url_origin(origin, sizeof origin, call->prepared.url);
    return weir__limiters_use(call->client->limiters, origin, len, &call->limiter);
}

/* Looked up once, and in use as long as the call. */
static int find_limiter(struct weir__call *call, const struct weir_request *request)
{
    const weir_client *client = call->client;
    const char *key = request->limit_key;
    if (client->limiters == NULL) {
        call->limiter = client->limiter;
        return key == NULL ? 0
                           : weir__response_refuse(call->response, WEIR_EINVAL,
                                                   ".limit_key is set, but the client has no "
                                                   ".limiters");
    }
    if (key == NULL)
        return use_servers_limiter(call);
    size_t len = strnlen(key, WEIR_LIMIT_KEY_MAX + 1);
    return weir__limiters_use(client->limiters, key, len, &call->limiter);
}

static void leave_limiter(const struct weir__call *call)
{
    if (call->client->limiters != NULL && call->limiter != NULL)
        weir__admission_let_go(call->limiter);
}

/* What is wrong with it, the response says. */
static int check_and_prepare(struct weir__call *call, const struct weir_request *given,
                             struct weir_request *request)
{
    int rc = weir__opts_copy(request, sizeof *request, given);
    if (rc < 0)
        return weir__response_refuse(call->response, rc, weir__unknown_size);
    rc = weir__source_init(&call->source, request->body_from);
    if (rc < 0)
        return weir__response_refuse(call->response, rc,
                                     ".body_from is not made with WEIR_BODY(...), or has no .read");
    rc = weir__prepare(call->client, request, call->response, &call->prepared);
    if (rc == 0 && call->client->plain.matters)
        weir__plain_warn(&call->client->plain, &call->client->observer, call->prepared.url);
    return rc < 0 ? rc : find_limiter(call, request);
}

static int run_request(struct weir__call *call, const struct weir_request *given)
{
    struct weir_request request;
    int rc = check_and_prepare(call, given, &request);
    if (rc < 0 && call->response->error == 0)
        weir__response_refuse(call->response, rc, weir_strerror(rc));
    if (rc < 0)
        return rc;
    call->at.user = request.user;
    call->amount = request.amount > 0 ? request.amount : 1;
    call->at.replay = call->prepared.exchange.replay;
    call->stay.want.of[WEIR_TOKENS] = tokens_of(call, &request);
    call->stay.priority = request.priority;
    return run_within(call, timeout_of(call->client, &request));
}

/* A good answer that is read as a stream ends with that. */
static void observe_end(struct weir__call *call, int rc)
{
    weir_client *client = call->client;
    const struct weir_exchange *exchange = &call->prepared.exchange;
    struct weir__opened *opened = call->opened;
    if (rc < 0 || opened == NULL || call->response->status >= 400) {
        weir__observe_end(&client->observer, exchange, &call->at, call->record.why, rc);
        return;
    }
    opened->content.sending = opened->download != NULL;
    weir__observe_content_begin(&client->observer, &opened->content, exchange, &call->at,
                                call->record.why, weir__now_ns(client->rt));
}

static int run_counted(struct weir__call *call, const struct weir_request *request)
{
    weir_client *client = call->client;
    call->at = (struct weir_attempt){.server_wait_ms = -1, .response = call->response};
    call->stay.counted = call->stay.learns = true;
    call->stay.max_pause_ns = weir__ms_to_ns(client->retry.server_wait_max_ms);
    client->calls++;
    weir__observe_begin(&client->observer);
    int rc = run_request(call, request);
    observe_end(call, rc);
    call->response->secrets = NULL; /* it outlives them */
    weir__prepared_free(&call->prepared);
    weir__source_free(&call->source);
    leave_limiter(call);
    client->calls--;
    return rc;
}

int weir__refused(const weir_client *client, weir_response **out, const char *why)
{
    int rc = WEIR_EINVAL;
    if (client == NULL) {
        why = "the client is NULL: what did weir_client_new return?";
    } else if (!weir__client_is_here(client)) {
        rc = WEIR_ENORUNTIME;
        why = weir__home_has_ended(&client->home)
                  ? "the client's runtime has ended"
                  : "the client belongs to the runtime of another thread";
    }
    *out = weir__response_new(0);
    return *out != NULL ? weir__response_refuse(*out, rc, why) : WEIR_ENOMEM;
}

int weir_request(weir_client *client, const struct weir_request *request, weir_response **out)
{
    if (out == NULL)
        return WEIR_EINVAL;
    if (!weir__client_is_here(client))
        return weir__refused(client, out, NULL);
    *out = weir__response_new(client->max_body);
    if (*out == NULL)
        return WEIR_ENOMEM;
    struct weir__call call = {.client = client, .response = *out};
    return run_counted(&call, request);
}

/* ---- the same for a stream ---- */

int weir__open(weir_client *client, const struct weir_request *request, weir_response *response,
               struct weir__opened *opened)
{
    struct weir__call call = {.client = client, .response = response, .opened = opened};
    opened->download = NULL;
    opened->used = -1;
    int rc = run_counted(&call, request);
    if (rc < 0)
        drop(&call);
    return rc;
}

void weir__opened_end(struct weir__opened *opened)
{
    if (opened->download == NULL)
        return;
    weir__curl_close(opened->download);
    opened->download = NULL;
    weir__admission_end(opened->limiter, &opened->stay, WEIR__WENT_UNKNOWN, opened->used);
    opened->limiter = NULL;
}
