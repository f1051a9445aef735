/* A map has up to `concurrency` workers, tasks that live as long as the map. One of them at a time
 * has the turn: it takes the next item out of the source, gives the turn to another worker,
 * starting one if none is idle, and works on the item itself. What it worked on goes to its place
 * in a ring, which is all the memory there is: no item costs an allocation, a task or a stack of
 * its own. */
#include <weir/map.h>

#include <stdbool.h>

#include "base/mem.h"
#include "base/opts.h"
#include "task/sched.h"

#define DEFAULT_CONCURRENCY 64

/* Where a worked on item waits to be handed on. */
struct place {
    struct weir_mapped mapped;
    bool ready;
};

struct weir_map {
    weir_map_source_fn source;
    weir_map_worker_fn worker;
    void (*drop)(void *arg, void *item, void *result);
    void *arg;
    bool ordered;
    bool ended;  /* nothing more is taken out of the source */
    int end_rc;  /* why: 0 or a WEIR_E code */
    size_t most; /* workers at most */
    size_t workers;
    weir_group *group;        /* theirs */
    weir_task *turn;          /* the one that is in the source or will be next; NULL: none */
    struct weir__list idle;   /* those with nothing to do, the last one first: its stack is warm */
    struct weir__list takers; /* struct taker */
    uint64_t taken, done;     /* out of the source; of those, worked on */
    uint64_t handed;          /* to a taker; the next one waits in places[handed % room] */
    size_t room;              /* items out of the source and not handed on, at most */
    struct place places[];
};

/* A task inside weir_map_next. What it waits for is put where it wants it before it wakes, so that
 * a cancel or the end of the map between the two takes nothing away. */
struct taker {
    struct weir__wait wait;
    struct weir_mapped *to;
};

/* ---- handing on ---- */

static struct place *place_at(weir_map *map, uint64_t number)
{
    return &map->places[number % map->room];
}

static bool is_next_ready(weir_map *map)
{
    return place_at(map, map->handed)->ready;
}

static void hand_on(weir_map *map, struct weir_mapped *to)
{
    struct place *place = place_at(map, map->handed++);
    place->ready = false;
    *to = place->mapped;
}

static bool is_over(const weir_map *map)
{
    return map->ended && map->handed == map->taken;
}

/* Serves those who wait, in the order in which they came. */
static void serve_takers(weir_map *map)
{
    while (!weir__list_empty(&map->takers) && is_next_ready(map)) {
        struct taker *taker = WEIR__CONTAINER(map->takers.next, struct taker, wait.node);
        hand_on(map, taker->to);
        weir__wake(&taker->wait, 1);
    }
    if (is_over(map))
        weir__wake_all(&map->takers, map->end_rc);
}

static void end_source(weir_map *map, int rc)
{
    if (map->ended)
        return;
    map->ended = true;
    map->end_rc = rc;
    weir__wake_all(&map->idle, WEIR_ECLOSED);
    serve_takers(map);
}

/* ---- the turn ---- */

static bool has_room(const weir_map *map)
{
    return map->taken - map->handed < map->room;
}

static void pass_turn(weir_map *map);
static int worker_run(void *arg);

/* It was cancelled before it ran, or there is no memory for its stack. */
static void worker_never_ran(weir_task *task)
{
    weir_map *map = weir_task_arg(task);
    map->turn = NULL;
    if (--map->workers == 0)
        end_source(map, task->cancelled ? WEIR_ECANCELED : WEIR_ENOSTACK);
    map->most = map->workers;
    pass_turn(map);
}

/* Those whose task was cancelled have ended, and nobody collects them. */
static void free_ended_workers(weir_group *group)
{
    struct weir__list *node;
    while ((node = weir__list_pop(&group->ended)) != NULL)
        weir_task_free(WEIR__CONTAINER(node, weir_task, ended));
}

/* Fewer workers than wanted, for want of memory, do the same work. */
static void start_worker(weir_map *map)
{
    weir_group *group = map->group;
    free_ended_workers(group);
    map->turn = weir_spawn_named(group, worker_run, map, "weir_map");
    if (map->turn != NULL) {
        map->turn->unstarted = worker_never_ran;
        map->workers++;
        return;
    }
    if (map->workers == 0)
        end_source(map, group->rt->closing ? WEIR_ECANCELED : WEIR_ENOMEM);
    map->most = map->workers;
}

/* Gives the turn to somebody, if it is free and there is something to do with it. */
static void pass_turn(weir_map *map)
{
    if (map->turn != NULL || map->ended || !has_room(map))
        return;
    if (!weir__list_empty(&map->idle)) {
        struct weir__wait *wait = WEIR__CONTAINER(map->idle.next, struct weir__wait, node);
        map->turn = wait->task;
        weir__wake(wait, 0);
    } else if (map->workers < map->most) {
        start_worker(map);
    }
}

/* 0 when the calling worker has the turn; else its task is to end. */
static int wait_for_turn(weir_map *map)
{
    struct weir__wait wait;
    int rc = weir__wait_begin(&wait);
    if (rc < 0 || map->ended)
        return rc < 0 ? rc : WEIR_ECLOSED;
    if (map->turn == NULL && has_room(map)) {
        map->turn = wait.task;
        return 0;
    }
    weir__list_insert(map->idle.next, &wait.node);
    return weir__park(&wait);
}

