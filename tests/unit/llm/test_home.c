/* Chats beyond the runtime that they were made in. */
#include "elsewhere.h"
#include "llm_rig.h"

#define ANSWER                                                                                     \
    "{\"choices\":[{\"message\":{\"role\":\"assistant\",\"content\":\"42\"},"                      \
    "\"finish_reason\":\"stop\"}]}"

struct stage {
    struct llm_server server;
    weir_llm *llm;
    weir_llm_stream *stream; /* of it */
};

static const struct weir_llm_request *const question = WEIR_LLM_REQUEST(.prompt = "6 * 7?");
static const struct llm_step step = {.status = 200, .body = ANSWER};

static int make(void *arg)
{
    struct stage *stage = arg;
    struct weir_llm_answer *answer = NULL;
    *stage = (struct stage){.server = {.steps = &step, .step_count = 1}};
    stage->llm = llm_of(&stage->server, WEIR_LLM_OPENAI);
    check_int(weir_llm_chat(stage->llm, question, &answer), 0);
    weir_llm_answer_free(answer);
    check_int(weir_llm_stream_open(stage->llm, question, &stage->stream), 0);
    return 0;
}

static int be_refused(void *arg)
{
    struct stage *stage = arg;
    struct weir_llm_answer *answer = NULL;
    weir_llm_stream *stream = NULL;
    const char *piece;
    check_int(weir_llm_chat(stage->llm, question, &answer), WEIR_ENORUNTIME);
    if (check(answer != NULL))
        check(strstr(answer->error, "runtime") != NULL);
    weir_llm_answer_free(answer);
    check_int(weir_llm_stream_next(stage->stream, &piece), WEIR_ENORUNTIME);
    check_int(weir_llm_stream_open(stage->llm, question, &stream), WEIR_ENORUNTIME);
    weir_llm_stream_close(stream);
    check_int((int64_t)stage->server.requests, 2);
    return 0;
}

static int let_go_in_vain(void *arg)
{
    struct stage *stage = arg;
    weir_llm_stream_close(stage->stream);
    check_int(weir_llm_free(stage->llm), WEIR_ENORUNTIME);
    return 0;
}

static int free_all(void *arg)
{
    struct stage *stage = arg;
    check_int(weir_llm_free(stage->llm), WEIR_EBUSY);
    weir_llm_stream_close(stage->stream);
    check_int(weir_llm_free(stage->llm), 0);
    return 0;
}

static int others_change_nothing(void *unused)
{
    struct stage stage;
    const char *piece;
    (void)unused;
    make(&stage);
    in_other_runtime(be_refused, &stage);
    in_other_runtime(let_go_in_vain, &stage);
    check_int(weir_llm_stream_next(stage.stream, &piece), 1);
    check(piece != NULL && strcmp(piece, "42") == 0);
    return free_all(&stage);
}

static void freed_after_the_run(void **state)
{
    struct stage stage;
    (void)state;
    assert_int_equal(rig_run(make, &stage), 0);
    after_the_end(be_refused, &stage);
    free_all(&stage);
    rig_assert_no_failure();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(others_change_nothing),
        cmocka_unit_test(freed_after_the_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
