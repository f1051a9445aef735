#include "client/observe.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/opts.h"
#include "http/redact.h"
#include "http/response.h"

int weir__observer_init(struct weir__observer *observer, const struct weir_log_opts *opts)
{
    struct weir_log_opts *log = &observer->log;
    int rc = weir__opts_copy(log, sizeof *log, opts);
    observer->secrets = NULL;
    if (rc == 0 && (log->reserved != 0 || log->level > WEIR_LOG_TRACE))
        rc = WEIR_EINVAL;
    if (log->level == 0)
        log->level = WEIR_LOG_WARN;
    if (rc < 0) /* such a client does not live long */
        *log = (struct weir_log_opts){.fn = NULL};
    return rc;
}

const char *weir_log_level_name(enum weir_log_level level)
{
    static const char *const names[] = {"?", "error", "warn", "info", "debug", "trace"};
    return level > 0 && level <= WEIR_LOG_TRACE ? names[level] : names[0];
}

/* ---- lines ---- */

static inline bool wants(const struct weir__observer *observer, enum weir_log_level level)
{
    return observer->log.fn != NULL && level <= observer->log.level;
}

bool weir__observe_wants(const struct weir__observer *observer, enum weir_log_level level)
{
    return wants(observer, level);
}

struct line {
    struct weir__secrets secrets; /* of what it tells of */
    size_t len;
    char text[WEIR_LOG_TEXT_MAX];
};

__attribute__((format(printf, 2, 3))) static void add(struct line *line, const char *format, ...)
{
    size_t room = sizeof line->text - line->len;
    va_list args;
    va_start(args, format);
    int len = vsnprintf(line->text + line->len, room, format, args);
    va_end(args);
    if (len > 0)
        line->len += (size_t)len < room ? (size_t)len : room - 1;
}

static void add_safely(struct line *line, const char *text, size_t len, size_t most)
{
    size_t room = sizeof line->text - line->len;
    line->len +=
        weir__redact(line->text + line->len, room < most ? room : most, text, len, &line->secrets);
}

static void know(struct line *line, const struct weir__observer *observer,
                 const struct weir_exchange *exchange)
{
    line->secrets =
        (struct weir__secrets){observer->secrets, exchange->headers, exchange->url, NULL};
    line->len = 0;
}

static void begin(struct line *line, const struct weir__observer *observer,
                  const struct weir_exchange *exchange)
{
    const char *url = exchange->url != NULL ? exchange->url : "(no URL)";
    know(line, observer, exchange);
    add(line, "%s ", exchange->method != NULL ? exchange->method : "?");
    add_safely(line, url, strlen(url), WEIR_LOG_URL_MAX);
}

/* What came of an attempt: "503", or "connection lost ...: Recv failure". */
static void add_result(struct line *line, const struct weir_attempt *at)
{
    const char *code = weir_strerror(at->rc), *text = weir_response_error_text(at->response);
    if (at->rc == 0)
        add(line, "%d", at->status);
    else if (text[0] == '\0' || strcmp(code, text) == 0)
        add(line, "%s", code);
    else
        add(line, "%s (%s)", code, text);
    if (at->rc == 0 && at->cause != NULL)
        add(line, " (%s)", at->cause);
}

static void say(const struct weir__observer *observer, enum weir_log_level level,
                const struct line *line)
{
    observer->log.fn(level, line->text, observer->log.arg);
}

void weir__observe_say(struct weir__observer *observer, enum weir_log_level level, const char *text)
{
    static const struct weir_exchange none;
    struct line line;
    if (!wants(observer, level))
        return;
    know(&line, observer, &none);
    add_safely(&line, text, strlen(text), sizeof line.text);
    say(observer, level, &line);
}

static void say_header(const struct weir__observer *observer, const struct weir_exchange *exchange,
                       char direction, const char *text, size_t len)
{
    struct line line;
    know(&line, observer, exchange);
    add(&line, "%c ", direction);
    add_safely(&line, text, len, sizeof line.text);
    say(observer, WEIR_LOG_TRACE, &line);
}

