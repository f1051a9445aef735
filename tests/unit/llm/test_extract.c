/* Answers with a shape: what does not fit is asked for again, with the reason, and so often only.
 */
#include "llm_rig.h"

#define AS_TEXT(json)                                                                              \
    "{\"choices\":[{\"message\":{\"content\":\"" json                                              \
    "\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":2}}"
#define AS_INPUT(json)                                                                             \
    "{\"content\":[{\"type\":\"tool_use\",\"id\":\"toolu_1\",\"name\":\"person\",\"input\":" json  \
    "}],\"stop_reason\":\"tool_use\",\"usage\":{\"input_tokens\":10,\"output_tokens\":2}}"

struct person {
    char name[16];
    int age, reads, rc; /* rc: to be returned, if not 0 */
};

static int read_person(json_t *answer, void *result, char *why, size_t size)
{
    struct person *person = result;
    const char *name;
    json_error_t error;
    person->reads++;
    if (person->rc != 0)
        return person->rc;
    if (json_unpack_ex(answer, &error, JSON_STRICT, "{s:s, s:i}", "name", &name, "age",
                       &person->age) < 0) {
        snprintf(why, size, "%s", error.text);
        return WEIR_ESHAPE;
    }
    snprintf(person->name, sizeof person->name, "%s", name);
    return 0;
}

#define REQUEST(...)                                                                               \
    WEIR_LLM_REQUEST(.prompt = "Who?", .schema = "{\"type\":\"object\"}", .schema_name = "person", \
                     __VA_ARGS__)

static int ask(struct llm_server *server, enum weir_llm_api api,
               const struct weir_llm_request *request, struct person *person,
               struct weir_llm_answer **answer)
{
    weir_llm *llm = llm_of(server, api);
    int rc = weir_llm_extract(llm, request, read_person, person, answer);
    check((rc == 0) == ((*answer)->error[0] == '\0'));
    check_int(weir_llm_free(llm), 0);
    return rc;
}

#define GOOD_TEXT  AS_TEXT("{\\\"name\\\":\\\"Ada\\\",\\\"age\\\":36}")
#define GOOD_INPUT AS_INPUT("{\"name\":\"Ada\",\"age\":36}")
#define AGAIN      ". Answer again, in full, with what is wrong mended and nothing but the JSON.\""

static int what_fits_is_taken_at_once(void *unused)
{
    static const char *const bodies[] = {GOOD_TEXT, GOOD_INPUT, GOOD_TEXT};
    (void)unused;
    for (int api = 0; api < 3; api++) {
        struct llm_server server = LLM_SERVER({200, bodies[api]});
        struct weir_llm_answer *answer = NULL;
        struct person person = {.age = 0};
        check_int(ask(&server, (enum weir_llm_api)api, REQUEST(.reasks = 0), &person, &answer), 0);
        check_text(person.name, "Ada");
        check_int(person.age, 36);
        check_int(answer->asks, 1);
        check_int(answer->reason, WEIR_LLM_STOP);
        check_usage(answer->usage, 10, 2, -1);
        weir_llm_answer_free(answer);
    }
    return 0;
}

#define ADA "{\\\"name\\\":\\\"Ada\\\",\\\"age\\\":36}"

/* Local servers ignore the format that they are asked for. */
static int what_is_wrapped_is_taken_at_once(void *unused)
{
    static const char *const bodies[] = {
        AS_TEXT("```json\\n" ADA "\\n```"),
        AS_TEXT("<think>{hmm}</think>\\n" ADA),
        AS_TEXT("Here it is: " ADA " Anything else?"),
    };
    (void)unused;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct llm_server server = LLM_SERVER({200, bodies[i]});
        struct weir_llm_answer *answer = NULL;
        struct person person = {.age = 0};
        check_int(ask(&server, WEIR_LLM_COMPATIBLE, REQUEST(.reasks = 0), &person, &answer), 0);
        check_text(person.name, "Ada");
        check_int(answer->asks, 1);
        check_int(person.reads, 1);
        weir_llm_answer_free(answer);
    }
    return 0;
}

/* Of an answer that cannot be read either way, the first reading's reason goes along. */
static int what_is_wrapped_and_wrong_is_asked_for_again(void *unused)
{
    struct llm_server server = LLM_SERVER({200, AS_TEXT("```json\\n{\\\"name\\\":Ada}\\n```")},
                                          {200, AS_TEXT("```json\\n" ADA "\\n```")});
    struct weir_llm_answer *answer = NULL;
    struct person person = {.age = 0};
    (void)unused;
    check_int(ask(&server, WEIR_LLM_OPENAI, REQUEST(.reasks = 0), &person, &answer), 0);
    check_int(answer->asks, 2);
    check_int(person.reads, 1);
    check(strstr(server.body, "it is not JSON (line 1, column 1: ") != NULL);
    weir_llm_answer_free(answer);
    return 0;
}

