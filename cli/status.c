#include "status.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "eta.h"
#include "numbers.h"

#define GENTLE_STEP_MS 1000

/* In the order in which they go. */
enum sacrifice {
    WITHOUT_RETRIES = 1,
    WITHOUT_THROTTLED,
    WITHOUT_PERCENT,
    WITHOUT_LONG_WORDS,
    WITHOUT_IN_FLIGHT,
    WITHOUT_SPEED,
    WITHOUT_SERVER,
    WITHOUT_FAILED,
    WITHOUT_LEFT,
    WITHOUT_TOTAL,
    SACRIFICES = WITHOUT_TOTAL,
};

struct text {
    char *line;
    size_t len;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *text, const char *format, ...)
{
    va_list args;
    size_t room = STATUS_ROOM - text->len;
    va_start(args, format);
    int len = vsnprintf(text->line + text->len, room, format, args);
    va_end(args);
    if (len > 0)
        text->len += (size_t)len < room ? (size_t)len : room - 1;
}

/* --- rows --------------------------------------------------------------------------------- */

static void add_rows(struct text *text, const struct status *status, int without)
{
    char done[28];
    char all[28];
    add(text, "%s", format_count(done, status->rows));
    if (status->total > 0 && without < WITHOUT_TOTAL)
        add(text, " of %s%s", status->estimated ? "about " : "", format_count(all, status->total));
    add(text, " rows");
    if (status->total > 0 && without < WITHOUT_PERCENT)
        add(text, " (%u %%)", (unsigned)((double)status->rows * 100.0 / (double)status->total));
    if (status->failed > 0 && without < WITHOUT_FAILED)
        add(text, ", %s failed", format_count(done, status->failed));
    if (without < WITHOUT_SPEED)
        add(text, ", %.1f/s", status->per_s);
    if (status->left_ms >= 0 && without < WITHOUT_LEFT) {
        char left[48];
        add(text, ", %s left", format_ms(left, status->left_ms));
    }
}

static void add_requests(struct text *text, const struct status *status, int without)
{
    char number[28];
    const char *comma = "; ";
    if (without < WITHOUT_IN_FLIGHT) {
        add(text, "; %zu in flight", status->in_flight);
        comma = ", ";
    }
    if (status->retries > 0 && without < WITHOUT_RETRIES)
        add(text, "%s%s retries", comma, format_count(number, status->retries));
    if (status->throttled > 0 && without < WITHOUT_THROTTLED)
        add(text, "%s%s too fast", comma, format_count(number, status->throttled));
}

/* --- what holds the run up ---------------------------------------------------------------- */

/* Behind a pause a few are let through, and more at least every second. In a pause that has longer
 * to go, or that nobody is in flight in, the server's wish holds all back. */
static bool is_gentle_start(const struct weir_limiter_stats *limit)
{
    return limit->holding > 0 && limit->blocked_ms <= GENTLE_STEP_MS;
}

/* At its rate, or until its quota comes back. */
static void add_learned(struct text *text, const struct weir_limiter_stats *limit, const char *by)
{
    char pause[48];
    add(text, "; %sserver's limit", by);
    if (limit->learned_per_s > 0)
        add(text, ", %.3g/s", limit->learned_per_s);
    if (limit->told_remaining == 0)
        add(text, ", none of %" PRId64 " left", limit->told_limit);
    if (limit->blocked_ms > GENTLE_STEP_MS)
        add(text, ", next in %s", format_ms(pause, limit->blocked_ms));
}

static void add_limit(struct text *text, const struct status *status, int without)
{
    char pause[48];
    const struct weir_limiter_stats *limit = &status->limit;
    const char *by = without < WITHOUT_LONG_WORDS ? "limited by the " : "";
    switch (limit->blocked) {
    case WEIR_BLOCKED_GATE:
        if (is_gentle_start(limit))
            add(text, *by != '\0' ? "; starting again gently after a pause" : "; gentle start");
        else
            add(text, "; %sserver's pause, %s", by, format_ms(pause, limit->blocked_ms));
        break;
    case WEIR_BLOCKED_RATE:
        add(text, "; %srate", by);
        break;
    case WEIR_BLOCKED_TOKENS:
        add(text, "; %srate of tokens", by);
        break;
    case WEIR_BLOCKED_LEARNED:
        add_learned(text, limit, by);
        break;
    case WEIR_BLOCKED_CONCURRENCY:
        add(text, "; %sconcurrency", by);
        break;
    case WEIR_BLOCKED_NOT:
        if (status->input_is_slow)
            add(text, "; %sinput", by);
        return;
    }
    if (status->server != NULL && without < WITHOUT_SERVER)
        add(text, " (%s)", status->server);
}

static void add_away(struct text *text, const struct status *status, int without)
{
    char away[48];
    format_ms(away, status->away_ms);
    if (without >= WITHOUT_SERVER)
        add(text, "; server away for %s", away);
    else if (without >= WITHOUT_LONG_WORDS)
        add(text, "; %s away for %s", status->away, away);
    else
        add(text, "; waiting for %s, away for %s", status->away, away);
    if (status->away_count > 1 && without < WITHOUT_LONG_WORDS)
        add(text, " (and %zu more)", status->away_count - 1);
}

/* --- the line ----------------------------------------------------------------------------- */

static size_t compose(char *dst, const struct status *status, int without)
{
    struct text text = {.line = dst};
    add_rows(&text, status, without);
    add_requests(&text, status, without);
    if (status->away != NULL)
        add_away(&text, status, without);
    else
        add_limit(&text, status, without);
    return text.len;
}

char *status_line(char *dst, const struct status *status, size_t columns)
{
    int without = 0;
    size_t len = compose(dst, status, without);
    while (columns > 0 && len > columns && without < SACRIFICES)
        len = compose(dst, status, ++without);
    if (columns > 0 && len > columns)
        dst[columns] = '\0';
    return dst;
}

int64_t status_held_ms(const struct status *status, bool backing_off)
{
    const struct weir_limiter_stats *limit = &status->limit;
    bool blocked = limit->blocked == WEIR_BLOCKED_GATE || limit->blocked == WEIR_BLOCKED_LEARNED;
    if (status->away != NULL && !status->one_is_there)
        return ETA_UNKNOWN;
    if (status->in_flight > 0)
        return 0;
    if (blocked && limit->blocked_ms > GENTLE_STEP_MS)
        return limit->told_remaining == 0 ? ETA_UNKNOWN : limit->blocked_ms;
    return limit->blocked == WEIR_BLOCKED_NOT && backing_off ? ETA_UNKNOWN : 0;
}
