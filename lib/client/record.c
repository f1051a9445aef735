/* What the response keeps of each attempt. */
#include <string.h>

#include "base/clock.h"
#include "client/call.h"

static int64_t whole_ms(int64_t time_ns)
{
    return time_ns / WEIR__NS_PER_MS;
}

/* What it has waited for since the attempt before; added to the client's sum. */
static int64_t blocked_ms(struct weir__stay *stay, enum weir_blocked by, uint64_t *sum_ns)
{
    int64_t time_ns = stay->blocked_ns[by];
    stay->blocked_ns[by] = 0;
    *sum_ns += (uint64_t)time_ns;
    return whole_ms(time_ns);
}

void weir__record_begin(struct weir__call *call)
{
    struct weir__stay *stay = &call->stay;
    struct weir_wait_times *sums = &call->client->observer.counts.waits;
    sums->backoff_ns += (uint64_t)call->slept_ns;
    call->record = (struct weir_attempt_record){
        .number = call->at.number,
        .started_ms = whole_ms(stay->admitted_ns),
        .blocked_backoff_ms = whole_ms(call->slept_ns),
        .blocked_turn_ms = whole_ms(stay->admitted_ns - call->queued_ns),
        .blocked_requests_ms = blocked_ms(stay, WEIR_BLOCKED_RATE, &sums->requests_ns) +
                               blocked_ms(stay, WEIR_BLOCKED_LEARNED, &sums->learned_ns),
        .blocked_tokens_ms = blocked_ms(stay, WEIR_BLOCKED_TOKENS, &sums->tokens_ns),
        .blocked_concurrency_ms = blocked_ms(stay, WEIR_BLOCKED_CONCURRENCY, &sums->concurrency_ns),
        .blocked_gate_ms = blocked_ms(stay, WEIR_BLOCKED_GATE, &sums->gate_ns),
    };
}

void weir__record_result(struct weir__call *call)
{
    struct weir_attempt_record *record = &call->record;
    const struct weir_attempt *at = &call->at;
    record->rc = at->rc;
    record->status = at->status;
    record->outcome = at->outcome;
    record->sent = at->sent;
    record->server_wait_ms = at->server_wait_ms;
    record->http_version = at->http_version;
    record->connection = at->connection;
    record->via = at->via;
    record->peer_port = call->response->route.peer_port;
    memcpy(record->peer_ip, call->response->route.peer_ip, sizeof record->peer_ip);
    record->took_ms = whole_ms(at->started_ns + at->elapsed_ns) - record->started_ms;
}

void weir__record_why(struct weir__call *call, enum weir_why why, int64_t wait_ns)
{
    call->record.why = why;
    call->record.wait_ms = whole_ms(wait_ns);
    if (call->begun)
        weir__history_put(&call->response->history, &call->record);
}
