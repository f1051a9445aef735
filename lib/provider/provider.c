#include "provider/provider.h"

#include "http/response.h"
#include "policy/retry_after.h"

/* Names of the header that carries the server's id of a request. */
static const char *const request_id_headers[] = {
    "x-request-id",     /* OpenAI, Mistral, GitHub's mirror of it, and most gateways */
    "request-id",       /* Anthropic, Stripe */
    "x-amzn-requestid", /* AWS Bedrock */
    "apim-request-id",  /* Azure */
    "cf-ray",           /* Cloudflare */
};

/* By precedence: the finer unit first, since servers that send both round the other one. */
static const struct {
    const char *header;
    enum unit { IN_MS, IN_SECONDS_OR_DATE } unit;
} wait_headers[] = {
    {"retry-after-ms", IN_MS},      /* OpenAI, Azure */
    {"x-ms-retry-after-ms", IN_MS}, /* Azure */
    {"retry-after", IN_SECONDS_OR_DATE},
};

const char *weir_response_request_id(const weir_response *response, size_t *len)
{
    size_t n = sizeof request_id_headers / sizeof request_id_headers[0];
    return weir__response_first_header(response, request_id_headers, n, len);
}

static int64_t now_of(const weir_response *response, int64_t wall_s)
{
    size_t len;
    const char *date = weir_response_header(response, "date", &len);
    int64_t date_s = date != NULL ? weir__http_date_s(date, len) : -1;
    return date_s >= 0 ? date_s : wall_s;
}

int64_t weir__provider_wait_ms(const weir_response *response, int64_t wall_s)
{
    for (size_t i = 0; i < sizeof wait_headers / sizeof wait_headers[0]; i++) {
        size_t len;
        const char *text = weir_response_header(response, wait_headers[i].header, &len);
        if (text == NULL)
            continue;
        int64_t wait_ms = wait_headers[i].unit == IN_MS
                              ? weir__retry_after_millis(text, len)
                              : weir__retry_after_ms(text, len, now_of(response, wall_s));
        if (wait_ms >= 0)
            return wait_ms;
    }
    return -1;
}
