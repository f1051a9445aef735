#include "http/curl_handle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/blocks.h"
#include "base/mem.h"
#include "http/curl_code.h"
#include "http/curl_phases.h"
#include "http/curl_route.h"
#include "http/curl_version.h"
#include "http/header.h"

/* libcurl waits a second for a "100 Continue" on larger bodies, which few servers send. */
enum { EXPECT_FROM = 1 << 20 };

/* ---- callbacks: they only record ---- */

static void note_heard(struct weir__curl_handle *handle, bool content)
{
    if (handle->heard != NULL)
        handle->heard(handle->owner, content);
}

/* Called by libcurl whenever it looks at the transfer. */
static int on_progress(void *arg, curl_off_t to_come, curl_off_t come, curl_off_t to_go,
                       curl_off_t gone)
{
    struct weir__curl_handle *handle = arg;
    (void)to_come;
    (void)come;
    (void)to_go;
    if (gone > handle->uploaded)
        note_heard(handle, false);
    handle->uploaded = gone;
    return 0;
}

void weir__curl_handle_route(const struct weir__curl_handle *handle)
{
    weir__curl_route(handle->easy, handle->net, handle->sendings > 0, &handle->response->route);
}

bool weir__curl_handle_is_http1(const struct weir__curl_handle *handle)
{
    long version = CURL_HTTP_VERSION_NONE;
    if (handle->net->opts.http2 == WEIR_HTTP2_OFF)
        return true;
    curl_easy_getinfo(handle->easy, CURLINFO_HTTP_VERSION, &version);
    return version == CURL_HTTP_VERSION_1_0 || version == CURL_HTTP_VERSION_1_1;
}

/* The response is complete but for what is to come of the content: it changes no more. */
static bool hand_on(struct weir__curl_handle *handle)
{
    long status = 0;
    if (handle->handed_on)
        return true;
    curl_easy_getinfo(handle->easy, CURLINFO_RESPONSE_CODE, &status);
    if (!weir__is_success((int)status))
        return false;
    handle->response->status = (int)status;
    handle->response->sent = WEIR_SENT_ANSWERED;
    handle->handed_on = true;
    weir__curl_phases(handle->easy, true, false, &handle->response->phases);
    weir__curl_handle_route(handle);
    return true;
}

static size_t on_body(char *data, size_t unit, size_t n, void *arg)
{
    struct weir__curl_handle *handle = arg;
    note_heard(handle, true);
    if (handle->content != NULL && hand_on(handle)) {
        int rc = handle->content(handle->owner, data, unit * n);
        handle->failure = rc < 0 ? rc : 0;
        handle->paused = rc == WEIR__CONTENT_LATER;
        return rc == 0 ? unit * n : rc == WEIR__CONTENT_LATER ? CURL_WRITEFUNC_PAUSE : 0;
    }
    handle->failure = weir_response_append(handle->response, data, unit * n);
    return handle->failure == 0 ? unit * n : 0;
}

static size_t on_header(char *data, size_t unit, size_t n, void *arg)
{
    struct weir__curl_handle *handle = arg;
    size_t len = unit * n;
    note_heard(handle, false);
    if (handle->handed_on)
        return len;                                  /* a trailer */
    if (len >= 5 && memcmp(data, "HTTP/", 5) == 0) { /* 100 Continue may have come before */
        weir__buf_reset(&handle->response->head);
        handle->answered = true;
        handle->whole_head = false;
        return len;
    }
    if (len <= 2) {
        handle->whole_head = true;
        if (handle->upload != NULL)
            handle->answering(handle->owner);
        return len;
    }
    handle->failure = weir__response_add_line(handle->response, data, len);
    return handle->failure == 0 ? len : 0;
}

static long request_bytes(const struct weir__curl_handle *handle)
{
    long bytes = 0;
    curl_easy_getinfo(handle->easy, CURLINFO_REQUEST_SIZE, &bytes);
    return bytes;
}

/* Called when the connection stands, right before the request goes out. When a kept connection dies
 * before the first byte of the answer, libcurl would send the request again by itself, behind the
 * limiter and though the server may have acted on it: the second call ends that, unless not a byte
 * has left before. */
static int before_sending(void *arg, char *ip, char *local_ip, int port, int local_port)
{
    struct weir__curl_handle *handle = arg;
    (void)ip;
    (void)local_ip;
    (void)port;
    handle->local_port = local_port;
    if (handle->sendings++ > 0 && request_bytes(handle) > 0) {
        handle->failure = WEIR_ERESET;
        return CURL_PREREQFUNC_ABORT;
    }
    if (handle->connected != NULL)
        handle->connected(handle->owner);
    note_heard(handle, false);
    return CURL_PREREQFUNC_OK;
}

