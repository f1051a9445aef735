/* Answers that are read while they come: the events of both APIs, their ends and errors, and the
 * connection behind them. */
#include "../client/stream_rig.h"
#include "llm_rig.h"

#include <weir/metrics.h>

#define SAY(text) "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" text "\"}}]}\n\n"
#define OTHER     "data: {\"choices\":[{\"index\":1,\"delta\":{\"content\":\"no\"}}]}\n\n"
#define STOP      "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
#define USAGE                                                                                      \
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":5,"               \
    "\"total_tokens\":15,\"prompt_tokens_details\":{\"cached_tokens\":4}}}\n\n"
#define DONE "data: [DONE]\n\n"

#define EVENT(name, rest) "event: " name "\ndata: {\"type\":\"" name "\"" rest "}\n\n"
#define START                                                                                      \
    EVENT("message_start", ",\"message\":{\"id\":\"msg_1\",\"content\":[],\"stop_reason\":null,"   \
                           "\"usage\":{\"input_tokens\":25,\"cache_creation_input_tokens\":0,"     \
                           "\"cache_read_input_tokens\":3,\"output_tokens\":1}}")                  \
    EVENT("content_block_start",                                                                   \
          ",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}")                      \
    EVENT("ping", "")
#define DELTA(text)                                                                                \
    EVENT("content_block_delta",                                                                   \
          ",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"" text "\"}           ")
#define INPUT(json)                                                                                \
    EVENT("content_block_delta",                                                                   \
          ",\"index\":0,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"" json "\"}")
#define LAST(reason)                                                                               \
    EVENT("content_block_stop", ",\"index\":0")                                                    \
    EVENT("message_delta",                                                                         \
          ",\"delta\":{\"stop_reason\":\"" reason "\"},\"usage\":{\"output_tokens\":15}")

struct wanted {
    enum weir_llm_api api;
    const char *events;
    int rc;             /* of the end */
    const char *pieces; /* with "|" between them */
    enum weir_llm_reason reason;
    int64_t input, output, cached;
    const char *error, *type;
    bool json;
};

/* A stream that the API broke off is no call that went well, though its bytes were all there. */
static void check_counted(const weir_llm *llm, int rc)
{
    struct weir_client_stats stats = {.size = sizeof stats};
    check_int(weir_client_stats(weir_llm_client(llm), &stats), 0);
    check_int((int64_t)stats.requests_ended.ok, rc == 0);
    check_int((int64_t)stats.requests_ended.failed, rc < 0);
    check_int((int64_t)stats.in_flight, 0);
}

/* at_open: opening fails. */
static void play(const struct wanted *want, bool at_open)
{
    struct llm_server server = LLM_SERVER({200, want->events});
    weir_llm *llm = llm_of(&server, want->api);
    weir_llm_stream *stream = NULL;
    const char *piece;
    char pieces[200] = "";
    int rc =
        weir_llm_stream_open(llm,
                             WEIR_LLM_REQUEST(.prompt = "Hi", .schema = want->json ? "{}" : NULL),
                             &stream);
    check_int(rc, at_open ? want->rc : 0);
    while ((rc = weir_llm_stream_next(stream, &piece)) == 1) {
        size_t len = strlen(pieces);
        snprintf(pieces + len, sizeof pieces - len, "%s%s", len > 0 ? "|" : "", piece);
    }
    check_int(rc, want->rc);
    check_text(pieces, want->pieces);
    check(piece == NULL);
    check_int(weir_llm_stream_next(stream, &piece), want->rc); /* and it stays so */
    check_counted(llm, rc);
    const struct weir_llm_answer *answer = weir_llm_stream_answer(stream);
    check_int(answer->reason, want->reason);
    check_usage(answer->usage, want->input, want->output, want->cached);
    check_text(answer->error, want->error);
    check_text(answer->error_type, want->type != NULL ? want->type : "");
    check(strstr(server.body, "\"stream\":true") != NULL);
    check((strstr(server.body, "\"include_usage\":true") != NULL) ==
          (want->api != WEIR_LLM_ANTHROPIC));
    weir_llm_stream_close(stream);
    check_int(weir_llm_free(llm), 0);
}

