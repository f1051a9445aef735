/* What the tests of chats share: a server that answers by a script and keeps what it was asked. */
#ifndef WEIR_TESTS_LLM_RIG_H
#define WEIR_TESTS_LLM_RIG_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir/llm.h>
#include <weir/transport.h>

#include "rig.h"

struct llm_step {
    int status;
    const char *body;
};

/* The last step answers all that follow. */
struct llm_server {
    const struct llm_step *steps;
    size_t step_count, requests;
    char url[100], headers[1000]; /* of the last request; each header with a newline */
    char body[4000];
};
#define LLM_SERVER(...)                                                                            \
    {                                                                                              \
        .steps = (const struct llm_step[]){__VA_ARGS__},                                           \
        .step_count = sizeof((const struct llm_step[]){__VA_ARGS__}) / sizeof(struct llm_step)     \
    }

static inline int llm_perform(void *self, const struct weir_exchange *exchange,
                              weir_response *response)
{
    struct llm_server *server = self;
    size_t n = server->requests++;
    const struct llm_step *step =
        &server->steps[n < server->step_count ? n : server->step_count - 1];
    snprintf(server->url, sizeof server->url, "%s", exchange->url);
    snprintf(server->body, sizeof server->body, "%.*s", (int)exchange->body_len,
             (const char *)exchange->body);
    server->headers[0] = '\0';
    for (const char *const *line = exchange->headers; *line != NULL; line++) {
        size_t len = strlen(server->headers);
        snprintf(server->headers + len, sizeof server->headers - len, "%s\n", *line);
    }
    int rc = weir_response_set_status(response, step->status);
    if (rc == 0 && step->body[0] == ':') /* nothing else may tell that it is a stream */
        rc = weir_response_add_header(response, "Content-Type", "text/event-stream");
    return rc == 0 ? weir_response_append(response, step->body, strlen(step->body)) : rc;
}

static inline weir_llm *llm_of(struct llm_server *server, enum weir_llm_api api)
{
    static const char *const urls[] = {"http://model.example/v1", "http://model.example",
                                       "http://model.example/v1"};
    const struct weir_transport transport = WEIR_TRANSPORT(.perform = llm_perform, .self = server);
    weir_llm *llm = NULL;
    check_int(weir_llm_new(&llm,
                           WEIR_LLM_OPTS(.api = api, .base_url = urls[api], .model = "m-1",
                                         .client = WEIR_CLIENT_OPTS(.transport = &transport,
                                                                    .max_body_bytes = 20000))),
              0);
    return llm;
}

static inline bool rig_same(const char *got, const char *want, const char *file, int line)
{
    bool same = got != NULL && strcmp(got, want) == 0;
    if (!rig_check(same, "texts are the same", file, line))
        print_error("got  '%s'\nwant '%s'\n", got != NULL ? got : "(null)", want);
    return same;
}
#define check_text(got, want) rig_same((got), (want), __FILE__, __LINE__)

static inline void rig_usage(struct weir_llm_usage got, int64_t input, int64_t output,
                             int64_t cached, const char *file, int line)
{
    rig_check_int(got.input, input, "input", file, line);
    rig_check_int(got.output, output, "output", file, line);
    rig_check_int(got.cached, cached, "cached", file, line);
}
#define check_usage(got, input, output, cached)                                                    \
    rig_usage((got), (input), (output), (cached), __FILE__, __LINE__)

/* ---- answers as they were recorded, made shorter ---- */

#define OPENAI_ANSWER                                                                              \
    "{\"id\":\"chatcmpl-9\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"m-1\","       \
    "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"Forty-two.\","    \
    "\"refusal\":null,\"annotations\":[]},\"logprobs\":null,\"finish_reason\":\"stop\"},"          \
    "{\"index\":1,\"message\":{\"content\":\"Other\"},\"finish_reason\":\"length\"}],"             \
    "\"usage\":{\"prompt_tokens\":19,\"completion_tokens\":10,\"total_tokens\":29,"                \
    "\"prompt_tokens_details\":{\"cached_tokens\":7,\"audio_tokens\":0}},\"error\":null}"

#define ANTHROPIC_ANSWER                                                                           \
    "{\"id\":\"msg_01\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m-1\","            \
    "\"content\":[{\"type\":\"thinking\",\"thinking\":\"Hm\",\"signature\":\"x\"},"                \
    "{\"type\":\"text\",\"text\":\"Forty\"},{\"type\":\"text\",\"text\":\"-two.\"}],"              \
    "\"stop_reason\":\"end_turn\",\"stop_sequence\":null,\"usage\":{\"input_tokens\":20,"          \
    "\"cache_creation_input_tokens\":5,\"cache_read_input_tokens\":100,\"output_tokens\":3}}"

#endif
