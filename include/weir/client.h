/* A client of one API: requests that wait for their turn, are sent, and are tried again when that
 * helps.
 *
 * The way of a request:
 *     deadline -> retry { circuit breaker (off unless asked for)
 *                         -> admission (gate, concurrency, rate; one step, first come first served)
 *                         -> attempt -> would another help? -> backoff }
 * Nothing is held during the backoff. A "too fast" answer (429) closes one gate for all requests
 * that share the client's limiter until the time the server names; with `limiters`, for those of
 * its key.
 *
 * A client belongs to the runtime that it was made in (weir_run, weir_embed_new). Its connections
 * end with that at the latest; the client can be freed then or later, by any thread. Requests from
 * elsewhere, or later, are WEIR_ENORUNTIME, but its counts can be read once the runtime has ended.
 */
#ifndef WEIR_CLIENT_H
#define WEIR_CLIENT_H

#include <weir/breaker.h>
#include <weir/hedge.h>
#include <weir/http.h>
#include <weir/limiter.h>
#include <weir/limiters.h>
#include <weir/log.h>
#include <weir/net.h>
#include <weir/opts.h>
#include <weir/retry.h>
#include <weir/task.h>
#include <weir/transport.h>

typedef struct weir_client weir_client;

#define WEIR_CLIENT_CONCURRENCY 64 /* attempts in flight unless told otherwise */

struct weir_client_opts {
    size_t size;          /* set by WEIR_CLIENT_OPTS */
    const char *base_url; /* "https://api.example.com" or with a path, "http://127.0.0.1:8000/v1";
                             NULL: every request names its whole URL */
    const char *const *headers; /* "Name: value", NULL at the end; NULL: none. Sent with every
                                   request to the base URL's scheme, host and port, and to no
                                   other; without a base URL, with every request. */
    const char *bearer_token;   /* sent as "Authorization: Bearer ..." as the headers above; needs
                                   a base URL. NULL: none */
    weir_limiter *limiter;      /* shared with others, in use until the client is freed; NULL: an
                                   own one, made from the next four, which must be 0 otherwise */
    uint64_t concurrency;       /* attempts in flight at most; 0: WEIR_CLIENT_CONCURRENCY */
    uint64_t rate;              /* as in weir_limiter_opts */
    int64_t period_ms;
    uint64_t burst;
    const struct weir_retry_opts *retry; /* NULL: the defaults */
    int64_t timeout_ms;                  /* default for the whole of each call; 0: none */
    int64_t attempt_timeout_ms; /* for one attempt, from connect to the body's end; 0: 600,000 */
    uint64_t max_body_bytes;    /* of an answer, after decompression (net.h); 0: 16 MiB */
    const struct weir_transport *transport;  /* copied; NULL: libcurl */
    const struct weir_breaker_opts *breaker; /* breaker.h; NULL: no circuit breaker */
    const struct weir_hedge_opts *hedge;     /* hedge.h; NULL: no attempt is sent twice at a time */
    const struct weir_log_opts *log;         /* log.h; NULL: it says nothing */
    weir_limiters *limiters; /* one for each key of the requests (limiters.h), shared with others;
                                NULL: the one above, which must be NULL otherwise, as must be the
                                four below it */
    const struct weir_net_opts *net; /* net.h, copied; not beside a transport. NULL: the defaults */
};
#define WEIR_CLIENT_OPTS(...) WEIR__OPTS(weir_client_opts, __VA_ARGS__)

