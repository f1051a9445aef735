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
    struct weir__pass pass; /* of the circuit breaker */
    uint64_t amount;
    int64_t started_ns; /* of the first attempt */
    unsigned throttled; /* attempts that were answered "too fast" */
    bool begun;         /* the attempt was; what it took for it, it gives back */
    weir_response *response;
};

/* ---- attempt ---- */

static enum weir__went went_of(const weir_response *response)
{
    if (response->outcome == WEIR_OUTCOME_THROTTLED)
        return WEIR__WENT_THROTTLED;
    if (response->sent == WEIR_SENT_NEVER)
        return WEIR__WENT_UNUSED;
    return response->sent == WEIR_SENT_ANSWERED ? WEIR__WENT_ANSWERED : WEIR__WENT_UNKNOWN;
}

static int classify(weir_response *response, int rc)
{
    if (rc == 0 && response->status == 0) { /* a transport of the caller's that said nothing */
        rc = WEIR_EPROTO;
        weir_response_set_failure(response, WEIR_SENT_MAYBE, "the transport gave no status");
    }
    response->error = rc;
    if (rc == 0) {
        if (response->status >= 400)
            response->server_wait_ms = weir__provider_wait_ms(response, weir__clock_wall_s());
        response->outcome = weir__outcome_of(response->status, response->server_wait_ms >= 0);
    }
    return rc;
}

/* One attempt of an admitted call; its place is given back when it ends. */
static int attempt(struct call *call)
{
    weir_response *response = call->response;
    const struct weir_transport *transport = &call->client->transport;
    call->begun = true;
    weir__response_reset(response);
    call->prepared.exchange.attempt = ++response->attempts;
    response->sent = WEIR_SENT_MAYBE; /* unless the transport knows better */
    int rc = transport->perform(transport->self, &call->prepared.exchange, response);
    rc = classify(response, rc);
    call->throttled += response->outcome == WEIR_OUTCOME_THROTTLED;
    weir__circuit_leave(call->client->circuit, &call->pass, response);
    weir__admission_leave(call->client->limiter, &call->stay, went_of(response),
                          response->server_wait_ms);
    return rc;
}

/* ---- or two that race ---- */

/* The second one is a copy of the call with a response of its own. */
struct pair {
    struct call *calls[2]; /* the second is NULL unless it took a place */
    struct call second;
    unsigned made; /* attempts before these */
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
    second->response->attempts = pair->made + 1;
    if (!weir__circuit_enter_closed(client->circuit, &second->pass))
        return false;
    if (weir__admission_try(client->limiter, &second->stay, second->amount) == 0)
        pair->calls[1] = second;
    else
        weir__circuit_give_back(client->circuit, &second->pass);
    return pair->calls[1] != NULL;
}

/* Puts into the call what both have come to, and lets the best response be its own. */
static void join(struct call *call, struct pair *pair, int best)
{
    struct call *second = &pair->second;
    if (pair->calls[1] != NULL && !second->begun) {
        give_back(second);
    } else if (pair->calls[1] != NULL) {
        call->throttled += second->throttled;
        call->response->attempts = second->response->attempts;
        if (best == 1) {
            weir_response first = *call->response;
            *call->response = *second->response;
            *second->response = first;
        }
    }
    weir_response_free(second->response);
}

static int race(struct call *call)
{
    struct pair pair = {.calls = {call}, .second = *call, .made = call->response->attempts};
    struct weir__race race = {
        .arg = &pair,
        .runners = {run_first, run_second},
        .prepare_second = prepare_second,
        .rank = rank,
    };
    pair.second.stay = (struct weir__stay){.counted = true};
    pair.second.pass = (struct weir__pass){.held = false};
    pair.second.response = NULL;
    pair.second.throttled = 0;
    pair.second.begun = call->begun = false;
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
    call->response->error = rc;
    weir_response_set_failure(call->response, sent, weir_strerror(rc));
    return rc;
}

/* What was told to slow down is not sent twice, nor beyond the number of attempts. */
static bool may_race(const struct call *call)
{
    unsigned most = call->client->retry.max_attempts, made = call->response->attempts;
    return call->client->hedger != NULL && call->prepared.exchange.replay != 0 &&
           call->throttled == 0 && made + 1 < most;
}

/* ---- would another help, and when? ---- */

