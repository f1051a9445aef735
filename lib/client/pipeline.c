/* The way of a request, top to bottom:
 *     deadline -> retry { circuit -> admission -> attempt (or two) -> decide -> backoff }
 * docs/design/client.md says why in this order. */
#include "base/clock.h"
#include "base/opts.h"
#include "client/client.h"
#include "http/response.h"
#include "policy/backoff.h"
#include "provider/provider.h"

struct call {
    weir_client *client;
    struct weir__prepared prepared;
    struct weir__stay stay;
    struct weir__pass pass;            /* of the circuit breaker */
    uint64_t amount;                   /* requests to take from the limiter per attempt */
    struct weir_attempt at;            /* the present attempt, and what came before it */
    struct weir_attempt_record record; /* of it */
    int64_t slept_ns;                  /* before it */
    int64_t queued_ns;                 /* when it began to wait for its turn */
    bool begun;                        /* it was; what it took for it, it gives back */
    struct weir__opened *opened;       /* of a stream; NULL: the answer is wanted whole */
    weir_response *response;
};

/* ---- history ---- */

static int64_t whole_ms(int64_t time_ns)
{
    return time_ns / WEIR__NS_PER_MS;
}

/* What it has waited for since the attempt before. */
static int64_t blocked_ms(struct weir__stay *stay, enum weir_blocked by)
{
    int64_t time_ns = stay->blocked_ns[by];
    stay->blocked_ns[by] = 0;
    return whole_ms(time_ns);
}

static void record_begin(struct call *call)
{
    struct weir__stay *stay = &call->stay;
    call->record = (struct weir_attempt_record){
        .number = call->at.number,
        .started_ms = whole_ms(stay->admitted_ns),
        .blocked_backoff_ms = whole_ms(call->slept_ns),
        .blocked_turn_ms = whole_ms(stay->admitted_ns - call->queued_ns),
        .blocked_requests_ms = blocked_ms(stay, WEIR_BLOCKED_RATE),
        .blocked_tokens_ms = blocked_ms(stay, WEIR_BLOCKED_TOKENS),
        .blocked_concurrency_ms = blocked_ms(stay, WEIR_BLOCKED_CONCURRENCY),
        .blocked_gate_ms = blocked_ms(stay, WEIR_BLOCKED_GATE),
    };
}

static void record_result(struct call *call)
{
    struct weir_attempt_record *record = &call->record;
    const struct weir_attempt *at = &call->at;
    record->rc = at->rc;
    record->status = at->status;
    record->outcome = at->outcome;
    record->sent = at->sent;
    record->server_wait_ms = at->server_wait_ms;
    record->took_ms = whole_ms(at->started_ns + at->elapsed_ns) - record->started_ms;
}

/* Keeps it, with the reason of what comes next. */
static void record_why(struct call *call, enum weir_why why, int64_t wait_ns)
{
    call->record.why = why;
    call->record.wait_ms = whole_ms(wait_ns);
    if (call->begun)
        weir__history_put(&call->response->history, &call->record);
}

/* ---- attempt ---- */

static enum weir__went went_of(const weir_response *response)
{
    if (response->outcome == WEIR_OUTCOME_THROTTLED)
        return WEIR__WENT_THROTTLED;
    if (response->sent == WEIR_SENT_NEVER)
        return WEIR__WENT_UNUSED;
    return response->sent == WEIR_SENT_ANSWERED ? WEIR__WENT_ANSWERED : WEIR__WENT_UNKNOWN;
}

static int classify(weir_response *response, int rc, struct weir__told *told)
{
    *told = (struct weir__told){.wait_ms = -1, .used = -1};
    if (rc == 0 && response->status == 0) { /* a transport of the caller's that said nothing */
        rc = WEIR_EPROTO;
        weir_response_set_failure(response, WEIR_SENT_MAYBE, "the transport gave no status");
    }
    response->error = rc;
    if (rc == 0) {
        if (response->status >= 400)
            told->wait_ms = weir__provider_wait_ms(response, weir__clock_wall_s());
        response->server_wait_ms = told->wait_ms;
        response->outcome = weir__outcome_told(response->status, told);
    }
    return rc;
}

