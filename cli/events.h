/* Answers that were streamed as server-sent events: did they come to their end? */
#ifndef WEIR_CLI_EVENTS_H
#define WEIR_CLI_EVENTS_H

#include <stdbool.h>

#include <weir/http.h>

#include "rawjson.h"

enum events_end {
    EVENTS_WHOLE,
    EVENTS_CUT,    /* the end is missing, although the connection saw nothing wrong */
    EVENTS_FAILED, /* the server told of an error in the midst of it */
};

/* Whether a good answer is of the type text/event-stream. */
bool events_are_in(const weir_response *response);

/* How such an answer ended. After EVENTS_FAILED *error is the event that says so, a JSON object, or
 * has .at NULL. Events of a form that is not known here are whole when their last line is. */
enum events_end events_check(struct span body, struct span *error);

#endif
