/* weir_queue: bounded, first in first out, and no item is lost or doubled. */
#include "sync_rig.h"

#include "base/rand.h"

static char a, b, c, d; /* items */

static weir_queue *new_queue(size_t capacity)
{
    weir_queue *queue;
    check_int(weir_queue_new(&queue, capacity), 0);
    return queue;
}

static int put(struct caller *caller)
{
    return weir_queue_put(caller->on, caller->with);
}

static int get(struct caller *caller)
{
    return weir_queue_get(caller->on, &caller->with);
}

/* Takes one without waiting, and checks which. */
#define check_next(queue, want) check(next_is((queue), (want)))
static bool next_is(weir_queue *queue, const void *want)
{
    void *got;
    return weir_queue_try_get(queue, &got) == 0 && got == want;
}

/* ---- order and bound ---- */

static int first_in_first_out(void *arg)
{
    weir_queue *queue = new_queue(3);
    void *item = &d;
    (void)arg;
    check_int(weir_queue_try_get(queue, &item), WEIR_EBUSY);
    check(item == &d);                        /* left alone */
    for (int round = 0; round < 5; round++) { /* round the ring */
        check_int(weir_queue_put(queue, &a), 0);
        check_int(weir_queue_try_put(queue, NULL), 0); /* an item like any other */
        check_int((int64_t)weir_queue_count(queue), 2);
        check_next(queue, &a);
        check_int(weir_queue_put(queue, &b), 0);
        check_int(weir_queue_put(queue, &c), 0);
        check_int(weir_queue_try_put(queue, &d), WEIR_EBUSY);
        check_int((int64_t)weir_queue_count(queue), 3);
        check_next(queue, NULL);
        check_int(weir_queue_get(queue, &item), 0);
        check(item == &b);
        check_next(queue, &c);
    }
    check_int((int64_t)weir_queue_count(queue), 0);
    weir_queue_free(queue);
    return 0;
}

static int putters_wait_in_order(void *arg)
{
    struct crowd crowd;
    weir_queue *queue = new_queue(1);
    (void)arg;
    check_int(weir_queue_put(queue, &a), 0);
    crowd_make(&crowd, put, queue);
    for (int i = 0; i < CROWD; i++)
        check(!crowd.callers[i].done);
    check_next(queue, &a);
    check_int(weir_queue_try_put(queue, &d), WEIR_EBUSY); /* 1's item is in it already */
    check_int((int64_t)weir_queue_count(queue), 1);
    weir_yield();
    check_trace("1");
    for (int i = 0; i < CROWD; i++)
        check_next(queue, NULL);
    weir_yield();
    check_trace("2 3 4");
    weir_queue_free(queue);
    return weir_group_free(crowd.group);
}

static int getters_wait_in_order(void *arg)
{
    struct crowd crowd;
    void *item;
    weir_queue *queue = new_queue(1);
    (void)arg;
    crowd_make(&crowd, get, queue);
    check_int(weir_queue_try_put(queue, &a), 0);
    check_int(weir_queue_put(queue, &b), 0); /* there is room: 1 has the first one */
    check_int((int64_t)weir_queue_count(queue), 0);
    check_int(weir_queue_try_get(queue, &item), WEIR_EBUSY); /* nor can it be snatched */
    check_int(weir_queue_put(queue, NULL), 0);
    weir_yield();
    check_trace("1 2 3");
    check(crowd.callers[0].with == &a && crowd.callers[1].with == &b);
    check_int(weir_queue_put(queue, &d), 0);
    check_int(weir_queue_put(queue, &c), 0); /* nobody waits for this one */
    weir_yield();
    check(crowd.callers[3].with == &d);
    check_next(queue, &c);
    weir_queue_free(queue);
    return weir_group_free(crowd.group);
}

/* ---- cancelled ---- */