/* When a new attempt may begin at the latest. */
static int64_t last_start_ns(const struct call *call)
{
    int64_t max_ms = call->client->retry.max_elapsed_ms;
    if (max_ms == 0 || call->response->attempts == 0)
        return INT64_MAX;
    return weir__ns_add(call->started_ns, weir__ms_to_ns(max_ms));
}

static int64_t later_ns(int64_t a_ns, int64_t b_ns)
{
    return a_ns > b_ns ? a_ns : b_ns;
}

/* Earliest start of another attempt; INT64_MAX: there is to be none. */
static int64_t next_start_ns(struct call *call, int rc)
{
    const weir_response *response = call->response;
    const struct weir_retry_opts *policy = &call->client->retry;
    const struct weir__circuit *circuit = call->client->circuit;
    struct weir__rt *rt = call->client->rt;
    int64_t now_ns = weir__now_ns(rt), wait_ns = 0;
    struct weir_attempt ended = {
        .rc = rc,
        .status = response->status,
        .outcome = response->outcome,
        .sent = response->sent,
        .replay = call->prepared.exchange.replay,
        .number = response->attempts,
        .throttled = call->throttled,
        .server_wait_ms = response->server_wait_ms,
    };
    int64_t elapsed_ms = (now_ns - call->started_ns) / WEIR__NS_PER_MS;
    if (weir__retry_decide(policy, &ended, elapsed_ms, &rt->rand, &wait_ns) != WEIR__RETRY_AGAIN)
        return INT64_MAX;
    int64_t start_ns = weir__ns_add(now_ns, wait_ns);
    int64_t turn_ns = weir__admission_earliest_ns(call->client->limiter, &call->stay, call->amount);
    start_ns = later_ns(start_ns, later_ns(turn_ns, weir__circuit_earliest_ns(circuit)));
    if (start_ns > last_start_ns(call) || start_ns > weir__deadline_ns(rt->current))
        return INT64_MAX; /* refused now, with the last real outcome, rather than after the wait */
    return weir__ns_add(now_ns, wait_ns);
}

/* ---- retry ---- */

/* The circuit is asked before the queue, so that nobody queues in vain, and behind it, since it may
 * have opened meanwhile. Nothing is held while waiting for it. */
static int admit(struct call *call)
{
    weir_client *client = call->client;
    call->pass = (struct weir__pass){.again = call->response->attempts > 0};
    for (;;) {
        int rc = weir__circuit_await(client->circuit, &call->pass, last_start_ns(call));
        if (rc == 0)
            rc = weir__admission_enter(client->limiter, &call->stay, call->amount);
        if (rc < 0 || weir__circuit_enter(client->circuit, &call->pass))
            return rc;
        weir__admission_leave(client->limiter, &call->stay, WEIR__WENT_UNUSED, -1);
    }
}

static int run(struct call *call)
{
    weir_response *response = call->response;
    int rc = admit(call);
    call->started_ns = call->stay.admitted_ns;
    while (rc == 0) {
        int result = may_race(call) ? race(call) : attempt(call);
        if (result == WEIR_ECANCELED)
            return result;
        int64_t start_ns = next_start_ns(call, result);
        if (start_ns == INT64_MAX)
            return result;
        /* Nothing is held here. A throttled attempt has no wait of its own: the gate has. */
        if (start_ns > weir__now_ns(call->client->rt))
            rc = weir__admission_sleep(call->client->limiter, start_ns);
        if (rc == 0)
            rc = admit(call);
        if (rc == WEIR_EDEADLINE || rc == WEIR_EPAUSED || rc == WEIR_EOPEN)
            return result;
    }
    response->error = rc;
    weir_response_set_failure(response, response->sent, weir_strerror(rc));
    if (rc == WEIR_EOPEN)
        weir__circuit_explain(call->client->circuit, response);
    return rc;
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
    return run_within(call, timeout_of(call->client, &request));
}

int weir_request(weir_client *client, const struct weir_request *request, weir_response **out)
{
    struct call call = {.client = client, .stay.counted = true};
    *out = weir__response_new(client->max_body);
    if (*out == NULL)
        return WEIR_ENOMEM;
    call.response = *out;
    call.stay.max_pause_ns = weir__ms_to_ns(client->retry.server_wait_max_ms);
    client->calls++;
    int rc = run_request(&call, request);
    weir__prepared_free(&call.prepared);
    client->calls--;
    return rc;
}
