/* Tokens by rule of thumb, and what of them is taken before a request is sent. */
#include "answer_rig.h"

#include <stdlib.h>

#include <weir/tokens.h>

static uint64_t estimate(const char *body)
{
    size_t len = strlen(body);
    char *copy = malloc(len > 0 ? len : 1); /* nothing behind it */
    assert_non_null(copy);
    memcpy(copy, body, len);
    uint64_t tokens = weir_estimate_tokens(copy, len);
    free(copy);
    return tokens;
}

struct wanted {
    const char *body;
    uint64_t tokens;
};

static void check_all(const struct wanted *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check_field(cases[i].body, "tokens", (int64_t)estimate(cases[i].body),
                    (int64_t)cases[i].tokens);
}

#define CHAT(content) "{\"messages\":[{\"role\":\"user\",\"content\":" content "}]}"

static void test_prompts(void **state)
{
    static const struct wanted cases[] = {
        /* 2 for the chat, 4 a message, 4 characters a token, rounded up */
        {CHAT("\"12345678\""), 8},
        {CHAT("\"123456789\""), 9},
        {CHAT("\"\""), 6},
        {"{\"messages\":[{\"role\":\"system\",\"content\":\"1234\"},{\"role\":\"user\","
         "\"content\":\"1234\"}]}",
         12},
        {CHAT("[{\"type\":\"text\",\"text\":\"12345678\"},{\"type\":\"image_url\",\"image_url\":{"
              "\"url\":\"data:image/png;base64,AAAAAAAAAAAAAAAAAAAAAAAA\"}}]"),
         8},
        {"{\"model\":\"a-long-name-of-a-model\",\"user\":\"somebody\",\"prompt\":\"12345678\"}", 2},
        {"{\"prompt\":[\"1234\",\"1234\"]}", 2},
        {"{\"system\":\"1234\",\"messages\":[]}", 1},
        {"{\"contents\":[{\"parts\":[{\"text\":\"12345678\"}]}]}", 8},
        /* tools go to the model with their keys */
        {"{\"tools\":[{\"type\":\"abcd\"}]}", 2},
        {"{\"tools\":[{\"maximum0\":5}]}", 3},
        {"{\"metadata\":{\"prompt\":\"12345678\"}}", 0},
    };
    (void)state;
    check_all(cases, LENGTH(cases));
}

static void test_embeddings_are_the_sum_of_their_inputs(void **state)
{
    static const struct wanted cases[] = {
        {"{\"input\":\"12345678\"}", 2}, {"{\"input\":[\"1234\",\"1234\",\"12345678\"]}", 4},
        {"{\"input\":[1,2,30000]}", 3}, /* tokens already */
        {"{\"input\":[[1,2],[3]]}", 3},  {"{\"dimensions\":256,\"input\":[1]}", 1},
    };
    (void)state;
    check_all(cases, LENGTH(cases));
}

static void test_characters(void **state)
{
    static const struct wanted cases[] = {
        {"{\"prompt\":\"\xE4\xB8\xAD\xE6\x96\x87\"}", 3}, /* two ideographs */
        {"{\"prompt\":\"\\u4e2d\\u4e2d\\u4e2d\\u4e2d\\u4e2d\\u4e2d\\u4e2d\\u4e2d\"}", 12},
        {"{\"prompt\":\"\\u4e2d\\u6587\"}", 3}, /* the same, escaped */
        {"{\"prompt\":\"\\u4E2D\\u6587\"}", 3},
        {"{\"prompt\":\"\xE3\x81\x82\xED\x95\x9C\"}", 3},         /* Hiragana, Hangul */
        {"{\"prompt\":\"\xC3\xA4\xC3\xB6\xC3\xBC\xC3\x9F\"}", 1}, /* four letters */
        {"{\"prompt\":\"\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC\"}", 1},
        {"{\"prompt\":\"\xF0\x9F\x98\x80\xF0\x9F\x98\x80\"}", 3}, /* two emoji */
        {"{\"prompt\":\"\\ud83d\\ude00\\ud83d\\ude00\"}", 3},     /* the same, escaped */
        {"{\"prompt\":\"\\n\\\"\\\\\\t\"}", 1},
    };
    (void)state;
    check_all(cases, LENGTH(cases));
}

