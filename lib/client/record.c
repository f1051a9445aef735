/* What the response keeps of each attempt. */
#include "base/clock.h"
#include "client/call.h"

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

void weir__record_begin(struct weir__call *call)
{
    struct weir__stay *stay = &call->stay;
    call->record = (struct weir_attempt_record){
        .number = call->at.number,
        .started_ms = whole_ms(stay->admitted_ns),
        .blocked_backoff_ms = whole_ms(call->slept_ns),
        .blocked_turn_ms = whole_ms(stay->admitted_ns - call->queued_ns),
        .blocked_requests_ms =
            blocked_ms(stay, WEIR_BLOCKED_RATE) + blocked_ms(stay, WEIR_BLOCKED_LEARNED),
        .blocked_tokens_ms = blocked_ms(stay, WEIR_BLOCKED_TOKENS),
        .blocked_concurrency_ms = blocked_ms(stay, WEIR_BLOCKED_CONCURRENCY),
        .blocked_gate_ms = blocked_ms(stay, WEIR_BLOCKED_GATE),
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
    record->took_ms = whole_ms(at->started_ns + at->elapsed_ns) - record->started_ms;
}

void weir__record_why(struct weir__call *call, enum weir_why why, int64_t wait_ns)
{
    call->record.why = why;
    call->record.wait_ms = whole_ms(wait_ns);
    if (call->begun)
        weir__history_put(&call->response->history, &call->record);
}