/* As libcurl would, but programs that this one starts do not inherit it. */
static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)arg;
    (void)purpose;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* ---- making ---- */

static void set_once(struct weir__curl_handle *handle)
{
    CURL *easy = handle->easy;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, handle);
    curl_easy_setopt(easy, CURLOPT_CURLU, handle->url);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, handle->error_text);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, handle);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, handle);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, before_sending);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, handle);
    curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(easy, CURLOPT_XFERINFODATA, handle);
}

struct weir__curl_handle *weir__curl_handle_new(CURLSH *share, const struct weir__net *net)
{
    struct weir__curl_handle *handle = weir__zalloc(sizeof *handle);
    if (handle == NULL)
        return NULL;
    weir__list_init(&handle->node);
    weir__list_init(&handle->at_host);
    handle->easy = curl_easy_init();
    handle->url = curl_url();
    handle->net = net;
    if (handle->easy == NULL || handle->url == NULL || !weir__net_set(net, handle->easy)) {
        weir__curl_handle_free(handle);
        return NULL;
    }
    set_once(handle);
    curl_easy_setopt(handle->easy, CURLOPT_SHARE, share);
    return handle;
}

void weir__curl_handle_free(struct weir__curl_handle *handle)
{
    curl_easy_cleanup(handle->easy); /* before what it points to; NULL is fine */
    curl_url_cleanup(handle->url);
    weir__slist_free(handle->headers);
    weir__free_secret(handle->url_text);
    weir__free(handle->method);
    weir__free(handle);
}

/* ---- telling it what differs ---- */

/* Whether memory was out inside of libcurl since the transfer began (or of another one's
 * meanwhile), and it may have put that so: as a URL, a name or a header that is at fault. */
static bool lacked_memory(const struct weir__curl_handle *handle, int rc)
{
    bool so = rc == WEIR_EURL || rc == WEIR_ERESOLVE || rc == WEIR_EHEADERSIZE ||
              rc == WEIR_ECERT || rc == WEIR_ETRANSFER;
    return so && weir__blocks_failures() != handle->blocks_failed;
}

static int set_url(struct weir__curl_handle *handle, const char *url)
{
    if (handle->url_text != NULL && strcmp(handle->url_text, url) == 0)
        return 0;
    char *copy = weir__strdup(url);
    if (copy == NULL)
        return WEIR_ENOMEM;
    weir__free_secret(handle->url_text);
    handle->url_text = NULL;
    CURLUcode rc = curl_url_set(handle->url, CURLUPART_URL, url, 0);
    if (rc != CURLUE_OK) {
        weir__free(copy);
        return rc == CURLUE_OUT_OF_MEMORY || lacked_memory(handle, WEIR_EURL) ? WEIR_ENOMEM
                                                                              : WEIR_EURL;
    }
    handle->url_text = copy;
    weir__net_set_for(handle->net, handle->easy, url);
    return 0;
}

static bool append(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*list, line);
    if (longer != NULL)
        *list = longer;
    return longer != NULL;
}

/* libcurl takes a header with an empty value as "Name;". */
static bool add_header(struct curl_slist **list, const char *line)
{
    size_t name = weir__header_name_len(line), value_len;
    const char *end = line + strlen(line);
    char *empty = NULL;
    weir__trim(line + name + 1, end, &value_len);
    if (value_len == 0) {
        empty = weir__memdup(line, name + 1);
        if (empty == NULL)
            return false;
        empty[name] = ';';
    }
    bool ok = append(list, empty != NULL ? empty : line);
    weir__free_secret(empty);
    return ok;
}

/* What goes behind the exchange's headers: those that libcurl would add by itself and shall not, in
 * its way of saying so, and the User-Agent (by its own option it costs twice as much). */
struct added {
    const char *line[5]; /* NULL at the end */
};

/* Where a body has a meaning, one that is missing is said to be empty (RFC 9110, section 8.6), or
 * some servers answer 411. */
static bool has_body(const struct weir_exchange *exchange)
{
    const char *method = exchange->method;
    return exchange->body != NULL || exchange->body_from != NULL || strcmp(method, "POST") == 0 ||
           strcmp(method, "PUT") == 0 || strcmp(method, "PATCH") == 0;
}

