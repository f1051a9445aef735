/* The JSON that is found within a model's text, and where none is. */
#include "llm_rig.h"

#include "llm/llm.h"

static int json_is_found(void *unused)
{
    static const struct {
        const char *text, *json;
    } cases[] = {
        {"```json\n{\"a\":1}\n```", "{\"a\":1}"},
        {"```\n[1,2]\n```\n", "[1,2]"},
        {"```json {\"a\":1}```", "{\"a\":1}"},
        {"Here is the {name} object:\n```json\n{\"a\":{}}\n```", "{\"a\":{}}"},
        {"```json\n{\"a\":1}", "{\"a\":1}"}, /* never closed */
        {"```json\n{\"a\":\"```\\n{\"}\n```", "{\"a\":\"```\\n{\"}"},
        {"<think>{\"a\":2}? No.</think>\n{\"a\":1}", "{\"a\":1}"},
        {"<think>a</think><think>{b}</think>{\"a\":1}", "{\"a\":1}"},
        {"{b}</think>{\"a\":1}", "{\"a\":1}"}, /* the template has the beginning */
        {"Sure! {\"a\":\"}\\\"{[\",\"b\":[{}]} Anything else?", "{\"a\":\"}\\\"{[\",\"b\":[{}]}"},
        {"{\"a\":1}.", "{\"a\":1}"},
        {"[{\"a\":1}] is it", "[{\"a\":1}]"},
        {"As in [1]: ", "[1]"},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *text = cases[i].text;
        size_t len = strlen(text);
        char got[100] = "";
        if (check(weir__llm_json_within(&text, &len)))
            snprintf(got, sizeof got, "%.*s", (int)len, text);
        check_text(got, cases[i].json);
    }
    return 0;
}

static int or_is_not(void *unused)
{
    static const char *const cases[] = {
        "",
        "hello",
        "```json\n```",
        "}",
        "] ]",
        "{\"a\":1",
        "{\"a\":\"}",
        "{\"a\":[}",
        "{\"a\":1}",                      /* all of it */
        "{\"a\":1} or {\"a\":2}",         /* which? */
        "```\n{}\n```\n```\n{}\n```",     /* which? */
        "{\"a\":1}</think>",              /* nothing but thoughts */
        "{\"a\":1} <think>Hm</think>No.", /* taken back */
    };
    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *text = cases[i];
        size_t len = strlen(text);
        if (!check(!weir__llm_json_within(&text, &len)))
            print_error("in '%s'\n", cases[i]);
        check(text == cases[i]);
        check_int((int64_t)len, (int64_t)strlen(cases[i]));
    }
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(json_is_found),
        VIRTUAL_TEST(or_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
