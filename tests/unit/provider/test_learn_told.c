/* What is learned from the headers of many answers. */
#include <stdio.h>
#include <string.h>

#include "answer_rig.h"
#include "base/clock.h"
#include "policy/learn.h"

#define MS WEIR__NS_PER_MS
#define S  WEIR__NS_PER_S

/* 600 a minute, all back at once at the full minute, told in ms as by those who speak of buckets.
 * Others begin each minute by taking some. */
enum { LIMIT = 600 };
#define WINDOW_NS (60 * S)

struct minutes {
    struct weir__learn learn;
    int64_t now_ns, window, used, others, sent;
};

static void hear(struct minutes *minutes, struct weir__sent sent)
{
    char headers[256];
    int64_t reset_ns = (minutes->window + 1) * WINDOW_NS - minutes->now_ns;
    snprintf(headers, sizeof headers,
             "x-ratelimit-limit-requests: %d\nx-ratelimit-remaining-requests: %d\n"
             "x-ratelimit-reset-requests: %dms\n",
             (int)LIMIT, (int)(LIMIT - minutes->used), (int)weir__ns_to_ms_up(reset_ns));
    struct weir__told told = tell(200, headers, NULL);
    weir__learn_accepted(&minutes->learn, sent, &told, minutes->now_ns + 10 * MS);
}

static void send_one(struct minutes *minutes)
{
    const struct weir__amounts one = {{1, 0}};
    int64_t slot_ns = weir__learn_slot_ns(&minutes->learn, &one, minutes->now_ns);
    if (slot_ns > minutes->now_ns)
        minutes->now_ns = slot_ns;
    struct weir__sent sent = weir__learn_take(&minutes->learn, &one, minutes->now_ns);
    if (minutes->now_ns / WINDOW_NS != minutes->window) {
        minutes->window = minutes->now_ns / WINDOW_NS;
        minutes->used = minutes->others;
    }
    minutes->used += minutes->used < LIMIT;
    minutes->sent++;
    hear(minutes, sent);
    minutes->now_ns += 10 * MS;
}

/* Alone at first, then with somebody else who takes a half. */
static void a_window_in_ms_is_no_hour(void **state)
{
    struct minutes minutes = {.now_ns = 1000 * WINDOW_NS, .window = 1000};
    (void)state;
    weir__learn_init(&minutes.learn, 0);
    while (minutes.now_ns < 1002 * WINDOW_NS)
        send_one(&minutes);
    assert_in_range(minutes.sent, 900, 1210);
    minutes.others = 300;
    while (minutes.now_ns < 1004 * WINDOW_NS)
        send_one(&minutes);
    minutes.sent = 0;
    while (minutes.now_ns < 1024 * WINDOW_NS)
        send_one(&minutes);
    assert_in_range(minutes.sent, 20 * 250, 20 * 310);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_window_in_ms_is_no_hour),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
