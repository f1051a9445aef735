/* An hour of rate-limited work, tested in milliseconds: push_orders() below is the code under test,
 * the shop it pushes to is modelled, and time is virtual. Each seed is another hour: other
 * latencies, and another order in which ready tasks run. Usage: virtual_hour [BURST] */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <weir/weir.h>

/* ---- the code under test: it knows nothing of the test ---- */

enum { ORDERS = 5400, PER_MINUTE = 98 };

static weir_client *shop;

static int push_order(void *number) /* an async function */
{
    char body[40];
    weir_response *response = NULL;
    snprintf(body, sizeof body, "{\"order\":%u}", *(unsigned *)number);
    int rc =
        weir_request(shop,
                     WEIR_REQUEST(.url = "https://shop.example/orders", .body = body, .replay = 1),
                     &response);
    if (rc == 0 && weir_response_outcome(response) != WEIR_OUTCOME_OK)
        rc = WEIR_EIO;
    weir_response_free(response);
    return rc;
}

static int push_orders(unsigned *orders, uint64_t burst, const struct weir_transport *transport)
{
    weir_group *group = NULL;
    int rc = weir_client_new(&shop, WEIR_CLIENT_OPTS(.rate = PER_MINUTE, .burst = burst,
                                                     .transport = transport));
    if (rc == 0)
        rc = weir_group_new(&group, WEIR_GROUP_OPTS(.max_live = 32));
    for (unsigned i = 0; i < ORDERS && rc == 0; i++)
        weir_spawn(group, push_order, &orders[i]);
    if (rc == 0)
        rc = weir_gather(group);
    weir_group_free(group);
    weir_client_free(shop);
    return rc;
}

/* ---- the model of the shop: 100 requests in each minute of its clock, and a bad time ---- */

enum { LIMIT = 100, MINUTE_MS = 60000, DOWN_FROM_MIN = 20, DOWN_UNTIL_MIN = 25 };

struct model {
    uint64_t random;
    int64_t start_ms, minute;
    unsigned in_minute, too_fast, unavailable;
    unsigned got[ORDERS]; /* how often each order was accepted */
    uint64_t trace;       /* a fingerprint of what came when */
};

static int64_t latency_ms(struct model *model) /* 50 to 449 */
{
    model->random ^= model->random << 13;
    model->random ^= model->random >> 7;
    model->random ^= model->random << 17;
    return 50 + (int64_t)(model->random % 400);
}

/* The status of what comes in now, and until when it had better not come again. */
static int judge(struct model *model, unsigned long order, int64_t at_ms, int64_t *until_ms)
{
    int64_t minute = at_ms / MINUTE_MS;
    model->trace = (model->trace ^ order ^ (uint64_t)at_ms << 16) * UINT64_C(1099511628211);
    if (minute >= DOWN_FROM_MIN && minute < DOWN_UNTIL_MIN) {
        model->unavailable++;
        *until_ms = DOWN_UNTIL_MIN * MINUTE_MS;
        return 503;
    }
    if (model->minute != minute)
        model->in_minute = 0;
    model->minute = minute;
    if (++model->in_minute > LIMIT) {
        model->too_fast++;
        *until_ms = (minute + 1) * MINUTE_MS;
        return 429;
    }
    model->got[order]++;
    return 200;
}

static int perform(void *self, const struct weir_exchange *exchange, weir_response *response)
{
    struct model *model = self;
    char seconds[24];
    int64_t until_ms = 0;
    unsigned long order =
        strtoul((const char *)exchange->body + sizeof "{\"order\":" - 1, NULL, 10);
    int status = judge(model, order, weir_now_ms() - model->start_ms, &until_ms);
    int rc = weir_sleep_ms(latency_ms(model));
    if (rc == 0)
        rc = weir_response_set_status(response, status);
    if (rc < 0 || status == 200)
        return rc;
    int64_t wait_ms = until_ms - (weir_now_ms() - model->start_ms);
    snprintf(seconds, sizeof seconds, "%" PRId64, wait_ms > 0 ? (wait_ms + 999) / 1000 : 0);
    return weir_response_add_header(response, "Retry-After", seconds);
}

/* ---- the test ---- */

struct hour {
    struct model model;
    unsigned orders[ORDERS];
    uint64_t burst;
    int64_t took_ms;
};

static int run(void *arg)
{
    struct hour *hour = arg;
    hour->model.start_ms = weir_now_ms();
    int rc = push_orders(hour->orders, hour->burst,
                         &WEIR_TRANSPORT(.perform = perform, .self = &hour->model));
    hour->took_ms = weir_now_ms() - hour->model.start_ms;
    return rc;
}

/* One hour; the number of things that are not as they must be. */
static int try_hour(struct hour *hour, uint64_t seed, uint64_t burst)
{
    *hour = (struct hour){.burst = burst, .model = {.random = seed}};
    for (unsigned i = 0; i < ORDERS; i++)
        hour->orders[i] = i;
    int rc =
        weir_run(run, hour, WEIR_RUN_OPTS(.clock = WEIR_CLOCK_VIRTUAL, .seed = seed, .shuffle = 1));
    int wrong = rc != 0 || hour->model.too_fast > 0;
    for (unsigned i = 0; i < ORDERS; i++)
        wrong += hour->model.got[i] != 1;
    printf("seed %" PRIu64 ": %.1f minutes, refused: %u as down, %u as too fast; trace %016" PRIx64,
           seed, (double)hour->took_ms / MINUTE_MS, hour->model.unavailable, hour->model.too_fast,
           hour->model.trace);
    puts(wrong ? " WRONG" : "");
    return wrong;
}

int main(int argc, char **argv)
{
    uint64_t burst = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    struct hour *hour = malloc(sizeof *hour);
    if (hour == NULL)
        return 2;
    int wrong = 0;
    for (uint64_t seed = 1; seed <= 10; seed++)
        wrong += try_hour(hour, seed, burst);
    uint64_t trace = hour->model.trace;
    wrong += try_hour(hour, 10, burst) + (hour->model.trace != trace); /* the same seed again */
    free(hour);
    return wrong > 0;
}
