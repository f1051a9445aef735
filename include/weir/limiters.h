/* Limiters by key: what servers limit is a host, an API key, a model. One client may serve many of
 * these, and each then has a limit, a pause and a learned rate of its own:
 *
 *     rc = weir_limiters_new(&set, WEIR_LIMITERS_OPTS(.each = WEIR_LIMITER_OPTS(.concurrency = 32),
 *                                                     .concurrency = 256));
 *     rc = weir_client_new(&client, WEIR_CLIENT_OPTS(.limiters = set));
 *     rc = weir_request(client, WEIR_REQUEST(.url = url, .limit_key = "model-a"), &response);
 *
 * A limiter is made when its key is first used. A request without a .limit_key has the key of its
 * server, "scheme://host:port" in small letters, such as "https://api.example.com:443". A key that
 * you give stands for itself: put the host or the API key into it where those differ, too.
 *
 * A set belongs to its runtime, as each limiter does (<weir/limiter.h>). */
#ifndef WEIR_LIMITERS_H
#define WEIR_LIMITERS_H

#include <weir/limiter.h>
#include <weir/opts.h>

typedef struct weir_limiters weir_limiters;

#define WEIR_LIMIT_KEY_MAX 1024 /* bytes of a key, at most */

#define WEIR_LIMITERS_KEYS     1024 /* keys at a time unless told otherwise */
#define WEIR_LIMITERS_KEYS_MAX 1048576

struct weir_limiters_opts {
    size_t size;                          /* set by WEIR_LIMITERS_OPTS */
    const struct weir_limiter_opts *each; /* what each key's limiter is made of; copied. NULL: one
                                             without limits of its own, that learns. With .shared
                                             the limits in there are for all keys together. */
    uint64_t max_keys;    /* at a time, up to WEIR_LIMITERS_KEYS_MAX; 0: WEIR_LIMITERS_KEYS */
    uint64_t concurrency; /* holders at a time over all keys; 0: no such bound. What waits for it
                             holds nothing, and the keys take turns. Each limiter that has no bound
                             of its own then has this one. */
};
#define WEIR_LIMITERS_OPTS(...) WEIR__OPTS(weir_limiters_opts, __VA_ARGS__)

#ifdef __cplusplus
extern "C" {
#endif

/* A set of limiters in *out, without any yet; opts may be NULL. Free it with weir_limiters_free.
 * Errors: as weir_limiter_new for `each`, and WEIR_EINVAL: too many keys. Does not suspend. */
WEIR_API int weir_limiters_new(weir_limiters **out, const struct weir_limiters_opts *opts);

/* Closes all limiters and frees the set, as soon as no client uses it any more. NULL is fine. Tasks
 * that wait get WEIR_ECLOSED. */
WEIR_API void weir_limiters_free(weir_limiters *set);

/* The key's limiter in *out, made if there is none. Beyond max_keys the one that was used longest
 * ago is forgotten, with what it had learned: one that nobody waits for or holds and that no
 * request under way uses, and if there is a choice, one without a pause. *out is borrowed until the
 * next key is asked for; longer while something is held of it. Errors, with NULL in *out:
 * WEIR_EKEYS (all are in use), WEIR_EINVAL (no key, or a longer one than WEIR_LIMIT_KEY_MAX),
 * WEIR_ECLOSED, WEIR_ENOMEM. Does not suspend. */
WEIR_API int weir_limiters_get(weir_limiters *set, const char *key, weir_limiter **out);

/* Gives one key a limiter of other options than `each`, before it is first used; this one is never
 * forgotten. opts: as weir_limiter_new; NULL: no limits. Errors: WEIR_EBUSY (the key has a limiter:
 * weir_limiter_set_limit may serve), as weir_limiter_new, as weir_limiters_get. Does not suspend.
 */
WEIR_API int weir_limiters_set(weir_limiters *set, const char *key,
                               const struct weir_limiter_opts *opts);

/* How many keys have a limiter now. */
WEIR_API size_t weir_limiters_count(const weir_limiters *set);

/* weir_limiter_stats of all keys together: counts and times are sums, and those of limiters that
 * were forgotten are in them. What cannot be summed (blocked and what follows from it, the bounds
 * and rates, what was learned and told) is that of the key which most wait for, of equal ones that
 * is blocked for longest; concurrency is the bound over all, if there is one. *key, if key is not
 * NULL, gets that key, borrowed as the limiter of weir_limiters_get, or NULL: there is none. Takes
 * time in proportion to the number of keys. 0, or WEIR_EINVAL: a size that was never set. */
WEIR_API int weir_limiters_stats(const weir_limiters *set, struct weir_limiter_stats *stats,
                                 const char **key);

/* weir_limiter_close for all keys, those to come included. Does not suspend. */
WEIR_API void weir_limiters_close(weir_limiters *set);

#ifdef __cplusplus
}
#endif

#endif
