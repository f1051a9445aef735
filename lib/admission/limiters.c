/* A limiter for each key. Those used last are first in a list, so whom to forget is at its end. */
#include "admission/limiters.h"

#include <string.h>

#include "admission/overall.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/opts.h"

struct keyed {
    struct weir__hash_node node;
    struct weir__list recent;
    weir_limiter *limiter;
    bool pinned; /* made from options of its own, which would be lost */
    size_t len;
    char key[]; /* with a NUL behind it */
};

struct weir_limiters {
    struct weir__rt *rt; /* as long as its home is here */
    struct weir__home home;
    struct weir_limiter_opts each; /* its limits lie behind it */
    struct weir_limit limits[WEIR_LIMITS_MAX];
    struct weir__overall *overall; /* NULL: none */
    struct weir__hash table;
    struct weir__list recent; /* struct keyed, the one used last first */
    size_t max_keys;
    bool closed;
    size_t users;                   /* owner, clients: the last to let go frees it */
    struct weir_limiter_stats gone; /* sums of those that were forgotten */
};

static struct keyed *keyed_at(const struct weir__list *node)
{
    return WEIR__CONTAINER(node, struct keyed, recent);
}

/* ---- making ---- */

/* Who bounds all and says nothing of each gives each that bound: so what is held is counted. */
static uint64_t own_concurrency(const weir_limiters *set, uint64_t own)
{
    return own == 0 && set->overall != NULL ? set->overall->concurrency : own;
}

static int make(weir_limiters *set, const struct weir_limiter_opts *given, weir_limiter **out)
{
    struct weir_limiter_opts opts;
    *out = NULL;
    int rc = weir__opts_copy(&opts, sizeof opts, given);
    if (rc < 0)
        return rc;
    opts.concurrency = own_concurrency(set, opts.concurrency);
    rc = weir_limiter_new(out, &opts);
    if (rc == 0)
        weir__overall_join(*out, set->overall);
    return rc;
}

/* One is made and thrown away, so that what is wrong is told now and not with the first request. */
static int set_each(weir_limiters *set, const struct weir_limiter_opts *given)
{
    weir_limiter *probe;
    int rc = weir__opts_copy(&set->each, sizeof set->each, given);
    if (rc == 0)
        rc = make(set, &set->each, &probe);
    if (rc < 0) {
        set->each.shared = NULL; /* it is still the caller's */
        return rc;
    }
    weir__admission_let_go(probe);
    if (set->each.limit_count > 0)
        memcpy(set->limits, set->each.limits, set->each.limit_count * sizeof set->limits[0]);
    set->each.limits = set->limits;
    if (set->each.shared != NULL)
        weir__shared_ref(set->each.shared);
    return 0;
}

static int set_up(weir_limiters *set, const struct weir_limiters_opts *opts)
{
    if (opts->max_keys > WEIR_LIMITERS_KEYS_MAX)
        return WEIR_EINVAL;
    set->max_keys = opts->max_keys > 0 ? (size_t)opts->max_keys : WEIR_LIMITERS_KEYS;
    int rc = weir__hash_init(&set->table, weir__rand_u64(&set->rt->rand),
                             weir__rand_u64(&set->rt->rand));
    if (rc == 0)
        rc = weir__overall_new(&set->overall, opts->concurrency);
    return rc == 0 ? set_each(set, opts->each) : rc;
}

int weir_limiters_new(weir_limiters **out, const struct weir_limiters_opts *opts)
{
    struct weir_limiters_opts own;
    *out = NULL;
    if (weir__rt() == NULL)
        return WEIR_ENORUNTIME;
    int rc = weir__opts_copy(&own, sizeof own, opts);
    if (rc < 0)
        return rc;
    weir_limiters *set = weir__zalloc(sizeof *set);
    if (set == NULL)
        return WEIR_ENOMEM;
    set->rt = weir__rt();
    weir__home_init(&set->home, NULL);
    set->users = 1;
    weir__list_init(&set->recent);
    rc = set_up(set, &own);
    if (rc == 0)
        *out = set;
    else
        weir__limiters_let_go(set);
    return rc;
}

weir_limiters *weir__limiters_ref(weir_limiters *set)
{
    set->users++;
    return set;
}

