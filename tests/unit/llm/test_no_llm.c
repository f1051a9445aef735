/* An llm that is NULL, since what weir_llm_new returned was not looked at: each function says so.
 */
#include "llm_rig.h"

static const char text[] = "the llm is NULL";

static void check_answer(int rc, struct weir_llm_answer *answer)
{
    check_int(rc, WEIR_EINVAL);
    if (!check(answer != NULL))
        return;
    check(strstr(answer->error, text) != NULL);
    check_int((int64_t)answer->text_len, 0);
    check(answer->response == NULL);
    weir_llm_answer_free(answer);
}

static int never_called(json_t *tree, void *result, char *why, size_t size)
{
    (void)tree;
    (void)result;
    (void)why;
    (void)size;
    check(false);
    return 0;
}

static int chats(void *unused)
{
    const struct weir_llm_request *request = WEIR_LLM_REQUEST(.prompt = "?", .schema = "{}");
    struct weir_llm_answer *answer = NULL;
    int rc = weir_llm_chat(NULL, request, &answer);
    (void)unused;
    check_answer(rc, answer);
    rc = weir_llm_extract(NULL, request, never_called, NULL, &answer);
    check_answer(rc, answer);
    check_int(weir_llm_extract(NULL, request, never_called, NULL, NULL), WEIR_EINVAL);
    return 0;
}

static int streams(void *unused)
{
    weir_llm_stream *stream = NULL;
    const char *piece;
    (void)unused;
    check_int(weir_llm_stream_open(NULL, WEIR_LLM_REQUEST(.prompt = "?"), &stream), WEIR_EINVAL);
    if (!check(stream != NULL))
        return 0;
    check_int(weir_llm_stream_next(stream, &piece), WEIR_EINVAL);
    check(strstr(weir_llm_stream_answer(stream)->error, text) != NULL);
    weir_llm_stream_close(stream);
    return 0;
}

/* A stream that never opened does not hold its llm. */
static int gone_before_its_stream(void *unused)
{
    struct llm_server server = {.step_count = 0};
    weir_llm *llm = llm_of(&server, WEIR_LLM_OPENAI);
    weir_llm_stream *stream = NULL;
    const char *piece;
    (void)unused;
    check_int(weir_llm_stream_open(llm, WEIR_LLM_REQUEST(.prompt = NULL), &stream), WEIR_EINVAL);
    check_int(weir_llm_free(llm), 0);
    check_int(weir_llm_stream_next(stream, &piece), WEIR_EINVAL);
    weir_llm_stream_close(stream);
    return 0;
}

static int others(void *unused)
{
    (void)unused;
    check(weir_llm_client(NULL) == NULL);
    check_int(weir_llm_free(NULL), 0);
    check_int(weir_llm_new(NULL, NULL), WEIR_EINVAL);
    check_int(weir_llm_chat(NULL, NULL, NULL), WEIR_EINVAL);
    check_int(weir_llm_stream_open(NULL, NULL, NULL), WEIR_EINVAL);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(chats),
        VIRTUAL_TEST(streams),
        VIRTUAL_TEST(gone_before_its_stream),
        VIRTUAL_TEST(others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
