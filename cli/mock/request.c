#include "mock/request.h"

#include <string.h>
#include <strings.h>

#define BODY_KEEP ((size_t)16 * 1024) /* what an idle connection holds on to */

static const char too_large[] = "Request body is over 16 MiB.";

static int refuse(struct mock_request *req, int status, const char *trouble)
{
    req->error = status;
    req->trouble = trouble;
    return -1;
}

static int on_url(http_parser *parser, const char *at, size_t len)
{
    struct mock_request *req = parser->data;

    for (; len > 0 && !req->path_done; at++, len--) {
        if (*at == '?' || *at == '#')
            req->path_done = true;
        else if (req->path_len == MOCK_PATH_MAX)
            req->path_cut = req->path_done = true;
        else
            req->path[req->path_len++] = *at > ' ' && *at < 0x7f ? *at : '?';
    }
    return 0;
}

static int on_field(http_parser *parser, const char *at, size_t len)
{
    struct mock_request *req = parser->data;
    size_t room;

    if (req->in_value) {
        req->in_value = false;
        req->field_len = 0;
    }
    room = sizeof(req->field) - req->field_len;
    memcpy(req->field + req->field_len, at, len < room ? len : room);
    req->field_len += len < room ? len : room;
    return 0;
}

static bool field_is(const struct mock_request *req, const char *name, size_t len)
{
    return req->field_len == len && strncasecmp(req->field, name, len) == 0;
}

static int on_value(http_parser *parser, const char *at, size_t len)
{
    struct mock_request *req = parser->data;
    bool first = !req->in_value;

    req->in_value = true;
    if (field_is(req, "content-type", 12)) {
        if (first)
            req->type_len = 0; /* of two such headers the last one counts */
        if (len > sizeof(req->type) - req->type_len)
            req->type_cut = true;
        else
            memcpy(req->type + req->type_len, at, len);
        req->type_len = req->type_cut ? 0 : req->type_len + len;
    } else if (field_is(req, "expect", 6)) {
        req->expects = true; /* 100-continue: nothing else can be expected */
    }
    return 0;
}

static int on_headers_complete(http_parser *parser)
{
    struct mock_request *req = parser->data;

    req->method = (enum http_method)parser->method;
    req->keep_alive = http_should_keep_alive(parser) && req->method != HTTP_CONNECT;
    req->old = parser->http_major == 1 && parser->http_minor == 0;
    if ((parser->flags & F_CONTENTLENGTH) && parser->content_length > MOCK_BODY_MAX)
        return refuse(req, HTTP_STATUS_PAYLOAD_TOO_LARGE, too_large);
    req->wants_continue = req->expects && !req->old;
    return 0;
}

static int on_body(http_parser *parser, const char *at, size_t len)
{
    struct mock_request *req = parser->data;

    req->wants_continue = false;
    if (mock_buf_append(&req->body, at, len, MOCK_BODY_MAX) == 0)
        return 0;
    if (len > MOCK_BODY_MAX - req->body.len)
        return refuse(req, HTTP_STATUS_PAYLOAD_TOO_LARGE, too_large);
    return refuse(req, HTTP_STATUS_SERVICE_UNAVAILABLE, "The mock server is out of memory.");
}

static int on_complete(http_parser *parser)
{
    struct mock_request *req = parser->data;

    req->complete = true;
    http_parser_pause(parser, 1);
    return 0;
}

static const http_parser_settings settings = {
    .on_url = on_url,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_complete,
};

void mock_request_setup(void)
{
    http_parser_set_max_header_size(MOCK_HEADER_MAX);
}

void mock_request_init(struct mock_request *req)
{
    http_parser_init(&req->parser, HTTP_REQUEST);
    req->parser.data = req;
}

void mock_request_free(struct mock_request *req)
{
    mock_buf_free(&req->body);
}

/* A client that believes to talk to a proxy sends the whole URL. */
static void strip_origin(struct mock_request *req)
{
    size_t from;

    if (req->path_len < 7 || strncasecmp(req->path, "http://", 7) != 0)
        return;
    for (from = 7; from < req->path_len && req->path[from] != '/'; from++)
        ;
    req->path_len -= from;
    memmove(req->path, req->path + from, req->path_len);
}

static void give_up(struct mock_request *req, enum http_errno why)
{
    if (req->error)
        return;
    if (why == HPE_HEADER_OVERFLOW)
        refuse(req, HTTP_STATUS_REQUEST_HEADER_FIELDS_TOO_LARGE,
               "Request headers are over 64 KiB.");
    else
        refuse(req, HTTP_STATUS_BAD_REQUEST, "This is not a valid HTTP/1 request.");
}

size_t mock_request_feed(struct mock_request *req, const char *data, size_t len)
{
    size_t used;

    http_parser_pause(&req->parser, 0);
    used = http_parser_execute(&req->parser, &settings, data, len);
    if (!req->complete && HTTP_PARSER_ERRNO(&req->parser) != HPE_OK)
        give_up(req, HTTP_PARSER_ERRNO(&req->parser));
    if (req->complete || req->error) {
        strip_origin(req);
        req->path[req->path_len] = '\0';
    }
    return used;
}

void mock_request_next(struct mock_request *req)
{
    req->complete = req->expects = req->wants_continue = req->in_value = false;
    req->path_done = req->path_cut = req->type_cut = false;
    req->path_len = req->type_len = req->field_len = 0;
    mock_buf_clear(&req->body, BODY_KEEP);
}
