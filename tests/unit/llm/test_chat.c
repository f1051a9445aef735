/* One question, one answer: what goes out in each API's words, and what is read of what comes back,
 * good or bad. */
#include "llm_rig.h"

#define USER_HI "{\"role\":\"user\",\"content\":\"Hi\"}"

/* ---- what goes out ---- */

static const char schema[] = "{\"type\":\"object\",\"properties\":{}}";

static void check_body(enum weir_llm_api api, const struct weir_llm_request *request,
                       const char *want)
{
    struct llm_server server = LLM_SERVER({200, "{}"});
    struct weir_llm_answer *answer = NULL;
    weir_llm *llm = llm_of(&server, api);
    check_int(weir_llm_chat(llm, request, &answer), WEIR_ESHAPE);
    check_text(server.body, want);
    weir_llm_answer_free(answer);
    check_int(weir_llm_free(llm), 0);
}

static int each_api_is_asked_in_its_words(void *unused)
{
    static const struct weir_llm_message talk[] = {{"user", "One"}, {"assistant", "Two"}};
    static const char *const stop[] = {"END", "\n", NULL};
    const struct weir_llm_request *full =
        WEIR_LLM_REQUEST(.system = "Be brief.", .messages = talk, .message_count = 2,
                         .prompt = "Hi", .max_tokens = 50, .temperature = 0.5, .top_p = 0.25,
                         .stop = stop, .extra = "{\"seed\":7,\"model\":\"m-2\"}");
    (void)unused;
    check_body(WEIR_LLM_OPENAI, full,
               "{\"model\":\"m-2\",\"messages\":[{\"role\":\"system\",\"content\":\"Be brief.\"},"
               "{\"role\":\"user\",\"content\":\"One\"},{\"role\":\"assistant\",\"content\":"
               "\"Two\"}," USER_HI "],\"max_completion_tokens\":50,\"temperature\":0.5,"
               "\"top_p\":0.25,\"stop\":[\"END\",\"\\n\"],\"seed\":7}");
    check_body(WEIR_LLM_ANTHROPIC, full,
               "{\"model\":\"m-2\",\"messages\":[{\"role\":\"user\",\"content\":\"One\"},"
               "{\"role\":\"assistant\",\"content\":\"Two\"}," USER_HI
               "],\"system\":\"Be brief.\",\"max_tokens\":50,\"temperature\":0.5,\"top_p\":0.25,"
               "\"stop_sequences\":[\"END\",\"\\n\"],\"seed\":7}");
    check_body(WEIR_LLM_COMPATIBLE, WEIR_LLM_REQUEST(.prompt = "Hi", .max_tokens = 5),
               "{\"model\":\"m-1\",\"messages\":[" USER_HI "],\"max_tokens\":5}");
    check_body(WEIR_LLM_ANTHROPIC, WEIR_LLM_REQUEST(.prompt = "Hi", .model = "m-3"),
               "{\"model\":\"m-3\",\"messages\":[" USER_HI "],\"max_tokens\":4096}");
    check_body(WEIR_LLM_OPENAI, WEIR_LLM_REQUEST(.prompt = "Hi", .temperature = -1),
               "{\"model\":\"m-1\",\"messages\":[" USER_HI "],\"temperature\":0.0}");
    return 0;
}

static int a_schema_is_a_format_or_a_tool(void *unused)
{
    (void)unused;
    check_body(WEIR_LLM_OPENAI, WEIR_LLM_REQUEST(.prompt = "Hi", .schema = schema),
               "{\"model\":\"m-1\",\"messages\":[" USER_HI "],\"response_format\":{\"type\":"
               "\"json_schema\",\"json_schema\":{\"name\":\"answer\",\"schema\":"
               "{\"type\":\"object\",\"properties\":{}},\"strict\":true}}}");
    check_body(WEIR_LLM_COMPATIBLE,
               WEIR_LLM_REQUEST(.prompt = "Hi", .schema = "{}", .schema_name = "p", .loose = 1),
               "{\"model\":\"m-1\",\"messages\":[" USER_HI "],\"response_format\":{\"type\":"
               "\"json_schema\",\"json_schema\":{\"name\":\"p\",\"schema\":{},\"strict\":false}}}");
    check_body(WEIR_LLM_ANTHROPIC,
               WEIR_LLM_REQUEST(.prompt = "Hi", .schema = schema, .max_tokens = 9),
               "{\"model\":\"m-1\",\"messages\":[" USER_HI "],\"max_tokens\":9,\"tools\":[{"
               "\"name\":\"answer\",\"description\":\"Takes the answer.\",\"input_schema\":"
               "{\"type\":\"object\",\"properties\":{}}}],\"tool_choice\":{\"type\":\"tool\","
               "\"name\":\"answer\",\"disable_parallel_tool_use\":true}}");
    return 0;
}