static struct added added_for(const struct weir__net *net, const struct weir_exchange *exchange)
{
    struct added added = {{NULL}};
    size_t n = 0;
    bool large = exchange->body_len >= EXPECT_FROM || exchange->body_from != NULL;
    if (large && !weir__headers_have(exchange->headers, "Expect:"))
        added.line[n++] = "Expect:";
    /* It takes every body for a form. */
    if (has_body(exchange) && !weir__headers_have(exchange->headers, "Content-Type:"))
        added.line[n++] = "Content-Type:";
    if (net->opts.compression == WEIR_COMPRESSION_UNASKED &&
        !weir__headers_have(exchange->headers, "Accept-Encoding:"))
        added.line[n++] = "Accept-Encoding:"; /* decompressing and asking is one option to it */
    if (!weir__headers_have(exchange->headers, "User-Agent:"))
        added.line[n++] = "User-Agent: weir";
    return added;
}

/* Moves *list past entries that are the lines, one by one; *same becomes false when one is not. */
static void pass_lines(const struct curl_slist **list, const char *const *lines, bool *same)
{
    for (; *same && *lines != NULL; lines++) {
        *same = *list != NULL && strcmp((*list)->data, *lines) == 0;
        *list = *same ? (*list)->next : NULL;
    }
}

static bool same_headers(const struct curl_slist *list, const char *const *lines,
                         const struct added *added)
{
    bool same = true;
    pass_lines(&list, lines, &same);
    pass_lines(&list, added->line, &same);
    return same && list == NULL;
}

static int set_headers(struct weir__curl_handle *handle, const struct weir_exchange *exchange)
{
    const struct added added = added_for(handle->net, exchange);
    if (same_headers(handle->headers, exchange->headers, &added))
        return 0;
    struct curl_slist *list = NULL;
    bool ok = true;
    for (const char *const *line = exchange->headers; ok && *line != NULL; line++)
        ok = add_header(&list, *line);
    for (const char *const *line = added.line; ok && *line != NULL; line++)
        ok = append(&list, *line);
    if (!ok || curl_easy_setopt(handle->easy, CURLOPT_HTTPHEADER, list) != CURLE_OK) {
        weir__slist_free(list);
        return WEIR_ENOMEM;
    }
    weir__slist_free(handle->headers);
    handle->headers = list;
    return 0;
}

static int set_method(struct weir__curl_handle *handle, const char *method, bool body)
{
    const char *told = handle->method != NULL ? handle->method : "";
    const char *own = strcmp(method, body ? "POST" : "GET") == 0 ? "" : method;
    if (strcmp(told, own) == 0)
        return 0;
    char *copy = own[0] != '\0' ? weir__strdup(own) : NULL;
    if (own[0] != '\0' && copy == NULL)
        return WEIR_ENOMEM;
    bool ok = curl_easy_setopt(handle->easy, CURLOPT_CUSTOMREQUEST, copy) == CURLE_OK;
    weir__free(handle->method);
    handle->method = ok ? copy : NULL; /* on failure libcurl has forgotten the old one, too */
    if (!ok)
        weir__free(copy);
    return ok ? 0 : WEIR_ENOMEM;
}

static size_t on_hunger(char *to, size_t unit, size_t n, void *arg)
{
    struct weir__curl_handle *handle = arg;
    size_t len = weir__upload_take(handle->upload, to, unit * n);
    if (len == CURL_READFUNC_PAUSE)
        handle->hungry(handle->owner);
    return len;
}

/* libcurl would begin anew behind the limiter, as before_sending tells. */
static int no_seek(void *arg, curl_off_t offset, int origin)
{
    (void)arg;
    (void)offset;
    (void)origin;
    return CURL_SEEKFUNC_FAIL;
}

static void set_body_from(struct weir__curl_handle *handle, const struct weir_body *body)
{
    CURL *easy = handle->easy;
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, NULL);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->length);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_hunger);
    curl_easy_setopt(easy, CURLOPT_READDATA, handle);
    curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, no_seek);
}

/* The body is borrowed: libcurl reads it where it lies. */
static void set_body(struct weir__curl_handle *handle, const struct weir_exchange *exchange)
{
    CURL *easy = handle->easy;
    if (!has_body(exchange)) {
        curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
        curl_easy_setopt(easy, CURLOPT_NOBODY, strcmp(exchange->method, "HEAD") == 0 ? 1L : 0L);
        return;
    }
    if (exchange->body_from != NULL) {
        set_body_from(handle, exchange->body_from);
        return;
    }
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)exchange->body_len);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, exchange->body_len > 0 ? exchange->body : "");
}

