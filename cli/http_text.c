#include "http_text.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool is_name_char(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

const char *header_fault(const char *line, size_t len)
{
    const char *colon = memchr(line, ':', len);
    if (colon == NULL)
        return "has no colon between name and value";
    if (colon == line)
        return "has no name";
    for (const char *at = line; at < colon; at++) {
        if (!is_name_char((unsigned char)*at))
            return "has a character in its name that HTTP does not allow there";
    }
    for (const char *at = colon + 1; at < line + len; at++) {
        unsigned char c = (unsigned char)*at;
        if ((c < 0x20 && c != '\t') || c == 0x7F)
            return "has a control character in its value";
    }
    return NULL;
}

bool header_same_name(const char *a, const char *b)
{
    size_t len = strcspn(a, ":");
    return len == strcspn(b, ":") && strncasecmp(a, b, len) == 0;
}

bool headers_have(const char *const *lines, const char *line)
{
    while (lines != NULL && *lines != NULL) {
        if (header_same_name(*lines++, line))
            return true;
    }
    return false;
}

bool header_frames_request(const char *line)
{
    return header_same_name(line, "Content-Length:") ||
           header_same_name(line, "Transfer-Encoding:");
}

const char *method_find(const char *name, size_t len)
{
    static const char *const methods[] = {"POST", "GET", "PUT", "PATCH", "DELETE", "HEAD"};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (strlen(methods[i]) == len && strncasecmp(methods[i], name, len) == 0)
            return methods[i];
    }
    return NULL;
}

bool url_is_absolute(const char *url)
{
    return strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0;
}

size_t url_origin_len(const char *url)
{
    const char *host = strstr(url, "://");
    host = host != NULL ? host + 3 : url;
    return (size_t)(host - url) + strcspn(host, "/?#");
}

static bool is_loopback(const char *url)
{
    const char *host = strstr(url, "://");
    if (host == NULL)
        return false;
    const char *user_end = memchr(host, '@', url_origin_len(url) - (size_t)(host - url));
    host = user_end != NULL ? user_end + 1 : host + 3;
    size_t name_len = strcspn(host, ":/?#");
    return (name_len == 9 && strncasecmp(host, "localhost", 9) == 0) ||
           strncmp(host, "127.", 4) == 0 || strncmp(host, "[::1]", 5) == 0;
}

const char *proxy_variable(const char *url)
{
    static const char *const https[] = {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY",
                                        NULL};
    static const char *const http[] = {"http_proxy", "all_proxy", "ALL_PROXY", NULL};
    if (url == NULL || is_loopback(url))
        return NULL;
    for (const char *const *name = strncasecmp(url, "https", 5) == 0 ? https : http; *name != NULL;
         name++) {
        const char *value = getenv(*name);
        if (value != NULL && *value != '\0')
            return *name;
    }
    return NULL;
}

const char *status_meaning(int status)
{
    static const struct {
        int status;
        const char *meaning;
    } known[] = {
        {400, "the server does not understand the request"},
        {401, "the server wants a valid key or login"},
        {402, "the server wants payment"},
        {403, "the server does not allow this"},
        {404, "the server has nothing at this URL"},
        {405, "the server does not take this method at this URL"},
        {408, "the server waited too long for the request"},
        {409, "conflict with the state of the resource"},
        {413, "the request is too large for the server"},
        {415, "the server does not take this content type"},
        {422, "the server refuses the content of the request"},
        {429, "too many requests, even after all attempts"},
        {500, "the server failed"},
        {502, "a gateway got no valid answer from the server behind it"},
        {503, "the server is overloaded or down"},
        {504, "a gateway got no answer in time from the server behind it"},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (known[i].status == status)
            return known[i].meaning;
    }
    if (status >= 300 && status < 400)
        return "the server points elsewhere";
    return status >= 500 ? "the server failed" : "the server refuses the request";
}
