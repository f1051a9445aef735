/* How a row ended, and the output row that says so. */
#ifndef WEIR_CLI_ANSWER_H
#define WEIR_CLI_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include <weir/http.h>

#include "bytes.h"
#include "rawjson.h"
#include "row.h"

struct answer {
    const weir_response *response; /* NULL: the row was never sent */
    int status;                    /* 0: no answer came */
    unsigned attempts;
    struct span body; /* of the answer */
    bool is_json;     /* then body is one JSON value */
    bool ok;
    char code[24];    /* of the error; "" when ok */
    struct span said; /* the server's message, a JSON string; .at NULL: text holds ours */
    size_t place_len; /* so much of text says where the row stands */
    char text[512];
    const char *key; /* the API key, which is in no message; NULL: none */
};

/* Where a row stands as messages say it, in buf (ANSWER_PLACE bytes), which it returns:
 * "FILE:LINE", and " (row N)" behind it where blank lines above make the two differ. */
#define ANSWER_PLACE 300
char *answer_place(char *buf, const char *file, const struct line *line);

/* For a row that cannot be sent: where it stands, and why. */
void answer_bad_row(struct answer *answer, const char *file, const struct line *line,
                    const char *fault);

/* For a row that weir_request returned rc and response for. The answer borrows the response. */
void answer_judge(struct answer *answer, const char *file, const struct line *line, int rc,
                  const weir_response *response);

/* For a row whose server was never there: rc and why are of the last attempt on that, of any row.
 */
void answer_unreachable(struct answer *answer, int rc, const char *why);

/* Adds to the message of ours. */
void answer_add_text(struct answer *answer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Adds the output row, with its line end. */
void answer_write(const struct answer *answer, const struct line *line, const struct row *row,
                  struct bytes *out);

/* The message as people read it, but for the place of a bad row, harmless on a terminal and cut to
 * room, which is at least 16. */
void answer_message(const struct answer *answer, char *dst, size_t room);

#endif
