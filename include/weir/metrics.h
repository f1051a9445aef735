/* A client's counts and times, always kept, in 2 KB that do not grow, and as Prometheus text. To be
 * read at any time in the client's thread, from callbacks too, and in any once its runtime has
 * ended; nothing here suspends or allocates. */
#ifndef WEIR_METRICS_H
#define WEIR_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include <weir/client.h>

/* By how they ended: enum weir_outcome, but for those that were cancelled. */
struct weir_outcome_counts {
    uint64_t ok, client_error, throttled, server_error, failed;
    uint64_t canceled; /* by the caller or a deadline, or because the other sending won */
};

/* What attempts waited for before they began, all added up: their turn, by what held the first of
 * the queue back, and backoff. */
struct weir_wait_times {
    uint64_t requests_ns; /* a limit on requests that you have set */
    uint64_t learned_ns;  /* one that was learned */
    uint64_t tokens_ns;
    uint64_t concurrency_ns;
    uint64_t gate_ns; /* the server's pause */
    uint64_t backoff_ns;
};

/* Since the client was made. What is read as a stream (weir_request_save does so, too) ends, as a
 * call and as an attempt, with the stream: well, failed, or canceled when it is closed before. */
struct weir_client_stats {
    size_t size;       /* sizeof(struct weir_client_stats): set it before */
    uint64_t requests; /* calls that have begun */
    struct weir_outcome_counts requests_ended;
    uint64_t requests_refused; /* calls that ended before anything was sent: wrong ones,
                                  those whose turn would come too late, an open circuit, a
                                  closed limiter */
    uint64_t attempts;         /* that have begun */
    struct weir_outcome_counts attempts_ended;
    uint64_t in_flight;      /* attempts now, open streams among them */
    uint64_t bytes_sent;     /* bodies of the attempts that may have reached the server */
    uint64_t bytes_received; /* bodies of answers, after decompression; of streams, what was read */
    uint64_t latency_count;  /* attempts that ended otherwise than by a cancel ... */
    uint64_t latency_sum_ns; /* ... and the time that they took together, streams to their head,
                                at which they are counted here */
    struct weir_wait_times waits;
    uint64_t connections;    /* made for attempts; with HTTP/2 many share one */
    uint64_t http2_attempts; /* that were answered in HTTP/2 */
    uint64_t
        proxy_attempts; /* that went through a proxy, as far as that is known (enum weir_via) */
    uint64_t streams;   /* open now: those whose content is on its way */
};

#ifdef __cplusplus
extern "C" {
#endif

/* Fills *stats, whose size must be set: 0, else WEIR_EINVAL, also for a NULL client. */
WEIR_API int weir_client_stats(const weir_client *client, struct weir_client_stats *stats);

/* A time in ns that `percent` (1 to 99) per cent of the attempts did not exceed, at most an eighth
 * too high (and 18 us at least); -1 when there was none yet, for another percent, or a NULL client.
 * Cancelled attempts are left out. */
WEIR_API int64_t weir_client_latency_ns(const weir_client *client, unsigned percent);

/* The counts of `count` clients as Prometheus text (format 0.0.4: serve it as "text/plain;
 * version=0.0.4"), as snprintf writes: at most `room` bytes, a NUL at the end included, to `text`,
 * which may be NULL when room is 0. names[i] is the value of the label `client` of clients[i], in
 * UTF-8; names may be NULL for a single client, which has no such label then. Returns the length of
 * the whole text without the NUL: if that is room or more, it was cut. About 5 KB and 3 KB more for
 * each further client. WEIR_EINVAL: no client, a NULL one, or several without names that
 * differ. */
WEIR_API int weir_client_metrics_text(const weir_client *const *clients, const char *const *names,
                                      size_t count, char *text, size_t room);

#ifdef __cplusplus
}
#endif

#endif
