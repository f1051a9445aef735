#include "flow_ways.h"

#include <math.h>

#include <weir/sync.h>
#include <weir/task.h>

/* CUBIC: the constants and formulas of botocore's retries/throttling.py and retries/adaptive.py. */
static const double scale = 0.4, beta = 0.7, smooth = 0.8, measure_s = 0.5, least_rate = 0.5,
                    most_of_measured = 2;

void flow_pacer_init(struct flow_pacer *pacer, enum flow_way way)
{
    *pacer = (struct flow_pacer){.way = way, .rate = way == FLOW_AIMD ? 1 : 0};
    weir_semaphore_new(&pacer->turn, 1, 1);
}

void flow_pacer_end(struct flow_pacer *pacer)
{
    weir_semaphore_free(pacer->turn);
}

/* One at a time, so that each goes at the rate of its time. */
int64_t flow_pacer_wait(struct flow_pacer *pacer, struct flow_server *server)
{
    weir_semaphore_acquire(pacer->turn);
    int64_t now_ns = weir_now_ns();
    int64_t at_ns = pacer->next_ns > now_ns ? pacer->next_ns : now_ns;
    for (int rc = 0; rc == 0 && (at_ns > now_ns || pacer->open_ns > now_ns);) {
        rc = flow_sleep_until(server, at_ns > pacer->open_ns ? at_ns : pacer->open_ns);
        now_ns = weir_now_ns();
    }
    if (pacer->rate > 0)
        pacer->next_ns = at_ns + (int64_t)(1e9 / pacer->rate);
    weir_semaphore_release(pacer->turn);
    return now_ns;
}

static double seconds(int64_t ns)
{
    return (double)ns / 1e9;
}

static void measure(struct flow_pacer *pacer, int64_t now_ns)
{
    pacer->in_bucket++;
    double passed_s = seconds(now_ns - pacer->bucket_began_ns);
    if (passed_s < measure_s)
        return;
    double rate = (double)pacer->in_bucket / passed_s;
    pacer->measured = rate * smooth + pacer->measured * (1 - smooth);
    pacer->bucket_began_ns = now_ns;
    pacer->in_bucket = 0;
}

static void cubic(struct flow_pacer *pacer, bool refused, int64_t now_ns)
{
    measure(pacer, now_ns);
    double rate;
    if (refused) {
        pacer->max_rate = pacer->measured;
        if (pacer->rate > 0 && pacer->rate < pacer->max_rate)
            pacer->max_rate = pacer->rate;
        pacer->window_s = cbrt(pacer->max_rate * (1 - beta) / scale);
        pacer->last_throttle_ns = now_ns;
        rate = pacer->max_rate * beta;
    } else {
        if (pacer->rate == 0)
            return; /* not yet enabled */
        double x = seconds(now_ns - pacer->last_throttle_ns) - pacer->window_s;
        rate = scale * x * x * x + pacer->max_rate;
    }
    rate = fmin(rate, most_of_measured * pacer->measured);
    pacer->rate = fmax(rate, least_rate);
}

/* Doubles with each round until the first refusal, cuts once per congestion epoch. */
static void aimd(struct flow_pacer *pacer, bool refused, int64_t sent_ns, int64_t now_ns)
{
    if (!refused) {
        pacer->rate += pacer->last_throttle_ns == 0 ? 1 : 1 / pacer->rate;
    } else if (sent_ns > pacer->last_throttle_ns) {
        pacer->rate = fmax(pacer->rate / 2, 0.01);
        pacer->last_throttle_ns = now_ns;
    }
}

static void close_gate(struct flow_pacer *pacer, int64_t wait_ms, int64_t now_ns)
{
    double own_ms = fmin(250 * exp2(pacer->pauses), 30000);
    int64_t open_ns = now_ns + (int64_t)((wait_ms >= 0 ? (double)wait_ms : own_ms) * 1e6);
    if (open_ns > pacer->open_ns)
        pacer->open_ns = open_ns;
}

void flow_pacer_heard(struct flow_pacer *pacer, bool refused, int64_t wait_ms, int64_t sent_ns,
                      int64_t now_ns)
{
    bool news = sent_ns >= pacer->open_ns;
    switch (pacer->way) {
    case FLOW_CUBIC:
        cubic(pacer, refused, now_ns);
        break;
    case FLOW_AIMD:
        aimd(pacer, refused, sent_ns, now_ns);
        break;
    default:
        if (refused && news)
            close_gate(pacer, wait_ms, now_ns);
        if (news)
            pacer->pauses = refused ? pacer->pauses + 1 : 0;
        return;
    }
    if (refused && wait_ms >= 0)
        close_gate(pacer, wait_ms, now_ns);
}
