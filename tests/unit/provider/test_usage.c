/* The tokens of an answer, found in its body without reading all of it. */
#include "answer_rig.h"

#include <stdlib.h>

static int64_t used(const char *body)
{
    weir_response *response = make_answer(200, NULL, body);
    int64_t tokens = weir__provider_used(response);
    weir_response_free(response);
    return tokens;
}

struct wanted {
    const char *body;
    int64_t used;
};

static void check_all(const struct wanted *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check_field(cases[i].body, "used", used(cases[i].body), cases[i].used);
}

static void test_what_each_api_counts(void **state)
{
    static const struct wanted cases[] = {
        /* OpenAI: chats, embeddings, responses */
        {"{\"choices\":[{\"message\":{\"content\":\"hi\"}}],\"usage\":{\"prompt_tokens\":10,"
         "\"completion_tokens\":5,\"total_tokens\":15,\"prompt_tokens_details\":{\"x\":[1]}}}",
         15},
        {"{\"data\":[{\"embedding\":[0.1,-2e-3]}],\"usage\":{\"prompt_tokens\":8,"
         "\"total_tokens\":8}}\n",
         8},
        {"{\"usage\":{\"input_tokens\":3,\"output_tokens\":4,\"total_tokens\":7}}", 7},
        {"{\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}", 7},
        /* Anthropic: what its cache gave is free, what it took is not */
        {"{\"type\":\"message\",\"usage\":{\"input_tokens\":20,\"cache_read_input_tokens\":1000,"
         "\"cache_creation_input_tokens\":100,\"output_tokens\":3}}",
         123},
        /* Gemini: input alone counts towards the limit */
        {"{\"candidates\":[],\"usageMetadata\":{\"promptTokenCount\":9,\"candidatesTokenCount\":50,"
         "\"totalTokenCount\":59}}",
         9},
        {"{ \"usage\" :\n\t{ \"total_tokens\" : 6 } , \"x\" : [ {} ] }", 6},
    };
    (void)state;
    check_all(cases, LENGTH(cases));
}

static void test_what_is_no_usage(void **state)
{
    static const struct wanted cases[] = {
        {"", -1},
        {"{}", -1},
        {"\"usage\"", -1},
        {"{\"usage\":null}", -1},
        {"{\"usage\":7}", -1},
        {"{\"usage\":{}}", -1},
        {"{\"usage\":{\"total_tokens\":\"15\"}}", -1},
        {"{\"usage\":{\"total_tokens\":1.5}}", -1},
        {"{\"usage\":{\"total_tokens\":-1}}", -1},
        {"{\"usage\":{\"total_tokens\":1000000000000000}}", -1},
        {"{\"usage\":{\"total_tokens\":999999999999999}}", 999999999999999},
        {"{\"usage\":{\"input_tokens\":999999999999999,\"output_tokens\":1}}", -1},
        {"{\"usage\":{\"total_tokens\":15", -1}, /* cut off */
        {"{\"usage\":{\"total_tokens\":15}", -1},
        {"{\"usage\":{\"total_tokens\":15}}}", -1},
        /* not the top level's: a model may write JSON of its own */
        {"{\"a\":{\"usage\":{\"total_tokens\":15}}}", -1},
        {"[{\"usage\":{\"total_tokens\":15}}]", -1},
        {"{\"c\":\"{\\\"usage\\\":{\\\"total_tokens\\\":15}}\"}", -1},
        {"{\"c\":\"usage\",\"d\":{\"total_tokens\":15}}", -1},
        {"{\"input\":{\"usage\":{\"total_tokens\":1}},\"usage\":{\"total_tokens\":2}}", 2},
        {"{\"usage\":{\"total_tokens\":2},\"input\":{\"usage\":{\"total_tokens\":1}}}", 2},
        {"{\"c\":\"}\\\\\",\"usage\":{\"total_tokens\":2,\"s\":\"}}\"},\"d\":\"{\\\"\"}", 2},
    };
    (void)state;
    check_all(cases, LENGTH(cases));
}

/* Of an answer in pieces: what comes later renews what came before. */
static void test_pieces(void **state)
{
    static const char start[] =
        "{\"type\":\"message_start\",\"message\":{\"content\":[],\"usage\":{\"input_tokens\":25,"
        "\"cache_creation_input_tokens\":10,\"cache_read_input_tokens\":500,"
        "\"output_tokens\":1}}}";
    static const struct wanted cases[] = {
        {"", -1},
        {"{\"usage\":{\"output_tokens\":7}}", -1}, /* the input is not known */
        {start, 36},
        {"{\"type\":\"ping\"}", -1},
        {"{\"delta\":{\"text\":\"{\\\"usage\\\":{}}\"}}", -1},
        {"{\"type\":\"message_delta\",\"usage\":{\"output_tokens\":15}}", 50},
        {"{\"usage\":{\"output_tokens\":-1}}", -1},
        {"{\"usage\":{\"input_tokens\":26,\"output_tokens\":16}}", 52},
        {"{\"choices\":[],\"usage\":{\"total_tokens\":8}}", 8},
        {"{\"message\":{\"usage\":7}}", -1},
    };
    struct weir__usage usage = {.row = NULL};
    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++)
        check_field(cases[i].body, "used",
                    weir__provider_used_so_far(&usage, cases[i].body, strlen(cases[i].body)),
                    cases[i].used);
    assert_int_equal(used(start), -1); /* of a whole answer only its own top level counts */
}

static void test_bounds(void **state)
{
    static const char unit[] = "[{\"usage\":{}}],", tail[] = "\"usage\":{\"total_tokens\":2}}";
    (void)state;
    for (int decoys = 3; decoys <= 4; decoys++) { /* four of the name are looked at */
        char body[256] = "{\"a\":[";
        for (int i = 0; i < decoys; i++)
            strncat(body, unit, sizeof body - strlen(body) - 1);
        strncat(body, "0],", sizeof body - strlen(body) - 1);
        strncat(body, tail, sizeof body - strlen(body) - 1);
        assert_int_equal(used(body), decoys == 3 ? 2 : -1);
    }
    char *large = malloc(20000);
    assert_non_null(large);
    memset(large, ' ', 19999);
    large[19999] = '\0';
    memcpy(large, "{\"usage\":{\"total_tokens\":2", 26);
    memcpy(large + 9000, "}}", 2); /* an object over 8 KiB */
    assert_int_equal(used(large), -1);
    memcpy(large + 8000, "}}", 2);
    memcpy(large + 9000, "  ", 2);
    assert_int_equal(used(large), 2);
    free(large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_each_api_counts),
        cmocka_unit_test(test_what_is_no_usage),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
