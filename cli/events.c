#include "events.h"

#include <string.h>
#include <strings.h>

struct events {
    bool known; /* events that have an end of their own were seen */
    bool ended; /* and so was that, or it may be: the last one finished a choice */
    bool done;  /* the mark behind all events */
    bool failed;
    struct span error;
};

/* Names of events, or "type" in their data, that end an answer. */
static const char *const last_types[] = {"message_stop", "response.completed",
                                         "response.incomplete"};
static const char *const failed_types[] = {"error", "response.failed"};
/* Those of answers that end so begin like this. */
static const char *const known_types[] = {"message_", "content_block_", "response."};

bool events_are_in(const weir_response *response)
{
    static const char type[] = "text/event-stream";
    size_t len = 0;
    int status = weir_response_status(response);
    if (status < 200 || status >= 300)
        return false;
    const char *given = weir_response_header(response, "Content-Type", &len);
    return given != NULL && len >= sizeof type - 1 &&
           strncasecmp(given, type, sizeof type - 1) == 0;
}

static bool says(struct span text, const char *what)
{
    return text.len == strlen(what) && memcmp(text.at, what, text.len) == 0;
}

static bool begins(struct span text, const char *what)
{
    size_t len = strlen(what);
    return text.len >= len && memcmp(text.at, what, len) == 0;
}

static void look_at_type(struct events *events, struct span type)
{
    for (size_t i = 0; i < sizeof known_types / sizeof known_types[0]; i++)
        events->known |= begins(type, known_types[i]);
    for (size_t i = 0; i < sizeof last_types / sizeof last_types[0]; i++)
        events->ended |= says(type, last_types[i]);
    for (size_t i = 0; i < sizeof failed_types / sizeof failed_types[0]; i++)
        events->failed |= says(type, failed_types[i]);
}

/* Whether "name":"..." stands in it, and not "": in a string the quotes would have a backslash. */
static bool has_text_member(struct span json, const char *name)
{
    size_t len = strlen(name);
    const char *end = json.at + json.len;
    const char *at = json.at;
    while ((at = memmem(at, (size_t)(end - at), name, len)) != NULL) {
        at += len;
        while (at < end && strchr(" \t:", *at) != NULL)
            at++;
        if (end - at > 1 && at[0] == '"' && at[1] != '"')
            return true;
    }
    return false;
}

/* Choices are empty in an event that tells the usage alone. The last event with some counts: of
 * several choices one may be finished long before the others. */
static void look_at_choices(struct events *events, struct span choices, const char *reason)
{
    if (choices.at == NULL || memchr(choices.at, '{', choices.len) == NULL)
        return;
    events->known = true;
    events->ended = has_text_member(choices, reason);
}

static void look_at_data(struct events *events, struct span data)
{
    if (says(data, "[DONE]")) {
        events->done = true;
        return;
    }
    if (!rawjson_check(&data, NULL) || !rawjson_is_object(data))
        return;
    struct span type = rawjson_find(data, "type");
    if (rawjson_is_string(type))
        look_at_type(events, (struct span){type.at + 1, type.len - 2});
    struct span error = rawjson_find(data, "error");
    if (rawjson_is_object(error) || (rawjson_is_string(error) && error.len > 2))
        events->failed = true;
    if (events->failed && events->error.at == NULL)
        events->error = data;
    look_at_choices(events, rawjson_find(data, "choices"), "\"finish_reason\"");
    look_at_choices(events, rawjson_find(data, "candidates"), "\"finishReason\"");
}

/* The value of "field: value"; .at NULL when the line has another field. */
static struct span value_of(struct span line, const char *field)
{
    size_t skip = strlen(field);
    if (!begins(line, field))
        return (struct span){0};
    if (skip < line.len && line.at[skip] == ' ')
        skip++;
    return (struct span){line.at + skip, line.len - skip};
}

static void look_at_line(struct events *events, struct span line)
{
    struct span data = value_of(line, "data:");
    struct span name = value_of(line, "event:");
    if (data.at != NULL)
        look_at_data(events, data);
    else if (name.at != NULL)
        look_at_type(events, name);
}

static size_t line_len(const char *at, const char *end)
{
    const char *now = at;
    while (now < end && *now != '\n' && *now != '\r')
        now++;
    return (size_t)(now - at);
}

enum events_end events_check(struct span body, struct span *error)
{
    struct events events = {0};
    const char *at = body.at;
    const char *end = body.at + body.len;
    bool line_ended = false;
    while (at < end) {
        size_t len = line_len(at, end);
        line_ended = at + len < end; /* half a line says nothing, but for the last mark */
        if (line_ended || says((struct span){at, len}, "data: [DONE]"))
            look_at_line(&events, (struct span){at, len});
        at += len + line_ended;
    }
    *error = events.error;
    if (events.failed)
        return EVENTS_FAILED;
    if (events.done || (events.known && events.ended))
        return EVENTS_WHOLE;
    return events.known || !line_ended ? EVENTS_CUT : EVENTS_WHOLE;
}