static void check_refused(const struct weir_llm_request *request, int want, const char *why)
{
    struct llm_server server = LLM_SERVER({200, OPENAI_ANSWER});
    struct weir_llm_answer *answer = NULL;
    weir_llm *llm = llm_of(&server, WEIR_LLM_OPENAI);
    check_int(weir_llm_chat(llm, request, &answer), want);
    check_int((int64_t)server.requests, 0);
    check_text(answer->error, why);
    check(answer->response == NULL && answer->body == NULL);
    check_text(answer->text, "");
    weir_llm_answer_free(answer);
    weir_llm_free(llm);
}

static int what_is_no_request_is_not_sent(void *unused)
{
    static const struct weir_llm_message half[] = {{"user", NULL}}, nobody[] = {{NULL, "Hi"}};
    static const double zero;
    (void)unused;
    check_refused(WEIR_LLM_REQUEST(.model = "m"), WEIR_EINVAL, "messages: there is none");
    check_refused(WEIR_LLM_REQUEST(.prompt = "\xFF"), WEIR_EINVAL,
                  "content: missing, not UTF-8, or not a finite number");
    check_refused(WEIR_LLM_REQUEST(.prompt = "Hi", .message_count = 2), WEIR_EINVAL,
                  "messages: NULL, but message_count is not 0");
    check_refused(WEIR_LLM_REQUEST(.messages = nobody, .message_count = 1), WEIR_EINVAL,
                  "role: missing, not UTF-8, or not a finite number");
    check_refused(WEIR_LLM_REQUEST(.messages = half, .message_count = 0), WEIR_EINVAL,
                  "messages: there is none");
    check_refused(WEIR_LLM_REQUEST(.messages = half, .message_count = 1), WEIR_EINVAL,
                  "content: missing, not UTF-8, or not a finite number");
    check_refused(WEIR_LLM_REQUEST(.prompt = "Hi", .top_p = zero / zero), WEIR_EINVAL,
                  "top_p: missing, not UTF-8, or not a finite number");
    check_refused(WEIR_LLM_REQUEST(.prompt = "Hi", .max_tokens = UINT64_MAX), WEIR_EINVAL,
                  "max_tokens: out of range");
    check_refused(WEIR_LLM_REQUEST(.prompt = "Hi", .schema = "{"), WEIR_EJSON,
                  "schema: 1:2: string or '}' expected near end of file");
    check_refused(WEIR_LLM_REQUEST(.prompt = "Hi", .extra = "[]"), WEIR_EJSON,
                  "extra: no JSON object");
    check_refused(WEIR_LLM_REQUEST(.prompt = "Hi", .schema = "{}", .schema_name = "a b"),
                  WEIR_EINVAL, "schema_name: letters, digits, _ and -, 64 at most");
    check_refused(&(struct weir_llm_request){.prompt = "Hi"}, WEIR_EINVAL,
                  "invalid argument or option");
    return 0;
}

/* ---- keys and headers ---- */

static void check_headers(enum weir_llm_api api, const char *key, const char *want)
{
    static const char *const own[] = {"X-Team: a", NULL};
    struct llm_server server = LLM_SERVER({200, OPENAI_ANSWER});
    const struct weir_transport transport = WEIR_TRANSPORT(.perform = llm_perform, .self = &server);
    struct weir_llm_answer *answer = NULL;
    weir_llm *llm = NULL;
    check_int(weir_llm_new(&llm, WEIR_LLM_OPTS(.api = api, .base_url = "http://model.example/a",
                                               .api_key = key, .model = "m",
                                               .client = WEIR_CLIENT_OPTS(.transport = &transport,
                                                                          .headers = own))),
              0);
    weir_llm_chat(llm, WEIR_LLM_REQUEST(.prompt = "Hi"), &answer);
    check_text(server.headers, want);
    check_text(server.url, api == WEIR_LLM_ANTHROPIC ? "http://model.example/a/v1/messages"
                                                     : "http://model.example/a/chat/completions");
    weir_llm_answer_free(answer);
    weir_llm_free(llm);
}

#define TEAM      "X-Team: a\n"
#define JSON_TYPE "Content-Type: application/json\n"
#define VERSION   "anthropic-version: 2023-06-01\n"

