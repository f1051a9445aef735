/* An attempt that is sent twice when its answer is late: the better answer counts. */
#include "client/call.h"
#include "policy/backoff.h"

/* The second one is a copy of the call with a response of its own. */
struct pair {
    struct weir__call *calls[2]; /* the second is NULL unless it took a place */
    struct weir__call second;
};

static int run_first(void *arg)
{
    return weir__attempt(((struct pair *)arg)->calls[0]);
}

static int run_second(void *arg)
{
    return weir__attempt(((struct pair *)arg)->calls[1]);
}

/* A 4xx wins, too: the other would be answered the same. */
static enum weir__rank rank(void *arg, int which)
{
    const struct weir__call *call = ((struct pair *)arg)->calls[which];
    const weir_response *response = call->response;
    if (!call->begun)
        return WEIR__RANK_NONE;
    if (response->outcome == WEIR_OUTCOME_OK || response->outcome == WEIR_OUTCOME_CLIENT_ERROR)
        return WEIR__RANK_WINS;
    return response->error == 0 ? WEIR__RANK_ANSWERED : WEIR__RANK_FAILED;
}

static void give_back(struct weir__call *call)
{
    weir__circuit_give_back(call->client->circuit, &call->pass);
    weir__admission_leave(call->limiter, &call->stay, WEIR__WENT_UNUSED, NULL);
}

static bool prepare_second(void *arg)
{
    struct pair *pair = arg;
    struct weir__call *second = &pair->second;
    weir_client *client = second->client;
    second->response = weir__response_new(client->max_body);
    if (second->response == NULL)
        return false;
    second->at.response = second->response;
    second->response->secrets = pair->calls[0]->response->secrets;
    if (!weir__circuit_enter_closed(client->circuit, &second->pass))
        return false;
    if (weir__admission_try(second->limiter, &second->stay, second->amount) == 0)
        pair->calls[1] = second;
    else
        weir__circuit_give_back(client->circuit, &second->pass);
    second->queued_ns = second->stay.admitted_ns; /* it did not wait */
    return pair->calls[1] != NULL;
}

/* What is the call's, not the attempt's, stays where it is. */
static void swap_answers(weir_response *a, weir_response *b)
{
    weir_response then = *a, other = *b;
    *a = other;
    a->history = then.history;
    a->key_line = then.key_line;
    *b = then;
    b->history = other.history;
    b->key_line = other.key_line;
}

/* The best one becomes the call's own. */
static void join_begun(struct weir__call *call, struct weir__call *second, int best)
{
    struct weir__call first = *call;
    const struct weir__call *loser = best == 1 ? &first : second;
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
static void join(struct weir__call *call, struct pair *pair, int best)
{
    struct weir__call *second = &pair->second;
    if (pair->calls[1] != NULL && !second->begun)
        give_back(second);
    else if (pair->calls[1] != NULL)
        join_begun(call, second, best);
    weir_response_free(second->response);
}

/* The number of the second follows that of the first, which is still to begin. */
static struct weir__call second_of(const struct weir__call *call)
{
    struct weir__call second = *call;
    second.stay = (struct weir__stay){.counted = true,
                                      .learns = true,
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

int weir__call_race(struct weir__call *call)
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
        return weir__attempt(call); /* no room for two: one, then */
    if (!call->begun)
        give_back(call);
    enum weir_sent sent = call->response->sent;
    weir__response_reset(call->response); /* an answer may have come at the same moment */
    call->at.rc = call->record.rc = call->response->error = rc;
    weir_response_set_failure(call->response, sent, weir_strerror(rc));
    return rc;
}

/* What was told to slow down is not sent twice, nor beyond the number of attempts. Streams do not
 * race: the loser might have begun to bring content, too; nor is a body read twice at a time. */
bool weir__call_may_race(const struct weir__call *call)
{
    return call->client->hedger != NULL && call->opened == NULL &&
           !weir__source_is_given(&call->source) && call->prepared.exchange.replay != 0 &&
           call->at.throttled == 0 && weir__retry_allows_two(&call->client->retry, &call->at);
}
