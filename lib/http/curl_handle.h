/* Easy handles: pooled, and told only what differs from their last request. */
#ifndef WEIR_HTTP_CURL_HANDLE_H
#define WEIR_HTTP_CURL_HANDLE_H

#include <curl/curl.h>

#include "base/list.h"
#include "http/curl_net.h"
#include "http/curl_upload.h"
#include "http/response.h"

enum { WEIR__CONTENT_LATER = 1 };

/* What is used of a task's stack when the answer comes, from handle->frames on. */
enum { WEIR__FRAMES_BYTES = 2048 };

struct weir__shard;

struct weir__curl_handle {
    struct weir__list node;    /* in its shard's running or in the pool of idle ones */
    struct weir__list at_host; /* while idle, with the host that it last sent to */
    struct weir__shard *shard; /* for good: there is the connection that it used last */
    CURL *easy;
    CURLU *url;
    struct curl_slist *headers;
    const struct weir__net *net;
    /* What it was told last. */
    char *url_text;
    char *method; /* NULL: the one that libcurl takes by itself */
    int64_t timeout_ms;
    bool watches; /* to call on_progress */
    /* What it works on now. */
    void *owner;
    const void *frames;             /* of the task that waits; never read, only asked for ahead */
    void (*connected)(void *owner); /* called once its connection stands; or NULL */
    /* Takes the content of an answer whose status is 2xx, in place of the response; NULL: the
     * response does. 0, WEIR__CONTENT_LATER: nothing was taken, weir__shards_resume brings it
     * again; or a code that ends the transfer. */
    int (*content)(void *owner, const char *data, size_t len);
    /* Where the body comes from that the exchange does not hold; NULL: it does. Called when that is
     * empty, and when an answer's head has come. */
    struct weir__upload *upload;
    void (*hungry)(void *owner);
    void (*answering)(void *owner);
    /* Called when the connection stands, when more of the body has gone out, and when anything of
     * the answer has come; content: of its content. NULL: nobody asks. */
    void (*heard)(void *owner, bool content);
    weir_response *response;
    int64_t began_ns;            /* the shard's to use */
    int local_port;              /* of the connection over which it was sent */
    unsigned sendings;           /* how often libcurl set about sending it */
    bool answered;               /* a status line came ... */
    bool whole_head;             /* ... and the empty line behind the headers ... */
    bool handed_on;              /* ... and the response is in the hands of who takes the content */
    bool paused;                 /* that one was given a piece and took it not */
    unsigned long blocks_failed; /* before it, in all */
    curl_off_t uploaded;
    int failure; /* a callback's reason to stop */
    char error_text[CURL_ERROR_SIZE];
};

/* What it looks up and its TLS sessions go to and come from the share; it connects as *net, which
 * is borrowed, says. NULL: memory is out. */
struct weir__curl_handle *weir__curl_handle_new(CURLSH *share, const struct weir__net *net);
void weir__curl_handle_free(struct weir__curl_handle *handle);

/* Prepares the handle for the exchange. 0, WEIR_EURL, WEIR_ENOMEM. */
int weir__curl_handle_set(struct weir__curl_handle *handle, const struct weir_exchange *exchange,
                          weir_response *response);

/* What is known, at any time, of the server having got the request. */
enum weir_sent weir__curl_handle_sent(const struct weir__curl_handle *handle);

/* Whether its answer came by HTTP/1, where no other may use the connection. */
bool weir__curl_handle_is_http1(const struct weir__curl_handle *handle);

/* Tells the response which way the transfer goes, as far as that is known by now. */
void weir__curl_handle_route(const struct weir__curl_handle *handle);

/* Reads the result into the response; returns 0 or the WEIR_E code. */
int weir__curl_handle_result(struct weir__curl_handle *handle, CURLcode code);

#endif