static int each_api_gets_its_headers(void *unused)
{
    (void)unused;
    check_headers(WEIR_LLM_OPENAI, "k", TEAM "Authorization: Bearer k\n" JSON_TYPE);
    check_headers(WEIR_LLM_COMPATIBLE, "k", TEAM "Authorization: Bearer k\n" JSON_TYPE);
    check_headers(WEIR_LLM_ANTHROPIC, "k", TEAM "x-api-key: k\n" VERSION JSON_TYPE);
    /* The environment's keys are for the APIs' own servers. */
    setenv("OPENAI_API_KEY", "secret", 1);
    setenv("ANTHROPIC_API_KEY", "secret", 1);
    check_headers(WEIR_LLM_OPENAI, NULL, TEAM JSON_TYPE);
    check_headers(WEIR_LLM_COMPATIBLE, "", TEAM JSON_TYPE);
    check_headers(WEIR_LLM_ANTHROPIC, NULL, TEAM VERSION JSON_TYPE);
    return 0;
}

/* The "/v1" of an API whose own clients want none in a base URL counts once. */
static int base_urls_with_and_without_a_version(void *unused)
{
    static const struct {
        enum weir_llm_api api;
        const char *base, *url;
    } cases[] = {
        {1, "http://m.example", "http://m.example/v1/messages"},
        {1, "http://m.example/", "http://m.example/v1/messages"},
        {1, "http://m.example/v1", "http://m.example/v1/messages"},
        {1, "http://m.example/a/v1/", "http://m.example/a/v1/messages"},
        {1, "http://m.example/av1", "http://m.example/av1/v1/messages"},
        {2, "http://m.example/v1", "http://m.example/v1/chat/completions"},
        {2, "http://m.example/v1/", "http://m.example/v1/chat/completions"},
        {2, "http://m.example", "http://m.example/chat/completions"},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct llm_server server = LLM_SERVER({200, OPENAI_ANSWER});
        const struct weir_transport transport =
            WEIR_TRANSPORT(.perform = llm_perform, .self = &server);
        struct weir_llm_answer *answer = NULL;
        weir_llm *llm = NULL;
        check_int(weir_llm_new(&llm,
                               WEIR_LLM_OPTS(.api = cases[i].api, .base_url = cases[i].base,
                                             .model = "m",
                                             .client = WEIR_CLIENT_OPTS(.transport = &transport))),
                  0);
        weir_llm_chat(llm, WEIR_LLM_REQUEST(.prompt = "Hi"), &answer);
        check_text(server.url, cases[i].url);
        weir_llm_answer_free(answer);
        weir_llm_free(llm);
    }
    return 0;
}

static int keys_come_from_the_environment(void *unused)
{
    struct llm_server server = LLM_SERVER({200, OPENAI_ANSWER}, {200, ANTHROPIC_ANSWER});
    const struct weir_transport transport = WEIR_TRANSPORT(.perform = llm_perform, .self = &server);
    const struct weir_client_opts *client = WEIR_CLIENT_OPTS(.transport = &transport);
    static const char *const names[] = {"OPENAI_API_KEY", "ANTHROPIC_API_KEY"};
    static const char *const urls[] = {"https://api.openai.com/v1/chat/completions",
                                       "https://api.anthropic.com/v1/messages"};
    static const char *const lines[] = {"Authorization: Bearer env-key\n", "x-api-key: env-key\n"};
    (void)unused;
    for (int i = 0; i < 2; i++) {
        const struct weir_llm_opts *opts =
            WEIR_LLM_OPTS(.api = (enum weir_llm_api)i, .model = "m", .client = client);
        struct weir_llm_answer *answer = NULL;
        weir_llm *llm = NULL;
        unsetenv(names[i]);
        check_int(weir_llm_new(&llm, opts), WEIR_ENOKEY);
        setenv(names[i], "", 1);
        check_int(weir_llm_new(&llm, opts), WEIR_ENOKEY);
        check(llm == NULL);
        setenv(names[i], "env-key", 1);
        check_int(weir_llm_new(&llm, opts), 0);
        unsetenv(names[i]);
        check_int(weir_llm_chat(llm, WEIR_LLM_REQUEST(.prompt = "Hi"), &answer), 0);
        check_text(server.url, urls[i]);
        check(strstr(server.headers, lines[i]) != NULL);
        weir_llm_answer_free(answer);
        check_int(weir_llm_free(llm), 0);
    }
    return 0;
}