/* What the decision, the caller's rules and hooks, and the history see of it. */
static void tell(struct call *call, const struct weir__told *told)
{
    const weir_response *response = call->response;
    struct weir_attempt *at = &call->at;
    at->rc = response->error;
    at->status = response->status;
    at->outcome = response->outcome;
    at->sent = response->sent;
    at->throttled += response->outcome == WEIR_OUTCOME_THROTTLED;
    at->server_wait_ms = response->server_wait_ms;
    at->verdict = weir__verdict_of(told->verdict);
    at->cause = told->cause;
    weir__retry_ended(at, weir__now_ns(call->client->rt));
    record_result(call);
    weir__observe_attempt_end(&call->client->observer, &call->prepared.exchange, at,
                              at->started_ns + at->elapsed_ns - call->stay.admitted_ns);
}

/* What the answer says it has cost in tokens; -1: it does not say, or no limit counts them. */
static int64_t used_tokens(const struct call *call)
{
    bool counted = weir__limits_count(&call->client->limiter->limits, WEIR_TOKENS);
    return counted && call->response->error == 0 ? weir__provider_used(call->response) : -1;
}

static int carry_out(struct call *call)
{
    const struct weir_transport *transport = &call->client->transport;
    const struct weir_exchange *exchange = &call->prepared.exchange;
    struct weir__opened *opened = call->opened;
    if (opened != NULL && call->client->opens)
        return weir__curl_open(transport->self, exchange, opened->room, call->response,
                               &opened->download);
    return transport->perform(transport->self, exchange, call->response);
}

/* A stream has its answer, and the content is still to come. */
static bool is_open(const struct call *call)
{
    return call->opened != NULL && call->opened->download != NULL;
}

/* One attempt of an admitted call; its place is given back when it ends, that of a stream when the
 * stream does. */
static int attempt(struct call *call)
{
    weir_response *response = call->response;
    struct weir__told told;
    call->begun = true;
    weir__retry_begin(&call->client->retry, &call->at, call->stay.admitted_ns);
    record_begin(call);
    weir__response_reset(response);
    call->prepared.exchange.attempt = response->attempts = call->at.number;
    response->sent = WEIR_SENT_MAYBE; /* unless the transport knows better */
    weir__observe_attempt_begin(&call->client->observer, &call->prepared.exchange);
    int rc = classify(response, carry_out(call), &told);
    tell(call, &told);
    weir__circuit_leave(call->client->circuit, &call->pass, response);
    if (is_open(call)) {
        call->opened->stay = call->stay;
        return rc;
    }
    weir__admission_settle(call->client->limiter, &call->stay, used_tokens(call));
    weir__admission_leave(call->client->limiter, &call->stay, went_of(response),
                          response->server_wait_ms);
    return rc;
}

/* ---- or two that race ---- */

/* The second one is a copy of the call with a response of its own. */
struct pair {
    struct call *calls[2]; /* the second is NULL unless it took a place */
    struct call second;
};

static int run_first(void *arg)
{
    return attempt(((struct pair *)arg)->calls[0]);
}

static int run_second(void *arg)
{
    return attempt(((struct pair *)arg)->calls[1]);
}

/* A 4xx wins, too: the other would be answered the same. */
static enum weir__rank rank(void *arg, int which)
{
    const struct call *call = ((struct pair *)arg)->calls[which];
    const weir_response *response = call->response;
    if (!call->begun)
        return WEIR__RANK_NONE;
    if (response->outcome == WEIR_OUTCOME_OK || response->outcome == WEIR_OUTCOME_CLIENT_ERROR)
        return WEIR__RANK_WINS;
    return response->error == 0 ? WEIR__RANK_ANSWERED : WEIR__RANK_FAILED;
}

static void give_back(struct call *call)
{
    weir__circuit_give_back(call->client->circuit, &call->pass);
    weir__admission_leave(call->client->limiter, &call->stay, WEIR__WENT_UNUSED, -1);
}

static bool prepare_second(void *arg)
{
    struct pair *pair = arg;
    struct call *second = &pair->second;
    weir_client *client = second->client;
    second->response = weir__response_new(client->max_body);
    if (second->response == NULL)
        return false;
    second->at.response = second->response;
    if (!weir__circuit_enter_closed(client->circuit, &second->pass))
        return false;
    if (weir__admission_try(client->limiter, &second->stay, second->amount) == 0)
        pair->calls[1] = second;
    else
        weir__circuit_give_back(client->circuit, &second->pass);
    second->queued_ns = second->stay.admitted_ns; /* it did not wait */
    return pair->calls[1] != NULL;
}