/* What uses a limiter keeps it, beyond the set. */
static void drop(weir_limiters *set, struct keyed *keyed)
{
    weir__hash_remove(&set->table, &keyed->node);
    weir__list_remove(&keyed->recent);
    weir_limiter_free(keyed->limiter);
    weir__free(keyed);
}

void weir__limiters_let_go(weir_limiters *set)
{
    if (set == NULL || --set->users > 0)
        return;
    while (!weir__list_empty(&set->recent))
        drop(set, keyed_at(set->recent.next));
    weir__hash_free(&set->table);
    weir__overall_let_go(set->overall);
    weir_shared_close(set->each.shared);
    weir__home_leave(&set->home);
    weir__free(set);
}

void weir_limiters_close(weir_limiters *set)
{
    if (!weir__home_is_here(&set->home))
        return;
    set->closed = true;
    for (struct weir__list *node = set->recent.next; node != &set->recent; node = node->next)
        weir_limiter_close(keyed_at(node)->limiter);
}

void weir_limiters_free(weir_limiters *set)
{
    if (set == NULL || !weir__home_lets_free(&set->home))
        return;
    weir_limiters_close(set);
    weir__limiters_let_go(set);
}

bool weir__limiters_are_here(const weir_limiters *set)
{
    return weir__home_is_here(&set->home);
}

uint64_t weir__limiters_concurrency(const weir_limiters *set)
{
    return set->overall != NULL ? set->overall->concurrency : 0;
}

/* ---- forgetting ---- */

/* Who waits, and who has a permit, is a user; who holds a place by weir_limiter_acquire is not. */
static bool is_idle(const struct keyed *keyed)
{
    return !keyed->pinned && keyed->limiter->users == 1 && keyed->limiter->holding == 0;
}

/* A pause that is forgotten is broken by the key's next request. */
static struct keyed *whom_to_forget(const weir_limiters *set)
{
    int64_t now_ns = weir__now_ns(set->rt);
    struct keyed *paused = NULL;
    for (struct weir__list *node = set->recent.prev; node != &set->recent; node = node->prev) {
        struct keyed *keyed = keyed_at(node);
        if (!is_idle(keyed))
            continue;
        if (keyed->limiter->gate.open_ns <= now_ns)
            return keyed;
        if (paused == NULL)
            paused = keyed;
    }
    return paused;
}

static void sum(struct weir_limiter_stats *all, const struct weir_limiter_stats *one)
{
    all->waiting += one->waiting;
    all->holding += one->holding;
    all->admitted += one->admitted;
    all->throttled += one->throttled;
    all->gate_wait_ms += one->gate_wait_ms;
    all->requests_wait_ms += one->requests_wait_ms;
    all->tokens_wait_ms += one->tokens_wait_ms;
    all->concurrency_wait_ms += one->concurrency_wait_ms;
    all->learned_wait_ms += one->learned_wait_ms;
    all->backoff_wait_ms += one->backoff_wait_ms;
}

static struct weir_limiter_stats stats_of(const struct keyed *keyed)
{
    struct weir_limiter_stats stats = {.size = sizeof stats};
    weir_limiter_stats(keyed->limiter, &stats);
    return stats;
}

static int make_room(weir_limiters *set)
{
    if (set->table.count < set->max_keys)
        return 0;
    struct keyed *keyed = whom_to_forget(set);
    if (keyed == NULL)
        return WEIR_EKEYS;
    struct weir_limiter_stats stats = stats_of(keyed);
    sum(&set->gone, &stats);
    drop(set, keyed);
    return 0;
}

/* ---- finding ---- */

static struct keyed *look_up(const weir_limiters *set, uint64_t hash, const char *key, size_t len)
{
    struct weir__hash_node *node = NULL;
    while ((node = weir__hash_find(&set->table, hash, node)) != NULL) {
        struct keyed *keyed = WEIR__CONTAINER(node, struct keyed, node);
        if (keyed->len == len && memcmp(keyed->key, key, len) == 0)
            return keyed;
    }
    return NULL;
}