static int full_with_two_putters_the_first_cancelled(void *arg)
{
    weir_queue *queue = new_queue(1);
    weir_group *group = rig_group();
    struct caller first = {.name = "first", .call = put, .on = queue, .with = &b};
    struct caller second = {.name = "second", .call = put, .on = queue, .with = &c};
    (void)arg;
    check_int(weir_queue_put(queue, &a), 0);
    call_in(group, &first);
    call_in(group, &second);
    weir_yield();
    weir_task_cancel(first.task);
    check_next(queue, &a);
    settle();
    check_trace("first! second");
    check_int(first.rc, WEIR_ECANCELED);
    check_next(queue, &c); /* b was not put */
    check_int((int64_t)weir_queue_count(queue), 0);
    weir_queue_free(queue);
    return weir_group_free(group);
}

static int a_cancelled_getter_leaves_the_item_to_the_next(void *arg)
{
    struct crowd crowd;
    weir_queue *queue = new_queue(1);
    (void)arg;
    crowd_make(&crowd, get, queue);
    crowd_cancel(&crowd, 1);
    crowd_cancel(&crowd, 2);
    check_int(weir_queue_put(queue, &a), 0);
    settle();
    check_trace("1! 2! 3");
    check(crowd.callers[0].with == NULL && crowd.callers[2].with == &a);
    check_int(weir_queue_put(queue, &b), 0);
    crowd_cancel(&crowd, 4); /* too late: it has the item */
    settle();
    check_int(crowd_rc(&crowd, 4), 0);
    check(crowd.callers[3].with == &b);
    weir_queue_free(queue);
    return weir_group_free(crowd.group);
}

static int a_putter_cancelled_after_its_item_was_taken_in(void *arg)
{
    weir_queue *queue = new_queue(1);
    weir_group *group = rig_group();
    struct caller putter = {.name = "putter", .call = put, .on = queue, .with = &b};
    (void)arg;
    check_int(weir_queue_put(queue, &a), 0);
    call_in(group, &putter);
    weir_yield();
    check_next(queue, &a);
    weir_task_cancel(putter.task);
    check_int(weir_gather(group), 0); /* so it knows that the item is not its own any more */
    check_next(queue, &b);
    weir_queue_free(queue);
    return weir_group_free(group);
}

static int put_and_get_when_cancelled(struct caller *caller)
{
    void *item = &d;
    weir_task_cancel(weir_task_self());
    check_int(weir_queue_put(caller->on, &b), WEIR_ECANCELED);
    check_int(weir_queue_get(caller->on, &item), WEIR_ECANCELED);
    check(item == &d);
    return 0;
}

static int a_cancelled_task_moves_nothing(void *arg)
{
    weir_queue *queue = new_queue(2);
    weir_group *group = rig_group();
    struct caller caller = {.name = "x", .call = put_and_get_when_cancelled, .on = queue};
    (void)arg;
    check_int(weir_queue_put(queue, &a), 0);
    call_in(group, &caller);
    check_int(weir_gather(group), 0);
    check_int((int64_t)weir_queue_count(queue), 1);
    check_next(queue, &a);
    weir_queue_free(queue);
    return weir_group_free(group);
}

static int past_a_deadline(void *arg)
{
    weir_queue *queue = new_queue(1);
    weir_deadline limit;
    void *item;
    (void)arg;
    weir_deadline_begin_ms(&limit, 10);
    check_int(weir_deadline_end(&limit, weir_queue_get(queue, &item)), WEIR_ETIMEDOUT);
    check_int(weir_queue_put(queue, &a), 0); /* stays: nobody waits any more */
    check_int((int64_t)weir_queue_count(queue), 1);
    weir_deadline_begin_ms(&limit, 10);
    check_int(weir_deadline_end(&limit, weir_queue_put(queue, &b)), WEIR_ETIMEDOUT);
    check_next(queue, &a);
    check_int((int64_t)weir_queue_count(queue), 0);
    weir_queue_free(queue);
    return 0;
}

/* ---- closed ---- */