static void say_answer_headers(const struct weir__observer *observer,
                               const struct weir_exchange *exchange, const weir_response *response)
{
    const char *line = response->head.data;
    const char *end = line != NULL ? line + response->head.len : NULL;
    while (line < end) {
        const char *stop = memchr(line, '\r', (size_t)(end - line));
        stop = stop != NULL ? stop : end;
        say_header(observer, exchange, '<', line, (size_t)(stop - line));
        line = stop + 2;
    }
}

static long long ms_of(int64_t time_ns)
{
    return (long long)(time_ns / WEIR__NS_PER_MS);
}

/* ---- attempts ---- */

static uint64_t *counter(struct weir_outcome_counts *counts, enum weir_outcome outcome)
{
    switch (outcome) {
    case WEIR_OUTCOME_OK:
        return &counts->ok;
    case WEIR_OUTCOME_CLIENT_ERROR:
        return &counts->client_error;
    case WEIR_OUTCOME_THROTTLED:
        return &counts->throttled;
    case WEIR_OUTCOME_SERVER_ERROR:
        return &counts->server_error;
    case WEIR_OUTCOME_FAILED:
        break;
    }
    return &counts->failed;
}

static __attribute__((noinline)) void trace_request(const struct weir__observer *observer,
                                                    const struct weir_exchange *exchange)
{
    struct line line;
    begin(&line, observer, exchange);
    add(&line, " attempt %u begins, body of %zu bytes", exchange->attempt, exchange->body_len);
    say(observer, WEIR_LOG_TRACE, &line);
    for (const char *const *header = exchange->headers; *header != NULL; header++)
        say_header(observer, exchange, '>', *header, strlen(*header));
}

void weir__observe_attempt_begin(struct weir__observer *observer,
                                 const struct weir_exchange *exchange)
{
    observer->counts.attempts++;
    if (wants(observer, WEIR_LOG_TRACE))
        trace_request(observer, exchange);
}

static void count_attempt(struct weir__observer *observer, const struct weir_exchange *exchange,
                          const struct weir_attempt *at, int64_t took_ns, bool goes_on)
{
    struct weir_client_stats *counts = &observer->counts;
    if (at->sent != WEIR_SENT_NEVER)
        counts->bytes_sent += exchange->body_len;
    counts->bytes_received += at->response->body.len;
    counts->connections += at->connection == WEIR_CONNECTION_NEW;
    counts->http2_attempts += at->http_version == 20;
    counts->proxy_attempts += at->via == WEIR_VIA_PROXY && at->connection != WEIR_CONNECTION_NONE;
    if (at->rc == WEIR_ECANCELED) {
        counts->attempts_ended.canceled++;
        return;
    }
    if (!goes_on)
        ++*counter(&counts->attempts_ended, at->outcome);
    weir__histogram_add(&observer->latency, took_ns);
}

void weir__observe_attempt_dropped(struct weir__observer *observer, const struct weir_attempt *at)
{
    ++*counter(&observer->counts.attempts_ended, at->outcome);
}

static void add_phase(struct line *line, const char *name, int64_t time_ns)
{
    const int64_t tenth_ns = WEIR__NS_PER_MS / 10;
    long long tenths = (long long)((time_ns + tenth_ns / 2) / tenth_ns);
    if (time_ns >= 0) /* by integers: a locale would have its say in a %f */
        add(line, ", %s %lld.%lld", name, tenths / 10, tenths % 10);
}

/* ", HTTP/2, connection reused, to 192.0.2.7:443". */
static void add_route(struct line *line, const struct weir__route *route)
{
    bool six = strchr(route->peer_ip, ':') != NULL;
    if (route->http_version == 20)
        add(line, ", HTTP/2");
    else if (route->http_version > 0)
        add(line, ", HTTP/%d.%d", route->http_version / 10, route->http_version % 10);
    if (route->connection != WEIR_CONNECTION_NONE)
        add(line, ", connection %s",
            route->connection == WEIR_CONNECTION_REUSED ? "reused" : "new");
    if (route->via == WEIR_VIA_PROXY)
        add(line, ", through a proxy");
    if (route->peer_port != 0)
        add(line, six ? ", to [%s]:%d" : ", to %s:%d", route->peer_ip, route->peer_port);
}