#ifdef __cplusplus
extern "C" {
#endif

/* A client in *out; opts may be NULL. Free it with weir_client_free. Errors, with NULL in *out:
 * WEIR_EINVAL (a bad option, options that contradict each other, a NULL out), WEIR_EURL (base URL),
 * WEIR_EHEADER, WEIR_ENOMEM, WEIR_ENORUNTIME (also: .limiter or .limiters is of another runtime),
 * WEIR_ENOTSUP (virtual clock without a transport of your own), WEIR_EIO (a file of .net),
 * WEIR_ELIBCURL. What is wrong with .net or with libcurl stands in the log, too, as an error. Does
 * not suspend. */
WEIR_API int weir_client_new(weir_client **out, const struct weir_client_opts *opts);

/* Frees the client, also once its runtime has ended. NULL is fine. Returns 0, or with nothing done
 * WEIR_EBUSY (requests are under way, or a stream is open), WEIR_ENORUNTIME (its runtime goes on,
 * in another thread). Does not suspend. */
WEIR_API int weir_client_free(weir_client *client);

/* The limiter the client uses, borrowed; NULL: one for each key, or a NULL client. Does not
 * suspend. */
WEIR_API weir_limiter *weir_client_limiter(const weir_client *client);

/* Fills *stats, whose size must be set, with the state of the client's circuit breaker; all zero
 * (closed) for a client without one. 0, or WEIR_EINVAL (a size that was never set, a NULL client),
 * WEIR_ENORUNTIME (as of weir_client_free). Does not suspend. */
WEIR_API int weir_client_breaker_stats(const weir_client *client, struct weir_breaker_stats *stats);

/* The same of its hedging: 0, or WEIR_EINVAL likewise. delay_ms is -1 for a client without. Does
 * not suspend. */
WEIR_API int weir_client_hedge_stats(const weir_client *client, struct weir_hedge_stats *stats);

/* Sends the request and waits for its answer. Suspends.
 *
 * Returns 0 when the server answered, whatever the status: weir_response_status and _outcome tell
 * (a 429 or 500 that retries did not cure is an answer). So is a redirect (3xx): none is followed,
 * its outcome is WEIR_OUTCOME_OK and its "Location" header tells where to ask. Otherwise
 *   WEIR_EURL, WEIR_EHEADER, WEIR_EINVAL, WEIR_ENEVER   the request is wrong; nothing was sent
 *   WEIR_ERESOLVE, WEIR_ECONNECT, WEIR_ETLS, WEIR_ECERT, WEIR_ERESET, WEIR_EPROTO, WEIR_EBODYSIZE,
 *   WEIR_EHEADERSIZE, WEIR_EATTEMPTTIME, WEIR_EIDLE, WEIR_ETRANSFER   how the last attempt failed
 *   WEIR_EBODY      .body_from could not be read
 *   WEIR_ETIMEDOUT  timeout_ms passed      WEIR_EDEADLINE  the turn would come after a deadline
 *   WEIR_EPAUSED    the server has asked for a longer pause than server_wait_max_ms. Of both the
 *                   error text tells for how long still
 *   WEIR_ECANCELED  the caller is cancelled, or a deadline of its own passed
 *   WEIR_ECLOSED    the limiter was closed before the request's turn
 *   WEIR_EKEYS      its key is new, and all limiters of the client's set are in use
 *   WEIR_EOPEN      the circuit breaker is open; nothing was sent, and the error text tells the
 *                   last failure
 *   WEIR_ENORUNTIME the caller is no task, or one of another runtime than the client's; nothing
 *                   was sent
 *   WEIR_EINVAL     also for a NULL client, which the error text tells, and for a NULL out
 *   WEIR_ENOMEM, or what a transport of your own, or .give_up of weir_retry_opts, returned.
 * *out is set in each case but for NULL when memory is out: it tells the attempts, and the last
 * answer or failure. The caller frees it with weir_response_free. */
WEIR_API int weir_request(weir_client *client, const struct weir_request *request,
                          weir_response **out);

/* weir_request as a task of its own in the group, so that weir_gather and weir_as_completed take
 * it; *out is set when the task ends, but for NULL when it is cancelled before it ran, and must
 * live until then. The request is copied, and what is wrong with it, or with the client, is the
 * task's status. NULL as weir_spawn, and suspends as that. The task's weir_task_arg is `out`. */
WEIR_API weir_task *weir_request_start(weir_group *group, weir_client *client,
                                       const struct weir_request *request, weir_response **out);

/* Shorthands for weir_request, whose errors and *out they have, too; they suspend as that. url is
 * as in weir_request. json is a NUL-terminated JSON text, sent with "Content-Type:
 * application/json" (NULL: WEIR_EINVAL). A POST is not sent again after a 500 or a lost connection,
 * since the server may have acted on it: where that does no harm, as with most LLM calls, use
 * weir_request with .replay = 1. */
WEIR_API int weir_get(weir_client *client, const char *url, weir_response **out);
WEIR_API int weir_post_json(weir_client *client, const char *url, const char *json,
                            weir_response **out);

/* weir_request with a JSON text as its body (len bytes; 0: strlen), and with "Content-Type:
 * application/json" unless the request names a type itself. Its own body must be NULL, and json
 * not, else WEIR_EINVAL. Otherwise as weir_request. Suspends. From trees: <weir/jansson.h>,
 * <weir/cjson.h>. */
WEIR_API int weir_request_json(weir_client *client, const struct weir_request *request,
                               const char *json, size_t len, weir_response **out);

#ifdef __cplusplus
}
#endif

#endif
