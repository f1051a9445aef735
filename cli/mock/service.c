#include "mock/service.h"

#include <string.h>

#include "mock/answers.h"
#include "mock/chance.h"
#include "mock/text.h"

#define DURATION_TEXT_MAX 32

/* indexed by what a rate's period is called */
static const struct {
    int64_t period_s;
    const char *words;
} period_words[] = {
    {1, "requests per sec (RPS)"},
    {60, "requests per min (RPM)"},
    {3600, "requests per hour (RPH)"},
    {MOCK_LIMIT_PERIOD_MAX_S, "requests per day (RPD)"},
};

#define ANY_METHOD (-1)

static const struct route {
    const char *path;
    bool open_end; /* more may follow behind a slash */
    int method;
    mock_answer_fn *answer;
} routes[] = {
    {"/v1/chat/completions", false, HTTP_POST, mock_answer_chat},
    {"/v1/messages", false, HTTP_POST, mock_answer_messages},
    {"/v1/embeddings", false, HTTP_POST, mock_answer_embeddings},
    {"/v1/models", true, HTTP_GET, mock_answer_models},
    {"/echo", false, ANY_METHOD, mock_answer_echo},
    {"/stats", false, HTTP_GET, NULL}, /* the service's own */
};

void mock_service_init(struct mock_service *service, const struct mock_opts *opts, int64_t now_ns)
{
    service->opts = opts;
    if (opts->limited)
        mock_limit_init(&service->limit, &opts->rate, now_ns);
}

static const struct route *find_route(const struct mock_request *req)
{
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        const struct route *route = &routes[i];
        size_t len = strlen(route->path);

        if (strncmp(req->path, route->path, len) != 0)
            continue;
        if (req->path[len] == '\0' || (route->open_end && req->path[len] == '/'))
            return route;
    }
    return NULL;
}

static void answer_broken(const struct mock_request *req, struct mock_buf *out,
                          struct mock_reply *reply)
{
    struct mock_error error = {req->error, "invalid_request_error", NULL, NULL};

    reply->close = true; /* where the next request would start is not known */
    mock_reply_error(reply, out, &error, "%s", req->trouble);
}

static void answer_unknown(const struct mock_request *req, struct mock_buf *out,
                           struct mock_reply *reply)
{
    static const struct mock_error error = {HTTP_STATUS_NOT_FOUND, "invalid_request_error", NULL,
                                            "unknown_url"};

    mock_reply_error(reply, out, &error,
                     "Unknown request URL: %s %s%s. weir mock --help lists "
                     "the paths.",
                     http_method_str(req->method), req->path, req->path_cut ? "..." : "");
}

static void answer_method(const struct mock_request *req, const struct route *route,
                          struct mock_buf *out, struct mock_reply *reply)
{
    static const struct mock_error error = {HTTP_STATUS_METHOD_NOT_ALLOWED, "invalid_request_error",
                                            NULL, "method_not_supported"};

    reply->allow = http_method_str((enum http_method)route->method);
    mock_reply_error(reply, out, &error, "Not allowed to %s on %s. (HINT: use %s)",
                     http_method_str(req->method), req->path, reply->allow);
}

static const char *rate_words(const struct mock_rate *rate)
{
    size_t i = 0;

    while (period_words[i].period_s != rate->period_s)
        i++;
    return period_words[i].words;
}

/* The model that the refused request would have used, for the message. */
static const char *model_of(const struct mock_request *req)
{
    size_t at;
    const char *model = mock_answer_model(mock_json_parse(&req->body, &at));

    return model ? model : "this server";
}

static void answer_throttled(const struct mock_service *service, const struct mock_request *req,
                             struct mock_buf *out, struct mock_reply *reply)
{
    static const struct mock_error error = {HTTP_STATUS_TOO_MANY_REQUESTS, "requests", NULL,
                                            "rate_limit_exceeded"};
    const struct mock_rate *rate = &service->opts->rate;
    char wait[DURATION_TEXT_MAX];
    struct mock_text text = mock_text_over(wait, sizeof(wait));

    if (service->opts->headers == MOCK_HEADERS_NONE) {
        mock_reply_error(reply, out, &error, "Rate limit reached for %s.", model_of(req));
        return;
    }
    reply->retry_after_s = (reply->quota.wait_ns + MOCK_NS_PER_S - 1) / MOCK_NS_PER_S;
    mock_text_duration(&text, reply->quota.wait_ns);
    mock_text_end(&text);
    mock_reply_error(reply, out, &error,
                     "Rate limit reached for %s in organization org-mock on %s: Limit %lld, Used "
                     "%lld, Requested 1. Please try again in %s.",
                     model_of(req), rate_words(rate), (long long)rate->count,
                     (long long)rate->count, wait);
}

