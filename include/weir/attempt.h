/* How an attempt ended, and why another followed it or not: the words that requests
 * (<weir/client.h>) and retried functions (<weir/retry.h>) have in common. */
#ifndef WEIR_ATTEMPT_H
#define WEIR_ATTEMPT_H

#include <stddef.h>
#include <stdint.h>

#include <weir/err.h>

/* How a call or an attempt ended, as far as retrying is concerned. */
enum weir_outcome {
    WEIR_OUTCOME_OK =
        0, /* status below 400, redirects (3xx) as well; a function that returned 0 or more */
    WEIR_OUTCOME_CLIENT_ERROR, /* 4xx: asking again would not help */
    WEIR_OUTCOME_THROTTLED,    /* 429, or 503 with a Retry-After: too fast */
    WEIR_OUTCOME_SERVER_ERROR, /* 408, 409, 425, 5xx: may pass */
    WEIR_OUTCOME_FAILED,       /* no complete answer; weir_response_error_text says why. A function
                                  that returned a negative code */
};

/* What is known of the server having got the request. */
enum weir_sent {
    WEIR_SENT_NEVER = 0, /* not a byte of it left: safe to send again */
    WEIR_SENT_MAYBE,     /* the server may have acted on it */
    WEIR_SENT_ANSWERED,  /* an answer came */
};

/* Whether the same request can ever succeed, as far as the server says so itself. */
enum weir_verdict {
    WEIR_VERDICT_NONE = 0, /* it says nothing: by the status alone */
    WEIR_VERDICT_RETRY,    /* try again */
    WEIR_VERDICT_FINAL,    /* do not: a quota is used up, the request is larger than a limit */
};

/* X(number, name, text): why another attempt followed, or none did. Append, never renumber. */
#define WEIR_WHY_MAP(X)                                                                            \
    X(0, WELL, "it went well")                                                                     \
    X(1, AGAIN, "retry: it may pass")                                                              \
    X(2, AGAIN_THROTTLED, "retry: throttled")                                                      \
    X(3, AGAIN_TOLD, "retry: the server says so")                                                  \
    X(4, AGAIN_RULE, "retry: the caller's rule says so")                                           \
    X(5, AGAIN_ASKED, "retry: asked for by WEIR_EAGAIN")                                           \
    X(6, NOT_HELPFUL, "another attempt would not help, by its status or error")                    \
    X(7, NOT_SAFE, "the server may have acted on it, and it may not be sent twice")                \
    X(8, RULE, "the caller's rule says no")                                                        \
    X(9, FINAL, "the server says: final")                                                          \
    X(10, ATTEMPTS, "max_attempts reached")                                                        \
    X(11, THROTTLED, "max_throttled reached")                                                      \
    X(12, ELAPSED, "would pass max_elapsed_ms")                                                    \
    X(13, STOP, "the caller's stop rule")                                                          \
    X(14, SERVER_WAIT, "the server asks for a longer wait than server_wait_max_ms")                \
    X(15, DEADLINE, "would pass the deadline")                                                     \
    X(16, BUDGET, "the retry budget is exhausted")                                                 \
    X(17, CANCELED, "cancelled")                                                                   \
    X(18, CLOSED, "the limiter was closed")                                                        \
    X(19, OPEN, "the circuit is open")                                                             \
    X(20, RACE, "the other sending of it counts")                                                  \
    X(21, BODY, "its body cannot be read a second time")

enum weir_why {
#define WEIR_WHY_ENUM(number, name, text) WEIR_WHY_##name = (number),
    WEIR_WHY_MAP(WEIR_WHY_ENUM)
#undef WEIR_WHY_ENUM
};

/* The connection that an attempt went over. */
enum weir_connection {
    WEIR_CONNECTION_NONE = 0, /* none stood, or it is not known (a transport of your own) */
    WEIR_CONNECTION_NEW,      /* made for it */
    WEIR_CONNECTION_REUSED,   /* one that stood; with HTTP/2 others may be using it, too */
};

