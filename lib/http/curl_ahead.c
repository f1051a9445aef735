#include "http/curl_ahead.h"

#include "base/fetch.h"
#include "http/curl_handle.h"

/* libcurl's struct Curl_easy has 5.2 to 5.6 KB from 7.88 to 8.14, and a request uses most of it. */
enum { EASY_BYTES = 5504 };

/* A response up to where its head and body begin. */
enum { RESPONSE_BYTES = 192 };

void weir__ahead_note(struct weir__ahead *ahead, const struct weir__curl_handle *handle)
{
    ahead->easy = handle->easy;
    ahead->handle = handle;
    ahead->response = handle->response;
    ahead->frames = handle->frames;
    weir__blocks_note(&ahead->blocks);
}

void weir__ahead_fetch(const struct weir__ahead *ahead)
{
    if (ahead->easy == NULL)
        return;
    weir__blocks_fetch(&ahead->blocks);
    weir__fetch_all(ahead->easy, EASY_BYTES);
    weir__fetch_all(ahead->handle, offsetof(struct weir__curl_handle, error_text));
    weir__fetch_all(ahead->response, RESPONSE_BYTES);
    weir__fetch_all(ahead->frames, WEIR__FRAMES_BYTES);
}