/* ", took 41 ms, name 0.4, connect 0.1, TLS 1.2, first byte 38.0, body 0.2". */
static void add_times(struct line *line, const struct weir_phases *phases, int64_t took_ns)
{
    add(line, ", took %lld ms", ms_of(took_ns));
    if (phases->reused == 0) {
        add_phase(line, "name", phases->lookup_ns);
        add_phase(line, "connect", phases->connect_ns);
        add_phase(line, "TLS", phases->tls_ns);
    }
    add_phase(line, "first byte", phases->first_byte_ns);
    add_phase(line, "body", phases->body_ns);
}

static __attribute__((noinline)) void say_attempt(const struct weir__observer *observer,
                                                  const struct weir_exchange *exchange,
                                                  const struct weir_attempt *at, int64_t took_ns)
{
    struct line line;
    begin(&line, observer, exchange);
    add(&line, " attempt %u: ", at->number);
    add_result(&line, at);
    add_route(&line, &at->response->route);
    add_times(&line, &at->response->phases, took_ns);
    say(observer, WEIR_LOG_DEBUG, &line);
    if (wants(observer, WEIR_LOG_TRACE))
        say_answer_headers(observer, exchange, at->response);
}

/* With what belongs to the request, for as long as the call lasts. */
static __attribute__((noinline)) void call_hook(const struct weir__observer *observer,
                                                const struct weir_exchange *exchange,
                                                const struct weir_attempt *at)
{
    char url[WEIR_LOG_URL_MAX];
    struct weir_attempt shown = *at;
    struct weir__secrets secrets = {observer->secrets, exchange->headers, exchange->url, NULL};
    weir__redact(url, sizeof url, exchange->url, strlen(exchange->url), &secrets);
    shown.method = exchange->method;
    shown.url = url;
    observer->log.attempt(&shown, observer->log.arg);
}

void weir__observe_attempt_end(struct weir__observer *observer,
                               const struct weir_exchange *exchange, const struct weir_attempt *at,
                               int64_t took_ns, bool goes_on)
{
    count_attempt(observer, exchange, at, took_ns, goes_on);
    if (observer->log.attempt != NULL)
        call_hook(observer, exchange, at);
    if (wants(observer, WEIR_LOG_DEBUG))
        say_attempt(observer, exchange, at, took_ns);
}

static __attribute__((noinline)) void say_retry(const struct weir__observer *observer,
                                                const struct weir_exchange *exchange,
                                                const struct weir_attempt *at, enum weir_why why,
                                                int64_t wait_ns)
{
    struct line line;
    begin(&line, observer, exchange);
    add(&line, " attempt %u: ", at->number);
    add_result(&line, at);
    add(&line, "; %s", weir_why_text(why));
    if (at->outcome == WEIR_OUTCOME_THROTTLED) /* it has no wait of its own, the gate has */
        add(&line, ", when the limiter lets it");
    else
        add(&line, ", after %lld ms", ms_of(wait_ns));
    if (at->server_wait_ms >= 0)
        add(&line, " (the server asks for %lld ms)", (long long)at->server_wait_ms);
    say(observer, WEIR_LOG_WARN, &line);
}

void weir__observe_retry(struct weir__observer *observer, const struct weir_exchange *exchange,
                         const struct weir_attempt *at, enum weir_why why, int64_t wait_ns)
{
    if (wants(observer, WEIR_LOG_WARN))
        say_retry(observer, exchange, at, why, wait_ns);
}

/* ---- calls ---- */

void weir__observe_begin(struct weir__observer *observer)
{
    observer->counts.requests++;
}

/* Counts it, and says how loudly it is told. */
static enum weir_log_level count_end(struct weir_client_stats *counts,
                                     const struct weir_attempt *at, int rc)
{
    if (rc == WEIR_ECANCELED || rc == WEIR_ETIMEDOUT) {
        counts->requests_ended.canceled++;
        return WEIR_LOG_WARN;
    }
    if (rc < 0 && at->number == 0) {
        counts->requests_refused++;
        return WEIR_LOG_WARN;
    }
    enum weir_outcome outcome = rc < 0 ? WEIR_OUTCOME_FAILED : at->outcome;
    ++*counter(&counts->requests_ended, outcome);
    bool answered = outcome == WEIR_OUTCOME_OK || outcome == WEIR_OUTCOME_CLIENT_ERROR;
    return answered ? WEIR_LOG_INFO : WEIR_LOG_ERROR;
}