static int bad_options(void *unused)
{
    weir_llm *llm = NULL;
    (void)unused;
    check_int(weir_llm_new(&llm, WEIR_LLM_OPTS(.api = WEIR_LLM_COMPATIBLE)), WEIR_EINVAL);
    check_int(weir_llm_new(&llm, WEIR_LLM_OPTS(.api = (enum weir_llm_api)3)), WEIR_EINVAL);
    check_int(weir_llm_new(&llm, WEIR_LLM_OPTS(.reserved = 1, .api_key = "k")), WEIR_EINVAL);
    check_int(weir_llm_new(&llm, WEIR_LLM_OPTS(.api_key = "k",
                                               .client = WEIR_CLIENT_OPTS(.base_url = "http://a"))),
              WEIR_EINVAL);
    check_int(weir_llm_new(&llm, WEIR_LLM_OPTS(.api_key = "k",
                                               .client = WEIR_CLIENT_OPTS(.bearer_token = "b"))),
              WEIR_EINVAL);
    check_int(weir_llm_new(&llm, WEIR_LLM_OPTS(.api_key = "k\r\nX: y")), WEIR_EHEADER);
    check(llm == NULL);
    return 0;
}

/* ---- what comes back ---- */

static int rc_of(enum weir_llm_api api, const struct llm_step step, bool json,
                 struct weir_llm_answer **answer)
{
    struct llm_server server = LLM_SERVER(step);
    weir_llm *llm = llm_of(&server, api);
    int rc = weir_llm_chat(llm, WEIR_LLM_REQUEST(.prompt = "Hi", .schema = json ? schema : NULL),
                           answer);
    weir_llm_free(llm);
    check((rc == 0) == ((*answer)->error[0] == '\0'));
    return rc;
}

static int good_answers(void *unused)
{
    struct weir_llm_answer *answer = NULL;
    (void)unused;
    check_int(rc_of(WEIR_LLM_OPENAI, (struct llm_step){200, OPENAI_ANSWER}, false, &answer), 0);
    check_text(answer->text, "Forty-two.");
    check_int((int64_t)answer->text_len, 10);
    check_int(answer->reason, WEIR_LLM_STOP);
    check_text(answer->reason_text, "stop");
    check_usage(answer->usage, 19, 10, 7);
    check(answer->refusal == NULL);
    check_text(json_string_value(json_object_get(answer->body, "id")), "chatcmpl-9");
    check_int(weir_response_status(answer->response), 200);
    weir_llm_answer_free(answer);
    check_int(rc_of(WEIR_LLM_ANTHROPIC, (struct llm_step){200, ANTHROPIC_ANSWER}, false, &answer),
              0);
    check_text(answer->text, "Forty-two.");
    check_int(answer->reason, WEIR_LLM_STOP);
    check_usage(answer->usage, 125, 3, 100);
    weir_llm_answer_free(answer);
    /* Gateways write all the fields that they know of, and no error as an empty text. */
    check_int(rc_of(WEIR_LLM_COMPATIBLE,
                    (struct llm_step){200, "{\"error\":\"\",\"choices\":[{\"message\":{}}],"
                                           "\"usage\":{\"prompt_tokens\":9,"
                                           "\"completion_tokens\":4,\"input_tokens\":0,"
                                           "\"output_tokens\":0}}"},
                    false, &answer),
              0);
    check_usage(answer->usage, 9, 4, -1);
    weir_llm_answer_free(answer);
    return 0;
}

#define CHOICE(message, reason)                                                                    \
    "{\"choices\":[{\"message\":{" message "},\"finish_reason\":\"" reason "\"}]}"
#define PARTS(parts, reason)    CHOICE("\"content\":[" parts "]", reason)
#define CONTENT(blocks, reason) "{\"content\":[" blocks "],\"stop_reason\":\"" reason "\"}"

