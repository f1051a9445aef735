/* The k-th allocation fails, for every k, ours or jansson's: each call says so, and nothing leaks.
 */
#include "llm_rig.h"

#include <errno.h>

#include "base/mem.h"

static unsigned long allocations, fail_at;
static bool once; /* those behind it are well again */

static void *failing_malloc(size_t size)
{
    allocations++;
    if (fail_at > 0 && (once ? allocations == fail_at : allocations >= fail_at)) {
        errno = ENOMEM;
        return NULL;
    }
    return malloc(size);
}

static void fail_from(bool ours, unsigned long k)
{
    if (ours)
        weir__mem_fail_at(k);
    allocations = 0;
    fail_at = ours ? 0 : k;
}

static const struct weir_llm_message talk[] = {{"user", "One"}, {"assistant", "Two"}};
static const char *const stop[] = {"END", NULL};

#define REQUEST                                                                                    \
    WEIR_LLM_REQUEST(.system = "Be brief.", .messages = talk, .message_count = 2, .prompt = "Hi",  \
                     .temperature = 0.7, .stop = stop,                                             \
                     .schema = "{\"type\":\"object\",\"properties\":{\"a\":{}}}",                  \
                     .extra = "{\"seed\":[7]}")

/* A step of the test: 0, or WEIR_ENOMEM. */
typedef int (*step_fn)(weir_llm *llm);

static int chat(weir_llm *llm)
{
    struct weir_llm_answer *answer = NULL;
    int rc = weir_llm_chat(llm, REQUEST, &answer);
    check(rc < 0 || answer->text_len > 0);
    weir_llm_answer_free(answer);
    return rc;
}

static int read_a(json_t *answer, void *result, char *why, size_t size)
{
    int *reads = result;
    (void)answer;
    snprintf(why, size, "a is missing");
    return ++*reads == 2 ? 0 : WEIR_ESHAPE;
}

static int extract(weir_llm *llm)
{
    int reads = 0;
    struct weir_llm_answer *answer = NULL;
    int rc = weir_llm_extract(llm, REQUEST, read_a, &reads, &answer);
    check(rc < 0 || reads == 2);
    weir_llm_answer_free(answer);
    return rc;
}

static int stream(weir_llm *llm)
{
    weir_llm_stream *events = NULL;
    const char *piece;
    int rc = weir_llm_stream_open(llm, REQUEST, &events);
    while (rc == 0 && (rc = weir_llm_stream_next(events, &piece)) == 1)
        rc = 0;
    weir_llm_stream_close(events);
    return rc;
}

static void at_every_point(enum weir_llm_api api, const char *body, step_fn step, bool ours)
{
    struct llm_server server = LLM_SERVER({200, body});
    weir_llm *llm = llm_of(&server, api);
    unsigned long k = 0;
    int rc;
    check_int(step(llm), 0);
    do {
        fail_from(ours, ++k);
        rc = step(llm);
        fail_from(ours, 0);
        if (!check(rc == 0 || rc == WEIR_ENOMEM))
            print_error("allocation %lu (%s) failed: %s\n", k, ours ? "ours" : "jansson's",
                        weir_strerror(rc));
    } while (rc != 0 && k < 1000);
    check(k > 8 && k < 1000);
    check_int(weir_llm_free(llm), 0);
}

#define OPENAI                                                                                     \
    "{\"choices\":[{\"message\":{\"content\":\"{\\\"a\\\":1}\"},\"finish_reason\":\"stop\"}],"     \
    "\"usage\":{\"prompt_tokens\":1}}"
#define ANTHROPIC                                                                                  \
    "{\"content\":[{\"type\":\"tool_use\",\"id\":\"t\",\"input\":{\"a\":[1.5]}}],"                 \
    "\"stop_reason\":\"tool_use\"}"
#define EVENTS                                                                                     \
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"{}\"}}]}\n\n"                       \
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"              \
    "data: [DONE]\n\n"

static int any_allocation_may_fail(void *unused)
{
    (void)unused;
    for (int ours = 0; ours < 2; ours++) {
        at_every_point(WEIR_LLM_OPENAI, OPENAI, chat, ours);
        at_every_point(WEIR_LLM_ANTHROPIC, ANTHROPIC, chat, ours);
        at_every_point(WEIR_LLM_OPENAI, OPENAI, extract, ours);
        at_every_point(WEIR_LLM_ANTHROPIC, ANTHROPIC, extract, ours);
        at_every_point(WEIR_LLM_OPENAI, EVENTS, stream, ours);
    }
    return 0;
}

/* jansson's k-th allocation alone fails: what is made after it is no excuse. */
static int one_allocation_may_fail(void *unused)
{
    struct llm_server server = LLM_SERVER({200, OPENAI});
    weir_llm *llm = llm_of(&server, WEIR_LLM_OPENAI);
    unsigned long k = 0;
    (void)unused;
    once = true;
    do {
        fail_from(false, ++k);
        int rc = chat(llm);
        if (!check(rc == WEIR_ENOMEM || allocations < k))
            print_error("allocation %lu failed alone: %s\n", k, weir_strerror(rc));
    } while (allocations >= k && k < 1000);
    once = false;
    fail_from(false, 0);
    check(k > 8 && k < 1000);
    return weir_llm_free(llm);
}

static int a_client_may_not_come_to_be(void *unused)
{
    const struct weir_transport transport = WEIR_TRANSPORT(.perform = llm_perform);
    const struct weir_llm_opts *opts =
        WEIR_LLM_OPTS(.api = WEIR_LLM_ANTHROPIC, .api_key = "k", .model = "m",
                      .client = WEIR_CLIENT_OPTS(.transport = &transport));
    weir_llm *llm = NULL;
    unsigned long k = 0;
    int rc;
    (void)unused;
    do {
        fail_from(true, ++k);
        rc = weir_llm_new(&llm, opts);
        fail_from(true, 0);
        check(rc == 0 || (rc == WEIR_ENOMEM && llm == NULL));
    } while (rc != 0 && k < 100);
    check(k > 5 && k < 100);
    return weir_llm_free(llm);
}

static int with_failing_allocators(void **unused)
{
    (void)unused;
    json_set_alloc_funcs(failing_malloc, free);
    return 0;
}

static int with_plain_allocators(void **unused)
{
    (void)unused;
    json_set_alloc_funcs(malloc, free);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(any_allocation_may_fail),
        VIRTUAL_TEST(one_allocation_may_fail),
        VIRTUAL_TEST(a_client_may_not_come_to_be),
    };
    return cmocka_run_group_tests(tests, with_failing_allocators, with_plain_allocators);
}