static int the_reason_goes_along(void *unused)
{
    struct llm_server server =
        LLM_SERVER({200, AS_TEXT("{\\\"name\\\":")}, {200, AS_TEXT("{\\\"name\\\":\\\"Ada\\\"}")},
                   {200, GOOD_TEXT});
    struct weir_llm_answer *answer = NULL;
    struct person person = {.age = 0};
    (void)unused;
    check_int(ask(&server, WEIR_LLM_OPENAI, REQUEST(.reasks = 0), &person, &answer), 0);
    check_text(person.name, "Ada");
    check_int(answer->asks, 3);
    check_int((int64_t)server.requests, 3);
    check_int(person.reads, 2); /* what is no JSON is not shown to it */
    check_usage(answer->usage, 30, 6, -1);
    const char *messages = strstr(server.body, "[");
    check(messages != NULL &&
          strstr(messages,
                 "[{\"role\":\"user\",\"content\":\"Who?\"},"
                 "{\"role\":\"assistant\",\"content\":\"{\\\"name\\\":\"},"
                 "{\"role\":\"user\",\"content\":\"That answer is not valid: it is not JSON "
                 "(line 1, column 9: ") == messages);
    check(strstr(server.body, "{\"role\":\"assistant\",\"content\":\"{\\\"name\\\":\\\"Ada\\\"}\"},"
                              "{\"role\":\"user\",\"content\":\"That answer is not valid: Object "
                              "item not found: age" AGAIN "}]") != NULL);
    weir_llm_answer_free(answer);
    return 0;
}

/* A tool's call must be answered by its result. */
static int the_reason_is_a_tools_result(void *unused)
{
    struct llm_server server = LLM_SERVER({200, AS_INPUT("{\"age\":36}")}, {200, GOOD_INPUT});
    struct weir_llm_answer *answer = NULL;
    struct person person = {.age = 0};
    (void)unused;
    check_int(ask(&server, WEIR_LLM_ANTHROPIC, REQUEST(.reasks = 1), &person, &answer), 0);
    check_int(answer->asks, 2);
    check(strstr(server.body,
                 "[{\"role\":\"user\",\"content\":\"Who?\"},{\"role\":\"assistant\",\"content\":[{"
                 "\"type\":\"tool_use\",\"id\":\"toolu_1\",\"name\":\"person\",\"input\":{\"age\":"
                 "36}}]},{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":"
                 "\"toolu_1\",\"is_error\":true,\"content\":\"That answer is not valid: Object "
                 "item not found: name" AGAIN "}]}]") != NULL);
    weir_llm_answer_free(answer);
    return 0;
}

/* Words of the answer stand in the reason, cut off somewhere in a character of several bytes. */
static int a_reason_that_is_not_utf8(void *unused)
{
#define E_ACUTES_10 "\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9"
#define NAME        E_ACUTES_10 E_ACUTES_10 E_ACUTES_10 E_ACUTES_10 E_ACUTES_10 E_ACUTES_10 E_ACUTES_10
    static const char *const bodies[][2] = {
        {AS_INPUT("{\"name\":\"Ada\",\"age\":36,\"" NAME NAME "\":1}"), GOOD_INPUT},
        {AS_INPUT("{\"name\":\"Ada\",\"age\":36,\"x" NAME NAME "\":1}"), GOOD_INPUT},
    };
    (void)unused;
    for (size_t i = 0; i < 2; i++) {
        struct llm_server server = LLM_SERVER({200, bodies[i][0]}, {200, bodies[i][1]});
        struct weir_llm_answer *answer = NULL;
        struct person person = {.age = 0};
        check_int(ask(&server, WEIR_LLM_ANTHROPIC, REQUEST(.reasks = 1), &person, &answer), 0);
        check_int(answer->asks, 2);
        check(strstr(server.body, "That answer is not valid: 1 object item(s) left unpacked: ") !=
              NULL);
        weir_llm_answer_free(answer);
    }
    return 0;
}

static int an_empty_answer_is_not_repeated(void *unused)
{
    struct llm_server server =
        LLM_SERVER({200, "{\"content\":[],\"stop_reason\":\"end_turn\"}"}, {200, GOOD_INPUT});
    struct weir_llm_answer *answer = NULL;
    struct person person = {.age = 0};
    (void)unused;
    check_int(ask(&server, WEIR_LLM_ANTHROPIC, REQUEST(.reasks = 1), &person, &answer), 0);
    check(strstr(server.body, "assistant") == NULL);
    check(strstr(server.body, "That answer is not valid: it is not JSON") != NULL);
    weir_llm_answer_free(answer);
    return 0;
}

