/* What a transfer will need when its answer comes. With hundreds of them under way that has left
 * the cache by then, so it is asked for all at once, while the kernel hands out the answer. */
#ifndef WEIR_HTTP_CURL_AHEAD_H
#define WEIR_HTTP_CURL_AHEAD_H

#include "base/blocks.h"

struct weir__curl_handle;

/* Addresses alone: what was there may be gone. All zero: nothing. */
struct weir__ahead {
    const void *easy, *handle, *response, *frames;
    struct weir__recent blocks;
};

/* The transfer has just been set going: what libcurl allocated last is its own. */
void weir__ahead_note(struct weir__ahead *ahead, const struct weir__curl_handle *handle);

void weir__ahead_fetch(const struct weir__ahead *ahead);

#endif
