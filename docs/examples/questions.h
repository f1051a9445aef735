/* What the examples share: some questions, and how one is asked. */
#ifndef QUESTIONS_H
#define QUESTIONS_H

#include <stdio.h>

#include <weir/jansson.h>
#include <weir/weir.h>

struct question {
    const char *text;
    char answer[200];
};

enum { QUESTIONS = 6 };

static struct question questions[QUESTIONS] = {
    {.text = "What is 6 times 7?"},
    {.text = "Which river flows through Vienna?"},
    {.text = "How many sides has a hexagon?"},
    {.text = "What is the capital of Peru?"},
    {.text = "Which metal is liquid at room temperature?"},
    {.text = "How many minutes has a day?"},
};

/* The answer's text out of {"choices":[{"message":{"content":...}}]}. */
static int question_read(struct question *q, const weir_response *response)
{
    json_t *tree = NULL;
    const char *text = NULL;
    if (weir_response_outcome(response) != WEIR_OUTCOME_OK) {
        fprintf(stderr, "%d: %s\n", weir_response_status(response), weir_response_body(response));
        return WEIR_EIO;
    }
    int rc = weir_jansson_response(response, &tree, NULL);
    if (rc == 0 && json_unpack(tree, "{s[{s{ss}}]}", "choices", "message", "content", &text) == 0)
        snprintf(q->answer, sizeof q->answer, "%s", text);
    json_decref(tree);
    return rc == 0 && text == NULL ? WEIR_EJSON : rc;
}

/* Straight-line code that waits for its answer while other tasks run. */
static int question_ask(struct question *q, weir_client *api)
{
    weir_response *response = NULL;
    json_t *tree = json_pack("{ss s[{ss ss}]}", "model", "gpt-4o-mini", "messages", "role", "user",
                             "content", q->text);
    /* replay: to ask twice does no harm, so a lost answer is asked for again */
    int rc =
        weir_jansson_request_take(api, WEIR_REQUEST(.url = "/v1/chat/completions", .replay = 1),
                                  tree, &response);
    if (rc == 0)
        rc = question_read(q, response);
    weir_response_free(response);
    return rc;
}

static void question_show(const struct question *q)
{
    printf("%s\n    %s\n", q->text, q->answer);
}

/* run(base_url) inside weir_run, the base URL taken from the command line. */
static int questions_main(int argc, char **argv, weir_task_fn run)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s BASE_URL\n", argv[0]);
        return 2;
    }
    int rc = weir_run(run, argv[1], NULL);
    if (rc < 0)
        fprintf(stderr, "%s: %s\n", argv[0], weir_strerror(rc));
    return rc < 0 ? 1 : 0;
}

#endif