static int only_so_often(void *unused)
{
    static const struct {
        int reasks;
        unsigned asks;
    } cases[] = {{0, 1 + WEIR_LLM_REASKS}, {-1, 1}, {5, 6}};
    (void)unused;
    for (size_t i = 0; i < 3; i++) {
        struct llm_server server = LLM_SERVER({200, AS_TEXT("[1]")});
        struct weir_llm_answer *answer = NULL;
        struct person person = {.age = 0};
        check_int(ask(&server, WEIR_LLM_OPENAI, REQUEST(.reasks = cases[i].reasks), &person,
                      &answer),
                  WEIR_ESHAPE);
        check_int((int64_t)server.requests, cases[i].asks);
        check_int(answer->asks, cases[i].asks);
        check_text(answer->error, "it is not a JSON object");
        check_text(answer->text, "[1]");
        check_int(person.reads, 0);
        weir_llm_answer_free(answer);
    }
    return 0;
}

static int what_asking_again_would_not_mend(void *unused)
{
    static const struct {
        struct llm_step step;
        int read_rc, rc;
        const char *error;
    } cases[] = {
        {{200, "{\"choices\":[{\"message\":{\"content\":\"{\"},\"finish_reason\":\"length\"}]}"},
         0,
         WEIR_ESHAPE,
         "it was cut off at the maximum of tokens"},
        {{200, "{\"choices\":[{\"message\":{\"content\":null,\"refusal\":\"No.\"}}]}"},
         0,
         WEIR_EREFUSED,
         "the model refused to answer"},
        {{401, "{\"error\":{\"message\":\"Bad key\"}}"}, 0, WEIR_EAPI, "Bad key"},
        {{200, "{}"}, 0, WEIR_ESHAPE, "the API's answer has no choices.0.message"},
        {{200, GOOD_TEXT}, WEIR_ENOTSUP, WEIR_ENOTSUP, "not supported here"},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct llm_server server = LLM_SERVER(cases[i].step);
        struct weir_llm_answer *answer = NULL;
        struct person person = {.rc = cases[i].read_rc};
        check_int(ask(&server, WEIR_LLM_OPENAI, REQUEST(.reasks = 0), &person, &answer),
                  cases[i].rc);
        check_int((int64_t)server.requests, 1);
        check_text(answer->error, cases[i].error);
        weir_llm_answer_free(answer);
    }
    return 0;
}

static int a_reader_without_words(void *unused)
{
    struct llm_server server = LLM_SERVER({200, GOOD_TEXT});
    struct weir_llm_answer *answer = NULL;
    struct person person = {.rc = WEIR_ESHAPE};
    (void)unused;
    check_int(ask(&server, WEIR_LLM_OPENAI, REQUEST(.reasks = 1), &person, &answer), WEIR_ESHAPE);
    check_int(person.reads, 2);
    check_text(answer->error, "it does not have the shape that was asked for");
    weir_llm_answer_free(answer);
    return 0;
}

static int bad_calls(void *unused)
{
    struct llm_server server = LLM_SERVER({200, GOOD_TEXT});
    struct person person = {.age = 0};
    weir_llm *llm = llm_of(&server, WEIR_LLM_OPENAI);
    (void)unused;
    check_int(weir_llm_extract(llm, WEIR_LLM_REQUEST(.prompt = "Who?"), read_person, &person, NULL),
              WEIR_EINVAL);
    check_int(weir_llm_extract(llm, REQUEST(.reasks = 0), NULL, &person, NULL), WEIR_EINVAL);
    check_int(weir_llm_extract(llm, REQUEST(.reasks = WEIR_LLM_REASKS_MAX + 1), read_person,
                               &person, NULL),
              WEIR_EINVAL);
    struct weir_llm_answer *answer = NULL;
    weir_llm_extract(llm, WEIR_LLM_REQUEST(.prompt = "Who?"), read_person, &person, &answer);
    check_text(answer->error, "schema: missing");
    weir_llm_answer_free(answer);
    weir_llm_extract(llm, REQUEST(.reasks = 17), read_person, &person, &answer);
    check_text(answer->error, "reasks: at most 16");
    weir_llm_answer_free(answer);
    check_int((int64_t)server.requests, 0);
    check_int(weir_llm_extract(llm, REQUEST(.reasks = 0), read_person, &person, NULL), 0);
    check_text(person.name, "Ada");
    return weir_llm_free(llm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(what_fits_is_taken_at_once),
        VIRTUAL_TEST(what_is_wrapped_is_taken_at_once),
        VIRTUAL_TEST(what_is_wrapped_and_wrong_is_asked_for_again),
        VIRTUAL_TEST(the_reason_goes_along),
        VIRTUAL_TEST(the_reason_is_a_tools_result),
        VIRTUAL_TEST(a_reason_that_is_not_utf8),
        VIRTUAL_TEST(an_empty_answer_is_not_repeated),
        VIRTUAL_TEST(only_so_often),
        VIRTUAL_TEST(what_asking_again_would_not_mend),
        VIRTUAL_TEST(a_reader_without_words),
        VIRTUAL_TEST(bad_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