static int streams_end(void *unused)
{
    static const struct wanted cases[] = {
        {0, SAY("Hel") OTHER SAY("") SAY("lo") STOP USAGE DONE, 0, "Hel|lo", WEIR_LLM_STOP, 10, 5,
         4, "", NULL, false},
        {2, SAY("Hi") STOP DONE, 0, "Hi", WEIR_LLM_STOP, -1, -1, -1, "", NULL, false},
        {0, STOP DONE SAY("late"), 0, "", WEIR_LLM_STOP, -1, -1, -1, "", NULL, false},
        {0, SAY("Hi") DONE, 0, "Hi", WEIR_LLM_UNTOLD, -1, -1, -1, "", NULL, false},
        {2, ": OPENROUTER PROCESSING\n\n" SAY("Hi") STOP, 0, "Hi", WEIR_LLM_STOP, -1, -1, -1, "",
         NULL, false}, /* some have no [DONE] */
        {1, START DELTA("Hel") DELTA("lo") LAST("end_turn") EVENT("message_stop", ""), 0, "Hel|lo",
         WEIR_LLM_STOP, 28, 15, 3, "", NULL, false},
        {1,
         START INPUT("") INPUT("{\\\"a\\\":") INPUT("1}") LAST("tool_use")
             EVENT("message_stop", ""),
         0, "{\"a\":|1}", WEIR_LLM_STOP, 28, 15, 3, "", NULL, true},
        {1, START INPUT("{}") LAST("tool_use") EVENT("message_stop", ""), 0, "", WEIR_LLM_TOOLS, 28,
         15, 3, "", NULL, false},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        play(&cases[i], false);
    return 0;
}

#define CUT "connection lost before the answer was complete"

static int streams_fail(void *unused)
{
    static const struct wanted cases[] = {
        {0, SAY("Hi"), WEIR_ERESET, "Hi", WEIR_LLM_UNTOLD, -1, -1, -1, CUT, NULL, false},
        {2,
         "data: {\"choices\":[{\"delta\":{\"content\":\"Hi\",\"refusal\":\"\"},"
         "\"finish_reason\":\"\"}]}\n\n", /* some servers' word for none yet */
         WEIR_ERESET, "Hi", WEIR_LLM_UNTOLD, -1, -1, -1, CUT, NULL, false},
        {0, "<html>No model here</html>", WEIR_EPROTO, "", WEIR_LLM_UNTOLD, -1, -1, -1,
         "no event in the answer, which has no Content-Type", NULL, false},
        {0, SAY("Hi") "event: error\ndata: {\"message\":\"boom\",\"type\":\"server_error\"}\n\n",
         WEIR_EAPI, "Hi", WEIR_LLM_UNTOLD, -1, -1, -1, "boom", "server_error", false},
        {1, START DELTA("Hi"), WEIR_ERESET, "Hi", WEIR_LLM_UNTOLD, 28, 1, 3, CUT, NULL, false},
        {0,
         SAY("Hi") "data: {\"error\":{\"message\":\"The server had an error\",\"type\":"
                   "\"server_error\"}}\n\n",
         WEIR_EAPI, "Hi", WEIR_LLM_UNTOLD, -1, -1, -1, "The server had an error", "server_error",
         false},
        {1,
         START DELTA("Hi") "event: error\ndata: {\"type\": \"error\", \"error\": {\"type\": "
                           "\"overloaded_error\", \"message\": \"Overloaded\"}}\n\n",
         WEIR_EAPI, "Hi", WEIR_LLM_UNTOLD, 28, 1, 3, "Overloaded", "overloaded_error", false},
        {0, SAY("Hi") "data: {\"choices\":[\n\n", WEIR_EJSON, "Hi", WEIR_LLM_UNTOLD, -1, -1, -1,
         "']' expected near end of file", NULL, false},
        {0, "data: 7\n\n", WEIR_ESHAPE, "", WEIR_LLM_UNTOLD, -1, -1, -1,
         "the API's answer has no object", NULL, false},
        {0, "data: []\n\n", WEIR_ESHAPE, "", WEIR_LLM_UNTOLD, -1, -1, -1,
         "the API's answer has no object", NULL, false},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        play(&cases[i], false);
    return 0;
}

/* Nothing that is content had come, at any attempt. */
static int streams_that_do_not_begin(void *unused)
{
    static const struct wanted cases[] = {
        {0, "", WEIR_ERESET, "", WEIR_LLM_UNTOLD, -1, -1, -1, CUT, NULL, false},
        {2, ": OPENROUTER PROCESSING\n\n", WEIR_ERESET, "", WEIR_LLM_UNTOLD, -1, -1, -1, CUT, NULL,
         false},
        {0, "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n",
         WEIR_ERESET, "", WEIR_LLM_UNTOLD, -1, -1, -1, CUT, NULL, false},
        {1, START, WEIR_ERESET, "", WEIR_LLM_UNTOLD, -1, -1, -1, CUT, NULL, false},
        {0, "{\"error\":{}}", WEIR_EAPI, "", WEIR_LLM_UNTOLD, -1, -1, -1, "an error without a text",
         NULL, false},
        {0, "{\"error\":{\"message\":\"backend is down\",\"code\":502}}", WEIR_EAPI, "",
         WEIR_LLM_UNTOLD, -1, -1, -1, "backend is down", NULL, false},
        {0, "\n[{\"error\":{\"message\":\"m\",\"type\":\"t\"}}]", WEIR_EAPI, "", WEIR_LLM_UNTOLD,
         -1, -1, -1, "m", "t", false},
        {0, "{\"choices\":[]}", WEIR_ESHAPE, "", WEIR_LLM_UNTOLD, -1, -1, -1,
         "the API's answer has no choices.0.message", NULL, false},
        {0, "{\"choices\":[", WEIR_EJSON, "", WEIR_LLM_UNTOLD, -1, -1, -1,
         "']' expected near end of file", NULL, false},
        {0, "event: error\ndata: {\"message\":\"boom\",\"type\":\"server_error\"}\n\n", WEIR_EAPI,
         "", WEIR_LLM_UNTOLD, -1, -1, -1, "boom", "server_error", false},
        {2, "event: error\ndata: out of memory\n\n", WEIR_EAPI, "", WEIR_LLM_UNTOLD, -1, -1, -1,
         "out of memory", NULL, false},
        {0, "data: {\"error\":null}\n\ndata: {\"error\":\"bad\"}\n\n", WEIR_EAPI, "",
         WEIR_LLM_UNTOLD, -1, -1, -1, "bad", NULL, false},
        {0, "data: {\"object\":\"error\",\"message\":\"m\",\"type\":\"t\"}\n\n", WEIR_EAPI, "",
         WEIR_LLM_UNTOLD, -1, -1, -1, "m", "t", false},
        {0, "data: [{\"error\":{\"message\":\"m\"}}]\n\n", WEIR_EAPI, "", WEIR_LLM_UNTOLD, -1, -1,
         -1, "m", NULL, false},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        play(&cases[i], true);
    return 0;
}

static int a_refusal_comes_in_pieces(void *unused)
{
    struct llm_server server = LLM_SERVER(
        {200, "data: {\"choices\":[{\"delta\":{\"refusal\":\"I \"}}]}\n\n"
              "data: {\"choices\":[{\"delta\":{\"refusal\":\"will not.\"}}]}\n\n" STOP DONE});
    weir_llm *llm = llm_of(&server, WEIR_LLM_OPENAI);
    weir_llm_stream *stream = NULL;
    const char *piece;
    (void)unused;
    check_int(weir_llm_stream_open(llm, WEIR_LLM_REQUEST(.prompt = "Hi"), &stream), 0);
    check_int(weir_llm_stream_next(stream, &piece), 0);
    check_text(weir_llm_stream_answer(stream)->refusal, "I will not.");
    check_text(weir_llm_stream_answer(stream)->text, "");
    weir_llm_stream_close(stream);
    return weir_llm_free(llm);
}

/* Servers that do not know of streams. */
static int a_whole_answer_is_one_piece(void *unused)
{
    static const char *const bodies[] = {OPENAI_ANSWER, ANTHROPIC_ANSWER,
                                         "\xEF\xBB\xBF \n" OPENAI_ANSWER};
    static const struct weir_llm_usage usages[] = {{19, 10, 7}, {125, 3, 100}, {19, 10, 7}};
    (void)unused;
    for (int api = 0; api < 3; api++) {
        struct llm_server server = LLM_SERVER({200, bodies[api]});
        weir_llm *llm = llm_of(&server, (enum weir_llm_api)api);
        weir_llm_stream *stream = NULL;
        const char *piece;
        check_int(weir_llm_stream_open(llm, WEIR_LLM_REQUEST(.prompt = "Hi"), &stream), 0);
        check_int(weir_llm_stream_next(stream, &piece), 1);
        check_text(piece, "Forty-two.");
        check_int(weir_llm_stream_next(stream, &piece), 0);
        const struct weir_llm_answer *answer = weir_llm_stream_answer(stream);
        check_int(answer->reason, WEIR_LLM_STOP);
        check_usage(answer->usage, usages[api].input, usages[api].output, usages[api].cached);
        check(json_is_object(answer->body));
        check_text(answer->error, "");
        weir_llm_stream_close(stream);
        check_int(weir_llm_free(llm), 0);
    }
    return 0;
}

#define GOOD SAY("Hi") STOP DONE

/* What fails before the first content is tried again, unless it would fail again. */
static int failures_before_the_content(void *unused)
{
    static const struct {
        const char *first;
        unsigned attempts;
        bool once;
        enum weir_llm_api api;
        const char *then;
    } cases[] = {
        {": OPENROUTER PROCESSING\n\n", 2, false, 2, GOOD},
        {"data: {\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\n\n", 2, false, 0, GOOD},
        {"data: {\"error\":{\"message\":\"overloaded\",\"code\":503}}\n\n", 2, false, 2, GOOD},
        {"{\"error\":{\"message\":\"backend is down\",\"code\":502}}", 2, false, 2, GOOD},
        {"event: error\ndata: {\"message\":\"boom\"}\n\n", 2, false, 2, GOOD},
        {"data: {\"error\":{\"message\":\"m\",\"code\":429}}\n\n", 2, false, 0, GOOD},
        {START "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\","
               "\"message\":\"Overloaded\"}}\n\n",
         2, false, 1, START DELTA("Hi") LAST("end_turn") EVENT("message_stop", "")},
        {"data: {\"error\":{\"message\":\"m\",\"code\":401}}\n\n", 1, false, 2, GOOD},
        {"data: {\"error\":{\"type\":\"invalid_request_error\"}}\n\n", 1, false, 0, GOOD},
        /* Unknown whether the server has acted on it, but for who says "overloaded". */
        {": OPENROUTER PROCESSING\n\n", 1, true, 2, GOOD},
        {"data: {\"error\":{\"message\":\"m\",\"type\":\"odd\"}}\n\n", 1, true, 2, GOOD},
        {"data: {\"error\":{\"type\":\"overloaded_error\"}}\n\n", 2, true, 2, GOOD},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct llm_server server = LLM_SERVER({200, cases[i].first}, {200, cases[i].then});
        weir_llm *llm = llm_of(&server, cases[i].api);
        weir_llm_stream *stream = NULL;
        const char *piece;
        int rc = weir_llm_stream_open(llm, WEIR_LLM_REQUEST(.prompt = "Hi", .once = cases[i].once),
                                      &stream);
        bool good = cases[i].attempts == 2;
        if (!check((rc == 0) == good) || !check_int((int64_t)server.requests, cases[i].attempts))
            print_error("case %zu\n", i);
        check_int(weir_llm_stream_next(stream, &piece), good ? 1 : rc);
        check_text(weir_llm_stream_answer(stream)->text, good ? "Hi" : "");
        check_int(weir_response_attempts(weir_llm_stream_answer(stream)->response),
                  cases[i].attempts);
        weir_llm_stream_close(stream);
        check_int((int64_t)live_holding(weir_llm_client(llm)), 0);
        check_int(weir_llm_free(llm), 0);
    }
    return 0;
}

/* Errors of mid-answer are not: what was read cannot be unread. */
static int failures_behind_the_first_content(void *unused)
{
    static const char *const firsts[] = {
        SAY("Hi") "data: {\"error\":{\"message\":\"overloaded\",\"code\":503}}\n\n",
        "data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"Hm\"}}]}\n\n",
        "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0}]}}]}\n\n",
        USAGE,
    };
    (void)unused;
    for (size_t i = 0; i < sizeof firsts / sizeof firsts[0]; i++) {
        struct llm_server server = LLM_SERVER({200, firsts[i]}, {200, GOOD});
        weir_llm *llm = llm_of(&server, WEIR_LLM_COMPATIBLE);
        weir_llm_stream *stream = NULL;
        const char *piece;
        int rc;
        check_int(weir_llm_stream_open(llm, WEIR_LLM_REQUEST(.prompt = "Hi"), &stream), 0);
        while ((rc = weir_llm_stream_next(stream, &piece)) == 1)
            continue;
        check_int(rc, i == 0 ? WEIR_EAPI : WEIR_ERESET);
        check_int((int64_t)server.requests, 1);
        weir_llm_stream_close(stream);
        check_int(weir_llm_free(llm), 0);
    }
    return 0;
}

static int refused_at_once(void *unused)
{
    struct llm_server server = LLM_SERVER({400, "{\"error\":{\"message\":\"No such model\"}}"});
    weir_llm *llm = llm_of(&server, WEIR_LLM_OPENAI);
    weir_llm_stream *stream = NULL;
    const char *piece;
    (void)unused;
    check_int(weir_llm_stream_open(llm, WEIR_LLM_REQUEST(.prompt = "Hi"), &stream), WEIR_EAPI);
    check_int(weir_llm_stream_next(stream, &piece), WEIR_EAPI);
    check_text(weir_llm_stream_answer(stream)->error, "No such model");
    check_int(weir_response_status(weir_llm_stream_answer(stream)->response), 400);
    weir_llm_stream_close(stream);
    check_int(weir_llm_stream_open(llm, WEIR_LLM_REQUEST(.system = "\xFF"), &stream), WEIR_EINVAL);
    check_int(weir_llm_stream_next(stream, &piece), WEIR_EINVAL);
    check(weir_llm_stream_answer(stream)->response == NULL);
    weir_llm_stream_close(stream);
    weir_llm_stream_close(NULL);
    return weir_llm_free(llm);
}

/* ---- over a connection ---- */

/* The second half comes when the test says so. */
static int serve(struct live *live, int fd, unsigned n)
{
    int rc = live_say(live, fd, LIVE_HEAD);
    if (rc == 0)
        rc = live_chunk(live, fd, n < 2 ? SAY("Hi") STOP USAGE : SAY("Hi"));
    if (rc == 0 && weir_semaphore_acquire(live->go) < 0)
        return 1;
    if (n == 3) /* lost in mid-answer */
        return 1;
    if (rc == 0)
        rc = live_chunk(live, fd, n == 2 ? SAY(" again") STOP DONE : DONE);
    return rc == 0 ? live_chunk(live, fd, "") : rc;
}

static weir_llm *live_llm(const struct live *live)
{
    weir_llm *llm = NULL;
    check_int(weir_llm_new(&llm, WEIR_LLM_OPTS(.api = WEIR_LLM_COMPATIBLE, .base_url = live->url,
                                               .model = "m")),
              0);
    return llm;
}

static int the_connection_is_used_again(void *unused)
{
    struct live live;
    const char *piece;
    weir_deadline limit;
    (void)unused;
    live_start(&live, serve);
    weir_llm *llm = live_llm(&live);
    for (unsigned n = 0; n < 3; n++) {
        weir_llm_stream *stream = NULL;
        check_int(weir_llm_stream_open(llm, WEIR_LLM_REQUEST(.prompt = "Hi"), &stream), 0);
        check_int(weir_llm_stream_next(stream, &piece), 1);
        check_text(piece, "Hi");
        if (n == 2) { /* a deadline of the reader's does not end the stream */
            weir_deadline_begin_ms(&limit, 1);
            int rc = weir_llm_stream_next(stream, &piece);
            check_int(weir_deadline_end(&limit, rc), WEIR_ETIMEDOUT);
            check(piece == NULL);
        }
        check_int((int64_t)live_holding(weir_llm_client(llm)), 1);
        check_int(weir_llm_free(llm), WEIR_EBUSY);
        weir_semaphore_release(live.go);
        if (n == 2) {
            check_int(weir_llm_stream_next(stream, &piece), 1);
            check_text(piece, " again");
        }
        check_int(weir_llm_stream_next(stream, &piece), 0);
        check_int((int64_t)live_holding(weir_llm_client(llm)), 0); /* before it is closed */
        check_text(weir_llm_stream_answer(stream)->text, n < 2 ? "Hi" : "Hi again");
        weir_llm_stream_close(stream);
    }
    check_int(live.connections, 1);
    weir_llm_stream *stream = NULL;
    check_int(weir_llm_stream_open(llm, WEIR_LLM_REQUEST(.prompt = "Hi"), &stream), 0);
    check_int(weir_llm_stream_next(stream, &piece), 1);
    weir_semaphore_release(live.go);
    check_int(weir_llm_stream_next(stream, &piece), WEIR_ERESET);
    check_int((int64_t)live_holding(weir_llm_client(llm)), 0);
    weir_llm_stream_close(stream);
    check_int(weir_llm_free(llm), 0);
    live_stop(&live);
    return 0;
}

/* The first connections begin and break, each in its way; the next answers. */
static int serve_in_the_end(struct live *live, int fd, unsigned n)
{
    int rc = live_say(live, fd,
                      n != 2 ? LIVE_HEAD
                             : "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                               "Transfer-Encoding: chunked\r\n\r\n");
    if (n == 0 && rc == 0) { /* cut off behind a comment */
        live_chunk(live, fd, ": OPENROUTER PROCESSING\n\n");
        return 1;
    }
    if (n == 1 && rc == 0)
        rc = live_chunk(live, fd, "data: {\"error\":{\"message\":\"m\",\"code\":503}}\n\n");
    if (n == 2 && rc == 0)
        rc = live_chunk(live, fd, "{\"error\":");
    if (n == 2 && rc == 0)
        rc = live_chunk(live, fd, "{\"message\":\"m\",\"code\":502}}");
    if (n == 3 && rc == 0)
        rc = live_chunk(live, fd, ": OPENROUTER PROCESSING\n\n");
    if (n == 3 && rc == 0)
        rc = live_chunk(live, fd, SAY("Hel"));
    if (n == 3 && rc == 0)
        rc = live_chunk(live, fd, SAY("lo") STOP USAGE DONE);
    return rc == 0 ? live_chunk(live, fd, "") : rc;
}

static int a_later_attempt_is_read(void *unused)
{
    struct live live;
    weir_llm *llm = NULL;
    weir_llm_stream *stream = NULL;
    const char *piece;
    (void)unused;
    live_start(&live, serve_in_the_end);
    check_int(weir_llm_new(&llm,
                           WEIR_LLM_OPTS(.api = WEIR_LLM_COMPATIBLE, .base_url = live.url,
                                         .model = "m",
                                         .client = WEIR_CLIENT_OPTS(
                                                 .retry = WEIR_RETRY_OPTS(.backoff_base_ms = 1)))),
              0);
    check_int(weir_llm_stream_open(llm, WEIR_LLM_REQUEST(.prompt = "Hi"), &stream), 0);
    check_int((int64_t)live_holding(weir_llm_client(llm)), 1); /* only the one that is open */
    check_int(weir_llm_stream_next(stream, &piece), 1);
    check_text(piece, "Hel");
    check_int(weir_llm_stream_next(stream, &piece), 1);
    check_text(piece, "lo");
    check_int(weir_llm_stream_next(stream, &piece), 0);
    const struct weir_llm_answer *answer = weir_llm_stream_answer(stream);
    check_usage(answer->usage, 10, 5, 4);
    check_int(weir_response_attempts(answer->response), 4);
    weir_llm_stream_close(stream);
    check_int((int64_t)live_holding(weir_llm_client(llm)), 0);
    check_int(weir_llm_free(llm), 0);
    live_stop(&live);
    return 0;
}

static int serve_without_end(struct live *live, int fd, unsigned n)
{
    (void)n;
    int rc = live_say(live, fd, LIVE_HEAD);
    while (rc == 0)
        rc = live_chunk(live, fd, SAY("0123456789"));
    return 1;
}

/* The text is kept whole, within the client's bound for bodies. */
static int a_stream_without_end_is_bounded(void *unused)
{
    struct live live;
    weir_llm *llm = NULL;
    weir_llm_stream *stream = NULL;
    const char *piece;
    int rc, pieces = 0;
    (void)unused;
    live_start(&live, serve_without_end);
    check_int(weir_llm_new(&llm, WEIR_LLM_OPTS(.api = WEIR_LLM_COMPATIBLE, .base_url = live.url,
                                               .model = "m",
                                               .client = WEIR_CLIENT_OPTS(.max_body_bytes = 995))),
              0);
    check_int(weir_llm_stream_open(llm, WEIR_LLM_REQUEST(.prompt = "Hi"), &stream), 0);
    for (; (rc = weir_llm_stream_next(stream, &piece)) == 1; pieces++)
        check_text(piece, "0123456789");
    check_int(rc, WEIR_EBODYSIZE);
    check_int(pieces, 99);
    check_int((int64_t)weir_llm_stream_answer(stream)->text_len, 990);
    check_text(weir_llm_stream_answer(stream)->error, weir_strerror(WEIR_EBODYSIZE));
    weir_llm_stream_close(stream);
    check_int(weir_llm_free(llm), 0);
    live_stop(&live);
    return 0;
}

/* ---- tokens ---- */

static int serve_anthropic(struct live *live, int fd, unsigned n)
{
    (void)n;
    int rc = live_say(live, fd, LIVE_HEAD);
    if (rc == 0)
        rc = live_chunk(live, fd, START DELTA("Hi") LAST("end_turn") EVENT("message_stop", ""));
    return rc == 0 ? live_chunk(live, fd, "") : rc;
}

/* 25 that went in and 15 that came out count, by the events at both ends; what a cache gave is
 * free. */
static int the_limiter_counts_what_the_events_tell(void *unused)
{
    static const struct weir_limit tokens = {.rate = 1000,
                                             .period_ms = 10000000,
                                             .unit = WEIR_TOKENS}; /* one in 10 s */
    struct live live;
    weir_limiter *limiter = NULL;
    weir_llm *llm = NULL;
    weir_llm_stream *stream = NULL;
    const char *piece;
    (void)unused;
    live_start(&live, serve_anthropic);
    check_int(weir_limiter_new(&limiter, WEIR_LIMITER_OPTS(.limits = &tokens, .limit_count = 1)),
              0);
    check_int(weir_llm_new(&llm, WEIR_LLM_OPTS(.api = WEIR_LLM_ANTHROPIC, .base_url = live.url,
                                               .model = "m",
                                               .client = WEIR_CLIENT_OPTS(.limiter = limiter))),
              0);
    check_int(weir_llm_stream_open(llm, WEIR_LLM_REQUEST(.prompt = "Hi", .tokens = 500), &stream),
              0);
    while (weir_llm_stream_next(stream, &piece) == 1)
        continue;
    check_counted(llm, 0);
    weir_llm_stream_close(stream);
    check_int(weir_limiter_time_until_ms(limiter, WEIR_WANT(.tokens = 960)), 0);
    check(weir_limiter_time_until_ms(limiter, WEIR_WANT(.tokens = 970)) > 0);
    check_int(weir_llm_free(llm), 0);
    weir_limiter_free(limiter);
    live_stop(&live);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(streams_end),
        VIRTUAL_TEST(streams_fail),
        VIRTUAL_TEST(streams_that_do_not_begin),
        VIRTUAL_TEST(a_refusal_comes_in_pieces),
        VIRTUAL_TEST(a_whole_answer_is_one_piece),
        VIRTUAL_TEST(failures_before_the_content),
        VIRTUAL_TEST(failures_behind_the_first_content),
        VIRTUAL_TEST(refused_at_once),
        REAL_TEST(a_later_attempt_is_read),
        REAL_TEST(a_stream_without_end_is_bounded),
        REAL_TEST(the_connection_is_used_again),
        REAL_TEST(the_limiter_counts_what_the_events_tell),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
