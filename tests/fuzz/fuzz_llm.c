/* The body of a chat's answer, or the data of a stream's events, one a line. The first byte picks
 * the API, whether a schema was asked for, and which of the two. */
#include <weir/llm.h>

#include "fuzz.h"
#include "llm/llm.h"
#include "provider/llm.h"

enum { MOST = 256 }; /* bytes of text */

static void check_heard(const struct weir__llm_heard *heard)
{
    HOLDS(heard->text.len <= MOST && heard->refusal.len <= MOST);
    HOLDS(heard->reason <= WEIR_LLM_OTHER);
    HOLDS(within(heard->usage.input, -1, INT64_C(3000000000000000)));
    HOLDS(within(heard->usage.output, -1, INT64_C(999999999999999)));
    HOLDS(within(heard->usage.cached, -1, INT64_C(999999999999999)));
    HOLDS(memchr(heard->error, '\0', sizeof heard->error) != NULL);
    HOLDS(memchr(heard->error_type, '\0', sizeof heard->error_type) != NULL);
    HOLDS(memchr(heard->reason_text, '\0', sizeof heard->reason_text) != NULL);
}

static bool is_known(int rc, bool event)
{
    return rc == 0 || rc == WEIR_EAPI || rc == WEIR_ESHAPE || rc == WEIR_EBODYSIZE ||
           (rc == WEIR_EJSON && event);
}

/* What was heard can be answered by another question, whatever it was. */
static void ask_again(const struct weir__llm_api *api, json_t *body,
                      const struct weir__llm_heard *heard)
{
    json_t *turns = json_array(), *made = NULL;
    char why[100];
    const struct weir_llm_request *request = WEIR_LLM_REQUEST(.prompt = "Hi");
    const char *text = heard->text.len > 0 ? heard->text.data : "";
    HOLDS(weir__llm_ask_again(api, body, text, heard->text.len, "no", turns) == 0);
    HOLDS(within((int64_t)json_array_size(turns), 1, 2));
    HOLDS(weir__llm_body(api, request, "m", turns, false, &made, why, sizeof why) == 0);
    json_decref(made);
    json_decref(turns);
}

static void find_json(const char *text, size_t len)
{
    const char *found = text;
    size_t found_len = len;
    if (!weir__llm_json_within(&found, &found_len))
        return;
    HOLDS(found >= text && found + found_len <= text + len && found_len < len);
    HOLDS(found_len >= 2 && memchr("{[", found[0], 2) && memchr("}]", found[found_len - 1], 2));
}

static void hear_body(const struct weir__llm_api *api, const char *text, size_t len,
                      struct weir__llm_heard *heard)
{
    json_t *body = NULL;
    find_json(text, len);
    if (weir_jansson_parse(text, len, &body, NULL) < 0)
        return;
    int rc = weir__llm_hear_answer(api, body, heard);
    HOLDS(is_known(rc, false));
    if (rc == 0)
        ask_again(api, body, heard);
    json_decref(body);
}

static void hear_events(const struct weir__llm_api *api, const char *text, size_t len,
                        struct weir__llm_heard *heard)
{
    int rc = 0;
    while (len > 0 && rc == 0 && !heard->complete) {
        const char *feed = memchr(text, '\n', len);
        size_t line = feed != NULL ? (size_t)(feed - text) : len;
        char *data = malloc(line + 1); /* an event's has a NUL behind it */
        if (data == NULL)
            return;
        memcpy(data, text, line);
        data[line] = '\0';
        const struct weir_sse_event event = {.event = line % 5 == 4 ? "error" : "message",
                                             .data = data,
                                             .data_len = line,
                                             .id = ""};
        int beginning = weir__llm_begins(api, &event);
        rc = weir__llm_hear_event(api, &event, heard);
        HOLDS(is_known(rc, true));
        HOLDS(within(beginning, WEIR_NOT_BEGUN, WEIR_BEGUN_BADLY));
        HOLDS((rc == WEIR_EAPI) == (beginning == WEIR_BEGUN_BADLY));
        HOLDS(!heard->complete || beginning == WEIR_BEGUN);
        check_heard(heard);
        free(data);
        text += line + (feed != NULL);
        len -= line + (feed != NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct weir__llm_heard heard;
    if (size == 0)
        return 0;
    const struct weir__llm_api *api = weir__llm_api((enum weir_llm_api)(data[0] % 3));
    weir__llm_heard_init(&heard, MOST, data[0] & 4, NULL);
    if ((data[0] & 8) != 0)
        hear_events(api, (const char *)data + 1, size - 1, &heard);
    else
        hear_body(api, (const char *)data + 1, size - 1, &heard);
    check_heard(&heard);
    weir__llm_heard_free(&heard);
    return 0;
}
