#include "mock/reply.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "mock/text.h"

#define JSON_TYPE   "application/json"
#define MESSAGE_MAX 1024

static const char out_of_memory[] =
    "{\"error\":{\"message\":\"The mock server is out of memory.\",\"type\":\"server_error\","
    "\"param\":null,\"code\":null}}";

void mock_reply_json(struct mock_reply *reply, int status, cJSON *tree, struct mock_buf *out)
{
    reply->status = status;
    reply->type = JSON_TYPE;
    reply->type_len = strlen(JSON_TYPE);
    if (mock_json_print(tree, out) == 0) {
        reply->body = out->data;
        reply->len = out->len;
        return;
    }
    reply->status = HTTP_STATUS_INTERNAL_SERVER_ERROR;
    reply->body = out_of_memory;
    reply->len = strlen(out_of_memory);
}

static void put_or_null(cJSON *object, const char *key, const char *value)
{
    if (value)
        mock_json_put_str(object, key, value);
    else
        mock_json_put_null(object, key);
}

/* Anthropic's word for a status. */
static const char *type_of(int status)
{
    static const struct {
        int status;
        const char *type;
    } types[] = {
        {HTTP_STATUS_NOT_FOUND, "not_found_error"},
        {HTTP_STATUS_PAYLOAD_TOO_LARGE, "request_too_large"},
        {HTTP_STATUS_TOO_MANY_REQUESTS, "rate_limit_error"},
        {HTTP_STATUS_INTERNAL_SERVER_ERROR, "api_error"},
        {HTTP_STATUS_SERVICE_UNAVAILABLE, "overloaded_error"},
    };

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (types[i].status == status)
            return types[i].type;
    return "invalid_request_error";
}

void mock_reply_error(struct mock_reply *reply, struct mock_buf *out,
                      const struct mock_error *error, const char *format, ...)
{
    char message[MESSAGE_MAX];
    cJSON *tree;
    cJSON *object;
    va_list args;

    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    mock_json_reset(); /* whatever was read of the request is not needed any more */
    tree = cJSON_CreateObject();
    if (reply->messages)
        mock_json_put_str(tree, "type", "error");
    object = mock_json_put(tree, "error", cJSON_CreateObject());
    mock_json_put_str(object, "type", reply->messages ? type_of(error->status) : error->type);
    mock_json_put_str(object, "message", message);
    if (!reply->messages) {
        put_or_null(object, "param", error->param);
        put_or_null(object, "code", error->code);
    }
    mock_reply_json(reply, error->status, tree, out);
}

static void put_header(struct mock_text *head, const char *name, const char *value, size_t len)
{
    mock_text_str(head, name);
    mock_text_put(head, value, len);
    mock_text_put(head, "\r\n", 2);
}

static void put_uint_header(struct mock_text *head, const char *name, uint64_t value)
{
    mock_text_str(head, name);
    mock_text_uint(head, value);
    mock_text_put(head, "\r\n", 2);
}

static void put_openai(struct mock_text *head, const struct mock_rate *rate,
                       const struct mock_quota *quota)
{
    put_uint_header(head, "x-ratelimit-limit-requests: ", (uint64_t)rate->count);
    put_uint_header(head, "x-ratelimit-remaining-requests: ", (uint64_t)quota->remaining);
    mock_text_str(head, "x-ratelimit-reset-requests: ");
    mock_text_duration(head, quota->full_ns);
    mock_text_put(head, "\r\n", 2);
}

/* draft-ietf-httpapi-ratelimit-headers-10: t is the time until more quota, not until all of it */
static void put_ietf(struct mock_text *head, const struct mock_rate *rate,
                     const struct mock_quota *quota)
{
    int64_t more_s = (quota->more_ns + MOCK_NS_PER_S - 1) / MOCK_NS_PER_S;

    mock_text_str(head, "RateLimit-Policy: \"default\";q=");
    mock_text_uint(head, (uint64_t)rate->count);
    mock_text_str(head, ";w=");
    mock_text_uint(head, (uint64_t)rate->period_s);
    mock_text_str(head, "\r\nRateLimit: \"default\";r=");
    mock_text_uint(head, (uint64_t)quota->remaining);
    mock_text_str(head, ";t=");
    mock_text_uint(head, (uint64_t)more_s);
    mock_text_put(head, "\r\n", 2);
}

static void put_limit(struct mock_text *head, const struct mock_reply *reply,
                      const struct mock_opts *opts)
{
    if (reply->retry_after_s)
        put_uint_header(head, "retry-after: ", (uint64_t)reply->retry_after_s);
    if (!reply->limited)
        return;
    if (opts->headers == MOCK_HEADERS_OPENAI)
        put_openai(head, &opts->rate, &reply->quota);
    else if (opts->headers == MOCK_HEADERS_IETF)
        put_ietf(head, &opts->rate, &reply->quota);
}

static void put_status_line(struct mock_text *head, int status)
{
    mock_text_str(head, "HTTP/1.1 ");
    mock_text_uint(head, (uint64_t)status);
    mock_text_put(head, " ", 1);
    mock_text_str(head, http_status_str((enum http_status)status));
    mock_text_put(head, "\r\n", 2);
}

void mock_reply_head(struct mock_reply *reply, const struct mock_opts *opts)
{
    struct mock_text head = mock_text_over(reply->head, sizeof(reply->head));

    put_status_line(&head, reply->status);
    if (reply->type_len)
        put_header(&head, "content-type: ", reply->type, reply->type_len);
    put_uint_header(&head, "content-length: ", reply->len);
    mock_text_str(&head, "x-request-id: req_");
    mock_text_hex(&head, reply->id[0]);
    mock_text_hex(&head, reply->id[1]);
    mock_text_put(&head, "\r\n", 2);
    if (reply->allow)
        put_header(&head, "allow: ", reply->allow, strlen(reply->allow));
    put_limit(&head, reply, opts);
    if (reply->close)
        mock_text_str(&head, "connection: close\r\n");
    else if (reply->old)
        mock_text_str(&head, "connection: keep-alive\r\n");
    mock_text_put(&head, "\r\n", 2);
    reply->head_len = head.len;
}

size_t mock_reply_total(const struct mock_reply *reply)
{
    return reply->head_len + (reply->bodiless ? 0 : reply->len);
}