/* Draws what will go wrong with the n-th admitted request, and how long it takes. */
static void draw(struct mock_service *service, struct mock_reply *reply)
{
    const struct mock_opts *opts = service->opts;
    uint64_t number = service->stats.admitted++;
    uint64_t span_ms = opts->latency_hi_ms - opts->latency_lo_ms + 1;

    reply->delay_ms = opts->latency_lo_ms;
    if (span_ms > 1)
        reply->delay_ms += (uint32_t)(mock_draw(opts->seed, MOCK_STREAM_LATENCY, number) % span_ms);
    reply->fault =
        mock_faults_pick(&opts->faults, mock_draw_unit(opts->seed, MOCK_STREAM_FAULT, number));
    if (reply->fault != MOCK_FAULT_NONE)
        service->stats.faults[reply->fault]++;
}

static void answer_error_fault(struct mock_buf *out, struct mock_reply *reply)
{
    static const struct mock_error failed = {HTTP_STATUS_INTERNAL_SERVER_ERROR, "server_error",
                                             NULL, NULL};
    static const struct mock_error busy = {HTTP_STATUS_SERVICE_UNAVAILABLE, "server_error", NULL,
                                           NULL};

    if (reply->fault == MOCK_FAULT_500) {
        mock_reply_error(reply, out, &failed,
                         "The server had an error while processing your request.");
        return;
    }
    reply->retry_after_s = 1;
    mock_reply_error(reply, out, &busy,
                     "The engine is currently overloaded, please try again later.");
}

static void answer_limited(struct mock_service *service, const struct mock_request *req,
                           const struct route *route, int64_t now_ns, struct mock_buf *out,
                           struct mock_reply *reply)
{
    reply->limited = service->opts->limited;
    if (reply->limited && !mock_limit_take(&service->limit, now_ns, &reply->quota)) {
        service->stats.throttled++;
        answer_throttled(service, req, out, reply);
        return;
    }
    draw(service, reply);
    if (reply->fault == MOCK_FAULT_500 || reply->fault == MOCK_FAULT_503)
        answer_error_fault(out, reply);
    else
        route->answer(req, out, reply);
}

static bool is_stats(const struct route *route, const struct mock_request *req)
{
    return route && !route->answer && req->method == HTTP_GET;
}

static void answer(struct mock_service *service, const struct mock_request *req,
                   const struct route *route, int64_t now_ns, struct mock_buf *out,
                   struct mock_reply *reply)
{
    if (req->error)
        answer_broken(req, out, reply);
    else if (!route)
        answer_unknown(req, out, reply);
    else if (reply->aside)
        mock_reply_json(reply, HTTP_STATUS_OK, mock_stats_json(&service->stats), out);
    else if (route->method != ANY_METHOD && route->method != (int)req->method)
        answer_method(req, route, out, reply);
    else
        answer_limited(service, req, route, now_ns, out, reply);
}

static bool has_status(const struct mock_reply *reply)
{
    return reply->fault != MOCK_FAULT_RESET && reply->fault != MOCK_FAULT_STALL &&
           reply->fault != MOCK_FAULT_GARBAGE;
}

/* Stats have ids of their own, so that looking at them does not move the others. */
static void count(struct mock_service *service, struct mock_reply *reply)
{
    enum mock_stream stream = reply->aside ? MOCK_STREAM_STATS_ID : MOCK_STREAM_REQUEST_ID;
    uint64_t number = reply->aside ? service->asked_for_stats++ : service->stats.requests++;

    if (!reply->aside && has_status(reply))
        service->stats.status[reply->status]++;
    reply->id[0] = mock_draw(service->opts->seed, stream, number);
    reply->id[1] = mock_mix(reply->id[0] + stream);
}

void mock_service_answer(struct mock_service *service, const struct mock_request *req,
                         int64_t now_ns, struct mock_buf *out, struct mock_reply *reply)
{
    const struct route *route = req->error ? NULL : find_route(req);

    memset(reply, 0, offsetof(struct mock_reply, head));
    reply->fault = MOCK_FAULT_NONE;
    reply->aside = is_stats(route, req);
    reply->messages = route && route->answer == mock_answer_messages;
    reply->close = !req->keep_alive;
    reply->old = req->old;
    reply->bodiless = !req->error && req->method == HTTP_HEAD;
    mock_json_reset();
    answer(service, req, route, now_ns, out, reply);
    count(service, reply);
    mock_reply_head(reply, service->opts);
}