/* Whether it goes through a proxy. */
enum weir_via {
    WEIR_VIA_UNKNOWN = 0, /* a transport of your own; or .no_proxy or the environment decide, and
                             libcurl is older than 8.7: then a connection that is made for an
                             https:// URL through an HTTP proxy is told, and nothing else */
    WEIR_VIA_DIRECT,
    WEIR_VIA_PROXY,
};

/* Bytes of an address, with its NUL: an IPv6 one with a zone. */
#define WEIR_PEER_IP_MAX 48

typedef struct weir_response weir_response;

/* One attempt, as rules and hooks see it. Those of before `retry` are not yet told when an attempt
 * begins: they are then as of the attempt before. */
struct weir_attempt {
    int rc;                    /* 0: an answer came; else a WEIR_E code. Of a retried function: what
                                  it returned */
    int status;                /* HTTP status; 0: none */
    enum weir_outcome outcome; /* class of the two above */
    enum weir_sent sent;       /* what is known of the server having got it */
    int replay;                /* nonzero: may be sent again even if the server may have it */
    unsigned number;           /* 1, 2, ... */
    unsigned throttled;        /* of those up to here, how many were answered "too fast" */
    int64_t server_wait_ms;    /* the wait the server asked for; -1: none */
    int retry;                 /* what weir itself would do: 1 try again, 0 do not */
    enum weir_verdict verdict; /* what the server says itself */
    const char *cause;         /* static words for the answer ("quota exhausted"), or NULL */
    const weir_response *response; /* the answer, for as long as the call of a rule or a hook lasts;
                                      NULL for a retried function */
    int64_t started_ns;            /* weir_now_ns at the beginning of the first attempt */
    int64_t elapsed_ns; /* from there to this attempt's end (in `before`: its beginning) */
    int64_t idle_ns;    /* slept between attempts so far; in before_sleep, with the coming wait */
    int64_t wait_ns;    /* the wait before this attempt; in before_sleep, the coming one */
    int http_version;   /* of the answer: 10, 11, 20 (HTTP/2); 0: none came, or it is not known. As
                           those of before `retry`, like the next two */
    enum weir_connection connection;
    enum weir_via via;  /* who is at the other end of it: weir_response_peer */
    int reserved;       /* 0 */
    void *user;         /* the request's .user */
    const char *method; /* for the hook of <weir/log.h>, and elsewhere NULL, as is the next one */
    const char *url;    /* absolute, without secrets (as in <weir/log.h>), cut after
                           WEIR_LOG_URL_MAX */
};

/* One attempt that has ended, as weir_response_history tells of it. */
struct weir_attempt_record {
    size_t size;     /* sizeof(struct weir_attempt_record): set it before the call */
    unsigned number; /* 1, 2, ... */
    int rc;          /* as in weir_attempt, as are the next three */
    int status;
    enum weir_outcome outcome;
    enum weir_sent sent;
    enum weir_why why;  /* another followed, or none did */
    int64_t started_ms; /* on the clock of weir_now_ms */
    int64_t took_ms;
    int64_t server_wait_ms;      /* -1: none */
    int64_t wait_ms;             /* backoff chosen before the next attempt; 0: none */
    int64_t blocked_backoff_ms;  /* what it waited for before it began: backoff ... */
    int64_t blocked_turn_ms;     /* ... and its turn at the limiter, of which: */
    int64_t blocked_requests_ms; /* a limit that was learned, too */
    int64_t blocked_tokens_ms;
    int64_t blocked_concurrency_ms;
    int64_t blocked_gate_ms;
    int http_version; /* as in weir_attempt, as are the next two */
    enum weir_connection connection;
    enum weir_via via;
    int peer_port;                  /* of the connection's other end, which is the server's or the
                                       proxy's; 0: none stood, a unix socket, or it is not known */
    char peer_ip[WEIR_PEER_IP_MAX]; /* its address, such as "192.0.2.7" or "2001:db8::1"; "": as
                                       above */
};

#ifdef __cplusplus
extern "C" {
#endif

/* The text of the reason ("retry: throttled"); "unknown reason" for others. Static, never NULL. */
WEIR_API const char *weir_why_text(enum weir_why why);

/* 1 when the reason is one for another attempt, else 0. */
WEIR_API int weir_why_again(enum weir_why why);

#ifdef __cplusplus
}
#endif

#endif
