/* A source of things and a worker on them, which keep account: each thing that left the source is
 * handed on or dropped, once. */
#ifndef WEIR_TESTS_MAP_RIG_H
#define WEIR_TESTS_MAP_RIG_H

#include "rig.h"

#include <string.h>

#include <weir/map.h>
#include <weir/sync.h>

#include "base/mem.h"

enum { THINGS = 200 };

struct thing {
    int id;
    int64_t ms; /* that the work takes; 0: it does not suspend */
    int rc;     /* of the work */
    int worked, handed, dropped;
};

struct feed {
    struct thing things[THINGS];
    int count;
    int64_t began_ms;
    int64_t pause_ms;   /* that the source waits for each; 0: it does not suspend */
    int64_t free_ms;    /* after so long somebody frees the map */
    int64_t more_bytes; /* of memory that it may use */
    int end_rc;         /* what it gives behind the last */
    int taken;          /* out of the source */
    int live, most;     /* worked on at once */
    int got;            /* by take_all */
    bool inside;        /* the source */
    bool notes;
    weir_map *map;
};

static inline void feed_init(struct feed *feed, int count)
{
    memset(feed, 0, sizeof *feed);
    feed->count = count;
    feed->began_ms = weir_now_ms();
    for (int i = 0; i < THINGS; i++)
        feed->things[i].id = i;
}

static inline int64_t elapsed_ms(const struct feed *feed)
{
    return weir_now_ms() - feed->began_ms;
}

static inline int feed_source(void *arg, void **item)
{
    struct feed *feed = arg;
    check(!feed->inside);
    feed->inside = true;
    int rc = feed->pause_ms > 0 ? weir_sleep_ms(feed->pause_ms) : 0;
    feed->inside = false;
    if (rc < 0)
        return rc;
    if (feed->taken == feed->count)
        return feed->end_rc;
    *item = &feed->things[feed->taken++];
    return 1;
}

static inline int feed_worker(void *arg, void *item, void **result)
{
    struct feed *feed = arg;
    struct thing *thing = item;
    check(weir_task_arg(weir_task_self()) == item);
    check(*result == NULL);
    thing->worked++;
    if (++feed->live > feed->most)
        feed->most = feed->live;
    int rc = thing->ms > 0 ? weir_sleep_ms(thing->ms) : 0;
    feed->live--;
    if (rc == 0)
        *result = &thing->id;
    return rc < 0 ? rc : thing->rc;
}

static inline void feed_drop(void *arg, void *item, void *result)
{
    struct thing *thing = item;
    (void)arg;
    check(result == NULL || (thing->worked == 1 && result == &thing->id));
    thing->dropped++;
}

/* What weir_map_next returned; the thing is told that it was handed on. */
static inline int take(struct feed *feed)
{
    struct weir_mapped mapped = {0};
    int rc = weir_map_next(feed->map, &mapped);
    if (rc != 1)
        return rc;
    struct thing *thing = mapped.item;
    thing->handed++;
    check(mapped.result == NULL || mapped.result == &thing->id);
    check(mapped.status == thing->rc || mapped.status == WEIR_ECANCELED);
    if (feed->notes)
        note("%d", thing->id);
    return 1;
}

/* How it ended. */
static inline int take_all(struct feed *feed)
{
    int rc;
    while ((rc = take(feed)) == 1)
        feed->got++;
    return rc;
}

static inline int feed_start(struct feed *feed, size_t concurrency, int ordered)
{
    return weir_map_new(&feed->map, feed_source, feed_worker,
                        WEIR_MAP_OPTS(.concurrency = concurrency, .ordered = ordered, .arg = feed,
                                      .drop = feed_drop));
}

/* Each thing that left the source ended once, and no task is in it any more. */
static inline void feed_balanced(const struct feed *feed)
{
    check_int(feed->live, 0);
    check(!feed->inside);
    for (int i = 0; i < THINGS; i++) {
        const struct thing *thing = &feed->things[i];
        check_int(thing->handed + thing->dropped, i < feed->taken);
        check(thing->worked <= 1 && (thing->worked == 1 || thing->handed == 0));
    }
}

static inline int feed_end(struct feed *feed)
{
    weir_map_free(feed->map);
    feed->map = NULL;
    feed_balanced(feed);
    return 0;
}

#endif
