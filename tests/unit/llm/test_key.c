/* A key stands in no error, and is nowhere in the program's memory once its client is freed. What
 * libcurl copies is not looked at: the transport is another. */
#include "llm_rig.h"

enum { KEY = 40, PIECE = 64 << 10 };

/* Masked, so that what is looked for is not itself found. */
static void write_key(unsigned char key[KEY], bool masked)
{
    for (size_t i = 0; i < KEY; i++)
        key[i] = (unsigned char)(('a' + i * 7 % 26) ^ (masked ? 0xA5 : 0));
}

static bool is_key(const unsigned char *at, const unsigned char masked[KEY])
{
    for (size_t i = 0; i < KEY; i++) {
        if ((at[i] ^ 0xA5) != masked[i])
            return false;
    }
    return true;
}

/* How often the key stands between the addresses. */
static int count_between(FILE *memory, unsigned long from, unsigned long to, unsigned char *piece,
                         const unsigned char masked[KEY])
{
    int count = 0;
    for (unsigned long at = from; at < to; at += PIECE - KEY) {
        size_t want = to - at < PIECE ? to - at : PIECE;
        if (fseek(memory, (long)at, SEEK_SET) != 0)
            break;
        size_t n = fread(piece, 1, want, memory);
        for (size_t i = 0; i + KEY <= n; i++)
            count += is_key(piece + i, masked);
        memset(piece, 0, PIECE);
    }
    return count;
}

/* In all that is written to, but for what sanitizers reserve for themselves. */
static int count_keys(void)
{
    static unsigned char piece[PIECE];
    unsigned char masked[KEY];
    char line[512];
    int count = 0;
    FILE *maps = fopen("/proc/self/maps", "r"), *memory = fopen("/proc/self/mem", "rb");
    write_key(masked, true);
    if (memory != NULL)
        setvbuf(memory, NULL, _IONBF, 0); /* no copy of its own */
    while (maps != NULL && memory != NULL && fgets(line, sizeof line, maps) != NULL) {
        char *rest;
        unsigned long from = strtoul(line, &rest, 16), to = strtoul(rest + 1, &rest, 16);
        bool own = from <= (unsigned long)piece && (unsigned long)piece < to;
        if (strncmp(rest, " rw", 3) == 0 && to - from < 64UL << 20 && !own)
            count += count_between(memory, from, to, piece, masked);
    }
    check(maps != NULL && memory != NULL);
    if (maps != NULL)
        fclose(maps);
    if (memory != NULL)
        fclose(memory);
    return count;
}

static int keys_are_wiped(void *unused)
{
    unsigned char key[KEY + 1] = {0};
    struct llm_server server = LLM_SERVER({200, OPENAI_ANSWER});
    const struct weir_transport transport = WEIR_TRANSPORT(.perform = llm_perform, .self = &server);
    struct weir_llm_answer *answer = NULL;
    weir_llm *llm = NULL;
    (void)unused;
    check_int(count_keys(), 0);
    write_key(key, false);
    int rc = weir_llm_new(&llm, WEIR_LLM_OPTS(.api_key = (char *)key, .model = "m",
                                              .client = WEIR_CLIENT_OPTS(.transport = &transport)));
    explicit_bzero(key, sizeof key);
    check_int(rc, 0);
    check_int(count_keys(), 1); /* the client's header */
    check_int(weir_llm_chat(llm, WEIR_LLM_REQUEST(.prompt = "Hi"), &answer), 0);
    weir_llm_answer_free(answer);
    explicit_bzero(server.headers, sizeof server.headers);
    check_int(count_keys(), 1);
    check_int(weir_llm_free(llm), 0);
    check_int(count_keys(), 0);
    return 0;
}

static void check_error(const struct weir_llm_answer *answer, const char *error, const char *type)
{
    if (!check(strcmp(answer->error, error) == 0))
        print_error("error: %s\n", answer->error);
    check(strcmp(answer->error_type, type) == 0);
}

/* Some servers repeat the key in what they say of it, in an answer or an event of a stream. */
static int echoed_keys_are_taken_out(void *unused)
{
    static const struct llm_step steps[] = {
        {401, "{\"error\":{\"message\":\"Incorrect API key provided: key-of-ours-123. Mend it.\","
              "\"type\":\"bad_key-of-ours-123\"}}"},
        {401, "No such key-of-ours-123"},
        {200, "data: {\"error\":{\"message\":\"Bad key: <key-of-ours-123>\",\"type\":\"t\"}}\n\n"},
    };
    static const char *const errors[] = {"Incorrect API key provided: ***. Mend it.", "No such ***",
                                         "Bad key: ***"};
    static const char *const types[] = {"bad_***", "", "t"};
    (void)unused;
    for (size_t i = 0; i < 3; i++) {
        struct llm_server server = {.steps = &steps[i], .step_count = 1};
        const struct weir_transport transport =
            WEIR_TRANSPORT(.perform = llm_perform, .self = &server);
        struct weir_llm_answer *answer = NULL;
        weir_llm_stream *stream = NULL;
        weir_llm *llm = NULL;
        const char *piece;
        check_int(weir_llm_new(&llm,
                               WEIR_LLM_OPTS(.api_key = "key-of-ours-123", .model = "m",
                                             .client = WEIR_CLIENT_OPTS(.transport = &transport))),
                  0);
        if (i < 2) {
            check_int(weir_llm_chat(llm, WEIR_LLM_REQUEST(.prompt = "Hi"), &answer), WEIR_EAPI);
            check_error(answer, errors[i], types[i]);
            weir_llm_answer_free(answer);
        }
        int rc = weir_llm_stream_open(llm, WEIR_LLM_REQUEST(.prompt = "Hi"), &stream);
        while (rc >= 0 && (rc = weir_llm_stream_next(stream, &piece)) == 1)
            continue;
        check_int(rc, WEIR_EAPI);
        check_error(weir_llm_stream_answer(stream), errors[i], types[i]);
        weir_llm_stream_close(stream);
        check_int(weir_llm_free(llm), 0);
    }
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(keys_are_wiped),
        VIRTUAL_TEST(echoed_keys_are_taken_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