static int how_answers_end(void *unused)
{
    static const struct {
        enum weir_llm_api api;
        const char *body, *text, *refusal;
        enum weir_llm_reason reason;
        bool json;
    } cases[] = {
        {0, CHOICE("\"content\":\"a\"", "length"), "a", NULL, WEIR_LLM_LENGTH, false},
        {0, CHOICE("\"content\":null", "tool_calls"), "", NULL, WEIR_LLM_TOOLS, false},
        {0, CHOICE("\"content\":null", "tool_calls"), "", NULL, WEIR_LLM_TOOLS, true},
        {0, CHOICE("\"content\":null,\"refusal\":\"No.\"", "stop"), "", "No.", WEIR_LLM_STOP, true},
        {0, CHOICE("\"content\":\"a\",\"refusal\":\"\"", "stop"), "a", NULL, WEIR_LLM_STOP, true},
        {0, CHOICE("\"content\":\"a\"", ""), "a", NULL, WEIR_LLM_UNTOLD, false},
        {0, CHOICE("\"content\":\"a\"", "content_filter"), "a", "", WEIR_LLM_REFUSED, false},
        {0, CHOICE("\"content\":\"a\"", "eos"), "a", NULL, WEIR_LLM_OTHER, false},
        {0, "{\"choices\":[{\"message\":{}}]}", "", NULL, WEIR_LLM_UNTOLD, false},
        {0, PARTS("{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\",\"text\":\"b\"}", "stop"),
         "ab", NULL, WEIR_LLM_STOP, false},
        {2,
         PARTS("{\"type\":\"thinking\",\"thinking\":[{\"text\":\"no\"}]},{\"text\":\"{}\"}",
               "stop"),
         "{}", NULL, WEIR_LLM_STOP, true},
        {2, PARTS("{\"text\":\"\"}", "stop"), "", NULL, WEIR_LLM_STOP, false},
        {2, PARTS("", "tool_calls"), "", NULL, WEIR_LLM_TOOLS, false},
        {2, PARTS("{\"type\":\"thinking\"}", "length"), "", NULL, WEIR_LLM_LENGTH, false},
        {1, CONTENT("{\"text\":\"a\"}", "max_tokens"), "a", NULL, WEIR_LLM_LENGTH, false},
        {1, CONTENT("{\"text\":\"a\"}", "refusal"), "a", "", WEIR_LLM_REFUSED, false},
        {1, CONTENT("{\"text\":\"a\"},{\"input\":{\"b\":1}}", "tool_use"), "a", NULL,
         WEIR_LLM_TOOLS, false},
        {1, CONTENT("{\"text\":\"a\"},{\"input\":{\"b\":1}}", "tool_use"), "{\"b\":1}", NULL,
         WEIR_LLM_STOP, true},
        {1, CONTENT("{\"text\":\"{}\"}", "end_turn"), "{}", NULL, WEIR_LLM_STOP, true},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct weir_llm_answer *answer = NULL;
        check_int(rc_of(cases[i].api, (struct llm_step){200, cases[i].body}, cases[i].json,
                        &answer),
                  0);
        check_text(answer->text, cases[i].text);
        check_int(answer->reason, cases[i].reason);
        check((answer->refusal == NULL) == (cases[i].refusal == NULL));
        if (cases[i].refusal != NULL)
            check_text(answer->refusal, cases[i].refusal);
        check_usage(answer->usage, -1, -1, -1);
        weir_llm_answer_free(answer);
    }
    return 0;
}

static int errors_of_the_api(void *unused)
{
    static const struct {
        int status, rc;
        const char *body, *error, *type;
    } cases[] = {
        {401, WEIR_EAPI,
         "{\"error\":{\"message\":\"Incorrect API key provided.\",\"type\":"
         "\"invalid_request_error\",\"param\":null,\"code\":\"invalid_api_key\"}}",
         "Incorrect API key provided.", "invalid_api_key"},
        {400, WEIR_EAPI,
         "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":"
         "\"max_tokens: Field required\"},\"request_id\":\"req_1\"}",
         "max_tokens: Field required", "invalid_request_error"},
        {404, WEIR_EAPI, "{\"error\":\"model 'x' not found\"}", "model 'x' not found", ""},
        {422, WEIR_EAPI, "{\"object\":\"error\",\"message\":\"m\",\"type\":\"t\"}", "m", "t"},
        {400, WEIR_EAPI, "{\"detail\":\"Not found\"}", "Not found", ""},
        {400, WEIR_EAPI, "[{\"error\":{\"code\":400,\"message\":\"m\",\"status\":\"S\"}}]", "m",
         ""},
        {413, WEIR_EAPI, "<html>\n", "<html>?", ""},
        {400, WEIR_EAPI, "", "HTTP status 400", ""},
        {302, WEIR_EAPI, "", "HTTP status 302", ""},
        {400, WEIR_EAPI, "{\"error\":{\"message\":7}}", "an error without a text", ""},
        {400, WEIR_EAPI, "{\"error\":\"api_key=sk-1234567890 is bad\"}", "api_key=*** is bad", ""},
        {200, WEIR_EAPI, "{\"error\":{\"message\":\"m\",\"code\":401}}", "m", ""},
        {200, WEIR_EJSON, "{", "string or '}' expected near end of file", ""},
        {200, WEIR_EJSON, "", "unexpected token near end of file", ""},
        {200, WEIR_ESHAPE, "{}", "the API's answer has no choices.0.message", ""},
        {200, WEIR_ESHAPE, "[]", "the API's answer has no choices.0.message", ""},
        {200, WEIR_ESHAPE, "7", "the API's answer has no choices.0.message", ""},
        {200, WEIR_ESHAPE, "{\"choices\":{\"0\":[]}}", "the API's answer has no choices.0.message",
         ""},
        {200, WEIR_ESHAPE, PARTS("{\"type\":\"image\"}", "stop"),
         "the API's answer has no choices.0.message.content.*.text", ""},
        {200, WEIR_ESHAPE, PARTS("", "stop"),
         "the API's answer has no choices.0.message.content.*.text", ""},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct weir_llm_answer *answer = NULL;
        struct llm_step step = {cases[i].status, cases[i].body};
        check_int(rc_of(WEIR_LLM_OPENAI, step, false, &answer), cases[i].rc);
        check_text(answer->error, cases[i].error);
        check_text(answer->error_type, cases[i].type);
        check_int(weir_response_status(answer->response), cases[i].status);
        weir_llm_answer_free(answer);
    }
    return 0;
}