int weir__curl_handle_set(struct weir__curl_handle *handle, const struct weir_exchange *exchange,
                          weir_response *response)
{
    handle->response = response;
    handle->sendings = 0;
    handle->answered = handle->whole_head = handle->handed_on = handle->paused = false;
    handle->uploaded = 0;
    handle->failure = 0;
    handle->blocks_failed = weir__blocks_failures();
    handle->error_text[0] = '\0';
    int rc = set_url(handle, exchange->url);
    if (rc == 0)
        rc = set_headers(handle, exchange);
    if (rc < 0)
        return rc;
    set_body(handle, exchange);
    if (handle->timeout_ms != exchange->timeout_ms) {
        curl_easy_setopt(handle->easy, CURLOPT_TIMEOUT_MS, (long)exchange->timeout_ms);
        handle->timeout_ms = exchange->timeout_ms;
    }
    if (handle->watches != (handle->heard != NULL)) {
        handle->watches = !handle->watches;
        curl_easy_setopt(handle->easy, CURLOPT_NOPROGRESS, handle->watches ? 0L : 1L);
    }
    return set_method(handle, exchange->method, has_body(exchange));
}

/* ---- its result ---- */

static int meaning_of(const struct weir__curl_handle *handle, CURLcode code)
{
    if (code == CURLE_OUT_OF_MEMORY && handle->answered && !handle->whole_head &&
        weir__curl_trait(WEIR__CURL_LONG_LINE_OOM))
        return WEIR_EHEADERSIZE;
    int rc = weir__curl_error(code);
    if (!handle->answered && (rc == WEIR_ERESET || rc == WEIR_ETLS) &&
        weir__curl_names_certificate(handle->error_text))
        return WEIR_ECERT;
    if (rc == WEIR_ERESET && weir__curl_names_headers(handle->error_text))
        return WEIR_EHEADERSIZE;
    bool on_the_way = handle->sendings == 0; /* a proxy's refusal, a connect that took too long */
    return on_the_way && (rc == WEIR_ERESET || rc == WEIR_EATTEMPTTIME) ? WEIR_ECONNECT : rc;
}

/* How a failure of libcurl reads once our own callbacks' reasons are known. */
static int error_of(const struct weir__curl_handle *handle, CURLcode code)
{
    if (handle->failure != 0)
        return handle->failure;
    int rc = meaning_of(handle, code);
    return lacked_memory(handle, rc) ? WEIR_ENOMEM : rc;
}

enum weir_sent weir__curl_handle_sent(const struct weir__curl_handle *handle)
{
    bool begun = request_bytes(handle) > 0 || handle->answered; /* to a proxy, perhaps */
    return begun && handle->sendings > 0 ? WEIR_SENT_MAYBE : WEIR_SENT_NEVER;
}

/* libcurl is content with an answer that ends amid its headers, and with any status. */
static CURLcode checked(const struct weir__curl_handle *handle, CURLcode code, long *status)
{
    if (code != CURLE_OK)
        return code;
    if (!handle->whole_head)
        return CURLE_PARTIAL_FILE;
    curl_easy_getinfo(handle->easy, CURLINFO_RESPONSE_CODE, status);
    return *status >= 100 && *status <= 599 ? CURLE_OK : CURLE_WEIRD_SERVER_REPLY;
}

/* libcurl names the URL's host and port here, and no reason. */
static const char *say_socket(struct weir__curl_handle *handle)
{
    char buf[64];
    long why = 0;
    curl_easy_getinfo(handle->easy, CURLINFO_OS_ERRNO, &why);
    snprintf(handle->error_text, sizeof handle->error_text, "unix socket %s: %s",
             handle->net->opts.unix_socket,
             why != 0 ? strerror_r((int)why, buf, sizeof buf) : "no connection");
    return handle->error_text;
}

static const char *failure_text(struct weir__curl_handle *handle, CURLcode code, int rc)
{
    if (handle->failure != 0)
        return weir_strerror(rc);
    if (code == CURLE_COULDNT_CONNECT && handle->net->opts.unix_socket != NULL)
        return say_socket(handle);
    return handle->error_text[0] != '\0' ? handle->error_text : curl_easy_strerror(code);
}

int weir__curl_handle_result(struct weir__curl_handle *handle, CURLcode code)
{
    weir_response *response = handle->response;
    long status = 0;
    code = checked(handle, code, &status);
    weir__curl_phases(handle->easy, handle->sendings > 0, code == CURLE_OK, &response->phases);
    weir__curl_handle_route(handle);
    if (code == CURLE_OK) {
        response->status = (int)status;
        response->sent = WEIR_SENT_ANSWERED;
        return 0;
    }
    int rc = error_of(handle, code);
    weir_response_set_failure(response, weir__curl_handle_sent(handle),
                              failure_text(handle, code, rc));
    return rc;
}