static void test_the_longest_answer_counts(void **state)
{
    static const struct wanted cases[] = {
        {"{\"prompt\":\"1234\",\"max_tokens\":100}", 101},
        {"{\"max_completion_tokens\":100,\"prompt\":\"1234\"}", 101},
        {"{\"max_output_tokens\":100}", 100},
        {"{\"generationConfig\":{\"maxOutputTokens\":100}}", 100},
        {"{\"max_tokens\":100,\"n\":3}", 300},
        {"{\"max_tokens\":100,\"n\":0}", 100},
        {"{\"max_tokens\":10,\"n\":99999999}", 1280},
        {"{\"max_tokens\":\"100\"}", 0},
        {"{\"max_tokens\":null,\"prompt\":\"1234\"}", 1},
        {"{\"max_tokens\":-5}", 5}, /* the server will refuse it anyway */
        {"{\"max_tokens\":99999999999999999999}", 0},
        {"{\"max_tokens\":999999999999999,\"n\":9}", 1000000000000000},
        {"{\"x\":{\"y\":{\"max_tokens\":5}}}", 0},
    };
    (void)state;
    check_all(cases, LENGTH(cases));
}

static void test_what_is_no_body(void **state)
{
    static const struct wanted cases[] = {
        {"", 0},
        {"[]", 0},
        {"\"1234\"", 0},
        {"prompt", 0},
        {" \n", 0},
        {"{", 0},
        {"{\"", 0},
        {"{\"prompt\":\"1234", 1},
        {"{\"prompt\":\"\\u12", 1},
        {"}}}}{[", 0},
        {" {\"prompt\":\"1234\"}", 1},
        {"\xEF\xBB\xBF{\"prompt\":\"1234\"}", 1},
        {"{\"prompt\":\"\xE4", 1},
        {"{\"prompt\":\"\\", 1},
    };
    (void)state;
    check_all(cases, LENGTH(cases));
    assert_int_equal(weir_estimate_tokens(NULL, 0), 0);
    assert_int_equal(weir_estimate_tokens(NULL, 5), 0);
}

static uint64_t reserve(const char *url, const char *const *headers)
{
    static const char body[] = "{\"prompt\":\"1234\",\"max_tokens\":100}";
    return weir__provider_reserve(url, headers, body, strlen(body));
}

static void test_what_is_taken_in_advance(void **state)
{
    static const char *const claude[] = {"Anthropic-Version: 2023-06-01", NULL};
    static const char *const gemini[] = {"x-goog-api-key: k", NULL};
    static const char *const azure[] = {"api-key: k", NULL};
    (void)state;
    assert_int_equal(reserve("https://api.openai.com/v1/chat/completions", NULL), 100);
    assert_int_equal(reserve("https://API.openai.com:443", azure), 100);
    assert_int_equal(reserve("https://x.openai.azure.com/openai", NULL), 101);
    assert_int_equal(reserve("https://api.anthropic.com/v1/messages", NULL), 1);
    assert_int_equal(reserve("https://generativelanguage.googleapis.com", NULL), 1);
    assert_int_equal(reserve("http://127.0.0.1:8000/v1", claude), 1);
    assert_int_equal(reserve("http://127.0.0.1:8000/v1", gemini), 1);
    assert_int_equal(reserve("http://127.0.0.1:8000/v1", azure), 101);
    assert_int_equal(reserve("http://127.0.0.1:8000/v1", NULL), 101);
    assert_int_equal(reserve(NULL, NULL), 101);
    assert_int_equal(reserve("https://evil.example/api.openai.com", NULL), 101);
    assert_int_equal(reserve("https://api.openai.com.evil.example", NULL), 101);
    assert_int_equal(reserve("https://xapi.openai.com/", NULL), 101);
    assert_int_equal(reserve("https://api.openai.com@evil.example/", NULL), 101);
    assert_int_equal(reserve("https://evil.example@api.openai.com?x", NULL), 100);
}

static void test_the_larger_of_two(void **state)
{
    static const char body[] = "{\"prompt\":\"123456789012\",\"max_tokens\":2}";
    (void)state;
    assert_int_equal(weir__provider_reserve("https://api.openai.com", NULL, body, strlen(body)), 3);
    assert_int_equal(weir__provider_reserve(NULL, NULL, NULL, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prompts),
        cmocka_unit_test(test_embeddings_are_the_sum_of_their_inputs),
        cmocka_unit_test(test_characters),
        cmocka_unit_test(test_the_longest_answer_counts),
        cmocka_unit_test(test_what_is_no_body),
        cmocka_unit_test(test_what_is_taken_in_advance),
        cmocka_unit_test(test_the_larger_of_two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
