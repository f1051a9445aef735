/* What is kept of a call's attempts: the last WEIR__HISTORY_MAX. Most calls have one attempt, and
 * none of them pays for more. */
#ifndef WEIR_HTTP_HISTORY_H
#define WEIR_HTTP_HISTORY_H

#include <weir/attempt.h>

enum { WEIR__HISTORY_MAX = 16 };

/* Begin with zero. */
struct weir__history {
    struct weir_attempt_record newest;
    struct weir_attempt_record *earlier; /* by number modulo the maximum; NULL: none, or no memory
                                            for them */
};

/* Keeps the record, in place of an earlier one of the same number. */
void weir__history_put(struct weir__history *history, const struct weir_attempt_record *record);

/* The record of that number, or NULL. */
const struct weir_attempt_record *weir__history_get(const struct weir__history *history,
                                                    unsigned number);

void weir__history_free(struct weir__history *history);

#endif
