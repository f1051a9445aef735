/* A chat answer printed word by word while it comes, and then what it cost. docs/guide/streaming.md
 * Usage: stream BASE_URL [QUESTION] */
#include <stdio.h>
#include <stdlib.h>
#include <weir/jansson.h>
#include <weir/weir.h>

struct asked {
    const char *base_url, *question;
};

/* One event: a piece of the answer, the usage behind it, or an error in mid-stream. */
static int take(const struct weir_sse_event *event)
{
    const char *word = NULL, *message = NULL;
    json_int_t tokens;
    json_t *piece = json_loadb(event->data, event->data_len, 0, NULL);
    if (piece == NULL)
        return WEIR_EJSON;
    if (json_unpack(piece, "{s:{s:s}}", "error", "message", &message) == 0) {
        fprintf(stderr, "the server: %s\n", message);
        json_decref(piece);
        return WEIR_EPROTO;
    }
    if (json_unpack(piece, "{s:[{s:{s:s}}]}", "choices", "delta", "content", &word) == 0) {
        fputs(word, stdout);
        fflush(stdout);
    }
    if (json_unpack(piece, "{s:{s:I}}", "usage", "completion_tokens", &tokens) == 0)
        printf("\n(%lld tokens)\n", (long long)tokens);
    json_decref(piece);
    return 0;
}

static int ask(weir_client *api, const char *question)
{
    static const char *const headers[] = {"Content-Type: application/json", NULL};
    json_t *body = json_pack("{s:s, s:b, s:{s:b}, s:[{s:s, s:s}]}", "model", "gpt-4o-mini",
                             "stream", 1, "stream_options", "include_usage", 1, "messages", "role",
                             "user", "content", question);
    char *text = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    if (text == NULL)
        return WEIR_ENOMEM;

    weir_stream *stream;
    const struct weir_sse_event *event;
    int rc = weir_stream_open(api,
                              WEIR_REQUEST(.url = "/v1/chat/completions", .headers = headers,
                                           .body = text, .replay = 1),
                              WEIR_STREAM_OPTS(.done = "[DONE]", .idle_ms = 60000), &stream);
    free(text);
    if (rc == 0 && weir_response_outcome(weir_stream_response(stream)) != WEIR_OUTCOME_OK) {
        fprintf(stderr, "%s\n", weir_response_body(weir_stream_response(stream)));
        rc = WEIR_EPROTO;
    }
    while (rc == 0 && (rc = weir_sse_next(stream, &event)) == 1)
        rc = take(event);
    weir_stream_close(stream);
    return rc;
}

static int run(void *arg)
{
    const struct asked *asked = arg;
    weir_client *api;
    int rc = weir_client_new(&api, WEIR_CLIENT_OPTS(.base_url = asked->base_url));
    if (rc == 0)
        rc = ask(api, asked->question);
    weir_client_free(api);
    return rc;
}

int main(int argc, char **argv)
{
    struct asked asked = {argc > 1 ? argv[1] : NULL, argc > 2 ? argv[2] : "How much is 6 times 7?"};
    int rc = argc > 1 ? weir_run(run, &asked, NULL) : WEIR_EINVAL;
    if (rc < 0)
        fprintf(stderr, "%s\n", weir_strerror(rc));
    return rc < 0;
}
