/* Recorded answers of real services, each with what is to be made of it. */
#include "answer_rig.h"

#define REQUESTS WEIR__UNIT_REQUESTS
#define TOKENS   WEIR__UNIT_TOKENS
#define NONE     WEIR__VERDICT_NONE
#define RETRY    WEIR__VERDICT_RETRY
#define FINAL    WEIR__VERDICT_FINAL
#define DAY_MS   INT64_C(86400000)

static const struct fixture {
    const char *name;
    int status;
    const char *head, *body;
    int64_t wait_ms;
    int throttled, busy;
    enum weir__verdict verdict;
    const char *cause;
    unsigned quota_count;
    struct weir__quota quotas[4];
} fixtures[] = {
    {"OpenAI, fine", 200,
     "x-ratelimit-limit-requests: 5000\nx-ratelimit-limit-tokens: 160000\n"
     "x-ratelimit-remaining-requests: 4999\nx-ratelimit-remaining-tokens: 159976\n"
     "x-ratelimit-reset-requests: 12ms\nx-ratelimit-reset-tokens: 9ms\n",
     "{\"id\":\"chatcmpl-1\"}", .wait_ms = -1, .quota_count = 2,
     .quotas = {{REQUESTS, 5000, 4999, 12, 60000, 1}, {TOKENS, 160000, 159976, 9, 60000, 1}}},
    {"OpenAI, requests per minute", 429, NULL,
     "{\"error\":{\"message\":\"Rate limit reached for gpt-4o-mini in organization org-xxx on "
     "requests per min (RPM): Limit 3, Used 3, Requested 1. Please try again in 20s. Visit "
     "https://platform.openai.com/account/rate-limits to learn more. You can increase your rate "
     "limit by adding a payment method to your account at "
     "https://platform.openai.com/account/billing.\",\"type\":\"requests\",\"param\":null,"
     "\"code\":\"rate_limit_exceeded\"}}",
     .wait_ms = 20000, .throttled = 1},
    {"OpenAI, quota", 429, NULL,
     "{\"error\":{\"message\":\"You exceeded your current quota, please check your plan and "
     "billing details. For more information on this error, read the docs: "
     "https://platform.openai.com/docs/guides/error-codes/api-errors.\",\"type\":"
     "\"insufficient_quota\",\"param\":null,\"code\":\"insufficient_quota\"}}",
     .wait_ms = -1, .verdict = FINAL, .cause = "quota exhausted"},
    {"Azure, its own spelling", 429,
     "x-rate-limit-reset-tokens: 55\npolicy-id: DeploymentRatelimit-Token\n",
     "{\"error\":{\"code\":\"429\",\"message\":\"Requests to the ChatCompletions_Create Operation "
     "under Azure OpenAI API version 2024-02-15-preview have exceeded token rate limit of your "
     "current OpenAI S0 pricing tier. Please retry after 55 seconds. Please go here: "
     "https://aka.ms/oai/quotaincrease if you would like to further increase the default rate "
     "limit.\"}}",
     .wait_ms = 55000, .throttled = 1, .quota_count = 1,
     .quotas = {{TOKENS, -1, -1, 55000, 60000, 1000}}},
    {"Azure, the header alone", 429, "x-rate-limit-reset-tokens: 55\n", NULL, .wait_ms = 55000,
     .throttled = 1, .quota_count = 1, .quotas = {{TOKENS, -1, -1, 55000, 60000, 1000}}},
    {"Azure, sentinels", 200,
     "x-ratelimit-limit-tokens: -1\nx-ratelimit-remaining-tokens: -1\n"
     "x-ratelimit-reset-tokens: 0\nx-ratelimit-limit-requests: 100\n"
     "x-ratelimit-remaining-requests: -1\n",
     NULL, .wait_ms = -1, .quota_count = 1, .quotas = {{REQUESTS, 100, -1, -1, -1, 1}}},
    {"Anthropic, input tokens", 429,
     "Date: Mon, 18 May 2026 11:41:55 GMT\nretry-after: 23\n"
     "anthropic-ratelimit-requests-limit: 1000\nanthropic-ratelimit-requests-remaining: 994\n"
     "anthropic-ratelimit-requests-reset: 2026-05-18T11:42:16Z\n"
     "anthropic-ratelimit-input-tokens-limit: 450000\n"
     "anthropic-ratelimit-input-tokens-remaining: 0\n"
     "anthropic-ratelimit-input-tokens-reset: 2026-05-18T11:42:18Z\n"
     "anthropic-ratelimit-output-tokens-limit: 90000\n"
     "anthropic-ratelimit-output-tokens-remaining: 14000\n"
     "anthropic-ratelimit-output-tokens-reset: 2026-05-18T11:42:17Z\n",
     "{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"Number of input "
     "tokens has exceeded the per-minute rate limit. Please reduce the rate at which you send "
     "tokens, or contact us to discuss your use case.\"},\"request_id\":\"req_1\"}",
     .wait_ms = 23000, .throttled = 1, .quota_count = 3,
     .quotas = {{REQUESTS, 1000, 994, 21000, 60000, 1000},
                {TOKENS, 450000, 0, 23000, 60000, 1000},
                {TOKENS, 90000, 14000, 22000, 60000, 1000}}},
    {"Anthropic, spend cap", 429, NULL,
     "{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"...\",\"details\":"
     "{\"error_code\":\"enforced_spend_limit_reached\"}}}",
     .wait_ms = -1, .verdict = FINAL, .cause = "spend limit reached"},
    {"Anthropic, ramp limit", 429, "retry-after: 9\n",
     "{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"...\",\"details\":"
     "{\"error_code\":\"ramp_limit_exceeded\"}}}",
     .wait_ms = 9000, .throttled = 1, .verdict = RETRY},
    {"Anthropic, overloaded", 529, NULL,
     "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}",
     .wait_ms = -1, .verdict = RETRY, .cause = "overloaded"},
    {"Anthropic, no credit", 400, NULL,
     "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"Your credit "
     "balance is too low to access the API.\"}}",
     .wait_ms = -1, .verdict = FINAL, .cause = "credit exhausted"},
    {"Gemini, per minute", 429, NULL,
     "{\"error\":{\"code\":429,\"message\":\"You exceeded your current quota...\\nPlease retry in "
     "56.185908122s.\",\"status\":\"RESOURCE_EXHAUSTED\",\"details\":[{\"@type\":"
     "\"type.googleapis.com/google.rpc.QuotaFailure\",\"violations\":[{\"quotaMetric\":"
     "\"generativelanguage.googleapis.com/generate_content_free_tier_requests\",\"quotaId\":"
     "\"GenerateRequestsPerMinutePerProjectPerModel-FreeTier\",\"quotaDimensions\":{\"location\":"
     "\"global\",\"model\":\"gemini-2.5-pro\"},\"quotaValue\":\"2\"}]},{\"@type\":"
     "\"type.googleapis.com/google.rpc.Help\",\"links\":[{\"description\":\"Learn more\",\"url\":"
     "\"https://ai.google.dev/gemini-api/docs/rate-limits\"}]},{\"@type\":"
     "\"type.googleapis.com/google.rpc.RetryInfo\",\"retryDelay\":\"56s\"}]}}",
     .wait_ms = 56000, .throttled = 1, .verdict = RETRY},
    {"Gemini, per day, in a stream's array", 429, NULL,
     "[{\"error\":{\"code\":429,\"details\":[{\"violations\":[{\"quotaId\":"
     "\"GenerateRequestsPerMinutePerProjectPerModel-FreeTier\"},{\"quotaId\":"
     "\"GenerateRequestsPerDayPerProjectPerModel-FreeTier\"}]},{\"retryDelay\":\"56s\"}]}}]",
     .wait_ms = 56000, .verdict = FINAL, .cause = "daily quota exhausted"},
    {"Gemini, per minute without a delay", 429, NULL,
     "{\"error\":{\"code\":429,\"details\":[{\"violations\":[{\"quotaId\":"
     "\"GenerateRequestsPerMinutePerProjectPerModel-FreeTier\"}]}]}}",
     .wait_ms = 60000, .throttled = 1, .verdict = RETRY},
    {"Gemini, the delay in the metadata", 429, NULL,
     "{\"error\":{\"details\":[{\"metadata\":{\"quotaResetDelay\":\"539.477544ms\"}}]}}",
     .wait_ms = 540, .throttled = 1},
    {"Gemini, cancelled", 499, NULL, "{\"error\":{\"code\":499,\"status\":\"CANCELLED\"}}",
     .wait_ms = -1, .verdict = RETRY, .cause = "cancelled by the server"},
    {"Groq, fine: requests by the day", 200,
     "x-ratelimit-limit-requests: 14400\nx-ratelimit-remaining-requests: 14370\n"
     "x-ratelimit-reset-requests: 2m59.56s\nx-ratelimit-limit-tokens: 18000\n"
     "x-ratelimit-remaining-tokens: 17997\nx-ratelimit-reset-tokens: 7.66s\n",
     NULL, .wait_ms = -1, .quota_count = 2,
     .quotas = {{REQUESTS, 14400, 14370, 179560, DAY_MS, 1},
                {TOKENS, 18000, 17997, 7660, 60000, 1}}},
    {"Groq, tokens per minute", 429, "retry-after: 17\n",
     "{\"error\":{\"message\":\"Rate limit reached for model `llama-3.1-8b-instant` ... on tokens "
     "per minute (TPM): Limit 6000, Used 4093, Requested 3531. Please try again in "
     "16.239999999s.\",\"type\":\"tokens\",\"code\":\"rate_limit_exceeded\"}}",
     .wait_ms = 17000, .throttled = 1},
    {"Groq, larger than the limit", 413, NULL,
     "{\"error\":{\"message\":\"Request too large for model `llama-3.1-8b-instant` ... on tokens "
     "per minute (TPM): Limit 6000, Requested 15041, please reduce your message size and try "
     "again.\",\"type\":\"tokens\",\"code\":\"rate_limit_exceeded\"}}",
     .wait_ms = -1, .verdict = FINAL, .cause = "request larger than the limit"},
    {"OpenRouter, daily", 429, "Date: Wed, 20 May 2026 23:58:30 GMT\n",
     "{\"error\":{\"message\":\"Rate limit exceeded: free-models-per-day. Add 10 credits to unlock "
     "1000 free model requests per day\",\"code\":429,\"metadata\":{\"headers\":{"
     "\"X-RateLimit-Limit\":\"50\",\"X-RateLimit-Remaining\":\"0\",\"X-RateLimit-Reset\":"
     "\"1779321600000\"},\"provider_name\":null}},\"user_id\":\"user_x\"}",
     .wait_ms = 90000, .throttled = 1, .quota_count = 1,
     .quotas = {{REQUESTS, 50, 0, 90000, -1, 1000}}},
    {"OpenRouter, 200 around a 429", 200, NULL,
     " {\n \"error\" : {\"code\":429,\"message\":\"Rate limit exceeded\",\"metadata\":{\"headers\":"
     "{\"Retry-After\":\"4\"}}},\"user_id\":\"u\"}",
     .wait_ms = 4000, .throttled = 1, .verdict = RETRY},
    {"OpenRouter, 200 around a 502", 200, NULL,
     "{\"error\":{\"code\":502,\"message\":\"Provider returned error, try again in 9s\"}}",
     .wait_ms = -1, .verdict = RETRY, .cause = "failed behind the gateway"},
    {"OpenRouter, 200 around a 408", 200, NULL, "{\"error\":{\"code\":408}}", .wait_ms = -1,
     .verdict = RETRY, .cause = "timed out behind the gateway"},
    {"OpenRouter, 200 around a 403", 200, NULL,
     "{\"error\":{\"code\":403,\"message\":\"flagged\"}}", .wait_ms = -1, .verdict = FINAL,
     .cause = "refused behind the gateway"},
    {"OpenRouter, no credit", 402, NULL,
     "{\"error\":{\"code\":402,\"message\":\"Insufficient credits\"}}", .wait_ms = -1,
     .verdict = FINAL, .cause = "payment required"},
    {"Mistral, fine", 200,
     "x-ratelimit-limit-tokens-minute: 5000000\nx-ratelimit-remaining-tokens-minute: 4999948\n"
     "x-ratelimit-limit-req-minute: 720\nx-ratelimit-remaining-req-minute: 717\n",
     NULL, .wait_ms = -1, .quota_count = 2,
     .quotas = {{REQUESTS, 720, 717, -1, 60000, 1}, {TOKENS, 5000000, 4999948, -1, 60000, 1}}},
    {"Mistral, throttled", 429, NULL,
     "{\"object\":\"error\",\"message\":\"Rate limit exceeded\",\"type\":\"rate_limited\","
     "\"param\":null,\"code\":\"1300\",\"raw_status_code\":429}",
     .wait_ms = -1, .throttled = 1},
    {"Cohere, per month", 429, NULL,
     "{\"id\":\"24e32f6d-b372-4853-85f2-11e65134f032\",\"message\":\"You are using a Trial key, "
     "which is limited to 1000 API calls / month.\"}",
     .wait_ms = -1, .verdict = FINAL, .cause = "monthly quota exhausted"},
    {"Cohere, per minute", 429, NULL,
     "{\"id\":\"1\",\"message\":\"You are using a Trial key, which is limited to 40 API calls / "
     "minute.\"}",
     .wait_ms = -1, .throttled = 1, .verdict = RETRY},
    {"Together, fine: by the second", 200,
     "x-ratelimit-limit: 10\nx-ratelimit-remaining: 9\nx-ratelimit-reset: 1\n"
     "x-tokenlimit-limit: 3000\nx-tokenlimit-remaining: 2900\n",
     NULL, .wait_ms = -1, .quota_count = 2,
     .quotas = {{REQUESTS, 10, 9, 1000, 1000, 1000}, {TOKENS, 3000, 2900, -1, 1000, 1}}},
    {"Together, throttled, despite its type", 429, NULL,
     "{\"error\":{\"message\":\"Request was rejected due to request rate limiting. Your rate "
     "limits are 600 RPM (10 QPS) and 180000 TPM (3000 TPS).\",\"type\":\"credit_limit\","
     "\"param\":null,\"code\":null}}",
     .wait_ms = -1, .throttled = 1},
    {"GitHub, fine", 200,
     "Date: Mon, 05 Aug 2019 09:27:00 GMT\nx-ratelimit-limit: 5000\nx-ratelimit-remaining: 4990\n"
     "x-ratelimit-used: 10\nx-ratelimit-reset: 1565000820\nx-ratelimit-resource: core\n",
     NULL, .wait_ms = -1, .quota_count = 1,
     .quotas = {{REQUESTS, 5000, 4990, 3600000, 3600000, 1000}}},
    {"GitHub, search", 200,
     "x-ratelimit-limit: 30\nx-ratelimit-remaining: 18\nx-ratelimit-resource: search\n", NULL,
     .wait_ms = -1, .quota_count = 1, .quotas = {{REQUESTS, 30, 18, -1, 60000, 1}}},
    {"GitHub, used up", 403,
     "Date: Mon, 05 Aug 2019 09:27:00 GMT\nx-ratelimit-limit: 60\nx-ratelimit-remaining: 0\n"
     "x-ratelimit-reset: 1564997280\n",
     "{\"message\":\"API rate limit exceeded for 192.0.2.1.\"}", .wait_ms = 60000, .throttled = 1,
     .quota_count = 1, .quotas = {{REQUESTS, 60, 0, 60000, -1, 1000}}},
    {"GitHub, secondary", 403, "x-ratelimit-limit: 5000\nx-ratelimit-remaining: 4990\n",
     "{\"message\":\"You have exceeded a secondary rate limit. Please wait a few minutes before "
     "you try again.\"}",
     .wait_ms = 60000, .throttled = 1, .verdict = RETRY, .quota_count = 1,
     .quotas = {{REQUESTS, 5000, 4990, -1, -1, 1}}},
    {"GitHub, secondary, with a wait", 429, "retry-after: 61\n",
     "{\"message\":\"You have exceeded a secondary rate limit.\"}", .wait_ms = 61000,
     .throttled = 1, .verdict = RETRY},
    {"GitHub, forbidden", 403, "x-ratelimit-limit: 5000\nx-ratelimit-remaining: 4990\n",
     "{\"message\":\"Resource not accessible by integration\"}", .wait_ms = -1, .quota_count = 1,
     .quotas = {{REQUESTS, 5000, 4990, -1, -1, 1}}},
    {"Stripe, throttled", 400,
     "Stripe-Rate-Limited-Reason: global-concurrency\nStripe-Should-Retry: true\n", NULL,
     .wait_ms = -1, .throttled = 1, .verdict = RETRY},
    {"Stripe, not again", 409, "Stripe-Should-Retry: false\n", NULL, .wait_ms = -1,
     .verdict = FINAL, .cause = "the server says not to try again"},
    {"Stripe, throttled with 503", 503,
     "Retry-After: 1\nStripe-Rate-Limited-Reason: global-concurrency\n", NULL, .wait_ms = 1000,
     .throttled = 1},
    {"busy", 503, "Retry-After: 1\nX-RateLimit-Limit: 50\nX-RateLimit-Remaining: 49\n", NULL,
     .wait_ms = 1000, .throttled = 1, .busy = 1, .quota_count = 1,
     .quotas = {{REQUESTS, 50, 49, -1, -1, 1}}},
    {"used up, with 503", 503, "Retry-After: 1\nX-RateLimit-Limit: 50\nX-RateLimit-Remaining: 0\n",
     NULL, .wait_ms = 1000, .throttled = 1, .quota_count = 1,
     .quotas = {{REQUESTS, 50, 0, -1, -1, 1}}},
    {"Slack", 429, "Retry-After: 30\n", "{\"ok\":false,\"error\":\"ratelimited\"}",
     .wait_ms = 30000, .throttled = 1, .verdict = RETRY},
    {"Slack, with 200", 200, "Retry-After: 30\n", "{\"ok\":false,\"error\":\"ratelimited\"}",
     .wait_ms = 30000, .throttled = 1, .verdict = RETRY},
    {"Slack, another error", 200, "Retry-After: 30\n",
     "{\"ok\":false,\"error\":\"channel_not_found\"}", .wait_ms = -1},
    {"Shopify", 429, "Retry-After: 2.0\nX-Shopify-Shop-Api-Call-Limit: 40/40\n", NULL,
     .wait_ms = 2000, .throttled = 1, .quota_count = 1,
     .quotas = {{REQUESTS, 40, 0, 20000, 20000, 1}}},
    {"Shopify, fine", 200, "X-Shopify-Shop-Api-Call-Limit: 32/40\n", NULL, .wait_ms = -1,
     .quota_count = 1, .quotas = {{REQUESTS, 40, 8, 16000, 20000, 1}}},
    {"Discord", 429,
     "X-RateLimit-Limit: 5\nX-RateLimit-Remaining: 0\nX-RateLimit-Reset: 1696004799.5\n"
     "X-RateLimit-Reset-After: 1.125\n",
     "{\"message\":\"You are being rate limited.\",\"retry_after\":1.1245,\"global\":false}",
     .wait_ms = 1125, .throttled = 1, .quota_count = 1, .quotas = {{REQUESTS, 5, 0, 1125, -1, 1}}},
    {"Docker Hub", 429, "Date: Mon, 31 Mar 2025 17:20:00 GMT\nRetry-After: 1743441608\n", NULL,
     .wait_ms = 8000, .throttled = 1},
    {"Hugging Face", 429,
     "RateLimit: \"api\";r=0;t=55\nRateLimit-Policy: \"fixed window\";\"api\";q=500;w=300\n", NULL,
     .wait_ms = 56000, .throttled = 1, .quota_count = 1,
     .quotas = {{REQUESTS, 500, 0, 56000, 300000, 1000}}},
    {"Cloudflare", 200,
     "Ratelimit: \"default\";r=50;t=30\nRatelimit-Policy: \"burst\";q=100;w=60\n", NULL,
     .wait_ms = -1, .quota_count = 1, .quotas = {{REQUESTS, 100, 50, 30000, 60000, 1000}}},
    {"IETF, draft 10: Retry-After wins", 429,
     "Date: Mon, 05 Aug 2019 09:27:00 GMT\nRetry-After: Mon, 05 Aug 2019 09:27:05 GMT\n"
     "RateLimit: \"default\";r=0;t=7\n",
     NULL, .wait_ms = 5000, .throttled = 1, .quota_count = 1,
     .quotas = {{REQUESTS, -1, 0, 7000, -1, 1000}}},
};

static void check(const struct fixture *fixture)
{
    const char *name = fixture->name;
    struct weir__told told = tell(fixture->status, fixture->head, fixture->body);
    check_field(name, "wait_ms", told.wait_ms, fixture->wait_ms);
    check_field(name, "throttled", told.throttled, fixture->throttled);
    check_field(name, "busy", told.busy, fixture->busy);
    check_field(name, "verdict", told.verdict, fixture->verdict);
    check_field(name, "quota_count", told.quota_count, fixture->quota_count);
    for (unsigned i = 0; i < fixture->quota_count; i++)
        check_quota(name, &told.quotas[i], &fixture->quotas[i]);
    if ((told.cause == NULL) != (fixture->cause == NULL) ||
        (told.cause != NULL && strcmp(told.cause, fixture->cause) != 0))
        fail_msg("%s: the cause is \"%s\"", name, told.cause != NULL ? told.cause : "(none)");
}

static void test_fixtures(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH(fixtures); i++)
        check(&fixtures[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fixtures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
