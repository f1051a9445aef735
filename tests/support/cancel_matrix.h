/* The cancel matrix: every way of waiting in every state in which a cancel can meet it. In each
 * case a bystander waits beside the victim: if the victim took a permit, an item, a turn or a place
 * in a list away with it, the bystander would not get its own, and the counts afterwards would not
 * be those before. Here are the states; each layer's test brings its rows. */
#ifndef WEIR_TESTS_CANCEL_MATRIX_H
#define WEIR_TESTS_CANCEL_MATRIX_H

#include "rig.h"

#include <weir/limiter.h>
#include <weir/map.h>
#include <weir/sync.h>

struct stage {
    const struct row *row;
    weir_group *group, *helpers;
    weir_task *victim;
    int rc;         /* of the victim's wait; WEIR_EBUSY until then */
    int bystander;  /* of the bystander's */
    size_t waiting; /* of the two, those who wait now */
    size_t grants;
    int64_t due_ms; /* when time alone makes the next grant, for rows with a period */
    /* Of the rows: */
    weir_semaphore *semaphore;
    weir_lock *lock;
    weir_event *event;
    weir_condition *condition;
    weir_queue *queue;
    weir_barrier *barrier;
    weir_once *once;
    weir_map *map;
    weir_limiter *limiter;
    weir_group *others[2];
    size_t count;
};

/* One way of waiting. */
struct row {
    const char *name;
    void (*make)(struct stage *stage);
    int (*wait)(struct stage *stage);       /* one call that has to wait */
    void (*grant)(struct stage *stage);     /* wakes the head, or all if it is for all */
    void (*give_back)(struct stage *stage); /* what the call gave; or NULL */
    bool (*conserved)(struct stage *stage); /* nothing is missing, nothing too much */
    void (*free)(struct stage *stage);
    bool stays;        /* a grant that meets nobody is there for the next one */
    bool refuses;      /* at once, a wait that would not end before the caller's deadline */
    int64_t period_ms; /* > 0: grants come by themselves, so long after one another */
};

/* What grants in rows with a period: sleeps until the next one is due. */
void stage_let_time_pass(struct stage *stage);

/* Plays all rows in all states, as cmocka tests of their own. What cmocka returned. */
int cancel_matrix_run(const struct row *rows, size_t count);

#endif
