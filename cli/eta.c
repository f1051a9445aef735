#include "eta.h"

#include <stdbool.h>

#define SMOOTHING_S    10.0 /* a change of speed shows by two thirds after this time */
#define MS_IN_A_SECOND 1000.0
#define SLOWEST_PER_S  1e-6
#define LONGEST_MS     1e15

void eta_begin(struct eta *eta, int64_t now_ms)
{
    *eta = (struct eta){.last_ms = now_ms};
}

static void measure(struct eta *eta, uint64_t sent, int64_t now_ms)
{
    double passed_s = (double)(now_ms - eta->last_ms) / MS_IN_A_SECOND;
    if (passed_s <= 0)
        return;
    double per_s = (double)(sent - eta->last_sent) / passed_s;
    double weight = eta->per_s > 0 ? passed_s / (passed_s + SMOOTHING_S) : 1.0;
    eta->per_s += weight * (per_s - eta->per_s);
    eta->last_ms = now_ms;
    eta->last_sent = sent;
}

int64_t eta_left_ms(struct eta *eta, const struct eta_rows *rows, int64_t now_ms)
{
    bool held = rows->held_ms != 0;
    if (!held || rows->sent > eta->last_sent)
        measure(eta, rows->sent, now_ms);
    else
        eta->last_ms = now_ms; /* this time does not count */
    if (rows->total <= rows->done || eta->per_s < SLOWEST_PER_S || rows->held_ms < 0)
        return ETA_UNKNOWN;
    double to_send = (double)(rows->total - rows->done) * (double)rows->sent / (double)rows->done;
    double per_s = eta->per_s;
    if (rows->most_per_s > 0 && rows->most_per_s < per_s)
        per_s = rows->most_per_s;
    double left_ms = to_send / per_s * MS_IN_A_SECOND + (double)rows->held_ms;
    return (int64_t)(left_ms < LONGEST_MS ? left_ms : LONGEST_MS);
}