static int add(weir_limiters *set, uint64_t hash, const char *key, size_t len,
               const struct weir_limiter_opts *opts, struct keyed **out)
{
    struct keyed *keyed = weir__zalloc(sizeof *keyed + len + 1);
    if (keyed == NULL)
        return WEIR_ENOMEM;
    int rc = make(set, opts, &keyed->limiter);
    if (rc == 0)
        rc = make_room(set); /* last, so that nothing is forgotten in vain */
    if (rc < 0) {
        weir_limiter_free(keyed->limiter);
        weir__free(keyed);
        return rc;
    }
    memcpy(keyed->key, key, len);
    keyed->len = len;
    keyed->node.hash = hash;
    weir__hash_put(&set->table, &keyed->node);
    weir__list_insert(set->recent.next, &keyed->recent);
    *out = keyed;
    return 0;
}

static int check_key(const weir_limiters *set, const char *key, size_t len)
{
    if (!weir__home_is_here(&set->home))
        return WEIR_ENORUNTIME;
    if (key == NULL || len > WEIR_LIMIT_KEY_MAX)
        return WEIR_EINVAL;
    return set->closed ? WEIR_ECLOSED : 0;
}

static size_t length_of(const char *key)
{
    return key != NULL ? strnlen(key, WEIR_LIMIT_KEY_MAX + 1) : 0;
}

static int find(weir_limiters *set, const char *key, size_t len, struct keyed **out)
{
    int rc = check_key(set, key, len);
    if (rc < 0)
        return rc;
    uint64_t hash = weir__hash_of(&set->table, key, len);
    *out = look_up(set, hash, key, len);
    if (*out == NULL)
        return add(set, hash, key, len, &set->each, out);
    weir__list_remove(&(*out)->recent);
    weir__list_insert(set->recent.next, &(*out)->recent);
    return 0;
}

int weir_limiters_get(weir_limiters *set, const char *key, weir_limiter **out)
{
    struct keyed *keyed = NULL;
    int rc = find(set, key, length_of(key), &keyed);
    *out = rc == 0 ? keyed->limiter : NULL;
    return rc;
}

int weir__limiters_use(weir_limiters *set, const char *key, size_t len, weir_limiter **out)
{
    struct keyed *keyed = NULL;
    int rc = find(set, key, len, &keyed);
    if (rc < 0)
        return rc;
    *out = keyed->limiter;
    keyed->limiter->users++;
    return 0;
}

int weir_limiters_set(weir_limiters *set, const char *key, const struct weir_limiter_opts *opts)
{
    struct keyed *keyed = NULL;
    size_t len = length_of(key);
    int rc = check_key(set, key, len);
    if (rc < 0)
        return rc;
    uint64_t hash = weir__hash_of(&set->table, key, len);
    if (look_up(set, hash, key, len) != NULL)
        return WEIR_EBUSY;
    rc = add(set, hash, key, len, opts, &keyed);
    if (rc == 0)
        keyed->pinned = true;
    return rc;
}

/* ---- figures ---- */

size_t weir_limiters_count(const weir_limiters *set)
{
    return set->table.count;
}

static bool is_busier(const struct weir_limiter_stats *one, const struct weir_limiter_stats *other)
{
    if (one->waiting != other->waiting)
        return one->waiting > other->waiting;
    return one->blocked_ms > other->blocked_ms;
}

int weir_limiters_stats(const weir_limiters *set, struct weir_limiter_stats *stats,
                        const char **key)
{
    struct weir_limiter_stats all = set->gone;
    struct weir_limiter_stats first = {.told_limit = -1, .told_remaining = -1, .told_reset_ms = -1};
    const struct keyed *busiest = NULL;
    if (!weir__home_lets_free(&set->home))
        return WEIR_ENORUNTIME;
    for (struct weir__list *node = set->recent.next; node != &set->recent; node = node->next) {
        struct weir_limiter_stats one = stats_of(keyed_at(node));
        sum(&all, &one);
        if (busiest == NULL || is_busier(&one, &first)) {
            busiest = keyed_at(node);
            first = one;
        }
    }
    first.waiting = first.holding = 0;
    first.admitted = first.throttled = 0;
    first.gate_wait_ms = first.requests_wait_ms = first.tokens_wait_ms = 0;
    first.concurrency_wait_ms = first.learned_wait_ms = first.backoff_wait_ms = 0;
    sum(&first, &all);
    if (set->overall != NULL)
        first.concurrency = set->overall->concurrency;
    if (key != NULL)
        *key = busiest != NULL ? busiest->key : NULL;
    return weir__opts_fill(stats, sizeof first, &first);
}
