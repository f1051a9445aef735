#include "http/response.h"

#include <string.h>

#include "base/ascii.h"
#include "base/mem.h"
#include "base/opts.h"
#include "http/header.h"
#include "http/redact.h"

weir_response *weir__response_new(size_t max_body)
{
    weir_response *response = weir__alloc(sizeof *response);
    if (response == NULL)
        return NULL;
    weir__buf_init(&response->head, WEIR__HEAD_MAX);
    weir__buf_init(&response->body, max_body);
    response->attempts = 0;
    response->history = (struct weir__history){.earlier = NULL};
    response->key_line = NULL;
    response->secrets = NULL;
    weir__response_reset(response);
    return response;
}

void weir__response_reset(weir_response *response)
{
    response->status = 0;
    response->outcome = WEIR_OUTCOME_FAILED;
    response->sent = WEIR_SENT_NEVER;
    response->error = 0;
    response->server_wait_ms = -1;
    response->phases = (struct weir_phases){.size = sizeof response->phases,
                                            .lookup_ns = -1,
                                            .connect_ns = -1,
                                            .tls_ns = -1,
                                            .first_byte_ns = -1,
                                            .body_ns = -1};
    response->route = (struct weir__route){.http_version = 0};
    response->error_text[0] = '\0';
    weir__buf_reset(&response->head);
    weir__buf_reset(&response->body);
}

void weir__response_forget_answer(weir_response *response)
{
    struct weir__route route = response->route;
    weir__response_reset(response);
    response->route = route;
}

void weir_response_free(weir_response *response)
{
    if (response == NULL)
        return;
    weir__buf_free(&response->head);
    weir__buf_free(&response->body);
    weir__history_free(&response->history);
    weir__free(response->key_line);
    weir__free(response);
}

/* ---- filling ---- */

int weir_response_set_status(weir_response *response, int status)
{
    if (status < 100 || status > 599)
        return WEIR_EINVAL;
    response->status = status;
    response->sent = WEIR_SENT_ANSWERED;
    weir__buf_reset(&response->head);
    weir__buf_reset(&response->body);
    return 0;
}

static int or_code(int rc, int when_over)
{
    return rc == WEIR_ENEVER ? when_over : rc;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Takes the end of the last line away, so that what comes is more of it. */
static void open_last_line(struct weir__buf *head)
{
    while (head->len > 0 && is_space(head->data[head->len - 1]))
        head->len--;
}

int weir__response_add_line(weir_response *response, const char *line, size_t len)
{
    bool folded = len > 0 && (line[0] == ' ' || line[0] == '\t') && response->head.len > 0;
    if (folded) {
        for (; len > 0 && is_space(line[0]) && line[0] != '\n'; len--)
            line++;
        open_last_line(&response->head);
        int rc = weir__buf_adds(&response->head, " ");
        if (rc < 0)
            return or_code(rc, WEIR_EHEADERSIZE);
    }
    return or_code(weir__buf_add(&response->head, line, len), WEIR_EHEADERSIZE);
}

int weir_response_add_header(weir_response *response, const char *name, const char *value)
{
    size_t start = response->head.len;
    if (!weir__header_name_ok(name, strlen(name)) || !weir__header_value_ok(value, strlen(value)))
        return WEIR_EHEADER;
    int rc = weir__buf_adds(&response->head, name);
    if (rc == 0)
        rc = weir__buf_adds(&response->head, ": ");
    if (rc == 0)
        rc = weir__buf_adds(&response->head, value);
    if (rc == 0)
        rc = weir__buf_adds(&response->head, "\r\n");
    if (rc < 0 && response->head.data != NULL) { /* no half line stays */
        response->head.len = start;
        response->head.data[start] = '\0';
    }
    return or_code(rc, WEIR_EHEADERSIZE);
}

int weir_response_append(weir_response *response, const void *data, size_t len)
{
    return or_code(weir__buf_add(&response->body, data, len), WEIR_EBODYSIZE);
}

void weir_response_set_failure(weir_response *response, enum weir_sent sent, const char *text)
{
    response->sent = sent;
    /* By way of a buffer, since the text may be the response's own. */
    char safe[sizeof response->error_text];
    size_t len = weir__redact(safe, sizeof safe, text, strlen(text), response->secrets);
    memcpy(response->error_text, safe, len + 1);
}

int weir__response_refuse(weir_response *response, int rc, const char *why)
{
    response->error = rc;
    weir_response_set_failure(response, WEIR_SENT_NEVER, why);
    return rc;
}

/* ---- reading ---- */

int weir_response_status(const weir_response *response)
{
    return response->status;
}

enum weir_outcome weir_response_outcome(const weir_response *response)
{
    return response->outcome;
}

enum weir_sent weir_response_sent(const weir_response *response)
{
    return response->sent;
}

const char *weir_response_body(const weir_response *response)
{
    return response->body.data != NULL ? response->body.data : "";
}

size_t weir_response_body_len(const weir_response *response)
{
    return response->body.len;
}

/* The place of a line's name in the list; n: it is none of those before n. */
static size_t place_of(const char *line, size_t name_len, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strlen(names[i]) == name_len && weir__ascii_same(line, names[i], name_len))
            return i;
    }
    return n;
}

