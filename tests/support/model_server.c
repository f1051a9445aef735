#include "model_server.h"

#include <stdio.h>

#include <weir/task.h>

#include "base/clock.h"

/* ---- the limit: a bucket that leaks ---- */

static void leak(struct model_server *server, int64_t now_ns)
{
    server->level_ns -= now_ns - server->level_at_ns;
    if (server->level_ns < 0)
        server->level_ns = 0;
    server->level_at_ns = now_ns;
}

/* 0 if there is room for one more, else how long it takes until there is. */
static int64_t full_for_ns(struct model_server *server, int64_t now_ns)
{
    int64_t token_ns = server->period_ms * WEIR__NS_PER_MS / (int64_t)server->rate;
    leak(server, now_ns);
    int64_t over_ns = server->level_ns + token_ns - (int64_t)server->burst * token_ns;
    if (over_ns > 0)
        return over_ns;
    server->level_ns += token_ns;
    return 0;
}

/* ---- answers ---- */

/* Dates count from here, whatever the virtual clock says. */
static void add_date(weir_response *response, const char *name, int64_t at_ns)
{
    char date[40];
    int64_t s = at_ns / WEIR__NS_PER_S;
    snprintf(date, sizeof date, "Mon, 05 Aug 2019 %02d:%02d:%02d GMT", (int)(s / 3600 % 24),
             (int)(s / 60 % 60), (int)(s % 60));
    weir_response_add_header(response, name, date);
}

static void close_until(struct model_server *server, int64_t until_ns, int64_t now_ns)
{
    if (now_ns >= server->closed_until_ns)
        server->closed_from_ns = now_ns;
    if (until_ns > server->closed_until_ns)
        server->closed_until_ns = until_ns;
}

/* Whole seconds, as most servers say it, rounded up. */
static void add_retry_after(struct model_server *server, weir_response *response, int64_t wait_ns)
{
    char seconds[24];
    int64_t now_ns = weir_now_ns(), wait_s = (wait_ns + WEIR__NS_PER_S - 1) / WEIR__NS_PER_S;
    if (server->says == MODEL_SAYS_NOTHING)
        return;
    snprintf(seconds, sizeof seconds, "%lld", (long long)wait_s);
    if (server->says == MODEL_SAYS_SECONDS)
        weir_response_add_header(response, "Retry-After", seconds);
    add_date(response, "Date", now_ns);
    if (server->says == MODEL_SAYS_DATE)
        add_date(response, "Retry-After",
                 now_ns / WEIR__NS_PER_S * WEIR__NS_PER_S + wait_s * WEIR__NS_PER_S);
    close_until(server, now_ns + wait_s * WEIR__NS_PER_S, now_ns);
}

static int answer(weir_response *response, int status, const char *body)
{
    int rc = weir_response_set_status(response, status);
    for (size_t len = 0; rc == 0 && body[len] != '\0'; len++)
        rc = weir_response_append(response, body + len, 1);
    return rc;
}

static int play_step(const struct model_step *step, weir_response *response)
{
    if (step->status == 0) {
        weir_response_set_failure(response, step->sent, "as the script says");
        return step->rc;
    }
    int rc = answer(response, step->status, "scripted");
    if (rc == 0 && step->retry_after != NULL)
        rc = weir_response_add_header(response, "Retry-After", step->retry_after);
    return rc;
}

/* ---- an exchange ---- */

static const struct model_step *next_step(struct model_server *server)
{
    if (server->step >= server->step_count)
        return NULL;
    const struct model_step *step = &server->steps[server->step];
    if (++server->step_used >= (step->times > 0 ? step->times : 1)) {
        server->step++;
        server->step_used = 0;
    }
    return step;
}

static int64_t latency_ms(struct model_server *server, const struct model_step *step)
{
    if (step != NULL && step->latency_ms != 0)
        return step->latency_ms > 0 ? step->latency_ms : INT64_MAX;
    return server->latency_ms + weir__rand_upto(&server->rand, server->latency_spread_ms);
}

static void arrive(struct model_server *server, struct model_arrival *arrival)
{
    if (!server->begun)
        weir__rand_seed(&server->rand, 42);
    server->begun = true;
    server->while_closed +=
        arrival->at_ns > server->closed_from_ns && arrival->at_ns < server->closed_until_ns;
    server->requests++;
    if (++server->in_flight > server->most_in_flight)
        server->most_in_flight = server->in_flight;
}

/* Takes its time; or the attempt's, if that is shorter. */
static int take_time(int64_t wanted_ms, const struct weir_exchange *exchange,
                     weir_response *response)
{
    bool hung = exchange->timeout_ms > 0 && wanted_ms > exchange->timeout_ms;
    int rc = weir_sleep_ms(hung ? exchange->timeout_ms : wanted_ms);
    if (rc == 0 && hung)
        rc = WEIR_EATTEMPTTIME;
    if (rc < 0)
        weir_response_set_failure(response, WEIR_SENT_MAYBE, weir_strerror(rc));
    return rc;
}

static int end_by_itself(struct model_server *server, int64_t full_ns, weir_response *response)
{
    if (full_ns == 0) {
        server->answered++;
        return answer(response, 200, "{\"ok\":true}");
    }
    server->throttled++;
    int rc = answer(response, 429, "too fast");
    if (rc == 0)
        add_retry_after(server, response, full_ns);
    return rc;
}

static int perform(void *self, const struct weir_exchange *exchange, weir_response *response)
{
    struct model_server *server = self;
    struct model_arrival arrival = {.at_ns = weir_now_ns(), .attempt = exchange->attempt};
    size_t number = server->requests;
    arrive(server, &arrival);
    const struct model_step *step = next_step(server);
    bool limited = step == NULL && server->rate > 0;
    int64_t full_ns = limited ? full_for_ns(server, arrival.at_ns) : 0;
    int rc = take_time(latency_ms(server, step), exchange, response);
    server->in_flight--;
    if (rc == 0)
        rc = step != NULL ? play_step(step, response) : end_by_itself(server, full_ns, response);
    arrival.status = rc == 0 ? weir_response_status(response) : 0;
    if (number < server->log_room)
        server->log[number] = arrival;
    return rc;
}

static void count_free(void *self)
{
    struct model_server *server = self;
    server->frees++;
}

struct weir_transport model_transport(struct model_server *server)
{
    return WEIR_TRANSPORT(.perform = perform, .self = server, .free = count_free);
}
