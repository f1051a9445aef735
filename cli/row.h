/* A row of the input: what it asks for, or why it cannot be sent. */
#ifndef WEIR_CLI_ROW_H
#define WEIR_CLI_ROW_H

#include <stdbool.h>
#include <stddef.h>

#include "input.h"
#include "rawjson.h"

/* What all rows of a run have in common. */
struct row_rules {
    bool has_base_url;
    /* The header line that a body gets which names none, and NULL: the headers of most rows. */
    const char *content_type[2];
};

/* Everything here lies in the line the row was read from, but for the headers. */
struct row {
    struct span custom_id; /* as it stands; .at NULL: none */
    const char *method;
    const char *url;
    struct span body;           /* as it stands; .at NULL: none */
    const char *const *headers; /* "Name: value", NULL at the end; NULL: none */
    void *owned;                /* memory of the headers */
    bool lacks_base;            /* it cannot be sent because its URL is relative to none */
    char fault[192];            /* why it cannot be sent, and what to do; "": it can */
};

/* Takes the line apart, which it changes in places. False, with row->fault filled, when it cannot
 * be sent; custom_id is there nevertheless if the line is a JSON object. Free with row_release. */
bool row_parse(struct row *row, struct line *line, const struct row_rules *rules);
void row_release(struct row *row);

/* Whether the answer is to be streamed: "stream":true in the body, or alt=sse in the URL. */
bool row_asks_for_stream(const struct row *row);

#endif
