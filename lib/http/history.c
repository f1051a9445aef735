#include "http/history.h"

#include <string.h>

#include "base/mem.h"
#include "http/response.h"

static struct weir_attempt_record *place_of(const struct weir__history *history, unsigned number)
{
    return &history->earlier[number % WEIR__HISTORY_MAX];
}

/* A history that memory is out for is shorter; the call does not fail for that. */
static void put_earlier(struct weir__history *history, const struct weir_attempt_record *record)
{
    if (history->earlier == NULL)
        history->earlier = weir__zalloc(WEIR__HISTORY_MAX * sizeof *history->earlier);
    if (history->earlier != NULL)
        *place_of(history, record->number) = *record;
}

void weir__history_put(struct weir__history *history, const struct weir_attempt_record *record)
{
    struct weir_attempt_record *newest = &history->newest;
    if (record->number < newest->number) {
        put_earlier(history, record);
        return;
    }
    if (newest->number != 0 && newest->number != record->number)
        put_earlier(history, newest);
    *newest = *record;
}

const struct weir_attempt_record *weir__history_get(const struct weir__history *history,
                                                    unsigned number)
{
    if (number == 0 || number > history->newest.number ||
        history->newest.number - number >= WEIR__HISTORY_MAX)
        return NULL;
    if (number == history->newest.number)
        return &history->newest;
    if (history->earlier == NULL || place_of(history, number)->number != number)
        return NULL;
    return place_of(history, number);
}

void weir__history_free(struct weir__history *history)
{
    weir__free(history->earlier);
    history->earlier = NULL;
}

int weir_response_history(const weir_response *response, unsigned number,
                          struct weir_attempt_record *record)
{
    size_t size = record->size;
    const struct weir_attempt_record *kept = weir__history_get(&response->history, number);
    if (size < sizeof size || kept == NULL)
        return WEIR_EINVAL;
    memcpy(record, kept, size < sizeof *kept ? size : sizeof *kept);
    record->size = size;
    return 0;
}