const char *weir__response_first_header(const weir_response *response, const char *const *names,
                                        size_t n, size_t *len)
{
    const char *line = response->head.data, *value = NULL;
    const char *end = line != NULL ? line + response->head.len : NULL;
    size_t value_len = 0;
    while (n > 0 && line < end) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        stop = stop != NULL ? stop : end;
        const char *colon = memchr(line, ':', (size_t)(stop - line));
        size_t place = colon != NULL ? place_of(line, (size_t)(colon - line), names, n) : n;
        if (place < n) {
            value = weir__trim(colon + 1, stop, &value_len);
            n = place; /* only those of higher rank still count */
        }
        line = stop + 1;
    }
    if (len != NULL && value != NULL)
        *len = value_len;
    return value;
}

bool weir__response_next_line(const weir_response *response, size_t *at, const char **line,
                              size_t *len)
{
    if (*at >= response->head.len)
        return false;
    size_t left = response->head.len - *at;
    *line = response->head.data + *at;
    const char *stop = memchr(*line, '\n', left);
    *len = stop != NULL ? (size_t)(stop - *line) : left;
    *at += *len + (stop != NULL);
    return true;
}

bool weir__header_split(const char *line, size_t len, struct weir_header *header)
{
    const char *colon = memchr(line, ':', len);
    if (colon == NULL)
        return false;
    header->name = line;
    header->name_len = (size_t)(colon - line);
    header->value = weir__trim(colon + 1, line + len, &header->value_len);
    return true;
}

int weir_response_next_header(const weir_response *response, const char *name, size_t *at,
                              struct weir_header *header)
{
    const char *line;
    size_t len;
    while (weir__response_next_line(response, at, &line, &len)) {
        if (weir__header_split(line, len, header) &&
            (name == NULL || place_of(header->name, header->name_len, &name, 1) == 0))
            return 1;
    }
    return 0;
}

const char *weir__response_joined(const weir_response *response, const char *name,
                                  struct weir__buf *buf, size_t *len)
{
    struct weir_header first, other;
    size_t at = 0;
    if (!weir_response_next_header(response, name, &at, &first))
        return NULL;
    *len = first.value_len;
    if (!weir_response_next_header(response, name, &at, &other))
        return first.value;
    weir__buf_reset(buf);
    int rc = weir__buf_add(buf, first.value, first.value_len);
    do {
        if (rc == 0)
            rc = weir__buf_adds(buf, ", ");
        if (rc == 0)
            rc = weir__buf_add(buf, other.value, other.value_len);
    } while (rc == 0 && weir_response_next_header(response, name, &at, &other));
    *len = buf->len;
    return rc == 0 ? buf->data : NULL;
}

const char *weir_response_header(const weir_response *response, const char *name, size_t *len)
{
    return weir__response_first_header(response, &name, 1, len);
}

const char *weir_response_idempotency_key(const weir_response *response)
{
    const char *line = response->key_line;
    return line != NULL ? line + sizeof WEIR__KEY_HEADER - 1 : NULL;
}

unsigned weir_response_attempts(const weir_response *response)
{
    return response->attempts;
}

int weir_response_phases(const weir_response *response, struct weir_phases *phases)
{
    return weir__opts_fill(phases, sizeof response->phases, &response->phases);
}

const char *weir_response_peer(const weir_response *response, int *port)
{
    if (port != NULL)
        *port = response->route.peer_port;
    return response->route.peer_ip;
}

int64_t weir_response_server_wait_ms(const weir_response *response)
{
    return response->server_wait_ms;
}

int weir_response_error(const weir_response *response)
{
    return response->error;
}

const char *weir_response_error_text(const weir_response *response)
{
    return response->error_text;
}
