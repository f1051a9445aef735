/* What a client says of its work: texts by level, and a hook that is called at the end of each
 * attempt. Off unless asked for, and then a client costs nothing for it. For counts and times see
 * <weir/metrics.h>.
 *
 * It is per client (.log of weir_client_opts): there is no state of the process, so a library that
 * uses weir says nothing that its program did not ask for.
 *
 * No text holds a secret as far as that can be seen, nor does weir_response_error_text. Replaced by
 * "***" are: what the client knows to be secret, wherever it stands and if it has 8 bytes or more
 * (values of its and the request's headers and of query parameters with a secret name, user and
 * password of the URL and the proxy); values of headers, query parameters and JSON members whose
 * name has a part such as key, token, secret, password, auth, cookie, signature or session; what
 * follows "Bearer" and "Basic"; user and password of URLs. A path is shown. Bodies are in no text.
 * docs/guide/observability.md says what is taken out, and what is not. */
#ifndef WEIR_LOG_H
#define WEIR_LOG_H

#include <stddef.h>

#include <weir/attempt.h>
#include <weir/opts.h>

enum weir_log_level {
    WEIR_LOG_ERROR = 1, /* a call failed, or was given up with a 408, 409, 425, 429 or 5xx */
    WEIR_LOG_WARN,      /* an attempt failed and another follows; a call was cancelled or refused */
    WEIR_LOG_INFO,      /* a call was answered, a stream to its end or until it was closed */
    WEIR_LOG_DEBUG,     /* each attempt */
    WEIR_LOG_TRACE,     /* headers */
};

/* The longest text, its NUL included. What is longer is cut. */
#define WEIR_LOG_TEXT_MAX 1024

/* The longest URL in a text and in the hook, its NUL included. What is longer is cut. */
#define WEIR_LOG_URL_MAX 512

/* Takes one line, without a newline, control characters replaced by '?'; valid for the time of the
 * call. Runs in the task whose attempt or call it is; must neither suspend nor free the client. */
typedef void (*weir_log_fn)(enum weir_log_level level, const char *text, void *arg);

/* Is told of each attempt that has ended, both sendings of a hedged one included (<weir/attempt.h>;
 * a cancelled one has rc WEIR_ECANCELED), with the request's method, URL and .user; of a stream's
 * at the head of its answer. As above. */
typedef void (*weir_attempt_fn)(const struct weir_attempt *attempt, void *arg);

struct weir_log_opts {
    size_t size;               /* set by WEIR_LOG_OPTS */
    weir_log_fn fn;            /* NULL: no texts */
    weir_attempt_fn attempt;   /* NULL: none */
    void *arg;                 /* of both */
    enum weir_log_level level; /* texts up to this one; 0: WEIR_LOG_WARN */
    int reserved;              /* leave 0 */
};
#define WEIR_LOG_OPTS(...) WEIR__OPTS(weir_log_opts, __VA_ARGS__)

#ifdef __cplusplus
extern "C" {
#endif

/* The word for a level ("error", ...); "?" for others. Static, never NULL. */
WEIR_API const char *weir_log_level_name(enum weir_log_level level);

#ifdef __cplusplus
}
#endif

#endif