static void add_end(struct line *line, const struct weir_attempt *at, int rc)
{
    struct weir_attempt last = *at;
    last.rc = rc;
    add(line, ": ");
    add_result(line, &last);
    add(line, "; attempts: %u, in %lld ms", at->number, ms_of(at->elapsed_ns));
}

static __attribute__((noinline)) void say_end(const struct weir__observer *observer,
                                              enum weir_log_level level,
                                              const struct weir_exchange *exchange,
                                              const struct weir_attempt *at, enum weir_why why,
                                              int rc)
{
    struct line line;
    begin(&line, observer, exchange);
    add_end(&line, at, rc);
    if (at->number > 0)
        add(&line, "; %s", weir_why_text(why));
    say(observer, level, &line);
}

void weir__observe_end(struct weir__observer *observer, const struct weir_exchange *exchange,
                       const struct weir_attempt *at, enum weir_why why, int rc)
{
    enum weir_log_level level = count_end(&observer->counts, at, rc);
    if (wants(observer, level))
        say_end(observer, level, exchange, at, why, rc);
}

/* ---- streams ---- */

/* "GET https://...": the request may be gone when the stream ends. */
static __attribute__((noinline)) char *begin_kept(const struct weir__observer *observer,
                                                  const struct weir_exchange *exchange)
{
    struct line line;
    begin(&line, observer, exchange);
    return weir__strdup(line.text);
}

void weir__observe_content_begin(struct weir__observer *observer, struct weir__content *content,
                                 const struct weir_exchange *exchange,
                                 const struct weir_attempt *at, enum weir_why why, int64_t now_ns)
{
    observer->counts.streams += content->sending;
    content->open = true;
    content->at = *at;
    content->why = why;
    content->begun_ns = now_ns;
    content->what = wants(observer, WEIR_LOG_ERROR) ? begin_kept(observer, exchange) : NULL;
}

static enum weir_log_level count_content(struct weir_client_stats *counts,
                                         const struct weir__content *content, int rc)
{
    bool canceled = rc == WEIR__CLOSED || rc == WEIR_ECANCELED;
    struct weir_outcome_counts *ended = &counts->attempts_ended;
    enum weir_outcome outcome = rc < 0 ? WEIR_OUTCOME_FAILED : content->at.outcome;
    if (content->sending) {
        counts->streams--;
        ++*(canceled ? &ended->canceled : counter(ended, outcome));
    }
    if (rc != WEIR__CLOSED)
        return count_end(counts, &content->at, rc);
    counts->requests_ended.canceled++;
    return WEIR_LOG_INFO;
}

static __attribute__((noinline)) void say_content(const struct weir__observer *observer,
                                                  enum weir_log_level level,
                                                  const struct weir__content *content, int rc,
                                                  int64_t took_ns)
{
    struct line line = {.len = 0};
    add(&line, "%s", content->what != NULL ? content->what : "(no URL)");
    add_end(&line, &content->at, rc < 0 ? rc : 0);
    if (content->sending)
        add(&line, "; a stream of %llu bytes", (unsigned long long)content->bytes);
    if (content->sending && content->events > 0)
        add(&line, ", %llu events", (unsigned long long)content->events);
    if (content->sending)
        add(&line, ", in %lld ms", ms_of(took_ns));
    if (rc >= 0)
        add(&line, "; %s",
            rc == WEIR__CLOSED ? "closed before its end" : weir_why_text(content->why));
    say(observer, level, &line);
}

void weir__observe_content_end(struct weir__observer *observer, struct weir__content *content,
                               int rc, int64_t now_ns)
{
    if (!content->open)
        return;
    content->open = false;
    enum weir_log_level level = count_content(&observer->counts, content, rc);
    if (wants(observer, level))
        say_content(observer, level, content, rc, now_ns - content->begun_ns);
    weir__free(content->what);
    content->what = NULL;
}
