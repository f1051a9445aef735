/* One attempt: it is carried out, its answer is classified, and all who must know are told. */
#include "base/clock.h"
#include "client/call.h"
#include "policy/backoff.h"
#include "provider/provider.h"

static enum weir__went went_of(const weir_response *response)
{
    if (response->outcome == WEIR_OUTCOME_THROTTLED)
        return WEIR__WENT_THROTTLED;
    if (response->sent == WEIR_SENT_NEVER)
        return WEIR__WENT_UNUSED;
    return response->sent == WEIR_SENT_ANSWERED ? WEIR__WENT_ANSWERED : WEIR__WENT_UNKNOWN;
}

/* An error that came with a good status, by the word of who asked. */
static enum weir_outcome outcome_of_error(const struct weir__told *told)
{
    if (told->throttled)
        return WEIR_OUTCOME_THROTTLED;
    return told->verdict == WEIR__VERDICT_FINAL ? WEIR_OUTCOME_CLIENT_ERROR
                                                : WEIR_OUTCOME_SERVER_ERROR;
}

static int classify(const struct weir__call *call, int rc, struct weir__told *told)
{
    weir_response *response = call->response;
    *told = (struct weir__told){.wait_ms = -1, .used = -1};
    if (rc == 0 && response->status == 0) { /* a transport of the caller's that said nothing */
        rc = WEIR_EPROTO;
        weir_response_set_failure(response, WEIR_SENT_MAYBE, "the transport gave no status");
    }
    response->error = rc;
    if (rc == 0) {
        weir__provider_tell(response, weir__clock_wall_s(), told);
        response->server_wait_ms = told->wait_ms;
        response->outcome = weir__outcome_told(response->status, told);
        if (call->opened != NULL && call->opened->opening.failed)
            response->outcome = outcome_of_error(told);
    }
    return rc;
}

bool weir__call_is_open(const struct weir__call *call)
{
    return call->opened != NULL && call->opened->download != NULL;
}

/* What the decision, the caller's rules and hooks, and the history see of it. */
static void tell(struct weir__call *call, const struct weir__told *told)
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
    at->http_version = response->route.http_version;
    at->connection = response->route.connection;
    at->via = response->route.via;
    weir__retry_ended(at, weir__now_ns(call->client->rt));
    weir__record_result(call);
    weir__observe_attempt_end(&call->client->observer, &call->prepared.exchange, at,
                              at->started_ns + at->elapsed_ns - call->stay.admitted_ns,
                              weir__call_is_open(call));
}

/* What the answer says it has cost in tokens; -1: it does not say, or no limit counts them. */
static int64_t used_tokens(const struct weir__call *call)
{
    bool counted = weir__limits_count(&call->limiter->limits, WEIR_TOKENS);
    return counted && call->response->error == 0 ? weir__provider_used(call->response) : -1;
}

static int perform(struct weir__call *call)
{
    const struct weir_transport *transport = &call->client->transport;
    struct weir_exchange *exchange = &call->prepared.exchange;
    struct weir__opened *opened = call->opened;
    int rc = weir__source_begin(&call->source, call->client->opens, exchange, call->response);
    if (rc < 0)
        return weir__source_result(&call->source, rc, call->response);
    if (opened != NULL && call->client->opens)
        return weir__curl_open(transport->self, exchange, opened->room, call->response,
                               &opened->download);
    rc = transport->perform(transport->self, exchange, call->response);
    if (weir__source_is_given(&call->source))
        exchange->body_len = (size_t)call->source.read; /* for the counts */
    return weir__source_result(&call->source, rc, call->response);
}

static int carry_out(struct weir__call *call)
{
    int rc = perform(call);
    return rc == 0 && call->opened != NULL ? weir__begin(call) : rc;
}

int weir__attempt(struct weir__call *call)
{
    weir_response *response = call->response;
    struct weir__told told;
    call->begun = true;
    weir__retry_begin(&call->client->retry, &call->at, call->stay.admitted_ns);
    weir__record_begin(call);
    weir__response_reset(response);
    call->prepared.exchange.attempt = response->attempts = call->at.number;
    response->sent = WEIR_SENT_MAYBE; /* unless the transport knows better */
    weir__observe_attempt_begin(&call->client->observer, &call->prepared.exchange);
    int rc = classify(call, carry_out(call), &told);
    tell(call, &told);
    weir__circuit_leave(call->client->circuit, &call->pass, response);
    if (weir__call_is_open(call)) {
        weir__admission_heard(call->limiter, &call->stay, went_of(response), &told);
        call->opened->stay = call->stay;
        call->opened->limiter = call->limiter;
        call->limiter->users++;
        return rc;
    }
    weir__admission_settle(call->limiter, &call->stay, used_tokens(call));
    weir__admission_leave(call->limiter, &call->stay, went_of(response), &told);
    return rc;
}
