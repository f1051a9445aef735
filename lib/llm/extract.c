/* Answers with a shape: what does not fit is asked for again, with the reason. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/opts.h"
#include "llm/llm.h"

enum { WHY = 400 };

struct extracting {
    const weir_llm *llm;
    struct weir_llm_request request;
    weir_llm_read_fn read;
    void *result;
    json_t *turns;
    struct weir_llm_usage usage; /* of all asks */
    char why[WHY];               /* the last answer would not do */
};

/* The answer's JSON, or what there is of it in a text of another kind. The error is the first. */
static int parse(const struct weir_llm_answer *answer, json_t **tree, struct weir_json_error *error)
{
    const char *text = answer->text;
    size_t len = answer->text_len;
    int rc = weir_jansson_parse(text, len, tree, error);
    if (rc != WEIR_EJSON || !weir__llm_json_within(&text, &len))
        return rc;
    return weir_jansson_parse(text, len, tree, NULL);
}

/* 0; WEIR_ESHAPE with `why`. */
static int read_text(struct extracting *extracting, const struct weir_llm_answer *answer)
{
    struct weir_json_error error;
    json_t *tree;
    int rc = parse(answer, &tree, &error);
    if (rc == WEIR_EJSON) {
        snprintf(extracting->why, WHY, "it is not JSON (line %u, column %u: %s)", error.line,
                 error.column, error.text);
        return WEIR_ESHAPE;
    }
    if (rc < 0)
        return rc;
    if (json_is_object(tree)) {
        rc = extracting->read(tree, extracting->result, extracting->why, WHY);
    } else {
        snprintf(extracting->why, WHY, "it is not a JSON object");
        rc = WEIR_ESHAPE;
    }
    json_decref(tree);
    if (rc == WEIR_ESHAPE && extracting->why[0] == '\0')
        snprintf(extracting->why, WHY, "it does not have the shape that was asked for");
    return rc;
}

static void add_count(int64_t *sum, int64_t count)
{
    if (count >= 0)
        *sum = (*sum > 0 ? *sum : 0) + count;
}

static void add_usage(struct weir_llm_usage *sum, const struct weir_llm_usage *usage)
{
    add_count(&sum->input, usage->input);
    add_count(&sum->output, usage->output);
    add_count(&sum->cached, usage->cached);
}

/* Asks once. *again: with another question it might do. */
static int ask_once(struct extracting *extracting, struct weir__llm_held *held, bool *again)
{
    const struct weir_llm_answer *answer = &held->shown;
    *again = false;
    extracting->why[0] = '\0';
    int rc = weir__llm_ask(extracting->llm, &extracting->request, extracting->turns, held);
    add_usage(&extracting->usage, &answer->usage);
    held->heard.usage = extracting->usage;
    if (rc < 0)
        return rc;
    if (answer->refusal != NULL)
        return WEIR_EREFUSED;
    if (answer->reason == WEIR_LLM_LENGTH) {
        snprintf(extracting->why, WHY, "it was cut off at the maximum of tokens");
        return WEIR_ESHAPE;
    }
    rc = read_text(extracting, answer);
    *again = rc == WEIR_ESHAPE;
    return rc;
}

static int extract(struct extracting *extracting, struct weir__llm_held *held)
{
    const struct weir_llm_request *request = &extracting->request;
    int reasks = request->reasks != 0 ? request->reasks : WEIR_LLM_REASKS;
    bool again;
    int rc = ask_once(extracting, held, &again);
    for (; again && reasks > 0; reasks--) {
        const struct weir_llm_answer *answer = &held->shown;
        unsigned asks = answer->asks;
        rc = weir__llm_ask_again(extracting->llm->api, answer->body, answer->text, answer->text_len,
                                 extracting->why, extracting->turns);
        if (rc < 0)
            return rc;
        weir__llm_held_free(held);
        weir__llm_held_init(held, extracting->llm, true);
        held->shown.asks = asks;
        rc = ask_once(extracting, held, &again);
    }
    return rc;
}

static int check(struct extracting *extracting)
{
    const struct weir_llm_request *request = &extracting->request;
    if (request->schema == NULL)
        snprintf(extracting->why, WHY, "schema: missing");
    else if (extracting->read == NULL)
        snprintf(extracting->why, WHY, "read: NULL");
    else if (request->reasks > WEIR_LLM_REASKS_MAX)
        snprintf(extracting->why, WHY, "reasks: at most %d", WEIR_LLM_REASKS_MAX);
    return extracting->why[0] != '\0' ? WEIR_EINVAL : 0;
}

/* What went wrong, for people. */
static void explain(const struct extracting *extracting, int rc, struct weir__llm_held *held)
{
    weir__llm_explain(held, rc, extracting->why);
    weir__llm_show(held, held->response);
}

static int run(struct extracting *extracting, const struct weir_llm_request *given,
               struct weir__llm_held *held)
{
    int rc = weir__opts_copy(&extracting->request, sizeof extracting->request, given);
    weir__llm_held_init(held, extracting->llm, true);
    if (rc == 0)
        rc = weir__llm_check(extracting->llm, held);
    if (rc == 0)
        rc = check(extracting);
    if (rc == 0 && (extracting->turns = json_array()) == NULL)
        rc = WEIR_ENOMEM;
    if (rc == 0)
        rc = extract(extracting, held);
    explain(extracting, rc, held);
    json_decref(extracting->turns);
    return rc;
}

int weir_llm_extract(weir_llm *llm, const struct weir_llm_request *request, weir_llm_read_fn read,
                     void *result, struct weir_llm_answer **out)
{
    struct weir__llm_held *held = weir__alloc(sizeof *held);
    struct extracting *extracting = weir__zalloc(sizeof *extracting);
    int rc = WEIR_ENOMEM;
    if (out != NULL)
        *out = NULL;
    if (held != NULL && extracting != NULL) {
        extracting->llm = llm;
        extracting->read = read;
        extracting->result = result;
        extracting->usage = (struct weir_llm_usage){-1, -1, -1};
        rc = run(extracting, request, held);
        if (out != NULL)
            *out = &held->shown;
        else
            weir_llm_answer_free(&held->shown);
        held = NULL;
    }
    weir__free(extracting);
    weir__free(held);
    return rc;
}