/* ---- a worker ---- */

static void drop(const weir_map *map, void *item, void *result)
{
    if (map->drop != NULL)
        map->drop(map->arg, item, result);
}

/* As at the end of a task: the worker lives on, the frame that the scopes lie in does not. */
static void end_scopes(weir_task *task)
{
    task->deadlines = NULL;
}

/* Uses the turn up. True with an item, which then has a number. */
static bool take(weir_map *map, void **item, uint64_t *number)
{
    int rc = map->source(map->arg, item);
    end_scopes(map->turn);
    map->turn = NULL;
    if (rc <= 0) {
        end_source(map, rc);
        return false;
    }
    if (map->ended) { /* it came in spite of a stop */
        drop(map, *item, NULL);
        return false;
    }
    *number = map->taken++;
    return true;
}

static void finish(weir_map *map, uint64_t number, struct weir_mapped mapped)
{
    uint64_t completed = map->done++;
    *place_at(map, map->ordered ? number : completed) =
        (struct place){.mapped = mapped, .ready = true};
    serve_takers(map);
}

/* False when the worker is to end. That of a cancelled task calls nothing any more, not even if the
 * turn came before the cancel. */
static bool work_on_one(weir_map *map, weir_task *task)
{
    struct weir_mapped mapped = {0};
    uint64_t number;
    if (task->cancelled || !take(map, &mapped.item, &number))
        return false;
    pass_turn(map);
    task->arg = mapped.item; /* tells whoever asks for the task's argument what it works on */
    mapped.status = map->worker(map->arg, mapped.item, &mapped.result);
    end_scopes(task);
    finish(map, number, mapped);
    return true;
}

/* Ends with the source, or when its task was cancelled: by what it called, or by the end of the
 * runtime. Then another one takes its place. */
static int worker_run(void *arg)
{
    weir_map *map = arg;
    weir_task *task = weir_task_self();
    while (work_on_one(map, task) && wait_for_turn(map) == 0)
        continue;
    map->workers--;
    if (map->turn == task)
        map->turn = NULL;
    pass_turn(map);
    return 0;
}

/* ---- the map ---- */

static int check_opts(const struct weir_map_opts *opts)
{
    const size_t most = SIZE_MAX / 4 / sizeof(struct place);
    return opts->reserved == 0 && opts->concurrency <= most ? 0 : WEIR_EINVAL;
}

static weir_map *map_alloc(const struct weir_map_opts *opts)
{
    size_t most = opts->concurrency > 0 ? opts->concurrency : DEFAULT_CONCURRENCY;
    size_t room = opts->ordered ? 2 * most : most;
    weir_map *map = weir__zalloc(sizeof *map + room * sizeof map->places[0]);
    if (map == NULL)
        return NULL;
    map->drop = opts->drop;
    map->arg = opts->arg;
    map->ordered = opts->ordered != 0;
    map->most = most;
    map->room = room;
    weir__list_init(&map->idle);
    weir__list_init(&map->takers);
    return map;
}

int weir_map_new(weir_map **out, weir_map_source_fn source, weir_map_worker_fn worker,
                 const struct weir_map_opts *opts)
{
    struct weir_map_opts own;
    *out = NULL;
    if (weir__opts_copy(&own, sizeof own, opts) < 0)
        return WEIR_EINVAL;
    if (source == NULL || worker == NULL || check_opts(&own) < 0)
        return WEIR_EINVAL;
    if (weir__rt() == NULL)
        return WEIR_ENORUNTIME;
    weir_map *map = map_alloc(&own);
    if (map == NULL)
        return WEIR_ENOMEM;
    int rc = weir_group_new(&map->group, NULL);
    if (rc < 0) {
        weir__free(map);
        return rc;
    }
    map->source = source;
    map->worker = worker;
    pass_turn(map);
    *out = map;
    return 0;
}

int weir_map_next(weir_map *map, struct weir_mapped *mapped)
{
    struct taker taker = {.to = mapped};
    if (map->group->closing)
        return WEIR_ECLOSED;
    if (is_next_ready(map)) {
        hand_on(map, mapped);
        pass_turn(map);
        return 1;
    }
    if (is_over(map))
        return map->end_rc;
    int rc = weir__wait_begin(&taker.wait);
    if (rc < 0)
        return rc;
    weir__list_push(&map->takers, &taker.wait.node);
    return weir__park(&taker.wait); /* the map may be gone by then, whatever the waker said */
}

void weir_map_stop(weir_map *map)
{
    weir_task *turn = map->turn;
    end_source(map, 0);
    if (turn != NULL && turn != weir_task_self()) /* it may wait in the source for long */
        weir_task_cancel(turn);
}

/* Whether the calling task may wait for the workers: none of them can, nor can what is no task. */
static bool can_join(const weir_map *map)
{
    const weir_task *self = weir_task_self();
    return self != NULL ? self->group != map->group : map->group->live == 0;
}

void weir_map_free(weir_map *map)
{
    if (map == NULL || map->group->closing || !can_join(map))
        return;
    weir__wake_all(&map->takers, WEIR_ECLOSED);
    end_source(map, 0);
    weir_group_free(map->group);
    while (map->handed < map->taken) {
        struct weir_mapped left;
        hand_on(map, &left);
        drop(map, left.item, left.result);
    }
    weir__free(map);
}