static int closing_sends_putters_away_and_leaves_the_items(void *arg)
{
    struct crowd crowd;
    void *item;
    weir_queue *queue = new_queue(2);
    (void)arg;
    check_int(weir_queue_put(queue, &a), 0);
    check_int(weir_queue_put(queue, &b), 0);
    crowd_make(&crowd, put, queue);
    crowd_cancel(&crowd, 1);
    weir_queue_close(queue);
    weir_queue_close(queue); /* twice is once */
    settle();
    check_int(crowd_rc(&crowd, 1), WEIR_ECANCELED);
    for (int i = 2; i <= CROWD; i++)
        check_int(crowd_rc(&crowd, i), WEIR_ECLOSED);
    check_int(weir_queue_put(queue, &c), WEIR_ECLOSED);
    check_int(weir_queue_try_put(queue, &c), WEIR_ECLOSED);
    check_int((int64_t)weir_queue_count(queue), 2);
    check_int(weir_queue_get(queue, &item), 0);
    check(item == &a);
    check_next(queue, &b);
    check_int(weir_queue_get(queue, &item), WEIR_ECLOSED);
    check_int(weir_queue_try_get(queue, &item), WEIR_ECLOSED);
    weir_queue_free(queue);
    return weir_group_free(crowd.group);
}

static int closing_sends_getters_away(void *arg)
{
    struct crowd crowd;
    weir_queue *queue = new_queue(2);
    (void)arg;
    crowd_make(&crowd, get, queue);
    check_int(weir_queue_put(queue, &a), 0); /* handed to 1, which has not run */
    weir_queue_close(queue);
    settle();
    check_trace("1 2! 3! 4!");
    check(crowd.callers[0].with == &a);
    for (int i = 2; i <= CROWD; i++)
        check_int(crowd_rc(&crowd, i), WEIR_ECLOSED);
    weir_queue_free(queue);
    return weir_group_free(crowd.group);
}

static int freeing_it_sends_all_away(void *arg)
{
    struct crowd putters, getters;
    weir_queue *full = new_queue(1), *empty = new_queue(1);
    (void)arg;
    check_int(weir_queue_put(full, &a), 0);
    crowd_make(&putters, put, full);
    crowd_make(&getters, get, empty);
    crowd_cancel(&putters, 1);
    crowd_cancel(&getters, 1);
    check_next(full, &a);
    weir_queue_free(full);
    weir_queue_free(empty);
    settle();
    const int want[2][CROWD] = {{WEIR_ECANCELED, 0, WEIR_ECLOSED, WEIR_ECLOSED},
                                {WEIR_ECANCELED, WEIR_ECLOSED, WEIR_ECLOSED, WEIR_ECLOSED}};
    for (int i = 1; i <= CROWD; i++) {
        check_int(crowd_rc(&putters, i), want[0][i - 1]);
        check_int(crowd_rc(&getters, i), want[1][i - 1]);
    }
    check_int(weir_group_free(getters.group), 0);
    return weir_group_free(putters.group);
}

/* ---- producers and consumers, cancelled at random ---- */

enum { WORKERS = 8, ITEMS = 60 };

struct traffic {
    weir_queue *queue;
    struct weir__rand rand;
    char items[WORKERS][ITEMS];
    unsigned char put[WORKERS][ITEMS], got[WORKERS][ITEMS];
    int made, most;
};

static int64_t upto(struct traffic *traffic, int64_t max)
{
    return weir__rand_upto(&traffic->rand, max);
}

static int produce(void *arg)
{
    struct traffic *traffic = arg;
    int me = traffic->made++;
    for (int i = 0; i < ITEMS; i++) {
        int rc = weir_queue_put(traffic->queue, &traffic->items[me][i]);
        if (rc < 0)
            return rc;
        traffic->put[me][i] = 1;
        int count = (int)weir_queue_count(traffic->queue);
        traffic->most = count > traffic->most ? count : traffic->most;
        if (upto(traffic, 3) == 0)
            weir_sleep_ms(upto(traffic, 5));
    }
    return 0;
}

/* Books an item. What one producer has put comes to each consumer in its order. */
static void book(struct traffic *traffic, const char *item, int *last)
{
    int at = (int)(item - traffic->items[0]);
    int from = at / ITEMS, number = at % ITEMS;
    traffic->got[from][number]++;
    check(number > last[from]);
    last[from] = number;
}