static char *repeated(const char *before, const char *what, size_t n, const char *after)
{
    size_t len = strlen(what), at = strlen(before);
    char *text = malloc(at + n * len + strlen(after) + 1);
    if (text == NULL)
        abort();
    memcpy(text, before, at);
    for (size_t i = 0; i < n; i++, at += len)
        memcpy(text + at, what, len);
    memcpy(text + at, after, strlen(after) + 1);
    return text;
}

static void check_hostile(char *body, bool json, int want)
{
    for (int api = 0; api < 2; api++) {
        struct weir_llm_answer *answer = NULL;
        int rc = rc_of((enum weir_llm_api)api, (struct llm_step){200, body}, json, &answer);
        check(rc == want || rc == WEIR_ESHAPE);
        check(strlen(answer->error) < WEIR_LLM_ERROR_MAX);
        weir_llm_answer_free(answer);
    }
    free(body);
}

static int hostile_answers(void *unused)
{
    (void)unused;
    check_hostile(repeated("", "[", 9000, ""), false, WEIR_EJSON);
    check_hostile(repeated("{\"content\":", "[", 96, ""), false, WEIR_EJSON);
    check_hostile(repeated("{\"error\":\"", "x", 9000, "\"}"), false, WEIR_EAPI);
    check_hostile(repeated("{\"content\":[{\"input\":{}}", ",{\"input\":{\"a\":1}}", 900, "]}"),
                  true, 0);
    check_hostile(repeated("{\"content\":[{\"text\":\"\\u0000\"}", ",{\"text\":\"\\u0000\"}", 800,
                           "]}"),
                  false, 0);
    check_hostile(repeated("{\"choices\":[{\"message\":{\"content\":\"", "x", 30000, "\"}}]}"),
                  false, WEIR_EBODYSIZE); /* the client's maximum */
    return 0;
}

/* An answer that grows when it is written anew: a real of three bytes, printed with 17 digits. */
static int text_is_bounded_like_bodies(void *unused)
{
    struct weir_llm_answer *answer = NULL;
    char *body = repeated("{\"content\":[{\"input\":{\"a\":[0.1", ",0.1", 3000, "]}}]}");
    (void)unused;
    check_int(rc_of(WEIR_LLM_ANTHROPIC, (struct llm_step){200, body}, true, &answer),
              WEIR_EBODYSIZE);
    weir_llm_answer_free(answer);
    free(body);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(each_api_is_asked_in_its_words),
        VIRTUAL_TEST(a_schema_is_a_format_or_a_tool),
        VIRTUAL_TEST(what_is_no_request_is_not_sent),
        VIRTUAL_TEST(each_api_gets_its_headers),
        VIRTUAL_TEST(base_urls_with_and_without_a_version),
        VIRTUAL_TEST(keys_come_from_the_environment),
        VIRTUAL_TEST(bad_options),
        VIRTUAL_TEST(good_answers),
        VIRTUAL_TEST(how_answers_end),
        VIRTUAL_TEST(errors_of_the_api),
        VIRTUAL_TEST(hostile_answers),
        VIRTUAL_TEST(text_is_bounded_like_bodies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