static void swap_answers(weir_response *a, weir_response *b)
{
    weir_response then = *a;
    struct weir__history history = a->history;
    *a = *b;
    *b = then;
    b->history = a->history;
    a->history = history;
}

/* The best one becomes the call's own. */
static void join_begun(struct call *call, struct call *second, int best)
{
    struct call first = *call;
    const struct call *loser = best == 1 ? &first : second;
    if (best == 1) {
        swap_answers(call->response, second->response);
        call->at = second->at;
        call->record = second->record;
    }
    call->at.number = call->response->attempts = second->at.number;
    call->at.throttled = first.at.throttled + second->at.throttled;
    call->at.response = call->response;
    struct weir_attempt_record lost = loser->record;
    lost.why = WEIR_WHY_RACE;
    weir__history_put(&call->response->history, &lost);
}

/* Puts into the call what both have come to. */
static void join(struct call *call, struct pair *pair, int best)
{
    struct call *second = &pair->second;
    if (pair->calls[1] != NULL && !second->begun)
        give_back(second);
    else if (pair->calls[1] != NULL)
        join_begun(call, second, best);
    weir_response_free(second->response);
}

/* The number of the second follows that of the first, which is still to begin. */
static struct call second_of(const struct call *call)
{
    struct call second = *call;
    second.stay = (struct weir__stay){.counted = true,
                                      .priority = call->stay.priority,
                                      .want = call->stay.want};
    second.pass = (struct weir__pass){.held = false};
    second.response = NULL;
    second.slept_ns = 0;
    second.begun = false;
    if (second.at.number++ == 0)
        second.at.started_ns = call->stay.admitted_ns;
    return second;
}

static int race(struct call *call)
{
    struct pair pair = {.calls = {call}, .second = second_of(call)};
    struct weir__race race = {
        .arg = &pair,
        .runners = {run_first, run_second},
        .prepare_second = prepare_second,
        .rank = rank,
    };
    call->begun = false;
    int rc = weir__hedge_race(call->client->hedger, &race);
    join(call, &pair, race.best);
    if (rc == 0)
        return call->response->error;
    if (rc != WEIR_ECANCELED)
        return attempt(call); /* no room for two: one, then */
    if (!call->begun)
        give_back(call);
    enum weir_sent sent = call->response->sent;
    weir__response_reset(call->response); /* an answer may have come at the same moment */
    call->at.rc = call->record.rc = call->response->error = rc;
    weir_response_set_failure(call->response, sent, weir_strerror(rc));
    return rc;
}

/* What was told to slow down is not sent twice, nor beyond the number of attempts. Streams do not
 * race: the loser might have begun to bring content, too. */
static bool may_race(const struct call *call)
{
    return call->client->hedger != NULL && call->opened == NULL &&
           call->prepared.exchange.replay != 0 && call->at.throttled == 0 &&
           weir__retry_allows_two(&call->client->retry, &call->at);
}

/* ---- would another help, and when? ---- */

/* When a new attempt may begin at the latest. */
static int64_t last_start_ns(const struct call *call)
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