static int consume(void *arg)
{
    struct traffic *traffic = arg;
    int last[WORKERS];
    for (int i = 0; i < WORKERS; i++)
        last[i] = -1;
    for (;;) {
        void *item;
        int rc = weir_queue_get(traffic->queue, &item);
        if (rc < 0)
            return rc == WEIR_ECLOSED ? 0 : rc;
        book(traffic, item, last);
        if (upto(traffic, 3) == 0)
            weir_sleep_ms(upto(traffic, 5));
    }
}

static void cancel_some(struct traffic *traffic, weir_task **tasks)
{
    for (int i = 0; i < WORKERS; i++) {
        weir_sleep_ms(upto(traffic, 20));
        weir_task_cancel(tasks[upto(traffic, 2 * WORKERS - 3)]); /* two consumers stay */
    }
}

static void compare(const struct traffic *traffic)
{
    for (int i = 0; i < WORKERS; i++) {
        for (int k = 0; k < ITEMS; k++)
            check_int(traffic->got[i][k], traffic->put[i][k]);
    }
}

static void traffic_run(struct traffic *traffic)
{
    weir_task *tasks[2 * WORKERS];
    weir_group *producers = rig_group(), *consumers = rig_group();
    traffic->queue = new_queue((size_t)(1 + upto(traffic, 3)));
    for (int i = 0; i < WORKERS; i++) {
        tasks[i] = weir_spawn(producers, produce, traffic);
        tasks[WORKERS + i] = weir_spawn(consumers, consume, traffic);
    }
    cancel_some(traffic, tasks);
    weir_gather(producers);
    weir_queue_close(traffic->queue);
    weir_gather(consumers);
    check_int((int64_t)weir_queue_count(traffic->queue), 0);
    check(traffic->most <= 4);
    compare(traffic);
    weir_queue_free(traffic->queue);
    check_int(weir_group_free(producers), 0);
    check_int(weir_group_free(consumers), 0);
}

static int every_item_that_was_put_is_got_once(void *arg)
{
    (void)arg;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct traffic *traffic = weir__zalloc(sizeof *traffic);
        weir__rand_seed(&traffic->rand, seed);
        traffic_run(traffic);
        weir__free(traffic);
    }
    return 0;
}

/* ---- made ---- */

static int wrong_capacities(void *arg)
{
    weir_queue *queue = arg;
    check_int(weir_queue_new(&queue, 0), WEIR_EINVAL);
    check(queue == NULL);
    check_int(weir_queue_new(&queue, SIZE_MAX / 2 / sizeof(void *) + 1), WEIR_EINVAL);
    check_int(weir_queue_new(&queue, SIZE_MAX), WEIR_EINVAL);
    check(queue == NULL);
    return 0;
}

static int without_memory(void *arg)
{
    weir_queue *queue = arg;
    weir__mem_fail_at(1);
    int rc = weir_queue_new(&queue, 1);
    weir__mem_fail_at(0);
    check_int(rc, WEIR_ENOMEM);
    check(queue == NULL);
    weir_queue_free(NULL);
    return 0;
}

static void without_a_runtime(void **state)
{
    weir_queue *queue = (weir_queue *)state;
    assert_int_equal(weir_queue_new(&queue, 1), WEIR_ENORUNTIME);
    assert_null(queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(first_in_first_out),
        VIRTUAL_TEST(putters_wait_in_order),
        VIRTUAL_TEST(getters_wait_in_order),
        VIRTUAL_TEST(full_with_two_putters_the_first_cancelled),
        VIRTUAL_TEST(a_cancelled_getter_leaves_the_item_to_the_next),
        VIRTUAL_TEST(a_putter_cancelled_after_its_item_was_taken_in),
        VIRTUAL_TEST(a_cancelled_task_moves_nothing),
        VIRTUAL_TEST(past_a_deadline),
        VIRTUAL_TEST(closing_sends_putters_away_and_leaves_the_items),
        VIRTUAL_TEST(closing_sends_getters_away),
        VIRTUAL_TEST(freeing_it_sends_all_away),
        VIRTUAL_TEST(every_item_that_was_put_is_got_once),
        VIRTUAL_TEST(wrong_capacities),
        VIRTUAL_TEST(without_memory),
        cmocka_unit_test(without_a_runtime),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
