/* One question, one answer. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/opts.h"
#include "client/client.h"
#include "llm/llm.h"

/* ---- answers ---- */

static const char *text_of(const struct weir__buf *buf)
{
    return buf->data != NULL ? buf->data : "";
}

void weir__llm_show(struct weir__llm_held *held, const weir_response *response)
{
    const struct weir__llm_heard *heard = &held->heard;
    struct weir_llm_answer *shown = &held->shown;
    shown->text = text_of(&heard->text);
    shown->text_len = heard->text.len;
    shown->refusal = heard->refused ? text_of(&heard->refusal) : NULL;
    shown->reason = heard->reason;
    shown->reason_text = heard->reason_text;
    shown->usage = heard->usage;
    shown->error = heard->error;
    shown->error_type = heard->error_type;
    shown->response = response;
}

void weir__llm_held_init(struct weir__llm_held *held, const weir_llm *llm, bool json)
{
    *held = (struct weir__llm_held){.response = NULL};
    weir__llm_heard_init(&held->heard, llm != NULL ? llm->client->max_body : 0, json,
                         llm != NULL ? &llm->client->secrets : NULL);
    weir__llm_show(held, NULL);
}

int weir__llm_explain(struct weir__llm_held *held, int rc, const char *text)
{
    if (text[0] == '\0')
        text = weir_strerror(rc);
    if (rc < 0 && held->heard.error[0] == '\0')
        weir__llm_set_error(&held->heard, text, strlen(text));
    return rc;
}

int weir__llm_check(const weir_llm *llm, struct weir__llm_held *held)
{
    static const char text[] = "the llm is NULL: what did weir_llm_new return?";
    return llm != NULL ? 0 : weir__llm_explain(held, WEIR_EINVAL, text);
}

void weir__llm_held_free(struct weir__llm_held *held)
{
    weir__llm_heard_free(&held->heard);
    json_decref(held->shown.body);
    weir_response_free(held->response);
}

void weir_llm_answer_free(struct weir_llm_answer *answer)
{
    struct weir__llm_held *held = (struct weir__llm_held *)answer;
    if (held != NULL)
        weir__llm_held_free(held);
    weir__free(held);
}

/* ---- asking ---- */

struct weir_request weir__llm_request(const weir_llm *llm, const struct weir_llm_request *request)
{
    return (struct weir_request){
        .size = sizeof(struct weir_request),
        .url = llm->path,
        .timeout_ms = request->timeout_ms,
        .replay = !request->once,
        .tokens = request->tokens,
        .priority = request->priority,
        .limit_key = request->limit_key,
    };
}

int weir__llm_text(const weir_llm *llm, const struct weir_llm_request *request, json_t *turns,
                   bool stream, struct weir__llm_held *held, char **text, size_t *len)
{
    const char *model = request->model != NULL ? request->model : llm->model;
    char why[200] = "";
    json_t *body;
    *text = NULL;
    int rc = weir__llm_body(llm->api, request, model, turns, stream, &body, why, sizeof why);
    if (rc == 0)
        rc = weir_jansson_text(body, text, len);
    json_decref(body);
    return weir__llm_explain(held, rc, why);
}

int weir__llm_fail(struct weir__llm_held *held, const weir_response *response)
{
    char status[32];
    int rc = weir__llm_hear_failure(weir_response_body(response), weir_response_body_len(response),
                                    &held->heard);
    snprintf(status, sizeof status, "HTTP status %d", weir_response_status(response));
    return weir__llm_explain(held, rc, status);
}

int weir__llm_hear(const weir_llm *llm, struct weir__llm_held *held, const weir_response *response)
{
    struct weir_json_error error = {.text = ""};
    if (weir_response_status(response) >= 300)
        return weir__llm_fail(held, response);
    int rc = weir_jansson_response(response, &held->shown.body, &error);
    if (rc == 0)
        rc = weir__llm_hear_answer(llm->api, held->shown.body, &held->heard);
    return weir__llm_explain(held, rc, error.text);
}

int weir__llm_ask(const weir_llm *llm, const struct weir_llm_request *request, json_t *turns,
                  struct weir__llm_held *held)
{
    struct weir_request sent = weir__llm_request(llm, request);
    char *text;
    size_t len = 0;
    int rc = weir__llm_text(llm, request, turns, false, held, &text, &len);
    if (rc == 0)
        rc = weir_request_json(llm->client, &sent, text, len, &held->response);
    weir_json_text_free(text);
    if (rc == 0)
        rc = weir__llm_hear(llm, held, held->response);
    else
        weir__llm_explain(held, rc,
                          held->response != NULL ? weir_response_error_text(held->response) : "");
    held->shown.asks++;
    weir__llm_show(held, held->response);
    return rc;
}

int weir_llm_chat(weir_llm *llm, const struct weir_llm_request *given, struct weir_llm_answer **out)
{
    struct weir_llm_request request;
    if (out == NULL)
        return WEIR_EINVAL;
    struct weir__llm_held *held = weir__alloc(sizeof *held);
    *out = NULL;
    if (held == NULL)
        return WEIR_ENOMEM;
    int rc = weir__opts_copy(&request, sizeof request, given);
    weir__llm_held_init(held, llm, rc == 0 && request.schema != NULL);
    if (rc == 0)
        rc = weir__llm_check(llm, held);
    if (rc == 0)
        rc = weir__llm_ask(llm, &request, NULL, held);
    weir__llm_explain(held, rc, "");
    *out = &held->shown;
    return rc;
}
