/* The table of chat APIs, which llm.c and llm_body.c share. Paths as in json/path.h. */
#ifndef WEIR_PROVIDER_LLM_API_H
#define WEIR_PROVIDER_LLM_API_H

#include "provider/llm.h"

struct weir__llm_api {
    struct weir__llm_server server;

    /* The request's members. */
    const char *max_tokens;
    const char *stop;
    const char *system;   /* NULL: the first of the messages, of that role */
    bool bound_needed;    /* there is no answer without a maximum of tokens */
    bool usage_asked_for; /* a stream tells it only then */
    bool schema_is_tool;  /* that the model must call; else the answer's format */

    /* A whole answer's. */
    const char *needed; /* what it must have, an object or array */
    const char *text;   /* all strings there, one after the other */
    const char *json;   /* the same where a schema was asked for, or an object */
    const char *parts;  /* the same where the text comes in parts; NULL: that is `text` */
    const char *refusal;
    const char *reason;

    /* Those of a stream's event. */
    const char *delta; /* the objects in which all that is content stands */
    const char *index; /* of the choice: others than the first are left out */
    const char *piece;
    const char *json_piece;
    const char *parts_piece;
    const char *refusal_piece;
    const char *piece_reason;
    const char *last_data; /* how the data of the last one begins */
    const char *last_type; /* or what its "type" is */
};

#endif