static enum weir_why decide(struct call *call, int64_t *wait_ns)
{
    const weir_client *client = call->client;
    struct weir__rt *rt = client->rt;
    enum weir_why why = weir__retry_decide(&client->retry, &call->at, &rt->rand, wait_ns);
    if (!weir_why_again(why))
        return why;
    int64_t turn_ns = weir__admission_earliest_ns(client->limiter, &call->stay, call->amount);
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
static int admit(struct call *call)
{
    weir_client *client = call->client;
    call->pass = (struct weir__pass){.again = call->at.number > 0};
    call->queued_ns = weir__now_ns(client->rt);
    for (;;) {
        int rc = weir__circuit_await(client->circuit, &call->pass, last_start_ns(call));
        if (rc == 0)
            rc = weir__admission_enter(client->limiter, &call->stay, call->amount);
        if (rc < 0 || weir__circuit_enter(client->circuit, &call->pass))
            return rc;
        weir__admission_leave(client->limiter, &call->stay, WEIR__WENT_UNUSED, -1);
    }
}

/* Nothing is held here. A throttled attempt has no wait of its own: the gate has. */
static int sleep_and_admit(struct call *call, int64_t wait_ns)
{
    weir_limiter *limiter = call->client->limiter;
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

static int fail(struct call *call, int rc)
{
    weir_response *response = call->response;
    response->error = rc;
    if (rc < 0)
        weir_response_set_failure(response, response->sent, weir_strerror(rc));
    if (rc == WEIR_EOPEN)
        weir__circuit_explain(call->client->circuit, response);
    return rc;
}

/* The last real outcome, unless the caller's hook makes another of it. */
static int end(struct call *call, enum weir_why why)
{
    int rc = weir__retry_give_up(&call->client->retry, &call->at, why);
    return rc == call->at.rc ? rc : fail(call, rc);
}

static int run(struct call *call)
{
    int rc = admit(call);
    while (rc == 0) {
        int64_t wait_ns = 0;
        int result = may_race(call) ? race(call) : attempt(call);
        enum weir_why why = WEIR_WHY_CANCELED;
        if (result != WEIR_ECANCELED)
            why = decide(call, &wait_ns);
        record_why(call, why, wait_ns);
        if (!weir_why_again(why))
            return end(call, why);
        weir__observe_retry(&call->client->observer, &call->prepared.exchange, &call->at, why,
                            wait_ns);
        if (is_open(call)) /* the caller's rule wants another answer than a good one */
            weir__opened_end(call->client, call->opened);
        rc = sleep_and_admit(call, wait_ns);
        if (rc < 0) {
            weir__retry_undo(&call->client->retry, &call->at);
            record_why(call, not_admitted(rc), wait_ns);
        }
        if (rc == WEIR_EDEADLINE || rc == WEIR_EPAUSED || rc == WEIR_EOPEN)
            return end(call, not_admitted(rc));
    }
    return fail(call, rc);
}

/* ---- deadline ---- */

static int run_within(struct call *call, int64_t timeout_ms)
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

static int run_request(struct call *call, const struct weir_request *given)
{
    struct weir_request request;
    int rc = weir__opts_copy(&request, sizeof request, given);
    if (rc == 0)
        rc = weir__prepare(call->client, &request, &call->prepared);
    if (rc < 0) {
        call->response->error = rc;
        weir_response_set_failure(call->response, WEIR_SENT_NEVER, weir_strerror(rc));
        return rc;
    }
    call->amount = request.amount > 0 ? request.amount : 1;
    call->at.replay = call->prepared.exchange.replay;
    call->stay.want.of[WEIR_TOKENS] = request.tokens;
    call->stay.priority = request.priority;
    return run_within(call, timeout_of(call->client, &request));
}

static int run_counted(struct call *call, const struct weir_request *request)
{
    weir_client *client = call->client;
    call->at = (struct weir_attempt){.server_wait_ms = -1, .response = call->response};
    call->stay.counted = true;
    call->stay.max_pause_ns = weir__ms_to_ns(client->retry.server_wait_max_ms);
    client->calls++;
    weir__observe_begin(&client->observer);
    int rc = run_request(call, request);
    weir__observe_end(&client->observer, &call->prepared.exchange, &call->at, call->record.why, rc);
    weir__prepared_free(&call->prepared);
    client->calls--;
    return rc;
}

int weir_request(weir_client *client, const struct weir_request *request, weir_response **out)
{
    *out = weir__response_new(client->max_body);
    if (*out == NULL)
        return WEIR_ENOMEM;
    struct call call = {.client = client, .response = *out};
    return run_counted(&call, request);
}

/* ---- the same for a stream ---- */

int weir__open(weir_client *client, const struct weir_request *request, weir_response *response,
               struct weir__opened *opened)
{
    struct call call = {.client = client, .response = response, .opened = opened};
    opened->download = NULL;
    opened->used = -1;
    int rc = run_counted(&call, request);
    if (rc < 0)
        weir__opened_end(client, opened);
    return rc;
}

void weir__opened_end(weir_client *client, struct weir__opened *opened)
{
    if (opened->download == NULL)
        return;
    weir__curl_close(opened->download);
    opened->download = NULL;
    weir__admission_settle(client->limiter, &opened->stay, opened->used);
    weir__admission_leave(client->limiter, &opened->stay, WEIR__WENT_ANSWERED, -1);
}
