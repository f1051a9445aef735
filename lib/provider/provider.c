#include "provider/provider.h"

#include "http/response.h"
#include "provider/error.h"
#include "provider/heard.h"
#include "provider/ietf.h"

/* Names of the header that carries the server's id of a request. */
static const char *const request_id_headers[] = {
    "x-request-id",     /* OpenAI, Mistral, GitHub's mirror of it, and most gateways */
    "request-id",       /* Anthropic, Stripe */
    "x-amzn-requestid", /* AWS Bedrock */
    "apim-request-id",  /* Azure */
    "cf-ray",           /* Cloudflare */
};

const char *weir_response_request_id(const weir_response *response, size_t *len)
{
    size_t n = sizeof request_id_headers / sizeof request_id_headers[0];
    return weir__response_first_header(response, request_id_headers, n, len);
}

/* What was heard of one failed answer. */
struct failure {
    int status;
    int64_t now_s;
    bool used_up;           /* a limit, by the headers */
    int64_t header_wait_ms; /* -1 */
    enum weir__verdict header_verdict;
    bool header_throttled;
    struct weir__error error;
};

/* The headers of the server behind a gateway, where the gateway tells none of its own. */
static void hear_behind(const json_t *tree, struct failure *failure, struct weir__told *told)
{
    struct weir__heard behind;
    weir__heard_init(&behind);
    weir__error_headers(tree, &behind);
    if (failure->header_wait_ms < 0)
        failure->header_wait_ms = weir__heard_wait_ms(&behind, failure->now_s);
    if (told->quota_count == 0)
        weir__heard_quotas(&behind, failure->now_s, told);
}

/* The longest wait for what is used up. One that comes back without a word of what is left of it
 * counts as used up. */
static int64_t reset_wait_ms(const struct weir__told *told)
{
    int64_t wait_ms = -1;
    for (unsigned i = 0; i < told->quota_count; i++) {
        const struct weir__quota *quota = &told->quotas[i];
        if (quota->remaining <= 0 && quota->reset_ms > 0 && quota->reset_ms > wait_ms)
            wait_ms = quota->reset_ms;
    }
    return wait_ms;
}

static void judge(const struct failure *failure, struct weir__told *told)
{
    const struct weir__error *error = &failure->error;
    bool final = error->verdict == WEIR__VERDICT_FINAL;
    bool asked = failure->header_verdict != WEIR__VERDICT_NONE && !final;
    told->verdict = asked ? failure->header_verdict : error->verdict;
    told->cause = error->cause;
    if (asked && told->verdict == WEIR__VERDICT_FINAL)
        told->cause = "the server says not to try again";
    told->wait_ms = failure->header_wait_ms >= 0 ? failure->header_wait_ms : error->wait_ms;
    bool busy = failure->status == 503 && told->wait_ms >= 0;
    bool limited = failure->status == 429 || error->throttled || failure->header_throttled ||
                   ((failure->status == 403 || busy) && failure->used_up);
    told->throttled = (limited || busy) && !final;
    told->busy = told->throttled && !limited;
    if (told->throttled && told->wait_ms < 0)
        told->wait_ms = reset_wait_ms(told);
    if (told->throttled && told->wait_ms < 0)
        told->wait_ms = error->fallback_ms;
    if (failure->status < 400 && !told->throttled)
        told->wait_ms = -1;
}

/* ---- from the whole answer ---- */

/* The limits; true as weir__heard_quotas. */
static bool tell_limits(const weir_response *response, const struct weir__heard *heard,
                        int64_t now_s, struct weir__told *told)
{
    if (weir__heard_cached(heard))
        return false;
    bool used_up = weir__heard_quotas(heard, now_s, told);
    if (weir__heard_ietf(heard))
        weir__ietf_quotas(response, now_s, told);
    return used_up;
}

static void tell_failure(json_t *tree, const struct weir__heard *heard, struct failure *failure,
                         struct weir__told *told)
{
    failure->header_wait_ms = weir__heard_wait_ms(heard, failure->now_s);
    failure->header_verdict = weir__heard_verdict(heard);
    failure->header_throttled = weir__heard_throttled(heard);
    weir__error_read(tree, failure->status, &failure->error);
    hear_behind(tree, failure, told);
    judge(failure, told);
}

void weir__provider_tell(const weir_response *response, int64_t wall_s, struct weir__told *told)
{
    struct weir__heard heard;
    struct failure failure = {.status = response->status};
    told->wait_ms = -1;
    told->used = -1;
    told->cause = NULL;
    told->verdict = WEIR__VERDICT_NONE;
    told->throttled = 0;
    told->busy = 0;
    told->quota_count = told->guessed = 0;
    if (response->status == 0)
        return;
    weir__heard_init(&heard);
    weir__heard_all(&heard, response);
    json_t *tree = weir__error_tree(response);
    bool failed = response->status >= 400 || tree != NULL;
    if (failed || weir__heard_limits(&heard))
        failure.now_s = weir__heard_now_s(&heard, wall_s);
    told->used = weir__heard_cost(&heard);
    if (weir__heard_limits(&heard))
        failure.used_up = tell_limits(response, &heard, failure.now_s, told);
    if (failed)
        tell_failure(tree, &heard, &failure, told);
    json_decref(tree);
}
